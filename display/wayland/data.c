/*
 * data.c - wl_data_device: the clipboard among programs of Wayland, and
 * theirs with those of X through selection.c; the same for what is selected
 * (primary.c), in other words (wayland.h).  Who has the keyboard is offered
 * what was copied last.
 */
#include "display/wayland/wayland.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATA_VERSION = 3 };

struct copied {
	const struct dialect *say;
	enum which which;
	struct source *current;   /* a program of Wayland's */
	struct wl_array x_types;  /* char *; what a program of X offers */
	struct wl_list devices;   /* resources */
};

static struct copied all[SELECTIONS];

struct copied *data_of(enum which which)
{
	return &all[which];
}

static struct source *source_of(struct wl_resource *r)
{
	return r ? wl_resource_get_user_data(r) : NULL;
}

static void free_types(struct wl_array *types)
{
	char **t;

	wl_array_for_each(t, types)
		free(*t);
	wl_array_release(types);
	wl_array_init(types);
}

static void add_type(struct wl_array *types, const char *type)
{
	char **t = wl_array_add(types, sizeof(*t));

	if (t)
		*t = strdup(type);
}

bool source_has(const struct source *s, const char *type)
{
	char **t;

	wl_array_for_each(t, (struct wl_array *)(uintptr_t)&s->types)
		if (!strcmp(*t, type))
			return true;
	return false;
}

void source_send(const struct source *s, const char *type, int fd)
{
	s->of->say->send(s->resource, type, fd);
	close(fd);
}

/* ---- offers ------------------------------------------------------------- */
/* An old offer gives what is there now. */
void data_receive(struct wl_client *c, struct wl_resource *r,
		  const char *type, int32_t fd)
{
	const struct copied *of = wl_resource_get_user_data(r);

	if (!of->current)
		selection_receive(of->which, type, fd);
	else if (source_has(of->current, type))
		source_send(of->current, type, fd);
	else
		close(fd);
}

static void offer_to(const struct copied *of, struct wl_resource *device)
{
	const struct wl_array *types = of->current ? &of->current->types :
		&of->x_types;
	struct wl_resource *o;
	char **t;

	if (!types->size) {
		of->say->selection(device, NULL);
		return;
	}
	o = add_resource(wl_resource_get_client(device), of->say->offer,
		wl_resource_get_version(device), 0, of->say->offer_calls,
		wl_resource_get_user_data(device), NULL);
	if (!o)
		return;
	of->say->data_offer(device, o);
	wl_array_for_each(t, (struct wl_array *)(uintptr_t)types)
		of->say->type(o, *t);
	of->say->selection(device, o);
}

static void offer_all(struct copied *of, struct wl_client *c)
{
	struct wl_resource *r;

	wl_resource_for_each(r, &of->devices)
		if (wl_resource_get_client(r) == c)
			offer_to(of, r);
}

void data_focus(struct wl_client *c)
{
	for (int i = 0; i < SELECTIONS; i++)
		offer_all(&all[i], c);
}

/* ---- who has copied ----------------------------------------------------- */
static void replace(struct copied *of, struct source *s)
{
	if (of->current && of->current != s)
		of->say->cancelled(of->current->resource);
	of->current = s;
	free_types(&of->x_types);
}

void data_offer_x(enum which which, char **types, size_t count)
{
	struct copied *of = &all[which];

	replace(of, NULL);
	for (size_t i = 0; i < count; i++)
		add_type(&of->x_types, types[i]);
	if (keyboard_client())
		offer_all(of, keyboard_client());
}

void data_set(struct wl_client *c, struct wl_resource *r,
	      struct wl_resource *source, uint32_t serial)
{
	struct copied *of = wl_resource_get_user_data(r);

	if (c != keyboard_client())
		return;
	replace(of, source_of(source));
	selection_own(of->which, of->current);
	offer_all(of, c);
}

/* ---- sources ------------------------------------------------------------ */
void data_type(struct wl_client *c, struct wl_resource *r, const char *type)
{
	add_type(&source_of(r)->types, type);
}

