/*
 * libos_epoll.c - epoll, poll and select: levels, edges, one shot, nesting,
 * loops, members that close; eventfd as what is watched.
 */
#include "unit.h"

#include <libos/file.h>
#include <libos/ktime.h>

#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/poll.h>

struct ev { u32 events; u64 data; } __attribute__((packed));
static struct ev got[8];

static long add(long ep, long fd, u32 events, u64 data)
{
	struct ev e = { events, data };

	return SYS(epoll_ctl, ep, EPOLL_CTL_ADD, fd, &e);
}

static long mod(long ep, long fd, u32 events, u64 data)
{
	struct ev e = { events, data };

	return SYS(epoll_ctl, ep, EPOLL_CTL_MOD, fd, &e);
}

static long wait_now(long ep)
{
	return SYS(epoll_wait, ep, got, 8, 0);
}

static void put(long fd)
{
	u64 one = 1;

	MUST(SYS(write, fd, &one, 8) == 8);
}

static void take(long fd)
{
	u64 v;

	MUST(SYS(read, fd, &v, 8) == 8);
}

UNIT(epoll_errors)
{
	long ep = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK), f;
	struct ev ev = { EPOLLIN, 0 };

	EQ(SYS(epoll_create1, 7), -EINVAL);
	EQ(SYS(epoll_create, 0), -EINVAL);
	EQ(add(ep, ep, EPOLLIN, 0), -EINVAL);
	EQ(add(ep, 99, EPOLLIN, 0), -EBADF);
	EQ(add(e, ep, EPOLLIN, 0), -EINVAL);
	EQ(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, e, 8), -EFAULT);
	EQ(add(ep, e, EPOLLIN, 0), 0);
	EQ(add(ep, e, EPOLLIN, 0), -EEXIST);
	EQ(SYS(epoll_ctl, ep, EPOLL_CTL_DEL, e, 0), 0);
	EQ(SYS(epoll_ctl, ep, EPOLL_CTL_DEL, e, 0), -ENOENT);
	EQ(mod(ep, e, EPOLLIN, 0), -ENOENT);
	EQ(SYS(epoll_ctl, ep, 9, e, &ev), -EINVAL);
	f = SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);
	EQ(add(ep, f, EPOLLIN, 0), -EPERM);
	EQ(SYS(epoll_wait, ep, got, 0, 0), -EINVAL);
	EQ(SYS(epoll_wait, ep, 8, 1, 0), 0);
	EQ(SYS(epoll_wait, e, got, 1, 0), -EINVAL);
}

UNIT(epoll_level)
{
	long ep = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK);

	EQ(add(ep, e, EPOLLIN, 42), 0);
	EQ(wait_now(ep), 0);
	put(e);
	EQ(wait_now(ep), 1);
	EQ(got[0].events, EPOLLIN);
	EQ(got[0].data, 42);
	EQ(wait_now(ep), 1);
	take(e);
	EQ(wait_now(ep), 0);
	EQ(mod(ep, e, EPOLLIN | EPOLLOUT, 43), 0);
	EQ(wait_now(ep), 1);
	EQ(got[0].events, EPOLLOUT);
	EQ(got[0].data, 43);
	EQ(mod(ep, e, 0, 43), 0);
	EQ(wait_now(ep), 0);
}

UNIT(epoll_edge)
{
	long ep = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK);

	EQ(add(ep, e, EPOLLIN | EPOLLET, 1), 0);
	put(e);
	EQ(wait_now(ep), 1);
	EQ(wait_now(ep), 0);
	put(e); /* more of the same is an edge too */
	EQ(wait_now(ep), 1);
	take(e);
	EQ(wait_now(ep), 0);
	put(e);
	EQ(mod(ep, e, EPOLLIN | EPOLLET, 1), 0);
	EQ(wait_now(ep), 1); /* a change looks again */
	EQ(wait_now(ep), 0);
}

UNIT(epoll_oneshot)
{
	long ep = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK);

	EQ(add(ep, e, EPOLLIN | EPOLLONESHOT, 1), 0);
	put(e);
	EQ(wait_now(ep), 1);
	EQ(wait_now(ep), 0);
	put(e);
	EQ(wait_now(ep), 0);
	EQ(mod(ep, e, EPOLLIN | EPOLLONESHOT, 2), 0);
	EQ(wait_now(ep), 1);
	EQ(got[0].data, 2);
	EQ(wait_now(ep), 0);
}

UNIT(epoll_nested)
{
	long a = SYS(epoll_create1, 0), b = SYS(epoll_create1, 0),
	     c = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK);

	EQ(add(b, e, EPOLLIN, 1), 0);
	EQ(add(a, b, EPOLLIN, 2), 0);
	EQ(add(c, a, EPOLLIN, 3), 0);
	EQ(wait_now(c), 0);
	put(e);
	EQ(wait_now(c), 1);
	EQ(got[0].data, 3);
	EQ(wait_now(a), 1);
	EQ(got[0].data, 2);
	EQ(wait_now(b), 1);
	EQ(got[0].data, 1);
	take(e);
	EQ(wait_now(c), 0);
	EQ(add(b, a, EPOLLIN, 0), -ELOOP);
	EQ(add(b, c, EPOLLIN, 0), -ELOOP);
	EQ(SYS(close, b), 0);
	put(e);
	EQ(wait_now(c), 0);
}

