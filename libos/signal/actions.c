/*
 * actions.c - the calls that a program makes about its own signals: actions,
 * mask, alternate stack, waiting.
 */
#include "internal.h"

#include <libos/ktime.h>
#include <libos/proc.h>
#include <libos/sys.h>
#include <libos/uaccess.h>

#define SA_KNOWN                                                             \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART  \
	 | SA_NODEFER | SA_RESETHAND | 0x04000000ul /* SA_RESTORER */        \
	 | 0x800ul /* SA_EXPOSE_TAGBITS */)
#define MIN_ALTSTACK 2048u

static bool ignores(const struct ksigaction *ka, int sig)
{
	return ka->handler == SIG_IGN_HANDLER
		|| (ka->handler == SIG_DFL_HANDLER
		    && (SIGS_IGNORED & SIGBIT(sig)));
}

static void set_action(struct proc *p, int sig, const struct ksigaction *ka)
{
	struct task *t;

	p->sighand->action[sig - 1] = *ka;
	if (!ignores(ka, sig))
		return;
	pending_remove(&p->pending, SIGBIT(sig));
	list_for_each(t, &p->threads, in_proc)
		pending_remove(&t->pending, SIGBIT(sig));
}

long sys_rt_sigaction(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[0];
	struct ksigaction new, old;
	struct sighand *s;

	if (a->a[3] != sizeof(sigset))
		return -EINVAL;
	if (a->a[1] && copy_from_user(&new, a->a[1], sizeof(new)))
		return -EFAULT;
	if (!sig_valid(sig)
	    || (a->a[1] && (SIGS_UNBLOCKABLE & SIGBIT(sig))))
		return -EINVAL;
	s = sighand_lock(t->proc);
	old = s->action[sig - 1];
	if (a->a[1]) {
		new.mask &= ~SIGS_UNBLOCKABLE;
		new.flags &= SA_KNOWN;
		set_action(t->proc, sig, &new);
	}
	mutex_unlock(&s->lock);
	if (a->a[2] && copy_to_user(a->a[2], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

long sys_rt_sigprocmask(struct task *t, const struct sysargs *a)
{
	sigset old = t->blocked, set;

	if (a->a[3] != sizeof(sigset))
		return -EINVAL;
	if (a->a[1]) {
		if (copy_from_user(&set, a->a[1], sizeof(set)))
			return -EFAULT;
		switch ((int)a->a[0]) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_mask(t, set);
	}
	if (a->a[2] && copy_to_user(a->a[2], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

long sys_rt_sigpending(struct task *t, const struct sysargs *a)
{
	struct sighand *s;
	sigset set;

	if (a->a[1] > sizeof(set))
		return -EINVAL;
	s = sighand_lock(t->proc);
	set = (t->pending.set | t->proc->pending.set) & t->blocked;
	mutex_unlock(&s->lock);
	return copy_to_user(a->a[0], &set, a->a[1]) ? -EFAULT : 0;
}

static long wait_for_signal(struct task *t)
{
	title_look(t);
	for (;;) {
		task_prepare_sleep();
		if (signal_pending(t))
			return -ERESTARTNOHAND;
		if (task_sleep(HOST_FOREVER))
			return -ERESTARTNOHAND;
	}
}

long sys_rt_sigsuspend(struct task *t, const struct sysargs *a)
{
	sigset set;

	if (a->a[1] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, a->a[0], sizeof(set)))
		return -EFAULT;
	signal_set_temporary_mask(t, set);
	return wait_for_signal(t);
}

long sys_pause(struct task *t, const struct sysargs *a)
{
	return wait_for_signal(t);
}

static int timedwait_deadline(u64 uptr, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = HOST_FOREVER;
	if (!uptr)
		return 0;
	err = get_timespec(uptr, &ns);
	if (!err)
		*deadline = deadline_after(ns);
	return err;
}

long sys_rt_sigtimedwait(struct task *t, const struct sysargs *a)
{
	siginfo_t info;
	sigset set;
	u64 deadline;
	int sig, err;

	if (a->a[3] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, a->a[0], sizeof(set)))
		return -EFAULT;
	err = timedwait_deadline(a->a[2], &deadline);
	if (err)
		return err;
	sig = signal_dequeue(t, set, &info);
	if (!sig) {
		err = wait_until(&t->proc->sighand->signalfd_wait,
				 (sig = signal_dequeue(t, set, &info)) != 0,
				 deadline);
		if (!sig)
			return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
	}
	if (a->a[1] && copy_to_user(a->a[1], &info, sizeof(info)))
		return -EFAULT;
	return sig;
}

/* ---- the alternate stack ---------------------------------------------------- */
static bool on_altstack(struct task *t)
{
	u64 sp = regs_sp(&t->regs);

	if (t->altstack.flags & SS_AUTODISARM)
		return false;
	return sp > t->altstack.sp && sp - t->altstack.sp <= t->altstack.size;
}

struct guest_stack { u64 sp; u32 flags, pad; u64 size; };

static void report_altstack(struct task *t, struct guest_stack *g)
{
	memset(g, 0, sizeof(*g));
	g->sp = t->altstack.sp;
	g->size = t->altstack.size;
	g->flags = t->altstack.flags & SS_AUTODISARM;
	if (!t->altstack.size)
		g->flags |= SS_DISABLE;
	else if (on_altstack(t))
		g->flags |= SS_ONSTACK;
}

static int set_altstack(struct task *t, const struct guest_stack *g)
{
	u32 mode = g->flags & ~SS_AUTODISARM;

	if (on_altstack(t))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack.sp = t->altstack.size = 0;
	} else {
		if (g->size < MIN_ALTSTACK)
			return -ENOMEM;
		t->altstack.sp = g->sp;
		t->altstack.size = g->size;
	}
	t->altstack.flags = g->flags;
	return 0;
}

long sys_sigaltstack(struct task *t, const struct sysargs *a)
{
	struct guest_stack new, old;
	int err;

	report_altstack(t, &old);
	if (a->a[0]) {
		if (copy_from_user(&new, a->a[0], sizeof(new)))
			return -EFAULT;
		err = set_altstack(t, &new);
		if (err)
			return err;
	}
	if (a->a[1] && copy_to_user(a->a[1], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}
