/*
 * request.c - the host ABI's calls that the security monitor answers.
 *
 * One request at a time per sandbox: the socket, the lock and the reply
 * buffer are shared by all picoprocesses.  A handle that comes back lands in
 * the shared descriptor table, so it is valid in all of them.
 *
 * host_exit() and a crash report have no reply and take no lock: they must
 * work from whatever state the library OS is in.
 */
#include <libos/base.h>
#include <libos/lock.h>
#include <bailey/boot.h>
#include <bailey/host_abi.h>
#include <bailey/monitor.h>

#include "raw.h"

#define CMSG_SPACE_ONE 24 /* a header and one descriptor, padded */
#define CMSG_SIZE_ONE 20

struct call {
	u32 op;
	const void *fixed;          /* the operation's struct */
	size_t fixed_size;
	struct host_iovec text[2];  /* strings, or unused */
	host_handle handle;         /* goes along, or HOST_NO_HANDLE */
	void *payload;              /* of the reply, or NULL */
	size_t payload_size;
	/* the answer */
	struct mon_reply reply;
	host_handle got;
};
#define CALL(op_, fixed_) \
	{ .op = (op_), .fixed = &(fixed_), .fixed_size = sizeof(fixed_), \
	  .handle = HOST_NO_HANDLE, .got = HOST_NO_HANDLE }

static struct mutex request_lock = MUTEX_INIT;
/* guarded by request_lock: */
static u32 request_token;
static struct {
	struct mon_walked walked;
	u8 rest[MON_REPLY_MAX - sizeof(struct mon_reply) -
		sizeof(struct mon_walked)];
} walk_buffer RARE;

static void cmsg_pack(u8 *control, host_handle h)
{
	struct raw_cmsg c = { CMSG_SIZE_ONE, RAW_SOL_SOCKET, RAW_SCM_RIGHTS };

	memset(control, 0, CMSG_SPACE_ONE);
	memcpy(control, &c, sizeof(c));
	memcpy(control + sizeof(c), &h, sizeof(h));
}

/* Collects handles of a received message; returns how many. */
static unsigned cmsg_unpack(const struct raw_msghdr *m, host_handle *out,
			    unsigned max)
{
	struct raw_cmsg c;
	unsigned n;

	if (m->control_size < sizeof(c))
		return 0;
	memcpy(&c, m->control, sizeof(c));
	if (c.level != RAW_SOL_SOCKET || c.type != RAW_SCM_RIGHTS ||
	    c.size < sizeof(c) || c.size > m->control_size)
		return 0;
	n = (c.size - sizeof(c)) / sizeof(*out);
	n = MIN(n, max);
	memcpy(out, (u8 *)m->control + sizeof(c), n * sizeof(*out));
	return n;
}

static int call_send(const struct call *c, u32 token)
{
	struct mon_request q = { .op = c->op, .token = token };
	struct host_iovec iov[4] = {
		{ &q, sizeof(q) },
		{ (void *)(uintptr_t)c->fixed, c->fixed_size },
		c->text[0], c->text[1],
	};
	u8 control[CMSG_SPACE_ONE] __attribute__((aligned(8)));
	struct raw_msghdr m = { .iov = iov, .iov_count = 4 };
	int64_t r;

	q.size = sizeof(q) + c->fixed_size + c->text[0].size +
		 c->text[1].size;
	if (q.size > MON_REQUEST_MAX)
		return -HOST_ENAMETOOLONG;
	if (c->handle != HOST_NO_HANDLE) {
		cmsg_pack(control, c->handle);
		m.control = control;
		m.control_size = sizeof(control);
	}
	do
		r = raw_sendmsg(BLY_FD_MONITOR, &m, RAW_MSG_NOSIGNAL);
	while (r == -HOST_EINTR);
	return r < 0 ? (int)r : 0;
}

static int call_receive(struct call *c)
{
	struct host_iovec iov[2] = {
		{ &c->reply, sizeof(c->reply) },
		{ c->payload, c->payload_size },
	};
	u8 control[CMSG_SPACE_ONE] __attribute__((aligned(8)));
	struct raw_msghdr m = { .iov = iov, .iov_count = 2 };
	int64_t r;

	do {
		m.control = control;
		m.control_size = sizeof(control);
		r = raw_recvmsg(BLY_FD_MONITOR, &m, 0);
	} while (r == -HOST_EINTR);
	if (r < 0)
		return (int)r;
	if (r < (int64_t)sizeof(c->reply))
		return -HOST_EIO;
	if (cmsg_unpack(&m, &c->got, 1) == 0 && c->reply.handle_count)
		return -HOST_EMFILE;
	return c->reply.error;
}

/* Send and receive; request_lock is held. */
static int call_do(struct call *c)
{
	int err = call_send(c, ++request_token);

	return err ? err : call_receive(c);
}

static int call(struct call *c)
{
	int err;

	mutex_lock(&request_lock);
	err = call_do(c);
	mutex_unlock(&request_lock);
	return err;
}

/* The service thread was asking when the heap was copied. */
void host_request_resumed(void)
{
	mutex_init(&request_lock);
}

