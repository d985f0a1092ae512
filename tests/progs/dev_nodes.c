/*
 * dev_nodes.c - the devices that every program may open, and random numbers.
 */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int is_node(const char *path, unsigned ma, unsigned mi)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) == ma && minor(st.st_rdev) == mi;
}

static int all(const char *p, size_t n, char c)
{
	while (n--)
		if (*p++ != c)
			return 0;
	return 1;
}

static void test_memory(void)
{
	static char buf[100000];
	int fd = open("/dev/null", O_RDWR);
	char *m;

	CHECK(is_node("/dev/null", 1, 3) && is_node("/dev/zero", 1, 5));
	CHECK(is_node("/dev/full", 1, 7) && is_node("/dev/random", 1, 8));
	CHECK(is_node("/dev/urandom", 1, 9) && is_node("/dev/tty", 5, 0));
	CHECK(read(fd, buf, 10) == 0);
	CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
	CHECK(lseek(fd, 100, SEEK_SET) == 0);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
	close(fd);
	fd = open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0666);
	CHECK(fd >= 0);
	CHECK_ERRNO(read(fd, buf, 1), EBADF);
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	memset(buf, 'x', sizeof(buf));
	CHECK(read(fd, buf, sizeof(buf)) == sizeof(buf) &&
	      all(buf, sizeof(buf), 0));
	CHECK(pread(fd, buf, 10, 12345) == 10);
	CHECK(write(fd, buf, 10) == 10);
	CHECK_ERRNO(read(fd, (void *)16, 10), EFAULT);
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(m != MAP_FAILED && all(m, 8192, 0));
	if (m != MAP_FAILED)
		m[5] = 1;
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED && all(m, 8192, 0));
	close(fd);
	fd = open("/dev/full", O_RDWR);
	CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
	CHECK_ERRNO(write(fd, "x", 0), ENOSPC);
	CHECK(read(fd, buf, 10) == 10 && all(buf, 10, 0));
	close(fd);
}

static void test_random(void)
{
	unsigned char a[1000], b[1000], seen[256] = { 0 };
	int fd = open("/dev/urandom", O_RDONLY), distinct = 0;
	struct pollfd p = { fd, POLLIN, 0 };

	CHECK(read(fd, a, sizeof(a)) == sizeof(a));
	CHECK(read(fd, b, sizeof(b)) == sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK(poll(&p, 1, 0) == 1 && (p.revents & POLLIN));
	for (size_t i = 0; i < sizeof(a); i++)
		distinct += !seen[a[i]]++;
	CHECK(distinct > 200);
	CHECK(getrandom(a, sizeof(a), 0) == sizeof(a));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK(getrandom(a, 16, GRND_NONBLOCK) == 16);
	CHECK(getrandom(a, 0, 0) == 0);
	CHECK_ERRNO(getrandom(a, 16, 0x80), EINVAL);
	CHECK_ERRNO(getrandom((void *)16, 16, 0), EFAULT);
	CHECK(getentropy(a, 256) == 0);
	close(fd);
}

static void test_links(void)
{
	struct stat st;
	char buf[64];
	int fd;

	CHECK(stat("/dev/fd/0", &st) == 0 || errno == ENOENT);
	CHECK(readlink("/dev/fd", buf, sizeof(buf)) == 13);
	CHECK(readlink("/dev/stdin", buf, sizeof(buf)) == 15);
	CHECK(stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) &&
	      (st.st_mode & 07777) == 01777);
	CHECK(stat("/dev/pts", &st) == 0 && S_ISDIR(st.st_mode));
	fd = shm_open("/check-dev", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
	CHECK(stat("/dev/shm/check-dev", &st) == 0 && st.st_size == 4096);
	CHECK(shm_unlink("/check-dev") == 0);
	close(fd);
	CHECK_ERRNO(open("/dev/nothing", O_RDWR), ENOENT);
	CHECK_ERRNO(open("/dev/null/x", O_RDWR), ENOTDIR);
}

int main(void)
{
	test_memory();
	test_random();
	test_links();
	return check_done();
}
