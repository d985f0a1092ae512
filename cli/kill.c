/*
 * kill.c - `bailey kill`, `bailey stop`, `bailey wait`.
 */
#include "cli/targets.h"

#include <signal.h>
#include <string.h>

struct how {
	int sig;
	uint32_t seconds;
	bool is_all;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct how *h = ctx;

	if (id == OPT_ALL)
		h->is_all = true;
	if (id == OPT_SIGNAL && (h->sig = parse_signal(arg)) <= 0)
		return err_set(e, STATUS_OURS, "signal '%s' is not known",
			       arg);
	if (id == OPT_TIME && parse_u32(arg, 1u << 20, &h->seconds))
		return err_set(e, STATUS_OURS, "time '%s': a number of seconds "
			       "is needed", arg);
	return 0;
}

static int kill_one(struct state *s, void *ctx, struct err *e)
{
	struct how *h = ctx;

	if (h->is_all && s->status != STATE_RUNNING)
		return 0;
	if (target_signal(s, h->sig, e))
		return -1;
	if (h->sig == SIGKILL)
		target_wait(s, 5000);
	printf("%s\n", s->name);
	return 0;
}

int cmd_kill(int argc, char **argv)
{
	struct how h = { .sig = SIGKILL };
	struct err e;
	int at = options_parse(CMD_KILL, argc, argv, set, &h, &e);

	if (at < 0)
		return message_error(&e);
	return targets_each("kill", h.is_all, argc - at, argv + at, kill_one,
			    &h);
}

/* Stopping what has ended already is no error, as with podman. */
static int stop_one(struct state *s, void *ctx, struct err *e)
{
	struct how *h = ctx;

	if (s->status == STATE_RUNNING) {
		if (target_signal(s, SIGTERM, e))
			return -1;
		if (!target_wait(s, (int)h->seconds * 1000)) {
			if (target_signal(s, SIGKILL, e))
				return -1;
			target_wait(s, 5000);
		}
	}
	printf("%s\n", s->name);
	return 0;
}

int cmd_stop(int argc, char **argv)
{
	struct how h = { .seconds = 10 };
	struct err e;
	int at = options_parse(CMD_STOP, argc, argv, set, &h, &e);

	if (at < 0)
		return message_error(&e);
	return targets_each("stop", h.is_all, argc - at, argv + at, stop_one,
			    &h);
}

static int wait_one(struct state *s, void *ctx, struct err *e)
{
	while (!target_wait(s, -1))
		;
	printf("%d\n", s->exit_code);
	return 0;
}

int cmd_wait(int argc, char **argv)
{
	struct err e;
	int at = options_parse(CMD_WAIT, argc, argv, NULL, NULL, &e);

	if (at < 0)
		return message_error(&e);
	return targets_each("wait", false, argc - at, argv + at, wait_one,
			    NULL);
}
