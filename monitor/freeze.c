/*
 * freeze.c - the monitor's part in pausing and saving: it passes the request
 * on as an event, and hands the kernel heap's object to the command that
 * saves, which is the invoking user's own.  It looks at neither heap nor records.
 *
 * One client at a time.  If it goes away in the middle, the sandbox goes on
 * as it was before.
 */
#include "mon.h"

#include <errno.h>
#include <string.h>

static void event_thaw(struct monitor *m, uint64_t what)
{
	struct host_event ev = { .kind = HOST_EVENT_THAW, .a = what };

	event_send(m, &ev, NULL, NULL);
}

/* As it was before the client's request. */
static void go_back(struct monitor *m)
{
	event_thaw(m, m->freeze.is_paused ? HOST_THAW_STAY : 0);
}

static void freeze_start(struct monitor *m, struct mon_client *c, uint32_t op,
			 const int *fds, unsigned fd_count)
{
	struct host_event ev = { .kind = HOST_EVENT_FREEZE,
				 .handle_count = fd_count };

	if (m->freeze.client || !m->is_started) {
		client_error(m, c, op, EBUSY, m->freeze.client ?
			     "another command is pausing or saving it" :
			     "its program has not been started yet");
		return;
	}
	ev.token = ++m->next_token;
	if (event_send(m, &ev, NULL, fds)) {
		client_error(m, c, op, EAGAIN, "the sandbox does not answer");
		return;
	}
	m->freeze.client = c;
	m->freeze.op = op;
	m->freeze.token = ev.token;
	m->freeze.is_frozen = false;
	if (op == CTL_SAVE)
		client_done(m, c, op, 0, NULL, 0);
}

static void tell_heap(struct monitor *m, struct mon_client *c)
{
	struct control_msg msg = { .op = CTL_DONE, .b = CTL_HEAP };

	control_send(c->fd, &msg, NULL, &m->heap, 1);
}

static void do_unpause(struct monitor *m, struct mon_client *c)
{
	if (m->freeze.client) {
		client_error(m, c, CTL_UNPAUSE, EBUSY, "another command is "
			     "pausing or saving it");
		return;
	}
	m->freeze.is_paused = false;
	event_thaw(m, 0);
	client_done(m, c, CTL_UNPAUSE, 0, NULL, 0);
}

static void do_thaw(struct monitor *m, struct mon_client *c, bool stay)
{
	if (m->freeze.client != c || !m->freeze.is_frozen) {
		client_error(m, c, CTL_THAW, EINVAL, "nothing is frozen for "
			     "this connection");
		return;
	}
	m->freeze.client = NULL;
	m->freeze.is_paused |= stay;
	event_thaw(m, HOST_THAW_WRITE |
		   (m->freeze.is_paused ? HOST_THAW_STAY : 0));
	client_done(m, c, CTL_THAW, 0, NULL, 0);
}

void freeze_request(struct monitor *m, struct mon_client *c,
		    const struct control_msg *q, const int *fds,
		    unsigned fd_count)
{
	if (fd_count != (q->op == CTL_SAVE ? 1u : 0u)) {
		client_error(m, c, q->op, EINVAL, "wrong number of handles");
		return;
	}
	switch (q->op) {
	case CTL_PAUSE:
	case CTL_SAVE:
		freeze_start(m, c, q->op, fds, fd_count);
		break;
	case CTL_UNPAUSE:
		do_unpause(m, c);
		break;
	case CTL_HEAP:
		tell_heap(m, c);
		break;
	case CTL_THAW:
		do_thaw(m, c, q->a == 1);
		break;
	}
}

/* ---- the answer of the library OS ------------------------------------------ */
static void tell_frozen(struct monitor *m, struct mon_client *c, int error)
{
	static const char text[] = "its threads cannot all be brought to a "
				   "standstill, or an earlier save still "
				   "writes";
	struct control_msg msg = { .op = CTL_FROZEN, .a = error };

	if (error)
		msg.size = sizeof(text) - 1;
	control_send(c->fd, &msg, text, &m->heap, error ? 0 : 1);
}

void freeze_report(struct monitor *m, const struct mon_report *r)
{
	struct mon_client *c = m->freeze.client;
	uint32_t op = m->freeze.op;

	if (!c || r->token != m->freeze.token || m->freeze.is_frozen)
		return;
	if (op == CTL_PAUSE || r->status)
		m->freeze.client = NULL;
	if (op == CTL_SAVE) {
		m->freeze.is_frozen = !r->status;
		tell_frozen(m, c, r->status);
		return;
	}
	if (r->status) {
		client_error(m, c, op, EBUSY, "its threads cannot all be "
			     "brought to a standstill");
		return;
	}
	m->freeze.is_paused = true;
	client_done(m, c, op, 0, NULL, 0);
}

void freeze_client_gone(struct monitor *m, struct mon_client *c)
{
	if (m->freeze.client != c)
		return;
	m->freeze.client = NULL;
	go_back(m);
}
