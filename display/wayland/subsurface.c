/*
 * subsurface.c - wl_subcompositor: surfaces that are parts of others
 * (wayland.h).  Places change with the parent's commit, the order at once.
 */
#include "display/wayland/wayland.h"

static void make_stale(struct surface *s)
{
	struct surface *root = surface_root(s);

	if (root->window)
		root->window->is_stale = true;
}

struct surface *surface_root(struct surface *s)
{
	while (s->parent)
		s = s->parent;
	return s;
}

bool subsurface_is_synchronised(const struct surface *s)
{
	for (; s->parent; s = s->parent)
		if (s->is_synchronised)
			return true;
	return false;
}

/* ---- requests ----------------------------------------------------------- */
static void on_position(struct wl_client *c, struct wl_resource *r, int32_t x,
			int32_t y)
{
	struct surface *s = surface_of(r);

	if (!s)
		return;
	s->next_x = x;
	s->next_y = y;
}

/* Where in the parent's stack a sibling, or the parent itself, is. */
static struct wl_list *place_of(struct surface *s, struct wl_resource *other)
{
	struct surface *o = surface_of(other);

	if (o && o == s->parent)
		return &o->own.link;
	return o && o != s && s->parent && o->parent == s->parent ?
		&o->in_parent.link : NULL;
}

static void restack(struct wl_resource *r, struct wl_resource *other,
		    bool is_above)
{
	struct surface *s = surface_of(r);
	struct wl_list *place = s ? place_of(s, other) : NULL;

	if (!s)
		return;
	if (!place) {
		wl_resource_post_error(r, WL_SUBSURFACE_ERROR_BAD_SURFACE,
				       "not a sibling");
		return;
	}
	wl_list_remove(&s->in_parent.link);
	wl_list_insert(is_above ? place : place->prev, &s->in_parent.link);
	make_stale(s);
}

static void on_above(struct wl_client *c, struct wl_resource *r,
		     struct wl_resource *other)
{
	restack(r, other, true);
}

static void on_below(struct wl_client *c, struct wl_resource *r,
		     struct wl_resource *other)
{
	restack(r, other, false);
}

static void on_sync(struct wl_client *c, struct wl_resource *r)
{
	struct surface *s = surface_of(r);

	if (s)
		s->is_synchronised = true;
}

static void on_desync(struct wl_client *c, struct wl_resource *r)
{
	struct surface *s = surface_of(r);

	if (s)
		s->is_synchronised = false;
}

static const struct wl_subsurface_interface calls = { end_resource,
	on_position, on_above, on_below, on_sync, on_desync };

/* ---- they come and go --------------------------------------------------- */
static void leave_parent(struct surface *s)
{
	if (!s->parent)
		return;
	make_stale(s);
	wl_list_remove(&s->in_parent.link);
	s->parent = NULL;
}

void subsurface_forget(struct surface *s)
{
	struct layer *l, *next;

	leave_parent(s);
	if (s->subsurface)
		wl_resource_set_user_data(s->subsurface, NULL);
	wl_list_for_each_safe(l, next, &s->stack, link)
		if (l->surface != s)
			leave_parent(l->surface);
}

static void subsurface_gone(struct wl_resource *r)
{
	struct surface *s = surface_of(r), *root;

	if (!s)
		return;
	root = surface_root(s);
	leave_parent(s);
	s->subsurface = NULL;
	if (root->window)
		window_update(root->window);
}

static void on_subsurface_wanted(struct wl_client *c, struct wl_resource *r,
	uint32_t id, struct wl_resource *surface, struct wl_resource *parent)
{
	struct surface *s = surface_of(surface), *p = surface_of(parent);

	if (s->subsurface || surface_root(p) == s ||
	    !surface_set_role(s, ROLE_SUBSURFACE)) {
		wl_resource_post_error(r,
			WL_SUBCOMPOSITOR_ERROR_BAD_SURFACE, "it is in use");
		return;
	}
	s->subsurface = add_resource(c, &wl_subsurface_interface, 1, id,
				     &calls, s, subsurface_gone);
	if (!s->subsurface)
		return;
	s->parent = p;
	s->is_synchronised = true;
	s->x = s->y = s->next_x = s->next_y = 0;
	wl_list_insert(p->stack.prev, &s->in_parent.link);
}

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct wl_subcompositor_interface subcompositor = {
		end_resource, on_subsurface_wanted };

	add_resource(c, &wl_subcompositor_interface, (int)version, id,
		     &subcompositor, NULL, NULL);
}

void subsurface_globals(void)
{
	wl_global_create(server.display, &wl_subcompositor_interface, 1, NULL,
			 bind);
}
