/*
 * seccomp_calls.c - a program's own filters: actions, SIGSYS, inheritance,
 * threads, strict mode, and what is refused.
 */
#include "check.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

#define LOAD(field)                                                          \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(value) BPF_STMT(BPF_RET | BPF_K, value)
#define IF_NR(n, value)                                                      \
	LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1), RET(value)
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static long load(struct sock_filter *f, unsigned n, unsigned flags)
{
	struct sock_fprog p = { n, f };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* One call with one result; all others are allowed. */
static long answer_call(int nr, unsigned result, unsigned flags)
{
	struct sock_filter f[] = { IF_NR(nr, result),
				   RET(SECCOMP_RET_ALLOW) };

	return load(f, COUNT(f), flags);
}

static void no_privs(void)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static char *status_line(const char *name)
{
	static char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			break;
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* ---- what each action does -------------------------------------------------- */
static void with_errno(void)
{
	no_privs();
	CHECK(prctl(PR_GET_SECCOMP) == 0);
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, 0) == 0);
	CHECK(prctl(PR_GET_SECCOMP) == 2);
	CHECK_ERRNO(syscall(SYS_getppid), EDOM);
	CHECK_ERRNO(syscall(SYS_getppid), EDOM);
	CHECK(getpid() > 0);
	/* the newest does not hide the older one, nor the other way round */
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_ALLOW, 0) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), EDOM);
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_ERRNO | ERANGE, 0) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), ERANGE);
	SHOW("%s", status_line("Seccomp:"));
	SHOW("%s", status_line("Seccomp_filters:"));
	SHOW("%s", status_line("NoNewPrivs:"));
	/* no error at all, and more than there are */
	CHECK(answer_call(SYS_getuid, SECCOMP_RET_ERRNO, 0) == 0);
	CHECK(syscall(SYS_getuid) == 0);
	CHECK(answer_call(SYS_getgid, SECCOMP_RET_ERRNO | 0xffff, 0) == 0);
	CHECK_ERRNO(syscall(SYS_getgid), 4095);
	/* a number that no kernel has */
	CHECK_ERRNO(syscall(4711), ENOSYS);
	CHECK(answer_call(4711, SECCOMP_RET_ERRNO | EXDEV, 0) == 0);
	CHECK_ERRNO(syscall(4711), EXDEV);
}

static void other_actions(void)
{
	no_privs();
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_TRACE | 7, 0) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), ENOSYS);
	CHECK(answer_call(SYS_getuid, SECCOMP_RET_USER_NOTIF, 0) == 0);
	CHECK_ERRNO(syscall(SYS_getuid), ENOSYS);
	CHECK(answer_call(SYS_getgid, SECCOMP_RET_LOG, 0) == 0);
	CHECK(syscall(SYS_getgid) == getegid());
}

static void arguments(void)
{
	struct sock_filter f[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RET(SECCOMP_RET_ERRNO | ENOSYS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup2, 1, 0),
		RET(SECCOMP_RET_ALLOW),
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x89abcdef, 0, 3),
		LOAD(args[0]) , /* patched: its high half */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x01234567, 0, 1),
		RET(SECCOMP_RET_ERRNO | EXFULL),
		LOAD(args[1]),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1),
		RET(SECCOMP_RET_ERRNO | EXDEV),
		RET(SECCOMP_RET_ALLOW),
	};

	f[8].k += 4;
	no_privs();
	CHECK(load(f, COUNT(f), 0) == 0);
	CHECK_ERRNO(syscall(SYS_dup2, 0x0123456789abcdef, 7), EXFULL);
	CHECK_ERRNO(syscall(SYS_dup2, -1, 101), EXDEV);
	CHECK_ERRNO(syscall(SYS_dup2, -1, 100), EBADF);
}

/* ---- SIGSYS -------------------------------------------------------------------- */
static volatile int trapped;
static siginfo_t trap_info;
static unsigned long trap_rip, trap_rax;

static void on_sigsys(int sig, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;

	trapped++;
	trap_info = *si;
	trap_rip = (unsigned long)uc->uc_mcontext.gregs[REG_RIP];
	trap_rax = (unsigned long)uc->uc_mcontext.gregs[REG_RAX];
	uc->uc_mcontext.gregs[REG_RAX] = 1234;
}

/* Two places of a call, as compilers write them. */
extern char after_first[], after_second[];
static long __attribute__((noinline)) call_first(void)
{
	long r;

	__asm__ volatile("movl %1, %%eax\n\tsyscall\n"
			 ".globl after_first\nafter_first:\n"
			 : "=a"(r) : "i"(SYS_getppid) : "rcx", "r11", "memory");
	return r;
}
static long __attribute__((noinline)) call_second(long nr)
{
	long r;

	__asm__ volatile("syscall\n.globl after_second\nafter_second:\n\t"
			 "cmpq $-4095, %%rax\n\tmov %%rax, %%rdx\n"
			 : "=a"(r) : "0"(nr) : "rcx", "rdx", "r11", "memory");
	return r;
}

