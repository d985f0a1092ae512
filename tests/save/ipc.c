/* ipc.c - saved: System V and POSIX shared memory, semaphores, messages. */
#include "save.h"

#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>

static char *name_of(const char *what)
{
	static char b[64];

	snprintf(b, sizeof(b), "/bly-%s-%d", what, getpid());
	return b;
}

/* ---- System V shared memory, with another process at it */
static int shm, shm_gone;
static volatile int *shm_map, *gone_map;
static int shm_child_run(void)
{
	volatile int *m = shmat(shm, NULL, 0);
	int i;

	m[1] = 11;
	for (i = 0; i < 8000 && m[2] != 22; i++)
		sleep_ms(1);
	m[3] = m[2] + 11;
	return m[2] == 22;
}
CHILD(shm_child, shm_child_run())

static void sysv_shm_setup(void)
{
	int i;

	CHECK((shm = shmget(IPC_PRIVATE, 9000, 0640)) >= 0);
	CHECK((shm_gone = shmget(IPC_PRIVATE, 4096, 0600)) >= 0);
	shm_map = shmat(shm, NULL, 0);
	gone_map = shmat(shm_gone, NULL, 0);
	CHECK(!shmctl(shm_gone, IPC_RMID, NULL));
	gone_map[7] = 7;
	shm_map[2000] = 2000;
	FORK(shm_child);
	for (i = 0; i < 2000 && shm_map[1] != 11; i++)
		sleep_ms(1);
	CHECK(shm_map[1] == 11);
}
static void sysv_shm_verify(void)
{
	struct shmid_ds d;

	CHECK(!shmctl(shm, IPC_STAT, &d) && d.shm_segsz == 9000);
	CHECK(d.shm_nattch == 3 && (d.shm_perm.mode & 0777) == 0640);
	CHECK(shm_map[2000] == 2000 && gone_map[7] == 7);
	shm_map[2] = 22;
	CHECK(ENDED(shm_child) == 0 && shm_map[3] == 33);
	CHECK(!shmctl(shm, IPC_STAT, &d) && d.shm_nattch == 1);
	CHECK(!shmdt((void *)gone_map) && !shmctl(shm, IPC_RMID, NULL));
}

/* ---- System V semaphores: values, a waiter, one to be undone */
static int sem, sem_undo;
static long sem_op(int id, int n, int op, int flags)
{
	struct sembuf s = { n, op, flags };

	return semop(id, &s, 1);
}
static int undo_run(void)
{
	return !sem_op(sem_undo, 0, -1, SEM_UNDO) && (sleep_ms(600), 1);
}
WAITER(sem_waiter, sem_op(sem, 0, -3, 0))
static long sem_timed_run(void)
{
	struct sembuf s = { 1, -100, 0 };
	struct timespec t = { 0, 700000000 };

	return semtimedop(sem, &s, 1, &t);
}
WAITER(sem_timed, sem_timed_run())
CHILD(undoer, undo_run())

static void sysv_sem_setup(void)
{
	CHECK((sem = semget(IPC_PRIVATE, 2, 0600)) >= 0);
	CHECK((sem_undo = semget(IPC_PRIVATE, 1, 0600)) >= 0);
	CHECK(!semctl(sem, 1, SETVAL, 42) && !semctl(sem_undo, 0, SETVAL, 1));
	CHECK(!sem_op(sem, 0, 2, 0));
	FORK(undoer);
	START(sem_waiter);
	START(sem_timed);
}
static void sysv_sem_verify(void)
{
	CHECK(WAITS(sem_waiter));
	CHECK(semctl(sem, 1, GETVAL) == 42 && semctl(sem, 0, GETVAL) == 2);
	CHECK(semctl(sem, 0, GETNCNT) == 1);
	CHECK(!sem_op(sem, 0, 1, 0) && END(sem_waiter) == 0);
	CHECK(semctl(sem, 0, GETVAL) == 0);
	CHECK_ERRNO(END(sem_timed), EAGAIN);
	CHECK(sem_timed.end - sem_timed.begin >= 699);
	CHECK(ENDED(undoer) == 0 && semctl(sem_undo, 0, GETVAL) == 1);
	semctl(sem, 0, IPC_RMID);
	semctl(sem_undo, 0, IPC_RMID);
}

/* ---- System V messages: contents, a reader, a writer that finds it full */
static int msg, msg_full;
struct message { long type; char text[4096]; };
static struct message got;
static long msg_send(int id, long type, const char *text, int n)
{
	static __thread struct message m;

	m.type = type;
	memcpy(m.text, text, n);
	return msgsnd(id, &m, n, 0);
}
WAITER(msg_reader, msgrcv(msg, &got, 4096, 9, 0))
static char zeros[4096];
WAITER(msg_writer, msg_send(msg_full, 2, zeros, 4096))

