/*
 * trace_args.c - what the arguments of a system call look like in a trace.
 *
 * The table of formats is at the end: a word of syscalls.tbl's argument
 * formats, the function that prints it, and whether the value is known only
 * after the call.  "word:N" names another argument (a size, a count).
 * Guest memory that cannot be read is printed as an address.
 */
#include "trace.h"

#include <libos/uaccess.h>

struct arg {
	const struct trace_call *c;
	u64 v;      /* the argument */
	u64 other;  /* argument N of "word:N" */
	long ret;
	bool failed;
	enum trace_set set;
};
typedef void (*put_fn)(struct trace_line *l, const struct arg *a);

static void put_pointer(struct trace_line *l, const struct arg *a)
{
	if (a->v)
		trace_put(l, "0x%lx", (unsigned long)a->v);
	else
		trace_put(l, "NULL");
}

static bool fetch(void *to, const struct arg *a, size_t size)
{
	return a->v && !copy_from_user(to, a->v, size);
}

static void put_int(struct trace_line *l, const struct arg *a)
{
	trace_put(l, "%ld", a->v >> 32 == 0xffffffff || a->v >> 32 == 0 ?
		  (long)(s32)a->v : (long)a->v);
}
static void put_unsigned(struct trace_line *l, const struct arg *a)
{
	trace_put(l, "%lu", (unsigned long)a->v);
}
static void put_hex(struct trace_line *l, const struct arg *a)
{
	if (a->v)
		trace_put(l, "0x%lx", (unsigned long)a->v);
	else
		trace_put(l, "0");
}
static void put_mode(struct trace_line *l, const struct arg *a)
{
	trace_put(l, "0%03o", (unsigned)a->v);
}
static void put_atfd(struct trace_line *l, const struct arg *a)
{
	if ((s32)a->v == -100)
		trace_put(l, "AT_FDCWD");
	else
		trace_put(l, "%d", (s32)a->v);
}

/* ---- strings and buffers -------------------------------------------------- */
static void put_string_at(struct trace_line *l, u64 p, size_t show)
{
	char text[256];
	ssize_t n = strncpy_from_user(text, p, MIN(show, sizeof(text)));

	if (n == -EFAULT) {
		trace_put(l, p ? "0x%lx" : "NULL", (unsigned long)p);
		return;
	}
	if (n < 0)
		trace_put_bytes(l, text, MIN(show, sizeof(text)) - 1, true);
	else
		trace_put_bytes(l, text, (size_t)n, false);
}

/* Paths are shown longer than data: they are what one looks for. */
static void put_path(struct trace_line *l, const struct arg *a)
{
	put_string_at(l, a->v, 256);
}

static void put_bytes_at(struct trace_line *l, u64 p, u64 size)
{
	char bytes[TRACE_STRING];
	size_t n = MIN(size, sizeof(bytes));

	if (!p || copy_from_user(bytes, p, n))
		trace_put(l, p ? "0x%lx" : "NULL", (unsigned long)p);
	else
		trace_put_bytes(l, bytes, n, size > n);
}
static void put_in(struct trace_line *l, const struct arg *a)
{
	put_bytes_at(l, a->v, a->other);
}
static void put_out(struct trace_line *l, const struct arg *a)
{
	if (a->failed)
		put_pointer(l, a);
	else
		put_bytes_at(l, a->v, (u64)a->ret);
}

static void put_vector(struct trace_line *l, const struct arg *a, u64 limit)
{
	struct { u64 base, size; } v;
	u64 i, n;

	if (a->other > 1024 || !a->v) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "[");
	for (i = 0; i < a->other && i < 4; i++) {
		if (copy_from_user(&v, a->v + i * sizeof(v), sizeof(v)))
			break;
		n = MIN(v.size, limit);
		limit -= n;
		trace_put(l, "%s{iov_base=", i ? ", " : "");
		put_bytes_at(l, v.base, n);
		trace_put(l, ", iov_len=%lu}", (unsigned long)v.size);
	}
	trace_put(l, i < a->other ? ", ...]" : "]");
}
static void put_iov(struct trace_line *l, const struct arg *a)
{
	put_vector(l, a, ~0ull);
}
static void put_oiov(struct trace_line *l, const struct arg *a)
{
	put_vector(l, a, a->failed ? 0 : (u64)a->ret);
}

