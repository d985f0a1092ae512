/*
 * trace_args.c - what the arguments of a system call look like in a trace.
 *
 * The table of formats is at the end: a word of syscalls.tbl's argument
 * formats, the function that prints it, and whether the value is known only
 * after the call.  "word:N" names another argument (a size, a count).
 * Guest memory that cannot be read is printed as an address.
 */
#include "trace_args.h"

#include <libos/uaccess.h>

typedef void (*put_fn)(struct trace_line *l, const struct trace_arg *a);

void trace_put_pointer(struct trace_line *l, const struct trace_arg *a)
{
	if (a->v)
		trace_put(l, "0x%lx", (unsigned long)a->v);
	else
		trace_put(l, "NULL");
}

bool trace_fetch(void *to, const struct trace_arg *a, size_t size)
{
	return a->v && !copy_from_user(to, a->v, size);
}

static void put_int(struct trace_line *l, const struct trace_arg *a)
{
	trace_put(l, "%ld", a->v >> 32 == 0xffffffff || a->v >> 32 == 0 ?
		  (long)(s32)a->v : (long)a->v);
}
static void put_unsigned(struct trace_line *l, const struct trace_arg *a)
{
	trace_put(l, "%lu", (unsigned long)a->v);
}
static void put_hex(struct trace_line *l, const struct trace_arg *a)
{
	if (a->v)
		trace_put(l, "0x%lx", (unsigned long)a->v);
	else
		trace_put(l, "0");
}
static void put_mode(struct trace_line *l, const struct trace_arg *a)
{
	trace_put(l, "0%03o", (unsigned)a->v);
}
static void put_atfd(struct trace_line *l, const struct trace_arg *a)
{
	if ((s32)a->v == -100)
		trace_put(l, "AT_FDCWD");
	else
		trace_put(l, "%d", (s32)a->v);
}

