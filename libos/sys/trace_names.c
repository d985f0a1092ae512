/*
 * trace_names.c - names of flags and constants, for --trace.
 *
 * A set of flags is printed as A|B|0x80, a constant by its name or as a
 * number.  In a set of flags the entry with value 0 is what "no flag" means.
 */
#include "trace.h"

#define N(x, v) { v, #x }

static const struct trace_name oflags[] = {
	N(O_CREAT, 0100), N(O_EXCL, 0200), N(O_NOCTTY, 0400),
	N(O_TRUNC, 01000), N(O_APPEND, 02000), N(O_NONBLOCK, 04000),
	N(O_SYNC, 04010000), N(O_DSYNC, 010000), N(FASYNC, 020000),
	N(O_DIRECT, 040000), N(O_LARGEFILE, 0100000),
	N(O_TMPFILE, 020200000), N(O_DIRECTORY, 0200000),
	N(O_NOFOLLOW, 0400000), N(O_NOATIME, 01000000),
	N(O_CLOEXEC, 02000000), N(O_PATH, 010000000), { 0, NULL },
};
static const struct trace_name prot[] = {
	N(PROT_READ, 1), N(PROT_WRITE, 2), N(PROT_EXEC, 4),
	N(PROT_GROWSDOWN, 0x01000000), { 0, "PROT_NONE" },
};
static const struct trace_name mapflags[] = {
	N(MAP_SHARED_VALIDATE, 3), N(MAP_SHARED, 1), N(MAP_PRIVATE, 2),
	N(MAP_FIXED, 0x10), N(MAP_ANONYMOUS, 0x20), N(MAP_32BIT, 0x40),
	N(MAP_GROWSDOWN, 0x100), N(MAP_DENYWRITE, 0x800),
	N(MAP_EXECUTABLE, 0x1000), N(MAP_LOCKED, 0x2000),
	N(MAP_NORESERVE, 0x4000), N(MAP_POPULATE, 0x8000),
	N(MAP_NONBLOCK, 0x10000), N(MAP_STACK, 0x20000),
	N(MAP_HUGETLB, 0x40000), N(MAP_FIXED_NOREPLACE, 0x100000),
	{ 0, "MAP_FILE" },
};
static const struct trace_name cloneflags[] = {
	N(CLONE_VM, 0x100), N(CLONE_FS, 0x200), N(CLONE_FILES, 0x400),
	N(CLONE_SIGHAND, 0x800), N(CLONE_PIDFD, 0x1000),
	N(CLONE_PTRACE, 0x2000), N(CLONE_VFORK, 0x4000),
	N(CLONE_PARENT, 0x8000), N(CLONE_THREAD, 0x10000),
	N(CLONE_NEWNS, 0x20000), N(CLONE_SYSVSEM, 0x40000),
	N(CLONE_SETTLS, 0x80000), N(CLONE_PARENT_SETTID, 0x100000),
	N(CLONE_CHILD_CLEARTID, 0x200000), N(CLONE_DETACHED, 0x400000),
	N(CLONE_UNTRACED, 0x800000), N(CLONE_CHILD_SETTID, 0x1000000),
	N(CLONE_NEWCGROUP, 0x2000000), N(CLONE_NEWUTS, 0x4000000),
	N(CLONE_NEWIPC, 0x8000000), N(CLONE_NEWUSER, 0x10000000),
	N(CLONE_NEWPID, 0x20000000), N(CLONE_NEWNET, 0x40000000),
	N(CLONE_IO, 0x80000000), N(CLONE_CLEAR_SIGHAND, 0x100000000),
	N(CLONE_INTO_CGROUP, 0x200000000), { 0, NULL },
};
static const struct trace_name atflags[] = {
	N(AT_SYMLINK_NOFOLLOW, 0x100), N(AT_REMOVEDIR, 0x200),
	N(AT_SYMLINK_FOLLOW, 0x400), N(AT_NO_AUTOMOUNT, 0x800),
	N(AT_EMPTY_PATH, 0x1000), N(AT_STATX_FORCE_SYNC, 0x2000),
	N(AT_STATX_DONT_SYNC, 0x4000), { 0, NULL },
};
static const struct trace_name msgflags[] = {
	N(MSG_OOB, 1), N(MSG_PEEK, 2), N(MSG_DONTROUTE, 4), N(MSG_CTRUNC, 8),
	N(MSG_TRUNC, 0x20), N(MSG_DONTWAIT, 0x40), N(MSG_EOR, 0x80),
	N(MSG_WAITALL, 0x100), N(MSG_CONFIRM, 0x800), N(MSG_ERRQUEUE, 0x2000),
	N(MSG_NOSIGNAL, 0x4000), N(MSG_MORE, 0x8000),
	N(MSG_WAITFORONE, 0x10000), N(MSG_CMSG_CLOEXEC, 0x40000000),
	{ 0, NULL },
};
static const struct trace_name fdflags[] = {
	N(CLOEXEC, 02000000), N(NONBLOCK, 04000), N(DIRECT, 040000),
	N(SEMAPHORE, 1), { 0, NULL },
};
static const struct trace_name waitopts[] = {
	N(WNOHANG, 1), N(WSTOPPED, 2), N(WEXITED, 4), N(WCONTINUED, 8),
	N(WNOWAIT, 0x1000000), N(__WNOTHREAD, 0x20000000),
	N(__WALL, 0x40000000), N(__WCLONE, 0x80000000), { 0, NULL },
};
static const struct trace_name access_modes[] = {
	N(R_OK, 4), N(W_OK, 2), N(X_OK, 1), { 0, "F_OK" },
};
static const struct trace_name inmask[] = {
	N(IN_ACCESS, 1), N(IN_MODIFY, 2), N(IN_ATTRIB, 4),
	N(IN_CLOSE_WRITE, 8), N(IN_CLOSE_NOWRITE, 0x10), N(IN_OPEN, 0x20),
	N(IN_MOVED_FROM, 0x40), N(IN_MOVED_TO, 0x80), N(IN_CREATE, 0x100),
	N(IN_DELETE, 0x200), N(IN_DELETE_SELF, 0x400),
	N(IN_MOVE_SELF, 0x800), N(IN_ONLYDIR, 0x1000000),
	N(IN_DONT_FOLLOW, 0x2000000), N(IN_EXCL_UNLINK, 0x4000000),
	N(IN_MASK_ADD, 0x20000000), N(IN_ONESHOT, 0x80000000), { 0, NULL },
};
static const struct trace_name saflags[] = {
	N(SA_NOCLDSTOP, 1), N(SA_NOCLDWAIT, 2), N(SA_SIGINFO, 4),
	N(SA_RESTORER, 0x4000000), N(SA_ONSTACK, 0x8000000),
	N(SA_RESTART, 0x10000000), N(SA_NODEFER, 0x40000000),
	N(SA_RESETHAND, 0x80000000), { 0, NULL },
};
static const struct trace_name epoll_events[] = {
	N(EPOLLIN, 1), N(EPOLLPRI, 2), N(EPOLLOUT, 4), N(EPOLLERR, 8),
	N(EPOLLHUP, 0x10), N(EPOLLRDNORM, 0x40), N(EPOLLRDBAND, 0x80),
	N(EPOLLWRNORM, 0x100), N(EPOLLWRBAND, 0x200), N(EPOLLRDHUP, 0x2000),
	N(EPOLLEXCLUSIVE, 1u << 28), N(EPOLLWAKEUP, 1u << 29),
	N(EPOLLONESHOT, 1u << 30), N(EPOLLET, 1u << 31), { 0, NULL },
};
static const struct trace_name poll_events[] = {
	N(POLLIN, 1), N(POLLPRI, 2), N(POLLOUT, 4), N(POLLERR, 8),
	N(POLLHUP, 0x10), N(POLLNVAL, 0x20), N(POLLRDNORM, 0x40),
	N(POLLRDBAND, 0x80), N(POLLWRNORM, 0x100), N(POLLWRBAND, 0x200),
	N(POLLRDHUP, 0x2000), { 0, NULL },
};
static const struct trace_name mremapflags[] = {
	N(MREMAP_MAYMOVE, 1), N(MREMAP_FIXED, 2), N(MREMAP_DONTUNMAP, 4),
	{ 0, NULL },
};
static const struct trace_name flock_ops[] = {
	N(LOCK_SH, 1), N(LOCK_EX, 2), N(LOCK_NB, 4), N(LOCK_UN, 8),
	{ 0, NULL },
};
static const struct trace_name fcntls[] = {
	N(F_DUPFD, 0), N(F_GETFD, 1), N(F_SETFD, 2), N(F_GETFL, 3),
	N(F_SETFL, 4), N(F_GETLK, 5), N(F_SETLK, 6), N(F_SETLKW, 7),
	N(F_SETOWN, 8), N(F_GETOWN, 9), N(F_SETSIG, 10), N(F_GETSIG, 11),
	N(F_SETOWN_EX, 15), N(F_GETOWN_EX, 16), N(F_OFD_GETLK, 36),
	N(F_OFD_SETLK, 37), N(F_OFD_SETLKW, 38), N(F_SETLEASE, 1024),
	N(F_GETLEASE, 1025), N(F_NOTIFY, 1026), N(F_DUPFD_CLOEXEC, 1030),
	N(F_SETPIPE_SZ, 1031), N(F_GETPIPE_SZ, 1032),
	N(F_ADD_SEALS, 1033), N(F_GET_SEALS, 1034), { 0, NULL },
};
static const struct trace_name whences[] = {
	N(SEEK_SET, 0), N(SEEK_CUR, 1), N(SEEK_END, 2), N(SEEK_DATA, 3),
	N(SEEK_HOLE, 4), { 0, NULL },
};
static const struct trace_name madvices[] = {
	N(MADV_NORMAL, 0), N(MADV_RANDOM, 1), N(MADV_SEQUENTIAL, 2),
	N(MADV_WILLNEED, 3), N(MADV_DONTNEED, 4), N(MADV_FREE, 8),
	N(MADV_REMOVE, 9), N(MADV_DONTFORK, 10), N(MADV_DOFORK, 11),
	N(MADV_MERGEABLE, 12), N(MADV_UNMERGEABLE, 13),
	N(MADV_HUGEPAGE, 14), N(MADV_NOHUGEPAGE, 15), N(MADV_DONTDUMP, 16),
	N(MADV_DODUMP, 17), N(MADV_WIPEONFORK, 18), N(MADV_KEEPONFORK, 19),
	N(MADV_COLD, 20), N(MADV_PAGEOUT, 21), N(MADV_POPULATE_READ, 22),
	N(MADV_POPULATE_WRITE, 23), { 0, NULL },
};
static const struct trace_name futexes[] = {
	N(FUTEX_WAIT, 0), N(FUTEX_WAKE, 1), N(FUTEX_REQUEUE, 3),
	N(FUTEX_CMP_REQUEUE, 4), N(FUTEX_WAKE_OP, 5), N(FUTEX_LOCK_PI, 6),
	N(FUTEX_UNLOCK_PI, 7), N(FUTEX_TRYLOCK_PI, 8),
	N(FUTEX_WAIT_BITSET, 9), N(FUTEX_WAKE_BITSET, 10),
	N(FUTEX_WAIT_REQUEUE_PI, 11), N(FUTEX_CMP_REQUEUE_PI, 12),
	N(FUTEX_LOCK_PI2, 13), { 0, NULL },
};
static const struct trace_name domains[] = {
	N(AF_UNSPEC, 0), N(AF_UNIX, 1), N(AF_INET, 2), N(AF_INET6, 10),
	N(AF_NETLINK, 16), N(AF_PACKET, 17), N(AF_VSOCK, 40), { 0, NULL },
};
static const struct trace_name socktypes[] = {
	N(SOCK_STREAM, 1), N(SOCK_DGRAM, 2), N(SOCK_RAW, 3),
	N(SOCK_SEQPACKET, 5), { 0, NULL },
};
static const struct trace_name solevels[] = {
	N(SOL_IP, 0), N(SOL_SOCKET, 1), N(SOL_TCP, 6), N(SOL_UDP, 17),
	N(SOL_IPV6, 41), N(SOL_NETLINK, 270), { 0, NULL },
};
static const struct trace_name sighows[] = {
	N(SIG_BLOCK, 0), N(SIG_UNBLOCK, 1), N(SIG_SETMASK, 2), { 0, NULL },
};
static const struct trace_name rlimits[] = {
	N(RLIMIT_CPU, 0), N(RLIMIT_FSIZE, 1), N(RLIMIT_DATA, 2),
	N(RLIMIT_STACK, 3), N(RLIMIT_CORE, 4), N(RLIMIT_RSS, 5),
	N(RLIMIT_NPROC, 6), N(RLIMIT_NOFILE, 7), N(RLIMIT_MEMLOCK, 8),
	N(RLIMIT_AS, 9), N(RLIMIT_LOCKS, 10), N(RLIMIT_SIGPENDING, 11),
	N(RLIMIT_MSGQUEUE, 12), N(RLIMIT_NICE, 13), N(RLIMIT_RTPRIO, 14),
	N(RLIMIT_RTTIME, 15), { 0, NULL },
};
static const struct trace_name clocks[] = {
	N(CLOCK_REALTIME, 0), N(CLOCK_MONOTONIC, 1),
	N(CLOCK_PROCESS_CPUTIME_ID, 2), N(CLOCK_THREAD_CPUTIME_ID, 3),
	N(CLOCK_MONOTONIC_RAW, 4), N(CLOCK_REALTIME_COARSE, 5),
	N(CLOCK_MONOTONIC_COARSE, 6), N(CLOCK_BOOTTIME, 7),
	N(CLOCK_REALTIME_ALARM, 8), N(CLOCK_BOOTTIME_ALARM, 9),
	N(CLOCK_TAI, 11), { 0, NULL },
};
static const struct trace_name epollops[] = {
	N(EPOLL_CTL_ADD, 1), N(EPOLL_CTL_DEL, 2), N(EPOLL_CTL_MOD, 3),
	{ 0, NULL },
};
static const struct trace_name ioctls[] = {
	N(TCGETS, 0x5401), N(TCSETS, 0x5402), N(TCSETSW, 0x5403),
	N(TCSETSF, 0x5404), N(TCGETA, 0x5405), N(TCSBRK, 0x5409),
	N(TCXONC, 0x540a), N(TCFLSH, 0x540b), N(TIOCEXCL, 0x540c),
	N(TIOCSCTTY, 0x540e), N(TIOCGPGRP, 0x540f), N(TIOCSPGRP, 0x5410),
	N(TIOCOUTQ, 0x5411), N(TIOCSTI, 0x5412), N(TIOCGWINSZ, 0x5413),
	N(TIOCSWINSZ, 0x5414), N(FIONREAD, 0x541b), N(FIONBIO, 0x5421),
	N(TIOCNOTTY, 0x5422), N(TIOCGSID, 0x5429), N(TCGETS2, 0x802c542a),
	N(TIOCGPTN, 0x80045430), N(TIOCSPTLCK, 0x40045431),
	N(TIOCGPTPEER, 0x5441), N(FIONCLEX, 0x5450), N(FIOCLEX, 0x5451),
	N(FIOASYNC, 0x5452), N(SIOCGIFCONF, 0x8912),
	N(SIOCGIFFLAGS, 0x8913), N(SIOCGIFADDR, 0x8915),
	N(SIOCGIFINDEX, 0x8933), N(FICLONE, 0x40049409),
	N(FS_IOC_GETFLAGS, 0x80086601), N(FS_IOC_SETFLAGS, 0x40086602),
	N(BLKGETSIZE64, 0x80081272), { 0, NULL },
};
static const struct trace_name shuts[] = {
	N(SHUT_RD, 0), N(SHUT_WR, 1), N(SHUT_RDWR, 2), { 0, NULL },
};
static const struct trace_name prctls[] = {
	N(PR_SET_PDEATHSIG, 1), N(PR_GET_PDEATHSIG, 2),
	N(PR_GET_DUMPABLE, 3), N(PR_SET_DUMPABLE, 4),
	N(PR_GET_KEEPCAPS, 7), N(PR_SET_KEEPCAPS, 8), N(PR_SET_NAME, 15),
	N(PR_GET_NAME, 16), N(PR_GET_SECCOMP, 21), N(PR_SET_SECCOMP, 22),
	N(PR_CAPBSET_READ, 23), N(PR_CAPBSET_DROP, 24),
	N(PR_SET_SECUREBITS, 28), N(PR_SET_TIMERSLACK, 29),
	N(PR_GET_TIMERSLACK, 30), N(PR_SET_MM, 35),
	N(PR_SET_CHILD_SUBREAPER, 36), N(PR_GET_CHILD_SUBREAPER, 37),
	N(PR_SET_NO_NEW_PRIVS, 38), N(PR_GET_NO_NEW_PRIVS, 39),
	N(PR_SET_THP_DISABLE, 41), N(PR_GET_THP_DISABLE, 42),
	N(PR_CAP_AMBIENT, 47), N(PR_SET_VMA, 0x53564d41),
	N(PR_SET_PTRACER, 0x59616d61), { 0, NULL },
};
static const struct trace_name archprctls[] = {
	N(ARCH_SET_GS, 0x1001), N(ARCH_SET_FS, 0x1002),
	N(ARCH_GET_FS, 0x1003), N(ARCH_GET_GS, 0x1004),
	N(ARCH_GET_CPUID, 0x1011), N(ARCH_SET_CPUID, 0x1012),
	N(ARCH_CET_STATUS, 0x3001), { 0, NULL },
};
static const struct trace_name itimers[] = {
	N(ITIMER_REAL, 0), N(ITIMER_VIRTUAL, 1), N(ITIMER_PROF, 2),
	{ 0, NULL },
};
static const struct trace_name sicodes[] = {
	N(SI_USER, 0), N(SI_KERNEL, 0x80), N(SI_QUEUE, (u32)-1),
	N(SI_TIMER, (u32)-2), N(SI_MESGQ, (u32)-3), N(SI_ASYNCIO, (u32)-4),
	N(SI_SIGIO, (u32)-5), N(SI_TKILL, (u32)-6), { 0, NULL },
};

