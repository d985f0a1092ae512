/*
 * deliver.c - what happens on the way back to the guest when there is work:
 * leave, stop, run handlers, restart the interrupted call.
 *
 * The rules for restarting are Linux's.  A call that was interrupted has left
 * -ERESTART* in rax.  With a handler: ERESTARTSYS restarts if SA_RESTART,
 * ERESTARTNOINTR always, the others become EINTR.  Without one: all restart,
 * ERESTART_RESTARTBLOCK through restart_syscall.
 */
#include "internal.h"

#include <libos/sys.h>
#include <libos/uaccess.h>

#include <asm/unistd.h>

struct delivery {
	int sig;
	siginfo_t info;
	struct ksigaction action;
};

static void take_stop(struct task *t, struct sighand *s, int sig)
{
	struct proc *p = t->proc;
	bool orphaned = false;

	p->stop_cancelled = false;
	if (sig != SIGSTOP) {
		mutex_unlock(&s->lock);
		mutex_lock(&tasklist_lock);
		orphaned = pgrp_is_orphaned(p->pgid, NULL);
		mutex_unlock(&tasklist_lock);
		mutex_lock(&s->lock);
	}
	if (!orphaned && !p->stop_cancelled && !p->group_exiting)
		signal_stop_begin(t, sig);
}

enum take { TAKE_NONE, TAKE_HANDLER, TAKE_STOP, TAKE_FATAL };

/* One signal that has an effect here; sighand->lock held. */
static enum take take(struct task *t, struct sighand *s, struct delivery *d)
{
	for (;;) {
		struct ksigaction *ka;

		d->sig = signal_take_locked(t, ~t->blocked, &d->info);
		if (!d->sig)
			return TAKE_NONE;
		if (t->work & WORK_TRACE)
			trace_signal(t, d->sig, &d->info);
		ka = &s->action[d->sig - 1];
		if (ka->handler == SIG_IGN_HANDLER)
			continue;
		if (ka->handler != SIG_DFL_HANDLER) {
			d->action = *ka;
			if (ka->flags & SA_RESETHAND)
				ka->handler = SIG_DFL_HANDLER;
			return TAKE_HANDLER;
		}
		if (SIGS_IGNORED & SIGBIT(d->sig))
			continue;
		if (SIGS_STOP & SIGBIT(d->sig)) {
			take_stop(t, s, d->sig);
			return TAKE_STOP;
		}
		return TAKE_FATAL;
	}
}

/* True: d is to be handed to its handler.  False: nothing (more) to do. */
static bool next_signal(struct task *t, struct delivery *d)
{
	for (;;) {
		u32 work = __atomic_load_n(&t->work, __ATOMIC_SEQ_CST);
		struct sighand *s;
		enum take what;

		if (work & WORK_EXIT)
			task_exit(t->proc->group_exiting ? t->proc->exit_code
				  : 0);
		if (work & WORK_STOP) {
			signal_stop_wait(t);
			continue;
		}
		if (!(work & WORK_SIGNAL))
			return false;
		if (t->proc->tell_continued)
			signal_tell_continued(t->proc);
		s = sighand_lock(t->proc);
		what = take(t, s, d);
		signal_recalc(t);
		mutex_unlock(&s->lock);
		if (what == TAKE_FATAL)
			task_exit_group((u32)d->sig);
		if (what == TAKE_HANDLER)
			return true;
	}
}

/* The interrupted call's result, now that a handler is going to run. */
static void settle_call(struct task *t, u64 action_flags)
{
	switch ((long)t->regs.rax) {
	case -ERESTARTSYS:
		if (action_flags & SA_RESTART)
			goto restart;
		t->regs.rax = (u64)-EINTR;
		break;
	case -ERESTART_RESTARTBLOCK:
	case -ERESTARTNOHAND:
		t->regs.rax = (u64)-EINTR;
		break;
	case -ERESTARTNOINTR:
	restart:
		arch_restart_syscall(t, (long)t->regs.orig_rax);
		break;
	}
}

