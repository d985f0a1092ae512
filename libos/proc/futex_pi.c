/*
 * futex_pi.c - priority-inheriting futexes: LOCK_PI, TRYLOCK_PI, UNLOCK_PI.
 *
 * The word holds the owner's tid, FUTEX_WAITERS when the kernel has to be
 * asked at unlock, FUTEX_OWNER_DIED when an owner died with it.  Unlocking
 * hands the word to the best waiter directly.  Priorities choose who is next;
 * they are not lent to the owner, because the host's scheduler is not ours.
 */
#include "futex_impl.h"

static u32 pi_waiters; /* waiters on PI futexes in the whole sandbox */

/* Higher first; equal ones in order of arrival. */
static int rank(const struct task *t)
{
	if (t->sched_policy == 1 || t->sched_policy == 2) /* FIFO, RR */
		return 1000 + (int)t->sched_priority;
	return -t->nice;
}

static struct futex_waiter *best_waiter(struct futex_bucket *b,
					const struct futex_key *k,
					unsigned *count)
{
	struct futex_waiter *w, *best = NULL;

	*count = 0;
	list_for_each(w, &b->waiters, node) {
		if (!w->pi_owner || !futex_key_equal(&w->key, k))
			continue;
		++*count;
		if (!best || rank(w->task) > rank(best->task))
			best = w;
	}
	return best;
}

static bool owner_exists(s32 tid)
{
	struct task *o;
	bool ok;

	mutex_lock(&tasklist_lock);
	o = task_find(tid);
	ok = o && !o->is_exiting;
	mutex_unlock(&tasklist_lock);
	return ok;
}

/* Try to take the word, or mark it as waited for. */
enum { CLAIM_OURS, CLAIM_OWNED /* by *owner, who knows now that we wait */,
       CLAIM_CHANGED /* meanwhile: look again */ };

static int claim_word(struct task *t, u64 addr, unsigned queued, bool try_only,
		      s32 *owner)
{
	u32 word, seen, new, tid = (u32)t->tid;
	int err = load_user_u32(&word, addr);

	if (err)
		return err;
	*owner = (s32)(word & FUTEX_TID_MASK);
	if (*owner == t->tid)
		return -EDEADLK;
	if (!*owner) {
		new = tid | (word & FUTEX_OWNER_DIED)
			| (queued ? FUTEX_WAITERS : 0);
	} else {
		if (try_only)
			return -EWOULDBLOCK;
		new = word | FUTEX_WAITERS;
	}
	err = cmpxchg_user_u32(&seen, addr, word, new);
	if (err)
		return err;
	if (seen != word)
		return CLAIM_CHANGED;
	return *owner ? CLAIM_OWNED : CLAIM_OURS;
}

static long wait_for_owner(struct futex_waiter *w, u64 deadline)
{
	long err = futex_sleep(w, deadline);

	__atomic_sub_fetch(&pi_waiters, 1, __ATOMIC_RELAXED);
	return err == -ERESTARTSYS ? -ERESTARTNOINTR : err;
}

long futex_lock_pi(struct task *t, u64 addr, bool shared, u64 deadline,
		   bool try_only)
{
	struct futex_waiter w = { .bitset = ~0u, .task = t };
	struct futex_bucket *b;
	unsigned queued;
	s32 owner = 0;
	int err = futex_key_of(&w.key, addr, shared);

	if (err)
		return err;
	list_init(&w.node);
	b = futex_bucket_of(&w.key);
	for (;;) {
		futex_lock_bucket(b);
		best_waiter(b, &w.key, &queued);
		err = claim_word(t, addr, queued, try_only, &owner);
		if (err == CLAIM_OWNED) {
			__atomic_add_fetch(&pi_waiters, 1, __ATOMIC_SEQ_CST);
			__atomic_add_fetch(&b->waiter_count, 1,
					   __ATOMIC_SEQ_CST);
			w.pi_owner = owner;
			futex_queue(b, &w);
		}
		mutex_unlock(&b->lock);
		if (err != CLAIM_CHANGED)
			break;
	}
	if (err != CLAIM_OWNED)
		return err;
	if (!owner_exists(owner) && futex_cancel(&w)) {
		__atomic_sub_fetch(&pi_waiters, 1, __ATOMIC_RELAXED);
		return -ESRCH;
	}
	return wait_for_owner(&w, deadline);
}

