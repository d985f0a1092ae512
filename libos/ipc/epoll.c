/*
 * epoll.c - epoll files and their items: epoll_create, epoll_ctl, what
 * happens when a watched file is closed.  Waiting is in epoll_wait.c.
 */
#include "anon.h"
#include "epoll.h"
#include "poll_core.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/save.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#define EPOLL_MAX_NESTS 4
#define EPOLL_FIRST_BUCKETS 8
#define S_IFMT_BITS 0170000
#define EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP |             \
		      EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct mutex epoll_links_lock = MUTEX_INIT;
static struct list all_epolls = LIST_INIT(all_epolls); /* links lock */
static struct mutex nest_lock = MUTEX_INIT; /* epolls entering epolls */

/* ---- readiness ---- */
bool epoll_mark_ready(struct epoll_item *it)
{
	struct epoll *ep = it->ep;
	bool added = false;

	mutex_lock(&ep->ready_lock);
	if (!it->is_ready) {
		it->is_ready = added = true;
		list_push_back(&ep->ready, &it->ready);
		__atomic_fetch_add(&ep->ready_count, 1, __ATOMIC_SEQ_CST);
	}
	mutex_unlock(&ep->ready_lock);
	return added;
}

static void epoll_unmark_ready(struct epoll_item *it)
{
	struct epoll *ep = it->ep;

	mutex_lock(&ep->ready_lock);
	if (it->is_ready) {
		it->is_ready = false;
		list_remove(&it->ready);
		__atomic_fetch_sub(&ep->ready_count, 1, __ATOMIC_SEQ_CST);
	}
	mutex_unlock(&ep->ready_lock);
}

static void epoll_ring_bell(struct epoll *ep)
{
	u64 one = 1;
	struct host_iovec iov = { &one, sizeof(one) };

	if (!__atomic_load_n(&ep->host_sleepers, __ATOMIC_SEQ_CST))
		return;
	if (!__atomic_exchange_n(&ep->bell_rung, 1, __ATOMIC_SEQ_CST))
		host_stream_write(ep->bell, &iov, 1, HOST_AT_ONCE);
}

void epoll_notify(struct epoll *ep)
{
	waitq_wake(&ep->wait, EPOLLIN | EPOLLRDNORM);
	epoll_ring_bell(ep);
}

/* A watched queue was woken; its lock is held. */
static bool epoll_item_woken(struct waiter *w, u32 events)
{
	struct epoll_item *it =
		container_of(w, struct epoll_waiter, waiter)->item;
	u32 wanted = __atomic_load_n(&it->events, __ATOMIC_RELAXED);

	if (!(wanted & ~EPOLL_FLAGS))
		return false; /* spent EPOLLONESHOT */
	if (events && !(events & wanted))
		return false;
	epoll_mark_ready(it);
	epoll_notify(it->ep);
	return true;
}

/* ---- the item table ---- */
static struct epoll_item **epoll_bucket(struct epoll *ep, s32 fd)
{
	return &ep->buckets[(u32)fd & (ep->bucket_count - 1)];
}

static struct epoll_item *epoll_find(struct epoll *ep, struct file *f, s32 fd)
{
	struct epoll_item *it = *epoll_bucket(ep, fd);

	while (it && (it->file != f || it->fd != fd))
		it = it->hash_next;
	return it;
}

static u64 epoll_cookie(const struct epoll_item *it)
{
	return (u64)it->generation << 32 | (u32)it->fd;
}

struct epoll_item *epoll_find_generation(struct epoll *ep, u64 cookie)
{
	struct epoll_item *it = *epoll_bucket(ep, (s32)(u32)cookie);

	while (it && epoll_cookie(it) != cookie)
		it = it->hash_next;
	return it;
}

/* Twice the buckets; if there is no memory the chains grow instead. */
static void epoll_grow(struct epoll *ep)
{
	u32 old_count = ep->bucket_count;
	struct epoll_item **old = ep->buckets, *it, *next, **b;
	struct epoll_item **fresh = kzalloc(2 * old_count * sizeof(*fresh));

	if (!fresh)
		return;
	ep->buckets = fresh;
	ep->bucket_count = 2 * old_count;
	for (u32 i = 0; i < old_count; i++)
		for (it = old[i]; it; it = next) {
			next = it->hash_next;
			b = epoll_bucket(ep, it->fd);
			it->hash_next = *b;
			*b = it;
		}
	kfree(old);
}

