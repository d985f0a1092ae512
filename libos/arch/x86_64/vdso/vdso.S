/*
 * vdso.S - the guest's vDSO: the clocks without a system call.
 *
 * One page.  The library OS fills the slots (vdso.c): where its entry is and
 * where the host's clock code is mapped.  The functions go straight to the
 * host's code; if there is none they make the call as a jump.  The syscall
 * instruction before each return is for restarts, which go back two bytes.
 */
	.text

	.macro VDSO name, alias, slot, nr
	.globl \name
	.type \name, @function
	.globl \alias
	.type \alias, @function
\alias:
\name:
	movq	vdso_slots + 8 * \slot(%rip), %rax
	testq	%rax, %rax
	jz	1f
	jmp	*%rax
1:	movl	$\nr, %eax
	leaq	2f(%rip), %rcx
	jmp	*vdso_slots(%rip)
	syscall
2:	ret
	.size \name, . - \name
	.size \alias, . - \alias
	.endm

	VDSO clock_gettime_here, clock_gettime_here_, 1, 228

/* In a sandbox that was resumed the clocks that count from some start are
 * shifted (slots 7 to 10), so that they go on from where they were.  The raw
 * clock is the monotonic one, as it is for the call: between the two lies
 * what the host's clock was corrected by, which another host does not know.
 * So is the coarse one after a resume: what it lags behind is not the same. */
	.globl __vdso_clock_gettime
	.type __vdso_clock_gettime, @function
	.globl clock_gettime
	.type clock_gettime, @function
clock_gettime:
__vdso_clock_gettime:
	cmpl	$4, %edi		/* CLOCK_MONOTONIC_RAW */
	jne	3f
	movl	$1, %edi
3:	cmpq	$0, vdso_slots + 8 * 6(%rip)
	je	clock_gettime_here
	leaq	vdso_slots + 8 * 9(%rip), %rax
	cmpl	$7, %edi		/* CLOCK_BOOTTIME */
	je	4f
	leaq	vdso_slots + 8 * 7(%rip), %rax
	cmpl	$1, %edi		/* CLOCK_MONOTONIC */
	je	4f
	cmpl	$6, %edi		/* CLOCK_MONOTONIC_COARSE */
	jne	clock_gettime_here
	movl	$1, %edi
4:	pushq	%rbx
	pushq	%rsi
	subq	$8, %rsp
	movq	%rax, %rbx
	call	clock_gettime_here
	addq	$8, %rsp
	popq	%rsi
	testl	%eax, %eax
	jnz	6f
	movq	(%rbx), %rdx
	addq	%rdx, (%rsi)
	movq	8(%rbx), %rdx
	addq	8(%rsi), %rdx
	cmpq	$1000000000, %rdx
	jb	5f
	subq	$1000000000, %rdx
	incq	(%rsi)
5:	movq	%rdx, 8(%rsi)
6:	popq	%rbx
	ret
	.size __vdso_clock_gettime, . - __vdso_clock_gettime
	.size clock_gettime, . - clock_gettime
	VDSO __vdso_gettimeofday, gettimeofday, 2, 96
	VDSO __vdso_time, time, 3, 201
	VDSO __vdso_getcpu, getcpu, 4, 309
	VDSO __vdso_clock_getres, clock_getres, 5, 229

	.section .slots, "a", @progbits
	.globl vdso_slots
	.hidden vdso_slots
vdso_slots:
	.fill 16, 8, 0

	.section .note.GNU-stack, "", @progbits
