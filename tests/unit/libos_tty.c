/*
 * libos_tty.c - terminals: what is typed, echoed and read, line by line and
 * raw; output processing; window sizes, hangups.
 */
#include "unit.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/poll.h>

static long master, slave;

static void open_pair(void)
{
	char path[32];
	u32 n = 99, zero = 0;

	master = SYS(openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NONBLOCK |
		     O_NOCTTY);
	MUST(master >= 0);
	MUST(SYS(ioctl, master, TIOCGPTN, &n) == 0);
	snprintf(path, sizeof(path), "/dev/pts/%u", n);
	MUST(SYS(openat, AT_FDCWD, path, O_RDWR | O_NOCTTY) == -EIO);
	MUST(SYS(ioctl, master, TIOCSPTLCK, &zero) == 0);
	slave = SYS(openat, AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_NOCTTY);
	MUST(slave >= 0);
}

static struct termios get(void)
{
	struct termios t;

	MUST(SYS(ioctl, slave, TCGETS, &t) == 0);
	return t;
}

static void set(const struct termios *t)
{
	MUST(SYS(ioctl, slave, TCSETS, t) == 0);
}

static void flags(u32 iflag, u32 oflag, u32 lflag)
{
	struct termios t = get();

	t.c_iflag = iflag;
	t.c_oflag = oflag;
	t.c_lflag = lflag;
	set(&t);
}

static void type(const char *text)
{
	MUST(SYS(write, master, text, strlen(text)) == (long)strlen(text));
}

/* What a descriptor has to read is exactly want, "" for nothing. */
static bool reads(long fd, const char *want)
{
	char b[512];
	long n = SYS(read, fd, b, sizeof(b) - 1);

	if (n < 0)
		return n == -EAGAIN && !*want;
	b[n] = '\0';
	if (strcmp(b, want))
		printf("got \"%s\", not \"%s\"\n", b, want);
	return !strcmp(b, want);
}

/* Typed, and then: the echo, and what the program gets. */
static const struct { const char *typed, *echo, *line; } lines[] = {
	{ "abc\r", "abc\r\n", "abc\n" },
	{ "abc\n", "abc\r\n", "abc\n" },
	{ "abx\177c\r", "abx\b \bc\r\n", "abc\n" },       /* erase */
	{ "\177\177a\r", "a\r\n", "a\n" },                 /* nothing there */
	{ "one two\027x\r", "one two\b \b\b \b\b \bx\r\n", "one x\n" },
	{ "gone\025kept\r", "gone\b \b\b \b\b \b\b \bkept\r\n", "kept\n" },
	{ "a\001b\r", "a^Ab\r\n", "a\001b\n" },            /* ECHOCTL */
	{ "a\001\177b\r", "a^A\b \b\b \bb\r\n", "ab\n" },  /* two columns */
	{ "x\026\003y\r", "x^\b^Cy\r\n", "x\003y\n" },     /* literal next */
	{ "tab\tx\177\177\r", "tab\tx\b \b\b\b\b\b\b\r\n", "tab\n" },
	{ "part\004", "part", "part" },                    /* end of file */
};

UNIT(tty_canonical)
{
	open_pair();
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		bool ok;

		type(lines[i].typed);
		ok = reads(master, lines[i].echo);
		ok = reads(slave, lines[i].line) && ok;
		if (!ok)
			printf("line %u\n", i);
		CHECK(ok);
	}
}

UNIT(tty_lines)
{
	char b[8];

	open_pair();
	type("no end yet");
	CHECK(reads(slave, ""));
	type("\r");
	EQ(SYS(read, slave, b, 3), 3); /* a line in parts */
	CHECK(reads(slave, "end yet\n"));
	type("one\rtwo\r");
	CHECK(reads(slave, "one\n")); /* one line at a time */
	CHECK(reads(slave, "two\n"));
	type("\004");
	EQ(SYS(read, slave, b, 8), 0); /* end of file, once */
	CHECK(reads(slave, ""));
	u32 n = 9;

	type("abc\r");
	EQ(SYS(ioctl, slave, FIONREAD, &n), 0);
	EQ(n, 4);
	EQ(SYS(ioctl, slave, TCFLSH, 0), 0);
	CHECK(reads(slave, ""));
}

