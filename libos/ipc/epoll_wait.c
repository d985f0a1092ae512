/*
 * epoll_wait.c - epoll_wait, epoll_pwait, epoll_pwait2.
 *
 * First the items that the library OS knows to be ready, then the host's.
 * When the epoll has host handles the thread sleeps in the pollset, in which
 * a doorbell lies that epoll_notify() rings; otherwise on ep->wait.  With
 * host handles only, a call is exactly one host_pollset_wait.
 */
#include "epoll.h"
#include "poll_core.h"

#include <libos/ktime.h>
#include <libos/park.h>
#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#define HOST_EVENTS 64 /* taken from the host at a time */

/* The results of one call, on their way to the guest. */
struct epoll_results {
	u64 user;
	u32 max, count;
	u32 call;      /* number of this call, for item->result_call */
	long err;
};

static bool epoll_emit(struct epoll_results *r, struct epoll_item *it, u32 ev)
{
	struct epoll_event out = { ev, it->data };

	if (copy_to_user(r->user + r->count * sizeof(out), &out, sizeof(out))) {
		r->err = -EFAULT;
		return false;
	}
	it->result_call = r->call;
	it->result_index = r->count++;
	return true;
}

/* The host has more to say of an item that is among the results already. */
static void epoll_emit_more(struct epoll_results *r, struct epoll_item *it,
			    u32 ev)
{
	u64 at = r->user + it->result_index * sizeof(struct epoll_event);
	u32 old;

	if (!get_user_u32(&old, at))
		put_user_u32(at, old | ev);
}

static void epoll_disarm(struct epoll_item *it, bool tell_host)
{
	__atomic_store_n(&it->events, it->events & EPOLL_FLAGS,
			 __ATOMIC_SEQ_CST);
	if (tell_host)
		epoll_update_host(it);
}

static struct epoll_item *epoll_pop(struct epoll *ep)
{
	struct epoll_item *it = NULL;

	mutex_lock(&ep->ready_lock);
	if (!list_empty(&ep->ready)) {
		it = list_first(&ep->ready, struct epoll_item, ready);
		list_remove(&it->ready);
		it->is_ready = false;
		__atomic_fetch_sub(&ep->ready_count, 1, __ATOMIC_SEQ_CST);
	}
	mutex_unlock(&ep->ready_lock);
	return it;
}

/* One popped item: its events go out, and it goes back on the list if level
 * triggered.  False: stop. */
static bool epoll_take_item(struct epoll_results *r, struct epoll_item *it)
{
	u32 ev;

	epoll_sync_host(it);
	ev = poll_ask(it->file, NULL) & it->events;
	if (!ev)
		return true;
	if (!epoll_emit(r, it, ev)) {
		epoll_mark_ready(it);
		return false;
	}
	if (it->events & EPOLLONESHOT)
		epoll_disarm(it, it->handle != HOST_NO_HANDLE);
	else if (!(it->events & EPOLLET))
		epoll_mark_ready(it);
	return true;
}

/* Lock held.  Items that come back to the list are not looked at twice. */
static void epoll_take_ready(struct epoll *ep, struct epoll_results *r)
{
	u32 budget = __atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST);
	struct epoll_item *it;

	while (budget-- && r->count < r->max && (it = epoll_pop(ep)))
		if (!epoll_take_item(r, it))
			return;
}

static void epoll_take_host_item(struct epoll_results *r,
				 struct epoll_item *it, u32 host)
{
	u32 ev = poll_from_host(host) & it->events;

	if (!ev)
		return;
	if (it->result_call == r->call) {
		epoll_emit_more(r, it, ev);
		return;
	}
	if (r->count >= r->max || !epoll_emit(r, it, ev))
		return;
	if (it->events & EPOLLONESHOT)
		epoll_disarm(it, it->ep->twins > 0);
}

static void epoll_take_twins(struct epoll *ep, struct epoll_results *r,
			     host_handle h, u32 host)
{
	struct epoll_item *it;

	for (u32 i = 0; i < ep->bucket_count; i++)
		for (it = ep->buckets[i]; it; it = it->hash_next)
			if (it->handle == h)
				epoll_take_host_item(r, it, host);
}

static void epoll_hear_bell(struct epoll *ep)
{
	u64 count;
	struct host_iovec iov = { &count, sizeof(count) };

	host_stream_read(ep->bell, &iov, 1, HOST_NO_OFFSET);
	/* From here on it is rung again; whoever found it rung before has put
	 * his item on the list, which is looked at next. */
	__atomic_store_n(&ep->bell_rung, 0, __ATOMIC_SEQ_CST);
}

static void epoll_take_host(struct epoll *ep, struct epoll_results *r,
			    const struct host_poll_event *ev, int n)
{
	for (int i = 0; i < n && !r->err; i++) {
		struct epoll_item *it;

		if (ev[i].cookie == EPOLL_BELL) {
			epoll_hear_bell(ep);
			continue;
		}
		it = epoll_find_generation(ep, ev[i].cookie);
		if (!it)
			continue;
		if (UNLIKELY(ep->twins))
			epoll_take_twins(ep, r, it->handle, ev[i].events);
		else
			epoll_take_host_item(r, it, ev[i].events);
	}
}

/* Ask the host, sleeping until the deadline (0: not at all).  Returns 0 to go
 * on, 1 when the time is up, or -errno. */
