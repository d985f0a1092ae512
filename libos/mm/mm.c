/*
 * mm.c - the life of an address space: made, copied by fork, cleared by
 * exec, dropped; and the special mappings of the library OS in it.
 */
#include "mm_impl.h"

struct mm *mm_alloc(void)
{
	struct mm *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	ref_init(&m->ref);
	mutex_init(&m->map_lock);
	mutex_init(&m->lock);
	m->mmap_top = MMAP_TOP_DEFAULT;
	m->is_host_process_owner = true;
	return m;
}

/* ---- fork ------------------------------------------------------------------- */

static struct vma *alloc_chain(u32 count)
{
	struct vma *chain = NULL, *v;

	while (count--) {
		v = kmalloc(sizeof(*v));
		if (!v) {
			for (; chain; chain = v) {
				v = chain->next;
				kfree(chain);
			}
			return NULL;
		}
		v->next = chain;
		chain = v;
	}
	return chain;
}

/* Copy the subtree of v, taking nodes from *spare, threading onto m->last. */
static struct vma *copy_tree(struct mm *m, const struct vma *v,
			     struct vma *up, struct vma **spare)
{
	struct vma *n;

	if (!v)
		return NULL;
	n = *spare;
	*spare = n->next;
	*n = *v;
	if (n->file)
		file_get(n->file);
	n->flags &= ~(u32)VMA_LOCKED;
	n->up = up;
	n->left = copy_tree(m, v->left, n, spare);
	n->prev = m->last;
	n->next = NULL;
	if (m->last)
		m->last->next = n;
	else
		m->first = n;
	m->last = n;
	if (n->flags & (VMA_DONTFORK | VMA_WIPEONFORK))
		m->fork_work = true;
	n->right = copy_tree(m, v->right, n, spare);
	return n;
}

struct mm *mm_copy(struct mm *m)
{
	struct mm *n = kmalloc(sizeof(*n));
	struct vma *spare;

	if (!n)
		return NULL;
	mutex_lock(&m->lock);
	spare = memory_fits(m->charged_pages) ? alloc_chain(m->count) : NULL;
	if (m->count && !spare) {
		mutex_unlock(&m->lock);
		kfree(n);
		return NULL;
	}
	*n = *m;
	ref_init(&n->ref);
	mutex_init(&n->map_lock);
	mutex_init(&n->lock);
	n->first = n->last = NULL;
	n->locked_pages = 0;
	n->lock_future = 0;
	n->fork_work = m->readmap != NULL;
	n->readmap = NULL;
	n->is_host_process_owner = true;
	n->root = copy_tree(n, m->root, NULL, &spare);
	memory_charge((s64)n->charged_pages);
	mutex_unlock(&m->lock);
	return n;
}

static void wipe(struct mm *m, u32 flag, struct vma *v, struct vma **dead)
{
	u64 start = v->start, size = vma_size(v);

	if (flag == VMA_DONTFORK) {
		vma_cut(m, start, start + size, dead);
		host_mem_unmap((void *)start, size);
		return;
	}
	host_mem_map((void *)start, size, host_prot(v->prot),
		     HOST_MAP_PRIVATE, HOST_NO_HANDLE, 0);
}

void mm_after_fork_child(struct mm *m)
{
	struct vma *v, *next, *dead = NULL;

	if (!m->fork_work)
		return;
	mutex_lock(&m->map_lock);
	mutex_lock(&m->lock);
	for (v = m->first; v; v = next) {
		next = v->next;
		if (v->flags & VMA_DONTFORK)
			wipe(m, VMA_DONTFORK, v, &dead);
		else if (v->flags & VMA_WIPEONFORK)
			wipe(m, VMA_WIPEONFORK, v, &dead);
	}
	m->fork_work = false;
	host_mem_unmap((void *)BLY_WINDOWS, BLY_END - BLY_WINDOWS);
	mutex_unlock(&m->lock);
	mutex_unlock(&m->map_lock);
	vma_free_chain(dead);
}

/* ---- the end ----------------------------------------------------------------- */

static struct vma *take_list(struct mm *m)
{
	struct vma *v = m->first;

	m->root = m->first = m->last = NULL;
	m->count = 0;
	m->total_pages = m->locked_pages = m->data_pages = 0;
	memory_charge(-(s64)m->charged_pages);
	m->charged_pages = 0;
	return v;
}

void mm_put(struct mm *m)
{
	if (!m || !ref_put(&m->ref))
		return;
	vma_free_chain(take_list(m));
	readmap_forget(m);
	kfree(m);
}

/* Two host calls, whatever was mapped: the guest's part of the address space
 * is all that lies on either side of the library OS. (Where files are read
 * through lies at that one's end.) */
