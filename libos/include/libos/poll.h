/*
 * poll.h - readiness: what poll, select, epoll and blocking waits share.
 *
 * A file's poll op returns the events that hold now and, given a table,
 * registers the queues that are woken when they change.
 */
#ifndef LIBOS_POLL_H
#define LIBOS_POLL_H

#include <libos/base.h>
#include <libos/file.h>
#include <libos/lock.h>

#include <linux/eventpoll.h>

struct poll_table {
	/* Called by poll ops for each queue; poll.c and epoll.c supply it. */
	void (*add)(struct poll_table *pt, struct waitq *q);
	struct file *file;   /* the one being asked */
};
static inline void poll_add(struct poll_table *pt, struct waitq *q)
{
	if (pt)
		pt->add(pt, q);
}
/* Events of f now (no registration), host's included when it has a handle:
 * asks the host without waiting. */
u32 file_poll_now(struct file *f);
/* Wait until a host handle is ready for HOST_POLL_* events, or a wake-up of
 * this task (task_wake) or a signal: 0 ready or woken, -ERESTARTSYS,
 * -ETIMEDOUT.  For blocking reads and writes on host streams. */
int host_handle_wait(host_handle h, u32 events, u64 deadline_ns);

#endif
