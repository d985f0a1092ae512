/*
 * kill.c - the calls that send signals, and who may send to whom.
 */
#include "internal.h"

#include <libos/file.h>
#include <libos/sys.h>
#include <libos/uaccess.h>

#include <linux/capability.h>

static const struct cred *cred_of(struct proc *p)
{
	if (p->leader)
		return &p->leader->cred;
	if (list_empty(&p->threads))
		return NULL;
	return &list_first(&p->threads, struct task, in_proc)->cred;
}

/* tasklist_lock held. */
int signal_permission(struct proc *p, int sig)
{
	const struct cred *me = &current()->cred, *c;

	if (p == current()->proc)
		return 0;
	c = cred_of(p);
	if (!c || me->euid == c->suid || me->euid == c->uid
	    || me->uid == c->suid || me->uid == c->uid || capable(CAP_KILL))
		return 0;
	if (sig == SIGCONT && p->sid == current()->proc->sid)
		return 0;
	return -EPERM;
}

static void user_info(siginfo_t *si, int sig, int code)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = sig;
	si->si_code = code;
	si->si_pid = current()->proc->pid;
	si->si_uid = current()->cred.uid;
}

/* tasklist_lock held; sig 0 only asks. */
static int send_checked(struct proc *p, int sig, const siginfo_t *si)
{
	int err = signal_permission(p, sig);

	return err ? err : signal_send_proc(p, sig, si);
}

static struct proc *find_target(s32 pid)
{
	struct proc *p = proc_find(pid);
	struct task *t;

	if (p)
		return p;
	t = task_find(pid);
	return t && !t->is_kthread ? t->proc : NULL;
}

static long kill_one(s32 pid, int sig, const siginfo_t *si)
{
	struct proc *p;
	long err;

	mutex_lock(&tasklist_lock);
	p = find_target(pid);
	err = p ? send_checked(p, sig, si) : -ESRCH;
	mutex_unlock(&tasklist_lock);
	return err;
}

struct group_kill { int sig; const siginfo_t *si; bool any; int err; };

static void kill_member(struct proc *p, void *arg)
{
	struct group_kill *g = arg;
	int err = send_checked(p, g->sig, g->si);

	if (err)
		g->err = err;
	else
		g->any = true;
}

static long kill_group(s32 pgid, int sig, const siginfo_t *si)
{
	struct group_kill g = { sig, si, false, -ESRCH };

	mutex_lock(&tasklist_lock);
	pgrp_for_each(pgid, kill_member, &g);
	mutex_unlock(&tasklist_lock);
	return g.any ? 0 : g.err;
}

/* Everyone but process 1 and ourselves. */
static long kill_all(int sig, const siginfo_t *si)
{
	struct proc *p;
	long result = 0;
	bool found = false;

	mutex_lock(&tasklist_lock);
	list_for_each(p, &all_procs, in_all) {
		int err;

		if (p->pid <= 1 || p == current()->proc)
			continue;
		found = true;
		err = send_checked(p, sig, si);
		if (err && err != -EPERM)
			result = err;
	}
	mutex_unlock(&tasklist_lock);
	return found ? result : -ESRCH;
}

long sys_kill(struct task *t, const struct sysargs *a)
{
	s32 pid = (s32)a->a[0];
	int sig = (int)a->a[1];
	siginfo_t si;

	if (sig && !sig_valid(sig))
		return -EINVAL;
	user_info(&si, sig, SI_USER);
	if (pid > 0)
		return kill_one(pid, sig, &si);
	if (pid == 0)
		return kill_group(t->proc->pgid, sig, &si);
	if (pid == -1)
		return kill_all(sig, &si);
	if (pid == INT32_MIN)
		return -ESRCH;
	return kill_group(-pid, sig, &si);
}

/* To one thread; tgid 0: of any process. */
static long kill_thread(s32 tgid, s32 tid, int sig, const siginfo_t *si)
{
	struct task *target;
	long err = -ESRCH;

	mutex_lock(&tasklist_lock);
	target = task_find(tid);
	if (target && !target->is_kthread
	    && (!tgid || target->proc->pid == tgid)) {
		err = signal_permission(target->proc, sig);
		if (!err && !target->is_exiting)
			err = signal_send_task(target, sig, si);
	} else if (!target && (!tgid || tgid == tid) && proc_find(tid)) {
		/* its main thread has ended already */
		err = signal_permission(proc_find(tid), sig);
	}
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_tgkill(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[2];
	siginfo_t si;

	if ((s32)a->a[0] <= 0 || (s32)a->a[1] <= 0
	    || (sig && !sig_valid(sig)))
		return -EINVAL;
	user_info(&si, sig, SI_TKILL);
	return kill_thread((s32)a->a[0], (s32)a->a[1], sig, &si);
}

long sys_tkill(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[1];
	siginfo_t si;

	if ((s32)a->a[0] <= 0 || (sig && !sig_valid(sig)))
		return -EINVAL;
	user_info(&si, sig, SI_TKILL);
	return kill_thread(0, (s32)a->a[0], sig, &si);
}

/* A siginfo that the guest made up: codes of the kernel's own are only for
 * itself. */
static int get_siginfo(siginfo_t *si, u64 uptr, int sig, s32 target)
{
	if (copy_from_user(si, uptr, sizeof(*si)))
		return -EFAULT;
	si->si_signo = sig;
	if ((si->si_code >= 0 || si->si_code == SI_TKILL)
	    && target != current()->proc->pid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[1];
	siginfo_t si;
	int err = get_siginfo(&si, a->a[2], sig, (s32)a->a[0]);

	if (err)
		return err;
	if (sig && !sig_valid(sig))
		return -EINVAL;
	return kill_one((s32)a->a[0], sig, &si);
}

long sys_rt_tgsigqueueinfo(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[2];
	siginfo_t si;
	int err = get_siginfo(&si, a->a[3], sig, (s32)a->a[0]);

	if (err)
		return err;
	if ((s32)a->a[0] <= 0 || (s32)a->a[1] <= 0
	    || (sig && !sig_valid(sig)))
		return -EINVAL;
	return kill_thread((s32)a->a[0], (s32)a->a[1], sig, &si);
}

__attribute__((weak)) struct proc *pidfd_proc(struct file *f)
{
	return NULL;
}

static long pidfd_signal(struct proc *p, int sig, u64 uinfo)
{
	siginfo_t si;
	long err;

	if (uinfo) {
		err = get_siginfo(&si, uinfo, sig, p->pid);
		if (err)
			return err;
	} else {
		user_info(&si, sig, SI_USER);
	}
	mutex_lock(&tasklist_lock);
	err = p->state == PROC_DEAD ? -ESRCH : send_checked(p, sig, &si);
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_pidfd_send_signal(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[1];
	struct file *f;
	struct proc *p;
	long err = -EBADF;

	if (a->a[3])
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	p = pidfd_proc(f);
	if (p)
		err = sig && !sig_valid(sig) ? -EINVAL
			: pidfd_signal(p, sig, a->a[2]);
	file_put(f);
	return err;
}
