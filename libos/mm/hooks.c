/*
 * hooks.c - weak defaults for what program loading asks of other parts: a
 * library OS without rewriter or vDSO is a slower one, not a wrong one.
 */
#include <libos/exec.h>

__attribute__((weak)) void rewrite_text_mapped(struct mm *m, struct vma *v)
{
}

__attribute__((weak)) void rewrite_before_fork(struct mm *m)
{
}

__attribute__((weak)) void rewrite_thread_resumed(struct task *t)
{
}

__attribute__((weak)) void rewrite_text_resumed(struct mm *m, struct vma *v)
{
}

__attribute__((weak)) void rewrite_resumed(const struct image_space *heap)
{
}

__attribute__((weak)) int rewrite_before_save(void)
{
	return 0;
}

__attribute__((weak)) u64 vdso_map(struct mm *m)
{
	return 0;
}
