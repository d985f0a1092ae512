/*
 * writer.h - the inside of struct image_writer, for the files that fill it:
 * write.c (its life), heap.c, stream.c, files.c, encode.c.
 *
 * Order of the calls is free but for commit; pages go through writer_page(),
 * one at a time, from the caller's thread.
 */
#ifndef IMAGE_WRITER_H
#define IMAGE_WRITER_H

#include <bailey/image_format.h>

#include "image/dedup.h"
#include "image/image.h"
#include "image/pack.h"
#include "image/sink.h"

/* Numbers of pages while writing: below, stored here; above, the parent's. */
#define PARENT_PAGE 0x80000000u

struct writer_run {
	uint64_t space, address;
	uint32_t page, count;
};
/* A stretch of a space that a file is mapped in. */
struct writer_map {
	uint64_t space, address, size, offset;
	uint32_t file;
};
struct writer_file {
	struct image_file_entry entry; /* path: of strings */
	char *host;                    /* where it is, if it is mapped */
};
struct image_writer {
	struct sink sink;
	struct pack *pack;
	struct image_header header;
	struct image_options options; /* pointers: only progress's */
	int level;                    /* of the processor: processor.h */
	struct image *parent;         /* or NULL */
	char *parent_name;
	struct dedup pages;
	uint32_t stored;              /* pages handed to pack */
	struct writer_run *run;
	size_t run_room, runs;
	uint64_t mapped;              /* pages in runs */
	struct writer_file *file;
	size_t file_room, files;
	struct writer_map *map;
	size_t map_room, maps;
	struct image_base *base;
	size_t base_room, bases;
	int base_fd;                  /* of the file used last, or -1 */
	uint32_t base_file;
	char *strings;
	size_t strings_room, strings_size;
	uint8_t *heap;                /* copied, not yet packed */
	uint64_t heap_size, heap_room;
	struct writer_run *heap_run;  /* page: of heap */
	size_t heap_run_room, heap_runs;
	char *manifest, *libos;
	size_t manifest_size, libos_size;
	struct pack_ahead libos_packed; /* once pages come in */
	char libos_id[41];
};

/* A page at its address; the caller has checked both for form.  map: what is
 * mapped there, or NULL. */
int writer_page(struct image_writer *w, uint64_t space, uint64_t address,
		const void *page, const struct writer_map *map,
		struct err *e);
/* Packs the copied heap, if there is one that is not packed yet. */
int writer_flush_heap(struct image_writer *w, struct err *e);
/* A file is mapped in a space: its pages may be the base of those there. */
int writer_map(struct image_writer *w, const struct writer_map *m,
	       uint32_t tree, const char *path, const char *host,
	       struct err *e);
const struct writer_map *writer_find_map(const struct image_writer *w,
					 uint64_t space, uint64_t address,
					 uint64_t size);
/* Page number `page`, which is at address: leaves in data what differs from
 * the file, and notes it, if that is worth it. */
int writer_base(struct image_writer *w, const struct writer_map *m,
		uint64_t address, uint32_t page, uint8_t *data,
		struct err *e);
/* A file that pages were left out for; its number. */
int writer_file(struct image_writer *w, uint32_t tree, const char *path,
		const char *host, uint32_t *number, struct err *e);
int writer_string(struct image_writer *w, const char *s, size_t size,
		  uint32_t *at, struct err *e);
/* Sorts the runs and joins what adjoins; a page that came twice: an error. */
int writer_sort_runs(struct image_writer *w, struct err *e);
void writer_pack_libos(struct image_writer *w);
void writer_progress(struct image_writer *w, uint64_t bytes_in);
/* The raw index, for big_free(). */
uint8_t *encode_index(struct image_writer *w, const struct image_blob *frame,
		      uint32_t frames, const struct image_blob *manifest,
		      const struct image_blob *libos, size_t *size,
		      struct err *e);

#endif
