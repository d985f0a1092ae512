/*
 * brk.c - the program break.  As Linux: the result is the break that holds
 * afterwards, whether or not it is the wanted one.
 */
#include "mm_impl.h"

#include <libos/sys.h>

static const char heap_name[] = "[heap]";

static bool brk_grow(struct mm *m, u64 from, u64 to, struct vma **dead)
{
	struct vma like = {
		.start = from, .end = to, .prot = PROT_READ | PROT_WRITE,
		.flags = m->lock_future & VMA_LOCKED, .name = heap_name,
	}, *v;
	int err = -ENOMEM;

	mutex_lock(&m->lock);
	if (to < GUEST_MAX && !meets_libos(from, to - from + PAGE_SIZE) &&
	    vma_range_free(m, from, to + PAGE_SIZE) &&
	    mm_may_expand(m, (to - from) >> PAGE_SHIFT, like.prot,
			  like.flags))
		err = vma_add(m, &like, &v, dead);
	mutex_unlock(&m->lock);
	if (err)
		return false;
	if (!host_mem_map((void *)from, to - from, host_prot(like.prot),
			  HOST_MAP_PRIVATE, HOST_NO_HANDLE, 0))
		return true;
	mutex_lock(&m->lock);
	vma_cut(m, from, to, dead);
	mutex_unlock(&m->lock);
	return false;
}

static bool brk_move(struct mm *m, u64 brk, struct vma **dead)
{
	u64 from = PAGE_UP(m->brk), to = PAGE_UP(brk);

	if (brk < m->brk_start || brk > GUEST_MAX)
		return false;
	if (brk - m->brk_start + (m->data_end - m->data_start) >
	    mm_rlimit(RLIMIT_DATA))
		return false;
	if (to > from)
		return brk_grow(m, from, to, dead);
	return to == from || !mm_unmap_locked(m, to, from - to, dead);
}

long sys_brk(struct task *t, const struct sysargs *a)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	u64 ret;

	mutex_lock(&m->map_lock);
	if (brk_move(m, a->a[0], &dead))
		m->brk = a->a[0];
	ret = m->brk;
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return (long)ret;
}
