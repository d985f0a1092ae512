/*
 * libos_time.c - timers: the queue against a model, and the calls that sleep
 * and that set timers, while the clock stands still.
 */
#include "unit.h"

#include <libos/ktime.h>

#include <linux/fcntl.h>
#include <linux/time.h>

#define SECOND 1000000000ull

/* ---- the queue ------------------------------------------------------------------------ */
#define TIMERS 200
static struct timer { struct ktimer t; u64 want; bool ran; } timers[TIMERS];
static u64 last_run;
static unsigned runs;

static void fired(struct ktimer *k)
{
	struct timer *t = container_of(k, struct timer, t);

	MUST(!t->ran && t->want);
	MUST(t->want <= clock_monotonic_ns());
	MUST(t->want >= last_run); /* in order */
	last_run = t->want;
	t->ran = true;
	t->want = 0;
	runs++;
}

static u64 model_next(void)
{
	u64 next = HOST_FOREVER;

	for (int i = 0; i < TIMERS; i++)
		if (timers[i].want)
			next = MIN(next, timers[i].want);
	return next;
}

UNIT(timer_queue)
{
	for (int i = 0; i < TIMERS; i++)
		ktimer_init(&timers[i].t, fired);
	for (int round = 0; round < 20000; round++) {
		struct timer *t = &timers[unit_random(TIMERS)];
		u64 now = clock_monotonic_ns();

		switch (unit_random(5)) {
		case 0:
			ktimer_cancel(&t->t);
			t->want = 0;
			break;
		case 1:
			fake_clock_advance(unit_random(300));
			last_run = 0;
			ktimer_run();
			MUST(model_next() > clock_monotonic_ns());
			break;
		default:
			t->want = now + 1 + unit_random(1000);
			t->ran = false;
			ktimer_set(&t->t, t->want);
		}
		MUST(ktimer_next() == model_next());
		MUST(t->t.armed == (t->want != 0));
	}
	CHECK(runs > 1000);
}

static struct ktimer again;
static int left = 5;

static void rearm(struct ktimer *t)
{
	if (--left)
		ktimer_set(t, clock_monotonic_ns() + 10);
}

UNIT(timer_rearms)
{
	ktimer_init(&again, rearm);
	ktimer_set(&again, clock_monotonic_ns() + 10);
	for (int i = 0; i < 10; i++) {
		fake_clock_advance(10);
		ktimer_run();
	}
	EQ(left, 0);
	EQ(ktimer_next(), HOST_FOREVER);
	ktimer_set(&again, HOST_FOREVER);
	CHECK(!again.armed);
}

/* ---- sleeping ------------------------------------------------------------------------------ */
UNIT(time_sleep)
{
	s64 ts[2] = { 3, 500 }, rem[2];
	u64 before = clock_monotonic_ns();

	EQ(SYS(nanosleep, ts, rem), 0);
	EQ(clock_monotonic_ns() - before, 3 * SECOND + 500);
	ts[1] = 1000000000;
	EQ(SYS(nanosleep, ts, rem), -EINVAL);
	ts[1] = -1;
	EQ(SYS(nanosleep, ts, rem), -EINVAL);
	EQ(SYS(nanosleep, 8, rem), -EFAULT);
	EQ(SYS(clock_gettime, CLOCK_MONOTONIC, ts), 0);
	ts[0] += 7;
	before = clock_monotonic_ns();
	EQ(SYS(clock_nanosleep, CLOCK_MONOTONIC, 1, ts, 0), 0);
	EQ(clock_monotonic_ns() - before, 7 * SECOND);
	EQ(SYS(clock_nanosleep, CLOCK_MONOTONIC, 1, ts, 0), 0); /* past */
	EQ(clock_monotonic_ns() - before, 7 * SECOND);
	EQ(SYS(clock_gettime, CLOCK_REALTIME, ts), 0);
	ts[0] += 2;
	EQ(SYS(clock_nanosleep, CLOCK_REALTIME, 1, ts, 0), 0);
	EQ(clock_monotonic_ns() - before, 9 * SECOND);
	EQ(SYS(clock_nanosleep, 77, 0, ts, 0), -EINVAL);
	EQ(SYS(clock_gettime, 77, ts), -EINVAL);
}

/* ---- timerfd ------------------------------------------------------------------------------- */
struct spec { s64 every[2], first[2]; };

