/*
 * data.c - wl_data_device: the clipboard among programs of Wayland, and
 * theirs with those of X through selection.c (wayland.h).  Who has the
 * keyboard is offered what was copied last.
 */
#include "display/wayland/wayland.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATA_VERSION = 3 };

struct wl_list data_devices = { &data_devices, &data_devices };
static struct source *current;   /* a program of Wayland's */
static struct wl_array x_types;  /* char *; what a program of X offers */

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

/* ---- offers ------------------------------------------------------------- */
static void on_accept(struct wl_client *c, struct wl_resource *r,
		      uint32_t serial, const char *type)
{
}

/* An old offer gives what is there now. */
static void on_receive(struct wl_client *c, struct wl_resource *r,
		       const char *type, int32_t fd)
{
	if (!current) {
		selection_receive(type, fd);
		return;
	}
	if (source_has(current, type))
		wl_data_source_send_send(current->resource, type, fd);
	close(fd);
}

static void on_finish(struct wl_client *c, struct wl_resource *r)
{
}

static void on_offer_actions(struct wl_client *c, struct wl_resource *r,
			     uint32_t actions, uint32_t preferred)
{
}

static void offer_to(struct wl_resource *device)
{
	static const struct wl_data_offer_interface calls = { on_accept,
		on_receive, end_resource, on_finish, on_offer_actions };
	struct wl_array *types = current ? &current->types : &x_types;
	struct wl_resource *o;
	char **t;

	if (!types->size) {
		wl_data_device_send_selection(device, NULL);
		return;
	}
	o = add_resource(wl_resource_get_client(device),
		&wl_data_offer_interface, wl_resource_get_version(device), 0,
		&calls, NULL, NULL);
	if (!o)
		return;
	wl_data_device_send_data_offer(device, o);
	wl_array_for_each(t, types)
		wl_data_offer_send_offer(o, *t);
	wl_data_device_send_selection(device, o);
}

void data_focus(struct wl_client *c)
{
	struct wl_resource *r;

	wl_resource_for_each(r, &data_devices)
		if (wl_resource_get_client(r) == c)
			offer_to(r);
}

/* ---- who has copied ----------------------------------------------------- */
void data_offer_x(char **types, size_t count)
{
	if (current)
		wl_data_source_send_cancelled(current->resource);
	current = NULL;
	free_types(&x_types);
	for (size_t i = 0; i < count; i++)
		add_type(&x_types, types[i]);
	if (keyboard_client())
		data_focus(keyboard_client());
}

static void on_selection(struct wl_client *c, struct wl_resource *r,
			 struct wl_resource *source, uint32_t serial)
{
	struct source *s = source_of(source);

	if (c != keyboard_client())
		return;
	if (current && current != s)
		wl_data_source_send_cancelled(current->resource);
	current = s;
	free_types(&x_types);
	selection_own(s);
	data_focus(c);
}

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

static void device_gone(struct wl_resource *r)
{
	drag_device_gone(r);
	wl_list_remove(wl_resource_get_link(r));
}

static void on_device_wanted(struct wl_client *c, struct wl_resource *r,
			     uint32_t id, struct wl_resource *seat)
{
	static const struct wl_data_device_interface calls = { on_drag,
		on_selection, end_resource };
	struct wl_resource *d = add_resource(c, &wl_data_device_interface,
		wl_resource_get_version(r), id, &calls, NULL, device_gone);

	if (!d)
		return;
	wl_list_insert(&data_devices, wl_resource_get_link(d));
	if (c == keyboard_client())
		offer_to(d);
}

/* ---- sources ------------------------------------------------------------ */
static void on_offer(struct wl_client *c, struct wl_resource *r,
		     const char *type)
{
	add_type(&source_of(r)->types, type);
}

static void on_actions(struct wl_client *c, struct wl_resource *r,
		       uint32_t actions)
{
	source_of(r)->actions = actions;
}

static void source_gone(struct wl_resource *r)
{
	struct source *s = source_of(r);

	drag_source_gone(s);
	if (s == current) {
		current = NULL;
		selection_own(NULL);
		if (keyboard_client())
			data_focus(keyboard_client());
	}
	free_types(&s->types);
	free(s);
}

static void on_source_wanted(struct wl_client *c, struct wl_resource *r,
			     uint32_t id)
{
	static const struct wl_data_source_interface calls = { on_offer,
		end_resource, on_actions };
	struct source *s = calloc(1, sizeof(*s));

	if (!s) {
		wl_client_post_no_memory(c);
		return;
	}
	wl_array_init(&s->types);
	s->resource = add_resource(c, &wl_data_source_interface,
		wl_resource_get_version(r), id, &calls, s, source_gone);
	if (!s->resource)
		free(s);
}

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct wl_data_device_manager_interface manager = {
		on_source_wanted, on_device_wanted };

	add_resource(c, &wl_data_device_manager_interface, (int)version, id,
		     &manager, NULL, NULL);
}

void data_globals(void)
{
	wl_array_init(&x_types);
	selection_open();
	wl_global_create(server.display, &wl_data_device_manager_interface,
			 DATA_VERSION, NULL, bind);
}
