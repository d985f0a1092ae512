/*
 * base.c - pages that are stored as what differs from a page of a file.
 *
 * Where a library is loaded, the pages of its tables are the file's with the
 * address added to some words; of a program's data most words are as in the
 * file.  The file is there when such a page is saved and when it is unpacked
 * (the index names it, with its hash), so that the difference is enough: word
 * by word, because all pointers into one library differ by the same.
 *
 * What comes out is checked against the page's own hash: no other file gives
 * pages that nobody meant.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image/reader.h"
#include "image/util.h"
#include "image/writer.h"

#define WORDS (PAGE / 8)
#define MAPS_MAX 16384u /* of more, no pages have a base */

int base_read(int fd, uint64_t offset, uint8_t page[4096])
{
	ssize_t n = read_at(fd, page, PAGE, offset);

	if (n < 0)
		return -1;
	memset(page + n, 0, PAGE - (size_t)n);
	return 0;
}

/* ---- reading ------------------------------------------------------------ */
/* The first that ends behind page. */
static uint32_t find_base(const struct image *i, uint32_t page)
{
	uint32_t low = 0, high = i->index.base_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (i->base[middle].page + i->base[middle].count > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool image_is_based(const struct image *i, uint32_t page)
{
	uint32_t k = find_base(i, page);

	return k < i->index.base_count && i->base[k].page <= page;
}

void base_close(struct base_file *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

static int need_file(struct base_file *b, const struct image *i,
		     uint32_t number, struct err *e)
{
	if (b->fd >= 0 && b->number == number)
		return 0;
	base_close(b);
	b->fd = image_open_named(i, number, e);
	b->number = number;
	return b->fd < 0 ? -1 : 0;
}

static int add_page(struct base_file *b, const struct image *i, uint32_t page,
		    uint64_t offset, uint8_t *data, struct err *e)
{
	uint64_t have[WORDS], add[WORDS];
	uint8_t hash[16];
	unsigned k;

	if (base_read(b->fd, offset, (uint8_t *)add))
		return FAIL(e, "%s needs a file that cannot be read: %s",
			    i->path, strerror(errno));
	memcpy(have, data, PAGE);
	for (k = 0; k < WORDS; k++)
		have[k] += add[k];
	memcpy(data, have, PAGE);
	hash_page(hash, data);
	if (!memcmp(hash, i->hash[page].bytes, 16))
		return 0;
	return FAIL(e, "%s needs %.*s as it was when it was saved", i->path,
		    (int)i->file[b->number].path_size,
		    i->strings + i->file[b->number].path);
}

int base_add(struct base_file *b, const struct image *i, uint32_t frame,
	     uint8_t *data, struct err *e)
{
	uint32_t page = i->first[frame], end = i->first[frame + 1], k;

	for (k = find_base(i, page); k < i->index.base_count; k++) {
		const struct image_base *x = &i->base[k];
		uint32_t at = x->page > page ? x->page : page;
		uint32_t stop = x->page + x->count;

		if (at >= end)
			break;
		if (need_file(b, i, x->file, e))
			return -1;
		for (; at < stop && at < end; at++)
			if (add_page(b, i, at, x->offset +
				     (uint64_t)(at - x->page) * PAGE, data +
				     (size_t)(at - page) * PAGE, e))
				return -1;
	}
	return 0;
}

/* ---- writing ------------------------------------------------------------ */
int writer_map(struct image_writer *w, const struct writer_map *m,
	       uint32_t tree, const char *path, const char *host,
	       struct err *e)
{
	uint32_t number;

	if (writer_file(w, tree, path, host, &number, e))
		return -1;
	if (w->maps == MAPS_MAX)
		return 0;
	if (big_grow((void **)&w->map, &w->map_room, w->maps,
		     sizeof(*w->map), e))
		return -1;
	w->map[w->maps] = *m;
	w->map[w->maps++].file = number;
	if (!w->file[number].host)
		w->file[number].host = strdup(host);
	return 0;
}

/* The last first: pages follow what they belong to. */
const struct writer_map *writer_find_map(const struct image_writer *w,
					 uint64_t space, uint64_t address,
					 uint64_t size)
{
	size_t k = w->maps;

	while (k--) {
		const struct writer_map *m = &w->map[k];

		if (m->space == space && address >= m->address &&
		    address - m->address <= m->size &&
		    size <= m->size - (address - m->address))
			return m;
	}
	return NULL;
}

/* How many words say nothing new: zeros, and what the last other was. */
static unsigned dull_words(const uint64_t *x)
{
	uint64_t last = 0;
	unsigned n = 0, k;

	for (k = 0; k < WORDS; k++) {
		if (!x[k] || x[k] == last)
			n++;
		else
			last = x[k];
	}
	return n;
}

static int add_base(struct image_writer *w, const struct image_base *b,
		    struct err *e)
{
	struct image_base *last = w->bases ? &w->base[w->bases - 1] : NULL;

	if (last && last->file == b->file &&
	    last->page + last->count == b->page &&
	    last->offset + (uint64_t)last->count * PAGE == b->offset) {
		last->count++;
		return 0;
	}
	if (big_grow((void **)&w->base, &w->base_room, w->bases,
		     sizeof(*w->base), e))
		return -1;
	w->base[w->bases++] = *b;
	return 0;
}

/* A file that cannot be read any more is no base; that it is needed at all is
 * for writer_file() to say. */
static bool has_file(struct image_writer *w, uint32_t number)
{
	struct writer_file *f = &w->file[number];
	char path[SAVE_PATH_MAX];

	if (w->base_fd >= 0 && w->base_file == number)
		return true;
	if (w->base_fd >= 0)
		close(w->base_fd);
	memcpy(path, w->strings + f->entry.path, f->entry.path_size);
	path[f->entry.path_size] = 0;
	w->base_fd = f->host ? image_open_readable(f->host, path) : -1;
	w->base_file = number;
	return w->base_fd >= 0;
}

int writer_base(struct image_writer *w, const struct writer_map *m,
		uint64_t address, uint32_t page, uint8_t *data,
		struct err *e)
{
	struct image_base b = { .page = page, .count = 1, .file = m->file };
	uint64_t is[WORDS], was[WORDS], differs[WORDS];
	unsigned k;

	b.offset = m->offset + (address - m->address);
	if (!has_file(w, m->file) ||
	    base_read(w->base_fd, b.offset, (uint8_t *)was))
		return 0;
	memcpy(is, data, PAGE);
	for (k = 0; k < WORDS; k++)
		differs[k] = is[k] - was[k];
	if (dull_words(differs) <= dull_words(is))
		return 0;
	memcpy(data, differs, PAGE);
	return add_base(w, &b, e);
}
