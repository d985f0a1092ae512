/*
 * poll_core.c - wait until one of many files is ready.
 *
 * First a look without any registration, as most calls find something.  Only
 * then this thread enters the files' wait queues and sleeps: in task_sleep(),
 * or in the host when a file has a host handle.
 */
#include "poll_core.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/lock.h>
#include <libos/task.h>

#define INLINE_WAITERS 8
#define CHUNK_WAITERS 64
#define INLINE_HANDLES 16

struct waiter_chunk {
	struct waiter_chunk *next;
	u32 count;
	struct waiter waiters[CHUNK_WAITERS];
};

struct poll_wait {
	struct poll_table table;
	struct task *task;
	u32 count;                /* of first[] */
	bool failed;              /* no memory for a waiter */
	struct waiter_chunk *more;
	struct host_pollfd *fds;  /* room for every entry and the doorbell */
	struct host_pollfd inline_fds[INLINE_HANDLES + 1];
	struct waiter first[INLINE_WAITERS];
};

static struct waiter *waiter_take(struct poll_wait *p)
{
	struct waiter_chunk *c = p->more;

	if (p->count < INLINE_WAITERS)
		return &p->first[p->count++];
	if (!c || c->count == CHUNK_WAITERS) {
		c = kmalloc(sizeof(*c));
		if (!c)
			return NULL;
		c->next = p->more;
		c->count = 0;
		p->more = c;
	}
	return &c->waiters[c->count++];
}

static void poll_wait_add(struct poll_table *pt, struct waitq *q)
{
	struct poll_wait *p = container_of(pt, struct poll_wait, table);
	struct waiter *w = waiter_take(p);

	if (!w) {
		p->failed = true;
		return;
	}
	waiter_init(w, p->task);
	waitq_add(q, w);
}

static void poll_wait_end(struct poll_wait *p)
{
	struct waiter_chunk *c, *next;

	for (u32 i = 0; i < p->count; i++)
		waitq_remove(&p->first[i]);
	for (c = p->more; c; c = next) {
		next = c->next;
		for (u32 i = 0; i < c->count; i++)
			waitq_remove(&c->waiters[i]);
		kfree(c);
	}
	if (p->fds != p->inline_fds)
		kfree(p->fds);
}

/* Ask every file. Count of the ready ones; *handles: host handles to ask. */
static long poll_scan(struct poll_entry *e, u32 n, struct poll_table *pt,
		      u32 *handles)
{
	long ready = 0;

	*handles = 0;
	for (u32 i = 0; i < n; i++) {
		struct file *f = e[i].file;

		if (f) {
			if (pt)
				pt->file = f;
			e[i].revents = poll_ask(f, pt) & e[i].events;
			*handles += poll_handle_of(f) != HOST_NO_HANDLE;
		}
		ready += e[i].revents != 0;
	}
	return ready;
}

static host_handle poll_entry_handle(const struct poll_entry *e)
{
	return e->file && !e->mute ? poll_handle_of(e->file) : HOST_NO_HANDLE;
}

static u32 poll_fill_host(struct poll_entry *e, u32 n, struct host_pollfd *fds)
{
	u32 k = 0;

	for (u32 i = 0; i < n; i++) {
		host_handle h = poll_entry_handle(&e[i]);

		if (h == HOST_NO_HANDLE)
			continue;
		fds[k].h = h;
		fds[k].events = (int16_t)poll_to_host(e[i].events);
		fds[k++].revents = 0;
	}
	return k;
}

/* Add the host's answers; both walks find the handles in the same order, and
 * one that has changed meanwhile is left for the next round. */
static long poll_take_host(struct poll_entry *e, u32 n,
			   const struct host_pollfd *fds, u32 count)
{
	long ready = 0;
	u32 k = 0;

	for (u32 i = 0; i < n; i++) {
		host_handle h = poll_entry_handle(&e[i]);

		if (h != HOST_NO_HANDLE && k < count && fds[k].h == h) {
			e[i].revents |= e[i].events &
				poll_from_host((u16)fds[k].revents);
			e[i].mute = fds[k++].revents && !e[i].revents;
		}
		ready += e[i].revents != 0;
	}
	return ready;
}

static int poll_host_room(struct poll_wait *p, u32 n)
{
	if (n <= INLINE_HANDLES || p->fds != p->inline_fds)
		return 0;
	p->fds = kmalloc((n + 1) * sizeof(*p->fds));
	if (p->fds)
		return 0;
	p->fds = p->inline_fds;
	return -ENOMEM;
}

/* Ask the host only; deadline as poll_entries, or 0 when some are ready. */
static long poll_look_in_host(struct poll_wait *p, struct poll_entry *e, u32 n)
{
	u32 k;
	int r = poll_host_room(p, n);

	if (r)
		return r;
	k = poll_fill_host(e, n, p->fds);
	r = host_poll(p->fds, k, 0);
	if (r < 0 && r != -EINTR)
		return r;
	return poll_take_host(e, n, p->fds, r > 0 ? k : 0);
}

static long poll_sleep(struct poll_wait *p, struct poll_entry *e, u32 n,
		       u32 handles, u64 deadline_ns, int *err)
{
	u32 k;

	if (!handles) {
		*err = task_sleep(deadline_ns);
		return 0;
	}
	*err = poll_host_room(p, n);
	if (*err)
		return 0;
	k = poll_fill_host(e, n, p->fds);
	*err = task_sleep_in_host(p->fds, k, deadline_ns);
	return *err ? 0 : poll_take_host(e, n, p->fds, k);
}

static long poll_wait(struct poll_wait *p, struct poll_entry *e, u32 n,
		      u64 deadline_ns)
{
	struct poll_table *pt = &p->table;
	int err = 0;
	u32 handles;
	long ready;

	for (;;) {
		task_prepare_sleep();
		ready = poll_scan(e, n, pt, &handles);
		pt = NULL;
		if (p->failed)
			return -ENOMEM;
		if (handles && (ready || err))
			ready = poll_look_in_host(p, e, n);
		if (ready)
			return ready;
		if (err)
			return err == -ETIMEDOUT ? 0 : err;
		ready = poll_sleep(p, e, n, handles, deadline_ns, &err);
		if (ready)
			return ready;
	}
}

long poll_entries(struct poll_entry *e, u32 n, u64 deadline_ns)
{
	struct poll_wait p;
	u32 handles;
	long ready;

	p.fds = p.inline_fds;
	p.count = 0;
	p.more = NULL;
	p.failed = false;
	p.task = current();
	p.table.add = poll_wait_add;
	for (u32 i = 0; i < n; i++)
		e[i].mute = false;
	ready = poll_scan(e, n, NULL, &handles);
	if (ready || !deadline_ns) {
		if (handles)
			ready = poll_look_in_host(&p, e, n);
	} else {
		ready = poll_wait(&p, e, n, deadline_ns);
	}
	poll_wait_end(&p);
	return ready;
}

u32 file_poll_now(struct file *f)
{
	struct poll_entry e = { .file = f, .events = ~0u };

	poll_entries(&e, 1, 0);
	return e.revents;
}
