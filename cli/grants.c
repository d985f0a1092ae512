/*
 * grants.c - what an image was saved with against what the user grants now
 * (resuming.h).
 */
#include "cli/resuming.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- trees -------------------------------------------------------------- */
struct match {
	const struct request *r;
	struct mount_list *l;
	bool *used;          /* of r->user_mounts */
	char *missing;       /* what to pass, for the message */
	bool is_rootfs_used;
};

struct tree { const char *kind, *guest, *host; bool is_read_only, is_file; };

static int tree_read(const json_t *o, struct tree *t, struct err *e)
{
	t->kind = json_string_value(json_object_get(o, "Kind"));
	t->guest = json_string_value(json_object_get(o, "Guest"));
	t->host = json_string_value(json_object_get(o, "Host"));
	t->is_read_only = json_is_true(json_object_get(o, "ReadOnly"));
	t->is_file = json_is_true(json_object_get(o, "IsFile"));
	if (!t->kind || !t->guest || !t->host || *t->guest != '/')
		return err_set(e, STATUS_OURS, "the image's manifest is "
			       "damaged: bailey.trees");
	return 0;
}

static void ask_for(struct match *m, const char *option, const struct tree *t)
{
	m->missing = xasprintf("%s%s%s%s", m->missing, *m->missing ? "\n" : "",
		option, *t->host ? printable(xasprintf("  (it was %s)",
						t->host)) : "");
}

static int match_system(struct match *m, const struct tree *t, struct err *e)
{
	struct sandbox_mount *o;

	if (!view_has_system(t->guest))
		return err_set(e, STATUS_OURS, "this host has no system "
			"directory %s, which the image was saved with",
			printable(t->guest));
	o = mount_add(m->l);
	o->kind = BOOT_MOUNT_LAYER;
	o->mode = 0755;
	o->host = o->guest = t->guest;
	return 0;
}

static int match_rootfs(struct match *m, const struct tree *t, struct err *e)
{
	struct sandbox_mount *o;

	if (!m->r->rootfs) {
		ask_for(m, "--rootfs DIR", t);
		return 0;
	}
	m->is_rootfs_used = true;
	o = mount_add(m->l);
	o->kind = BOOT_MOUNT_LAYER;
	o->flags = SANDBOX_MOUNT_WHOLE;
	o->mode = 0755;
	o->host = m->r->rootfs;
	o->guest = "/";
	return 0;
}

/* The screen's server: this bailey's own, checked by what of it is mapped. */
static int match_display(struct match *m, struct err *e)
{
	struct sandbox_mount *o;
	const char *programs = display_programs(e);

	if (!programs)
		return -1;
	o = mount_add(m->l);
	o->kind = BOOT_MOUNT_LAYER;
	o->mode = 0755;
	o->host = programs;
	o->guest = DISPLAY_GUEST;
	return 0;
}

static int match_volume(struct match *m, const struct tree *t, struct err *e)
{
	const struct sandbox_mount *v = m->r->user_mounts.v;
	struct stat st;
	size_t i = m->r->user_mounts.count;

	while (i > 0 && (v[i - 1].kind != BOOT_MOUNT_VOLUME || m->used[i - 1] ||
			 strcmp(v[i - 1].guest, t->guest)))
		i--;
	if (!i) {
		ask_for(m, xasprintf("-v HOST:%s%s", printable(t->guest),
				     t->is_read_only ? ":ro" : ""), t);
		return 0;
	}
	if (!stat(v[i - 1].host, &st) && S_ISREG(st.st_mode) != t->is_file)
		return err_set(e, STATUS_OURS, "volume %s: the image was saved "
			"with a %s there, and %s is none", t->guest,
			t->is_file ? "file" : "directory", v[i - 1].host);
	m->used[i - 1] = true;
	*mount_add(m->l) = v[i - 1];
	if (t->is_read_only)
		m->l->v[m->l->count - 1].flags |= BOOT_MOUNT_RO;
	return 0;
}

