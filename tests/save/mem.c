/* mem.c - saved: every kind of memory, and what can be done with it after. */
#include "save.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>

#define PAGE 4096

static sigjmp_buf jump;
static volatile uintptr_t fault_at;
static void on_fault(int sig, siginfo_t *i, void *c)
{
	fault_at = (uintptr_t)i->si_addr;
	siglongjmp(jump, sig);
}
/* The signal that a write (or read) there gives, or 0. */
static int touch(volatile char *p, int is_write)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO }, old;
	int sig;

	sigaction(SIGSEGV, &sa, &old);
	sigaction(SIGBUS, &sa, NULL);
	sig = sigsetjmp(jump, 1);
	if (!sig) {
		if (is_write)
			*p = 1;
		else
			(void)*p;
	}
	sigaction(SIGSEGV, &old, NULL);
	return sig;
}
static char *private_memory(size_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* ---- the list of mappings is the same, line by line */
static char maps_before[65536], maps_after[65536];
static int read_maps(char *b)
{
	int fd = open("/proc/self/maps", O_RDONLY), n = 0, r;

	while ((r = read(fd, b + n, 65535 - n)) > 0)
		n += r;
	close(fd);
	return n;
}
static char *holes;
static void maps_setup(void)
{
	holes = private_memory(5 * PAGE, PROT_READ | PROT_WRITE);
	CHECK(!munmap(holes + PAGE, PAGE) && !munmap(holes + 3 * PAGE, PAGE));
	holes[2 * PAGE] = 'h';
	CHECK(read_maps(maps_before) > 100);
}
static void maps_verify(void)
{
	CHECK(read_maps(maps_after) > 100);
	CHECK(!strcmp(maps_before, maps_after));
	CHECK(holes[2 * PAGE] == 'h' && touch(holes + PAGE, 0) == SIGSEGV);
	CHECK(touch(holes + 3 * PAGE, 1) == SIGSEGV && !touch(holes, 1));
}

/* ---- anonymous: patterns, zero pages, protections, guard, big reservation */
static char *big, *ro, *none, *reserve, *exec_page;
#define BIG (24 << 20)

static void anonymous_setup(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	size_t i;

	big = private_memory(BIG, PROT_READ | PROT_WRITE);
	for (i = 0; i < BIG; i += PAGE)
		if (i / PAGE % 3)
			*(size_t *)(big + i + 8) = i * 2654435761u;
	ro = private_memory(PAGE, PROT_READ | PROT_WRITE);
	strcpy(ro, "read only");
	CHECK(!mprotect(ro, PAGE, PROT_READ));
	none = private_memory(3 * PAGE, PROT_READ | PROT_WRITE);
	strcpy(none + PAGE, "hidden");
	CHECK(!mprotect(none + PAGE, PAGE, PROT_NONE));
	reserve = mmap(NULL, 1ul << 38, PROT_NONE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(reserve != MAP_FAILED);
	CHECK(!mprotect(reserve + (1ul << 37), PAGE, PROT_READ | PROT_WRITE));
	strcpy(reserve + (1ul << 37), "island");
	exec_page = private_memory(PAGE, PROT_READ | PROT_WRITE);
	memcpy(exec_page, code, sizeof(code));
	CHECK(!mprotect(exec_page, PAGE, PROT_READ | PROT_EXEC));
}
static void anonymous_verify(void)
{
	size_t i, bad = 0;

	for (i = 0; i < BIG; i += PAGE)
		bad += *(size_t *)(big + i + 8) !=
		       (i / PAGE % 3 ? i * 2654435761u : 0);
	CHECK(!bad);
	CHECK(!strcmp(ro, "read only") && touch(ro, 1) == SIGSEGV);
	CHECK(fault_at == (uintptr_t)ro);
	CHECK(touch(none + PAGE, 0) == SIGSEGV && !touch(none, 1));
	CHECK(!mprotect(none + PAGE, PAGE, PROT_READ));
	CHECK(!strcmp(none + PAGE, "hidden"));
	CHECK(!strcmp(reserve + (1ul << 37), "island"));
	CHECK(touch(reserve, 0) == SIGSEGV);
	CHECK(((int (*)(void))exec_page)() == 42);
}

/* ---- what is done to it after the resume */
static char *drop, *grow, *move, *fork_page, *fixed;

static void changes_setup(void)
{
	drop = private_memory(4 * PAGE, PROT_READ | PROT_WRITE);
	memset(drop, 'd', 4 * PAGE);
	grow = private_memory(2 * PAGE, PROT_READ | PROT_WRITE);
	memset(grow, 'g', 2 * PAGE);
	move = private_memory(2 * PAGE, PROT_READ | PROT_WRITE);
	memset(move, 'm', 2 * PAGE);
	fork_page = private_memory(PAGE, PROT_READ | PROT_WRITE);
	strcpy(fork_page, "parent");
	fixed = private_memory(3 * PAGE, PROT_READ | PROT_WRITE);
	memset(fixed, 'f', 3 * PAGE);
}
static int child_writes(void)
{
	int was = !strcmp(fork_page, "parent") && drop[3 * PAGE] == 'd';

	strcpy(fork_page, "child");
	return was && !strcmp(fork_page, "child");
}
CHILD(writes, child_writes())
static void changes_verify(void)
{
	char *p;

	FORK(writes);
	CHECK(ENDED(writes) == 0 && !strcmp(fork_page, "parent"));
	CHECK(!madvise(drop, 2 * PAGE, MADV_DONTNEED));
	CHECK(drop[0] == 0 && drop[2 * PAGE - 1] == 0);
	CHECK(drop[2 * PAGE] == 'd' && drop[4 * PAGE - 1] == 'd');
	p = mremap(grow, 2 * PAGE, 4 << 20, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p[0] == 'g' && p[2 * PAGE - 1] == 'g');
	CHECK(p[2 * PAGE] == 0 && p[(4 << 20) - 1] == 0);
	p = private_memory(2 * PAGE, PROT_NONE);
	CHECK(mremap(move, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     p) == p);
	CHECK(p[0] == 'm' && p[PAGE] == 'm' && touch(move, 0) == SIGSEGV);
	CHECK(mremap(p, 2 * PAGE, PAGE, 0) == p && p[PAGE - 1] == 'm');
	CHECK(mmap(fixed + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED |
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == fixed + PAGE);
	CHECK(fixed[PAGE - 1] == 'f' && !fixed[PAGE] && fixed[2 * PAGE] == 'f');
	CHECK(!munmap(fixed, 3 * PAGE) && touch(fixed, 0) == SIGSEGV);
	CHECK(!madvise(big, BIG, MADV_DONTNEED) && !big[PAGE + 8]);
}

/* ---- files: private with changed pages, shared, deleted, beyond the end */
static char *priv, *shar, *gone, *lib, *sealed;
static int file;

static void files_setup(void)
{
	int fd, i;

	file = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (i = 0; i < 4; i++) {
		char b[PAGE];

		memset(b, 'a' + i, PAGE);
		CHECK(write(file, b, PAGE) == PAGE);
	}
	priv = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		    file, 0);
	shar = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    file, 0);
	priv[PAGE] = 'P';
	shar[2 * PAGE] = 'S';
	fd = open("deleted", O_RDWR | O_CREAT, 0600);
	CHECK(!ftruncate(fd, PAGE + 10) && pwrite(fd, "end", 3, PAGE) == 3);
	gone = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(!unlink("deleted"));
	close(fd);
	fd = open("/usr/bin/env", O_RDONLY);
	lib = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	lib[PAGE + 1] = 'L';
	close(fd);
	fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	CHECK(!ftruncate(fd, PAGE));
	sealed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
	sealed[0] = 's';
	close(fd);
}
static void files_verify(void)
{
	char b[8];
	int fd = open("mapped", O_RDWR);

	CHECK(priv[0] == 'a' && priv[PAGE] == 'P' && priv[PAGE + 1] == 'b');
	CHECK(shar[2 * PAGE] == 'S' && shar[PAGE] == 'b');
	CHECK(pread(fd, b, 1, 2 * PAGE) == 1 && b[0] == 'S');
	CHECK(pwrite(fd, "W", 1, 0) == 1 && shar[0] == 'W');
	shar[3 * PAGE] = 'T';
	CHECK(pread(fd, b, 1, 3 * PAGE) == 1 && b[0] == 'T');
	CHECK(priv[3 * PAGE] == 'T'); /* never touched: still the file's */
	CHECK(!memcmp(gone + PAGE, "end", 3));
	CHECK(touch(gone + 2 * PAGE, 0) == SIGBUS);
	CHECK(!memcmp(lib, "\177ELF", 4) && lib[PAGE + 1] == 'L');
	CHECK(sealed[0] == 's' && !touch(sealed + 1, 1));
	CHECK(!msync(shar, 4 * PAGE, MS_SYNC));
	close(fd);
	unlink("mapped");
}

/* ---- shared between processes, both writing on afterwards */
static volatile int *area;
static int partner(void)
{
	int i;

	for (i = 1; i <= 1000; i += 2) {
		while (area[0] != i)
			if (getppid() == 1 && area[2])
				return 0;
		area[1000 + i] = i;
		area[0] = i + 1;
	}
	return 1;
}
CHILD(shares, partner())

static void shared_setup(void)
{
	area = shared_memory(64 * PAGE);
	area[60000] = 6;
	FORK(shares);
}
static void shared_verify(void)
{
	int i, bad = 0;

	for (i = 0; i < 1000; i += 2) {
		area[0] = i + 1;
		while (area[0] != i + 2 && ALIVE(shares))
			;
		bad += area[1000 + i + 1] != i + 1;
	}
	CHECK(!bad && area[60000] == 6 && ENDED(shares) == 0);
}

/* ---- brk, and a stack that has grown and grows on */
static char *brk_end;
static int deep(int n)
{
	volatile char b[8192];
	int r;

	memset((char *)b, n, sizeof(b));
	r = n ? deep(n - 1) : 0;
	return r + (b[0] == (char)n && b[8191] == (char)n);
}
static void brk_setup(void)
{
	brk_end = sbrk(8 * PAGE);
	CHECK(brk_end != (void *)-1);
	memset(brk_end, 'b', 8 * PAGE);
	CHECK(deep(100) == 101);
}
static void brk_verify(void)
{
	char *p = sbrk(0);

	CHECK(p >= brk_end + 8 * PAGE && brk_end[8 * PAGE - 1] == 'b');
	p = sbrk(64 * PAGE);
	CHECK(p != (void *)-1 && !p[0] && !p[64 * PAGE - 1]);
	CHECK(deep(400) == 401); /* deeper than before */
	p = malloc(1 << 20);
	CHECK(p != NULL);
	memset(p, 1, 1 << 20);
	free(p);
}

static const struct save_case cases[] = {
	CASE(shared), CASE(anonymous), CASE(files), CASE(brk), CASE(changes),
	CASE(maps),
};
/* The maps are looked at first, before anything changes them. */
int main(int argc, char **argv)
{
	struct save_case c[6];

	memcpy(c, cases, sizeof(c));
	c[0].verify = maps_verify;
	c[5].verify = shared_verify;
	return save_main(c, 6, argc, argv);
}
