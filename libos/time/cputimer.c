/*
 * cputimer.c - timers on a process's processor time.
 *
 * The host tells processor time only when asked, so such a timer is sampled:
 * it cannot fire before (time left) / (processors) of real time has passed,
 * which is when we look next, but at most once a millisecond.
 * timers->lock guards cpu_timer's fields.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/vfs.h>

#define SAMPLE_MIN_NS 1000000ull

static void arm(struct cpu_timer *c, u64 now)
{
	u64 left = c->at_ns > now ? c->at_ns - now : 0;
	u32 cpus = boot_info()->cpu_count;

	if (!c->at_ns) {
		ktimer_set(&c->sample, HOST_FOREVER);
		return;
	}
	left /= cpus ? cpus : 1;
	ktimer_set(&c->sample, deadline_after(MAX(left, SAMPLE_MIN_NS)));
}

static void sample(struct ktimer *k)
{
	struct cpu_timer *c = container_of(k, struct cpu_timer, sample);
	struct timers *ts = c->proc->timers;
	u64 now = proc_cpu_ns(c->proc);

	mutex_lock(&ts->lock);
	if (c->at_ns && now >= c->at_ns) {
		c->at_ns = c->interval_ns ? c->at_ns + c->interval_ns : 0;
		if (c->at_ns && c->at_ns <= now)
			c->at_ns = now + c->interval_ns;
		c->fire(c);
	}
	arm(c, now);
	mutex_unlock(&ts->lock);
}

void cpu_timer_init(struct cpu_timer *c, struct proc *p,
		    void (*fire)(struct cpu_timer *c))
{
	memset(c, 0, sizeof(*c));
	c->proc = p;
	c->fire = fire;
	ktimer_init(&c->sample, sample);
}

void cpu_timer_set(struct cpu_timer *c, u64 at_ns, u64 interval_ns)
{
	c->at_ns = at_ns;
	c->interval_ns = interval_ns;
	arm(c, at_ns ? proc_cpu_ns(c->proc) : 0);
}