static void put_argv(struct trace_line *l, const struct arg *a)
{
	u64 p, i;

	if (!a->v) {
		trace_put(l, "NULL");
		return;
	}
	trace_put(l, "[");
	for (i = 0; !get_user_u64(&p, a->v + 8 * i) && p; i++) {
		if (i == 16) {
			trace_put(l, ", ...");
			break;
		}
		trace_put(l, "%s", i ? ", " : "");
		put_string_at(l, p, TRACE_STRING + 1);
	}
	trace_put(l, "]");
}
static void put_env(struct trace_line *l, const struct arg *a)
{
	u64 p, n;

	for (n = 0; n < 4096; n++)
		if (!a->v || get_user_u64(&p, a->v + 8 * n) || !p)
			break;
	put_pointer(l, a);
	trace_put(l, " /* %lu vars */", (unsigned long)n);
}

/* ---- flags and names ------------------------------------------------------ */
static void put_flags(struct trace_line *l, const struct arg *a)
{
	trace_put_flags(l, a->set, (u32)a->v);
}
static void put_one(struct trace_line *l, const struct arg *a)
{
	trace_put_one(l, a->set, (u32)a->v);
}
static void put_oflags(struct trace_line *l, const struct arg *a)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY",
					      "O_RDWR", "O_ACCMODE" };

	trace_put(l, "%s", access[a->v & 3]);
	if ((u32)a->v & ~3u) {
		trace_put(l, "|");
		trace_put_flags(l, TRACE_OFLAGS, (u32)a->v & ~3u);
	}
}
static void put_socktype(struct trace_line *l, const struct arg *a)
{
	trace_put_one(l, TRACE_SOCKTYPE, a->v & 0xf);
	if (a->v & 02000000)
		trace_put(l, "|SOCK_CLOEXEC");
	if (a->v & 04000)
		trace_put(l, "|SOCK_NONBLOCK");
}
static void put_clone(struct trace_line *l, const struct arg *a)
{
	trace_put_flags(l, TRACE_CLONE, a->v & ~0xffull);
	if (a->v & 0xff) {
		trace_put(l, "|");
		trace_put_signal(l, a->v & 0xff);
	}
}
static void put_futex(struct trace_line *l, const struct arg *a)
{
	trace_put_one(l, TRACE_FUTEX, a->v & 127);
	if (a->v & 128)
		trace_put(l, "_PRIVATE");
	if (a->v & 256)
		trace_put(l, "|FUTEX_CLOCK_REALTIME");
}
static void put_signal(struct trace_line *l, const struct arg *a)
{
	trace_put_signal(l, (u32)a->v);
}

/* ---- signals -------------------------------------------------------------- */
static void put_set(struct trace_line *l, u64 set)
{
	bool invert = __builtin_popcountll(set) > 32;
	const char *space = "";
	unsigned sig;

	trace_put(l, invert ? "~[" : "[");
	for (sig = 1; sig <= NSIG; sig++) {
		if (!(set & SIGBIT(sig)) != invert)
			continue;
		trace_put(l, "%s", space);
		trace_put_signal(l, sig);
		space = " ";
	}
	trace_put(l, "]");
}
static void put_sigset(struct trace_line *l, const struct arg *a)
{
	u64 set;

	if (!a->failed && fetch(&set, a, sizeof(set)))
		put_set(l, set);
	else
		put_pointer(l, a);
}
static void put_sigaction(struct trace_line *l, const struct arg *a)
{
	struct ksigaction k;

	if (a->failed || !fetch(&k, a, sizeof(k))) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "{sa_handler=");
	if (k.handler <= 1)
		trace_put(l, k.handler ? "SIG_IGN" : "SIG_DFL");
	else
		trace_put(l, "0x%lx", (unsigned long)k.handler);
	trace_put(l, ", sa_mask=");
	put_set(l, k.mask);
	trace_put(l, ", sa_flags=");
	trace_put_flags(l, TRACE_SAFLAGS, k.flags);
	trace_put(l, "}");
}

