/*
 * arch_x86_64.h - registers and per-thread state of x86-64.
 * The order of struct regs is known to libos/arch/x86_64/entry.S.
 */
#ifndef LIBOS_ARCH_X86_64_H
#define LIBOS_ARCH_X86_64_H

#include <libos/base.h>

#define ARCH_ELF_MACHINE 62 /* EM_X86_64 */
#define ARCH_AUDIT 0xc000003eu /* AUDIT_ARCH_X86_64 */

struct regs {
	/* the six system-call arguments, in order */
	u64 rdi, rsi, rdx, r10, r8, r9;
	u64 rax;      /* result; the number on entry is in orig_rax */
	u64 orig_rax; /* system call number, or -1 if not in a call */
	u64 rbx, rbp, r12, r13, r14, r15;
	u64 rcx, r11;
	u64 rip, rsp, rflags;
};

struct task_arch {
	u64 fs_base;      /* valid only while not running */
	u64 guest_gs;     /* the guest's GS base */
	bool gs_in_use;   /* the guest set GS: entry goes through the trap */
	bool need_xrstor; /* vector state waits in xstate */
	u8 *xstate;       /* page run, or NULL */
	u32 xstate_pages; /* its length; a resume may want another */
	u32 xstate_layout; /* of what arch_save_thread() put there */
	/* of the last fault, for the signal frame */
	u64 fault_address, fault_number, fault_error;
	s32 fault_signal, fault_code;
	/* the last system call that trapped: rewrite.c's lock */
	u64 trap_rip, trap_entry;
};

static inline void arch_relax(void) { __asm__ volatile("pause"); }

#ifndef LIBOS_HOSTED
static inline struct task *current(void)
{
	struct task *t;
	__asm__("mov %%gs:0, %0" : "=r"(t));
	return t;
}
#endif
/* The processor and node of the moment, as the host numbers them. */
static inline u32 arch_cpu(void)
{
	u32 lo, hi, aux;

	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
	return aux;
}
static inline u64 regs_arg(const struct regs *r, unsigned i)
{
	return (&r->rdi)[i];
}
static inline u64 regs_sp(const struct regs *r) { return r->rsp; }
static inline u64 regs_pc(const struct regs *r) { return r->rip; }

#endif
