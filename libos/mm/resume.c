/*
 * resume.c - an address space again, from its list and a saved image.
 *
 * A mapping is made piece by piece: pages that were saved are mapped privately
 * from the image's file, so that they are read when they are touched, and what
 * is not written is shared by all sandboxes that go on from this image; what
 * no run names is made as it would be made new.
 */
#include <libos/exec.h>
#include <libos/ktime.h>
#include <libos/save.h>

#include "mm_impl.h"

/* Saved pages with other numbers than their neighbours' make one host mapping
 * each, and a host has a limit on them.  Where the pages of a mapping are in
 * more pieces than this, they are copied instead. */
#define PIECES_MAX 8192u

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
/* Of the header, as far as it changes. */
struct progress {
	u64 ready;
	u8 image_id[16];
	u64 failed;
};
_Static_assert(offsetof(struct pages_header, failed) ==
	       offsetof(struct pages_header, ready) +
	       offsetof(struct progress, failed), "pages_header");

/* Wait until the file has all its pages below end: it may still be written,
 * by the command that unpacks the image. */
static int await_pages(struct image_space *s, u64 end)
{
	static u32 never;
	u64 since = clock_monotonic_ns();
	struct progress now;
	struct host_iovec iov = { &now, sizeof(now) };

	while (s->first_data + s->ready < end) {
		if (host_stream_read(s->pages, &iov, 1,
				     offsetof(struct pages_header, ready)) !=
		    sizeof(now))
			return -EIO;
		if (now.ready != s->ready)
			since = clock_monotonic_ns();
		else if (now.failed ||
			 clock_monotonic_ns() - since > STALLED_NS)
			return -EIO;
		else
			host_sync_wait(&never, 0,
				       deadline_after(LOOK_AGAIN_NS));
		s->ready = now.ready;
	}
	return 0;
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

/* A part of a mapping that is one thing: pages of a saved run, the first of
 * which is `page` in the file, or what no run names (0, a page of tables). */
struct piece {
	u64 start, end, page;
};

static u64 piece_size(const struct piece *p)
{
	return p->end - p->start;
}

/* The piece of v that begins at `at`. */
static struct piece piece_at(const struct vma *v, const struct image_space *s,
			     u64 at)
{
	u64 i = v->flags & VMA_SHARED ? s->run_count : run_after(s, at);
	struct piece p = { at, v->end, 0 };
	const struct pages_run *r = &s->runs[i];
	u64 end;

	if (i >= s->run_count)
		return p;
	end = r->address + r->count * PAGE_SIZE;
	if (r->address > at) {
		p.end = MIN(v->end, r->address);
	} else if (end > at) { /* or the runs are in no order */
		p.end = MIN(v->end, end);
		p.page = r->page + (at - r->address) / PAGE_SIZE;
	}
	return p;
}

static int map_piece(struct vma *v, struct image_space *s,
		     const struct piece *p)
{
	if (!p->page)
		return mm_host_map(v, p->start, piece_size(p));
	if (await_pages(s, p->page + piece_size(p) / PAGE_SIZE))
		return -EIO;
	v->flags |= VMA_IMAGE;
	return host_mem_map((void *)p->start, piece_size(p),
			    host_prot(v->prot), HOST_MAP_PRIVATE, s->pages,
			    p->page * PAGE_SIZE);
}

static int copy_saved(struct vma *v, struct image_space *s)
{
	int err = mm_host_map(v, v->start, vma_size(v));
	struct piece p;
	u64 at;

	for (at = v->start; at < v->end && !err; at = p.end) {
		p = piece_at(v, s, at);
		if (!p.page)
			continue;
		err = await_pages(s, p.page + piece_size(&p) / PAGE_SIZE);
		if (!err)
			err = copy_piece(p.start, piece_size(&p),
					 host_prot(v->prot), s->pages,
					 p.page * PAGE_SIZE);
	}
	return err;
}

/* Mappings of the library OS's own pages; true: v is one. */
static bool map_own(struct vma *v, bool is_there_already)
{
	if (!v->name)
		return false;
	if (!strcmp(v->name, "[vdso]")) {
		if (!is_there_already)
			vdso_remap(v->start);
		return true;
	}
	return !strcmp(v->name, "[syscalls]"); /* with its text */
}

/* Is this piece of v so in a too, which lies there already? */
static bool is_there(const struct vma *a, const struct image_space *s,
		     const struct piece *p)
{
	struct piece q;

	if (!a || p->start >= a->end)
		return false;
	q = piece_at(a, s, p->start);
	return q.end >= p->end && q.page == p->page;
}

/* a: a mapping that lies there and differs from v in its pages only, and what
 * it was saved with; or NULL. */
static int map_pieces(struct vma *v, struct image_space *s,
		      const struct vma *a, const struct image_space *as)
{
	struct piece p;
	int err = 0;
	u64 at;

	for (at = v->start; at < v->end && !err; at = p.end) {
		p = piece_at(v, s, at);
		if (!is_there(a, as, &p))
			err = map_piece(v, s, &p);
		else if (p.page)
			v->flags |= VMA_IMAGE;
	}
	return err;
}

static int resume_vma(struct mm *m, struct vma *v, struct image_space *s,
		      const struct vma *a, const struct image_space *as)
{
	int err = 0;

	if (map_own(v, a))
		return 0;
	v->flags &= ~(u32)VMA_IMAGE;
	if (run_after(s, v->end) - run_after(s, v->start) > PIECES_MAX)
		err = copy_saved(v, s);
	else
		err = map_pieces(v, s, a, as);
	if (!err && (!a || a->end < v->end) && v->file &&
	    (v->prot & PROT_EXEC))
		rewrite_text_resumed(m, v);
	if (err)
		klog("cannot map %lx-%lx again: error %d", (long)v->start,
		     (long)v->end, -err);
	return err;
}

void mm_resume_files(struct mm *m)
{
	struct vma *v;

	for (v = m->first; v; v = v->next)
		if (v->file)
			memfs_lower_open_soon(v->file->inode);
}

int mm_resume(struct mm *m, struct image_space *s)
{
	struct vma *v;
	int err = 0;

	readmap_forget(m);
	for (v = m->first; v && !err; v = v->next)
		err = resume_vma(m, v, s, NULL, NULL);
	return err;
}

/* ---- from a copy of another ------------------------------------------------------ */
static bool same_file(const struct vma *a, const struct vma *b)
{
	return a->file == b->file ||
	       (a->file && b->file && a->file->inode == b->file->inode);
}

/* But for where they end, and their pages. */
static bool same_mapping(const struct vma *a, const struct vma *b)
{
	return a->prot == b->prot && a->name == b->name &&
	       !((a->flags ^ b->flags) & VMA_SHARED) && same_file(a, b) &&
	       (!a->file || a->offset == b->offset);
}

/* The mapping that begins where v does and is the same, or NULL.  *at goes
 * along its list: v has a higher address from call to call. */
static const struct vma *find_same(const struct vma **at, const struct vma *v)
{
	while (*at && (*at)->start < v->start)
		*at = (*at)->next;
	return *at && (*at)->start == v->start && same_mapping(*at, v) ? *at :
	       NULL;
}

/* Away with what m does not have. */
static void unmap_others(const struct mm *m, const struct mm *from)
{
	const struct vma *a, *v, *next = m->first;
	u64 at;

	for (a = from->first; a; a = a->next) {
		v = find_same(&next, a);
		at = v ? v->end : a->start;
		if (at < a->end)
			host_mem_unmap((void *)at, a->end - at);
	}
}

int mm_resume_copy(struct mm *m, struct image_space *s, const struct mm *from,
		   const struct image_space *from_space)
{
	const struct vma *next = from->first;
	struct vma *v;
	int err = 0;

	readmap_forget(m);
	unmap_others(m, from);
	for (v = m->first; v && !err; v = v->next)
		err = resume_vma(m, v, s, find_same(&next, v), from_space);
	return err;
}
