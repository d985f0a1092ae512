/* events.c - saved: eventfd, timerfd, signalfd, inotify, pidfd, memfd. */
#include "save.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static int readable(int fd, int timeout)
{
	struct pollfd f = { fd, POLLIN, 0 };

	return poll(&f, 1, timeout) == 1 && (f.revents & POLLIN);
}
static long read_u64(int fd)
{
	uint64_t v;

	return read(fd, &v, 8) == 8 ? (long)v : -1;
}

/* ---- eventfd */
static int counter, semaphore, waited_for, full;
WAITER(event_reader, read_u64(waited_for))
static long write_full(void)
{
	uint64_t v = 5;

	return write(full, &v, 8);
}
WAITER(event_writer, write_full())

static void eventfd_setup(void)
{
	uint64_t most = UINT64_MAX - 1;

	CHECK((counter = eventfd(41, EFD_NONBLOCK)) >= 0);
	CHECK((semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK)) >= 0);
	CHECK((waited_for = eventfd(0, 0)) >= 0);
	CHECK((full = eventfd(0, 0)) >= 0 && write(full, &most, 8) == 8);
	START(event_reader);
	START(event_writer);
}
static void eventfd_verify(void)
{
	uint64_t three = 3;

	CHECK(read_u64(counter) == 41);
	CHECK_ERRNO(read_u64(counter), EAGAIN);
	CHECK(read_u64(semaphore) == 1 && read_u64(semaphore) == 1);
	CHECK_ERRNO(read_u64(semaphore), EAGAIN);
	CHECK(WAITS(event_reader) && WAITS(event_writer));
	CHECK(write(waited_for, &three, 8) == 8 && END(event_reader) == 3);
	CHECK((uint64_t)read_u64(full) == UINT64_MAX - 1);
	CHECK(END(event_writer) == 8 && read_u64(full) == 5);
}

/* ---- timerfd: relative, absolute of both clocks, periodic, expired, off */
static int t_rel, t_abs, t_real, t_period, t_past, t_off, t_wait;
static double t_begin;
WAITER(timer_reader, read_u64(t_wait))

static int timer(clockid_t clock, int flags, struct timespec first, int period)
{
	struct itimerspec v = { { period / 1000,
				  period % 1000 * 1000000L }, first };
	int fd = timerfd_create(clock, TFD_NONBLOCK);

	return timerfd_settime(fd, flags, &v, NULL) ? -1 : fd;
}
static void timerfd_setup(void)
{
	struct timespec ms = { 0, 1000000 }, s = { 0, 900000000 };

	t_begin = now_ms(CLOCK_MONOTONIC);
	t_rel = timer(CLOCK_MONOTONIC, 0, s, 0);
	t_abs = timer(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME,
		      in_ms(CLOCK_MONOTONIC, 800), 0);
	t_real = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME,
		       in_ms(CLOCK_REALTIME, 700), 0);
	t_period = timer(CLOCK_MONOTONIC, 0, s, 100);
	t_past = timer(CLOCK_MONOTONIC, 0, ms, 0);
	t_off = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	t_wait = timer(CLOCK_MONOTONIC, 0, s, 0);
	CHECK(t_rel >= 0 && t_abs >= 0 && t_real >= 0 && t_period >= 0);
	CHECK(t_past >= 0 && t_off >= 0 && t_wait >= 0);
	fcntl(t_wait, F_SETFL, 0);
	START(timer_reader);
}
static void timerfd_verify(void)
{
	struct itimerspec v;
	double t;
	long n;

	CHECK(read_u64(t_past) == 1);
	CHECK_ERRNO(read_u64(t_past), EAGAIN);
	CHECK(!timerfd_gettime(t_period, &v) &&
	      v.it_interval.tv_nsec == 100000000);
	CHECK(readable(t_rel, 3000) && read_u64(t_rel) == 1);
	t = now_ms(CLOCK_MONOTONIC) - t_begin;
	CHECK(t >= 899);
	CHECK(t < 3000);
	CHECK_ERRNO(read_u64(t_rel), EAGAIN);
	CHECK(readable(t_abs, 1000) && read_u64(t_abs) == 1);
	CHECK(readable(t_real, 1000) && read_u64(t_real) == 1);
	CHECK_ERRNO(read_u64(t_real), EAGAIN);
	CHECK(END(timer_reader) == 1);
	CHECK(readable(t_period, 1000));
	sleep_ms(350);
	n = read_u64(t_period); /* as many as fit in the time, not one more */
	t = now_ms(CLOCK_MONOTONIC) - t_begin;
	CHECK(n >= 3);
	CHECK(n <= (t - 900) / 100 + 1);
	CHECK_ERRNO(read_u64(t_off), EAGAIN);
	CHECK(!timerfd_gettime(t_rel, &v) && !v.it_value.tv_sec &&
	      !v.it_value.tv_nsec);
}

/* ---- signalfd: a pending signal, and a reader */
static int sfd, sfd_wait;
static struct signalfd_siginfo wait_info;
WAITER(signal_reader, read(sfd_wait, &wait_info, sizeof(wait_info)))

