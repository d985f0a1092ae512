/* ipc_events.c - eventfd, timerfd, signalfd, pidfd. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int ready(int fd, short events)
{
	struct pollfd pf = { fd, events, 0 };

	return poll(&pf, 1, 0) == 1 ? pf.revents : 0;
}

static void *add_later(void *arg)
{
	usleep(30000);
	eventfd_write(*(int *)arg, 7);
	return NULL;
}

static void *take_later(void *arg)
{
	eventfd_t v;

	usleep(30000);
	eventfd_read(*(int *)arg, &v);
	return NULL;
}

static void eventfds(void)
{
	uint64_t v = 5;
	pthread_t th;
	char small[4];
	int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);

	CHECK(e >= 0 && fcntl(e, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(e, F_GETFL) == (O_RDWR | O_NONBLOCK));
	CHECK_ERRNO(eventfd(0, 0x40), EINVAL);
	CHECK(write(e, &v, 8) == 8);
	CHECK(read(e, &v, 8) == 8 && v == 8);
	CHECK_ERRNO(read(e, &v, 8), EAGAIN);
	CHECK_ERRNO(read(e, small, 4), EINVAL);
	CHECK_ERRNO(write(e, small, 4), EINVAL);
	v = UINT64_MAX;
	CHECK_ERRNO(write(e, &v, 8), EINVAL);
	v--;
	CHECK(write(e, &v, 8) == 8);
	v = 1;
	CHECK_ERRNO(write(e, &v, 8), EAGAIN);
	CHECK(ready(e, POLLIN | POLLOUT) == POLLIN);
	CHECK(read(e, &v, 8) == 8 && v == UINT64_MAX - 1);
	close(e);
	e = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	CHECK(read(e, &v, 8) == 8 && v == 1);
	CHECK(read(e, &v, 8) == 8 && v == 1);
	CHECK_ERRNO(read(e, &v, 8), EAGAIN);
	close(e);
	e = eventfd(0, 0);
	pthread_create(&th, NULL, add_later, &e);
	CHECK(read(e, &v, 8) == 8 && v == 7);
	pthread_join(th, NULL);
	v = UINT64_MAX - 1;
	write(e, &v, 8);
	pthread_create(&th, NULL, take_later, &e);
	v = 4;
	CHECK(write(e, &v, 8) == 8);
	pthread_join(th, NULL);
	CHECK(read(e, &v, 8) == 8 && v == 4);
	if (!fork()) {
		usleep(20000);
		eventfd_write(e, 9);
		_exit(0);
	}
	CHECK(read(e, &v, 8) == 8 && v == 9);
	wait(NULL);
	close(e);
}

static int set(int t, int flags, long first_ms, long every_ms)
{
	struct itimerspec its = {
		.it_value = { first_ms / 1000, first_ms % 1000 * 1000000 },
		.it_interval = { every_ms / 1000, every_ms % 1000 * 1000000 },
	};

	return timerfd_settime(t, flags, &its, NULL);
}

static void timerfds(void)
{
	struct itimerspec its = { 0 }, old;
	uint64_t v;
	char small[4];
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	CHECK(t >= 0 && fcntl(t, F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 0x40), EINVAL);
	CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	CHECK_ERRNO(timerfd_settime(0, 0, &its, NULL), EINVAL);
	CHECK_ERRNO(read(t, &v, 8), EAGAIN);
	CHECK_ERRNO(read(t, small, 4), EINVAL);
	CHECK_ERRNO(write(t, &v, 8), EINVAL);
	CHECK(set(t, 0, 5000, 20) == 0);
	CHECK(timerfd_gettime(t, &old) == 0 && old.it_value.tv_sec == 4 &&
	      old.it_interval.tv_nsec == 20000000);
	its.it_value.tv_nsec = 10000000;
	CHECK(timerfd_settime(t, 0, &its, &old) == 0 &&
	      old.it_value.tv_sec == 4);
	CHECK(ready(t, POLLIN) == 0);
	usleep(30000);
	CHECK(ready(t, POLLIN) == POLLIN);
	CHECK(read(t, &v, 8) == 8 && v == 1);
	CHECK(timerfd_gettime(t, &old) == 0 && !old.it_value.tv_nsec &&
	      !old.it_value.tv_sec);
	CHECK_ERRNO(read(t, &v, 8), EAGAIN);
	its.it_value.tv_nsec = 1000000000;
	CHECK_ERRNO(timerfd_settime(t, 0, &its, NULL), EINVAL);
	CHECK_ERRNO(timerfd_settime(t, 8, &its, NULL), EINVAL);
	CHECK_ERRNO(timerfd_settime(t, 0, NULL, NULL), EFAULT);
	set(t, 0, 5, 10);
	usleep(60000);
	CHECK(read(t, &v, 8) == 8 && v >= 5);
	fcntl(t, F_SETFL, 0);
	CHECK(read(t, &v, 8) == 8 && v >= 1);
	set(t, 0, 5, 0);
	usleep(20000);
	CHECK(set(t, 0, 0, 0) == 0 && ready(t, POLLIN) == 0);
	/* A moment in the past is due at once. */
	CHECK(set(t, TFD_TIMER_ABSTIME, 1, 0) == 0);
	CHECK(read(t, &v, 8) == 8 && v == 1);
	close(t);
	t = timerfd_create(CLOCK_REALTIME, 0);
	clock_gettime(CLOCK_REALTIME, &its.it_value);
	its.it_value.tv_sec -= 10;
	its.it_interval.tv_sec = 4;
	CHECK(timerfd_settime(t, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			      &its, NULL) == 0);
	CHECK(read(t, &v, 8) == 8 && v == 3);
	close(t);
}

