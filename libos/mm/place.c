/*
 * place.c - where a mapping goes, and whether it may exist at all.
 *
 * Addresses are chosen downwards from mm->mmap_top, never inside the library
 * OS's region, never below MMAP_MIN_ADDR.  mm->lock is held by all callers.
 */
#include "mm_impl.h"

#include <libos/vfs.h>

#include <linux/capability.h>

/* The area that Linux uses for MAP_32BIT. */
#define LOW_START 0x40000000ul
#define LOW_END 0x80000000ul

static u64 place_anywhere(struct mm *m, u64 size)
{
	u64 a = vma_gap_below(m, size, BLY_END, m->mmap_top);

	if (!a)
		a = vma_gap_below(m, size, MMAP_MIN_ADDR, BLY_BASE);
	if (!a)
		a = vma_gap_below(m, size, m->mmap_top, GUEST_MAX);
	return a;
}

static bool hint_fits(struct mm *m, u64 hint, u64 size)
{
	struct vma *v;
	u64 end = hint + size;

	if (hint < MMAP_MIN_ADDR || end > GUEST_MAX || meets_libos(hint, size))
		return false;
	v = vma_next(m, hint);
	if (!v)
		return true;
	if (v->flags & VMA_GROWSDOWN)
		end += STACK_GUARD_GAP;
	return v->start >= end;
}

static s64 place_fixed(struct mm *m, u64 addr, u64 size, u32 flags)
{
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (addr > GUEST_MAX - size)
		return -ENOMEM;
	if (addr < MMAP_MIN_ADDR)
		return -EPERM;
	if (flags & MAP_FIXED_NOREPLACE)
		return vma_range_free(m, addr, addr + size) &&
		       !meets_libos(addr, size) ? (s64)addr : -EEXIST;
	return meets_libos(addr, size) ? -ENOMEM : (s64)addr;
}

/* pad: bytes to leave free behind it, when we choose. */
s64 mm_place(struct mm *m, u64 hint, u64 size, u32 flags, u64 pad)
{
	u64 a;

	if (size > GUEST_MAX)
		return -ENOMEM;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return place_fixed(m, hint, size, flags);
	if (hint) {
		hint = MAX(PAGE_DOWN(hint), MMAP_MIN_ADDR);
		if (hint <= GUEST_MAX - size && hint_fits(m, hint, size) &&
		    (!(flags & MAP_32BIT) || hint + size <= LOW_END))
			return (s64)hint;
	}
	if (flags & MAP_32BIT)
		a = vma_gap_below(m, size, LOW_START, LOW_END);
	else
		a = place_anywhere(m, size + pad);
	return a ? (s64)a : -ENOMEM;
}

bool mm_may_expand(struct mm *m, u64 pages, u32 prot, u32 vflags)
{
	if (m->total_pages + pages > mm_rlimit(RLIMIT_AS) >> PAGE_SHIFT)
		return false;
	if (!(prot & PROT_WRITE) || (vflags & VMA_SHARED))
		return true;
	if (!memory_fits(pages))
		return false;
	if (vflags & VMA_STACK)
		return true;
	if (m->data_pages + pages > mm_rlimit(RLIMIT_DATA) >> PAGE_SHIFT)
		return false;
	/* as Linux's default heuristic: refuse only what can never be had */
	return (vflags & VMA_NORESERVE) || !boot_info()->host_memory ||
	       pages <= boot_info()->host_memory >> PAGE_SHIFT;
}

int mm_may_lock(struct mm *m, u64 bytes)
{
	u64 limit = mm_rlimit(RLIMIT_MEMLOCK);

	if (capable(CAP_IPC_LOCK))
		return 0;
	if (!limit)
		return -EPERM;
	return (m->locked_pages << PAGE_SHIFT) + bytes > limit ? -EAGAIN : 0;
}
