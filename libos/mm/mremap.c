/*
 * mremap.c - growing, shrinking and moving mappings.
 *
 * Private pages move with the host's own call.  The host may hold one of our
 * mappings as several (after a fork, or a file in pieces) and refuses to move
 * across their borders; then the range is halved until it fits.  Shared file
 * mappings are mapped anew by the file's op.
 */
#include "mm_impl.h"

#include <libos/sys.h>

struct move {
	u64 old, old_size; /* page aligned */
	u64 new, new_size;
	u32 flags;         /* MREMAP_* */
};

static int check_args(const struct move *r)
{
	if (r->flags & ~(u32)(MREMAP_FIXED | MREMAP_MAYMOVE |
			      MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) &&
	    !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && r->old_size != r->new_size)
		return -EINVAL;
	if ((r->old & ~PAGE_MASK) || !r->new_size)
		return -EINVAL;
	return 0;
}

static int check_fixed(const struct move *r)
{
	if ((r->new & ~PAGE_MASK) || r->new_size > GUEST_MAX ||
	    r->new > GUEST_MAX - r->new_size)
		return -EINVAL;
	if (r->old + r->old_size > r->new && r->new + r->new_size > r->old)
		return -EINVAL;
	if (r->new < MMAP_MIN_ADDR)
		return -EPERM;
	return meets_libos(r->new, r->new_size) ? -ENOMEM : 0;
}

