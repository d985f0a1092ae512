/*
 * attack.c - a program that skips the library OS.
 *
 * It jumps to the `syscall; ret` sequences in the host layer's text, which is
 * mapped in every picoprocess, with registers of its own, so that nothing but
 * the wall and the monitor stands between it and the host.
 * usage: attack nr N | arg NAME | form NAME | open PATH FLAGS | make PATH KIND |
 *        two FROM TO | fds | kick | int80 | sysenter | mem
 * A host call that came back prints "returned"; a handle that the monitor
 * gave prints "got".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bailey/boot.h>
#include <bailey/image_header.h>
#include <bailey/monitor.h>

static uintptr_t gadget;

static void gadget_find(void)
{
	const struct bly_image_header *h = (const void *)BLY_TEXT;
	const uint8_t *p = (const uint8_t *)h->host_text_start;

	while ((uintptr_t)p + 3 <= h->host_text_end &&
	       (p[0] != 0x0f || p[1] != 0x05 || p[2] != 0xc3))
		p++;
	gadget = (uintptr_t)p;
	if ((uintptr_t)p + 3 > h->host_text_end) {
		printf("no gadget\n");
		exit(2);
	}
}

static long host(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	register uintptr_t to __asm__("r12") = gadget;
	long r;

	/* The call must not touch what the compiler keeps below the stack. */
	__asm__ volatile("sub $256, %%rsp; call *%%r12; add $256, %%rsp"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9), "r"(to)
			 : "rcx", "r11", "memory", "cc");
	return r;
}

/* ---- arguments that the wall refuses ------------------------------------- */
static char page[4096] __attribute__((aligned(4096)));

struct attempt {
	const char *name;
	long nr, a[6];
};
#define PAGE ((long)page)
#define ANON 0x22
static const struct attempt attempts[] = {
	{ "mmap-growsdown", 9, { 0, 4096, 3, ANON | 0x100, -1, 0 } },
	{ "mmap-hugetlb", 9, { 0, 4096, 3, ANON | 0x40000, -1, 0 } },
	{ "mmap-locked", 9, { 0, 4096, 3, ANON | 0x2000, -1, 0 } },
	{ "mmap-32bit", 9, { 0, 4096, 3, ANON | 0x40, -1, 0 } },
	{ "mmap-populate", 9, { 0, 4096, 3, ANON | 0x8000, -1, 0 } },
	{ "mmap-high-flags", 9, { 0, 4096, 3, ANON | 1l << 40, -1, 0 } },
	{ "mmap-prot", 9, { 0, 4096, 3 | 0x01000000, ANON, -1, 0 } },
	{ "mprotect-growsdown", 10, { PAGE, 4096, 3 | 0x01000000 } },
	{ "mremap-flags", 25, { PAGE, 4096, 4096, 8 } },
	{ "madvise-dontfork", 28, { PAGE, 4096, 10 } },
	{ "madvise-mergeable", 28, { PAGE, 4096, 12 } },
	{ "madvise-hwpoison", 28, { PAGE, 4096, 100 } },
	{ "madvise-pageout", 28, { PAGE, 4096, 21 } },
	{ "futex-wait", 202, { PAGE, 0, 1 } },
	{ "futex-requeue", 202, { PAGE, 3, 1, 1, PAGE + 64 } },
	{ "futex-lock-pi", 202, { PAGE, 6 } },
	{ "futex-wake-op", 202, { PAGE, 5, 1, 1, PAGE } },
	{ "futex-realtime", 202, { PAGE, 9 | 256, 1 } },
	{ "clone-newuser", 56, { 0x10000000 | 17 } },
	{ "clone-newns", 56, { 0x20000 | 17 } },
	{ "clone-newnet", 56, { 0x40000000 | 17 } },
	{ "clone-newpid", 56, { 0x20000000 | 17 } },
	{ "clone-plain", 56, { 17 } },
	{ "clone-vfork", 56, { 0x4000 | 0x100 | 17 } },
	{ "clone-ptrace", 56, { BLY_CLONE_PROCESS | 0x2000 } },
	{ "clone-untraced", 56, { BLY_CLONE_THREAD | 0x800000 } },
	{ "clone-high", 56, { BLY_CLONE_PROCESS | 1l << 32 } },
	{ "tgkill-kill", 234, { 1, 1, 9 } },
	{ "tgkill-stop", 234, { 2, 2, 19 } },
	{ "tgkill-zero", 234, { 2, 2, 0 } },
	{ "tgkill-chld", 234, { 1, 1, 17 } },
	{ "preadv2-hipri", 327, { 3, 0, 0, 0, 0, 1 } },
	{ "pwritev2-sync", 328, { 3, 0, 0, 0, 0, 4 } },
	{ "epoll-ctl-0", 233, { 3, 0, 3, PAGE } },
	{ "epoll-ctl-4", 233, { 3, 4, 3, PAGE } },
	{ "epoll-pwait-mask", 281, { 3, PAGE, 1, 0, PAGE, 8 } },
	{ "epoll-pwait-high", 281, { 3, PAGE, 1, 0, 1l << 40, 8 } },
	{ "ppoll-mask", 271, { PAGE, 0, PAGE + 64, PAGE, 8 } },
	{ "accept4-flags", 288, { 3, 0, 0, 1 } },
	{ "sendmsg-1", 46, { 1, PAGE, 0 } },
	{ "sendmsg-2", 46, { 2, PAGE, 0 } },
	{ "sendmsg-3", 46, { 3, PAGE, 0 } },
	{ "sendmsg-oob", 46, { 0, PAGE, 1 } },
	{ "sendmsg-zerocopy", 46, { 0, PAGE, 0x4000000 } },
	{ "recvmsg-2", 47, { 2, PAGE, 0x40 } },
	{ "recvmsg-3", 47, { 3, PAGE, 0x40 } },
	{ "recvmsg-peek", 47, { 0, PAGE, 0x42 } },
	{ "recvmsg-errqueue", 47, { 0, PAGE, 0x2040 } },
	{ "ptrace-attach", 101, { 16, 1, 0, 0 } },
	{ "ptrace-traceme", 101, { 0, 0, 0, 0 } },
	{ "vm-readv", 310, { 1, PAGE, 1, PAGE, 1, 0 } },
	{ "vm-writev", 311, { 1, PAGE, 1, PAGE, 1, 0 } },
	{ "open-shadow", 2, { (long)"/etc/shadow", 0 } },
	{ "openat-proc", 257, { -100, (long)"/proc/1/mem", 2 } },
	{ "execve", 59, { (long)"/bin/sh", 0, 0 } },
	{ "sigreturn", 15, { 0 } },
	{ "socket", 41, { 2, 1, 0 } },
	{ "seccomp", 317, { 1, 0, 0 } },
	{ "io-uring", 425, { 8, PAGE } },
};

