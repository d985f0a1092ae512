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
#include "image/words.h"

/* Grows with the frames that come. */
struct buffer {
	uint8_t *at;
	size_t room;
};
struct frame_reader {
	ZSTD_DCtx *context;
	struct buffer in, out;
	struct buffer split; /* words.h */
	struct base_file base;
};

static int need_room(struct buffer *b, size_t size, struct err *e)
{
	if (size <= b->room)
		return 0;
	big_free(b->at, b->room);
	b->room = 0;
	b->at = big_alloc(size);
	if (!b->at)
		return FAIL(e, "out of memory for reading an image");
	b->room = size;
	return 0;
}

struct frame_reader *frame_reader_new(struct err *e)
{
	struct frame_reader *r = calloc(1, sizeof(*r));

	if (r) {
		r->base.fd = -1;
		r->context = ZSTD_createDCtx();
		if (r->context)
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
	base_close(&r->base);
	ZSTD_freeDCtx(r->context);
	big_free(r->in.at, r->in.room);
	big_free(r->out.at, r->out.room);
	big_free(r->split.at, r->split.room);
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
	const struct image_blob *f = &i->frame[frame];

	return need_room(&r->in, f->size, e) ||
		read_checked(i, f, r->in.at, "frame", frame, e) ? -1 : 0;
}

static int unpack_plain(struct frame_reader *r, const struct image *i,
			uint32_t frame, size_t skip, struct err *e)
{
	const struct image_blob *f = &i->frame[frame];
	size_t n = ZSTD_decompressDCtx(r->context, r->out.at, f->raw,
				       r->in.at + skip, f->size - skip);

	return n == f->raw ? 0 : bad_zstd(i, "frame", frame, n, e);
}

static int unpack_words(struct frame_reader *r, const struct image *i,
			uint32_t frame, struct err *e)
{
	const struct image_blob *f = &i->frame[frame];
	size_t n;

	if (need_room(&r->split, WORDS_ROOM(f->raw), e))
		return -1;
	n = ZSTD_decompressDCtx(r->context, r->split.at, r->split.room,
				r->in.at + 1, f->size - 1);
	if (ZSTD_isError(n) || words_join(r->split.at, n, r->out.at, f->raw))
		return bad_zstd(i, "frame", frame, n, e);
	return 0;
}

static int unpack(struct frame_reader *r, const struct image *i,
		  uint32_t frame, struct err *e)
{
	uint8_t codec = r->in.at[0];

	if (i->header.version == 1)
		return unpack_plain(r, i, frame, 0, e);
	if (codec == IMAGE_CODEC_PLAIN)
		return unpack_plain(r, i, frame, 1, e);
	if (codec == IMAGE_CODEC_WORDS)
		return unpack_words(r, i, frame, e);
	return FAIL(e, "%s is damaged: frame %u: unknown codec %u", i->path,
		    frame, codec);
}

const uint8_t *frame_read(struct frame_reader *r, const struct image *i,
			  uint32_t frame, struct err *e)
{
	if (frame_check(r, i, frame, e) ||
	    need_room(&r->out, i->frame[frame].raw, e) ||
	    unpack(r, i, frame, e) ||
	    (i->find && base_add(&r->base, i, frame, r->out.at, e)))
		return NULL;
	return r->out.at;
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
