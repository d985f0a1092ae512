/*
 * futex_calls.c - futex(2) and futex_waitv(2): waiting, requeueing, WAKE_OP,
 * and the choice among the operations.
 */
#include "futex_impl.h"

#include <libos/heap.h>
#include <libos/ktime.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

/* Count ourselves in, take the lock, compare: 0 and locked, or -errno. */
static int enter_bucket(struct futex_bucket *b, u64 addr, u32 value)
{
	u32 now;
	int err;

	__atomic_add_fetch(&b->waiter_count, 1, __ATOMIC_SEQ_CST);
	futex_lock_bucket(b);
	err = load_user_u32(&now, addr);
	if (!err && now != value)
		err = -EAGAIN;
	if (err) {
		__atomic_sub_fetch(&b->waiter_count, 1, __ATOMIC_RELAXED);
		mutex_unlock(&b->lock);
	}
	return err;
}

static void waiter_set(struct futex_waiter *w, const struct futex_key *k,
		       u32 bitset)
{
	memset(w, 0, sizeof(*w));
	list_init(&w->node);
	w->key = *k;
	w->task = current();
	w->bitset = bitset;
}

struct wait_args {
	u64 addr, deadline;
	u32 value, bitset;
	bool shared;
};

static long wait_on(struct task *t, const struct wait_args *x);

static long wait_restart(struct task *t)
{
	struct wait_args x = {
		.addr = t->restart.a[0], .deadline = t->restart.a[1],
		.value = (u32)t->restart.a[2], .bitset = (u32)t->restart.a[3],
		.shared = t->restart.a[4],
	};

	return wait_on(t, &x);
}

static long wait_on(struct task *t, const struct wait_args *x)
{
	struct futex_bucket *b;
	struct futex_waiter w;
	struct futex_key k;
	int err;

	if (!x->bitset)
		return -EINVAL;
	err = futex_key_of(&k, x->addr, x->shared);
	if (err)
		return err;
	waiter_set(&w, &k, x->bitset);
	b = futex_bucket_of(&k);
	err = enter_bucket(b, x->addr, x->value);
	if (err)
		return err;
	futex_queue(b, &w);
	mutex_unlock(&b->lock);
	err = futex_sleep(&w, x->deadline);
	if (err != -ERESTARTSYS || x->deadline == HOST_FOREVER)
		return err;
	t->restart.fn = wait_restart;
	t->restart.a[0] = x->addr;
	t->restart.a[1] = x->deadline;
	t->restart.a[2] = x->value;
	t->restart.a[3] = x->bitset;
	t->restart.a[4] = x->shared;
	return -ERESTART_RESTARTBLOCK;
}

/* ---- requeue ----------------------------------------------------------------------- */
struct requeue_args {
	u64 from, to;
	u32 wake, move;
	u32 value;
	bool compare, shared;
};

static void move_waiter(struct futex_waiter *w, struct futex_bucket *a,
			struct futex_bucket *b, const struct futex_key *to)
{
	w->key = *to;
	if (a == b)
		return;
	list_remove(&w->node);
	__atomic_sub_fetch(&a->waiter_count, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&b->waiter_count, 1, __ATOMIC_SEQ_CST);
	futex_queue(b, w);
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	mutex_lock_pair(&a->lock, &b->lock);
	if (!a->waiters.next)
		list_init(&a->waiters);
	if (!b->waiters.next)
		list_init(&b->waiters);
}

/* Both locks held.  True: the batch is full, come again. */
static bool requeue_some(struct requeue_args *x, const struct futex_key k[2],
			 struct futex_bucket *const b[2],
			 struct futex_batch *batch, long *done)
{
	struct futex_waiter *w, *next;

	list_for_each_safe(w, next, &b[0]->waiters, node) {
		if (!futex_key_equal(&w->key, &k[0]) || w->pi_owner)
			continue;
		if (x->wake) {
			if (!futex_pick(b[0], w, batch))
				return true;
			x->wake--;
		} else if (x->move) {
			move_waiter(w, b[0], b[1], &k[1]);
			x->move--;
		} else {
			break;
		}
		++*done;
	}
	return false;
}

static long requeue(struct requeue_args *x)
{
	struct futex_batch batch = { .count = 0 };
	struct futex_bucket *b[2];
	struct futex_key k[2];
	long done = 0;
	bool more;
	int err = futex_key_of(&k[0], x->from, x->shared);

	if (!err)
		err = futex_key_of(&k[1], x->to, x->shared);
	if (err)
		return err;
	if ((s32)x->wake < 0 || (s32)x->move < 0)
		return -EINVAL;
	b[0] = futex_bucket_of(&k[0]);
	b[1] = futex_bucket_of(&k[1]);
	do {
		u32 now = x->value;

		lock_two(b[0], b[1]);
		if (x->compare && !done) {
			err = load_user_u32(&now, x->from);
			if (!err && now != x->value)
				err = -EAGAIN;
		}
		more = !err && requeue_some(x, k, b, &batch, &done);
		mutex_unlock_pair(&b[0]->lock, &b[1]->lock);
		futex_wake_batch(&batch);
	} while (more);
	return err ? err : done;
}

