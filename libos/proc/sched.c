/*
 * sched.c - priorities, policies, affinity: what a program sets is kept and
 * shown.  The host's scheduler decides; threads run on any of its processors.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/vfs.h>

#define POLICY_OTHER 0u
#define POLICY_FIFO 1u
#define POLICY_RR 2u
#define POLICY_BATCH 3u
#define POLICY_IDLE 5u
#define RESET_ON_FORK 0x40000000u

/* tasklist_lock held; 0 is the caller. */
static struct task *by_tid(s32 tid)
{
	struct task *t = tid ? task_find(tid) : current();

	return t && !t->is_kthread ? t : NULL;
}

static bool same_user(const struct task *o)
{
	u32 euid = current()->cred.euid;

	return euid == o->cred.euid || euid == o->cred.uid;
}

/* ---- nice ------------------------------------------------------------------------ */
struct nice_request { bool set; s32 nice; long result; };

static void nice_one(struct nice_request *r, struct task *o)
{
	s64 limit = 20 - (s64)proc_rlimit(o->proc, RLIMIT_NICE);

	if (!r->set) {
		long v = 20 - o->nice;

		r->result = r->result < 0 ? v : MAX(r->result, v);
	} else if (!same_user(o) && !capable(CAP_SYS_NICE)) {
		r->result = -EPERM;
	} else if (r->nice < o->nice && r->nice < limit
		   && !capable(CAP_SYS_NICE)) {
		r->result = -EACCES;
	} else {
		o->nice = r->nice;
		if (r->result == -ESRCH)
			r->result = 0;
	}
}

static void nice_proc(struct proc *p, void *arg)
{
	struct task *o;

	list_for_each(o, &p->threads, in_proc)
		nice_one(arg, o);
}

static void nice_user(struct nice_request *r, u32 uid)
{
	struct proc *p;
	struct task *o;

	list_for_each(p, &all_procs, in_all)
		list_for_each(o, &p->threads, in_proc)
			if (o->cred.uid == uid)
				nice_one(r, o);
}

static long nice_all(u32 which, s32 who, struct nice_request *r)
{
	struct task *o;

	r->result = -ESRCH;
	mutex_lock(&tasklist_lock);
	switch (which) {
	case 0: /* PRIO_PROCESS: in Linux, one thread */
		o = by_tid(who);
		if (o)
			nice_one(r, o);
		break;
	case 1: /* PRIO_PGRP */
		pgrp_for_each(who ? who : current()->proc->pgid, nice_proc, r);
		break;
	case 2: /* PRIO_USER */
		nice_user(r, who ? (u32)who : current()->cred.uid);
		break;
	default:
		r->result = -EINVAL;
	}
	mutex_unlock(&tasklist_lock);
	return r->result;
}

long sys_getpriority(struct task *t, const struct sysargs *a)
{
	struct nice_request r = { .set = false };

	return nice_all((u32)a->a[0], (s32)a->a[1], &r);
}

long sys_setpriority(struct task *t, const struct sysargs *a)
{
	s32 nice = (s32)a->a[2];
	struct nice_request r = { .set = true,
				  .nice = MIN(MAX(nice, -20), 19) };

	return nice_all((u32)a->a[0], (s32)a->a[1], &r);
}

/* ---- policies ------------------------------------------------------------------------ */
static bool is_realtime(u32 policy)
{
	return policy == POLICY_FIFO || policy == POLICY_RR;
}

static int check_policy(u32 policy, s32 priority)
{
	if (is_realtime(policy))
		return priority >= 1 && priority <= 99 ? 0 : -EINVAL;
	if (policy == POLICY_OTHER || policy == POLICY_BATCH
	    || policy == POLICY_IDLE)
		return priority == 0 ? 0 : -EINVAL;
	return -EINVAL;
}

/* tasklist_lock held. */
static int may_set(struct task *o, u32 policy, s32 priority)
{
	if (capable(CAP_SYS_NICE))
		return 0;
	if (!same_user(o))
		return -EPERM;
	if (is_realtime(policy)
	    && (u64)priority > proc_rlimit(o->proc, RLIMIT_RTPRIO))
		return -EPERM;
	return 0;
}

