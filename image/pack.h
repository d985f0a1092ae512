/*
 * pack.h - pages into zstd frames, by several threads.
 *
 * One thread fills groups of pages (pack_page() gives the place of the next,
 * pack_push() takes it); workers compress whole groups and write them to the
 * sink in the order in which they came.  The memory used is bounded: with all
 * groups in work, pack_page() waits.
 */
#ifndef IMAGE_PACK_H
#define IMAGE_PACK_H

#include <pthread.h>

#include <bailey/image_format.h>

#include "image/sink.h"
#include "lib/err.h"

struct pack;
/* level: of zstd; 0: high for the first megabytes, then fast.  From level 3
 * on pages are split into words (words.h) first, if they are not text. */
struct pack *pack_start(struct sink *s, int level, int threads,
			struct err *e);
/* Where the next page goes; NULL when a worker has failed (e filled). */
void *pack_page(struct pack *p, struct err *e);
void pack_push(struct pack *p);
/* All frames written; their table, which stays p's. */
int pack_finish(struct pack *p, const struct image_blob **frames,
		uint32_t *count, struct err *e);
uint64_t pack_bytes_out(struct pack *p);
void pack_free(struct pack *p);

/* A blob that is compressed while frames are; data stays.  It is written after
 * pack_finish().  pack_ahead_end() in any case. */
struct pack_ahead {
	const void *data;
	size_t size, out_size;
	int level;
	void *out;
	pthread_t thread;
	bool is_running;
};
void pack_ahead(struct pack_ahead *a, int level, const void *data,
		size_t size);
int pack_ahead_write(struct pack_ahead *a, struct sink *s,
		     struct image_blob *out, struct err *e);
void pack_ahead_end(struct pack_ahead *a);
/* One blob, compressed and written by the caller: only after pack_finish(). */
int pack_blob(struct sink *s, int level, const void *data, size_t size,
	      struct image_blob *out, struct err *e);

#endif