/* At least one, whatever the guest says: as Linux. */
static u32 wake_count(u64 n)
{
	return (s32)n < 1 ? 1 : (u32)n;
}

/* ---- WAKE_OP ----------------------------------------------------------------------- */
static int sign_extend12(u32 v)
{
	return (int)(v << 20) >> 20;
}

static int apply_op(u32 op, u32 old, int arg, u32 *new)
{
	switch (op & 7) {
	case FUTEX_OP_SET: *new = (u32)arg; return 0;
	case FUTEX_OP_ADD: *new = old + (u32)arg; return 0;
	case FUTEX_OP_OR: *new = old | (u32)arg; return 0;
	case FUTEX_OP_ANDN: *new = old & ~(u32)arg; return 0;
	case FUTEX_OP_XOR: *new = old ^ (u32)arg; return 0;
	}
	return -ENOSYS;
}

static int compare_op(u32 cmp, s32 old, s32 arg)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ: return old == arg;
	case FUTEX_OP_CMP_NE: return old != arg;
	case FUTEX_OP_CMP_LT: return old < arg;
	case FUTEX_OP_CMP_LE: return old <= arg;
	case FUTEX_OP_CMP_GT: return old > arg;
	case FUTEX_OP_CMP_GE: return old >= arg;
	}
	return -ENOSYS;
}

/* Change the word as op says; 1 or 0: the comparison with its old value. */
static int modify_word(u32 encoded, u64 addr)
{
	u32 op = encoded >> 28, old, seen, new;
	int arg = sign_extend12(encoded >> 12 & 0xfff), err;

	if (op & 8) /* FUTEX_OP_OPARG_SHIFT */
		arg = (int)(1u << (arg & 31));
	err = load_user_u32(&old, addr);
	for (;;) {
		if (!err)
			err = apply_op(op, old, arg, &new);
		if (!err)
			err = cmpxchg_user_u32(&seen, addr, old, new);
		if (err)
			return err;
		if (seen == old)
			break;
		old = seen;
	}
	return compare_op(encoded >> 24 & 15, (s32)old,
			  sign_extend12(encoded & 0xfff));
}

static long wake_op(const struct sysargs *a, bool shared)
{
	struct futex_key k;
	long n, m;
	int err = futex_key_of(&k, a->a[0], shared), hit;

	if (!err)
		err = futex_key_of(&k, a->a[4], shared);
	if (err)
		return err;
	hit = modify_word((u32)a->a[5], a->a[4]);
	if (hit < 0)
		return hit;
	n = futex_wake_user(a->a[0], shared, wake_count(a->a[2]), ~0u);
	if (n < 0 || !hit)
		return n;
	m = futex_wake_user(a->a[4], shared, wake_count(a->a[3]), ~0u);
	return m < 0 ? m : n + m;
}

/* ---- the call ----------------------------------------------------------------------- */
static bool takes_timeout(u32 op)
{
	return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET
		|| op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2;
}

/* WAIT's timeout is relative, the others' absolute. */
static int futex_deadline(u32 op, bool realtime, u64 uptr, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = HOST_FOREVER;
	if (!uptr || !takes_timeout(op))
		return 0;
	err = get_timespec(uptr, &ns);
	if (err)
		return err;
	if (op == FUTEX_WAIT)
		*deadline = deadline_after(ns);
	else
		*deadline = realtime ? deadline_from_realtime(ns) : ns;
	return 0;
}

static long requeue_call(const struct sysargs *a, bool shared, bool compare)
{
	struct requeue_args x = {
		.from = a->a[0], .to = a->a[4],
		.wake = (u32)a->a[2], .move = (u32)a->a[3],
		.value = (u32)a->a[5], .compare = compare, .shared = shared,
	};

	return requeue(&x);
}

static long wait_call(struct task *t, const struct sysargs *a, bool shared,
		      u64 deadline, u32 bitset)
{
	struct wait_args x = {
		.addr = a->a[0], .deadline = deadline, .value = (u32)a->a[2],
		.bitset = bitset, .shared = shared,
	};

	return wait_on(t, &x);
}

