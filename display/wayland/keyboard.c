/*
 * keyboard.c - wl_keyboard: X's keyboard, map and modifiers (wayland.h).
 *
 * The map is asked for again when it has changed and the next key comes:
 * characters that a viewer types without a key change it each time.  Keys
 * are repeated by the viewer, so clients are told not to.
 */
#include "display/wayland/wayland.h"

#include <X11/XKBlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xcb/xcb.h>
#include <xkbcommon/xkbcommon-x11.h>

enum { EVDEV = 8, KEYS = 256 }; /* X's codes are the kernel's, and 8 more */

struct wl_list keyboards = { &keyboards, &keyboards };
static struct window *active;  /* has X's focus */
static struct surface *focus;
static int event_base;
static struct { uint32_t base, latched, locked, group; } modifiers;
static int map_fd = -1;
static uint32_t map_size;
static bool is_stale = true;   /* the map */

/* ---- the map ------------------------------------------------------------ */
static char *read_map(void)
{
	xcb_connection_t *c = xcb_connect(NULL, NULL);
	struct xkb_context *context = xkb_context_new(
		XKB_CONTEXT_NO_DEFAULT_INCLUDES);
	struct xkb_keymap *map = NULL;
	char *text = NULL;

	if (context && xkb_x11_setup_xkb_extension(c, 1, 0,
		    XKB_X11_SETUP_XKB_EXTENSION_NO_FLAGS, NULL, NULL, NULL,
		    NULL))
		map = xkb_x11_keymap_new_from_device(context, c,
			xkb_x11_get_core_keyboard_device_id(c),
			XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (map)
		text = xkb_keymap_get_as_string(map,
						XKB_KEYMAP_FORMAT_TEXT_V1);
	xkb_keymap_unref(map);
	xkb_context_unref(context);
	xcb_disconnect(c);
	return text;
}

static void keep_map(const char *text)
{
	size_t size = strlen(text) + 1;
	int fd = memfd_create("keymap", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, size) != (ssize_t)size) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (map_fd >= 0)
		close(map_fd);
	map_fd = fd;
	map_size = (uint32_t)size;
}

static void send_map(struct wl_resource *r)
{
	if (map_fd >= 0)
		wl_keyboard_send_keymap(r, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1,
					map_fd, map_size);
}

static void refresh_map(void)
{
	struct wl_resource *r;
	char *text;

	if (!is_stale)
		return;
	is_stale = false;
	text = read_map();
	if (!text)
		return;
	keep_map(text);
	free(text);
	wl_resource_for_each(r, &keyboards)
		send_map(r);
}

/* ---- telling ------------------------------------------------------------ */
static bool has_focus(struct wl_resource *r)
{
	return focus && wl_resource_get_client(r) ==
		wl_resource_get_client(focus->resource);
}

static void send_modifiers(struct wl_resource *r)
{
	wl_keyboard_send_modifiers(r, wl_display_next_serial(server.display),
		modifiers.base, modifiers.latched, modifiers.locked,
		modifiers.group);
}

static void add_pressed(struct wl_array *keys)
{
	char down[KEYS / 8];

	XQueryKeymap(server.x, down);
	for (int k = EVDEV; k < KEYS; k++) {
		uint32_t *p = down[k / 8] & 1 << k % 8 ?
			wl_array_add(keys, sizeof(*p)) : NULL;

		if (p)
			*p = (uint32_t)(k - EVDEV);
	}
}

static void send_enter(struct wl_resource *r)
{
	struct wl_array keys;

	wl_array_init(&keys);
	add_pressed(&keys);
	wl_keyboard_send_enter(r, wl_display_next_serial(server.display),
			       focus->resource, &keys);
	wl_array_release(&keys);
	send_modifiers(r);
}

struct wl_client *keyboard_client(void)
{
	return focus ? wl_resource_get_client(focus->resource) : NULL;
}

static void set_focus(struct surface *s)
{
	struct wl_client *before = keyboard_client();
	struct wl_resource *r;

	if (s == focus)
		return;
	wl_resource_for_each(r, &keyboards)
		if (has_focus(r))
			wl_keyboard_send_leave(r, wl_display_next_serial(
				server.display), focus->resource);
	focus = s;
	refresh_map();
	if (s && keyboard_client() != before)
		data_focus(keyboard_client());
	wl_resource_for_each(r, &keyboards)
		if (has_focus(r))
			send_enter(r);
}

