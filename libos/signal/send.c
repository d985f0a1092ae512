/*
 * send.c - posting signals: to a thread, a process, a process group.
 *
 * Posting puts the signal in a pending set and picks the thread that is to
 * take it: WORK_SIGNAL is set there and the thread kicked.  SIGKILL is not
 * queued: it starts the process's end at once.
 *
 * Invariant with signal_set_mask(), which does not always take the lock: here
 * the pending bit is set, then t->blocked read; there t->blocked is set, then
 * the pending sets read; so one of the two sees the other.
 */
#include "internal.h"

#include <libos/mm.h>

static bool is_ignored(struct proc *p, struct task *t, int sig)
{
	u64 handler = p->sighand->action[sig - 1].handler;

	if (t && (t->blocked & SIGBIT(sig)))
		return false;
	if (handler == SIG_IGN_HANDLER)
		return true;
	return handler == SIG_DFL_HANDLER && (SIGS_IGNORED & SIGBIT(sig));
}

static struct task *main_thread(struct proc *p)
{
	if (p->leader)
		return p->leader;
	if (list_empty(&p->threads))
		return NULL;
	return list_first(&p->threads, struct task, in_proc);
}

static void remove_everywhere(struct proc *p, sigset mask)
{
	struct task *t;

	pending_remove(&p->pending, mask);
	list_for_each(t, &p->threads, in_proc)
		pending_remove(&t->pending, mask);
}

/* Effects that happen at once, whatever the action.  False: not queued. */
static bool prepare(struct proc *p, struct task *t, int sig)
{
	if (p->state != PROC_ALIVE || p->group_exiting)
		return false;
	if (SIGS_STOP & SIGBIT(sig)) {
		remove_everywhere(p, SIGBIT(SIGCONT));
	} else if (sig == SIGCONT) {
		remove_everywhere(p, SIGS_STOP);
		signal_continue(p);
	}
	return !is_ignored(p, t ? t : main_thread(p), sig);
}

static bool wants(struct task *t, int sig)
{
	if (t->is_exiting || (t->blocked & SIGBIT(sig)) || t->is_stopped)
		return false;
	return t == current() || !(t->work & (WORK_SIGNAL | WORK_STOP));
}

static struct task *choose(struct proc *p, int sig)
{
	struct task *t = main_thread(p);

	if (t && wants(t, sig))
		return t;
	list_for_each(t, &p->threads, in_proc)
		if (wants(t, sig))
			return t;
	return NULL;
}

static void tell(struct task *t)
{
	task_set_work(t, WORK_SIGNAL);
	if (t != current())
		task_kick(t);
}

/* Somebody must look at the new signal, if anyone can. */
static void complete(struct proc *p, struct task *t, int sig)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (t) {
		if (!(t->blocked & SIGBIT(sig)) && !t->is_exiting)
			tell(t);
		return;
	}
	t = choose(p, sig);
	if (t)
		tell(t);
}

/* Put one instance in the set; -EAGAIN when a real-time one does not fit. */
static int enqueue(struct proc *p, struct sigpending *set, int sig,
		   const siginfo_t *info, struct posix_timer *timer)
{
	struct sigqueue *q = sigqueue_new(p, sig, info);

	if (q) {
		q->timer = timer;
		list_push_back(&set->queue, &q->node);
	} else if (timer || (sig >= SIGRTMIN && info
			     && info->si_code != SI_USER)) {
		return -EAGAIN;
	}
	set->set |= SIGBIT(sig);
	return 0;
}

/* 1: queued, 0: nothing to do (ignored, or pending already). */
static int post(struct proc *p, struct task *t, int sig,
		const siginfo_t *info, struct posix_timer *timer)
{
	struct sigpending *set = t ? &t->pending : &p->pending;
	int err;

	if (!prepare(p, t, sig))
		return 0;
	if (sig == SIGKILL) {
		proc_start_group_exit(p, SIGKILL);
		return 1;
	}
	if (sig < SIGRTMIN && (set->set & SIGBIT(sig)))
		return 0;
	err = enqueue(p, set, sig, info, timer);
	if (err)
		return err;
	complete(p, t, sig);
	if (waitq_active(&p->sighand->signalfd_wait))
		waitq_wake(&p->sighand->signalfd_wait, 0);
	return 1;
}

