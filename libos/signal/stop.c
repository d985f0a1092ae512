/*
 * stop.c - job control: stopping and continuing a process, and telling its
 * parent about that and about its end.
 *
 * A thread that takes a stop signal sets WORK_STOP on all threads of the
 * process; each one sleeps here on its way back to the guest.  The last to
 * arrive tells the parent.  SIGCONT, when posted, lifts it.
 */
#include "internal.h"

#define NS_PER_TICK (NSEC_PER_SEC / 100)

/* Who still sits in an earlier stop that was lifted a moment ago stays there
 * and is not waited for. */
void signal_stop_begin(struct task *t, int sig)
{
	struct proc *p = t->proc;
	struct task *other;

	p->stop_signal = sig;
	p->stop_left = 0;
	list_for_each(other, &p->threads, in_proc) {
		if (other->is_exiting)
			continue;
		task_set_work(other, WORK_STOP);
		if (other->is_stopped)
			continue;
		p->stop_left++;
		if (other != t)
			task_kick(other);
	}
}

static u32 uid_of(struct proc *p)
{
	if (p->leader)
		return p->leader->cred.uid;
	if (list_empty(&p->threads))
		return 0;
	return list_first(&p->threads, struct task, in_proc)->cred.uid;
}

static void child_info(siginfo_t *si, struct proc *p, int code, int status)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = SIGCHLD;
	si->si_code = code;
	si->si_pid = p->pid;
	si->si_uid = p == current()->proc ? current()->cred.uid : uid_of(p);
	si->si_status = status;
	si->si_utime = (long)(p->user_ns / NS_PER_TICK);
	si->si_stime = (long)(p->system_ns / NS_PER_TICK);
}

static void tell_parent(struct proc *p, int code, int status)
{
	struct proc *parent;
	struct ksigaction *ka;
	struct sighand *s;
	siginfo_t si;

	mutex_lock(&tasklist_lock);
	parent = p->parent;
	if (parent) {
		child_info(&si, p, code, status);
		s = sighand_lock(parent);
		ka = &s->action[SIGCHLD - 1];
		if (ka->handler != SIG_IGN_HANDLER
		    && !(ka->flags & SA_NOCLDSTOP))
			signal_post_locked(parent, NULL, SIGCHLD, &si, NULL);
		mutex_unlock(&s->lock);
		waitq_wake(&parent->wait_children, 0);
	}
	mutex_unlock(&tasklist_lock);
}

static bool arrive(struct task *t)
{
	struct proc *p = t->proc;
	struct sighand *s = sighand_lock(p);
	bool last = false;

	if ((t->work & WORK_STOP) && !(t->work & WORK_EXIT)) {
		t->is_stopped = true;
		last = p->stop_left && --p->stop_left == 0;
		if (last) {
			p->is_stopped = true;
			p->stop_reported = p->continued = false;
		}
	}
	mutex_unlock(&s->lock);
	return last;
}

static bool must_stay(struct task *t)
{
	u32 work = __atomic_load_n(&t->work, __ATOMIC_SEQ_CST);

	return (work & WORK_STOP) && !(work & WORK_EXIT);
}

/* False if it was stopped anew before it could leave. */
static bool leave(struct task *t)
{
	struct sighand *s = sighand_lock(t->proc);
	bool leaves = !must_stay(t);

	if (leaves) {
		t->is_stopped = false;
		signal_recalc(t);
	}
	mutex_unlock(&s->lock);
	return leaves;
}

void signal_stop_wait(struct task *t)
{
	if (arrive(t))
		tell_parent(t->proc, CLD_STOPPED, (int)t->proc->stop_signal);
	do {
		for (;;) {
			task_prepare_sleep();
			if (!must_stay(t))
				break;
			task_sleep_killable(HOST_FOREVER);
		}
	} while (!leave(t));
}

void signal_continue(struct proc *p)
{
	struct task *t;
	bool was_stopped = p->is_stopped;

	p->stop_cancelled = true;
	if (!was_stopped && !p->stop_left)
		return;
	p->is_stopped = false;
	p->stop_left = 0;
	if (was_stopped) {
		p->continued = true;
		p->stop_reported = false;
		p->tell_continued = true;
	}
	list_for_each(t, &p->threads, in_proc) {
		task_clear_work(t, WORK_STOP);
		if (was_stopped)
			task_set_work(t, WORK_SIGNAL);
		task_wake(t);
	}
}

/* Done by the first thread that runs again: the sender of SIGCONT may hold
 * locks that the parent's notification needs. */
void signal_tell_continued(struct proc *p)
{
	struct sighand *s = sighand_lock(p);
	bool mine = p->tell_continued;

	p->tell_continued = false;
	mutex_unlock(&s->lock);
	if (mine)
		tell_parent(p, CLD_CONTINUED, SIGCONT);
}

static void exit_info(siginfo_t *si, struct proc *child)
{
	u32 code = child->exit_code;

	if ((code & 0x7f) == 0)
		child_info(si, child, CLD_EXITED, (int)(code >> 8) & 0xff);
	else
		child_info(si, child, code & 0x80 ? CLD_DUMPED : CLD_KILLED,
			   (int)(code & 0x7f));
}

bool signal_notify_exit(struct proc *child, struct proc *parent)
{
	u32 sig = child->exit_signal;
	struct sighand *s = sighand_lock(parent);
	struct ksigaction *ka = &s->action[SIGCHLD - 1];
	bool reap = false;
	siginfo_t si;

	if (sig == SIGCHLD && (ka->handler == SIG_IGN_HANDLER
			       || (ka->flags & SA_NOCLDWAIT))) {
		reap = true;
		if (ka->handler == SIG_IGN_HANDLER)
			sig = 0;
	}
	if (sig_valid((int)sig)) {
		exit_info(&si, child);
		si.si_signo = (int)sig;
		signal_post_locked(parent, NULL, (int)sig, &si, NULL);
	}
	mutex_unlock(&s->lock);
	waitq_wake(&parent->wait_children, 0);
	return reap;
}