/* ---- structures ----------------------------------------------------------- */
static void put_times(struct trace_line *l, const struct arg *a,
		      unsigned pairs, const char *sub)
{
	s64 v[4];
	unsigned i;

	if (a->failed || !fetch(v, a, pairs * 16)) {
		put_pointer(l, a);
		return;
	}
	if (pairs > 1)
		trace_put(l, "[");
	for (i = 0; i < pairs; i++)
		trace_put(l, "%s{tv_sec=%ld, %s=%ld}", i ? ", " : "",
			  (long)v[2 * i], sub, (long)v[2 * i + 1]);
	if (pairs > 1)
		trace_put(l, "]");
}
static void put_timespec(struct trace_line *l, const struct arg *a)
{
	put_times(l, a, 1, "tv_nsec");
}
static void put_timespec2(struct trace_line *l, const struct arg *a)
{
	put_times(l, a, 2, "tv_nsec");
}
static void put_timeval(struct trace_line *l, const struct arg *a)
{
	put_times(l, a, 1, "tv_usec");
}
static void put_itimer(struct trace_line *l, const struct arg *a,
		       const char *sub)
{
	s64 v[4];

	if (a->failed || !fetch(v, a, sizeof(v))) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "{it_interval={tv_sec=%ld, %s=%ld}, "
		  "it_value={tv_sec=%ld, %s=%ld}}", (long)v[0], sub,
		  (long)v[1], (long)v[2], sub, (long)v[3]);
}
static void put_itimerval(struct trace_line *l, const struct arg *a)
{
	put_itimer(l, a, "tv_usec");
}
static void put_itimerspec(struct trace_line *l, const struct arg *a)
{
	put_itimer(l, a, "tv_nsec");
}

struct guest_stat { /* struct stat of x86-64 */
	u64 dev, ino, nlink;
	u32 mode, uid, gid, pad;
	u64 rdev;
	s64 size;
};
static void put_stat(struct trace_line *l, const struct arg *a)
{
	static const char *const kinds[16] = {
		[1] = "S_IFIFO", [2] = "S_IFCHR", [4] = "S_IFDIR",
		[6] = "S_IFBLK", [8] = "S_IFREG", [10] = "S_IFLNK",
		[12] = "S_IFSOCK" };
	struct guest_stat st;
	const char *kind;

	if (a->failed || !fetch(&st, a, sizeof(st))) {
		put_pointer(l, a);
		return;
	}
	kind = kinds[(st.mode >> 12) & 15];
	trace_put(l, "{st_mode=%s|0%03o, ", kind ? kind : "0",
		  st.mode & 07777);
	if (st.rdev)
		trace_put(l, "st_rdev=0x%lx", (unsigned long)st.rdev);
	else
		trace_put(l, "st_size=%ld", (long)st.size);
	trace_put(l, ", ...}");
}

static void put_ints(struct trace_line *l, const struct arg *a)
{
	s32 v[2];

	if (!a->failed && fetch(v, a, sizeof(v)))
		trace_put(l, "[%d, %d]", v[0], v[1]);
	else
		put_pointer(l, a);
}
static void put_oint(struct trace_line *l, const struct arg *a)
{
	s32 v;

	if (!a->failed && fetch(&v, a, sizeof(v)))
		trace_put(l, "[%d]", v);
	else
		put_pointer(l, a);
}
static void put_rlimit_value(struct trace_line *l, u64 v)
{
	trace_put(l, v == ~0ull ? "RLIM64_INFINITY" : "%lu",
		  (unsigned long)v);
}
static void put_rlimits(struct trace_line *l, const struct arg *a)
{
	u64 v[2];

	if (a->failed || !fetch(v, a, sizeof(v))) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "{rlim_cur=");
	put_rlimit_value(l, v[0]);
	trace_put(l, ", rlim_max=");
	put_rlimit_value(l, v[1]);
	trace_put(l, "}");
}
static void put_wait_status(struct trace_line *l, const struct arg *a)
{
	u32 v;

	if (a->failed || a->ret == 0 || !fetch(&v, a, sizeof(v))) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "[{");
	if ((v & 0x7f) == 0) {
		trace_put(l, "WIFEXITED(s) && WEXITSTATUS(s) == %u",
			  (v >> 8) & 0xff);
	} else if ((v & 0xff) == 0x7f) {
		trace_put(l, "WIFSTOPPED(s) && WSTOPSIG(s) == ");
		trace_put_signal(l, (v >> 8) & 0xff);
	} else if (v == 0xffff) {
		trace_put(l, "WIFCONTINUED(s)");
	} else {
		trace_put(l, "WIFSIGNALED(s) && WTERMSIG(s) == ");
		trace_put_signal(l, v & 0x7f);
	}
	trace_put(l, "}]");
}

