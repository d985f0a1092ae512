/*
 * drag.c - what is dragged from one surface to another (wayland.h): the
 * pointer's events go here from its start to the button's release.
 *
 * A drop is offered to who has accepted a type and an action; all else is a
 * drag that was cancelled.  Programs of X take no part.
 */
#include "display/wayland/wayland.h"

#include <stdlib.h>
#include <unistd.h>

enum { ACTIONS_SINCE = 3 }; /* before, all drags are copies */

/* Of the surface that the pointer is over. */
struct offer {
	struct wl_resource *resource;
	struct source *source; /* NULL: gone */
	bool is_accepted, was_dropped, was_finished;
	uint32_t action;
};

static bool is_on;
static struct source *source;     /* NULL: a program's own affair */
static struct wl_client *dragger;
static struct surface *over;
static struct wl_resource *device; /* of who has that */
static struct offer *offer;

static bool knows_actions(struct wl_resource *r)
{
	return wl_resource_get_version(r) >= ACTIONS_SINCE;
}

/* ---- the offer ---------------------------------------------------------- */
static struct offer *offer_of(struct wl_resource *r)
{
	return wl_resource_get_user_data(r);
}

static void on_accept(struct wl_client *c, struct wl_resource *r,
		      uint32_t serial, const char *type)
{
	struct offer *o = offer_of(r);

	o->is_accepted = type;
	if (o->source)
		wl_data_source_send_target(o->source->resource, type);
}

static void on_receive(struct wl_client *c, struct wl_resource *r,
		       const char *type, int32_t fd)
{
	struct offer *o = offer_of(r);

	if (o->source && source_has(o->source, type))
		source_send(o->source, type, fd);
	else
		close(fd);
}

static void finish(struct offer *o)
{
	if (o->source && knows_actions(o->source->resource) &&
	    !o->was_finished)
		wl_data_source_send_dnd_finished(o->source->resource);
	o->was_finished = true;
}

static void on_finish(struct wl_client *c, struct wl_resource *r)
{
	if (offer_of(r)->was_dropped)
		finish(offer_of(r));
}

static uint32_t choose(uint32_t both, uint32_t preferred)
{
	if (both & preferred)
		return preferred;
	return both & -both; /* the lowest: copy, then move */
}

static void on_actions(struct wl_client *c, struct wl_resource *r,
		       uint32_t actions, uint32_t preferred)
{
	struct offer *o = offer_of(r);
	uint32_t action;

	if (!o->source)
		return;
	action = choose(actions & o->source->actions, preferred);
	if (action == o->action)
		return;
	o->action = action;
	wl_data_offer_send_action(r, action);
	if (knows_actions(o->source->resource))
		wl_data_source_send_action(o->source->resource, action);
}

static void offer_gone(struct wl_resource *r)
{
	struct offer *o = offer_of(r);

	if (o->was_dropped && !knows_actions(r))
		finish(o);
	else if (o->was_dropped && !o->was_finished && o->source)
		wl_data_source_send_cancelled(o->source->resource);
	if (o->source && o->source->offer == o)
		o->source->offer = NULL;
	if (o == offer)
		offer = NULL;
	free(o);
}

static struct offer *offer_new(struct wl_resource *to)
{
	static const struct wl_data_offer_interface calls = { on_accept,
		on_receive, end_resource, on_finish, on_actions };
	struct offer *o = calloc(1, sizeof(*o));
	char **t;

	if (!o)
		return NULL;
	o->resource = add_resource(wl_resource_get_client(to),
		&wl_data_offer_interface, wl_resource_get_version(to), 0,
		&calls, o, offer_gone);
	if (!o->resource) {
		free(o);
		return NULL;
	}
	o->source = source;
	source->offer = o;
	wl_data_device_send_data_offer(to, o->resource);
	wl_array_for_each(t, &source->types)
		wl_data_offer_send_offer(o->resource, *t);
	if (knows_actions(o->resource))
		wl_data_offer_send_source_actions(o->resource,
						  source->actions);
	return o;
}

/* ---- the pointer moves -------------------------------------------------- */
static void leave(void)
{
	if (device)
		wl_data_device_send_leave(device);
	if (offer) {
		offer->source->offer = NULL;
		offer->source = NULL; /* an old offer gives nothing */
	}
	offer = NULL;
	over = NULL;
	device = NULL;
}

static void enter(struct surface *s, double x, double y)
{
	struct wl_client *c = wl_resource_get_client(s->resource);

	if (!source && c != dragger)
		return;
	over = s;
	device = data_device_of(c);
	if (!device)
		return;
	offer = source ? offer_new(device) : NULL;
	wl_data_device_send_enter(device, wl_display_next_serial(
		server.display), s->resource, wl_fixed_from_double(x),
		wl_fixed_from_double(y), offer ? offer->resource : NULL);
}

void drag_motion(int x_root, int y_root, Time when)
{
	Window below = None;
	struct surface *s = NULL;
	struct window *w;
	int ignored;
	double x, y;

	XTranslateCoordinates(server.x, server.root, server.root, x_root,
			      y_root, &ignored, &ignored, &below);
	w = below != None ? window_find(below) : NULL;
	if (w && w->surface) {
		x = x_root - w->x + w->geometry.x;
		y = y_root - w->y + w->geometry.y;
		s = surface_at(w->surface, &x, &y);
	}
	if (s != over)
		leave();
	if (s && s != over)
		enter(s, x, y);
	else if (s && device)
		wl_data_device_send_motion(device, (uint32_t)when,
			wl_fixed_from_double(x), wl_fixed_from_double(y));
}

/* ---- the end ------------------------------------------------------------ */
static bool is_wanted(const struct offer *o)
{
	return o->is_accepted && (o->action || !knows_actions(o->resource));
}

void drag_drop(void)
{
	bool is_taken = offer && is_wanted(offer);

	is_on = false;
	if (device && (is_taken || !source))
		wl_data_device_send_drop(device);
	if (is_taken) {
		offer->was_dropped = true;
		if (knows_actions(source->resource))
			wl_data_source_send_dnd_drop_performed(
				source->resource);
		offer = NULL; /* it goes on giving */
	} else if (source) {
		wl_data_source_send_cancelled(source->resource);
	}
	leave();
	source = NULL;
}

bool drag_is_on(void)
{
	return is_on;
}

void drag_start(struct wl_client *c, struct source *s)
{
	is_on = true;
	source = s;
	dragger = c;
	leave();
}

void drag_forget(struct surface *s)
{
	if (over == s)
		leave();
}

void drag_source_gone(struct source *s)
{
	if (s->offer)
		s->offer->source = NULL;
	if (s->offer && s->offer == offer)
		offer = NULL;
	if (!is_on || s != source)
		return;
	leave();
	source = NULL;
	is_on = false;
}

void drag_device_gone(struct wl_resource *r)
{
	if (device == r)
		device = NULL;
}
