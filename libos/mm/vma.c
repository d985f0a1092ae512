/*
 * vma.c - the list of mappings of one address space.
 *
 * A treap keyed by start address, whose nodes are also threaded in order
 * (prev, next) and carry the largest gap of their subtree, so that lookup,
 * change and the search for a free range are all O(log n).  Neighbours that
 * Linux would merge are merged.
 *
 * Nothing here calls the host.  mm->lock is held by every caller, except for
 * vma_alloc and vma_free_chain.  Accounting (total, locked and data pages)
 * follows each change.
 */
#include "mm_impl.h"

static u64 gap_of_subtree(const struct vma *v)
{
	u64 g = v->gap;

	if (v->left)
		g = MAX(g, v->left->max_gap);
	if (v->right)
		g = MAX(g, v->right->max_gap);
	return g;
}

static void update_upwards(struct vma *v)
{
	for (; v; v = v->up)
		v->max_gap = gap_of_subtree(v);
}

/* v's start or its predecessor's end has changed. */
static void update_gap(struct vma *v)
{
	if (!v)
		return;
	v->gap = v->start - (v->prev ? v->prev->end : 0);
	update_upwards(v);
}

static void replace_child(struct mm *m, struct vma *up, struct vma *old,
			  struct vma *new)
{
	if (!up)
		m->root = new;
	else if (up->left == old)
		up->left = new;
	else
		up->right = new;
	if (new)
		new->up = up;
}

/* v, a child, changes places with its parent. */
static void rotate_up(struct mm *m, struct vma *v)
{
	struct vma *p = v->up;

	replace_child(m, p->up, p, v);
	if (p->left == v) {
		p->left = v->right;
		if (p->left)
			p->left->up = p;
		v->right = p;
	} else {
		p->right = v->left;
		if (p->right)
			p->right->up = p;
		v->left = p;
	}
	p->up = v;
	p->max_gap = gap_of_subtree(p);
	v->max_gap = gap_of_subtree(v);
}

static void account(struct mm *m, const struct vma *v, s64 sign)
{
	s64 pages = sign * (s64)(vma_size(v) >> PAGE_SHIFT);

	m->total_pages += (u64)pages;
	if (v->flags & VMA_LOCKED)
		m->locked_pages += (u64)pages;
	if (!(v->prot & PROT_WRITE) || (v->flags & VMA_SHARED))
		return;
	if (!(v->flags & VMA_STACK))
		m->data_pages += (u64)pages;
	m->charged_pages += (u64)pages;
	memory_charge(pages);
}

struct vma *vma_alloc(void)
{
	return kzalloc(sizeof(struct vma));
}

void vma_free_chain(struct vma *v)
{
	while (v) {
		struct vma *next = v->next;

		if (v->file)
			file_put(v->file);
		kfree(v);
		v = next;
	}
}

static void push_dead(struct vma **dead, struct vma *v)
{
	v->next = *dead;
	*dead = v;
}

struct vma *vma_next(struct mm *m, u64 addr)
{
	struct vma *v = m->root, *best = NULL;

	while (v) {
		if (v->end > addr) {
			best = v;
			v = v->left;
		} else {
			v = v->right;
		}
	}
	return best;
}

struct vma *vma_find(struct mm *m, u64 addr)
{
	struct vma *v = vma_next(m, addr);

	return v && v->start <= addr ? v : NULL;
}

static u32 next_priority(struct mm *m)
{
	u32 x = m->priority_seed ? m->priority_seed : 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return m->priority_seed = x;
}

/* Thread v between its neighbours in address order. */
static void thread_in(struct mm *m, struct vma *v, struct vma *prev,
		      struct vma *next)
{
	v->prev = prev;
	v->next = next;
	if (prev)
		prev->next = v;
	else
		m->first = v;
	if (next)
		next->prev = v;
	else
		m->last = v;
}

void vma_insert(struct mm *m, struct vma *v)
{
	struct vma **link = &m->root, *up = NULL, *prev = NULL, *next = NULL;

	while (*link) {
		up = *link;
		if (v->start < up->start) {
			next = up;
			link = &up->left;
		} else {
			prev = up;
			link = &up->right;
		}
	}
	v->left = v->right = NULL;
	v->up = up;
	v->priority = next_priority(m);
	*link = v;
	thread_in(m, v, prev, next);
	v->gap = v->start - (prev ? prev->end : 0);
	v->max_gap = v->gap;
	while (v->up && v->up->priority < v->priority)
		rotate_up(m, v);
	update_upwards(v);
	update_gap(v->next);
	m->count++;
	account(m, v, 1);
}

void vma_remove(struct mm *m, struct vma *v)
{
	struct vma *next = v->next, *child;

	while (v->left && v->right)
		rotate_up(m, v->left->priority > v->right->priority ?
			  v->left : v->right);
	child = v->left ? v->left : v->right;
	replace_child(m, v->up, v, child);
	if (v->prev)
		v->prev->next = next;
	else
		m->first = next;
	if (next)
		next->prev = v->prev;
	else
		m->last = v->prev;
	update_upwards(v->up);
	update_gap(next);
	m->count--;
	account(m, v, -1);
}

void vma_resize(struct mm *m, struct vma *v, u64 start, u64 end)
{
	account(m, v, -1);
	v->start = start;
	v->end = end;
	account(m, v, 1);
	update_gap(v);
	update_gap(v->next);
}

