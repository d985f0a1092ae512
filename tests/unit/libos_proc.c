/*
 * libos_proc.c - processes and threads: forks, ends, waiting, groups,
 * credentials, and signals between them.
 */
#include "unit.h"

#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/wait.h>

static int seven(void *arg)
{
	return 7;
}

static u32 ready;

static int sleeps(void *arg)
{
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (SYS(pause))
		;
	return 0;
}

static bool all_ready(u32 n)
{
	for (int i = 0; i < 5000; i++) {
		if (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) == n)
			return true;
		fake_sleep_ms(1);
	}
	return false;
}

UNIT_THREADS(proc_wait)
{
	int status = 9;
	siginfo_t si = { 0 };
	s32 pid;

	EQ(SYS(wait4, -1, &status, 0, 0), -ECHILD);
	pid = unit_fork(seven, NULL);
	CHECK(pid > 0);
	EQ(unit_wait(pid), 7 << 8);
	EQ(SYS(wait4, pid, &status, 0, 0), -ECHILD);
	pid = unit_fork(seven, NULL);
	EQ(SYS(waitid, 1 /* P_PID */, pid, &si, WEXITED | WNOWAIT, 0), 0);
	EQ(si.si_pid, pid);
	EQ(si.si_status, 7);
	EQ(si.si_code, 1 /* CLD_EXITED */);
	EQ(unit_wait(-1), pid);
	pid = unit_fork(sleeps, NULL);
	EQ(SYS(wait4, pid, &status, WNOHANG, 0), 0);
	EQ(SYS(kill, pid, SIGTERM), 0);
	EQ(unit_wait(pid), SIGTERM);
	EQ(SYS(wait4, -1, 8, 0, 0), -ECHILD);
	EQ(SYS(wait4, -1, 0, 0x12345, 0), -EINVAL);
	EQ(SYS(kill, pid, 0), -ESRCH);
}

UNIT_THREADS(proc_kill_each)
{
	static const int sigs[] = { SIGKILL, SIGHUP, SIGUSR1, SIGSEGV, 40 };

	for (unsigned i = 0; i < ARRAY_SIZE(sigs); i++) {
		s32 pid = unit_fork(sleeps, NULL);

		CHECK(all_ready(i + 1));
		EQ(SYS(kill, pid, sigs[i]), 0);
		EQ(unit_wait(pid) & 0x7f, sigs[i]);
	}
}

UNIT_THREADS(proc_stops)
{
	s32 pid = unit_fork(sleeps, NULL);
	int status;

	CHECK(all_ready(1));
	EQ(SYS(kill, pid, SIGSTOP), 0);
	EQ(SYS(wait4, pid, &status, WUNTRACED, 0), pid);
	EQ(status, SIGSTOP << 8 | 0x7f);
	EQ(SYS(kill, pid, SIGCONT), 0);
	EQ(SYS(wait4, pid, &status, WCONTINUED, 0), pid);
	EQ(status, 0xffff);
	EQ(SYS(kill, pid, SIGSTOP), 0);
	EQ(SYS(kill, pid, SIGKILL), 0); /* ends it all the same */
	EQ(unit_wait(pid), SIGKILL);
}

/* Many children that end at once; all are found, none is left. */
UNIT_THREADS(proc_many)
{
	long objects = 0;
	int found = 0;

	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < 15; i++)
			MUST(unit_fork(seven, NULL) > 0);
		for (int i = 0; i < 15; i++) {
			int status = 0;

			MUST(SYS(wait4, -1, &status, 0, 0) > 0);
			found += status == 7 << 8;
		}
		if (round == 2)
			objects = fake_heap_objects;
	}
	EQ(found, 90);
	EQ(SYS(wait4, -1, 0, 0, 0), -ECHILD);
	CHECK(fake_heap_objects <= objects + 4);
}

/* exit_group takes the threads along. */
static int thread_that_ends_all(void *arg)
{
	SYS(exit_group, 3);
	return 0;
}

static int with_threads(void *arg)
{
	unit_thread(sleeps, NULL);
	unit_thread(sleeps, NULL);
	unit_thread(thread_that_ends_all, NULL);
	while (SYS(pause))
		;
	return 0;
}

UNIT_THREADS(proc_exit_group)
{
	EQ(unit_wait(unit_fork(with_threads, NULL)), 3 << 8);
}

static int orphan_maker(void *arg)
{
	return unit_fork(sleeps, NULL) > 0 ? 0 : 1;
}

UNIT_THREADS(proc_orphans)
{
	s32 pid;

	EQ(SYS(prctl, 36 /* PR_SET_CHILD_SUBREAPER */, 1), 0);
	pid = unit_fork(orphan_maker, NULL);
	CHECK(pid > 0);
	EQ(unit_wait(pid), 0);
	CHECK(all_ready(1));
	EQ(SYS(kill, pid + 1, SIGKILL), 0);
	EQ(unit_wait(pid + 1), SIGKILL); /* ours now */
}

