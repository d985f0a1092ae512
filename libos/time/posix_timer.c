/*
 * posix_timer.c - timer_create and its family.
 *
 * A periodic timer whose signal waits in the queue is not armed: taking the
 * signal counts the periods that have passed as overruns and arms it for the
 * next one (posix_timer_delivered), as Linux does.
 *
 * Locks: timers->lock guards the list; posix_timer.lock, a leaf below
 * sighand->lock, the timer's state.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/sys.h>
#include <libos/uaccess.h>

struct posix_timer {
	struct list node;      /* timers->posix */
	struct proc *proc;
	s32 id, clock;
	u32 notify;            /* SIGEV_* */
	s32 tid;               /* SIGEV_THREAD_ID */
	struct task *cpu_task; /* whose time it runs on (reference), or */
	struct proc *cpu_proc;
	siginfo_t info;
	struct mutex lock;
	/* lock: */
	struct ktimer ktimer;
	u64 at_ns;             /* on its own clock; 0 off */
	u64 interval_ns;
	int overrun;           /* of the last delivered signal */
	bool is_relative;      /* set as a time from now on */
};

struct guest_sigevent { u64 value; s32 signo, notify, tid; s32 pad[11]; };
struct guest_itimerspec { struct __kernel_timespec interval, value; };

static u64 timer_now(struct posix_timer *pt)
{
	u64 ns = 0;

	if (pt->cpu_task)
		return task_cpu_ns(pt->cpu_task);
	if (pt->cpu_proc)
		return proc_cpu_ns(pt->cpu_proc);
	clock_read(pt->clock, &ns);
	return ns;
}

static bool is_cpu(struct posix_timer *pt)
{
	return pt->cpu_task || pt->cpu_proc;
}

/* lock held: arm the ktimer for at_ns, looking again where the clock does
 * not run with the monotonic one. */
static void arm(struct posix_timer *pt)
{
	u64 now, left;

	if (!pt->at_ns) {
		ktimer_set(&pt->ktimer, HOST_FOREVER);
		return;
	}
	now = timer_now(pt);
	left = pt->at_ns > now ? pt->at_ns - now : 0;
	if (is_cpu(pt))
		left = MAX(left / 2, 1000000ull);
	ktimer_set(&pt->ktimer, deadline_after(left));
}

/* lock held: move at_ns past now; how many periods were skipped. */
static u64 forward(struct posix_timer *pt, u64 now)
{
	u64 n;

	if (!pt->interval_ns || pt->at_ns > now)
		return 0;
	n = (now - pt->at_ns) / pt->interval_ns;
	pt->at_ns += (n + 1) * pt->interval_ns;
	return n;
}

void posix_timer_delivered(struct posix_timer *pt, siginfo_t *info)
{
	u64 n = 0;

	mutex_lock(&pt->lock);
	if (pt->at_ns && pt->interval_ns) {
		n = forward(pt, timer_now(pt));
		arm(pt);
	}
	pt->overrun = n > INT32_MAX ? INT32_MAX : (int)n;
	info->si_overrun = pt->overrun;
	mutex_unlock(&pt->lock);
}

static int post(struct posix_timer *pt)
{
	struct task *t;
	int n = 0;

	if (pt->notify == SIGEV_NONE)
		return 0;
	if (!(pt->notify & SIGEV_THREAD_ID))
		return signal_send_timer(pt->proc, NULL, &pt->info, pt);
	mutex_lock(&tasklist_lock);
	t = task_find(pt->tid);
	if (t && t->proc == pt->proc && !t->is_exiting)
		n = signal_send_timer(pt->proc, t, &pt->info, pt);
	mutex_unlock(&tasklist_lock);
	return n;
}

static void expired(struct ktimer *k)
{
	struct posix_timer *pt = container_of(k, struct posix_timer, ktimer);
	u64 now = timer_now(pt);

	mutex_lock(&pt->lock);
	if (!pt->at_ns || now < pt->at_ns) {
		arm(pt);
		mutex_unlock(&pt->lock);
		return;
	}
	if (!pt->interval_ns)
		pt->at_ns = 0;
	mutex_unlock(&pt->lock);
	if (post(pt) > 0)
		return;
	mutex_lock(&pt->lock); /* ignored: go on by ourselves */
	if (pt->at_ns && pt->interval_ns && pt->at_ns <= now) {
		forward(pt, now);
		arm(pt);
	}
	mutex_unlock(&pt->lock);
}

