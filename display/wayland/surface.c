/*
 * surface.c - wl_compositor: surfaces, their buffers and their regions
 * (wayland.h).
 *
 * A commit first joins what is cached; unless the surface is a synchronised
 * subsurface it then becomes current, with all that its children have cached.
 * A window without subsurfaces gives its buffer back as soon as it is drawn,
 * so that its client can do with one (window.c).
 */
#include "display/wayland/wayland.h"

#include <stdlib.h>

enum { COMPOSITOR_VERSION = 4, SIDE_MAX = 16384, FRAME_MS = 16, SCALE_MAX = 8 };

static struct wl_list frames; /* callbacks of what was committed */
static struct wl_event_source *frame_timer;
static uint32_t last_frame;

/* ---- buffers ------------------------------------------------------------ */
static void buffer_gone(struct wl_listener *l, void *data)
{
	struct held *h = wl_container_of(l, h, gone);

	h->buffer = NULL;
}

static void hold(struct held *h, struct wl_resource *buffer)
{
	if (h->buffer)
		wl_list_remove(&h->gone.link);
	h->buffer = buffer;
	h->gone.notify = buffer_gone;
	if (buffer)
		wl_resource_add_destroy_listener(buffer, &h->gone);
}

static void give_back(struct held *h)
{
	struct wl_resource *buffer = h->buffer;

	hold(h, NULL);
	if (buffer)
		wl_buffer_send_release(buffer);
}

void surface_release(struct surface *s)
{
	give_back(&s->buffer);
}

/* ---- changes ------------------------------------------------------------ */
static void change_init(struct change *c)
{
	pixman_region32_init(&c->damage);
}

static void change_end(struct change *c)
{
	hold(&c->buffer, NULL);
	pixman_region32_fini(&c->damage);
}

static void change_move(struct change *to, struct change *from)
{
	if (from->is_attached) {
		if (to->buffer.buffer != from->buffer.buffer)
			give_back(&to->buffer);
		hold(&to->buffer, from->buffer.buffer);
		hold(&from->buffer, NULL);
		to->is_attached = true;
		from->is_attached = false;
	}
	pixman_region32_union(&to->damage, &to->damage, &from->damage);
	pixman_region32_clear(&from->damage);
}

static void take_buffer(struct surface *s, struct held *from)
{
	struct wl_shm_buffer *shm;
	int w = 0, h = 0;

	if (s->buffer.buffer != from->buffer)
		give_back(&s->buffer);
	hold(&s->buffer, from->buffer);
	hold(from, NULL);
	shm = s->buffer.buffer ? wl_shm_buffer_get(s->buffer.buffer) : NULL;
	s->has_picture = shm;
	if (shm) {
		w = wl_shm_buffer_get_width(shm) / s->scale;
		h = wl_shm_buffer_get_height(shm) / s->scale;
	}
	if (w != s->width || h != s->height)
		pixman_region32_union_rect(&s->damage, &s->damage, 0, 0,
			(unsigned)(w > s->width ? w : s->width),
			(unsigned)(h > s->height ? h : s->height));
	s->width = w;
	s->height = h;
}

static void apply(struct surface *s)
{
	struct layer *l;

	if (s->cached.is_attached)
		take_buffer(s, &s->cached.buffer);
	s->cached.is_attached = false;
	pixman_region32_union(&s->damage, &s->damage, &s->cached.damage);
	pixman_region32_clear(&s->cached.damage);
	wl_list_for_each(l, &s->stack, link) {
		struct surface *child = l->surface;
		struct surface *root;

		if (child == s)
			continue;
		if (child->x != child->next_x || child->y != child->next_y) {
			child->x = child->next_x;
			child->y = child->next_y;
			root = surface_root(s);
			if (root->window)
				root->window->is_stale = true;
		}
		if (child->is_synchronised)
			apply(child);
	}
}

