/*
 * pidfd.c - pidfd_open, pidfd_getfd, and the file that CLONE_PIDFD,
 * waitid(P_PIDFD) and pidfd_send_signal (libos/signal/kill.c) use.
 */
#include "anon.h"

#include <libos/ipc.h>
#include <libos/poll.h>
#include <libos/proc.h>
#include <libos/sys.h>
#include <libos/task.h>

#define CAP_SYS_PTRACE_BIT 19

static bool proc_has_ended(const struct proc *p)
{
	return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) != PROC_ALIVE;
}

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct proc *p = f->priv;

	poll_add(pt, &p->exit_wait);
	return proc_has_ended(p) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	proc_put(f->priv);
}

static const struct file_ops pidfd_ops = {
	.name = "[pidfd]",
	.poll = pidfd_poll,
	.release = pidfd_release,
};

struct proc *pidfd_proc(struct file *f)
{
	return f->ops == &pidfd_ops ? f->priv : NULL;
}

struct file *pidfd_file(struct proc *p)
{
	struct file *f = file_anon(&pidfd_ops, O_RDWR, p);

	if (!f)
		return err_ptr(-ENFILE);
	if (!is_err(f))
		ref_get(&p->ref);
	return f;
}

static struct proc *pidfd_find(s32 pid, long *err)
{
	struct proc *p;

	mutex_lock(&tasklist_lock);
	p = proc_find(pid);
	if (p && p->state != PROC_DEAD) {
		ref_get(&p->ref);
	} else {
		*err = !p && task_find(pid) ? -EINVAL : -ESRCH;
		p = NULL;
	}
	mutex_unlock(&tasklist_lock);
	return p;
}

long sys_pidfd_open(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[1];
	s32 pid = (s32)a->a[0];
	struct proc *p;
	long ret = -ESRCH;

	if ((flags & ~(u32)O_NONBLOCK) || pid <= 0)
		return -EINVAL;
	p = pidfd_find(pid, &ret);
	if (!p)
		return ret;
	ret = anon_install(&pidfd_ops, O_RDWR | flags | O_CLOEXEC, p, NULL);
	if (ret < 0)
		proc_put(p);
	return ret;
}

/* As ptrace's rule: the same user throughout, or the capability. */
static bool pidfd_may_take(struct proc *p)
{
	const struct cred *own = &current()->cred, *his;
	bool same = false;

	if (p == current()->proc || capable(CAP_SYS_PTRACE_BIT))
		return true;
	mutex_lock(&tasklist_lock);
	if (p->leader) {
		his = &p->leader->cred;
		same = own->fsuid == his->uid && own->fsuid == his->euid &&
		       own->fsuid == his->suid && own->fsgid == his->gid &&
		       own->fsgid == his->egid && own->fsgid == his->sgid;
	}
	mutex_unlock(&tasklist_lock);
	return same;
}

static long pidfd_take(struct proc *p, u32 fd)
{
	struct file *f = NULL;
	bool cloexec;
	long ret;

	if (!pidfd_may_take(p))
		return -EPERM;
	/* The table goes when the process ends: hold it off meanwhile. */
	mutex_lock(&tasklist_lock);
	if (proc_has_ended(p) || !p->files)
		ret = -ESRCH;
	else
		ret = (f = files_get(p->files, fd, &cloexec)) ? 0 : -EBADF;
	mutex_unlock(&tasklist_lock);
	if (ret)
		return ret;
	ret = fd_install(f, true);
	if (ret < 0)
		file_put(f);
	return ret;
}

long sys_pidfd_getfd(struct task *t, const struct sysargs *a)
{
	struct file *f;
	struct proc *p;
	long ret = -EBADF;

	if ((u32)a->a[2])
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	p = pidfd_proc(f);
	if (p)
		ret = pidfd_take(p, (u32)a->a[1]);
	file_put(f);
	return ret;
}