/* Attach a path; returns its size with the NUL. */
static u32 call_text(struct call *c, unsigned i, const char *s)
{
	c->text[i].base = (void *)(uintptr_t)s;
	c->text[i].size = strlen(s) + 1;
	return (u32)c->text[i].size;
}

struct opening {
	struct mon_open q;
	struct host_stat st;
	struct call c;
};

static void opening_init(struct opening *g, const struct host_open *o)
{
	g->q = (struct mon_open){ .kind = o->kind, .tree = o->tree,
				  .flags = o->flags, .mode = o->mode,
				  .addr = o->addr };
	g->c = (struct call)CALL(MON_OPEN, g->q);
	g->c.payload = &g->st;
	g->c.payload_size = sizeof(g->st);
	if (o->kind == HOST_OPEN_FILE)
		g->q.path_size = call_text(&g->c, 0, o->path);
}

static host_handle opening_result(const struct opening *g, int err,
				  const struct host_open *o)
{
	if (err)
		return err;
	if (o->stat && g->c.reply.size == sizeof(g->st))
		*o->stat = g->st;
	return g->c.got == HOST_NO_HANDLE ? -HOST_EIO : g->c.got;
}

/* So many lie in the socket at once, and on our stack. */
#define OPENINGS 8

/* request_lock is held. Returns the first one that is still to be opened. */
static struct host_open *open_some(struct host_open *first)
{
	struct opening g[OPENINGS];
	struct host_open *o;
	int err[OPENINGS];
	unsigned i, n = 0;

	for (o = first; o && n < OPENINGS; o = o->next, n++) {
		opening_init(&g[n], o);
		err[n] = call_send(&g[n].c, ++request_token);
	}
	for (o = first, i = 0; i < n; o = o->next, i++) {
		if (!err[i])
			err[i] = call_receive(&g[i].c);
		o->handle = opening_result(&g[i], err[i], o);
	}
	return o;
}

static host_handle open_all(struct host_open *o)
{
	struct host_open *at = o;

	mutex_lock(&request_lock);
	while (at)
		at = open_some(at);
	mutex_unlock(&request_lock);
	return o->handle;
}

host_handle host_stream_open(struct host_open *o)
{
	struct opening g;

	if (o->next)
		return open_all(o);
	opening_init(&g, o);
	return opening_result(&g, call(&g.c), o);
}

/* Copy a walk's reply out of the shared buffer; request_lock is held. */
static int walk_unpack(const struct call *c, struct host_stat *out,
		       unsigned max, char *link, size_t link_size, int *error)
{
	const struct mon_walked *w = &walk_buffer.walked;
	size_t stats = (size_t)w->count * sizeof(*out);

	if (c->reply.size < sizeof(*w) || w->count > max ||
	    c->reply.size != sizeof(*w) + stats + w->link_size)
		return -HOST_EIO;
	memcpy(out, walk_buffer.rest, stats);
	if (w->link_size && link)
		strlcpy(link, (const char *)walk_buffer.rest + stats,
			link_size);
	*error = w->error;
	return (int)w->count;
}

int host_path_walk(uint32_t tree, const char *path, struct host_stat *out,
		   unsigned max, char *link, size_t link_size, int *error,
		   struct host_walk_open *open)
{
	struct mon_walk q = { .tree = tree, .max = MIN(max, MON_WALK_MAX),
			      .open = open ? open->flags : 0 };
	struct call c = CALL(MON_WALK, q);
	int err;

	q.path_size = call_text(&c, 0, path);
	c.payload = &walk_buffer;
	c.payload_size = sizeof(walk_buffer);
	mutex_lock(&request_lock);
	err = call_do(&c);
	if (!err)
		err = walk_unpack(&c, out, max, link, link_size, error);
	if (open) {
		open->handle = c.got;
		open->is_watched = err >= 0 && walk_buffer.walked.is_watched;
	}
	mutex_unlock(&request_lock);
	return err;
}

int64_t host_path_list(uint32_t tree, const char *path, uint64_t *cursor,
		       void *buf, size_t size)
{
	struct mon_list q = { .cursor = *cursor, .tree = tree,
			      .max = (u32)MIN(size, (size_t)MON_LIST_MAX) };
	struct call c = CALL(MON_LIST, q);
	int err;

	q.path_size = call_text(&c, 0, path);
	c.payload = buf;
	c.payload_size = size;
	err = call(&c);
	if (err)
		return err;
	*cursor = c.reply.value;
	return c.reply.size;
}

int host_path_make(uint32_t tree, const char *path, enum host_kind kind,
		   uint32_t mode, const char *target)
{
	struct mon_make q = { .tree = tree, .kind = kind, .mode = mode };
	struct call c = CALL(MON_MAKE, q);

	q.path_size = call_text(&c, 0, path);
	if (target)
		q.target_size = call_text(&c, 1, target);
	return call(&c);
}

int host_path_remove(uint32_t tree, const char *path, int is_dir)
{
	struct mon_remove q = { .tree = tree, .is_dir = is_dir != 0 };
	struct call c = CALL(MON_REMOVE, q);

	q.path_size = call_text(&c, 0, path);
	return call(&c);
}

