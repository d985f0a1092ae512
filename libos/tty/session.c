/*
 * session.c - terminals and processes: the lock that delivers signals late,
 * job control, controlling terminals, hangup.
 *
 * tasklist_lock comes before tty->lock.  proc->tty and tty->session change
 * with both held.
 */
#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include "pty.h"

#define SIG_IGNORE 1
enum { CAP_ADMIN = 21 };

void tty_lock(struct tty *tty) { mutex_lock(&tty->lock); }

void tty_unlock(struct tty *tty)
{
	u64 signals = tty->signals;
	s32 group = tty->foreground;
	bool input = tty->has_new_input, output = tty->has_new_output;

	tty->signals = 0;
	tty->has_new_input = tty->has_new_output = false;
	if (output && tty->console != HOST_NO_HANDLE)
		console_drain(tty);
	mutex_unlock(&tty->lock);
	if (input)
		waitq_wake(&tty->slave_wait, EPOLLIN | EPOLLRDNORM);
	if (output)
		waitq_wake(&tty->master_wait, EPOLLIN | EPOLLRDNORM);
	for (int sig = 1; signals; sig++, signals >>= 1) {
		if ((signals & 1) && group > 0)
			signal_send_pgrp(group, sig, NULL);
	}
}

struct tty *tty_of_proc(struct proc *p)
{
	struct tty *tty = p->tty;

	return tty && tty->in_use && tty->session == p->sid ? tty : NULL;
}

/* ---- job control ------------------------------------------------------------ */
static bool job_signal_is_ignored(int sig)
{
	struct task *t = current();
	struct sighand *h = t->proc->sighand;
	bool ignored;

	mutex_lock(&h->lock);
	ignored = (t->blocked & SIGBIT(sig)) ||
		  h->action[sig - 1].handler == SIG_IGNORE;
	mutex_unlock(&h->lock);
	return ignored;
}

static bool is_orphaned(s32 pgid)
{
	bool orphaned;

	mutex_lock(&tasklist_lock);
	orphaned = pgrp_is_orphaned(pgid, NULL);
	mutex_unlock(&tasklist_lock);
	return orphaned;
}

static bool in_background(struct tty *tty)
{
	struct proc *p = current()->proc;

	return tty_of_proc(p) == tty && tty->foreground > 0 &&
	       tty->foreground != p->pgid;
}

int tty_check_read(struct tty *tty)
{
	s32 group = current()->proc->pgid;

	if (LIKELY(!in_background(tty)))
		return 0;
	if (job_signal_is_ignored(SIGTTIN) || is_orphaned(group))
		return -EIO;
	signal_send_pgrp(group, SIGTTIN, NULL);
	return -ERESTARTSYS;
}

int tty_check_change(struct tty *tty)
{
	s32 group = current()->proc->pgid;

	if (LIKELY(!in_background(tty)) || job_signal_is_ignored(SIGTTOU))
		return 0;
	if (is_orphaned(group))
		return -EIO;
	signal_send_pgrp(group, SIGTTOU, NULL);
	return -ERESTARTSYS;
}

/* ---- controlling terminals --------------------------------------------------- */
static bool is_session_leader(const struct proc *p)
{
	return p->sid == p->pid;
}

/* Nobody of this session has the terminal any more.  tasklist_lock held. */
static void session_clear(s32 session, struct tty *tty)
{
	struct proc *p;

	list_for_each(p, &all_procs, in_all) {
		if (p->sid == session && p->tty == tty)
			p->tty = NULL;
	}
}

/* Both locks held. */
static void set_controlling(struct proc *p, struct tty *tty)
{
	/* A process that is just being made is yet to lead its session. */
	tty->session = p->sid ? p->sid : p->pid;
	tty->foreground = p->pgid ? p->pgid : p->pid;
	p->tty = tty;
	p->tty_old_pgrp = 0;
}

void tty_set_controlling(struct proc *p, struct tty *tty)
{
	mutex_lock(&tasklist_lock);
	mutex_lock(&tty->lock);
	set_controlling(p, tty);
	mutex_unlock(&tty->lock);
	mutex_unlock(&tasklist_lock);
}

void tty_acquire_on_open(struct tty *tty, struct file *f)
{
	struct proc *p = current()->proc;

	if ((f->flags & O_NOCTTY) || (f->flags & O_ACCMODE) == O_WRONLY ||
	    !p || !is_session_leader(p) || tty_of_proc(p))
		return;
	mutex_lock(&tasklist_lock);
	mutex_lock(&tty->lock);
	if (!tty->session)
		set_controlling(p, tty);
	mutex_unlock(&tty->lock);
	mutex_unlock(&tasklist_lock);
}

static long steal_or_set(struct proc *p, struct tty *tty, struct file *f,
			 u64 arg)
{
	if (is_session_leader(p) && tty->session == p->sid)
		return 0;
	if (!is_session_leader(p) || tty_of_proc(p))
		return -EPERM;
	if (tty->session) {
		if (arg != 1 || !capable(CAP_ADMIN))
			return -EPERM;
		session_clear(tty->session, tty);
	}
	if ((f->flags & O_ACCMODE) == O_WRONLY && !capable(CAP_ADMIN))
		return -EPERM;
	set_controlling(p, tty);
	return 0;
}