static const struct trace_name *const sets[TRACE_SETS] = {
	[TRACE_OFLAGS] = oflags, [TRACE_PROT] = prot,
	[TRACE_MAPFLAGS] = mapflags, [TRACE_CLONE] = cloneflags,
	[TRACE_ATFLAGS] = atflags, [TRACE_MSGFLAGS] = msgflags,
	[TRACE_FDFLAGS] = fdflags, [TRACE_WAIT] = waitopts,
	[TRACE_ACCESS] = access_modes, [TRACE_INMASK] = inmask,
	[TRACE_SAFLAGS] = saflags, [TRACE_EPOLL] = epoll_events,
	[TRACE_POLL] = poll_events, [TRACE_MREMAP] = mremapflags,
	[TRACE_FLOCK] = flock_ops, [TRACE_FCNTL] = fcntls,
	[TRACE_WHENCE] = whences, [TRACE_MADVISE] = madvices,
	[TRACE_FUTEX] = futexes, [TRACE_DOMAIN] = domains,
	[TRACE_SOCKTYPE] = socktypes, [TRACE_SOLEVEL] = solevels,
	[TRACE_SIGHOW] = sighows, [TRACE_RLIMIT] = rlimits,
	[TRACE_CLOCK] = clocks, [TRACE_EPOLLOP] = epollops,
	[TRACE_IOCTL] = ioctls, [TRACE_SHUT] = shuts,
	[TRACE_PRCTL] = prctls, [TRACE_ARCHPRCTL] = archprctls,
	[TRACE_ITIMER] = itimers, [TRACE_SICODE] = sicodes,
};

