/* Contents: read, write, seek, holes, truncate, append, maps, memfd, seals. */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <signal.h>

static char path[64];

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

static void test_rw(int fd)
{
	char buf[32] = "";
	struct iovec v[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };

	CHECK(write(fd, "hello world", 11) == 11);
	CHECK(lseek(fd, 0, SEEK_CUR) == 11);
	CHECK(read(fd, buf, 5) == 0);
	CHECK(lseek(fd, 6, SEEK_SET) == 6);
	CHECK(read(fd, buf, sizeof(buf)) == 5 && !memcmp(buf, "world", 5));
	CHECK(pread(fd, buf, 5, 0) == 5 && !memcmp(buf, "hello", 5));
	CHECK(pwrite(fd, "J", 1, 0) == 1);
	CHECK(pread(fd, buf, 5, 0) == 5 && !memcmp(buf, "Jello", 5));
	CHECK(lseek(fd, 0, SEEK_CUR) == 11);
	CHECK(writev(fd, v, 3) == 5);
	CHECK(pread(fd, buf, 5, 11) == 5 && !memcmp(buf, "abcde", 5));
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	CHECK_ERRNO(pread(fd, buf, 5, -1), EINVAL);
	CHECK_ERRNO(pread(fd, (void *)8, 5, 0), EFAULT);
	CHECK_ERRNO(write(99, "x", 1), EBADF);
	CHECK_ERRNO(writev(fd, v, -1), EINVAL);
	CHECK(lseek(fd, 0, SEEK_END) == 16);
}

static void test_sparse(int fd)
{
	char c = 1;

	CHECK(ftruncate(fd, 0) == 0 && size_of(fd) == 0);
	CHECK(pwrite(fd, "end", 3, 1 << 30) == 3);
	CHECK(size_of(fd) == (1 << 30) + 3);
	CHECK(pread(fd, &c, 1, 12345678) == 1 && c == 0);
	CHECK(lseek(fd, 0, SEEK_DATA) > (1 << 29));
	CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
	CHECK_ERRNO(lseek(fd, (1l << 31), SEEK_DATA), ENXIO);
	CHECK(ftruncate(fd, 10) == 0);
	CHECK(pread(fd, &c, 1, 10) == 0);
	CHECK(ftruncate(fd, 5000) == 0);
	CHECK(pread(fd, &c, 1, 4999) == 1 && c == 0);
	CHECK(fallocate(fd, 0, 0, 100000) == 0 && size_of(fd) == 100000);
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000) == 0);
	CHECK(size_of(fd) == 100000);
	CHECK(pwrite(fd, "xyz", 3, 8192) == 3);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192,
			4096) == 0);
	CHECK(pread(fd, &c, 1, 8192) == 1 && c == 0);
	CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
}

static void test_shrink_zeroes(int fd)
{
	char buf[8];

	CHECK(ftruncate(fd, 0) == 0);
	CHECK(pwrite(fd, "secretdata", 10, 0) == 10);
	CHECK(ftruncate(fd, 4) == 0 && ftruncate(fd, 10) == 0);
	CHECK(pread(fd, buf, 6, 4) == 6 && !memcmp(buf, "\0\0\0\0\0\0", 6));
}

static void test_append(void)
{
	int a = open(path, O_WRONLY | O_APPEND | O_TRUNC);
	int b = open(path, O_RDWR);
	char buf[8];

	CHECK(write(a, "11", 2) == 2 && write(b, "xx", 2) == 2);
	CHECK(write(a, "22", 2) == 2);
	CHECK(pread(b, buf, 8, 0) == 4 && !memcmp(buf, "xx22", 4));
	CHECK(fcntl(b, F_SETFL, O_APPEND) == 0);
	CHECK((fcntl(b, F_GETFL) & (O_APPEND | O_ACCMODE)) ==
	      (O_APPEND | O_RDWR));
	CHECK(pread(a, buf, 1, 0) == -1 && errno == EBADF);
	close(a);
	close(b);
}

static void test_map(int fd)
{
	char *p, *q, c;

	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, 3 * 4096) == 0);
	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	strcpy(p + 5000, "mapped");
	CHECK(pread(fd, &c, 1, 5000) == 1 && c == 'm');
	CHECK(pwrite(fd, "M", 1, 5000) == 1 && p[5000] == 'M');
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	CHECK(q != MAP_FAILED && !strcmp(q + 904, "Mapped"));
	q[904] = 'X';
	CHECK(p[5000] == 'M');
	CHECK(munmap(q, 4096) == 0);
	CHECK(ftruncate(fd, 4096) == 0 && ftruncate(fd, 3 * 4096) == 0);
	CHECK(p[5000] == 0);
	CHECK(munmap(p, 3 * 4096) == 0);
}

static void test_memfd(void)
{
	int fd = memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int plain = memfd_create("y", 0);

	CHECK(fd >= 0 && fcntl(fd, F_GET_SEALS) == 0);
	CHECK(write(fd, "data", 4) == 4);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	CHECK_ERRNO(ftruncate(fd, 100), EPERM);
	CHECK(ftruncate(fd, 2) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	CHECK_ERRNO(pwrite(fd, "z", 1, 0), EPERM);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
	      errno == EPERM);
	CHECK(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_ERRNO(memfd_create("z", 0x8000), EINVAL);
	close(fd);
	close(plain);
}

/* Nothing is printed meanwhile: stdout may be a file. */
static void test_limit(int fd)
{
	struct rlimit old, low = { 1000, RLIM_INFINITY };
	ssize_t cut, none;
	int set, err;

	signal(SIGXFSZ, SIG_IGN);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	low.rlim_max = old.rlim_max;
	CHECK(ftruncate(fd, 0) == 0);
	set = setrlimit(RLIMIT_FSIZE, &low);
	cut = pwrite(fd, "0123456789", 10, 995);
	none = pwrite(fd, "x", 1, 1000);
	err = errno;
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0 && set == 0);
	CHECK(cut == 5);
	CHECK(none == -1 && err == EFBIG);
}

static void test_tmpfile(void)
{
	char name[64], link_name[80];
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, "unnamed", 7) == 7);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	snprintf(link_name, sizeof(link_name), "%s.linked", path);
	CHECK(linkat(AT_FDCWD, name, AT_FDCWD, link_name,
		     AT_SYMLINK_FOLLOW) == 0);
	CHECK(access(link_name, R_OK) == 0 && unlink(link_name) == 0);
	close(fd);
	CHECK_ERRNO(open("/tmp", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

int main(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/fs_data.%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	test_rw(fd);
	test_sparse(fd);
	test_shrink_zeroes(fd);
	test_append();
	test_map(fd);
	test_memfd();
	test_limit(fd);
	test_tmpfile();
	CHECK(close(fd) == 0 && unlink(path) == 0);
	CHECK_ERRNO(close(fd), EBADF);
	return check_done();
}
