/*
 * libos_robust.c - the library OS under bad luck and bad programs: memory
 * that runs out at every allocation in turn, and random system calls.
 *
 * Nothing may break, hang or be lost; what the calls answer is theirs.
 */
#include "unit.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>

/* ---- no memory ------------------------------------------------------------------ */
static void some_names(void)
{
	long fd = SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);

	SYS(write, fd, "some text", 9);
	SYS(pwrite64, fd, "far away", 8, 1000000);
	SYS(mkdir, "/tmp/d", 0755);
	SYS(symlink, "f", "/tmp/s");
	SYS(link, "/tmp/f", "/tmp/d/g");
	SYS(rename, "/tmp/d/g", "/tmp/h");
	SYS(access, "/proc/self/status", 0);
	SYS(unlink, "/tmp/f");
	SYS(unlink, "/tmp/d/g");
	SYS(unlink, "/tmp/h");
	SYS(unlink, "/tmp/s");
	SYS(rmdir, "/tmp/d");
}

static void some_lower(void)
{
	long fd = SYS(openat, AT_FDCWD, "/etc/conf", O_RDWR);
	char b[300];

	SYS(write, fd, "new", 3);
	SYS(rename, "/etc/conf", "/etc/moved");
	fd = SYS(openat, AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY);
	while (SYS(getdents64, fd, b, sizeof(b)) > 0)
		;
	fd = SYS(openat, AT_FDCWD, "/volume/etc/conf", O_RDWR);
	SYS(read, fd, b, 10);
	SYS(rename, "/etc/moved", "/etc/conf");
}

static void some_pipes(void)
{
	struct { u32 events; u64 data; } __attribute__((packed)) ev = { 1, 0 };
	int p[2] = { -1, -1 }, q[2] = { -1, -1 };
	long ep = SYS(epoll_create1, 0), t;
	char b[16];
	u64 set = 1 << 9;

	SYS(pipe2, p, O_NONBLOCK);
	SYS(socketpair, 1, 1 | O_NONBLOCK, 0, q);
	SYS(epoll_ctl, ep, 1, p[0], &ev);
	SYS(epoll_ctl, ep, 1, q[0], &ev);
	SYS(write, p[1], "text", 4);
	SYS(write, q[1], "text", 4);
	SYS(epoll_wait, ep, &ev, 1, 0);
	SYS(splice, p[0], 0, q[0], 0, 2, 2);
	SYS(read, p[0], b, 16);
	SYS(read, q[0], b, 16);
	SYS(eventfd2, 0, O_NONBLOCK);
	SYS(signalfd4, -1, &set, 8, O_NONBLOCK);
	t = SYS(timerfd_create, 1, O_NONBLOCK);
	SYS(read, t, b, 8);
	SYS(openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NONBLOCK);
	SYS(inotify_init1, O_NONBLOCK);
}

static void some_sockets(void)
{
	struct { u16 family, port; u32 ip; u64 zero; } a = { 2, 0x901f,
							     0x0100007f, 0 };
	long l = SYS(socket, 2, 1 | O_NONBLOCK, 0), c, s;
	char b[8];

	SYS(bind, l, &a, 16);
	SYS(listen, l, 4);
	c = SYS(socket, 2, 1 | O_NONBLOCK, 0);
	SYS(connect, c, &a, 16);
	s = SYS(accept4, l, 0, 0, O_NONBLOCK);
	SYS(write, c, "hello", 5);
	SYS(read, s, b, 8);
	SYS(socket, 2, 2, 0);
	SYS(socket, 16, 3, 0);
}

static void some_ipc(void)
{
	struct { s64 type; char text[8]; } m = { 1, "message" };
	long id;

	id = SYS(semget, 0, 3, 0600);
	SYS(semctl, id, 0, 0);
	id = SYS(msgget, 0, 0600);
	SYS(msgsnd, id, &m, 8, 04000);
	SYS(msgctl, id, 0, 0);
	id = SYS(shmget, 0, 8192, 0600);
	SYS(shmctl, id, 0, 0);
	id = SYS(mq_open, "q", O_RDWR | O_CREAT | O_NONBLOCK, 0600, 0);
	SYS(mq_timedsend, id, "x", 1, 1, 0);
	SYS(mq_unlink, "q");
}

