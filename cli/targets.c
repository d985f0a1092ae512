/*
 * targets.c - see targets.h.
 */
#include "cli/targets.h"

#include <arpa/inet.h>
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

int target_ask(const struct state *s, int control, const struct control_msg *m,
	       char *payload, int milliseconds, struct err *e)
{
	struct control_msg answer;
	struct pollfd p = { control, POLLIN, 0 };
	int n = control_send(control, m, NULL, NULL, 0) ? -1 : 1;

	while (n > 0 && (n = poll(&p, 1, milliseconds)) > 0) {
		n = control_recv(control, &answer, payload,
				 CONTROL_PAYLOAD_MAX);
		if (n <= 0 || answer.op == CTL_ENDED)
			return err_set(e, STATUS_OURS, "%s has ended",
				       s->name);
		if (answer.op == CTL_DONE && answer.b == m->op)
			return (int)answer.size;
		if (answer.op == CTL_ERROR)
			return err_set(e, STATUS_OURS, "%s: %.300s", s->name,
				*payload ? payload : strerror(answer.a));
	}
	return err_set(e, STATUS_OURS, "%s: %s", s->name,
		       n ? strerror(errno) : "its monitor does not answer");
}

bool target_is_paused(const struct state *s)
{
	struct control_msg m = { .op = CTL_STATE };
	char *payload = xcalloc(1, CONTROL_PAYLOAD_MAX);
	int fd = state_connect(s, NULL);
	struct control_state st = { 0 };

	if (fd >= 0 && target_ask(s, fd, &m, payload, 2000, NULL) >=
	    (int)sizeof(st))
		memcpy(&st, payload, sizeof(st));
	if (fd >= 0)
		close(fd);
	free(payload);
	return st.is_paused;
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

/* ---- waiting ------------------------------------------------------------ */
static bool is_bound(const char *ip, int port, bool is_udp)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { .v4.sin_family = AF_INET };
	socklen_t size = sizeof(a.v4);
	int one = 1, fd;
	bool is_taken;

	if (inet_pton(AF_INET, ip, &a.v4.sin_addr) == 1) {
		a.v4.sin_port = htons((uint16_t)port);
	} else if (inet_pton(AF_INET6, ip, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons((uint16_t)port);
		size = sizeof(a.v6);
	}
	fd = socket(a.any.sa_family, (is_udp ? SOCK_DGRAM : SOCK_STREAM) |
		    SOCK_CLOEXEC, 0);
	if (!is_udp) /* old connections do not count */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	is_taken = bind(fd, &a.any, size) && errno == EADDRINUSE;
	close(fd);
	return is_taken;
}

/* The host takes a moment to end a sandbox's processes, which hold its ports;
 * the next one may want the same. */
static void await_ports(const struct state *s)
{
	const json_t *p;
	int tries = 500;
	size_t i;

	json_array_foreach(json_object_get(s->json, "Ports"), i, p) {
		const char *proto = json_string_value(json_object_get(p,
								"protocol"));
		const char *ip = json_string_value(json_object_get(p,
								"host_ip"));
		int port = (int)json_integer_value(json_object_get(p,
								"host_port"));

		while (ip && proto && tries-- > 0 &&
		       is_bound(ip, port, !strcmp(proto, "udp")))
			usleep(1000);
	}
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
	if (s->status == STATE_EXITED)
		await_ports(s);
	return s->status == STATE_EXITED;
}