void vma_set_prot(struct mm *m, struct vma *v, u32 prot)
{
	account(m, v, -1);
	if (v->prot & PROT_WRITE)
		v->flags |= VMA_WAS_WRITABLE;
	v->prot = prot;
	account(m, v, 1);
}

int vma_split(struct mm *m, struct vma *v, u64 at)
{
	struct vma *n = vma_alloc();

	if (!n)
		return -ENOMEM;
	*n = *v;
	n->start = at;
	if (n->file) {
		file_get(n->file);
		n->offset += at - v->start;
	}
	vma_resize(m, v, v->start, at);
	vma_insert(m, n);
	return 0;
}

/* a lies directly below b: is it all one mapping?  Executable file mappings
 * stay apart, the rewriter keeps accounts of them.  So do, while they cannot
 * be written, those that ever could and those that never could: a save looks
 * at the first only, and reservations can be huge. */
static bool vma_continues(const struct vma *a, const struct vma *b)
{
	u32 differ = (a->flags ^ b->flags) & ~(u32)VMA_IMAGE;

	if (a->prot & PROT_WRITE)
		differ &= ~(u32)VMA_WAS_WRITABLE;
	if (a->end != b->start || a->prot != b->prot || differ || a->file != b->file || a->name != b->name)
		return false;
	if (!a->file)
		return true;
	return a->offset + vma_size(a) == b->offset && !(a->prot & PROT_EXEC);
}

struct vma *vma_merge(struct mm *m, struct vma *v, struct vma **dead)
{
	struct vma *n = v->next, *p = v->prev;

	if (n && vma_continues(v, n)) {
		u64 end = n->end;

		v->flags |= n->flags & VMA_STICKY;
		vma_remove(m, n);
		push_dead(dead, n);
		vma_resize(m, v, v->start, end);
	}
	if (p && vma_continues(p, v)) {
		u64 end = v->end;

		p->flags |= v->flags & VMA_STICKY;
		vma_remove(m, v);
		push_dead(dead, v);
		vma_resize(m, p, p->start, end);
		v = p;
	}
	return v;
}

int vma_add(struct mm *m, const struct vma *like, struct vma **out,
	    struct vma **dead)
{
	struct vma *n = vma_next(m, like->end), *v;
	struct vma *p = n ? n->prev : m->last;

	if (p && vma_continues(p, like)) {
		vma_resize(m, p, p->start, like->end);
		*out = vma_merge(m, p, dead);
		return 0;
	}
	if (n && vma_continues(like, n)) {
		n->offset = like->offset;
		vma_resize(m, n, like->start, n->end);
		*out = n;
		return 0;
	}
	if (m->count >= MAX_MAP_COUNT)
		return -ENOMEM;
	v = vma_alloc();
	if (!v)
		return -ENOMEM;
	*v = *like;
	if (v->file)
		file_get(v->file);
	vma_insert(m, v);
	*out = v;
	return 0;
}

int vma_cut(struct mm *m, u64 start, u64 end, struct vma **dead)
{
	struct vma *v = vma_next(m, start), *next;
	int err;

	if (!v || v->start >= end)
		return 0;
	if (v->start < start) {
		if (v->end > end && m->count >= MAX_MAP_COUNT)
			return -ENOMEM;
		err = vma_split(m, v, start);
		if (err)
			return err;
		v = v->next;
	}
	for (; v && v->start < end; v = next) {
		next = v->next;
		if (v->end > end) {
			err = vma_split(m, v, end);
			if (err)
				return err;
			next = NULL;
		}
		vma_remove(m, v);
		push_dead(dead, v);
	}
	return 0;
}

bool vma_range_free(struct mm *m, u64 start, u64 end)
{
	struct vma *v = vma_next(m, start);

	return !v || v->start >= end;
}

bool vma_range_mapped(struct mm *m, u64 start, u64 end)
{
	struct vma *v = vma_find(m, start);

	while (v && v->end < end) {
		if (!v->next || v->next->start != v->end)
			return false;
		v = v->next;
	}
	return v != NULL;
}

u64 vma_mapped_bytes(struct mm *m, u64 start, u64 end)
{
	struct vma *v = vma_next(m, start);
	u64 n = 0;

	for (; v && v->start < end; v = v->next)
		n += MIN(v->end, end) - MAX(v->start, start);
	return n;
}

/* The search goes from high to low and leaves out subtrees without a gap of
 * the size; only the subtrees at the two bounds can disappoint. */
static u64 gap_search(const struct vma *v, u64 size, u64 low, u64 high)
{
	u64 lo, hi, found;

	while (v && v->max_gap >= size) {
		if (v->end < high) {
			found = gap_search(v->right, size, low, high);
			if (found)
				return found;
		}
		lo = MAX(v->start - v->gap, low);
		hi = v->start;
		if (v->flags & VMA_GROWSDOWN)
			hi -= MIN(v->gap, STACK_GUARD_GAP);
		hi = MIN(hi, high);
		if (hi > lo && hi - lo >= size)
			return hi - size;
		if (v->start - v->gap <= low)
			return 0;
		v = v->left;
	}
	return 0;
}

u64 vma_gap_below(struct mm *m, u64 size, u64 low, u64 high)
{
	u64 tail = MAX(m->last ? m->last->end : 0, low);

	if (high > tail && high - tail >= size)
		return high - size;
	return gap_search(m->root, size, low, high);
}
