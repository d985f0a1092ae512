/*
 * window.c - a window of X and the memory that its picture is in (wayland.h).
 *
 * The X server reads that memory itself (MIT-SHM) and need not be waited for:
 * what it might read too early is sent again with the next damage.
 */
#include "display/wayland/wayland.h"

#include <X11/extensions/shape.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>

enum { SIDE_MAX = 16384 };

struct wl_list windows = { &windows, &windows };

struct window *window_new(struct surface *s)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->surface = s;
	s->window = w;
	wl_list_insert(&windows, &w->link);
	return w;
}

struct window *window_find(Window id)
{
	struct window *w;

	wl_list_for_each(w, &windows, link)
		if (w->id == id)
			return w;
	return NULL;
}

/* ---- the picture's memory ----------------------------------------------- */
static void image_free(struct window *w)
{
	if (!w->image)
		return;
	pixman_image_unref(w->picture);
	XShmDetach(server.x, &w->segment);
	w->image->data = NULL;
	XDestroyImage(w->image);
	shmdt(w->segment.shmaddr);
	w->image = NULL;
}

static bool image_new(struct window *w, int width, int height)
{
	int screen = DefaultScreen(server.x);
	XImage *i = XShmCreateImage(server.x,
		DefaultVisual(server.x, screen), 24, ZPixmap, NULL,
		&w->segment, (unsigned)width, (unsigned)height);

	if (!i)
		return false;
	w->segment.shmid = shmget(IPC_PRIVATE, (size_t)i->bytes_per_line *
				  (size_t)height, IPC_CREAT | 0600);
	w->segment.shmaddr = shmat(w->segment.shmid, NULL, 0);
	if (w->segment.shmid < 0 || w->segment.shmaddr == (void *)-1) {
		shmctl(w->segment.shmid, IPC_RMID, NULL);
		XDestroyImage(i);
		return false;
	}
	i->data = w->segment.shmaddr;
	XShmAttach(server.x, &w->segment);
	XSync(server.x, False); /* the server has it before its name goes */
	shmctl(w->segment.shmid, IPC_RMID, NULL);
	w->image = i;
	w->picture = pixman_image_create_bits_no_clear(PIXMAN_x8r8g8b8,
		width, height, (uint32_t *)(void *)i->data,
		i->bytes_per_line);
	return true;
}

/* Before something else is drawn over it. */
static void keep_rest(struct window *w)
{
	pixman_box32_t all = { 0, 0, w->image->width, w->image->height };

	w->rest = pixman_image_create_bits_no_clear(PIXMAN_x8r8g8b8, all.x2,
						    all.y2, NULL, 0);
	if (w->rest)
		pixman_image_composite32(PIXMAN_OP_SRC, w->picture, NULL,
			w->rest, 0, 0, 0, 0, 0, 0, all.x2, all.y2);
}

static void drop_rest(struct window *w)
{
	if (w->rest)
		pixman_image_unref(w->rest);
	w->rest = NULL;
}

/* As large as what counts of the surface; all of it is to be drawn anew. */
static bool image_fit(struct window *w)
{
	int width = w->geometry.width, height = w->geometry.height;

	if (w->image && w->image->width == width &&
	    w->image->height == height)
		return true;
	if (w->image && !w->surface->buffer.buffer && !w->rest)
		keep_rest(w);
	image_free(w);
	w->is_stale = true;
	return width > 0 && height > 0 && width <= SIDE_MAX &&
		height <= SIDE_MAX && image_new(w, width, height);
}

/* ---- the window --------------------------------------------------------- */
void window_create(struct window *w, bool is_popup)
{
	XSetWindowAttributes a = { .override_redirect = is_popup,
		.event_mask = KeyPressMask | KeyReleaseMask | ButtonPressMask |
			ButtonReleaseMask | PointerMotionMask |
			EnterWindowMask | LeaveWindowMask | ExposureMask |
			FocusChangeMask | StructureNotifyMask };
	Atom delete = atom("WM_DELETE_WINDOW");

	w->id = XCreateWindow(server.x, server.root, 0, 0, 1, 1, 0, 24,
		InputOutput, DefaultVisual(server.x, DefaultScreen(server.x)),
		CWOverrideRedirect | CWEventMask, &a);
	XSetWMProtocols(server.x, w->id, &delete, 1);
	w->width = w->height = 1;
}

void window_destroy(struct window *w)
{
	image_free(w);
	drop_rest(w);
	if (!w->id)
		return;
	XDestroyWindow(server.x, w->id);
	w->id = None;
	w->is_mapped = false;
}

void window_free(struct window *w)
{
	struct window *other;

	window_destroy(w);
	if (w->surface)
		w->surface->window = NULL;
	wl_list_for_each(other, &windows, link)
		if (other->parent == w)
			other->parent = NULL;
	wl_list_remove(&w->link);
	free(w);
}

