/*
 * pointer.c - the shape of the mouse pointer (session.h): what XFIXES says it
 * is, sent whole each time; the client draws it.
 */
#include "display/session.h"

#include <X11/extensions/Xfixes.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 96, SIDE_SMALL = 32 };

static int fixes_event;

bool pointer_open(struct session *s)
{
	int error;

	if (!XFixesQueryExtension(s->x, &fixes_event, &error))
		return false;
	XFixesSelectCursorInput(s->x, DefaultRootWindow(s->x),
				XFixesDisplayCursorNotifyMask);
	/* Xvfb would draw it into the picture, below the client's own */
	XFixesHideCursor(s->x, DefaultRootWindow(s->x));
	return true;
}

bool pointer_event(struct session *s, const XEvent *e)
{
	if (e->type != fixes_event + XFixesCursorNotify)
		return false;
	if (s->is_active)
		pointer_send(s);
	return true;
}

/* From premultiplied alpha, bottom line first, colours blue, green, red. */
static void fill_masks(const XFixesCursorImage *c, unsigned w, unsigned h,
		       uint8_t *colours, uint8_t *mask, unsigned mask_line)
{
	for (unsigned y = 0; y < h; y++) {
		uint8_t *out = colours + (size_t)(h - 1 - y) * w * 4;
		uint8_t *bits = mask + (h - 1 - y) * mask_line;

		for (unsigned x = 0; x < w; x++, out += 4) {
			uint32_t p = (uint32_t)c->pixels[y * c->width + x];
			uint32_t a = p >> 24;

			if (!a) {
				bits[x / 8] |= (uint8_t)(0x80 >> x % 8);
				continue;
			}
			out[0] = (uint8_t)((p & 255) * 255 / a);
			out[1] = (uint8_t)((p >> 8 & 255) * 255 / a);
			out[2] = (uint8_t)((p >> 16 & 255) * 255 / a);
			out[3] = (uint8_t)a;
		}
	}
}

static bool send_image(struct session *s, const XFixesCursorImage *c)
{
	unsigned most = s->peer->settings->LargePointerFlag ? SIDE_MAX :
		SIDE_SMALL;
	unsigned w = c->width < most ? c->width : most;
	unsigned h = c->height < most ? c->height : most;
	unsigned mask_line = (w + 15) / 16 * 2;
	uint8_t *colours = calloc(h, (size_t)w * 4);
	uint8_t *mask = calloc(h, mask_line);
	POINTER_NEW_UPDATE u = { .xorBpp = 32, .colorPtrAttr = {
		.xPos = c->xhot < w ? c->xhot : w - 1,
		.yPos = c->yhot < h ? c->yhot : h - 1,
		.width = w, .height = h,
		.lengthAndMask = mask_line * h, .lengthXorMask = w * h * 4,
		.xorMaskData = colours, .andMaskData = mask } };
	bool is_good = colours && mask;

	if (is_good) {
		fill_masks(c, w, h, colours, mask, mask_line);
		is_good = s->peer->update->pointer->PointerNew(&s->rdp, &u);
	}
	free(colours);
	free(mask);
	return is_good;
}

bool pointer_send(struct session *s)
{
	XFixesCursorImage *c = XFixesGetCursorImage(s->x);
	bool is_good = true;

	if (c && c->width && c->height)
		is_good = send_image(s, c);
	if (c)
		XFree(c);
	return is_good;
}
