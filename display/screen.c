/*
 * screen.c - the picture (session.h).
 *
 * Xvfb draws into a file that is mapped here, and the DAMAGE extension tells
 * where.  The screen is cut into tiles; a copy of each is kept as the client
 * has it, and what is damaged is compared with that, so that a tile is sent
 * only if it differs.  Tiles are sent whole, compressed without loss: planar
 * at 32 bits a pixel, interleaved below.
 */
#include "display/framebuffer.h"
#include "display/session.h"

#include <X11/extensions/Xdamage.h>
#include <freerdp/codec/interleaved.h>
#include <freerdp/codec/planar.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 64, TILE_BYTES = TILE * TILE * 4, BATCH = 64,
       UPDATE_MIN = 16000, UPDATE_MAX = 1 << 18 };

struct screen {
	struct framebuffer fb; /* of its largest screen */
	uint32_t width, height; /* what of it is the screen now */
	uint32_t columns, rows; /* of tiles */
	uint8_t *sent;         /* the client's picture, width * 4 a line */
	bool *dirty;           /* tiles to look at */
	bool *unknown;         /* tiles that the client does not have */
	bool is_changed;
	int damage_event;
	BITMAP_PLANAR_CONTEXT *planar;
	BITMAP_INTERLEAVED_CONTEXT *interleaved;
	uint8_t (*packed)[TILE_BYTES * 2]; /* BATCH of them */
};

/* ---- the X server's picture ---------------------------------------------- */
static bool watch_damage(struct session *s)
{
	int error;

	if (!XDamageQueryExtension(s->x, &s->screen->damage_event, &error))
		return false;
	return XDamageCreate(s->x, DefaultRootWindow(s->x),
			     XDamageReportRawRectangles) != None;
}

bool screen_fit(struct session *s)
{
	struct screen *c = s->screen;
	uint32_t w = (uint32_t)DisplayWidth(s->x, DefaultScreen(s->x));
	uint32_t h = (uint32_t)DisplayHeight(s->x, DefaultScreen(s->x));
	size_t tiles;

	c->width = (w < c->fb.width ? w : c->fb.width) & ~3u;
	c->height = h < c->fb.height ? h : c->fb.height;
	c->columns = (c->width + TILE - 1) / TILE;
	c->rows = (c->height + TILE - 1) / TILE;
	tiles = (size_t)c->columns * c->rows;
	free(c->sent);
	free(c->dirty);
	free(c->unknown);
	c->sent = calloc(c->height, (size_t)c->width * 4);
	c->dirty = calloc(tiles, sizeof(bool));
	c->unknown = calloc(tiles, sizeof(bool));
	if (!c->sent || !c->dirty || !c->unknown)
		return false;
	screen_forget(s);
	return true;
}

bool screen_open(struct session *s)
{
	struct screen *c = calloc(1, sizeof(*c));

	s->screen = c;
	if (!c || !framebuffer_map(&c->fb) || !screen_fit(s))
		return false;
	c->packed = malloc(BATCH * sizeof(*c->packed));
	c->planar = freerdp_bitmap_planar_context_new(
		PLANAR_FORMAT_HEADER_NA | PLANAR_FORMAT_HEADER_RLE, TILE, TILE);
	c->interleaved = bitmap_interleaved_context_new(TRUE);
	return c->packed && c->planar && c->interleaved && watch_damage(s);
}

void screen_size(const struct session *s, uint32_t *w, uint32_t *h)
{
	*w = s->screen->width;
	*h = s->screen->height;
}

/* ---- what has changed --------------------------------------------------- */
void screen_forget(struct session *s)
{
	struct screen *c = s->screen;
	size_t tiles = (size_t)c->columns * c->rows;

	memset(c->dirty, 1, tiles);
	memset(c->unknown, 1, tiles);
	c->is_changed = true;
}

static uint32_t clamp(int v, uint32_t max)
{
	return v < 0 ? 0 : (uint32_t)v > max ? max : (uint32_t)v;
}

bool screen_event(struct session *s, const XEvent *e)
{
	struct screen *c = s->screen;
	const XDamageNotifyEvent *d = (const XDamageNotifyEvent *)e;
	uint32_t right, bottom;

	if (e->type != c->damage_event + XDamageNotify)
		return false;
	right = clamp(d->area.x + d->area.width, c->width);
	bottom = clamp(d->area.y + d->area.height, c->height);
	for (uint32_t y = clamp(d->area.y, c->height) / TILE;
	     y * TILE < bottom; y++)
		for (uint32_t x = clamp(d->area.x, c->width) / TILE;
		     x * TILE < right; x++)
			c->dirty[y * c->columns + x] = true;
	c->is_changed = true;
	return true;
}

