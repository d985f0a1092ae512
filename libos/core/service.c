/*
 * service.c - the service thread of a sandbox.
 *
 * One thread of the library OS, in the first picoprocess, that runs timers
 * (ktimer_run), watches host handles (console streams, the monitor's events)
 * and calls their functions.  It sleeps in host_poll; service_kick() makes it
 * look again through an event handle, which is its poll entry 0.  While the
 * sandbox is frozen it takes the monitor's events and does nothing else.
 */
#include <libos/core.h>
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/lock.h>
#include <libos/park.h>
#include <libos/task.h>
#include <libos/vfs.h>

#define WATCH_MAX 64

struct watch {
	host_handle h;
	u32 events;
	bool (*fn)(void *arg, u32 events);
	void *arg;
	bool used;
};

static struct mutex watch_lock; /* guards watches */
static struct watch watches[WATCH_MAX] LARGE;
static host_handle bell; /* reopened on resume: empty */
static u32 is_sleeping;  /* the bell must be rung */

void service_kick(void)
{
	u64 one = 1;
	struct host_iovec iov = { &one, sizeof(one) };

	if (__atomic_exchange_n(&is_sleeping, 0, __ATOMIC_SEQ_CST))
		host_stream_write(bell, &iov, 1, HOST_AT_ONCE);
}

void service_watch(host_handle h, u32 events,
		   bool (*fn)(void *arg, u32 events), void *arg)
{
	struct watch *free = NULL;

	mutex_lock(&watch_lock);
	for (unsigned i = 0; i < WATCH_MAX && !free; i++)
		if (!watches[i].used)
			free = &watches[i];
	if (free)
		*free = (struct watch){ h, events, fn, arg, true };
	mutex_unlock(&watch_lock);
	if (!free)
		klog("too many consoles: handle %d is not watched", h);
	service_kick();
}

static unsigned collect(struct host_pollfd *fds, u8 *index)
{
	unsigned n = 1;

	fds[0] = (struct host_pollfd){ bell, HOST_POLL_IN, 0 };
	mutex_lock(&watch_lock);
	for (unsigned i = 0; i < WATCH_MAX; i++) {
		if (!watches[i].used ||
		    (park_is_frozen() && watches[i].fn != events_ready))
			continue;
		index[n] = (u8)i;
		fds[n++] = (struct host_pollfd){ watches[i].h,
						 (s16)watches[i].events, 0 };
	}
	mutex_unlock(&watch_lock);
	return n;
}

static void run_watches(const struct host_pollfd *fds, const u8 *index,
			unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct watch w = watches[index[i]];

		if (!fds[i].revents || !w.used || w.h != fds[i].h)
			continue;
		if (w.fn(w.arg, (u32)fds[i].revents))
			continue;
		mutex_lock(&watch_lock);
		watches[index[i]].used = false;
		mutex_unlock(&watch_lock);
	}
}

static void drain_bell(void)
{
	u64 count;
	struct host_iovec iov = { &count, sizeof(count) };

	host_stream_read(bell, &iov, 1, HOST_AT_ONCE);
}

static void service_main(void *arg)
{
	static struct host_pollfd fds[WATCH_MAX + 1];
	static u8 index[WATCH_MAX + 1];

	for (;;) {
		unsigned n = collect(fds, index);
		u64 deadline;
		int ready;

		__atomic_store_n(&is_sleeping, 1, __ATOMIC_SEQ_CST);
		deadline = park_is_frozen() ? HOST_FOREVER : ktimer_next();
		ready = host_poll(fds, n, deadline);
		__atomic_store_n(&is_sleeping, 0, __ATOMIC_SEQ_CST);
		if (ready > 0 && fds[0].revents)
			drain_bell();
		if (ready > 0)
			run_watches(fds, index, n);
		if (!park_is_frozen())
			ktimer_run();
	}
}

static struct task *service_thread;

int service_start(void)
{
	struct host_open o = { .kind = HOST_OPEN_EVENT };

	bell = host_stream_open(&o);
	if (bell < 0)
		return bell;
	service_thread = kthread_create("service", service_main, NULL);
	return service_thread ? 0 : -ENOMEM;
}

struct task *service_task(void)
{
	return service_thread;
}

int service_resumed(void)
{
	struct host_open o = { .kind = HOST_OPEN_EVENT };

	memset(watches, 0, sizeof(watches));
	is_sleeping = 0;
	bell = host_stream_open(&o);
	if (bell < 0)
		return bell;
	service_watch(boot_info()->events, HOST_POLL_IN, events_ready, NULL);
	return 0;
}

_Noreturn void service_run(void)
{
	service_main(NULL);
	__builtin_unreachable();
}
