/*
 * cursor.c - the pointer's shape, from a surface that a client has named
 * (wayland.h).  While none is named the server's own is shown.
 */
#include "display/wayland/wayland.h"

#include <X11/extensions/Xrender.h>

enum { SIDE_MAX = 256 };

static struct surface *surface; /* the shape */
static int hot_x, hot_y;
static bool was_set;            /* by who has the pointer; maybe to none */
static Cursor shape;
static Window shown_on;

static Cursor from_pixels(uint32_t *data, int w, int h)
{
	Pixmap p = XCreatePixmap(server.x, server.root, (unsigned)w,
				 (unsigned)h, 32);
	GC gc = XCreateGC(server.x, p, 0, NULL);
	XImage *i = XCreateImage(server.x, DefaultVisual(server.x,
		DefaultScreen(server.x)), 32, ZPixmap, 0, (char *)data,
		(unsigned)w, (unsigned)h, 32, 0);
	Picture picture;
	Cursor c;

	XPutImage(server.x, p, gc, i, 0, 0, 0, 0, (unsigned)w, (unsigned)h);
	picture = XRenderCreatePicture(server.x, p, XRenderFindStandardFormat(
		server.x, PictStandardARGB32), 0, NULL);
	c = XRenderCreateCursor(server.x, picture,
		hot_x < 0 ? 0 : (unsigned)(hot_x < w ? hot_x : w - 1),
		hot_y < 0 ? 0 : (unsigned)(hot_y < h ? hot_y : h - 1));
	XRenderFreePicture(server.x, picture);
	i->data = NULL;
	XDestroyImage(i);
	XFreeGC(server.x, gc);
	XFreePixmap(server.x, p);
	return c;
}

static Cursor from_surface(void)
{
	static uint32_t pixels[SIDE_MAX * SIDE_MAX];
	int w = surface ? surface->width : 0, h = surface ? surface->height : 0;
	pixman_image_t *to, *from = surface ? surface_picture(surface) : NULL;

	if (!from || w < 1 || h < 1 || w > SIDE_MAX || h > SIDE_MAX) {
		if (from)
			surface_picture_end(surface, from);
		pixels[0] = 0;
		return from_pixels(pixels, 1, 1);
	}
	to = pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8, w, h, pixels,
					       w * 4);
	pixman_image_composite32(PIXMAN_OP_SRC, from, NULL, to, 0, 0, 0, 0, 0,
				 0, w, h);
	pixman_image_unref(to);
	surface_picture_end(surface, from);
	return from_pixels(pixels, w, h);
}

static void make_shape(void)
{
	Cursor old = shape;

	shape = was_set ? from_surface() : None;
	if (shown_on != None)
		XDefineCursor(server.x, shown_on, shape);
	if (old != None)
		XFreeCursor(server.x, old);
}

void cursor_set(struct surface *s, int x, int y)
{
	surface = s;
	hot_x = x;
	hot_y = y;
}

void cursor_show(Window id, bool is_clients)
{
	shown_on = id;
	was_set = is_clients;
	make_shape();
}

void cursor_commit(struct surface *s)
{
	if (s == surface)
		make_shape();
}

void cursor_forget(struct surface *s)
{
	if (s == surface)
		surface = NULL;
	if (s->window && s->window->id == shown_on)
		shown_on = None;
}