static void epoll_enter(struct epoll *ep, struct epoll_item *it)
{
	struct epoll_item **b;

	if (ep->count++ >= ep->bucket_count)
		epoll_grow(ep);
	b = epoll_bucket(ep, it->fd);
	it->hash_next = *b;
	*b = it;
	mutex_lock(&epoll_links_lock);
	list_push_back(&it->file->epoll_items, &it->in_file);
	mutex_unlock(&epoll_links_lock);
}

static void epoll_unlink(struct epoll *ep, struct epoll_item *it)
{
	struct epoll_item **at = epoll_bucket(ep, it->fd);

	mutex_lock(&epoll_links_lock);
	list_remove(&it->in_file);
	mutex_unlock(&epoll_links_lock);
	while (*at && *at != it)
		at = &(*at)->hash_next;
	if (*at) {
		*at = it->hash_next;
		ep->count--;
	}
}

/* ---- the host's part ---- */
/* h, or nothing and its error. */
static host_handle handle_or(host_handle h, int *err)
{
	if (h >= 0)
		return h;
	*err = h;
	return HOST_NO_HANDLE;
}

static int epoll_open_pollset(struct epoll *ep)
{
	struct host_open set = { .kind = HOST_OPEN_POLLSET };
	struct host_open event = { .kind = HOST_OPEN_EVENT, .next = &set };
	int err = 0;

	if (ep->pollset != HOST_NO_HANDLE)
		return 0;
	host_stream_open(&event);
	ep->bell = handle_or(event.handle, &err);
	ep->pollset = handle_or(set.handle, &err);
	if (!err)
		return host_pollset_ctl(ep->pollset, HOST_POLLSET_ADD, ep->bell,
					HOST_POLL_IN, EPOLL_BELL);
	if (ep->bell != HOST_NO_HANDLE)
		host_stream_close(ep->bell);
	if (ep->pollset != HOST_NO_HANDLE)
		host_stream_close(ep->pollset);
	ep->bell = ep->pollset = HOST_NO_HANDLE;
	return err;
}

/* Another item with the same handle: two descriptors of one host stream. */
static struct epoll_item *epoll_find_twin(struct epoll *ep,
					  struct epoll_item *self,
					  host_handle h)
{
	struct epoll_item *it;

	for (u32 i = 0; i < ep->bucket_count; i++)
		for (it = ep->buckets[i]; it; it = it->hash_next)
			if (it != self && it->handle == h)
				return it;
	return NULL;
}

static u32 epoll_host_events(const struct epoll_item *it)
{
	return poll_to_host(it->events) |
	       (it->events & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE));
}

/* All that the twins want; level triggered, as the library OS sorts it out. */
static u32 epoll_twin_events(struct epoll *ep, host_handle h)
{
	struct epoll_item *it;
	u32 events = 0;

	for (u32 i = 0; i < ep->bucket_count; i++)
		for (it = ep->buckets[i]; it; it = it->hash_next)
			if (it->handle == h)
				events |= poll_to_host(it->events);
	return events;
}

static int epoll_attach_host(struct epoll_item *it, host_handle h)
{
	struct epoll *ep = it->ep;
	int err = epoll_open_pollset(ep);

	if (!err)
		err = host_pollset_ctl(ep->pollset, HOST_POLLSET_ADD, h,
				       epoll_host_events(it), epoll_cookie(it));
	if (err == -EEXIST && epoll_find_twin(ep, it, h)) {
		it->handle = h;
		ep->twins++;
		ep->host_items++;
		return host_pollset_ctl(ep->pollset, HOST_POLLSET_MOD, h,
					epoll_twin_events(ep, h),
					epoll_cookie(it));
	}
	if (err)
		return err;
	it->handle = h;
	/* Who sleeps without the host must sleep in it from now on. */
	if (ep->host_items++ == 0)
		waitq_wake(&ep->wait, 0);
	return 0;
}

static void epoll_detach_host(struct epoll_item *it)
{
	struct epoll *ep = it->ep;
	host_handle h = it->handle;
	struct epoll_item *twin;

	if (h == HOST_NO_HANDLE)
		return;
	it->handle = HOST_NO_HANDLE;
	ep->host_items--;
	twin = ep->twins ? epoll_find_twin(ep, it, h) : NULL;
	if (!twin) {
		host_pollset_ctl(ep->pollset, HOST_POLLSET_DEL, h, 0, 0);
		return;
	}
	ep->twins--;
	host_pollset_ctl(ep->pollset, HOST_POLLSET_MOD, h,
			 epoll_twin_events(ep, h), epoll_cookie(twin));
}

