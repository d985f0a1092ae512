/*
 * parallel.h - the same for each frame of an image, by several threads.
 */
#ifndef IMAGE_PARALLEL_H
#define IMAGE_PARALLEL_H

#include "image/reader.h"

typedef int (*frame_fn)(struct frame_reader *r, const struct image *i,
			uint32_t frame, struct err *e);
/* Stops at the first failure. */
int parallel_frames(const struct image *i, frame_fn fn, const char *phase,
		    image_progress_fn progress, void *arg, struct err *e);

#endif
