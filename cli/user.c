/*
 * user.c - users and groups of the sandbox's own passwd and group files.
 * The files are read as text: the host's name services (and their plugins)
 * have no part in what is inside.
 */
#include "cli/request.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIELDS = 7 };

/* Split the line at *text into fields at ':'; false at the end. */
static bool next_record(char **text, char *field[FIELDS])
{
	char *line = *text, *end;

	if (!*line)
		return false;
	end = strchrnul(line, '\n');
	*text = end + (*end != 0);
	*end = 0;
	for (int i = 0; i < FIELDS; i++) {
		field[i] = line;
		line = strchrnul(line, ':');
		if (*line)
			*line++ = 0;
	}
	return true;
}

static char *read_database(const char *rootfs, const char *name)
{
	char *text = read_file(xasprintf("%s/etc/%s", rootfs ? rootfs : "",
					 name), NULL);

	return text ? text : xstrdup("");
}

/* Is the record that of this name or number? */
static bool is_meant(char *field[FIELDS], const char *who)
{
	return !strcmp(field[0], who) || !strcmp(field[2], who);
}

static void add_group(struct guest_user *u, uint32_t gid)
{
	for (size_t i = 0; i < u->group_count; i++)
		if (u->groups[i] == gid)
			return;
	u->groups = xrealloc(u->groups, (u->group_count + 1) *
			     sizeof(*u->groups));
	u->groups[u->group_count++] = gid;
}

static bool has_member(const char *list, const char *name)
{
	size_t n = strlen(name);

	while (*list) {
		size_t w = strcspn(list, ",");

		if (w == n && !memcmp(list, name, n))
			return true;
		list += w + (list[w] == ',');
	}
	return false;
}

static void groups_of(const char *rootfs, const char *name,
		      struct guest_user *u)
{
	char *text = read_database(rootfs, "group");
	char *f[FIELDS];
	uint32_t gid;

	while (next_record(&text, f))
		if (has_member(f[3], name) && !parse_u32(f[2], -2u, &gid))
			add_group(u, gid);
}

static int find_group(const char *rootfs, const char *who, uint32_t *gid,
		      struct err *e)
{
	char *text = read_database(rootfs, "group");
	char *f[FIELDS];

	while (next_record(&text, f))
		if (is_meant(f, who) && !parse_u32(f[2], -2u, gid))
			return 0;
	if (!parse_u32(who, -2u, gid))
		return 0;
	return err_set(e, STATUS_OURS, "group '%s' is not known inside", who);
}

static int find_user(const char *rootfs, const char *who,
		     struct guest_user *u, struct err *e)
{
	char *text = read_database(rootfs, "passwd");
	char *f[FIELDS];

	while (next_record(&text, f)) {
		if (!is_meant(f, who) || parse_u32(f[2], -2u, &u->uid) ||
		    parse_u32(f[3], -2u, &u->gid))
			continue;
		u->home = xstrdup(f[5]);
		groups_of(rootfs, f[0], u);
		return 0;
	}
	if (!parse_u32(who, -2u, &u->uid))
		return 0; /* a number without an account: group 0, as podman */
	if (!strcmp(who, "root"))
		return 0;
	return err_set(e, STATUS_OURS, "user '%s' is not known inside", who);
}

int user_resolve(const char *rootfs, const char *spec,
		 const struct strings *extra, struct guest_user *u,
		 struct err *e)
{
	char *user = xstrdup(spec ? spec : "0");
	char *group = strchr(user, ':');
	uint32_t gid;

	*u = (struct guest_user){ 0 };
	if (group)
		*group++ = 0;
	if (find_user(rootfs, *user ? user : "0", u, e))
		return -1;
	if (group) {
		if (find_group(rootfs, group, &u->gid, e))
			return -1;
		u->group_count = 0; /* an explicit group is the only one */
	}
	add_group(u, u->gid);
	for (size_t i = 0; i < extra->count; i++) {
		if (find_group(rootfs, extra->v[i], &gid, e))
			return -1;
		add_group(u, gid);
	}
	if (!u->home || !*u->home)
		u->home = xstrdup(u->uid ? "/" : "/root");
	return 0;
}