int epoll_update_host(struct epoll_item *it)
{
	struct epoll *ep = it->ep;
	u32 events;

	if (it->handle == HOST_NO_HANDLE)
		return 0;
	events = ep->twins && epoll_find_twin(ep, it, it->handle)
			 ? epoll_twin_events(ep, it->handle)
			 : epoll_host_events(it);
	return host_pollset_ctl(ep->pollset, HOST_POLLSET_MOD, it->handle,
				events, epoll_cookie(it));
}

int epoll_sync_host(struct epoll_item *it)
{
	host_handle h = poll_handle_of(it->file);

	if (LIKELY(h == it->handle))
		return 0;
	epoll_detach_host(it);
	return h == HOST_NO_HANDLE ? 0 : epoll_attach_host(it, h);
}

/* ---- items ---- */
struct epoll_table {
	struct poll_table table;
	struct epoll_item *item;
	bool failed;
};

static void epoll_table_add(struct poll_table *pt, struct waitq *q)
{
	struct epoll_table *et = container_of(pt, struct epoll_table, table);
	struct epoll_item *it = et->item;
	struct epoll_waiter *w;

	if (it->waiter_count < EPOLL_ITEM_WAITERS) {
		w = &it->waiters[it->waiter_count++];
	} else {
		w = kmalloc(sizeof(*w));
		if (!w) {
			et->failed = true;
			return;
		}
		w->next = it->more_waiters;
		it->more_waiters = w;
	}
	w->item = it;
	waiter_init(&w->waiter, NULL);
	w->waiter.wake = epoll_item_woken;
	w->waiter.exclusive = it->events & EPOLLEXCLUSIVE;
	waitq_add(q, &w->waiter);
}

static void epoll_remove_waiters(struct epoll_item *it)
{
	struct epoll_waiter *w, *next;

	for (u32 i = 0; i < it->waiter_count; i++)
		waitq_remove(&it->waiters[i].waiter);
	for (w = it->more_waiters; w; w = next) {
		next = w->next;
		waitq_remove(&w->waiter);
		kfree(w);
	}
}

static void epoll_remove(struct epoll_item *it)
{
	struct epoll *ep = it->ep;

	epoll_remove_waiters(it);
	epoll_unmark_ready(it);
	epoll_detach_host(it);
	epoll_unlink(ep, it);
	kfree(it);
}

static long epoll_add(struct epoll *ep, struct file *f, s32 fd, u32 events,
		      u64 data)
{
	struct epoll_table et = { .table = { epoll_table_add, f } };
	struct epoll_item *it = kzalloc(sizeof(*it));
	u32 now;
	int err;

	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->generation = ep->next_generation++ & 0x7fffffff;
	it->events = events | EPOLLERR | EPOLLHUP;
	it->data = data;
	it->handle = HOST_NO_HANDLE;
	list_init(&it->ready);
	list_init(&it->in_file);
	et.item = it;
	epoll_enter(ep, it);
	now = poll_ask(f, &et.table);
	err = et.failed ? -ENOMEM : epoll_sync_host(it);
	if (err) {
		epoll_remove(it);
		return err;
	}
	if (now & it->events && epoll_mark_ready(it))
		epoll_notify(ep);
	return 0;
}

