/*
 * tty_ldisc.c - the line discipline: canonical editing, echo, special
 * characters, raw mode with VMIN and VTIME, output processing.
 */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

static int master, slave;
static struct termios normal;

static void setup(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY);
	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	tcgetattr(slave, &normal);
	normal.c_iflag &= ~IUTF8;
	tcsetattr(slave, TCSANOW, &normal);
}

static void modes(tcflag_t lset, tcflag_t lclear, tcflag_t iset)
{
	struct termios t = normal;

	t.c_lflag = (t.c_lflag | lset) & ~lclear;
	t.c_iflag |= iset;
	tcsetattr(slave, TCSAFLUSH, &t);
	tcflush(master, TCIFLUSH);
}

static void type(const char *s) { write(master, s, strlen(s)); }

/* What the slave reads is `want`; no wait. */
static int reads(const char *want)
{
	char buf[256];
	struct pollfd p = { slave, POLLIN, 0 };
	ssize_t n;

	usleep(2000);
	if (poll(&p, 1, 500) <= 0)
		return 0;
	n = read(slave, buf, sizeof(buf));
	return n == (ssize_t)strlen(want) && !memcmp(buf, want, n);
}

/* What the master sees is `want`. */
static int shows(const char *want)
{
	char buf[256];
	size_t n = 0;

	while (n < sizeof(buf)) {
		struct pollfd p = { master, POLLIN, 0 };
		ssize_t r;

		if (poll(&p, 1, n >= strlen(want) ? 5 : 500) <= 0)
			break;
		r = read(master, buf + n, sizeof(buf) - n);
		if (r <= 0)
			break;
		n += r;
	}
	if (n != strlen(want) || memcmp(buf, want, n)) {
		printf("# saw %zu:", n);
		for (size_t i = 0; i < n; i++)
			printf(" %02x", (unsigned char)buf[i]);
		printf("\n");
		return 0;
	}
	return 1;
}

static int nothing_to_read(void)
{
	struct pollfd p = { slave, POLLIN, 0 };

	return poll(&p, 1, 10) == 0;
}

static void test_defaults(void)
{
	CHECK(normal.c_lflag == (ISIG | ICANON | ECHO | ECHOE | ECHOK |
				 ECHOCTL | ECHOKE | IEXTEN));
	CHECK(normal.c_oflag == (OPOST | ONLCR));
	CHECK(normal.c_iflag == (ICRNL | IXON));
	CHECK((normal.c_cflag & (CSIZE | CREAD)) == (CS8 | CREAD));
	CHECK(normal.c_cc[VINTR] == 3 && normal.c_cc[VERASE] == 0177);
	CHECK(normal.c_cc[VEOF] == 4 && normal.c_cc[VKILL] == 025);
	CHECK(cfgetospeed(&normal) == B38400);
}

static void test_canonical(void)
{
	modes(0, 0, 0);
	type("abc");
	CHECK(nothing_to_read());
	type("\r");
	CHECK(reads("abc\n"));
	CHECK(shows("abc\r\n"));
	type("one\ntwo\n");
	CHECK(reads("one\n"));
	CHECK(reads("two\n"));
	CHECK(shows("one\r\ntwo\r\n"));
	type("ab\004");
	CHECK(reads("ab"));
	type("\004");
	CHECK(reads(""));
	tcflush(master, TCIFLUSH);
	type("abd\177c\n");
	CHECK(reads("abc\n"));
	CHECK(shows("abd\b \bc\r\n"));
	type("some words\027else\n");
	CHECK(reads("some else\n"));
	CHECK(shows("some words\b \b\b \b\b \b\b \b\b \belse\r\n"));
	type("junk\025ok\n");
	CHECK(reads("ok\n"));
	CHECK(shows("junk\b \b\b \b\b \b\b \bok\r\n"));
	type("\026\003x\n");
	CHECK(reads("\003x\n"));
	CHECK(shows("^\b^Cx\r\n"));
	type("re\022do\n");
	CHECK(reads("redo\n"));
	CHECK(shows("re^R\r\nredo\r\n"));
	type("a\001\177b\n");
	CHECK(reads("ab\n"));
	CHECK(shows("a^A\b \b\b \bb\r\n"));
	type("a\t\177b\n");
	CHECK(reads("ab\n"));
	CHECK(shows("a\t\b\b\b\b\b\b\bb\r\n"));
	type("\177\177x\n");
	CHECK(reads("x\n"));
	CHECK(shows("x\r\n"));
}

