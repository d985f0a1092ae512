/* Futexes: wait, wake, requeue, WAKE_OP, PI, robust, shared between processes. */
#include "check.h"

#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static long futex(void *a, int op, unsigned v, void *t, void *b, unsigned v3)
{
	return syscall(SYS_futex, a, op, v, t, b, v3);
}

static unsigned word, other;
static int woken;

static void *waiter(void *arg)
{
	while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 1)
		futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void basics(void)
{
	struct timespec ts = { 0, 10000000 };
	char bad[8] __attribute__((aligned(8)));

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	CHECK_ERRNO(futex(bad + 1, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((void *)8, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0),
		    EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, 127, 0, NULL, NULL, 0), ENOSYS);
	ts.tv_nsec = 2000000000;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &ts, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 7),
		    EAGAIN);
}

static void wakes(void)
{
	pthread_t t[4];
	long n = 0, moved;

	word = 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, waiter, NULL);
	usleep(50000);
	moved = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)2, &other,
		      1);
	CHECK(moved == 2);
	__atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
	n = futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0);
	CHECK(n == 2);
	CHECK(futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1);
	n = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other,
		  FUTEX_OP(FUTEX_OP_SET, 3, FUTEX_OP_CMP_EQ, 0));
	CHECK(n == 1 && other == 3);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(woken == 4);
}

static void between_processes(void)
{
	unsigned *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_t *sem = (sem_t *)(w + 16);
	int st;
	pid_t p;

	CHECK(w != (void *)-1);
	CHECK(sem_init(sem, 1, 0) == 0);
	p = fork();
	if (!p) {
		while (!__atomic_load_n(w, __ATOMIC_SEQ_CST))
			futex(w, FUTEX_WAIT, 0, NULL, NULL, 0);
		sem_post(sem);
		_exit(0);
	}
	usleep(30000);
	__atomic_store_n(w, 1, __ATOMIC_SEQ_CST);
	CHECK(futex(w, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
	CHECK(sem_wait(sem) == 0);
	CHECK(waitpid(p, &st, 0) == p && st == 0);
}

static pthread_mutex_t m;
static void *dies_with_lock(void *arg)
{
	pthread_mutex_lock(&m);
	return NULL;
}

static void robust(int protocol)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	CHECK(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
	CHECK(pthread_mutexattr_setprotocol(&a, protocol) == 0);
	CHECK(pthread_mutex_init(&m, &a) == 0);
	CHECK(pthread_create(&t, NULL, dies_with_lock, NULL) == 0);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK(pthread_mutex_lock(&m) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(&m) == 0);
	CHECK(pthread_mutex_unlock(&m) == 0);
	CHECK(pthread_mutex_destroy(&m) == 0);
}

static int total;
static void *adder(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&m);
		total++;
		pthread_mutex_unlock(&m);
	}
	return NULL;
}

static void inheriting(void)
{
	pthread_mutexattr_t a;
	pthread_t t[3];

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	CHECK(pthread_mutex_init(&m, &a) == 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, adder, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(total == 6000);
	word = syscall(SYS_gettid);
	CHECK_ERRNO(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0
	      && word == 0);
	CHECK_ERRNO(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	CHECK(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == 0
	      && (pid_t)word == syscall(SYS_gettid));
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t cm = PTHREAD_MUTEX_INITIALIZER;
static int turn;
static void *pong(void *arg)
{
	pthread_mutex_lock(&cm);
	for (int i = 0; i < 500; i++) {
		while (turn != 1)
			pthread_cond_wait(&cond, &cm);
		turn = 0;
		pthread_cond_broadcast(&cond);
	}
	pthread_mutex_unlock(&cm);
	return NULL;
}

static void conditions(void)
{
	struct timespec ts;
	pthread_t t;

	pthread_create(&t, NULL, pong, NULL);
	pthread_mutex_lock(&cm);
	for (int i = 0; i < 500; i++) {
		turn = 1;
		pthread_cond_broadcast(&cond);
		while (turn != 0)
			pthread_cond_wait(&cond, &cm);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK(pthread_cond_timedwait(&cond, &cm, &ts) == ETIMEDOUT);
	pthread_mutex_unlock(&cm);
	CHECK(pthread_join(t, NULL) == 0);
}

int main(void)
{
	basics();
	wakes();
	between_processes();
	robust(PTHREAD_PRIO_NONE);
	robust(PTHREAD_PRIO_INHERIT);
	inheriting();
	conditions();
	return check_done();
}