bool screen_is_changed(const struct session *s)
{
	return s->screen->is_changed;
}

/* Bring the copy up to date; was it not? */
static bool take_tile(struct screen *c, uint32_t x, uint32_t y, uint32_t w,
		      uint32_t h)
{
	bool is_changed = false;

	for (uint32_t i = y; i < y + h; i++) {
		const uint8_t *from = c->fb.pixels + (size_t)i * c->fb.stride +
			x * 4;
		uint8_t *to = c->sent + ((size_t)i * c->width + x) * 4;

		if (!memcmp(to, from, w * 4))
			continue;
		memcpy(to, from, w * 4);
		is_changed = true;
	}
	return is_changed;
}

/* ---- sending ------------------------------------------------------------ */
static bool pack_tile(struct session *s, BITMAP_DATA *b, uint8_t *buffer,
		      uint32_t x, uint32_t y)
{
	struct screen *c = s->screen;
	uint32_t depth = s->peer->settings->ColorDepth;
	uint8_t *from = c->sent + ((size_t)y * c->width + x) * 4;
	UINT32 size = sizeof(*c->packed);

	if (depth < 32) {
		if (!interleaved_compress(c->interleaved, buffer, &size,
				b->width, b->height, c->sent,
				PIXEL_FORMAT_BGRX32, c->width * 4, x, y, NULL,
				depth))
			return false;
	} else {
		depth = 32;
		if (!freerdp_bitmap_compress_planar(c->planar, from,
				PIXEL_FORMAT_BGRX32, b->width, b->height,
				c->width * 4, buffer, &size))
			return false;
	}
	b->bitsPerPixel = depth;
	b->bitmapDataStream = buffer;
	b->bitmapLength = b->cbCompMainBodySize = size;
	b->cbScanWidth = b->width * ((depth + 7) / 8);
	b->cbUncompressedSize = b->cbScanWidth * b->height;
	b->compressed = TRUE;
	return true;
}

struct batch { BITMAP_DATA tiles[BATCH]; uint32_t count, bytes; };

static bool flush(struct session *s, struct batch *b)
{
	BITMAP_UPDATE u = { .count = b->count, .number = b->count,
		.rectangles = b->tiles };
	bool is_good = !b->count || s->peer->update->BitmapUpdate(&s->rdp, &u);

	b->count = b->bytes = 0;
	return is_good;
}

static uint32_t update_limit(const struct session *s)
{
	uint32_t n = s->peer->settings->MultifragMaxRequestSize;

	return n < UPDATE_MIN ? UPDATE_MIN : n > UPDATE_MAX ? UPDATE_MAX :
		n - 1024;
}

static bool send_tile(struct session *s, struct batch *b, uint32_t x,
		      uint32_t y, uint32_t w, uint32_t h)
{
	struct screen *c = s->screen;
	uint32_t most = w * h * 4 + 64;
	BITMAP_DATA *t;

	if ((b->count == BATCH || b->bytes + most > update_limit(s)) &&
	    !flush(s, b))
		return false;
	t = &b->tiles[b->count];
	*t = (BITMAP_DATA){ .destLeft = x, .destTop = y,
		.destRight = x + w - 1, .destBottom = y + h - 1,
		.width = w, .height = h };
	if (!pack_tile(s, t, c->packed[b->count], x, y))
		return false;
	b->count++;
	b->bytes += t->bitmapLength + 64;
	return true;
}

static bool mark_frame(struct session *s, UINT32 action)
{
	SURFACE_FRAME_MARKER m = { .frameAction = action,
		.frameId = s->frame };

	if (!s->is_acknowledging)
		return true;
	return s->peer->update->SurfaceFrameMarker(&s->rdp, &m);
}

static bool send_tiles(struct session *s)
{
	struct screen *c = s->screen;
	struct batch b = { .count = 0 };

	for (uint32_t i = 0; i < c->columns * c->rows; i++) {
		uint32_t x = i % c->columns * TILE, y = i / c->columns * TILE;
		uint32_t w = c->width - x < TILE ? c->width - x : TILE;
		uint32_t h = c->height - y < TILE ? c->height - y : TILE;
		bool is_new;

		if (!c->dirty[i])
			continue;
		is_new = take_tile(c, x, y, w, h) || c->unknown[i];
		c->dirty[i] = c->unknown[i] = false;
		if (is_new && !send_tile(s, &b, x, y, w, h))
			return false;
	}
	return flush(s, &b);
}

bool screen_send(struct session *s)
{
	s->screen->is_changed = false;
	s->frame++;
	return mark_frame(s, SURFACECMD_FRAMEACTION_BEGIN) && send_tiles(s) &&
		mark_frame(s, SURFACECMD_FRAMEACTION_END);
}
