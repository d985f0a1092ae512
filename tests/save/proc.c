/* proc.c - saved: processes, what they are, and who waits for them. */
#include "save.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int go_pipe[2];
static int waits_for_go(void)
{
	struct pollfd f = { go_pipe[0], POLLIN, 0 };

	return poll(&f, 1, -1) == 1; /* not read: all of them may go */
}

/* ---- zombies, one killed, one stopped */
static int stays(void)
{
	for (;;)
		pause();
	return 0;
}
CHILD(zombie, 0)
CHILD(killed, stays())
CHILD(stopped, !raise(SIGSTOP) && waits_for_go())

static void family_setup(void)
{
	siginfo_t i;

	FORK(zombie);
	FORK(killed);
	FORK(stopped);
	CHECK(!kill(killed, SIGKILL));
	CHECK(!waitid(P_PID, stopped, &i, WSTOPPED | WNOWAIT));
	CHECK(i.si_status == SIGSTOP);
	CHECK(!waitid(P_PID, zombie, &i, WEXITED | WNOWAIT));
}
static void family_verify(void)
{
	siginfo_t i;
	int st;

	CHECK(waitpid(zombie, &st, 0) == zombie && WEXITSTATUS(st) == 1);
	CHECK(waitpid(killed, &st, 0) == killed && WTERMSIG(st) == SIGKILL);
	CHECK(waitpid(stopped, &st, WNOHANG) == 0);
	CHECK(waitpid(stopped, &st, WUNTRACED) == stopped &&
	      WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK(!kill(stopped, SIGCONT));
	CHECK(!waitid(P_PID, stopped, &i, WCONTINUED));
	CHECK(i.si_code == CLD_CONTINUED && ALIVE(stopped));
}

/* ---- waits: wait4, waitid, a vfork's parent */
static int st4;
CHILD(late_1, waits_for_go())
CHILD(late_2, waits_for_go())
static siginfo_t waited;
static long vforks(void)
{
	pid_t pid = vfork();
	int st;

	if (!pid) {
		struct pollfd f = { go_pipe[0], POLLIN, 0 };

		_exit(poll(&f, 1, -1) == 1 ? 33 : 1);
	}
	return waitpid(pid, &st, 0) == pid ? WEXITSTATUS(st) : -1;
}
WAITER(waiter_4, waitpid(late_1, &st4, 0))
WAITER(waiter_id, waitid(P_PID, late_2, &waited, WEXITED))
WAITER(vforker, vforks())

static void waits_setup(void)
{
	FORK(late_1);
	FORK(late_2);
	START(waiter_4);
	START(waiter_id);
	START(vforker);
}
static void waits_verify(void)
{
	CHECK(WAITS(waiter_4) && WAITS(waiter_id) && WAITS(vforker));
	CHECK(write(go_pipe[1], "x", 1) == 1);
	CHECK(END(waiter_4) == late_1 && WEXITSTATUS(st4) == 0);
	CHECK(END(waiter_id) == 0 && waited.si_pid == late_2);
	CHECK(waited.si_code == CLD_EXITED && waited.si_status == 0);
	CHECK(END(vforker) == 33);
	CHECK(ENDED(stopped) == 0);
}

/* ---- identities: numbers, groups, sessions, credentials, limits, name */
static pid_t my_pid, my_ppid, *ids;
static volatile int *said;
static int leads(void)
{
	gid_t g[3] = { 7, 8, 9 }, h[4];
	uid_t r, e, s;

	ids[0] = setsid();
	ids[1] = getpgrp();
	if (!geteuid() && (setgroups(3, g) || setresgid(10, 11, 12) ||
			   setresuid(20, 21, 22)))
		return 0;
	said[0] = 1;
	if (!waits_for_go() || getsid(0) != ids[0] || getpgrp() != ids[1])
		return 0;
	if (getresuid(&r, &e, &s) || (said[1] && (r != 20 || e != 21 ||
						   s != 22)))
		return 0;
	if (getresgid(&r, &e, &s) || (said[1] && (r != 10 || e != 11 ||
						   s != 12)))
		return 0;
	return !said[1] || (getgroups(4, h) == 3 && h[2] == 9);
}
CHILD(leader, leads())
static pid_t group_of_child;
CHILD(member, waits_for_go() && getpgrp() == getpid())

static void identity_setup(void)
{
	struct rlimit l = { 777, 1111 };

	ids = shared_memory(4096);
	said = shared_memory(4096);
	said[1] = !geteuid();
	my_pid = getpid();
	my_ppid = getppid();
	FORK(leader);
	FORK(member);
	setpgid(member, member);
	group_of_child = getpgid(member);
	while (!said[0] && ALIVE(leader))
		sleep_ms(1);
	umask(037);
	CHECK(!setrlimit(RLIMIT_NOFILE, &l));
	CHECK(!prctl(PR_SET_NAME, "renamed"));
	CHECK(!setpriority(PRIO_PROCESS, 0, 5));
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK(!setenv("LATER", "set", 1));
}
static void identity_verify(void)
{
	struct rlimit l;
	char name[32] = "", b[64];
	int n, fd;

	CHECK(getpid() == my_pid && getppid() == my_ppid);
	CHECK(gettid() == my_pid && getsid(leader) == leader);
	CHECK(getpgid(member) == group_of_child && group_of_child == member);
	CHECK(ENDED(leader) == 0 && ENDED(member) == 0);
	CHECK(umask(022) == 037);
	CHECK(!getrlimit(RLIMIT_NOFILE, &l) && l.rlim_cur == 777 &&
	      l.rlim_max == 1111);
	CHECK(!prctl(PR_GET_NAME, name) && !strcmp(name, "renamed"));
	CHECK(getpriority(PRIO_PROCESS, 0) == 5);
	CHECK(!prctl(PR_GET_CHILD_SUBREAPER, &n) && n == 1);
	CHECK(!strcmp(getenv("LATER"), "set"));
	fd = open("/proc/self/comm", O_RDONLY);
	CHECK(read(fd, b, 64) == 8 && !memcmp(b, "renamed\n", 8));
	close(fd);
}

/* ---- what /proc shows: arguments, environment, program, directory */
static char before[4][4096];
static long lengths[4];
static const char *const shown[] = { "/proc/self/cmdline",
				     "/proc/self/environ",
				     "/proc/self/auxv", "/proc/self/limits" };
static char exe[256], cwd[256];

static long slurp(const char *path, char *b, int size)
{
	int fd = open(path, O_RDONLY), n = 0, r;

	while (fd >= 0 && (r = read(fd, b + n, size - n)) > 0)
		n += r;
	close(fd);
	return n;
}
static void proc_setup(void)
{
	int i;

	for (i = 0; i < 4; i++)
		CHECK((lengths[i] = slurp(shown[i], before[i], 4096)) > 0);
	CHECK(readlink("/proc/self/exe", exe, 255) > 0);
	CHECK(readlink("/proc/self/cwd", cwd, 255) > 0);
}
static void proc_verify(void)
{
	char b[4096], link[256] = "";
	int i;

	for (i = 0; i < 4; i++)
		CHECK(slurp(shown[i], b, 4096) == lengths[i] &&
		      !memcmp(b, before[i], lengths[i]));
	CHECK(readlink("/proc/self/exe", link, 255) > 0 && !strcmp(link, exe));
	memset(link, 0, sizeof(link));
	CHECK(readlink("/proc/self/cwd", link, 255) > 0 && !strcmp(link, cwd));
}

/* ---- working directories: one below, one that is gone, another root */
static int in_deeper(void)
{
	char b[256];

	if (mkdir("deep", 0755) || chdir("deep"))
		return 0;
	close(creat("here", 0644));
	said[2] = 1;
	return waits_for_go() && !access("here", F_OK) &&
	       getcwd(b, 256) && !strcmp(strrchr(b, '/'), "/deep") &&
	       !unlink("here") && !chdir("..") && !rmdir("deep");
}
static int in_deleted(void)
{
	char b[256];

	if (mkdir("vanishing", 0755) || chdir("vanishing") ||
	    rmdir("../vanishing"))
		return 0;
	said[3] = 1;
	return waits_for_go() && !getcwd(b, 256) && errno == ENOENT &&
	       creat("x", 0600) == -1 && errno == ENOENT && !chdir("/");
}
CHILD(deeper, in_deeper())
CHILD(vanished, in_deleted())

static void places_setup(void)
{
	FORK(deeper);
	FORK(vanished);
	while ((!said[2] && ALIVE(deeper)) || (!said[3] && ALIVE(vanished)))
		sleep_ms(1);
	CHECK(ALIVE(deeper) && ALIVE(vanished));
}
static void places_verify(void)
{
	CHECK(ENDED(deeper) == 0);
	CHECK(ENDED(vanished) == 0);
}

/* ---- who is told of a parent's death, and orphans */
static int *orphan;
static int parent_of_told(void)
{
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		orphan[0] = 1;
		stays();
	}
	return waits_for_go();
}
static int parent_of_orphan(void)
{
	if (!fork()) {
		orphan[1] = 1;
		waits_for_go();
		_exit(55);
	}
	return 1;
}
CHILD(told, parent_of_told())
CHILD(leaves, parent_of_orphan())

