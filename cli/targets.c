/*
 * targets.c - see targets.h.
 */
#include "cli/targets.h"

#include <bailey/sandbox.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int targets_each(const char *command, bool is_all, int argc, char **argv,
		 int (*act)(struct state *s, void *ctx, struct err *e),
		 void *ctx)
{
	struct states l = { 0 };
	struct state s;
	struct err e;
	int status = 0;

	if (is_all && state_list(&l, &e))
		return message_error(&e);
	if (!is_all && !argc)
		return fail("which one? usage: bailey %s [OPTIONS] SANDBOX...",
			    command);
	for (size_t i = 0; i < l.count; i++)
		if (act(&l.v[i], ctx, &e))
			status = message_error(&e);
	for (int i = 0; i < argc; i++)
		if (state_find(argv[i], &s, &e) || act(&s, ctx, &e))
			status = message_error(&e);
	return status;
}

int target_signal(const struct state *s, int sig, struct err *e)
{
	struct control_msg m = { .op = CTL_KILL, .a = sig };
	char *text = xcalloc(1, CONTROL_PAYLOAD_MAX);
	int fd = state_connect(s, e);
	int err = 0;

	if (fd < 0)
		return -1;
	if (control_send(fd, &m, NULL, NULL, 0))
		err = errno;
	/* the end itself is an answer too, and so is a closed connection
	 * after SIGKILL */
	while (!err && control_recv(fd, &m, text, CONTROL_PAYLOAD_MAX) > 0) {
		if (m.op == CTL_ERROR)
			err = m.a ? m.a : EIO;
		if (m.op == CTL_DONE || m.op == CTL_ENDED)
			break;
	}
	close(fd);
	free(text);
	if (err)
		return err_set(e, STATUS_OURS, "%s: %s", s->name,
			       strerror(err));
	return 0;
}

bool target_wait(struct state *s, int milliseconds)
{
	struct control_msg m = { .op = CTL_WAIT };
	int fd = sandbox_connect(s->dir);
	struct pollfd p = { fd, POLLIN, 0 };
	char text[1024];

	if (fd >= 0 && !control_send(fd, &m, NULL, NULL, 0)) {
		while (poll(&p, 1, milliseconds) > 0)
			if (control_recv(fd, &m, text, sizeof(text)) <= 0)
				break;
	}
	if (fd >= 0)
		close(fd);
	state_refresh(s);
	return s->status == STATE_EXITED;
}
