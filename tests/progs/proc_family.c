/* Processes: fork, wait, groups, orphans, limits, prctl. */
#include "check.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static pid_t child_exits(int code)
{
	pid_t p = fork();

	if (!p)
		_exit(code);
	return p;
}

static void waiting(void)
{
	siginfo_t si;
	int st;
	pid_t p = child_exits(7);

	CHECK(waitpid(p, &st, 0) == p);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	CHECK_ERRNO(waitpid(p, &st, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &st, 0x4000), EINVAL);
	p = child_exits(3);
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_PID, p, &si, WEXITED | WNOWAIT) == 0);
	CHECK(si.si_pid == p && si.si_code == CLD_EXITED && si.si_status == 3);
	CHECK(waitid(P_PID, p, &si, WEXITED) == 0);
	CHECK_ERRNO(waitid(P_PID, p, &si, WEXITED), ECHILD);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, WNOHANG), EINVAL);
}

static void killed(void)
{
	int st;
	pid_t p = fork();

	if (!p)
		for (;;)
			pause();
	CHECK(waitpid(p, &st, WNOHANG) == 0);
	CHECK(kill(p, SIGSTOP) == 0);
	CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st)
	      && WSTOPSIG(st) == SIGSTOP);
	CHECK(waitpid(p, &st, WUNTRACED | WNOHANG) == 0);
	CHECK(kill(p, SIGCONT) == 0);
	CHECK(waitpid(p, &st, WCONTINUED) == p && WIFCONTINUED(st));
	CHECK(kill(p, SIGTERM) == 0);
	CHECK(waitpid(p, &st, 0) == p && WIFSIGNALED(st)
	      && WTERMSIG(st) == SIGTERM);
	CHECK_ERRNO(kill(p, 0), ESRCH);
}

static void groups(void)
{
	int st, fd[2];
	char c;
	pid_t p;

	CHECK(pipe(fd) == 0);
	p = fork();
	if (!p) {
		close(fd[1]);
		read(fd[0], &c, 1);
		_exit(getpgrp() == getpid() ? 0 : 1);
	}
	close(fd[0]);
	CHECK(setpgid(p, p) == 0);
	CHECK(getpgid(p) == p);
	CHECK(getsid(p) == getsid(0));
	CHECK_ERRNO(setpgid(p, -1), EINVAL);
	close(fd[1]);
	CHECK(waitpid(-p, &st, 0) == p && st == 0);
	p = fork();
	if (!p) {
		pid_t s = setsid();

		_exit(s == getpid() && getsid(0) == s && getpgrp() == s
		      && setsid() == -1 && errno == EPERM ? 0 : 1);
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
}

static void orphans(void)
{
	int fd[2], st;
	pid_t p, got = 0;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	CHECK(pipe(fd) == 0);
	p = fork();
	if (!p) {
		pid_t q = fork();

		if (!q) {
			close(fd[0]);
			usleep(20000);
			pid_t me = getpid();
			write(fd[1], &me, sizeof(me));
			_exit(getppid() == *(volatile pid_t *)&got ? 1 : 5);
		}
		_exit(0);
	}
	CHECK(waitpid(p, &st, 0) == p);
	CHECK(read(fd[0], &got, sizeof(got)) == sizeof(got));
	CHECK(waitpid(-1, &st, 0) == got && WEXITSTATUS(st) == 5);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0);
}

static void ignored_children(void)
{
	int st;

	signal(SIGCHLD, SIG_IGN);
	pid_t p = child_exits(0);
	CHECK_ERRNO(waitpid(p, &st, 0), ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

static void vforked(void)
{
	volatile int shared = 0;
	int st;
	pid_t p = vfork();

	if (!p) {
		shared = 42;
		_exit(9);
	}
	CHECK(shared == 42);
	CHECK(waitpid(p, &st, 0) == p && WEXITSTATUS(st) == 9);
}

static void clone_flags(void)
{
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0),
		    EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, NULL, 64), EFAULT);
}

static void limits(void)
{
	struct rlimit r = { 64, 128 }, q;

	CHECK(getrlimit(RLIMIT_CORE, &q) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ RLIM_INFINITY,
				      RLIM_INFINITY }) == 0);
	CHECK(prlimit(0, RLIMIT_NOFILE, &r, NULL) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &q) == 0 && q.rlim_cur == 64
	      && q.rlim_max == 128);
	r.rlim_cur = 200;
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &r), EINVAL);
	CHECK_ERRNO(getrlimit(99, &q), EINVAL);
}

static void attributes(void)
{
	struct utsname u;
	char name[16] = "";
	cpu_set_t set;
	int nice;

	CHECK(prctl(PR_SET_NAME, "a-long-process-name", 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NAME, name, 0, 0, 0) == 0);
	CHECK(!strcmp(name, "a-long-process-"));
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 5, 0, 0, 0), EINVAL);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK_ERRNO(prctl(123456, 0, 0, 0, 0), EINVAL);
	CHECK(uname(&u) == 0 && !strcmp(u.sysname, "Linux"));
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0
	      && CPU_COUNT(&set) >= 1);
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	nice = getpriority(PRIO_PROCESS, 0); /* natively: as it was started */
	nice = nice < 19 ? nice + 1 : 19;
	CHECK(setpriority(PRIO_PROCESS, 0, nice) == 0);
	CHECK(getpriority(PRIO_PROCESS, 0) == nice);
	CHECK_ERRNO(getpriority(9, 0), EINVAL);
	CHECK(sched_get_priority_max(SCHED_FIFO) == 99);
}

int main(void)
{
	waiting();
	killed();
	groups();
	orphans();
	ignored_children();
	vforked();
	clone_flags();
	limits();
	attributes();
	return check_done();
}
