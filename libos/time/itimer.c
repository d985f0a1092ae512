/*
 * itimer.c - interval timers (setitimer, alarm), the processor-time limit,
 * and the life of a process's struct timers.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/sys.h>
#include <libos/uaccess.h>

#include <asm/resource.h>
#include <linux/time_types.h>

static void real_fire(struct ktimer *k)
{
	struct timers *ts = container_of(k, struct timers, real);
	u64 now = clock_monotonic_ns();
	bool due;

	mutex_lock(&ts->lock);
	due = ts->real_at_ns && now >= ts->real_at_ns;
	if (due) {
		u64 step = ts->real_interval_ns;

		ts->real_at_ns += step;
		if (!step)
			ts->real_at_ns = 0;
		else if (ts->real_at_ns <= now)
			ts->real_at_ns += (now - ts->real_at_ns) / step * step
				+ step;
	}
	ktimer_set(&ts->real, ts->real_at_ns ? ts->real_at_ns : HOST_FOREVER);
	mutex_unlock(&ts->lock);
	if (due)
		signal_send_proc(ts->proc, SIGALRM, NULL);
}

static void virtual_fire(struct cpu_timer *c)
{
	signal_send_proc(c->proc, SIGVTALRM, NULL);
}

static void prof_fire(struct cpu_timer *c)
{
	signal_send_proc(c->proc, SIGPROF, NULL);
}

/* SIGXCPU at the soft limit and each second after it, SIGKILL at the hard. */
static void limit_fire(struct cpu_timer *c)
{
	struct rlimit_pair *r = &c->proc->rlimits[RLIMIT_CPU];
	u64 now = proc_cpu_ns(c->proc);

	if (r->hard < UINT64_MAX / NSEC_PER_SEC
	    && now >= r->hard * NSEC_PER_SEC)
		signal_send_proc(c->proc, SIGKILL, NULL);
	else if (r->soft < UINT64_MAX / NSEC_PER_SEC
		 && now >= r->soft * NSEC_PER_SEC)
		signal_send_proc(c->proc, SIGXCPU, NULL);
	c->at_ns = now + NSEC_PER_SEC;
}

static struct timers *timers_new(struct proc *p)
{
	struct timers *ts = kzalloc(sizeof(*ts));

	if (!ts)
		return NULL;
	ts->proc = p;
	mutex_init(&ts->lock);
	list_init(&ts->posix);
	ktimer_init(&ts->real, real_fire);
	cpu_timer_init(&ts->cpu[0], p, virtual_fire);
	cpu_timer_init(&ts->cpu[1], p, prof_fire);
	cpu_timer_init(&ts->limit, p, limit_fire);
	return ts;
}

struct timers *timers_of(struct proc *p)
{
	struct timers *ts = __atomic_load_n(&p->timers, __ATOMIC_ACQUIRE);
	struct timers *none = NULL;

