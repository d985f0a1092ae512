/*
 * reader.h - the inside of struct image: an image whose index is checked.
 *
 * What the tables say was checked when the image was opened (decode.c), so
 * that the rest may use it without asking again: numbers of pages, frames,
 * parents and strings are in range, runs are sorted and disjoint, frames lie
 * in the file without gaps.  What is in the frames is checked when read.
 */
#ifndef IMAGE_READER_H
#define IMAGE_READER_H

#include <sys/stat.h>

#include <bailey/image_format.h>

#include "image/image.h"

struct image {
	int fd;
	uint64_t size;
	char *path;             /* as given */
	char *passphrase;       /* for the parents; or NULL */
	bool is_encrypted, is_stream;
	struct stat source;     /* of the file, before it was read */
	struct image_header header;
	struct image_trailer trailer;
	uint8_t *raw;           /* the index; what follows points into it */
	struct image_index index;
	const struct image_parent *parent;
	const struct image_blob *frame;
	const struct image_ref *ref;
	const struct image_hash *hash;
	const struct image_space *space;
	const struct image_run *run;
	const struct image_file_entry *file;
	const struct image_base *base;
	const char *strings;
	uint32_t *first;        /* of each frame: number of its first page */
	char *manifest;
	struct image **parents; /* opened by image_need_parents() */
	image_file_fn find;     /* image_use_files() */
	void *find_arg;
};

uint64_t image_index_size(const struct image_index *x, uint32_t version);
void image_make_id(uint8_t id[16], const struct image_header *h,
		   const uint8_t index_check[16]);
/* Points the tables into i->raw and checks all of them. */
int decode_index(struct image *i, struct err *e);
/* The files alone: i->file and i->strings. */
int decode_files(const struct image *i, struct err *e);
uint32_t image_frame_of(const struct image *i, uint32_t page);

/* One frame at a time, checked, into memory of one thread's reader. */
struct frame_reader;
struct frame_reader *frame_reader_new(struct err *e);
void frame_reader_free(struct frame_reader *r);
/* Without image_use_files() pages that have a base are as they are stored. */
const uint8_t *frame_read(struct frame_reader *r, const struct image *i,
			  uint32_t frame, struct err *e);
/* Only the checksum of its bytes in the file. */
int frame_check(struct frame_reader *r, const struct image *i, uint32_t frame,
		struct err *e);
/* ---- pages that a file of the host is the base of (base.c) --------------- */
/* Does a file have to be added to it? */
bool image_is_based(const struct image *i, uint32_t page);
/* A file that is open for reading pages; of one thread. */
struct base_file {
	int fd;          /* -1: none */
	uint32_t number; /* in the image's table */
};
/* Adds the files to the pages of a frame, and checks the sums. */
int base_add(struct base_file *b, const struct image *i, uint32_t frame,
	     uint8_t *data, struct err *e);
void base_close(struct base_file *b);
/* Page of a file, zeros behind its end; -1 with errno. */
int base_read(int fd, uint64_t offset, uint8_t page[4096]);
/* Opens one of the image's files where it is on this host, if programs inside
 * may read it; -1 with e. */
int image_open_named(const struct image *i, uint32_t number, struct err *e);
/* host ends in path, which is below a tree; -1 with errno. */
int image_open_readable(const char *host, const char *path);

/* A blob, checked; the caller frees (one NUL is added). */
char *image_blob(const struct image *i, const struct image_blob *b,
		 const char *what, struct err *e);
/* A path below a tree: relative, without empty, "." and ".." parts. */
bool image_is_below(const char *path, size_t size);
/* Opens the images that pages are taken from. */
int image_need_parents(struct image *i, struct err *e);

#endif
