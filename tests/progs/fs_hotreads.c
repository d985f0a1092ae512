/* Small reads of one file again and again, and what may happen to the file
 * meanwhile: each read gives what is in it now.  In the current folder. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGES 64
#define SIZE (PAGES * 4096)
#define FILES 12 /* more than are read specially at once */

static char path[64];

static void fill(char *page, unsigned file, unsigned n)
{
	for (unsigned i = 0; i < 4096; i += 4)
		*(uint32_t *)(page + i) = file << 24 | n << 12 | i;
}

static int make(unsigned file)
{
	char page[4096];
	int fd;

	snprintf(path, sizeof(path), "hot.%d.%u", getpid(), file);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (unsigned n = 0; n < PAGES; n++) {
		fill(page, file, n);
		if (write(fd, page, 4096) != 4096)
			return -1;
	}
	return fd;
}

/* Each page many times, and parts across the pages' borders. */
static int all_right(int fd, unsigned file, unsigned rounds)
{
	char want[8192], got[4096];

	for (unsigned r = 0; r < rounds; r++)
		for (unsigned n = 0; n < PAGES; n++) {
			unsigned at = r * 52 % 4096;

			fill(want, file, n);
			fill(want + 4096, file, n + 1);
			if (n == PAGES - 1)
				at = 0;
			memset(got, 1, sizeof(got));
			if (pread(fd, got, 4096, n * 4096 + at) != 4096 ||
			    memcmp(got, want + at, 4096))
				return 0;
		}
	return 1;
}

static void test_changes(int fd)
{
	char b[4096], c[4096];
	int other = open(path, O_RDWR);
	char *map;

	CHECK(all_right(fd, 0, 20));
	memset(b, 'b', sizeof(b));
	CHECK(pwrite(fd, b, 4096, 4096) == 4096);
	CHECK(pread(fd, c, 4096, 4096) == 4096 && !memcmp(b, c, 4096));
	CHECK(pwrite(other, "xyz", 3, 8192) == 3);
	CHECK(pread(fd, c, 3, 8192) == 3 && !memcmp(c, "xyz", 3));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	CHECK(map != MAP_FAILED);
	memcpy(map + 12288, "mapped", 6);
	CHECK(pread(fd, c, 6, 12288) == 6 && !memcmp(c, "mapped", 6));
	munmap(map, SIZE);
	close(other);
	CHECK(pread(fd, c, 3, 8192) == 3 && !memcmp(c, "xyz", 3));
}

static void test_sizes(int fd)
{
	char c[4096];

	CHECK(ftruncate(fd, 10 * 4096 + 100) == 0);
	for (int i = 0; i < 200; i++)
		if (pread(fd, c, 4096, 9 * 4096 + i) != 4096 - (i > 100 ? i - 100 : 0))
			CHECK(!"a read at the end");
	CHECK(pread(fd, c, 4096, 10 * 4096) == 100);
	CHECK(pread(fd, c, 4096, 20 * 4096) == 0);
	CHECK(ftruncate(fd, 30 * 4096) == 0);
	CHECK(pread(fd, c, 4096, 10 * 4096) == 4096 && c[97] && !c[100]);
	CHECK(pread(fd, c, 4096, 20 * 4096) == 4096 && !c[5]);
	CHECK(truncate(path, 0) == 0);
	CHECK(pread(fd, c, 4096, 0) == 0);
	CHECK(pwrite(fd, "new", 3, 0) == 3);
	CHECK(pread(fd, c, 4096, 0) == 3 && !memcmp(c, "new", 3));
}

/* Buffers that cannot be written to, or are not there yet. */
static void test_buffers(int fd)
{
	char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *fresh = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(all_right(fd, 0, 10));
	CHECK_ERRNO(pread(fd, none, 4096, 0), EFAULT);
	for (int i = 0; i < 256; i++)
		if (pread(fd, fresh + i * 4096, 4096, 4096) != 4096)
			CHECK(!"a read into fresh memory");
	CHECK(mprotect(none, 4096, PROT_READ | PROT_WRITE) == 0);
	CHECK(pread(fd, none + 2048, 4096, 0) == 2048);
	CHECK(pread(fd, none, 4096, 0) == 4096);
	CHECK(all_right(fd, 0, 10));
}

/* The child has the descriptors, and memory of its own. */
static void test_fork(int fd)
{
	char b[3], c[3];
	int status;
	pid_t p = fork();

	if (p == 0) {
		int ok = all_right(fd, 0, 10) && pwrite(fd, "kid", 3, 5) == 3 &&
			 !close(fd);

		_exit(!ok);
	}
	CHECK(waitpid(p, &status, 0) == p && status == 0);
	CHECK(pread(fd, c, 3, 5) == 3 && !memcmp(c, "kid", 3));
	CHECK(pwrite(fd, "xxx", 3, 5) == 3 && pread(fd, b, 3, 5) == 3);
}

/* read() and its position. */
static void test_sequence(int fd)
{
	char want[4096], got[4096];
	int ok = 1;

	for (int r = 0; r < 12 && ok; r++) {
		lseek(fd, 0, SEEK_SET);
		for (unsigned n = 0; n < PAGES && ok; n++) {
			fill(want, 0, n);
			ok = read(fd, got, 4096) == 4096 &&
			     !memcmp(got, want, 4096);
		}
		ok = ok && read(fd, got, 4096) == 0;
	}
	CHECK(ok);
	CHECK(lseek(fd, 0, SEEK_CUR) == SIZE);
}

/* Many files by many threads, descriptors closed and opened meanwhile. */
static char names[FILES][64];
static void *worker(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 40; i++) {
		unsigned k = rand_r(&seed) % FILES;
		int fd = open(names[k], O_RDONLY), twin = dup(fd);
		int ok = all_right(fd, k, 3);

		close(twin);
		ok = ok && all_right(fd, k, 3);
		close(fd);
		if (!ok)
			return "wrong";
	}
	return NULL;
}
static void test_many(void)
{
	pthread_t t[4];
	void *bad;
	int wrong = 0;

	for (unsigned k = 0; k < FILES; k++) {
		close(make(k));
		strcpy(names[k], path);
	}
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, worker, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		wrong += bad != NULL;
	}
	CHECK(wrong == 0);
	for (unsigned k = 0; k < FILES; k++)
		unlink(names[k]);
}

/* A file that nobody writes to. */
static void test_package(void)
{
	int fd = open("/usr/bin/perl", O_RDONLY);
	unsigned sum[2] = { 0, 0 };
	char page[4096];
	ssize_t n;

	for (int r = 0; r < 10; r++) {
		unsigned s = 0;

		for (off_t at = 0; at < 400 * 4096; at += 4096) {
			n = pread(fd, page, 4096, at);
			for (ssize_t i = 0; i < n; i++)
				s = s * 31 + (unsigned char)page[i];
		}
		sum[r > 0] = s;
		if (r && sum[0] != sum[1])
			CHECK(!"the same each time");
	}
	SHOW("package: %x", sum[0]);
	close(fd);
}

int main(void)
{
	int fd = make(0);

	CHECK(fd >= 0);
	test_sequence(fd);
	test_buffers(fd);
	test_fork(fd);
	close(fd);
	fd = make(0);
	test_changes(fd);
	test_sizes(fd);
	unlink(path);
	close(fd);
	test_many();
	test_package();
	return check_done();
}