/* A resume: a time from now on is not changed by a wall clock that is set. */
static void jumped(struct ktimer *k, u64 ns)
{
	struct posix_timer *pt = container_of(k, struct posix_timer, ktimer);

	mutex_lock(&pt->lock);
	if (pt->at_ns && pt->is_relative && pt->clock == CLOCK_REALTIME)
		pt->at_ns += ns;
	arm(pt);
	mutex_unlock(&pt->lock);
}

/* timers->lock held. */
static struct posix_timer *find_locked(struct timers *ts, s32 id)
{
	struct posix_timer *pt;

	list_for_each(pt, &ts->posix, node)
		if (pt->id == id)
			return pt;
	return NULL;
}

/* With timers->lock held on success. */
static struct posix_timer *timer_lock(struct task *t, s32 id)
{
	struct timers *ts = t->proc->timers;
	struct posix_timer *pt;

	if (!ts)
		return NULL;
	mutex_lock(&ts->lock);
	pt = find_locked(ts, id);
	if (!pt)
		mutex_unlock(&ts->lock);
	return pt;
}

/* Off the list already. */
static void timer_free(struct posix_timer *pt)
{
	mutex_lock(&pt->lock);
	pt->at_ns = pt->interval_ns = 0;
	mutex_unlock(&pt->lock);
	ktimer_cancel(&pt->ktimer);
	signal_forget_timer(pt->proc, pt);
	ktimer_cancel(&pt->ktimer);
	if (pt->cpu_task)
		task_put(pt->cpu_task);
	if (pt->cpu_proc)
		proc_put(pt->cpu_proc);
	kfree(pt);
}

void posix_timers_delete_all(struct timers *ts)
{
	for (;;) {
		struct posix_timer *pt = NULL;

		mutex_lock(&ts->lock);
		if (!list_empty(&ts->posix)) {
			pt = list_first(&ts->posix, struct posix_timer, node);
			list_remove(&pt->node);
			ts->posix_count--;
		}
		mutex_unlock(&ts->lock);
		if (!pt)
			return;
		timer_free(pt);
	}
}

/* ---- calls -------------------------------------------------------------------- */
static int clock_check(s32 id)
{
	u64 ns;

	switch (id) {
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	}
	return clock_read(id, &ns);
}

