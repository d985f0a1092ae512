/* ipc_epoll.c - epoll: triggering, nesting, errors, waking, masks. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static struct epoll_event out[16];

static int ctl(int ep, int op, int fd, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, op, fd, &ev);
}

static int look(int ep)
{
	memset(out, 0, sizeof(out));
	return epoll_wait(ep, out, 16, 0);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void errors(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], file, dir;

	pipe(p);
	CHECK(ep >= 0 && fcntl(ep, F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(epoll_create1(1), EINVAL);
	CHECK_ERRNO(epoll_create(0), EINVAL);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN) == 0);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN), EEXIST);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_MOD, p[1], EPOLLIN), ENOENT);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_DEL, p[1], 0), ENOENT);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_ADD, 999, EPOLLIN), EBADF);
	CHECK_ERRNO(ctl(999, EPOLL_CTL_ADD, p[0], EPOLLIN), EBADF);
	CHECK_ERRNO(ctl(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN), EINVAL);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN), EINVAL);
	CHECK_ERRNO(ctl(ep, 77, p[0], EPOLLIN), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], NULL), EFAULT);
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	dir = open("/", O_RDONLY | O_DIRECTORY);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN), EPERM);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_ADD, dir, EPOLLIN), EPERM);
	CHECK_ERRNO(epoll_wait(ep, out, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(ep, out, -1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(p[0], out, 1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(999, out, 1, 0), EBADF);
	write(p[1], "x", 1);
	ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN);
	CHECK_ERRNO(epoll_wait(ep, (void *)8, 1, 0), EFAULT);
	CHECK(look(ep) == 1);
	CHECK_ERRNO(read(ep, out, 8), EINVAL);
	close(file);
	close(dir);
	close(p[0]);
	close(p[1]);
	close(ep);
}

static void level(void)
{
	int ep = epoll_create1(0), p[2];
	char b[8];

	pipe(p);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN) == 0);
	CHECK(ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT) == 0);
	CHECK(look(ep) == 1 && out[0].data.fd == p[1] &&
	      out[0].events == EPOLLOUT);
	write(p[1], "ab", 2);
	CHECK(look(ep) == 2);
	CHECK(look(ep) == 2);
	read(p[0], b, 1);
	CHECK(look(ep) == 2);
	read(p[0], b, 1);
	CHECK(look(ep) == 1 && out[0].data.fd == p[1]);
	CHECK(ctl(ep, EPOLL_CTL_MOD, p[1], 0) == 0);
	CHECK(look(ep) == 0);
	close(p[1]);
	CHECK(look(ep) == 1 && out[0].data.fd == p[0] &&
	      out[0].events == EPOLLHUP);
	close(p[0]);
	CHECK(look(ep) == 0);
	close(ep);
}

static void edge(void)
{
	int ep = epoll_create1(0), s[2];
	char b[8];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	CHECK(ctl(ep, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLRDHUP | EPOLLET) == 0);
	CHECK(look(ep) == 0);
	write(s[1], "ab", 2);
	CHECK(look(ep) == 1 && out[0].events == EPOLLIN);
	CHECK(look(ep) == 0);
	read(s[0], b, 1);
	CHECK(look(ep) == 0);
	write(s[1], "c", 1);
	CHECK(look(ep) == 1);
	CHECK(ctl(ep, EPOLL_CTL_MOD, s[0], EPOLLIN | EPOLLET) == 0);
	CHECK(look(ep) == 1);
	CHECK(look(ep) == 0);
	ctl(ep, EPOLL_CTL_MOD, s[0], EPOLLIN | EPOLLRDHUP | EPOLLET);
	look(ep);
	shutdown(s[1], SHUT_WR);
	CHECK(look(ep) == 1 && out[0].events == (EPOLLIN | EPOLLRDHUP));
	close(s[1]);
	CHECK(look(ep) == 1 && out[0].events ==
	      (EPOLLIN | EPOLLRDHUP | EPOLLHUP));
	CHECK(look(ep) == 0);
	close(s[0]);
	close(ep);
}

static void oneshot(void)
{
	int ep = epoll_create1(0), e = eventfd(1, EFD_NONBLOCK);

	CHECK(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLONESHOT) == 0);
	CHECK(look(ep) == 1 && out[0].events == EPOLLIN);
	CHECK(look(ep) == 0);
	eventfd_write(e, 1);
	CHECK(look(ep) == 0);
	CHECK(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN | EPOLLONESHOT) == 0);
	CHECK(look(ep) == 1);
	CHECK(look(ep) == 0);
	close(e);
	e = eventfd(0, EFD_NONBLOCK);
	CHECK(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLEXCLUSIVE) == 0);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN), EINVAL);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN | EPOLLEXCLUSIVE),
		    EINVAL);
	CHECK(ctl(ep, EPOLL_CTL_DEL, e, 0) == 0);
	CHECK_ERRNO(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLEXCLUSIVE |
			EPOLLONESHOT), EINVAL);
	close(e);
	close(ep);
}

static void nested(void)
{
	int a = epoll_create1(0), b = epoll_create1(0), e = eventfd(0, 0);
	int chain[8], i, depth = 0;

	CHECK(ctl(b, EPOLL_CTL_ADD, e, EPOLLIN) == 0);
	CHECK(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN) == 0);
	CHECK_ERRNO(ctl(b, EPOLL_CTL_ADD, a, EPOLLIN), ELOOP);
	CHECK_ERRNO(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN), EEXIST);
	CHECK(look(a) == 0);
	eventfd_write(e, 1);
	CHECK(look(a) == 1 && out[0].data.fd == b);
	CHECK(look(b) == 1 && out[0].data.fd == e);
	eventfd_read(e, &(eventfd_t){ 0 });
	CHECK(look(a) == 0);
	close(a);
	close(b);
	for (i = 0; i < 8; i++)
		chain[i] = epoll_create1(0);
	for (i = 1; i < 8; i++)
		if (ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN) == 0)
			depth++;
	SHOW("nested epolls: %d", depth);
	for (i = 0; i < 8; i++)
		close(chain[i]);
	close(e);
}

static int wake_fd;

static void *waker(void *arg)
{
	usleep(50000);
	eventfd_write(wake_fd, 1);
	return NULL;
}

static void *add_later(void *arg)
{
	usleep(50000);
	ctl(*(int *)arg, EPOLL_CTL_ADD, wake_fd, EPOLLIN);
	return NULL;
}

static void waking(void)
{
	int ep = epoll_create1(0), outer = epoll_create1(0);
	pthread_t th;
	long t0;

	wake_fd = eventfd(0, 0);
	ctl(ep, EPOLL_CTL_ADD, wake_fd, EPOLLIN);
	ctl(outer, EPOLL_CTL_ADD, ep, EPOLLIN);
	pthread_create(&th, NULL, waker, NULL);
	CHECK(epoll_wait(ep, out, 16, 2000) == 1);
	pthread_join(th, NULL);
	eventfd_read(wake_fd, &(eventfd_t){ 0 });
	pthread_create(&th, NULL, waker, NULL);
	CHECK(epoll_wait(outer, out, 16, -1) == 1 && out[0].data.fd == ep);
	pthread_join(th, NULL);
	ctl(ep, EPOLL_CTL_DEL, wake_fd, 0);
	pthread_create(&th, NULL, add_later, &ep);
	CHECK(epoll_wait(ep, out, 16, 2000) == 1);
	pthread_join(th, NULL);
	ctl(ep, EPOLL_CTL_DEL, wake_fd, 0);
	t0 = now_ms();
	CHECK(epoll_wait(ep, out, 16, 60) == 0);
	t0 = now_ms() - t0;
	CHECK(t0 >= 60 && t0 < 500);
	close(ep);
	close(outer);
	close(wake_fd);
}

/* Each event wakes one of two threads with EPOLLEXCLUSIVE, and is not lost. */
static void *exclusive_waiter(void *arg)
{
	struct epoll_event ev;
	int ep = epoll_create1(0);
	long got;

	ctl(ep, EPOLL_CTL_ADD, wake_fd, EPOLLIN | EPOLLEXCLUSIVE);
	got = epoll_wait(ep, &ev, 1, 300);
	if (got == 1)
		eventfd_read(wake_fd, &(eventfd_t){ 0 });
	close(ep);
	return (void *)got;
}

