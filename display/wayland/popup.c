/*
 * popup.c - xdg_positioner and xdg_popup: menus and what else belongs to a
 * place of another window (wayland.h).
 *
 * A popup with a grab has the keyboard, and a press outside the program ends
 * it; the X pointer is grabbed for that, with the program's own windows
 * getting their events as ever.
 */
#include "display/wayland/wayland.h"
#include "xdg-shell-server.h"

#include <stdlib.h>

struct positioner {
	int width, height, dx, dy;
	struct area anchor_area;
	uint32_t anchor, gravity, adjustment;
};

static struct positioner *positioner_of(struct wl_resource *r)
{
	return wl_resource_get_user_data(r);
}

/* ---- the positioner ----------------------------------------------------- */
static void on_size(struct wl_client *c, struct wl_resource *r, int32_t w,
		    int32_t h)
{
	positioner_of(r)->width = w;
	positioner_of(r)->height = h;
}

static void on_anchor_area(struct wl_client *c, struct wl_resource *r,
			   int32_t x, int32_t y, int32_t w, int32_t h)
{
	positioner_of(r)->anchor_area = (struct area){ x, y, w, h };
}

static void on_anchor(struct wl_client *c, struct wl_resource *r,
		      uint32_t anchor)
{
	positioner_of(r)->anchor = anchor;
}

static void on_gravity(struct wl_client *c, struct wl_resource *r,
		       uint32_t gravity)
{
	positioner_of(r)->gravity = gravity;
}

static void on_adjustment(struct wl_client *c, struct wl_resource *r,
			  uint32_t adjustment)
{
	positioner_of(r)->adjustment = adjustment;
}

static void on_offset(struct wl_client *c, struct wl_resource *r, int32_t x,
		      int32_t y)
{
	positioner_of(r)->dx = x;
	positioner_of(r)->dy = y;
}

static void on_reactive(struct wl_client *c, struct wl_resource *r)
{
}

static void on_parent_size(struct wl_client *c, struct wl_resource *r,
			   int32_t w, int32_t h)
{
}

static void on_parent_serial(struct wl_client *c, struct wl_resource *r,
			     uint32_t serial)
{
}

static const struct xdg_positioner_interface positioner_calls = {
	end_resource, on_size, on_anchor_area, on_anchor, on_gravity,
	on_adjustment, on_offset, on_reactive, on_parent_size,
	on_parent_serial };

static void positioner_gone(struct wl_resource *r)
{
	free(positioner_of(r));
}

void positioner_new(struct wl_client *c, struct wl_resource *base,
		    uint32_t id)
{
	struct positioner *p = calloc(1, sizeof(*p));

	if (!p)
		wl_client_post_no_memory(c);
	else if (!add_resource(c, &xdg_positioner_interface,
			       wl_resource_get_version(base), id,
			       &positioner_calls, p, positioner_gone))
		free(p);
}

/* ---- places ------------------------------------------------------------- */
/* One dimension; anchor and gravity: -1, 0 or 1 for start, middle, end. */
struct line {
	int from, length, anchor, gravity, offset, size;
	int origin, screen; /* of the parent on the screen; its length */
	bool may_flip, may_slide, may_shrink;
};

static int place_as(const struct line *l, int anchor, int gravity, int offset)
{
	return l->from + l->length * (anchor + 1) / 2 + offset -
		l->size * (1 - gravity) / 2;
}

static bool fits(const struct line *l, int at)
{
	return l->origin + at >= 0 && l->origin + at + l->size <= l->screen;
}

static void place(const struct line *l, int *at, int *size)
{
	int start = place_as(l, l->anchor, l->gravity, l->offset);
	int flipped = place_as(l, -l->anchor, -l->gravity, -l->offset);

	*size = l->size;
	if (!fits(l, start) && l->may_flip && fits(l, flipped))
		start = flipped;
	if (!fits(l, start) && l->may_slide) {
		if (l->origin + start + l->size > l->screen)
			start = l->screen - l->size - l->origin;
		if (l->origin + start < 0)
			start = -l->origin;
	}
	if (!fits(l, start) && l->may_shrink) {
		int end = start + l->size;

		if (l->origin + start < 0)
			start = -l->origin;
		if (l->origin + end > l->screen)
			end = l->screen - l->origin;
		if (end > start)
			*size = end - start;
	}
	*at = start;
}

