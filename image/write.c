/*
 * write.c - the life of an image that is being written (writer.h).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/processor.h"
#include "image/reader.h"
#include "image/util.h"
#include "image/writer.h"

/* ---- creating ----------------------------------------------------------- */
static int start_file(struct image_writer *w, struct err *e)
{
	struct image_header *h = &w->header;

	h->magic = IMAGE_MAGIC;
	h->version = IMAGE_VERSION;
	h->header_size = sizeof(*h);
	h->created_ns = now_ns();
	h->check = check64(h, offsetof(struct image_header, check));
	return sink_write(&w->sink, h, sizeof(*h), e);
}

/* The image that pages are taken from has to stay. */
static int check_target(const char *path, const char *since, struct err *e)
{
	struct stat a, b;

	if (stat(path, &a) || stat(since, &b) || a.st_dev != b.st_dev ||
	    a.st_ino != b.st_ino)
		return 0;
	return FAIL(e, "%s cannot be replaced by an image that builds on it: "
		    "give another name with -o", path);
}

/* All contents that the parent has count as present, but for those that need
 * its files: to store such a page again takes less than they would. */
static int load_parent(struct image_writer *w, const char *path,
		       const char *passphrase, struct err *e)
{
	const char *slash = strrchr(path, '/');
	uint32_t i, count;

	w->parent = image_open_file(path, passphrase, e);
	if (!w->parent)
		return -1;
	w->parent_name = strdup(slash ? slash + 1 : path);
	if (!w->parent_name)
		return FAIL(e, "out of memory");
	count = w->parent->index.stored_pages + w->parent->index.ref_pages;
	for (i = 0; i < count; i++)
		if (!image_is_based(w->parent, i) &&
		    dedup_add(&w->pages, w->parent->hash[i].bytes,
			      PARENT_PAGE | i, e))
			return -1;
	return 0;
}

struct image_writer *image_create(const char *path,
				  const struct image_options *o,
				  struct err *e)
{
	struct image_writer *w = calloc(1, sizeof(*w));

	if (!w) {
		FAIL(e, "out of memory");
		return NULL;
	}
	w->sink.fd = w->sink.dir = w->base_fd = -1;
	if (o)
		w->options = *o;
	if (crypto_ready(e) ||
	    (w->options.since &&
	     (check_target(path, w->options.since, e) ||
	      load_parent(w, w->options.since, w->options.passphrase, e))) ||
	    sink_open(&w->sink, path, w->options.passphrase, e) ||
	    start_file(w, e))
		goto fail;
	w->pack = pack_start(&w->sink, w->options.level, w->options.threads,
			     e);
	if (!w->pack)
		goto fail;
	w->level = w->options.processor ?
		processor_level(w->options.processor) : 0;
	w->options.since = w->options.passphrase = NULL;
	w->options.processor = NULL;
	return w;
fail:
	image_discard(w);
	return NULL;
}

void image_discard(struct image_writer *w)
{
	size_t k;

	if (!w)
		return;
	for (k = 0; k < w->files; k++)
		free(w->file[k].host);
	pack_ahead_end(&w->libos_packed);
	pack_free(w->pack);
	sink_discard(&w->sink);
	image_close(w->parent);
	free(w->parent_name);
	dedup_free(&w->pages);
	big_free(w->run, w->run_room * sizeof(*w->run));
	big_free(w->file, w->file_room * sizeof(*w->file));
	big_free(w->map, w->map_room * sizeof(*w->map));
	big_free(w->base, w->base_room * sizeof(*w->base));
	if (w->base_fd >= 0)
		close(w->base_fd);
	big_free(w->strings, w->strings_room);
	big_free(w->heap, w->heap_room);
	big_free(w->heap_run, w->heap_run_room * sizeof(*w->heap_run));
	free(w->manifest);
	free(w->libos);
	free(w);
}

/* ---- pages -------------------------------------------------------------- */
static int add_run(struct image_writer *w, uint64_t space, uint64_t address,
		   uint32_t page, struct err *e)
{
	struct writer_run *r = w->runs ? &w->run[w->runs - 1] : NULL;

	if (++w->mapped > IMAGE_MAPPED_MAX)
		return FAIL(e, "the sandbox has more memory than an image can "
			    "hold (1 TiB)");
	if (r && r->space == space &&
	    r->address + (uint64_t)r->count * PAGE == address &&
	    (page == IMAGE_ZERO_PAGE ? r->page == page :
	     r->page != IMAGE_ZERO_PAGE && r->page + r->count == page)) {
		r->count++;
		return 0;
	}
	if (w->runs >= IMAGE_RUNS_MAX)
		return FAIL(e, "the sandbox's memory is in more pieces than "
			    "an image can hold (%u)", IMAGE_RUNS_MAX);
	if (big_grow((void **)&w->run, &w->run_room, w->runs,
		     sizeof(*w->run), e))
		return -1;
	w->run[w->runs++] = (struct writer_run){ space, address, page, 1 };
	return 0;
}

