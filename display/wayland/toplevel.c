/*
 * toplevel.c - xdg_toplevel: windows that the window manager places, and
 * xdg_decoration: it draws no frames, and so nobody shall (wayland.h).
 *
 * A window that will fill the screen is told so before it draws anything
 * (windows.c says which those are); all else follows what X reports.
 */
#include "display/wayland/wayland.h"
#include "xdg-decoration-server.h"
#include "xdg-shell-server.h"

#include <X11/Xatom.h>
#include <string.h>

static struct window *window_of(struct wl_resource *r)
{
	return r ? wl_resource_get_user_data(r) : NULL;
}

/* ---- what the client is told -------------------------------------------- */
static bool will_fill(const struct window *w)
{
	return !w->parent && !(w->max_width && w->max_height &&
		(w->max_width < server.width ||
		 w->max_height < server.height));
}

static bool is_filling(const struct window *w)
{
	return w->is_mapped ? w->width >= server.width &&
		w->height >= server.height : will_fill(w);
}

static void add_state(struct wl_array *a, uint32_t state)
{
	uint32_t *p = wl_array_add(a, sizeof(*p));

	if (p)
		*p = state;
}

void toplevel_configure(struct window *w)
{
	struct wl_array states;

	if (!w->is_mapped && will_fill(w)) {
		w->sent_width = server.width;
		w->sent_height = server.height;
	}
	wl_array_init(&states);
	if (is_filling(w))
		add_state(&states, XDG_TOPLEVEL_STATE_MAXIMIZED);
	if (w->is_fullscreen)
		add_state(&states, XDG_TOPLEVEL_STATE_FULLSCREEN);
	if (w->is_active || !w->is_mapped)
		add_state(&states, XDG_TOPLEVEL_STATE_ACTIVATED);
	xdg_toplevel_send_configure(w->toplevel, w->sent_width,
				    w->sent_height, &states);
	wl_array_release(&states);
}

void toplevel_focus(struct window *w, bool is_active)
{
	if (!w->toplevel || w->is_active == is_active)
		return;
	w->is_active = is_active;
	if (w->was_configured)
		shell_configure(w);
}

void toplevel_close(struct window *w)
{
	if (w->toplevel)
		xdg_toplevel_send_close(w->toplevel);
}

/* ---- what X is told ----------------------------------------------------- */
static void set_hints(struct window *w)
{
	XSizeHints h = { .flags = 0 };

	if (w->min_width && w->min_height) {
		h.flags |= PMinSize;
		h.min_width = w->min_width;
		h.min_height = w->min_height;
	}
	if (w->max_width && w->max_height) {
		h.flags |= PMaxSize;
		h.max_width = w->max_width;
		h.max_height = w->max_height;
	}
	XSetWMNormalHints(server.x, w->id, &h);
}

static void on_parent(struct wl_client *c, struct wl_resource *r,
		      struct wl_resource *parent)
{
	struct window *w = window_of(r), *p = window_of(parent);

	if (!w || !w->id)
		return;
	w->parent = p;
	if (p && p->id)
		XSetTransientForHint(server.x, w->id, p->id);
	else
		XDeleteProperty(server.x, w->id, XA_WM_TRANSIENT_FOR);
}

static void on_title(struct wl_client *c, struct wl_resource *r,
		     const char *title)
{
	struct window *w = window_of(r);

	if (!w || !w->id)
		return;
	XStoreName(server.x, w->id, title);
	XChangeProperty(server.x, w->id, atom("_NET_WM_NAME"),
		atom("UTF8_STRING"), 8, PropModeReplace,
		(const unsigned char *)title, (int)strlen(title));
}

static void on_app_id(struct wl_client *c, struct wl_resource *r,
		      const char *id)
{
	struct window *w = window_of(r);
	XClassHint h = { (char *)(uintptr_t)id, (char *)(uintptr_t)id };

	if (w && w->id)
		XSetClassHint(server.x, w->id, &h);
}

static void on_max_size(struct wl_client *c, struct wl_resource *r,
			int32_t width, int32_t height)
{
	struct window *w = window_of(r);

	if (!w || !w->id)
		return;
	w->max_width = width;
	w->max_height = height;
	set_hints(w);
}

