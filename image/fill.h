/*
 * fill.h - fills a file of pages (pages.h) from an image, by several threads,
 * in the order of positions; `ready` follows.
 */
#ifndef IMAGE_FILL_H
#define IMAGE_FILL_H

#include "image/layout.h"

struct fill;
/* Writes header and tables to out (empty, readable and writable); i and l
 * stay in use until fill_free(). */
struct fill *fill_start(struct image *i, struct layout *l, int out,
			struct err *e);
/* Everything that positions below until need; then ready >= until. */
int fill_until(struct fill *f, uint32_t until, image_progress_fn progress,
	       void *arg, struct err *e);
/* What is not ready will never be. */
void fill_fail(struct fill *f);
/* Only the checksums of what fill_until() has not come to yet. */
int fill_check_rest(struct fill *f, struct err *e);
void fill_free(struct fill *f);

#endif
