/*
 * park.c - freezing the sandbox.
 *
 * The service thread sets WORK_PARK on every guest thread and kicks it; each
 * comes to task_park(): on its way back to the guest, in a sleep, or out of a
 * wait in the host.  There it holds no lock, its vector registers and thread
 * pointer are put in its task, its callee-saved registers lie on its kernel
 * stack, and task->park_sp says where.  So all that a thread is lies in the
 * kernel heap, however deep in a system call it is, and a host thread that
 * is made later (resume.c) returns from task_park() in its stead: no call is
 * interrupted, none restarted.
 *
 * A thread counts as standing when its park_state says so; one whose host
 * thread is on its way up or moving to another picoprocess is waited for.
 */
#include <libos/park.h>

#include <libos/ktime.h>
#include <libos/lock.h>
#include <libos/proc.h>

#define LOOK_AGAIN_NS 200000ull
#define FREEZE_TIMEOUT_NS (10 * NSEC_PER_SEC)

/* A parked thread decides under it to run on, the service thread to freeze:
 * so one that counts as standing does. */
static struct mutex leave_lock;
/* Written by the service thread only. */
static u32 is_freezing;     /* leave_lock; new threads are to stand still */
static u32 gate;            /* changes when parked threads are to look */
/* Counted up by every thread that comes to stand; the service thread sleeps
 * on it. */
static u32 arrivals;
/* What one parked thread is to do: park_run(). */
static struct {
	struct task *task;
	void (*fn)(void *arg);
	void *arg;
	u32 is_done;
} errand;

bool park_is_frozen(void)
{
	return is_freezing;
}

void park_new_thread(struct task *t)
{
	if (!t->is_kthread && __atomic_load_n(&is_freezing, __ATOMIC_SEQ_CST))
		task_set_work(t, WORK_PARK);
}

static void run_errand(struct task *t)
{
	errand.fn(errand.arg);
	errand.task = NULL;
	__atomic_store_n(&errand.is_done, 1, __ATOMIC_SEQ_CST);
	host_sync_wake(&errand.is_done, 1);
}

static bool may_leave(struct task *t)
{
	bool yes;

	mutex_lock(&leave_lock);
	yes = !is_freezing;
	if (yes)
		__atomic_store_n(&t->park_state, TASK_UNPARKED,
				 __ATOMIC_SEQ_CST);
	mutex_unlock(&leave_lock);
	return yes;
}

/* With park_sp set. */
static void park_wait(void)
{
	struct task *t = current();
	u32 seen;

	__atomic_store_n(&t->park_state, TASK_PARKED, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&arrivals, 1, __ATOMIC_SEQ_CST);
	host_sync_wake(&arrivals, 1);
	for (;;) {
		seen = __atomic_load_n(&gate, __ATOMIC_SEQ_CST);
		if (may_leave(t))
			return;
		if (__atomic_load_n(&errand.task, __ATOMIC_SEQ_CST) == t)
			run_errand(t);
		else
			host_sync_wait(&gate, seen, HOST_FOREVER);
	}
}

void task_park(void)
{
	struct task *t = current();

	if (__atomic_load_n(&is_freezing, __ATOMIC_SEQ_CST) &&
	    arch_save_thread(t) == 0)
		arch_park(&t->park_sp, park_wait);
	task_clear_work(t, WORK_PARK);
	t->park_sp = 0;
	/* Frozen again in between: its WORK_PARK may just have been cleared. */
	park_new_thread(t);
}

/* ---- the service thread ------------------------------------------------------ */
struct freeze { u32 missing; };

static bool has_host_thread(const struct task *t)
{
	return t->host.thread || t->is_moving;
}

static void ask_to_park(struct task *t, void *arg)
{
	struct freeze *f = arg;

	if (!has_host_thread(t) ||
	    __atomic_load_n(&t->park_state, __ATOMIC_SEQ_CST) == TASK_PARKED)
		return;
	f->missing++;
	task_set_work(t, WORK_PARK);
	task_kick(t);
}

static void open_gate(void)
{
	__atomic_fetch_add(&gate, 1, __ATOMIC_SEQ_CST);
	host_sync_wake(&gate, INT32_MAX);
}

int park_freeze(void)
{
	u64 until = deadline_after(FREEZE_TIMEOUT_NS);

	mutex_lock(&leave_lock);
	__atomic_store_n(&is_freezing, 1, __ATOMIC_SEQ_CST);
	mutex_unlock(&leave_lock);
	for (;;) {
		u32 seen = __atomic_load_n(&arrivals, __ATOMIC_SEQ_CST);
		struct freeze f = { 0 };

		task_for_each(ask_to_park, &f);
		if (!f.missing)
			return 0;
		if (clock_monotonic_ns() > until)
			break;
		host_sync_wait(&arrivals, seen, deadline_after(LOOK_AGAIN_NS));
	}
	park_thaw();
	return -ETIMEDOUT;
}

void park_thaw(void)
{
	__atomic_store_n(&is_freezing, 0, __ATOMIC_SEQ_CST);
	open_gate();
}

void park_forget(void)
{
	mutex_init(&leave_lock);
	is_freezing = 0;
	arrivals = 0;
}

void park_run(struct task *t, void (*fn)(void *arg), void *arg)
{
	errand.fn = fn;
	errand.arg = arg;
	errand.is_done = 0;
	__atomic_store_n(&errand.task, t, __ATOMIC_SEQ_CST);
	open_gate();
	while (!__atomic_load_n(&errand.is_done, __ATOMIC_SEQ_CST))
		host_sync_wait(&errand.is_done, 0, HOST_FOREVER);
}

/* ---- groups: threads that share an address space ------------------------------ */
struct group_walk {
	s32 done_below;   /* groups up to this number have been visited */
	struct task *next;/* of the lowest number above that */
};

static void find_next_group(struct task *t, void *arg)
{
	struct group_walk *w = arg;

	if (t->park_state != TASK_PARKED || t->host.process <= w->done_below)
		return;
	if (!w->next || t->host.process < w->next->host.process)
		w->next = t;
}

void park_for_each_group(void (*fn)(struct task *t, void *arg), void *arg)
{
	struct group_walk w = { 0 };

	for (;;) {
		w.next = NULL;
		task_for_each(find_next_group, &w);
		if (!w.next)
			return;
		w.done_below = w.next->host.process;
		fn(w.next, arg);
	}
}
