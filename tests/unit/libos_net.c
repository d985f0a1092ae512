/*
 * libos_net.c - sockets of the sandbox's own: Unix sockets with descriptors
 * in flight and their collection, and TCP and UDP over the loopback.
 */
#include "unit.h"

#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/poll.h>

#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SO_REUSEADDR 2
#define SO_ERROR 4
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#define MSG_PEEK 2
#define MSG_CTRUNC 8
#define MSG_TRUNC 0x20
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define TCP_NODELAY 1

struct iov { void *base; u64 size; };
struct msg {
	void *name;
	u32 name_size, pad;
	struct iov *iov;
	u64 iov_count;
	void *control;
	u64 control_size;
	u32 flags, pad2;
};
struct rights { u64 size; s32 level, type; s32 fd[4]; };

static void pair(int type, int *s)
{
	MUST(SYS(socketpair, AF_UNIX, type | O_NONBLOCK, 0, s) == 0);
}

static long send_fds(long s, const s32 *fds, unsigned n)
{
	struct rights c = { 16 + 4 * n, SOL_SOCKET, SCM_RIGHTS, { 0 } };
	char byte = 'x';
	struct iov v = { &byte, 1 };
	struct msg m = { .iov = &v, .iov_count = 1, .control = &c,
			 .control_size = c.size };

	memcpy(c.fd, fds, 4 * n);
	return SYS(sendmsg, s, &m, MSG_NOSIGNAL);
}

static long receive_fds(long s, s32 *fds, u64 room, u32 *flags)
{
	struct rights c = { 0 };
	char bytes[8];
	struct iov v = { bytes, sizeof(bytes) };
	struct msg m = { .iov = &v, .iov_count = 1, .control = &c,
			 .control_size = room };
	long r = SYS(recvmsg, s, &m, MSG_CMSG_CLOEXEC);

	memcpy(fds, c.fd, sizeof(c.fd));
	*flags = m.flags;
	return r < 0 ? r : c.size ? (long)(c.size - 16) / 4 : 0;
}

/* ---- Unix sockets --------------------------------------------------------------------- */
UNIT(unix_stream)
{
	static char big[400000];
	char b[16];
	int s[2];
	long n, sent = 0, got = 0;

	pair(SOCK_STREAM, s);
	EQ(SYS(read, s[0], b, 1), -EAGAIN);
	EQ(SYS(write, s[0], "hello", 5), 5);
	EQ(SYS(recvfrom, s[1], b, 2, MSG_PEEK, 0, 0), 2);
	EQ(SYS(read, s[1], b, 16), 5);
	CHECK(!memcmp(b, "hello", 5));
	while ((n = SYS(write, s[0], big, sizeof(big))) > 0)
		sent += n;
	EQ(n, -EAGAIN);
	while ((n = SYS(read, s[1], big, 1234)) > 0)
		got += n;
	EQ(n, -EAGAIN);
	EQ(got, sent);
	EQ(SYS(shutdown, s[0], 1), 0);
	EQ(SYS(read, s[1], b, 1), 0);
	EQ(SYS(sendto, s[0], b, 1, MSG_NOSIGNAL, 0, 0), -EPIPE);
	EQ(SYS(write, s[1], "back", 4), 4);
	EQ(SYS(close, s[1]), 0);
	EQ(SYS(read, s[0], b, 16), 4);
	EQ(SYS(read, s[0], b, 16), 0);
}

UNIT(unix_messages)
{
	char b[16];
	int s[2];

	pair(SOCK_SEQPACKET, s);
	EQ(SYS(write, s[0], "one", 3), 3);
	EQ(SYS(write, s[0], "three", 5), 5);
	EQ(SYS(read, s[1], b, 2), 2);
	EQ(SYS(read, s[1], b, 16), 5);
	EQ(SYS(read, s[1], b, 16), -EAGAIN);
	pair(SOCK_DGRAM, s);
	EQ(SYS(write, s[0], "", 0), 0);
	EQ(SYS(write, s[0], "ab", 2), 2);
	EQ(SYS(recvfrom, s[1], b, 16, 0, 0, 0), 0);
	EQ(SYS(recvfrom, s[1], b, 1, MSG_TRUNC, 0, 0), 2);
}