static void with_trap(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys,
				.sa_flags = SA_SIGINFO };
	long warm = 0;

	for (int i = 0; i < 3; i++) /* these sites are well used */
		warm += call_first() + call_second(SYS_getppid);
	CHECK(warm == 6 * getppid());
	sigaction(SIGSYS, &sa, NULL);
	no_privs();
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_TRAP | 77, 0) == 0);
	CHECK(call_first() == 1234 && trapped == 1);
	CHECK(trap_info.si_signo == SIGSYS && trap_info.si_code == 1);
	CHECK(trap_info.si_errno == 77);
	CHECK(trap_info.si_syscall == SYS_getppid);
	CHECK(trap_info.si_arch == AUDIT_ARCH_X86_64);
	CHECK(trap_info.si_call_addr == (void *)after_first);
	CHECK(trap_rip == (unsigned long)after_first);
	CHECK(trap_rax == SYS_getppid);
	CHECK(call_second(SYS_getppid) == 1234 && trapped == 2);
	CHECK(trap_info.si_call_addr == (void *)after_second);
	CHECK(trap_rip == (unsigned long)after_second);
	CHECK(call_second(SYS_getpid) == getpid() && trapped == 2);
}

/* A filter may tell by where a call stands. */
static void by_place(void)
{
	unsigned long to = (unsigned long)after_second;
	struct sock_filter f[] = {
		LOAD(instruction_pointer),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)to, 0, 3),
		LOAD(instruction_pointer),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(to >> 32), 0, 1),
		RET(SECCOMP_RET_ERRNO | EXFULL),
		RET(SECCOMP_RET_ALLOW),
	};

	f[2].k += 4;
	for (int i = 0; i < 3; i++)
		call_second(SYS_getppid);
	no_privs();
	CHECK(load(f, COUNT(f), 0) == 0);
	CHECK(call_second(SYS_getppid) == -EXFULL);
	CHECK(call_first() == getppid());
}

static void trap_unhandled(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGSYS, SIG_IGN);
	no_privs();
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_TRAP, 0) == 0);
	syscall(SYS_getppid);
	CHECK(!"not reached");
}

static void kill_process(void)
{
	signal(SIGSYS, SIG_IGN);
	no_privs();
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0) == 0);
	syscall(SYS_getppid);
	CHECK(!"not reached");
}

static void unknown_action(void)
{
	no_privs();
	CHECK(answer_call(SYS_getppid, 0x12340000, 0) == 0);
	syscall(SYS_getppid);
	CHECK(!"not reached");
}

static void *call_in_thread(void *arg)
{
	answer_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
	syscall(SYS_getppid);
	*(int *)arg = 1;
	return NULL;
}

static void kill_thread(void)
{
	int reached = 0;
	pthread_t t;

	no_privs();
	pthread_create(&t, NULL, call_in_thread, &reached);
	pthread_join(t, NULL);
	CHECK(!reached);
	CHECK(syscall(SYS_getppid) > 0);
	call_in_thread(&reached);
	CHECK(!"not reached");
}

/* ---- who has it ------------------------------------------------------------------- */
static void inherited(const char *self)
{
	char uid[16];
	int st;

	snprintf(uid, sizeof(uid), "%u", getuid());
	no_privs();
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, 0) == 0);
	if (fork() == 0) {
		CHECK_ERRNO(syscall(SYS_getppid), EDOM);
		execl(self, self, "inherited", uid, NULL);
		_exit(9);
	}
	CHECK(wait(&st) > 0 && st == 0);
}

static pthread_barrier_t barrier;

static void *sync_thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	errno = 0;
	CHECK_ERRNO(syscall(SYS_getppid), EDOM);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return NULL;
}

static void synchronised(void)
{
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&t, NULL, sync_thread, NULL);
	no_privs();
	pthread_barrier_wait(&barrier);
	CHECK(answer_call(SYS_getuid, SECCOMP_RET_ALLOW, 0) == 0);
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_ERRNO | EDOM,
			  SECCOMP_FILTER_FLAG_TSYNC) == 0);
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
}

static pid_t own_tid;
static void *own_way(void *arg)
{
	own_tid = gettid();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	answer_call(SYS_getuid, SECCOMP_RET_ALLOW, 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	CHECK(syscall(SYS_getppid) > 0);
	return NULL;
}

static void not_synchronised(void)
{
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&t, NULL, own_way, NULL);
	no_privs();
	pthread_barrier_wait(&barrier);
	CHECK(answer_call(SYS_getppid, SECCOMP_RET_ERRNO | EDOM,
			  SECCOMP_FILTER_FLAG_TSYNC) == own_tid);
	CHECK_ERRNO(answer_call(SYS_getppid, SECCOMP_RET_ERRNO | EDOM,
		SECCOMP_FILTER_FLAG_TSYNC | (1 << 4)), ESRCH);
	CHECK(syscall(SYS_getppid) > 0);
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
}

