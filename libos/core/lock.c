/*
 * lock.c - the slow paths of mutexes, and wait queues.  See lock.h.
 */
#include <libos/lock.h>
#include <libos/task.h>

#define SPIN_ROUNDS 64

/* State 2 says that somebody may sleep, so unlock must wake. */
void mutex_lock_slow(struct mutex *m)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (mutex_trylock(m))
			return;
		arch_relax();
	}
	while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) != 0)
		host_sync_wait(&m->state, 2, HOST_FOREVER);
}

void mutex_unlock_slow(struct mutex *m)
{
	host_sync_wake(&m->state, 1);
}

void waitq_init(struct waitq *q)
{
	mutex_init(&q->lock);
	list_init(&q->waiters);
}

static bool wake_task(struct waiter *w, u32 events)
{
	task_wake(w->task);
	return true;
}

void waiter_init(struct waiter *w, struct task *t)
{
	list_init(&w->node);
	w->queue = NULL;
	w->task = t;
	w->wake = wake_task;
	w->exclusive = false;
}

/* Exclusive waiters stand behind the others, first come first woken. */
void waitq_add(struct waitq *q, struct waiter *w)
{
	mutex_lock(&q->lock);
	w->queue = q;
	if (w->exclusive)
		list_push_back(&q->waiters, &w->node);
	else
		list_push_front(&q->waiters, &w->node);
	mutex_unlock(&q->lock);
}

void waitq_remove(struct waiter *w)
{
	struct waitq *q = w->queue;

	if (!q)
		return;
	mutex_lock(&q->lock);
	list_remove(&w->node);
	w->queue = NULL;
	mutex_unlock(&q->lock);
}

void waitq_wake(struct waitq *q, u32 events)
{
	struct waiter *w, *next;

	if (!waitq_active(q))
		return;
	mutex_lock(&q->lock);
	list_for_each_safe(w, next, &q->waiters, node)
		if (w->wake(w, events) && w->exclusive)
			break;
	mutex_unlock(&q->lock);
}
