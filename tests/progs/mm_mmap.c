/* mmap and munmap: kinds, places, flags, errors. */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PAGE 4096ul
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static int temp_file(size_t size)
{
	char name[] = "/tmp/mm_mmap.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	if (ftruncate(fd, size))
		return -1;
	return fd;
}

static void anonymous(void)
{
	char *p = mmap(0, 16 * PAGE, RW, ANON, -1, 0), *q;
	unsigned i, zero = 1;

	CHECK(p != MAP_FAILED && ((unsigned long)p & 4095) == 0);
	for (i = 0; i < 16 * PAGE; i++)
		zero &= p[i] == 0;
	CHECK(zero);
	memset(p, 7, 16 * PAGE);
	CHECK(munmap(p + 4 * PAGE, 4 * PAGE) == 0);
	CHECK(p[3 * PAGE] == 7 && p[8 * PAGE] == 7);
	q = mmap(p + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK(q == p + 4 * PAGE && q[0] == 0);
	q = mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK(q == p && q[0] == 0 && p[PAGE] == 7);
	CHECK(munmap(p, 16 * PAGE) == 0);
	CHECK(munmap(p, 16 * PAGE) == 0);
	q = mmap(p, 16 * PAGE, RW, ANON, -1, 0);
	CHECK(q == p);
	q = mmap(p, PAGE, RW, ANON, -1, 0);
	CHECK(q != p && q != MAP_FAILED);
	munmap(q, PAGE);
	CHECK_ERRNO(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
		    EEXIST);
	munmap(p, 16 * PAGE);
	q = mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(q == p);
	munmap(q, PAGE);
	q = mmap(0, PAGE, RW, ANON | MAP_32BIT, -1, 0);
	CHECK(q != MAP_FAILED && (unsigned long)q < 1ul << 31);
	munmap(q, PAGE);
	q = mmap(0, 1ul << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	CHECK(q != MAP_FAILED);
	CHECK(mprotect(q + (1ul << 39), PAGE, RW) == 0);
	q[1ul << 39] = 1;
	CHECK(munmap(q, 1ul << 40) == 0);
	q = mmap(0, 64 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	CHECK(q != MAP_FAILED && q[63 * PAGE] == 0);
	munmap(q, 64 * PAGE);
}

static void errors(void)
{
	char *p = mmap(0, PAGE, RW, ANON, -1, 0);

	CHECK_ERRNO(mmap(0, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(0, -1ul, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap(0, 1ul << 47, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(0, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(0, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(mmap(0, PAGE, RW, MAP_PRIVATE, 0, 100), EINVAL);
	CHECK_ERRNO(mmap((void *)(0x7fffffffe000ul), 4 * PAGE, RW,
			 ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERRNO(munmap(p, 0), EINVAL);
	CHECK_ERRNO(munmap((void *)0x7ffffffff000ul, 2 * PAGE), EINVAL);
	CHECK_ERRNO(mmap(0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS |
			 MAP_GROWSDOWN, -1, 0), EINVAL);
	munmap(p, PAGE);
}

static void files(void)
{
	int fd = temp_file(3 * PAGE), ro, wo, pipefd[2];
	char *p, *q, buf[8] = { 0 }, name[64];

	if (pwrite(fd, "hello", 5, PAGE) != 5)
		return;
	p = mmap(0, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	q = mmap(0, 2 * PAGE, RW, MAP_PRIVATE, fd, PAGE);
	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	CHECK(!memcmp(p + PAGE, "hello", 5) && !memcmp(q, "hello", 5));
	memcpy(p + PAGE, "HELLO", 5);
	CHECK(pread(fd, buf, 5, PAGE) == 5 && !strcmp(buf, "HELLO"));
	CHECK(!memcmp(q, "HELLO", 5));
	memcpy(q, "own", 3);
	CHECK(pread(fd, buf, 5, PAGE) == 5 && !strcmp(buf, "HELLO"));
	CHECK(pwrite(fd, "later", 5, 2 * PAGE) == 5);
	CHECK(!memcmp(p + 2 * PAGE, "later", 5));
	CHECK(msync(p, 3 * PAGE, MS_SYNC) == 0);
	CHECK_ERRNO(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	munmap(q, 2 * PAGE);
	CHECK_ERRNO(msync(q, PAGE, MS_ASYNC), ENOMEM);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY);
	wo = open(name, O_WRONLY);
	CHECK(ro >= 0 && wo >= 0);
	CHECK_ERRNO(mmap(0, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERRNO(mmap(0, PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERRNO(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	q = mmap(0, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	CHECK(q != MAP_FAILED);
	CHECK_ERRNO(mprotect(q, PAGE, RW), EACCES);
	munmap(q, PAGE);
	CHECK_ERRNO(mmap(0, PAGE, RW, MAP_PRIVATE, fd, -PAGE), EOVERFLOW);
	CHECK(pipe(pipefd) == 0);
	CHECK_ERRNO(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, pipefd[0], 0),
		    ENODEV);
	close(fd);
	CHECK(!memcmp(p + PAGE, "HELLO", 5));
	munmap(p, 3 * PAGE);
}

static void shared(void)
{
	int *p = mmap(0, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *own = mmap(0, PAGE, RW, ANON, -1, 0), status = 0;

	CHECK(p != MAP_FAILED && p[0] == 0);
	own[0] = 1;
	if (fork() == 0) {
		p[0] = 42;
		p[3 * 1024] = 43;
		own[0] = 2;
		_exit(own[0]);
	}
	wait(&status);
	CHECK(WEXITSTATUS(status) == 2);
	CHECK(p[0] == 42 && p[3 * 1024] == 43 && own[0] == 1);
	munmap(p, 4 * PAGE);
	munmap(own, PAGE);
}

static void limits(void)
{
	struct rlimit old, r;
	char *p;

	getrlimit(RLIMIT_AS, &old);
	r = old;
	r.rlim_cur = 1ul << 30;
	setrlimit(RLIMIT_AS, &r);
	CHECK_ERRNO(mmap(0, 2ul << 30, RW, ANON, -1, 0), ENOMEM);
	p = mmap(0, 1 << 20, RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED);
	munmap(p, 1 << 20);
	setrlimit(RLIMIT_AS, &old);
}

static void program_break(void)
{
	char *old = sbrk(0), *p;

	p = sbrk(100000);
	CHECK(p == old && sbrk(0) == old + 100000);
	memset(p, 1, 100000);
	CHECK(sbrk(-100000) == old + 100000 && sbrk(0) == old);
	p = sbrk(100000);
	CHECK(p[50000] == 0);
	CHECK(brk(old) == 0);
	CHECK_ERRNO(brk((void *)0x7fff00000000), ENOMEM);
}

/* Many mappings, so that none merges with the next, then every other one
 * gone and found free again. */
static void many(void)
{
	enum { COUNT = 4000 };
	char *p = mmap(0, COUNT * PAGE, PROT_NONE, ANON, -1, 0);
	unsigned i, good = 0;

	for (i = 0; i < COUNT; i += 2)
		good += mprotect(p + i * PAGE, PAGE, RW) == 0;
	CHECK(good == COUNT / 2);
	for (i = 0; i < COUNT; i += 2)
		p[i * PAGE] = (char)i;
	for (good = 0, i = 0; i < COUNT; i += 2)
		good += p[i * PAGE] == (char)i;
	CHECK(good == COUNT / 2);
	for (good = 0, i = 1; i < COUNT; i += 2)
		good += munmap(p + i * PAGE, PAGE) == 0;
	CHECK(good == COUNT / 2);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK_ERRNO(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM);
	CHECK(munmap(p, COUNT * PAGE) == 0);
}

int main(void)
{
	anonymous();
	errors();
	files();
	shared();
	limits();
	program_break();
	many();
	return check_done();
}
