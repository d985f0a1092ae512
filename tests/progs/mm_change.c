/* mremap, mprotect, madvise, mlock, mincore, membarrier, NUMA policy. */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static char *fresh(unsigned pages)
{
	char *p = mmap(0, pages * PAGE, RW, ANON, -1, 0);
	unsigned i;

	for (i = 0; i < pages; i++)
		p[i * PAGE] = (char)(i + 1);
	return p;
}

static int intact(const char *p, unsigned from, unsigned to)
{
	unsigned i, good = 1;

	for (i = from; i < to; i++)
		good &= p[(i - from) * PAGE] == (char)(i + 1);
	return good;
}

static void moves(void)
{
	char *space = mmap(0, 64 * PAGE, PROT_NONE, ANON, -1, 0);
	char *p = fresh(8), *q;

	CHECK(mremap(p, 8 * PAGE, 4 * PAGE, 0) == p);
	CHECK(intact(p, 0, 4));
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   space + 8 * PAGE);
	CHECK(q == space + 8 * PAGE && intact(q, 0, 4));
	CHECK_ERRNO(mremap(q, 4 * PAGE, 5 * PAGE, 0), ENOMEM);
	p = mremap(q, 4 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p != q && intact(p, 0, 4));
	CHECK(p[31 * PAGE] == 0);
	q = mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   space + 20 * PAGE);
	CHECK(q == space + 20 * PAGE && q[0] == 2);
	CHECK(p[0] == 1 && p[2 * PAGE] == 3);
	CHECK_ERRNO(mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERRNO(mremap(p, PAGE, 0, 0), EINVAL);
	CHECK_ERRNO(mremap(p, PAGE, PAGE, MREMAP_FIXED, q), EINVAL);
	CHECK_ERRNO(mremap(p, PAGE, PAGE, 0x100), EINVAL);
	CHECK_ERRNO(mremap(p, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO(mremap(p + 2 * PAGE, 4 * PAGE, 4 * PAGE,
			   MREMAP_MAYMOVE | MREMAP_FIXED, p + 3 * PAGE),
		    EINVAL);
	q = mremap(p + 2 * PAGE, PAGE, PAGE,
		   MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	CHECK(q != MAP_FAILED && q[0] == 3 && p[2 * PAGE] == 0);
	munmap(q, PAGE);
	munmap(p, 32 * PAGE);
	munmap(space, 64 * PAGE);
}

/* After a fork the host holds the mapping in pieces; it is one for us. */
static void moves_after_fork(void)
{
	char *p = mmap(0, 32 * PAGE, RW, ANON, -1, 0), *q;
	int status;

	if (fork() == 0) {
		p[5 * PAGE] = 6;
		p[20 * PAGE] = 21;
		q = mremap(p, 32 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
		_exit(q != MAP_FAILED && q[5 * PAGE] == 6 &&
		      q[20 * PAGE] == 21 && q[63 * PAGE] == 0 ? 3 : 4);
	}
	wait(&status);
	CHECK(WEXITSTATUS(status) == 3);
	munmap(p, 32 * PAGE);
}

static void file_moves(void)
{
	int fd = memfd_create("moves", 0);
	char *p, *q, *r;

	CHECK(fd >= 0 && ftruncate(fd, 8 * PAGE) == 0);
	p = mmap(0, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 1;
	CHECK(pwrite(fd, "z", 1, 7 * PAGE) == 1);
	q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q[0] == 1 && q[7 * PAGE] == 'z');
	r = mremap(q, 0, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(r != MAP_FAILED && r != q);
	r[PAGE] = 9;
	CHECK(q[PAGE] == 9);
	munmap(r, 8 * PAGE);
	munmap(q, 8 * PAGE);
	p = mmap(0, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);
	p[2 * PAGE] = 5;
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   mmap(0, 4 * PAGE, PROT_NONE, ANON, -1, 0));
	CHECK(q != MAP_FAILED && q[2 * PAGE] == 5 && q[PAGE] == 9);
	CHECK(p[7 * PAGE] == 'z');
	munmap(q, 4 * PAGE);
	munmap(p + 4 * PAGE, 4 * PAGE);
	close(fd);
}

static void protections(void)
{
	char *p = fresh(6);

	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	CHECK(intact(p, 0, 6));
	CHECK(mprotect(p, 6 * PAGE, RW) == 0);
	p[3 * PAGE] = 9;
	CHECK(p[3 * PAGE] == 9);
	CHECK_ERRNO(mprotect(p + 1, PAGE, RW), EINVAL);
	CHECK(mprotect(p, 0, RW) == 0);
	CHECK_ERRNO(mprotect(p, PAGE, 0x80), EINVAL);
	CHECK_ERRNO(mprotect(p, PAGE, RW | PROT_GROWSDOWN), EINVAL);
	munmap(p + 2 * PAGE, PAGE);
	CHECK_ERRNO(mprotect(p, 6 * PAGE, PROT_READ), ENOMEM);
	munmap(p, 6 * PAGE);
	CHECK_ERRNO(syscall(SYS_pkey_mprotect, p, PAGE, RW, 5), EINVAL);
}

static void advice(void)
{
	char *p = fresh(8);
	int fd = memfd_create("advice", 0), status;
	char *f;

	CHECK(madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0);
	CHECK(p[PAGE] == 0 && p[0] == 1 && p[2 * PAGE] == 3);
	CHECK(madvise(p, 8 * PAGE, MADV_WILLNEED) == 0);
	CHECK(madvise(p, 8 * PAGE, MADV_RANDOM) == 0);
	CHECK(madvise(p + 2 * PAGE, PAGE, MADV_FREE) == 0);
	CHECK_ERRNO(madvise(p, PAGE, 12345), EINVAL);
	CHECK_ERRNO(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK(madvise(p, 0, MADV_DONTNEED) == 0);
	munmap(p + 6 * PAGE, PAGE);
	p[7 * PAGE] = 77;
	CHECK_ERRNO(madvise(p, 8 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK(p[7 * PAGE] == 0);
	p[0] = 1;
	p[PAGE] = 2;
	p[2 * PAGE] = 3;
	CHECK(madvise(p, PAGE, MADV_DONTFORK) == 0);
	CHECK(madvise(p + PAGE, PAGE, MADV_WIPEONFORK) == 0);
	if (fork() == 0) {
		int r = 0;

		r |= p[PAGE] == 0 ? 1 : 0;
		r |= p[2 * PAGE] == 3 ? 2 : 0;
		r |= madvise(p, PAGE, MADV_RANDOM) && errno == ENOMEM ? 4 : 0;
		_exit(r);
	}
	wait(&status);
	CHECK(WEXITSTATUS(status) == 7);
	CHECK(p[0] == 1 && p[PAGE] == 2);
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	f = mmap(0, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	memset(f, 5, 4 * PAGE);
	CHECK_ERRNO(madvise(f, PAGE, MADV_WIPEONFORK), EINVAL);
	CHECK_ERRNO(madvise(f, PAGE, MADV_FREE), EINVAL);
	CHECK(madvise(f, PAGE, MADV_DONTNEED) == 0 && f[0] == 5);
	CHECK(madvise(f + PAGE, PAGE, MADV_REMOVE) == 0);
	CHECK(f[PAGE] == 0 && f[0] == 5 && f[2 * PAGE] == 5);
	munmap(f, 4 * PAGE);
	munmap(p, 8 * PAGE);
	close(fd);
}

static void locks(void)
{
	char *p = fresh(4);
	unsigned char vec[4];

	CHECK(mlock(p, 4 * PAGE) == 0);
	CHECK_ERRNO(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	CHECK(munlock(p, 2 * PAGE) == 0);
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0 && p[0] == 0);
	CHECK_ERRNO(mlockall(0), EINVAL);
	CHECK(munlockall() == 0);
	p[0] = 1;
	CHECK(mincore(p, 4 * PAGE, vec) == 0 && (vec[0] & 1) && (vec[3] & 1));
	CHECK_ERRNO(mincore(p + 1, PAGE, vec), EINVAL);
	CHECK_ERRNO(mincore(p, 4 * PAGE, (void *)8), EFAULT);
	munmap(p, 4 * PAGE);
	CHECK_ERRNO(mincore(p, PAGE, vec), ENOMEM);
	CHECK_ERRNO(mlock(p, PAGE), ENOMEM);
}

static void others(void)
{
	unsigned long nodes[16] = { 0 };
	char from[8] = "source", to[8] = { 0 };
	struct iovec l = { to, 7 }, r = { from, 7 };
	int mode = -1;

	CHECK(syscall(SYS_membarrier, 0, 0) & 8);
	CHECK(syscall(SYS_membarrier, 16, 0) == 0);
	CHECK(syscall(SYS_membarrier, 8, 0) == 0);
	CHECK_ERRNO(syscall(SYS_membarrier, 1 << 30, 0), EINVAL);
	CHECK(syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 0) == 0 && mode == 0);
	CHECK(syscall(SYS_get_mempolicy, 0, nodes, 1024, 0, 4) == 0 &&
	      (nodes[0] & 1));
	CHECK(process_vm_readv(getpid(), &l, 1, &r, 1, 0) == 7);
	CHECK(!strcmp(to, "source"));
	CHECK_ERRNO(process_vm_readv(0x3fffffff, &l, 1, &r, 1, 0), ESRCH);
	r.iov_base = (void *)16;
	CHECK_ERRNO(process_vm_readv(getpid(), &l, 1, &r, 1, 0), EFAULT);
}

int main(void)
{
	moves();
	moves_after_fork();
	file_moves();
	protections();
	advice();
	locks();
	others();
	return check_done();
}
