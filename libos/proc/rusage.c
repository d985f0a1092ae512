/*
 * rusage.c - processor time and what is counted: getrusage, times.
 *
 * The host tells the processor time of a host process or thread as one
 * number.  All of it is given as user time: the library OS's own work happens
 * in user mode too, and no split is known.
 */
#include "internal.h"

#include <libos/ktime.h>

#define TICKS_PER_SEC 100ull
#define NS_PER_TICK (NSEC_PER_SEC / TICKS_PER_SEC)

u64 task_cpu_ns(struct task *t)
{
	s32 id = t->host.thread;
	u64 ns = 0;

	if (!id)
		return 0;
	/* The host tells a thread's time only to its own process. */
	if (host_clock_read(HOST_CLOCK_PROCESS, t->host.process, &ns))
		return 0;
	ns += t->proc->cpu_before_ns;
	return ns / MAX(t->proc->thread_count, 1u);
}

/* Reads without a lock: task blocks are never unmapped, and a thread that
 * has just gone only makes the answer that of a moment ago. */
u64 proc_cpu_ns(struct proc *p)
{
	struct task *t = p->leader;
	u64 ns = 0;

	if (p->state != PROC_ALIVE)
		return p->user_ns + p->system_ns;
	if (!t && !list_empty(&p->threads))
		t = list_first(&p->threads, struct task, in_proc);
	if (!t)
		return p->user_ns;
	if (t->is_vfork_child) /* its time is counted with its parent's */
		return p->user_ns;
	host_clock_read(HOST_CLOCK_PROCESS, t->host.process, &ns);
	return ns + p->cpu_before_ns;
}

static void put_timeval(s64 tv[2], u64 ns)
{
	tv[0] = (s64)(ns / NSEC_PER_SEC);
	tv[1] = (s64)(ns % NSEC_PER_SEC / 1000);
}

void rusage_fill(struct guest_rusage *ru, u64 user_ns, u64 system_ns,
		 u64 max_rss_kb)
{
	memset(ru, 0, sizeof(*ru));
	put_timeval(ru->utime, user_ns);
	put_timeval(ru->stime, system_ns);
	ru->maxrss = (s64)max_rss_kb;
}

void rusage_of_child(struct guest_rusage *ru, struct proc *c)
{
	u64 user = c->state == PROC_ZOMBIE ? c->user_ns : proc_cpu_ns(c);

	rusage_fill(ru, user + c->child_user_ns,
		    c->system_ns + c->child_system_ns,
		    MAX(c->max_rss_kb, c->child_max_rss_kb));
}

long sys_getrusage(struct task *t, const struct sysargs *a)
{
	struct proc *p = t->proc;
	struct guest_rusage ru;

	switch ((s32)a->a[0]) {
	case 0: /* RUSAGE_SELF */
		rusage_fill(&ru, proc_cpu_ns(p), 0, p->max_rss_kb);
		break;
	case 1: /* RUSAGE_THREAD */
		rusage_fill(&ru, task_cpu_ns(t), 0, p->max_rss_kb);
		ru.rest[11] = (s64)t->voluntary_switches;
		break;
	case -1: /* RUSAGE_CHILDREN */
		mutex_lock(&tasklist_lock);
		rusage_fill(&ru, p->child_user_ns, p->child_system_ns,
			    p->child_max_rss_kb);
		mutex_unlock(&tasklist_lock);
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(a->a[1], &ru, sizeof(ru));
}

long sys_times(struct task *t, const struct sysargs *a)
{
	struct proc *p = t->proc;
	u64 tms[4];

	if (a->a[0]) {
		mutex_lock(&tasklist_lock);
		tms[2] = p->child_user_ns / NS_PER_TICK;
		tms[3] = p->child_system_ns / NS_PER_TICK;
		mutex_unlock(&tasklist_lock);
		tms[0] = proc_cpu_ns(p) / NS_PER_TICK;
		tms[1] = 0;
		if (copy_to_user(a->a[0], tms, sizeof(tms)))
			return -EFAULT;
	}
	return (long)(clock_boot_ns() / NS_PER_TICK);
}
