/*
 * clock.c - the clocks: reading them, their resolution, and the conversion
 * between guest structures and nanoseconds.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/sys.h>
#include <libos/uaccess.h>

#include <linux/capability.h>

static u64 host_now(enum host_clock c)
{
	u64 ns = 0;

	host_clock_read(c, 0, &ns);
	return ns;
}

u64 clock_monotonic_ns(void) { return host_now(HOST_CLOCK_MONOTONIC); }
u64 clock_realtime_ns(void) { return host_now(HOST_CLOCK_REALTIME); }
u64 clock_boot_ns(void) { return host_now(HOST_CLOCK_BOOT); }

void deadline_follows_wall(void)
{
	struct task *t = current();

	t->wall_call = t->entries;
	t->wall_shift_ns = 0;
}

u64 deadline_from_realtime(u64 realtime_ns)
{
	u64 now = clock_realtime_ns();

	if (realtime_ns == HOST_FOREVER)
		return HOST_FOREVER;
	deadline_follows_wall();
	return realtime_ns <= now ? 0 : deadline_after(realtime_ns - now);
}

/* ---- guest structures -------------------------------------------------------- */
static u64 ns_of(s64 sec, s64 nsec)
{
	if ((u64)sec > (UINT64_MAX / 2) / NSEC_PER_SEC)
		return UINT64_MAX / 2;
	return (u64)sec * NSEC_PER_SEC + (u64)nsec;
}

int timespec_ns(const struct __kernel_timespec *ts, u64 *ns)
{
	if (ts->tv_sec < 0 || (u64)ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = ns_of(ts->tv_sec, ts->tv_nsec);
	return 0;
}

struct __kernel_timespec ns_timespec(u64 ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (s64)(ns / NSEC_PER_SEC),
		.tv_nsec = (s64)(ns % NSEC_PER_SEC),
	};

	return ts;
}

int get_timespec(u64 uptr, u64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, uptr, sizeof(ts)))
		return -EFAULT;
	return timespec_ns(&ts, ns);
}

int put_timespec(u64 uptr, u64 ns)
{
	struct __kernel_timespec ts = ns_timespec(ns);

	return copy_to_user(uptr, &ts, sizeof(ts));
}

int get_timeout(u64 uptr, u64 *deadline_ns)
{
	u64 ns;
	int err;

	*deadline_ns = HOST_FOREVER;
	if (!uptr)
		return 0;
	err = get_timespec(uptr, &ns);
	if (!err)
		*deadline_ns = deadline_after(ns);
	return err;
}

/* ---- clocks of processes and threads ----------------------------------------- */
/* A negative clock id names a process or thread: ~pid << 3 | 4 thread | type. */
static bool is_cpu_clock(s32 id)
{
	return id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID
		|| (id < 0 && (id & 3) != 3);
}

/* tasklist_lock held. */
static int dynamic_cpu_clock(s32 id, u64 *ns)
{
	s32 pid = ~(id >> 3);
	bool per_thread = id & 4;
	struct task *t;
	struct proc *p;

	if (per_thread) {
		t = pid ? task_find(pid) : current();
		if (!t || t->proc != current()->proc)
			return -EINVAL;
		*ns = task_cpu_ns(t);
		return 0;
	}
	p = pid ? proc_find(pid) : current()->proc;
	if (!p || p->state == PROC_DEAD)
		return -EINVAL;
	*ns = proc_cpu_ns(p);
	return 0;
}

int cpu_clock_read(s32 id, u64 *ns)
{
	int err;

	if (id == CLOCK_THREAD_CPUTIME_ID) {
		*ns = task_cpu_ns(current());
		return 0;
	}
	if (id == CLOCK_PROCESS_CPUTIME_ID) {
		*ns = proc_cpu_ns(current()->proc);
		return 0;
	}
	mutex_lock(&tasklist_lock);
	err = dynamic_cpu_clock(id, ns);
	mutex_unlock(&tasklist_lock);
	return err;
}

int clock_read(s32 id, u64 *ns)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: /* no leap seconds are known: TAI is UTC, as Linux */
		*ns = clock_realtime_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_monotonic_ns();
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_boot_ns();
		return 0;
	}
	return is_cpu_clock(id) ? cpu_clock_read(id, ns) : -EINVAL;
}

/* ---- calls -------------------------------------------------------------------- */
long sys_clock_gettime(struct task *t, const struct sysargs *a)
{
	u64 ns;
	int err = clock_read((s32)a->a[0], &ns);

	return err ? err : put_timespec(a->a[1], ns);
}

long sys_clock_getres(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[0];
	u64 ns, res = 1;
	int err = clock_read(id, &ns);

	if (err)
		return err;
	if (id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE)
		res = 4000000;
	return a->a[1] ? put_timespec(a->a[1], res) : 0;
}

long sys_clock_settime(struct task *t, const struct sysargs *a)
{
	u64 ns;
	int err;

	if ((s32)a->a[0] != CLOCK_REALTIME)
		return -EINVAL;
	err = get_timespec(a->a[1], &ns);
	return err ? err : -EPERM; /* the host's clock is not ours to set */
}

long sys_gettimeofday(struct task *t, const struct sysargs *a)
{
	u64 ns = clock_realtime_ns();
	s64 tv[2] = { (s64)(ns / NSEC_PER_SEC),
		      (s64)(ns % NSEC_PER_SEC / 1000) };
	s32 tz[2] = { 0, 0 };

	if (a->a[0] && copy_to_user(a->a[0], tv, sizeof(tv)))
		return -EFAULT;
	if (a->a[1] && copy_to_user(a->a[1], tz, sizeof(tz)))
		return -EFAULT;
	return 0;
}

long sys_settimeofday(struct task *t, const struct sysargs *a)
{
	return -EPERM;
}

long sys_time(struct task *t, const struct sysargs *a)
{
	u64 s = clock_realtime_ns() / NSEC_PER_SEC;

	if (a->a[0] && put_user_u64(a->a[0], s))
		return -EFAULT;
	return (long)s;
}