static int event_check(const struct guest_sigevent *ev)
{
	struct task *t;
	bool ok;

	switch (ev->notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		mutex_lock(&tasklist_lock);
		t = task_find(ev->tid);
		ok = t && t->proc == current()->proc;
		mutex_unlock(&tasklist_lock);
		if (!ok)
			return -EINVAL;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	return ev->signo >= 1 && ev->signo <= NSIG ? 0 : -EINVAL;
}

/* Processor-time clocks are resolved once: the service thread has no idea of
 * "this process".  clock_check() has been here. */
static void bind_cpu_clock(struct posix_timer *pt)
{
	s32 id = pt->clock, pid = ~(id >> 3);
	bool per_thread = id == CLOCK_THREAD_CPUTIME_ID || (id < 0 && (id & 4));

	if (id >= 0 && id != CLOCK_THREAD_CPUTIME_ID
	    && id != CLOCK_PROCESS_CPUTIME_ID)
		return;
	mutex_lock(&tasklist_lock);
	if (per_thread) {
		pt->cpu_task = id < 0 && pid ? task_find(pid) : current();
		if (!pt->cpu_task)
			pt->cpu_task = current();
		ref_get(&pt->cpu_task->ref);
	} else {
		pt->cpu_proc = id < 0 && pid ? proc_find(pid) : pt->proc;
		if (!pt->cpu_proc)
			pt->cpu_proc = pt->proc;
		ref_get(&pt->cpu_proc->ref);
	}
	mutex_unlock(&tasklist_lock);
}

static struct posix_timer *timer_new(struct timers *ts, s32 clock,
				     const struct guest_sigevent *ev,
				     bool default_event)
{
	struct posix_timer *pt = kzalloc(sizeof(*pt));

	if (!pt)
		return NULL;
	pt->proc = ts->proc;
	pt->clock = clock;
	pt->notify = (u32)ev->notify;
	pt->tid = ev->tid;
	ktimer_init(&pt->ktimer, expired);
	pt->ktimer.jumped = jumped;
	bind_cpu_clock(pt);
	mutex_lock(&ts->lock);
	pt->id = ts->next_id++;
	pt->info.si_signo = ev->signo;
	pt->info.si_code = SI_TIMER;
	pt->info.si_tid = pt->id;
	if (default_event)
		pt->info.si_value.sival_int = pt->id;
	else
		memcpy(&pt->info.si_value, &ev->value, sizeof(ev->value));
	list_push_back(&ts->posix, &pt->node);
	ts->posix_count++;
	mutex_unlock(&ts->lock);
	return pt;
}

long sys_timer_create(struct task *t, const struct sysargs *a)
{
	struct guest_sigevent ev = { .signo = SIGALRM, .notify = SIGEV_SIGNAL };
	struct posix_timer *pt;
	struct timers *ts;
	int err = clock_check((s32)a->a[0]);

	if (err)
		return err;
	if (a->a[1]) {
		if (copy_from_user(&ev, a->a[1], sizeof(ev)))
			return -EFAULT;
		err = event_check(&ev);
		if (err)
			return err;
	}
	ts = timers_of(t->proc);
	if (!ts || ts->posix_count >= POSIX_TIMERS_MAX)
		return -EAGAIN;
	pt = timer_new(ts, (s32)a->a[0], &ev, !a->a[1]);
	if (!pt)
		return -EAGAIN;
	if (put_user_u32(a->a[2], (u32)pt->id)) {
		mutex_lock(&ts->lock);
		list_remove(&pt->node);
		ts->posix_count--;
		mutex_unlock(&ts->lock);
		timer_free(pt);
		return -EFAULT;
	}
	return 0;
}

static void timer_read(struct posix_timer *pt, struct guest_itimerspec *g)
{
	u64 left = 0, now;

	mutex_lock(&pt->lock);
	if (pt->at_ns) {
		u64 at = pt->at_ns;

		now = timer_now(pt);
		if (at <= now && pt->interval_ns)
			at += ((now - at) / pt->interval_ns + 1)
				* pt->interval_ns;
		if (at > now)
			left = at - now;
		else if (pt->notify != SIGEV_NONE)
			left = 1; /* about to fire */
	}
	g->value = ns_timespec(left);
	g->interval = ns_timespec(pt->interval_ns);
	mutex_unlock(&pt->lock);
}

long sys_timer_gettime(struct task *t, const struct sysargs *a)
{
	struct posix_timer *pt = timer_lock(t, (s32)a->a[0]);
	struct guest_itimerspec g;

	if (!pt)
		return -EINVAL;
	timer_read(pt, &g);
	mutex_unlock(&t->proc->timers->lock);
	return copy_to_user(a->a[1], &g, sizeof(g));
}

static void timer_write(struct posix_timer *pt, u64 value, u64 interval,
			bool absolute)
{
	mutex_lock(&pt->lock);
	pt->interval_ns = value ? interval : 0;
	pt->is_relative = !absolute;
	pt->at_ns = !value ? 0 : absolute ? value : timer_now(pt) + value;
	pt->overrun = 0;
	arm(pt);
	mutex_unlock(&pt->lock);
}

long sys_timer_settime(struct task *t, const struct sysargs *a)
{
	struct guest_itimerspec g, old;
	struct posix_timer *pt;
	u64 value, interval;

	if (!a->a[2])
		return -EINVAL;
	if (copy_from_user(&g, a->a[2], sizeof(g)))
		return -EFAULT;
	if (timespec_ns(&g.value, &value) || timespec_ns(&g.interval, &interval))
		return -EINVAL;
	pt = timer_lock(t, (s32)a->a[0]);
	if (!pt)
		return -EINVAL;
	timer_read(pt, &old);
	/* a signal of the old setting that still waits is not re-armed twice */
	signal_forget_timer(pt->proc, pt);
	timer_write(pt, value, interval, a->a[1] & TIMER_ABSTIME);
	mutex_unlock(&t->proc->timers->lock);
	return a->a[3] ? copy_to_user(a->a[3], &old, sizeof(old)) : 0;
}

long sys_timer_getoverrun(struct task *t, const struct sysargs *a)
{
	struct posix_timer *pt = timer_lock(t, (s32)a->a[0]);
	int n;

	if (!pt)
		return -EINVAL;
	n = pt->overrun;
	mutex_unlock(&t->proc->timers->lock);
	return n;
}

long sys_timer_delete(struct task *t, const struct sysargs *a)
{
	struct posix_timer *pt = timer_lock(t, (s32)a->a[0]);

	if (!pt)
		return -EINVAL;
	list_remove(&pt->node);
	t->proc->timers->posix_count--;
	mutex_unlock(&t->proc->timers->lock);
	timer_free(pt);
	return 0;
}
