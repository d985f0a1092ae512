/* clocks.c - saved: sleeps, interval and POSIX timers, and the clocks. */
#include "save.h"

#include <sys/syscall.h>
#include <sys/time.h>

/* ---- sleeps: what was left goes on; a real time is that time */
static double real_end;
static long sleeps(clockid_t clock, int flags, struct timespec t)
{
	return clock_nanosleep(clock, flags, &t, NULL);
}
static long plain(void)
{
	struct timespec t = { 1, 0 };

	return nanosleep(&t, NULL);
}
WAITER(nano, plain())
WAITER(relative, sleeps(CLOCK_MONOTONIC, 0, (struct timespec){ 0, 900000000 }))
WAITER(monotonic, sleeps(CLOCK_MONOTONIC, TIMER_ABSTIME,
			 in_ms(CLOCK_MONOTONIC, 800)))
WAITER(real, sleeps(CLOCK_REALTIME, TIMER_ABSTIME,
		    in_ms(CLOCK_REALTIME, 700)))

static void sleeps_setup(void)
{
	sigset_t all, old;

	/* The timers of other cases are not to interrupt them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	real_end = now_ms(CLOCK_REALTIME) + 700;
	START(nano);
	START(relative);
	START(monotonic);
	START(real);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
static void sleeps_verify(void)
{
	CHECK(END(nano) == 0 && END(relative) == 0);
	CHECK(END(monotonic) == 0 && END(real) == 0);
	CHECK(now_ms(CLOCK_REALTIME) >= real_end);
	CHECK(nano.end - nano.begin >= 1000);
	CHECK(nano.end - nano.begin < 2500);
	CHECK(relative.end - relative.begin >= 900);
	CHECK(relative.end - relative.begin < 2500);
	CHECK(monotonic.end - monotonic.begin >= 799);
	CHECK(monotonic.end - monotonic.begin < 2500);
}

/* ---- clocks never run backwards, looked at all the while */
static volatile int stop_watch;
static long watches(void)
{
	static const clockid_t id[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME,
					CLOCK_MONOTONIC_RAW,
					CLOCK_MONOTONIC_COARSE };
	struct timespec t, last[4] = { { 0 } };
	long back = 0;
	int i;

	while (!stop_watch)
		for (i = 0; i < 4; i++) {
			clock_gettime(id[i], &t);
			back += t.tv_sec < last[i].tv_sec ||
				(t.tv_sec == last[i].tv_sec &&
				 t.tv_nsec < last[i].tv_nsec);
			last[i] = t;
		}
	return back;
}
static long watches_by_call(void)
{
	struct timespec t, last = { 0 };
	long back = 0;

	while (!stop_watch) {
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
		back += t.tv_sec < last.tv_sec ||
			(t.tv_sec == last.tv_sec && t.tv_nsec < last.tv_nsec);
		last = t;
	}
	return back;
}
WAITER(watcher, watches())
WAITER(call_watcher, watches_by_call())
static double real_before, mono_before, boot_before;

static void forwards_setup(void)
{
	real_before = now_ms(CLOCK_REALTIME);
	mono_before = now_ms(CLOCK_MONOTONIC);
	boot_before = now_ms(CLOCK_BOOTTIME);
	START(watcher);
	START(call_watcher);
}
static void forwards_verify(void)
{
	double real = now_ms(CLOCK_REALTIME) - real_before;
	double mono = now_ms(CLOCK_MONOTONIC) - mono_before;
	double boot = now_ms(CLOCK_BOOTTIME) - boot_before;

	CHECK(mono > 0);
	CHECK(real > mono - 50);
	CHECK(boot > mono - 50);
	stop_watch = 1;
	CHECK(END(watcher) == 0);
	CHECK(END(call_watcher) == 0);
}

/* ---- timers: each fires once, and not early */
static volatile int fired[8];
static volatile double fired_at[8];
static double armed_at;
static void on_timer(int sig, siginfo_t *i, void *c)
{
	int n = sig == SIGALRM ? 0 : i->si_value.sival_int;

	fired[n]++;
	fired_at[n] = now_ms(CLOCK_MONOTONIC);
}
static timer_t make(clockid_t clock, int n, int flags, struct timespec t)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGRTMIN + 1,
			      .sigev_value.sival_int = n };
	struct itimerspec v = { { 0 }, t };
	timer_t id;

	CHECK(!timer_create(clock, &e, &id));
	CHECK(!timer_settime(id, flags, &v, NULL));
	return id;
}
static timer_t t_mono, t_real, t_off, t_done;

