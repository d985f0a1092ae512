/*
 * stream.c - save records into an image (include/bailey/save_stream.h).
 *
 * The stream is the sandbox's: everything in it is checked for form before it
 * is used, and the sums are bounded by writer_page().  It is read in large
 * pieces; pages are looked at where they lie in the buffer.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/util.h"
#include "image/writer.h"

#define BUFFER (2u << 20)
#define PROGRESS_EVERY (4u << 20)

struct stream {
	int fd;
	uint8_t *buf;
	size_t start, end;     /* what is read and not yet used */
	uint64_t total;        /* read */
	uint64_t shown;        /* of it when progress was last told */
	uint64_t records;
	image_file_fn find;
	void *arg;
};

/* At least want bytes in the buffer (want <= BUFFER). */
static int fill(struct stream *s, size_t want, struct err *e)
{
	while (s->end - s->start < want) {
		ssize_t n;

		if (s->start && s->start + want > BUFFER / 2) {
			memmove(s->buf, s->buf + s->start, s->end - s->start);
			s->end -= s->start;
			s->start = 0;
		}
		n = read(s->fd, s->buf + s->end, BUFFER - s->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAIL(e, "cannot read what the sandbox saves: "
				    "%s", strerror(errno));
		if (!n)
			return FAIL(e, "the sandbox broke off while it was "
				    "being saved");
		s->end += (size_t)n;
		s->total += (size_t)n;
	}
	return 0;
}

static int bad(const struct stream *s, const char *what, struct err *e)
{
	return FAIL(e, "the sandbox sent a save record that makes no sense: "
		    "record %llu: %s", (unsigned long long)s->records, what);
}

/* ---- one function for each kind ----------------------------------------- */
static int take_pages(struct image_writer *w, struct stream *s,
		      const struct save_record *r, struct err *e)
{
	const struct writer_map *map;
	uint64_t at;

	if (!r->space)
		return bad(s, "pages of no space", e);
	if (!r->size || r->size % PAGE || r->size > SAVE_PAGES_MAX * PAGE)
		return bad(s, "size of pages", e);
	if (r->address % PAGE || r->address >= IMAGE_ADDRESS_MAX - r->size)
		return bad(s, "address of pages", e);
	map = writer_find_map(w, r->space, r->address, r->size);
	for (at = 0; at < r->size; at += PAGE) {
		if (fill(s, PAGE, e) ||
		    writer_page(w, r->space, r->address + at,
				s->buf + s->start, map, e))
			return -1;
		s->start += PAGE;
	}
	if (s->total - s->shown >= PROGRESS_EVERY) {
		s->shown = s->total;
		writer_progress(w, w->heap_size + s->total);
	}
	return 0;
}

/* The path at the end of a record, size bytes with its NUL, and where the file
 * is on this host. */
static int take_path(struct stream *s, uint32_t tree, size_t size,
		     char path[SAVE_PATH_MAX], char host[2 * SAVE_PATH_MAX],
		     struct err *e)
{
	if (size < 2 || size > SAVE_PATH_MAX)
		return bad(s, "a file without a name", e);
	if (fill(s, size, e))
		return -1;
	memcpy(path, s->buf + s->start, size);
	s->start += size;
	if (path[size - 1] || strlen(path) != size - 1)
		return bad(s, "a file's name", e);
	if (!s->find || !s->find(s->arg, tree, path, host, 2 * SAVE_PATH_MAX))
		return FAIL(e, "the sandbox left out pages of a file that is "
			    "not known here: %.200s", path);
	return 0;
}

static int take_file(struct image_writer *w, struct stream *s,
		     const struct save_record *r, struct err *e)
{
	char host[2 * SAVE_PATH_MAX], path[SAVE_PATH_MAX];
	uint32_t tree = (uint32_t)r->space, number;

	if (r->space > UINT32_MAX)
		return bad(s, "a file's tree", e);
	return take_path(s, tree, r->size, path, host, e) ||
		writer_file(w, tree, path, host, &number, e) ? -1 : 0;
}

static int take_map(struct image_writer *w, struct stream *s,
		    const struct save_record *r, struct err *e)
{
	char host[2 * SAVE_PATH_MAX], path[SAVE_PATH_MAX];
	struct writer_map m = { .space = r->space, .address = r->address };
	struct save_map x;

	if (r->size < sizeof(x))
		return bad(s, "a mapping without a file", e);
	if (fill(s, sizeof(x), e))
		return -1;
	memcpy(&x, s->buf + s->start, sizeof(x));
	s->start += sizeof(x);
	m.size = x.size;
	m.offset = x.offset;
	if (!r->space || r->address % PAGE || x.size % PAGE ||
	    x.offset % PAGE || x.pad || r->address >= IMAGE_ADDRESS_MAX ||
	    x.size > IMAGE_ADDRESS_MAX ||
	    x.offset >= IMAGE_ADDRESS_MAX - x.size)
		return bad(s, "a mapping's place", e);
	return take_path(s, x.tree, r->size - sizeof(x), path, host, e) ||
		writer_map(w, &m, x.tree, path, host, e) ? -1 : 0;
}

static int take_failure(struct stream *s, const struct save_record *r,
			struct err *e)
{
	char text[256];
	size_t size = r->size < sizeof(text) ? r->size : sizeof(text) - 1, i;

	if (fill(s, size, e))
		return -1;
	memcpy(text, s->buf + s->start, size);
	text[size] = 0;
	for (i = 0; text[i]; i++)
		if (!isprint((unsigned char)text[i]))
			text[i] = '?';
	return FAIL(e, "the sandbox cannot be saved: %s",
		    text[0] ? text : "it gave no reason");
}

/* ---- the loop ----------------------------------------------------------- */
/* 1: the end. */
static int take_record(struct image_writer *w, struct stream *s,
		       struct err *e)
{
	struct save_record r;

	if (fill(s, sizeof(r), e))
		return -1;
	memcpy(&r, s->buf + s->start, sizeof(r));
	s->start += sizeof(r);
	if (r.magic != SAVE_MAGIC || r.pad)
		return bad(s, "no record at all", e);
	switch (r.kind) {
	case SAVE_PAGES:
		return take_pages(w, s, &r, e);
	case SAVE_FILE:
		return take_file(w, s, &r, e);
	case SAVE_MAP:
		return take_map(w, s, &r, e);
	case SAVE_FAILED:
		return take_failure(s, &r, e);
	case SAVE_END:
		if (r.size || r.address != s->records)
			return bad(s, "the end counts otherwise", e);
		return 1;
	}
	return bad(s, "unknown kind", e);
}

int image_add_stream(struct image_writer *w, int stream, image_file_fn file,
		     void *arg, struct err *e)
{
	struct stream s = { .fd = stream, .find = file, .arg = arg };
	int rc;

	writer_pack_libos(w);
	if (writer_flush_heap(w, e))
		return -1;
	s.buf = malloc(BUFFER);
	if (!s.buf)
		return FAIL(e, "out of memory");
	while (!(rc = take_record(w, &s, e)))
		s.records++;
	free(s.buf);
	writer_progress(w, w->heap_size + s.total);
	return rc < 0 ? -1 : writer_sort_runs(w, e);
}