UNIT(time_timerfd)
{
	long fd = SYS(timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK);
	struct spec s = { { 1, 0 }, { 5, 0 } }, old;
	u64 n;

	EQ(SYS(read, fd, &n, 8), -EAGAIN);
	EQ(SYS(timerfd_settime, fd, 0, &s, 0), 0);
	fake_clock_advance(2 * SECOND);
	EQ(SYS(timerfd_gettime, fd, &old), 0);
	CHECK(old.first[0] == 3 && old.first[1] == 0 && old.every[0] == 1);
	EQ(SYS(read, fd, &n, 8), -EAGAIN);
	fake_clock_advance(6 * SECOND);
	ktimer_run();
	EQ(SYS(read, fd, &n, 8), 8);
	EQ(n, 4); /* at 5, 6, 7, 8 */
	EQ(SYS(read, fd, &n, 8), -EAGAIN);
	EQ(SYS(read, fd, &n, 4), -EINVAL);
	EQ(SYS(fcntl, fd, F_SETFL, 0), 0);
	EQ(SYS(read, fd, &n, 8), 8); /* waits a second */
	EQ(n, 1);
	s.first[0] = s.every[0] = 0;
	EQ(SYS(timerfd_settime, fd, 0, &s, &old), 0);
	EQ(old.every[0], 1);
	EQ(SYS(timerfd_gettime, fd, &old), 0);
	CHECK(!old.first[0] && !old.first[1]);
	EQ(SYS(timerfd_settime, 99, 0, &s, 0), -EBADF);
	s.first[1] = 2000000000;
	EQ(SYS(timerfd_settime, fd, 0, &s, 0), -EINVAL);
	EQ(SYS(timerfd_create, 77, 0), -EINVAL);
}

/* ---- timers that send signals ------------------------------------------------------------------ */
static int alarms;
static s32 overrun = -1;
static s32 timer_id;

static void on_alarm(int sig, const siginfo_t *si, void *uc)
{
	alarms++;
	overrun = (s32)SYS(timer_getoverrun, timer_id);
}

static void catch_alarm(int sig)
{
	struct ksigaction sa = { (u64)on_alarm, 0x04000000, 1, 0 };

	MUST(SYS(rt_sigaction, sig, &sa, 0, 8) == 0);
}

UNIT(time_itimer)
{
	struct spec s = { { 2, 0 }, { 1, 0 } }, old;

	catch_alarm(SIGALRM);
	EQ(SYS(setitimer, 0, &s, 0), 0);
	EQ(SYS(pause), -EINTR);
	EQ(alarms, 1);
	EQ(SYS(getitimer, 0, &old), 0);
	EQ(old.first[0], 2);
	EQ(SYS(pause), -EINTR);
	EQ(alarms, 2);
	s.first[0] = 0;
	EQ(SYS(setitimer, 0, &s, &old), 0);
	EQ(old.first[0], 2);
	EQ(SYS(getitimer, 0, &old), 0);
	EQ(old.first[0], 0);
	s.first[1] = 1000000;
	EQ(SYS(setitimer, 0, &s, 0), -EINVAL);
	EQ(SYS(setitimer, 9, &s, 0), -EINVAL);
}

UNIT(time_posix_timer)
{
	struct { u64 value; s32 signo, notify; u64 rest[6]; } ev = { 0 };
	struct spec s = { { 0, 100 }, { 0, 1000 } }, old;
	u64 mask = 1ull << (SIGUSR1 - 1);
	long objects;

	catch_alarm(SIGUSR1);
	ev.signo = SIGUSR1;
	EQ(SYS(timer_create, CLOCK_MONOTONIC, &ev, &timer_id), 0);
	EQ(SYS(timer_settime, timer_id, 0, &s, 0), 0);
	EQ(SYS(rt_sigprocmask, 0, &mask, 0, 8), 0);
	fake_clock_advance(2000);
	ktimer_run();
	EQ(alarms, 0);
	EQ(SYS(rt_sigprocmask, 1, &mask, 0, 8), 0);
	EQ(alarms, 1);
	EQ(overrun, 10); /* 1000, and 1100 to 2000 */
	EQ(SYS(timer_gettime, timer_id, &old), 0);
	EQ(old.every[1], 100);
	EQ(SYS(timer_delete, timer_id), 0);
	EQ(SYS(timer_delete, timer_id), -EINVAL);
	EQ(SYS(timer_settime, timer_id, 0, &s, 0), -EINVAL);
	EQ(SYS(timer_create, 77, &ev, &timer_id), -EINVAL);
	ev.signo = 99;
	EQ(SYS(timer_create, CLOCK_MONOTONIC, &ev, &timer_id), -EINVAL);
	ev.signo = SIGUSR1;
	objects = fake_heap_objects;
	for (int i = 0; i < 20; i++) {
		MUST(SYS(timer_create, CLOCK_MONOTONIC, &ev, &timer_id) == 0);
		MUST(SYS(timer_delete, timer_id) == 0);
	}
	EQ(fake_heap_objects, objects);
}
