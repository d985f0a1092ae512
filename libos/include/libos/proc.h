/*
 * proc.h - the process family (libos/proc) as the rest of the library OS
 * sees it: the tree, process groups, the life of a thread.
 *
 * Process groups have a lock of their own (pgrp_lock, private, a leaf above
 * sighand->lock), so that a terminal may signal a group with its lock held.
 * proc->threads changes with tasklist_lock *and* sighand->lock held; either
 * is enough to read it.
 */
#ifndef LIBOS_PROC_H
#define LIBOS_PROC_H

#include <libos/base.h>
#include <libos/task.h>

struct mm;

/* A process that is complete but not yet known to others enters the tree,
 * its process group and its session.  parent NULL: started by the monitor;
 * its end is told to proc_spawn_exited().  tasklist_lock must be free. */
void proc_link(struct proc *p, struct proc *parent, s32 pgid, s32 sid);
/* Supplied by the core: a process without a parent has ended. */
void proc_spawn_exited(struct proc *p, u32 status);
/* First thing in a new guest thread, in its own picoprocess. */
void proc_child_started(struct task *t);
/* The child has its own memory now, or has gone: let the vfork parent run. */
void vfork_release(struct task *t);

/* The thread is about to wait in a call that servers wait in: has its program
 * given itself another title?  (title.c) */
void title_refresh(struct task *t);
static inline void title_look(struct task *t)
{
	u32 n = t->title_looks++;

	if (UNLIKELY(n < 8 || n % 16 == 0))
		title_refresh(t);
}

/* ---- process groups and sessions (group.c) ------------------------------- */
/* A group is orphaned when no member has a parent in another group of the
 * same session.  tasklist_lock held. */
bool pgrp_is_orphaned(s32 pgid, struct proc *ignored);
/* Is there a process in this group (of session sid, or any if 0)? */
bool pgrp_exists(s32 pgid, s32 sid);
/* Call fn for each member; pgrp_lock is held.  Count of members. */
unsigned pgrp_for_each(s32 pgid, void (*fn)(struct proc *p, void *arg),
		       void *arg);
/* A session leader has died (the terminal family; weak no-op else). */
void tty_session_leader_exit(struct proc *p);

/* ---- limits and times ------------------------------------------------------ */
u64 proc_rlimit(struct proc *p, unsigned resource); /* soft limit */
u64 proc_cpu_ns(struct proc *p);  /* processor time so far */
u64 task_cpu_ns(struct task *t);
/* Processes and threads that exist (for pids_limit, sysinfo). */
u32 proc_task_count(void);

/* ---- the host's name (sysinfo.c) ------------------------------------------- */
#define UTS_NAME_MAX 64
void uts_get_hostname(char out[UTS_NAME_MAX + 1]);
int uts_set_hostname(const char *name, size_t size); /* -EINVAL: too long */

/* ---- a program's own filters (seccomp.c) ------------------------------------ */
/* For a task with WORK_SECCOMP: true if the call is not to be made; then *ret
 * is its result. */
struct sysargs;
bool seccomp_stops(struct task *t, const struct sysargs *a, u64 nr, long *ret);
/* sighand->lock held, or nobody knows the child yet. */
void seccomp_inherit(struct task *child, struct task *parent);
void seccomp_release(struct task *t);
u32 seccomp_filter_count(const struct task *t); /* sighand->lock */

/* ---- signalling others ----------------------------------------------------- */
/* May current() send sig to p?  0, -EPERM. */
int signal_permission(struct proc *p, int sig);
/* Process-wide end: every thread is told to leave with this wait status.
 * sighand->lock held. */
void proc_start_group_exit(struct proc *p, u32 wait_code);

/* ---- files of processes (libos/ipc; weak) ---------------------------------- */
struct file *pidfd_file(struct proc *p);
struct proc *pidfd_proc(struct file *f);
void sem_exit(struct proc *p);
/* libos/mm: MADV_DONTFORK and WIPEONFORK, in the child's own context. */
void mm_after_fork_child(struct mm *m);

#endif
