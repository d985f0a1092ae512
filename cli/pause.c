/*
 * pause.c - `bailey pause`, `bailey unpause`: all of a sandbox stands still,
 * and goes on as if nothing had happened.
 */
#include "cli/targets.h"

#include <stdlib.h>
#include <unistd.h>

static int request(struct state *s, void *ctx, struct err *e)
{
	struct control_msg m = { .op = *(enum control_op *)ctx };
	char *payload = xcalloc(1, CONTROL_PAYLOAD_MAX);
	int fd = state_connect(s, e), n;

	if (fd < 0)
		return -1;
	n = target_ask(s, fd, &m, payload, 30000, e);
	close(fd);
	free(payload);
	if (n >= 0 && m.op == CTL_UNPAUSE &&
	    !json_object_del(s->json, "MovingTo"))
		state_save(s, e); /* it is here, as the user knows */
	if (n >= 0)
		printf("%s\n", s->name);
	return n < 0 ? -1 : 0;
}

/* --all: those that run; the others have nothing to stop. */
static int request_running(struct state *s, void *ctx, struct err *e)
{
	return s->status == STATE_RUNNING ? request(s, ctx, e) : 0;
}

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	*(bool *)ctx = true;
	return 0;
}

static int each(enum command_id cmd, enum control_op op, int argc, char **argv)
{
	bool is_all = false;
	struct err e;
	int at = options_parse(cmd, argc, argv, set, &is_all, &e);

	if (at < 0)
		return message_error(&e);
	return targets_each(commands[cmd].name, is_all, argc - at, argv + at,
			    is_all ? request_running : request, &op);
}

int cmd_pause(int argc, char **argv)
{
	return each(CMD_PAUSE, CTL_PAUSE, argc, argv);
}

int cmd_unpause(int argc, char **argv)
{
	return each(CMD_UNPAUSE, CTL_UNPAUSE, argc, argv);
}
