/*
 * arch.c - see monitor/arch/arch.h.
 */
#include "monitor/arch/arch.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's own layout, with the restorer that the C library hides. */
struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000u

_Noreturn void arch_enter(uint64_t start, uint64_t argument, uint64_t stack)
{
	/* A call would have pushed a return address: keep that alignment. */
	__asm__ volatile("mov %1, %%rsp\n\t"
			 "push $0\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "jmp *%0"
			 :: "r"(start), "r"(stack), "D"(argument) : "memory");
	__builtin_unreachable();
}

static int set(int sig, const struct kernel_sigaction *sa)
{
	return (int)syscall(SYS_rt_sigaction, sig, sa, NULL, 8);
}

int arch_set_handler(int sig, uint64_t handler, uint64_t restorer)
{
	struct kernel_sigaction sa = {
		.handler = handler, .restorer = restorer,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER |
			 KERNEL_SA_RESTORER,
	};

	return set(sig, &sa);
}

int arch_set_default(int sig, int is_ignored)
{
	struct kernel_sigaction sa = { .handler = is_ignored ? 1 : 0 };

	return set(sig, &sa);
}
