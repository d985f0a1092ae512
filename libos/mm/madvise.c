/*
 * madvise.c - advice on ranges of memory, and remap_file_pages.
 *
 * Advice either changes what the list says (fork behaviour), or goes to the
 * host range by range, or is a hint that needs nothing.  As in Linux a hole
 * in the range does not stop the work on the rest; it is reported at the end.
 */
#include "mm_impl.h"

#include <libos/sys.h>

#include <linux/falloc.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static bool advice_known(int advice)
{
	switch (advice) {
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL:
	case MADV_WILLNEED: case MADV_DONTNEED: case MADV_FREE:
	case MADV_REMOVE: case MADV_DONTFORK: case MADV_DOFORK:
	case MADV_MERGEABLE: case MADV_UNMERGEABLE: case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE: case MADV_DONTDUMP: case MADV_DODUMP:
	case MADV_WIPEONFORK: case MADV_KEEPONFORK: case MADV_COLD:
	case MADV_PAGEOUT: case MADV_POPULATE_READ: case MADV_POPULATE_WRITE:
	case MADV_DONTNEED_LOCKED:
		return true;
	}
	return false;
}

/* ---- advice that changes the list ------------------------------------------ */

static bool advice_flags(int advice, u32 *set, u32 *clear)
{
	*set = *clear = 0;
	switch (advice) {
	case MADV_DONTFORK: *set = VMA_DONTFORK; return true;
	case MADV_DOFORK: *clear = VMA_DONTFORK; return true;
	case MADV_WIPEONFORK: *set = VMA_WIPEONFORK; return true;
	case MADV_KEEPONFORK: *clear = VMA_WIPEONFORK; return true;
	case MADV_DONTDUMP: *set = VMA_DONTDUMP; return true;
	case MADV_DODUMP: *clear = VMA_DONTDUMP; return true;
	}
	return false;
}

/* Change the flags of [start, end) of v; the part that has them. */
int mm_change_flags(struct mm *m, struct vma **v, u64 start, u64 end, u32 set,
		    u32 clear, struct vma **dead)
{
	struct vma *p = *v;
	s64 locked = set & VMA_LOCKED ? 1 : clear & VMA_LOCKED ? -1 : 0;
	int err;

	if (((p->flags | set) & ~clear) == p->flags)
		return 0;
	if (p->start < start) {
		err = vma_split(m, p, start);
		if (err)
			return err;
		p = p->next;
	}
	if (p->end > end) {
		err = vma_split(m, p, end);
		if (err)
			return err;
	}
	if (locked && !!(p->flags & VMA_LOCKED) != (locked > 0))
		m->locked_pages += (u64)(locked *
					 (s64)(vma_size(p) >> PAGE_SHIFT));
	p->flags = (p->flags | set) & ~clear;
	*v = vma_merge(m, p, dead);
	return 0;
}

/* ---- advice that the host carries out --------------------------------------- */

static int discard(struct vma *v, u64 start, u64 size, int advice)
{
	if ((v->flags & VMA_LOCKED) && advice != MADV_DONTNEED_LOCKED)
		return -EINVAL;
	/* Pages from an image would come back as they were saved. */
	if (v->flags & VMA_IMAGE)
		return mm_host_map(v, start, size);
	return host_mem_advise((void *)start, size, HOST_ADVISE_DISCARD);
}

static int punch(const struct vma *v, u64 start, u64 size)
{
	if ((v->flags & VMA_LOCKED) || !v->file)
		return -EINVAL;
	if (!(v->flags & VMA_SHARED) || !(v->file->mode & FMODE_WRITE))
		return -EACCES;
	if (!v->file->ops->allocate)
		return -EINVAL;
	return v->file->ops->allocate(v->file,
				      FALLOC_FL_PUNCH_HOLE |
				      FALLOC_FL_KEEP_SIZE,
				      v->offset + (start - v->start), size);
}

static int populate(const struct vma *v, u64 start, u64 size, int advice)
{
	if (advice == MADV_POPULATE_WRITE && !(v->prot & PROT_WRITE))
		return -EINVAL;
	if (!(v->prot & PROT_RWX))
		return -EFAULT;
	mm_populate(v, start, size);
	return 0;
}