static void test_partial(void)
{
	char buf[8];
	int n = 0;

	modes(0, ECHO, 0);
	type("hello\n");
	usleep(2000);
	CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 6);
	CHECK(read(slave, buf, 3) == 3 && !memcmp(buf, "hel", 3));
	CHECK(read(slave, buf, 8) == 3 && !memcmp(buf, "lo\n", 3));
	CHECK(nothing_to_read());
	CHECK(shows(""));
	fcntl(slave, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(read(slave, buf, 8), EAGAIN);
	type("no newline");
	usleep(2000);
	CHECK_ERRNO(read(slave, buf, 8), EAGAIN);
	fcntl(slave, F_SETFL, 0);
}

static void test_long_line(void)
{
	static char line[6000], got[6000];
	ssize_t n;

	modes(0, ECHO, 0);
	memset(line, 'x', sizeof(line));
	CHECK(write(master, line, 5000) == 5000);
	type("\n");
	usleep(5000);
	n = read(slave, got, sizeof(got));
	CHECK(n == 4096 || n == 4095);
	CHECK(n > 0 && got[n - 1] == '\n');
	CHECK(nothing_to_read());
}

static void test_input_flags(void)
{
	struct termios t = normal;

	t.c_iflag = IGNCR;
	t.c_lflag &= ~ECHO;
	tcsetattr(slave, TCSAFLUSH, &t);
	type("a\rb\n");
	CHECK(reads("ab\n"));
	t.c_iflag = INLCR;
	tcsetattr(slave, TCSAFLUSH, &t);
	type("a\nb\004");
	CHECK(reads("a\rb"));
	t.c_iflag = ICRNL | ISTRIP;
	tcsetattr(slave, TCSAFLUSH, &t);
	type("\341\n");
	CHECK(reads("a\n"));
	t.c_iflag = ICRNL;
	t.c_cc[VEOL] = '!';
	tcsetattr(slave, TCSAFLUSH, &t);
	type("a!b\n");
	CHECK(reads("a!"));
	CHECK(reads("b\n"));
	t = normal;
	t.c_iflag |= IUTF8;
	tcsetattr(slave, TCSAFLUSH, &t);
	tcflush(master, TCIFLUSH);
	type("a\303\244\177b\n");
	CHECK(reads("ab\n"));
	CHECK(shows("a\303\244\b \bb\r\n"));
}