static long epoll_modify(struct epoll_item *it, u32 events, u64 data)
{
	int err;

	if (it->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	__atomic_store_n(&it->events, events | EPOLLERR | EPOLLHUP,
			 __ATOMIC_SEQ_CST);
	it->data = data;
	err = it->handle == poll_handle_of(it->file) ? epoll_update_host(it)
						     : epoll_sync_host(it);
	if (err)
		return err;
	if (poll_ask(it->file, NULL) & it->events && epoll_mark_ready(it))
		epoll_notify(it->ep);
	return 0;
}

/* ---- nesting ---- */
/* How deep epolls lie below ep, itself included; -1 if `wanted` is there. */
static int epoll_depth_below(struct epoll *ep, struct epoll *wanted)
{
	int depth = 0;

	if (ep == wanted)
		return -1;
	mutex_lock(&ep->lock);
	for (u32 i = 0; i < ep->bucket_count && depth >= 0; i++)
		for (struct epoll_item *it = ep->buckets[i]; it;
		     it = it->hash_next) {
			struct epoll *inner = epoll_of(it->file);
			int d = inner ? epoll_depth_below(inner, wanted) : 0;

			if (d < 0) {
				depth = -1;
				break;
			}
			depth = MAX(depth, d);
		}
	mutex_unlock(&ep->lock);
	return depth < 0 ? -1 : depth + 1;
}

/* How many epolls lie above ep. epoll_links_lock held. */
static int epoll_height_above(struct epoll *ep)
{
	struct epoll_item *it;
	int height = 0;

	list_for_each(it, &ep->file->epoll_items, in_file) {
		int h = 1 + epoll_height_above(it->ep);

		height = MAX(height, h);
	}
	return height;
}

static long epoll_check_nesting(struct epoll *ep, struct epoll *inner)
{
	int below = epoll_depth_below(inner, ep), above;

	if (below < 0)
		return -ELOOP;
	mutex_lock(&epoll_links_lock);
	above = epoll_height_above(ep);
	mutex_unlock(&epoll_links_lock);
	return above + below > EPOLL_MAX_NESTS ? -ELOOP : 0;
}

/* ---- epoll_ctl ---- */
static bool epoll_can_watch(struct file *f)
{
	u32 type = f->inode ? f->inode->mode & S_IFMT_BITS : 0;

	if (type == 0100000 || type == 0040000)
		return false;
	return f->ops->poll || f->ops->poll_handle;
}

static long epoll_change(struct epoll *ep, int op, struct file *f, s32 fd,
			 const struct epoll_event *ev)
{
	struct epoll_item *it;
	long ret;

	mutex_lock(&ep->lock);
	it = epoll_find(ep, f, fd);
	switch (op) {
	case EPOLL_CTL_ADD:
		ret = it ? -EEXIST
			 : epoll_add(ep, f, fd, ev->events, ev->data);
		break;
	case EPOLL_CTL_MOD:
		ret = it ? epoll_modify(it, ev->events, ev->data) : -ENOENT;
		break;
	case EPOLL_CTL_DEL:
		ret = it ? 0 : -ENOENT;
		if (it)
			epoll_remove(it);
		break;
	default:
		ret = -EINVAL;
	}
	mutex_unlock(&ep->lock);
	return ret;
}

static long epoll_ctl_files(struct file *epf, int op, struct file *f, s32 fd,
			    const struct epoll_event *ev)
{
	struct epoll *ep = epoll_of(epf), *inner = epoll_of(f);
	long ret = 0;

	if (!epoll_can_watch(f))
		return -EPERM;
	if (f == epf || !ep)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE &&
	    (op == EPOLL_CTL_MOD || inner || ev->events & ~EXCLUSIVE_OK))
		return -EINVAL;
	if (op != EPOLL_CTL_ADD || !inner)
		return epoll_change(ep, op, f, fd, ev);
	mutex_lock(&nest_lock);
	ret = epoll_check_nesting(ep, inner);
	if (!ret)
		ret = epoll_change(ep, op, f, fd, ev);
	mutex_unlock(&nest_lock);
	return ret;
}

long sys_epoll_ctl(struct task *t, const struct sysargs *a)
{
	struct epoll_event ev = { 0 };
	int op = (int)a->a[1];
	struct file *epf, *f;
	bool put_ep, put_f;
	long ret = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, a->a[3], sizeof(ev)))
		return -EFAULT;
	epf = fd_begin((int)a->a[0], &put_ep);
	if (!epf)
		return -EBADF;
	f = fd_begin((int)a->a[2], &put_f);
	if (f) {
		ret = epoll_ctl_files(epf, op, f, (s32)a->a[2], &ev);
		fd_end(f, put_f);
	}
	fd_end(epf, put_ep);
	return ret;
}

/* ---- the epoll file ---- */
static void epoll_put(struct epoll *ep)
{
	bool last;

	mutex_lock(&epoll_links_lock);
	last = --ep->refs == 0;
	if (last)
		list_remove(&ep->in_all);
	mutex_unlock(&epoll_links_lock);
	if (!last)
		return;
	if (ep->pollset != HOST_NO_HANDLE)
		host_stream_close(ep->pollset);
	if (ep->bell != HOST_NO_HANDLE)
		host_stream_close(ep->bell);
	kfree(ep->buckets);
	kfree(ep);
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;

	mutex_lock(&ep->lock);
	for (u32 i = 0; i < ep->bucket_count; i++)
		while (ep->buckets[i])
			epoll_remove(ep->buckets[i]);
	mutex_unlock(&ep->lock);
	epoll_put(ep);
}

/* Is an item on the ready list still ready?  Drops those that are not. */
static bool epoll_has_ready(struct epoll *ep)
{
	struct epoll_item *it;
	bool found = false;

	if (!__atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST))
		return false;
	mutex_lock(&ep->lock);
	while (!found && !list_empty(&ep->ready)) {
		it = list_first(&ep->ready, struct epoll_item, ready);
		epoll_unmark_ready(it);
		epoll_sync_host(it);
		found = poll_ask(it->file, NULL) & it->events;
		if (found)
			epoll_mark_ready(it);
	}
	mutex_unlock(&ep->lock);
	return found;
}

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;

	poll_add(pt, &ep->wait);
	return epoll_has_ready(ep) ? EPOLLIN | EPOLLRDNORM : 0;
}

