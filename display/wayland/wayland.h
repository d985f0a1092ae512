/*
 * wayland.h - the parts of bailey-display-wayland: Wayland programs on the
 * sandbox's X server.
 *
 * Each xdg_toplevel is an X window, placed by the window manager as those of
 * X programs are; each xdg_popup is one that the window manager leaves alone.
 * The pictures of a surface and its subsurfaces are put together in memory
 * that the X server shares.  Keys, pointer and clipboard are X's.
 *
 * One thread, one loop (main.c).  Invariant: a resource whose object is gone
 * has no user data; who asks for an object of a resource expects NULL.
 */
#ifndef BAILEY_DISPLAY_WAYLAND_H
#define BAILEY_DISPLAY_WAYLAND_H

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wayland-server-protocol.h>

struct window;
struct surface;

struct area { int x, y, width, height; };

/* ---- main.c ------------------------------------------------------------- */
struct server {
	Display *x;
	Window root;
	int width, height; /* of the screen */
	struct wl_display *display;
	struct wl_event_loop *loop;
};
extern struct server server;

uint32_t clock_ms(void);
Atom atom(const char *name);
/* The common answer to a request that only ends its resource. */
void end_resource(struct wl_client *client, struct wl_resource *resource);
/* A resource that never needs more than its implementation, or NULL. */
struct wl_resource *add_resource(struct wl_client *client,
	const struct wl_interface *interface, int version, uint32_t id,
	const void *implementation, void *data,
	wl_resource_destroy_func_t destroy);

/* ---- surface.c ---------------------------------------------------------- */
enum role { ROLE_NONE, ROLE_WINDOW, ROLE_SUBSURFACE, ROLE_CURSOR };

/* A client's buffer, as long as there is one. */
struct held {
	struct wl_resource *buffer;
	struct wl_listener gone;
};

/* What a commit brings. */
struct change {
	struct held buffer;
	bool is_attached;
	pixman_region32_t damage; /* of the surface */
};

/* A place in a stack: a surface among its own subsurfaces, lowest first. */
struct layer {
	struct wl_list link;
	struct surface *surface;
};

struct surface {
	struct wl_resource *resource;
	enum role role;
	struct change pending; /* until the commit */
	struct change cached;  /* a subsurface's, until its parent's commit */
	struct wl_list frames; /* callbacks, until the commit */
	struct held buffer;    /* none: given back, its picture is drawn */
	pixman_region32_t damage, input;
	bool has_input;        /* a region of its own; else all of it */
	bool has_picture;
	int scale, width, height;
	struct layer own;
	struct wl_list stack;
	/* of a subsurface: */
	struct surface *parent;
	struct wl_resource *subsurface;
	struct layer in_parent;
	int x, y, next_x, next_y;
	bool is_synchronised;
	/* of a window: */
	struct window *window;
};

void surface_globals(void);
struct surface *surface_of(struct wl_resource *resource);
bool surface_set_role(struct surface *s, enum role role);
/* What is there of the surface at a place, or NULL; the place becomes its. */
struct surface *surface_at(struct surface *s, double *x, double *y);
/* All that was damaged in the tree since the last time, and forget it. */
void surface_take_damage(struct surface *s, int x, int y,
			 pixman_region32_t *out);
/* rest: its own picture, of what counts, if the buffer was given back. */
void surface_draw(struct surface *s, pixman_image_t *to, int x, int y,
		  pixman_image_t *rest);
/* The smallest area that holds all of the tree. */
struct area surface_bounds(struct surface *s);
/* Is a subsurface to be seen? */
bool surface_has_parts(const struct surface *s);
/* Give back its buffer. */
void surface_release(struct surface *s);
/* A picture of the buffer, until it is ended; NULL without one. */
pixman_image_t *surface_picture(struct surface *s);
void surface_picture_end(struct surface *s, pixman_image_t *picture);
void surface_send_frames(void);

/* ---- subsurface.c ------------------------------------------------------- */
void subsurface_globals(void);
bool subsurface_is_synchronised(const struct surface *s);
/* Its own surface or its parent is gone. */
void subsurface_forget(struct surface *s);
struct surface *surface_root(struct surface *s);

/* ---- window.c: a window of X -------------------------------------------- */
struct window {
	struct wl_list link;
	struct surface *surface; /* NULL: gone */
	struct wl_resource *xdg, *toplevel, *popup;
	Window id;
	bool is_mapped, is_stale; /* stale: all must be drawn */
	int x, y, width, height;  /* as X has it; x and y on the screen */
	int asked_width, asked_height; /* the last that X was asked for */
	struct area geometry;     /* what counts of the surface */
	struct area next_geometry;
	bool has_geometry, was_configured;
	XShmSegmentInfo segment;
	XImage *image;
	pixman_image_t *picture;  /* of image */
	pixman_image_t *rest;     /* what the surface's last buffer had, where
				   * it was given back and is wanted again */
	struct window *parent;
	/* of a toplevel: */
	int sent_width, sent_height, min_width, min_height, max_width,
		max_height;
	bool is_active, is_fullscreen;
	/* of a popup: */
	bool has_grab;
	int next_x, next_y;       /* from the parent's geometry */
};

