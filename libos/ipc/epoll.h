/*
 * epoll.h - the inside of an epoll file, for epoll.c and epoll_wait.c.
 *
 * An item watches the library OS's own queues through waiters, whose wake-up
 * puts it on the ready list; and a host handle, if its file has one, through
 * the epoll's host pollset.  So the cost of an event does not depend on how
 * many items there are.
 *
 * Locks: ep->lock (items, pollset) > a file's own locks > a wait queue's lock
 * > ep->ready_lock.  An outer epoll's lock comes before an inner one's.
 * epoll_links_lock (file->epoll_items of all files) is a leaf below ep->lock.
 */
#ifndef LIBOS_IPC_EPOLL_H
#define LIBOS_IPC_EPOLL_H

#include <libos/file.h>
#include <libos/lock.h>
#include <libos/poll.h>

#define EPOLL_FLAGS (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)
#define EPOLL_ITEM_WAITERS 2
#define EPOLL_BELL UINT64_MAX    /* cookie of the doorbell in the pollset */

struct epoll_item;
struct epoll_waiter {
	struct waiter waiter;
	struct epoll_item *item;
	struct epoll_waiter *next; /* of those beyond EPOLL_ITEM_WAITERS */
};

struct epoll_item {
	struct epoll *ep;
	struct file *file;         /* no reference: its end removes us */
	struct epoll_item *hash_next;
	s32 fd;
	u32 generation;            /* unique in its epoll */
	u32 events;                /* wanted | EPOLL_FLAGS */
	u64 data;
	host_handle handle;        /* in the pollset, or HOST_NO_HANDLE */
	u32 result_call, result_index; /* where the last wait put it */
	bool is_ready;             /* on ep->ready: ready_lock */
	struct list ready;         /* ready_lock */
	struct list in_file;       /* epoll_links_lock */
	u32 waiter_count;
	struct epoll_waiter waiters[EPOLL_ITEM_WAITERS], *more_waiters;
};

struct epoll {
	struct list in_all;        /* epoll_links_lock */
	u32 refs;                  /* epoll_links_lock */
	struct file *file;         /* no reference */
	struct mutex lock;
	struct epoll_item **buckets;
	u32 bucket_count;          /* a power of two */
	u32 count, next_generation, last_call;
	host_handle pollset, bell; /* reopened on resume: from the items */
	u32 host_items;
	u32 twins;                 /* items whose handle another one has too */

	struct mutex ready_lock;
	struct list ready;
	u32 ready_count;
	struct waitq wait;         /* epoll_wait, and who polls this file */
	u32 host_sleepers;         /* threads in host_pollset_wait */
	u32 bell_rung;
};

extern const struct file_ops epoll_ops;
extern struct mutex epoll_links_lock;
static inline struct epoll *epoll_of(struct file *f)
{
	return f->ops == &epoll_ops ? f->priv : NULL;
}
/* Put an item on the ready list; false if it was there. */
bool epoll_mark_ready(struct epoll_item *it);
/* Somebody is to look at the ready list. */
void epoll_notify(struct epoll *ep);
struct epoll_item *epoll_find_generation(struct epoll *ep, u64 cookie);
/* The file's handle may have come, gone or changed; lock held. */
int epoll_sync_host(struct epoll_item *it);
/* The item's wishes changed: tell the pollset. */
int epoll_update_host(struct epoll_item *it);

#endif
