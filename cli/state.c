/*
 * state.c - see state.h.
 */
#include "cli/state.h"
#include "cli/targets.h"

#include <bailey/sandbox.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ID_DIGITS = 64, NAME_MAX_LENGTH = 128 };

/* ---- the directory --------------------------------------------------------- */
static int own_directory(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return err_set(e, STATUS_OURS, "cannot make %s: %s", path,
			       strerror(errno));
	if (lstat(path, &st) || !S_ISDIR(st.st_mode))
		return err_set(e, STATUS_OURS, "%s is not a directory", path);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(e, STATUS_OURS, "%s belongs to somebody else, "
			       "or others may enter it (mode %03o); set "
			       "XDG_RUNTIME_DIR", path, st.st_mode & 0777);
	return 0;
}

const char *state_root(struct err *e)
{
	static char *root;
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (root)
		return root;
	if (run && *run == '/')
		root = xasprintf("%s/bailey", run);
	else if (!geteuid())
		root = xstrdup("/run/bailey");
	else
		root = xasprintf("/tmp/bailey-%u", geteuid());
	if (own_directory(root, e) ||
	    own_directory(xasprintf("%s/names", root), e))
		root = NULL;
	return root;
}

/* ---- making one ------------------------------------------------------------- */
static char *new_id(void)
{
	unsigned char r[ID_DIGITS / 2];
	char *id = xcalloc(1, ID_DIGITS + 1);

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		abort(); /* cannot happen for so few bytes */
	for (size_t i = 0; i < sizeof(r); i++)
		sprintf(id + 2 * i, "%02x", r[i]);
	return id;
}

static bool is_good_name(const char *s)
{
	size_t n = strlen(s);

	return n && n <= NAME_MAX_LENGTH && *s != '.' && *s != '-' &&
		*s != '_' && n == strspn(s, "abcdefghijklmnopqrstuvwxyz"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
}

static char *name_link(const char *name)
{
	return xasprintf("%s/names/%s", state_root(NULL), name);
}

/* A name whose sandbox is gone, or has ended and was to be removed, is free. */
static int clear_name(const char *name, bool replace, struct err *e)
{
	struct state old;
	struct err ignored;
	bool is_removed;

	if (state_find(name, &old, &ignored)) {
		unlink(name_link(name));
		return 0;
	}
	is_removed = json_is_true(json_object_get(old.json, "AutoRemove"));
	if (!replace && !(old.status == STATE_EXITED && is_removed))
		return err_set(e, STATUS_OURS, "the name \"%s\" is in use by "
			"%.12s; remove it with `bailey rm %s%s` or take "
			"another --name", name, old.id,
			old.status == STATE_RUNNING ? "-f " : "", name);
	if (old.status == STATE_RUNNING && !target_signal(&old, SIGKILL, e))
		target_wait(&old, 5000);
	state_remove(&old);
	return 0;
}

static int claim_name(struct state *s, const char *name, bool replace,
		      struct err *e)
{
	if (name && !is_good_name(name))
		return err_set(e, STATUS_OURS, "the name \"%s\" is not good: "
			"letters, digits, '_', '.', '-' and no such sign "
			"first", name);
	for (int tries = 0; tries < 100; tries++) {
		s->name = name ? xstrdup(name) : name_random();
		if (!symlink(s->id, name_link(s->name)))
			return 0;
		if (errno != EEXIST)
			break;
		if (name && clear_name(name, replace, e))
			return -1;
	}
	return err_set(e, STATUS_OURS, "cannot take the name \"%s\": %s",
		       s->name, strerror(errno));
}

int state_create(struct state *s, const char *name, bool replace,
		 struct err *e)
{
	const char *root = state_root(e);

	*s = (struct state){ .reason = xstrdup("") };
	if (!root)
		return -1;
	s->id = new_id();
	s->dir = xasprintf("%s/%s", root, s->id);
	if (mkdir(s->dir, 0700))
		return err_set(e, STATUS_OURS, "cannot make %s: %s", s->dir,
			       strerror(errno));
	if (claim_name(s, name, replace, e)) {
		rmdir(s->dir);
		return -1;
	}
	return 0;
}

static int write_new_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	bool is_good;

	if (fd < 0)
		return -1;
	is_good = write(fd, text, n) == (ssize_t)n;
	return close(fd) || !is_good ? -1 : 0;
}

int state_save(struct state *s, struct err *e)
{
	char *text = json_dumps(s->json, JSON_INDENT(1));
	char *path = xasprintf("%s/state.json", s->dir);
	char *fresh = xasprintf("%s.new", path);

	if (text && !write_new_file(fresh, text) && !rename(fresh, path)) {
		free(text);
		return 0;
	}
	return err_set(e, STATUS_OURS, "cannot write %s: %s", path,
		       strerror(errno));
}

/* ---- looking ---------------------------------------------------------------- */
static void read_exit(struct state *s)
{
	bool is_oom = sandbox_cgroup_remove(s->dir);
	char *path = xasprintf("%s/exit", s->dir);
	char *text = read_file(path, NULL), *space;
	struct stat st;

	if (!stat(path, &st))
		s->ended = st.st_mtime;
	s->exit_code = 137; /* killed from outside: it could not say */
	s->reason = xstrdup(is_oom ? "the sandbox was ended: out of memory" :
			    "");
	if (!text || !*text)
		return;
	s->exit_code = sandbox_exit_code(atoi(text));
	text[strcspn(text, "\n")] = 0;
	space = strchr(text, ' ');
	if (space)
		s->reason = space + 1;
}

