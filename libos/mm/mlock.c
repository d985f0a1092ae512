/*
 * mlock.c - the mlock family.  Locked pages are counted against
 * RLIMIT_MEMLOCK and fetched now; that they stay is the host's affair.
 */
#include "mm_impl.h"

#include <libos/sys.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

/* Set or clear VMA_LOCKED on [start, end): map_lock held. */
static int lock_range(struct mm *m, u64 start, u64 end, bool lock,
		      struct vma **dead)
{
	struct vma *v;
	int err = 0;
	u64 to;

	mutex_lock(&m->lock);
	for (; !err && start < end; start = to) {
		v = vma_find(m, start);
		if (!v) {
			err = -ENOMEM;
			break;
		}
		to = MIN(v->end, end);
		err = mm_change_flags(m, &v, start, to, lock ? VMA_LOCKED : 0,
				      lock ? 0 : VMA_LOCKED, dead);
	}
	mutex_unlock(&m->lock);
	return err;
}

static void populate_range(struct mm *m, u64 start, u64 end)
{
	struct vma *v;

	mutex_lock(&m->lock);
	for (v = vma_next(m, start); v && v->start < end; v = v->next)
		mm_populate(v, MAX(v->start, start),
			    MIN(v->end, end) - MAX(v->start, start));
	mutex_unlock(&m->lock);
}

/* Bytes of [start, end) that would be newly locked. */
static u64 unlocked_bytes(struct mm *m, u64 start, u64 end)
{
	struct vma *v;
	u64 n = 0;

	mutex_lock(&m->lock);
	for (v = vma_next(m, start); v && v->start < end; v = v->next)
		if (!(v->flags & VMA_LOCKED))
			n += MIN(v->end, end) - MAX(v->start, start);
	mutex_unlock(&m->lock);
	return n;
}

static long do_mlock(u64 start, u64 size, bool lock, bool on_fault)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	u64 end;
	int err = 0;

	size = PAGE_UP(size + (start & ~PAGE_MASK));
	start = PAGE_DOWN(start);
	end = start + size;
	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	mutex_lock(&m->map_lock);
	if (lock) {
		err = mm_may_lock(m, unlocked_bytes(m, start, end));
		err = err == -EAGAIN ? -ENOMEM : err;
	}
	if (!err)
		err = lock_range(m, start, end, lock, &dead);
	if (!err && lock && !on_fault)
		populate_range(m, start, end);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}

long sys_mlock(struct task *t, const struct sysargs *a)
{
	return do_mlock(a->a[0], a->a[1], true, false);
}

long sys_mlock2(struct task *t, const struct sysargs *a)
{
	if (a->a[2] & ~(u64)MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(a->a[0], a->a[1], true, a->a[2] & MLOCK_ONFAULT);
}

long sys_munlock(struct task *t, const struct sysargs *a)
{
	return do_mlock(a->a[0], a->a[1], false, false);
}

/* Every mapping there is: map_lock held. */
static int lock_all(struct mm *m, bool lock, struct vma **dead)
{
	struct vma *v;
	int err = 0;

	mutex_lock(&m->lock);
	for (v = m->first; v && !err; v = v->next)
		err = mm_change_flags(m, &v, v->start, v->end,
				      lock ? VMA_LOCKED : 0,
				      lock ? 0 : VMA_LOCKED, dead);
	mutex_unlock(&m->lock);
	return err;
}

static long do_mlockall(bool now, bool future)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	int err = 0;

	mutex_lock(&m->map_lock);
	if (now) {
		err = mm_may_lock(m, (m->total_pages - m->locked_pages)
				  << PAGE_SHIFT);
		err = err == -EAGAIN ? -ENOMEM : err;
	}
	if (!err)
		m->lock_future = future ? VMA_LOCKED : 0;
	if (!err && now)
		err = lock_all(m, true, &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}

long sys_mlockall(struct task *t, const struct sysargs *a)
{
	u64 flags = a->a[0];

	if (!flags || (flags & ~(u64)(MCL_CURRENT | MCL_FUTURE |
				      MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	return do_mlockall(flags & MCL_CURRENT, flags & MCL_FUTURE);
}

long sys_munlockall(struct task *t, const struct sysargs *a)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	int err;

	mutex_lock(&m->map_lock);
	m->lock_future = 0;
	err = lock_all(m, false, &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}
