/*
 * mm_impl.h - what the files of libos/mm share among themselves.
 */
#ifndef LIBOS_MM_IMPL_H
#define LIBOS_MM_IMPL_H

#include <bailey/boot.h>
#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/task.h>

#include <linux/mman.h>
#include <linux/resource.h>

#define MMAP_MIN_ADDR GUEST_MIN
#define MAX_MAP_COUNT 65530u
#define STACK_GUARD_GAP (256 * PAGE_SIZE)
#define PROT_RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MMAP_TOP_DEFAULT 0x7ffff7fff000ul

static inline struct mm *current_mm(void) { return current()->proc->mm; }
static inline u64 mm_rlimit(unsigned resource)
{
	return current()->proc->rlimits[resource].soft;
}
static inline u64 vma_size(const struct vma *v) { return v->end - v->start; }
static inline bool vma_is_anon_private(const struct vma *v)
{
	return !v->file && !(v->flags & VMA_SHARED);
}
/* Does [a, a+size) meet the library OS's region? size has been checked. */
static inline bool meets_libos(u64 a, u64 size)
{
	return a < BLY_END && a + size > BLY_BASE;
}
/* The host's protections for the guest's. */
static inline int host_prot(u32 prot)
{
	return (int)(prot & PROT_RWX); /* the same bits */
}

/* ---- vma.c: the list.  mm->lock held, except alloc and free. ------------- */
struct vma *vma_alloc(void);
/* Frees a chain linked by ->next, dropping file references: no mm->lock. */
void vma_free_chain(struct vma *v);
void vma_insert(struct mm *m, struct vma *v);
void vma_remove(struct mm *m, struct vma *v);
/* New bounds that keep the order; the caller has fixed offset. */
void vma_resize(struct mm *m, struct vma *v, u64 start, u64 end);
void vma_set_prot(struct mm *m, struct vma *v, u32 prot);
/* v keeps [start, at), a new one gets the rest. */
int vma_split(struct mm *m, struct vma *v, u64 at);
/* Join v with equal neighbours; the one that remains.  What was absorbed is
 * pushed on *dead. */
struct vma *vma_merge(struct mm *m, struct vma *v, struct vma **dead);
/* Put a new mapping into free space, joined with its neighbours where they
 * are equal.  Takes a file reference if it succeeds. */
int vma_add(struct mm *m, const struct vma *like, struct vma **out,
	    struct vma **dead);
/* Take [start, end) out, splitting; the removed go on *dead. */
int vma_cut(struct mm *m, u64 start, u64 end, struct vma **dead);
bool vma_range_free(struct mm *m, u64 start, u64 end);
/* Is every byte of [start, end) mapped? */
bool vma_range_mapped(struct mm *m, u64 start, u64 end);
u64 vma_mapped_bytes(struct mm *m, u64 start, u64 end);
/* Highest free range of size in [low, high), or 0. */
u64 vma_gap_below(struct mm *m, u64 size, u64 low, u64 high);

/* ---- address choice and limits (place.c) ---------------------------------- */
s64 mm_place(struct mm *m, u64 hint, u64 size, u32 flags, u64 pad);
/* RLIMIT_AS, RLIMIT_DATA for pages more. mm->lock held */
bool mm_may_expand(struct mm *m, u64 pages, u32 prot, u32 vflags);
int mm_may_lock(struct mm *m, u64 bytes);

/* Unmap with map_lock held (munmap.c); removed vmas go on *dead. */
int mm_unmap_locked(struct mm *m, u64 addr, u64 size, struct vma **dead);
/* mm_map without its checks, for mappings with a name or VMA_* of their own:
 * like has start (as mmap's addr), prot, flags to add, file, offset, name. */
s64 mm_map_like(struct vma *like, u64 size, u32 flags);
/* The host call that puts a vma's pages at [addr, addr+size). */
int mm_host_map(struct vma *v, u64 addr, u64 size);
/* Set and clear flags of the part [start, end) of *v, which becomes the part
 * (or what it merged into).  mm->lock held (madvise.c). */
int mm_change_flags(struct mm *m, struct vma **v, u64 start, u64 end, u32 set,
		    u32 clear, struct vma **dead);
/* Fetch the pages of [addr, addr+size) now, as well as it goes. */
void mm_populate(const struct vma *v, u64 addr, u64 size);

#endif
