/*
 * memfs_data.c - the contents of a memfs file.
 *
 * A sorted array of extents, each a run of heap pages; what no extent covers
 * is a hole and reads as zeros.  An extent never moves, because guests map
 * it.  Runs grow with the file, up to 2 MiB; a page inside a hole brings the
 * 64 KiB around it.  Bytes beyond the file's size are zero, except what a
 * mapping wrote there.
 *
 * A small file has no page of its own but a small object, and no extents,
 * until it is mapped or grows.  (It counts as a page all the same.)
 */
#include "memfs.h"

#include <libos/mm.h>

#include <libos/heap.h>

#include <linux/falloc.h>

#define RUN_MAX 512u
#define RUN_SPARSE 16u
#define SMALL_MAX 2032u /* the largest object that is less than a page */
#define RELEASE_MIN (64u * PAGE_SIZE) /* cheaper to give back than to clear */

static const char zeros[PAGE_SIZE];

void data_account(struct memnode *n)
{
	u64 bytes = PAGE_UP(n->inode->size);

	n->inode->blocks = MIN(bytes, n->pages * PAGE_SIZE) / 512;
}

/* First extent that ends after page. */
static u32 extent_at(const struct memnode *n, u64 page)
{
	u32 low = 0, high = n->extent_count;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if ((u64)n->extents[mid].first + n->extents[mid].count <= page)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

char *data_find(struct memnode *n, u64 page, u64 *count)
{
	u32 at = extent_at(n, page);
	const struct extent *e;

	if (at == n->extent_count) {
		*count = UINT32_MAX;
		return NULL;
	}
	e = &n->extents[at];
	if (page < e->first) {
		*count = e->first - page;
		return NULL;
	}
	*count = e->first + e->count - page;
	return e->mem + (page - e->first) * PAGE_SIZE;
}

static int charge(struct memnode *n, u64 pages)
{
	struct memfs *fs = n->inode->super->priv;
	u64 used;

	if (!fs)
		return 0;
	used = __atomic_add_fetch(&fs->used, pages, __ATOMIC_RELAXED);
	if (!fs->limit || used <= fs->limit)
		return 0;
	__atomic_fetch_sub(&fs->used, pages, __ATOMIC_RELAXED);
	return -ENOSPC;
}

static void uncharge(struct memnode *n, u64 pages)
{
	struct memfs *fs = n->inode->super->priv;

	n->pages -= pages;
	if (fs)
		__atomic_fetch_sub(&fs->used, pages, __ATOMIC_RELAXED);
}

static int extent_insert(struct memnode *n, u32 at, u32 first, u32 count,
			 char *mem)
{
	struct extent *e;

	if (n->extent_count == n->extent_room) {
		u32 room = n->extent_room ? n->extent_room * 2 : 2;

		e = krealloc(n->extents, room * sizeof(*e));
		if (!e)
			return -ENOMEM;
		n->extents = e;
		n->extent_room = room;
	}
	e = &n->extents[at];
	memmove(e + 1, e, (n->extent_count - at) * sizeof(*e));
	*e = (struct extent){ first, count, mem };
	n->extent_count++;
	n->pages += count;
	return 0;
}

/* Which run to allocate for page, which lies in a hole before extent at. */
static void choose_run(const struct memnode *n, u32 at, u64 page, u64 want,
		       u64 *first, u64 *count)
{
	u64 start = 0, end = UINT32_MAX, size = MAX(want, 1);

	if (at)
		start = (u64)n->extents[at - 1].first + n->extents[at - 1].count;
	if (at < n->extent_count)
		end = n->extents[at].first;
	if (page == start && at == n->extent_count) {
		size = MAX(size, MIN(n->pages, RUN_MAX)); /* growing */
		start = page;
	} else {
		u64 around = page & ~(u64)(RUN_SPARSE - 1);

		start = want > RUN_SPARSE ? page : MAX(start, around);
		size = MAX(page - start + size, RUN_SPARSE);
	}
	*first = start;
	*count = MIN(MIN(size, RUN_MAX), end - start);
}

/* ---- small files ------------------------------------------------------------------ */
/* Room for bytes up to end, or NULL: it must be pages. */
static char *small_ensure(struct memnode *n, u64 end)
{
	u64 room;
	char *p;

	if (end > SMALL_MAX || n->extent_count || n->is_mapped)
		return NULL;
	if (n->small && end <= n->small_room)
		return n->small;
	room = n->small ? MIN(end + end / 2, SMALL_MAX) : MAX(end, 32);
	if (!n->small && charge(n, 1))
		return NULL;
	p = krealloc(n->small, room);
	if (!p && !n->small) {
		n->pages++;
		uncharge(n, 1);
	}
	if (!p)
		return NULL;
	if (!n->small) {
		n->pages++;
		n->small_room = 0;
	}
	memset(p + n->small_room, 0, room - n->small_room);
	n->small = p;
	n->small_room = (u32)room;
	return p;
}

static void small_free(struct memnode *n)
{
	if (!n->small)
		return;
	kfree(n->small);
	n->small = NULL;
	uncharge(n, 1);
}

/* Its content moves into a page. */
static int small_leave(struct memnode *n)
{
	char *small = n->small, *mem;
	u64 count;

	n->small = NULL;
	uncharge(n, 1);
	mem = data_ensure(n, 0, 1, &count);
	if (is_err(mem)) {
		n->small = small;
		charge(n, 1); /* as it was: it cannot be refused */
		n->pages++;
		return (int)ptr_err(mem);
	}
	memcpy(mem, small, n->small_room);
	kfree(small);
	return 0;
}

/* What is at pos and *size bytes behind it; NULL: zeros. */
static const char *content_at(struct memnode *n, u64 pos, u64 *size)
{
	u64 skip = pos & (PAGE_SIZE - 1), count;
	const char *mem;

	if (n->small && pos < n->small_room) {
		*size = n->small_room - pos;
		return n->small + pos;
	}
	*size = PAGE_SIZE - skip;
	mem = n->small ? NULL : data_find(n, pos >> PAGE_SHIFT, &count);
	if (!mem)
		return NULL;
	*size = count * PAGE_SIZE - skip;
	return mem + skip;
}

char *data_ensure(struct memnode *n, u64 page, u64 want, u64 *count)
{
	u64 first, size;
	char *mem;
	u32 at;
	int err = n->small ? small_leave(n) : 0;

	if (err)
		return err_ptr(err);
	mem = data_find(n, page, count);
	if (mem)
		return mem;
	if (page >= UINT32_MAX - RUN_MAX)
		return err_ptr(-EFBIG);
	at = extent_at(n, page);
	choose_run(n, at, page, want, &first, &size);
	if (charge(n, size)) {
		first = page;
		size = 1;
		if (charge(n, 1))
			return err_ptr(-ENOSPC);
	}
	mem = page_alloc(size);
	if (!mem || extent_insert(n, at, (u32)first, (u32)size, mem)) {
		n->pages += size;
		uncharge(n, size);
		if (mem)
			page_free(mem, size);
		return err_ptr(n->inode->super->priv ? -ENOSPC : -ENOMEM);
	}
	*count = first + size - page;
	return mem + (page - first) * PAGE_SIZE;
}

/* ---- reading and writing ---------------------------------------------------------- */
ssize_t data_read(struct memnode *n, struct uio *u, u64 pos)
{
	u64 size = n->inode->size, left, part;
	ssize_t done = 0, got;

	if (pos >= size)
		return 0;
	left = MIN((u64)u->left, size - pos);
	while (left) {
		const char *mem = content_at(n, pos, &part);

		part = MIN(left, part);
		got = uio_put(u, mem ? mem : zeros, part);
		if (got > 0)
			done += got;
		if (got != (ssize_t)part)
			return done ? done : got;
		pos += part;
		left -= part;
	}
	return done;
}

/* A mapping may have written behind the end; that must not come to light. */
static void clear_tail(struct memnode *n, u64 up_to)
{
	u64 size = n->inode->size;
	u64 end = MIN(PAGE_UP(size), up_to);

	if (n->is_mapped && end > size)
		data_zero(n, size, end);
}

/* Where size bytes for pos go, or the first *part of them. */
static char *place_for(struct memnode *n, u64 pos, u64 size, u64 *part)
{
	u64 skip = pos & (PAGE_SIZE - 1), count;
	u64 want = (skip + size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	char *mem = small_ensure(n, pos + size);

	*part = size;
	if (mem)
		return mem + pos;
	mem = data_ensure(n, pos >> PAGE_SHIFT, want, &count);
	if (is_err(mem))
		return mem;
	*part = MIN(size, count * PAGE_SIZE - skip);
	return mem + skip;
}

ssize_t data_write(struct memnode *n, struct uio *u, u64 pos)
{
	ssize_t done = 0, got;
	u64 part;

	clear_tail(n, pos);
	while (u->left) {
		char *mem = place_for(n, pos, u->left, &part);

		if (is_err(mem)) {
			got = ptr_err(mem);
			break;
		}
		got = uio_get(u, mem, part);
		if (got > 0) {
			done += got;
			pos += (u64)got;
		}
		if (got != (ssize_t)part)
			break;
		got = 0;
	}
	if (done && pos > n->inode->size)
		n->inode->size = pos;
	data_account(n);
	return done ? done : u->left ? got : 0;
}

/* ---- size --------------------------------------------------------------------------- */
void data_zero(struct memnode *n, u64 from, u64 to)
{
	u64 count, part;

	if (n->small) {
		if (from < n->small_room)
			memset(n->small + from, 0,
			       MIN(to, n->small_room) - from);
		return;
	}
	while (from < to) {
		u64 skip = from & (PAGE_SIZE - 1);
		char *mem = data_find(n, from >> PAGE_SHIFT, &count);

		part = MIN(to - from, count * PAGE_SIZE - skip);
		if (mem && !skip && part >= RELEASE_MIN) {
			part = PAGE_DOWN(part);
			if (host_mem_advise(mem, part, HOST_ADVISE_RELEASE))
				memset(mem, 0, part);
		} else if (mem) {
			memset(mem + skip, 0, part);
		}
		from += part;
	}
}

static void drop_extents(struct memnode *n, u64 page)
{
	u32 at = extent_at(n, page), keep = at, k;

	if (at < n->extent_count && n->extents[at].first < page)
		keep = ++at;
	for (k = at; k < n->extent_count; k++) {
		uncharge(n, n->extents[k].count);
		page_free(n->extents[k].mem, n->extents[k].count);
	}
	n->extent_count = keep;
}

int data_truncate(struct memnode *n, u64 size)
{
	u64 old = n->inode->size;

	if (size > old)
		clear_tail(n, size);
	if (size < old) {
		if (!n->is_mapped)
			drop_extents(n, PAGE_UP(size) >> PAGE_SHIFT);
		if (!size)
			small_free(n);
		data_zero(n, size, PAGE_UP(old));
	}
	n->inode->size = size;
	if (size < old && n->is_mapped)
		mm_truncate_inode(n->inode, size);
	data_account(n);
	return 0;
}

void data_free(struct memnode *n)
{
	drop_extents(n, 0);
	small_free(n);
	kfree(n->extents);
	n->extents = NULL;
	n->extent_room = 0;
}

s64 data_seek(struct memnode *n, u64 off, bool hole)
{
	u64 size = n->inode->size, count;

	if (off >= size)
		return -ENXIO;
	while (off < size) {
		bool is_hole = n->small ? off >= PAGE_SIZE :
			       !data_find(n, off >> PAGE_SHIFT, &count);

		if (n->small)
			count = is_hole ? UINT32_MAX : 1;
		if (is_hole == hole)
			return (s64)off;
		off = PAGE_DOWN(off) + count * PAGE_SIZE;
	}
	return hole ? (s64)size : -ENXIO;
}
