/*
 * libos_pipe.c - pipes: the ring against a model, whole and partial writes,
 * ends that close, splice and tee.
 */
#include "unit.h"

#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/poll.h>

#ifndef O_NONBLOCK
#error "fcntl.h"
#endif
#define PIPE_BUF 4096
#define SIZE 65536

static void ignore_sigpipe(void)
{
	struct ksigaction sa = { .handler = 1 };

	MUST(SYS(rt_sigaction, SIGPIPE, &sa, 0, 8) == 0);
}

static int poll_events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	MUST(SYS(poll, &p, 1, 0) >= 0);
	return p.revents;
}

UNIT(pipe_basics)
{
	int p[2], n = 0;
	char b[8];

	EQ(SYS(pipe2, p, O_NONBLOCK), 0);
	EQ(SYS(pipe2, 8, 0), -EFAULT);
	EQ(SYS(pipe2, p, 0x12345678), -EINVAL);
	EQ(SYS(read, p[0], b, 1), -EAGAIN);
	EQ(poll_events(p[0]), 0);
	EQ(poll_events(p[1]), POLLOUT);
	EQ(SYS(write, p[1], "abcde", 5), 5);
	EQ(SYS(ioctl, p[0], FIONREAD, &n), 0);
	EQ(n, 5);
	EQ(poll_events(p[0]), POLLIN);
	EQ(SYS(read, p[0], b, 2), 2);
	EQ(SYS(read, p[0], b, 8), 3);
	CHECK(!memcmp(b, "cde", 3));
	EQ(SYS(write, p[0], b, 1), -EBADF);
	EQ(SYS(read, p[1], b, 1), -EBADF);
	EQ(SYS(lseek, p[0], 0, 0), -ESPIPE);
	EQ(SYS(pread64, p[0], b, 1, 0), -ESPIPE);
	EQ(SYS(write, p[1], "xy", 2), 2);
	EQ(SYS(close, p[1]), 0);
	EQ(poll_events(p[0]), POLLIN | POLLHUP);
	EQ(SYS(read, p[0], b, 8), 2);
	EQ(SYS(read, p[0], b, 8), 0);
	EQ(poll_events(p[0]), POLLHUP);
}

UNIT(pipe_atomic)
{
	static char big[2 * SIZE];
	int p[2];

	ignore_sigpipe();
	EQ(SYS(pipe2, p, O_NONBLOCK), 0);
	EQ(SYS(fcntl, p[0], F_GETPIPE_SZ), SIZE);
	EQ(SYS(write, p[1], big, SIZE - 100), SIZE - 100);
	EQ(SYS(write, p[1], big, PIPE_BUF), -EAGAIN); /* all or nothing */
	EQ(SYS(write, p[1], big, PIPE_BUF + 1), 100); /* may be in part */
	EQ(SYS(write, p[1], big, 1), -EAGAIN);
	EQ(poll_events(p[1]), 0);
	EQ(SYS(read, p[0], big, SIZE), SIZE);
	EQ(SYS(write, p[1], big, sizeof(big)), SIZE);
	EQ(SYS(close, p[0]), 0);
	EQ(SYS(write, p[1], big, 1), -EPIPE);
	EQ(poll_events(p[1]) & POLLERR, POLLERR);
}

UNIT(pipe_sizes)
{
	static char big[SIZE];
	int p[2];

	EQ(SYS(pipe2, p, O_NONBLOCK), 0);
	EQ(SYS(fcntl, p[0], F_SETPIPE_SZ, 1), 4096);
	EQ(SYS(write, p[1], big, 5000), 4096);
	EQ(SYS(fcntl, p[0], F_SETPIPE_SZ, 10000), 16384);
	EQ(SYS(write, p[1], big, SIZE), 16384 - 4096);
	EQ(SYS(fcntl, p[0], F_SETPIPE_SZ, 8192), -EBUSY);
	EQ(SYS(fcntl, p[0], F_SETPIPE_SZ, 1u << 31), -EPERM);
	EQ(SYS(read, p[0], big, SIZE), 16384);
	EQ(SYS(fcntl, p[0], F_SETPIPE_SZ, 4096), 4096);
}

/* Random amounts through the ring: what comes out is what went in. */
UNIT(pipe_model)
{
	static u8 in[9000], out[9000];
	u32 sent = 0, got = 0;
	int p[2];
	long r;

	MUST(SYS(pipe2, p, O_NONBLOCK) == 0);
	MUST(SYS(fcntl, p[0], F_SETPIPE_SZ, 16384) == 16384);
	for (int round = 0; round < 20000; round++) {
		u32 n = 1 + unit_random(sizeof(in) - 1);

		if (unit_random(2)) {
			for (u32 i = 0; i < n; i++)
				in[i] = (u8)((sent + i) * 7 % 251);
			r = SYS(write, p[1], in, n);
			MUST(r == -EAGAIN || (r > 0 && r <= (long)n));
			if (n <= PIPE_BUF)
				MUST(r == -EAGAIN || r == (long)n);
			if (r == -EAGAIN)
				MUST(sent - got > 16384 - 2 * PIPE_BUF);
			sent += r > 0 ? (u32)r : 0;
		} else {
			r = SYS(read, p[0], out, n);
			MUST(r == (sent == got ? -EAGAIN
				   : (long)MIN(n, sent - got)));
			for (long i = 0; i < r; i++)
				MUST(out[i] == (u8)((got + (u32)i) * 7 % 251));
			got += r > 0 ? (u32)r : 0;
		}
		MUST(sent - got <= 16384);
	}
	CHECK(true);
}