static void on_commit(struct wl_client *c, struct wl_resource *r)
{
	struct surface *s = surface_of(r), *root;

	change_move(&s->cached, &s->pending);
	if (!wl_list_empty(&s->frames)) {
		wl_list_insert_list(&frames, &s->frames);
		wl_list_init(&s->frames);
		surface_send_frames();
	}
	if (subsurface_is_synchronised(s))
		return;
	apply(s);
	root = surface_root(s);
	if (s->role == ROLE_CURSOR)
		cursor_commit(s);
	else if (s->window)
		shell_commit(s->window);
	else if (root->window)
		window_update(root->window);
}

/* ---- frames ------------------------------------------------------------- */
static int on_frame(void *data)
{
	struct wl_resource *r, *next;

	last_frame = clock_ms();
	wl_resource_for_each_safe(r, next, &frames) {
		wl_callback_send_done(r, last_frame);
		wl_resource_destroy(r);
	}
	return 0;
}

/* At once if the last one is long ago; else in its turn. */
void surface_send_frames(void)
{
	uint32_t since = clock_ms() - last_frame;

	wl_event_source_timer_update(frame_timer, since >= FRAME_MS ? 1 :
				     (int)(FRAME_MS - since));
}

static void frame_gone(struct wl_resource *r)
{
	wl_list_remove(wl_resource_get_link(r));
}

static void on_frame_wanted(struct wl_client *c, struct wl_resource *r,
			    uint32_t id)
{
	struct surface *s = surface_of(r);
	struct wl_resource *callback = add_resource(c, &wl_callback_interface,
		1, id, NULL, NULL, frame_gone);

	if (callback)
		wl_list_insert(s->frames.prev,
			       wl_resource_get_link(callback));
}

/* ---- what a client says of a surface ------------------------------------ */
static void on_attach(struct wl_client *c, struct wl_resource *r,
		      struct wl_resource *buffer, int32_t x, int32_t y)
{
	struct surface *s = surface_of(r);

	hold(&s->pending.buffer, buffer);
	s->pending.is_attached = true;
}

static int within(int value, int least, int most)
{
	return value < least ? least : value > most ? most : value;
}

static void damage(struct surface *s, int x, int y, int w, int h)
{
	x = within(x, -SIDE_MAX, SIDE_MAX);
	y = within(y, -SIDE_MAX, SIDE_MAX);
	pixman_region32_union_rect(&s->pending.damage, &s->pending.damage,
		x, y, (unsigned)within(w, 0, 2 * SIDE_MAX),
		(unsigned)within(h, 0, 2 * SIDE_MAX));
}

static void on_damage(struct wl_client *c, struct wl_resource *r, int32_t x,
		      int32_t y, int32_t w, int32_t h)
{
	damage(surface_of(r), x, y, w, h);
}

static void on_damage_buffer(struct wl_client *c, struct wl_resource *r,
			     int32_t x, int32_t y, int32_t w, int32_t h)
{
	struct surface *s = surface_of(r);

	if (s->scale == 1)
		damage(s, x, y, w, h);
	else
		damage(s, 0, 0, SIDE_MAX, SIDE_MAX);
}

static void on_opaque(struct wl_client *c, struct wl_resource *r,
		      struct wl_resource *region)
{
}

static void on_input(struct wl_client *c, struct wl_resource *r,
		     struct wl_resource *region)
{
	struct surface *s = surface_of(r);

	s->has_input = region;
	if (region)
		pixman_region32_copy(&s->input,
				     wl_resource_get_user_data(region));
}

static void on_transform(struct wl_client *c, struct wl_resource *r, int32_t t)
{
}

static void on_scale(struct wl_client *c, struct wl_resource *r, int32_t scale)
{
	if (scale < 1 || scale > SCALE_MAX)
		wl_resource_post_error(r, WL_SURFACE_ERROR_INVALID_SCALE,
				       "a scale of %d", scale);
	else
		surface_of(r)->scale = scale;
}

static const struct wl_surface_interface calls = {
	end_resource, on_attach, on_damage, on_frame_wanted, on_opaque,
	on_input, on_commit, on_transform, on_scale, on_damage_buffer, NULL };

