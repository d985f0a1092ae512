/*
 * futex_impl.h - shared by futex.c, futex_pi.c, futex_calls.c, futex_robust.c
 */
#ifndef LIBOS_FUTEX_IMPL_H
#define LIBOS_FUTEX_IMPL_H

#include "internal.h"

#include <libos/futex.h>

#include <linux/futex.h>

/* Where a futex word is: (address space, address) for a private one, (inode,
 * offset) in a shared mapping. */
struct futex_key { u64 object, offset; };

struct futex_bucket {
	struct mutex lock;
	u32 waiter_count; /* read without the lock by wakers */
	struct list waiters;
};

/* One thread waiting on one word; on its kernel stack. */
struct futex_waiter {
	struct list node;             /* bucket->lock */
	struct futex_key key;
	struct futex_bucket *bucket;  /* where it is queued; atomic */
	struct task *task;
	u32 bitset;
	u32 is_woken;                 /* atomic; set last */
	s32 pi_owner;                 /* LOCK_PI: whom we wait for, else 0 */
};

#define WAKE_BATCH 16
/* Threads to wake once the bucket's lock is free (with a reference each). */
struct futex_batch {
	unsigned count;
	struct task *task[WAKE_BATCH];
};

int futex_key_of(struct futex_key *k, u64 addr, bool shared);
static inline bool futex_key_equal(const struct futex_key *a,
				   const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
void futex_lock_bucket(struct futex_bucket *b);
/* bucket->lock held: */
void futex_queue(struct futex_bucket *b, struct futex_waiter *w);
void futex_unqueue(struct futex_bucket *b, struct futex_waiter *w);
/* Take w out and into the batch; false: the batch is full. */
bool futex_pick(struct futex_bucket *b, struct futex_waiter *w,
		struct futex_batch *batch);
void futex_wake_batch(struct futex_batch *batch);
/* Remove w if it still waits; false if it was woken. */
bool futex_cancel(struct futex_waiter *w);
/* Sleep until woken: 0, -ETIMEDOUT, -ERESTARTSYS (w no longer queued). */
int futex_sleep(struct futex_waiter *w, u64 deadline);

long futex_lock_pi(struct task *t, u64 addr, bool shared, u64 deadline,
		   bool try_only);
long futex_unlock_pi(struct task *t, u64 addr, bool shared);
/* The owner of PI futexes has died: their waiters take over. */
void futex_pi_owner_died(struct task *t);

#endif
