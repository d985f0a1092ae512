/*
 * trees.c - the host trees of a sandbox by their number (launch.h).
 */
#include "cli/launch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *kind_name(const struct sandbox_mount *m)
{
	if (m->kind == BOOT_MOUNT_VOLUME)
		return "volume";
	if (!strcmp(m->guest, DISPLAY_GUEST))
		return "display";
	return m->flags & SANDBOX_MOUNT_WHOLE ? "rootfs" : "system";
}

static bool is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

json_t *trees_json(const struct sandbox_config *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < c->mount_count; i++) {
		const struct sandbox_mount *m = &c->mounts[i];

		if (m->kind != BOOT_MOUNT_LAYER && m->kind != BOOT_MOUNT_VOLUME)
			continue;
		/* a path that is no text cannot be named, nor asked for */
		json_array_append_new(a, json_pack("{s:s,s:s,s:o,s:b,s:b,s:b}",
			"Kind", kind_name(m), "Guest", m->guest,
			"Host", json_string(m->host) ?: json_string(""),
			"ReadOnly", !!(m->flags & BOOT_MOUNT_RO),
			"NoExec", !!(m->flags & BOOT_MOUNT_NOEXEC),
			"IsFile", is_file(m->host)));
	}
	return a;
}

/* The same few trees are asked for again and again, by several threads. */
static const char *real_root(const char *top)
{
	static _Thread_local char *asked, *found;

	if (asked && !strcmp(asked, top))
		return found;
	free(asked);
	free(found);
	asked = xstrdup(top);
	return found = realpath(top, NULL);
}

/* No links below the root are followed here, nor by who opens the file. */
bool trees_find(void *arg, uint32_t tree, const char *path, char *host,
		size_t size)
{
	const json_t *t = json_array_get(arg, tree);
	const char *top = json_string_value(json_object_get(t, "Host"));
	const char *root = top && *top ? real_root(top) : NULL;
	bool is_file = json_is_true(json_object_get(t, "IsFile"));
	const char *slash = root && strcmp(root, "/") ? "/" : "";
	int n;

	if (!root)
		return false;
	n = snprintf(host, size, "%s%s%s", root, is_file ? "" : slash,
		     is_file ? "" : path);
	return n > 0 && (size_t)n < size;
}
