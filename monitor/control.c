/*
 * control.c - the monitor's end of the control protocol: what commands ask
 * for, and what the library OS reports back to them.
 *
 * Commands are the invoking user's (the socket lies in a directory that only
 * he can enter); still each message is checked for its form.  A command that
 * does not read its answers is dropped.
 */
#include "mon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPAWNS (sizeof(((struct mon_client *)0)->spawns) / \
		sizeof(((struct mon_client *)0)->spawns[0]))

struct incoming {
	struct control_msg head;
	char payload[CONTROL_PAYLOAD_MAX];
	uint32_t size;
	int fds[4];
	unsigned fd_count;
};

static void client_send(struct monitor *m, struct mon_client *c,
			struct control_msg *msg, const void *payload)
{
	if (c->fd < 0)
		return;
	if (control_send(c->fd, msg, payload, NULL, 0) && errno != EPIPE)
		control_drop(m, c);
}

void client_done(struct monitor *m, struct mon_client *c, uint32_t op,
		 uint32_t token, const void *payload, size_t size)
{
	struct control_msg msg = { .op = CTL_DONE, .b = op, .token = token,
				   .size = (uint32_t)size };

	client_send(m, c, &msg, payload);
}

void client_error(struct monitor *m, struct mon_client *c, uint32_t op,
		  int error, const char *text)
{
	struct control_msg msg = { .op = CTL_ERROR, .b = op, .a = error,
				   .size = (uint32_t)strlen(text) };

	client_send(m, c, &msg, text);
}

