/* Signals: masks, queues, restart, alternate stack, job control, waiting. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static volatile int count, last_value, order[8], ordered;
static volatile siginfo_t last;

static void handler(int sig)
{
	count++;
	if (ordered < 8)
		order[ordered++] = sig;
}

static void info_handler(int sig, siginfo_t *si, void *uc)
{
	count++;
	last_value = si->si_value.sival_int;
	memcpy((void *)&last, si, sizeof(*si));
}

static void set(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static void set_info(int sig)
{
	struct sigaction sa = { .sa_sigaction = info_handler,
				.sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static void masks(void)
{
	sigset_t s, old, pending;

	set(SIGUSR1, handler, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0);
	count = 0;
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK(count == 0);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	CHECK(count == 1);
	CHECK_ERRNO(sigaction(SIGKILL, &(struct sigaction){ 0 }, NULL), EINVAL);
	CHECK_ERRNO(sigprocmask(77, &s, NULL), EINVAL);
	CHECK_ERRNO(kill(getpid(), 99), EINVAL);
	CHECK(kill(getpid(), 0) == 0);
}

static void queued(void)
{
	union sigval v;
	sigset_t s;
	siginfo_t si;
	struct timespec zero = { 0, 0 };

	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigaddset(&s, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	for (int i = 0; i < 3; i++) {
		v.sival_int = i;
		CHECK(sigqueue(getpid(), SIGRTMIN + 1, v) == 0);
	}
	v.sival_int = 9;
	sigqueue(getpid(), SIGRTMIN, v);
	CHECK(sigwaitinfo(&s, &si) == SIGRTMIN && si.si_value.sival_int == 9);
	for (int i = 0; i < 3; i++)
		CHECK(sigwaitinfo(&s, &si) == SIGRTMIN + 1
		      && si.si_value.sival_int == i
		      && si.si_code == SI_QUEUE && si.si_pid == getpid());
	CHECK_ERRNO(sigtimedwait(&s, &si, &zero), EAGAIN);
	set_info(SIGRTMIN + 2);
	v.sival_int = 1234;
	count = 0;
	sigqueue(getpid(), SIGRTMIN + 2, v);
	CHECK(count == 1 && last_value == 1234);
}

static void alarm_soon(void)
{
	struct itimerval it = { .it_value = { 0, 30000 } };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void restarts(void)
{
	int fd[2], st;
	char c = 0;
	pid_t p;

	CHECK(pipe(fd) == 0);
	set(SIGALRM, handler, 0);
	alarm_soon();
	CHECK_ERRNO(read(fd[0], &c, 1), EINTR);
	set(SIGALRM, handler, SA_RESTART);
	p = fork();
	if (!p) {
		usleep(80000);
		write(fd[1], "x", 1);
		_exit(0);
	}
	count = 0;
	alarm_soon();
	CHECK(read(fd[0], &c, 1) == 1 && c == 'x');
	CHECK(count == 1);
	CHECK(waitpid(p, &st, 0) == p);
	struct timespec ts = { 5, 0 }, rem;
	alarm_soon();
	CHECK_ERRNO(nanosleep(&ts, &rem), EINTR);
	CHECK(rem.tv_sec == 4);
	alarm_soon();
	CHECK_ERRNO(pause(), EINTR);
}

static void suspended(void)
{
	sigset_t s, none, now;

	set(SIGUSR2, handler, 0);
	sigemptyset(&s);
	sigemptyset(&none);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	count = 0;
	raise(SIGUSR2);
	CHECK(count == 0);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK(count == 1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR2));
	sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static char *volatile seen_stack;
static void stack_handler(int sig)
{
	char here;

	seen_stack = &here;
}

static void stacks(void)
{
	static char space[65536];
	stack_t ss = { .ss_sp = space, .ss_size = sizeof(space) }, old;

	CHECK(sigaltstack(&ss, NULL) == 0);
	set(SIGUSR1, stack_handler, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(seen_stack >= space && seen_stack < space + sizeof(space));
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == space
	      && old.ss_flags == 0);
	ss.ss_size = 100;
	CHECK_ERRNO(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 99;
	CHECK_ERRNO(sigaltstack(&ss, NULL), EINVAL);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, NULL) == 0);
}

static void one_shot(void)
{
	struct sigaction sa;

	set(SIGUSR1, handler, SA_RESETHAND);
	count = 0;
	raise(SIGUSR1);
	CHECK(count == 1);
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
}

static void child_news(void)
{
	int st;

	set_info(SIGCHLD);
	count = 0;
	pid_t p = fork();
	if (!p)
		_exit(6);
	while (!count)
		usleep(1000);
	CHECK(last.si_pid == p && last.si_code == CLD_EXITED
	      && last.si_status == 6);
	CHECK(waitpid(p, &st, 0) == p);
	p = fork();
	if (!p) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	CHECK(waitpid(p, &st, 0) == p && WIFSIGNALED(st)
	      && WTERMSIG(st) == SIGSEGV);
	signal(SIGCHLD, SIG_DFL);
}

static void *thread(void *arg)
{
	sigset_t s;
	int sig;

	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	return (void *)(long)(sigwait(&s, &sig) == 0 ? sig : -1);
}

static void threads(void)
{
	sigset_t s;
	pthread_t t;
	void *r;

	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	CHECK(pthread_create(&t, NULL, thread, NULL) == 0);
	CHECK(kill(getpid(), SIGTERM) == 0);
	CHECK(pthread_join(t, &r) == 0 && r == (void *)SIGTERM);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), -1, SIGTERM), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 4000000, SIGTERM), ESRCH);
}

int main(void)
{
	masks();
	queued();
	restarts();
	suspended();
	stacks();
	one_shot();
	child_news();
	threads();
	return check_done();
}
