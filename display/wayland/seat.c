/*
 * seat.c - wl_seat: the one pointer and the one keyboard (wayland.h).
 */
#include "display/wayland/wayland.h"

enum { SEAT_VERSION = 5 };

static void on_pointer_wanted(struct wl_client *c, struct wl_resource *r,
			      uint32_t id)
{
	pointer_new(c, wl_resource_get_version(r), id);
}

static void on_keyboard_wanted(struct wl_client *c, struct wl_resource *r,
			       uint32_t id)
{
	keyboard_new(c, wl_resource_get_version(r), id);
}

static void on_touch_wanted(struct wl_client *c, struct wl_resource *r,
			    uint32_t id)
{
	static const struct wl_touch_interface touch = { end_resource };

	add_resource(c, &wl_touch_interface, wl_resource_get_version(r), id,
		     &touch, NULL, NULL);
}

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct wl_seat_interface calls = { on_pointer_wanted,
		on_keyboard_wanted, on_touch_wanted, end_resource };
	struct wl_resource *r = add_resource(c, &wl_seat_interface,
		(int)version, id, &calls, NULL, NULL);

	if (!r)
		return;
	wl_seat_send_capabilities(r, WL_SEAT_CAPABILITY_POINTER |
				  WL_SEAT_CAPABILITY_KEYBOARD);
	if (version >= WL_SEAT_NAME_SINCE_VERSION)
		wl_seat_send_name(r, "seat0");
}

void seat_forget(struct surface *s)
{
	pointer_forget(s);
	drag_forget(s);
	keyboard_forget(s);
	cursor_forget(s);
}

void seat_globals(void)
{
	keyboard_open();
	wl_global_create(server.display, &wl_seat_interface, SEAT_VERSION,
			 NULL, bind);
}
