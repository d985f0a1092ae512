/*
 * fake_libos.c - a program in the place of the library OS: it checks from
 * inside what the monitor made, then does what argv[0] of the boot record
 * says ("checks", "exit:N", "trap", ...).  Linked with host/request.c.
 */
#include <libos/base.h>
#include <libos/lock.h>
#include <bailey/boot.h>
#include <bailey/image_header.h>
#include "raw.h"

int host_clock_request(enum host_clock clock, int32_t id, uint64_t *ns);

#define HOST __attribute__((section(".hosttext"), noinline))

extern char fake_host_start[], fake_host_end[], fake_data_end[], fake_bss_end[];
void fake_start(const struct boot_info *b);
void fake_trap(int sig, u64 *info, void *context);
void fake_fault(int sig, u64 *info, void *context);

__attribute__((section(".header"), used))
static const struct bly_image_header header = {
	.magic = BLY_IMAGE_MAGIC, .version = BLY_IMAGE_VERSION,
	.start = (u64)fake_start, .trap = (u64)fake_trap,
	.fault = (u64)fake_fault, .interrupt = (u64)fake_trap,
	.host_text_start = (u64)fake_host_start,
	.host_text_end = (u64)fake_host_end,
};

HOST static long host(long n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall" : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9) : "rcx", "r11", "memory");
	return r;
}

/* The same, from text that is not the host layer's. */
static long __attribute__((noinline)) guest(long n, u64 a)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a)
			 : "rcx", "r11", "memory");
	return r;
}

int64_t raw_sendmsg(int fd, const struct raw_msghdr *m, int flags)
{
	return host(46, (u64)fd, (u64)m, (u64)flags, 0, 0, 0);
}
int64_t raw_recvmsg(int fd, struct raw_msghdr *m, int flags)
{
	return host(47, (u64)fd, (u64)m, (u64)flags, 0, 0, 0);
}
int64_t raw_ppoll(struct host_pollfd *fds, unsigned long count,
		  const struct raw_timespec *timeout, const void *mask,
		  size_t mask_size)
{
	return host(271, (u64)fds, count, (u64)timeout, (u64)mask, mask_size,
		    0);
}
int64_t raw_close(int fd) { return host(3, (u64)fd, 0, 0, 0, 0, 0); }
void mutex_lock_slow(struct mutex *m) { }
void mutex_unlock_slow(struct mutex *m) { }
void *memcpy(void *d, const void *s, size_t n)
{
	for (size_t i = 0; i < n; i++) ((char *)d)[i] = ((const char *)s)[i];
	return d;
}
void *memset(void *d, int c, size_t n)
{
	for (size_t i = 0; i < n; i++) ((volatile char *)d)[i] = (char)c;
	return d;
}
size_t strlen(const char *s) { size_t n = 0; while (s[n]) n++; return n; }
size_t strlcpy(char *d, const char *s, size_t n)
{
	size_t l = strlen(s);
	memcpy(d, s, l < n ? l + 1 : n - 1);
	d[l < n ? l : n - 1] = 0;
	return l;
}

/* ---- output ------------------------------------------------------------ */
static char line[512];
static u32 length;
static int failures = 0;
static int marker = 77; /* in .data: proves that it was copied */
static char alt[65536];

static void put(const char *s) { while (*s && length < 500) line[length++] = *s++; }
static void put_number(long v)
{
	char b[24]; int n = 0;
	if (v < 0) { put("-"); v = -v; }
	do b[n++] = (char)('0' + v % 10); while (v /= 10);
	while (n) line[length++] = b[--n];
}
static void flush(void)
{
	struct host_iovec v = { line, length + 1 };
	line[length] = '\n';
	host(328, 4, (u64)&v, 1, ~0ul, 0, 0);
	length = 0;
}
static void check(int ok, const char *what, long value)
{
	failures += !ok;
	put(ok ? "ok " : "FAIL "); put(what); put(" "); put_number(value);
	flush();
}

static u32 traps;
static long trap_nr;
void fake_trap(int sig, u64 *info, void *context)
{
	u64 *gregs = (u64 *)((char *)context + 40);

	traps++;
	trap_nr = (long)gregs[13]; /* rax */
	gregs[13] = 4242;
	/* rt_sigreturn is not in the wall: go back by hand is the library
	 * OS's work; here the trap is only counted. */
	check(sig == 31, "trap signal", sig);
	check(trap_nr == 39, "trap number", trap_nr);
	host_exit(failures ? 1 << 8 : 42 << 8);
}
void fake_fault(int sig, u64 *info, void *context)
{
	check(sig == 11, "fault signal", sig);
	host_exit(43 << 8);
}