/* ---- drawing ------------------------------------------------------------ */
static void put(struct window *w, const pixman_box32_t *b)
{
	XShmPutImage(server.x, w->id, DefaultGC(server.x,
		DefaultScreen(server.x)), w->image, b->x1, b->y1, b->x1,
		b->y1, (unsigned)(b->x2 - b->x1), (unsigned)(b->y2 - b->y1),
		False);
}

void window_expose(struct window *w, const XExposeEvent *e)
{
	pixman_box32_t b = { e->x, e->y, e->x + e->width, e->y + e->height };

	if (!w->image || !w->is_mapped)
		return;
	b.x2 = b.x2 > w->image->width ? w->image->width : b.x2;
	b.y2 = b.y2 > w->image->height ? w->image->height : b.y2;
	if (b.x1 < b.x2 && b.y1 < b.y2)
		put(w, &b);
}

/* Nothing of the surface lies there, so that nothing shows through. */
static void draw_background(struct window *w)
{
	static const pixman_color_t black = { .alpha = 0xffff };
	pixman_box32_t all = { 0, 0, w->image->width, w->image->height };

	pixman_image_fill_boxes(PIXMAN_OP_SRC, w->picture, &black, 1, &all);
}

/* X's windows of this kind have no transparency: what is mostly transparent
 * of a menu, its corners, is no part of the window. */
static void set_shape(struct window *w)
{
	int width = w->image->width, height = w->image->height, count;
	pixman_image_t *from = surface_picture(w->surface);
	pixman_image_t *to = pixman_image_create_bits(PIXMAN_a1, width,
						      height, NULL, 0);
	pixman_region32_t region;
	pixman_box32_t *boxes;
	XRectangle *list;

	if (from && to) {
		pixman_image_composite32(PIXMAN_OP_SRC, from, NULL, to,
			w->geometry.x, w->geometry.y, 0, 0, 0, 0, width,
			height);
		pixman_region32_init_from_image(&region, to);
		boxes = pixman_region32_rectangles(&region, &count);
		list = calloc((size_t)count + 1, sizeof(*list));
		for (int i = 0; list && i < count; i++)
			list[i] = (XRectangle){ (short)boxes[i].x1,
				(short)boxes[i].y1,
				(unsigned short)(boxes[i].x2 - boxes[i].x1),
				(unsigned short)(boxes[i].y2 - boxes[i].y1) };
		if (list)
			XShapeCombineRectangles(server.x, w->id, ShapeBounding,
				0, 0, list, count, ShapeSet, YXBanded);
		free(list);
		pixman_region32_fini(&region);
	}
	if (from)
		surface_picture_end(w->surface, from);
	if (to)
		pixman_image_unref(to);
}

static void draw(struct window *w)
{
	int x = -w->geometry.x, y = -w->geometry.y, count;
	pixman_region32_t changed;
	pixman_box32_t *boxes;

	pixman_region32_init(&changed);
	surface_take_damage(w->surface, x, y, &changed);
	if (w->is_stale)
		pixman_region32_union_rect(&changed, &changed, 0, 0,
			(unsigned)w->image->width, (unsigned)w->image->height);
	pixman_region32_intersect_rect(&changed, &changed, 0, 0,
		(unsigned)w->image->width, (unsigned)w->image->height);
	if (w->is_stale)
		draw_background(w);
	w->is_stale = false;
	pixman_image_set_clip_region32(w->picture, &changed);
	surface_draw(w->surface, w->picture, x, y, w->rest);
	pixman_image_set_clip_region32(w->picture, NULL);
	boxes = pixman_region32_rectangles(&changed, &count);
	if (w->is_mapped)
		for (int i = 0; i < count; i++)
			put(w, &boxes[i]);
	pixman_region32_fini(&changed);
}

static void show(struct window *w)
{
	/* once: the window manager may have another view */
	if (w->image->width != w->asked_width ||
	    w->image->height != w->asked_height)
		XResizeWindow(server.x, w->id, (unsigned)w->image->width,
			      (unsigned)w->image->height);
	w->asked_width = w->image->width;
	w->asked_height = w->image->height;
	if (!w->is_mapped)
		XMapWindow(server.x, w->id);
	w->is_mapped = true;
}

void window_update(struct window *w)
{
	struct surface *s = w->surface;
	struct area all;
	bool has_parts;

	if (!s || !w->id)
		return;
	if (!s->has_picture) {
		if (w->is_mapped)
			XWithdrawWindow(server.x, w->id,
					DefaultScreen(server.x));
		w->is_mapped = false;
		return;
	}
	all = surface_bounds(s);
	w->geometry = w->has_geometry ? w->next_geometry : all;
	has_parts = surface_has_parts(s);
	if (s->buffer.buffer)
		drop_rest(w);
	else if (w->image && has_parts && !w->rest)
		keep_rest(w);
	if (!image_fit(w))
		return;
	if (w->popup && s->buffer.buffer)
		set_shape(w);
	draw(w);
	show(w);
	if (!has_parts)
		surface_release(s);
}
