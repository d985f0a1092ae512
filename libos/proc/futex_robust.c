/*
 * futex_robust.c - robust lists, and what a thread's end does to futexes.
 *
 * The list is in guest memory and may be anything: every step is bounded and
 * checked.
 */
#include "futex_impl.h"

#include <libos/mm.h>

#define LIST_LIMIT 2048 /* ROBUST_LIST_LIMIT */

struct robust_head { u64 next; s64 offset; u64 pending; };

/* The word of a mutex whose owner has died. */
static void mark_dead(struct task *t, u64 addr, bool is_pi, bool is_pending)
{
	u32 word, seen, new;

	if ((addr & 3) || load_user_u32(&word, addr))
		return;
	/* died between clearing the word and waking: wake for it */
	if (is_pending && !is_pi && !(word & FUTEX_TID_MASK)) {
		futex_wake_user(addr, true, 1, ~0u);
		return;
	}
	for (;;) {
		if ((s32)(word & FUTEX_TID_MASK) != t->tid)
			return;
		new = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (is_pi && (word & FUTEX_WAITERS))
			return; /* futex_pi_owner_died hands it over */
		if (cmpxchg_user_u32(&seen, addr, word, new))
			return;
		if (seen == word)
			break;
		word = seen;
	}
	if (!is_pi && (word & FUTEX_WAITERS))
		futex_wake_user(addr, true, 1, ~0u);
}

static void walk_robust_list(struct task *t)
{
	struct robust_head head;
	u64 entry, next, pending;

	if (copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	pending = head.pending & ~1ull;
	entry = head.next;
	for (unsigned i = 0; i < LIST_LIMIT; i++) {
		u64 node = entry & ~1ull;
		bool failed;

		if (node == t->robust_list)
			break;
		/* the next one first: a woken thread may free this */
		failed = get_user_u64(&next, node);
		if (node != pending)
			mark_dead(t, node + (u64)head.offset, entry & 1,
				  false);
		if (failed)
			break;
		entry = next;
	}
	if (pending)
		mark_dead(t, pending + (u64)head.offset, head.pending & 1,
			  true);
}

void futex_exit(struct task *t)
{
	struct mm *m = t->proc->mm;

	if (t->robust_list) {
		walk_robust_list(t);
		t->robust_list = 0;
	}
	futex_pi_owner_died(t);
	/* nobody is left to see it in a process of its own */
	if (t->clear_child_tid && m
	    && (t->proc->thread_count > 1
		|| __atomic_load_n(&m->ref.count, __ATOMIC_RELAXED) > 1)
	    && !put_user_u32(t->clear_child_tid, 0))
		futex_wake_user(t->clear_child_tid, true, 1, ~0u);
	t->clear_child_tid = 0;
}

long sys_set_robust_list(struct task *t, const struct sysargs *a)
{
	if (a->a[1] != sizeof(struct robust_head))
		return -EINVAL;
	t->robust_list = a->a[0];
	return 0;
}

long sys_get_robust_list(struct task *t, const struct sysargs *a)
{
	s32 tid = (s32)a->a[0];
	struct task *o;
	u64 head = 0;
	long err = 0;

	mutex_lock(&tasklist_lock);
	o = tid ? task_find(tid) : t;
	if (!o)
		err = -ESRCH;
	else if (o->proc != t->proc && !capable(CAP_SYS_PTRACE)
		 && o->cred.uid != t->cred.uid)
		err = -EPERM;
	else
		head = o->robust_list;
	mutex_unlock(&tasklist_lock);
	if (err)
		return err;
	if (put_user_u64(a->a[2], sizeof(struct robust_head))
	    || put_user_u64(a->a[1], head))
		return -EFAULT;
	return 0;
}