/* ---- drawing ------------------------------------------------------------ */
pixman_image_t *surface_picture(struct surface *s)
{
	struct wl_shm_buffer *b = s->buffer.buffer ?
		wl_shm_buffer_get(s->buffer.buffer) : NULL;
	pixman_image_t *p;
	pixman_transform_t larger;

	if (!b)
		return NULL;
	wl_shm_buffer_begin_access(b);
	p = pixman_image_create_bits_no_clear(
		wl_shm_buffer_get_format(b) == WL_SHM_FORMAT_XRGB8888 ?
		PIXMAN_x8r8g8b8 : PIXMAN_a8r8g8b8,
		wl_shm_buffer_get_width(b), wl_shm_buffer_get_height(b),
		wl_shm_buffer_get_data(b), wl_shm_buffer_get_stride(b));
	if (!p) {
		wl_shm_buffer_end_access(b);
	} else if (s->scale > 1) {
		pixman_transform_init_scale(&larger,
			pixman_int_to_fixed(s->scale),
			pixman_int_to_fixed(s->scale));
		pixman_image_set_transform(p, &larger);
	}
	return p;
}

void surface_picture_end(struct surface *s, pixman_image_t *picture)
{
	pixman_image_unref(picture);
	wl_shm_buffer_end_access(wl_shm_buffer_get(s->buffer.buffer));
}

static void draw_own(struct surface *s, pixman_image_t *to, int x, int y,
		     pixman_op_t how)
{
	pixman_image_t *p = surface_picture(s);

	if (!p)
		return;
	pixman_image_composite32(how, p, NULL, to, 0, 0, 0, 0, x, y, s->width,
				 s->height);
	surface_picture_end(s, p);
}

static void draw_rest(pixman_image_t *from, pixman_image_t *to)
{
	if (from)
		pixman_image_composite32(PIXMAN_OP_SRC, from, NULL, to, 0, 0, 0,
			0, 0, 0, pixman_image_get_width(from),
			pixman_image_get_height(from));
}

void surface_draw(struct surface *s, pixman_image_t *to, int x, int y,
		  pixman_image_t *rest)
{
	bool is_lowest = !s->parent && s->stack.next == &s->own.link;
	struct layer *l;

	wl_list_for_each(l, &s->stack, link) {
		if (l->surface != s)
			surface_draw(l->surface, to, x + l->surface->x,
				     y + l->surface->y, NULL);
		else if (s->buffer.buffer)
			draw_own(s, to, x, y, is_lowest ? PIXMAN_OP_SRC :
				 PIXMAN_OP_OVER);
		else
			draw_rest(rest, to);
	}
}

bool surface_has_parts(const struct surface *s)
{
	struct layer *l;

	wl_list_for_each(l, &s->stack, link)
		if (l->surface != s && (l->surface->has_picture ||
					surface_has_parts(l->surface)))
			return true;
	return false;
}

void surface_take_damage(struct surface *s, int x, int y,
			 pixman_region32_t *out)
{
	struct layer *l;

	pixman_region32_translate(&s->damage, x, y);
	pixman_region32_union(out, out, &s->damage);
	pixman_region32_clear(&s->damage);
	wl_list_for_each(l, &s->stack, link)
		if (l->surface != s)
			surface_take_damage(l->surface, x + l->surface->x,
					    y + l->surface->y, out);
}

struct area surface_bounds(struct surface *s)
{
	struct area all = { 0, 0, s->width, s->height };
	struct layer *l;

	wl_list_for_each(l, &s->stack, link) {
		struct area a;
		int right = all.x + all.width, bottom = all.y + all.height;

		if (l->surface == s || !l->surface->has_picture)
			continue;
		a = surface_bounds(l->surface);
		a.x += l->surface->x;
		a.y += l->surface->y;
		if (a.x + a.width > right)
			right = a.x + a.width;
		if (a.y + a.height > bottom)
			bottom = a.y + a.height;
		all.x = a.x < all.x ? a.x : all.x;
		all.y = a.y < all.y ? a.y : all.y;
		all.width = right - all.x;
		all.height = bottom - all.y;
	}
	return all;
}

struct surface *surface_at(struct surface *s, double *x, double *y)
{
	struct layer *l;

