/*
 * web_picture.c - what has changed on the screen, and how it is sent (web.h).
 *
 * The DAMAGE extension says where to look; a copy of what the page has says
 * what differs.  Of each tile the smallest rectangle that holds all that
 * differs is sent, without loss.  Tiles of many colours are sent as JPEG while
 * they change again and again, or if more than RICH_MAX of them come in one
 * frame, and without loss when they have been still for SETTLE_MS: what stands
 * still is exact.  A page that is slow to show frames is given longer: else
 * each of a slow film's pictures would be taken for one that stands.
 */
#include "display/framebuffer.h"
#include "display/size.h"
#include "display/web.h"

#include <X11/extensions/Xdamage.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MS = 250, AGAIN_MS = 200, HOT = 3, HEAT_MAX = 10, RICH_MAX = 32,
       DELAYS = 2 };

struct rectangle { uint32_t x, y, w, h; };

struct tile {
	bool is_dirty, is_unknown; /* to look at; the page has nothing of it */
	bool is_blurred, is_moving; /* sent as JPEG; to be, in this frame */
	uint8_t heat;
	int64_t changed_ms;
};

struct picture {
	struct framebuffer fb;
	uint32_t width, height, columns, rows;
	uint8_t *sent; /* the page's picture, width * 4 a line */
	struct tile *tiles;
	bool is_changed, is_resized;
	int rich; /* tiles of many colours in this frame */
	int64_t more_ms;   /* that the page's slowness is worth */
	int64_t settle_ms; /* when the first blurred tile may be, or 0 */
	int damage_event, size_event;
};

/* ---- its size ----------------------------------------------------------- */
static bool fit(struct picture *p, Display *x)
{
	uint32_t w = (uint32_t)DisplayWidth(x, DefaultScreen(x));
	uint32_t h = (uint32_t)DisplayHeight(x, DefaultScreen(x));

	if (w == p->width && h == p->height)
		return true;
	w = w < p->fb.width ? w : p->fb.width;
	h = h < p->fb.height ? h : p->fb.height;
	free(p->sent);
	free(p->tiles);
	p->width = w;
	p->height = h;
	p->columns = (w + TILE - 1) / TILE;
	p->rows = (h + TILE - 1) / TILE;
	p->sent = calloc(h, (size_t)w * 4);
	p->tiles = calloc((size_t)p->columns * p->rows, sizeof(*p->tiles));
	if (!p->sent || !p->tiles)
		return false;
	for (uint32_t i = 0; i < p->columns * p->rows; i++)
		p->tiles[i].is_dirty = p->tiles[i].is_unknown = true;
	p->is_changed = p->is_resized = true;
	p->settle_ms = 0;
	return true;
}

bool picture_open(struct web *w)
{
	struct picture *p = calloc(1, sizeof(*p));
	Window root = DefaultRootWindow(w->x);
	int error;

	w->picture = p;
	if (!p || !framebuffer_map(&p->fb) ||
	    !XDamageQueryExtension(w->x, &p->damage_event, &error) ||
	    !XDamageCreate(w->x, root, XDamageReportRawRectangles))
		return false;
	p->size_event = size_watch(w->x);
	return fit(p, w->x);
}

/* ---- what has changed --------------------------------------------------- */
static uint32_t clamp(int v, uint32_t max)
{
	return v < 0 ? 0 : (uint32_t)v > max ? max : (uint32_t)v;
}

static void mark(struct picture *p, const XRectangle *r)
{
	uint32_t right = clamp(r->x + r->width, p->width);
	uint32_t bottom = clamp(r->y + r->height, p->height);

	for (uint32_t y = clamp(r->y, p->height) / TILE; y * TILE < bottom; y++)
		for (uint32_t x = clamp(r->x, p->width) / TILE;
		     x * TILE < right; x++)
			p->tiles[y * p->columns + x].is_dirty = true;
	p->is_changed = true;
}

bool picture_event(struct web *w, const XEvent *e)
{
	struct picture *p = w->picture;

	if (size_event(p->size_event, e)) {
		if (!fit(p, w->x))
			exit(1);
		return true;
	}
	if (e->type != p->damage_event + XDamageNotify)
		return false;
	mark(p, &((const XDamageNotifyEvent *)e)->area);
	return true;
}

bool picture_is_due(struct web *w, int *wait_ms)
{
	const struct picture *p = w->picture;
	int64_t left = p->settle_ms - clock_ms();

	if (p->is_changed)
		return true;
	*wait_ms = !p->settle_ms ? -1 : left < 0 ? 0 : (int)left;
	return p->settle_ms && left <= 0;
}

static bool differs(const uint8_t *a, const uint8_t *b, uint32_t column)
{
	return memcmp(a + column * 4, b + column * 4, 3);
}

/* Bring the copy up to date; what differed becomes r, w and h 0 if nothing. */
static void take(struct picture *p, struct rectangle *r)
{
	uint32_t top = r->h, bottom = 0, left = r->w, right = 0;

	for (uint32_t y = 0; y < r->h; y++) {
		const uint8_t *from = p->fb.pixels + r->x * 4 +
			(size_t)(r->y + y) * p->fb.stride;
		uint8_t *to = p->sent + ((size_t)(r->y + y) * p->width +
					 r->x) * 4;
		uint32_t first = 0, end = r->w;

		if (!memcmp(to, from, r->w * 4))
			continue;
		while (first < end && !differs(to, from, first))
			first++;
		while (end > first && !differs(to, from, end - 1))
			end--;
		memcpy(to, from, r->w * 4);
		top = top < y ? top : y;
		bottom = y + 1;
		left = left < first ? left : first;
		right = right > end ? right : end;
	}
	*r = top >= bottom || left >= right ? (struct rectangle){ 0 } :
		(struct rectangle){ r->x + left, r->y + top, right - left,
				    bottom - top };
}

