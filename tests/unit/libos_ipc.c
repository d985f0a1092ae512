/*
 * libos_ipc.c - System V semaphores, messages and shared memory, and POSIX
 * message queues.
 */
#include "unit.h"

#include <linux/fcntl.h>
#include <linux/ipc.h>
#include <linux/mman.h>

#define IPC_PRIVATE_ 0
#define GETVAL 12
#define GETALL 13
#define GETNCNT 14
#define SETVAL 16
#define SETALL 17
#define SEM_UNDO 0x1000

struct sembuf { u16 num; s16 op; s16 flags; };

static long semop1(long id, int num, int op, int flags)
{
	struct sembuf b = { (u16)num, (s16)op, (s16)flags };

	return SYS(semop, id, &b, 1);
}

UNIT(sysv_semaphores)
{
	long id = SYS(semget, 77, 3, IPC_CREAT | IPC_EXCL | 0600);
	struct sembuf both[2] = { { 0, -1, IPC_NOWAIT }, { 1, -1, IPC_NOWAIT } };
	u16 all[3] = { 1, 0, 5 };
	s64 ts[2] = { 1, 0 };

	CHECK(id >= 0);
	EQ(SYS(semget, 77, 3, IPC_CREAT | IPC_EXCL | 0600), -EEXIST);
	EQ(SYS(semget, 77, 0, 0), id);
	EQ(SYS(semget, 77, 4, 0), -EINVAL);
	EQ(SYS(semget, 78, 1, 0), -ENOENT);
	EQ(SYS(semctl, id, 0, SETALL, all), 0);
	EQ(SYS(semop, id, both, 2), -EAGAIN); /* both or neither */
	EQ(SYS(semctl, id, 0, GETVAL), 1);
	EQ(semop1(id, 1, 1, 0), 0);
	EQ(SYS(semop, id, both, 2), 0);
	EQ(SYS(semctl, id, 0, GETVAL), 0);
	EQ(SYS(semctl, id, 1, GETVAL), 0);
	EQ(semop1(id, 2, 0, IPC_NOWAIT), -EAGAIN);
	EQ(semop1(id, 0, 0, IPC_NOWAIT), 0);
	EQ(semop1(id, 3, 1, 0), -EFBIG);
	EQ(semop1(id, 0, 32767, 0), 0);
	EQ(semop1(id, 0, 1, 0), -ERANGE);
	EQ(SYS(semctl, id, 0, SETVAL, 40000), -ERANGE);
	EQ(SYS(semctl, id, 9, GETVAL), -EINVAL);
	struct sembuf b = { 1, -1, 0 };

	EQ(SYS(semtimedop, id, &b, 1, ts), -EAGAIN); /* after a second */
	EQ(SYS(semop, id, &b, 0), -EINVAL);
	EQ(SYS(semop, id, 8, 1), -EFAULT);
	EQ(SYS(semctl, id, 0, IPC_RMID), 0);
	EQ(semop1(id, 0, 1, 0), -EINVAL);
}

static int taker(void *arg)
{
	long id = (long)arg;

	if (semop1(id, 0, -1, SEM_UNDO))
		return 1;
	return semop1(id, 1, -1, 0) ? 2 : 0; /* and its end gives 0 back */
}

UNIT_THREADS(sysv_sem_undo)
{
	long id = SYS(semget, IPC_PRIVATE_, 2, 0600), n = 0;
	s32 pid;

	EQ(SYS(semctl, id, 0, SETVAL, 1), 0);
	pid = unit_fork(taker, (void *)id);
	for (int i = 0; i < 5000 && n != 1; i++) {
		n = SYS(semctl, id, 1, GETNCNT);
		fake_sleep_ms(1);
	}
	EQ(n, 1); /* it waits for the second */
	EQ(SYS(semctl, id, 0, GETVAL), 0);
	EQ(semop1(id, 1, 1, 0), 0);
	EQ(unit_wait(pid), 0);
	EQ(SYS(semctl, id, 0, GETVAL), 1);
}

struct text { s64 type; char text[32]; };

