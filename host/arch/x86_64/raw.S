/*
 * raw.S - the only host system calls of a picoprocess.  See host/raw.h.
 *
 * Everything here lies in .text.host, the range from which the wall lets
 * host calls through.  raw_NAME issues the call as it is.  The waiting ones
 * (macro WAITING) first look whether the thread has work; an interrupt that
 * lands between that look and the call finds its instruction pointer in
 * [look, syscall] and is sent to raw_interrupted (host_on_interrupt), so
 * that no interrupt is lost.
 */
#include "../../../libos/arch/x86_64/offsets.h"

	.section .rodata.raw_windows, "a", @progbits
	.globl raw_windows
	.hidden raw_windows
raw_windows:			/* pairs: look, syscall; 0 ends */
	.section .text.host, "ax", @progbits

	.macro HOSTCALL name, nr
	.globl \name
	.hidden \name
	.type \name, @function
\name:
	movl	$\nr, %eax
	movq	%rcx, %r10
	syscall
	ret
	.size \name, . - \name
	.endm

	.macro WAITING name, nr
	.globl \name
	.hidden \name
	.type \name, @function
\name:
	movl	$\nr, %eax
	movq	%rcx, %r10
1:	testl	$WORK_INTERRUPT, %gs:TASK_WORK
	jnz	raw_interrupted
2:	syscall
	ret
	.size \name, . - \name
	.pushsection .rodata.raw_windows, "a", @progbits
	.quad	1b, 2b
	.popsection
	.endm

	HOSTCALL raw_mmap, 9
	HOSTCALL raw_munmap, 11
	HOSTCALL raw_mprotect, 10
	HOSTCALL raw_mremap, 25
	HOSTCALL raw_madvise, 28
	HOSTCALL raw_futex, 202
	HOSTCALL raw_sigaltstack, 131
	HOSTCALL raw_tgkill, 234
	HOSTCALL raw_preadv2, 327
	HOSTCALL raw_pwritev2, 328
	HOSTCALL raw_epoll_ctl, 233
	HOSTCALL raw_accept4, 288
	HOSTCALL raw_sendmsg, 46
	HOSTCALL raw_recvmsg, 47
	HOSTCALL raw_close, 3
	WAITING raw_preadv2_wait, 327
	WAITING raw_pwritev2_wait, 328
	WAITING raw_ppoll, 271
	WAITING raw_epoll_pwait, 281
	HOSTCALL raw_epoll_poll, 281
	HOSTCALL raw_ppoll_now, 271

	.globl raw_interrupted
	.hidden raw_interrupted
raw_interrupted:
	movq	$-4, %rax		/* -EINTR */
	ret

/*
 * int64_t raw_clone(flags, stack_top, parent_tid, child_tid, start, arg)
 * The child calls start(arg) on its stack and never returns.
 */
	.globl raw_clone
	.hidden raw_clone
	.type raw_clone, @function
raw_clone:
	movq	%rcx, %r10		/* child_tid */
	andq	$-16, %rsi
	subq	$16, %rsi
	movq	%r8, (%rsi)
	movq	%r9, 8(%rsi)
	xorl	%r8d, %r8d		/* tls: not used */
	movl	$56, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	popq	%rax
	popq	%rdi
	xorl	%ebp, %ebp
	call	*%rax
	ud2
	.size raw_clone, . - raw_clone

/* raw_exit_clear(uint32_t *alive): the stack may be reused once *alive is 0 */
	.globl raw_exit_clear
	.hidden raw_exit_clear
raw_exit_clear:
	movl	$0, (%rdi)
	xorl	%edi, %edi
	movl	$60, %eax
	syscall
	ud2

	.section .rodata.raw_windows, "a", @progbits
	.quad	0, 0
	.section .note.GNU-stack, "", @progbits
