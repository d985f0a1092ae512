/*
 * web_cursor.c - the shape of the mouse pointer (web.h): the page's own
 * pointer takes it.
 */
#include "display/web.h"

#include <X11/extensions/Xfixes.h>
#include <stdlib.h>

enum { SIDE_MAX = 128, HEAD = 10 }; /* browsers take no larger ones */

static int fixes_event;
static bool is_changed = true;

/* From premultiplied alpha. */
static void convert(const XFixesCursorImage *c, unsigned w, unsigned h,
		    uint8_t *out)
{
	for (unsigned y = 0; y < h; y++)
		for (unsigned x = 0; x < w; x++, out += 4) {
			uint32_t p = (uint32_t)c->pixels[y * c->width + x];
			uint32_t a = p >> 24;

			out[3] = (uint8_t)a;
			if (!a)
				continue;
			out[0] = (uint8_t)((p >> 16 & 255) * 255 / a);
			out[1] = (uint8_t)((p >> 8 & 255) * 255 / a);
			out[2] = (uint8_t)((p & 255) * 255 / a);
		}
}

void cursor_send(struct web *w)
{
	XFixesCursorImage *c;
	uint8_t head[HEAD] = { WEB_CURSOR };
	unsigned width, height;
	uint8_t *pixels;

	if (!is_changed)
		return;
	is_changed = false;
	c = XFixesGetCursorImage(w->x);
	if (!c)
		return;
	width = c->width < SIDE_MAX ? c->width : SIDE_MAX;
	height = c->height < SIDE_MAX ? c->height : SIDE_MAX;
	pixels = calloc(height, width * 4);
	if (pixels) {
		convert(c, width, height, pixels);
		put16(head + 2, c->xhot);
		put16(head + 4, c->yhot);
		put16(head + 6, width);
		put16(head + 8, height);
		websocket_send(&w->socket, head, HEAD, pixels,
			       (size_t)width * height * 4);
	}
	free(pixels);
	XFree(c);
}

bool cursor_event(struct web *w, const XEvent *e)
{
	if (e->type != fixes_event + XFixesCursorNotify)
		return false;
	is_changed = true;
	return true;
}

bool cursor_open(struct web *w)
{
	int error;

	if (!XFixesQueryExtension(w->x, &fixes_event, &error))
		return false;
	XFixesSelectCursorInput(w->x, DefaultRootWindow(w->x),
				XFixesDisplayCursorNotifyMask);
	/* Xvfb would draw it into the picture, below the page's own */
	XFixesHideCursor(w->x, DefaultRootWindow(w->x));
	return true;
}
