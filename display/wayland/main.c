/*
 * main.c - bailey-display-wayland: the loop, and what every part needs
 * (wayland.h).
 *
 *   bailey-display-wayland     WAYLAND_LISTENER is a socket that listens
 *
 * The supervisor starts it when somebody connects; it ends IDLE_MS after its
 * last client has gone.
 */
#include "display/wayland/wayland.h"
#include "display/display.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { IDLE_MS = 3000, OUTPUT_VERSION = 3, REFRESH_MHZ = 60000 };

struct server server;
static struct wl_list outputs; /* resources */
static struct wl_event_source *idle;
static struct wl_listener on_client_new;
static int clients;

uint32_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

Atom atom(const char *name)
{
	return XInternAtom(server.x, name, False);
}

void end_resource(struct wl_client *client, struct wl_resource *resource)
{
	wl_resource_destroy(resource);
}

struct wl_resource *add_resource(struct wl_client *client,
	const struct wl_interface *interface, int version, uint32_t id,
	const void *implementation, void *data,
	wl_resource_destroy_func_t destroy)
{
	struct wl_resource *r = wl_resource_create(client, interface, version,
						   id);

	if (r)
		wl_resource_set_implementation(r, implementation, data,
					       destroy);
	else
		wl_client_post_no_memory(client);
	return r;
}

/* ---- the screen --------------------------------------------------------- */
static void tell_size(struct wl_resource *r)
{
	wl_output_send_mode(r, WL_OUTPUT_MODE_CURRENT |
			    WL_OUTPUT_MODE_PREFERRED, server.width,
			    server.height, REFRESH_MHZ);
	if (wl_resource_get_version(r) >= WL_OUTPUT_DONE_SINCE_VERSION)
		wl_output_send_done(r);
}

static void output_gone(struct wl_resource *r)
{
	wl_list_remove(wl_resource_get_link(r));
}

static void output_bind(struct wl_client *c, void *data, uint32_t version,
			uint32_t id)
{
	static const struct wl_output_interface calls = { end_resource };
	struct wl_resource *r = add_resource(c, &wl_output_interface,
		(int)version, id, &calls, NULL, output_gone);

	if (!r)
		return;
	wl_list_insert(&outputs, wl_resource_get_link(r));
	wl_output_send_geometry(r, 0, 0, server.width * 254 / 960,
		server.height * 254 / 960, WL_OUTPUT_SUBPIXEL_UNKNOWN,
		"bailey", "screen", WL_OUTPUT_TRANSFORM_NORMAL);
	if (version >= WL_OUTPUT_SCALE_SINCE_VERSION)
		wl_output_send_scale(r, 1);
	tell_size(r);
}

static void on_root(const XConfigureEvent *e)
{
	struct wl_resource *r;

	if (e->width == server.width && e->height == server.height)
		return;
	server.width = e->width;
	server.height = e->height;
	wl_resource_for_each(r, &outputs)
		tell_size(r);
}

/* ---- events of X -------------------------------------------------------- */
static void on_configure(const XConfigureEvent *e)
{
	struct window *w;

	if (e->window == server.root) {
		on_root(e);
		return;
	}
	w = window_find(e->window);
	if (!w)
		return;
	w->x = e->x;
	w->y = e->y;
	w->width = e->width;
	w->height = e->height;
	shell_configured(w);
}

static void on_message(const XClientMessageEvent *e)
{
	struct window *w = window_find(e->window);

	if (w && e->message_type == atom("WM_PROTOCOLS") &&
	    (Atom)e->data.l[0] == atom("WM_DELETE_WINDOW"))
		toplevel_close(w);
}

static void handle(const XEvent *e)
{
	struct window *w;

	if (pointer_event(e) || keyboard_event(e) || selection_event(e))
		return;
	switch (e->type) {
	case ConfigureNotify: on_configure(&e->xconfigure); break;
	case ClientMessage: on_message(&e->xclient); break;
	case Expose:
		w = window_find(e->xexpose.window);
		if (w)
			window_expose(w, &e->xexpose);
		break;
	}
}

/* A window may be gone at any moment. */
static int on_error(Display *d, XErrorEvent *e)
{
	if (getenv("BAILEY_DISPLAY_DEBUG"))
		fprintf(stderr, "X error %d, request %d.%d\n", e->error_code,
			e->request_code, e->minor_code);
	return 0;
}

static int on_readable(int fd, uint32_t mask, void *data)
{
	return 0; /* the loop looks after each wait */
}

/* ---- clients come and go ------------------------------------------------ */
static int on_idle(void *data)
{
	if (!clients)
		exit(0);
	return 0;
}

static void client_gone(struct wl_listener *l, void *data)
{
	free(l);
	if (!--clients)
		wl_event_source_timer_update(idle, IDLE_MS);
}

static void client_new(struct wl_listener *l, void *data)
{
	struct wl_listener *gone = calloc(1, sizeof(*gone));

	if (!gone) {
		wl_client_destroy(data);
		return;
	}
	gone->notify = client_gone;
	wl_client_add_destroy_listener(data, gone);
	clients++;
}

static void open_x(void)
{
	server.x = XOpenDisplay(NULL);
	if (!server.x || !XShmQueryExtension(server.x)) {
		fprintf(stderr, "bailey: display: no X server for Wayland\n");
		exit(1);
	}
	XSetErrorHandler(on_error);
	server.root = DefaultRootWindow(server.x);
	server.width = DisplayWidth(server.x, DefaultScreen(server.x));
	server.height = DisplayHeight(server.x, DefaultScreen(server.x));
	XSelectInput(server.x, server.root, StructureNotifyMask);
	wl_event_loop_add_fd(server.loop, ConnectionNumber(server.x),
			     WL_EVENT_READABLE, on_readable, NULL);
}

static void open_display(void)
{
	server.display = wl_display_create();
	if (!server.display || wl_display_add_socket_fd(server.display,
						       WAYLAND_LISTENER)) {
		fprintf(stderr, "bailey: display: no socket for Wayland\n");
		exit(1);
	}
	server.loop = wl_display_get_event_loop(server.display);
	idle = wl_event_loop_add_timer(server.loop, on_idle, NULL);
	wl_event_source_timer_update(idle, IDLE_MS);
	on_client_new.notify = client_new;
	wl_display_add_client_created_listener(server.display,
					       &on_client_new);
}

int main(void)
{
	XEvent e;

	signal(SIGPIPE, SIG_IGN); /* of who pastes no more */
	wl_list_init(&outputs);
	open_display();
	open_x();
	wl_display_init_shm(server.display);
	surface_globals();
	subsurface_globals();
	shell_globals();
	toplevel_globals();
	seat_globals();
	data_globals();
	wl_global_create(server.display, &wl_output_interface, OUTPUT_VERSION,
			 NULL, output_bind);
	for (;;) {
		while (XPending(server.x)) {
			XNextEvent(server.x, &e);
			handle(&e);
		}
		wl_display_flush_clients(server.display);
		wl_event_loop_dispatch(server.loop, -1);
	}
}
