/*
 * trap.c - the three upcalls: system call traps, faults, interrupts.
 *
 * Each has a half that runs on the task's trap area, right after the host
 * interrupted the thread: it puts the vector registers back (the host clears
 * them for signal handlers), and either repairs the interrupted context and
 * returns NULL (it goes on), or saves the guest's registers in task->regs
 * and returns the function that goes on on the kernel stack.  From there the
 * way is the same as for any system call (entry.S).
 */
#include <bailey/boot.h>
#include <libos/mm.h>
#include <libos/signal.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include <linux/audit.h>

#include "context.h"
#include "offsets.h"
#include "rewrite.h"

_Static_assert(offsetof(struct task, kstack_top) == TASK_KSTACK, "offset");
_Static_assert(offsetof(struct task, work) == TASK_WORK, "offset");
_Static_assert(offsetof(struct task, entries) == TASK_ENTRIES, "offset");
_Static_assert(offsetof(struct task, regs) == TASK_REGS, "offset");
_Static_assert(offsetof(struct task, regs.rflags) == REG_RFLAGS, "offset");
_Static_assert(offsetof(struct task, arch.guest_gs) == TASK_GUEST_GS, "o");
_Static_assert(offsetof(struct task, arch.gs_in_use) == TASK_GS_IN_USE, "o");
_Static_assert((WORK_SIGNAL | WORK_EXIT | WORK_STOP | WORK_PARK) ==
	       WORK_INTERRUPT, "work bits");
_Static_assert(TASK_BLOCK_MASK == TASK_BLOCK_SIZE - 1, "block size");

extern char syscall_entry[];
typedef void (*kernel_half)(struct task *t);
static void raise_fault(int sig, int code, u64 address)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = (void *)address;
	signal_force(sig, &info);
}

/* A call of another ABI, which is not made: as a kernel without 32-bit calls
 * does it, whose processor refuses the instruction. */
static void foreign_kernel(struct task *t)
{
	u8 code[2] = { 0, 0 };

	if (!copy_from_user(code, t->regs.rip - 2, 2) && code[0] == 0xcd)
		t->regs.rip -= 2; /* int; sysenter does not say where it was */
	raise_fault(SIGSEGV, SI_KERNEL, 0);
}

kernel_half trap_upcall(int sig, siginfo_t *info, struct host_ucontext *uc,
			struct task *t, u64 old_gs);
kernel_half fault_upcall(int sig, siginfo_t *info, struct host_ucontext *uc,
			 struct task *t, u64 old_gs);
kernel_half interrupt_upcall(int sig, siginfo_t *info,
			     struct host_ucontext *uc, struct task *t,
			     u64 old_gs);

static bool in_range(u64 pc, const char *start, const char *end)
{
	return pc >= (u64)start && pc < (u64)end;
}

/* The host's clock code is run by both: the stack tells who. */
static bool in_clock_code(u64 pc)
{
	return pc >= BLY_VDSO && pc < BLY_LOCAL;
}

static bool in_libos(const struct host_ucontext *uc, const struct task *t)
{
	if (in_clock_code(uc->rip))
		return uc->rsp - (u64)t < TASK_BLOCK_SIZE;
	return uc->rip >= BLY_BASE && uc->rip < BLY_END;
}

static void restore_vectors(const struct host_ucontext *uc)
{
	const struct fpx_sw_bytes *sw =
		(const void *)(uc->fpstate + FPX_SW_OFFSET);

	xstate_restore(uc->fpstate, sw->magic1 == FP_XSTATE_MAGIC1
					    ? sw->xfeatures : 3);
}

static void save_regs(struct task *t, const struct host_ucontext *uc,
		      u64 old_gs)
{
	struct regs *r = &t->regs;

	r->rdi = uc->rdi; r->rsi = uc->rsi; r->rdx = uc->rdx;
	r->r10 = uc->r10; r->r8 = uc->r8; r->r9 = uc->r9;
	r->rax = uc->rax; r->orig_rax = (u64)-1;
	r->rbx = uc->rbx; r->rbp = uc->rbp;
	r->r12 = uc->r12; r->r13 = uc->r13;
	r->r14 = uc->r14; r->r15 = uc->r15;
	r->rcx = uc->rcx; r->r11 = uc->r11;
	r->rip = uc->rip; r->rsp = uc->rsp; r->rflags = uc->rflags;
	if (t->arch.gs_in_use && old_gs != (u64)t)
		t->arch.guest_gs = old_gs;
}

/* ---- system calls that trap ------------------------------------------------ */

#define SYS_CLOCK_GETTIME 228

static void trap_kernel(struct task *t)
{
	rewrite_site(t);
	syscall_dispatch(t);
}

/* From the host's clock code, called by the guest. */
static void clock_kernel(struct task *t)
{
	u64 nr = t->regs.orig_rax, clock = t->regs.rdi, at = t->regs.rsi;

	syscall_dispatch(t);
	if (nr == SYS_CLOCK_GETTIME && !t->regs.rax)
		vdso_unshift(clock, at);
}

kernel_half trap_upcall(int sig, siginfo_t *info, struct host_ucontext *uc,
			struct task *t, u64 old_gs)
{
	restore_vectors(uc);
	if (info->si_arch != AUDIT_ARCH_X86_64) {
		save_regs(t, uc, old_gs);
		return foreign_kernel;
	}
	if (in_libos(uc, t) && in_clock_code(uc->rip)) {
		uc->rax = (u64)-ENOSYS; /* it wants the host kernel: no */
		return NULL;
	}
	if (in_libos(uc, t))
		panic("the host refused call %ld at %lx", (long)uc->rax,
		      (long)uc->rip);
	save_regs(t, uc, old_gs);
	t->regs.orig_rax = uc->rax;
	t->entries++;
	return in_clock_code(uc->rip) ? clock_kernel : trap_kernel;
}