/* ---- sending ------------------------------------------------------------ */
static const uint8_t *pixels_at(const struct picture *p,
				const struct rectangle *r)
{
	return p->sent + ((size_t)r->y * p->width + r->x) * 4;
}

static bool add(const struct picture *p, const struct rectangle *r,
		bool is_any)
{
	return tiles_add(pixels_at(p, r), p->width * 4, r->x, r->y, r->w, r->h,
			 is_any);
}

static void warm(const struct picture *p, struct tile *t, int64_t now)
{
	if (t->is_unknown || now - t->changed_ms > AGAIN_MS + p->more_ms)
		t->heat = 0;
	else if (t->heat < HEAT_MAX)
		t->heat++;
	t->changed_ms = now;
}

static struct rectangle whole(const struct picture *p, uint32_t i)
{
	struct rectangle r = { i % p->columns * TILE, i / p->columns * TILE,
		TILE, TILE };

	r.w = p->width - r.x < TILE ? p->width - r.x : TILE;
	r.h = p->height - r.y < TILE ? p->height - r.y : TILE;
	return r;
}

/* What is to be sent of a tile; w is 0 if nothing is. */
static struct rectangle news(struct picture *p, uint32_t i, int64_t now)
{
	struct tile *t = &p->tiles[i];
	struct rectangle all = whole(p, i), r = all;

	if (t->is_dirty)
		take(p, &r);
	else
		r.w = 0;
	if (r.w || t->is_unknown)
		warm(p, t, now);
	else if (!t->is_blurred ||
		 now - t->changed_ms < SETTLE_MS + p->more_ms)
		return (struct rectangle){ 0 };
	if (t->is_unknown || t->is_blurred)
		r = all;
	t->is_dirty = t->is_unknown = false;
	return r;
}

static void send_tile(struct picture *p, uint32_t i, int64_t now)
{
	struct tile *t = &p->tiles[i];
	struct rectangle r = news(p, i, now);

	t->is_dirty = false;
	if (!r.w)
		return;
	if (!add(p, &r, false)) {
		bool is_much = ++p->rich > RICH_MAX;

		if (is_much && t->changed_ms != now)
			return; /* it has settled, and can wait a frame more */
		if (is_much || (t->changed_ms == now && t->heat >= HOT)) {
			t->is_moving = t->is_blurred = true;
			return;
		}
		add(p, &r, true);
	}
	t->is_blurred = false;
}

static bool is_moving(const struct picture *p, uint32_t x, uint32_t y,
		      uint32_t w)
{
	for (uint32_t i = 0; i < w; i++)
		if (!p->tiles[y * p->columns + x + i].is_moving)
			return false;
	return true;
}

/* The moving tiles, in as few rectangles as a simple look finds. */
static void send_moving(struct web *web, struct picture *p, uint32_t i)
{
	uint32_t x = i % p->columns, y = i / p->columns, w = 1, h = 1;
	struct rectangle r = whole(p, i);

	while (x + w < p->columns && is_moving(p, x + w, y, 1))
		w++;
	while (y + h < p->rows && is_moving(p, x, y + h, w))
		h++;
	for (uint32_t k = 0; k < w * h; k++)
		p->tiles[(y + k / w) * p->columns + x + k % w].is_moving =
			false;
	r.w = w * TILE < p->width - r.x ? w * TILE : p->width - r.x;
	r.h = h * TILE < p->height - r.y ? h * TILE : p->height - r.y;
	jpeg_send(&web->socket, pixels_at(p, &r), p->width * 4, r.x, r.y, r.w,
		  r.h);
}

static void send_size(struct web *w)
{
	uint8_t head[6] = { WEB_SIZE };

	put16(head + 2, w->picture->width);
	put16(head + 4, w->picture->height);
	websocket_send(&w->socket, head, sizeof(head), NULL, 0);
	w->picture->is_resized = false;
}

void picture_send(struct web *w)
{
	struct picture *p = w->picture;
	uint8_t head[8] = { WEB_FRAME };
	int64_t now = clock_ms(), first = 0;

	if (p->is_resized)
		send_size(w);
	p->is_changed = false;
	p->rich = 0;
	p->more_ms = w->delay_ms * DELAYS;
	for (uint32_t i = 0; i < p->columns * p->rows; i++)
		send_tile(p, i, now);
	tiles_send(&w->socket);
	for (uint32_t i = 0; i < p->columns * p->rows; i++) {
		struct tile *t = &p->tiles[i];

		if (t->is_moving)
			send_moving(w, p, i);
		if (t->is_blurred && (!first || t->changed_ms < first))
			first = t->changed_ms;
	}
	p->settle_ms = first ? first + SETTLE_MS + p->more_ms : 0;
	put32(head + 4, ++w->frame);
	w->sent_ms[w->frame % FRAMES_AHEAD] = now;
	websocket_send(&w->socket, head, sizeof(head), NULL, 0);
}