static u32 port_of(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}
static void put_inet6(struct trace_line *l, const u8 *b)
{
	unsigned i;

	trace_put(l, "{sa_family=AF_INET6, sin6_port=htons(%u), sin6_addr=\"",
		  port_of(b + 2));
	for (i = 0; i < 16; i += 2)
		trace_put(l, "%s%x", i ? ":" : "", port_of(b + 8 + i));
	trace_put(l, "\"}");
}
static void put_address(struct trace_line *l, const struct arg *a, u64 size)
{
	u8 b[112] = { 0 };
	u32 family;

	size = MIN(size, sizeof(b) - 1);
	if (size < 2 || !fetch(b, a, size)) {
		put_pointer(l, a);
		return;
	}
	family = b[0] | (u32)b[1] << 8;
	if (family == 1) {
		trace_put(l, "{sa_family=AF_UNIX, sun_path=%s",
			  b[2] ? "" : "@");
		trace_put_bytes(l, (char *)b + 2 + !b[2], b[2] ?
				strnlen((char *)b + 2, size - 2) :
				size > 3 ? size - 3 : 0, false);
		trace_put(l, "}");
	} else if (family == 2) {
		trace_put(l, "{sa_family=AF_INET, sin_port=htons(%u), "
			  "sin_addr=\"%u.%u.%u.%u\"}", port_of(b + 2),
			  b[4], b[5], b[6], b[7]);
	} else if (family == 10) {
		put_inet6(l, b);
	} else {
		trace_put(l, "{sa_family=");
		trace_put_one(l, TRACE_DOMAIN, family);
		trace_put(l, ", ...}");
	}
}
static void put_sockaddr(struct trace_line *l, const struct arg *a)
{
	put_address(l, a, a->other);
}
static void put_osockaddr(struct trace_line *l, const struct arg *a)
{
	u32 size;

	if (a->failed || !a->v || get_user_u32(&size, a->other))
		put_pointer(l, a);
	else
		put_address(l, a, size);
}

static void put_message(struct trace_line *l, const struct arg *a)
{
	struct { u64 name, namelen, iov, iovlen, control, controllen;
		 u64 flags; } m;
	struct arg v = *a;

	if (a->failed || !fetch(&m, a, sizeof(m))) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "{msg_name=");
	v.v = m.name;
	put_address(l, &v, (u32)m.namelen);
	trace_put(l, ", msg_iov=");
	v.v = m.iov;
	v.other = m.iovlen;
	put_vector(l, &v, a->c->is_done ? (u64)a->ret : ~0ull);
	trace_put(l, ", msg_controllen=%lu}", (unsigned long)m.controllen);
}

static void put_pollfds(struct trace_line *l, const struct arg *a)
{
	struct { s32 fd; u16 events, revents; } p;
	u64 i;

	trace_put(l, "[");
	for (i = 0; i < a->other && i < 8; i++) {
		if (copy_from_user(&p, a->v + 8 * i, sizeof(p)))
			break;
		trace_put(l, "%s{fd=%d, events=", i ? ", " : "", p.fd);
		trace_put_flags(l, TRACE_POLL, p.events);
		if (!a->failed && p.revents) {
			trace_put(l, ", revents=");
			trace_put_flags(l, TRACE_POLL, p.revents);
		}
		trace_put(l, "}");
	}
	trace_put(l, i < a->other ? ", ...]" : "]");
}
static void put_fdset(struct trace_line *l, const struct arg *a)
{
	u64 bits[16] = { 0 };
	u64 n = MIN(a->other, 1024);
	const char *space = "";
	u64 i;

	if (!fetch(bits, a, (n + 63) / 64 * 8)) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "[");
	for (i = 0; i < n; i++) {
		if (!(bits[i / 64] >> (i % 64) & 1))
			continue;
		trace_put(l, "%s%lu", space, (unsigned long)i);
		space = " ";
	}
	trace_put(l, "]");
}
static void put_epoll_at(struct trace_line *l, u64 p)
{
	struct { u32 events; u64 data; } __attribute__((packed)) ev;

	if (!p || copy_from_user(&ev, p, sizeof(ev))) {
		trace_put(l, p ? "0x%lx" : "NULL", (unsigned long)p);
		return;
	}
	trace_put(l, "{events=");
	trace_put_flags(l, TRACE_EPOLL, ev.events);
	trace_put(l, ", data=0x%lx}", (unsigned long)ev.data);
}
static void put_epoll(struct trace_line *l, const struct arg *a)
{
	put_epoll_at(l, a->v);
}
static void put_epolls(struct trace_line *l, const struct arg *a)
{
	long i;

	if (a->failed) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "[");
	for (i = 0; i < a->ret && i < 4; i++) {
		trace_put(l, "%s", i ? ", " : "");
		put_epoll_at(l, a->v + 12 * (u64)i);
	}
	trace_put(l, i < a->ret ? ", ...]" : "]");
}