/* Bucket locked: give the word to w.  extra: FUTEX_OWNER_DIED or 0. */
static int hand_over(struct futex_bucket *b, struct futex_waiter *w,
		     u64 addr, unsigned count, u32 extra,
		     struct futex_batch *batch)
{
	u32 word, seen, new = (u32)w->task->tid | extra
		| (count > 1 ? FUTEX_WAITERS : 0);
	struct futex_waiter *other;
	int err = load_user_u32(&word, addr);

	while (!err) {
		err = cmpxchg_user_u32(&seen, addr, word, new);
		if (err || seen == word)
			break;
		word = seen;
	}
	if (err)
		return err;
	list_for_each(other, &b->waiters, node)
		if (other->pi_owner && futex_key_equal(&other->key, &w->key))
			other->pi_owner = w->task->tid;
	futex_pick(b, w, batch);
	return 0;
}

static int clear_word(u64 addr)
{
	u32 word, seen;
	int err = load_user_u32(&word, addr);

	while (!err) {
		err = cmpxchg_user_u32(&seen, addr, word, 0);
		if (err || seen == word)
			break;
		word = seen;
	}
	return err;
}

long futex_unlock_pi(struct task *t, u64 addr, bool shared)
{
	struct futex_batch batch = { .count = 0 };
	struct futex_bucket *b;
	struct futex_waiter *w;
	struct futex_key k;
	unsigned count;
	u32 word;
	int err = futex_key_of(&k, addr, shared);

	if (!err)
		err = load_user_u32(&word, addr);
	if (err)
		return err;
	if ((s32)(word & FUTEX_TID_MASK) != t->tid)
		return -EPERM;
	b = futex_bucket_of(&k);
	futex_lock_bucket(b);
	w = best_waiter(b, &k, &count);
	err = w ? hand_over(b, w, addr, count, 0, &batch) : clear_word(addr);
	mutex_unlock(&b->lock);
	futex_wake_batch(&batch);
	return err;
}

/* ---- the owner dies ------------------------------------------------------------- */
/* A waiter of a dead owner goes on as the new one.  Its word may be in
 * another address space, so it is the waiter that fails with ESRCH... unless
 * the word is here: then it is handed over as UNLOCK_PI does. */
static void rescue(struct futex_bucket *b, struct task *t)
{
	struct futex_batch batch = { .count = 0 };
	struct futex_waiter *w, *next, *best;
	unsigned count;

	futex_lock_bucket(b);
	list_for_each_safe(w, next, &b->waiters, node) {
		if (w->pi_owner != t->tid
		    || w->key.object != (u64)t->proc->mm)
			continue;
		best = best_waiter(b, &w->key, &count);
		if (best && !hand_over(b, best, best->key.offset, count,
				       FUTEX_OWNER_DIED, &batch))
			break; /* the list has changed; one lock is typical */
	}
	mutex_unlock(&b->lock);
	futex_wake_batch(&batch);
}

void futex_pi_owner_died(struct task *t)
{
	struct futex_key k = { 0, 0 };

	if (!__atomic_load_n(&pi_waiters, __ATOMIC_SEQ_CST))
		return;
	for (u64 i = 0; i < 1024; i++) { /* any key of each bucket */
		struct futex_bucket *b;

		k.offset = i << 2;
		b = futex_bucket_of(&k);
		if (__atomic_load_n(&b->waiter_count, __ATOMIC_RELAXED))
			rescue(b, t);
	}
}
