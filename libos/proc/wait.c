/*
 * wait.c - wait4 and waitid: news of children.
 */
#include "internal.h"

#include <libos/file.h>
#include <libos/heap.h>
#include <libos/vfs.h>

#define WNOHANG_ 1u
#define WSTOPPED_ 2u
#define WEXITED_ 4u
#define WCONTINUED_ 8u
#define WNOWAIT_ 0x01000000u
#define WNOTHREAD_ 0x20000000u
#define WALL_ 0x40000000u
#define WCLONE_ 0x80000000u

enum wait_for { WAIT_ANY, WAIT_PID, WAIT_PGRP };

struct wait_request {
	enum wait_for who;
	s32 id;
	u32 options;
	/* found: */
	s32 pid;
	u32 uid;
	u32 status;      /* as wait4 stores it */
	struct guest_rusage usage;
};

static bool is_wanted(const struct wait_request *w, const struct proc *c)
{
	if (w->who == WAIT_PID && c->pid != w->id)
		return false;
	if (w->who == WAIT_PGRP && c->pgid != w->id)
		return false;
	if (w->options & WALL_)
		return true;
	return (c->exit_signal != SIGCHLD) == !!(w->options & WCLONE_);
}

static void take_news(struct wait_request *w, struct proc *c, u32 status)
{
	w->pid = c->pid;
	w->status = status;
	w->uid = c->leader ? c->leader->cred.uid : c->exit_uid;
	rusage_of_child(&w->usage, c);
}

static void reap_child(struct proc *me, struct proc *c)
{
	me->child_user_ns += c->user_ns + c->child_user_ns;
	me->child_system_ns += c->system_ns + c->child_system_ns;
	me->child_max_rss_kb = MAX(me->child_max_rss_kb,
				   MAX(c->max_rss_kb, c->child_max_rss_kb));
	proc_reap(c);
}

static bool has_news(struct proc *me, struct proc *c, struct wait_request *w)
{
	bool keep = w->options & WNOWAIT_;

	if (c->state == PROC_ZOMBIE) {
		if (!(w->options & WEXITED_))
			return false;
		take_news(w, c, c->exit_code);
		if (!keep)
			reap_child(me, c);
		return true;
	}
	if ((w->options & WSTOPPED_) && c->is_stopped && !c->stop_reported) {
		take_news(w, c, c->stop_signal << 8 | 0x7f);
		c->stop_reported = !keep;
		return true;
	}
	if ((w->options & WCONTINUED_) && c->continued) {
		take_news(w, c, 0xffff);
		c->continued = keep;
		return true;
	}
	return false;
}

/* 1 found, 0 nothing yet, -ECHILD. */
static int scan(struct proc *me, struct wait_request *w)
{
	struct proc *c, *next;
	int found = -ECHILD;

	mutex_lock(&tasklist_lock);
	list_for_each_safe(c, next, &me->children, sibling) {
		if (!is_wanted(w, c))
			continue;
		if (c->state == PROC_ALIVE || (w->options & WEXITED_))
			found = 0;
		if (has_news(me, c, w)) {
			found = 1;
			break;
		}
	}
	mutex_unlock(&tasklist_lock);
	return found;
}

/* 1 found, 0 nothing (WNOHANG), -ECHILD, -ERESTARTSYS. */
static int wait_for_child(struct task *t, struct wait_request *w)
{
	struct proc *me = t->proc;
	struct waiter waiter;
	int found;

	if (w->options & WNOHANG_)
		return scan(me, w);
	title_look(t);
	waiter_init(&waiter, t);
	waitq_add(&me->wait_children, &waiter);
	for (;;) {
		task_prepare_sleep();
		found = scan(me, w);
		if (found)
			break;
		if (signal_pending(t)) {
			found = -ERESTARTSYS;
			break;
		}
		task_sleep(HOST_FOREVER);
	}
	waitq_remove(&waiter);
	return found;
}

