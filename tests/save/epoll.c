/* epoll.c - saved: epoll instances of every kind, and waits on them. */
#include "save.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static int add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}
/* The data of the only event, 0 for none, -1 for more or another mask. */
static long only(int ep, int timeout, uint32_t events)
{
	struct epoll_event e[4];
	int n = epoll_wait(ep, e, 4, timeout);

	if (n <= 0)
		return n;
	return n == 1 && e[0].events == events ? (long)e[0].data.u64 : -1;
}

/* ---- level: ready and unready members */
static int level, lp[2], lq[2], ls[2];

static void level_setup(void)
{
	level = epoll_create1(EPOLL_CLOEXEC);
	CHECK(!pipe(lp) && !pipe(lq));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ls));
	CHECK(!add(level, lp[0], EPOLLIN, 0x1122334455667788));
	CHECK(!add(level, lq[0], EPOLLIN, 2));
	CHECK(!add(level, ls[0], EPOLLIN | EPOLLRDHUP, 3));
	CHECK(write(lp[1], "x", 1) == 1);
}
static void level_verify(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 9 };
	char b[8];

	CHECK(fcntl(level, F_GETFD) == FD_CLOEXEC);
	CHECK(only(level, 0, EPOLLIN) == 0x1122334455667788);
	CHECK(only(level, 0, EPOLLIN) == 0x1122334455667788);
	CHECK(read(lp[0], b, 8) == 1 && only(level, 0, EPOLLIN) == 0);
	CHECK(write(lq[1], "y", 1) == 1 && only(level, 1000, EPOLLIN) == 2);
	CHECK(read(lq[0], b, 8) == 1);
	CHECK(!shutdown(ls[1], SHUT_WR));
	CHECK(only(level, 1000, EPOLLIN | EPOLLRDHUP) == 3);
	CHECK(!epoll_ctl(level, EPOLL_CTL_DEL, ls[0], NULL));
	CHECK_ERRNO(add(level, lp[0], EPOLLIN, 1), EEXIST);
	CHECK(!epoll_ctl(level, EPOLL_CTL_MOD, lp[0], &e));
	CHECK(write(lp[1], "x", 1) == 1 && only(level, 1000, EPOLLIN) == 9);
}

/* ---- edge: what was reported is not reported again */
static int edge, ep[2], eq[2];

static void edge_setup(void)
{
	edge = epoll_create1(0);
	CHECK(!pipe(ep) && !pipe(eq));
	CHECK(!add(edge, ep[0], EPOLLIN | EPOLLET, 1));
	CHECK(!add(edge, eq[0], EPOLLIN | EPOLLET, 2));
	CHECK(write(ep[1], "x", 1) == 1 && only(edge, 1000, EPOLLIN) == 1);
	CHECK(write(eq[1], "x", 1) == 1); /* not reported yet */
}
static void edge_verify(void)
{
	CHECK(only(edge, 0, EPOLLIN) == 2);
	CHECK(only(edge, 0, EPOLLIN) == 0);
	CHECK(write(ep[1], "y", 1) == 1 && only(edge, 1000, EPOLLIN) == 1);
	CHECK(only(edge, 0, EPOLLIN) == 0);
}

/* ---- one shot: spent, and not yet */
static int shot, sp[2], sq[2];

static void shot_setup(void)
{
	shot = epoll_create1(0);
	CHECK(!pipe(sp) && !pipe(sq));
	CHECK(!add(shot, sp[0], EPOLLIN | EPOLLONESHOT, 1));
	CHECK(write(sp[1], "x", 1) == 1 && only(shot, 1000, EPOLLIN) == 1);
	CHECK(!add(shot, sq[0], EPOLLIN | EPOLLONESHOT, 2));
}
static void shot_verify(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT,
				 .data.u64 = 5 };

	CHECK(only(shot, 0, EPOLLIN) == 0);
	CHECK(write(sq[1], "x", 1) == 1 && only(shot, 1000, EPOLLIN) == 2);
	CHECK(only(shot, 0, EPOLLIN) == 0);
	CHECK(!epoll_ctl(shot, EPOLL_CTL_MOD, sp[0], &e));
	CHECK(only(shot, 1000, EPOLLIN) == 5 && only(shot, 0, EPOLLIN) == 0);
}