static void on_min_size(struct wl_client *c, struct wl_resource *r,
			int32_t width, int32_t height)
{
	struct window *w = window_of(r);

	if (!w || !w->id)
		return;
	w->min_width = width;
	w->min_height = height;
	set_hints(w);
}

/* ---- what is asked for -------------------------------------------------- */
static void fill(struct window *w)
{
	w->sent_width = server.width;
	w->sent_height = server.height;
	if (w->is_mapped)
		XResizeWindow(server.x, w->id, (unsigned)server.width,
			      (unsigned)server.height);
	shell_configure(w);
}

static void on_maximise(struct wl_client *c, struct wl_resource *r)
{
	struct window *w = window_of(r);

	if (w && w->was_configured)
		fill(w);
}

static void on_fullscreen(struct wl_client *c, struct wl_resource *r,
			  struct wl_resource *output)
{
	struct window *w = window_of(r);

	if (!w)
		return;
	w->is_fullscreen = true;
	if (w->was_configured)
		fill(w);
}

static void on_no_fullscreen(struct wl_client *c, struct wl_resource *r)
{
	struct window *w = window_of(r);

	if (!w)
		return;
	w->is_fullscreen = false;
	if (w->was_configured)
		shell_configure(w);
}

/* Refused, which is said too. */
static void on_restore(struct wl_client *c, struct wl_resource *r)
{
	struct window *w = window_of(r);

	if (w && w->was_configured)
		shell_configure(w);
}

static void on_menu(struct wl_client *c, struct wl_resource *r,
	struct wl_resource *seat, uint32_t serial, int32_t x, int32_t y)
{
}

static void on_move(struct wl_client *c, struct wl_resource *r,
		    struct wl_resource *seat, uint32_t serial)
{
}

static void on_resize(struct wl_client *c, struct wl_resource *r,
		      struct wl_resource *seat, uint32_t serial, uint32_t edge)
{
}

static void on_minimise(struct wl_client *c, struct wl_resource *r)
{
}

static const struct xdg_toplevel_interface calls = { end_resource, on_parent,
	on_title, on_app_id, on_menu, on_move, on_resize, on_max_size,
	on_min_size, on_maximise, on_restore, on_fullscreen, on_no_fullscreen,
	on_minimise };

static void toplevel_gone(struct wl_resource *r)
{
	struct window *w = window_of(r);

	if (!w)
		return;
	if (w->surface)
		seat_forget(w->surface);
	window_destroy(w);
	w->toplevel = NULL;
	w->was_configured = w->has_geometry = false;
}

void toplevel_new(struct wl_client *c, struct window *w, uint32_t id)
{
	w->toplevel = add_resource(c, &xdg_toplevel_interface,
		wl_resource_get_version(w->xdg), id, &calls, w,
		toplevel_gone);
	if (w->toplevel)
		window_create(w, false);
}

/* ---- decoration --------------------------------------------------------- */
static void tell_mode(struct wl_resource *r)
{
	zxdg_toplevel_decoration_v1_send_configure(r,
		ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
}

static void on_mode(struct wl_client *c, struct wl_resource *r, uint32_t mode)
{
	tell_mode(r);
}

static void on_no_mode(struct wl_client *c, struct wl_resource *r)
{
	tell_mode(r);
}

static void on_decoration_wanted(struct wl_client *c, struct wl_resource *r,
				 uint32_t id, struct wl_resource *toplevel)
{
	static const struct zxdg_toplevel_decoration_v1_interface of_one = {
		end_resource, on_mode, on_no_mode };
	struct wl_resource *d = add_resource(c,
		&zxdg_toplevel_decoration_v1_interface, 1, id, &of_one, NULL,
		NULL);

	if (d)
		tell_mode(d);
}

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct zxdg_decoration_manager_v1_interface manager = {
		end_resource, on_decoration_wanted };

	add_resource(c, &zxdg_decoration_manager_v1_interface, 1, id, &manager,
		     NULL, NULL);
}

void toplevel_globals(void)
{
	wl_global_create(server.display,
		&zxdg_decoration_manager_v1_interface, 1, NULL, bind);
}