long sys_futex(struct task *t, const struct sysargs *a)
{
	u32 op = (u32)a->a[1] & (u32)FUTEX_CMD_MASK;
	bool shared = !(a->a[1] & FUTEX_PRIVATE_FLAG);
	bool realtime = a->a[1] & FUTEX_CLOCK_REALTIME;
	u64 deadline;
	int err;

	if (LIKELY(op == FUTEX_WAKE))
		return futex_wake_user(a->a[0], shared, wake_count(a->a[2]),
				       ~0u);
	if (realtime && op != FUTEX_WAIT_BITSET && op != FUTEX_LOCK_PI2
	    && op != FUTEX_WAIT)
		return -ENOSYS;
	err = futex_deadline(op, realtime || op == FUTEX_LOCK_PI, a->a[3],
			     &deadline);
	if (err)
		return err;
	switch (op) {
	case FUTEX_WAIT:
		return wait_call(t, a, shared, deadline, ~0u);
	case FUTEX_WAIT_BITSET:
		return wait_call(t, a, shared, deadline, (u32)a->a[5]);
	case FUTEX_WAKE_BITSET:
		return futex_wake_user(a->a[0], shared, wake_count(a->a[2]),
				       (u32)a->a[5]);
	case FUTEX_REQUEUE:
		return requeue_call(a, shared, false);
	case FUTEX_CMP_REQUEUE:
		return requeue_call(a, shared, true);
	case FUTEX_WAKE_OP:
		return wake_op(a, shared);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(t, a->a[0], shared, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(t, a->a[0], shared, 0, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(t, a->a[0], shared);
	}
	return -ENOSYS;
}

/* ---- futex_waitv ----------------------------------------------------------------------- */
#define WAITV_MAX 128
struct guest_waitv { u64 value, addr; u32 flags, reserved; };

static long first_woken(struct futex_waiter *w, u32 count)
{
	long hit = -1;

	for (u32 i = 0; i < count; i++)
		if (!futex_cancel(&w[i]) && hit < 0)
			hit = i;
	return hit;
}

/* Queue on all words; a word that differs or a fault undoes it. */
static long queue_all(const struct guest_waitv *v, struct futex_waiter *w,
		      u32 count)
{
	for (u32 i = 0; i < count; i++) {
		struct futex_key k;
		struct futex_bucket *b;
		long hit;
		int err = futex_key_of(&k, v[i].addr,
				       !(v[i].flags & FUTEX_PRIVATE_FLAG));

		if (!err) {
			waiter_set(&w[i], &k, ~0u);
			b = futex_bucket_of(&k);
			err = enter_bucket(b, v[i].addr, (u32)v[i].value);
		}
		if (err) {
			hit = first_woken(w, i);
			return hit >= 0 ? hit : err;
		}
		futex_queue(b, &w[i]);
		mutex_unlock(&b->lock);
	}
	return -1;
}

static bool any_woken(const struct futex_waiter *w, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (__atomic_load_n(&w[i].is_woken, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static long waitv(const struct guest_waitv *v, struct futex_waiter *w,
		  u32 count, u64 deadline)
{
	long hit = queue_all(v, w, count);
	int err = 0;

	if (hit != -1)
		return hit;
	while (!err) {
		task_prepare_sleep();
		if (any_woken(w, count))
			break;
		err = task_sleep(deadline);
	}
	hit = first_woken(w, count);
	return hit >= 0 ? hit : err;
}

static int waitv_check(const struct guest_waitv *v, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if ((v[i].flags & ~(u32)FUTEX_PRIVATE_FLAG) != 2 /* 32 bits */
		    || v[i].reserved)
			return -EINVAL;
	return 0;
}

static int waitv_deadline(const struct sysargs *a, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = HOST_FOREVER;
	if (!a->a[3])
		return 0;
	if ((u32)a->a[4] > 1)
		return -EINVAL;
	err = get_timespec(a->a[3], &ns);
	if (!err)
		*deadline = a->a[4] ? ns : deadline_from_realtime(ns);
	return err;
}

long sys_futex_waitv(struct task *t, const struct sysargs *a)
{
	u32 count = (u32)a->a[1];
	struct guest_waitv *v;
	struct futex_waiter *w;
	u64 deadline;
	long r;

	if (a->a[2] || !count || count > WAITV_MAX || !a->a[0])
		return -EINVAL;
	r = waitv_deadline(a, &deadline);
	if (r)
		return r;
	v = kmalloc(count * sizeof(*v));
	w = kmalloc(count * sizeof(*w));
	r = v && w ? 0 : -ENOMEM;
	if (!r && copy_from_user(v, a->a[0], count * sizeof(*v)))
		r = -EFAULT;
	if (!r)
		r = waitv_check(v, count);
	if (!r)
		r = waitv(v, w, count, deadline);
	kfree(v);
	kfree(w);
	return r;
}