/* ---- events to the library OS ------------------------------------------- */
/* Never waits: a sandbox that does not take its events loses them. */
int event_send(struct monitor *m, const struct host_event *ev,
	       const void *payload, const int *fds)
{
	struct host_event head = *ev;
	struct iovec iov[2] = {
		{ &head, sizeof(head) },
		{ (void *)(uintptr_t)payload, ev->payload_size } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(HOST_EVENT_HANDLES * sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t size = ev->handle_count * sizeof(int);

	if (size) {
		memset(&control, 0, sizeof(control));
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(size);
		control.align.cmsg_len = CMSG_LEN(size);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds, size);
	}
	return sendmsg(m->events, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ?
	       -errno : 0;
}

static void event_simple(struct monitor *m, uint32_t kind, uint32_t token,
			 uint64_t a, uint64_t b)
{
	struct host_event ev = { .kind = kind, .token = token, .a = a,
				 .b = b };

	event_send(m, &ev, NULL, NULL);
}

/* ---- requests of commands ------------------------------------------------ */
static bool client_has_spawn(const struct mon_client *c, uint32_t token)
{
	unsigned i;

	for (i = 0; i < SPAWNS; i++)
		if (c->spawns[i].used && c->spawns[i].token == token)
			return true;
	return false;
}

static void do_kill(struct monitor *m, struct mon_client *c,
		    const struct incoming *in)
{
	if (in->head.a < 1 || in->head.a > 64) {
		client_error(m, c, CTL_KILL, EINVAL, "no such signal");
		return;
	}
	client_done(m, c, CTL_KILL, 0, NULL, 0);
	if (in->head.a == SIGKILL)
		monitor_end(m, SIGKILL, NULL);
	event_simple(m, HOST_EVENT_SIGNAL, 0, (uint64_t)in->head.a, 0);
}

static void do_spawn(struct monitor *m, struct mon_client *c,
		     const struct incoming *in)
{
	struct boot_spawn s;
	struct host_event ev = { .kind = HOST_EVENT_SPAWN };
	unsigned i;

	if (in->size < sizeof(s)) {
		client_error(m, c, CTL_SPAWN, EINVAL, "record too short");
		return;
	}
	memcpy(&s, in->payload, sizeof(s));
	for (i = 0; i < SPAWNS && c->spawns[i].used; i++)
		;
	if (m->freeze.is_paused) {
		client_error(m, c, CTL_SPAWN, EAGAIN, "the sandbox is paused: "
			     "`bailey unpause` first");
		return;
	}
	if (i == SPAWNS ||
	    in->fd_count != (s.flags & BOOT_SPAWN_TTY ? 1u : 3u)) {
		client_error(m, c, CTL_SPAWN, EINVAL,
			     "wrong number of handles or of programs");
		return;
	}
	ev.token = ++m->next_token;
	ev.payload_size = in->size;
	ev.handle_count = in->fd_count;
	if (event_send(m, &ev, in->payload, in->fds)) {
		client_error(m, c, CTL_SPAWN, EAGAIN,
			     "the sandbox does not answer");
		return;
	}
	c->spawns[i].used = true;
	c->spawns[i].token = ev.token;
	client_done(m, c, CTL_SPAWN, ev.token, NULL, 0);
}

static void do_signal(struct monitor *m, struct mon_client *c,
		      const struct incoming *in)
{
	if (in->head.a < 1 || in->head.a > 64 ||
	    !client_has_spawn(c, in->head.token)) {
		client_error(m, c, CTL_SIGNAL, EINVAL, "no such process");
		return;
	}
	event_simple(m, HOST_EVENT_SIGNAL, in->head.token,
		     (uint64_t)in->head.a, 0);
	client_done(m, c, CTL_SIGNAL, in->head.token, NULL, 0);
}

static void do_window(struct monitor *m, struct mon_client *c,
		      const struct incoming *in)
{
	uint64_t rows = (uint32_t)in->head.a & 0xffff;

	if (in->head.token && !client_has_spawn(c, in->head.token))
		return;
	event_simple(m, HOST_EVENT_WINDOW, in->head.token,
		     rows << 16 | (in->head.b & 0xffff), in->head.token);
}

static void do_ps(struct monitor *m, struct mon_client *c,
		  const struct incoming *in)
{
	struct host_event ev = { .kind = HOST_EVENT_PS };

	ev.token = ++m->next_token;
	ev.a = ev.token;
	if (event_send(m, &ev, NULL, NULL)) {
		client_error(m, c, CTL_PS, EAGAIN,
			     "the sandbox does not answer");
		return;
	}
	c->is_waiting = true;
	c->ps_token = ev.token;
}

static void do_state(struct monitor *m, struct mon_client *c,
		     const struct incoming *in)
{
	struct control_state s = {
		.requests = m->request_count, .start_ns = m->start_ns,
		.denied = m->denied_count,
		.init_pid = m->init, .program_started = m->is_started,
		.is_paused = m->freeze.is_paused,
	};

	client_done(m, c, CTL_STATE, 0, &s, sizeof(s));
}

static void do_denied(struct monitor *m, struct mon_client *c,
		      const struct incoming *in)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%u\n", m->denied_count);

	client_done(m, c, CTL_DENIED, 0, text, (size_t)n);
}

static void do_request(struct monitor *m, struct mon_client *c,
		       const struct incoming *in)
{
	switch (in->head.op) {
	case CTL_PING:
		client_done(m, c, CTL_PING, 0, NULL, 0);
		break;
	case CTL_KILL: do_kill(m, c, in); break;
	case CTL_SPAWN: do_spawn(m, c, in); break;
	case CTL_SIGNAL: do_signal(m, c, in); break;
	case CTL_WINDOW: do_window(m, c, in); break;
	case CTL_PS: do_ps(m, c, in); break;
	case CTL_STATE: do_state(m, c, in); break;
	case CTL_DENIED: do_denied(m, c, in); break;
	case CTL_PAUSE: case CTL_UNPAUSE: case CTL_SAVE: case CTL_THAW:
	case CTL_HEAP:
		freeze_request(m, c, &in->head, in->fds, in->fd_count);
		break;
	case CTL_WAIT: break;
	default:
		client_error(m, c, in->head.op, EINVAL, "no such request");
	}
}

static void take_handles(struct incoming *in, struct msghdr *h)
{
	struct cmsghdr *x;

	in->fd_count = 0;
	for (x = CMSG_FIRSTHDR(h); x; x = CMSG_NXTHDR(h, x)) {
		size_t n;

		if (x->cmsg_level != SOL_SOCKET || x->cmsg_type != SCM_RIGHTS)
			continue;
		n = (x->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > 4 - in->fd_count)
			n = 4 - in->fd_count;
		memcpy(in->fds + in->fd_count, CMSG_DATA(x), n * sizeof(int));
		in->fd_count += (unsigned)n;
	}
}

void control_read(struct monitor *m, struct mon_client *c)
{
	static struct incoming in;
	struct iovec iov[2] = { { &in.head, sizeof(in.head) },
				{ in.payload, sizeof(in.payload) } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	unsigned i;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		control_drop(m, c);
		return;
	}
	take_handles(&in, &h);
	in.size = (uint32_t)n - (uint32_t)sizeof(in.head);
	if (n < (ssize_t)sizeof(in.head) || in.size != in.head.size)
		control_drop(m, c);
	else
		do_request(m, c, &in);
	for (i = 0; i < in.fd_count; i++)
		close(in.fds[i]);
}

void control_accept(struct monitor *m)
{
	int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC |
			 SOCK_NONBLOCK);
	unsigned i;

	if (fd < 0)
		return;
	for (i = 1; i < MON_CLIENTS; i++) {
		if (m->clients[i].fd >= 0)
			continue;
		memset(&m->clients[i], 0, sizeof(m->clients[i]));
		m->clients[i].fd = fd;
		return;
	}
	close(fd);
}

