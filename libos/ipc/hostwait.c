/*
 * hostwait.c - sleeping on host handles and on the library OS's own wake-ups
 * at once.
 *
 * A thread that must wait for both polls its host handles together with its
 * doorbell, an event handle of its own, and says so by TASK_IN_HOST;
 * task_wake() then rings.  Both sides store first and look second (the
 * sleeper its state, then wake_word; the waker wake_word, then the state), so
 * one of them always sees the other.  A bell rung late is heard at the next
 * sleep, which then returns for nothing.
 *
 * Doorbells of threads that ended are kept for later ones: opening an event
 * handle takes a request to the monitor.
 */
#include "poll_core.h"

#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/park.h>
#include <libos/poll.h>
#include <libos/save.h>
#include <libos/signal.h>
#include <libos/task.h>

#define DOORBELL_POOL 64

static struct mutex pool_lock = MUTEX_INIT;
static host_handle pool[DOORBELL_POOL]; /* reopened on resume: emptied */
static unsigned pool_count;

static host_handle doorbell_open(void)
{
	struct host_open o = { .kind = HOST_OPEN_EVENT };
	host_handle h = HOST_NO_HANDLE;

	mutex_lock(&pool_lock);
	if (pool_count)
		h = pool[--pool_count];
	mutex_unlock(&pool_lock);
	return h != HOST_NO_HANDLE ? h : host_stream_open(&o);
}

void task_release_doorbell(struct task *t)
{
	host_handle h = t->doorbell;

	t->doorbell = 0;
	if (h <= 0)
		return;
	mutex_lock(&pool_lock);
	if (pool_count < DOORBELL_POOL) {
		pool[pool_count++] = h;
		h = 0;
	}
	mutex_unlock(&pool_lock);
	if (h)
		host_stream_close(h);
}

void task_ring_doorbell(struct task *t)
{
	u64 one = 1;
	struct host_iovec iov = { &one, sizeof(one) };

	if (t->doorbell > 0)
		host_stream_write(t->doorbell, &iov, 1, HOST_AT_ONCE);
}

static void doorbell_drain(struct task *t)
{
	u64 count;
	struct host_iovec iov = { &count, sizeof(count) };

	host_stream_read(t->doorbell, &iov, 1, HOST_AT_ONCE);
}

bool host_wait_interrupted(struct task *t)
{
	bool pending = signal_pending(t);

	if (!pending) {
		mutex_lock(&t->proc->sighand->lock);
		signal_recalc(t);
		mutex_unlock(&t->proc->sighand->lock);
	}
	return pending;
}

int task_sleep_in_host(struct host_pollfd *fds, unsigned n, u64 deadline_ns)
{
	struct task *t = current();
	int r = 0;

	if (t->doorbell <= 0) {
		host_handle h = doorbell_open();

		if (h < 0)
			return h;
		t->doorbell = h;
	}
	for (unsigned i = 0; i <= n; i++)
		fds[i].revents = 0;
	fds[n].h = t->doorbell;
	fds[n].events = HOST_POLL_IN;
	__atomic_store_n(&t->sleep_state, TASK_IN_HOST, __ATOMIC_SEQ_CST);
	if (signal_pending(t))
		r = -ERESTARTSYS;
	else if (!__atomic_load_n(&t->wake_word, __ATOMIC_SEQ_CST))
		r = host_poll(fds, n + 1, deadline_ns);
	else
		r = 1;
	__atomic_store_n(&t->sleep_state, TASK_RUNNING, __ATOMIC_SEQ_CST);
	if (fds[n].revents)
		doorbell_drain(t);
	t->voluntary_switches++;
	if (r >= 0 && task_park_point()) {
		/* what fds say may be over: look again */
		for (unsigned i = 0; i < n; i++)
			fds[i].revents = 0;
		return 0;
	}
	if (r == 0)
		return -ETIMEDOUT;
	if (r == -EINTR) {
		task_park_point();
		return host_wait_interrupted(t) ? -ERESTARTSYS : 0;
	}
	return MIN(r, 0);
}

static void forget_doorbell(struct task *t, void *arg)
{
	t->doorbell = 0;
}

void hostwait_resumed(void)
{
	pool_count = 0;
	task_for_each(forget_doorbell, NULL);
}

int host_handle_wait(host_handle h, u32 events, u64 deadline_ns)
{
	struct host_pollfd fds[2] = { { h, (int16_t)events, 0 } };

	return task_sleep_in_host(fds, 1, deadline_ns);
}
