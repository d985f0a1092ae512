/*
 * frame.c - reads frames and blobs: the bytes once into memory of our own,
 * then the checksum, then zstd, then the size; whatever the file does
 * meanwhile, what was checked is what is used.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "image/reader.h"
#include "image/util.h"

#define RAW_MAX (IMAGE_FRAME_PAGES * PAGE)

struct frame_reader {
	ZSTD_DCtx *context;
	uint8_t *in, *out;
};

struct frame_reader *frame_reader_new(struct err *e)
{
	struct frame_reader *r = calloc(1, sizeof(*r));

	if (r) {
		r->context = ZSTD_createDCtx();
		r->in = big_alloc(2 * RAW_MAX);
		r->out = big_alloc(RAW_MAX);
		if (r->context && r->in && r->out)
			return r;
	}
	frame_reader_free(r);
	FAIL(e, "out of memory for reading an image");
	return NULL;
}

void frame_reader_free(struct frame_reader *r)
{
	if (!r)
		return;
	ZSTD_freeDCtx(r->context);
	big_free(r->in, 2 * RAW_MAX);
	big_free(r->out, RAW_MAX);
	free(r);
}

/* The bytes of b into buf. */
static int read_checked(const struct image *i, const struct image_blob *b,
			uint8_t *buf, const char *what, uint32_t number,
			struct err *e)
{
	uint8_t check[16];
	ssize_t n = read_at(i->fd, buf, b->size, b->offset);

	if (n < 0)
		return FAIL(e, "cannot read %s: %s", i->path,
			    strerror(errno));
	if ((size_t)n < b->size)
		return FAIL(e, "%s became shorter while it was read",
			    i->path);
	hash_short(check, buf, b->size);
	if (!memcmp(check, b->check, 16))
		return 0;
	return FAIL(e, "%s is damaged: %s %u (bytes %llu to %llu) does not "
		    "match its checksum", i->path, what, number,
		    (unsigned long long)b->offset,
		    (unsigned long long)b->offset + b->size - 1);
}

static int bad_zstd(const struct image *i, const char *what, uint32_t number,
		    size_t n, struct err *e)
{
	return FAIL(e, "%s is damaged: %s %u: %s", i->path, what, number,
		    ZSTD_isError(n) ? ZSTD_getErrorName(n) :
		    "other size than the index says");
}

int frame_check(struct frame_reader *r, const struct image *i, uint32_t frame,
		struct err *e)
{
	return read_checked(i, &i->frame[frame], r->in, "frame", frame, e);
}

const uint8_t *frame_read(struct frame_reader *r, const struct image *i,
			  uint32_t frame, struct err *e)
{
	const struct image_blob *f = &i->frame[frame];
	size_t n;

	if (frame_check(r, i, frame, e))
		return NULL;
	n = ZSTD_decompressDCtx(r->context, r->out, RAW_MAX, r->in, f->size);
	if (n == f->raw)
		return r->out;
	bad_zstd(i, "frame", frame, n, e);
	return NULL;
}

char *image_blob(const struct image *i, const struct image_blob *b,
		 const char *what, struct err *e)
{
	uint8_t *in = malloc(b->size + 1u);
	char *out = malloc(b->raw + 1u);
	size_t n;

	if (!in || !out) {
		FAIL(e, "out of memory for reading an image");
		goto fail;
	}
	if (read_checked(i, b, in, what, 0, e))
		goto fail;
	n = ZSTD_decompress(out, b->raw, in, b->size);
	if (n != b->raw) {
		bad_zstd(i, what, 0, n, e);
		goto fail;
	}
	out[n] = 0;
	free(in);
	return out;
fail:
	free(in);
	free(out);
	return NULL;
}
