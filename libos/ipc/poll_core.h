/*
 * poll_core.h - waiting for any of many files: what poll and select share.
 */
#ifndef LIBOS_IPC_POLL_CORE_H
#define LIBOS_IPC_POLL_CORE_H

#include <libos/file.h>
#include <libos/poll.h>

#define POLL_ALWAYS (EPOLLERR | EPOLLHUP)
#define POLL_HOST_BITS (HOST_POLL_IN | HOST_POLL_PRI | HOST_POLL_OUT |       \
			HOST_POLL_ERR | HOST_POLL_HUP | HOST_POLL_RDHUP)

struct poll_entry {
	struct file *file; /* a reference, or NULL: not asked */
	u32 events;        /* wanted */
	u32 revents;
	bool mute;         /* the host reports of it, unasked, what is not
			    * wanted (a hang-up): not asked in this call */
};

/* Wait until an entry has revents.  Their number, 0 at the deadline (a
 * deadline of 0: only look), -ERESTARTSYS, -ENOMEM. */
long poll_entries(struct poll_entry *e, u32 n, u64 deadline_ns);

/* After -EINTR of a wait in the host: is there a signal for us?  If not
 * (another thread took it) the next wait will not be interrupted by it. */
bool host_wait_interrupted(struct task *t);

/* EPOLL* bits to what the host is to be asked, and back. */
static inline u32 poll_to_host(u32 events)
{
	u32 h = events & POLL_HOST_BITS;

	if (events & EPOLLRDNORM)
		h |= HOST_POLL_IN;
	if (events & EPOLLWRNORM)
		h |= HOST_POLL_OUT;
	return h;
}
static inline u32 poll_from_host(u32 h)
{
	u32 events = h & POLL_HOST_BITS;

	if (h & HOST_POLL_IN)
		events |= EPOLLRDNORM;
	if (h & HOST_POLL_OUT)
		events |= EPOLLWRNORM;
	if (h & ~(u32)POLL_HOST_BITS & 0xffff & ~0x3c0u)
		events |= EPOLLERR; /* POLLNVAL: the handle is no more */
	return events;
}
/* What the library OS itself knows of f; see struct file_ops. */
static inline u32 poll_ask(struct file *f, struct poll_table *pt)
{
	if (f->ops->poll)
		return f->ops->poll(f, pt);
	if (f->ops->poll_handle)
		return 0;
	return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}
static inline host_handle poll_handle_of(struct file *f)
{
	return f->ops->poll_handle ? f->ops->poll_handle(f) : HOST_NO_HANDLE;
}

#endif
