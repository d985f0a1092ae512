/*
 * trace.c - `bailey run --trace`: a line for each system call, as strace
 * prints them.
 *
 * A call's name and what is known of its arguments are written when it is
 * entered, the rest with the result when it returns, so a call that waits is
 * seen waiting.  When another thread writes in between, the line is closed
 * with "<unfinished ...>" and taken up again with "<... resumed>".
 *
 * trace_lock guards which thread's line is open and the stream; it is a leaf
 * (lines are built before it is taken) and is held across one host write.
 */
#include "trace.h"

#include <bailey/boot.h>
#include <libos/task.h>
#include <libos/vfs.h>

#define NR_EXIT 60
#define NR_EXIT_GROUP 231
#define NR_SIGRETURN 15
#define RESULT_COLUMN 40 /* as strace has it */

static struct mutex trace_lock = MUTEX_INIT;
static s32 trace_open_tid; /* whose line is open, or 0 */
static size_t trace_open_size;
static bool trace_is_many; /* there was a second thread: show numbers */

void trace_put(struct trace_line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->size, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->size += MIN((size_t)n, room - 1);
}

static void put_byte(struct trace_line *l, u8 c, u8 next)
{
	static const char from[] = "\n\t\r\v\f\"\\";
	static const char to[] = "ntrvf\"\\";
	const char *hit = c ? strchr(from, c) : NULL;

	if (hit)
		trace_put(l, "\\%c", to[hit - from]);
	else if (c >= 0x20 && c < 0x7f)
		trace_put(l, "%c", c);
	else if (next >= '0' && next <= '7')
		trace_put(l, "\\%03o", c);
	else
		trace_put(l, "\\%o", c);
}

void trace_put_bytes(struct trace_line *l, const char *s, size_t size,
		     bool is_cut)
{
	size_t i;

	trace_put(l, "\"");
	for (i = 0; i < size; i++)
		put_byte(l, (u8)s[i], i + 1 < size ? (u8)s[i + 1] : 0);
	trace_put(l, is_cut ? "\"..." : "\"");
}

/* ---- writing -------------------------------------------------------------- */
static void write_all(const char *p, size_t size)
{
	host_handle h = boot_info()->trace;

	while (size) {
		struct host_iovec v = { (void *)(uintptr_t)p, size };
		int64_t n = host_stream_write(h, &v, 1, HOST_AT_ONCE);

		if (n == -HOST_EINTR)
			continue;
		if (n == -HOST_EAGAIN) {
			struct host_pollfd f = { h, HOST_POLL_OUT, 0 };

			host_poll(&f, 1, HOST_FOREVER);
			continue;
		}
		if (n <= 0)
			return; /* nobody reads any more */
		p += n;
		size -= (size_t)n;
	}
}

static void put_prefix(struct trace_line *l, const struct task *t)
{
	if (t->tid != 1)
		trace_is_many = true;
	if (trace_is_many)
		trace_put(l, "[pid %5d] ", t->tid);
}

/* Start a line of t: finish the one that is open, if it is another's. */
static void close_open_line(void)
{
	static const char unfinished[] = " <unfinished ...>\n";

	if (trace_open_tid)
		write_all(unfinished, sizeof(unfinished) - 1);
	trace_open_tid = 0;
}

static void write_line(struct trace_line *l)
{
	if (l->size == sizeof(l->text) - 1)
		l->text[l->size - 1] = '\n'; /* cut, but still a line */
	mutex_lock(&trace_lock);
	close_open_line();
	write_all(l->text, l->size);
	mutex_unlock(&trace_lock);
}

static const char *call_name(long nr, const char **formats)
{
	const struct sys_entry *e = NULL;

	if (nr >= 0 && (unsigned long)nr < sys_table_size)
		e = &sys_table[nr];
	*formats = e && e->name ? e->args : "x x x x x x";
	return e && e->name ? e->name : "syscall_?";
}

/* ---- system calls --------------------------------------------------------- */
void trace_enter(struct task *t, const struct sysargs *a, long nr)
{
	struct trace_line l = { 0 };
	struct trace_call c = { a->a, 0, false };
	const char *formats, *name = call_name(nr, &formats);
	bool is_last = nr == NR_EXIT || nr == NR_EXIT_GROUP;

	if (boot_info()->trace == HOST_NO_HANDLE)
		return;
	memcpy(t->trace_args, a->a, sizeof(t->trace_args));
	put_prefix(&l, t);
	trace_put(&l, "%s(", name);
	trace_put_args(&l, formats, &c, false);
	if (is_last || nr == NR_SIGRETURN)
		trace_put(&l, ") = ?\n");
	mutex_lock(&trace_lock);
	close_open_line();
	write_all(l.text, l.size);
	if (!is_last && nr != NR_SIGRETURN) {
		trace_open_tid = t->tid;
		trace_open_size = l.size;
	}
	mutex_unlock(&trace_lock);
}