/* A rewritten call in a process whose guest uses GS: syscall_entry traps at
 * its first instruction (thread.c), so the registers are still the guest's. */
static void entry_kernel(struct task *t)
{
	syscall_dispatch(t);
}

static kernel_half entry_trapped(const struct host_ucontext *uc,
				 struct task *t, u64 old_gs)
{
	save_regs(t, uc, old_gs);
	t->regs.orig_rax = uc->rax;
	t->regs.rip = uc->rcx;
	t->regs.r11 = uc->rflags;
	t->entries++;
	return entry_kernel;
}

/* ---- faults ------------------------------------------------------------------ */

#define TRAP_PROTECTION 13
#define TRAP_PAGE_FAULT 14
#define FAULT_WRITE 2
#define FAULT_EXEC 16

static void fault_kernel(struct task *t)
{
	int sig = t->arch.fault_signal;
	int code = t->arch.fault_code;

	if (t->arch.fault_number == TRAP_PAGE_FAULT) {
		sig = mm_fault(t->arch.fault_address,
			       t->arch.fault_error & FAULT_WRITE,
			       t->arch.fault_error & FAULT_EXEC, &code);
		if (sig == 0)
			return;
	}
	raise_fault(sig, code, t->arch.fault_address);
}

static void fault_in_libos(struct host_ucontext *uc, u64 address)
{
	const u64 *sp = (const u64 *)uc->rsp;
	char trace[256];
	int n = 0;

	if ((u64)sp < BLY_BASE || (u64)sp >= BLY_END)
		panic("fault %ld at %lx, address %lx, stack %lx",
		      (long)uc->trapno, (long)uc->rip, (long)address,
		      (long)uc->rsp);
	trace[0] = '\0';
	for (int i = 0; i < 400 && n < 200; i++)
		if (((u64)(sp + i) & (TASK_BLOCK_SIZE - 1)) &&
		    sp[i] >= BLY_TEXT && sp[i] < BLY_TEXT + 0x400000)
			n += snprintf(trace + n, sizeof(trace) - (size_t)n,
				      " %lx", (long)sp[i]);
		else if (((u64)(sp + i + 1) & (TASK_BLOCK_SIZE - 1)) == 0)
			break;
	panic("fault %ld at %lx, address %lx, task %d, stack:%s",
	      (long)uc->trapno, (long)uc->rip, (long)address,
	      current()->tid, trace);
}

kernel_half fault_upcall(int sig, siginfo_t *info, struct host_ucontext *uc,
			 struct task *t, u64 old_gs)
{
	u64 address = uc->trapno == TRAP_PAGE_FAULT ? uc->cr2
						    : (u64)info->si_addr;

	restore_vectors(uc);
	if (in_range(uc->rip, uaccess_start, uaccess_end)) {
		t->arch.fault_address = address;
		t->arch.fault_error = uc->err;
		uc->rip = (u64)uaccess_fixup;
		return NULL;
	}
	if (uc->rip == (u64)syscall_entry && uc->trapno == TRAP_PROTECTION)
		return entry_trapped(uc, t, old_gs);
	if (in_libos(uc, t) &&
	    !in_range(uc->rip, restore_window_start, restore_window_end))
		fault_in_libos(uc, address);
	if (!in_libos(uc, t))
		save_regs(t, uc, old_gs);
	/* else iretq to a bad address: the registers are in task->regs */
	t->arch.fault_address = address;
	t->arch.fault_number = uc->trapno;
	t->arch.fault_error = uc->err;
	t->arch.fault_signal = sig;
	t->arch.fault_code = info->si_code;
	return fault_kernel;
}

/* ---- interrupts --------------------------------------------------------------- */

static void interrupt_kernel(struct task *t)
{
}

/* In the host's clock code or in the guest's vDSO. */
static bool on_way_to_clock(u64 pc, const struct task *t)
{
	return in_clock_code(pc) || pc - t->proc->mm->vdso < PAGE_SIZE;
}

/* About to wait in the host: make it return at once. */
static bool in_wait_window(u64 pc)
{
	for (const u64 *w = raw_windows; w[0]; w += 2)
		if (pc >= w[0] && pc <= w[1])
			return true;
	return false;
}

kernel_half interrupt_upcall(int sig, siginfo_t *info,
			     struct host_ucontext *uc, struct task *t,
			     u64 old_gs)
{
	restore_vectors(uc);
	if (in_range(uc->rip, exit_window_start, exit_window_end) ||
	    in_range(uc->rip, restore_window_start, restore_window_end))
		return interrupt_kernel; /* task->regs is still whole */
	if (in_libos(uc, t)) {
		if (in_wait_window(uc->rip) && (t->work & WORK_INTERRUPT))
			uc->rip = (u64)raw_interrupted;
		return NULL;
	}
	/* A thread does not stand still on its way to the clock and back:
	 * another host has other code and another time.  It is asked again. */
	if ((t->work & WORK_PARK) && on_way_to_clock(uc->rip, t))
		return NULL;
	save_regs(t, uc, old_gs);
	return interrupt_kernel;
}