static int match_tree(struct match *m, const json_t *o, struct err *e)
{
	struct tree t;

	if (tree_read(o, &t, e))
		return -1;
	if (!strcmp(t.kind, "system"))
		return match_system(m, &t, e);
	if (!strcmp(t.kind, "rootfs"))
		return match_rootfs(m, &t, e);
	if (!strcmp(t.kind, "volume"))
		return match_volume(m, &t, e);
	if (!strcmp(t.kind, "display"))
		return match_display(m, e);
	return err_set(e, STATUS_OURS, "the image was saved with a kind of "
		"tree that this bailey does not know: %s; use a newer one",
		printable(t.kind));
}

/* Every grant has a place in the image. */
static int check_used(const struct match *m, struct err *e)
{
	for (size_t i = 0; i < m->r->user_mounts.count; i++)
		if (!m->used[i])
			return err_set(e, STATUS_OURS, "volume %s: the image "
				"was not saved with one there; volumes cannot "
				"be added", m->r->user_mounts.v[i].guest);
	if (m->r->rootfs && !m->is_rootfs_used)
		return err_set(e, STATUS_OURS, "the image was not saved with "
			       "--rootfs; leave it out");
	return 0;
}

int grants_match(const struct request *r, const json_t *trees,
		 struct mount_list *l, struct err *e)
{
	struct match m = { .r = r, .l = l, .missing = xstrdup(""),
		.used = xcalloc(r->user_mounts.count, sizeof(bool)) };
	struct sandbox_mount *root;
	const json_t *o;
	size_t i;

	if (!json_is_array(trees))
		return err_set(e, STATUS_OURS, "the image's manifest is "
			       "damaged: bailey.trees");
	if (!r->rootfs) {
		root = mount_add(l);
		root->kind = BOOT_MOUNT_DIR;
		root->mode = 0755;
		root->guest = "/";
	}
	json_array_foreach(trees, i, o)
		if (match_tree(&m, o, e))
			return -1;
	if (*m.missing)
		return err_set(e, STATUS_OURS, "the image was saved with files "
			"of its host that are not granted here; pass\n%s",
			m.missing);
	return check_used(&m, e);
}

static const char *place_of(const struct tree *t, const char *rootfs)
{
	struct err ignored;

	if (!strcmp(t->kind, "system") && view_has_system(t->guest))
		return t->guest;
	if (!strcmp(t->kind, "rootfs"))
		return rootfs;
	return strcmp(t->kind, "display") ? NULL : display_programs(&ignored);
}

json_t *grants_trees(const json_t *manifest, const char *rootfs)
{
	json_t *all = json_array(), *o;
	struct err ignored;
	struct tree t;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(manifest, "bailey"),
					   "trees"), i, o) {
		const char *host = tree_read(o, &t, &ignored) ? NULL :
			place_of(&t, rootfs);

		json_array_append_new(all, json_pack("{s:s}", "Host",
						     host ? host : ""));
	}
	return all;
}

/* ---- ports -------------------------------------------------------------- */
/* "9000+:80" for clone 3 is "9003:80". */
static char *count_up(const char *s, unsigned clone)
{
	const char *plus = strchr(s, '+'), *digits = plus;

	while (digits && digits > s && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (!plus || digits == plus || plus[1] != ':' || plus - digits > 5)
		return xstrdup(s);
	return xasprintf("%.*s%lu%s", (int)(digits - s), s,
			 strtoul(digits, NULL, 10) + clone, plus + 1);
}

int grants_ports(struct request *r, const struct strings *ports,
		 unsigned clone, struct err *e)
{
	r->ports.count = 0;
	for (size_t i = 0; i < ports->count; i++)
		if (parse_port(r, count_up(ports->v[i], clone), e))
			return -1;
	if (r->display.is_on)
		display_publish(r);
	return 0;
}
