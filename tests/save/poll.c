/* poll.c - saved: in poll, ppoll, select and pselect, with and without end. */
#include "save.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static int p[2], e, s[2], ready[2], null_pipe[2];
static volatile int handled;
static void on_usr2(int sig) { handled += sig == SIGUSR2; }

static long polls(int timeout)
{
	struct pollfd f[4] = { { p[0], POLLIN, 0 }, { -1, POLLIN, 0 },
			       { e, POLLIN, 0 }, { s[0], POLLIN, 0 } };
	int n = poll(f, 4, timeout);

	return n <= 0 ? n : f[0].revents << 16 | f[2].revents << 8 |
				    f[3].revents;
}
static long selects(struct timeval *t)
{
	fd_set r;
	int n;

	FD_ZERO(&r);
	FD_SET(p[0], &r);
	FD_SET(e, &r);
	n = select(e + 20, &r, NULL, NULL, t);
	return n <= 0 ? n : (FD_ISSET(p[0], &r) != 0) +
				    2 * (FD_ISSET(e, &r) != 0);
}
static long ppolls(void)
{
	struct pollfd f = { null_pipe[0], POLLIN, 0 };
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, SIGUSR2);
	return ppoll(&f, 1, NULL, &mask);
}
static long pselects(void)
{
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, SIGUSR2);
	return pselect(0, NULL, NULL, NULL, NULL, &mask);
}
static long selects_for(int ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	return selects(&t);
}
WAITER(endless_poll, polls(-1))
WAITER(timed_poll, polls(700))
WAITER(long_poll, polls(60000))
WAITER(endless_select, selects(NULL))
WAITER(timed_select, selects_for(800))
WAITER(masked_poll, ppolls())
WAITER(masked_select, pselects())
WAITER(nothing_poll, poll(NULL, 0, 600))

static void waits_setup(void)
{
	signal(SIGUSR2, on_usr2);
	CHECK(!pipe(p) && !pipe(ready) && !pipe(null_pipe));
	CHECK((e = eventfd(0, 0)) >= 0);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(write(ready[1], "r", 1) == 1);
	START(endless_poll);
	START(timed_poll);
	START(long_poll);
	START(endless_select);
	START(timed_select);
	START(masked_poll);
	START(masked_select);
	START(nothing_poll);
}
/* Those with a time end by themselves, and not before it. */
static void times_verify(void)
{
	CHECK(END(timed_poll) == 0 && END(timed_select) == 0);
	CHECK(END(nothing_poll) == 0);
	CHECK(timed_poll.end - timed_poll.begin >= 699);
	CHECK(timed_poll.end - timed_poll.begin < 2500);
	CHECK(timed_select.end - timed_select.begin >= 799);
	CHECK(timed_select.end - timed_select.begin < 2500);
	CHECK(nothing_poll.end - nothing_poll.begin >= 599);
}
static void waits_verify(void)
{
	struct pollfd f = { ready[0], POLLIN, 0 };
	uint64_t one = 1;

	CHECK(WAITS(endless_poll) && WAITS(endless_select));
	CHECK(WAITS(long_poll) && WAITS(masked_poll) && WAITS(masked_select));
	CHECK(!handled);
	CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLIN);
	times_verify();
	CHECK(WAITS(endless_poll) && WAITS(endless_select));
	CHECK(write(e, &one, 8) == 8);
	CHECK(END(endless_poll) == POLLIN << 8);
	CHECK(END(long_poll) == POLLIN << 8);
	CHECK(END(endless_select) == 2);
	pthread_kill(masked_poll.thread, SIGUSR2);
	CHECK_ERRNO(END(masked_poll), EINTR);
	pthread_kill(masked_select.thread, SIGUSR2);
	CHECK_ERRNO(END(masked_select), EINTR);
	CHECK(handled == 2);
}

static const struct save_case cases[] = { CASE(waits) };
SAVE_MAIN(cases)
