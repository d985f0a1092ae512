/*
 * arch.h - what depends on the processor, for code that does not.
 * Implementations: libos/arch/<arch>/.
 */
#ifndef LIBOS_ARCH_H
#define LIBOS_ARCH_H

#include <libos/base.h>

#if defined(__x86_64__)
#include <libos/arch_x86_64.h>
#else
#error "no libos/arch_*.h for this processor yet"
#endif

struct task;
#ifdef LIBOS_HOSTED
extern __thread struct task *hosted_current;
static inline struct task *current(void) { return hosted_current; }
#endif

/* Registers by role. */
static inline u64 regs_arg(const struct regs *r, unsigned i);

/* Guest entry state for a new program image. */
void arch_start_program(struct task *t, u64 entry, u64 stack);
/* The child's registers after fork/clone: a copy, result 0, other stack. */
void arch_copy_thread(struct task *child, const struct task *parent,
		      u64 stack, bool set_tls, u64 tls);
/* Build the guest's signal frame for sig and point the registers at the
 * handler; -EFAULT if the frame cannot be written. */
struct ksigaction;
#include <asm/siginfo.h>
int arch_signal_frame(struct task *t, int sig, const siginfo_t *info,
		      const struct ksigaction *ka, u64 mask_to_save);
/* rt_sigreturn: restore registers, vector state; *mask is the frame's. */
int arch_signal_return(struct task *t, u64 *mask);
/* Remember the call for a restart / undo a restart (see Linux
 * arch_do_signal_or_restart): result codes ERESTART* -> registers. */
void arch_restart_syscall(struct task *t, long nr);
/* Behind the instruction of the current call, as the program has it: it may
 * have been moved.  arch_show_call_site: go on from there. */
u64 arch_call_site(const struct task *t);
void arch_show_call_site(struct task *t);
/* Where the host may put an interrupted context of this host thread. */
void arch_set_trap_area(void *area, size_t size);
void arch_set_current(struct task *t);
size_t arch_xstate_pages(void);
/* What of t's state is only in the processor goes into the task (t is the
 * caller), and comes back (in a new host thread).  -ENOMEM. */
int arch_save_thread(struct task *t);
void arch_load_thread(struct task *t);
/* After arch_init() on another processor: can it hold t's vector registers?
 * They are made ready for it. */
bool arch_thread_fits(struct task *t);
/* Note in *sp where this stack goes on, and call wait; and go on there in
 * wait's stead, on a host thread of one's own. */
void arch_park(u64 *sp, void (*wait)(void));
_Noreturn void arch_unpark(u64 sp);
/* Once, at boot. */
void arch_init(void);
/* The guest's FS base, of the running thread. */
void arch_set_fs(u64 base);
/* The guest of the current process uses GS from now on: its rewritten calls
 * no longer find the task there. */
int arch_set_gs(struct task *t, u64 base);
/* Do the rewritten calls of the current process enter by a trap? */
int arch_entry_traps(bool on);
u64 arch_get_fs(void);

#endif
