/*
 * tty_pty.c - pseudo-terminal pairs: opening, closing, hangup, packet mode,
 * window size and the ioctls of either end.
 */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int events_of(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static void test_open(void)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), s, n = -1, lock = -1;
	char path[64], name[64];
	struct stat st, st2;

	CHECK(m >= 0);
	CHECK(isatty(m));
	CHECK(ioctl(m, TIOCGPTN, &n) == 0 && n >= 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	CHECK(ioctl(m, TIOCGPTLCK, &lock) == 0 && lock == 1);
	CHECK_ERRNO(open(path, O_RDWR | O_NOCTTY), EIO);
	CHECK(unlockpt(m) == 0);
	CHECK(grantpt(m) == 0);
	CHECK(ptsname_r(m, name, sizeof(name)) == 0 && !strcmp(name, path));
	s = open(path, O_RDWR | O_NOCTTY);
	CHECK(s >= 0);
	CHECK(isatty(s));
	CHECK(ttyname_r(s, name, sizeof(name)) == 0 && !strcmp(name, path));
	CHECK(fstat(s, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(major(st.st_rdev) == 136 && minor(st.st_rdev) == (unsigned)n);
	CHECK(stat(path, &st2) == 0 && st.st_ino == st2.st_ino &&
	      st.st_dev == st2.st_dev);
	CHECK(fchmod(s, 0600) == 0 && stat(path, &st2) == 0 &&
	      (st2.st_mode & 07777) == 0600);
	CHECK_ERRNO(lseek(s, 0, SEEK_SET), ESPIPE);
	close(s);
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	CHECK(s >= 0);
	CHECK(ttyname_r(s, name, sizeof(name)) == 0 && !strcmp(name, path));
	close(s);
	close(m);
	CHECK_ERRNO(stat(path, &st), ENOENT);
}

static void test_close(void)
{
	int m, s;
	char buf[64];

	CHECK(openpty(&m, &s, NULL, NULL, NULL) == 0);
	CHECK(events_of(m) == POLLOUT);
	CHECK(write(s, "bye", 3) == 3);
	CHECK(events_of(m) == (POLLIN | POLLOUT));
	close(s);
	usleep(2000);
	CHECK(read(m, buf, sizeof(buf)) == 3);
	CHECK_ERRNO(read(m, buf, sizeof(buf)), EIO);
	CHECK(events_of(m) & POLLHUP);
	s = open(ptsname(m), O_RDWR | O_NOCTTY);
	CHECK(s >= 0);
	CHECK(!(events_of(m) & POLLHUP));
	CHECK(write(m, "in\n", 3) == 3);
	usleep(2000);
	CHECK(events_of(s) == (POLLIN | POLLOUT));
	CHECK(read(s, buf, sizeof(buf)) == 3);
	close(m);
	CHECK(read(s, buf, sizeof(buf)) == 0);
	CHECK_ERRNO(write(s, "x", 1), EIO);
	CHECK((events_of(s) & (POLLHUP | POLLIN)) == (POLLHUP | POLLIN));
	CHECK_ERRNO(tcgetpgrp(s), EIO);
	close(s);
}

static void test_winsize(void)
{
	struct winsize w = { 40, 100, 0, 0 }, got;
	int m, s;

	openpty(&m, &s, NULL, NULL, &w);
	CHECK(ioctl(s, TIOCGWINSZ, &got) == 0 && got.ws_row == 40 &&
	      got.ws_col == 100);
	w.ws_row = 10;
	CHECK(ioctl(m, TIOCSWINSZ, &w) == 0);
	CHECK(ioctl(s, TIOCGWINSZ, &got) == 0 && got.ws_row == 10);
	close(s);
	close(m);
}

static void test_packet(void)
{
	int m, s, on = 1, n = -1;
	struct termios t;
	char buf[16];

	openpty(&m, &s, NULL, NULL, NULL);
	CHECK(ioctl(m, TIOCPKT, &on) == 0);
	CHECK(ioctl(m, TIOCGPKT, &n) == 0 && n == 1);
	write(s, "hi", 2);
	usleep(2000);
	CHECK(read(m, buf, sizeof(buf)) == 3 && !memcmp(buf, "\0hi", 3));
	tcflush(s, TCIFLUSH);
	CHECK(events_of(m) & POLLPRI);
	CHECK(read(m, buf, sizeof(buf)) == 1 && buf[0] == TIOCPKT_FLUSHREAD);
	tcgetattr(s, &t);
	t.c_iflag &= ~IXON;
	tcsetattr(s, TCSANOW, &t);
	CHECK(read(m, buf, sizeof(buf)) == 1 && buf[0] == TIOCPKT_NOSTOP);
	t.c_iflag |= IXON;
	tcsetattr(s, TCSANOW, &t);
	CHECK(read(m, buf, sizeof(buf)) == 1 && buf[0] == TIOCPKT_DOSTOP);
	on = 0;
	ioctl(m, TIOCPKT, &on);
	close(s);
	close(m);
}

static void test_ioctls(void)
{
	int m, s, n = -1, s2;
	struct termios t, t2;
	char c = 'x';

	openpty(&m, &s, NULL, NULL, NULL);
	CHECK(tcgetattr(m, &t) == 0 && tcgetattr(s, &t2) == 0);
	CHECK(t.c_lflag == t2.c_lflag && t.c_oflag == t2.c_oflag);
	t.c_lflag &= ~ECHO;
	CHECK(tcsetattr(m, TCSANOW, &t) == 0);
	CHECK(tcgetattr(s, &t2) == 0 && !(t2.c_lflag & ECHO));
	write(m, "abc\n", 4);
	usleep(2000);
	CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 4);
	CHECK(tcflush(s, TCIFLUSH) == 0);
	CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 0);
	write(s, "out", 3);
	usleep(2000);
	CHECK(ioctl(m, FIONREAD, &n) == 0 && n == 3);
	CHECK(ioctl(s, TIOCOUTQ, &n) == 0 && n == 0);
	CHECK(tcdrain(s) == 0);
	CHECK(ioctl(s, TIOCGETD, &n) == 0 && n == 0);
	CHECK_ERRNO(ioctl(s, TIOCGPTN, &n), ENOTTY);
	CHECK_ERRNO(ioctl(s, 0x1234, &n), ENOTTY);
	CHECK_ERRNO(ioctl(s, TCFLSH, 99), EINVAL);
	CHECK_ERRNO(ioctl(s, TCGETS, 16), EFAULT);
	CHECK(ioctl(s, TIOCEXCL) == 0);
	CHECK(ioctl(s, TIOCGEXCL, &n) == 0 && n == 1);
	CHECK(ioctl(s, TIOCNXCL) == 0);
	s2 = open(ptsname(m), O_RDWR | O_NOCTTY);
	CHECK(s2 >= 0);
	CHECK_ERRNO(tcgetpgrp(s), ENOTTY);
	CHECK_ERRNO(tcgetsid(s), ENOTTY);
	(void)c;
	close(s2);
	close(s);
	close(m);
}

/* A writer that fills the terminal goes on when the master reads. */
static void test_full(void)
{
	static char buf[8192];
	int m, s, total = 0, back = 0;
	ssize_t n;

	openpty(&m, &s, NULL, NULL, NULL);
	fcntl(s, F_SETFL, O_NONBLOCK);
	fcntl(m, F_SETFL, O_NONBLOCK);
	memset(buf, 'x', sizeof(buf));
	while (total < 1000000 && (n = write(s, buf, sizeof(buf))) > 0)
		total += n;
	CHECK(total >= 4096 && total < 1000000);
	CHECK(n == -1 && errno == EAGAIN);
	/* no CHECK of POLLOUT: natively some room may have come back by now */
	for (int idle = 0; idle < 20;) {
		n = read(m, buf, sizeof(buf));
		if (n > 0)
			back += n;
		else {
			idle++;
			usleep(500);
		}
	}
	CHECK(back == total);
	CHECK(events_of(s) & POLLOUT);
	close(s);
	close(m);
}

int main(void)
{
	signal(SIGHUP, SIG_IGN);
	test_open();
	test_close();
	test_winsize();
	test_packet();
	test_ioctls();
	test_full();
	return check_done();
}
