/*
 * libos_futex.c - futexes: words, wakes, bit sets, requeues, owners that die;
 * threads that wait for each other.
 */
#include "unit.h"

#include <libos/ktime.h>

#include <linux/futex.h>
#include <linux/mman.h>

#define PRIVATE FUTEX_PRIVATE_FLAG

static u32 *words, woken, waiting;
#define word words[0]
#define word2 words[1]

/* Words that are shared lie where the library OS has a mapping. */
static void begin(void)
{
	words = (u32 *)SYS(mmap, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST((long)words > 0);
}

static long futex(u32 *at, int op, u32 value, void *time, u32 *at2, u32 v3)
{
	return SYS(futex, at, op, value, time, at2, v3);
}

UNIT(futex_alone)
{
	begin();
	s64 ts[2] = { 1, 0 };
	u64 before = clock_boot_ns();

	EQ(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), -EAGAIN);
	EQ(futex(&word, FUTEX_WAIT, 0, ts, NULL, 0), -ETIMEDOUT);
	EQ(clock_boot_ns() - before, 1000000000);
	EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EQ(futex((u32 *)8, FUTEX_WAIT, 0, NULL, NULL, 0), -EFAULT);
	EQ(futex((u32 *)((u64)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0),
	   -EINVAL);
	ts[1] = -1;
	EQ(futex(&word, FUTEX_WAIT, 0, ts, NULL, 0), -EINVAL);
	EQ(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), -EINVAL);
	EQ(futex(&word, 99, 0, NULL, NULL, 0), -ENOSYS);
	EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &word2, 7), -EAGAIN);
	EQ(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	EQ(word, SYS(gettid));
	EQ(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), -EDEADLK);
	EQ(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), -EDEADLK);
	EQ(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	EQ(word, 0);
	EQ(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), -EPERM);
}

/* FUTEX_WAKE_OP: changes a word, and wakes by what it was. */
UNIT(futex_wake_op)
{
	begin();
	word2 = 5;
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &word2,
		 FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	EQ(word2, 8);
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &word2,
		 FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 5)), 0);
	EQ(word2, 1);
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &word2,
		 FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_LT, 5)), 0);
	EQ(word2, 7);
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &word2,
		 FUTEX_OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_GT, 5)), 0);
	EQ(word2, 5);
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &word2,
		 FUTEX_OP(FUTEX_OP_XOR, 4, FUTEX_OP_CMP_NE, 5)), 0);
	EQ(word2, 1);
	EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, (u32 *)8,
		 FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)), -EFAULT);
}

/* ---- with others ---------------------------------------------------------------------------- */
static int sleeper(void *arg)
{
	u32 bits = (u32)(u64)arg;

	__atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
	if (futex(&word, FUTEX_WAIT_BITSET | PRIVATE, 0, NULL, NULL, bits))
		return 1;
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* Wakes until n have been: they may not have gone to sleep yet. */
static long wake(u32 *at, u32 n, u32 bits)
{
	long sum = 0;

	for (int i = 0; i < 5000 && sum < (long)n; i++) {
		sum += futex(at, FUTEX_WAKE_BITSET | PRIVATE, n - (u32)sum,
			     NULL, NULL, bits);
		if (sum < (long)n)
			fake_sleep_ms(1);
	}
	return sum;
}

static bool reaches(const u32 *v, u32 n)
{
	for (int i = 0; i < 5000; i++) {
		if (__atomic_load_n(v, __ATOMIC_SEQ_CST) == n)
			return true;
		fake_sleep_ms(1);
	}
	return false;
}

UNIT_THREADS(futex_bits)
{
	begin();
	for (u64 i = 0; i < 4; i++)
		CHECK(unit_thread(sleeper, (void *)(i < 2 ? 1ul : 2ul)) > 0);
	CHECK(reaches(&waiting, 4));
	EQ(wake(&word, 2, 2), 2);
	CHECK(reaches(&woken, 2));
	EQ(futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 9, NULL, NULL, 2), 0);
	EQ(futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0), 0); /* not private */
	EQ(futex(&word, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0), 2);
	CHECK(reaches(&woken, 4));
}

/* Waiters move to another word without being woken. */
UNIT_THREADS(futex_requeue)
{
	long moved = 0;

	begin();
	for (int i = 0; i < 3; i++)
		CHECK(unit_thread(sleeper, (void *)1) > 0);
	CHECK(reaches(&waiting, 3));
	for (int i = 0; i < 5000 && moved < 3; i++) {
		moved += futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 0,
			       (void *)9, &word2, 0);
		if (moved < 3)
			fake_sleep_ms(1);
	}
	EQ(moved, 3);
	EQ(woken, 0);
	EQ(futex(&word, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0), 0);
	EQ(futex(&word2, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0), 3);
	CHECK(reaches(&woken, 3));
}

/* A mutex of two states and four threads that count. */
static u32 mutex, counter, done;

static void lock(void)
{
	u32 free = 0;

	if (__atomic_compare_exchange_n(&mutex, &free, 1, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	while (__atomic_exchange_n(&mutex, 2, __ATOMIC_SEQ_CST))
		futex(&mutex, FUTEX_WAIT | PRIVATE, 2, NULL, NULL, 0);
}

static void unlock(void)
{
	if (__atomic_exchange_n(&mutex, 0, __ATOMIC_SEQ_CST) == 2)
		futex(&mutex, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0);
}

static int count(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		lock();
		counter++;
		unlock();
	}
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
	return 0;
}

UNIT_THREADS(futex_mutex)
{
	for (int i = 0; i < 4; i++)
		CHECK(unit_thread(count, NULL) > 0);
	CHECK(reaches(&done, 4));
	EQ(counter, 12000);
}

/* A thread that ends: its clear_child_tid, and its robust list. */
static struct { u64 next, pad; u32 value, pad2; } entry;
static struct { u64 next, offset, pending; } head;

static int dies_holding(void *arg)
{
	head.next = (u64)&entry;
	head.offset = offsetof(__typeof__(entry), value);
	entry.next = (u64)&head;
	entry.value = (u32)SYS(gettid) | FUTEX_WAITERS;
	return SYS(set_robust_list, &head, sizeof(head)) != 0;
}

UNIT_THREADS(futex_robust)
{
	s32 tid = unit_thread(dies_holding, NULL);

	CHECK(tid > 0);
	CHECK(unit_until(&entry.value, 0));
	CHECK(reaches(&entry.value, FUTEX_OWNER_DIED | FUTEX_WAITERS));
	EQ(SYS(set_robust_list, &head, 5), -EINVAL);
}

static int pi_owner(void *arg)
{
	EQ(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	__atomic_store_n(&waiting, 1, __ATOMIC_SEQ_CST);
	fake_sleep_ms(30);
	EQ(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	__atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
	return 0;
}

UNIT_THREADS(futex_pi)
{
	s64 past[2] = { 1, 0 };

	begin();
	CHECK(unit_thread(pi_owner, NULL) > 0);
	CHECK(reaches(&waiting, 1));
	EQ(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), -EAGAIN);
	EQ(futex(&word, FUTEX_LOCK_PI, 0, past, NULL, 0), -ETIMEDOUT);
	EQ(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	EQ(word & FUTEX_TID_MASK, SYS(gettid));
	CHECK(reaches(&done, 1));
	EQ(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
}
