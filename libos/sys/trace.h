/*
 * trace.h - inside `bailey run --trace`: a line being built, and the parts
 * that write to it.  trace.c decides when lines are written, trace_args.c
 * what an argument looks like, trace_names.c the names of constants.
 *
 * Nothing here sleeps or takes a lock except trace_flush's own, so tracing
 * works wherever a system call may be.
 */
#ifndef LIBOS_TRACE_H
#define LIBOS_TRACE_H

#include <libos/base.h>
#include <libos/sys.h>

#define TRACE_LINE 1536
#define TRACE_STRING 32 /* bytes of a string or buffer that are shown */

struct trace_line {
	size_t size;
	char text[TRACE_LINE];
};
void trace_put(struct trace_line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void trace_put_bytes(struct trace_line *l, const char *s, size_t size,
		     bool is_cut);

/* Arguments of call nr, from *index on; stops before the first that is
 * known only afterwards, unless is_done (then all, with ret). */
struct trace_call {
	const u64 *a;
	long ret;
	bool is_done;
};
void trace_put_args(struct trace_line *l, const char *formats,
		    const struct trace_call *c, bool second_half);

struct trace_name { u64 value; const char *name; };
enum trace_set {
	TRACE_OFLAGS, TRACE_PROT, TRACE_MAPFLAGS, TRACE_CLONE, TRACE_ATFLAGS,
	TRACE_MSGFLAGS, TRACE_FDFLAGS, TRACE_WAIT, TRACE_ACCESS, TRACE_INMASK,
	TRACE_SAFLAGS, TRACE_EPOLL, TRACE_POLL, TRACE_MREMAP, TRACE_FLOCK,
	/* one value, not bits */
	TRACE_FCNTL, TRACE_WHENCE, TRACE_MADVISE, TRACE_FUTEX, TRACE_DOMAIN,
	TRACE_SOCKTYPE, TRACE_SOLEVEL, TRACE_SIGHOW, TRACE_RLIMIT,
	TRACE_CLOCK, TRACE_EPOLLOP, TRACE_IOCTL, TRACE_SHUT, TRACE_PRCTL,
	TRACE_ARCHPRCTL, TRACE_ITIMER, TRACE_SICODE, TRACE_SETS,
};
void trace_put_flags(struct trace_line *l, enum trace_set set, u64 v);
void trace_put_one(struct trace_line *l, enum trace_set set, u64 v);
void trace_put_signal(struct trace_line *l, u64 sig);
void trace_put_error(struct trace_line *l, long err);

#endif