void trace_put_flags(struct trace_line *l, enum trace_set set, u64 v)
{
	const struct trace_name *n = sets[set];
	const char *bar = "";

	for (; n->value; n++) {
		if ((v & n->value) != n->value)
			continue;
		trace_put(l, "%s%s", bar, n->name);
		v &= ~n->value;
		bar = "|";
	}
	if (v)
		trace_put(l, "%s0x%lx", bar, (unsigned long)v);
	else if (!*bar)
		trace_put(l, "%s", n->name ? n->name : "0");
}

void trace_put_one(struct trace_line *l, enum trace_set set, u64 v)
{
	const struct trace_name *n = sets[set];

	for (; n->name; n++) {
		if (n->value == v) {
			trace_put(l, "%s", n->name);
			return;
		}
	}
	trace_put(l, "0x%lx", (unsigned long)v);
}

static const char *const signals[] = {
	"0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT",
	"SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
	"SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
	"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
	"SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR",
	"SIGSYS",
};

void trace_put_signal(struct trace_line *l, u64 sig)
{
	if (sig < ARRAY_SIZE(signals))
		trace_put(l, "%s", signals[sig]);
	else if (sig >= 32 && sig <= NSIG)
		trace_put(l, "SIGRT_%u", (unsigned)sig - 32);
	else
		trace_put(l, "%ld", (long)sig);
}
