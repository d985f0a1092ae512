/*
 * verify.c - everything about an image, and the difference of two.
 */
#include <stdlib.h>
#include <string.h>

#include "image/parallel.h"
#include "image/reader.h"
#include "image/util.h"

/* ---- verify ------------------------------------------------------------- */
static int verify_frame(struct frame_reader *r, const struct image *i,
			uint32_t frame, struct err *e)
{
	const uint8_t *data = frame_read(r, i, frame, e);
	uint32_t page;
	uint8_t hash[16];

	if (!data)
		return -1;
	for (page = i->first[frame]; page < i->first[frame + 1]; page++) {
		if (!i->find && image_is_based(i, page))
			continue; /* its bytes were as they were written */
		hash_page(hash, data + (size_t)(page - i->first[frame]) *
			  PAGE);
		if (memcmp(hash, i->hash[page].bytes, 16))
			return FAIL(e, "%s is damaged: page %u in frame %u "
				    "has other contents than the index says",
				    i->path, page, frame);
	}
	return 0;
}

/* Pages taken from a parent are the ones that were meant. */
static int verify_refs(const struct image *i, struct err *e)
{
	uint32_t k;

	for (k = 0; k < i->index.ref_pages; k++) {
		const struct image_ref *r = &i->ref[k];
		const struct image *p = i->parents[r->parent];

		if (r->page >= p->index.stored_pages ||
		    memcmp(p->hash[r->page].bytes,
			   i->hash[i->index.stored_pages + k].bytes, 16))
			return FAIL(e, "%s takes a page from %s that is not "
				    "there", i->path, p->path);
	}
	return 0;
}

int image_verify(struct image *i, image_progress_fn progress, void *arg,
		 struct err *e)
{
	char *libos;
	uint32_t k;

	if (parallel_frames(i, verify_frame, "verifying", progress, arg, e))
		return -1;
	libos = image_blob(i, &i->index.libos, "library OS", e);
	free(libos);
	if (!libos || image_need_parents(i, e) || verify_refs(i, e))
		return -1;
	for (k = 0; k < i->index.parent_count; k++)
		if (i->parents && i->parents[k] &&
		    image_verify(i->parents[k], progress, arg, e))
			return -1;
	return 0;
}

/* ---- difference --------------------------------------------------------- */
/* The runs of one space, page by page. */
struct walk {
	const struct image *i;
	const struct image_run *run, *end;
	uint32_t at;
};

static uint64_t address(const struct walk *w)
{
	return w->run == w->end ? UINT64_MAX :
		w->run->address + (uint64_t)w->at * PAGE;
}

static const uint8_t *hash(const struct walk *w)
{
	static const uint8_t zero[16];

	return w->run->page == IMAGE_ZERO_PAGE ? zero :
		w->i->hash[w->run->page + w->at].bytes;
}

static void step(struct walk *w)
{
	if (++w->at == w->run->count) {
		w->run++;
		w->at = 0;
	}
}

static void compare(struct walk *a, struct walk *b,
		    struct image_difference *d)
{
	uint64_t x, y;

	while ((x = address(a)) != UINT64_MAX &&
	       (y = address(b)) != UINT64_MAX) {
		if (x == y && !memcmp(hash(a), hash(b), 16))
			d->same++;
		else if (x == y)
			d->changed++;
		else if (x < y)
			d->only_a++;
		else
			d->only_b++;
		if (x <= y)
			step(a);
		if (y <= x)
			step(b);
	}
	for (; address(a) != UINT64_MAX; step(a))
		d->only_a++;
	for (; address(b) != UINT64_MAX; step(b))
		d->only_b++;
}

static struct walk walk_space(const struct image *i, uint32_t *space,
			      uint64_t id, uint64_t *run)
{
	struct walk w = { .i = i, .run = i->run + *run };
	bool is_it = *space < i->index.space_count &&
		i->space[*space].id == id;

	w.end = w.run + (is_it ? i->space[*space].run_count : 0);
	*run += is_it ? i->space[*space].run_count : 0;
	*space += is_it;
	return w;
}

int image_diff(struct image *a, struct image *b,
	       struct image_difference **out, size_t *count, struct err *e)
{
	uint32_t x = 0, y = 0;
	uint64_t rx = 0, ry = 0;
	size_t n = 0;

	*out = calloc((size_t)a->index.space_count + b->index.space_count,
		      sizeof(**out));
	if (!*out)
		return FAIL(e, "out of memory");
	while (x < a->index.space_count || y < b->index.space_count) {
		uint64_t id = UINT64_MAX;
		struct walk wa, wb;

		if (x < a->index.space_count)
			id = a->space[x].id;
		if (y < b->index.space_count && b->space[y].id < id)
			id = b->space[y].id;
		wa = walk_space(a, &x, id, &rx);
		wb = walk_space(b, &y, id, &ry);
		(*out)[n].space = id;
		compare(&wa, &wb, &(*out)[n++]);
	}
	*count = n;
	return 0;
}