static void source_gone(struct wl_resource *r)
{
	struct source *s = source_of(r);
	struct copied *of = s->of;

	drag_source_gone(s);
	if (s == of->current) {
		of->current = NULL;
		selection_own(of->which, NULL);
		if (keyboard_client())
			offer_all(of, keyboard_client());
	}
	free_types(&s->types);
	free(s);
}

void data_source_wanted(struct wl_client *c, struct wl_resource *r,
			uint32_t id)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s) {
		wl_client_post_no_memory(c);
		return;
	}
	wl_array_init(&s->types);
	s->of = wl_resource_get_user_data(r);
	s->resource = add_resource(c, s->of->say->source,
		wl_resource_get_version(r), id, s->of->say->source_calls, s,
		source_gone);
	if (!s->resource)
		free(s);
}

/* ---- devices ------------------------------------------------------------ */
struct wl_resource *data_device_of(struct wl_client *c)
{
	struct wl_resource *r;

	wl_resource_for_each(r, &all[CLIPBOARD].devices)
		if (wl_resource_get_client(r) == c)
			return r;
	return NULL;
}

static void device_gone(struct wl_resource *r)
{
	drag_device_gone(r);
	wl_list_remove(wl_resource_get_link(r));
}

void data_device_wanted(struct wl_client *c, struct wl_resource *r,
			uint32_t id, struct wl_resource *seat)
{
	struct copied *of = wl_resource_get_user_data(r);
	struct wl_resource *d = add_resource(c, of->say->device,
		wl_resource_get_version(r), id, of->say->device_calls, of,
		device_gone);

	if (!d)
		return;
	wl_list_insert(&of->devices, wl_resource_get_link(d));
	if (c == keyboard_client())
		offer_to(of, d);
}

/* ---- the clipboard's words, and what is dragged -------------------------- */
static void on_drag(struct wl_client *c, struct wl_resource *r,
	struct wl_resource *source, struct wl_resource *origin,
	struct wl_resource *icon, uint32_t serial)
{
	if (!pointer_is_down(c)) {
		if (source)
			wl_data_source_send_cancelled(source);
		return;
	}
	pointer_leave();
	drag_start(c, source_of(source));
}

static void on_actions(struct wl_client *c, struct wl_resource *r,
		       uint32_t actions)
{
	source_of(r)->actions = actions;
}

static void on_accept(struct wl_client *c, struct wl_resource *r,
		      uint32_t serial, const char *type)
{
}

static void on_finish(struct wl_client *c, struct wl_resource *r)
{
}

static void on_offer_actions(struct wl_client *c, struct wl_resource *r,
			     uint32_t actions, uint32_t preferred)
{
}

static const struct wl_data_source_interface source_calls = { data_type,
	end_resource, on_actions };
static const struct wl_data_device_interface device_calls = { on_drag,
	data_set, end_resource };
static const struct wl_data_offer_interface offer_calls = { on_accept,
	data_receive, end_resource, on_finish, on_offer_actions };

static const struct dialect clipboard_dialect = {
	.source = &wl_data_source_interface,
	.device = &wl_data_device_interface,
	.offer = &wl_data_offer_interface,
	.source_calls = &source_calls,
	.device_calls = &device_calls,
	.offer_calls = &offer_calls,
	.send = wl_data_source_send_send,
	.cancelled = wl_data_source_send_cancelled,
	.data_offer = wl_data_device_send_data_offer,
	.type = wl_data_offer_send_offer,
	.selection = wl_data_device_send_selection,
};

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct wl_data_device_manager_interface manager = {
		data_source_wanted, data_device_wanted };

	add_resource(c, &wl_data_device_manager_interface, (int)version, id,
		     &manager, &all[CLIPBOARD], NULL);
}

void data_globals(void)
{
	for (int i = 0; i < SELECTIONS; i++) {
		all[i].say = i == CLIPBOARD ? &clipboard_dialect :
			&primary_dialect;
		all[i].which = (enum which)i;
		wl_array_init(&all[i].x_types);
		wl_list_init(&all[i].devices);
	}
	selection_open();
	wl_global_create(server.display, &wl_data_device_manager_interface,
			 DATA_VERSION, NULL, bind);
	primary_globals();
}