static u8 buf[60000];
static struct host_stat st[16];

static void files(void)
{
	char link[256];
	int err = 99, n;
	u64 cursor = 0;
	int64_t r;
	struct host_open o = { .kind = HOST_OPEN_FILE, .flags = HOST_OPEN_READ,
			       .path = "bin/env", .stat = &st[0] };
	struct host_iovec v = { buf, 4 };
	host_handle h;

	n = host_path_walk(0, "bin/env", st, 16, link, sizeof(link), &err, NULL);
	check(n == 2 && !err, "walk /usr/bin/env", n);
	check(st[1].kind == HOST_KIND_FILE && st[1].uid == 0, "kind", st[1].kind);
	n = host_path_walk(0, "bin/nothing/x", st, 16, link, sizeof(link), &err, NULL);
	check(n == 1 && err == -2, "walk missing", err);
	n = host_path_walk(0, "", st, 16, link, sizeof(link), &err, NULL);
	check(n == 1 && !err && st[0].kind == HOST_KIND_DIR, "walk root", n);
	n = host_path_walk(0, "bin/awk", st, 16, link, sizeof(link), &err, NULL);
	check(n == 2 && st[1].kind == HOST_KIND_SYMLINK && link[0], "link", n);
	r = host_path_list(0, "bin", &cursor, buf, sizeof(buf));
	check(r > 1000, "list", r);
	while ((r = host_path_list(0, "bin", &cursor, buf, 4096)) > 0)
		;
	check(r == 0, "list end", r);
	h = host_stream_open(&o);
	check(h >= 5, "open", h);
	r = host(327, (u64)h, (u64)&v, 1, 0, 0, 0);
	check(r == 4 && buf[1] == 'E', "read", r);
	check(host_stream_stat(h, &st[1], NULL) == 0 && st[1].size == st[0].size,
	      "stat of handle", (long)st[1].size);
	raw_close(h);
	o.flags = HOST_OPEN_WRITE;
	check(host_stream_open(&o) == -30, "write refused", host_stream_open(&o));
	o.flags = HOST_OPEN_READ;
	o.path = "../etc/passwd";
	check(host_stream_open(&o) == -22, "dotdot", host_stream_open(&o));
	o.path = "bin/../../etc/passwd";
	check(host_stream_open(&o) == -22, "dotdot inside", host_stream_open(&o));
	o.tree = 1; o.path = "shadow";
	check(host_stream_open(&o) == -13, "shadow", host_stream_open(&o));
	o.path = "ssl/private/x";
	check(host_stream_open(&o) == -13, "private", host_stream_open(&o));
	o.tree = 77;
	check(host_stream_open(&o) == -2, "no tree", host_stream_open(&o));
}

static void volume(void)
{
	struct host_open o = { .kind = HOST_OPEN_FILE, .tree = 2,
			       .flags = HOST_OPEN_READ | HOST_OPEN_WRITE |
					HOST_OPEN_CREATE,
			       .mode = 0644, .path = "new", .stat = &st[0] };
	struct host_setattr a = { .which = HOST_SET_MODE | HOST_SET_MTIME,
				  .mode = 04755, .mtime_ns = 1500000000 };
	struct host_iovec v = { buf, 100 };
	char link[64];
	host_handle h = host_stream_open(&o);
	int err;

	check(h > 0, "create in volume", h);
	check(st[0].uid == 0 && st[0].gid == 0, "owner", st[0].uid);
	check(host(328, (u64)h, (u64)&v, 1, ~0ul, 0, 0) == 100, "write", 0);
	check(host_stream_resize(h, 50) == 0, "resize", 0);
	check(host_stream_sync(h, 1) == 0, "sync", 0);
	check(host_path_setattr(2, "new", &a) == 0, "setattr", 0);
	check(host_path_make(2, "dir", HOST_KIND_DIR, 0755, NULL) == 0, "mkdir", 0);
	check(host_path_make(2, "lnk", HOST_KIND_SYMLINK, 0, "/etc/shadow") == 0, "symlink", 0);
	check(host_path_make(2, "esc", HOST_KIND_SYMLINK, 0, "/") == 0, "symlink /", 0);
	o.path = "lnk"; o.flags = HOST_OPEN_READ;
	check(host_stream_open(&o) == -40, "open through symlink", host_stream_open(&o));
	o.path = "esc/etc/passwd";
	check(host_stream_open(&o) == -40, "symlink inside", host_stream_open(&o));
	check(host_path_rename(2, "new", "dir/moved", 0) == 0, "rename", 0);
	check(host_path_link(2, "dir/moved", "again") == 0, "link", 0);
	err = 9;
	check(host_path_walk(2, "dir/moved", st, 16, link, 64, &err, NULL) == 2, "walk", err);
	check(st[1].size == 50 && st[1].mode == 0755 &&
	      st[1].mtime_ns == 1500000000 && st[1].nlink == 2, "attributes", st[1].mode);
	check(host_path_remove(2, "dir", 1) == -39, "rmdir full", 0);
	check(host_path_remove(2, "dir/moved", 0) == 0, "unlink", 0);
	check(host_path_remove(2, "dir", 1) == 0, "rmdir", 0);
	host_path_remove(2, "again", 0);
	host_path_remove(2, "lnk", 0);
	host_path_remove(2, "esc", 0);
	check(host_path_make(0, "x", HOST_KIND_DIR, 0755, NULL) == -30, "mkdir in system", 0);
}