static void timer_in_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int t = timerfd_create(CLOCK_BOOTTIME, 0), ep = epoll_create1(0), n = 0;
	uint64_t v;

	epoll_ctl(ep, EPOLL_CTL_ADD, t, &ev);
	set(t, 0, 10, 10);
	for (int i = 0; i < 3; i++) {
		n += epoll_wait(ep, &ev, 1, 500);
		read(t, &v, 8);
	}
	CHECK(n == 3);
	close(t);
	CHECK(epoll_wait(ep, &ev, 1, 30) == 0);
	close(ep);
}

static void signalfds(void)
{
	struct signalfd_siginfo si[4];
	union sigval val = { .sival_int = 42 };
	sigset_t set;
	int s;
	pid_t kid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_ERRNO(signalfd(-1, &set, 0x40), EINVAL);
	CHECK_ERRNO(signalfd(0, &set, 0), EINVAL);
	CHECK_ERRNO(signalfd(999, &set, 0), EBADF);
	s = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(s >= 0 && fcntl(s, F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(read(s, si, sizeof(si)), EAGAIN);
	CHECK(ready(s, POLLIN) == 0);
	CHECK_ERRNO(read(s, si, 8), EINVAL);
	raise(SIGUSR1);
	CHECK(ready(s, POLLIN) == POLLIN);
	CHECK(read(s, si, sizeof(si)) == sizeof(si[0]));
	CHECK(si[0].ssi_signo == SIGUSR1 && si[0].ssi_pid == (unsigned)getpid());
	CHECK(si[0].ssi_code == SI_TKILL);
	sigqueue(getpid(), SIGRTMIN, val);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	CHECK(read(s, si, sizeof(si)) == 2 * sizeof(si[0]));
	CHECK(si[0].ssi_signo == SIGUSR1 && si[0].ssi_code == SI_USER);
	CHECK(si[1].ssi_signo == (unsigned)SIGRTMIN && si[1].ssi_int == 42 &&
	      si[1].ssi_code == SI_QUEUE);
	kid = fork();
	if (!kid)
		_exit(3);
	fcntl(s, F_SETFL, 0);
	CHECK(read(s, si, sizeof(si[0])) == sizeof(si[0]));
	CHECK(si[0].ssi_signo == SIGCHLD && si[0].ssi_pid == (unsigned)kid &&
	      si[0].ssi_status == 3 && si[0].ssi_code == CLD_EXITED);
	waitpid(kid, NULL, 0);
	/* The set can be changed. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(signalfd(s, &set, 0) == s);
	raise(SIGUSR1);
	CHECK(ready(s, POLLIN) == 0);
	if (!fork()) {
		usleep(30000);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	CHECK(read(s, si, sizeof(si)) == sizeof(si[0]) &&
	      si[0].ssi_signo == SIGUSR2);
	wait(NULL);
	close(s);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigfillset(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static long pidfd_open_(pid_t pid, unsigned flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

static long pidfd_kill(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static void pidfds(void)
{
	struct pollfd pf;
	siginfo_t si;
	int p[2], fd, got;
	pid_t kid;
	char b;

	pipe(p);
	kid = fork();
	if (!kid) {
		pause();
		_exit(1);
	}
	fd = pidfd_open_(kid, 0);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(pidfd_open_(kid, 1), EINVAL);
	CHECK_ERRNO(pidfd_open_(0, 0), EINVAL);
	CHECK_ERRNO(pidfd_open_(-1, 0), EINVAL);
	CHECK_ERRNO(pidfd_open_(99999999, 0), ESRCH);
	CHECK(ready(fd, POLLIN) == 0);
	CHECK(pidfd_kill(fd, 0) == 0);
	CHECK_ERRNO(pidfd_kill(p[0], 0), EBADF);
	CHECK_ERRNO(pidfd_kill(fd, 999), EINVAL);
	CHECK_ERRNO(read(fd, &b, 1), EINVAL);
	CHECK_ERRNO(waitid(P_PIDFD, p[0], &si, WEXITED), EBADF);
	got = syscall(SYS_pidfd_getfd, fd, p[1], 0);
	CHECK(got >= 0 && fcntl(got, F_GETFD) == FD_CLOEXEC);
	CHECK(write(got, "z", 1) == 1 && read(p[0], &b, 1) == 1 && b == 'z');
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, 999, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, p[1], 1), EINVAL);
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG) == 0 && !si.si_pid);
	CHECK(pidfd_kill(fd, SIGTERM) == 0);
	pf = (struct pollfd){ fd, POLLIN, 0 };
	CHECK(poll(&pf, 1, 2000) == 1 && pf.revents & POLLIN);
	CHECK(waitid(P_PIDFD, fd, &si, WEXITED) == 0 && si.si_pid == kid &&
	      si.si_status == SIGTERM && si.si_code == CLD_KILLED);
	CHECK_ERRNO(pidfd_kill(fd, 0), ESRCH);
	CHECK(ready(fd, POLLIN) & POLLIN);
	CHECK_ERRNO(waitid(P_PIDFD, fd, &si, WEXITED), ECHILD);
	close(fd);
	close(got);
	fd = pidfd_open_(getpid(), O_NONBLOCK);
	CHECK(fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	eventfds();
	timerfds();
	timer_in_epoll();
	signalfds();
	pidfds();
	return check_done();
}