/* A writer and a reader that wait for each other. */
static int ends[2];
static const u32 total = 1000000;

static int writer(void *arg)
{
	static u8 b[7000];
	u32 sent = 0;

	while (sent < total) {
		u32 n = MIN(1 + sent % 6999, total - sent);

		for (u32 i = 0; i < n; i++)
			b[i] = (u8)((sent + i) % 253);
		if (SYS(write, ends[1], b, n) != (long)n)
			return 1;
		sent += n;
	}
	return SYS(close, ends[1]) != 0;
}

UNIT_THREADS(pipe_threads)
{
	static u8 b[5000];
	u32 got = 0;
	s32 pid;
	long r;

	EQ(SYS(pipe2, ends, 0), 0);
	pid = unit_fork(writer, NULL);
	CHECK(pid > 0);
	EQ(SYS(close, ends[1]), 0);
	while ((r = SYS(read, ends[0], b, 1 + got % 4999)) > 0) {
		for (long i = 0; i < r; i++)
			MUST(b[i] == (u8)((got + (u32)i) % 253));
		got += (u32)r;
	}
	EQ(r, 0);
	EQ(got, total);
	EQ(unit_wait(pid), 0);
}

UNIT(pipe_splice)
{
	int p[2], q[2];
	char b[16];
	long f = SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);
	s64 off = 2;

	EQ(SYS(write, f, "0123456789", 10), 10);
	EQ(SYS(pipe2, p, O_NONBLOCK), 0);
	EQ(SYS(pipe2, q, O_NONBLOCK), 0);
	EQ(SYS(splice, f, &off, p[1], 0, 4, 0), 4);
	EQ(off, 6);
	EQ(SYS(tee, p[0], q[1], 10, 0), 4);
	EQ(SYS(read, q[0], b, 16), 4);
	EQ(SYS(read, p[0], b, 16), 4);
	CHECK(!memcmp(b, "2345", 4));
	EQ(SYS(splice, f, 0, f, 0, 4, 0), -EINVAL);
	off = 0;
	EQ(SYS(splice, p[0], &off, q[1], 0, 4, 0), -ESPIPE);
	EQ(SYS(write, p[1], "moved", 5), 5);
	EQ(SYS(splice, p[0], 0, q[1], 0, 3, 0), 3);
	EQ(SYS(read, q[0], b, 16), 3);
	EQ(SYS(read, p[0], b, 16), 2);
	CHECK(!memcmp(b, "ed", 2));
	EQ(SYS(sendfile, p[1], f, 0, 4), 0); /* f is at its end */
	off = 8;
	EQ(SYS(sendfile, p[1], f, &off, 4), 2);
	EQ(off, 10);
}

UNIT(pipe_fifo)
{
	long r, w;
	char b[4];

	EQ(SYS(mknod, "/tmp/p", 0010600, 0), 0);
	EQ(SYS(openat, AT_FDCWD, "/tmp/p", O_WRONLY | O_NONBLOCK), -ENXIO);
	r = SYS(openat, AT_FDCWD, "/tmp/p", O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	EQ(SYS(read, r, b, 4), 0);
	w = SYS(openat, AT_FDCWD, "/tmp/p", O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	EQ(SYS(read, r, b, 4), -EAGAIN);
	EQ(SYS(write, w, "abc", 3), 3);
	EQ(SYS(read, r, b, 4), 3);
	EQ(SYS(close, w), 0);
	EQ(SYS(read, r, b, 4), 0);
}

UNIT(pipe_packets)
{
	int p[2];
	char b[16];

	EQ(SYS(pipe2, p, O_NONBLOCK | O_DIRECT), 0);
	EQ(SYS(write, p[1], "one", 3), 3);
	EQ(SYS(write, p[1], "three", 5), 5);
	EQ(SYS(read, p[0], b, 16), 3);
	EQ(SYS(read, p[0], b, 2), 2); /* the rest of a packet goes */
	EQ(SYS(read, p[0], b, 16), -EAGAIN);
}

UNIT(pipe_gives_back)
{
	long objects = 0, pages = 0;
	int p[2];

	for (int i = 0; i < 50; i++) {
		MUST(SYS(pipe2, p, O_NONBLOCK) == 0);
		MUST(SYS(write, p[1], "x", 1) == 1);
		MUST(SYS(close, p[0]) == 0);
		MUST(SYS(close, p[1]) == 0);
		if (i == 5) {
			objects = fake_heap_objects;
			pages = fake_heap_pages;
		}
	}
	EQ(fake_heap_objects, objects);
	EQ(fake_heap_pages, pages);
}
