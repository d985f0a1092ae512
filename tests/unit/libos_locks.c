/*
 * libos_locks.c - file locks: ranges of fcntl locks, joined, split and
 * changed, against a model of bytes; owners; flock.
 */
#include "unit.h"

#include <linux/fcntl.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

static long open_file(void)
{
	return SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);
}

static long lock(long fd, int cmd, int type, s64 start, s64 len)
{
	struct flock fl = { .l_type = (short)type, .l_start = start,
			    .l_len = len };

	return SYS(fcntl, fd, cmd, &fl);
}

/* ---- against a model: two owners, a byte each ---------------------------------------- */
#define BYTES 40
static u8 held[2][BYTES]; /* F_RDLCK 0, F_WRLCK 1, free 2 */

static bool conflicts(int other, int type, s64 start, s64 end)
{
	for (s64 i = start; i < end; i++)
		if (held[other][i] != F_UNLCK &&
		    (type == F_WRLCK || held[other][i] == F_WRLCK))
			return true;
	return false;
}

/* F_OFD_GETLK tells the first lock in the way, whole. */
static void check_getlk(const long fd[2])
{
	int me = (int)unit_random(2), type = (int)unit_random(2);
	s64 start = unit_random(BYTES - 1);
	s64 len = 1 + unit_random((u32)(BYTES - start)), first = -1;
	struct flock fl = { .l_type = (short)type, .l_start = start,
			    .l_len = len };

	MUST(SYS(fcntl, fd[me], F_OFD_GETLK, &fl) == 0);
	for (s64 i = start; i < start + len && first < 0; i++)
		if (held[!me][i] == F_WRLCK ||
		    (held[!me][i] == F_RDLCK && type == F_WRLCK))
			first = i;
	if (first < 0) {
		MUST(fl.l_type == F_UNLCK);
		return;
	}
	MUST(fl.l_type == held[!me][first]);
	MUST(fl.l_pid == -1);
	MUST(fl.l_start <= first && fl.l_start + fl.l_len > first);
	for (s64 i = fl.l_start; i < fl.l_start + fl.l_len; i++)
		MUST(held[!me][i] == fl.l_type);
	/* ranges of one type that touch are one */
	MUST(fl.l_start == 0 || held[!me][fl.l_start - 1] != fl.l_type);
	MUST(fl.l_start + fl.l_len == BYTES ||
	     held[!me][fl.l_start + fl.l_len] != fl.l_type);
}

UNIT(locks_model)
{
	const long fd[2] = { open_file(), open_file() };
	long objects;

	memset(held, F_UNLCK, sizeof(held));
	objects = fake_heap_objects;
	for (int round = 0; round < 20000; round++) {
		int me = (int)unit_random(2), type = (int)unit_random(3);
		s64 start = unit_random(BYTES);
		s64 len = 1 + unit_random((u32)(BYTES - start));
		bool bad = type != F_UNLCK &&
			   conflicts(!me, type, start, start + len);

		MUST(lock(fd[me], F_OFD_SETLK, type, start, len) ==
		     (bad ? -EAGAIN : 0));
		if (!bad)
			memset(held[me] + start, type, (size_t)len);
		check_getlk(fd);
	}
	CHECK(true);
	EQ(lock(fd[0], F_OFD_SETLK, F_UNLCK, 0, 0), 0);
	EQ(lock(fd[1], F_OFD_SETLK, F_UNLCK, 0, 0), 0);
	EQ(fake_heap_objects, objects);
}