/* May v's part become new_size bytes?  mm->lock held. */
static int check_resize(struct mm *m, const struct vma *v,
			const struct move *r)
{
	u64 more = r->new_size > r->old_size ? r->new_size - r->old_size : 0;

	if (!r->old_size && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if (r->old_size > v->end - r->old)
		return -EFAULT;
	if (!more)
		return 0;
	if (v->file && v->offset + (r->old - v->start) + r->new_size <
	    v->offset)
		return -EINVAL;
	if ((v->flags & VMA_LOCKED) && mm_may_lock(m, more))
		return -EAGAIN;
	return mm_may_expand(m, more >> PAGE_SHIFT, v->prot, v->flags) ?
		0 : -ENOMEM;
}

/* Is the space behind v's end free for it to grow into? */
static bool can_grow(struct mm *m, const struct vma *v, const struct move *r)
{
	u64 end = r->old + r->new_size;

	if (!r->old_size || r->old + r->old_size != v->end)
		return false;
	if (end > GUEST_MAX || end < v->end ||
	    meets_libos(v->end, end - v->end))
		return false;
	return !v->next || v->next->start >= end +
		(v->next->flags & VMA_GROWSDOWN ? STACK_GUARD_GAP : 0);
}

static s64 grow_in_place(struct mm *m, struct vma *v, const struct move *r,
			 struct vma **dead)
{
	u64 end = v->end, more = r->new_size - r->old_size;
	int err;

	mutex_lock(&m->lock);
	vma_resize(m, v, v->start, end + more);
	mutex_unlock(&m->lock);
	err = mm_host_map(v, end, more);
	mutex_lock(&m->lock);
	if (err)
		vma_resize(m, v, v->start, end);
	else
		vma_merge(m, v, dead);
	mutex_unlock(&m->lock);
	if (err)
		host_mem_unmap((void *)end, more);
	return err ? err : (s64)r->old;
}

/* Pages that the host does not have (beyond a file's end) stay absent. */
static int move_pages(u64 old, u64 size, u64 new)
{
	int err = host_mem_move((void *)old, size, (void *)new, size);
	u64 half;

	if (err != -EFAULT && err != -EINVAL)
		return err;
	if (size == PAGE_SIZE)
		return err == -EFAULT ? 0 : err;
	half = PAGE_UP(size / 2);
	err = move_pages(old, half, new);
	if (!err)
		err = move_pages(old + half, size - half, new + half);
	return err;
}

static int host_move_private(struct vma *v, const struct move *r)
{
	u64 size = MIN(r->old_size, r->new_size);
	int err;

	/* Behind pages of an image are others of it, not fresh ones. */
	if (!v->file && !(v->flags & VMA_IMAGE) && !host_mem_move((void *)r->old, r->old_size,
				       (void *)r->new, r->new_size))
		return 0;
	err = move_pages(r->old, size, r->new);
	if (!err && r->new_size > size)
		err = mm_host_map(v, r->new + size, r->new_size - size);
	return err;
}

/* What remains at the old place: nothing, or with DONTUNMAP fresh pages. */
static int leave_old(struct mm *m, const struct move *r, struct vma **dead)
{
	struct vma *v;

	if (!(r->flags & MREMAP_DONTUNMAP))
		return mm_unmap_locked(m, r->old, r->old_size, dead);
	mutex_lock(&m->lock);
	v = vma_find(m, r->old);
	mutex_unlock(&m->lock);
	return v ? mm_host_map(v, r->old, r->old_size) : 0;
}

static s64 move_mapping(struct mm *m, const struct vma *from,
			const struct move *r, struct vma **dead)
{
	struct vma like = *from, *v;
	bool is_shared = from->flags & VMA_SHARED;
	int err;

	like.offset = from->file ? from->offset + (r->old - from->start) : 0;
	like.start = r->new;
	like.end = r->new + r->new_size;
	mutex_lock(&m->lock);
	err = vma_add(m, &like, &v, dead);
	mutex_unlock(&m->lock);
	if (err)
		return err;
	err = is_shared ? mm_host_map(v, r->new, r->new_size) :
		host_move_private(v, r);
	if (err) {
		mm_unmap_locked(m, r->new, r->new_size, dead);
		return err;
	}
	if (r->old_size)
		leave_old(m, r, dead);
	return (s64)r->new;
}

static s64 move_to_fixed(struct mm *m, struct move *r, struct vma **dead)
{
	struct vma *v;
	int err = check_fixed(r);

	if (err)
		return err;
	err = mm_unmap_locked(m, r->new, r->new_size, dead);
	if (!err && r->old_size > r->new_size) {
		err = mm_unmap_locked(m, r->old + r->new_size,
				      r->old_size - r->new_size, dead);
		r->old_size = r->new_size;
	}
	if (err)
		return err;
	mutex_lock(&m->lock);
	v = vma_find(m, r->old);
	err = v ? check_resize(m, v, r) : -EFAULT;
	mutex_unlock(&m->lock);
	return err ? err : move_mapping(m, v, r, dead);
}

/* map_lock is held, so v stays what it is while mm->lock is free. */
static s64 remap_locked(struct mm *m, struct move *r, struct vma **dead)
{
	struct vma *v;
	s64 err;

	mutex_lock(&m->lock);
	v = vma_find(m, r->old);
	mutex_unlock(&m->lock);
	if (!v)
		return -EFAULT;
	if (r->flags & MREMAP_FIXED)
		return move_to_fixed(m, r, dead);
	if (r->old_size >= r->new_size && !(r->flags & MREMAP_DONTUNMAP)) {
		err = r->old_size == r->new_size ? 0 :
			mm_unmap_locked(m, r->old + r->new_size,
					r->old_size - r->new_size, dead);
		return err ? err : (s64)r->old;
	}
	mutex_lock(&m->lock);
	err = check_resize(m, v, r);
	if (!err && !(r->flags & MREMAP_DONTUNMAP) && can_grow(m, v, r)) {
		mutex_unlock(&m->lock);
		return grow_in_place(m, v, r, dead);
	}
	if (!err && !(r->flags & MREMAP_MAYMOVE))
		err = -ENOMEM;
	if (!err)
		err = mm_place(m, 0, r->new_size, 0, 0);
	mutex_unlock(&m->lock);
	if (err < 0)
		return err;
	r->new = (u64)err;
	return move_mapping(m, v, r, dead);
}

long sys_mremap(struct task *t, const struct sysargs *a)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	struct move r = {
		.old = a->a[0], .old_size = PAGE_UP(a->a[1]),
		.new = a->a[4], .new_size = PAGE_UP(a->a[2]),
		.flags = (u32)a->a[3],
	};
	s64 ret = check_args(&r);

	if (ret)
		return ret;
	if (r.old > GUEST_MAX || r.old_size > GUEST_MAX - r.old)
		return -EFAULT;
	mutex_lock(&m->map_lock);
	ret = remap_locked(m, &r, &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return ret;
}
