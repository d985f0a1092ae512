/*
 * needs.c - see needs.h; and image_check_warm().
 */
#include "image/needs.h"

#include <stdlib.h>
#include <string.h>

#include "image/util.h"

#define NEEDS_MAX (sizeof(struct image_index) + IMAGE_STRINGS_MAX + \
		   IMAGE_FILES_MAX * sizeof(struct image_file_entry) + 8)

static size_t needs_size(const struct image_index *x)
{
	return sizeof(*x) + x->strings_size +
		(size_t)x->file_count * sizeof(struct image_file_entry);
}

void needs_keep(const struct image *i, struct cache_new *n)
{
	size_t size = needs_size(&i->index), files = i->index.file_count *
		sizeof(struct image_file_entry);
	uint8_t *data = malloc(size + sizeof(uint64_t));
	uint64_t check;

	if (!data)
		return;
	memcpy(data, &i->index, sizeof(i->index));
	memcpy(data + sizeof(i->index), i->file, files);
	memcpy(data + sizeof(i->index) + files, i->strings,
	       i->index.strings_size);
	check = check64(data, size);
	memcpy(data + size, &check, sizeof(check));
	cache_put_needs(n, data, size + sizeof(check));
	free(data);
}

/* Points i into data, which must be whole. */
static bool needs_decode(struct image *i, const char *data, size_t size)
{
	const struct image_index *x = &i->index;
	struct err ignored;
	uint64_t check;

	if (size < sizeof(*x) + sizeof(check))
		return false;
	memcpy(&i->index, data, sizeof(*x));
	if (x->file_count > IMAGE_FILES_MAX ||
	    x->strings_size > IMAGE_STRINGS_MAX ||
	    size != needs_size(x) + sizeof(check) ||
	    !memchr(x->processor, 0, sizeof(x->processor)))
		return false;
	memcpy(&check, data + size - sizeof(check), sizeof(check));
	if (check != check64(data, size - sizeof(check)))
		return false;
	i->file = (const void *)(data + sizeof(*x));
	i->strings = (const char *)(i->file + x->file_count);
	return !decode_files(i, &ignored);
}

int image_check_warm(const uint8_t id[16], const char *path,
		     bool any_processor, image_file_fn find, void *arg,
		     struct err *e)
{
	struct image i = { .fd = -1, .path = strdup(path) };
	size_t size;
	char *data = cache_needs(id, NEEDS_MAX, &size);
	int rc = 1;

	if (data && i.path && needs_decode(&i, data, size))
		rc = image_check_host(&i, any_processor, find, arg, e);
	free(data);
	free(i.path);
	return rc;
}