UNIT(locks_rules)
{
	long a = open_file(), b = open_file(), r;
	struct flock fl = { .l_type = F_WRLCK };

	EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	EQ(lock(b, F_SETLK, F_WRLCK, 0, 0), 0); /* the same process */
	EQ(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), -EAGAIN);
	EQ(SYS(close, b), 0); /* drops the locks of the process */
	b = open_file();
	EQ(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), 0);
	EQ(lock(a, F_SETLK, F_RDLCK, 5, -1), 0);
	EQ(lock(a, F_SETLK, F_RDLCK, 0, -1), -EINVAL);
	EQ(lock(a, F_SETLK, F_RDLCK, -1, 1), -EINVAL);
	EQ(lock(a, F_SETLK, 7, 0, 1), -EINVAL);
	EQ(lock(a, F_SETLK, F_WRLCK, 0x7fffffffffffffff, 2), -EOVERFLOW);
	EQ(lock(99, F_SETLK, F_WRLCK, 0, 1), -EBADF);
	r = SYS(openat, AT_FDCWD, "/tmp/f", O_RDONLY);
	EQ(lock(r, F_SETLK, F_WRLCK, 20, 1), -EBADF);
	EQ(lock(r, F_SETLK, F_RDLCK, 20, 1), 0);
	EQ(SYS(fcntl, a, F_SETLK, 8), -EFAULT);
	fl.l_whence = 2;
	fl.l_start = 3;
	EQ(SYS(ftruncate, a, 100), 0);
	EQ(SYS(fcntl, b, F_OFD_SETLK, &fl), 0); /* from 103 on */
	EQ(lock(a, F_SETLK, F_WRLCK, 102, 1), 0);
	EQ(lock(a, F_SETLK, F_WRLCK, 103, 1), -EAGAIN);
	fl.l_pid = 1;
	EQ(SYS(fcntl, b, F_OFD_SETLK, &fl), -EINVAL);
}

UNIT(locks_flock)
{
	long a = open_file(), b = open_file(), d = SYS(dup, a);

	EQ(SYS(flock, a, LOCK_EX), 0);
	EQ(SYS(flock, b, LOCK_SH | LOCK_NB), -EAGAIN);
	EQ(SYS(flock, a, LOCK_SH), 0);
	EQ(SYS(flock, b, LOCK_SH | LOCK_NB), 0);
	EQ(SYS(flock, a, LOCK_EX | LOCK_NB), -EAGAIN);
	EQ(SYS(flock, b, LOCK_UN), 0);
	EQ(SYS(flock, a, LOCK_EX | LOCK_NB), 0);
	EQ(SYS(close, a), 0); /* d still has it */
	EQ(SYS(flock, b, LOCK_SH | LOCK_NB), -EAGAIN);
	EQ(SYS(close, d), 0);
	EQ(SYS(flock, b, LOCK_SH | LOCK_NB), 0);
	EQ(SYS(flock, b, 0), -EINVAL);
	EQ(SYS(flock, 99, LOCK_EX), -EBADF);
}

/* ---- two processes ---------------------------------------------------------------------- */
static u32 step, child_got = 9;

static int child(void *arg)
{
	long fd = open_file();
	struct flock fl = { .l_type = F_WRLCK, .l_len = 10 };

	if (SYS(fcntl, fd, F_GETLK, &fl) || fl.l_type != F_WRLCK ||
	    fl.l_pid != 1 || fl.l_len != 5)
		return 1;
	if (lock(fd, F_SETLK, F_WRLCK, 0, 10) != -EAGAIN)
		return 2;
	__atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
	child_got = (u32)lock(fd, F_SETLKW, F_WRLCK, 0, 10);
	return 0; /* and its end drops it */
}

UNIT_THREADS(locks_processes)
{
	long fd = open_file();
	s32 pid;

	EQ(lock(fd, F_SETLK, F_WRLCK, 0, 5), 0);
	pid = unit_fork(child, NULL);
	CHECK(unit_until(&step, 0));
	fake_sleep_ms(20);
	EQ(child_got, 9); /* it waits */
	EQ(lock(fd, F_SETLK, F_UNLCK, 0, 5), 0);
	EQ(unit_wait(pid), 0);
	EQ(child_got, 0);
	EQ(lock(fd, F_SETLK, F_WRLCK, 0, 0), 0);
}
