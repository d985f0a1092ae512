/*
 * processor.h - what of images depends on the processor: the features that a
 * program may have found and now relies on.  image/arch/<arch>/processor.c.
 */
#ifndef IMAGE_PROCESSOR_H
#define IMAGE_PROCESSOR_H

#include <stddef.h>
#include <stdint.h>

extern const char processor_name[]; /* as uname -m says it */
/* What this host has; the words' meaning is the architecture's own. */
void processor_features(uint64_t out[4]);
/* Names, separated by spaces, of what `has` lacks of `needs`; their number.
 * Only what programs can use counts, not what is for kernels. */
int processor_missing(const uint64_t needs[4], const uint64_t has[4],
		      char *names, size_t size);

/* ---- a sandbox that is to use no more than a level ----------------------- */
/* "x86-64-v3" and the like; 0 if there is no such level. */
int processor_level(const char *name);
/* Takes out of `of` what that level does not have; 0: nothing. */
void processor_limit(uint64_t of[4], int level);
/* The i-th environment variable that keeps libraries at the level: its name
 * (NULL behind the last) and, allocated, its value. */
const char *processor_environment(int level, unsigned i, char **value);

#endif