int writer_page(struct image_writer *w, uint64_t space, uint64_t address,
		const void *page, const struct writer_map *map,
		struct err *e)
{
	uint8_t hash[16];
	uint32_t number;
	void *place;

	/* The heap starts as zeros; a process's page may lie over a file. */
	if (is_zero_page(page))
		return space ? add_run(w, space, address, IMAGE_ZERO_PAGE, e) :
			       0;
	hash_page(hash, page);
	number = dedup_find(&w->pages, hash);
	if (number == DEDUP_NONE) {
		if (w->stored == IMAGE_PAGES_MAX)
			return FAIL(e, "the sandbox has more memory than an "
				    "image can hold (64 GiB of different "
				    "pages)");
		number = w->stored;
		place = pack_page(w->pack, e);
		if (!place || dedup_add(&w->pages, hash, number, e))
			return -1;
		memcpy(place, page, PAGE);
		if (map && writer_base(w, map, address, number, place, e))
			return -1;
		pack_push(w->pack);
		w->stored++;
	}
	return add_run(w, space, address, number, e);
}

void writer_progress(struct image_writer *w, uint64_t bytes_in)
{
	struct image_progress p = { bytes_in, 0,
				    pack_bytes_out(w->pack), "saving" };

	if (w->options.progress)
		w->options.progress(w->options.progress_arg, &p);
}

int writer_string(struct image_writer *w, const char *s, size_t size,
		  uint32_t *at, struct err *e)
{
	while (w->strings_size + size > w->strings_room)
		if (w->strings_size + size > IMAGE_STRINGS_MAX ||
		    big_grow((void **)&w->strings, &w->strings_room,
			     w->strings_room, 1, e))
			return FAIL(e, "too many file names for an image");
	*at = (uint32_t)w->strings_size;
	memcpy(w->strings + w->strings_size, s, size);
	w->strings_size += size;
	return 0;
}

/* ---- manifest ----------------------------------------------------------- */
int image_add_manifest(struct image_writer *w, const char *manifest,
		       size_t size, struct err *e)
{
	if (size > IMAGE_MANIFEST_MAX)
		return FAIL(e, "the manifest is too long for an image");
	free(w->manifest);
	w->manifest = malloc(size ? size : 1);
	if (!w->manifest)
		return FAIL(e, "out of memory");
	memcpy(w->manifest, manifest, size);
	w->manifest_size = size;
	return 0;
}

/* ---- commit ------------------------------------------------------------- */
static int write_end(struct image_writer *w, uint8_t *raw, size_t raw_size,
		     struct image_totals *out, struct err *e)
{
	struct image_trailer t = { .magic = IMAGE_END_MAGIC };
	struct image_blob index;

	if (pack_blob(&w->sink, 1, raw, raw_size, &index, e))
		return -1;
	t.index_offset = index.offset;
	t.index_size = index.size;
	t.index_raw = index.raw;
	image_make_id(t.id, &w->header, index.check);
	t.check = check64(&t, offsetof(struct image_trailer, check));
	if (sink_write(&w->sink, &t, sizeof(t), e) ||
	    sink_finish(&w->sink, e))
		return -1;
	memcpy(out->id, t.id, 16);
	return 0;
}

/* While nothing stands still, and beside the pages. */
void writer_pack_libos(struct image_writer *w)
{
	if (!w->libos_packed.data && w->libos)
		pack_ahead(&w->libos_packed, 9, w->libos, w->libos_size);
}

static int write_all_parts(struct image_writer *w, struct image_totals *out,
			   struct err *e)
{
	const struct image_blob *frame;
	struct image_blob manifest, libos;
	uint32_t frames;
	size_t size = 0;
	uint8_t *raw;
	int rc;

	writer_pack_libos(w);
	if (writer_flush_heap(w, e) || writer_sort_runs(w, e) ||
	    pack_finish(w->pack, &frame, &frames, e) ||
	    pack_blob(&w->sink, 3, w->manifest, w->manifest_size, &manifest,
		      e) ||
	    pack_ahead_write(&w->libos_packed, &w->sink, &libos, e))
		return -1;
	raw = encode_index(w, frame, frames, &manifest, &libos, &size, e);
	if (!raw)
		return -1;
	rc = write_end(w, raw, size, out, e);
	big_free(raw, size);
	return rc;
}

int image_commit(struct image_writer *w, struct image_totals *out,
		 struct err *e)
{
	struct image_totals t = { .memory_pages = 0 };
	int rc = -1;

	if (!w->manifest || !w->libos)
		FAIL(e, "an image needs a manifest and a library OS");
	else
		rc = write_all_parts(w, &t, e);
	t.memory_pages = w->mapped;
	t.stored_pages = w->stored;
	t.file_bytes = w->sink.file_bytes;
	if (!rc && out)
		*out = t;
	image_discard(w);
	return rc;
}