/* A menu of the program that has the keyboard has it first. */
void keyboard_refocus(void)
{
	struct window *menu = popup_with_grab();
	struct surface *s = active ? active->surface : NULL;

	if (menu && s && wl_resource_get_client(s->resource) ==
	    wl_resource_get_client(menu->surface->resource))
		s = menu->surface;
	set_focus(s);
}

void keyboard_forget(struct surface *s)
{
	if (active && active == s->window)
		active = NULL;
	if (focus == s)
		focus = NULL;
}

/* ---- events of X -------------------------------------------------------- */
static void on_focus(const XFocusChangeEvent *e)
{
	struct window *w = window_find(e->window);

	if (e->detail == NotifyPointer || e->detail == NotifyInferior)
		return;
	if (e->type == FocusOut && active == w)
		active = NULL;
	if (e->type == FocusIn && w)
		active = w;
	if (w)
		toplevel_focus(w, active == w);
	keyboard_refocus();
}

static void on_key(const XKeyEvent *e)
{
	uint32_t serial = wl_display_next_serial(server.display);
	struct wl_resource *r;

	refresh_map();
	wl_resource_for_each(r, &keyboards)
		if (has_focus(r))
			wl_keyboard_send_key(r, serial, (uint32_t)e->time,
				e->keycode - EVDEV, e->type == KeyPress);
}

static void on_state(const XkbStateNotifyEvent *e)
{
	struct wl_resource *r;

	modifiers.base = e->base_mods;
	modifiers.latched = e->latched_mods;
	modifiers.locked = e->locked_mods;
	modifiers.group = (uint32_t)e->group;
	wl_resource_for_each(r, &keyboards)
		if (has_focus(r))
			send_modifiers(r);
}

bool keyboard_event(const XEvent *e)
{
	const XkbEvent *k = (const XkbEvent *)e;

	switch (e->type) {
	case FocusIn: case FocusOut: on_focus(&e->xfocus); return true;
	case KeyPress: case KeyRelease: on_key(&e->xkey); return true;
	case MappingNotify: is_stale = true; return true;
	}
	if (e->type != event_base)
		return false;
	if (k->any.xkb_type == XkbStateNotify)
		on_state(&k->state);
	else
		is_stale = true;
	return true;
}

void keyboard_open(void)
{
	const unsigned maps = XkbMapNotifyMask | XkbNewKeyboardNotifyMask;
	const unsigned state = XkbModifierBaseMask | XkbModifierLatchMask |
		XkbModifierLockMask | XkbGroupStateMask;
	XkbStateRec now;

	XkbQueryExtension(server.x, NULL, &event_base, NULL, NULL, NULL);
	XkbSelectEvents(server.x, XkbUseCoreKbd, maps, maps);
	XkbSelectEventDetails(server.x, XkbUseCoreKbd, XkbStateNotify, state,
			      state);
	if (XkbGetState(server.x, XkbUseCoreKbd, &now))
		return;
	modifiers.base = now.base_mods;
	modifiers.latched = now.latched_mods;
	modifiers.locked = now.locked_mods;
	modifiers.group = now.group;
}

/* ---- the resource ------------------------------------------------------- */
static void keyboard_gone(struct wl_resource *r)
{
	wl_list_remove(wl_resource_get_link(r));
}

void keyboard_new(struct wl_client *c, int version, uint32_t id)
{
	static const struct wl_keyboard_interface calls = { end_resource };
	struct wl_resource *r = add_resource(c, &wl_keyboard_interface,
		version, id, &calls, NULL, keyboard_gone);

	if (!r)
		return;
	refresh_map();
	wl_list_insert(&keyboards, wl_resource_get_link(r));
	send_map(r);
	if (version >= WL_KEYBOARD_REPEAT_INFO_SINCE_VERSION)
		wl_keyboard_send_repeat_info(r, 0, 0);
	if (has_focus(r))
		send_enter(r);
}
