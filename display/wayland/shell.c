/*
 * shell.c - xdg_wm_base and xdg_surface: surfaces become windows (wayland.h).
 *
 * The first commit has no picture; it is answered with a size, and the window
 * is shown with the first picture after that.
 */
#include "display/wayland/wayland.h"
#include "xdg-shell-server.h"

#include <stdlib.h>

enum { SHELL_VERSION = 3 };

static struct window *window_of(struct wl_resource *r)
{
	return r ? wl_resource_get_user_data(r) : NULL;
}

/* ---- sizes -------------------------------------------------------------- */
void shell_configure(struct window *w)
{
	if (!w->surface || !w->xdg)
		return;
	if (w->toplevel)
		toplevel_configure(w);
	else if (w->popup)
		popup_configure(w);
	else
		return;
	xdg_surface_send_configure(w->xdg,
				   wl_display_next_serial(server.display));
}

void shell_configured(struct window *w)
{
	if (!w->toplevel || !w->is_mapped)
		return;
	if (w->width == w->geometry.width && w->height == w->geometry.height)
		return;
	if (w->width == w->sent_width && w->height == w->sent_height)
		return; /* it has been told, and wants another */
	w->sent_width = w->width;
	w->sent_height = w->height;
	shell_configure(w);
}

void shell_commit(struct window *w)
{
	bool was_shown;

	if (!w->toplevel && !w->popup)
		return;
	if (!w->was_configured) {
		w->was_configured = true;
		shell_configure(w);
	}
	was_shown = w->is_mapped;
	window_update(w);
	if (w->has_grab && was_shown != w->is_mapped)
		popup_grab_changed();
}

/* ---- xdg_surface -------------------------------------------------------- */
static void on_toplevel_wanted(struct wl_client *c, struct wl_resource *r,
			       uint32_t id)
{
	struct window *w = window_of(r);

	if (!w || !w->surface || w->id) {
		wl_resource_post_error(r, XDG_SURFACE_ERROR_ALREADY_CONSTRUCTED,
				       "it is a window already");
		return;
	}
	toplevel_new(c, w, id);
}

static void on_popup_wanted(struct wl_client *c, struct wl_resource *r,
	uint32_t id, struct wl_resource *parent, struct wl_resource *positioner)
{
	struct window *w = window_of(r), *p = window_of(parent);

	if (!w || !w->surface || w->id) {
		wl_resource_post_error(r, XDG_SURFACE_ERROR_ALREADY_CONSTRUCTED,
				       "it is a window already");
		return;
	}
	popup_new(c, w, id, p, positioner);
}

static void on_geometry(struct wl_client *c, struct wl_resource *r, int32_t x,
			int32_t y, int32_t width, int32_t height)
{
	struct window *w = window_of(r);

	if (!w || width <= 0 || height <= 0)
		return;
	w->next_geometry = (struct area){ x, y, width, height };
	w->has_geometry = true;
}

static void on_ack(struct wl_client *c, struct wl_resource *r, uint32_t serial)
{
}

static const struct xdg_surface_interface surface_calls = { end_resource,
	on_toplevel_wanted, on_popup_wanted, on_geometry, on_ack };

static void surface_gone(struct wl_resource *r)
{
	struct window *w = window_of(r);

	if (w->toplevel)
		wl_resource_set_user_data(w->toplevel, NULL);
	if (w->popup)
		wl_resource_set_user_data(w->popup, NULL);
	window_free(w);
}

/* ---- xdg_wm_base -------------------------------------------------------- */
static void on_surface_wanted(struct wl_client *c, struct wl_resource *r,
			      uint32_t id, struct wl_resource *surface)
{
	struct surface *s = surface_of(surface);
	struct window *w;

	if (s->window || !surface_set_role(s, ROLE_WINDOW)) {
		wl_resource_post_error(r, XDG_WM_BASE_ERROR_ROLE,
				       "it is in use");
		return;
	}
	w = window_new(s);
	if (w)
		w->xdg = add_resource(c, &xdg_surface_interface,
			wl_resource_get_version(r), id, &surface_calls, w,
			surface_gone);
	else
		wl_client_post_no_memory(c);
	if (w && !w->xdg)
		window_free(w);
}

static void on_pong(struct wl_client *c, struct wl_resource *r,
		    uint32_t serial)
{
}

static const struct xdg_wm_base_interface base_calls = { end_resource,
	positioner_new, on_surface_wanted, on_pong };

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	add_resource(c, &xdg_wm_base_interface, (int)version, id, &base_calls,
		     NULL, NULL);
}

void shell_globals(void)
{
	wl_global_create(server.display, &xdg_wm_base_interface, SHELL_VERSION,
			 NULL, bind);
}
