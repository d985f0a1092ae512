/*
 * trace_args.h - between trace_args.c and trace_structs.c: one argument of a
 * call, and the functions that print it.
 */
#ifndef LIBOS_TRACE_ARGS_H
#define LIBOS_TRACE_ARGS_H

#include "trace.h"

struct trace_arg {
	const struct trace_call *c;
	u64 v;      /* the argument */
	u64 other;  /* argument N of "word:N" */
	long ret;
	bool failed;
	enum trace_set set;
};

/* Copy what the argument points to; false if it cannot be read. */
bool trace_fetch(void *to, const struct trace_arg *a, size_t size);
void trace_put_pointer(struct trace_line *l, const struct trace_arg *a);
/* A NUL-ended string, at most show bytes of it with the NUL. */
void trace_put_string(struct trace_line *l, u64 p, size_t show);
void trace_put_oflags(struct trace_line *l, const struct trace_arg *a);
/* An iovec array of a->other entries; at most limit bytes are shown. */
void trace_put_vector(struct trace_line *l, const struct trace_arg *a,
		      u64 limit);
void trace_put_timespec(struct trace_line *l, const struct trace_arg *a);
void trace_put_timespec2(struct trace_line *l, const struct trace_arg *a);
void trace_put_timeval(struct trace_line *l, const struct trace_arg *a);
void trace_put_itimerval(struct trace_line *l, const struct trace_arg *a);
void trace_put_itimerspec(struct trace_line *l, const struct trace_arg *a);
void trace_put_stat(struct trace_line *l, const struct trace_arg *a);
void trace_put_ints(struct trace_line *l, const struct trace_arg *a);
void trace_put_oint(struct trace_line *l, const struct trace_arg *a);
void trace_put_rlimits(struct trace_line *l, const struct trace_arg *a);
void trace_put_wait_status(struct trace_line *l, const struct trace_arg *a);
void trace_put_sockaddr(struct trace_line *l, const struct trace_arg *a);
void trace_put_osockaddr(struct trace_line *l, const struct trace_arg *a);
void trace_put_message(struct trace_line *l, const struct trace_arg *a);
void trace_put_pollfds(struct trace_line *l, const struct trace_arg *a);
void trace_put_fdset(struct trace_line *l, const struct trace_arg *a);
void trace_put_epoll(struct trace_line *l, const struct trace_arg *a);
void trace_put_epolls(struct trace_line *l, const struct trace_arg *a);
void trace_put_dirents(struct trace_line *l, const struct trace_arg *a);
void trace_put_uname(struct trace_line *l, const struct trace_arg *a);
void trace_put_clone3(struct trace_line *l, const struct trace_arg *a);
void trace_put_openhow(struct trace_line *l, const struct trace_arg *a);

#endif