static int two_paths(u32 op, u32 tree, const char *from, const char *to,
		     unsigned flags)
{
	struct mon_rename q = { .tree = tree, .flags = flags };
	struct call c = CALL(op, q);

	q.from_size = call_text(&c, 0, from);
	q.to_size = call_text(&c, 1, to);
	return call(&c);
}

int host_path_rename(uint32_t tree, const char *from, const char *to,
		     unsigned flags)
{
	return two_paths(MON_RENAME, tree, from, to, flags);
}

int host_path_link(uint32_t tree, const char *from, const char *to)
{
	return two_paths(MON_LINK, tree, from, to, 0);
}

int host_path_setattr(uint32_t tree, const char *path,
		      const struct host_setattr *a)
{
	struct mon_setattr q = { .attr = *a, .tree = tree };
	struct call c = CALL(MON_SETATTR, q);

	q.path_size = call_text(&c, 0, path);
	return call(&c);
}

static int with_handle(u32 op, host_handle h, u64 value)
{
	struct mon_handle q = { .value = value };
	struct call c = CALL(op, q);

	if (h < 0)
		return -HOST_EBADF;
	c.handle = h;
	return call(&c);
}

int host_stream_stat(host_handle h, struct host_stat *st, int *is_cached)
{
	struct mon_handle q = { 0 };
	struct call c = CALL(MON_STAT, q);
	int err;

	if (h < 0)
		return -HOST_EBADF;
	c.handle = h;
	c.payload = st;
	c.payload_size = sizeof(*st);
	err = call(&c);
	if (!err && is_cached)
		*is_cached = c.reply.value != 0;
	return err;
}

int host_stream_resize(host_handle h, uint64_t size)
{
	return with_handle(MON_RESIZE, h, size);
}

int host_stream_sync(host_handle h, int data_only)
{
	return with_handle(MON_SYNC, h, data_only != 0);
}

int host_stream_shutdown(host_handle h, int how)
{
	return with_handle(MON_SHUTDOWN, h, (u64)how);
}

int host_clock_request(enum host_clock clock, int32_t id, uint64_t *ns)
{
	struct mon_clock q = { .clock = clock, .id = id };
	struct call c = CALL(MON_CLOCK, q);
	int err = call(&c);

	if (!err)
		*ns = c.reply.value;
	return err;
}

int host_random(void *buf, size_t size)
{
	while (size) {
		struct mon_random q = { .size = (u32)MIN(size,
						(size_t)MON_RANDOM_MAX) };
		struct call c = CALL(MON_RANDOM, q);
		int err;

		c.payload = buf;
		c.payload_size = q.size;
		err = call(&c);
		if (err)
			return err;
		buf = (u8 *)buf + q.size;
		size -= q.size;
	}
	return 0;
}

int host_event_next(struct host_event *ev, void *payload, size_t size)
{
	struct host_iovec iov[2] = { { ev, sizeof(*ev) }, { payload, size } };
	u8 control[sizeof(struct raw_cmsg) +
		   HOST_EVENT_HANDLES * sizeof(host_handle)]
		__attribute__((aligned(8)));
	struct raw_msghdr m = { .iov = iov, .iov_count = 2,
				.control = control,
				.control_size = sizeof(control) };
	host_handle got[HOST_EVENT_HANDLES];
	unsigned n, i;
	int64_t r;

	do
		r = raw_recvmsg(BLY_FD_EVENTS, &m, RAW_MSG_DONTWAIT);
	while (r == -HOST_EINTR);
	if (r < 0)
		return (int)r;
	n = cmsg_unpack(&m, got, HOST_EVENT_HANDLES);
	if (r < (int64_t)sizeof(*ev) || n < ev->handle_count ||
	    (m.flags & RAW_MSG_TRUNC)) {
		for (i = 0; i < n; i++)
			raw_close(got[i]);
		return r == 0 ? -HOST_EAGAIN : -HOST_EMFILE;
	}
	for (i = 0; i < HOST_EVENT_HANDLES; i++)
		ev->handles[i] = i < n ? got[i] : HOST_NO_HANDLE;
	return 0;
}

int host_report(enum host_report_kind kind, uint32_t token, int32_t status,
		const char *text, size_t size)
{
	struct mon_report q = { .kind = kind, .token = token,
				.status = status };
	struct call c = CALL(MON_REPORT, q);

	q.text_size = (u32)MIN(size, (size_t)MON_TEXT_MAX);
	c.text[0].base = (void *)(uintptr_t)text;
	c.text[0].size = q.text_size;
	return call_send(&c, 0); /* no reply */
}

_Noreturn void host_exit(int32_t status)
{
	static uint32_t never;
	struct mon_exit q = { .status = status };
	struct call c = CALL(MON_EXIT, q);

	call_send(&c, 0);
	/* The monitor's end takes this process with it.  Not a wait that an
	 * interrupt ends: this thread has been told to leave long ago. */
	for (;;)
		host_sync_wait(&never, 0, HOST_FOREVER);
}