static void sysv_msg_setup(void)
{
	int i;

	CHECK((msg = msgget(IPC_PRIVATE, 0600)) >= 0);
	CHECK((msg_full = msgget(IPC_PRIVATE, 0600)) >= 0);
	CHECK(!msg_send(msg, 1, "one", 3) && !msg_send(msg, 2, "two!", 4));
	for (i = 0; i < 4; i++)
		CHECK(!msg_send(msg_full, 1, zeros, 4096));
	START(msg_reader);
	START(msg_writer);
}
static void sysv_msg_verify(void)
{
	struct message m;
	struct msqid_ds d;

	CHECK(WAITS(msg_reader) && WAITS(msg_writer));
	CHECK(!msgctl(msg, IPC_STAT, &d) && d.msg_qnum == 2);
	CHECK(msgrcv(msg, &m, 4096, 2, IPC_NOWAIT) == 4);
	CHECK(!memcmp(m.text, "two!", 4));
	CHECK(msgrcv(msg, &m, 4096, 0, IPC_NOWAIT) == 3 && m.type == 1);
	CHECK(!msg_send(msg, 9, "nine", 4));
	CHECK(END(msg_reader) == 4 && !memcmp(got.text, "nine", 4));
	CHECK(msgrcv(msg_full, &m, 4096, 0, 0) == 4096);
	CHECK(END(msg_writer) == 0);
	msgctl(msg, IPC_RMID, NULL);
	msgctl(msg_full, IPC_RMID, NULL);
}

/* ---- POSIX shared memory and semaphores */
struct block {
	sem_t up, down;
	int value;
};
static struct block *block;
static sem_t *named;
static int block_run(void)
{
	if (sem_wait(&block->up))
		return 0;
	block->value++;
	return !sem_post(&block->down);
}
CHILD(block_child, block_run())
WAITER(named_waiter, sem_wait(named))
static long timed_run(void)
{
	struct timespec t = in_ms(CLOCK_REALTIME, 700);

	return sem_timedwait(&block->down, &t);
}
WAITER(timed_waiter, timed_run())

static void posix_setup(void)
{
	int fd = shm_open(name_of("shm"), O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, 8192));
	block = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	CHECK(!sem_init(&block->up, 1, 0) && !sem_init(&block->down, 1, 0));
	block->value = 5;
	named = sem_open(name_of("sem"), O_CREAT, 0600, 0);
	CHECK(named != SEM_FAILED);
	START(timed_waiter);
	sleep_ms(20);
	FORK(block_child);
	START(named_waiter);
}
static void posix_verify(void)
{
	sem_t *again = sem_open(name_of("sem"), 0);
	int fd = shm_open(name_of("shm"), O_RDWR, 0), v;

	CHECK(WAITS(named_waiter) && ALIVE(block_child));
	CHECK(pread(fd, &v, 4, offsetof(struct block, value)) == 4 && v == 5);
	CHECK(!sem_post(again) && END(named_waiter) == 0);
	CHECK_ERRNO(END(timed_waiter), ETIMEDOUT);
	CHECK(!sem_post(&block->up) && !sem_wait(&block->down));
	CHECK(block->value == 6 && ENDED(block_child) == 0);
	CHECK(!shm_unlink(name_of("shm")) && !sem_unlink(name_of("sem")));
}

/* ---- POSIX messages: order, a reader, a notification */
static mqd_t mq, mq_wait, mq_tell;
static char mq_got[64];
static volatile int told;
static void on_told(int sig, siginfo_t *i, void *c) { told += i->si_int; }
WAITER(mq_reader, mq_receive(mq_wait, mq_got, 64, NULL))

static mqd_t queue(const char *what)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 64 };
	mqd_t q = mq_open(name_of(what), O_RDWR | O_CREAT, 0600, &a);

	if (strcmp(what, "mq"))
		mq_unlink(name_of(what));
	return q;
}
static void mq_setup(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGRTMIN + 1,
			      .sigev_value.sival_int = 6 };
	struct sigaction sa = { .sa_sigaction = on_told,
				.sa_flags = SA_SIGINFO };

	sigaction(SIGRTMIN + 1, &sa, NULL);
	CHECK((mq = queue("mq")) >= 0 && (mq_wait = queue("mqw")) >= 0);
	CHECK((mq_tell = queue("mqt")) >= 0 && !mq_notify(mq_tell, &e));
	CHECK(!mq_send(mq, "low", 3, 1) && !mq_send(mq, "high", 4, 9));
	CHECK(!mq_send(mq, "low2", 4, 1));
	START(mq_reader);
}
static void mq_verify(void)
{
	struct mq_attr a;
	char b[64];
	unsigned prio;
	int i;

	CHECK(WAITS(mq_reader) && !told);
	CHECK(!mq_getattr(mq, &a) && a.mq_curmsgs == 3 && a.mq_maxmsg == 4);
	CHECK(mq_receive(mq, b, 64, &prio) == 4 && prio == 9);
	CHECK(mq_receive(mq, b, 64, &prio) == 3 && prio == 1);
	CHECK(mq_receive(mq, b, 64, &prio) == 4 && !memcmp(b, "low2", 4));
	CHECK(!mq_send(mq_wait, "go", 2, 0) && END(mq_reader) == 2);
	CHECK(!mq_send(mq_tell, "tell", 4, 0));
	for (i = 0; i < 1000 && !told; i++)
		sleep_ms(1);
	CHECK(told == 6);
	CHECK(!mq_unlink(name_of("mq")));
}

static const struct save_case cases[] = {
	CASE(sysv_sem), CASE(sysv_msg), CASE(posix), CASE(mq),
	CASE(sysv_shm), /* last: every child would count as attached */
};
SAVE_MAIN(cases)
