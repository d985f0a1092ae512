/* ipc_sysv.c - System V shared memory, semaphores, messages. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>

union arg { int val; struct semid_ds *buf; unsigned short *array; };

static void on_usr1(int sig) { }

static void shared_memory(void)
{
	struct shmid_ds ds;
	key_t key = 0x5a000000 + getpid();
	char *a, *b, *c;
	int id, st;

	CHECK_ERRNO(shmget(key, 4096, 0600), ENOENT);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
	id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0640);
	CHECK(id >= 0);
	CHECK_ERRNO(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERRNO(shmget(key, 9000, 0600), EINVAL);
	CHECK(shmget(key, 0, 0) == id);
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_segsz == 5000);
	CHECK(ds.shm_perm.__key == key && (ds.shm_perm.mode & 0777) == 0640);
	CHECK(ds.shm_nattch == 0 && ds.shm_cpid == getpid());
	a = shmat(id, NULL, 0);
	CHECK(a != (char *)-1 && a[0] == 0 && a[8191] == 0);
	b = shmat(id, NULL, SHM_RDONLY);
	CHECK(b != (char *)-1 && b != a);
	strcpy(a, "through");
	CHECK(!strcmp(b, "through"));
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2 &&
	      ds.shm_lpid == getpid());
	if (!fork()) {
		strcpy(a, "child");
		_exit(0);
	}
	wait(&st);
	CHECK(!strcmp(b, "child"));
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2);
	CHECK_ERRNO(shmdt(a + 1), EINVAL);
	CHECK_ERRNO(shmdt(a + 4096), EINVAL);
	CHECK(shmdt(b) == 0);
	CHECK_ERRNO(shmdt(b), EINVAL);
	CHECK_ERRNO((long)shmat(id, a + 1, 0), EINVAL);
	CHECK_ERRNO((long)shmat(id, a, 0), EINVAL);
	c = shmat(id, a + 100, SHM_RND | SHM_REMAP);
	CHECK(c == a && !strcmp(c, "child"));
	ds.shm_perm.mode = 0600;
	CHECK(shmctl(id, IPC_SET, &ds) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_perm.mode & SHM_DEST);
	CHECK_ERRNO(shmget(key, 0, 0), ENOENT);
	CHECK(!strcmp(a, "child"));
	CHECK(shmdt(c) == 0);
	CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO((long)shmat(id, NULL, 0), EINVAL);
	CHECK_ERRNO(shmctl(-1, IPC_RMID, NULL), EINVAL);
	/* A child made before keeps a segment that is removed meanwhile. */
	id = shmget(IPC_PRIVATE, 4096, 0600);
	a = shmat(id, NULL, 0);
	if (!fork()) {
		while (!*(volatile char *)a)
			usleep(1000);
		_exit(a[1]);
	}
	shmctl(id, IPC_RMID, NULL);
	a[1] = 9;
	*(volatile char *)a = 1;
	CHECK(wait(&st) > 0 && WEXITSTATUS(st) == 9);
	shmdt(a);
}

static int op(int id, int num, int val, int flags)
{
	struct sembuf s = { num, val, flags };

	return semop(id, &s, 1);
}

