/*
 * steps.c - how many instructions a system call takes inside bailey.
 *
 *   steps COMMAND...   runs COMMAND, which is to start this same program
 *                      inside (without arguments), and prints for each
 *                      operation "NAME INSTRUCTIONS"
 *   steps              that program: waits to be watched, does each operation
 *                      some times, and ends
 *
 * Every instruction that the picoprocess executes is stepped through
 * (ptrace), from the program's own through the library OS and the host layer
 * to the host's system calls, which count as one each; so does a repeated
 * string instruction.  The host's clock code is left out.  A fork's child is
 * stepped through as well, and counts to the operation.  No counter of the
 * processor is needed, and other work on the machine changes nothing.  The
 * least of several is printed.
 *
 * The program is linked statically at fixed addresses, so that who watches
 * finds "marks" and mark() where they are in itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bailey/boot.h>

#define MAGIC 0x6d61726b73746570ul
#define WARM 4    /* times that are not counted: sites are rewritten, caches
		     filled */
#define REPEATS 7
#define TRACEES 64
#define ALONE PTRACE_O_EXITKILL
#define CHILDREN (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
		  PTRACE_O_TRACECLONE)

struct marks {
	uint64_t magic;
	volatile uint32_t go; /* set by who watches */
	volatile uint32_t op; /* waits for go before this one, from 1 */
} __attribute__((aligned(4096)));

struct marks marks = { .magic = 0 };

__attribute__((noinline)) static void mark(void)
{
	__asm__ volatile("" ::: "memory");
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the operations, inside ----------------------------------------------- */
static int fd_a, fd_b;
static char buffer[4096];

static void op_nothing(void) { }
static void op_getppid(void) { syscall(SYS_getppid); }
static void op_clock(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
}
static void op_sigprocmask(void)
{
	uint64_t set = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, 8);
}
static void op_futex_wake(void)
{
	static uint32_t word;

	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
static void setup_zero(void) { fd_a = open("/dev/zero", O_RDONLY); }
static void setup_null(void) { fd_a = open("/dev/null", O_WRONLY); }
static void op_read1(void)
{
	if (read(fd_a, buffer, 1) != 1)
		die("read");
}
static void op_write1(void)
{
	if (write(fd_a, buffer, 1) != 1)
		die("write");
}
static void setup_layer(void)
{
	fd_a = open("/tmp/steps", O_RDWR | O_CREAT, 0600);
	if (fd_a < 0 || write(fd_a, buffer, sizeof(buffer)) != sizeof(buffer))
		die("/tmp/steps");
}
static void setup_host(void)
{
	fd_a = open("/usr/bin/env", O_RDONLY);
}
static void op_pread(void)
{
	if (pread(fd_a, buffer, sizeof(buffer), 0) != sizeof(buffer))
		die("pread");
}
static void op_pwrite(void)
{
	if (pwrite(fd_a, buffer, sizeof(buffer), 0) != sizeof(buffer))
		die("pwrite");
}
static void op_open(void)
{
	int fd = open("/usr/bin/true", O_RDONLY);

	if (fd < 0)
		die("open");
	close(fd);
}
static void op_stat(void)
{
	struct stat st;

	if (stat("/usr/bin/true", &st))
		die("stat");
}
static void setup_pipe(void)
{
	int p[2];

	if (pipe(p))
		die("pipe");
	fd_a = p[0];
	fd_b = p[1];
}
static void setup_sockets(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		die("socketpair");
	fd_a = s[0];
	fd_b = s[1];
}
static void op_through(void)
{
	if (write(fd_b, buffer, 64) != 64 || read(fd_a, buffer, 64) != 64)
		die("through");
}
static void setup_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	setup_pipe();
	if (write(fd_b, buffer, 1) != 1)
		die("write");
	e.data.fd = fd_a;
	fd_b = epoll_create1(0);
	if (epoll_ctl(fd_b, EPOLL_CTL_ADD, fd_a, &e))
		die("epoll_ctl");
}
static void op_epoll(void)
{
	struct epoll_event e;

	if (epoll_wait(fd_b, &e, 1, 0) != 1)
		die("epoll_wait");
}
static void on_signal(int s) { (void)s; }
static void setup_signal(void) { signal(SIGUSR1, on_signal); }
static void op_signal(void) { raise(SIGUSR1); }
static void op_mmap(void)
{
	void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	munmap(p, 65536);
}
static void op_fork(void)
{
	pid_t p = fork();

	if (p == 0)
		_exit(0);
	if (p < 0 || waitpid(p, NULL, 0) != p)
		die("fork");
}
static void op_exec(void)
{
	pid_t p = vfork();

	if (p == 0) {
		execl("/proc/self/exe", "steps", "nothing", NULL);
		_exit(127);
	}
	if (p < 0 || waitpid(p, NULL, 0) != p)
		die("vfork");
}

