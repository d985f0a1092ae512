/*
 * encode.c - the index of an image that is being written.
 */
#include <stdlib.h>
#include <string.h>

#include "version.h"

#include "image/processor.h"
#include "image/reader.h"
#include "image/util.h"
#include "image/writer.h"

/* ---- runs --------------------------------------------------------------- */
static int by_place(const void *a, const void *b)
{
	const struct writer_run *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static bool joins(const struct writer_run *a, const struct writer_run *b)
{
	if (a->space != b->space ||
	    a->address + (uint64_t)a->count * PAGE != b->address)
		return false;
	if (a->page == IMAGE_ZERO_PAGE || b->page == IMAGE_ZERO_PAGE)
		return a->page == b->page;
	return a->page + a->count == b->page;
}

int writer_sort_runs(struct image_writer *w, struct err *e)
{
	size_t i, n = 0, spaces = 0;

	if (w->runs)
		qsort(w->run, w->runs, sizeof(*w->run), by_place);
	for (i = 0; i < w->runs; i++) {
		struct writer_run *last = n ? &w->run[n - 1] : NULL;
		const struct writer_run *r = &w->run[i];

		if (last && last->space == r->space &&
		    last->address + (uint64_t)last->count * PAGE > r->address)
			return FAIL(e, "the sandbox sent a page twice: space "
				    "%llu, address %llx",
				    (unsigned long long)r->space,
				    (unsigned long long)r->address);
		if (!last || last->space != r->space)
			spaces++;
		if (last && joins(last, r))
			last->count += r->count;
		else
			w->run[n++] = *r;
	}
	w->runs = n;
	if (spaces >= PAGES_SPACES_MAX)
		return FAIL(e, "the sandbox has more processes than an image "
			    "can hold");
	return 0;
}

/* ---- pages of the parent ------------------------------------------------ */
struct refs {
	uint32_t *number; /* of each of the parent's pages that is used, + 1 */
	uint32_t *used;   /* the other way round */
	uint32_t count, parents;
	uint32_t *parent; /* number here of each of its parents, + 1 */
};

static uint32_t pages_of(const struct image *i)
{
	return i ? i->index.stored_pages + i->index.ref_pages : 0;
}

/* Numbers those that runs name, and points the runs at the numbers. */
static int number_refs(struct image_writer *w, struct refs *r)
{
	uint32_t n = pages_of(w->parent), k;
	size_t i;

	r->number = calloc(n + 1u, sizeof(*r->number));
	r->used = calloc(n + 1u, sizeof(*r->used));
	r->parent = calloc(IMAGE_PARENTS_MAX + 1, sizeof(*r->parent));
	if (!r->number || !r->used || !r->parent)
		return -1;
	for (i = 0; i < w->runs; i++) {
		uint32_t page = w->run[i].page;

		if (page == IMAGE_ZERO_PAGE || !(page & PARENT_PAGE))
			continue;
		for (k = 0; k < w->run[i].count; k++)
			r->number[(page & ~PARENT_PAGE) + k] = 1;
	}
	/* In the parent's order, so that a run stays one run. */
	for (k = 0; k < n; k++)
		if (r->number[k]) {
			r->used[r->count] = k;
			r->number[k] = ++r->count;
		}
	for (i = 0; i < w->runs; i++) {
		struct writer_run *x = &w->run[i];

		if (x->page != IMAGE_ZERO_PAGE && (x->page & PARENT_PAGE))
			x->page = w->stored - 1 +
				r->number[x->page & ~PARENT_PAGE];
	}
	return 0;
}

/* The parent itself is number 0; its parents follow as they are needed. */
static int find_parents(struct image_writer *w, struct refs *r,
			struct err *e)
{
	const struct image *p = w->parent;
	uint32_t k;

	if (!p)
		return 0;
	r->parents = 1;
	for (k = 0; k < r->count; k++) {
		uint32_t page = r->used[k];

		if (page < p->index.stored_pages)
			continue;
		page = p->ref[page - p->index.stored_pages].parent;
		if (!r->parent[page])
			r->parent[page] = ++r->parents;
	}
	if (r->parents > IMAGE_PARENTS_MAX)
		return FAIL(e, "the chain of images that this one would need "
			    "is too long (%u): save without --since",
			    IMAGE_PARENTS_MAX);
	return 0;
}

/* ---- the tables --------------------------------------------------------- */
struct out {
	uint8_t *at, *end;
};

static void *put(struct out *o, size_t size)
{
	void *p = o->at;

	o->at += size;
	return p;
}

static void put_parents(struct image_writer *w, struct out *o,
			const struct refs *r, uint32_t name)
{
	struct image_parent *t = put(o, r->parents * sizeof(*t));
	const struct image *p = w->parent;
	uint32_t k;

	if (!p)
		return;
	memcpy(t[0].id, p->trailer.id, 16);
	t[0].name = name;
	t[0].name_size = (uint32_t)strlen(w->parent_name);
	for (k = 0; k < p->index.parent_count; k++)
		if (r->parent[k])
			memcpy(t[r->parent[k] - 1].id, p->parent[k].id, 16);
}

static void put_pages(struct image_writer *w, struct out *o,
		      const struct refs *r)
{
	struct image_ref *ref = put(o, r->count * sizeof(*ref));
	struct image_hash *hash = put(o, ((size_t)w->stored + r->count) *
				      sizeof(*hash));
	const struct image *p = w->parent;
	uint32_t k, page;
	size_t i;

	for (i = 0; i < w->pages.count; i++)
		if (!(w->pages.entry[i].page & PARENT_PAGE))
			memcpy(hash[w->pages.entry[i].page].bytes,
			       w->pages.entry[i].hash, 16);
	for (k = 0; k < r->count; k++) {
		page = r->used[k];
		hash[w->stored + k] = p->hash[page];
		if (page < p->index.stored_pages) {
			ref[k].page = page;
			continue;
		}
		ref[k] = p->ref[page - p->index.stored_pages];
		ref[k].parent = r->parent[ref[k].parent] - 1;
	}
}

static void put_spaces(struct image_writer *w, struct out *o,
		       uint32_t spaces)
{
	struct image_space *s = put(o, spaces * sizeof(*s));
	struct image_run *r = put(o, w->runs * sizeof(*r));
	size_t i;

	s[0].id = 0;
	for (i = 0; i < w->runs; i++) {
		if (w->run[i].space != s->id)
			(++s)->id = w->run[i].space;
		s->run_count++;
		r[i].address = w->run[i].address;
		r[i].page = w->run[i].page;
		r[i].count = w->run[i].count;
	}
}

static void put_files(struct image_writer *w, struct out *o)
{
	struct image_file_entry *f = put(o, w->files * sizeof(*f));
	size_t i;

	for (i = 0; i < w->files; i++)
		f[i] = w->file[i].entry;
	if (w->bases)
		memcpy(put(o, w->bases * sizeof(*w->base)), w->base,
		       w->bases * sizeof(*w->base));
	memcpy(put(o, w->strings_size), w->strings ? w->strings : "",
	       w->strings_size);
}

/* Counts everything, so that the size of the tables is known. */
static void count(struct image_writer *w, struct image_index *x,
		  const struct refs *r, uint32_t frames)
{
	uint64_t space = 0;
	size_t i;

	x->space_count = 1;
	for (i = 0; i < w->runs; i++) {
		x->memory_pages += w->run[i].count;
		if (!w->run[i].space)
			x->heap_pages += w->run[i].count;
		if (w->run[i].space != space) {
			space = w->run[i].space;
			x->space_count++;
		}
	}
	x->stored_pages = w->stored;
	x->ref_pages = r->count;
	x->parent_count = r->parents;
	x->frame_count = frames;
	x->run_count = (uint32_t)w->runs;
	x->file_count = (uint32_t)w->files;
	x->base_count = (uint32_t)w->bases;
	x->strings_size = (uint32_t)w->strings_size;
	processor_features(x->features);
	processor_limit(x->features, w->level);
	strncpy(x->processor, processor_name, sizeof(x->processor) - 1);
	strncpy(x->libos_id, w->libos_id, sizeof(x->libos_id) - 1);
	strncpy(x->bailey_version, BAILEY_VERSION,
		sizeof(x->bailey_version) - 1);
}

static uint8_t *encode(struct image_writer *w, struct image_index *x,
		       const struct image_blob *frame, const struct refs *r,
		       uint32_t name, size_t *size, struct err *e)
{
	uint64_t total = image_index_size(x, IMAGE_VERSION);
	struct out o;
	uint8_t *raw;

	if (total > IMAGE_INDEX_MAX) {
		FAIL(e, "the sandbox has too many pages for an image's index");
		return NULL;
	}
	raw = big_alloc(total);
	if (!raw) {
		FAIL(e, "out of memory for the index");
		return NULL;
	}
	o = (struct out){ raw, raw + total };
	memcpy(put(&o, sizeof(*x)), x, sizeof(*x));
	put_parents(w, &o, r, name);
	if (x->frame_count)
		memcpy(put(&o, x->frame_count * sizeof(*frame)), frame,
		       x->frame_count * sizeof(*frame));
	put_pages(w, &o, r);
	put_spaces(w, &o, x->space_count);
	put_files(w, &o);
	*size = total;
	return raw;
}

uint8_t *encode_index(struct image_writer *w, const struct image_blob *frame,
		      uint32_t frames, const struct image_blob *manifest,
		      const struct image_blob *libos, size_t *size,
		      struct err *e)
{
	struct image_index x = { .manifest = *manifest, .libos = *libos };
	struct refs r = { 0 };
	uint8_t *raw = NULL;
	uint32_t name = 0;

	if (w->parent_name &&
	    writer_string(w, w->parent_name, strlen(w->parent_name), &name,
			  e))
		return NULL;
	if (number_refs(w, &r))
		FAIL(e, "out of memory for the index");
	else if (!find_parents(w, &r, e)) {
		count(w, &x, &r, frames);
		raw = encode(w, &x, frame, &r, name, size, e);
	}
	free(r.number);
	free(r.used);
	free(r.parent);
	return raw;
}
