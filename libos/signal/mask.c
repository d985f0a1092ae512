/*
 * mask.c - what a thread blocks, and whether something is pending for it.
 */
#include "internal.h"

bool signal_pending(struct task *t)
{
	u32 work = __atomic_load_n(&t->work, __ATOMIC_SEQ_CST);

	return work & (WORK_SIGNAL | WORK_EXIT | WORK_STOP);
}

void signal_recalc(struct task *t)
{
	sigset ready = (t->pending.set | t->proc->pending.set) & ~t->blocked;

	if (ready || t->proc->tell_continued)
		task_set_work(t, WORK_SIGNAL);
	else
		task_clear_work(t, WORK_SIGNAL);
}

/* Only the thread itself changes its mask.  Without anything pending the
 * lock is not needed: see send.c. */
void signal_set_mask(struct task *t, sigset mask)
{
	sigset old = t->blocked;
	struct sighand *s;

	mask &= ~SIGS_UNBLOCKABLE;
	if (mask == old)
		return;
	__atomic_store_n(&t->blocked, mask, __ATOMIC_SEQ_CST);
	if (!((t->pending.set | t->proc->pending.set) & (mask ^ old)))
		return;
	s = sighand_lock(t->proc);
	signal_recalc(t);
	signal_retarget(t, mask & ~old);
	mutex_unlock(&s->lock);
}

void signal_set_temporary_mask(struct task *t, sigset mask)
{
	t->saved_mask = t->blocked;
	t->restore_mask = true;
	task_set_work(t, WORK_RESTORE_MASK);
	signal_set_mask(t, mask);
}
