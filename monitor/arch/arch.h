/*
 * arch.h - what of the monitor depends on the processor.
 * Implementations: monitor/arch/<arch>/.
 */
#ifndef MONITOR_ARCH_H
#define MONITOR_ARCH_H

#include <stddef.h>
#include <stdint.h>

/* Leave for the library OS: registers empty but for argument and stack. */
_Noreturn void arch_enter(uint64_t start, uint64_t argument, uint64_t stack);
/* A handler without the C library's wrapping: SA_SIGINFO, SA_ONSTACK,
 * SA_NODEFER, empty mask, no return through the kernel's restorer. */
int arch_set_handler(int sig, uint64_t handler, uint64_t restorer);
int arch_set_default(int sig, int is_ignored);

#endif
