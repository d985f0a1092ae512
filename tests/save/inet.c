/* inet.c - saved: internal TCP and UDP, with data in flight, and waits. */
#include "save.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

static struct sockaddr_in name_of(int s)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	memset(&a, 0, n);
	getsockname(s, (void *)&a, &n);
	return a;
}

/* A socket bound to a port of the loopback that the system picks. */
static int bound(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int s = socket(AF_INET, type, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (void *)&a, sizeof(a)))
		perror("bind");
	if (type == SOCK_STREAM && listen(s, 8))
		perror("listen");
	return s;
}

static int connected(int listener)
{
	struct sockaddr_in a = name_of(listener);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return connect(s, (void *)&a, sizeof(a)) ? -1 : s;
}

static long read_all(int fd, char *b, long size)
{
	long n = 0, r;

	while (n < size && (r = read(fd, b + n, size - n)) > 0)
		n += r;
	return n;
}

/* ---- TCP, both ways in flight; one half closed */
static int listener, c, s, half_c, half_s;
static struct sockaddr_in before_c, before_s;

static void tcp_setup(void)
{
	int one = 1;

	listener = bound(SOCK_STREAM);
	CHECK((c = connected(listener)) >= 0);
	CHECK((s = accept(listener, NULL, NULL)) >= 0);
	CHECK(send(c, "to server", 9, 0) == 9);
	CHECK(send(s, "to client", 9, 0) == 9);
	CHECK(!setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	CHECK(!setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)));
	before_c = name_of(c);
	before_s = name_of(s);
	CHECK((half_c = connected(listener)) >= 0);
	CHECK((half_s = accept(listener, NULL, NULL)) >= 0);
	CHECK(send(half_c, "end", 3, 0) == 3 && !shutdown(half_c, SHUT_WR));
}
static void tcp_verify(void)
{
	struct sockaddr_in now = name_of(c), peer;
	socklen_t n = sizeof(int);
	char b[16];
	int one = 0;

	CHECK(!memcmp(&now, &before_c, sizeof(now)));
	now = name_of(s);
	CHECK(!memcmp(&now, &before_s, sizeof(now)));
	CHECK(recv(s, b, 16, MSG_PEEK) == 9);
	CHECK(recv(s, b, 16, 0) == 9 && !memcmp(b, "to server", 9));
	CHECK(recv(c, b, 16, 0) == 9 && !memcmp(b, "to client", 9));
	CHECK(!getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, &n) && one);
	CHECK(!getsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, &n) && one);
	CHECK(!getsockopt(c, SOL_SOCKET, SO_ERROR, &one, &n) && !one);
	n = sizeof(peer);
	CHECK(!getpeername(c, (void *)&peer, &n) &&
	      peer.sin_port == before_s.sin_port);
	CHECK(send(c, "again", 5, 0) == 5 && recv(s, b, 16, 0) == 5);
	CHECK(recv(half_s, b, 16, 0) == 3 && recv(half_s, b, 16, 0) == 0);
	CHECK(send(half_s, "fine", 4, 0) == 4);
	CHECK(recv(half_c, b, 16, 0) == 4 && !memcmp(b, "fine", 4));
	close(s);
	CHECK(recv(c, b, 16, 0) == 0);
}

/* ---- a listener with connections that wait, and with data in them */
static int early, early_closed, queue;

static void pending_setup(void)
{
	queue = bound(SOCK_STREAM);
	CHECK((early = connected(queue)) >= 0);
	CHECK(send(early, "early", 5, 0) == 5);
	CHECK((early_closed = connected(queue)) >= 0);
	CHECK(send(early_closed, "bye", 3, 0) == 3);
	close(early_closed);
}
static void pending_verify(void)
{
	struct pollfd pf = { queue, POLLIN, 0 };
	char b[8];
	int a;

	CHECK(poll(&pf, 1, 0) == 1 && pf.revents == POLLIN);
	a = accept(queue, NULL, NULL);
	CHECK(recv(a, b, 8, 0) == 5 && send(a, "ok", 2, 0) == 2);
	CHECK(recv(early, b, 8, 0) == 2);
	a = accept(queue, NULL, NULL);
	CHECK(recv(a, b, 8, 0) == 3 && recv(a, b, 8, 0) == 0);
	CHECK(poll(&pf, 1, 0) == 0);
	CHECK((early = connected(queue)) >= 0);
	CHECK(poll(&pf, 1, 1000) == 1 && accept(queue, NULL, NULL) >= 0);
}

/* ---- UDP: queued datagrams with their senders */
static int u1, u2;