static void semaphores(void)
{
	struct sembuf both[2] = { { 0, -1, 0 }, { 1, -1, IPC_NOWAIT } };
	struct timespec ts = { 0, 20000000 };
	unsigned short vals[3] = { 1, 2, 3 }, got[3];
	struct semid_ds ds;
	union arg u;
	int id, st;
	pid_t kid;

	CHECK_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
	CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	CHECK(id >= 0);
	u.buf = &ds;
	CHECK(semctl(id, 0, IPC_STAT, u) == 0 && ds.sem_nsems == 3 &&
	      ds.sem_otime == 0);
	u.array = vals;
	CHECK(semctl(id, 0, SETALL, u) == 0);
	u.array = got;
	CHECK(semctl(id, 0, GETALL, u) == 0 && got[0] == 1 && got[2] == 3);
	CHECK(op(id, 0, -1, 0) == 0 && semctl(id, 0, GETVAL) == 0);
	CHECK_ERRNO(op(id, 0, -1, IPC_NOWAIT), EAGAIN);
	CHECK_ERRNO(op(id, 3, 1, 0), EFBIG);
	CHECK_ERRNO(op(id, 0, 32767, 0) ? -1 : op(id, 0, 1, 0), ERANGE);
	u.val = 0;
	CHECK(semctl(id, 0, SETVAL, u) == 0);
	u.val = 32768;
	CHECK_ERRNO(semctl(id, 0, SETVAL, u), ERANGE);
	CHECK_ERRNO(semctl(id, 9, GETVAL), EINVAL);
	CHECK_ERRNO(semop(id, both, 0), EINVAL);
	CHECK_ERRNO(semop(id, both, 5000), E2BIG);
	CHECK_ERRNO(semtimedop(id, both, 1, &ts), EAGAIN);
	CHECK(op(id, 0, 0, 0) == 0);
	CHECK_ERRNO(op(id, 1, 0, IPC_NOWAIT), EAGAIN);
	/* All or none. */
	op(id, 0, 1, 0);
	op(id, 1, -2, 0);
	CHECK_ERRNO(semop(id, both, 2), EAGAIN);
	CHECK(semctl(id, 0, GETVAL) == 1);
	CHECK(semctl(id, 0, GETPID) == getpid());
	/* A child waits; we let it go. */
	op(id, 0, -1, 0);
	kid = fork();
	if (!kid)
		_exit(op(id, 0, -1, 0) ? 1 : 5);
	while (semctl(id, 0, GETNCNT) != 1)
		usleep(1000);
	CHECK(semctl(id, 0, GETZCNT) == 0);
	op(id, 0, 1, 0);
	CHECK(wait(&st) == kid && WEXITSTATUS(st) == 5);
	CHECK(semctl(id, 0, GETPID) == kid);
	/* What a process did with SEM_UNDO is undone at its end. */
	op(id, 0, 3, 0);
	if (!fork())
		_exit(op(id, 0, -2, SEM_UNDO));
	wait(&st);
	CHECK(st == 0 && semctl(id, 0, GETVAL) == 3);
	kid = fork();
	if (!kid) {
		op(id, 0, -3, SEM_UNDO);
		pause();
	}
	while (semctl(id, 0, GETVAL))
		usleep(1000);
	kill(kid, SIGKILL);
	CHECK(op(id, 0, -3, 0) == 0);
	wait(NULL);
	/* A signal, and removal, end the wait. */
	kid = fork();
	if (!kid) {
		struct sigaction sa = { .sa_handler = on_usr1,
					.sa_flags = SA_RESTART };

		sigaction(SIGUSR1, &sa, NULL);
		st = op(id, 0, -1, 0) == -1 && errno == EINTR;
		_exit(op(id, 0, -1, 0) == -1 && errno == EIDRM ? st : 7);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		usleep(1000);
	usleep(10000);
	kill(kid, SIGUSR1);
	usleep(20000);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK(wait(&st) == kid && WEXITSTATUS(st) == 1);
	CHECK_ERRNO(op(id, 0, 1, 0), EINVAL);
}

struct note { long type; char text[32]; };

static void *take_type(void *arg)
{
	struct note m;

	return (void *)(msgrcv(*(int *)arg, &m, 32, 77, 0) == 3 ? 1L : 0);
}

static void messages(void)
{
	struct note m = { 1, "one" };
	struct msqid_ds ds;
	pthread_t th;
	void *ok;
	int id, st;

	id = msgget(IPC_PRIVATE, 0600);
	CHECK(id >= 0);
	CHECK_ERRNO(msgrcv(id, &m, 32, 0, IPC_NOWAIT), ENOMSG);
	CHECK(msgsnd(id, &m, 4, 0) == 0);
	m = (struct note){ 3, "three" };
	CHECK(msgsnd(id, &m, 6, 0) == 0);
	m = (struct note){ 2, "two" };
	CHECK(msgsnd(id, &m, 4, 0) == 0);
	CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 3 &&
	      ds.__msg_cbytes == 14 && ds.msg_lspid == getpid());
	CHECK(ds.msg_qbytes == 16384 && ds.msg_stime != 0 && !ds.msg_rtime);
	CHECK(msgrcv(id, &m, 32, -2, 0) == 4 && m.type == 1);
	CHECK(msgrcv(id, &m, 32, 2, 0) == 4 && !strcmp(m.text, "two"));
	CHECK_ERRNO(msgrcv(id, &m, 32, 2, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &m, 3, 0, 0), E2BIG);
	CHECK(msgrcv(id, &m, 3, 0, MSG_NOERROR) == 3 && m.type == 3);
	m = (struct note){ 0, "" };
	CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = 5;
	CHECK_ERRNO(msgsnd(id, &m, 9000, 0), EINVAL);
	CHECK(msgsnd(id, &m, 0, 0) == 0);
	CHECK(msgrcv(id, &m, 32, 5, MSG_EXCEPT | IPC_NOWAIT) == -1);
	CHECK(msgrcv(id, &m, 32, 6, MSG_EXCEPT) == 0 && m.type == 5);
	pthread_create(&th, NULL, take_type, &id);
	usleep(20000);
	m.type = 76;
	msgsnd(id, &m, 2, 0);
	m.type = 77;
	msgsnd(id, &m, 3, 0);
	pthread_join(th, &ok);
	CHECK(ok == (void *)1);
	CHECK(msgrcv(id, &m, 32, 0, 0) == 2 && m.type == 76);
	/* A full queue. */
	msgctl(id, IPC_STAT, &ds);
	ds.msg_qbytes = 64;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	m.type = 1;
	CHECK(msgsnd(id, &m, 32, 0) == 0 && msgsnd(id, &m, 32, 0) == 0);
	CHECK_ERRNO(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
	if (!fork()) {
		m.type = 9;
		_exit(msgsnd(id, &m, 30, 0) ? 1 : 6);
	}
	usleep(20000);
	CHECK(msgrcv(id, &m, 32, 1, 0) == 32);
	CHECK(msgrcv(id, &m, 32, 9, 0) == 30);
	wait(&st);
	CHECK(WEXITSTATUS(st) == 6);
	if (!fork())
		_exit(msgrcv(id, &m, 32, 1234, 0) == -1 && errno == EIDRM);
	usleep(20000);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	wait(&st);
	CHECK(WEXITSTATUS(st) == 1);
	CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
	CHECK_ERRNO(msgget(0x5b000000 + getpid(), 0), ENOENT);
}

int main(void)
{
	shared_memory();
	semaphores();
	messages();
	return check_done();
}
