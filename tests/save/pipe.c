/* pipe.c - saved: pipes and FIFOs with contents, and those who wait on them. */
#include "save.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* ---- contents, sizes and flags */
static int p[2], packets[2], empty[2], half[2];

static void contents_setup(void)
{
	CHECK(!pipe2(p, O_NONBLOCK) && write(p[1], "hello", 5) == 5);
	CHECK(!pipe2(packets, O_DIRECT));
	CHECK(write(packets[1], "one", 3) == 3);
	CHECK(write(packets[1], "three", 5) == 5);
	CHECK(!pipe2(empty, O_CLOEXEC));
	CHECK(fcntl(empty[0], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
	CHECK(!pipe(half) && write(half[1], "last", 4) == 4);
	close(half[1]);
}

static void contents_verify(void)
{
	char b[16];
	int n;

	CHECK(!ioctl(p[0], FIONREAD, &n) && n == 5);
	CHECK(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	CHECK(read(p[0], b, 16) == 5 && !memcmp(b, "hello", 5));
	CHECK_ERRNO(read(p[0], b, 16), EAGAIN);
	CHECK(read(packets[0], b, 16) == 3 && !memcmp(b, "one", 3));
	CHECK(read(packets[0], b, 2) == 2 && !memcmp(b, "th", 2));
	CHECK(fcntl(empty[0], F_GETPIPE_SZ) == 1 << 20);
	CHECK(fcntl(empty[0], F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(p[0], F_GETFD) == 0);
	CHECK(write(empty[1], "new", 3) == 3);
	CHECK(read(empty[0], b, 16) == 3 && !memcmp(b, "new", 3));
	CHECK(read(half[0], b, 16) == 4 && read(half[0], b, 16) == 0);
}

/* ---- a pipe that holds much, with a pattern */
static int big[2];
static unsigned char pattern[65536], back[65536];

static void full_setup(void)
{
	int i;

	for (i = 0; i < 65536; i++)
		pattern[i] = i * 7 + (i >> 8);
	CHECK(!pipe(big));
	CHECK(write(big[1], pattern, 65536) == 65536);
}
static void full_verify(void)
{
	int n = 0, r;

	fcntl(big[1], F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(write(big[1], "x", 1), EAGAIN);
	while (n < 65536 && (r = read(big[0], back + n, 65536 - n)) > 0)
		n += r;
	CHECK(n == 65536 && !memcmp(pattern, back, 65536));
}

/* ---- a reader, a writer, and both in other processes */
static int rp[2], wp[2], cp[2], dp[2];
static char rb[8], fill[70000];
WAITER(reader, read(rp[0], rb, sizeof(rb)))
WAITER(writer, write(wp[1], fill, sizeof(fill)))
static int child_reads(void)
{
	char b[8];

	return read(cp[0], b, 8) == 4 && !memcmp(b, "work", 4) &&
	       write(dp[1], "done", 4) == 4;
}
CHILD(other, child_reads())

static void waits_setup(void)
{
	CHECK(!pipe(rp) && !pipe(wp) && !pipe(cp) && !pipe(dp));
	START(reader);
	memset(fill, 'f', sizeof(fill));
	START(writer);
	FORK(other);
}
static void waits_verify(void)
{
	static char b[80000];
	int n = 0, r;

	CHECK(WAITS(reader) && WAITS(writer) && ALIVE(other));
	CHECK(write(rp[1], "abc", 3) == 3);
	CHECK(END(reader) == 3 && !memcmp(rb, "abc", 3));
	while (n < 70000 && (r = read(wp[0], b + n, 80000 - n)) > 0)
		n += r;
	CHECK(n == 70000 && b[0] == 'f' && !memcmp(b, b + 1, 69999));
	CHECK(END(writer) == 70000);
	CHECK(write(cp[1], "work", 4) == 4);
	CHECK(read(dp[0], b, 8) == 4 && !memcmp(b, "done", 4));
	CHECK(ENDED(other) == 0);
}

/* ---- the other end goes away after the resume */
static int gone_r[2], gone_w[2];
static long write_or_epipe(void)
{
	ssize_t n = write(gone_w[1], fill, sizeof(fill));

	return n == 65536 ? write(gone_w[1], fill, 1) : n;
}
WAITER(eof_reader, read(gone_r[0], rb, 8))
WAITER(epipe_writer, write_or_epipe())

static void hangup_setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe2(gone_r, O_CLOEXEC) && !pipe2(gone_w, O_CLOEXEC));
	START(eof_reader);
	START(epipe_writer);
}
static void hangup_verify(void)
{
	CHECK(WAITS(eof_reader) && WAITS(epipe_writer));
	close(gone_r[1]);
	CHECK(END(eof_reader) == 0);
	close(gone_w[0]);
	CHECK_ERRNO(END(epipe_writer), EPIPE);
}

/* ---- FIFOs: contents, an open that waits, the name */
static int fifo;
WAITER(opener, open("fifo.wait", O_WRONLY))

static void fifo_setup(void)
{
	CHECK(!mkfifo("fifo", 0640) && !mkfifo("fifo.wait", 0600));
	fifo = open("fifo", O_RDWR);
	CHECK(fifo >= 0 && write(fifo, "kept", 4) == 4);
	START(opener);
}
static void fifo_verify(void)
{
	struct stat st;
	char b[8];
	int fd, w;

	CHECK(!stat("fifo", &st) && S_ISFIFO(st.st_mode) &&
	      (st.st_mode & 0777) == 0640);
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	CHECK(read(fd, b, 8) == 4 && !memcmp(b, "kept", 4));
	close(fd);
	CHECK(write(fifo, "x", 1) == 1 && read(fifo, b, 8) == 1);
	CHECK(WAITS(opener));
	fd = open("fifo.wait", O_RDONLY);
	w = END(opener);
	CHECK(fd >= 0 && w >= 0 && write(w, "y", 1) == 1);
	CHECK(read(fd, b, 8) == 1 && b[0] == 'y');
	unlink("fifo");
	unlink("fifo.wait");
}

/* ---- splice that waits, tee'd contents */
static int sp[2], sq[2], tp[2];
WAITER(splicer, splice(sp[0], NULL, sq[1], NULL, 100, 0))

static void splice_setup(void)
{
	CHECK(!pipe(sp) && !pipe(sq) && !pipe(tp));
	START(splicer);
}
static void splice_verify(void)
{
	char b[8];

	CHECK(WAITS(splicer));
	CHECK(write(sp[1], "move", 4) == 4);
	CHECK(END(splicer) == 4);
	CHECK(tee(sq[0], tp[1], 4, 0) == 4);
	CHECK(read(sq[0], b, 8) == 4 && read(tp[0], b, 8) == 4);
	CHECK(!memcmp(b, "move", 4));
}

static const struct save_case cases[] = {
	CASE(waits), /* first: its child would hold the others' ends */
	CASE(contents), CASE(full), CASE(hangup), CASE(fifo), CASE(splice),
};
SAVE_MAIN(cases)
