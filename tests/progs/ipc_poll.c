/* ipc_poll.c - poll, ppoll, select, pselect. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static volatile int usr1;

static void on_usr1(int sig) { usr1++; }

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int one(int fd, short events)
{
	struct pollfd pf = { fd, events, 0 };

	return poll(&pf, 1, 0) < 0 ? -1 : pf.revents;
}

static void states(void)
{
	static char big[70000];
	int p[2], s[2], f, e = eventfd(0, 0);

	pipe2(p, O_NONBLOCK);
	CHECK(one(p[0], POLLIN) == 0);
	CHECK(one(p[1], POLLOUT | POLLWRNORM) == (POLLOUT | POLLWRNORM));
	write(p[1], big, sizeof(big));
	CHECK(one(p[1], POLLOUT) == 0);
	CHECK(one(p[0], POLLIN | POLLRDNORM | POLLPRI) == (POLLIN | POLLRDNORM));
	close(p[1]);
	CHECK(one(p[0], POLLIN) == (POLLIN | POLLHUP));
	CHECK(one(p[0], 0) == POLLHUP);
	close(p[0]);
	CHECK(one(p[0], POLLIN) == POLLNVAL);
	CHECK(one(-1, POLLIN) == 0);
	f = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	CHECK(one(f, POLLIN | POLLOUT | POLLPRI) == (POLLIN | POLLOUT));
	close(f);
	f = open("/dev/null", O_RDWR);
	CHECK(one(f, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
	close(f);
	CHECK(one(e, POLLIN | POLLOUT) == POLLOUT);
	eventfd_write(e, 1);
	CHECK(one(e, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
	eventfd_write(e, 0xfffffffffffffffdULL);
	CHECK(one(e, POLLIN | POLLOUT) == POLLIN);
	close(e);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	CHECK(one(s[0], POLLIN | POLLOUT) == POLLOUT);
	shutdown(s[1], SHUT_WR);
	CHECK(one(s[0], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP));
	close(s[1]);
	CHECK(one(s[0], POLLIN | POLLOUT | POLLRDHUP) ==
	      (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	close(s[0]);
}

static int wake_fd;

static void *waker(void *arg)
{
	usleep(40000);
	eventfd_write(wake_fd, 1);
	return NULL;
}

static void waits(void)
{
	struct pollfd many[100], pf;
	struct timespec ts = { 0, 40000000 };
	pthread_t th;
	long t0;

	t0 = now_ms();
	CHECK(poll(NULL, 0, 40) == 0);
	t0 = now_ms() - t0;
	CHECK(t0 >= 40 && t0 < 500);
	t0 = now_ms();
	CHECK(ppoll(NULL, 0, &ts, NULL) == 0);
	t0 = now_ms() - t0;
	CHECK(t0 >= 40 && t0 < 500);
	wake_fd = eventfd(0, 0);
	pf = (struct pollfd){ wake_fd, POLLIN, 0 };
	pthread_create(&th, NULL, waker, NULL);
	CHECK(poll(&pf, 1, -1) == 1 && pf.revents == POLLIN);
	pthread_join(th, NULL);
	eventfd_read(wake_fd, &(eventfd_t){ 0 });
	for (int i = 0; i < 100; i++)
		many[i] = (struct pollfd){ i < 98 ? dup(wake_fd) :
					   i == 98 ? -1 : wake_fd, POLLIN, 7 };
	pthread_create(&th, NULL, waker, NULL);
	CHECK(poll(many, 100, 2000) == 99);
	CHECK(many[98].revents == 0 && many[99].revents == POLLIN);
	pthread_join(th, NULL);
	for (int i = 0; i < 98; i++)
		close(many[i].fd);
	close(wake_fd);
	CHECK_ERRNO(poll((void *)8, 1, 0), EFAULT);
	CHECK_ERRNO(poll(many, 1u << 30, 0), EINVAL);
	ts.tv_nsec = 1000000000;
	CHECK_ERRNO(ppoll(NULL, 0, &ts, NULL), EINVAL);
	ts = (struct timespec){ -1, 0 };
	CHECK_ERRNO(ppoll(NULL, 0, &ts, NULL), EINVAL);
}

static void interrupt_soon(void)
{
	if (!fork()) {
		usleep(40000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	struct timespec ts = { 5, 0 };
	struct timeval tv = { 5, 0 };
	sigset_t block, none, now;

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigaction(SIGUSR1, &sa, NULL);
	interrupt_soon();
	CHECK_ERRNO(poll(NULL, 0, 3000), EINTR);
	wait(NULL);
	interrupt_soon();
	CHECK_ERRNO(select(0, NULL, NULL, NULL, &tv), EINTR);
	CHECK(tv.tv_sec == 4 && tv.tv_usec > 0);
	wait(NULL);
	interrupt_soon();
	CHECK_ERRNO(poll(NULL, 0, -1), EINTR);
	wait(NULL);
	CHECK(usr1 == 3);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	CHECK(poll(NULL, 0, 20) == 0 && usr1 == 3);
	CHECK_ERRNO(ppoll(NULL, 0, &ts, &none), EINTR);
	CHECK(usr1 == 4);
	raise(SIGUSR1);
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &ts, &none), EINTR);
	CHECK(usr1 == 5);
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1) == 1);
	raise(SIGUSR1);
	ts = (struct timespec){ 0, 10000000 };
	CHECK(pselect(0, NULL, NULL, NULL, &ts, &block) == 0 && usr1 == 5);
	CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, NULL, &none, 4), EINVAL);
	/* An ignored signal does not end the wait. */
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGUSR1, SIG_IGN);
	interrupt_soon();
	CHECK(poll(NULL, 0, 120) == 0);
	wait(NULL);
}

