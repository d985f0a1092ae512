/*
 * internal.h - shared by the files of libos/time only.
 */
#ifndef LIBOS_TIME_INTERNAL_H
#define LIBOS_TIME_INTERNAL_H

#include <libos/ktime.h>
#include <libos/proc.h>
#include <libos/task.h>
#include <libos/timers.h>

#include <linux/time.h>

/* clock.c */
int clock_read(s32 id, u64 *ns);
int cpu_clock_read(s32 id, u64 *ns);
int timespec_ns(const struct __kernel_timespec *ts, u64 *ns);
struct __kernel_timespec ns_timespec(u64 ns);

/* A timer on a process's processor time (cputimer.c). */
struct cpu_timer {
	struct ktimer sample;
	struct proc *proc;
	bool user_only;
	u64 at_ns;         /* processor time at which it fires; 0: off */
	u64 interval_ns;
	void (*fire)(struct cpu_timer *c);
};

enum { ITIMERS_REAL, ITIMERS_VIRTUAL, ITIMERS_PROF };
#define POSIX_TIMERS_MAX 4096

/* proc->timers: made when first needed. */
struct timers {
	struct proc *proc;
	struct mutex lock;
	/* lock: */
	struct ktimer real;
	u64 real_at_ns, real_interval_ns; /* at: 0 off */
	struct cpu_timer cpu[2];          /* virtual, prof */
	struct cpu_timer limit;           /* RLIMIT_CPU */
	struct list posix;                /* struct posix_timer */
	u32 posix_count;
	s32 next_id;
};
struct timers *timers_of(struct proc *p); /* NULL: no memory */

void cpu_timer_init(struct cpu_timer *c, struct proc *p,
		    void (*fire)(struct cpu_timer *c));
/* at: processor time, 0 stops it. */
void cpu_timer_set(struct cpu_timer *c, u64 at_ns, u64 interval_ns);
void posix_timers_delete_all(struct timers *ts);

#endif