static void orphans_setup(void)
{
	orphan = shared_memory(4096);
	FORK(told);
	FORK(leaves);
	while (!((volatile int *)orphan)[0] || !((volatile int *)orphan)[1])
		sleep_ms(1);
	CHECK(ENDED(leaves) == 0);
}
static void orphans_verify(void)
{
	int st, i, codes = 0;

	CHECK(ENDED(told) == 0);
	for (i = 0; i < 2; i++) { /* both came to us, the sub-reaper */
		if (wait(&st) < 0)
			break;
		codes += WIFEXITED(st) ? WEXITSTATUS(st) : WTERMSIG(st);
	}
	CHECK(codes == 55 + SIGKILL);
	CHECK_ERRNO(wait(&st), ECHILD);
}

static void go_setup(void) { CHECK(!pipe(go_pipe)); }
/* ---- a call whose site was rewritten, with the instructions behind it; a
 * filter answers it by a signal, whose handler returns to the call's own place,
 * the middle of what now lies in the image */
__attribute__((naked, noinline)) static long own_site(long nr)
{
	__asm__("mov %rdi, %rax\n\t"
		"jmp 1f\n"
		"1:\tsyscall\n\t"
		"cmp $-4095, %rax\n\t"
		"ret");
}
static void on_sigsys(int sig, siginfo_t *i, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = i->si_syscall;
}
static void trap_calls(unsigned nr)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 4, f };
	struct sigaction sa = { .sa_sigaction = on_sigsys,
				.sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &sa, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}
static int *site_turn;
static int calls_on(void)
{
	int i, bad = 0;

	trap_calls(SYS_getppid);
	for (i = 0; i < 10; i++)
		bad += own_site(SYS_getppid) != SYS_getppid;
	comes(site_turn);
	for (i = 0; i < 10; i++)
		bad += own_site(SYS_getppid) != SYS_getppid ||
		       own_site(SYS_getpid) != getpid();
	return !bad;
}
CHILD(calls, calls_on())
static void sites_setup(void)
{
	site_turn = shared_memory(sizeof(*site_turn));
	CHECK(own_site(SYS_getpid) == getpid());
	FORK(calls);
}
static void sites_verify(void)
{
	*site_turn = 1;
	CHECK(ENDED(calls) == 0);
}

static const struct save_case cases[] = {
	{ "go", go_setup, NULL }, CASE(family), CASE(waits), CASE(identity),
	CASE(sites), CASE(proc), CASE(places), CASE(orphans),
};
SAVE_MAIN(cases)
