/* tty.c - saved: pseudo-terminals, their modes and contents, job control. */
#include "save.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int pair(int *m, int *s, int is_raw)
{
	struct termios t;

	if (openpty(m, s, NULL, NULL, NULL))
		return -1;
	tcgetattr(*s, &t);
	if (is_raw)
		cfmakeraw(&t);
	t.c_lflag &= ~ECHO;
	return tcsetattr(*s, TCSANOW, &t);
}

/* ---- modes, size, contents both ways, a line that is half typed */
static int m, s, rm, rs;
static char name[64];
static struct termios kept;

static void contents_setup(void)
{
	struct winsize w = { 33, 111, 0, 0 };

	CHECK(!pair(&m, &s, 0) && !pair(&rm, &rs, 1));
	tcgetattr(s, &kept);
	kept.c_cc[VINTR] = 7;
	kept.c_iflag |= IXANY;
	kept.c_oflag &= ~ONLCR;
	CHECK(!tcsetattr(s, TCSANOW, &kept) && !ioctl(m, TIOCSWINSZ, &w));
	CHECK(!ttyname_r(s, name, sizeof(name)));
	CHECK(write(m, "a line\nhalf a l", 15) == 15);
	CHECK(write(s, "output\n", 7) == 7);
	CHECK(write(rm, "raw", 3) == 3);
	sleep_ms(5);
}
static void contents_verify(void)
{
	struct termios t;
	struct winsize w;
	char b[64];
	int fd;

	CHECK(!tcgetattr(s, &t) && t.c_cc[VINTR] == 7);
	CHECK(t.c_iflag == kept.c_iflag && t.c_oflag == kept.c_oflag);
	CHECK(t.c_lflag == kept.c_lflag && t.c_cflag == kept.c_cflag);
	CHECK(!ioctl(s, TIOCGWINSZ, &w) && w.ws_row == 33 && w.ws_col == 111);
	CHECK(!ttyname_r(s, b, sizeof(b)) && !strcmp(b, name));
	CHECK(read(s, b, 64) == 7 && !memcmp(b, "a line\n", 7));
	CHECK(write(m, "ine\n", 4) == 4);
	CHECK(read(s, b, 64) == 12 && !memcmp(b, "half a line\n", 12));
	CHECK(read(m, b, 64) == 7 && !memcmp(b, "output\n", 7));
	CHECK(read(rs, b, 64) == 3 && !memcmp(b, "raw", 3));
	fd = open(name, O_RDWR | O_NOCTTY);
	CHECK(fd >= 0 && write(fd, "again", 5) == 5 && read(m, b, 64) == 5);
	close(fd);
}

/* ---- waits: on the slave, on the master, with VTIME, writing when full */
static int wm, ws, xm, xs, vm, vs, fm, fs;
static char wb[64], xb[64], vb[64], flood[200000], back[200000];
static int poll_master;
WAITER(slave_reader, read(ws, wb, 64))
WAITER(master_reader, read(xm, xb, 64))
WAITER(timed_reader, read(vs, vb, 64))
WAITER(writer, write(fs, flood, sizeof(flood)))
static long polls(void)
{
	struct pollfd f = { poll_master, POLLIN, 0 };

	return poll(&f, 1, -1) == 1 ? f.revents : -1;
}
WAITER(poller, polls())

static void waits_setup(void)
{
	struct termios t;

	CHECK(!pair(&wm, &ws, 0) && !pair(&xm, &xs, 1));
	CHECK(!pair(&vm, &vs, 1) && !pair(&fm, &fs, 1));
	tcgetattr(vs, &t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 9;
	CHECK(!tcsetattr(vs, TCSANOW, &t));
	memset(flood, 'f', sizeof(flood));
	poll_master = rm;
	START(slave_reader);
	START(master_reader);
	START(timed_reader);
	START(writer);
	CHECK(write(wm, "begun ", 6) == 6);
}
static void waits_verify(void)
{
	size_t n = 0;
	ssize_t r;

	START(poller);
	CHECK(WAITS(slave_reader) && WAITS(master_reader) && WAITS(writer));
	CHECK(write(wm, "done\n", 5) == 5);
	CHECK(END(slave_reader) == 11 && !memcmp(wb, "begun done\n", 11));
	CHECK(write(xs, "to master", 9) == 9);
	CHECK(END(master_reader) == 9 && !memcmp(xb, "to master", 9));
	while (n < sizeof(flood) && (r = read(fm, back, sizeof(back))) > 0)
		n += r;
	CHECK(n == sizeof(flood) && END(writer) == sizeof(flood));
	CHECK(END(timed_reader) == 0);
	CHECK(timed_reader.end - timed_reader.begin >= 890);
	CHECK(write(rs, "p", 1) == 1 && END(poller) == POLLIN);
}

/* ---- a session with a foreground job and a stopped one */
static int jm;
static volatile int *shared; /* 0 leader, 1 fore, 2 back, 3 ints, 4 steps */
static void on_int(int sig) { shared[3]++; }
static int job(int n)
{
	struct sigaction sa = { .sa_handler = on_int };

	sigaction(SIGINT, &sa, NULL);
	setpgid(0, 0);
	shared[n] = getpid();
	if (n == 2)
		raise(SIGSTOP);
	while (!shared[3])
		sleep_ms(2);
	shared[4]++;
	_exit(n);
}
static int session(void)
{
	char b[8];
	int st;

	signal(SIGTTOU, SIG_IGN);
	if (!fork())
		job(1);
	if (!fork())
		job(2);
	while (!shared[1] || !shared[2])
		sleep_ms(1);
	tcsetpgrp(0, shared[1]);
	waitpid(shared[2], &st, WUNTRACED);
	shared[0] = getpid();
	if (waitpid(shared[1], &st, 0) != shared[1] || WEXITSTATUS(st) != 1)
		return 1;
	if (tcgetpgrp(0) != shared[1] || tcsetpgrp(0, getpgrp()))
		return 2;
	kill(-shared[2], SIGCONT);
	if (waitpid(shared[2], &st, 0) != shared[2] || WEXITSTATUS(st) != 2)
		return 3;
	return read(0, b, 8) == 3 && !memcmp(b, "ok\n", 3) ? 0 : 4;
}
static pid_t shell;

static void jobs_setup(void)
{
	int i;

	shared = shared_memory(4096);
	shell = forkpty(&jm, NULL, NULL, NULL);
	if (!shell)
		_exit(session());
	for (i = 0; i < 3000 && !shared[0]; i++)
		sleep_ms(1);
	CHECK(shared[0] == shell);
}
static void jobs_verify(void)
{
	char b[256];

	CHECK(ALIVE(shell) && !shared[3]);
	CHECK(tcgetpgrp(jm) == shared[1] && tcgetsid(jm) == shell);
	CHECK(write(jm, "\3", 1) == 1); /* to the foreground job alone */
	sleep_ms(100);
	CHECK(write(jm, "ok\n", 3) == 3);
	CHECK(ENDED(shell) == 0);
	CHECK(shared[3] == 1 && shared[4] == 2);
	CHECK(read(jm, b, sizeof(b)) > 0);
}

static const struct save_case cases[] = {
	CASE(jobs), CASE(contents), CASE(waits),
};
SAVE_MAIN(cases)