long sys_wait4(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[0];
	struct wait_request w = { .options = (u32)a->a[2] };
	int found;

	if (w.options & ~(WNOHANG_ | WSTOPPED_ | WCONTINUED_ | WNOTHREAD_
			  | WCLONE_ | WALL_))
		return -EINVAL;
	if (id == INT32_MIN)
		return -ESRCH;
	w.options |= WEXITED_;
	if (id != -1) {
		w.who = id > 0 ? WAIT_PID : WAIT_PGRP;
		w.id = id > 0 ? id : id == 0 ? t->proc->pgid : -id;
	}
	found = wait_for_child(t, &w);
	if (found <= 0)
		return found;
	if (a->a[1] && put_user_u32(a->a[1], w.status))
		return -EFAULT;
	if (a->a[3] && copy_to_user(a->a[3], &w.usage, sizeof(w.usage)))
		return -EFAULT;
	return w.pid;
}

static void status_info(siginfo_t *si, const struct wait_request *w)
{
	u32 low = w->status & 0x7f;

	if (w->status == 0xffff) {
		si->si_code = CLD_CONTINUED;
		si->si_status = SIGCONT;
	} else if (low == 0x7f) {
		si->si_code = CLD_STOPPED;
		si->si_status = (int)(w->status >> 8 & 0xff);
	} else if (low) {
		si->si_code = w->status & 0x80 ? CLD_DUMPED : CLD_KILLED;
		si->si_status = (int)low;
	} else {
		si->si_code = CLD_EXITED;
		si->si_status = (int)(w->status >> 8 & 0xff);
	}
	si->si_signo = SIGCHLD;
	si->si_pid = w->pid;
	si->si_uid = w->uid;
}

/* Only the fields that Linux writes: those before si_utime. */
static int put_info(u64 uptr, const siginfo_t *si)
{
	s32 head[3] = { si->si_signo, 0, si->si_code };
	u32 tail[3] = { (u32)si->si_pid, si->si_uid, (u32)si->si_status };

	if (copy_to_user(uptr, head, sizeof(head))
	    || copy_to_user(uptr + 16, tail, sizeof(tail)))
		return -EFAULT;
	return 0;
}

static int pidfd_target(struct wait_request *w, int fd)
{
	struct file *f = fd_get(fd);
	struct proc *p;

	if (!f)
		return -EBADF;
	p = pidfd_proc(f);
	w->who = WAIT_PID;
	w->id = p ? p->pid : 0;
	if (f->flags & O_NONBLOCK)
		w->options |= WNOHANG_;
	file_put(f);
	return p ? 0 : -EBADF;
}

static int waitid_target(struct task *t, struct wait_request *w, u32 type,
			 s32 id)
{
	switch (type) {
	case 0: /* P_ALL */
		return 0;
	case 1: /* P_PID */
		w->who = WAIT_PID;
		w->id = id;
		return id > 0 ? 0 : -EINVAL;
	case 2: /* P_PGID */
		w->who = WAIT_PGRP;
		w->id = id ? id : t->proc->pgid;
		return id >= 0 ? 0 : -EINVAL;
	case 3: /* P_PIDFD */
		return id >= 0 ? pidfd_target(w, id) : -EINVAL;
	}
	return -EINVAL;
}

long sys_waitid(struct task *t, const struct sysargs *a)
{
	struct wait_request w = { .options = (u32)a->a[3] };
	bool asked_nohang = w.options & WNOHANG_;
	siginfo_t si;
	int found;

	if ((w.options & ~(WNOHANG_ | WSTOPPED_ | WEXITED_ | WCONTINUED_
			   | WNOWAIT_ | WNOTHREAD_ | WCLONE_ | WALL_))
	    || !(w.options & (WSTOPPED_ | WEXITED_ | WCONTINUED_)))
		return -EINVAL;
	found = waitid_target(t, &w, (u32)a->a[0], (s32)a->a[1]);
	if (found)
		return found;
	found = wait_for_child(t, &w);
	if (found == 0 && !asked_nohang)
		found = -EAGAIN; /* a non-blocking pidfd */
	memset(&si, 0, sizeof(si));
	if (found > 0) {
		status_info(&si, &w);
		found = 0;
		if (a->a[4] && copy_to_user(a->a[4], &w.usage,
					    sizeof(w.usage)))
			return -EFAULT;
	}
	if (a->a[2] && put_info(a->a[2], &si))
		return -EFAULT;
	return found;
}
