/* futex.c - saved: futexes and all that libraries make of them. */
#include "save.h"

#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>

static long futex(void *word, int op, int value, struct timespec *t, int v3)
{
	return syscall(SYS_futex, word, op, value, t, NULL, v3);
}

/* ---- bare waits: endless, relative, absolute, by bits, shared */
static int word, word_rel, word_abs, word_bits;
static int *word_shared;
static long relative(void)
{
	struct timespec t = { 0, 800000000 };

	return futex(&word_rel, FUTEX_WAIT_PRIVATE, 0, &t, 0);
}
static long absolute(void)
{
	struct timespec t = in_ms(CLOCK_REALTIME, 700);

	return futex(&word_abs, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0,
		     &t, FUTEX_BITSET_MATCH_ANY);
}
WAITER(endless, futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, 0))
WAITER(timed, relative())
WAITER(until, absolute())
WAITER(bits, futex(&word_bits, FUTEX_WAIT_BITSET, 0, NULL, 4))
CHILD(other, !futex(word_shared, FUTEX_WAIT, 0, NULL, 0))

static void bare_setup(void)
{
	word_shared = shared_memory(4096);
	FORK(other);
	START(endless);
	SETTLE(endless);
	START(timed);
	START(until);
	START(bits);
	SETTLE(bits);
}
static void bare_verify(void)
{
	int woken = 0, tries = 0;

	CHECK(WAITS(endless) && WAITS(bits) && ALIVE(other));
	CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, 0) == 1);
	CHECK(END(endless) == 0);
	CHECK(futex(&word_bits, FUTEX_WAKE_BITSET, 9, NULL, 3) == 0);
	CHECK(futex(&word_bits, FUTEX_WAKE_BITSET, 9, NULL, 6) == 1);
	CHECK(END(bits) == 0);
	while (!woken && tries++ < 5000) { /* it may be on its way still */
		woken = futex(word_shared, FUTEX_WAKE, 9, NULL, 0);
		sleep_ms(1);
	}
	CHECK(woken == 1);
	CHECK(ENDED(other) == 0);
	CHECK_ERRNO(END(timed), ETIMEDOUT);
	CHECK(timed.end - timed.begin >= 799);
	CHECK(timed.end - timed.begin < 2500);
	CHECK_ERRNO(END(until), ETIMEDOUT);
}

/* ---- mutex, condition, barrier, read-write lock, semaphore, join */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_cond_t timed_cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static int go;
static long locks(void)
{
	int r = pthread_mutex_lock(&mutex);

	return r ? r : pthread_mutex_unlock(&mutex);
}
static long conditions(void)
{
	pthread_mutex_lock(&cond_mutex);
	while (!go)
		pthread_cond_wait(&cond, &cond_mutex);
	return pthread_mutex_unlock(&cond_mutex);
}
static long timed_condition(void)
{
	struct timespec t = in_ms(CLOCK_REALTIME, 900);
	int r = 0;

	pthread_mutex_lock(&cond_mutex);
	while (!r)
		r = pthread_cond_timedwait(&timed_cond, &cond_mutex, &t);
	pthread_mutex_unlock(&cond_mutex);
	return r;
}
WAITER(locker, locks())
WAITER(locker_2, locks())
WAITER(conditional, conditions())
WAITER(conditional_2, conditions())
WAITER(conditional_timed, timed_condition())
WAITER(at_barrier, pthread_barrier_wait(&barrier))
WAITER(at_barrier_2, pthread_barrier_wait(&barrier))
WAITER(writes, pthread_rwlock_wrlock(&rw) ||
	       pthread_rwlock_unlock(&rw))
WAITER(posts, sem_wait(&sem))
WAITER(joins, pthread_join(posts.thread, NULL))

static void library_setup(void)
{
	CHECK(!pthread_barrier_init(&barrier, NULL, 3));
	CHECK(!sem_init(&sem, 0, 0) && !pthread_rwlock_rdlock(&rw));
	CHECK(!pthread_mutex_lock(&mutex));
	START(locker);
	START(locker_2);
	START(conditional);
	START(conditional_2);
	START(conditional_timed);
	START(at_barrier);
	START(at_barrier_2);
	START(writes);
	START(posts);
	START(joins);
}
static void library_verify(void)
{
	int n;

	CHECK(WAITS(locker) && WAITS(locker_2) && WAITS(conditional));
	CHECK(WAITS(conditional_2) && WAITS(at_barrier) && WAITS(writes));
	CHECK(WAITS(at_barrier_2) && WAITS(posts) && WAITS(joins));
	CHECK(!pthread_mutex_unlock(&mutex));
	CHECK(END(locker) == 0 && END(locker_2) == 0);
	pthread_mutex_lock(&cond_mutex);
	go = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&cond_mutex);
	CHECK(END(conditional) == 0 && END(conditional_2) == 0);
	n = pthread_barrier_wait(&barrier) + END(at_barrier) +
	    END(at_barrier_2);
	CHECK(n == PTHREAD_BARRIER_SERIAL_THREAD);
	CHECK(!pthread_rwlock_unlock(&rw) && END(writes) == 0);
	CHECK(!sem_post(&sem) && END(joins) == 0 && posts.is_done);
	CHECK(END(conditional_timed) == ETIMEDOUT);
}

