/*
 * coder.c - squares of the picture into RDP's updates (coder.h).
 *
 * An update must fit what the client takes in one piece.  The rough squares
 * of a frame are one RemoteFX message, cut where it is too long; its context,
 * with buffers for the whole screen and a thread for each processor, is made
 * when something moves for the first time.
 */
#include "display/coder.h"

#include <freerdp/codec/interleaved.h>
#include <freerdp/codec/planar.h>
#include <freerdp/codec/rfx.h>
#include <stdlib.h>
#include <winpr/stream.h>

enum { BATCH = 64, OUT_BYTES = 1 << 18, UPDATE_MIN = 16000,
       SQUARE_MAX = TILE_BYTES + 64 };

struct coder {
	BITMAP_PLANAR_CONTEXT *planar;
	BITMAP_INTERLEAVED_CONTEXT *interleaved;
	BITMAP_DATA batch[BATCH]; /* the exact ones */
	uint32_t count, bytes;
	uint8_t *out; /* OUT_BYTES: their data */
	RFX_CONTEXT *rfx;
	uint32_t width, height; /* rfx is for */
	RFX_RECT *rough;
	size_t rough_count, rough_max;
};

struct coder *coder_new(void)
{
	struct coder *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->out = malloc(OUT_BYTES);
	c->planar = freerdp_bitmap_planar_context_new(
		PLANAR_FORMAT_HEADER_NA | PLANAR_FORMAT_HEADER_RLE, TILE, TILE);
	c->interleaved = bitmap_interleaved_context_new(TRUE);
	return c->out && c->planar && c->interleaved ? c : NULL;
}

static uint32_t update_limit(const struct session *s)
{
	uint32_t n = s->peer->settings->MultifragMaxRequestSize;

	return n < UPDATE_MIN ? UPDATE_MIN : n > OUT_BYTES ? OUT_BYTES :
		n - 1024;
}

/* ---- exactly ------------------------------------------------------------ */
static bool pack(struct session *s, struct coder *c, BITMAP_DATA *b,
		 const uint8_t *pixels)
{
	BYTE *from = (BYTE *)(uintptr_t)pixels; /* only read */
	BYTE *to = c->out + c->bytes;
	uint32_t depth = s->peer->settings->ColorDepth;
	UINT32 size = SQUARE_MAX;
	bool is_good;

	if (depth < 32) {
		is_good = interleaved_compress(c->interleaved, to, &size,
			b->width, b->height, from, PIXEL_FORMAT_BGRX32,
			b->width * 4, 0, 0, NULL, depth);
	} else {
		depth = 32;
		is_good = freerdp_bitmap_compress_planar(c->planar, from,
			PIXEL_FORMAT_BGRX32, b->width, b->height,
			b->width * 4, to, &size);
	}
	b->bitsPerPixel = depth;
	b->bitmapDataStream = to;
	b->bitmapLength = b->cbCompMainBodySize = size;
	b->cbScanWidth = b->width * ((depth + 7) / 8);
	b->cbUncompressedSize = b->cbScanWidth * b->height;
	b->compressed = TRUE;
	return is_good;
}

static bool flush_exact(struct session *s, struct coder *c)
{
	BITMAP_UPDATE u = { .count = c->count, .number = c->count,
		.rectangles = c->batch };
	bool is_good = !c->count || s->peer->update->BitmapUpdate(&s->rdp, &u);

	c->count = c->bytes = 0;
	return is_good;
}

bool coder_exact(struct session *s, struct coder *c, struct square q,
		 const uint8_t *pixels)
{
	uint32_t room = update_limit(s);
	BITMAP_DATA *b;

	if ((c->count == BATCH || c->bytes + SQUARE_MAX > room) &&
	    !flush_exact(s, c))
		return false;
	b = &c->batch[c->count];
	*b = (BITMAP_DATA){ .destLeft = q.x, .destTop = q.y,
		.destRight = q.x + q.w - 1, .destBottom = q.y + q.h - 1,
		.width = q.w, .height = q.h };
	if (!pack(s, c, b, pixels))
		return false;
	c->count++;
	c->bytes += b->bitmapLength + 64;
	return true;
}

/* ---- roughly ------------------------------------------------------------ */
bool coder_is_rough_known(const struct session *s)
{
	const rdpSettings *set = s->peer->settings;

	return set->RemoteFxCodec && set->SurfaceCommandsEnabled &&
		set->ColorDepth >= 32;
}

bool coder_rough(struct session *s, struct coder *c, struct square q)
{
	if (c->rough_count == c->rough_max) {
		size_t n = c->rough_max ? c->rough_max * 2 : BATCH;
		RFX_RECT *more = realloc(c->rough, n * sizeof(*more));

		if (!more)
			return false;
		c->rough = more;
		c->rough_max = n;
	}
	c->rough[c->rough_count++] = (RFX_RECT){ (UINT16)q.x, (UINT16)q.y,
		(UINT16)q.w, (UINT16)q.h };
	return true;
}

static bool open_rfx(struct session *s, struct coder *c, uint32_t w,
		     uint32_t h)
{
	if (c->rfx && c->width == w && c->height == h)
		return true;
	if (!c->rfx)
		c->rfx = rfx_context_new(TRUE);
	if (!c->rfx || !rfx_context_reset(c->rfx, w, h))
		return false;
	c->rfx->mode = s->peer->settings->RemoteFxCodecMode ? RLGR1 : RLGR3;
	rfx_context_set_pixel_format(c->rfx, PIXEL_FORMAT_BGRX32);
	c->width = w;
	c->height = h;
	return true;
}

static bool send_message(struct session *s, struct coder *c, wStream *out,
			 RFX_MESSAGE *m)
{
	SURFACE_BITS_COMMAND bits = { .cmdType = CMDTYPE_STREAM_SURFACE_BITS,
		.destRight = c->width, .destBottom = c->height,
		.skipCompression = TRUE, .bmp = { .bpp = 32,
		.codecID = (UINT16)s->peer->settings->RemoteFxCodecId,
		.width = (UINT16)c->width, .height = (UINT16)c->height } };

	Stream_SetPosition(out, 0);
	if (!rfx_write_message(c->rfx, out, m))
		return false;
	bits.bmp.bitmapData = Stream_Buffer(out);
	bits.bmp.bitmapDataLength = (UINT32)Stream_GetPosition(out);
	return s->peer->update->SurfaceBits(&s->rdp, &bits);
}

static bool flush_rough(struct session *s, struct coder *c,
			const struct picture *all)
{
	size_t n = 0;
	RFX_MESSAGE *m;
	wStream *out;
	bool is_good;

	if (!c->rough_count)
		return true;
	if (!open_rfx(s, c, all->width, all->height))
		return false;
	m = rfx_encode_messages_ex(c->rfx, c->rough, c->rough_count,
				   all->pixels, c->width, c->height,
				   all->stride, &n, update_limit(s));
	out = Stream_New(NULL, OUT_BYTES);
	is_good = m && out;
	for (size_t i = 0; m && i < n; i++) {
		is_good = is_good && send_message(s, c, out, &m[i]);
		rfx_message_free(c->rfx, &m[i]);
	}
	free(m);
	if (out)
		Stream_Free(out, TRUE);
	c->rough_count = 0;
	return is_good;
}

void coder_clear(struct coder *c)
{
	c->count = c->bytes = 0;
	c->rough_count = 0;
}

bool coder_flush(struct session *s, struct coder *c, const struct picture *all)
{
	return flush_exact(s, c) && flush_rough(s, c, all);
}
