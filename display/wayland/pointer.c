/*
 * pointer.c - wl_pointer: X's pointer, over the surface that is below it
 * (wayland.h).  While a button is down the surface stays the same.
 */
#include "display/wayland/wayland.h"

#include <linux/input-event-codes.h>

enum { STEP = 10, WHEEL_FIRST = 4, WHEEL_LAST = 7 };

struct wl_list pointers = { &pointers, &pointers };
static struct surface *focus;
static int buttons; /* that are down */

/* ---- telling ------------------------------------------------------------ */
static bool has_focus(struct wl_resource *r)
{
	return focus && wl_resource_get_client(r) ==
		wl_resource_get_client(focus->resource);
}

static void send_frame(struct wl_resource *r)
{
	if (wl_resource_get_version(r) >= WL_POINTER_FRAME_SINCE_VERSION)
		wl_pointer_send_frame(r);
}

static void send_enter(struct wl_resource *r, double x, double y)
{
	wl_pointer_send_enter(r, wl_display_next_serial(server.display),
		focus->resource, wl_fixed_from_double(x),
		wl_fixed_from_double(y));
	send_frame(r);
}

static void show_cursor(bool is_clients)
{
	struct window *w = focus ? surface_root(focus)->window : NULL;

	if (w && w->id != None)
		cursor_show(w->id, is_clients);
}

static void set_focus(struct surface *s, double x, double y)
{
	struct wl_resource *r;

	if (s == focus)
		return;
	wl_resource_for_each(r, &pointers)
		if (has_focus(r)) {
			wl_pointer_send_leave(r, wl_display_next_serial(
				server.display), focus->resource);
			send_frame(r);
		}
	focus = s;
	wl_resource_for_each(r, &pointers)
		if (has_focus(r))
			send_enter(r, x, y);
	show_cursor(false); /* until the client names one */
}

void pointer_forget(struct surface *s)
{
	if (focus != s)
		return;
	focus = NULL;
	buttons = 0;
}

void pointer_leave(void)
{
	set_focus(NULL, 0, 0);
}

/* A button, over something of this client's. */
bool pointer_is_down(struct wl_client *c)
{
	return buttons && focus &&
		wl_resource_get_client(focus->resource) == c;
}

/* ---- places ------------------------------------------------------------- */
/* Where the surface that has the pointer lies on the screen. */
static void from_focus(double *x, double *y)
{
	const struct surface *s = focus;

	for (; s->parent; s = s->parent) {
		*x -= s->x;
		*y -= s->y;
	}
	if (!s->window)
		return;
	*x -= s->window->x - s->window->geometry.x;
	*y -= s->window->y - s->window->geometry.y;
}

/* What is below the pointer has it; x and y become that one's. */
static void move(Window id, int x_root, int y_root, double *x, double *y)
{
	struct window *w = window_find(id);
	struct surface *s = NULL;

	if (buttons && focus) {
		*x = x_root;
		*y = y_root;
		from_focus(x, y);
		return;
	}
	if (w && w->surface && *x >= 0 && *y >= 0 && *x < w->width &&
	    *y < w->height) {
		*x += w->geometry.x;
		*y += w->geometry.y;
		s = surface_at(w->surface, x, y);
	}
	set_focus(s, *x, *y);
}

static void on_motion(const XMotionEvent *e)
{
	double x = e->x, y = e->y;
	struct wl_resource *r;

	if (drag_is_on()) {
		drag_motion(e->x_root, e->y_root, e->time);
		return;
	}
	move(e->window, e->x_root, e->y_root, &x, &y);
	wl_resource_for_each(r, &pointers)
		if (has_focus(r)) {
			wl_pointer_send_motion(r, (uint32_t)e->time,
				wl_fixed_from_double(x),
				wl_fixed_from_double(y));
			send_frame(r);
		}
}

static void on_crossing(const XCrossingEvent *e)
{
	double x = e->x, y = e->y;

	if (drag_is_on())
		return;
	if (e->type == EnterNotify)
		move(e->window, e->x_root, e->y_root, &x, &y);
	else if (!buttons && focus &&
		 surface_root(focus)->window == window_find(e->window))
		set_focus(NULL, 0, 0);
}