static void test_echo_flags(void)
{
	modes(0, ECHO, 0);
	type("x\n");
	CHECK(reads("x\n"));
	CHECK(shows(""));
	modes(ECHONL, ECHO, 0);
	type("x\n");
	CHECK(reads("x\n"));
	CHECK(shows("\r\n"));
	modes(0, ECHOCTL, 0);
	type("\001\n");
	CHECK(reads("\001\n"));
	CHECK(shows("\001\r\n"));
	modes(0, ECHOKE, 0);
	type("ab\025c\n");
	CHECK(reads("c\n"));
	CHECK(shows("ab^U\r\nc\r\n"));
	modes(ECHOPRT, 0, 0);
	type("abc\177\177d\n");
	CHECK(reads("ad\n"));
	CHECK(shows("abc\\cb/d\r\n"));
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void raw_mode(int vmin, int vtime)
{
	struct termios t = normal;

	cfmakeraw(&t);
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = vtime;
	tcsetattr(slave, TCSAFLUSH, &t);
	tcflush(master, TCIFLUSH);
}

/* The host hands what is typed on when it finds the time. */
static void arrives(int count)
{
	int n = 0;

	for (int tries = 0; tries < 1000 && n < count; tries++) {
		usleep(2000);
		ioctl(slave, FIONREAD, &n);
	}
}

static void test_raw(void)
{
	char buf[16];
	double start;

	raw_mode(1, 0);
	type("\003a\r");
	CHECK(reads("\003a\r"));
	CHECK(shows(""));
	raw_mode(0, 0);
	CHECK(read(slave, buf, 16) == 0);
	type("xy");
	arrives(2);
	CHECK(read(slave, buf, 16) == 2);
	raw_mode(0, 1);
	start = seconds();
	CHECK(read(slave, buf, 16) == 0);
	CHECK(seconds() - start > 0.08 && seconds() - start < 0.5);
	raw_mode(3, 0);
	type("ab");
	CHECK(nothing_to_read());
	type("c");
	CHECK(reads("abc"));
	raw_mode(5, 1);
	type("ab");
	arrives(2);
	start = seconds();
	CHECK(read(slave, buf, 16) == 2);
	CHECK(seconds() - start > 0.05);
	/* what was raw becomes a line */
	raw_mode(1, 0);
	type("left");
	arrives(4);
	tcsetattr(slave, TCSANOW, &normal);
	CHECK(reads("left"));
}

static void test_output(void)
{
	struct termios t = normal;

	tcflush(master, TCIFLUSH);
	write(slave, "a\nb", 3);
	CHECK(shows("a\r\nb"));
	t.c_oflag = 0;
	tcsetattr(slave, TCSANOW, &t);
	write(slave, "a\nb", 3);
	CHECK(shows("a\nb"));
	t.c_oflag = OPOST | OCRNL;
	tcsetattr(slave, TCSANOW, &t);
	write(slave, "\ra\rb", 4);
	CHECK(shows("\na\nb"));
	t.c_oflag = OPOST | ONLCR | TABDLY;
	tcsetattr(slave, TCSANOW, &t);
	write(slave, "\r\na\tb\n", 6);
	CHECK(shows("\r\r\na       b\r\n"));
	t.c_oflag = OPOST | OLCUC;
	tcsetattr(slave, TCSANOW, &t);
	write(slave, "aBc", 3);
	CHECK(shows("ABC"));
	tcsetattr(slave, TCSANOW, &normal);
}

/* What was typed takes effect soon, natively by another thread. */
static void await_stopped(int stopped)
{
	struct pollfd p = { slave, POLLOUT, 0 };

	for (int i = 0; i < 400 && (poll(&p, 1, 0) == 0) != stopped; i++)
		usleep(5000);
}

static void test_flow(void)
{
	modes(0, ECHO, 0);
	type("\023");
	await_stopped(1);
	fcntl(slave, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
	type("\021");
	await_stopped(0);
	CHECK(write(slave, "x", 1) == 1);
	CHECK(shows("x"));
	CHECK(tcflow(slave, TCOOFF) == 0);
	CHECK_ERRNO(write(slave, "y", 1), EAGAIN);
	CHECK(tcflow(slave, TCOON) == 0);
	CHECK(write(slave, "y", 1) == 1);
	CHECK(shows("y"));
	fcntl(slave, F_SETFL, 0);
}

/* True too where TIOCSLCKTRMIOS is refused: it needs CAP_SYS_ADMIN. */
static int lock_holds(void)
{
	struct termios lock, t = normal;
	int right;

	tcsetattr(slave, TCSANOW, &normal);
	memset(&lock, 0, sizeof(lock));
	lock.c_lflag = ECHO;
	lock.c_cc[VINTR] = 1;
	if (ioctl(slave, TIOCSLCKTRMIOS, &lock))
		return errno == EPERM;
	t.c_lflag ^= ECHO | ICANON;
	t.c_cc[VINTR] = 'i';
	t.c_cc[VQUIT] = 'q';
	tcsetattr(slave, TCSANOW, &t);
	tcgetattr(slave, &t);
	right = !((t.c_lflag ^ normal.c_lflag) & ECHO) &&
		((t.c_lflag ^ normal.c_lflag) & ICANON) &&
		t.c_cc[VINTR] == normal.c_cc[VINTR] && t.c_cc[VQUIT] == 'q';
	memset(&t, 0, sizeof(t));
	ioctl(master, TIOCGLCKTRMIOS, &t);
	right = right && t.c_lflag == ECHO && t.c_cc[VINTR] == 1;
	memset(&lock, 0, sizeof(lock));
	return right && !ioctl(slave, TIOCSLCKTRMIOS, &lock) &&
	       !tcsetattr(slave, TCSANOW, &normal);
}

static void test_locked(void)
{
	struct termios lock, none;

	memset(&lock, 1, sizeof(lock));
	memset(&none, 0, sizeof(none));
	CHECK(ioctl(slave, TIOCGLCKTRMIOS, &lock) == 0);
	CHECK(lock.c_lflag == 0 && lock.c_cc[VINTR] == 0);
	CHECK(lock_holds());
	if (fork() == 0) {
		setuid(65534);
		CHECK_ERRNO(ioctl(slave, TIOCSLCKTRMIOS, &none), EPERM);
		_exit(0);
	}
	wait(NULL);
}

int main(void)
{
	setup();
	test_defaults();
	test_canonical();
	test_partial();
	test_long_line();
	test_input_flags();
	test_echo_flags();
	test_raw();
	test_output();
	test_flow();
	test_locked();
	return check_done();
}