static void selects(void)
{
	int p[2], s[2], n;
	fd_set r, w, x;
	struct timeval tv = { 0, 0 };

	pipe(p);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	n = p[1] + 1;
	CHECK(select(n, &r, &w, NULL, &tv) == 1);
	CHECK(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	write(p[1], "x", 1);
	FD_SET(p[0], &r);
	CHECK(select(n, &r, &w, NULL, NULL) == 2);
	CHECK(FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	/* One descriptor in two sets counts twice. */
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[1], "y", 1);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(s[0], &r);
	FD_SET(s[0], &w);
	FD_SET(s[0], &x);
	CHECK(select(s[0] + 1, &r, &w, &x, NULL) == 2);
	CHECK(!FD_ISSET(s[0], &x));
	close(p[0]);
	FD_ZERO(&w);
	FD_SET(p[1], &w);
	CHECK(select(n, NULL, &w, NULL, &tv) == 1);
	/* nfds bounds what is looked at. */
	FD_ZERO(&r);
	FD_SET(s[0], &r);
	tv = (struct timeval){ 0, 1000 };
	CHECK(select(s[0], &r, NULL, NULL, &tv) == 0);
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK_ERRNO(select(p[0] + 1, &r, NULL, NULL, &tv), EBADF);
	/* What lies beyond the descriptor table is not looked at. */
	FD_ZERO(&r);
	FD_SET(1000, &r);
	CHECK(select(1001, &r, NULL, NULL, &tv) == 0);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, &tv), EINVAL);
	tv = (struct timeval){ -1, 0 };
	CHECK_ERRNO(select(0, NULL, NULL, NULL, &tv), EINVAL);
	CHECK_ERRNO(select(8, (fd_set *)8, NULL, NULL, NULL), EFAULT);
	close(p[1]);
	FD_ZERO(&r);
	FD_SET(s[0], &r);
	close(s[1]);
	tv = (struct timeval){ 1, 0 };
	CHECK(select(s[0] + 1, &r, NULL, NULL, &tv) == 1 && tv.tv_sec <= 1);
	close(s[0]);
}

int main(void)
{
	states();
	waits();
	signals();
	selects();
	return check_done();
}
