/* Clocks, sleeping, interval timers, POSIX timers. */
#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static volatile int count, overrun, timer_value;
static timer_t timer;

static void handler(int sig) { count++; }
static void timer_handler(int sig, siginfo_t *si, void *uc)
{
	count++;
	timer_value = si->si_value.sival_int;
	overrun = si->si_overrun;
}

static long long now(clockid_t c)
{
	struct timespec ts;

	if (clock_gettime(c, &ts))
		return -1;
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void clocks(void)
{
	static const clockid_t ids[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
		CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
		CLOCK_TAI,
	};
	struct timespec ts;
	long long a, b;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		CHECK(now(ids[i]) > 0);
		CHECK(clock_getres(ids[i], &ts) == 0 && ts.tv_sec == 0);
	}
	CHECK_ERRNO(clock_gettime(99, &ts), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, 0, 1), EFAULT);
	a = now(CLOCK_MONOTONIC);
	b = now(CLOCK_MONOTONIC);
	CHECK(b >= a);
	CHECK(labs(time(NULL) - now(CLOCK_REALTIME) / 1000000000) <= 1);
	a = now(CLOCK_PROCESS_CPUTIME_ID);
	for (volatile int i = 0; i < 3000000; i++)
		;
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) > a);
	clockid_t c;
	CHECK(clock_getcpuclockid(0, &c) == 0 && now(c) > 0);
}

static void sleeps(void)
{
	struct timespec ts = { 0, 20000000 }, bad = { 0, 1000000000 };
	long long a = now(CLOCK_MONOTONIC), at;

	CHECK(nanosleep(&ts, NULL) == 0);
	CHECK(now(CLOCK_MONOTONIC) - a >= 20000000);
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	at = now(CLOCK_REALTIME) + 20000000;
	ts.tv_sec = at / 1000000000;
	ts.tv_nsec = at % 1000000000;
	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL) == 0);
	CHECK(now(CLOCK_REALTIME) >= at);
	CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL)
	      == EINVAL);
}

static void itimers(void)
{
	struct itimerval it = { .it_value = { 0, 10000 },
				.it_interval = { 0, 10000 } }, old;

	signal(SIGALRM, handler);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (count < 3)
		pause();
	CHECK(getitimer(ITIMER_REAL, &old) == 0
	      && old.it_interval.tv_usec == 10000);
	memset(&it, 0, sizeof(it));
	CHECK(setitimer(ITIMER_REAL, &it, &old) == 0);
	CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 10000);
	CHECK(alarm(100) == 0);
	CHECK(alarm(0) == 100);
	CHECK_ERRNO(setitimer(7, &it, NULL), EINVAL);
	it.it_value.tv_usec = 1000000;
	CHECK_ERRNO(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	it.it_value.tv_usec = 20000;
	signal(SIGVTALRM, handler);
	count = 0;
	CHECK(setitimer(ITIMER_VIRTUAL, &it, NULL) == 0);
	long long a = now(CLOCK_MONOTONIC);
	while (!count && now(CLOCK_MONOTONIC) - a < 1500000000)
		;
	CHECK(count == 1);
}

static void posix_timers(void)
{
	struct sigaction sa = { .sa_sigaction = timer_handler,
				.sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN };
	struct itimerspec it = { .it_value = { 0, 5000000 } }, old;
	sigset_t s, none;

	sigemptyset(&sa.sa_mask);
	sigaction(SIGRTMIN, &sa, NULL);
	ev.sigev_value.sival_int = 77;
	sigemptyset(&none);
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	count = 0;
	CHECK(timer_settime(timer, 0, &it, NULL) == 0);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK(count == 1 && timer_value == 77);
	CHECK(timer_gettime(timer, &old) == 0 && old.it_value.tv_sec == 0
	      && old.it_value.tv_nsec == 0);
	it.it_interval.tv_nsec = 5000000;
	CHECK(timer_settime(timer, 0, &it, NULL) == 0);
	usleep(60000);
	sigsuspend(&none);
	CHECK(overrun >= 5);
	CHECK(timer_getoverrun(timer) == overrun);
	CHECK(timer_delete(timer) == 0);
	CHECK_ERRNO(timer_delete(timer), EINVAL);
	CHECK_ERRNO(timer_create(99, &ev, &timer), EINVAL);
	ev.sigev_signo = 99;
	CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &ev, &timer), EINVAL);
}

static void usage(void)
{
	struct rusage ru;
	struct tms tms;

	CHECK(getrusage(RUSAGE_SELF, &ru) == 0);
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec
	      + ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec > 0);
	CHECK(getrusage(RUSAGE_CHILDREN, &ru) == 0);
	CHECK_ERRNO(getrusage(9, &ru), EINVAL);
	CHECK(times(&tms) != -1);
}

int main(void)
{
	clocks();
	sleeps();
	itimers();
	posix_timers();
	usage();
	return check_done();
}