static void put_result(struct trace_line *l, const char *name, long ret)
{
	trace_put(l, " = ");
	if (ret < 0 && ret > -4096)
		trace_put_error(l, -ret);
	else if (ret > 0xffffffffl || !strncmp(name, "mmap", 5) ||
		 !strncmp(name, "brk", 4) || !strncmp(name, "mremap", 7))
		trace_put(l, "0x%lx", (unsigned long)ret);
	else
		trace_put(l, "%ld", ret);
	trace_put(l, "\n");
}

void trace_exit(struct task *t, const struct sysargs *a, long nr, long ret)
{
	struct trace_line l = { 0 }, resumed = { 0 }, result = { 0 };
	struct trace_call c = { t->trace_args, ret, true };
	const char *formats, *name = call_name(nr, &formats);

	if (boot_info()->trace == HOST_NO_HANDLE || nr == NR_SIGRETURN)
		return;
	put_prefix(&resumed, t);
	trace_put(&resumed, "<... %s resumed>", name);
	trace_put_args(&l, formats, &c, true);
	trace_put(&l, ")");
	put_result(&result, name, ret);
	mutex_lock(&trace_lock);
	if (trace_open_tid != t->tid) {
		close_open_line();
		write_all(resumed.text, resumed.size);
		trace_open_size = resumed.size;
	}
	trace_open_tid = 0;
	while (trace_open_size + l.size < RESULT_COLUMN)
		trace_put(&l, " ");
	trace_put(&l, "%s", result.text);
	write_all(l.text, l.size);
	mutex_unlock(&trace_lock);
}

/* ---- signals and ends ----------------------------------------------------- */
/* Codes above 0 have a meaning for each signal. */
static void put_code(struct trace_line *l, int sig, int code)
{
	static const struct { int sig; const char *names[6]; } codes[] = {
		{ SIGCHLD, { "CLD_EXITED", "CLD_KILLED", "CLD_DUMPED",
			     "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED" } },
		{ SIGSEGV, { "SEGV_MAPERR", "SEGV_ACCERR" } },
		{ SIGBUS, { "BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR" } },
		{ SIGFPE, { "FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV",
			    "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES" } },
		{ SIGILL, { "ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR",
			    "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG" } },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		if (codes[i].sig == sig && code >= 1 && code <= 6 &&
		    codes[i].names[code - 1]) {
			trace_put(l, "%s", codes[i].names[code - 1]);
			return;
		}
	}
	trace_put_one(l, TRACE_SICODE, (u32)code);
}

void trace_signal(struct task *t, int sig, const siginfo_t *info)
{
	struct trace_line l = { 0 };

	if (boot_info()->trace == HOST_NO_HANDLE)
		return;
	put_prefix(&l, t);
	trace_put(&l, "--- ");
	trace_put_signal(&l, (u64)sig);
	trace_put(&l, " {si_signo=");
	trace_put_signal(&l, (u64)sig);
	if (info) {
		trace_put(&l, ", si_code=");
		put_code(&l, sig, info->si_code);
		if (info->si_code > 0 && (sig == SIGSEGV || sig == SIGBUS ||
					  sig == SIGILL || sig == SIGFPE))
			trace_put(&l, ", si_addr=%p", info->si_addr);
		else
			trace_put(&l, ", si_pid=%d, si_uid=%u", info->si_pid,
				  info->si_uid);
		if (sig == SIGCHLD)
			trace_put(&l, ", si_status=%d", info->si_status);
	}
	trace_put(&l, "} ---\n");
	write_line(&l);
}

void trace_exited(struct task *t, u32 code, bool whole_process)
{
	struct trace_line l = { 0 };

	/* strace's line is for a thread too; the process's is its last. */
	if (boot_info()->trace == HOST_NO_HANDLE)
		return;
	put_prefix(&l, t);
	if (code & 0x7f) {
		trace_put(&l, "+++ killed by ");
		trace_put_signal(&l, code & 0x7f);
		trace_put(&l, code & 0x80 ? " (core dumped)" : "");
	} else {
		trace_put(&l, "+++ exited with %u", (code >> 8) & 0xff);
	}
	trace_put(&l, " +++\n");
	write_line(&l);
}