/* ---- strings and buffers -------------------------------------------------- */
void trace_put_string(struct trace_line *l, u64 p, size_t show)
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
static void put_path(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_string(l, a->v, 256);
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
static void put_in(struct trace_line *l, const struct trace_arg *a)
{
	put_bytes_at(l, a->v, a->other);
}
static void put_out(struct trace_line *l, const struct trace_arg *a)
{
	if (a->failed)
		trace_put_pointer(l, a);
	else
		put_bytes_at(l, a->v, (u64)a->ret);
}

void trace_put_vector(struct trace_line *l, const struct trace_arg *a, u64 limit)
{
	struct { u64 base, size; } v;
	u64 i, n;

	if (a->other > 1024 || !a->v) {
		trace_put_pointer(l, a);
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
static void put_iov(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_vector(l, a, ~0ull);
}
static void put_oiov(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_vector(l, a, a->failed ? 0 : (u64)a->ret);
}

static void put_argv(struct trace_line *l, const struct trace_arg *a)
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
		trace_put_string(l, p, TRACE_STRING + 1);
	}
	trace_put(l, "]");
}
static void put_env(struct trace_line *l, const struct trace_arg *a)
{
	u64 p, n;

	for (n = 0; n < 4096; n++)
		if (!a->v || get_user_u64(&p, a->v + 8 * n) || !p)
			break;
	trace_put_pointer(l, a);
	trace_put(l, " /* %lu vars */", (unsigned long)n);
}

/* ---- flags and names ------------------------------------------------------ */
static void put_flags(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_flags(l, a->set, (u32)a->v);
}
static void put_one(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_one(l, a->set, (u32)a->v);
}
void trace_put_oflags(struct trace_line *l, const struct trace_arg *a)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY",
					      "O_RDWR", "O_ACCMODE" };

	trace_put(l, "%s", access[a->v & 3]);
	if ((u32)a->v & ~3u) {
		trace_put(l, "|");
		trace_put_flags(l, TRACE_OFLAGS, (u32)a->v & ~3u);
	}
}
static void put_socktype(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_one(l, TRACE_SOCKTYPE, a->v & 0xf);
	if (a->v & 02000000)
		trace_put(l, "|SOCK_CLOEXEC");
	if (a->v & 04000)
		trace_put(l, "|SOCK_NONBLOCK");
}
static void put_clone(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_flags(l, TRACE_CLONE, a->v & ~0xffull);
	if (a->v & 0xff) {
		trace_put(l, "|");
		trace_put_signal(l, a->v & 0xff);
	}
}
static void put_futex(struct trace_line *l, const struct trace_arg *a)
{
	trace_put_one(l, TRACE_FUTEX, a->v & 127);
	if (a->v & 128)
		trace_put(l, "_PRIVATE");
	if (a->v & 256)
		trace_put(l, "|FUTEX_CLOCK_REALTIME");
}
static void put_signal(struct trace_line *l, const struct trace_arg *a)
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
static void put_sigset(struct trace_line *l, const struct trace_arg *a)
{
	u64 set;

	if (!a->failed && trace_fetch(&set, a, sizeof(set)))
		put_set(l, set);
	else
		trace_put_pointer(l, a);
}
static void put_sigaction(struct trace_line *l, const struct trace_arg *a)
{
	struct ksigaction k;

	if (a->failed || !trace_fetch(&k, a, sizeof(k))) {
		trace_put_pointer(l, a);
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

/* ---- the formats ---------------------------------------------------------- */
static const struct format {
	const char *word;
	put_fn put;
	bool is_after;
	enum trace_set set;
} formats[] = {
	{ "d", put_int, 0, 0 }, { "u", put_unsigned, 0, 0 },
	{ "x", put_hex, 0, 0 }, { "p", trace_put_pointer, 0, 0 },
	{ "s", put_path, 0, 0 }, { "fd", put_int, 0, 0 },
	{ "atfd", put_atfd, 0, 0 }, { "mode", put_mode, 0, 0 },
	{ "in", put_in, 0, 0 }, { "out", put_out, 1, 0 },
	{ "iov", put_iov, 0, 0 }, { "oiov", put_oiov, 1, 0 },
	{ "argv", put_argv, 0, 0 }, { "env", put_env, 0, 0 },
	{ "oflags", trace_put_oflags, 0, 0 },
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
	{ "cloneflags", put_clone, 0, 0 }, { "clone3", trace_put_clone3, 0, 0 },
	{ "openhow", trace_put_openhow, 0, 0 }, { "futex", put_futex, 0, 0 },
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
	{ "osigact", put_sigaction, 1, 0 }, { "stat", trace_put_stat, 1, 0 },
	{ "timespec", trace_put_timespec, 0, 0 },
	{ "otimespec", trace_put_timespec, 1, 0 },
	{ "timespec2", trace_put_timespec2, 0, 0 },
	{ "timeval", trace_put_timeval, 0, 0 }, { "otimeval", trace_put_timeval, 1, 0 },
	{ "itimerval", trace_put_itimerval, 0, 0 },
	{ "oitimerval", trace_put_itimerval, 1, 0 },
	{ "itimerspec", trace_put_itimerspec, 0, 0 },
	{ "oitimerspec", trace_put_itimerspec, 1, 0 },
	{ "fds", trace_put_ints, 1, 0 }, { "oint", trace_put_oint, 1, 0 },
	{ "rlim", trace_put_rlimits, 0, 0 }, { "orlim", trace_put_rlimits, 1, 0 },
	{ "wstatus", trace_put_wait_status, 1, 0 },
	{ "sockaddr", trace_put_sockaddr, 0, 0 },
	{ "osockaddr", trace_put_osockaddr, 1, 0 },
	{ "msg", trace_put_message, 0, 0 }, { "omsg", trace_put_message, 1, 0 },
	{ "pollfds", trace_put_pollfds, 1, 0 }, { "fdset", trace_put_fdset, 0, 0 },
	{ "epollev", trace_put_epoll, 0, 0 }, { "epollevents", trace_put_epolls, 1, 0 },
	{ "dirents", trace_put_dirents, 1, 0 }, { "dirents64", trace_put_dirents, 1, 0 },
	{ "uname", trace_put_uname, 1, 0 },
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
		f->put(l, &(struct trace_arg){ .c = c, .v = c->a[i],
			.other = c->a[other], .ret = c->ret, .set = f->set,
			.failed = c->is_done && c->ret < 0 });
	}
}