static void some_memory(void)
{
	long a = SYS(mmap, 0, 8 * PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0), b;

	if (a < 0)
		return;
	SYS(mprotect, a + PAGE_SIZE, PAGE_SIZE, 1);
	SYS(munmap, a + 4 * (long)PAGE_SIZE, PAGE_SIZE);
	b = SYS(mremap, a, PAGE_SIZE, 8 * PAGE_SIZE, 1);
	SYS(munmap, a, 8 * PAGE_SIZE);
	if (b > 0)
		SYS(munmap, b, 8 * PAGE_SIZE);
	b = SYS(mmap, 0, 8 * PAGE_SIZE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b > 0)
		SYS(munmap, b, 8 * PAGE_SIZE);
}

static void read_all(const char *path)
{
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY);
	static char b[4096];

	while (SYS(read, fd, b, sizeof(b)) > 0)
		;
}

static void some_proc(void)
{
	read_all("/proc/self/maps");
	read_all("/proc/self/status");
	read_all("/proc/mounts");
	read_all("/proc/net/tcp");
	read_all("/proc/meminfo");
}

static void with_failures(void (*fn)(void))
{
	struct ksigaction ignore = { .handler = 1 };
	long objects, pages;
	unsigned n;

	SYS(rt_sigaction, SIGPIPE, &ignore, 0, 8);
	fn(); /* what is made once */
	SYS(close_range, 0, ~0u, 0);
	objects = fake_heap_objects;
	pages = fake_heap_pages;
	for (n = 1; n < 400; n++) {
		fake_heap_fail = n;
		fn();
		if (fake_heap_fail)
			break; /* more than it ever allocates */
		SYS(close_range, 0, ~0u, 0);
	}
	fake_heap_fail = 0;
	SYS(close_range, 0, ~0u, 0);
	CHECK(n > 1 && n < 400);
	fn();
	SYS(close_range, 0, ~0u, 0);
	/* caches may have grown by a little */
	if (fake_heap_objects > objects + 3)
		printf("%ld objects lost\n", fake_heap_objects - objects);
	CHECK(fake_heap_objects <= objects + 3);
	CHECK(fake_heap_pages <= pages + 16);
}

UNIT(robust_names) { with_failures(some_names); }
UNIT(robust_pipes) { with_failures(some_pipes); }
UNIT(robust_sockets) { with_failures(some_sockets); }
UNIT(robust_ipc) { with_failures(some_ipc); }
UNIT(robust_memory) { with_failures(some_memory); }
UNIT(robust_proc) { with_failures(some_proc); }
UNIT(robust_lower)
{
	fake_tree_dir("etc", 0755);
	fake_tree_file("etc/conf", "old text", 0644);
	with_failures(some_lower);
}

/* ---- random calls ------------------------------------------------------------------- */
/* Not these: they end the test, or leave it. */
static const u16 excluded[] = {
	__NR_exit, __NR_exit_group, __NR_execve, __NR_execveat, __NR_fork,
	__NR_vfork, __NR_clone, __NR_clone3, __NR_kill, __NR_tkill,
	__NR_tgkill, __NR_rt_sigqueueinfo, __NR_rt_tgsigqueueinfo,
	__NR_pidfd_send_signal, __NR_rt_sigreturn, __NR_rt_sigaction,
	__NR_setitimer, __NR_rt_sigprocmask, __NR_chroot, __NR_close_range,
	__NR_arch_prctl, __NR_shmdt, __NR_shmat, __NR_restart_syscall,
	__NR_prlimit64, __NR_setrlimit, __NR_timer_settime, __NR_alarm,
	__NR_seccomp,
};

static char area[3][8192];

static u64 any_number(void)
{
	static const u64 some[] = { 0, 1, 2, 8, 4095, 4096, 65536, 1u << 31,
				    ~0ul, ~0ul >> 1, 1ul << 32, 1ul << 47,
				    (u64)-4096, 0x6a0040000000, 16, 100 };

	return unit_random(3) ? unit_random(64) : some[unit_random(
		ARRAY_SIZE(some))];
}

/* Guest memory that is the test's own; numbers and paths in it. */
static u64 any_pointer(void)
{
	static const char *const paths[] = { "/tmp/a", "/tmp/b", "/tmp", "/",
		"/proc/self/maps", "/dev/ptmx", "/dev/null", "a", "..",
		"/tmp/a/b", "/volume/x", "/etc/conf", "/proc/self/fd",
		"/dev/pts/0", "/sys", "/dev/shm/x" };
	char *at = area[unit_random(3)];

	if (unit_random(3) == 0)
		strlcpy(at, paths[unit_random(ARRAY_SIZE(paths))], 64);
	else if (unit_random(3) == 0)
		for (int i = 0; i < 8; i++)
			((u64 *)(void *)at)[i] = unit_random(2) ? any_number()
				: (u64)area[unit_random(3)];
	return unit_random(20) ? (u64)at : any_number();
}