static void restart_call(struct task *t)
{
	switch ((long)t->regs.rax) {
	case -ERESTARTSYS:
	case -ERESTARTNOHAND:
	case -ERESTARTNOINTR:
		arch_restart_syscall(t, (long)t->regs.orig_rax);
		break;
	case -ERESTART_RESTARTBLOCK:
		arch_restart_syscall(t, __NR_restart_syscall);
		break;
	}
}

/* A frame that cannot be written: SIGSEGV, and if it was that, the end. */
static void frame_failed(struct task *t, int sig)
{
	siginfo_t si;

	if (sig == SIGSEGV)
		task_exit_group(SIGSEGV);
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGSEGV;
	si.si_code = SI_KERNEL;
	signal_force(SIGSEGV, &si);
}

static void end_temporary_mask(struct task *t)
{
	t->restore_mask = false;
	task_clear_work(t, WORK_RESTORE_MASK);
}

static void run_handler(struct task *t, struct delivery *d)
{
	sigset save = t->restore_mask ? t->saved_mask : t->blocked;
	sigset block = d->action.mask;

	if ((s64)t->regs.orig_rax != -1)
		settle_call(t, d->action.flags);
	t->regs.orig_rax = (u64)-1;
	if (arch_signal_frame(t, d->sig, &d->info, &d->action, save)) {
		frame_failed(t, d->sig);
		return;
	}
	end_temporary_mask(t);
	if (!(d->action.flags & SA_NODEFER))
		block |= SIGBIT(d->sig);
	signal_set_mask(t, t->blocked | block);
	if (t->altstack.flags & SS_AUTODISARM)
		memset(&t->altstack, 0, sizeof(t->altstack));
}

/* A call under a temporary mask that was not interrupted returns with its
 * own mask, before signals are looked at. */
static bool call_was_interrupted(struct task *t)
{
	switch ((long)t->regs.rax) {
	case -ERESTARTSYS: case -ERESTARTNOHAND: case -ERESTARTNOINTR:
	case -ERESTART_RESTARTBLOCK: case -EINTR:
		return true;
	}
	return false;
}

static void restore_mask(struct task *t)
{
	if (!t->restore_mask)
		return;
	end_temporary_mask(t);
	signal_set_mask(t, t->saved_mask);
}

void signal_exit_work(struct task *t)
{
	struct delivery d;
	const u32 mine = WORK_SIGNAL | WORK_EXIT | WORK_STOP
		| WORK_RESTORE_MASK;

	if (t->is_kthread)
		return;
	if (t->restore_mask && !call_was_interrupted(t))
		restore_mask(t);
	while (__atomic_load_n(&t->work, __ATOMIC_SEQ_CST) & mine) {
		if (next_signal(t, &d)) {
			run_handler(t, &d);
			continue;
		}
		if ((s64)t->regs.orig_rax != -1) {
			restart_call(t);
			t->regs.orig_rax = (u64)-1;
		}
		restore_mask(t);
		task_clear_work(t, WORK_RESTORE_MASK);
	}
}

/* ---- the two calls of this machinery -------------------------------------- */
long sys_rt_sigreturn(struct task *t, const struct sysargs *a)
{
	siginfo_t si;
	u64 mask;

	if (arch_signal_return(t, &mask)) {
		memset(&si, 0, sizeof(si));
		si.si_signo = SIGSEGV;
		si.si_code = SI_KERNEL;
		signal_force(SIGSEGV, &si);
		return 0;
	}
	t->regs.orig_rax = (u64)-1;
	task_set_work(t, WORK_FULL);
	signal_set_mask(t, mask);
	return (long)t->regs.rax;
}

long sys_restart_syscall(struct task *t, const struct sysargs *a)
{
	long (*fn)(struct task *) = t->restart.fn;

	if (!fn)
		return -EINTR;
	t->restart.fn = NULL;
	return fn(t);
}
