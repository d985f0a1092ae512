/*
 * entry.S - the ways from the guest into the library OS and back.
 *
 * In:   syscall_entry     a rewritten system call (a jump): rax number,
 *                         rcx where the guest goes on
 *       host_on_trap      host signal: a system call that was not rewritten
 *       host_on_fault     host signal: a processor fault
 *       host_on_interrupt host signal: host_interrupt()
 * Out:  exit_to_guest     fast: after a system call, only what C may have
 *                         changed is put back
 *       restore_guest     full: every register, by iretq
 *
 * While inside, GS holds struct task and the guest's registers are in
 * task->regs.  The two ways out end in a window (exit_window, restore_window)
 * in which registers are half the guest's; an interrupt there starts the way
 * out anew at exit_slow, since task->regs still holds everything.
 */
#include "offsets.h"

	.section .text.entry, "ax", @progbits

	.globl syscall_entry
	.hidden syscall_entry
	.type syscall_entry, @function
syscall_entry:
	movq	%rsp, %gs:REG_RSP
	movq	%gs:TASK_KSTACK, %rsp
	movq	%rcx, %gs:REG_RIP
	movq	%rcx, %gs:REG_RCX
	pushfq
	popq	%r11
	movq	%r11, %gs:REG_RFLAGS
	movq	%r11, %gs:REG_R11
	movq	%rdi, %gs:REG_RDI
	movq	%rsi, %gs:REG_RSI
	movq	%rdx, %gs:REG_RDX
	movq	%r10, %gs:REG_R10
	movq	%r8, %gs:REG_R8
	movq	%r9, %gs:REG_R9
	movq	%rax, %gs:REG_ORIG_RAX
	movq	%rbx, %gs:REG_RBX
	movq	%rbp, %gs:REG_RBP
	movq	%r12, %gs:REG_R12
	movq	%r13, %gs:REG_R13
	movq	%r14, %gs:REG_R14
	movq	%r15, %gs:REG_R15
	incq	%gs:TASK_ENTRIES
	cld
	movq	%gs:TASK_SELF, %rdi
	call	syscall_dispatch

	.globl exit_to_guest
	.hidden exit_to_guest
exit_to_guest:
	.globl exit_window_start
	.hidden exit_window_start
exit_window_start:
	cmpl	$0, %gs:TASK_WORK
	jne	exit_slow
	movq	%gs:REG_RAX, %rax
	movq	%gs:REG_RDI, %rdi
	movq	%gs:REG_RSI, %rsi
	movq	%gs:REG_RDX, %rdx
	movq	%gs:REG_R10, %r10
	movq	%gs:REG_R8, %r8
	movq	%gs:REG_R9, %r9
	movq	%gs:REG_R11, %r11
	movq	%gs:REG_RIP, %rcx
	movq	%gs:REG_RSP, %rsp
	jmp	*%rcx
	.globl exit_window_end
	.hidden exit_window_end
exit_window_end:

	.globl exit_slow
	.hidden exit_slow
exit_slow:
	movq	%gs:TASK_KSTACK, %rsp
	movq	%gs:TASK_SELF, %rdi
	call	exit_work		/* decides; ends in restore_guest */
	movq	%gs:TASK_SELF, %rdi

/* void restore_guest(struct task *) */
	.globl restore_guest
	.hidden restore_guest
restore_guest:
	.globl restore_window_start
	.hidden restore_window_start
restore_window_start:
	testl	$WORK_INTERRUPT, TASK_WORK(%rdi)
	jnz	exit_slow
	movq	TASK_KSTACK(%rdi), %rsp
	pushq	$USER_SS
	pushq	REG_RSP(%rdi)
	pushq	REG_RFLAGS(%rdi)
	pushq	$USER_CS
	pushq	REG_RIP(%rdi)
	movq	REG_RAX(%rdi), %rax
	movq	REG_RBX(%rdi), %rbx
	movq	REG_RCX(%rdi), %rcx
	movq	REG_RDX(%rdi), %rdx
	movq	REG_RSI(%rdi), %rsi
	movq	REG_RBP(%rdi), %rbp
	movq	REG_R8(%rdi), %r8
	movq	REG_R9(%rdi), %r9
	movq	REG_R10(%rdi), %r10
	movq	REG_R11(%rdi), %r11
	movq	REG_R12(%rdi), %r12
	movq	REG_R13(%rdi), %r13
	movq	REG_R14(%rdi), %r14
	movq	REG_R15(%rdi), %r15
	cmpb	$0, TASK_GS_IN_USE(%rdi)
	je	1f
	movq	TASK_GUEST_GS(%rdi), %rdi
	wrgsbase %rdi
	/* GS is the guest's now: find the task by the kernel stack. */
	movq	%rsp, %rdi
	andq	$~TASK_BLOCK_MASK, %rdi