static int in_group(void *arg)
{
	if (SYS(setpgid, 0, 0) || SYS(getpgid, 0) != SYS(getpid))
		return 1;
	return sleeps(NULL);
}

UNIT_THREADS(proc_groups)
{
	s32 a = unit_fork(in_group, NULL), b;

	CHECK(all_ready(1));
	b = unit_fork(sleeps, NULL);
	CHECK(all_ready(2));
	EQ(SYS(setpgid, b, a), 0);
	EQ(SYS(getpgid, b), a);
	EQ(SYS(setpgid, b, 4444), -EPERM);
	EQ(SYS(setpgid, 4444, 0), -ESRCH);
	EQ(SYS(setpgid, b, -1), -EINVAL);
	EQ(SYS(getsid, b), SYS(getsid, 0));
	EQ(SYS(kill, -a, SIGTERM), 0);
	EQ(unit_wait(a), SIGTERM);
	EQ(unit_wait(b), SIGTERM);
	EQ(SYS(kill, -a, SIGTERM), -ESRCH);
}

/* A queue that a signal of another thread of the process interrupts. */
static u32 caught;

static void handler(int sig, const siginfo_t *si, void *uc)
{
	__atomic_store_n(&caught, (u32)SYS(gettid), __ATOMIC_SEQ_CST);
}

static s32 target;

static int kills(void *arg)
{
	fake_sleep_ms(20);
	return SYS(tgkill, SYS(getpid), target, SIGUSR1) != 0;
}

UNIT_THREADS(proc_thread_signal)
{
	struct ksigaction sa = { (u64)handler, 0x04000000, 1, 0 };
	int p[2];
	char b;

	EQ(SYS(rt_sigaction, SIGUSR1, &sa, 0, 8), 0);
	EQ(SYS(pipe2, p, 0), 0);
	target = (s32)SYS(gettid);
	CHECK(unit_thread(kills, NULL) > 0);
	EQ(SYS(read, p[0], &b, 1), -EINTR);
	EQ(caught, target);
}

UNIT_THREADS(proc_pidfd)
{
	s32 pid = unit_fork(sleeps, NULL);
	struct { s32 fd; s16 events, revents; } p = { 0, 1, 0 };

	CHECK(all_ready(1));
	p.fd = (s32)SYS(pidfd_open, pid, 0);
	CHECK(p.fd >= 0);
	EQ(SYS(poll, &p, 1, 0), 0);
	EQ(SYS(pidfd_send_signal, p.fd, SIGKILL, 0, 0), 0);
	EQ(SYS(poll, &p, 1, -1), 1);
	EQ(unit_wait(pid), SIGKILL);
	EQ(SYS(pidfd_send_signal, p.fd, SIGKILL, 0, 0), -ESRCH);
	EQ(SYS(pidfd_open, 4444, 0), -ESRCH);
}

UNIT(proc_credentials)
{
	u32 r, e, s, groups[4] = { 5, 6, 7, 8 }, got[4];

	EQ(SYS(setgroups, 4, groups), 0);
	EQ(SYS(getgroups, 4, got), 4);
	EQ(SYS(getgroups, 2, got), -EINVAL);
	EQ(SYS(getgroups, 0, 0), 4);
	EQ(SYS(setresuid, 10, 11, 12), 0);
	EQ(SYS(getresuid, &r, &e, &s), 0);
	CHECK(r == 10 && e == 11 && s == 12);
	EQ(SYS(setresuid, -1, 12, -1), 0);
	EQ(SYS(geteuid), 12);
	EQ(SYS(setresuid, -1, 13, -1), -EPERM);
	EQ(SYS(setreuid, 12, 10), 0);
	EQ(SYS(setgroups, 0, 0), -EPERM);
	EQ(SYS(setgid, 4), -EPERM);
	EQ(SYS(sethostname, "x", 1), -EPERM);
}

UNIT(proc_limits)
{
	u64 l[2] = { 5, 4 };

	EQ(SYS(setrlimit, RLIMIT_NOFILE, l), -EINVAL);
	EQ(SYS(getrlimit, 99, l), -EINVAL);
	EQ(SYS(prlimit64, 4444, RLIMIT_NOFILE, 0, l), -ESRCH);
	EQ(SYS(getpriority, 0, 0), 20);
	EQ(SYS(setpriority, 0, 0, 5), 0);
	EQ(SYS(getpriority, 0, 0), 15);
	EQ(SYS(setpriority, 9, 0, 5), -EINVAL);
}