static void exclusive(void)
{
	pthread_t a, b;
	void *ra, *rb;

	wake_fd = eventfd(0, EFD_SEMAPHORE);
	pthread_create(&a, NULL, exclusive_waiter, NULL);
	pthread_create(&b, NULL, exclusive_waiter, NULL);
	usleep(50000);
	eventfd_write(wake_fd, 2);
	pthread_join(a, &ra);
	pthread_join(b, &rb);
	CHECK((long)ra + (long)rb >= 1);
	close(wake_fd);
}

static volatile int usr1;

static void on_usr1(int sig) { usr1++; }

static long pwait2(int ep, struct timespec *ts, sigset_t *mask)
{
	return syscall(SYS_epoll_pwait2, ep, out, 16, ts, mask, 8);
}

static void masks(void)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	struct timespec ts = { 0, 30000000 }, bad = { 0, 1000000000 };
	int ep = epoll_create1(0), e = eventfd(1, 0);
	sigset_t block, none, now;

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigaction(SIGUSR1, &sa, NULL);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	CHECK(usr1 == 0);
	CHECK_ERRNO(epoll_pwait(ep, out, 16, 1000, &none), EINTR);
	CHECK(usr1 == 1);
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1) == 1);
	raise(SIGUSR1);
	CHECK(epoll_pwait(ep, out, 16, 20, &block) == 0);
	CHECK(usr1 == 1);
	ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN);
	CHECK(epoll_pwait(ep, out, 16, 1000, &none) == 1);
	SHOW("signal with a ready file: %d", usr1);
	ctl(ep, EPOLL_CTL_DEL, e, 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
	CHECK(usr1 == 2);
	CHECK(pwait2(ep, &ts, NULL) == 0);
	CHECK_ERRNO(pwait2(ep, &bad, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_epoll_pwait, ep, out, 16, 0, &none, 4), EINVAL);
	if (!fork()) {
		usleep(50000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK_ERRNO(epoll_wait(ep, out, 16, 2000), EINTR);
	wait(NULL);
	close(e);
	close(ep);
}

/* dup'ed descriptors, and many items. */
static void many(void)
{
	static int fds[500];
	int ep = epoll_create1(0), e = eventfd(1, 0), d = dup(e), n, all = 0;
	struct epoll_event some[64];

	CHECK(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN) == 0);
	CHECK(ctl(ep, EPOLL_CTL_ADD, d, EPOLLIN) == 0);
	CHECK(look(ep) == 2);
	close(d);
	CHECK(look(ep) == 2);
	close(e);
	CHECK(look(ep) == 0);
	for (int i = 0; i < 500; i++) {
		fds[i] = eventfd(i % 2, EFD_NONBLOCK);
		ctl(ep, EPOLL_CTL_ADD, fds[i], EPOLLIN);
	}
	for (int i = 0; i < 4; i++)
		for (n = epoll_wait(ep, some, 64, 0); n > 0; n--) {
			eventfd_read(some[n - 1].data.fd, &(eventfd_t){ 0 });
			all++;
		}
	CHECK(all == 250);
	CHECK(look(ep) == 0);
	for (int i = 0; i < 500; i++)
		close(fds[i]);
	close(ep);
}

int main(void)
{
	errors();
	level();
	edge();
	oneshot();
	nested();
	waking();
	exclusive();
	masks();
	many();
	return check_done();
}
