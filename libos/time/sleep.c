/*
 * sleep.c - nanosleep and clock_nanosleep.
 *
 * A relative sleep that a signal interrupts reports what is left and, if no
 * handler ran, goes on to the same deadline (restart block).
 */
#include "internal.h"

#include <libos/proc.h>
#include <libos/sys.h>
#include <libos/uaccess.h>

static int sleep_until(u64 deadline)
{
	for (;;) {
		int err;

		task_prepare_sleep();
		if (clock_monotonic_ns() >= deadline)
			return 0;
		err = task_sleep(deadline);
		if (err == -ETIMEDOUT)
			return 0;
		if (err)
			return err;
	}
}

static long relative_sleep(struct task *t, u64 deadline, u64 remaining);

static long sleep_restart(struct task *t)
{
	return relative_sleep(t, t->restart.a[0], t->restart.a[1]);
}

static long relative_sleep(struct task *t, u64 deadline, u64 remaining)
{
	u64 now;

	title_look(t);
	if (!sleep_until(deadline))
		return 0;
	now = clock_monotonic_ns();
	if (remaining
	    && put_timespec(remaining, deadline > now ? deadline - now : 0))
		return -EFAULT;
	t->restart.fn = sleep_restart;
	t->restart.a[0] = deadline;
	t->restart.a[1] = remaining;
	return -ERESTART_RESTARTBLOCK;
}

long sys_nanosleep(struct task *t, const struct sysargs *a)
{
	u64 ns;
	int err = get_timespec(a->a[0], &ns);

	return err ? err : relative_sleep(t, deadline_after(ns), a->a[1]);
}

/* Sleep on processor time: look again as often as could be needed. */
static long cpu_sleep(s32 id, u64 ns, bool absolute)
{
	u64 now, at;
	int err = cpu_clock_read(id, &now);

	if (err)
		return err;
	at = absolute ? ns : now + ns;
	while (now < at) {
		u64 step = (at - now) / 4;

		err = sleep_until(deadline_after(MAX(step, 1000000ull)));
		if (err)
			return -ERESTARTNOHAND;
		err = cpu_clock_read(id, &now);
		if (err)
			return err;
	}
	return 0;
}

long sys_clock_nanosleep(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[0];
	bool absolute = a->a[1] & TIMER_ABSTIME;
	u64 ns, now;
	int err;

	if (id == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	err = clock_read(id, &now);
	if (err)
		return err;
	if (id == CLOCK_MONOTONIC_RAW || id == CLOCK_REALTIME_COARSE
	    || id == CLOCK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	err = get_timespec(a->a[2], &ns);
	if (err)
		return err;
	if (id < 0 || id == CLOCK_PROCESS_CPUTIME_ID)
		return cpu_sleep(id, ns, absolute);
	if (!absolute)
		return relative_sleep(t, deadline_after(ns), a->a[3]);
	if (id != CLOCK_MONOTONIC)
		deadline_follows_wall();
	err = sleep_until(ns > now ? deadline_after(ns - now) : 0);
	return err ? -ERESTARTNOHAND : 0;
}
