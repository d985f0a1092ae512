/*
 * munmap.c - taking mappings away and changing their protection.
 *
 * A contiguous range costs one host call, however many mappings it covers.
 * The library OS's own region is never touched: ranges that meet it are
 * handled mapping by mapping.
 */
#include "mm_impl.h"

#include <libos/sys.h>
#include <libos/vfs.h>

static void host_unmap_each(struct vma *v)
{
	for (; v; v = v->next)
		host_mem_unmap((void *)v->start, vma_size(v));
}

int mm_unmap_locked(struct mm *m, u64 addr, u64 size, struct vma **dead)
{
	struct vma *gone = NULL, *last;
	int err;

	mutex_lock(&m->lock);
	err = vma_cut(m, addr, addr + size, &gone);
	mutex_unlock(&m->lock);
	if (!gone)
		return err;
	if (err || meets_libos(addr, size))
		host_unmap_each(gone);
	else
		host_mem_unmap((void *)addr, size);
	for (last = gone; last->next; last = last->next)
		;
	last->next = *dead;
	*dead = gone;
	return err;
}

int mm_unmap(u64 addr, u64 size)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	int err;

	size = PAGE_UP(size);
	if ((addr & ~PAGE_MASK) || !size || addr > GUEST_MAX ||
	    size > GUEST_MAX - addr)
		return -EINVAL;
	mutex_lock(&m->map_lock);
	err = mm_unmap_locked(m, addr, size, &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}

long sys_munmap(struct task *t, const struct sysargs *a)
{
	return mm_unmap(a->a[0], a->a[1]);
}

/* ---- protection ---------------------------------------------------------- */

static int protect_allowed(struct mm *m, const struct vma *v, u64 start,
			   u64 end, u32 prot)
{
	u64 pages = (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	u32 gained = prot & ~v->prot;

	if ((gained & PROT_WRITE) && v->file && (v->flags & VMA_SHARED) &&
	    (!(v->file->mode & FMODE_WRITE) || (v->flags & VMA_SEALED)))
		return -EACCES;
	if ((gained & PROT_EXEC) && v->file && v->file->inode->super &&
	    (v->file->inode->super->flags & SUPER_NOEXEC))
		return -EACCES;
	if (!(gained & PROT_WRITE) || (v->flags & VMA_SHARED))
		return 0;
	if (!memory_fits(pages))
		return -ENOMEM;
	if (!(v->flags & VMA_STACK) && m->data_pages + pages >
	    mm_rlimit(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	return 0;
}

/* How far can [start, end) be changed?  Linux changes up to the first
 * mapping that refuses, or the first hole, and then reports it. */
static int protect_reach(struct mm *m, u64 start, u64 end, u32 prot,
			 u64 *reach)
{
	struct vma *v = vma_find(m, start);
	int err;

	*reach = start;
	for (; v && v->start <= *reach; v = v->next) {
		err = protect_allowed(m, v, start, end, prot);
		if (err)
			return err;
		*reach = MIN(v->end, end);
		if (*reach == end)
			return 0;
	}
	return -ENOMEM;
}

static int protect_list(struct mm *m, u64 start, u64 end, u32 prot,
			struct vma **dead)
{
	struct vma *v = vma_find(m, start);
	int err;

	if (v->prot == prot && v->end >= end)
		return 0;
	if (v->start < start) {
		err = vma_split(m, v, start);
		if (err)
			return err;
		v = v->next;
	}
	for (; v && v->start < end; v = v->next) {
		if (v->end > end) {
			err = vma_split(m, v, end);
			if (err)
				return err;
		}
		vma_set_prot(m, v, prot);
		v = vma_merge(m, v, dead);
	}
	return 0;
}

/* Pages of a file mapping beyond the file's end may be absent on the host:
 * they take the new protection when they appear. */
static int host_protect(u64 start, u64 size, u32 prot)
{
	int err = host_mem_protect((void *)start, size, host_prot(prot));
	u64 a;

	if (err != -ENOMEM)
		return err;
	for (a = start; a < start + size; a += PAGE_SIZE) {
		err = host_mem_protect((void *)a, PAGE_SIZE, host_prot(prot));
		if (err && err != -ENOMEM)
			return err;
	}
	return 0;
}

static int protect_locked(struct mm *m, u64 start, u64 end, u32 prot,
			  struct vma **dead)
{
	u64 reach;
	int err, refused;

	mutex_lock(&m->lock);
	refused = protect_reach(m, start, end, prot, &reach);
	err = reach > start ? protect_list(m, start, reach, prot, dead) : 0;
	mutex_unlock(&m->lock);
	if (!err && reach > start)
		err = host_protect(start, reach - start, prot);
	return err ? err : refused;
}

int mm_protect(u64 addr, u64 size, u32 prot)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	int err;

	mutex_lock(&m->map_lock);
	err = protect_locked(m, addr, addr + PAGE_UP(size), prot & PROT_RWX,
			     &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}

/* PROT_GROWSDOWN: the change reaches down to the start of the stack. */
static int extend_down(struct mm *m, u64 *addr, u64 *size)
{
	struct vma *v;
	int err = 0;

	mutex_lock(&m->lock);
	v = vma_next(m, *addr);
	if (!v || v->start >= *addr + *size) {
		err = -ENOMEM;
	} else if (!(v->flags & VMA_GROWSDOWN)) {
		err = -EINVAL;
	} else {
		*size += *addr - MIN(v->start, *addr);
		*addr = MIN(v->start, *addr);
	}
	mutex_unlock(&m->lock);
	return err;
}

static long do_mprotect(u64 addr, u64 size, u64 prot)
{
	const u64 grows = PROT_GROWSDOWN | PROT_GROWSUP;
	int err;

	if ((prot & grows) == grows)
		return -EINVAL;
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (!size)
		return 0;
	size = PAGE_UP(size);
	if (!size || addr + size < addr)
		return -ENOMEM;
	if (prot & ~(u64)(PROT_RWX | PROT_SEM | grows))
		return -EINVAL;
	if (prot & PROT_GROWSUP)
		return -EINVAL; /* no mapping here grows upwards */
	if (prot & PROT_GROWSDOWN) {
		err = extend_down(current_mm(), &addr, &size);
		if (err)
			return err;
	}
	return mm_protect(addr, size, (u32)prot);
}

long sys_mprotect(struct task *t, const struct sysargs *a)
{
	return do_mprotect(a->a[0], a->a[1], a->a[2]);
}

/* ---- protection keys: this machine has none ------------------------------- */

long sys_pkey_mprotect(struct task *t, const struct sysargs *a)
{
	if ((s32)a->a[3] != -1)
		return -EINVAL;
	return do_mprotect(a->a[0], a->a[1], a->a[2]);
}

long sys_pkey_alloc(struct task *t, const struct sysargs *a)
{
	if (a->a[0] || (a->a[1] & ~3ul))
		return -EINVAL;
	return -ENOSPC;
}

long sys_pkey_free(struct task *t, const struct sysargs *a)
{
	return -EINVAL;
}
