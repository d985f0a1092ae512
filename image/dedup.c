/*
 * dedup.c - see dedup.h.
 */
#include "image/dedup.h"

#include <string.h>

#include "image/util.h"

static size_t place(const struct dedup *d, const uint8_t hash[16])
{
	uint64_t h;

	memcpy(&h, hash, 8);
	return (size_t)h & (d->slots - 1);
}

uint32_t dedup_find(const struct dedup *d, const uint8_t hash[16])
{
	size_t i;

	if (!d->slots)
		return DEDUP_NONE;
	for (i = place(d, hash); d->slot[i]; i = (i + 1) & (d->slots - 1)) {
		const struct dedup_entry *x = &d->entry[d->slot[i] - 1];

		if (!memcmp(x->hash, hash, 16))
			return x->page;
	}
	return DEDUP_NONE;
}

static void insert(struct dedup *d, size_t number)
{
	size_t i = place(d, d->entry[number].hash);

	while (d->slot[i])
		i = (i + 1) & (d->slots - 1);
	d->slot[i] = (uint32_t)number + 1;
}

static int widen(struct dedup *d, struct err *e)
{
	size_t slots = d->slots ? d->slots * 2 : 4096, i;
	uint32_t *slot = big_alloc(slots * sizeof(*slot));

	if (!slot)
		return FAIL(e, "out of memory for the tables of an image");
	big_free(d->slot, d->slots * sizeof(*slot));
	d->slot = slot;
	d->slots = slots;
	for (i = 0; i < d->count; i++)
		insert(d, i);
	return 0;
}

int dedup_add(struct dedup *d, const uint8_t hash[16], uint32_t page,
	      struct err *e)
{
	if (big_grow((void **)&d->entry, &d->room, d->count,
		     sizeof(*d->entry), e))
		return -1;
	if (d->count * 2 >= d->slots && widen(d, e))
		return -1;
	memcpy(d->entry[d->count].hash, hash, 16);
	d->entry[d->count].page = page;
	insert(d, d->count++);
	return 0;
}

void dedup_free(struct dedup *d)
{
	big_free(d->entry, d->room * sizeof(*d->entry));
	big_free(d->slot, d->slots * sizeof(*d->slot));
	memset(d, 0, sizeof(*d));
}