static void put_dirents(struct trace_line *l, const struct arg *a)
{
	unsigned count = 0;
	u64 at = 0;
	u16 size;

	put_pointer(l, a);
	if (a->failed)
		return;
	/* struct linux_dirent and dirent64 both have the size at 16 */
	for (; at < (u64)a->ret; at += size, count++)
		if (copy_from_user(&size, a->v + at + 16, 2) || size < 19)
			break;
	trace_put(l, " /* %u entries */", count);
}
static void put_uname(struct trace_line *l, const struct arg *a)
{
	trace_put(l, "{sysname=");
	put_string_at(l, a->v, 65);
	trace_put(l, ", nodename=");
	put_string_at(l, a->v + 65, 65);
	trace_put(l, ", ...}");
}
static void put_clone3(struct trace_line *l, const struct arg *a)
{
	u64 v[8];

	if (!fetch(v, a, sizeof(v))) {
		put_pointer(l, a);
		return;
	}
	trace_put(l, "{flags=");
	trace_put_flags(l, TRACE_CLONE, v[0]);
	trace_put(l, ", exit_signal=");
	trace_put_signal(l, v[4]);
	trace_put(l, ", stack=0x%lx, stack_size=0x%lx, tls=0x%lx}",
		  (unsigned long)v[5], (unsigned long)v[6],
		  (unsigned long)v[7]);
}
static void put_openhow(struct trace_line *l, const struct arg *a)
{
	u64 v[3];
	struct arg f = *a;

	if (!fetch(v, a, sizeof(v))) {
		put_pointer(l, a);
		return;
	}
	f.v = v[0];
	trace_put(l, "{flags=");
	put_oflags(l, &f);
	trace_put(l, ", mode=0%lo, resolve=0x%lx}", (unsigned long)v[1],
		  (unsigned long)v[2]);
}

