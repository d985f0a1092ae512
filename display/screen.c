/*
 * screen.c - the picture (session.h).
 *
 * Xvfb draws into a file that is mapped here, and the DAMAGE extension tells
 * where.  The screen is cut into tiles; what is damaged is copied, so that it
 * stands still, and its checksum compared with that of what the client has: a
 * tile is sent only if it differs.  It is sent exactly; one that goes on
 * changing is sent roughly, and exactly when it has come to rest.
 *
 * A frame that fills the connection waits there for the rest of its tiles,
 * which are then sent as they are by that time.
 */
#include "display/coder.h"
#include "display/framebuffer.h"
#include "display/session.h"

#include <X11/extensions/Xdamage.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CALM_MS = 150, REST_MS = 300, HEAT_ROUGH = 4, HEAT_MAX = 100 };

struct tile {
	uint64_t sum;      /* of what the client has */
	int64_t sent_ms;
	uint8_t heat;      /* how often it has changed without a pause */
	bool is_dirty;     /* to look at */
	bool is_unknown;   /* the client has nothing there */
	bool is_rough;     /* the client has about this */
};

struct screen {
	struct framebuffer fb; /* of its largest screen */
	uint32_t width, height; /* what of it is the screen now */
	uint32_t columns, rows; /* of tiles */
	struct tile *tiles;
	uint32_t rough_count;
	bool is_changed;
	int64_t changed_ms;     /* since when it is */
	bool is_in_frame;
	uint32_t at;            /* tiles before it are in the frame */
	int64_t began_ms, took_ms; /* the last frame */
	int64_t calm_ms;        /* a shorter pause is none */
	int damage_event;
	struct coder *coder;
	uint8_t copy[TILE_BYTES]; /* the tile that is looked at */
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

	c->width = (w < c->fb.width ? w : c->fb.width) & ~3u;
	c->height = h < c->fb.height ? h : c->fb.height;
	c->columns = (c->width + TILE - 1) / TILE;
	c->rows = (c->height + TILE - 1) / TILE;
	free(c->tiles);
	c->tiles = calloc((size_t)c->columns * c->rows, sizeof(*c->tiles));
	c->rough_count = 0;
	if (!c->tiles)
		return false;
	screen_start(s);
	return true;
}

bool screen_open(struct session *s)
{
	struct screen *c = calloc(1, sizeof(*c));

	s->screen = c;
	if (!c || !framebuffer_map(&c->fb))
		return false;
	c->coder = coder_new();
	return c->coder && screen_fit(s) && watch_damage(s);
}

void screen_size(const struct session *s, uint32_t *w, uint32_t *h)
{
	*w = s->screen->width;
	*h = s->screen->height;
}

/* ---- what has changed --------------------------------------------------- */
static uint32_t tile_count(const struct screen *c)
{
	return c->columns * c->rows;
}

static void note_change(struct screen *c)
{
	if (!c->is_changed)
		c->changed_ms = clock_ms();
	c->is_changed = true;
}

void screen_forget(struct session *s)
{
	struct screen *c = s->screen;

	for (uint32_t i = 0; i < tile_count(c); i++)
		c->tiles[i].is_dirty = c->tiles[i].is_unknown = true;
	note_change(c);
}

void screen_start(struct session *s)
{
	s->screen->is_in_frame = false;
	coder_clear(s->screen->coder);
	screen_forget(s);
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
			c->tiles[y * c->columns + x].is_dirty = true;
	note_change(c);
	return true;
}

int64_t screen_due_ms(const struct session *s)
{
	const struct screen *c = s->screen;
	int64_t first = INT64_MAX;

	if (c->is_changed || c->is_in_frame)
		return 0;
	for (uint32_t i = 0; c->rough_count && i < tile_count(c); i++) {
		int64_t rested = c->tiles[i].sent_ms + REST_MS;

		if (c->tiles[i].is_rough && rested < first)
			first = rested;
	}
	return first;
}

/* ---- tiles -------------------------------------------------------------- */
static struct square square_of(const struct screen *c, uint32_t i)
{
	struct square q = { .x = i % c->columns * TILE,
		.y = i / c->columns * TILE };

	q.w = c->width - q.x < TILE ? c->width - q.x : TILE;
	q.h = c->height - q.y < TILE ? c->height - q.y : TILE;
	return q;
}

/* Programs go on drawing: what is compared must be what is sent. */
static uint64_t copy_tile(struct screen *c, struct square q)
{
	const uint8_t *from = c->fb.pixels + (size_t)q.y * c->fb.stride + q.x * 4;

	for (uint32_t i = 0; i < q.h; i++, from += c->fb.stride)
		memcpy(c->copy + i * q.w * 4, from, q.w * 4);
	return XXH3_64bits(c->copy, q.w * q.h * 4);
}

static void heat(const struct screen *c, struct tile *t, int64_t now)
{
	if (now - t->sent_ms >= c->calm_ms)
		t->heat = 0;
	else if (t->heat < HEAT_MAX)
		t->heat++;
}

static bool send_tile(struct session *s, uint32_t i)
{
	struct screen *c = s->screen;
	struct tile *t = &c->tiles[i];
	struct square q = square_of(c, i);
	int64_t now = clock_ms();
	bool is_settling = t->is_rough && now - t->sent_ms >= REST_MS;
	uint64_t sum;

	if (!t->is_dirty && !is_settling)
		return true;
	sum = copy_tile(c, q);
	t->is_dirty = false;
	if (sum == t->sum && !t->is_unknown && !is_settling)
		return true;
	heat(c, t, now);
	c->rough_count -= t->is_rough;
	t->is_rough = t->heat >= HEAT_ROUGH && coder_is_rough_known(s);
	c->rough_count += t->is_rough;
	t->is_unknown = false;
	t->sum = sum;
	t->sent_ms = now;
	return t->is_rough ? coder_rough(s, c->coder, q) :
		coder_exact(s, c->coder, q, c->copy);
}

/* ---- frames ------------------------------------------------------------- */
static bool mark_frame(struct session *s, UINT32 action)
{
	SURFACE_FRAME_MARKER m = { .frameAction = action,
		.frameId = s->frame };

	if (!s->is_acknowledging)
		return true;
	return s->peer->update->SurfaceFrameMarker(&s->rdp, &m);
}

bool screen_is_in_frame(const struct session *s)
{
	return s->screen->is_in_frame;
}

/* Changes that had to wait, for a slow client, are not far apart. */
static bool begin(struct session *s)
{
	struct screen *c = s->screen;
	int64_t waited;

	c->began_ms = clock_ms();
	waited = c->is_changed ? c->began_ms - c->changed_ms : 0;
	c->calm_ms = CALM_MS + (waited > c->took_ms ? waited : c->took_ms);
	c->is_in_frame = true;
	c->is_changed = false;
	c->at = 0;
	s->frame++;
	return mark_frame(s, SURFACECMD_FRAMEACTION_BEGIN);
}

bool screen_send(struct session *s)
{
	struct screen *c = s->screen;
	const struct picture all = { c->fb.pixels, c->fb.stride, c->width,
		c->height };

	if (!c->is_in_frame && !begin(s))
		return false;
	for (; c->at < tile_count(c); c->at++) {
		if (s->peer->IsWriteBlocked(s->peer))
			return true;
		if (!send_tile(s, c->at))
			return false;
	}
	c->is_in_frame = false;
	if (!coder_flush(s, c->coder, &all) ||
	    !mark_frame(s, SURFACECMD_FRAMEACTION_END))
		return false;
	c->took_ms = clock_ms() - c->began_ms;
	return true;
}
