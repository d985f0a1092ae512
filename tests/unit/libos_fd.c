/*
 * libos_fd.c - descriptor tables: numbers, flags, limits; against a model.
 */
#include "unit.h"

#include <asm/stat.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

static long open_null(u64 flags)
{
	return SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | flags);
}

UNIT(fd_numbers)
{
	EQ(open_null(0), 0);
	EQ(open_null(0), 1);
	EQ(open_null(0), 2);
	EQ(SYS(close, 1), 0);
	EQ(SYS(close, 1), -EBADF);
	EQ(SYS(dup, 0), 1);
	EQ(SYS(dup2, 0, 10), 10);
	EQ(SYS(dup2, 0, 0), 0);
	EQ(SYS(dup2, 99, 5), -EBADF);
	EQ(SYS(dup3, 0, 0, 0), -EINVAL);
	EQ(SYS(dup3, 0, 4, O_CLOEXEC), 4);
	EQ(SYS(fcntl, 4, F_GETFD), FD_CLOEXEC);
	EQ(SYS(dup3, 0, 4, O_APPEND), -EINVAL);
	EQ(SYS(fcntl, 0, F_DUPFD, 10), 11);
	EQ(SYS(fcntl, 0, F_DUPFD_CLOEXEC, 3), 3);
	EQ(SYS(fcntl, 3, F_GETFD), FD_CLOEXEC);
	EQ(SYS(fcntl, 3, F_SETFD, 0), 0);
	EQ(SYS(fcntl, 3, F_GETFD), 0);
	EQ(SYS(fcntl, 3, 9999), -EINVAL);
	EQ(SYS(fcntl, 77, F_GETFD), -EBADF);
	EQ(SYS(fcntl, 0, F_DUPFD, -1), -EINVAL);
	EQ(SYS(fcntl, 0, F_DUPFD, 1024), -EINVAL);
}

UNIT(fd_limits)
{
	u64 limit[2] = { 8, 16 };

	EQ(SYS(prlimit64, 0, RLIMIT_NOFILE, limit, 0), 0);
	for (int i = 0; i < 8; i++)
		EQ(open_null(0), i);
	EQ(open_null(0), -EMFILE);
	EQ(SYS(dup, 0), -EMFILE);
	EQ(SYS(dup2, 0, 8), -EBADF);
	EQ(SYS(fcntl, 0, F_DUPFD, 3), -EMFILE);
	limit[0] = 16;
	EQ(SYS(prlimit64, 0, RLIMIT_NOFILE, limit, 0), 0);
	EQ(SYS(dup2, 0, 15), 15);
	EQ(SYS(dup2, 0, 16), -EBADF);
}

UNIT(fd_close_range)
{
	long objects;

	for (int i = 0; i < 20; i++)
		open_null(0);
	objects = fake_heap_objects;
	EQ(SYS(close_range, 5, 9, 0), 0);
	EQ(SYS(close, 5), -EBADF);
	EQ(SYS(close, 9), -EBADF);
	EQ(SYS(fcntl, 4, F_GETFD), 0);
	EQ(SYS(fcntl, 10, F_GETFD), 0);
	CHECK(fake_heap_objects < objects);
	EQ(SYS(close_range, 12, ~0u, CLOSE_RANGE_CLOEXEC), 0);
	EQ(SYS(fcntl, 11, F_GETFD), 0);
	EQ(SYS(fcntl, 12, F_GETFD), FD_CLOEXEC);
	EQ(SYS(fcntl, 19, F_GETFD), FD_CLOEXEC);
	EQ(SYS(close_range, 9, 5, 0), -EINVAL);
	EQ(SYS(close_range, 0, 5, 64), -EINVAL);
	EQ(SYS(close_range, 0, ~0u, 0), 0);
	EQ(open_null(0), 0);
}

UNIT(fd_shared_position)
{
	char b[8];
	long f = SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600), g, h;

	EQ(SYS(write, f, "abcdef", 6), 6);
	g = SYS(dup, f);
	h = SYS(openat, AT_FDCWD, "/tmp/f", O_RDONLY);
	EQ(SYS(lseek, f, 2, 0), 2);
	EQ(SYS(read, g, b, 2), 2);
	CHECK(!memcmp(b, "cd", 2));
	EQ(SYS(lseek, f, 0, 1), 4);
	EQ(SYS(lseek, h, 0, 1), 0);
	EQ(SYS(fcntl, g, F_SETFL, O_APPEND), 0);
	EQ(SYS(fcntl, f, F_GETFL) & O_APPEND, O_APPEND);
	EQ(SYS(fcntl, h, F_GETFL) & O_APPEND, 0);
	EQ(SYS(write, h, "x", 1), -EBADF);
	EQ(SYS(lseek, f, -1, 0), -EINVAL);
	EQ(SYS(lseek, f, 0, 9), -EINVAL);
}

/* ---- against a model ----------------------------------------------------------- */
#define FDS 64
static struct { bool open, cloexec; u32 ino; } model[FDS];
static long files[4]; /* above FDS */
static u32 inos[4];

static u32 ino_of(long fd)
{
	struct stat st;

	return SYS(fstat, fd, &st) ? 0 : (u32)st.st_ino;
}

static int lowest(int min)
{
	while (min < FDS && model[min].open)
		min++;
	return min;
}

static void model_step(void)
{
	unsigned which = unit_random(4);
	int fd = (int)unit_random(FDS), to = (int)unit_random(FDS), want;
	bool cloexec = unit_random(2);

	switch (unit_random(6)) {
	case 0:
	case 1:
		want = lowest(fd);
		if (want >= FDS)
			return;
		MUST(SYS(fcntl, files[which], cloexec ? F_DUPFD_CLOEXEC
			 : F_DUPFD, fd) == want);
		model[want].open = true;
		model[want].cloexec = cloexec;
		model[want].ino = inos[which];
		break;
	case 2:
		MUST(SYS(close, fd) == (model[fd].open ? 0 : -EBADF));
		model[fd].open = false;
		break;
	case 3:
		if (fd == to)
			return;
		MUST(SYS(dup3, fd, to, cloexec ? O_CLOEXEC : 0) ==
		     (model[fd].open ? to : -EBADF));
		if (model[fd].open) {
			model[to] = model[fd];
			model[to].cloexec = cloexec;
		}
		break;
	case 4:
		MUST(SYS(close_range, MIN(fd, to), MIN(fd, to) + 3,
			 cloexec ? CLOSE_RANGE_CLOEXEC : 0) == 0);
		for (int i = MIN(fd, to); i < MIN(MIN(fd, to) + 4, FDS); i++)
			if (cloexec)
				model[i].cloexec = true;
			else
				model[i].open = false;
		break;
	default:
		MUST(ino_of(fd) == (model[fd].open ? model[fd].ino : 0));
		MUST(!model[fd].open ||
		     SYS(fcntl, fd, F_GETFD) == model[fd].cloexec);
	}
}

UNIT(fd_model)
{
	static const char *const names[] = { "/tmp/a", "/tmp/b", "/tmp/c",
					     "/tmp/d" };

	for (int i = 0; i < 4; i++) {
		long f = SYS(openat, AT_FDCWD, names[i], O_RDWR | O_CREAT,
			     0600);

		files[i] = SYS(fcntl, f, F_DUPFD, FDS + 4);
		inos[i] = ino_of(files[i]);
		SYS(close, f);
	}
	for (int round = 0; round < 20000; round++)
		model_step();
	CHECK(true);
}
