/*
 * dedup.h - which page contents an image holds already: XXH3-128 of a page to
 * its number.  128 bits are believed: whoever makes two pages with one hash
 * on purpose spoils the image of his own sandbox only.
 */
#ifndef IMAGE_DEDUP_H
#define IMAGE_DEDUP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define DEDUP_NONE 0xffffffffu

struct dedup_entry {
	uint8_t hash[16];
	uint32_t page;
};
struct dedup {
	struct dedup_entry *entry; /* in order of arrival */
	size_t room, count;
	uint32_t *slot;            /* hash table of numbers of entries + 1 */
	size_t slots;              /* a power of two */
};

uint32_t dedup_find(const struct dedup *d, const uint8_t hash[16]);
int dedup_add(struct dedup *d, const uint8_t hash[16], uint32_t page,
	      struct err *e);
void dedup_free(struct dedup *d);

#endif
