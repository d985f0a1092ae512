/*
 * timerfd.c - timerfd_create, timerfd_settime, timerfd_gettime.
 *
 * A timer fires once through ktimer; a periodic one is armed again when its
 * expirations are read or asked for, which is when the missed ones are
 * counted (so a short interval that nobody reads costs nothing).
 */
#include "anon.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/poll.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include <linux/time.h>
#include <linux/timerfd.h>

#define CAP_WAKE_ALARM_BIT 35

struct timerfd {
	struct mutex lock;
	u32 clock;
	u64 expiry_ns;      /* CLOCK_MONOTONIC; 0: disarmed */
	u64 interval_ns;
	u64 ticks;
	bool is_expired;    /* fired, and not armed again yet */
	struct waitq wait;
	struct ktimer timer;
	bool follows_wall;    /* its clock goes on while the sandbox is saved */
};

static void timerfd_fire(struct ktimer *k)
{
	struct timerfd *t = container_of(k, struct timerfd, timer);
	bool due;

	mutex_lock(&t->lock);
	/* settime may have moved it while we were on the way. */
	due = t->expiry_ns && !t->is_expired &&
	      clock_monotonic_ns() >= t->expiry_ns;
	if (due) {
		t->is_expired = true;
		t->ticks++;
	}
	mutex_unlock(&t->lock);
	if (due)
		waitq_wake(&t->wait, EPOLLIN);
}

/* Lock held: count the periods since it fired and start the next one. */
static void timerfd_forward(struct timerfd *t)
{
	u64 periods;

	if (!t->is_expired || !t->interval_ns)
		return;
	periods = (clock_monotonic_ns() - t->expiry_ns) / t->interval_ns;
	t->ticks += periods;
	t->expiry_ns += (periods + 1) * t->interval_ns;
	t->is_expired = false;
	ktimer_set(&t->timer, t->expiry_ns);
}

static u64 timerfd_ticks(const struct timerfd *t)
{
	return __atomic_load_n(&t->ticks, __ATOMIC_SEQ_CST);
}

/* A resume: what was set for a moment of a clock that went on comes nearer. */
static void timerfd_jumped(struct ktimer *k, u64 ns)
{
	struct timerfd *t = container_of(k, struct timerfd, timer);

	mutex_lock(&t->lock);
	if (t->follows_wall && t->expiry_ns && !t->is_expired) {
		t->expiry_ns -= MIN(ns, t->expiry_ns - 1);
		ktimer_set(&t->timer, t->expiry_ns);
	}
	mutex_unlock(&t->lock);
}

static ssize_t timerfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;
	int err;

	if (u->left < sizeof(ticks))
		return -EINVAL;
	for (;;) {
		mutex_lock(&t->lock);
		if (t->ticks)
			break;
		mutex_unlock(&t->lock);
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_until(&t->wait, timerfd_ticks(t), HOST_FOREVER);
		if (err)
			return err;
	}
	timerfd_forward(t);
	ticks = t->ticks;
	t->ticks = 0;
	mutex_unlock(&t->lock);
	return uio_put(u, &ticks, sizeof(ticks));
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_add(pt, &t->wait);
	return timerfd_ticks(t) ? EPOLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	ktimer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.name = "[timerfd]",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
};

long sys_timerfd_create(struct task *task, const struct sysargs *a)
{
	u32 clock = (u32)a->a[0], flags = (u32)a->a[1];
	bool alarm = clock == CLOCK_REALTIME_ALARM ||
		     clock == CLOCK_BOOTTIME_ALARM;
	struct timerfd *t;
	long fd;

	if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC &&
	    clock != CLOCK_BOOTTIME && !alarm)
		return -EINVAL;
	if (alarm && !capable(CAP_WAKE_ALARM_BIT))
		return -EPERM;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clock = clock;
	waitq_init(&t->wait);
	ktimer_init(&t->timer, timerfd_fire);
	t->timer.jumped = timerfd_jumped;
	fd = anon_install(&timerfd_ops, O_RDWR | flags, t, NULL);
	if (fd < 0)
		kfree(t);
	return fd;
}

