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

/* Is path in the directory dir? Both are absolute and without links. */
static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strcmp(dir, "/") || (!strncmp(path, dir, n) &&
				     (path[n] == '/' || !path[n]));
}

bool trees_find(void *arg, uint32_t tree, const char *path, char *host,
		size_t size)
{
	const json_t *t = json_array_get(arg, tree);
	const char *top = json_string_value(json_object_get(t, "Host"));
	char *root = top && *top ? realpath(top, NULL) : NULL, *found;
	bool is_good;

	if (!root)
		return false;
	found = json_is_true(json_object_get(t, "IsFile")) ? xstrdup(root) :
		realpath(xasprintf("%s/%s", root, path), NULL);
	is_good = found && is_below(found, root) &&
		(size_t)snprintf(host, size, "%s", found) < size;
	free(root);
	free(found);
	return is_good;
}