	if (ts)
		return ts;
	ts = timers_new(p);
	if (!ts)
		return NULL;
	if (!__atomic_compare_exchange_n(&p->timers, &none, ts, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		kfree(ts);
		return none;
	}
	return ts;
}

void timers_watch_cpu_limit(struct proc *p)
{
	u64 soft = p->rlimits[RLIMIT_CPU].soft;
	struct timers *ts;

	if (soft >= UINT64_MAX / NSEC_PER_SEC && !p->timers)
		return;
	ts = timers_of(p);
	if (!ts)
		return;
	mutex_lock(&ts->lock);
	cpu_timer_set(&ts->limit, soft >= UINT64_MAX / NSEC_PER_SEC ? 0
		      : MAX(soft, 1ull) * NSEC_PER_SEC, NSEC_PER_SEC);
	mutex_unlock(&ts->lock);
}

void timers_exec(struct proc *p)
{
	if (p->timers)
		posix_timers_delete_all(p->timers);
}

void timers_exit(struct proc *p)
{
	struct timers *ts = p->timers;

	if (!ts)
		return;
	posix_timers_delete_all(ts);
	mutex_lock(&ts->lock);
	ts->real_at_ns = ts->cpu[0].at_ns = ts->cpu[1].at_ns = 0;
	ts->limit.at_ns = 0;
	mutex_unlock(&ts->lock);
	ktimer_cancel(&ts->real);
	ktimer_cancel(&ts->cpu[0].sample);
	ktimer_cancel(&ts->cpu[1].sample);
	ktimer_cancel(&ts->limit.sample);
	p->timers = NULL;
	kfree(ts);
}

/* ---- calls -------------------------------------------------------------------- */
struct guest_itimer { struct { s64 sec, usec; } interval, value; };

static int timeval_ns(s64 sec, s64 usec, u64 *ns)
{
	if (sec < 0 || usec < 0 || usec >= 1000000)
		return -EINVAL;
	*ns = (u64)sec > (UINT64_MAX / 4) / NSEC_PER_SEC ? UINT64_MAX / 4
		: (u64)sec * NSEC_PER_SEC + (u64)usec * 1000;
	return 0;
}

/* Time left and interval of timer `which`; lock held. */
static void itimer_read(struct timers *ts, int which, u64 *left, u64 *interval)
{
	u64 at, now;

	if (which == ITIMERS_REAL) {
		at = ts->real_at_ns;
		*interval = ts->real_interval_ns;
		now = at ? clock_monotonic_ns() : 0;
	} else {
		struct cpu_timer *c = &ts->cpu[which - 1];

		at = c->at_ns;
		*interval = c->interval_ns;
		now = at ? proc_cpu_ns(ts->proc) : 0;
	}
	/* never 0 while armed */
	*left = !at ? 0 : at > now + 1000 ? at - now : 1000;
}

static void itimer_write(struct timers *ts, int which, u64 value, u64 interval)
{
	if (which != ITIMERS_REAL) {
		cpu_timer_set(&ts->cpu[which - 1],
			      value ? proc_cpu_ns(ts->proc) + value : 0,
			      interval);
		return;
	}
	ts->real_at_ns = value ? deadline_after(value) : 0;
	ts->real_interval_ns = interval;
	ktimer_set(&ts->real, value ? ts->real_at_ns : HOST_FOREVER);
}

static void to_guest(struct guest_itimer *g, u64 left, u64 interval)
{
	g->value.sec = (s64)(left / NSEC_PER_SEC);
	g->value.usec = (s64)(left % NSEC_PER_SEC / 1000);
	g->interval.sec = (s64)(interval / NSEC_PER_SEC);
	g->interval.usec = (s64)(interval % NSEC_PER_SEC / 1000);
}

long sys_getitimer(struct task *t, const struct sysargs *a)
{
	struct timers *ts = t->proc->timers;
	u64 left = 0, interval = 0;
	struct guest_itimer g;

	if ((u32)a->a[0] > ITIMERS_PROF)
		return -EINVAL;
	if (ts) {
		mutex_lock(&ts->lock);
		itimer_read(ts, (int)a->a[0], &left, &interval);
		mutex_unlock(&ts->lock);
	}
	to_guest(&g, left, interval);
	return copy_to_user(a->a[1], &g, sizeof(g));
}

static long itimer_exchange(struct task *t, int which, u64 value,
			    u64 interval, u64 *left, u64 *old_interval)
{
	struct timers *ts = timers_of(t->proc);

	if (!ts)
		return -ENOMEM;
	mutex_lock(&ts->lock);
	itimer_read(ts, which, left, old_interval);
	itimer_write(ts, which, value, interval);
	mutex_unlock(&ts->lock);
	return 0;
}

long sys_setitimer(struct task *t, const struct sysargs *a)
{
	struct guest_itimer g = { { 0, 0 }, { 0, 0 } };
	u64 value, interval, left, old_interval;
	long err;

	if (a->a[1] && copy_from_user(&g, a->a[1], sizeof(g)))
		return -EFAULT;
	if (timeval_ns(g.value.sec, g.value.usec, &value)
	    || timeval_ns(g.interval.sec, g.interval.usec, &interval)
	    || (u32)a->a[0] > ITIMERS_PROF)
		return -EINVAL;
	err = itimer_exchange(t, (int)a->a[0], value, interval, &left,
			      &old_interval);
	if (err || !a->a[2])
		return err;
	to_guest(&g, left, old_interval);
	return copy_to_user(a->a[2], &g, sizeof(g));
}

long sys_alarm(struct task *t, const struct sysargs *a)
{
	u64 left = 0, interval, s;

	if (itimer_exchange(t, ITIMERS_REAL, (u32)a->a[0] * NSEC_PER_SEC, 0,
			    &left, &interval))
		return 0;
	s = left / NSEC_PER_SEC;
	if (left % NSEC_PER_SEC >= NSEC_PER_SEC / 2 || (!s && left))
		s++;
	return (long)s;
}