struct un { u16 family; char path[108]; };

UNIT(unix_names)
{
	struct un a = { AF_UNIX, "/tmp/sock" };
	long l = SYS(socket, AF_UNIX, SOCK_STREAM | O_NONBLOCK, 0), c, s;
	u32 size = sizeof(a);
	char b[4];

	EQ(SYS(connect, l, &a, 12), -ENOENT);
	EQ(SYS(bind, l, &a, 12), 0);
	EQ(SYS(bind, l, &a, 12), -EADDRINUSE); /* the name is looked at first */
	c = SYS(socket, AF_UNIX, SOCK_STREAM | O_NONBLOCK, 0);
	EQ(SYS(connect, c, &a, 12), -ECONNREFUSED);
	EQ(SYS(bind, c, &a, 12), -EADDRINUSE);
	EQ(SYS(listen, l, 1), 0);
	EQ(SYS(accept4, l, 0, 0, 0), -EAGAIN);
	EQ(SYS(connect, c, &a, 12), 0);
	EQ(SYS(connect, c, &a, 12), -EISCONN);
	s = SYS(accept4, l, 0, 0, O_NONBLOCK);
	CHECK(s >= 0);
	EQ(SYS(write, c, "hi", 2), 2);
	EQ(SYS(read, s, b, 4), 2);
	EQ(SYS(getpeername, c, &a, &size), 0);
	CHECK(size >= 12 && !strcmp(a.path, "/tmp/sock"));
	s32 cred[3];

	size = sizeof(cred);
	EQ(SYS(getsockopt, s, SOL_SOCKET, SO_PEERCRED, cred, &size), 0);
	EQ(cred[0], SYS(getpid));
	EQ(SYS(unlink, "/tmp/sock"), 0);
	EQ(SYS(socket, AF_UNIX, 9, 0), -ESOCKTNOSUPPORT);
	EQ(SYS(socket, 44, SOCK_STREAM, 0), -EAFNOSUPPORT);
	struct un abstract = { AF_UNIX, "\0name" };

	l = SYS(socket, AF_UNIX, SOCK_DGRAM | O_NONBLOCK, 0);
	EQ(SYS(bind, l, &abstract, 7), 0);
	c = SYS(socket, AF_UNIX, SOCK_DGRAM | O_NONBLOCK, 0);
	EQ(SYS(sendto, c, "msg", 3, 0, &abstract, 7), 3);
	EQ(SYS(read, l, b, 4), 3);
	EQ(SYS(sendto, c, "msg", 3, 0, &abstract, 6), -ECONNREFUSED);
}

UNIT(unix_rights)
{
	long f = SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);
	s32 fds[4], some[4];
	u32 flags;
	char b[8];
	int s[2];

	pair(SOCK_STREAM, s);
	EQ(SYS(write, f, "text", 4), 4);
	some[0] = some[1] = some[2] = (s32)f;
	EQ(send_fds(s[0], some, 1), 1);
	EQ(SYS(close, f), 0);
	EQ(receive_fds(s[1], fds, 32, &flags), 1);
	EQ(SYS(fcntl, fds[0], F_GETFD), FD_CLOEXEC);
	EQ(SYS(pread64, fds[0], b, 8, 0), 4);
	some[0] = 99;
	EQ(send_fds(s[0], some, 1), -EBADF);
	some[0] = some[1] = some[2] = fds[0];
	EQ(send_fds(s[0], some, 3), 1);
	EQ(receive_fds(s[1], some, 16 + 4, &flags), 1); /* room for one */
	EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
	some[0] = fds[0];
	EQ(send_fds(s[0], some, 1), 1);
	EQ(SYS(read, s[1], b, 8), 1); /* read takes the byte, drops it */
	EQ(receive_fds(s[1], fds, 32, &flags), -EAGAIN);
	EQ(SYS(close, some[0]), 0);
}