static int try_argument(const char *name)
{
	unsigned i;

	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *t = &attempts[i];

		if (!strcmp(name, "list")) {
			puts(t->name);
			continue;
		}
		if (strcmp(name, t->name))
			continue;
		printf("returned %ld\n", host(t->nr, t->a[0], t->a[1], t->a[2],
					      t->a[3], t->a[4], t->a[5]));
		return 0;
	}
	return strcmp(name, "list") ? 2 : 0;
}

/* ---- requests ------------------------------------------------------------ */
static struct {
	struct mon_request q;
	char rest[8192];
} record;
static size_t record_size;

static void record_start(uint32_t op, const void *fixed, size_t size)
{
	memset(&record, 0, sizeof(record));
	record.q.op = op;
	record.q.token = 7;
	memcpy(record.rest, fixed, size);
	record.q.size = (uint32_t)(sizeof(record.q) + size);
	record_size = record.q.size;
}

static void record_text(const char *text, size_t size)
{
	memcpy((char *)&record + record_size, text, size);
	record_size += size;
	record.q.size = (uint32_t)record_size;
}

static long record_send(const int *fds, unsigned count)
{
	char control[256] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { &record, record_size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (void *)control;

	if (count) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	return host(46, BLY_FD_MONITOR, (long)&h, MSG_NOSIGNAL, 0, 0, 0);
}

static struct mon_reply reply;
static int reply_fd;

static int record_ask(const int *fds, unsigned count)
{
	static char payload[MON_REPLY_MAX];
	char control[64] __attribute__((aligned(8))) = { 0 };
	struct iovec iov[2] = { { &reply, sizeof(reply) },
				{ payload, sizeof(payload) } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *c = (void *)control;
	long r = record_send(fds, count);

	reply_fd = -1;
	if (r < 0)
		return (int)r;
	r = host(47, BLY_FD_MONITOR, (long)&h, 0, 0, 0, 0);
	if (r < (long)sizeof(reply))
		return -EIO;
	if (reply.handle_count && h.msg_controllen)
		memcpy(&reply_fd, CMSG_DATA(c), sizeof(int));
	return reply.error;
}

/* Every tree of the policy is tried: the program does not know which is
 * which.  @ in a path stands for NUL. */
#define TREES 24u
static size_t path_of(char *to, const char *from)
{
	size_t i, n = strlen(from) + 1;

	for (i = 0; i < n; i++)
		to[i] = from[i] == '@' ? '\0' : from[i];
	return n;
}

static int try_open(const char *name, unsigned flags)
{
	char path[4097], data[64] = "";
	size_t n = path_of(path, name);
	uint32_t i;

	for (i = 0; i < TREES; i++) {
		struct mon_open o = { .kind = HOST_OPEN_FILE, .tree = i,
				      .flags = flags, .mode = 06777,
				      .path_size = (uint32_t)n };
		struct iovec v = { data, sizeof(data) - 1 };
		int r;

		record_start(MON_OPEN, &o, sizeof(o));
		record_text(path, n);
		r = record_ask(NULL, 0);
		if (reply_fd >= 0) {
			host(327, reply_fd, (long)&v, 1, 0, 0, 0);
			printf("got %u: %.20s\n", i, data);
		} else {
			printf("error %d\n", -r);
		}
	}
	return 0;
}

static int try_make(const char *name, uint32_t kind)
{
	uint32_t i;

	for (i = 0; i < TREES; i++) {
		struct mon_make m = { .tree = i, .kind = kind, .mode = 06777,
				      .path_size = (uint32_t)strlen(name) + 1 };

		record_start(MON_MAKE, &m, sizeof(m));
		record_text(name, strlen(name) + 1);
		printf("%s %d\n", record_ask(NULL, 0) ? "error" : "made",
		       -reply.error);
	}
	return 0;
}

/* A hard link, and a move, of a name to another. */
static int try_two(const char *from, const char *to)
{
	uint32_t i, op;

	for (i = 0; i < 2 * TREES; i++) {
		struct mon_rename m = { .tree = i / 2,
					.from_size = (uint32_t)strlen(from) + 1,
					.to_size = (uint32_t)strlen(to) + 1 };

		op = i & 1 ? MON_RENAME : MON_LINK;
		record_start(op, &m, sizeof(m));
		record_text(from, strlen(from) + 1);
		record_text(to, strlen(to) + 1);
		printf("%s\n", record_ask(NULL, 0) ? "error" : "made");
	}
	return 0;
}

static const char *const forms[] = {
	"short", "empty-op", "op-17", "op-max", "size-low", "size-high",
	"pad", "fixed-cut", "path-unended", "path-size-0", "path-size-huge",
	"path-tail", "handle-missing", "handle-extra", "handles-two",
	"two-overflow", "report-size", "exit-tail", "kind-text",
};

static void form_make(const char *name)
{
	struct mon_open o = { .kind = HOST_OPEN_FILE, .flags = HOST_OPEN_READ,
			      .path_size = 4 };
	struct mon_handle h = { 0 };
	struct mon_rename two = { .from_size = 0xfffffffc, .to_size = 8 };
	struct mon_report p = { .kind = HOST_REPORT_LOG, .text_size = 50000 };
	struct mon_exit x = { 0 };

	if (!strncmp(name, "path-size-0", 11))
		o.path_size = 0;
	if (!strcmp(name, "path-size-huge"))
		o.path_size = 0xffffffff;
	if (!strcmp(name, "kind-text"))
		o.kind = HOST_OPEN_POLLSET;
	record_start(MON_OPEN, &o, sizeof(o));
	record_text(strcmp(name, "path-unended") ? "abc" : "abcd", 4);
	if (!strcmp(name, "path-tail"))
		record_text("x", 2);
	if (!strncmp(name, "handle", 6) && strcmp(name, "handle-extra"))
		record_start(MON_STAT, &h, sizeof(h));
	if (!strcmp(name, "two-overflow")) {
		record_start(MON_RENAME, &two, sizeof(two));
		record_text("abc", 4);
	}
	if (!strcmp(name, "report-size"))
		record_start(MON_REPORT, &p, sizeof(p));
	if (!strcmp(name, "exit-tail")) {
		record_start(MON_EXIT, &x, sizeof(x));
		record_text("abc", 4);
	}
}

static int try_form(const char *name)
{
	int fds[2] = { BLY_FD_HEAP, BLY_FD_HEAP };
	unsigned count = 0, i;

	if (!strcmp(name, "list")) {
		for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
			puts(forms[i]);
		return 0;
	}
	form_make(name);
	if (!strcmp(name, "short"))
		record_size = 3;
	else if (!strcmp(name, "empty-op"))
		record.q.op = 0;
	else if (!strcmp(name, "op-17"))
		record.q.op = MON_OP_COUNT;
	else if (!strcmp(name, "op-max"))
		record.q.op = 0xffffffff;
	else if (!strcmp(name, "size-low"))
		record.q.size--;
	else if (!strcmp(name, "size-high"))
		record.q.size += 100;
	else if (!strcmp(name, "pad"))
		record.q.pad = 1;
	else if (!strcmp(name, "fixed-cut"))
		record_size = record.q.size = sizeof(record.q) + 8;
	else if (!strcmp(name, "handle-extra"))
		count = 1;
	else if (!strcmp(name, "handles-two"))
		count = 2;
	printf("returned %d\n", record_ask(fds, count));
	return 0;
}

/* ---- others ----------------------------------------------------------------- */
/* Prints the kind and the mode of every handle that can be guessed. */
static int try_handles(void)
{
	struct mon_handle h = { 0 };
	int fd;

	for (fd = 3; fd < 1024; fd++) {
		long r = host(327, fd, (long)page, 0, 0, 0, 0);

		if (r == -EBADF) {
			int copy = fd;

			record_start(MON_STAT, &h, sizeof(h));
			if (record_send(&copy, 1) == -EBADF)
				continue;
			printf("handle %d not for reading\n", fd);
			return 1;
		}
		printf("handle %d: %ld\n", fd, r);
	}
	return 0;
}

static int try_kick(void)
{
	long id, r, reached = 0;

	for (id = 1; id < 40000; id++) {
		r = host(234, id, id, BLY_KICK_SIGNAL, 0, 0, 0);
		if (r == 0)
			reached++;
		else if (r != -ESRCH && r != -EPERM)
			printf("error %ld\n", r);
	}
	printf("reached %ld\n", reached);
	return 0;
}

static int try_memory(void)
{
	const struct bly_image_header *h = (const void *)BLY_TEXT;
	int fd = open("/proc/self/mem", O_RDWR);

	if (fd < 0) {
		printf("error %d\n", errno);
		return 0;
	}
	if (pwrite(fd, "\x90", 1, (off_t)h->host_text_start) == 1)
		printf("returned: wrote the host layer\n");
	return 0;
}

static int try_int80(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20)
			 : "memory", "r8", "r9", "r10", "r11");
	printf("returned %ld\n", r);
	return 0;
}

