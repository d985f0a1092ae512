/*
 * needs.h - what an unpacked image needs of its host, kept beside it in the
 * cache: so that going on from it need not read the image, whose index grows
 * with its memory.
 *
 * The file: struct image_index, of which the processor and the counts of files
 * and strings are used; the files; the strings; a checksum of all that.
 */
#ifndef IMAGE_NEEDS_H
#define IMAGE_NEEDS_H

#include "image/cache.h"
#include "image/reader.h"

/* Into an entry that is being made. */
void needs_keep(const struct image *i, struct cache_new *n);

#endif