UNIT(tty_raw)
{
	struct termios t;

	open_pair();
	t = get();
	EQ(t.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
	flags(0, 0, 0);
	type("a\r\003\004\177");
	CHECK(reads(slave, "a\r\003\004\177"));
	CHECK(reads(master, ""));
	MUST(SYS(write, slave, "x\ny", 3) == 3);
	CHECK(reads(master, "x\ny"));
	t = get();
	t.c_cc[VMIN] = 3;
	set(&t);
	type("ab");
	struct pollfd p = { (int)slave, POLLIN, 0 };

	EQ(SYS(poll, &p, 1, 0), 0);
	type("c");
	EQ(SYS(poll, &p, 1, 0), 1);
	CHECK(reads(slave, "abc"));
}

UNIT(tty_input_flags)
{
	open_pair();
	flags(INLCR, OPOST | ONLCR, 0);
	type("a\nb\r");
	CHECK(reads(slave, "a\rb\r"));
	flags(IGNCR, 0, 0);
	type("a\r\nb");
	CHECK(reads(slave, "a\nb"));
	flags(ISTRIP, 0, 0);
	type("\341\342");
	CHECK(reads(slave, "ab"));
	flags(ICRNL, 0, ICANON | ECHONL);
	type("ab\r");
	CHECK(reads(slave, "ab\n"));
	CHECK(reads(master, "\n"));
}

UNIT(tty_output)
{
	open_pair();
	MUST(SYS(write, slave, "a\nb\r\n", 5) == 5);
	CHECK(reads(master, "a\r\nb\r\r\n"));
	flags(0, OPOST | OCRNL, 0);
	MUST(SYS(write, slave, "a\rb", 3) == 3);
	CHECK(reads(master, "a\nb"));
	flags(0, OPOST | OLCUC, 0);
	MUST(SYS(write, slave, "Up", 2) == 2);
	CHECK(reads(master, "UP"));
	flags(0, OPOST | XTABS, 0);
	MUST(SYS(write, slave, "\ra\tb", 4) == 4);
	CHECK(reads(master, "\ra       b"));
	flags(0, OPOST | ONOCR, 0);
	MUST(SYS(write, slave, "\r\rab\r", 5) == 5);
	CHECK(reads(master, "\rab\r")); /* none in column 0 */
}

UNIT(tty_stopped)
{
	open_pair();
	flags(IXON, 0, 0);
	type("\023");
	EQ(SYS(write, slave, "held", 4), -EAGAIN);
	CHECK(reads(master, ""));
	type("\021");
	EQ(SYS(write, slave, "held", 4), 4);
	CHECK(reads(master, "held"));
	CHECK(reads(slave, ""));
}

UNIT(tty_windows)
{
	struct { u16 rows, columns, x, y; } w = { 24, 80, 0, 0 }, got = { 0 };

	open_pair();
	EQ(SYS(ioctl, master, TIOCSWINSZ, &w), 0);
	EQ(SYS(ioctl, slave, TIOCGWINSZ, &got), 0);
	CHECK(got.rows == 24 && got.columns == 80);
	EQ(SYS(ioctl, slave, TIOCGWINSZ, 8), -EFAULT);
	EQ(SYS(ioctl, slave, 0x5499, 0), -ENOTTY);
}

UNIT(tty_hangup)
{
	char b[4];
	struct pollfd p = { 0, POLLIN | POLLOUT, 0 };

	open_pair();
	EQ(SYS(close, slave), 0);
	EQ(SYS(read, master, b, 4), -EIO);
	open_pair();
	EQ(SYS(close, master), 0);
	EQ(SYS(read, slave, b, 4), 0);
	EQ(SYS(write, slave, b, 1), -EIO);
	p.fd = (int)slave;
	EQ(SYS(poll, &p, 1, 0), 1);
	EQ(p.revents & POLLHUP, POLLHUP);
}

/* The controlling terminal's keys are signals for the foreground group. */
static int interrupts;

static void on_int(int sig, const siginfo_t *si, void *uc)
{
	interrupts++;
}

UNIT(tty_signals)
{
	struct ksigaction sa = { (u64)on_int, 0x04000000, 1, 0 };
	s32 pgrp = 0;

	EQ(SYS(rt_sigaction, SIGINT, &sa, 0, 8), 0);
	EQ(SYS(setsid), -EPERM); /* a group's leader */
	open_pair();
	EQ(SYS(ioctl, slave, TIOCSCTTY, 0), 0);
	EQ(SYS(ioctl, slave, TIOCGPGRP, &pgrp), 0);
	EQ(pgrp, SYS(getpid));
	type("lost\003");
	EQ(SYS(getpid), 1); /* any call: the signal is taken on the way out */
	EQ(interrupts, 1);
	type("kept\r");
	CHECK(reads(slave, "kept\n")); /* what was typed before is gone */
	CHECK(SYS(openat, AT_FDCWD, "/dev/tty", O_RDWR) >= 0);
}

/* Whatever is typed and set, nothing breaks and nothing is read twice. */
UNIT(tty_random)
{
	open_pair();
	for (int round = 0; round < 4000; round++) {
		char b[300];
		u32 n = 1 + unit_random(sizeof(b) - 1);

		for (u32 i = 0; i < n; i++)
			b[i] = unit_random(3) ? (char)unit_random(128)
				: "\r\177\025\027\026\004\t"[unit_random(7)];
		SYS(write, unit_random(3) ? master : slave, b, n);
		SYS(read, unit_random(2) ? master : slave, b,
		    1 + unit_random(sizeof(b) - 1));
		if (unit_random(20) == 0) {
			struct termios t = get();

			t.c_lflag = unit_random(0x10000) & ~(u32)ISIG;
			t.c_iflag = unit_random(0x8000);
			t.c_oflag = unit_random(0x2000);
			t.c_cc[VMIN] = (u8)unit_random(4);
			set(&t);
		}
	}
	CHECK(true);
}