static void udp_setup(void)
{
	struct sockaddr_in a;

	u1 = bound(SOCK_DGRAM);
	u2 = bound(SOCK_DGRAM);
	a = name_of(u1);
	CHECK(sendto(u2, "one", 3, 0, (void *)&a, sizeof(a)) == 3);
	CHECK(sendto(u2, "", 0, 0, (void *)&a, sizeof(a)) == 0);
	CHECK(!connect(u2, (void *)&a, sizeof(a)));
	CHECK(send(u2, "three", 5, 0) == 5);
}
static void udp_verify(void)
{
	struct sockaddr_in from, a = name_of(u2);
	socklen_t n = sizeof(from);
	char b[16];

	CHECK(recvfrom(u1, b, 16, 0, (void *)&from, &n) == 3);
	CHECK(from.sin_port == a.sin_port);
	CHECK(recv(u1, b, 16, 0) == 0);
	CHECK(recv(u1, b, 2, MSG_TRUNC) == 5 && !memcmp(b, "th", 2));
	CHECK(sendto(u1, "back", 4, 0, (void *)&a, sizeof(a)) == 4);
	CHECK(recv(u2, b, 16, 0) == 4);
	CHECK_ERRNO(recv(u1, b, 16, MSG_DONTWAIT), EAGAIN);
}

/* ---- version 6 */
static int l6, c6, s6;

static void six_setup(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t n = sizeof(a);

	l6 = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(!bind(l6, (void *)&a, n) && !listen(l6, 3));
	CHECK(!getsockname(l6, (void *)&a, &n));
	c6 = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(!connect(c6, (void *)&a, n));
	CHECK((s6 = accept(l6, NULL, NULL)) >= 0 && send(c6, "6", 1, 0) == 1);
}
static void six_verify(void)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	char b[8];

	CHECK(recv(s6, b, 8, 0) == 1 && b[0] == '6');
	CHECK(!getpeername(s6, (void *)&a, &n) && a.sin6_family == AF_INET6);
	CHECK(IN6_IS_ADDR_LOOPBACK(&a.sin6_addr));
}

/* ---- waits */
static int wl, rl, rs, rc, ws, wc, uw;
static char rb[16], ub[16], block[8 << 20], got[8 << 20];
WAITER(acceptor, accept(wl, NULL, NULL))
WAITER(receiver, recv(rs, rb, 8, MSG_WAITALL))
WAITER(sender, send(wc, block, sizeof(block), 0))
WAITER(datagram, recv(uw, ub, 16, 0))
static long polls(void)
{
	struct pollfd pf[2] = { { rl, POLLIN, 0 }, { c6, POLLIN, 0 } };

	return poll(pf, 2, -1) == 1 ? pf[0].revents : -1;
}
WAITER(poller, polls())

static void waits_setup(void)
{
	unsigned i;

	for (i = 0; i < sizeof(block); i++)
		block[i] = i * 31 + (i >> 13);
	wl = bound(SOCK_STREAM);
	rl = bound(SOCK_STREAM);
	uw = bound(SOCK_DGRAM);
	CHECK((rc = connected(rl)) >= 0 && (rs = accept(rl, 0, 0)) >= 0);
	CHECK((wc = connected(rl)) >= 0 && (ws = accept(rl, 0, 0)) >= 0);
	CHECK(send(rc, "half", 4, 0) == 4);
	START(acceptor);
	START(receiver);
	START(sender);
	START(datagram);
	START(poller);
}
static void waits_verify(void)
{
	struct sockaddr_in a = name_of(uw);
	int fd, x = -1;

	CHECK(WAITS(acceptor) && WAITS(receiver) && WAITS(sender));
	CHECK(WAITS(datagram) && WAITS(poller));
	CHECK((fd = connected(wl)) >= 0 && (x = END(acceptor)) >= 0);
	CHECK(send(fd, "x", 1, 0) == 1 && recv(x, got, 8, 0) == 1);
	CHECK(send(rc, "rest", 4, 0) == 4);
	CHECK(END(receiver) == 8 && !memcmp(rb, "halfrest", 8));
	CHECK(read_all(ws, got, sizeof(got)) == sizeof(got));
	CHECK(!memcmp(got, block, sizeof(got)));
	CHECK(END(sender) == sizeof(block));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(sendto(fd, "dgram", 5, 0, (void *)&a, sizeof(a)) == 5);
	CHECK(END(datagram) == 5 && !memcmp(ub, "dgram", 5));
	CHECK(connected(rl) >= 0 && END(poller) == POLLIN);
}

/* ---- other processes at both ends, in the middle of a long conversation */
static int talk_l;
static int serves(void)
{
	int fd = accept(talk_l, NULL, NULL), i;
	char b[64];

	for (i = 0; i < 200; i++)
		if (read_all(fd, b, 64) != 64 || b[0] != (char)i ||
		    send(fd, b, 64, 0) != 64)
			return 0;
	return read(fd, b, 1) == 0;
}
static int talks(void)
{
	int fd = connected(talk_l), i;
	char b[64];

	for (i = 0; i < 200; i++) {
		memset(b, i, 64);
		if (send(fd, b, 64, 0) != 64 || read_all(fd, b, 64) != 64 ||
		    b[63] != (char)i)
			return 0;
		sleep_ms(5);
	}
	return 1;
}
CHILD(server, serves())
CHILD(client, talks())

static void talk_setup(void)
{
	talk_l = bound(SOCK_STREAM);
	FORK(server);
	FORK(client);
	close(talk_l);
}
static void talk_verify(void)
{
	CHECK(ENDED(client) == 0);
	CHECK(ENDED(server) == 0);
}

static const struct save_case cases[] = {
	CASE(talk), CASE(tcp), CASE(pending), CASE(udp), CASE(six),
	CASE(waits),
};
SAVE_MAIN(cases)