	wl_list_for_each_reverse(l, &s->stack, link) {
		double in_x = *x, in_y = *y;
		struct surface *found;

		if (l->surface == s) {
			if (!s->has_picture || in_x < 0 || in_y < 0 ||
			    in_x >= s->width || in_y >= s->height ||
			    (s->has_input && !pixman_region32_contains_point(
				&s->input, (int)in_x, (int)in_y, NULL)))
				continue;
			return s;
		}
		in_x -= l->surface->x;
		in_y -= l->surface->y;
		found = surface_at(l->surface, &in_x, &in_y);
		if (found) {
			*x = in_x;
			*y = in_y;
			return found;
		}
	}
	return NULL;
}

/* ---- surfaces come and go ----------------------------------------------- */
struct surface *surface_of(struct wl_resource *resource)
{
	return resource ? wl_resource_get_user_data(resource) : NULL;
}

bool surface_set_role(struct surface *s, enum role role)
{
	if (s->role != ROLE_NONE && s->role != role)
		return false;
	s->role = role;
	return true;
}

static void surface_gone(struct wl_resource *r)
{
	struct surface *s = surface_of(r);

	seat_forget(s);
	subsurface_forget(s);
	if (s->window) {
		window_destroy(s->window);
		s->window->surface = NULL;
	}
	wl_list_insert_list(&frames, &s->frames);
	change_end(&s->pending);
	change_end(&s->cached);
	hold(&s->buffer, NULL);
	pixman_region32_fini(&s->damage);
	pixman_region32_fini(&s->input);
	free(s);
}

static void on_surface_wanted(struct wl_client *c, struct wl_resource *r,
			      uint32_t id)
{
	struct surface *s = calloc(1, sizeof(*s));

	if (!s) {
		wl_client_post_no_memory(c);
		return;
	}
	change_init(&s->pending);
	change_init(&s->cached);
	pixman_region32_init(&s->damage);
	pixman_region32_init(&s->input);
	wl_list_init(&s->frames);
	wl_list_init(&s->stack);
	s->scale = 1;
	s->own.surface = s->in_parent.surface = s;
	wl_list_insert(&s->stack, &s->own.link);
	s->resource = add_resource(c, &wl_surface_interface,
		wl_resource_get_version(r), id, &calls, s, surface_gone);
	if (!s->resource)
		free(s);
}

/* ---- regions ------------------------------------------------------------ */
static void on_add(struct wl_client *c, struct wl_resource *r, int32_t x,
		   int32_t y, int32_t w, int32_t h)
{
	pixman_region32_t *region = wl_resource_get_user_data(r);

	if (w > 0 && h > 0)
		pixman_region32_union_rect(region, region, x, y, (unsigned)w,
					   (unsigned)h);
}

static void on_subtract(struct wl_client *c, struct wl_resource *r, int32_t x,
			int32_t y, int32_t w, int32_t h)
{
	pixman_region32_t *region = wl_resource_get_user_data(r), less;

	if (w <= 0 || h <= 0)
		return;
	pixman_region32_init_rect(&less, x, y, (unsigned)w, (unsigned)h);
	pixman_region32_subtract(region, region, &less);
	pixman_region32_fini(&less);
}

static void region_gone(struct wl_resource *r)
{
	pixman_region32_t *region = wl_resource_get_user_data(r);

	pixman_region32_fini(region);
	free(region);
}

static void on_region_wanted(struct wl_client *c, struct wl_resource *r,
			     uint32_t id)
{
	static const struct wl_region_interface region_calls = { end_resource,
		on_add, on_subtract };
	pixman_region32_t *region = malloc(sizeof(*region));

	if (!region) {
		wl_client_post_no_memory(c);
		return;
	}
	pixman_region32_init(region);
	if (!add_resource(c, &wl_region_interface, 1, id, &region_calls,
			  region, region_gone))
		free(region);
}

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct wl_compositor_interface compositor = {
		on_surface_wanted, on_region_wanted };

	add_resource(c, &wl_compositor_interface, (int)version, id,
		     &compositor, NULL, NULL);
}

void surface_globals(void)
{
	wl_list_init(&frames);
	frame_timer = wl_event_loop_add_timer(server.loop, on_frame, NULL);
	wl_global_create(server.display, &wl_compositor_interface,
			 COMPOSITOR_VERSION, NULL, bind);
}