static void signalfd_setup(void)
{
	union sigval v = { .sival_int = 77 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	CHECK((sfd = signalfd(-1, &set, SFD_NONBLOCK)) >= 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 4);
	CHECK((sfd_wait = signalfd(-1, &set, 0)) >= 0);
	CHECK(!sigqueue(getpid(), SIGRTMIN + 3, v));
	v.sival_int++;
	CHECK(!sigqueue(getpid(), SIGRTMIN + 3, v));
	START(signal_reader);
}
static void signalfd_verify(void)
{
	struct signalfd_siginfo i[3];
	union sigval v = { .sival_int = 99 };

	CHECK(read(sfd, i, sizeof(i)) == 2 * sizeof(i[0]));
	CHECK(i[0].ssi_int == 77 && i[1].ssi_int == 78);
	CHECK(i[0].ssi_signo == (uint32_t)SIGRTMIN + 3);
	CHECK(i[0].ssi_pid == (uint32_t)getpid());
	CHECK_ERRNO(read(sfd, i, sizeof(i)), EAGAIN);
	CHECK(WAITS(signal_reader));
	CHECK(!sigqueue(getpid(), SIGRTMIN + 4, v));
	CHECK(END(signal_reader) == sizeof(i[0]) && wait_info.ssi_int == 99);
}

/* ---- inotify: a queued event, watches that go on, a reader */
static int in, in_wait, watch;
static char in_buf[512];
WAITER(inotify_reader, read(in_wait, in_buf, sizeof(in_buf)))

static void inotify_setup(void)
{
	CHECK(!mkdir("watched", 0700) && !mkdir("waited", 0700));
	CHECK((in = inotify_init1(IN_NONBLOCK)) >= 0);
	CHECK((in_wait = inotify_init1(0)) >= 0);
	watch = inotify_add_watch(in, "watched", IN_CREATE | IN_DELETE);
	CHECK(watch > 0);
	CHECK(inotify_add_watch(in_wait, "waited", IN_CREATE) > 0);
	close(creat("watched/first", 0600));
	START(inotify_reader);
}
static void inotify_verify(void)
{
	char b[512] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)b;

	CHECK(read(in, b, sizeof(b)) == sizeof(*e) + 16);
	CHECK(e->wd == watch && e->mask == IN_CREATE &&
	      !strcmp(e->name, "first"));
	CHECK_ERRNO(read(in, b, sizeof(b)), EAGAIN);
	CHECK(!unlink("watched/first"));
	CHECK(read(in, b, sizeof(b)) > 0 && e->mask == IN_DELETE);
	CHECK(WAITS(inotify_reader));
	close(creat("waited/x", 0600));
	CHECK(END(inotify_reader) == sizeof(*e) + 16);
	CHECK(!inotify_rm_watch(in, watch));
	unlink("waited/x");
	rmdir("watched");
	rmdir("waited");
}

/* ---- pidfd of one that runs and of one that has ended */
static int pid_pipe[2], pid_run, pid_end;
static int child_waits(void)
{
	char b;

	return read(pid_pipe[0], &b, 1) == 1;
}
CHILD(runs, child_waits())
CHILD(ends, 1)
WAITER(pid_poller, readable(pid_run, -1))

static void pidfd_setup(void)
{
	CHECK(!pipe(pid_pipe));
	FORK(runs);
	FORK(ends);
	CHECK((pid_run = syscall(SYS_pidfd_open, runs, 0)) >= 0);
	CHECK((pid_end = syscall(SYS_pidfd_open, ends, 0)) >= 0);
	START(pid_poller);
}
static void pidfd_verify(void)
{
	siginfo_t i;

	CHECK(WAITS(pid_poller) && !readable(pid_run, 0));
	CHECK(readable(pid_end, 1000));
	CHECK(!syscall(SYS_waitid, 3, pid_end, &i, WEXITED, NULL));
	CHECK(i.si_pid == ends);
	CHECK(write(pid_pipe[1], "x", 1) == 1 && END(pid_poller) == 1);
	CHECK(ENDED(runs) == 0);
}

/* ---- memfd: contents, size, seals, a mapping of it */
static int mem, sealed;
static char *mem_map;

static void memfd_setup(void)
{
	CHECK((mem = memfd_create("saved", MFD_CLOEXEC)) >= 0);
	CHECK(!ftruncate(mem, 1 << 20) && pwrite(mem, "far", 3, 999999) == 3);
	mem_map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED,
		       mem, 0);
	CHECK(mem_map != MAP_FAILED);
	strcpy(mem_map + 5000, "mapped");
	CHECK((sealed = memfd_create("seal", MFD_ALLOW_SEALING)) >= 0);
	CHECK(write(sealed, "fixed", 5) == 5);
	CHECK(!fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
}
static void memfd_verify(void)
{
	struct stat st;
	char b[8] = "";

	CHECK(!fstat(mem, &st) && st.st_size == 1 << 20);
	CHECK(pread(mem, b, 8, 5000) == 8 && !strcmp(b, "mapped"));
	CHECK(!memcmp(mem_map + 999999, "far", 3));
	CHECK(pwrite(mem, "both", 4, 0) == 4 && !memcmp(mem_map, "both", 4));
	mem_map[100] = 'q';
	CHECK(pread(mem, b, 1, 100) == 1 && b[0] == 'q');
	CHECK(fcntl(sealed, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_GROW));
	CHECK_ERRNO(write(sealed, "x", 1), EPERM);
	CHECK(pread(sealed, b, 8, 0) == 5 && !memcmp(b, "fixed", 5));
}

static const struct save_case cases[] = {
	CASE(pidfd), CASE(eventfd), CASE(timerfd), CASE(signalfd),
	CASE(inotify), CASE(memfd),
};
SAVE_MAIN(cases)
