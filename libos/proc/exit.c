/*
 * exit.c - the end of threads and processes.
 *
 * A thread that ends leaves the process's list; the last one takes the
 * process down: timers, files, memory, terminal; then, in one step under
 * tasklist_lock, children get a new parent, the process becomes a zombie and
 * its parent hears of it.  Process 1's end is the sandbox's.
 */
#include "internal.h"

#include <libos/ktime.h>
#include <libos/exec.h>
#include <libos/file.h>
#include <libos/futex.h>
#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/mm.h>
#include <libos/timers.h>
#include <libos/vfs.h>

__attribute__((weak)) void sem_exit(struct proc *p)
{
}

__attribute__((weak)) void tty_session_leader_exit(struct proc *p)
{
}

void proc_start_group_exit(struct proc *p, u32 wait_code)
{
	struct task *t;

	if (p->group_exiting || p->state != PROC_ALIVE)
		return;
	p->group_exiting = true;
	p->exit_code = wait_code;
	/* From here on its parent hears of its end only. */
	p->is_stopped = p->continued = p->tell_continued = false;
	p->stop_left = 0;
	list_for_each(t, &p->threads, in_proc) {
		if (t->is_exiting)
			continue;
		task_set_work(t, WORK_EXIT);
		if (t != current())
			task_kick(t);
	}
}

/* ---- giving things back ----------------------------------------------------------- */
/* Others (procfs) look at these under tasklist_lock. */
static void *detach(void *field)
{
	void **slot = field, *was;

	mutex_lock(&tasklist_lock);
	was = *slot;
	*slot = NULL;
	mutex_unlock(&tasklist_lock);
	return was;
}

static void release_objects(struct proc *p)
{
	struct files *files;
	struct fs_context *fs;
	struct file *exe;
	struct mm *mm;

	timers_exit(p);
	sem_exit(p);
	files = detach(&p->files);
	if (files)
		files_put(files);
	fs = detach(&p->fs);
	if (fs)
		fs_context_put(fs);
	exe = detach(&p->exe);
	if (exe)
		file_put(exe);
	mm = detach(&p->mm);
	if (mm)
		mm_put(mm);
}

/* ---- the children ------------------------------------------------------------------- */
static struct proc *reaper_of(struct proc *p)
{
	for (struct proc *a = p->parent; a; a = a->parent)
		if (a->child_subreaper && a->state == PROC_ALIVE)
			return a;
	return init_proc && init_proc != p && init_proc->state == PROC_ALIVE
		? init_proc : NULL;
}

static void tell_parent_death(struct proc *child)
{
	struct task *t;

	list_for_each(t, &child->threads, in_proc)
		if (t->pdeath_signal)
			signal_send_task(t, (int)t->pdeath_signal, NULL);
}

/* A group that has just lost its last tie, and has stopped members, would
 * stay stopped for ever. */
static void note_stopped(struct proc *p, void *arg)
{
	if (p->is_stopped)
		*(bool *)arg = true;
}

static void check_orphaned(s32 pgid, struct proc *leaver)
{
	bool stopped = false;

	if (!pgrp_is_orphaned(pgid, leaver))
		return;
	pgrp_for_each(pgid, note_stopped, &stopped);
	if (!stopped)
		return;
	signal_send_pgrp(pgid, SIGHUP, NULL);
	signal_send_pgrp(pgid, SIGCONT, NULL);
}

/* One that became an orphan: process 1 did not make it and need not wait. */
static bool goes_unwaited(struct proc *child, struct proc *reaper)
{
	return !reaper || (reaper == init_proc && !reaper->child_subreaper);
}

static void give_child_away(struct proc *child, struct proc *reaper)
{
	proc_set_parent(child, reaper);
	child->exit_signal = SIGCHLD;
	child->is_adopted = goes_unwaited(child, reaper);
	if (child->state != PROC_ZOMBIE)
		return;
	if (child->is_adopted || signal_notify_exit(child, reaper))
		proc_reap(child);
}

static void give_children_away(struct proc *p)
{
	struct proc *reaper = reaper_of(p), *c, *next;

	list_for_each_safe(c, next, &p->children, sibling) {
		s32 pgid = c->pgid;
		bool tied = pgid != p->pgid && c->sid == p->sid
			&& c->state == PROC_ALIVE;

		tell_parent_death(c);
		give_child_away(c, reaper);
		if (tied)
			check_orphaned(pgid, NULL);
	}
}

