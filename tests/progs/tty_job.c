/*
 * tty_job.c - sessions, controlling terminals and job control.
 */
#include "check.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static volatile sig_atomic_t got[65];
static void note(int sig) { got[sig]++; }

static void catch(int sig)
{
	struct sigaction a;

	memset(&a, 0, sizeof(a));
	a.sa_handler = note;
	sigaction(sig, &a, NULL);
}

static int wait_for(int sig)
{
	for (int i = 0; i < 500 && !got[sig]; i++)
		usleep(1000);
	return got[sig];
}

static int exit_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
		256 + WTERMSIG(status);
}

/* In a new session whose terminal is `slave`. */
static void in_session(int master, int slave)
{
	char buf[16];
	pid_t child, group;
	int status;

	catch(SIGINT);
	catch(SIGQUIT);
	catch(SIGWINCH);
	CHECK(tcgetsid(slave) == getpid());
	CHECK(tcgetpgrp(slave) == getpgrp());
	CHECK(tcgetpgrp(master) == getpgrp());
	write(master, "\003", 1);
	CHECK(wait_for(SIGINT) == 1);
	write(master, "\034", 1);
	CHECK(wait_for(SIGQUIT) == 1);
	ioctl(master, TIOCSWINSZ, &(struct winsize){ 11, 22, 0, 0 });
	CHECK(wait_for(SIGWINCH) == 1);
	ioctl(master, TIOCSWINSZ, &(struct winsize){ 11, 22, 0, 0 });
	usleep(3000);
	CHECK(got[SIGWINCH] == 1);
	CHECK_ERRNO(tcsetpgrp(slave, 999999), ESRCH);
	CHECK_ERRNO(tcsetpgrp(slave, -1), EINVAL);

	/* a background group that reads is stopped, and goes on */
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		_exit(read(slave, buf, sizeof(buf)) == 3 ? 7 : 1);
	}
	setpgid(child, child);
	CHECK(waitpid(child, &status, WUNTRACED) == child &&
	      WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
	CHECK(tcsetpgrp(slave, child) == 0);
	CHECK(tcgetpgrp(slave) == child);
	kill(-child, SIGCONT);
	write(master, "ab\n", 3);
	CHECK(exit_of(child) == 7);

	/* the background may write, unless TOSTOP; may not set modes */
	signal(SIGTTOU, SIG_IGN);
	CHECK(tcsetpgrp(slave, getpgrp()) == 0);
	signal(SIGTTOU, SIG_DFL);
	child = fork();
	if (child == 0) {
		struct termios t;

		setpgid(0, 0);
		if (write(slave, "bg", 2) != 2)
			_exit(1);
		tcgetattr(slave, &t);
		tcsetattr(slave, TCSANOW, &t);
		_exit(8);
	}
	CHECK(waitpid(child, &status, WUNTRACED) == child &&
	      WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
	kill(child, SIGKILL);
	CHECK(exit_of(child) == 256 + SIGKILL);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		signal(SIGTTIN, SIG_IGN);
		errno = 0;
		_exit(read(slave, buf, sizeof(buf)) == -1 && errno == EIO ?
		      9 : 1);
	}
	CHECK(exit_of(child) == 9);

	/* ^Z stops the foreground */
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(child, child);
	group = getpgrp();
	CHECK(tcsetpgrp(slave, child) == 0);
	write(master, "\032", 1);
	CHECK(waitpid(child, &status, WUNTRACED) == child &&
	      WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
	signal(SIGTTOU, SIG_IGN);
	CHECK(tcsetpgrp(slave, group) == 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(open("/dev/tty", O_RDWR) >= 0);
}

static void test_session(void)
{
	int m, s;
	pid_t pid;

	openpty(&m, &s, NULL, NULL, NULL);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		CHECK(setsid() == getpid());
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(tcgetpgrp(s), ENOTTY);
		CHECK(ioctl(s, TIOCSCTTY, 0) == 0);
		in_session(m, s);
		_exit(check_failures != 0);
	}
	CHECK(exit_of(pid) == 0);
	close(s);
	close(m);
}

/* The session leader's end: SIGHUP for the foreground, no terminal for the
 * session, but the pseudo-terminal itself lives on. */
static void test_leader_exit(void)
{
	int m, s, p[2];
	char c = 0;
	pid_t pid;

	openpty(&m, &s, NULL, NULL, NULL);
	pipe(p);
	pid = fork();
	if (pid == 0) {
		setsid();
		ioctl(s, TIOCSCTTY, 0);
		signal(SIGHUP, SIG_IGN);
		catch(SIGHUP);
		if (fork() == 0) {
			close(p[0]);
			wait_for(SIGHUP);
			usleep(30000); /* the signal comes first */
			c = got[SIGHUP] ? 'H' : '-';
			if (write(s, "x", 1) != 1 ||
			    open("/dev/tty", O_RDWR) != -1)
				c = 'n';
			write(p[1], &c, 1);
			_exit(0);
		}
		usleep(5000);
		_exit(0);
	}
	close(p[1]);
	CHECK(exit_of(pid) == 0);
	CHECK(read(p[0], &c, 1) == 1 && c == 'H');
	close(p[0]);
	CHECK(read(m, &c, 1) == 1 && c == 'x');
	close(s);
	usleep(5000);
	CHECK_ERRNO(read(m, &c, 1), EIO);
	close(m);
}

/* Closing the master sends SIGHUP to the session's leader. */
static void test_master_close(void)
{
	int m, s, p[2];
	pid_t pid;
	char c;

	openpty(&m, &s, NULL, NULL, NULL);
	pipe(p);
	pid = fork();
	if (pid == 0) {
		close(m);
		setsid();
		ioctl(s, TIOCSCTTY, 0);
		catch(SIGHUP);
		write(p[1], "r", 1);
		_exit(wait_for(SIGHUP) ? 5 : 1);
	}
	close(s);
	CHECK(read(p[0], &c, 1) == 1);
	close(m);
	CHECK(exit_of(pid) == 5);
	close(p[0]);
	close(p[1]);
}

static void test_forkpty(void)
{
	char buf[64];
	int m, status = 0;
	size_t n = 0;
	ssize_t r;
	pid_t pid = forkpty(&m, NULL, NULL, NULL);

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "test -t 0 && echo tty; exit 3",
		      NULL);
		_exit(127);
	}
	CHECK(pid > 0);
	while (n < sizeof(buf) && (r = read(m, buf + n, sizeof(buf) - n)) > 0)
		n += r;
	CHECK(n == 5 && !memcmp(buf, "tty\r\n", 5));
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	close(m);
}

int main(void)
{
	test_session();
	test_leader_exit();
	test_master_close();
	test_forkpty();
	return check_done();
}
