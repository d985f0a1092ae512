/*
 * futex.c - the queues of threads that wait on words of guest memory.
 *
 * Waiters hang in a hash of buckets by key.  A waker looks at the bucket's
 * waiter_count first, without a lock; so a waiter counts itself before it
 * reads the word, and both sides have a full barrier in between.
 *
 * A woken waiter may be gone at once, its stack with it: a waker takes a
 * reference on the task, marks the waiter woken as its last touch, and wakes
 * the task after the bucket's lock is free.
 */
#include "futex_impl.h"

#include <libos/file.h>
#include <libos/mm.h>

#define BUCKETS 256

static struct futex_bucket buckets[BUCKETS] LARGE; /* zeroed: empty */

static int shared_key(struct futex_key *k, u64 addr)
{
	struct mm *m = current()->proc->mm;
	struct vma *v;
	int err = 0;

	mutex_lock(&m->lock);
	v = vma_find(m, addr);
	if (!v) {
		err = -EFAULT;
	} else if ((v->flags & VMA_SHARED) && v->file) {
		k->object = (u64)v->file->inode;
		k->offset = v->offset + (addr - v->start);
	}
	mutex_unlock(&m->lock);
	return err;
}

int futex_key_of(struct futex_key *k, u64 addr, bool shared)
{
	if (addr & 3)
		return -EINVAL;
	if (!access_ok(addr, 4))
		return -EFAULT;
	k->object = (u64)current()->proc->mm;
	k->offset = addr;
	return shared ? shared_key(k, addr) : 0;
}

struct futex_bucket *futex_bucket_of(const struct futex_key *k)
{
	u64 h = (k->offset >> 2) * 0x9e3779b97f4a7c15ull
		^ (k->object >> 6) * 0xc2b2ae3d27d4eb4full;

	return &buckets[h >> 56];
}

void futex_lock_bucket(struct futex_bucket *b)
{
	mutex_lock(&b->lock);
	if (!b->waiters.next)
		list_init(&b->waiters);
}

void futex_queue(struct futex_bucket *b, struct futex_waiter *w)
{
	__atomic_store_n(&w->bucket, b, __ATOMIC_RELAXED);
	list_push_back(&b->waiters, &w->node);
}

void futex_unqueue(struct futex_bucket *b, struct futex_waiter *w)
{
	list_remove(&w->node);
	__atomic_store_n(&w->bucket, NULL, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&b->waiter_count, 1, __ATOMIC_RELAXED);
}

bool futex_pick(struct futex_bucket *b, struct futex_waiter *w,
		struct futex_batch *batch)
{
	if (batch->count == WAKE_BATCH)
		return false;
	ref_get(&w->task->ref);
	batch->task[batch->count++] = w->task;
	futex_unqueue(b, w);
	__atomic_store_n(&w->is_woken, 1, __ATOMIC_SEQ_CST);
	return true;
}

void futex_wake_batch(struct futex_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		task_wake(batch->task[i]);
		task_put(batch->task[i]);
	}
	batch->count = 0;
}

bool futex_cancel(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = __atomic_load_n(&w->bucket,
							 __ATOMIC_ACQUIRE);
		bool mine;

		if (!b) {
			/* the waker's last touch of w is near */
			while (!__atomic_load_n(&w->is_woken, __ATOMIC_ACQUIRE))
				arch_relax();
			return false;
		}
		futex_lock_bucket(b);
		mine = __atomic_load_n(&w->bucket, __ATOMIC_RELAXED) == b;
		if (mine)
			futex_unqueue(b, w);
		mutex_unlock(&b->lock);
		if (mine)
			return true;
	}
}

int futex_sleep(struct futex_waiter *w, u64 deadline)
{
	int err;

	for (;;) {
		task_prepare_sleep();
		if (__atomic_load_n(&w->is_woken, __ATOMIC_SEQ_CST))
			return 0;
		err = task_sleep(deadline);
		if (err)
			return futex_cancel(w) ? err : 0;
	}
}

/* ---- waking ----------------------------------------------------------------------- */
static long wake_key(const struct futex_key *k, struct futex_bucket *b,
		     u32 count, u32 bitset)
{
	struct futex_batch batch = { .count = 0 };
	struct futex_waiter *w, *next;
	long woken = 0;
	bool more;

	do {
		more = false;
		futex_lock_bucket(b);
		list_for_each_safe(w, next, &b->waiters, node) {
			if (woken >= (long)count)
				break;
			if (!futex_key_equal(&w->key, k)
			    || !(w->bitset & bitset) || w->pi_owner)
				continue;
			more = !futex_pick(b, w, &batch);
			if (more)
				break;
			woken++;
		}
		mutex_unlock(&b->lock);
		futex_wake_batch(&batch);
	} while (more);
	return woken;
}

long futex_wake_user(u64 addr, bool shared, u32 count, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key k;
	int err;

	if (!bitset)
		return -EINVAL;
	err = futex_key_of(&k, addr, shared);
	if (err)
		return err;
	b = futex_bucket_of(&k);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&b->waiter_count, __ATOMIC_RELAXED))
		return 0;
	return wake_key(&k, b, count, bitset);
}