static u64 timerfd_now(const struct timerfd *t)
{
	switch (t->clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		return clock_realtime_ns();
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return clock_boot_ns();
	default:
		return clock_monotonic_ns();
	}
}

static bool is_boot_clock(const struct timerfd *t)
{
	return t->clock == CLOCK_BOOTTIME || t->clock == CLOCK_BOOTTIME_ALARM;
}

/* The first expiry as a deadline of CLOCK_MONOTONIC, never 0. */
static u64 timerfd_deadline(const struct timerfd *t, u64 value, bool absolute)
{
	u64 mono = clock_monotonic_ns(), now;

	if (!absolute)
		return deadline_after(value);
	now = timerfd_now(t);
	if (value <= now)
		return MAX(mono - MIN(mono, now - value), 1ull);
	return value - now > HOST_FOREVER - 1 - mono ? HOST_FOREVER - 1
						     : mono + (value - now);
}

static void timerfd_get(struct timerfd *t, u64 *value, u64 *interval)
{
	u64 now = clock_monotonic_ns();

	timerfd_forward(t);
	*interval = t->interval_ns;
	if (!t->expiry_ns || t->is_expired)
		*value = 0;
	else
		*value = t->expiry_ns > now ? t->expiry_ns - now : 1;
}

static int put_itimerspec(u64 user, u64 value, u64 interval)
{
	int err = put_timespec(user, interval);

	return err ? err : put_timespec(user + 16, value);
}

static struct timerfd *timerfd_of(int fd, struct file **f, long *err)
{
	*f = fd_get(fd);
	if (!*f) {
		*err = -EBADF;
		return NULL;
	}
	if ((*f)->ops == &timerfd_ops)
		return (*f)->priv;
	file_put(*f);
	*err = -EINVAL;
	return NULL;
}

static void timerfd_arm(struct timerfd *t, u64 value, u64 interval, bool abs)
{
	t->ticks = 0;
	t->is_expired = false;
	t->interval_ns = interval;
	t->follows_wall = is_boot_clock(t) ||
			  (abs && t->clock != CLOCK_MONOTONIC);
	t->expiry_ns = value ? timerfd_deadline(t, value, abs) : 0;
	if (t->expiry_ns)
		ktimer_set(&t->timer, t->expiry_ns);
}

long sys_timerfd_settime(struct task *task, const struct sysargs *a)
{
	u32 flags = (u32)a->a[1];
	u64 value, interval, old_value, old_interval;
	struct timerfd *t;
	struct file *f;
	long err = 0;

	if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	err = get_timespec(a->a[2], &interval);
	if (!err)
		err = get_timespec(a->a[2] + 16, &value);
	if (err)
		return err;
	t = timerfd_of((int)a->a[0], &f, &err);
	if (!t)
		return err;
	mutex_lock(&t->lock);
	timerfd_get(t, &old_value, &old_interval);
	timerfd_arm(t, value, interval, flags & TFD_TIMER_ABSTIME);
	mutex_unlock(&t->lock);
	if (!value)
		ktimer_cancel(&t->timer);
	file_put(f);
	return a->a[3] ? put_itimerspec(a->a[3], old_value, old_interval) : 0;
}

long sys_timerfd_gettime(struct task *task, const struct sysargs *a)
{
	struct timerfd *t;
	struct file *f;
	u64 value, interval;
	long err = 0;

	t = timerfd_of((int)a->a[0], &f, &err);
	if (!t)
		return err;
	mutex_lock(&t->lock);
	timerfd_get(t, &value, &interval);
	mutex_unlock(&t->lock);
	file_put(f);
	return put_itimerspec(a->a[1], value, interval);
}