int mm_clear(struct mm *m)
{
	struct vma *old;
	int err;

	mutex_lock(&m->map_lock);
	mutex_lock(&m->lock);
	old = take_list(m);
	m->lock_future = 0;
	m->brk_start = m->brk = m->vdso = m->stack_top = 0;
	m->code_start = m->code_end = m->data_start = m->data_end = 0;
	m->arg_start = m->arg_end = m->env_start = m->env_end = 0;
	mutex_unlock(&m->lock);
	err = host_mem_unmap((void *)GUEST_MIN, BLY_BASE - GUEST_MIN);
	if (!err)
		err = host_mem_unmap((void *)BLY_WINDOWS,
				     GUEST_MAX - BLY_WINDOWS);
	readmap_forget(m);
	mutex_unlock(&m->map_lock);
	vma_free_chain(old);
	return err;
}

/* ---- special mappings --------------------------------------------------------- */

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

/* Is the free range below v (or below the end of all) good for size bytes
 * near addr?  The place in it that is nearest to addr, or 0. */
static u64 fit_near(u64 lo, const struct vma *v, u64 addr, u64 size, u64 max)
{
	u64 hi = v ? v->start : GUEST_MAX, a;

	if (v && (v->flags & VMA_GROWSDOWN))
		hi -= MIN(STACK_GUARD_GAP, v->gap);
	lo = MAX(lo, MMAP_MIN_ADDR);
	if (hi <= lo || hi - lo < size)
		return 0;
	a = MIN(MAX(PAGE_DOWN(addr), lo), hi - size);
	if (distance(a, addr) > max || distance(a + size, addr) > max ||
	    meets_libos(a, size))
		return 0;
	return a;
}

u64 mm_find_gap_near(struct mm *m, u64 addr, u64 size, u64 max_distance)
{
	struct vma *v, *at;
	u64 a = 0;

	size = PAGE_UP(size);
	mutex_lock(&m->lock);
	at = vma_next(m, addr);
	/* The gap around addr; upwards, where mm_map leaves room behind a
	 * library; downwards. */
	if (!at || at->start > addr)
		a = fit_near(at ? (at->prev ? at->prev->end : 0) :
			     m->last ? m->last->end : 0, at, addr, size,
			     max_distance);
	for (v = at; v && !a && distance(v->end, addr) < max_distance;
	     v = v->next)
		a = fit_near(v->end, v->next, addr, size, max_distance);
	for (v = at; v && !a && (v == at || distance(v->start, addr) <
				 max_distance); v = v->prev)
		a = fit_near(v->prev ? v->prev->end : 0, v, addr, size,
			     max_distance);
	mutex_unlock(&m->lock);
	return a;
}

int mm_map_special(u64 addr, u64 size, u32 prot, const void *kernel_pages,
		   const char *name)
{
	struct mm *m = current_mm();
	struct vma like = { .start = addr, .end = addr + size, .prot = prot,
			    .name = name };
	struct vma *v, *dead = NULL;
	bool added = false;
	int err = 0;

	mutex_lock(&m->lock);
	v = vma_find(m, addr);
	if (!v || v->end < addr + size) {
		if (meets_libos(addr, size) ||
		    !vma_range_free(m, addr, addr + size))
			err = -EEXIST;
		else
			err = vma_add(m, &like, &v, &dead);
		added = !err;
	}
	if (!err)
		err = host_mem_map((void *)addr, size, host_prot(prot),
				   HOST_MAP_PRIVATE, heap_handle(),
				   heap_offset(kernel_pages));
	if (err && added)
		vma_cut(m, addr, addr + size, &dead);
	mutex_unlock(&m->lock);
	if (dead)
		vma_free_chain(dead);
	return err;
}

static bool mm_writes(struct mm *m, const struct inode *i)
{
	const struct vma *v;
	bool is_found = false;

	mutex_lock(&m->lock);
	for (v = m->first; v && !is_found; v = v->next)
		is_found = v->file && v->file->inode == i &&
			   (v->flags & (VMA_SHARED | VMA_SEALED)) ==
			   VMA_SHARED && (v->file->mode & FMODE_WRITE);
	mutex_unlock(&m->lock);
	return is_found;
}

bool mm_any_writes(const struct inode *i)
{
	bool is_found = false;
	struct proc *p;

	mutex_lock(&tasklist_lock);
	list_for_each(p, &all_procs, in_all)
		if (!is_found && p->state == PROC_ALIVE && p->mm)
			is_found = mm_writes(p->mm, i);
	mutex_unlock(&tasklist_lock);
	return is_found;
}
