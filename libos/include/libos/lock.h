/*
 * lock.h - mutexes and wait queues, valid across picoprocesses.
 *
 * Order of locks, outermost first (a thread that holds one may take only
 * those below it):
 *
 *   tasklist_lock            process tree, groups, sessions (task.h)
 *     rename_lock            directory topology (fs)
 *       inode->lock          directories: parent before child
 *         file->lock, pipe/socket/tty locks (sockets: lower address first)
 *           mm->lock         address space
 *             files->lock    descriptor table
 *               sighand->lock  signals of a process
 *                 waitq->lock
 *                   page/heap locks
 *
 * Locks are held only inside the library OS, never while guest code runs,
 * and never across task_sleep().  A thread inside the library OS cannot be
 * killed, so locks need no robustness.
 */
#ifndef LIBOS_LOCK_H
#define LIBOS_LOCK_H

#include <libos/base.h>

struct task;

struct mutex { u32 state; }; /* 0 free, 1 held, 2 held and waited for */
#define MUTEX_INIT { 0 }
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);
static inline void mutex_init(struct mutex *m) { m->state = 0; }
static inline bool mutex_trylock(struct mutex *m)
{
	u32 free = 0;
	return __atomic_compare_exchange_n(&m->state, &free, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static inline void mutex_lock(struct mutex *m)
{
	if (UNLIKELY(!mutex_trylock(m)))
		mutex_lock_slow(m);
}
static inline void mutex_unlock(struct mutex *m)
{
	if (UNLIKELY(__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2))
		mutex_unlock_slow(m);
}
static inline bool mutex_is_held(const struct mutex *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_RELAXED) != 0;
}
/* Lock two of a kind without deadlock. a == b is fine. */
static inline void mutex_lock_pair(struct mutex *a, struct mutex *b)
{
	if (a == b) { mutex_lock(a); return; }
	if (a > b) { struct mutex *x = a; a = b; b = x; }
	mutex_lock(a);
	mutex_lock(b);
}
static inline void mutex_unlock_pair(struct mutex *a, struct mutex *b)
{
	mutex_unlock(a);
	if (a != b)
		mutex_unlock(b);
}

/*
 * Wait queues.  The pattern (see wait_until below):
 *
 *   struct waiter w;
 *   waiter_init(&w, current());
 *   waitq_add(&obj->wq, &w);
 *   for (;;) {
 *           task_prepare_sleep();          before looking at the condition
 *           if (condition) break;
 *           err = task_sleep(deadline_ns); 0 woken (maybe for nothing),
 *           if (err) break;                -ERESTARTSYS a signal is pending,
 *   }                                      -ETIMEDOUT
 *   waitq_remove(&w);
 *
 * A wake-up between task_prepare_sleep and task_sleep is never lost, nor is
 * a signal.
 */
struct waitq {
	struct mutex lock; /* guards waiters */
	struct list waiters;
};
struct waiter {
	struct list node;   /* waitq->lock */
	struct waitq *queue;
	struct task *task;
	/* Called with the queue's lock held; must not take it or sleep.
	 * Default: task_wake(task).  events: EPOLL* bits, 0 for "anything".
	 * Returns true if it used up the wake-up (for exclusive waiters). */
	bool (*wake)(struct waiter *w, u32 events);
	bool exclusive;     /* wake at most one of these */
};
#define WAITQ_INIT(q) { MUTEX_INIT, LIST_INIT((q).waiters) }
void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w, struct task *t);
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waiter *w); /* fine if not queued */
/* Wake those who wait; cheap when nobody does. */
void waitq_wake(struct waitq *q, u32 events);
static inline bool waitq_active(const struct waitq *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !list_empty(&q->waiters);
}

void task_prepare_sleep(void);
int task_sleep(u64 deadline_ns);      /* interruptible */
int task_sleep_killable(u64 deadline_ns); /* only SIGKILL interrupts */
void task_wake(struct task *t);

/* Wait until cond; evaluates to 0, -ERESTARTSYS or -ETIMEDOUT. */
#define wait_until(wq, cond, deadline_ns)                                    \
	({                                                                   \
		struct waiter w__;                                           \
		int err__ = 0;                                               \
		waiter_init(&w__, current());                                \
		waitq_add((wq), &w__);                                       \
		for (;;) {                                                   \
			task_prepare_sleep();                                \
			if (cond) {                                          \
				err__ = 0;                                   \
				break;                                       \
			}                                                    \
			if (err__)                                           \
				break;                                       \
			err__ = task_sleep(deadline_ns);                     \
		}                                                            \
		waitq_remove(&w__);                                          \
		err__;                                                       \
	})

#endif