static host_handle epoll_handle(struct file *f)
{
	struct epoll *ep = f->priv;

	return ep->host_items ? ep->pollset : HOST_NO_HANDLE;
}

const struct file_ops epoll_ops = {
	.name = "[eventpoll]",
	.poll = epoll_poll,
	.poll_handle = epoll_handle,
	.release = epoll_release,
};

static long epoll_create(u32 flags)
{
	struct epoll *ep = kzalloc(sizeof(*ep));
	long fd = -ENOMEM;

	if (!ep)
		return -ENOMEM;
	ep->bucket_count = EPOLL_FIRST_BUCKETS;
	ep->buckets = kzalloc(EPOLL_FIRST_BUCKETS * sizeof(*ep->buckets));
	ep->pollset = ep->bell = HOST_NO_HANDLE;
	ep->refs = 1;
	list_init(&ep->ready);
	waitq_init(&ep->wait);
	list_init(&ep->in_all);
	if (ep->buckets)
		fd = anon_install(&epoll_ops, O_RDWR | flags, ep, &ep->file);
	if (fd >= 0) {
		mutex_lock(&epoll_links_lock);
		list_push_back(&all_epolls, &ep->in_all);
		mutex_unlock(&epoll_links_lock);
	} else {
		kfree(ep->buckets);
		kfree(ep);
	}
	return fd;
}

long sys_epoll_create(struct task *t, const struct sysargs *a)
{
	return (s32)a->a[0] <= 0 ? -EINVAL : epoll_create(0);
}

long sys_epoll_create1(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[0];

	return flags & ~(u32)O_CLOEXEC ? -EINVAL : epoll_create(flags);
}

/* ---- for others ---- */
void epoll_file_released(struct file *f)
{
	while (!list_empty(&f->epoll_items)) {
		struct epoll_item *it, *found;
		struct epoll *ep;
		u64 cookie;

		mutex_lock(&epoll_links_lock);
		if (list_empty(&f->epoll_items)) {
			mutex_unlock(&epoll_links_lock);
			return;
		}
		it = list_first(&f->epoll_items, struct epoll_item, in_file);
		ep = it->ep;
		ep->refs++;
		cookie = epoll_cookie(it);
		mutex_unlock(&epoll_links_lock);
		mutex_lock(&ep->lock);
		found = epoll_find_generation(ep, cookie);
		if (found && found->file == f)
			epoll_remove(found);
		mutex_unlock(&ep->lock);
		epoll_put(ep);
	}
}

void waitq_abandon(struct waitq *q)
{
	struct waiter *w, *next;

	mutex_lock(&q->lock);
	list_for_each_safe(w, next, &q->waiters, node) {
		list_remove(&w->node);
		w->queue = NULL;
	}
	mutex_unlock(&q->lock);
}

void epoll_show_fdinfo(struct file *f, struct seq *s)
{
	struct epoll *ep = epoll_of(f);
	struct epoll_item *it;

	if (!ep)
		return;
	mutex_lock(&ep->lock);
	for (u32 i = 0; i < ep->bucket_count; i++)
		for (it = ep->buckets[i]; it; it = it->hash_next)
			seq_printf(s, "tfd: %8d events: %8x data: %16lx "
				   " pos:%lu ino:%lx sdev:%lx\n", it->fd,
				   it->events, (unsigned long)it->data,
				   (unsigned long)it->file->pos,
				   (unsigned long)it->file->inode->ino, 0ul);
	mutex_unlock(&ep->lock);
}

/* ---- after a resume ---- */
static void epoll_forget_host(struct epoll *ep)
{
	struct epoll_item *it;

	ep->pollset = ep->bell = HOST_NO_HANDLE;
	ep->host_items = ep->twins = ep->host_sleepers = ep->bell_rung = 0;
	for (u32 i = 0; i < ep->bucket_count; i++)
		for (it = ep->buckets[i]; it; it = it->hash_next)
			it->handle = HOST_NO_HANDLE;
}

/* The host's poll sets anew, from the items.  An epoll in another one gets
 * its set when it has its first host item, and tells the other then. */
void epoll_resumed(void)
{
	struct epoll_item *it;
	struct epoll *ep;

	list_for_each(ep, &all_epolls, in_all)
		epoll_forget_host(ep);
	list_for_each(ep, &all_epolls, in_all)
		for (u32 i = 0; i < ep->bucket_count; i++)
			for (it = ep->buckets[i]; it; it = it->hash_next)
				epoll_sync_host(it);
}