/* ---- strict mode --------------------------------------------------------------------- */
static void strict_ok(void)
{
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	if (write(1, "ok strict write\n", 16) == 16)
		syscall(SYS_exit, 0);
}

static void strict_killed(void)
{
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	syscall(SYS_getpid);
	if (write(1, "FAIL strict\n", 12) < 0)
		syscall(SYS_exit, 1);
}

/* ---- what is refused --------------------------------------------------------------------- */
static void refused(void)
{
	struct sock_filter allow[] = { RET(SECCOMP_RET_ALLOW) };
	struct sock_filter open_end[] = { LOAD(nr) };
	struct sock_filter bad_load[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), allow[0] };
	struct sock_filter odd_load[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), allow[0] };
	struct sock_filter half_load[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), allow[0] };
	struct sock_filter unset[] = { BPF_STMT(BPF_LD | BPF_MEM, 3),
				       allow[0] };
	struct sock_filter modulo[] = {
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), allow[0] };
	struct sock_filter out[] = { BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
				     allow[0] };
	struct sock_fprog none = { 0, allow }, much = { 4097, allow },
			  wild = { 1, (void *)8 };
	struct sock_fprog good = { 1, allow };
	static struct sock_filter big[4096];
	unsigned action, i;

	/* without the right to, everything else being right */
	CHECK_ERRNO(load(allow, 1, 0), EACCES);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &good), EACCES);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	no_privs();
	CHECK_ERRNO(load(open_end, 1, 0), EINVAL);
	CHECK_ERRNO(load(bad_load, 2, 0), EINVAL);
	CHECK_ERRNO(load(odd_load, 2, 0), EINVAL);
	CHECK_ERRNO(load(half_load, 2, 0), EINVAL);
	CHECK_ERRNO(load(unset, 2, 0), EINVAL);
	CHECK_ERRNO(load(modulo, 2, 0), EINVAL);
	CHECK_ERRNO(load(out, 2, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 1, 0, &none), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 1, 0, &much), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 1, 0, &wild), EFAULT);
	CHECK_ERRNO(syscall(SYS_seccomp, 1, 0, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_seccomp, 1, 1 << 20, &good), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 77, 0, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 0, 1, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 0, 0, &good), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 3), EINVAL);
	action = SECCOMP_RET_TRAP;
	CHECK(syscall(SYS_seccomp, 2, 0, &action) == 0);
	CHECK_ERRNO(syscall(SYS_seccomp, 2, 1, &action), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 2, 0, 8), EFAULT);
	action = 0x12340000;
	CHECK_ERRNO(syscall(SYS_seccomp, 2, 0, &action), EOPNOTSUPP);
	/* not strict after a filter, and not without end */
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &good) == 0);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
	for (i = 0; i < 4096; i++)
		big[i] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	for (i = 0; i < 20 && load(big, 4096, 0) == 0; i++)
		;
	CHECK(i >= 3 && i < 20 && errno == ENOMEM);
}

static void in_child(const char *name, void (*fn)(void))
{
	int st;

	fflush(stdout);
	if (fork() == 0) {
		if (setresgid(65534, 65534, 65534) && geteuid() == 0)
			_exit(8);
		if (setresuid(65534, 65534, 65534) && geteuid() == 0)
			_exit(8);
		fn();
		_exit(check_done());
	}
	wait(&st);
	SHOW("%s: status %#x", name, st & ~0x80);
}

static const char *self_path;
static void run_inherited(void) { inherited(self_path); }

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*fn)(void); } all[] = {
		{ "errno", with_errno }, { "others", other_actions },
		{ "arguments", arguments }, { "trap", with_trap },
		{ "by place", by_place }, { "no handler", trap_unhandled },
		{ "kill process", kill_process },
		{ "unknown", unknown_action }, { "kill thread", kill_thread },
		{ "inherited", run_inherited }, { "sync", synchronised },
		{ "no sync", not_synchronised }, { "strict", strict_ok },
		{ "strict, killed", strict_killed }, { "refused", refused },
	};

	if (argc > 1) {
		CHECK_ERRNO(syscall(SYS_getppid), EDOM);
		CHECK(argc > 2 && getuid() == (uid_t)atoi(argv[2]));
		return check_done();
	}
	self_path = "/proc/self/exe";
	for (size_t i = 0; i < COUNT(all); i++)
		in_child(all[i].name, all[i].fn);
	return check_done();
}