/* ---- the process ------------------------------------------------------------------- */
/* tasklist_lock held. */
static void become_zombie(struct proc *p, struct task *t)
{
	struct sighand *s = sighand_lock(p);

	list_remove(&t->in_proc);
	p->thread_count = 0;
	p->leader = NULL;
	p->is_stopped = false;
	p->state = PROC_ZOMBIE;
	sigpending_flush(&p->pending);
	mutex_unlock(&s->lock);
}

static void notify(struct proc *p)
{
	struct proc *parent = p->parent;
	bool reap;

	if (!parent || p->is_adopted)
		reap = true;
	else
		reap = signal_notify_exit(p, parent);
	waitq_wake(&p->exit_wait, 0);
	if (reap)
		proc_reap(p);
}

#define BRIEF_NS 10000000u

/* The processor time of a process that ends.  The monitor has to be asked for
 * it; one that lived for less than the tick of a host's clock is taken to
 * have run all the time. */
static u64 final_cpu_ns(struct proc *p)
{
	u64 lived = clock_boot_ns() - p->start_time_ns;

	return lived < BRIEF_NS ? p->user_ns + lived : proc_cpu_ns(p);
}

static void proc_end(struct proc *p, struct task *t)
{
	if (p != init_proc) /* nobody will ask */
		p->user_ns = final_cpu_ns(p);
	p->exit_uid = t->cred.uid;
	release_objects(p);
	if (p->sid == p->pid)
		tty_session_leader_exit(p);
	if (p == init_proc)
		host_exit((s32)p->exit_code);
	if (!p->parent)
		proc_spawn_exited(p, p->exit_code);
	vfork_release(t);
	ref_get(&p->ref); /* t->proc stays valid to the end */
	task_hold_wake(); /* the parent wants the lock as soon as it wakes */
	mutex_lock(&tasklist_lock);
	give_children_away(p);
	become_zombie(p, t);
	if (p->parent && p->parent->pgid != p->pgid
	    && p->parent->sid == p->sid)
		check_orphaned(p->pgid, p);
	notify(p);
	mutex_unlock(&tasklist_lock);
	task_send_wake();
	proc_put(p);
}

/* The thread leaves the list; true for the last, which stays on it. */
static bool thread_end(struct proc *p, struct task *t, u32 code)
{
	struct sighand *s;
	bool last;

	mutex_lock(&tasklist_lock);
	s = sighand_lock(p);
	signal_thread_leaves(t);
	if (p->leader == t && !p->group_exiting)
		p->exit_code = code;
	last = p->thread_count == 1;
	if (!last) {
		list_remove(&t->in_proc);
		p->thread_count--;
		if (p->leader == t)
			p->leader = NULL;
	}
	mutex_unlock(&s->lock);
	if (!last)
		waitq_wake(&p->exit_wait, 0);
	mutex_unlock(&tasklist_lock);
	return last;
}

_Noreturn void task_exit(u32 code)
{
	struct task *t = current();
	struct proc *p = t->proc;

	futex_exit(t);
	t->exit_code = code;
	if (thread_end(p, t, code)) {
		if (t->work & WORK_TRACE)
			trace_exited(t, p->exit_code, true);
		proc_end(p, t);
	} else {
		if (t->work & WORK_TRACE)
			trace_exited(t, code, false);
		vfork_release(t);
		task_count_give();
	}
	task_leave(t);
}

_Noreturn void task_exit_group(u32 wait_code)
{
	struct proc *p = current()->proc;
	struct sighand *s = sighand_lock(p);

	if (!p->exec_by || p->exec_by == current())
		proc_start_group_exit(p, wait_code);
	wait_code = p->group_exiting ? p->exit_code : wait_code;
	mutex_unlock(&s->lock);
	task_exit(wait_code);
}

long sys_exit(struct task *t, const struct sysargs *a)
{
	task_exit(((u32)a->a[0] & 0xff) << 8);
}

long sys_exit_group(struct task *t, const struct sysargs *a)
{
	task_exit_group(((u32)a->a[0] & 0xff) << 8);
}
