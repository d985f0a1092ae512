/*
 * uaccess.S - copies to and from guest memory.
 *
 * A fault between uaccess_start and uaccess_end is the guest's: the fault
 * upcall continues at uaccess_fixup, which returns what is left of the count
 * (rcx), or 1 for the atomic operations.
 */
	.section .text.entry, "ax", @progbits

	.globl uaccess_start, uaccess_end, uaccess_fixup
	.hidden uaccess_start, uaccess_end, uaccess_fixup
uaccess_start:

/* size_t raw_user_copy(void *to, const void *from, size_t n): bytes left */
	.globl raw_user_copy
	.hidden raw_user_copy
raw_user_copy:
	movq	%rdx, %rcx
	cmpq	$8, %rcx
	jb	1f
	cmpq	$64, %rcx
	ja	2f
3:	movq	(%rsi), %rax
	movq	%rax, (%rdi)
	addq	$8, %rsi
	addq	$8, %rdi
	subq	$8, %rcx
	cmpq	$8, %rcx
	jae	3b
1:	testq	%rcx, %rcx
	jz	4f
5:	movb	(%rsi), %al
	movb	%al, (%rdi)
	incq	%rsi
	incq	%rdi
	decq	%rcx
	jnz	5b
4:	xorl	%eax, %eax
	ret
2:	rep movsb
	xorl	%eax, %eax
	ret

/* size_t raw_user_clear(void *to, size_t n): bytes left */
	.globl raw_user_clear
	.hidden raw_user_clear
raw_user_clear:
	movq	%rsi, %rcx
	xorl	%eax, %eax
	rep stosb
	ret

/* size_t raw_user_strcpy(char *to, const char *from, size_t n): copies up to
 * and with the NUL; rax 0: found, 1: not within n; fault: bytes left. */
	.globl raw_user_strcpy
	.hidden raw_user_strcpy
raw_user_strcpy:
	movq	%rdx, %rcx
6:	testq	%rcx, %rcx
	jz	8f
	movb	(%rsi), %al
	movb	%al, (%rdi)
	incq	%rsi
	incq	%rdi
	testb	%al, %al
	jz	7f
	decq	%rcx
	jmp	6b
7:	xorl	%eax, %eax
	ret
8:	movl	$-1, %eax
	ret

/* size_t raw_user_cmpxchg(u32 *p, u32 expected, u32 desired, u32 *old) */
	.globl raw_user_cmpxchg
	.hidden raw_user_cmpxchg
raw_user_cmpxchg:
	movq	%rcx, %r8
	movl	$1, %ecx
	movl	%esi, %eax
	lock cmpxchgl %edx, (%rdi)
	movl	%eax, (%r8)
	xorl	%eax, %eax
	ret

/* size_t raw_user_load(const u32 *p, u32 *v) */
	.globl raw_user_load
	.hidden raw_user_load
raw_user_load:
	movl	$1, %ecx
	movl	(%rdi), %eax
	movl	%eax, (%rsi)
	xorl	%eax, %eax
	ret

/* size_t raw_user_is_zero(const void *page, bool *yes): 0, or 1 if the page
 * cannot be read */
	.globl raw_user_is_zero
	.hidden raw_user_is_zero
raw_user_is_zero:
	movl	$1, %ecx
	leaq	4096(%rdi), %rdx
9:	movq	(%rdi), %rax
	orq	8(%rdi), %rax
	orq	16(%rdi), %rax
	orq	24(%rdi), %rax
	orq	32(%rdi), %rax
	orq	40(%rdi), %rax
	orq	48(%rdi), %rax
	orq	56(%rdi), %rax
	jnz	10f
	addq	$64, %rdi
	cmpq	%rdx, %rdi
	jb	9b
	movb	$1, (%rsi)
	xorl	%eax, %eax
	ret
10:	movb	$0, (%rsi)
	xorl	%eax, %eax
	ret

/* size_t raw_user_is_same(const void *page, const void *other, bool *yes) */
	.globl raw_user_is_same
	.hidden raw_user_is_same
raw_user_is_same:
	movl	$1, %ecx
	leaq	4096(%rdi), %r8
11:	movq	(%rdi), %rax
	movq	8(%rdi), %r9
	xorq	(%rsi), %rax
	xorq	8(%rsi), %r9
	orq	%r9, %rax
	jnz	12f
	addq	$16, %rdi
	addq	$16, %rsi
	cmpq	%r8, %rdi
	jb	11b
	movb	$1, (%rdx)
	xorl	%eax, %eax
	ret
12:	movb	$0, (%rdx)
	xorl	%eax, %eax
	ret
uaccess_end:

uaccess_fixup:
	movq	%rcx, %rax
	ret

	.section .note.GNU-stack, "", @progbits