static const struct {
	const char *name;
	void (*setup)(void);
	void (*op)(void);
	int repeats; /* 0: REPEATS */
} ops[] = {
	{ "nothing", NULL, op_nothing, 0 },
	{ "getppid", NULL, op_getppid, 0 },
	{ "clock_gettime", NULL, op_clock, 0 },
	{ "sigprocmask", NULL, op_sigprocmask, 0 },
	{ "futex_wake", NULL, op_futex_wake, 0 },
	{ "read_zero", setup_zero, op_read1, 0 },
	{ "write_null", setup_null, op_write1, 0 },
	{ "pread_4k_private", setup_layer, op_pread, 0 },
	{ "pwrite_4k_private", setup_layer, op_pwrite, 0 },
	{ "pread_4k_host", setup_host, op_pread, 0 },
	{ "open_close", NULL, op_open, 0 },
	{ "stat", NULL, op_stat, 0 },
	{ "pipe_write_read", setup_pipe, op_through, 0 },
	{ "unix_write_read", setup_sockets, op_through, 0 },
	{ "epoll_wait_ready", setup_epoll, op_epoll, 0 },
	{ "signal_self", setup_signal, op_signal, 0 },
	{ "mmap_munmap", NULL, op_mmap, 0 },
	{ "fork_exit_wait", NULL, op_fork, 3 },
	{ "vfork_exec_wait", NULL, op_exec, 2 },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static int inside(void)
{
	marks.magic = MAGIC;
	for (uint32_t i = 0; i < OPS; i++) {
		if (ops[i].setup)
			ops[i].setup();
		for (int k = 0; k < WARM; k++)
			ops[i].op();
		for (int k = 0; k < (ops[i].repeats ?: REPEATS); k++) {
			marks.op = i + 1;
			while (!marks.go)
				;
			mark();
			ops[i].op();
			mark();
			marks.go = 0;
		}
	}
	return 0;
}

/* ---- who watches ------------------------------------------------------------ */
struct tracee {
	pid_t pid;
	uint64_t rip;
	bool skips; /* runs to the end of a repeated string instruction */
};
static struct tracee tracees[TRACEES]; /* 0: the program's first process */
static unsigned others;
static uint64_t least[OPS];

static bool copy_from(pid_t pid, uint64_t at, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)at, size };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static bool read_marks(pid_t pid, struct marks *m)
{
	return copy_from(pid, (uint64_t)&marks, m, sizeof(*m)) &&
	       m->magic == MAGIC;
}

static void write_mark(pid_t pid, volatile uint32_t *word, uint32_t value)
{
	struct iovec here = { &value, sizeof(value) };
	struct iovec there = { (void *)(uintptr_t)word, sizeof(value) };

	if (process_vm_writev(pid, &here, 1, &there, 1, 0) != sizeof(value))
		die("steps: the program's marks");
}

static bool is_below(pid_t pid, pid_t top)
{
	char path[64], text[512], *at;
	FILE *f;

	while (pid > 1 && pid != top) {
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (!f)
			return false;
		at = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		fclose(f);
		pid = at ? atoi(at + 4) : 0;
	}
	return pid == top;
}

/* A process below the command that has its marks set, or 0. */
static pid_t look(pid_t top)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct marks m;
	pid_t found = 0;

	while (d && !found && (e = readdir(d))) {
		pid_t pid = atoi(e->d_name);

		if (pid > 0 && is_below(pid, top) && read_marks(pid, &m))
			found = pid;
	}
	closedir(d);
	return found;
}

static pid_t find(pid_t top)
{
	for (int i = 0; i < 500; i++) {
		pid_t pid = look(top);

		if (pid)
			return pid;
		usleep(20000);
	}
	fprintf(stderr, "steps: the program does not appear\n");
	exit(1);
}

static struct tracee *tracee_of(pid_t pid)
{
	for (unsigned i = 0; i < TRACEES; i++)
		if (tracees[i].pid == pid)
			return &tracees[i];
	for (unsigned i = 1; i < TRACEES; i++)
		if (!tracees[i].pid) {
			tracees[i] = (struct tracee){ .pid = pid };
			others++;
			return &tracees[i];
		}
	fprintf(stderr, "steps: too many processes\n");
	exit(1);
}

static long set_debug(pid_t pid, int reg, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, pid,
		      offsetof(struct user, u_debugreg[0]) + 8 * reg, value);
}

/* The size of the repeated string instruction at rip; 0: another one. */
static unsigned repeat_size(pid_t pid, uint64_t rip)
{
	uint8_t b[4];
	unsigned at = 1;

	if (!copy_from(pid, rip, b, sizeof(b)) || (b[0] != 0xf3 &&
						   b[0] != 0xf2))
		return 0;
	if ((b[1] & 0xf0) == 0x40)
		at = 2;
	return b[at] >= 0xa4 && b[at] <= 0xaf ? at + 1 : 0;
}

