/*
 * limits.c - resource limits, and the count of processes and threads.
 */
#include "internal.h"

#include <libos/timers.h>
#include <libos/vfs.h>

#define FILES_MAX 1048576ul /* /proc/sys/fs/nr_open */

static u32 task_count;

u32 proc_task_count(void)
{
	return __atomic_load_n(&task_count, __ATOMIC_RELAXED);
}

void task_count_add(void)
{
	__atomic_add_fetch(&task_count, 1, __ATOMIC_RELAXED);
}

void task_count_give(void)
{
	__atomic_sub_fetch(&task_count, 1, __ATOMIC_RELAXED);
}

/* RLIMIT_NPROC counts per user; a sandbox is taken for one. Root is exempt. */
bool task_count_take(struct proc *p)
{
	u32 n = __atomic_add_fetch(&task_count, 1, __ATOMIC_RELAXED);
	u32 limit = boot_info()->pids_limit;
	bool exempt = current()->cred.uid == 0 || capable(CAP_SYS_RESOURCE)
		|| capable(CAP_SYS_ADMIN);

	if ((!limit || n <= limit)
	    && (exempt || n <= proc_rlimit(p, RLIMIT_NPROC)))
		return true;
	task_count_give();
	return false;
}

u64 proc_rlimit(struct proc *p, unsigned resource)
{
	return p->rlimits[resource].soft;
}

/* ---- calls -------------------------------------------------------------------- */
static int check_new(struct proc *p, u32 resource, const struct rlimit_pair *n)
{
	if (n->soft > n->hard)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && n->hard > FILES_MAX)
		return -EPERM;
	if (n->hard > p->rlimits[resource].hard && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

static int set_limit(struct proc *p, u32 resource, const struct rlimit_pair *n)
{
	int err = check_new(p, resource, n);

	if (err)
		return err;
	p->rlimits[resource] = *n;
	if (resource == RLIMIT_CPU) {
		if (!n->soft) /* 0 would never fire */
			p->rlimits[resource].soft = 1;
		timers_watch_cpu_limit(p);
	}
	return 0;
}

/* tasklist_lock held. */
static int may_access(struct proc *p)
{
	const struct cred *me = &current()->cred, *c;

	if (p == current()->proc || !p->leader)
		return 0;
	c = &p->leader->cred;
	if ((me->uid == c->euid && me->uid == c->suid && me->uid == c->uid
	     && me->gid == c->egid && me->gid == c->sgid && me->gid == c->gid)
	    || capable(CAP_SYS_RESOURCE))
		return 0;
	return -EPERM;
}

/* new, old: may be NULL. */
static int exchange(s32 pid, u32 resource, const struct rlimit_pair *new,
		    struct rlimit_pair *old)
{
	struct proc *p;
	int err;

	if (resource >= RLIMITS)
		return -EINVAL;
	mutex_lock(&tasklist_lock);
	p = pid ? proc_find(pid) : current()->proc;
	err = p ? may_access(p) : -ESRCH;
	if (!err) {
		if (old)
			*old = p->rlimits[resource];
		if (new)
			err = set_limit(p, resource, new);
	}
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_getrlimit(struct task *t, const struct sysargs *a)
{
	struct rlimit_pair old;
	int err = exchange(0, (u32)a->a[0], NULL, &old);

	return err ? err : copy_to_user(a->a[1], &old, sizeof(old));
}

long sys_setrlimit(struct task *t, const struct sysargs *a)
{
	struct rlimit_pair new;

	if (copy_from_user(&new, a->a[1], sizeof(new)))
		return -EFAULT;
	return exchange(0, (u32)a->a[0], &new, NULL);
}

long sys_prlimit64(struct task *t, const struct sysargs *a)
{
	struct rlimit_pair new, old;
	int err;

	if (a->a[2] && copy_from_user(&new, a->a[2], sizeof(new)))
		return -EFAULT;
	err = exchange((s32)a->a[0], (u32)a->a[1], a->a[2] ? &new : NULL, &old);
	if (err || !a->a[3])
		return err;
	return copy_to_user(a->a[3], &old, sizeof(old));
}
