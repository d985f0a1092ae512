/*
 * layout.h - where each page of an image goes in the unpacked file (pages.h).
 *
 * Positions count data pages.  They are given out in the order of spaces and
 * addresses, so that a stretch of memory is one run of the file wherever the
 * contents allow it; the kernel heap comes first.  Contents that have a
 * position already are named again, unless they stand alone between new ones:
 * then a copy costs less than the two runs that it would take.  Zero pages are
 * holes of the file; long stretches of them share a few.
 */
#ifndef IMAGE_LAYOUT_H
#define IMAGE_LAYOUT_H

#include <bailey/pages.h>

#include "image/reader.h"

#define LAYOUT_ZERO 0xffffffffu

struct layout {
	uint32_t *fill;          /* by position: page of the image, or ZERO */
	uint32_t fill_room, count;
	uint32_t heap;           /* positions below are the heap's */
	struct pages_run *run;   /* page: a position */
	size_t run_room, runs;
	uint64_t *space_runs;    /* by space: how many of these */
};

int layout_make(struct layout *l, const struct image *i, struct err *e);
void layout_free(struct layout *l, const struct image *i);

#endif