/* The library OS may have saved it while it was set, and put it back. */
static void clear_trap_flag(pid_t pid)
{
	size_t at = offsetof(struct user, regs.eflags);
	long flags = ptrace(PTRACE_PEEKUSER, pid, at, 0);

	ptrace(PTRACE_POKEUSER, pid, at, flags & ~0x100L);
}

static void go_on(struct tracee *t, int sig)
{
	ptrace(t->skips ? PTRACE_CONT : PTRACE_SINGLESTEP, t->pid, 0, sig);
}

/* One instruction has been executed, or one turn of a repeated one: then the
 * processor is to stop behind it, which is quicker. */
static bool stepped(struct tracee *t)
{
	uint64_t rip = (uint64_t)ptrace(PTRACE_PEEKUSER, t->pid,
					offsetof(struct user, regs.rip), 0);
	unsigned size;

	if (t->skips)
		set_debug(t->pid, 7, 0);
	t->skips = false;
	if (rip != t->rip) {
		t->rip = rip;
		return true;
	}
	size = repeat_size(t->pid, rip);
	t->skips = size && !set_debug(t->pid, 0, rip + size) &&
		   !set_debug(t->pid, 7, 1);
	if (t->skips)
		clear_trap_flag(t->pid);
	return false;
}

/* The host's own clock code, which tries again while the host changes the
 * time: not ours, and not the same each time. */
static bool is_clock(uint64_t rip)
{
	return rip >= BLY_VDSO && rip < BLY_LOCAL;
}

/* A signal that the thread is to get, for a stop that is not a step's. */
static int signal_of(int status)
{
	int sig = WSTOPSIG(status);

	return status >> 16 || sig == SIGSTOP || sig == SIGTRAP ? 0 : sig;
}

/* From the first mark() to the second; what else was started has then ended. */
static uint64_t count_once(void)
{
	uint64_t steps = 0;
	bool has_begun = false, has_ended = false;
	int status;
	pid_t pid;

	go_on(&tracees[0], 0);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct tracee *t = tracee_of(pid);

		if (!WIFSTOPPED(status)) {
			if (t == &tracees[0])
				return 0;
			t->pid = 0;
			others--;
		} else if (!signal_of(status) && !(status >> 16) &&
			   stepped(t)) {
			steps += has_begun && !is_clock(t->rip);
			if (t == &tracees[0] && t->rip == (uint64_t)mark) {
				has_ended = has_begun;
				has_begun = true;
			}
		}
		if (has_ended && !others)
			return steps;
		if (t->pid && !(has_ended && t == &tracees[0]))
			go_on(t, signal_of(status));
	}
	return 0;
}

/* Until it spins before an operation: which; 0 at its end. */
static uint32_t next_op(pid_t pid)
{
	struct marks m;
	int status;

	for (int i = 0; i < 100000; i++) {
		if (waitpid(pid, &status, WNOHANG | __WALL) == pid) {
			if (!WIFSTOPPED(status))
				return 0;
			go_on(&(struct tracee){ .pid = pid, .skips = true },
			      signal_of(status));
		}
		if (read_marks(pid, &m) && m.op && m.op <= OPS && !m.go)
			return m.op;
		usleep(100);
	}
	return 0;
}

static void stop(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		die("steps: ptrace");
}

static void watch(pid_t pid)
{
	uint32_t op;

	while ((op = next_op(pid))) {
		uint64_t steps;

		stop(pid);
		tracees[0] = (struct tracee){ .pid = pid };
		ptrace(PTRACE_SETOPTIONS, pid, 0, ALONE | CHILDREN);
		write_mark(pid, &marks.op, 0);
		write_mark(pid, &marks.go, 1);
		steps = count_once();
		if (steps && (!least[op - 1] || steps < least[op - 1]))
			least[op - 1] = steps;
		ptrace(PTRACE_SETOPTIONS, pid, 0, ALONE);
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
}

static int print(void)
{
	for (unsigned i = 0; i < OPS; i++) {
		if (!least[i]) {
			fprintf(stderr, "steps: %s was not counted\n",
				ops[i].name);
			return 1;
		}
		printf("%-20s %8lu\n", ops[i].name, (unsigned long)least[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pid_t command, pid;

	if (argc < 2)
		return inside();
	if (!strcmp(argv[1], "nothing"))
		return 0;
	command = fork();
	if (command == 0) {
		execvp(argv[1], argv + 1);
		die(argv[1]);
	}
	alarm(120);
	pid = find(command);
	if (ptrace(PTRACE_SEIZE, pid, 0, ALONE))
		die("steps: ptrace");
	/* Each step waits twice for a processor; other work would have its
	 * turn in between.  If that is not allowed, it takes longer. */
	setpriority(PRIO_PROCESS, 0, -15);
	setpriority(PRIO_PROCESS, (id_t)pid, -15);
	watch(pid);
	kill(command, SIGTERM);
	return print();
}