UNIT(epoll_depth)
{
	long at = SYS(epoll_create1, 0), up, err = 0;
	int depth = 1;

	while (depth < 20) {
		up = SYS(epoll_create1, 0);
		err = add(up, at, EPOLLIN, 0);
		if (err)
			break;
		at = up;
		depth++;
	}
	EQ(depth, 5);
	CHECK(err == -ELOOP || err == -EINVAL);
}

/* A member leaves with its last descriptor, not before. */
UNIT(epoll_close)
{
	long ep = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK), d;
	long objects;

	put(e);
	d = SYS(dup, e);
	EQ(add(ep, e, EPOLLIN, 1), 0);
	EQ(SYS(close, e), 0);
	EQ(wait_now(ep), 1);
	EQ(SYS(close, d), 0);
	EQ(wait_now(ep), 0);
	objects = fake_heap_objects;
	for (int i = 0; i < 20; i++) {
		e = SYS(eventfd2, 1, O_NONBLOCK);
		MUST(add(ep, e, EPOLLIN, 1) == 0);
		MUST(wait_now(ep) == 1);
		MUST(SYS(close, e) == 0);
	}
	EQ(fake_heap_objects, objects);
}

/* More are ready than fit: all get their turn. */
UNIT(epoll_turns)
{
	long ep = SYS(epoll_create1, 0);
	u32 seen = 0;

	for (u64 i = 0; i < 20; i++)
		MUST(add(ep, SYS(eventfd2, 1, O_NONBLOCK), EPOLLIN, i) == 0);
	for (int i = 0; i < 10; i++) {
		MUST(SYS(epoll_wait, ep, got, 2, 0) == 2);
		seen |= 1u << got[0].data | 1u << got[1].data;
	}
	EQ(seen, (1u << 20) - 1);
}

UNIT(epoll_timeout)
{
	long ep = SYS(epoll_create1, 0);
	u64 before = clock_boot_ns();

	EQ(SYS(epoll_wait, ep, got, 8, 50), 0);
	EQ(clock_boot_ns() - before, 50000000);
}

/* A pipe of the host among the members. */
UNIT(epoll_host_member)
{
	long ep = SYS(epoll_create1, 0), e = SYS(eventfd2, 0, O_NONBLOCK);
	s32 ends[2];
	struct file *f;
	int fd;

	fake_pipe(ends);
	f = hoststream_file(ends[0], O_RDONLY | O_NONBLOCK, "stdin",
			    &(struct host_stat){ 0 });
	MUST(!is_err(f));
	fd = fd_install(f, false);
	EQ(add(ep, fd, EPOLLIN, 7), 0);
	EQ(add(ep, e, EPOLLIN, 8), 0);
	EQ(wait_now(ep), 0);
	struct host_iovec v = { (char[]){ 'x' }, 1 };

	EQ(host_stream_write(ends[1], &v, 1, HOST_AT_ONCE), 1);
	EQ(wait_now(ep), 1);
	EQ(got[0].data, 7);
	put(e);
	EQ(wait_now(ep), 2);
	char b[4];

	EQ(SYS(read, fd, b, 4), 1);
	EQ(wait_now(ep), 1);
	EQ(got[0].data, 8);
	EQ(SYS(close, fd), 0);
	EQ(wait_now(ep), 1);
}

/* ---- poll, select, eventfd ----------------------------------------------------------- */
UNIT(poll_and_select)
{
	long e = SYS(eventfd2, 0, O_NONBLOCK);
	struct pollfd p[3] = { { (int)e, POLLIN, 0 }, { -1, POLLIN, 5 },
			       { 99, POLLIN, 0 } };
	u64 in[16] = { 0 }, tv[2] = { 0, 0 };

	EQ(SYS(poll, p, 3, 0), 1);
	EQ(p[0].revents, 0);
	EQ(p[1].revents, 0);
	EQ(p[2].revents, POLLNVAL);
	put(e);
	EQ(SYS(poll, p, 1, -1), 1);
	EQ(p[0].revents, POLLIN);
	EQ(SYS(poll, 8, 1, 0), -EFAULT);
	EQ(SYS(poll, p, 1u << 30, 0), -EINVAL);
	in[0] = 1ul << e;
	EQ(SYS(select, e + 1, in, 0, 0, tv), 1);
	EQ(in[0], 1ul << e);
	take(e);
	EQ(SYS(select, e + 1, in, 0, 0, tv), 0);
	EQ(in[0], 0);
	in[0] = 1ul << 50;
	EQ(SYS(select, 51, in, 0, 0, tv), -EBADF);
	EQ(SYS(select, -1, in, 0, 0, tv), -EINVAL);
}

UNIT(eventfd_counts)
{
	long e = SYS(eventfd2, 5, O_NONBLOCK), s = SYS(eventfd2, 2,
						       O_NONBLOCK | 1);
	u64 v = ~0ul - 1;

	EQ(SYS(read, e, &v, 7), -EINVAL);
	EQ(SYS(read, e, &v, 8), 8);
	EQ(v, 5);
	EQ(SYS(read, e, &v, 8), -EAGAIN);
	v = ~0ul;
	EQ(SYS(write, e, &v, 8), -EINVAL);
	v = ~0ul - 1;
	EQ(SYS(write, e, &v, 8), 8);
	v = 1;
	EQ(SYS(write, e, &v, 8), -EAGAIN);
	EQ(SYS(read, s, &v, 8), 8);
	EQ(v, 1); /* a semaphore gives one at a time */
	EQ(SYS(read, s, &v, 8), 8);
	EQ(SYS(read, s, &v, 8), -EAGAIN);
}
