/*
 * resume.c - an address space again, from its list and a saved image.
 *
 * First each mapping as it would be made new, then over it the pages that
 * were saved: mapped privately from the image's file, so that they are read
 * when they are touched, and what is not written is shared by all sandboxes
 * that go on from this image.
 */
#include <libos/exec.h>
#include <libos/ktime.h>
#include <libos/save.h>

#include "mm_impl.h"

/* Saved pages with other numbers than their neighbours' make one host mapping
 * each, and a host has a limit on them.  Where the pages of a mapping are in
 * more pieces than this, they are copied instead. */
#define PIECES_MAX 8192u

static int map_fresh(struct mm *m, struct vma *v)
{
	int err;

	if (v->name && !strcmp(v->name, "[vdso]")) {
		vdso_remap(v->start);
		return 0;
	}
	if (v->name && !strcmp(v->name, "[syscalls]"))
		return 0; /* with the text that it belongs to */
	err = mm_host_map(v, v->start, vma_size(v));
	if (!err && v->file && (v->prot & PROT_EXEC))
		rewrite_text_resumed(m, v);
	return err;
}

static int copy_piece(u64 at, u64 size, int prot, host_handle h, u64 offset)
{
	int err = host_mem_protect((void *)at, size,
				   HOST_PROT_READ | HOST_PROT_WRITE);
	u64 done = 0;

	while (done < size && !err) {
		struct host_iovec iov = { (void *)(at + done), size - done };
		int64_t n = host_stream_read(h, &iov, 1, offset + done);

		if (n == -HOST_EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		done += (u64)n;
	}
	return err ? err : host_mem_protect((void *)at, size, prot);
}

#define LOOK_AGAIN_NS 500000u
#define STALLED_NS (30 * NSEC_PER_SEC)

/* Wait until the file has all its pages below end: it may still be written,
 * by the command that unpacks the image. */
static int await_pages(struct image_space *s, u64 end)
{
	static u32 never;
	u64 since = clock_monotonic_ns(), ready;
	struct host_iovec iov = { &ready, sizeof(ready) };

	while (s->first_data + s->ready < end) {
		if (host_stream_read(s->pages, &iov, 1,
				     offsetof(struct pages_header, ready)) !=
		    sizeof(ready))
			return -EIO;
		if (ready != s->ready)
			since = clock_monotonic_ns();
		else if (clock_monotonic_ns() - since > STALLED_NS)
			return -EIO;
		else
			host_sync_wait(&never, 0,
				       deadline_after(LOOK_AGAIN_NS));
		s->ready = ready;
	}
	return 0;
}

/* The part of run r that lies in v. */
static int map_piece(struct vma *v, struct image_space *s,
		     const struct pages_run *r, bool copy)
{
	u64 from = MAX(v->start, r->address);
	u64 end = MIN(v->end, r->address + r->count * PAGE_SIZE);
	u64 offset = r->page * PAGE_SIZE + (from - r->address);

	if (from >= end)
		return 0;
	if (await_pages(s, r->page + r->count))
		return -EIO;
	if (copy)
		return copy_piece(from, end - from, host_prot(v->prot),
				  s->pages, offset);
	v->flags |= VMA_IMAGE;
	return host_mem_map((void *)from, end - from, host_prot(v->prot),
			    HOST_MAP_PRIVATE, s->pages, offset);
}

/* The first run that ends behind addr. */
static u64 run_after(const struct image_space *s, u64 addr)
{
	u64 lo = 0, hi = s->run_count;

	while (lo < hi) {
		u64 mid = lo + (hi - lo) / 2;
		const struct pages_run *r = &s->runs[mid];

		if (r->address + r->count * PAGE_SIZE <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int map_saved(struct vma *v, struct image_space *s)
{
	u64 first = run_after(s, v->start), last = run_after(s, v->end), i;
	bool copy = last - first > PIECES_MAX;
	int err = 0;

	if (v->flags & VMA_SHARED)
		return 0;
	for (i = first; i < s->run_count && !err &&
	     s->runs[i].address < v->end; i++)
		err = map_piece(v, s, &s->runs[i], copy);
	return err;
}

static int resume_vma(struct mm *m, struct vma *v, struct image_space *s)
{
	int err;

	v->flags &= ~(u32)VMA_IMAGE;
	err = map_fresh(m, v);
	if (!err)
		err = map_saved(v, s);
	if (err)
		klog("cannot map %lx-%lx again: error %d", (long)v->start,
		     (long)v->end, -err);
	return err;
}

int mm_resume(struct mm *m, struct image_space *s)
{
	struct vma *v;
	int err = 0;

	for (v = m->first; v && !err; v = v->next)
		err = resume_vma(m, v, s);
	return err;
}

/* ---- from a copy of another ------------------------------------------------------ */
/* The part of run i of s that lies in v; false: there is none. */
static bool clip(const struct vma *v, const struct image_space *s, u64 i,
		 struct pages_run *out)
{
	const struct pages_run *r = &s->runs[i];
	u64 from, end;

	if (i >= s->run_count || r->address >= v->end)
		return false;
	from = MAX(v->start, r->address);
	end = MIN(v->end, r->address + r->count * PAGE_SIZE);
	out->address = from;
	out->page = r->page + (from - r->address) / PAGE_SIZE;
	out->count = (end - from) / PAGE_SIZE;
	return true;
}

static bool same_pages(const struct vma *v, const struct image_space *a,
		       const struct image_space *b)
{
	u64 i = run_after(a, v->start), j = run_after(b, v->start);
	struct pages_run x, y;

	for (;; i++, j++) {
		bool in_a = clip(v, a, i, &x), in_b = clip(v, b, j, &y);

		if (!in_a || !in_b)
			return in_a == in_b;
		if (x.address != y.address || x.page != y.page ||
		    x.count != y.count)
			return false;
	}
}

static bool same_file(const struct vma *a, const struct vma *b)
{
	return a->file == b->file ||
	       (a->file && b->file && a->file->inode == b->file->inode);
}

static bool same_mapping(const struct vma *a, const struct image_space *as,
			 const struct vma *b, const struct image_space *bs)
{
	return a->start == b->start && a->end == b->end &&
	       a->prot == b->prot && a->name == b->name &&
	       !((a->flags ^ b->flags) & VMA_SHARED) && same_file(a, b) &&
	       (!a->file || a->offset == b->offset) &&
	       ((a->flags & VMA_SHARED) || same_pages(a, as, bs));
}

/* The mapping of `from` that is the same as v, or NULL. */
static const struct vma *find_same(const struct mm *from,
				   const struct image_space *from_space,
				   const struct vma *v,
				   const struct image_space *s)
{
	const struct vma *a = from->root;

	while (a && a->start != v->start)
		a = v->start < a->start ? a->left : a->right;
	return a && same_mapping(a, from_space, v, s) ? a : NULL;
}

int mm_resume_copy(struct mm *m, struct image_space *s, const struct mm *from,
		   const struct image_space *from_space)
{
	const struct vma *a;
	struct vma *v;
	int err = 0;

	for (a = from->first; a; a = a->next)
		if (!find_same(m, s, a, from_space))
			host_mem_unmap((void *)a->start, vma_size(a));
	for (v = m->first; v && !err; v = v->next) {
		a = find_same(from, from_space, v, s);
		if (a)
			v->flags = (v->flags & ~(u32)VMA_IMAGE) |
				   (a->flags & VMA_IMAGE);
		else
			err = resume_vma(m, v, s);
	}
	return err;
}