static void rest(const struct boot_info *b)
{
	struct host_open o = { .kind = HOST_OPEN_POLLSET };
	u64 ns = 0;
	host_handle h;

	check(host_clock_request(HOST_CLOCK_MONOTONIC, 0, &ns) == 0 && ns, "clock", 0);
	check(host_clock_request(HOST_CLOCK_PROCESS, 2, &ns) == 0 && ns, "cpu clock", 0);
	check(host_random(buf, 1000) == 0, "random", buf[999]);
	h = host_stream_open(&o);
	check(h > 0, "pollset", h);
	o.kind = HOST_OPEN_EVENT;
	check(host_stream_open(&o) == h + 1, "event", h);
	o.kind = HOST_OPEN_CONNECT;
	check(host_stream_open(&o) == -101, "connect refused", 0);
	o.kind = HOST_OPEN_LISTEN;
	check(host_stream_open(&o) == (b->port_count ? h + 2 : -13), "listen", 0);
	check(host_report(HOST_REPORT_LOG, 0, 0, "a message", 9) == 0, "log", 0);
	check(b->vdso_size >= 4096 && *(const u32 *)b->vdso == 0x464c457f, "vdso", 0);
}

static int is(const char *a, const char *b)
{
	while (*a && *a == *b) a++, b++;
	return *a == *b;
}

void fake_start(const struct boot_info *b)
{
	struct { void *sp; int flags; size_t size; } ss = { alt, 0, sizeof(alt) };
	const char *what = boot_string(b, b->init.argv);

	check(host(11, GUEST_MIN, BLY_BASE - GUEST_MIN, 0, 0, 0, 0) == 0, "unmap low", 0);
	check(host(11, BLY_END, GUEST_MAX - BLY_END, 0, 0, 0, 0) == 0, "unmap high", 0);
	host(131, (u64)&ss, 0, 0, 0, 0, 0);
	check(b->magic == BOOT_MAGIC, "boot record", (long)b->size);
	check(marker == 77 && failures == 0, "data", marker);
	check(is(boot_string(b, b->hostname), "box"), "host name", 0);
	check(host_report(HOST_REPORT_STARTED, 0, 0, NULL, 0) == 0, "started", 0);
	if (is(what, "checks")) {
		files();
		volume();
		rest(b);
	} else if (is(what, "trap")) {
		guest(39, 0);
	} else if (is(what, "fault")) {
		*(volatile int *)0x1000 = 1;
	} else if (is(what, "kill")) {
		host(39, 0, 0, 0, 0, 0, 0);
	} else if (is(what, "badarg")) {
		host(9, 0, 4096, 3, 0x122, ~0ul, 0);
	} else if (is(what, "badrequest")) {
		struct host_iovec v = { buf, 60 };
		struct raw_msghdr m = { .iov = &v, .iov_count = 1 };
		raw_sendmsg(0, &m, 0);
		raw_ppoll(NULL, 0, NULL, NULL, 0);
	} else if (is(what, "crash")) {
		host_report(HOST_REPORT_CRASH, 0, 0, "it broke", 8);
		raw_ppoll(NULL, 0, NULL, NULL, 0);
	} else if (is(what, "gone")) {
		host(60, 0, 0, 0, 0, 0, 0);
	} else if (is(what, "sleep")) {
		raw_ppoll(NULL, 0, NULL, NULL, 0);
	}
	host_exit(failures ? 1 << 8 : 0);
}

/* What host/request.c uses of the rest of the host layer: host_exit() sleeps
 * until the monitor's end takes it along. */
int host_sync_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
	return (int)raw_ppoll(NULL, 0, NULL, NULL, 0);
}