/* ---- nested, and a member whose number has been closed */
static int outer, inner, np[2], copy, kp[2];

static void nested_setup(void)
{
	outer = epoll_create1(0);
	inner = epoll_create1(0);
	CHECK(!pipe(np) && !pipe(kp));
	CHECK(!add(outer, inner, EPOLLIN, 7));
	CHECK(!add(inner, np[0], EPOLLIN, 8));
	CHECK(!add(inner, kp[0], EPOLLIN, 9));
	copy = dup(kp[0]); /* keeps the member alive */
	close(kp[0]);
	CHECK(write(np[1], "n", 1) == 1);
}
static void nested_verify(void)
{
	char b[4];

	CHECK(only(outer, 0, EPOLLIN) == 7 && only(inner, 0, EPOLLIN) == 8);
	CHECK(read(np[0], b, 4) == 1 && only(outer, 0, EPOLLIN) == 0);
	CHECK(write(kp[1], "k", 1) == 1);
	CHECK(only(outer, 1000, EPOLLIN) == 7);
	CHECK(only(inner, 0, EPOLLIN) == 9);
	CHECK(read(copy, b, 4) == 1 && only(inner, 0, EPOLLIN) == 0);
	close(copy);
}

/* ---- waits: without end, with a time, nested, with a signal mask */
static int w1, w2, w3, w4, w5, e1, e3, e4;
static volatile int handled;
static pthread_t masked_thread;
static void on_usr2(int sig) { handled += sig == SIGUSR2; }
static long masked_wait(void)
{
	struct epoll_event e;
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, SIGUSR2);
	masked_thread = pthread_self();
	return epoll_pwait(w4, &e, 1, -1, &mask);
}
WAITER(endless, only(w1, -1, EPOLLIN))
WAITER(timed, only(w2, 900, EPOLLIN))
WAITER(nesting, only(w3, -1, EPOLLIN))
WAITER(masked, masked_wait())

static void waits_setup(void)
{
	signal(SIGUSR2, on_usr2);
	w1 = epoll_create1(0);
	w2 = epoll_create1(0);
	w3 = epoll_create1(0);
	w4 = epoll_create1(0);
	w5 = epoll_create1(0);
	e1 = eventfd(0, 0);
	e3 = eventfd(0, 0);
	e4 = eventfd(0, 0);
	CHECK(!add(w1, e1, EPOLLIN, 1) && !add(w3, w5, EPOLLIN, 3));
	CHECK(!add(w5, e3, EPOLLIN | EPOLLET, 4) && !add(w4, e4, EPOLLIN, 5));
	START(endless);
	START(timed);
	START(nesting);
	START(masked);
}
static void waits_verify(void)
{
	uint64_t one = 1;

	CHECK(WAITS(endless) && WAITS(nesting) && WAITS(masked));
	CHECK(!handled);
	CHECK(write(e1, &one, 8) == 8 && END(endless) == 1);
	CHECK(write(e3, &one, 8) == 8 && END(nesting) == 3);
	CHECK(!pthread_kill(masked_thread, SIGUSR2));
	CHECK_ERRNO(END(masked), EINTR);
	CHECK(handled == 1);
	CHECK(END(timed) == 0);
	CHECK(timed.end - timed.begin >= 899);
	CHECK(timed.end - timed.begin < 2500);
}

static const struct save_case cases[] = {
	CASE(level), CASE(edge), CASE(shot), CASE(nested), CASE(waits),
};
SAVE_MAIN(cases)