static int across(uint32_t edge)
{
	switch (edge) {
	case XDG_POSITIONER_ANCHOR_LEFT:
	case XDG_POSITIONER_ANCHOR_TOP_LEFT:
	case XDG_POSITIONER_ANCHOR_BOTTOM_LEFT: return -1;
	case XDG_POSITIONER_ANCHOR_RIGHT:
	case XDG_POSITIONER_ANCHOR_TOP_RIGHT:
	case XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT: return 1;
	}
	return 0;
}

static int down(uint32_t edge)
{
	switch (edge) {
	case XDG_POSITIONER_ANCHOR_TOP:
	case XDG_POSITIONER_ANCHOR_TOP_LEFT:
	case XDG_POSITIONER_ANCHOR_TOP_RIGHT: return -1;
	case XDG_POSITIONER_ANCHOR_BOTTOM:
	case XDG_POSITIONER_ANCHOR_BOTTOM_LEFT:
	case XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT: return 1;
	}
	return 0;
}

static void place_popup(struct window *w, const struct positioner *p)
{
	const struct area *a = &p->anchor_area;
	uint32_t may = p->adjustment;
	struct line horizontal = { a->x, a->width, across(p->anchor),
		across(p->gravity), p->dx, p->width,
		w->parent ? w->parent->x : 0, server.width,
		may & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_FLIP_X,
		may & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_X,
		may & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_RESIZE_X };
	struct line vertical = { a->y, a->height, down(p->anchor),
		down(p->gravity), p->dy, p->height,
		w->parent ? w->parent->y : 0, server.height,
		may & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_FLIP_Y,
		may & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_Y,
		may & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_RESIZE_Y };

	place(&horizontal, &w->next_x, &w->sent_width);
	place(&vertical, &w->next_y, &w->sent_height);
	w->x = horizontal.origin + w->next_x;
	w->y = vertical.origin + w->next_y;
	XMoveWindow(server.x, w->id, w->x, w->y);
}

void popup_configure(struct window *w)
{
	xdg_popup_send_configure(w->popup, w->next_x, w->next_y,
				 w->sent_width, w->sent_height);
}

/* ---- grabs -------------------------------------------------------------- */
/* The newest that is shown; windows has the newest first. */
struct window *popup_with_grab(void)
{
	struct window *w;

	wl_list_for_each(w, &windows, link)
		if (w->popup && w->has_grab && w->surface && w->is_mapped)
			return w;
	return NULL;
}

void popup_end_all(void)
{
	struct window *w;

	wl_list_for_each(w, &windows, link)
		if (w->popup && w->has_grab)
			xdg_popup_send_popup_done(w->popup);
}

void popup_grab_changed(void)
{
	struct window *w = popup_with_grab();

	if (w)
		XGrabPointer(server.x, w->id, True, ButtonPressMask |
			ButtonReleaseMask | PointerMotionMask |
			EnterWindowMask | LeaveWindowMask, GrabModeAsync,
			GrabModeAsync, None, None, CurrentTime);
	else
		XUngrabPointer(server.x, CurrentTime);
	keyboard_refocus();
}

/* ---- requests ----------------------------------------------------------- */
static struct window *window_of(struct wl_resource *r)
{
	return r ? wl_resource_get_user_data(r) : NULL;
}

static void on_grab(struct wl_client *c, struct wl_resource *r,
		    struct wl_resource *seat, uint32_t serial)
{
	struct window *w = window_of(r);

	if (w)
		w->has_grab = true;
}

static void on_reposition(struct wl_client *c, struct wl_resource *r,
			  struct wl_resource *positioner, uint32_t token)
{
	struct window *w = window_of(r);

	if (!w || !w->id)
		return;
	place_popup(w, positioner_of(positioner));
	xdg_popup_send_repositioned(r, token);
	shell_configure(w);
}

static const struct xdg_popup_interface calls = { end_resource, on_grab,
	on_reposition };

static void popup_gone(struct wl_resource *r)
{
	struct window *w = window_of(r);
	bool had_grab;

	if (!w)
		return;
	if (w->surface)
		seat_forget(w->surface);
	window_destroy(w);
	had_grab = w->has_grab;
	w->popup = NULL;
	w->has_grab = w->was_configured = w->has_geometry = false;
	if (had_grab)
		popup_grab_changed();
}

void popup_new(struct wl_client *c, struct window *w, uint32_t id,
	       struct window *parent, struct wl_resource *positioner)
{
	w->popup = add_resource(c, &xdg_popup_interface,
		wl_resource_get_version(w->xdg), id, &calls, w, popup_gone);
	if (!w->popup)
		return;
	w->parent = parent;
	window_create(w, true);
	place_popup(w, positioner_of(positioner));
}