static int epoll_ask_host(struct epoll *ep, struct epoll_results *r,
			  u64 deadline_ns)
{
	struct host_poll_event ev[HOST_EVENTS];
	u32 room = MIN(r->max - r->count, (u32)HOST_EVENTS);
	bool wait = deadline_ns;
	int n;

	if (wait) {
		__atomic_fetch_add(&ep->host_sleepers, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST))
			deadline_ns = 0;
	}
	if (wait)
		current()->sleep_state = TASK_IN_POLLSET; /* /proc shows it */
	n = host_pollset_wait(ep->pollset, ev, room, deadline_ns);
	if (wait) {
		current()->sleep_state = TASK_RUNNING;
		__atomic_fetch_sub(&ep->host_sleepers, 1, __ATOMIC_SEQ_CST);
	}
	if (n > 0) {
		mutex_lock(&ep->lock);
		epoll_take_host(ep, r, ev, n);
		mutex_unlock(&ep->lock);
		return 0;
	}
	if (n == -EINTR) {
		task_park_point();
		return host_wait_interrupted(current()) ? -EINTR : 0;
	}
	return n < 0 ? n : deadline_ns != 0;
}

/* Sleep on the epoll's own queue.  0, -EINTR, or 1: time is up. */
static int epoll_sleep(struct epoll *ep, u64 deadline_ns)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w, current());
	w.exclusive = true;
	waitq_add(&ep->wait, &w);
	task_prepare_sleep();
	if (!__atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST) &&
	    !__atomic_load_n(&ep->host_items, __ATOMIC_SEQ_CST))
		err = task_sleep(deadline_ns);
	waitq_remove(&w);
	if (!err)
		return 0;
	return err == -ETIMEDOUT ? 1 : -EINTR;
}

static void epoll_collect(struct epoll *ep, struct epoll_results *r)
{
	if (!__atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST))
		return;
	mutex_lock(&ep->lock);
	epoll_take_ready(ep, r);
	mutex_unlock(&ep->lock);
}

static long epoll_wait_events(struct epoll *ep, struct epoll_results *r,
			      u64 deadline_ns)
{
	int end = deadline_ns ? 0 : 1;

	for (;;) {
		epoll_collect(ep, r);
		if (ep->host_items && r->count < r->max && !r->err) {
			bool wait = !r->count && !end;
			int got = epoll_ask_host(ep, r, wait ? deadline_ns : 0);

			if (wait && got)
				end = got;
		} else if (!r->count && !r->err && !end) {
			end = epoll_sleep(ep, deadline_ns);
			if (end)
				epoll_collect(ep, r);
		}
		if (r->count || r->err || end)
			break;
	}
	/* Let the next thread see what is left. */
	if (r->count && __atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST))
		epoll_notify(ep);
	if (r->count)
		return r->count;
	return r->err ? r->err : MIN(end, 0);
}

static long epoll_wait_fd(int epfd, u64 user, s32 max, u64 deadline_ns)
{
	struct epoll_results r = { .user = user };
	struct file *f;
	struct epoll *ep;
	long ret = -EINVAL;

	if (deadline_ns)
		title_look(current());
	if (max <= 0 || max > INT32_MAX / (s32)sizeof(struct epoll_event))
		return -EINVAL;
	if (!access_ok(user, (u64)max * sizeof(struct epoll_event)))
		return -EFAULT;
	f = fd_get(epfd);
	if (!f)
		return -EBADF;
	ep = epoll_of(f);
	if (ep) {
		r.max = (u32)max;
		r.call = __atomic_add_fetch(&ep->last_call, 1,
					    __ATOMIC_RELAXED);
		ret = epoll_wait_events(ep, &r, deadline_ns);
	}
	file_put(f);
	return ret;
}

static u64 deadline_of_ms(s32 ms)
{
	if (ms < 0)
		return HOST_FOREVER;
	return ms ? deadline_after((u64)ms * 1000000) : 0;
}

static long epoll_set_mask(struct task *t, u64 umask, u64 size)
{
	u64 mask;

	if (!umask)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user_u64(&mask, umask))
		return -EFAULT;
	signal_set_temporary_mask(t, mask);
	return 0;
}

long sys_epoll_wait(struct task *t, const struct sysargs *a)
{
	return epoll_wait_fd((int)a->a[0], a->a[1], (s32)a->a[2],
			     deadline_of_ms((s32)a->a[3]));
}

long sys_epoll_pwait(struct task *t, const struct sysargs *a)
{
	long err = epoll_set_mask(t, a->a[4], a->a[5]);

	return err ? err : epoll_wait_fd((int)a->a[0], a->a[1], (s32)a->a[2],
					 deadline_of_ms((s32)a->a[3]));
}

long sys_epoll_pwait2(struct task *t, const struct sysargs *a)
{
	u64 deadline = HOST_FOREVER, ns;
	long err;

	if (a->a[3]) {
		err = get_timespec(a->a[3], &ns);
		if (err)
			return err;
		deadline = ns ? deadline_after(ns) : 0;
	}
	err = epoll_set_mask(t, a->a[4], a->a[5]);
	return err ? err : epoll_wait_fd((int)a->a[0], a->a[1], (s32)a->a[2],
					 deadline);
}