/* ---- the formats ---------------------------------------------------------- */
static const struct format {
	const char *word;
	put_fn put;
	bool is_after;
	enum trace_set set;
} formats[] = {
	{ "d", put_int, 0, 0 }, { "u", put_unsigned, 0, 0 },
	{ "x", put_hex, 0, 0 }, { "p", put_pointer, 0, 0 },
	{ "s", put_path, 0, 0 }, { "fd", put_int, 0, 0 },
	{ "atfd", put_atfd, 0, 0 }, { "mode", put_mode, 0, 0 },
	{ "in", put_in, 0, 0 }, { "out", put_out, 1, 0 },
	{ "iov", put_iov, 0, 0 }, { "oiov", put_oiov, 1, 0 },
	{ "argv", put_argv, 0, 0 }, { "env", put_env, 0, 0 },
	{ "oflags", put_oflags, 0, 0 },
	{ "prot", put_flags, 0, TRACE_PROT },
	{ "mapflags", put_flags, 0, TRACE_MAPFLAGS },
	{ "mremapflags", put_flags, 0, TRACE_MREMAP },
	{ "atflags", put_flags, 0, TRACE_ATFLAGS },
	{ "msgflags", put_flags, 0, TRACE_MSGFLAGS },
	{ "fdflags", put_flags, 0, TRACE_FDFLAGS },
	{ "waitopts", put_flags, 0, TRACE_WAIT },
	{ "access", put_flags, 0, TRACE_ACCESS },
	{ "inmask", put_flags, 0, TRACE_INMASK },
	{ "flock", put_flags, 0, TRACE_FLOCK },
	{ "cloneflags", put_clone, 0, 0 }, { "clone3", put_clone3, 0, 0 },
	{ "openhow", put_openhow, 0, 0 }, { "futex", put_futex, 0, 0 },
	{ "fcntl", put_one, 0, TRACE_FCNTL },
	{ "whence", put_one, 0, TRACE_WHENCE },
	{ "madv", put_one, 0, TRACE_MADVISE },
	{ "domain", put_one, 0, TRACE_DOMAIN },
	{ "socktype", put_socktype, 0, 0 },
	{ "solevel", put_one, 0, TRACE_SOLEVEL },
	{ "sighow", put_one, 0, TRACE_SIGHOW },
	{ "rlimit", put_one, 0, TRACE_RLIMIT },
	{ "clockid", put_one, 0, TRACE_CLOCK },
	{ "epollop", put_one, 0, TRACE_EPOLLOP },
	{ "ioctl", put_one, 0, TRACE_IOCTL },
	{ "shut", put_one, 0, TRACE_SHUT },
	{ "prctl", put_one, 0, TRACE_PRCTL },
	{ "archprctl", put_one, 0, TRACE_ARCHPRCTL },
	{ "sig", put_signal, 0, 0 }, { "sigset", put_sigset, 0, 0 },
	{ "osigset", put_sigset, 1, 0 }, { "sigact", put_sigaction, 0, 0 },
	{ "osigact", put_sigaction, 1, 0 }, { "stat", put_stat, 1, 0 },
	{ "timespec", put_timespec, 0, 0 },
	{ "otimespec", put_timespec, 1, 0 },
	{ "timespec2", put_timespec2, 0, 0 },
	{ "timeval", put_timeval, 0, 0 }, { "otimeval", put_timeval, 1, 0 },
	{ "itimerval", put_itimerval, 0, 0 },
	{ "oitimerval", put_itimerval, 1, 0 },
	{ "itimerspec", put_itimerspec, 0, 0 },
	{ "oitimerspec", put_itimerspec, 1, 0 },
	{ "fds", put_ints, 1, 0 }, { "oint", put_oint, 1, 0 },
	{ "rlim", put_rlimits, 0, 0 }, { "orlim", put_rlimits, 1, 0 },
	{ "wstatus", put_wait_status, 1, 0 },
	{ "sockaddr", put_sockaddr, 0, 0 },
	{ "osockaddr", put_osockaddr, 1, 0 },
	{ "msg", put_message, 0, 0 }, { "omsg", put_message, 1, 0 },
	{ "pollfds", put_pollfds, 1, 0 }, { "fdset", put_fdset, 0, 0 },
	{ "epollev", put_epoll, 0, 0 }, { "epollevents", put_epolls, 1, 0 },
	{ "dirents", put_dirents, 1, 0 }, { "dirents64", put_dirents, 1, 0 },
	{ "uname", put_uname, 1, 0 },
};

static const struct format *find_format(const char *word, size_t size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strncmp(formats[i].word, word, size) &&
		    !formats[i].word[size])
			return &formats[i];
	return &formats[2]; /* unknown: a number */
}

/* One word of formats, e.g. "in:2"; returns its length. */
static size_t split_word(const char *p, size_t *name, unsigned *other)
{
	size_t n = 0;

	while (p[n] && p[n] != ' ' && p[n] != ':')
		n++;
	*name = n;
	*other = 0;
	if (p[n] == ':') {
		*other = (unsigned)(p[n + 1] - '0') % 6;
		n += 2;
	}
	return n;
}

/* open(2)'s mode is an argument only when a file may be made. */
static bool is_absent(const char *word, size_t n, const u64 *a, unsigned i)
{
	return n == 4 && !strncmp(word, "mode", 4) && i && i < 4 &&
	       !(a[i - 1] & 0100) && (a[i - 1] & 020200000) != 020200000;
}

void trace_put_args(struct trace_line *l, const char *words,
		    const struct trace_call *c, bool second_half)
{
	bool is_printing = !second_half;
	bool is_open = false;
	const struct format *f;
	unsigned i, other;
	size_t name, size;

	for (i = 0; i < 6 && *words; i++, words += size) {
		words += *words == ' ';
		size = split_word(words, &name, &other);
		f = find_format(words, name);
		is_open |= !strncmp(f->word, "oflags", 7);
		if (f->is_after && !second_half)
			return;
		is_printing |= f->is_after;
		if (is_open && is_absent(words, name, c->a, i))
			return;
		if (!is_printing)
			continue;
		if (i)
			trace_put(l, ", ");
		f->put(l, &(struct arg){ .c = c, .v = c->a[i],
			.other = c->a[other], .ret = c->ret, .set = f->set,
			.failed = c->is_done && c->ret < 0 });
	}
}
