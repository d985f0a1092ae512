/*
 * ktimer.c - the timers of the library OS: one queue for the whole sandbox,
 * in shared memory, run by the service thread.
 *
 * The queue is a pairing heap threaded through the timers themselves, so
 * arming never allocates: prev is the parent for a first child, else the left
 * sibling; the root has none.  Cancelling waits for a running callback, so a
 * caller may free the timer afterwards; a callback may cancel or set its own
 * timer (the wait is skipped on the service thread).
 */
#include <libos/ktime.h>

#include <libos/lock.h>
#include <libos/task.h>

static struct mutex timer_lock;
static struct ktimer *timer_root;
static struct ktimer *timer_running;
static struct task *timer_thread;     /* who runs callbacks */
static struct waitq timer_idle = WAITQ_INIT(timer_idle);

/* Of two roots, the later becomes the first child of the earlier. */
static struct ktimer *meld(struct ktimer *a, struct ktimer *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->deadline_ns < a->deadline_ns) {
		struct ktimer *x = a;

		a = b;
		b = x;
	}
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	b->prev = a;
	a->child = b;
	return a;
}

/* A list of siblings into one heap: in pairs, then all together. */
static struct ktimer *meld_list(struct ktimer *t)
{
	struct ktimer *pairs = NULL, *root = NULL;

	while (t) {
		struct ktimer *a = t, *b = t->next;

		t = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct ktimer *n = pairs->next;

		pairs->next = pairs->prev = NULL;
		root = meld(root, pairs);
		pairs = n;
	}
	return root;
}

static void queue_remove(struct ktimer *t)
{
	struct ktimer *below = meld_list(t->child);

	if (t == timer_root) {
		timer_root = below;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		timer_root = meld(timer_root, below);
	}
	t->child = t->next = t->prev = NULL;
	t->armed = false;
}

void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *))
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
}

void ktimer_set(struct ktimer *t, u64 deadline_ns)
{
	bool first;

	mutex_lock(&timer_lock);
	if (t->armed)
		queue_remove(t);
	if (deadline_ns != HOST_FOREVER) {
		t->deadline_ns = deadline_ns;
		t->armed = true;
		timer_root = meld(timer_root, t);
	}
	first = timer_root == t;
	mutex_unlock(&timer_lock);
	if (first && current() != timer_thread)
		service_kick();
}

void ktimer_cancel(struct ktimer *t)
{
	mutex_lock(&timer_lock);
	if (t->armed)
		queue_remove(t);
	while (timer_running == t && current() != timer_thread) {
		struct waiter w;

		mutex_unlock(&timer_lock);
		waiter_init(&w, current());
		waitq_add(&timer_idle, &w);
		for (;;) {
			task_prepare_sleep();
			if (__atomic_load_n(&timer_running,
					    __ATOMIC_SEQ_CST) != t)
				break;
			/* a callback is short; do not let signals hurry us */
			if (task_sleep_killable(HOST_FOREVER))
				break;
		}
		waitq_remove(&w);
		mutex_lock(&timer_lock);
	}
	mutex_unlock(&timer_lock);
}

u64 ktimer_next(void)
{
	u64 at;

	mutex_lock(&timer_lock);
	at = timer_root ? timer_root->deadline_ns : HOST_FOREVER;
	mutex_unlock(&timer_lock);
	return at;
}

void ktimer_run(void)
{
	u64 now = clock_monotonic_ns();

	mutex_lock(&timer_lock);
	timer_thread = current();
	while (timer_root && timer_root->deadline_ns <= now) {
		struct ktimer *t = timer_root;

		queue_remove(t);
		__atomic_store_n(&timer_running, t, __ATOMIC_SEQ_CST);
		mutex_unlock(&timer_lock);
		t->fn(t);
		__atomic_store_n(&timer_running, NULL, __ATOMIC_SEQ_CST);
		if (waitq_active(&timer_idle))
			waitq_wake(&timer_idle, 0);
		mutex_lock(&timer_lock);
	}
	mutex_unlock(&timer_lock);
}

/* ---- after a resume -------------------------------------------------------- */
/* The heap's nodes, each before its children. */
static struct ktimer *walk_next(struct ktimer *t)
{
	if (t->child)
		return t->child;
	while (t && !t->next) {
		while (t->prev && t->prev->child != t)
			t = t->prev;
		t = t->prev; /* the parent */
	}
	return t ? t->next : NULL;
}

/* The armed timer that comes after one in the order of addresses: they are
 * set anew one by one, each of which changes the queue. */
static struct ktimer *next_jumper(const struct ktimer *after)
{
	struct ktimer *t, *best = NULL;

	for (t = timer_root; t; t = walk_next(t))
		if (t->jumped && t > after && (!best || t < best))
			best = t;
	return best;
}

void ktimers_jumped(u64 ns)
{
	struct ktimer *t = NULL;

	for (;;) {
		mutex_lock(&timer_lock);
		t = next_jumper(t);
		mutex_unlock(&timer_lock);
		if (!t)
			return;
		t->jumped(t, ns);
	}
}