static long ioctl_set_controlling(struct tty *tty, struct file *f, u64 arg)
{
	long r;

	mutex_lock(&tasklist_lock);
	mutex_lock(&tty->lock);
	r = steal_or_set(current()->proc, tty, f, arg);
	mutex_unlock(&tty->lock);
	mutex_unlock(&tasklist_lock);
	return r;
}

/* The session gives its terminal back, which lives on. */
static void session_disown(struct proc *p, struct tty *tty)
{
	mutex_lock(&tasklist_lock);
	mutex_lock(&tty->lock);
	tty->session = tty->foreground = 0;
	session_clear(p->sid, tty);
	p->tty = NULL;
	mutex_unlock(&tty->lock);
	mutex_unlock(&tasklist_lock);
}

static long ioctl_give_up(struct tty *tty)
{
	struct proc *p = current()->proc;
	s32 group = tty->foreground;

	if (tty_of_proc(p) != tty)
		return -ENOTTY;
	if (is_session_leader(p)) {
		session_disown(p, tty);
		if (group > 0) {
			signal_send_pgrp(group, SIGHUP, NULL);
			signal_send_pgrp(group, SIGCONT, NULL);
		}
	}
	mutex_lock(&tasklist_lock);
	p->tty = NULL;
	mutex_unlock(&tasklist_lock);
	return 0;
}

/* ---- foreground group --------------------------------------------------------- */
static long ioctl_set_foreground(struct tty *tty, u64 arg)
{
	struct proc *p = current()->proc;
	int err = tty_check_change(tty);
	u32 group;

	if (err)
		return err == -EIO ? -ENOTTY : err;
	if (tty_of_proc(p) != tty)
		return -ENOTTY;
	if (get_user_u32(&group, arg))
		return -EFAULT;
	if ((s32)group < 0)
		return -EINVAL;
	if (!pgrp_exists((s32)group, 0))
		return -ESRCH;
	if (!pgrp_exists((s32)group, p->sid))
		return -EPERM;
	tty_lock(tty);
	tty->foreground = (s32)group;
	tty_unlock(tty);
	return 0;
}

long tty_ioctl_session(struct tty *tty, struct file *f, bool is_master,
		       u32 cmd, u64 arg)
{
	bool mine = tty_of_proc(current()->proc) == tty;

	switch (cmd) {
	case TIOCSCTTY:
		return ioctl_set_controlling(tty, f, arg);
	case TIOCNOTTY:
		return ioctl_give_up(tty);
	case TIOCSPGRP:
		return ioctl_set_foreground(tty, arg);
	case TIOCGPGRP:
		if (!is_master && !mine)
			return -ENOTTY;
		return put_user_u32(arg, (u32)tty->foreground);
	case TIOCGSID:
		if ((!is_master && !mine) || !tty->session)
			return -ENOTTY;
		return put_user_u32(arg, (u32)tty->session);
	}
	return -ENOTTY;
}

/* ---- hangup --------------------------------------------------------------------- */
/* Cut the slave off; returns its session and foreground group.  Both locks
 * held. */
static void hangup_slave(struct tty *tty, s32 *session, s32 *group)
{
	*session = tty->session;
	*group = tty->foreground;
	tty->session = tty->foreground = 0;
	tty->generation++;
	tty->slave_count = 0;
	tty->other_closed = true;
	tty->is_stopped = tty->is_exclusive = false;
	tty->tail = tty->head = tty->canon_head = 0;
}

/* Forget the terminal in its session; the leader, referenced, or NULL. */
static struct proc *hangup_session(struct tty *tty, s32 session, s32 group)
{
	struct proc *p, *leader = NULL;

	list_for_each(p, &all_procs, in_all) {
		if (p->sid != session || p->tty != tty)
			continue;
		p->tty = NULL;
		if (!is_session_leader(p))
			continue;
		p->tty_old_pgrp = group;
		if (p->state == PROC_ALIVE) {
			leader = p;
			ref_get(&p->ref);
		}
	}
	return leader;
}

void tty_hangup(struct tty *tty, bool session_exits)
{
	struct proc *leader = NULL;
	s32 session, group;

	mutex_lock(&tasklist_lock);
	mutex_lock(&tty->lock);
	hangup_slave(tty, &session, &group);
	if (session)
		leader = hangup_session(tty, session, group);
	mutex_unlock(&tty->lock);
	mutex_unlock(&tasklist_lock);
	waitq_wake(&tty->slave_wait, 0);
	waitq_wake(&tty->master_wait, 0);
	if (leader) {
		signal_send_proc(leader, SIGHUP, NULL);
		signal_send_proc(leader, SIGCONT, NULL);
		proc_put(leader);
	}
	if (session_exits && group > 0)
		signal_send_pgrp(group, SIGHUP, NULL);
}

void tty_session_leader_exit(struct proc *p)
{
	struct tty *tty = tty_of_proc(p);
	s32 group = tty ? tty->foreground : p->tty_old_pgrp;

	if (!is_session_leader(p))
		return;
	/* A pseudo-terminal is not hung up: it only loses its session. */
	if (tty)
		session_disown(p, tty);
	if (group > 0) {
		signal_send_pgrp(group, SIGHUP, NULL);
		if (!tty)
			signal_send_pgrp(group, SIGCONT, NULL);
	}
	p->tty_old_pgrp = 0;
}