static int advise_range(struct vma *v, u64 start, u64 size, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return discard(v, start, size, advice);
	case MADV_FREE:
		if (!vma_is_anon_private(v))
			return -EINVAL;
		if (v->flags & VMA_IMAGE)
			return mm_host_map(v, start, size);
		return host_mem_advise((void *)start, size, HOST_ADVISE_FREE);
	case MADV_REMOVE:
		return punch(v, start, size);
	case MADV_HUGEPAGE:
		host_mem_advise((void *)start, size, HOST_ADVISE_HUGE);
		return 0; /* a hint: the host may have no huge pages */
	case MADV_NOHUGEPAGE:
		host_mem_advise((void *)start, size, HOST_ADVISE_NOHUGE);
		return 0;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return populate(v, start, size, advice);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return v->flags & VMA_LOCKED ? -EINVAL : 0;
	}
	return 0; /* read-ahead and merging hints: nothing to do */
}

static int advise_list(struct mm *m, struct vma **v, u64 start, u64 end,
		       int advice, struct vma **dead)
{
	u32 set, clear;
	int err;

	advice_flags(advice, &set, &clear);
	if (advice == MADV_WIPEONFORK && !vma_is_anon_private(*v))
		return -EINVAL;
	mutex_lock(&m->lock);
	err = mm_change_flags(m, v, start, end, set, clear, dead);
	mutex_unlock(&m->lock);
	return err;
}

static struct vma *next_locked(struct mm *m, u64 addr)
{
	struct vma *v;

	mutex_lock(&m->lock);
	v = vma_next(m, addr);
	mutex_unlock(&m->lock);
	return v;
}

/* map_lock held: the list changes only by our own hand. */
static int advise_locked(struct mm *m, u64 start, u64 end, int advice,
			 struct vma **dead)
{
	u32 set, clear;
	bool is_flags = advice_flags(advice, &set, &clear);
	bool hole = false;
	struct vma *v;
	u64 to;
	int err;

	for (; start < end; start = to) {
		v = next_locked(m, start);
		if (!v || v->start >= end)
			return -ENOMEM;
		if (v->start > start) {
			hole = true;
			start = v->start;
		}
		to = MIN(v->end, end);
		err = is_flags ? advise_list(m, &v, start, to, advice, dead) :
			advise_range(v, start, to - start, advice);
		if (err)
			return err;
	}
	return hole ? -ENOMEM : 0;
}

static long do_madvise(u64 start, u64 size, int advice)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	u64 len = PAGE_UP(size);
	int err;

	if (!advice_known(advice))
		return -EINVAL;
	if ((start & ~PAGE_MASK) || (size && !len) || start + len < start)
		return -EINVAL;
	if (!len)
		return 0;
	mutex_lock(&m->map_lock);
	err = advise_locked(m, start, start + len, advice, &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}

long sys_madvise(struct task *t, const struct sysargs *a)
{
	return do_madvise(a->a[0], a->a[1], (int)a->a[2]);
}

/* ---- remap_file_pages: emulated, as Linux does since 4.0 -------------------- */

static struct file *remap_target(struct mm *m, u64 start, u64 size, u32 *prot)
{
	struct vma *v;
	struct file *f = NULL;

	mutex_lock(&m->lock);
	v = vma_find(m, start);
	if (v && v->file && (v->flags & VMA_SHARED) &&
	    vma_range_mapped(m, start, start + size)) {
		f = file_get(v->file);
		*prot = v->prot;
	}
	mutex_unlock(&m->lock);
	return f;
}

long sys_remap_file_pages(struct task *t, const struct sysargs *a)
{
	u64 start = PAGE_DOWN(a->a[0]), size = PAGE_DOWN(a->a[1]);
	u64 pgoff = a->a[3];
	struct file *f;
	u32 prot = 0;
	s64 ret;

	if (a->a[2] || start + size <= start ||
	    pgoff + (size >> PAGE_SHIFT) < pgoff ||
	    pgoff > (UINT64_MAX >> PAGE_SHIFT) - (size >> PAGE_SHIFT))
		return -EINVAL;
	f = remap_target(current_mm(), start, size, &prot);
	if (!f)
		return -EINVAL;
	ret = mm_map(start, size, prot, MAP_SHARED | MAP_FIXED, f,
		     pgoff << PAGE_SHIFT);
	file_put(f);
	return ret < 0 ? ret : 0;
}