/* Rights in flight at a socket that is closed: they go with it. */
UNIT(unix_rights_dropped)
{
	long before = 0;
	int s[2], p[2];

	for (int i = 0; i < 8; i++) {
		pair(SOCK_STREAM, s);
		MUST(SYS(pipe2, p, O_NONBLOCK) == 0);
		MUST(send_fds(s[0], p, 2) == 1);
		SYS(close, p[0]);
		SYS(close, p[1]);
		SYS(close, s[0]);
		SYS(close, s[1]);
		if (i == 3)
			before = fake_heap_objects;
	}
	EQ(fake_heap_objects, before);
}

/* A socket in its own queue, and two in each other's: garbage. */
UNIT(unix_collected)
{
	long before = 0;
	int a[2], b[2], c[2];

	for (int i = 0; i < 8; i++) {
		pair(SOCK_STREAM, a);
		MUST(send_fds(a[0], &a[1], 1) == 1);
		SYS(close, a[0]);
		SYS(close, a[1]);
		pair(SOCK_STREAM, b);
		pair(SOCK_STREAM, c);
		MUST(send_fds(b[0], c, 2) == 1);
		MUST(send_fds(c[0], b, 2) == 1);
		SYS(close, b[0]);
		SYS(close, b[1]);
		SYS(close, c[0]);
		SYS(close, c[1]);
		pair(SOCK_STREAM, a); /* a close that collects */
		SYS(close, a[0]);
		SYS(close, a[1]);
		if (i == 3)
			before = fake_heap_objects;
	}
	EQ(fake_heap_objects, before);
}

/* What can still be reached through a queue is kept. */
UNIT(unix_not_collected)
{
	int a[2], b[2];
	s32 got[4];
	u32 flags;
	char text[4];

	pair(SOCK_STREAM, a);
	pair(SOCK_STREAM, b);
	MUST(SYS(write, b[0], "yes", 3) == 3);
	MUST(send_fds(a[0], &b[1], 1) == 1);
	SYS(close, b[1]);
	pair(SOCK_DGRAM, b);
	SYS(close, b[0]);
	SYS(close, b[1]);
	EQ(receive_fds(a[1], got, 32, &flags), 1);
	EQ(SYS(read, got[0], text, 4), 3);
	CHECK(!memcmp(text, "yes", 3));
}

UNIT(unix_credentials)
{
	struct { u64 size; s32 level, type; s32 pid, uid, gid, pad; } c = { 0 };
	char byte;
	struct iov v = { &byte, 1 };
	struct msg m = { .iov = &v, .iov_count = 1, .control = &c,
			 .control_size = sizeof(c) };
	int s[2], one = 1;

	pair(SOCK_STREAM, s);
	EQ(SYS(setsockopt, s[1], SOL_SOCKET, SO_PASSCRED, &one, 4), 0);
	EQ(SYS(write, s[0], "x", 1), 1);
	EQ(SYS(recvmsg, s[1], &m, 0), 1);
	EQ(c.type, SCM_CREDENTIALS);
	EQ(c.pid, SYS(getpid));
	EQ(c.uid, 0);
}

/* ---- TCP over the loopback ---------------------------------------------------------------- */
static u16 swap(u16 v)
{
	return (u16)(v >> 8 | v << 8);
}

static struct sockaddr_in local(u16 port)
{
	struct sockaddr_in a = { .sin_family = 2, .sin_port = swap(port) };

	a.sin_addr.s_addr = 0x0100007f;
	return a;
}

static long tcp(void)
{
	return SYS(socket, 2, SOCK_STREAM | O_NONBLOCK, 0);
}

static long listener(u16 port)
{
	struct sockaddr_in a = local(port);
	long l = tcp();

	MUST(SYS(bind, l, &a, sizeof(a)) == 0);
	MUST(SYS(listen, l, 8) == 0);
	return l;
}

static long connect_to(u16 port)
{
	struct sockaddr_in a = local(port);
	long c = tcp(), r = SYS(connect, c, &a, sizeof(a));

	return r == 0 || r == -EINPROGRESS ? c : r;
}

static int events(long fd)
{
	struct pollfd p = { (int)fd, POLLIN | POLLOUT, 0 };

	MUST(SYS(poll, &p, 1, 0) >= 0);
	return p.revents;
}