static int try_sysenter(void)
{
	long r;

	__asm__ volatile("mov %%rsp, %%rbp; sysenter" : "=a"(r) : "a"(20)
			 : "memory", "rcx", "rdx");
	printf("returned %ld\n", r);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *arg = argc > 2 ? argv[2] : "";
	const char *third = argc > 3 ? argv[3] : "";
	long n = strtol(arg, NULL, 0);

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!strcmp(arg, "list"))
		return what[0] == 'a' ? try_argument(arg) : try_form(arg);
	gadget_find();
	printf("begin\n");
	if (!strcmp(what, "nr"))
		printf("returned %ld\n", host(n, 0, 0, 0, 0, 0, 0));
	else if (!strcmp(what, "arg"))
		return try_argument(arg);
	else if (!strcmp(what, "form"))
		return try_form(arg);
	else if (!strcmp(what, "open"))
		return try_open(arg, (unsigned)strtoul(third, NULL, 0));
	else if (!strcmp(what, "make"))
		return try_make(arg, (uint32_t)strtoul(third, NULL, 0));
	else if (!strcmp(what, "two"))
		return try_two(arg, third);
	else if (!strcmp(what, "fds"))
		return try_handles();
	else if (!strcmp(what, "kick"))
		return try_kick();
	else if (!strcmp(what, "mem"))
		return try_memory();
	else if (!strcmp(what, "int80"))
		return try_int80();
	else if (!strcmp(what, "sysenter"))
		return try_sysenter();
	else if (!strcmp(what, "sleep"))
		return (int)sleep((unsigned)n);
	else
		return 2;
	return 0;
}