/* ---- buttons ------------------------------------------------------------ */
static uint32_t button_of(unsigned x_button)
{
	static const uint32_t first[] = { 0, BTN_LEFT, BTN_MIDDLE, BTN_RIGHT };

	return x_button <= 3 ? first[x_button] : BTN_SIDE + x_button - 8;
}

static void send_button(const XButtonEvent *e)
{
	uint32_t serial = wl_display_next_serial(server.display);
	struct wl_resource *r;

	wl_resource_for_each(r, &pointers)
		if (has_focus(r)) {
			wl_pointer_send_button(r, serial, (uint32_t)e->time,
				button_of(e->button), e->type == ButtonPress);
			send_frame(r);
		}
}

static void send_wheel(const XButtonEvent *e)
{
	uint32_t axis = e->button <= 5 ? WL_POINTER_AXIS_VERTICAL_SCROLL :
		WL_POINTER_AXIS_HORIZONTAL_SCROLL;
	int by = e->button & 1 ? 1 : -1;
	struct wl_resource *r;

	wl_resource_for_each(r, &pointers) {
		bool is_new = wl_resource_get_version(r) >=
			WL_POINTER_AXIS_SOURCE_SINCE_VERSION;

		if (!has_focus(r))
			continue;
		if (is_new) {
			wl_pointer_send_axis_source(r,
				WL_POINTER_AXIS_SOURCE_WHEEL);
			wl_pointer_send_axis_discrete(r, axis, by);
		}
		wl_pointer_send_axis(r, (uint32_t)e->time, axis,
				     wl_fixed_from_int(by * STEP));
		send_frame(r);
	}
}

/* A press where the program that has a menu open has nothing. */
static void end_menus(void)
{
	struct window *w = popup_with_grab();

	if (w && (!focus || wl_resource_get_client(focus->resource) !=
		  wl_resource_get_client(w->surface->resource)))
		popup_end_all();
}

static void on_button(const XButtonEvent *e)
{
	double x = e->x, y = e->y;
	bool is_press = e->type == ButtonPress;

	if (!buttons && !drag_is_on())
		move(e->window, e->x_root, e->y_root, &x, &y);
	if (e->button >= WHEEL_FIRST && e->button <= WHEEL_LAST) {
		if (is_press)
			send_wheel(e);
		return;
	}
	if (is_press && !drag_is_on())
		end_menus();
	send_button(e); /* to nobody while something is dragged */
	buttons += is_press ? 1 : buttons ? -1 : 0;
	if (!buttons && drag_is_on())
		drag_drop();
	if (!buttons)
		move(e->window, e->x_root, e->y_root, &x, &y);
}

bool pointer_event(const XEvent *e)
{
	switch (e->type) {
	case MotionNotify: on_motion(&e->xmotion); return true;
	case EnterNotify: case LeaveNotify: on_crossing(&e->xcrossing);
		return true;
	case ButtonPress: case ButtonRelease: on_button(&e->xbutton);
		return true;
	}
	return false;
}

/* ---- the resource ------------------------------------------------------- */
static void on_cursor(struct wl_client *c, struct wl_resource *r,
	uint32_t serial, struct wl_resource *surface, int32_t x, int32_t y)
{
	struct surface *s = surface_of(surface);

	if (s && !surface_set_role(s, ROLE_CURSOR)) {
		wl_resource_post_error(r, WL_POINTER_ERROR_ROLE,
				       "it is in use");
		return;
	}
	if (!has_focus(r))
		return;
	cursor_set(s, x, y);
	show_cursor(true);
}

static void pointer_gone(struct wl_resource *r)
{
	wl_list_remove(wl_resource_get_link(r));
}

void pointer_new(struct wl_client *c, int version, uint32_t id)
{
	static const struct wl_pointer_interface calls = { on_cursor,
		end_resource };
	struct wl_resource *r = add_resource(c, &wl_pointer_interface, version,
					     id, &calls, NULL, pointer_gone);

	if (!r)
		return;
	wl_list_insert(&pointers, wl_resource_get_link(r));
	if (has_focus(r))
		send_enter(r, 0, 0);
}