UNIT(tcp_connect)
{
	struct sockaddr_in a = local(8080), who;
	long l = listener(8080), c, s, d;
	u32 size = sizeof(who), err = 9;
	char b[8];

	EQ(events(l), 0);
	c = connect_to(8080);
	CHECK(c >= 0);
	EQ(events(l), POLLIN);
	EQ(events(c), POLLOUT);
	s = SYS(accept4, l, &who, &size, O_NONBLOCK);
	CHECK(s >= 0);
	EQ(size, 16);
	EQ(who.sin_addr.s_addr, 0x0100007f);
	u16 port = who.sin_port;

	EQ(SYS(getsockname, c, &who, &size), 0);
	EQ(who.sin_port, port);
	EQ(SYS(getpeername, c, &who, &size), 0);
	EQ(who.sin_port, swap(8080));
	EQ(SYS(read, s, b, 8), -EAGAIN);
	EQ(SYS(write, c, "ping", 4), 4);
	EQ(SYS(read, s, b, 8), 4);
	EQ(SYS(shutdown, s, 1), 0);
	EQ(SYS(read, c, b, 8), 0);
	EQ(events(c) & POLLIN, POLLIN);
	EQ(SYS(write, c, "more", 4), 4);
	EQ(SYS(read, s, b, 8), 4);
	EQ(SYS(close, c), 0);
	EQ(SYS(read, s, b, 8), 0);
	size = 4;
	EQ(SYS(getsockopt, s, SOL_SOCKET, SO_ERROR, &err, &size), 0);
	EQ(err, 0);
	d = tcp();
	EQ(SYS(bind, d, &a, sizeof(a)), -EADDRINUSE);
	EQ(SYS(listen, s, 1), -EINVAL);
	EQ(SYS(accept4, d, 0, 0, 0), -EINVAL);
	EQ(SYS(bind, d, &a, 4), -EINVAL);
	EQ(SYS(connect, d, 8, 16), -EFAULT);
}

UNIT(tcp_refused)
{
	long c = connect_to(9999);

	if (c >= 0) {
		u32 err = 0, size = 4;

		EQ(SYS(getsockopt, c, SOL_SOCKET, SO_ERROR, &err, &size), 0);
		EQ(err, ECONNREFUSED);
	} else {
		EQ(c, -ECONNREFUSED);
	}
	c = tcp();
	EQ(SYS(sendto, c, "x", 1, MSG_NOSIGNAL, 0, 0), -EPIPE);
	EQ(SYS(read, c, (char[1]){ 0 }, 1), -ENOTCONN);
	u32 size = 16;
	struct sockaddr_in who;

	EQ(SYS(getpeername, c, &who, &size), -ENOTCONN);
}

/* What was not read when an end closes is a reset for the other. */
UNIT(tcp_reset)
{
	long l = listener(81), c = connect_to(81), s;
	char b[8];

	s = SYS(accept4, l, 0, 0, O_NONBLOCK);
	EQ(SYS(write, c, "unread", 6), 6);
	EQ(SYS(close, s), 0);
	EQ(SYS(read, c, b, 8), -ECONNRESET);
	EQ(SYS(read, c, b, 8), 0);
	EQ(SYS(sendto, c, "x", 1, MSG_NOSIGNAL, 0, 0), -EPIPE);
	c = connect_to(81);
	EQ(SYS(close, l), 0); /* it was never accepted */
	EQ(SYS(read, c, b, 8), -ECONNRESET);
}

/* Random amounts both ways: what comes out is what went in. */
static void flow(long from, long to, u32 *sent, u32 *got)
{
	static u8 b[20000];
	u32 n = 1 + unit_random(sizeof(b) - 1);
	long r;

	if (unit_random(2)) {
		for (u32 i = 0; i < n; i++)
			b[i] = (u8)((*sent + i) * 11 % 241);
		r = SYS(write, from, b, n);
		MUST(r > 0 || r == -EAGAIN);
		*sent += r > 0 ? (u32)r : 0;
		return;
	}
	r = SYS(read, to, b, n);
	MUST(r == (*sent == *got ? -EAGAIN : r) && r <= (long)n);
	for (long i = 0; i < r; i++)
		MUST(b[i] == (u8)((*got + (u32)i) * 11 % 241));
	*got += r > 0 ? (u32)r : 0;
	MUST(*got <= *sent);
}