static void timers_setup(void)
{
	struct sigaction sa = { .sa_sigaction = on_timer,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval v = { { 0 }, { 0, 800000 } };
	struct timespec s = { 0, 900000000 };

	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	armed_at = now_ms(CLOCK_MONOTONIC);
	CHECK(!setitimer(ITIMER_REAL, &v, NULL));
	t_mono = make(CLOCK_MONOTONIC, 1, 0, s);
	t_real = make(CLOCK_REALTIME, 2, TIMER_ABSTIME,
		      in_ms(CLOCK_REALTIME, 700));
	t_off = make(CLOCK_MONOTONIC, 3, 0, (struct timespec){ 0, 0 });
	t_done = make(CLOCK_MONOTONIC, 4, 0, (struct timespec){ 0, 1 });
	while (!fired[4])
		sleep_ms(1);
}
static void timers_verify(void)
{
	struct itimerspec v;
	struct itimerval old;
	int i;

	for (i = 0; i < 3000 && !(fired[0] && fired[1] && fired[2]); i++)
		sleep_ms(1);
	sleep_ms(50);
	CHECK(fired[0] == 1 && fired[1] == 1 && fired[2] == 1);
	CHECK(fired[3] == 0 && fired[4] == 1);
	CHECK(fired_at[0] - armed_at >= 799);
	CHECK(fired_at[1] - armed_at >= 899);
	CHECK(fired_at[1] - armed_at < 2500);
	CHECK(!timer_gettime(t_mono, &v) && !v.it_value.tv_nsec);
	CHECK(!getitimer(ITIMER_REAL, &old) && !old.it_value.tv_usec);
	CHECK(!timer_delete(t_mono) && !timer_delete(t_off));
	CHECK(!timer_delete(t_real) && !timer_delete(t_done));
}

/* ---- a periodic one, to one thread, and what it missed */
static timer_t t_period;
static volatile int ticks, wrong_thread, to_thread_stop;
static pid_t target;
static void on_tick(int sig)
{
	ticks++;
	wrong_thread += gettid() != target;
}
static long takes_ticks(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (!to_thread_stop)
		sleep_ms(20);
	return ticks;
}
WAITER(ticked, takes_ticks())
static double period_begin;

static void periodic_setup(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID,
			      .sigev_signo = SIGRTMIN + 3 };
	struct itimerspec v = { { 0, 50000000 }, { 0, 50000000 } };

	signal(SIGRTMIN + 3, on_tick);
	START(ticked);
	target = ticked.tid;
	e._sigev_un._tid = target;
	CHECK(!timer_create(CLOCK_MONOTONIC, &e, &t_period));
	period_begin = now_ms(CLOCK_MONOTONIC);
	CHECK(!timer_settime(t_period, 0, &v, NULL));
}
static void periodic_verify(void)
{
	int before = ticks;
	double t;

	sleep_ms(330);
	t = now_ms(CLOCK_MONOTONIC) - period_begin;
	CHECK(ticks - before >= 3);
	CHECK(ticks <= t / 50 + 1);
	CHECK(!wrong_thread);
	timer_delete(t_period);
	to_thread_stop = 1;
	CHECK(END(ticked) > 0);
}

/* ---- processor time, and its timer */
static volatile int virtual_fired;
static void on_virtual(int sig) { virtual_fired += sig == SIGVTALRM; }
static double cpu_before;

static void cpu_setup(void)
{
	struct itimerval v = { { 0 }, { 0, 400000 } };
	volatile double x = 1;
	double t = now_ms(CLOCK_MONOTONIC);

	signal(SIGVTALRM, on_virtual);
	while (now_ms(CLOCK_MONOTONIC) - t < 30)
		x *= 1.0001;
	cpu_before = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(!setitimer(ITIMER_VIRTUAL, &v, NULL));
}
static void cpu_verify(void)
{
	volatile double x = 1;
	double t = now_ms(CLOCK_MONOTONIC);

	CHECK(now_ms(CLOCK_PROCESS_CPUTIME_ID) >= cpu_before);
	while (!virtual_fired && now_ms(CLOCK_MONOTONIC) - t < 8000)
		x *= 1.0001;
	CHECK(virtual_fired == 1);
}

static const struct save_case cases[] = {
	CASE(cpu), CASE(sleeps), CASE(forwards), CASE(timers),
	CASE(periodic),
};
SAVE_MAIN(cases)