/* The connection is over; so is what hangs on it. */
void control_drop(struct monitor *m, struct mon_client *c)
{
	unsigned i;

	close(c->fd);
	c->fd = -1;
	c->is_waiting = false;
	freeze_client_gone(m, c);
	for (i = 0; i < SPAWNS; i++) {
		if (!c->spawns[i].used)
			continue;
		c->spawns[i].used = false;
		event_simple(m, HOST_EVENT_HANGUP, c->spawns[i].token, 0,
			     c->spawns[i].token);
	}
	if (c->is_owner && !m->detach)
		monitor_end(m, SIGKILL, "the sandbox was ended: its command "
			    "is gone");
}

void control_end(struct monitor *m, int wait_status, const char *text)
{
	struct control_msg msg = { .op = CTL_ENDED, .a = wait_status,
				   .size = (uint32_t)strlen(text) };
	unsigned i;

	for (i = 0; i < MON_CLIENTS; i++)
		if (m->clients[i].fd >= 0)
			control_send(m->clients[i].fd, &msg, text, NULL, 0);
}

/* ---- reports of the library OS ------------------------------------------- */
static struct mon_client *client_of_spawn(struct monitor *m, uint32_t token,
					  bool forget)
{
	unsigned i, k;

	for (i = 0; i < MON_CLIENTS; i++) {
		struct mon_client *c = &m->clients[i];

		for (k = 0; c->fd >= 0 && k < SPAWNS; k++) {
			if (!c->spawns[k].used || c->spawns[k].token != token)
				continue;
			if (forget)
				c->spawns[k].used = false;
			return c;
		}
	}
	return NULL;
}

static void report_started(struct monitor *m, const struct mon_report *r,
			   const char *text)
{
	struct control_msg msg = { .op = CTL_STARTED, .token = r->token,
				   .a = r->status, .size = r->text_size };
	struct mon_client *c;

	if (r->token) {
		c = client_of_spawn(m, r->token, r->status != 0);
		if (c)
			client_send(m, c, &msg, text);
		return;
	}
	if (m->is_started)
		return;
	m->is_started = true;
	if (m->clients[0].is_owner)
		client_send(m, &m->clients[0], &msg, text);
	if (r->status)
		monitor_end(m, (r->status == ENOENT ? 127 : 126) << 8, NULL);
}

static void report_answer(struct monitor *m, const struct mon_report *r,
			  const char *text)
{
	struct control_msg msg = { .op = CTL_DONE, .b = CTL_PS,
				   .a = r->status, .size = r->text_size };
	unsigned i;

	for (i = 0; i < MON_CLIENTS; i++) {
		struct mon_client *c = &m->clients[i];

		if (c->fd < 0 || !c->is_waiting || c->ps_token != r->token)
			continue;
		c->is_waiting = false;
		client_send(m, c, &msg, text);
	}
}

static void report_exited(struct monitor *m, const struct mon_report *r)
{
	struct control_msg msg = { .op = CTL_EXITED, .token = r->token,
				   .a = r->status };
	struct mon_client *c = client_of_spawn(m, r->token, true);

	if (c)
		client_send(m, c, &msg, NULL);
}

void control_report(struct monitor *m, const struct mon_report *r,
		    const char *text)
{
	switch (r->kind) {
	case HOST_REPORT_LOG:
		monitor_message(m, text, r->text_size);
		break;
	case HOST_REPORT_EXITED:
		report_exited(m, r);
		break;
	case HOST_REPORT_ANSWER:
		report_answer(m, r, text);
		break;
	case HOST_REPORT_STARTED:
		report_started(m, r, text);
		break;
	case HOST_REPORT_FROZEN:
		freeze_report(m, r);
		break;
	}
}