int signal_post_locked(struct proc *p, struct task *t, int sig,
		       const siginfo_t *info, struct posix_timer *timer)
{
	int n = post(p, t, sig, info, timer);

	return n < 0 ? n : 0;
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	struct sighand *s;
	int err;

	if (!sig || t->is_kthread)
		return 0;
	s = sighand_lock(t->proc);
	err = signal_post_locked(t->proc, t, sig, info, NULL);
	mutex_unlock(&s->lock);
	return err;
}

int signal_send_proc(struct proc *p, int sig, const siginfo_t *info)
{
	struct sighand *s;
	int err;

	if (!sig)
		return 0;
	s = sighand_lock(p);
	err = signal_post_locked(p, NULL, sig, info, NULL);
	mutex_unlock(&s->lock);
	return err;
}

struct pgrp_signal { int sig; const siginfo_t *info; };

static void send_member(struct proc *p, void *arg)
{
	struct pgrp_signal *g = arg;

	signal_send_proc(p, g->sig, g->info);
}

int signal_send_pgrp(s32 pgid, int sig, const siginfo_t *info)
{
	struct pgrp_signal g = { sig, info };

	return pgrp_for_each(pgid, send_member, &g) ? 0 : -ESRCH;
}

int signal_send_timer(struct proc *p, struct task *t, const siginfo_t *info,
		      struct posix_timer *timer)
{
	struct sighand *s = sighand_lock(p);
	int n = post(p, t, info->si_signo, info, timer);

	mutex_unlock(&s->lock);
	return n;
}

static void forget_in(struct sigpending *set, struct posix_timer *timer)
{
	struct sigqueue *q;

	list_for_each(q, &set->queue, node)
		if (q->timer == timer)
			q->timer = NULL;
}

void signal_forget_timer(struct proc *p, struct posix_timer *timer)
{
	struct sighand *s = sighand_lock(p);
	struct task *t;

	forget_in(&p->pending, timer);
	list_for_each(t, &p->threads, in_proc)
		forget_in(&t->pending, timer);
	mutex_unlock(&s->lock);
}

void signal_force(int sig, const siginfo_t *info)
{
	struct task *t = current();
	struct sighand *s = sighand_lock(t->proc);
	struct ksigaction *ka = &s->action[sig - 1];

	if ((t->blocked & SIGBIT(sig)) || ka->handler == SIG_IGN_HANDLER) {
		ka->handler = SIG_DFL_HANDLER;
		t->blocked &= ~SIGBIT(sig);
	}
	signal_post_locked(t->proc, t, sig, info, NULL);
	signal_recalc(t);
	mutex_unlock(&s->lock);
}

/* t no longer takes these: let other threads look at them. */
void signal_retarget(struct task *t, sigset which)
{
	struct proc *p = t->proc;
	struct task *other;
	sigset left = p->pending.set & which;

	list_for_each(other, &p->threads, in_proc) {
		if (!left)
			return;
		if (other == t || other->is_exiting)
			continue;
		if (!(left & ~other->blocked))
			continue;
		left &= other->blocked;
		if (!(other->work & WORK_SIGNAL))
			tell(other);
	}
}

void signal_thread_leaves(struct task *t)
{
	struct proc *p = t->proc;

	t->is_exiting = true;
	if ((t->work & WORK_STOP) && !t->is_stopped && p->stop_left
	    && --p->stop_left == 0)
		p->is_stopped = true;
	task_clear_work(t, WORK_STOP);
	signal_retarget(t, ~t->blocked);
}
