/*
 * decode.c - the index of an image, from a file that anybody may have made.
 *
 * Nothing of a table is used before it is checked here; sums are made in 64
 * bits over counts that are bounded first.
 */
#include <string.h>

#include "image/reader.h"
#include "image/util.h"

static size_t head_size(uint32_t version)
{
	return version == 1 ? IMAGE_INDEX_SIZE_1 : sizeof(struct image_index);
}

uint64_t image_index_size(const struct image_index *x, uint32_t version)
{
	return head_size(version) +
		(uint64_t)x->parent_count * sizeof(struct image_parent) +
		(uint64_t)x->frame_count * sizeof(struct image_blob) +
		(uint64_t)x->ref_pages * sizeof(struct image_ref) +
		((uint64_t)x->stored_pages + x->ref_pages) *
			sizeof(struct image_hash) +
		(uint64_t)x->space_count * sizeof(struct image_space) +
		(uint64_t)x->run_count * sizeof(struct image_run) +
		(uint64_t)x->file_count * sizeof(struct image_file_entry) +
		(uint64_t)x->base_count * sizeof(struct image_base) +
		x->strings_size;
}

void image_make_id(uint8_t id[16], const struct image_header *h,
		   const uint8_t index_check[16])
{
	uint8_t both[sizeof(*h) + 16];

	memcpy(both, h, sizeof(*h));
	memcpy(both + sizeof(*h), index_check, 16);
	hash_short(id, both, sizeof(both));
}

static int bad(const struct image *i, const char *what, struct err *e)
{
	return FAIL(e, "%s is damaged: its index makes no sense (%s)",
		    i->path, what);
}

static bool is_text(const char *s, size_t size)
{
	return memchr(s, 0, size) != NULL;
}

static int check_counts(const struct image *i, struct err *e)
{
	const struct image_index *x = &i->index;

	if (x->stored_pages > IMAGE_PAGES_MAX ||
	    x->ref_pages > IMAGE_PAGES_MAX)
		return bad(i, "number of pages", e);
	if (x->parent_count > IMAGE_PARENTS_MAX ||
	    (x->ref_pages && !x->parent_count))
		return bad(i, "number of parents", e);
	if (x->frame_count > x->stored_pages)
		return bad(i, "number of frames", e);
	if (!x->space_count || x->space_count > PAGES_SPACES_MAX)
		return bad(i, "number of spaces", e);
	if (x->base_count > x->stored_pages || x->pad)
		return bad(i, "number of bases", e);
	if (x->run_count > IMAGE_RUNS_MAX || x->file_count > IMAGE_FILES_MAX ||
	    x->strings_size > IMAGE_STRINGS_MAX)
		return bad(i, "number of runs or files", e);
	if (!is_text(x->processor, sizeof(x->processor)) ||
	    !is_text(x->libos_id, sizeof(x->libos_id)) ||
	    !is_text(x->bailey_version, sizeof(x->bailey_version)))
		return bad(i, "text", e);
	if (image_index_size(x, i->header.version) != i->trailer.index_raw)
		return bad(i, "size", e);
	return 0;
}

static void point_tables(struct image *i)
{
	const struct image_index *x = &i->index;
	const uint8_t *p = i->raw + head_size(i->header.version);

	i->parent = (const void *)p;
	i->frame = (const void *)(i->parent + x->parent_count);
	i->ref = (const void *)(i->frame + x->frame_count);
	i->hash = (const void *)(i->ref + x->ref_pages);
	i->space = (const void *)(i->hash + x->stored_pages + x->ref_pages);
	i->run = (const void *)(i->space + x->space_count);
	i->file = (const void *)(i->run + x->run_count);
	i->base = (const void *)(i->file + x->file_count);
	i->strings = (const void *)(i->base + x->base_count);
}

/* Frames and blobs follow each other from the header up to the index. */
static int check_frames(struct image *i, struct err *e)
{
	const struct image_index *x = &i->index;
	uint64_t at = sizeof(i->header), pages = 0;
	uint32_t k;

	i->first = big_alloc((x->frame_count + 1u) * sizeof(*i->first));
	if (!i->first)
		return FAIL(e, "out of memory for an image's index");
	for (k = 0; k < x->frame_count; k++) {
		const struct image_blob *f = &i->frame[k];

		if (f->offset != at || !f->size || !f->raw || f->raw % PAGE ||
		    f->raw > IMAGE_FRAME_PAGES * PAGE ||
		    f->size > 2 * IMAGE_FRAME_PAGES * PAGE)
			return bad(i, "frames", e);
		i->first[k] = (uint32_t)pages;
		at += f->size;
		pages += f->raw / PAGE;
	}
	i->first[k] = (uint32_t)pages;
	if (pages != x->stored_pages)
		return bad(i, "pages of frames", e);
	if (x->manifest.offset != at || x->manifest.raw > IMAGE_MANIFEST_MAX ||
	    x->manifest.size > 2 * IMAGE_MANIFEST_MAX)
		return bad(i, "manifest", e);
	at += x->manifest.size;
	if (x->libos.offset != at || x->libos.raw > IMAGE_LIBOS_MAX ||
	    x->libos.size > 2 * IMAGE_LIBOS_MAX)
		return bad(i, "library OS", e);
	if (at + x->libos.size != i->trailer.index_offset)
		return bad(i, "size of frames", e);
	return 0;
}

