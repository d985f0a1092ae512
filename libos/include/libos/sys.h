/*
 * sys.h - the system-call table.
 *
 * libos/sys/syscalls.tbl has one line per Linux system call:
 *
 *   SYSCALL(nr, name, handler, LEVEL, "argument formats", "note")
 *
 * LEVEL: FULL, PARTIAL (note says what is missing), STUB (accepted, has no
 * effect; note says why that is right), NONE (returns note's errno).
 * Argument formats, for --trace, one word per argument:
 *   d int  u unsigned  x hex  o octal  p pointer  s string  fd  atfd
 *   buf:N  (bytes of argument N or of the result)  oflags prot mapflags sig
 *   stat  timespec  sigset  iov  sockaddr  argv  ... (libos/sys/trace.c)
 * Every handler has one signature; the argument array lives in struct regs.
 */
#ifndef LIBOS_SYS_H
#define LIBOS_SYS_H

#include <libos/base.h>
#include <libos/task.h>

struct sysargs { u64 a[6]; }; /* overlays struct regs' first six */

typedef long (*sys_fn)(struct task *t, const struct sysargs *a);

enum sys_level { SYS_FULL, SYS_PARTIAL, SYS_STUB, SYS_NONE };

struct sys_entry {
	sys_fn fn;
	const char *name;
	const char *args;
	enum sys_level level;
};
extern const struct sys_entry sys_table[];
extern const unsigned sys_table_size;

#define SYSCALL(nr, name, handler, level, args, note)                         \
	long handler(struct task *t, const struct sysargs *a);
#include "../../sys/syscalls.tbl"
#undef SYSCALL

void syscall_dispatch(struct task *t);
void exit_work(struct task *t);

void trace_enter(struct task *t, const struct sysargs *a, long nr);
void trace_exit(struct task *t, const struct sysargs *a, long nr, long ret);
void trace_signal(struct task *t, int sig, const siginfo_t *info);
void trace_exited(struct task *t, u32 code, bool whole_process);

#endif
