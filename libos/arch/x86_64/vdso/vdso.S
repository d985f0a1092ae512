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

	VDSO __vdso_clock_gettime, clock_gettime, 1, 228
	VDSO __vdso_gettimeofday, gettimeofday, 2, 96
	VDSO __vdso_time, time, 3, 201
	VDSO __vdso_getcpu, getcpu, 4, 309
	VDSO __vdso_clock_getres, clock_getres, 5, 229

	.section .slots, "a", @progbits
	.globl vdso_slots
	.hidden vdso_slots
vdso_slots:
	.fill 8, 8, 0

	.section .note.GNU-stack, "", @progbits