static int check_run(const struct image *i, const struct image_run *r,
		     uint64_t *least, uint64_t most)
{
	uint64_t pages = (uint64_t)i->index.stored_pages + i->index.ref_pages;

	if (!r->count || r->address % PAGE || r->address < *least ||
	    r->address >= most ||
	    (most - r->address) / PAGE < r->count)
		return -1;
	*least = r->address + (uint64_t)r->count * PAGE;
	if (r->page == IMAGE_ZERO_PAGE)
		return 0;
	return r->page >= pages || r->count > pages - r->page ? -1 : 0;
}

static int check_spaces(const struct image *i, struct err *e)
{
	uint64_t left = i->index.run_count, mapped = 0, heap = 0;
	const struct image_run *r = i->run;
	uint32_t k;
	uint64_t n;

	for (k = 0; k < i->index.space_count; k++) {
		const struct image_space *s = &i->space[k];
		uint64_t least = 0;

		if ((!k) != (!s->id) || (k && s->id <= s[-1].id) ||
		    s->run_count > left)
			return bad(i, "spaces", e);
		left -= s->run_count;
		for (n = s->run_count; n; n--, r++) {
			if (check_run(i, r, &least, k ? IMAGE_ADDRESS_MAX :
				      IMAGE_HEAP_MAX))
				return bad(i, "runs", e);
			mapped += r->count;
			heap += k ? 0 : r->count;
		}
	}
	if (left || mapped > IMAGE_MAPPED_MAX ||
	    mapped != i->index.memory_pages || heap != i->index.heap_pages)
		return bad(i, "number of runs", e);
	return 0;
}

/* A path below a tree: relative, without empty, "." and ".." parts. */
bool image_is_below(const char *path, size_t size)
{
	size_t at = 0, n;

	if (!size || memchr(path, 0, size))
		return false;
	while (at <= size) {
		const char *slash = at < size ?
			memchr(path + at, '/', size - at) : NULL;

		n = slash ? (size_t)(slash - path) - at : size - at;
		if (!n || (n == 1 && path[at] == '.') ||
		    (n == 2 && path[at] == '.' && path[at + 1] == '.'))
			return false;
		at += n + 1;
	}
	return true;
}

static bool has_string(const struct image *i, uint32_t at, uint32_t size)
{
	return at <= i->index.strings_size &&
		size <= i->index.strings_size - at;
}

int decode_files(const struct image *i, struct err *e)
{
	uint32_t k;

	for (k = 0; k < i->index.file_count; k++) {
		const struct image_file_entry *f = &i->file[k];

		if (f->pad || f->path_size >= SAVE_PATH_MAX ||
		    !has_string(i, f->path, f->path_size) ||
		    !image_is_below(i->strings + f->path, f->path_size))
			return bad(i, "files", e);
	}
	return 0;
}

static int check_names(const struct image *i, struct err *e)
{
	const struct image_index *x = &i->index;
	uint32_t k;

	for (k = 0; k < x->parent_count; k++) {
		const struct image_parent *p = &i->parent[k];

		if (!has_string(i, p->name, p->name_size) ||
		    p->name_size > 255)
			return bad(i, "parents", e);
		if (p->name_size &&
		    (memchr(i->strings + p->name, '/', p->name_size) ||
		     !image_is_below(i->strings + p->name, p->name_size)))
			return bad(i, "names of parents", e);
	}
	for (k = 0; k < x->ref_pages; k++)
		if (i->ref[k].parent >= x->parent_count ||
		    i->ref[k].page >= IMAGE_PAGES_MAX)
			return bad(i, "pages of parents", e);
	return decode_files(i, e);
}

static int check_bases(const struct image *i, struct err *e)
{
	uint32_t k, least = 0;

	for (k = 0; k < i->index.base_count; k++) {
		const struct image_base *b = &i->base[k];

		if (b->page < least || b->page >= i->index.stored_pages ||
		    !b->count || b->count > i->index.stored_pages - b->page ||
		    b->file >= i->index.file_count || b->pad ||
		    b->offset % PAGE || b->offset >= IMAGE_ADDRESS_MAX)
			return bad(i, "bases", e);
		least = b->page + b->count;
	}
	return 0;
}

int decode_index(struct image *i, struct err *e)
{
	size_t size = head_size(i->header.version);

	if (i->trailer.index_raw < size)
		return bad(i, "size", e);
	memcpy(&i->index, i->raw, size);
	if (check_counts(i, e))
		return -1;
	point_tables(i);
	if (check_frames(i, e) || check_spaces(i, e) || check_names(i, e) ||
	    check_bases(i, e))
		return -1;
	return 0;
}

uint32_t image_frame_of(const struct image *i, uint32_t page)
{
	uint32_t low = 0, high = i->index.frame_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (i->first[middle] <= page)
			low = middle;
		else
			high = middle;
	}
	return low;
}