1:	movq	REG_RDI(%rdi), %rdi
	iretq
	.globl restore_window_end
	.hidden restore_window_end
restore_window_end:

/*
 * Host signals arrive here on the task's trap area: rdi number, rsi siginfo,
 * rdx ucontext.  The task is found by the stack; GS may be the guest's.
 * The C part returns where to go: 0 back to what was interrupted inside the
 * library OS, else on to the kernel stack with the guest's registers saved.
 */
	.macro HOST_SIGNAL name, handler
	.globl \name
	.hidden \name
	.type \name, @function
\name:
	cld
	movq	%rsp, %rcx
	andq	$~TASK_BLOCK_MASK, %rcx
	rdgsbase %r8
	wrgsbase %rcx
	movq	%rdx, %rbx		/* ucontext, survives the call */
	subq	$8, %rsp
	call	\handler		/* (signal, info, uc, task, old gs) */
	testq	%rax, %rax
	jz	resume_interrupted
	movq	%gs:TASK_KSTACK, %rsp
	movq	%gs:TASK_SELF, %rdi
	call	*%rax			/* the kernel-stack half */
	jmp	exit_slow
	.endm

	HOST_SIGNAL host_on_trap, trap_upcall
	HOST_SIGNAL host_on_fault, fault_upcall
	HOST_SIGNAL host_on_interrupt, interrupt_upcall

/* Back to the context at rbx (struct ucontext; gregs from offset 40:
 * r8..r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags). */
resume_interrupted:
	pushq	$USER_SS
	pushq	160(%rbx)
	pushq	176(%rbx)
	pushq	$USER_CS
	pushq	168(%rbx)
	movq	40(%rbx), %r8
	movq	48(%rbx), %r9
	movq	56(%rbx), %r10
	movq	64(%rbx), %r11
	movq	72(%rbx), %r12
	movq	80(%rbx), %r13
	movq	88(%rbx), %r14
	movq	96(%rbx), %r15
	movq	104(%rbx), %rdi
	movq	112(%rbx), %rsi
	movq	120(%rbx), %rbp
	movq	136(%rbx), %rdx
	movq	144(%rbx), %rax
	movq	152(%rbx), %rcx
	movq	128(%rbx), %rbx
	iretq

/* void task_entry(struct task *): first code of a new thread or process,
 * on its own kernel stack; GS is still the parent's. */
	.globl task_entry
	.hidden task_entry
task_entry:
	wrgsbase %rdi
	call	task_started
	jmp	exit_slow

/* void task_switch_stack(void *top, void (*fn)(void *), void *arg) */
	.globl task_switch_stack
	.hidden task_switch_stack
task_switch_stack:
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	xorl	%ebp, %ebp
	call	*%rsi
	ud2

/* void arch_park(u64 *sp, void (*wait)(void)): *sp is where arch_unpark goes
 * on.  The six registers are all that C code expects to find again. */
	.globl arch_park
	.hidden arch_park
arch_park:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, (%rdi)
	call	*%rsi
unpark:
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

/* void arch_unpark(u64 sp) */
	.globl arch_unpark
	.hidden arch_unpark
arch_unpark:
	movq	%rdi, %rsp
	jmp	unpark

/* void arch_enter_guest(struct task *): leave for the guest, full restore. */
	.globl arch_enter_guest
	.hidden arch_enter_guest
arch_enter_guest:
	jmp	exit_slow

	.section .note.GNU-stack, "", @progbits
