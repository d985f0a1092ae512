/*
 * group.c - the process tree's lists: parents and children, process groups,
 * sessions; setpgid and its family.
 *
 * Groups are a hash of processes by pgid.  The hash has a lock of its own,
 * pgrp_lock, taken after tasklist_lock or alone: a terminal signals a group
 * without tasklist_lock.  Changes hold both.
 */
#include "internal.h"

#define PGRP_BUCKETS 64

static struct mutex pgrp_lock;
static struct list pgrp_hash[PGRP_BUCKETS] LARGE; /* zeroed: empty */

static struct list *bucket(s32 pgid)
{
	struct list *b = &pgrp_hash[(u32)pgid % PGRP_BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

static void pgrp_move(struct proc *p, s32 pgid)
{
	mutex_lock(&pgrp_lock);
	list_remove(&p->in_pgrp_hash);
	p->pgid = pgid;
	list_push_back(bucket(pgid), &p->in_pgrp_hash);
	mutex_unlock(&pgrp_lock);
}

unsigned pgrp_for_each(s32 pgid, void (*fn)(struct proc *p, void *arg),
		       void *arg)
{
	struct proc *p, *next;
	unsigned n = 0;

	mutex_lock(&pgrp_lock);
	list_for_each_safe(p, next, bucket(pgid), in_pgrp_hash) {
		if (p->pgid != pgid)
			continue;
		n++;
		if (fn)
			fn(p, arg);
	}
	mutex_unlock(&pgrp_lock);
	return n;
}

bool pgrp_exists(s32 pgid, s32 sid)
{
	struct proc *p;
	bool found = false;

	mutex_lock(&pgrp_lock);
	list_for_each(p, bucket(pgid), in_pgrp_hash)
		if (p->pgid == pgid && (!sid || p->sid == sid))
			found = true;
	mutex_unlock(&pgrp_lock);
	return found;
}

struct orphan_query { struct proc *ignored; bool tied; };

static void ask_orphan(struct proc *p, void *arg)
{
	struct orphan_query *q = arg;

	if (p == q->ignored || p->state != PROC_ALIVE || !p->parent)
		return;
	if (p->parent->pgid != p->pgid && p->parent->sid == p->sid)
		q->tied = true;
}

bool pgrp_is_orphaned(s32 pgid, struct proc *ignored)
{
	struct orphan_query q = { ignored, false };

	pgrp_for_each(pgid, ask_orphan, &q);
	return !q.tied;
}

void proc_link(struct proc *p, struct proc *parent, s32 pgid, s32 sid)
{
	mutex_lock(&tasklist_lock);
	p->sid = sid;
	proc_set_parent(p, parent);
	if (!parent)
		task_count_add();
	list_push_back(&all_procs, &p->in_all);
	pgrp_move(p, pgid);
	mutex_unlock(&tasklist_lock);
}

void proc_set_parent(struct proc *p, struct proc *parent)
{
	list_remove(&p->sibling);
	p->parent = parent;
	p->ppid = parent ? parent->pid : 0;
	if (parent)
		list_push_back(&parent->children, &p->sibling);
}

void proc_unlink(struct proc *p)
{
	mutex_lock(&pgrp_lock);
	list_remove(&p->in_pgrp_hash);
	mutex_unlock(&pgrp_lock);
	list_remove(&p->sibling);
	list_remove(&p->in_all);
	p->state = PROC_DEAD;
}

void proc_reap(struct proc *p)
{
	proc_unlink(p);
	task_count_give();
	waitq_wake(&p->exit_wait, 0);
	proc_put(p);
}

/* ---- calls -------------------------------------------------------------------- */
/* 0: the caller. NULL if there is none. */
static struct proc *by_pid(s32 pid)
{
	return pid ? proc_find(pid) : current()->proc;
}

static long set_pgid(struct proc *me, struct proc *p, s32 pgid)
{
	if (p != me) {
		if (p->parent != me)
			return -ESRCH;
		if (p->sid != me->sid)
			return -EPERM;
		if (p->has_execed)
			return -EACCES;
	}
	if (p->pid == p->sid)
		return -EPERM;
	if (pgid != p->pid && !pgrp_exists(pgid, me->sid))
		return -EPERM;
	if (p->pgid != pgid)
		pgrp_move(p, pgid);
	return 0;
}

long sys_setpgid(struct task *t, const struct sysargs *a)
{
	s32 pid = (s32)a->a[0], pgid = (s32)a->a[1];
	struct proc *p;
	long err = -ESRCH;

	if (pgid < 0)
		return -EINVAL;
	mutex_lock(&tasklist_lock);
	p = by_pid(pid);
	if (p)
		err = set_pgid(t->proc, p, pgid ? pgid : p->pid);
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_getpgid(struct task *t, const struct sysargs *a)
{
	struct proc *p;
	long r;

	mutex_lock(&tasklist_lock);
	p = by_pid((s32)a->a[0]);
	r = p ? p->pgid : -ESRCH;
	mutex_unlock(&tasklist_lock);
	return r;
}

long sys_getpgrp(struct task *t, const struct sysargs *a)
{
	return t->proc->pgid;
}

long sys_getsid(struct task *t, const struct sysargs *a)
{
	struct proc *p;
	long r;

	mutex_lock(&tasklist_lock);
	p = by_pid((s32)a->a[0]);
	r = p ? p->sid : -ESRCH;
	mutex_unlock(&tasklist_lock);
	return r;
}

long sys_setsid(struct task *t, const struct sysargs *a)
{
	struct proc *p = t->proc;
	long r = -EPERM;

	mutex_lock(&tasklist_lock);
	if (p->sid != p->pid && !pgrp_exists(p->pid, 0)) {
		p->sid = p->pid;
		p->tty = NULL;
		pgrp_move(p, p->pid);
		r = p->pid;
	}
	mutex_unlock(&tasklist_lock);
	return r;
}

long sys_getpid(struct task *t, const struct sysargs *a)
{
	return t->proc->pid;
}

long sys_gettid(struct task *t, const struct sysargs *a)
{
	return t->tid;
}

long sys_getppid(struct task *t, const struct sysargs *a)
{
	return __atomic_load_n(&t->proc->ppid, __ATOMIC_RELAXED);
}

long sys_set_tid_address(struct task *t, const struct sysargs *a)
{
	t->clear_child_tid = a->a[0];
	return t->tid;
}
