/*
 * dispatch.c - the monitor's whole surface towards the sandbox: one table.
 *
 * A record is received into a private buffer that the sandbox cannot change,
 * checked for its form here, and handed to one answer_*() function, which
 * decodes it in full before it does anything.  A record of wrong form cannot
 * come from the library OS as built, so it ends the sandbox.
 */
#include "path.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WITH_HANDLE = 1 };
struct operation {
	uint32_t op;
	uint32_t flags;
	uint32_t size;   /* of the fixed part */
	int (*answer)(struct mon_call *c);
};

static const struct operation operations[] = {
	{ MON_OPEN, 0, sizeof(struct mon_open), answer_open },
	{ MON_WALK, 0, sizeof(struct mon_walk), answer_walk },
	{ MON_LIST, 0, sizeof(struct mon_list), answer_list },
	{ MON_MAKE, 0, sizeof(struct mon_make), answer_make },
	{ MON_REMOVE, 0, sizeof(struct mon_remove), answer_remove },
	{ MON_RENAME, 0, sizeof(struct mon_rename), answer_rename },
	{ MON_LINK, 0, sizeof(struct mon_rename), answer_link },
	{ MON_SETATTR, 0, sizeof(struct mon_setattr), answer_setattr },
	{ MON_STAT, WITH_HANDLE, sizeof(struct mon_handle), answer_stat },
	{ MON_RESIZE, WITH_HANDLE, sizeof(struct mon_handle), answer_resize },
	{ MON_SYNC, WITH_HANDLE, sizeof(struct mon_handle), answer_sync },
	{ MON_SHUTDOWN, WITH_HANDLE, sizeof(struct mon_handle),
	  answer_shutdown },
	{ MON_CLOCK, 0, sizeof(struct mon_clock), answer_clock },
	{ MON_RANDOM, 0, sizeof(struct mon_random), answer_random },
	{ MON_REPORT, 0, sizeof(struct mon_report), answer_report },
	{ MON_EXIT, 0, sizeof(struct mon_exit), answer_exit },
};

static const struct operation *operation_find(uint32_t op)
{
	if (op < 1 || op > sizeof(operations) / sizeof(operations[0]))
		return NULL;
	return &operations[op - 1];
}

/* -EPROTO from an answer_*() also means: not of the agreed form. */
bool dispatch_record(struct mon_call *c, const void *record, size_t size)
{
	const struct operation *o;
	struct mon_request q;

	if (size < sizeof(q))
		return false;
	memcpy(&q, record, sizeof(q));
	o = operation_find(q.op);
	if (!o || q.size != size || q.pad || size < sizeof(q) + o->size ||
	    (c->handle >= 0) != !!(o->flags & WITH_HANDLE))
		return false;
	c->fixed = (const char *)record + sizeof(q);
	c->text = (const char *)record + sizeof(q) + o->size;
	c->text_size = (uint32_t)(size - sizeof(q) - o->size);
	c->reply = (struct mon_reply){ .token = q.token };
	c->reply_handle = -1;
	c->reply.error = o->answer(c);
	if (c->reply.error)
		c->reply.size = 0;
	c->reply.handle_count = c->reply_handle >= 0;
	return c->reply.error != -EPROTO;
}

/* ---- the socket ---------------------------------------------------------- */
static void reply_send(struct mon_call *c)
{
	struct iovec iov[2] = { { &c->reply, sizeof(c->reply) },
				{ c->payload, c->reply.size } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };

	if (c->reply_handle >= 0) {
		memset(&control, 0, sizeof(control));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), &c->reply_handle,
		       sizeof(int));
	}
	/* A sandbox that asks without reading answers stops itself. */
	if (sendmsg(c->m->request, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE)
		monitor_end(c->m, SIGSYS, "the sandbox was ended: it does not "
			    "take its answers");
	if (c->reply_handle >= 0 && !c->keep_handle)
		close(c->reply_handle);
}

/* The one handle of a message, or -1.  The buffer has room for exactly one:
 * the kernel drops any more. */
static int take_handle(struct msghdr *h)
{
	struct cmsghdr *x = CMSG_FIRSTHDR(h);
	int fd;

	if (!x || x->cmsg_level != SOL_SOCKET ||
	    x->cmsg_type != SCM_RIGHTS || x->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(x), sizeof(fd));
	return fd;
}

static _Noreturn void unpermitted(struct monitor *m, const void *record,
				  size_t size)
{
	uint32_t op = 0;

	if (size >= sizeof(op))
		memcpy(&op, record, sizeof(op));
	monitor_end(m, SIGSYS, "the sandbox was ended: unpermitted request "
		    "%u of %zu bytes", op, size);
}

/* Answer one request; false when there is none. */
static bool dispatch_one(struct monitor *m)
{
	static uint8_t record[MON_REQUEST_MAX] __attribute__((aligned(16)));
	static uint8_t payload[MON_REPLY_MAX] __attribute__((aligned(16)));
	union {
		struct cmsghdr align;
		char space[CMSG_LEN(sizeof(int))];
	} control;
	struct iovec iov = { record, sizeof(record) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = CMSG_LEN(sizeof(int)) };
	struct mon_call c = { .m = m, .payload = payload };
	ssize_t n = recvmsg(m->request, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return false;
	if (n == 0) {
		/* The last handle to it is closed: a death will be told. */
		close(m->request);
		m->request = -1;
		return false;
	}
	m->request_count++;
	c.handle = take_handle(&h);
	if ((h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    !dispatch_record(&c, record, (size_t)n))
		unpermitted(m, record, (size_t)n);
	monitor_close(c.handle);
	if (!c.no_reply)
		reply_send(&c);
	return true;
}

bool dispatch_read(struct monitor *m)
{
	int i;

	for (i = 0; i < 16 && dispatch_one(m); i++)
		;
	path_forget();
	return i > 0;
}
