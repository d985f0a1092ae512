/*
 * lockdown.c - what the running monitor keeps for itself.
 *
 * It has no capability and an empty root already.  Here it gives up every
 * system call that its loop does not use, and, where the host has Landlock,
 * every file outside the trees of the policy, so that a mistake in this
 * program is worth little more than what the policy allows anyway.
 */
#include "mon.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const int allowed[] = {
	/* waiting, and talking to the sandbox and to commands */
	SYS_poll, SYS_ppoll, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom,
	SYS_sendto, SYS_accept4, SYS_read, SYS_write, SYS_close,
	/* looking files up and opening them */
	SYS_openat2, SYS_openat, SYS_fstat, SYS_newfstatat, SYS_readlinkat,
	SYS_getdents64, SYS_lseek, SYS_statx, SYS_fstatfs, SYS_fcntl,
	/* telling what changes there */
	SYS_inotify_init1, SYS_inotify_add_watch, SYS_fchdir,
	/* changing them, in writable volumes */
	SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat,
	SYS_renameat2, SYS_fchmodat2, SYS_fchmod, SYS_fchownat,
	SYS_utimensat, SYS_ftruncate, SYS_fsync, SYS_fdatasync,
	/* published ports and what the library OS waits on */
	SYS_listen, SYS_setsockopt, SYS_shutdown, SYS_socketpair,
	SYS_epoll_create1, SYS_eventfd2,
	/* deaths of picoprocesses */
	SYS_wait4,
	/* clocks and entropy for the sandbox */
	SYS_clock_gettime, SYS_getrandom,
	/* the end, and the C library's own */
	SYS_exit_group, SYS_exit, SYS_rt_sigreturn, SYS_rt_sigprocmask,
	SYS_restart_syscall,
};
/* Only where the monitor makes connections (--network host). */
static const int network[] = { SYS_socket, SYS_connect };

#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))
#define NETWORK (sizeof(network) / sizeof(network[0]))

static unsigned filter_allow(struct sock_filter *f, const int *list,
			     size_t count)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)list[i], 0, 1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						      SECCOMP_RET_ALLOW);
	}
	return n;
}

/* kill(-1, SIGKILL): the end of all in its own pid namespace (loop.c). */
#define KILL_ALL 8u
static unsigned filter_kill_all(struct sock_filter *f)
{
	const struct sock_filter all[KILL_ALL] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGKILL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};

	memcpy(f, all, sizeof(all));
	return KILL_ALL;
}

static int filter_install(bool with_network)
{
	static struct sock_filter f[8 + 2 * (ALLOWED + NETWORK) + KILL_ALL];
	struct sock_fprog prog = { .filter = f };
	unsigned n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, arch));
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		AUDIT_ARCH_X86_64, 1, 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
		SECCOMP_RET_KILL_PROCESS);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, nr));
	n += filter_allow(f + n, allowed, ALLOWED);
	if (with_network)
		n += filter_allow(f + n, network, NETWORK);
	n += filter_kill_all(f + n);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
		SECCOMP_RET_KILL_PROCESS);
	prog.len = (unsigned short)n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

/* ---- Landlock ------------------------------------------------------------- */
#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | \
		       LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define LANDLOCK_NEVER (LANDLOCK_ACCESS_FS_EXECUTE | \
			LANDLOCK_ACCESS_FS_MAKE_CHAR | \
			LANDLOCK_ACCESS_FS_MAKE_BLOCK)

/* Truncation and moves between directories came later than the first
 * Landlock; the numbers are the kernel's. */
static uint64_t landlock_handled(int version)
{
	uint64_t all = LANDLOCK_ALL;

	if (version >= 2)
		all |= 1ull << 13; /* REFER */
	if (version >= 3)
		all |= 1ull << 14; /* TRUNCATE */
	return all;
}

static void landlock_restrict(const struct monitor *m)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
				   LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr set = { 0 };
	unsigned i;
	int fd;

	if (version < 1)
		return;
	set.handled_access_fs = landlock_handled(version);
	fd = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	for (i = 0; fd >= 0 && i < m->tree_count; i++) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = m->trees[i].read_only ?
				LANDLOCK_READ :
				set.handled_access_fs & ~LANDLOCK_NEVER,
			.parent_fd = m->trees[i].fd,
		};

		syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH,
			&rule, 0);
	}
	if (fd < 0)
		return;
	/* On failure the other walls stand: it is one of several. */
	(void)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

int lockdown(struct monitor *m, struct err *e)
{
	struct rlimit none = { 0, 0 };

	landlock_restrict(m);
	if (setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_NPROC, &none))
		return err_set(e, 125, "cannot lower the monitor's limits: %s",
			       strerror(errno));
	if (filter_install(m->network_host))
		return err_set(e, 125, "cannot filter the monitor's system "
			       "calls: %s", strerror(errno));
	return 0;
}
