/*
 * logs.c - `bailey logs`: what a detached program wrote, or (--denied) which
 * requests the security monitor refused.
 */
#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct logs {
	bool is_following, is_denied, is_json;
	const char *tail;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct logs *o = ctx;
	uint32_t n;

	switch (id) {
	case OPT_FOLLOW: o->is_following = true; break;
	case OPT_DENIED: o->is_denied = true; break;
	case OPT_JSON: o->is_json = true; break;
	default:
		if (parse_u32(arg, INT32_MAX, &n) && strcmp(arg, "-1") &&
		    strcmp(arg, "all"))
			return err_set(e, STATUS_OURS, "tail '%s': a number of "
				       "lines is needed", arg);
		o->tail = arg;
	}
	return 0;
}

/* Where the last `lines` lines of fd start. */
static off_t tail_start(int fd, long lines)
{
	off_t at = lseek(fd, 0, SEEK_END);
	char block[4096];
	bool is_first = true;

	while (at > 0) {
		size_t n = at > (off_t)sizeof(block) ? sizeof(block) :
			(size_t)at;
		ssize_t got = pread(fd, block, n, at - (off_t)n);

		if (got <= 0)
			return 0;
		at -= (off_t)n;
		for (ssize_t i = got - 1; i >= 0; i--) {
			bool is_last_byte = is_first;

			is_first = false;
			if (block[i] == '\n' && !is_last_byte && lines-- <= 1)
				return at + i + 1;
		}
	}
	return 0;
}

/* ---- printing ---------------------------------------------------------------- */
static bool put(const char *p, size_t n)
{
	return fwrite(p, 1, n, stdout) == n && !fflush(stdout);
}

/* A refused request, as one readable line. */
static void put_denied(const char *line)
{
	json_t *o = json_loads(line, 0, NULL), *v;
	const char *key, *gap = "";

	if (!json_is_object(o)) {
		printf("%s\n", line);
		return;
	}
	json_object_foreach(o, key, v) {
		char *text = json_dumps(v, JSON_ENCODE_ANY);

		printf("%s%s=%s", gap, key, text ? text : "?");
		gap = " ";
		free(text);
	}
	printf("\n");
	json_decref(o);
}

static bool copy_denied(int fd)
{
	static char line[8192];
	static size_t n;
	char c;

	while (read(fd, &c, 1) == 1) {
		if (c != '\n' && n < sizeof(line) - 1) {
			line[n++] = c;
			continue;
		}
		line[n] = 0;
		put_denied(line);
		n = 0;
	}
	return !fflush(stdout);
}

static bool copy_bytes(int fd)
{
	char block[65536];
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0)
		if (!put(block, (size_t)n))
			return false;
	return true;
}

static bool copy_new(int fd, const struct logs *o)
{
	return o->is_denied && !o->is_json ? copy_denied(fd) : copy_bytes(fd);
}

static void follow(struct state *s, int fd, const struct logs *o)
{
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p[2] = { { watch, POLLIN, 0 }, { 1, 0, 0 } };
	char events[4096];

	inotify_add_watch(watch, s->dir, IN_MODIFY | IN_CLOSE_WRITE |
			  IN_DELETE_SELF | IN_CREATE);
	while (copy_new(fd, o)) {
		state_refresh(s);
		if (s->status == STATE_EXITED)
			break;
		/* a monitor that was killed says nothing: look now and then */
		if (poll(p, 2, 1000) < 0 || p[1].revents)
			break;
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
	copy_new(fd, o);
}

int cmd_logs(int argc, char **argv)
{
	struct logs o = { 0 };
	struct state s;
	struct err e;
	int at = options_parse(CMD_LOGS, argc, argv, set, &o, &e);
	int fd;

	if (at < 0)
		return message_error(&e);
	if (argc - at != 1)
		return fail("usage: bailey logs [OPTIONS] SANDBOX");
	if (state_find(argv[at], &s, &e))
		return message_error(&e);
	fd = open(xasprintf("%s/%s", s.dir, o.is_denied ? "denied" : "log"),
		  O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0; /* nothing was written */
	if (fd < 0)
		return fail("logs of %s: %s", s.name, strerror(errno));
	if (o.tail && *o.tail >= '0' && *o.tail <= '9')
		lseek(fd, atol(o.tail) ? tail_start(fd, atol(o.tail)) :
		      lseek(fd, 0, SEEK_END), SEEK_SET);
	if (o.is_following)
		follow(&s, fd, &o);
	else
		copy_new(fd, &o);
	return 0;
}