/* ---- shared between processes; robust: the owner dies after the resume */
struct shared {
	pthread_mutex_t mutex, robust;
	pthread_cond_t cond;
	int state, die, owned;
};
static struct shared *sh;
static int cond_child(void)
{
	pthread_mutex_lock(&sh->mutex);
	while (sh->state != 1)
		pthread_cond_wait(&sh->cond, &sh->mutex);
	sh->state = 2;
	pthread_cond_broadcast(&sh->cond);
	pthread_mutex_unlock(&sh->mutex);
	return 1;
}
static int owner_child(void)
{
	pthread_mutex_lock(&sh->robust);
	__atomic_store_n(&sh->owned, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&sh->die, __ATOMIC_SEQ_CST))
		sleep_ms(5);
	return 1; /* without unlocking */
}
CHILD(sharer, cond_child())
CHILD(owner, owner_child())
WAITER(robust, pthread_mutex_lock(&sh->robust))

static void shared_setup(void)
{
	pthread_mutexattr_t m;
	pthread_condattr_t c;

	sh = shared_memory(4096);
	pthread_mutexattr_init(&m);
	pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&sh->mutex, &m);
	pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&sh->robust, &m);
	pthread_condattr_init(&c);
	pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&sh->cond, &c);
	FORK(sharer);
	FORK(owner);
	CHECK(comes(&sh->owned));
	START(robust);
}
static void shared_verify(void)
{
	CHECK(ALIVE(sharer) && ALIVE(owner) && WAITS(robust));
	pthread_mutex_lock(&sh->mutex);
	sh->state = 1;
	pthread_cond_broadcast(&sh->cond);
	while (sh->state != 2)
		pthread_cond_wait(&sh->cond, &sh->mutex);
	pthread_mutex_unlock(&sh->mutex);
	CHECK(ENDED(sharer) == 0);
	__atomic_store_n(&sh->die, 1, __ATOMIC_SEQ_CST);
	CHECK(END(robust) == EOWNERDEAD);
	CHECK(ENDED(owner) == 0);
}

/* ---- priority inheritance: held by main, one waits, one tries */
static pthread_mutex_t pi;
static long pi_locks(void)
{
	int r = pthread_mutex_lock(&pi);

	return r ? r : pthread_mutex_unlock(&pi);
}
WAITER(pi_waiter, pi_locks())

static void pi_setup(void)
{
	pthread_mutexattr_t m;

	pthread_mutexattr_init(&m);
	pthread_mutexattr_setprotocol(&m, PTHREAD_PRIO_INHERIT);
	CHECK(!pthread_mutex_init(&pi, &m) && !pthread_mutex_lock(&pi));
	START(pi_waiter);
}
static void pi_verify(void)
{
	CHECK(WAITS(pi_waiter));
	CHECK(!pthread_mutex_unlock(&pi) && END(pi_waiter) == 0);
	CHECK(!pthread_mutex_lock(&pi) && !pthread_mutex_unlock(&pi));
}

/* ---- a lock that many threads fight for all the while */
static pthread_mutex_t hot = PTHREAD_MUTEX_INITIALIZER;
static long total;
static volatile int stop_fight;
static long fights(void)
{
	long n = 0;

	while (!stop_fight) {
		pthread_mutex_lock(&hot);
		total++;
		pthread_mutex_unlock(&hot);
		n++;
	}
	return n;
}
WAITER(fight_1, fights())
WAITER(fight_2, fights())
WAITER(fight_3, fights())
WAITER(fight_4, fights())

static void contended_setup(void)
{
	START(fight_1);
	START(fight_2);
	START(fight_3);
	START(fight_4);
}
static void contended_verify(void)
{
	long n;

	sleep_ms(20);
	stop_fight = 1;
	n = END(fight_1) + END(fight_2) + END(fight_3) + END(fight_4);
	CHECK(n == total && n > 0);
}

static const struct save_case cases[] = {
	CASE(bare), CASE(library), CASE(shared), CASE(pi), CASE(contended),
};
SAVE_MAIN(cases)