UNIT(tcp_model)
{
	long l = listener(82), c = connect_to(82), s;
	u32 sent[2] = { 0, 0 }, got[2] = { 0, 0 };

	s = SYS(accept4, l, 0, 0, O_NONBLOCK);
	for (int round = 0; round < 6000; round++) {
		int way = (int)unit_random(2);

		flow(way ? c : s, way ? s : c, &sent[way], &got[way]);
	}
	CHECK(got[0] > 1000000 && got[1] > 1000000);
}

UNIT(tcp_gives_back)
{
	long l = listener(83), before = 0, pages = 0, c, s;

	for (int i = 0; i < 12; i++) {
		c = connect_to(83);
		s = SYS(accept4, l, 0, 0, O_NONBLOCK);
		MUST(SYS(write, c, "x", 1) == 1);
		SYS(close, i % 2 ? c : s);
		SYS(close, i % 2 ? s : c);
		if (i == 5) {
			before = fake_heap_objects;
			pages = fake_heap_pages;
		}
	}
	EQ(fake_heap_objects, before);
	EQ(fake_heap_pages, pages);
}

static int serve(void *arg)
{
	long l = (long)arg, s = SYS(accept4, l, 0, 0, 0), n;
	static char b[3000];

	while ((n = SYS(read, s, b, sizeof(b))) > 0)
		if (SYS(write, s, b, n) != n)
			return 1;
	return n == 0 ? 0 : 2;
}

/* Two threads that wait for each other: an echo. */
UNIT_THREADS(tcp_threads)
{
	struct sockaddr_in a = local(84);
	long l = SYS(socket, 2, SOCK_STREAM, 0), c;
	static char out[2000], in[2000];
	s32 pid;

	MUST(SYS(bind, l, &a, sizeof(a)) == 0);
	MUST(SYS(listen, l, 8) == 0);
	pid = unit_fork(serve, (void *)l);
	c = SYS(socket, 2, SOCK_STREAM, 0);
	EQ(SYS(connect, c, &a, sizeof(a)), 0);
	for (int round = 0; round < 200; round++) {
		u32 n = 1 + unit_random(sizeof(out) - 1), got = 0;
		long r;

		memset(out, round, n);
		MUST(SYS(write, c, out, n) == (long)n);
		while (got < n) {
			r = SYS(read, c, in + got, n - got);
			MUST(r > 0);
			got += (u32)r;
		}
		MUST(!memcmp(in, out, n));
	}
	CHECK(true);
	EQ(SYS(shutdown, c, 1), 0);
	EQ(unit_wait(pid), 0);
}

UNIT(udp_loopback)
{
	struct sockaddr_in a = local(53), who;
	long s = SYS(socket, 2, SOCK_DGRAM | O_NONBLOCK, 0),
	     c = SYS(socket, 2, SOCK_DGRAM | O_NONBLOCK, 0);
	u32 size = sizeof(who);
	char b[16];

	EQ(SYS(bind, s, &a, sizeof(a)), 0);
	EQ(SYS(bind, c, &a, sizeof(a)), -EADDRINUSE);
	EQ(SYS(sendto, c, "query", 5, 0, &a, sizeof(a)), 5);
	EQ(SYS(sendto, c, "", 0, 0, &a, sizeof(a)), 0);
	EQ(SYS(recvfrom, s, b, 16, 0, &who, &size), 5);
	EQ(SYS(sendto, s, "answer", 6, 0, &who, size), 6);
	EQ(SYS(recvfrom, s, b, 16, 0, 0, 0), 0);
	EQ(SYS(recvfrom, s, b, 16, 0, 0, 0), -EAGAIN);
	EQ(SYS(recvfrom, c, b, 3, MSG_TRUNC, 0, 0), 6);
	EQ(SYS(connect, c, &a, sizeof(a)), 0);
	EQ(SYS(write, c, "x", 1), 1);
	EQ(SYS(read, s, b, 16), 1);
	EQ(SYS(sendto, c, 0, 70000, 0, 0, 0), -EMSGSIZE);
}