static bool has_ended(const struct state *s)
{
	struct stat st;

	return !stat(xasprintf("%s/exit", s->dir), &st) && st.st_size > 0;
}

/* A start takes milliseconds; after this long it has failed. */
static bool is_young(const struct state *s)
{
	struct stat st;

	return !stat(s->dir, &st) && time(NULL) - st.st_mtime < 30;
}

void state_refresh(struct state *s)
{
	int fd;

	if (has_ended(s)) {
		s->status = STATE_EXITED;
		read_exit(s);
		return;
	}
	fd = sandbox_connect(s->dir);
	if (fd >= 0) {
		s->status = STATE_RUNNING;
		close(fd);
		return;
	}
	/* no socket yet: being made, or its maker died before the start */
	s->status = errno == ENOENT && is_young(s) ? STATE_CREATED :
		STATE_EXITED;
	if (s->status == STATE_EXITED)
		read_exit(s);
}

static int state_load(struct state *s, const char *id, struct err *e)
{
	char *path = xasprintf("%s/%s/state.json", state_root(NULL), id);

	*s = (struct state){ .id = xstrdup(id), .reason = xstrdup("") };
	s->dir = xasprintf("%s/%s", state_root(NULL), id);
	if (access(s->dir, F_OK))
		return err_set(e, STATUS_OURS, "%s: %s", s->dir,
			       strerror(errno));
	/* not there yet, or its maker died: still listed and removable */
	s->json = json_load_file(path, 0, NULL);
	if (!s->json)
		s->json = json_object();
	s->name = xstrdup(json_string_value(json_object_get(s->json, "Name")) ?
		: "");
	state_refresh(s);
	return 0;
}

static bool is_id(const char *s)
{
	return strlen(s) == ID_DIGITS && strspn(s, "0123456789abcdef") ==
		ID_DIGITS;
}

/* The one id that starts like this; NULL and *many if there are several. */
static char *find_id(const char *start, bool *many)
{
	DIR *d = opendir(state_root(NULL));
	size_t n = strlen(start);
	struct dirent *entry;
	char *found = NULL;

	*many = false;
	if (!d)
		return NULL;
	while ((entry = readdir(d))) {
		if (!is_id(entry->d_name) || strncmp(entry->d_name, start, n))
			continue;
		*many = *many || found;
		found = xstrdup(entry->d_name);
	}
	closedir(d);
	return *many ? NULL : found;
}

int state_find(const char *which, struct state *s, struct err *e)
{
	char id[ID_DIGITS + 1], *found = NULL;
	bool many = false;
	ssize_t n;

	if (!state_root(e))
		return -1;
	if (is_good_name(which)) {
		n = readlink(name_link(which), id, ID_DIGITS);
		if (n == ID_DIGITS) {
			id[n] = 0;
			return state_load(s, id, e);
		}
	}
	if (*which && strspn(which, "0123456789abcdef") == strlen(which))
		found = find_id(which, &many);
	if (found)
		return state_load(s, found, e);
	return err_set(e, STATUS_OURS, many ? "\"%s\" is the start of several "
		       "ids; write more of it" : "no sandbox \"%s\"; `bailey "
		       "ps -a` lists them", which);
}

static int by_creation(const void *a, const void *b)
{
	const struct state *x = a, *y = b;
	json_int_t s = json_integer_value(json_object_get(x->json, "Created"));
	json_int_t t = json_integer_value(json_object_get(y->json, "Created"));

	return (s > t) - (s < t);
}

int state_list(struct states *l, struct err *e)
{
	const char *root = state_root(e);
	DIR *d = root ? opendir(root) : NULL;
	struct dirent *entry;
	struct state s;

	*l = (struct states){ 0 };
	if (!d)
		return root ? err_set(e, STATUS_OURS, "%s: %s", root,
				      strerror(errno)) : -1;
	while ((entry = readdir(d))) {
		if (!is_id(entry->d_name) ||
		    state_load(&s, entry->d_name, NULL))
			continue;
		if (s.status == STATE_EXITED &&
		    json_is_true(json_object_get(s.json, "AutoRemove"))) {
			state_remove(&s);
			continue;
		}
		l->v = xrealloc(l->v, (l->count + 1) * sizeof(s));
		l->v[l->count++] = s;
	}
	closedir(d);
	if (l->count)
		qsort(l->v, l->count, sizeof(s), by_creation);
	return 0;
}

/* ---- the end ----------------------------------------------------------------- */
/* The name goes last but only if it is still ours. */
void state_remove(struct state *s)
{
	static const char *const files[] = { "state.json", "state.json.new",
		"control", "log", "messages", "denied", "exit", "cgroup",
		"libos.elf" };
	char id[ID_DIGITS + 1];
	char *link = name_link(s->name);

	sandbox_cgroup_remove(s->dir);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(xasprintf("%s/%s", s->dir, files[i]));
	rmdir(s->dir);
	if (*s->name && readlink(link, id, ID_DIGITS) == ID_DIGITS &&
	    !memcmp(id, s->id, ID_DIGITS))
		unlink(link);
}

const char *state_status_name(enum state_status s)
{
	return s == STATE_RUNNING ? "running" :
		s == STATE_EXITED ? "exited" : "created";
}

int state_connect(const struct state *s, struct err *e)
{
	int fd = sandbox_connect(s->dir);

	if (fd < 0)
		return err_set(e, STATUS_OURS, "%s is not running", s->name);
	return fd;
}

json_t *state_command(const struct state *s)
{
	return json_object_get(s->json, "Command");
}