static u64 any_argument(void)
{
	switch (unit_random(3)) {
	case 0: return unit_random(24); /* a descriptor */
	case 1: return any_pointer();
	default: return any_number();
	}
}

static bool is_excluded(u32 nr)
{
	for (u32 i = 0; i < ARRAY_SIZE(excluded); i++)
		if (excluded[i] == nr)
			return true;
	return false;
}

/* What maps memory may do so only where nothing of the test's own is. */
static bool is_harmless(u32 nr, const u64 *a)
{
	switch (nr) {
	case __NR_mmap: case __NR_munmap: case __NR_mprotect:
	case __NR_madvise: case __NR_remap_file_pages: case __NR_brk:
	case __NR_pkey_mprotect: case __NR_process_madvise:
		return a[0] == 0 || a[0] >= 0x690000000000;
	case __NR_mremap:
		return a[0] >= 0x690000000000 && a[4] >= 0x690000000000;
	case __NR_prctl:
		return a[0] != 22; /* PR_SET_SECCOMP: calls may kill */
	default:
		return true;
	}
}

static void tick(int sig, const siginfo_t *si, void *uc)
{
}

static void refill(void)
{
	static const char *const opened[] = { "/tmp/a", "/tmp/b", "/dev/ptmx",
		"/proc/self/status", "/tmp", "/etc/conf", "/volume" };
	int p[2];

	for (u32 i = 0; i < ARRAY_SIZE(opened); i++)
		SYS(openat, AT_FDCWD, opened[i], (unit_random(2) ? O_RDWR :
		    O_RDONLY) | O_CREAT | O_NONBLOCK, 0600);
	SYS(pipe2, p, O_NONBLOCK);
	SYS(socketpair, 1, 1 | O_NONBLOCK, 0, p);
	SYS(socketpair, 1, 2 | O_NONBLOCK, 0, p);
	SYS(socket, 2, 1 | O_NONBLOCK, 0);
	SYS(eventfd2, 0, O_NONBLOCK);
	SYS(epoll_create1, 0);
	SYS(timerfd_create, 1, O_NONBLOCK);
	SYS(inotify_init1, O_NONBLOCK);
}

/* A tick every 10 ms of the guest's time ends each wait, unless the call has
 * blocked it: then that ends after a while. */
static int (*idle_before)(uint64_t deadline_ns);

static int idle_unblock(uint64_t deadline_ns)
{
	static unsigned times;

	if (++times % 64 == 0) {
		signal_set_mask(current(), 0);
		task_wake(current());
	}
	return idle_before(deadline_ns);
}

static void begin_ticks(void)
{
	struct ksigaction sa = { (u64)tick, 0x04000000, 1, 0 };
	s64 every[4] = { 0, 10000, 0, 10000 };
	u64 none = 0;

	for (int sig = 1; sig <= NSIG; sig++)
		SYS(rt_sigaction, sig, &sa, 0, 8);
	SYS(rt_sigprocmask, 2, &none, 0, 8);
	SYS(setitimer, 0, every, 0);
}

static void random_calls(bool memory_fails)
{
	u64 a[6];

	fake_tree_dir("etc", 0755);
	fake_tree_file("etc/conf", "old text", 0644);
	idle_before = fake_idle;
	fake_idle = idle_unblock;
	fake_guest_overruns = true;
	for (int round = 0; round < 60000; round++) {
		u32 nr = unit_random(sys_table_size);

		if (round % 200 == 0) {
			SYS(close_range, 0, ~0u, 0);
			SYS(chdir, "/");
			refill();
		}
		if (round % 20 == 0)
			begin_ticks();
		for (int i = 0; i < 6; i++)
			a[i] = any_argument();
		if (is_excluded(nr) || !is_harmless(nr, a))
			continue;
		if (memory_fails && unit_random(20) == 0)
			fake_heap_fail = 1 + unit_random(20);
		unit_sys((long)nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	CHECK(true);
}

UNIT(robust_random_calls) { random_calls(false); }
UNIT(robust_random_no_memory) { random_calls(true); }