static int set_policy(s32 tid, u32 policy, s32 priority)
{
	struct task *o;
	int err = -ESRCH;

	mutex_lock(&tasklist_lock);
	o = by_tid(tid);
	if (o) {
		if (policy == ~0u)
			policy = o->sched_policy;
		err = check_policy(policy & ~RESET_ON_FORK, priority);
		if (!err)
			err = may_set(o, policy & ~RESET_ON_FORK, priority);
		if (!err) {
			o->sched_policy = policy & ~RESET_ON_FORK;
			o->sched_priority = (u32)priority;
		}
	}
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_sched_setscheduler(struct task *t, const struct sysargs *a)
{
	s32 priority;

	if ((s32)a->a[0] < 0 || (s32)a->a[1] < 0 || !a->a[2])
		return -EINVAL;
	if (get_user_u32((u32 *)&priority, a->a[2]))
		return -EFAULT;
	return set_policy((s32)a->a[0], (u32)a->a[1], priority);
}

long sys_sched_setparam(struct task *t, const struct sysargs *a)
{
	s32 priority;

	if ((s32)a->a[0] < 0 || !a->a[1])
		return -EINVAL;
	if (get_user_u32((u32 *)&priority, a->a[1]))
		return -EFAULT;
	return set_policy((s32)a->a[0], ~0u, priority);
}

struct sched_view { u32 policy, priority; s32 nice; };

static int view(s32 tid, struct sched_view *v)
{
	struct task *o;

	if (tid < 0)
		return -EINVAL;
	mutex_lock(&tasklist_lock);
	o = by_tid(tid);
	if (o)
		*v = (struct sched_view){ o->sched_policy, o->sched_priority,
					  o->nice };
	mutex_unlock(&tasklist_lock);
	return o ? 0 : -ESRCH;
}

long sys_sched_getscheduler(struct task *t, const struct sysargs *a)
{
	struct sched_view v;
	int err = view((s32)a->a[0], &v);

	return err ? err : (long)v.policy;
}

long sys_sched_getparam(struct task *t, const struct sysargs *a)
{
	struct sched_view v;
	int err = a->a[1] ? view((s32)a->a[0], &v) : -EINVAL;

	return err ? err : put_user_u32(a->a[1], v.priority);
}

long sys_sched_get_priority_max(struct task *t, const struct sysargs *a)
{
	u32 policy = (u32)a->a[0];

	if (is_realtime(policy))
		return 99;
	return policy == POLICY_OTHER || policy == POLICY_BATCH
		|| policy == POLICY_IDLE || policy == 6 ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(struct task *t, const struct sysargs *a)
{
	long max = sys_sched_get_priority_max(t, a);

	return max > 0 ? 1 : max;
}

long sys_sched_rr_get_interval(struct task *t, const struct sysargs *a)
{
	struct sched_view v;
	int err = view((s32)a->a[0], &v);

	if (err)
		return err;
	return put_timespec(a->a[1], v.policy == POLICY_RR ? 100000000
			    : v.policy == POLICY_FIFO ? 0 : 4000000);
}

struct guest_sched_attr {
	u32 size, policy;
	u64 flags;
	s32 nice;
	u32 priority;
	u64 runtime, deadline, period;
	u32 util_min, util_max;
};
#define SCHED_ATTR_VER0 48u

long sys_sched_setattr(struct task *t, const struct sysargs *a)
{
	struct guest_sched_attr g;
	u32 size;
	int err;

	if (!a->a[1] || (s32)a->a[0] < 0 || a->a[2])
		return -EINVAL;
	if (get_user_u32(&size, a->a[1]))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_VER0;
	if (size < SCHED_ATTR_VER0 || size > PAGE_SIZE) {
		put_user_u32(a->a[1], sizeof(g));
		return -E2BIG;
	}
	memset(&g, 0, sizeof(g));
	if (copy_from_user(&g, a->a[1], MIN(size, (u32)sizeof(g))))
		return -EFAULT;
	err = set_policy((s32)a->a[0], g.policy, (s32)g.priority);
	if (!err && !is_realtime(g.policy)) {
		struct nice_request r = { .set = true,
					  .nice = MIN(MAX(g.nice, -20), 19) };

		err = (int)nice_all(0, (s32)a->a[0], &r);
	}
	return err;
}

long sys_sched_getattr(struct task *t, const struct sysargs *a)
{
	struct guest_sched_attr g;
	u32 size = (u32)a->a[2];
	struct sched_view v;
	int err;

	if (!a->a[1] || size < SCHED_ATTR_VER0 || size > PAGE_SIZE || a->a[3])
		return -EINVAL;
	err = view((s32)a->a[0], &v);
	if (err)
		return err;
	memset(&g, 0, sizeof(g));
	g.size = MIN(size, (u32)sizeof(g));
	g.policy = v.policy;
	if (is_realtime(v.policy))
		g.priority = v.priority;
	else
		g.nice = v.nice;
	g.util_max = 1024;
	return copy_to_user(a->a[1], &g, g.size);
}

/* ---- processors ------------------------------------------------------------------------ */
static u32 cpu_count(void)
{
	u32 n = boot_info()->cpu_count;

	return MIN(MAX(n, 1u), 128u);
}

static void online_mask(u64 m[2])
{
	u32 n = cpu_count();

	m[0] = n >= 64 ? ~0ull : (1ull << n) - 1;
	m[1] = n <= 64 ? 0 : n == 128 ? ~0ull : (1ull << (n - 64)) - 1;
}

static size_t mask_size(void)
{
	return cpu_count() > 64 ? 16 : 8;
}

long sys_sched_setaffinity(struct task *t, const struct sysargs *a)
{
	u64 m[2] = { 0, 0 }, online[2];
	struct task *o;
	long err = -ESRCH;

	if (copy_from_user(m, a->a[2], MIN(a->a[1], sizeof(m))))
		return -EFAULT;
	online_mask(online);
	m[0] &= online[0];
	m[1] &= online[1];
	mutex_lock(&tasklist_lock);
	o = by_tid((s32)a->a[0]);
	if (o && !same_user(o) && !capable(CAP_SYS_NICE)) {
		err = -EPERM;
	} else if (o) {
		err = m[0] | m[1] ? 0 : -EINVAL;
		if (!err)
			memcpy(o->cpu_mask, m, sizeof(m));
	}
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_sched_getaffinity(struct task *t, const struct sysargs *a)
{
	u64 m[2], online[2];
	size_t size = MIN(a->a[1], mask_size());
	struct task *o;

	if (a->a[1] * 8 < cpu_count() || (a->a[1] & 7))
		return -EINVAL;
	online_mask(online);
	mutex_lock(&tasklist_lock);
	o = by_tid((s32)a->a[0]);
	if (o) {
		m[0] = o->cpu_mask[0] & online[0];
		m[1] = o->cpu_mask[1] & online[1];
	}
	mutex_unlock(&tasklist_lock);
	if (!o)
		return -ESRCH;
	return copy_to_user(a->a[2], m, size) ? -EFAULT : (long)size;
}

long sys_getcpu(struct task *t, const struct sysargs *a)
{
	u32 cpu = (arch_cpu() & 0xfff) % cpu_count();

	if (a->a[0] && put_user_u32(a->a[0], cpu))
		return -EFAULT;
	return a->a[1] ? put_user_u32(a->a[1], 0) : 0;
}

/* The host has no call for it here.  One that spins on it lets others run by
 * a short sleep now and then. */
long sys_sched_yield(struct task *t, const struct sysargs *a)
{
	if (++t->yield_count % 8 == 0) {
		task_prepare_sleep();
		task_sleep(deadline_after(1000));
	}
	return 0;
}

/* ---- I/O priority: kept, shown, without effect as on most schedulers ------------ */
#define IOPRIO_CLASS(p) ((p) >> 13)
#define IOPRIO_LEVEL(p) ((p) & 7)

static int ioprio_check(u32 p)
{
	switch (IOPRIO_CLASS(p)) {
	case 0:
		return p & 0x1fff ? -EINVAL : 0;
	case 1:
		return capable(CAP_SYS_ADMIN) || capable(CAP_SYS_NICE) ? 0
			: -EPERM;
	case 2: case 3:
		return 0;
	}
	return -EINVAL;
}

long sys_ioprio_set(struct task *t, const struct sysargs *a)
{
	u32 p = (u32)a->a[2];
	struct task *o;
	int err = ioprio_check(p);

	if (err)
		return err;
	if ((u32)a->a[0] < 1 || (u32)a->a[0] > 3)
		return -EINVAL;
	mutex_lock(&tasklist_lock);
	o = a->a[0] == 1 ? by_tid((s32)a->a[1]) : t;
	if (!o)
		err = -ESRCH;
	else if (!same_user(o) && !capable(CAP_SYS_NICE))
		err = -EPERM;
	else
		o->io_priority = p;
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_ioprio_get(struct task *t, const struct sysargs *a)
{
	struct task *o;
	long r = -ESRCH;

	if ((u32)a->a[0] < 1 || (u32)a->a[0] > 3)
		return -EINVAL;
	mutex_lock(&tasklist_lock);
	o = a->a[0] == 1 ? by_tid((s32)a->a[1]) : t;
	if (o) /* unset: best effort, level from nice */
		r = o->io_priority ? (long)o->io_priority
			: (2l << 13 | (o->nice + 20) / 5);
	mutex_unlock(&tasklist_lock);
	return r;
}
