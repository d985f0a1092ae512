/*
 * proc_stop.c - what a parent hears of a child that is stopped, continued and
 * killed, in every order.
 */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define NEWS (WUNTRACED | WCONTINUED)

static char state_of(pid_t p)
{
	char path[64], text[256] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", p);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* Without waiting for it: that would take the news. */
static int reaches(pid_t p, char state)
{
	for (int i = 0; i < 5000 && state_of(p) != state; i++)
		usleep(1000);
	return state_of(p) == state;
}

static void *pause_thread(void *arg)
{
	for (;;)
		pause();
}

static pid_t child_new(int threads)
{
	int ready[2];
	pid_t p;
	char c;

	if (pipe(ready))
		exit(9);
	p = fork();
	if (p == 0) {
		pthread_t t;

		setpgid(0, 0); /* in an orphaned group SIGTSTP is nothing */
		while (threads--)
			pthread_create(&t, NULL, pause_thread, NULL);
		if (write(ready[1], "x", 1) != 1)
			_exit(9);
		for (;;)
			pause();
	}
	if (read(ready[0], &c, 1) != 1)
		exit(9);
	close(ready[0]);
	close(ready[1]);
	return p;
}

static pid_t stopped_child(int threads)
{
	pid_t p = child_new(threads);

	kill(p, SIGSTOP);
	CHECK(reaches(p, 'T'));
	return p;
}

static int killed(int st)
{
	return WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
}

static void kill_after_news(int threads)
{
	pid_t p = stopped_child(threads);
	siginfo_t si;
	int st;

	CHECK(!waitid(P_PID, p, &si, WSTOPPED | WNOWAIT));
	CHECK(si.si_code == CLD_STOPPED && si.si_status == SIGSTOP);
	CHECK(waitpid(p, &st, NEWS) == p && WIFSTOPPED(st));
	CHECK(waitpid(p, &st, NEWS | WNOHANG) == 0);
	CHECK(kill(p, SIGKILL) == 0);
	CHECK(waitpid(p, &st, NEWS) == p && killed(st));
	CHECK_ERRNO(waitpid(p, &st, NEWS), ECHILD);
}

/* The news of the stop is void once the end has begun. */
static void kill_before_news(int threads)
{
	int st = 0, wrong = 0, i;

	for (i = 0; i < 50; i++) {
		pid_t p = child_new(threads);

		kill(p, SIGSTOP);
		while (state_of(p) != 'T')
			usleep(200);
		kill(p, SIGKILL);
		wrong += waitpid(p, &st, NEWS) != p || !killed(st);
	}
	CHECK(!wrong);
}

static void kill_after_continue(void)
{
	int st = 0, wrong = 0, i;

	for (i = 0; i < 50; i++) {
		pid_t p = child_new(0);

		kill(p, SIGSTOP);
		while (state_of(p) != 'T')
			usleep(200);
		kill(p, SIGCONT);
		kill(p, SIGKILL);
		wrong += waitpid(p, &st, NEWS) != p || !killed(st);
	}
	CHECK(!wrong);
}

static void continue_and_stop(void)
{
	pid_t p = stopped_child(1);
	int st;

	kill(p, SIGCONT);
	CHECK(waitpid(p, &st, NEWS) == p && WIFCONTINUED(st));
	CHECK(waitpid(p, &st, NEWS | WNOHANG) == 0);
	kill(p, SIGCONT);
	CHECK(waitpid(p, &st, NEWS | WNOHANG) == 0);
	kill(p, SIGTSTP);
	CHECK(waitpid(p, &st, NEWS) == p && WIFSTOPPED(st) &&
	      WSTOPSIG(st) == SIGTSTP);
	/* a signal to a stopped process waits for it to go on */
	kill(p, SIGTERM);
	usleep(20000);
	CHECK(state_of(p) == 'T');
	CHECK(waitpid(p, &st, NEWS | WNOHANG) == 0);
	kill(p, SIGCONT);
	while (waitpid(p, &st, NEWS) == p && WIFCONTINUED(st))
		;
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
}

static int next_code(void)
{
	struct timespec limit = { 5, 0 };
	sigset_t set;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return sigtimedwait(&set, &si, &limit) == SIGCHLD ? si.si_code : -1;
}

static void sigchld_codes(void)
{
	sigset_t set;
	pid_t p;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p = child_new(1);
	kill(p, SIGSTOP);
	CHECK(next_code() == CLD_STOPPED);
	kill(p, SIGCONT);
	CHECK(next_code() == CLD_CONTINUED);
	kill(p, SIGSTOP);
	CHECK(next_code() == CLD_STOPPED);
	kill(p, SIGKILL);
	CHECK(next_code() == CLD_KILLED);
	CHECK(waitpid(p, NULL, NEWS) == p);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* A stop and a SIGCONT take back what is pending of the other. */
static void pending_ones_cancel(void)
{
	sigset_t set, got;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTSTP);
	sigpending(&got);
	CHECK(sigismember(&got, SIGTSTP));
	kill(getpid(), SIGCONT);
	sigpending(&got);
	CHECK(!sigismember(&got, SIGTSTP));
	raise(SIGTSTP);
	sigpending(&got);
	CHECK(!sigismember(&got, SIGCONT));
	kill(getpid(), SIGCONT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
	kill_after_news(0);
	kill_after_news(3);
	kill_before_news(0);
	kill_before_news(3);
	kill_after_continue();
	continue_and_stop();
	sigchld_codes();
	pending_ones_cancel();
	return check_done();
}
