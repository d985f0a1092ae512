/*
 * rm.c - `bailey rm`.
 */
#include "cli/targets.h"

#include <signal.h>

struct rm {
	bool is_forced, is_all;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct rm *r = ctx;

	if (id == OPT_FORCE)
		r->is_forced = true;
	else
		r->is_all = true;
	return 0;
}

static int rm_one(struct state *s, void *ctx, struct err *e)
{
	const struct rm *r = ctx;

	if (s->status != STATE_EXITED && !r->is_forced) {
		if (r->is_all)
			return 0;
		return err_set(e, STATUS_OURS, "%s is running; stop it first, "
			       "or use `bailey rm -f`", s->name);
	}
	if (s->status == STATE_RUNNING) {
		if (target_signal(s, SIGKILL, e))
			return -1;
		target_wait(s, 5000);
	}
	state_remove(s);
	printf("%s\n", s->name);
	return 0;
}

int cmd_rm(int argc, char **argv)
{
	struct rm r = { 0 };
	struct state s;
	struct err e;
	int at = options_parse(CMD_RM, argc, argv, set, &r, &e), n = 0;

	if (at < 0)
		return message_error(&e);
	if (!r.is_forced)
		return targets_each("rm", r.is_all, argc - at, argv + at,
				    rm_one, &r);
	for (int i = at; i < argc; i++) /* -f: missing ones are fine */
		if (!state_find(argv[i], &s, &e))
			argv[at + n++] = argv[i];
	if (!n && at < argc)
		return 0;
	return targets_each("rm", r.is_all, n, argv + at, rm_one, &r);
}