extern struct wl_list windows;
struct window *window_new(struct surface *s);
void window_free(struct window *w);
/* Make the X window; popup: out of the window manager's sight. */
void window_create(struct window *w, bool is_popup);
void window_destroy(struct window *w);
struct window *window_find(Window id);
/* The surface's tree has changed: draw it, show it, hide it. */
void window_update(struct window *w);
void window_expose(struct window *w, const XExposeEvent *e);

/* ---- shell.c, toplevel.c, popup.c --------------------------------------- */
void shell_globals(void);
void shell_commit(struct window *w);
void shell_configured(struct window *w); /* X has moved or resized it */
void shell_configure(struct window *w);  /* tell the client */
void toplevel_new(struct wl_client *c, struct window *w, uint32_t id);
void toplevel_configure(struct window *w);
void toplevel_focus(struct window *w, bool is_active);
void toplevel_close(struct window *w);
void toplevel_globals(void);
void positioner_new(struct wl_client *c, struct wl_resource *base,
		    uint32_t id);
void popup_new(struct wl_client *c, struct window *w, uint32_t id,
	       struct window *parent, struct wl_resource *positioner);
void popup_configure(struct window *w);
void popup_end_all(void); /* a press outside */
struct window *popup_with_grab(void);
void popup_grab_changed(void); /* one is shown or gone */

/* ---- seat.c, pointer.c, keyboard.c, cursor.c ---------------------------- */
extern struct wl_list pointers, keyboards; /* resources */
void seat_globals(void);
void seat_forget(struct surface *s);
/* Is it an event of the pointer's or the keyboard's?  Then it is done. */
bool pointer_event(const XEvent *e);
bool keyboard_event(const XEvent *e);
void pointer_forget(struct surface *s);
void pointer_leave(void); /* whatever has it */
bool pointer_is_down(struct wl_client *c);
void pointer_new(struct wl_client *c, int version, uint32_t id);
void keyboard_forget(struct surface *s);
void keyboard_new(struct wl_client *c, int version, uint32_t id);
void keyboard_open(void);
void keyboard_refocus(void); /* a popup has come or gone */
struct wl_client *keyboard_client(void);
void cursor_set(struct surface *s, int x, int y); /* NULL: none */
void cursor_commit(struct surface *s);
void cursor_forget(struct surface *s);
void cursor_show(Window id, bool is_clients);

/* ---- data.c, primary.c, selection.c, drag.c: between programs ----------- */
enum which { CLIPBOARD, PRIMARY, SELECTIONS };

/* The two protocols: their interfaces, what they call, and what they send. */
struct dialect {
	const struct wl_interface *source, *device, *offer;
	const void *source_calls, *device_calls, *offer_calls;
	void (*send)(struct wl_resource *source, const char *type, int32_t fd);
	void (*cancelled)(struct wl_resource *source);
	void (*data_offer)(struct wl_resource *device, struct wl_resource *o);
	void (*type)(struct wl_resource *offer, const char *type);
	void (*selection)(struct wl_resource *device, struct wl_resource *o);
};
extern const struct dialect primary_dialect;

struct copied;
/* A program of Wayland that has copied, or drags. */
struct source {
	struct wl_resource *resource;
	struct copied *of;     /* data.c */
	struct wl_array types; /* char * */
	uint32_t actions;      /* of a drag */
	struct offer *offer;   /* of a drag */
};
void data_globals(void);
/* Requests that are the same in both protocols; resources of managers,
 * devices and offers have a struct copied as their data. */
struct copied *data_of(enum which which);
void data_source_wanted(struct wl_client *c, struct wl_resource *r,
			uint32_t id);
void data_device_wanted(struct wl_client *c, struct wl_resource *r,
			uint32_t id, struct wl_resource *seat);
void data_set(struct wl_client *c, struct wl_resource *r,
	      struct wl_resource *source, uint32_t serial);
void data_type(struct wl_client *c, struct wl_resource *r, const char *type);
void data_receive(struct wl_client *c, struct wl_resource *r,
		  const char *type, int32_t fd);
void data_focus(struct wl_client *c);
/* A program of X has copied this; types is the caller's. */
void data_offer_x(enum which which, char **types, size_t count);
struct wl_resource *data_device_of(struct wl_client *c); /* or NULL */
bool source_has(const struct source *s, const char *type);
/* Takes the fd. */
void source_send(const struct source *s, const char *type, int fd);

void primary_globals(void);

/* drag.c; s: NULL if the program does without */
void drag_start(struct wl_client *c, struct source *s);
bool drag_is_on(void); /* then it has the pointer */
void drag_motion(int x_root, int y_root, Time when);
void drag_drop(void);
void drag_forget(struct surface *s);
void drag_source_gone(struct source *s);
void drag_device_gone(struct wl_resource *r);

void selection_open(void);
bool selection_event(const XEvent *e);
/* s: NULL: nothing more */
void selection_own(enum which which, struct source *s);
/* Takes the fd. */
void selection_receive(enum which which, const char *type, int fd);

#endif
