/* Seals of a memfd and its mappings: what was mapped before goes on, what
 * comes after is refused. */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

static int sealable(void)
{
	int fd = memfd_create("seals", MFD_ALLOW_SEALING);

	return ftruncate(fd, 4 * PAGE) ? -1 : fd;
}
static char *map(int fd, int prot, int how)
{
	return mmap(NULL, PAGE, prot, how, fd, 0);
}

static void future_write(void)
{
	int fd = sealable();
	char *old = map(fd, RW, MAP_SHARED), *new, *more;

	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	old[0] = 'a';
	CHECK_ERRNO(map(fd, RW, MAP_SHARED), EPERM);
	CHECK_ERRNO(write(fd, "x", 1), EPERM);
	new = map(fd, PROT_READ, MAP_SHARED);
	CHECK(new != MAP_FAILED && new[0] == 'a');
	CHECK_ERRNO(mprotect(new, PAGE, RW), EACCES);
	CHECK(mprotect(old, PAGE, PROT_READ) == 0);
	CHECK(mprotect(old, PAGE, RW) == 0);
	more = mremap(old, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(more != MAP_FAILED);
	more[PAGE] = 'b';
	CHECK(more[0] == 'a');
	munmap(new, PAGE);
	new = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(new != MAP_FAILED && new[PAGE] == 'b');
	new[0] = 'c';
	CHECK(more[0] == 'a');
	if (!fork()) {
		more[1] = 'd';
		_exit(mprotect(more, PAGE, PROT_READ) ||
		      mprotect(more, PAGE, RW));
	}
	int status = -1;
	wait(&status);
	CHECK(status == 0 && more[1] == 'd');
}

static void busy(void)
{
	int fd = sealable(), status = -1;
	char *p = map(fd, RW, MAP_SHARED);
	int go[2];

	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK(fcntl(fd, F_GET_SEALS) == 0);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK(pipe(go) == 0);
	if (!fork()) {
		char c;

		close(go[1]);
		_exit(read(go[0], &c, 1) != 0);
	}
	munmap(p, PAGE);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	close(go[1]);
	wait(&status);
	CHECK(status == 0);
	p = map(fd, RW, MAP_PRIVATE);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	p[0] = 'a';
	CHECK_ERRNO(map(fd, RW, MAP_SHARED), EPERM);
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
	CHECK(map(fd, RW, MAP_PRIVATE) != MAP_FAILED);
}

static void sizes(void)
{
	int fd = sealable();
	char *p = map(fd, RW, MAP_SHARED);

	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
	CHECK_ERRNO(ftruncate(fd, PAGE), EPERM);
	CHECK_ERRNO(ftruncate(fd, 5 * PAGE), EPERM);
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	p[0] = 'a';
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), EPERM);
}

int main(void)
{
	future_write();
	busy();
	sizes();
	return check_done();
}
