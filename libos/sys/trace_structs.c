/*
 * trace_structs.c - what the structures that system calls point to look like
 * in a trace: times, stat, limits, socket addresses, poll sets.
 * Each prints the address instead if the memory cannot be read, or if the
 * call failed and so has not filled it.
 */
#include "trace_args.h"

#include <libos/uaccess.h>

/* ---- structures ----------------------------------------------------------- */
static void put_times(struct trace_line *l, const struct trace_arg *a,
		      unsigned pairs, const char *sub)
{
	s64 v[4];
	unsigned i;

	if (a->failed || !trace_fetch(v, a, pairs * 16)) {
		trace_put_pointer(l, a);
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
void trace_put_timespec(struct trace_line *l, const struct trace_arg *a)
{
	put_times(l, a, 1, "tv_nsec");
}
void trace_put_timespec2(struct trace_line *l, const struct trace_arg *a)
{
	put_times(l, a, 2, "tv_nsec");
}
void trace_put_timeval(struct trace_line *l, const struct trace_arg *a)
{
	put_times(l, a, 1, "tv_usec");
}
static void put_itimer(struct trace_line *l, const struct trace_arg *a,
		       const char *sub)
{
	s64 v[4];

	if (a->failed || !trace_fetch(v, a, sizeof(v))) {
		trace_put_pointer(l, a);
		return;
	}
	trace_put(l, "{it_interval={tv_sec=%ld, %s=%ld}, "
		  "it_value={tv_sec=%ld, %s=%ld}}", (long)v[0], sub,
		  (long)v[1], (long)v[2], sub, (long)v[3]);
}
void trace_put_itimerval(struct trace_line *l, const struct trace_arg *a)
{
	put_itimer(l, a, "tv_usec");
}
void trace_put_itimerspec(struct trace_line *l, const struct trace_arg *a)
{
	put_itimer(l, a, "tv_nsec");
}

struct guest_stat { /* struct stat of x86-64 */
	u64 dev, ino, nlink;
	u32 mode, uid, gid, pad;
	u64 rdev;
	s64 size;
};
void trace_put_stat(struct trace_line *l, const struct trace_arg *a)
{
	static const char *const kinds[16] = {
		[1] = "S_IFIFO", [2] = "S_IFCHR", [4] = "S_IFDIR",
		[6] = "S_IFBLK", [8] = "S_IFREG", [10] = "S_IFLNK",
		[12] = "S_IFSOCK" };
	struct guest_stat st;
	const char *kind;

	if (a->failed || !trace_fetch(&st, a, sizeof(st))) {
		trace_put_pointer(l, a);
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

void trace_put_ints(struct trace_line *l, const struct trace_arg *a)
{
	s32 v[2];

	if (!a->failed && trace_fetch(v, a, sizeof(v)))
		trace_put(l, "[%d, %d]", v[0], v[1]);
	else
		trace_put_pointer(l, a);
}
void trace_put_oint(struct trace_line *l, const struct trace_arg *a)
{
	s32 v;

	if (!a->failed && trace_fetch(&v, a, sizeof(v)))
		trace_put(l, "[%d]", v);
	else
		trace_put_pointer(l, a);
}
static void put_rlimit_value(struct trace_line *l, u64 v)
{
	trace_put(l, v == ~0ull ? "RLIM64_INFINITY" : "%lu",
		  (unsigned long)v);
}
void trace_put_rlimits(struct trace_line *l, const struct trace_arg *a)
{
	u64 v[2];

	if (a->failed || !trace_fetch(v, a, sizeof(v))) {
		trace_put_pointer(l, a);
		return;
	}
	trace_put(l, "{rlim_cur=");
	put_rlimit_value(l, v[0]);
	trace_put(l, ", rlim_max=");
	put_rlimit_value(l, v[1]);
	trace_put(l, "}");
}
void trace_put_wait_status(struct trace_line *l, const struct trace_arg *a)
{
	u32 v;

	if (a->failed || a->ret == 0 || !trace_fetch(&v, a, sizeof(v))) {
		trace_put_pointer(l, a);
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
static void put_address(struct trace_line *l, const struct trace_arg *a, u64 size)
{
	u8 b[112] = { 0 };
	u32 family;

	size = MIN(size, sizeof(b) - 1);
	if (size < 2 || !trace_fetch(b, a, size)) {
		trace_put_pointer(l, a);
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
void trace_put_sockaddr(struct trace_line *l, const struct trace_arg *a)
{
	put_address(l, a, a->other);
}
void trace_put_osockaddr(struct trace_line *l, const struct trace_arg *a)
{
	u32 size;

	if (a->failed || !a->v || get_user_u32(&size, a->other))
		trace_put_pointer(l, a);
	else
		put_address(l, a, size);
}

void trace_put_message(struct trace_line *l, const struct trace_arg *a)
{
	struct { u64 name, namelen, iov, iovlen, control, controllen;
		 u64 flags; } m;
	struct trace_arg v = *a;

	if (a->failed || !trace_fetch(&m, a, sizeof(m))) {
		trace_put_pointer(l, a);
		return;
	}
	trace_put(l, "{msg_name=");
	v.v = m.name;
	put_address(l, &v, (u32)m.namelen);
	trace_put(l, ", msg_iov=");
	v.v = m.iov;
	v.other = m.iovlen;
	trace_put_vector(l, &v, a->c->is_done ? (u64)a->ret : ~0ull);
	trace_put(l, ", msg_controllen=%lu}", (unsigned long)m.controllen);
}

void trace_put_pollfds(struct trace_line *l, const struct trace_arg *a)
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
void trace_put_fdset(struct trace_line *l, const struct trace_arg *a)
{
	u64 bits[16] = { 0 };
	u64 n = MIN(a->other, 1024);
	const char *space = "";
	u64 i;

	if (!trace_fetch(bits, a, (n + 63) / 64 * 8)) {
		trace_put_pointer(l, a);
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
void trace_put_epoll(struct trace_line *l, const struct trace_arg *a)
{
	put_epoll_at(l, a->v);
}
void trace_put_epolls(struct trace_line *l, const struct trace_arg *a)
{
	long i;

	if (a->failed) {
		trace_put_pointer(l, a);
		return;
	}
	trace_put(l, "[");
	for (i = 0; i < a->ret && i < 4; i++) {
		trace_put(l, "%s", i ? ", " : "");
		put_epoll_at(l, a->v + 12 * (u64)i);
	}
	trace_put(l, i < a->ret ? ", ...]" : "]");
}

void trace_put_dirents(struct trace_line *l, const struct trace_arg *a)
{
	unsigned count = 0;
	u64 at = 0;
	u16 size;

	trace_put_pointer(l, a);
	if (a->failed)
		return;
	/* struct linux_dirent and dirent64 both have the size at 16 */
	for (; at < (u64)a->ret; at += size, count++)
		if (copy_from_user(&size, a->v + at + 16, 2) || size < 19)
			break;
	trace_put(l, " /* %u entries */", count);
}
void trace_put_uname(struct trace_line *l, const struct trace_arg *a)
{
	trace_put(l, "{sysname=");
	trace_put_string(l, a->v, 65);
	trace_put(l, ", nodename=");
	trace_put_string(l, a->v + 65, 65);
	trace_put(l, ", ...}");
}
void trace_put_clone3(struct trace_line *l, const struct trace_arg *a)
{
	u64 v[8];

	if (!trace_fetch(v, a, sizeof(v))) {
		trace_put_pointer(l, a);
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
void trace_put_openhow(struct trace_line *l, const struct trace_arg *a)
{
	u64 v[3];
	struct trace_arg f = *a;

	if (!trace_fetch(v, a, sizeof(v))) {
		trace_put_pointer(l, a);
		return;
	}
	f.v = v[0];
	trace_put(l, "{flags=");
	trace_put_oflags(l, &f);
	trace_put(l, ", mode=0%lo, resolve=0x%lx}", (unsigned long)v[1],
		  (unsigned long)v[2]);
}