UNIT(sysv_messages)
{
	long id = SYS(msgget, 5, IPC_CREAT | 0600), before;
	struct text m = { 1, "first" }, got;

	CHECK(id >= 0);
	EQ(SYS(msgrcv, id, &got, 32, 0, IPC_NOWAIT), -ENOMSG);
	before = fake_heap_objects;
	EQ(SYS(msgsnd, id, &m, 5, 0), 0);
	m = (struct text){ 3, "third" };
	EQ(SYS(msgsnd, id, &m, 5, 0), 0);
	m = (struct text){ 2, "second" };
	EQ(SYS(msgsnd, id, &m, 6, 0), 0);
	EQ(SYS(msgrcv, id, &got, 2, 3, 0), -E2BIG);
	EQ(SYS(msgrcv, id, &got, 2, 3, 010000 /* MSG_NOERROR */), 2);
	CHECK(!memcmp(got.text, "th", 2));
	EQ(SYS(msgrcv, id, &got, 32, -2, 0), 5); /* lowest up to 2 */
	EQ(got.type, 1);
	EQ(SYS(msgrcv, id, &got, 32, 1, 020000 | IPC_NOWAIT), 6); /* except */
	EQ(got.type, 2);
	EQ(fake_heap_objects, before);
	m.type = 0;
	EQ(SYS(msgsnd, id, &m, 5, 0), -EINVAL);
	m.type = 1;
	EQ(SYS(msgsnd, id, &m, 100000, 0), -EINVAL);
	EQ(SYS(msgsnd, id, 8, 5, 0), -EFAULT);
	for (int i = 0; i < 1000; i++)
		if (SYS(msgsnd, id, &m, 32, IPC_NOWAIT))
			break;
	EQ(SYS(msgsnd, id, &m, 32, IPC_NOWAIT), -EAGAIN); /* 16384 bytes */
	EQ(SYS(msgctl, id, IPC_RMID, 0), 0);
	EQ(SYS(msgrcv, id, &got, 32, 0, 0), -EINVAL);
	CHECK(fake_heap_objects <= before);
}

UNIT(sysv_memory)
{
	long id = SYS(shmget, IPC_PRIVATE_, 10000, IPC_CREAT | 0600), pages;
	char *a, *b;

	CHECK(id >= 0);
	a = (char *)SYS(shmat, id, 0, 0);
	b = (char *)SYS(shmat, id, 0, 010000 /* SHM_RDONLY */);
	MUST((long)a > 0 && (long)b > 0 && a != b);
	CHECK(a[0] == 0 && a[9999] == 0);
	a[9999] = 'x';
	EQ(b[9999], 'x');
	EQ(SYS(shmget, IPC_PRIVATE_, 0, IPC_CREAT | 0600), -EINVAL);
	EQ(SYS(shmat, 9999, 0, 0), -EINVAL);
	EQ(SYS(shmdt, a + 4096), -EINVAL);
	EQ(SYS(shmdt, a), 0);
	EQ(SYS(shmdt, a), -EINVAL);
	pages = fake_heap_pages;
	EQ(SYS(shmctl, id, IPC_RMID, 0), 0);
	EQ(b[9999], 'x'); /* until the last has gone */
	EQ(SYS(shmdt, b), 0);
	CHECK(fake_heap_pages < pages);
	EQ(SYS(shmat, id, 0, 0), -EINVAL);
}

/* ---- POSIX message queues -------------------------------------------------------------- */
struct attr { s64 flags, max, size, count, pad[4]; };

UNIT(posix_queues)
{
	struct attr a = { 0, 3, 16, 0, { 0 } }, got;
	char b[16];
	u32 prio = 9;
	long q = SYS(mq_open, "queue", O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK,
		     0600, &a);
	s64 ts[2] = { 0, 0 };

	CHECK(q >= 0);
	EQ(SYS(mq_open, "queue", O_RDWR | O_CREAT | O_EXCL, 0600, &a), -EEXIST);
	EQ(SYS(mq_open, "other", O_RDWR, 0600, &a), -ENOENT);
	EQ(SYS(mq_timedreceive, q, b, 16, &prio, 0), -EAGAIN);
	EQ(SYS(mq_timedsend, q, "low", 3, 1, 0), 0);
	EQ(SYS(mq_timedsend, q, "high", 4, 7, 0), 0);
	EQ(SYS(mq_timedsend, q, "low2", 4, 1, 0), 0);
	EQ(SYS(mq_timedsend, q, "x", 1, 1, 0), -EAGAIN);
	EQ(SYS(mq_timedsend, q, b, 17, 1, 0), -EMSGSIZE);
	EQ(SYS(mq_timedsend, q, "x", 1, 40000, 0), -EINVAL);
	EQ(SYS(mq_getsetattr, q, 0, &got), 0);
	EQ(got.count, 3);
	EQ(SYS(mq_timedreceive, q, b, 15, &prio, 0), -EMSGSIZE);
	EQ(SYS(mq_timedreceive, q, b, 16, &prio, 0), 4);
	EQ(prio, 7);
	EQ(SYS(mq_timedreceive, q, b, 16, 0, 0), 3);
	EQ(SYS(mq_timedreceive, q, b, 16, 0, 0), 4);
	CHECK(!memcmp(b, "low2", 4));
	a.flags = 0;
	EQ(SYS(mq_getsetattr, q, &a, 0), 0);
	EQ(SYS(mq_timedreceive, q, b, 16, 0, ts), -ETIMEDOUT);
	EQ(SYS(mq_unlink, "queue"), 0);
	EQ(SYS(mq_unlink, "queue"), -ENOENT);
	EQ(SYS(mq_timedsend, q, "x", 1, 1, 0), 0); /* still open */
	EQ(SYS(close, q), 0);
}
