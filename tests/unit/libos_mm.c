/*
 * libos_mm.c - the guest's memory, really mapped: places, protections, moves,
 * files, against a model of what each page holds.
 */
#include "unit.h"

#include <libos/mm.h>

#include <linux/fcntl.h>
#include <linux/mman.h>

#define P PAGE_SIZE
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static long map(u64 addr, u64 size, int prot, int flags, long fd, u64 off)
{
	return SYS(mmap, addr, size, prot, flags, fd, off);
}

/* Can the guest's byte be read? */
static bool readable(long at)
{
	int p[2];
	long r;

	MUST(SYS(pipe2, p, 0) == 0);
	r = SYS(write, p[1], at, 1);
	SYS(close, p[0]);
	SYS(close, p[1]);
	MUST(r == 1 || r == -EFAULT);
	return r == 1;
}

UNIT(mm_errors)
{
	long f = SYS(openat, AT_FDCWD, "/tmp/f", O_RDONLY | O_CREAT, 0600);

	EQ(map(0, 0, RW, ANON, -1, 0), -EINVAL);
	EQ(map(0, P, RW, ANON, -1, 1), -EINVAL);
	EQ(map(0, P, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
	EQ(map(0, ~0ul, RW, ANON, -1, 0), -ENOMEM);
	EQ(map(1, P, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
	EQ(map(0, P, RW, ANON | MAP_FIXED, -1, 0), -EPERM);
	EQ(map(0x6a0040000000, P, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	EQ(map(0x69fffffff000, 2 * P, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	EQ(map(0, P, RW, MAP_SHARED, f, 0), -EACCES);
	EQ(map(0, P, RW, MAP_SHARED, 99, 0), -EBADF);
	EQ(SYS(munmap, 1, P), -EINVAL);
	EQ(SYS(munmap, P, 0), -EINVAL);
	EQ(SYS(munmap, 0x6a0040000000, P), 0); /* nothing of the guest's */
	EQ(SYS(mprotect, 0x690000000000, P, RW), -ENOMEM);
	EQ(SYS(mprotect, 0x690000000001, P, RW), -EINVAL);
	EQ(SYS(mprotect, 0x6a0040000000, P, 7), -ENOMEM);
	EQ(SYS(madvise, 0x690000000000, P, 999), -EINVAL);
}

UNIT(mm_places)
{
	long a = map(0, 10 * P, RW, ANON, -1, 0), b;

	CHECK(a > 0);
	EQ(SYS(munmap, a + 3 * P, 2 * P), 0);
	CHECK(readable(a + 2 * P) && !readable(a + 3 * P) &&
	      readable(a + 5 * P));
	EQ(map((u64)a, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), -EEXIST);
	EQ(map((u64)a + 3 * P, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
	   a + 3 * (long)P);
	EQ(map((u64)a + 4 * P, P, RW, ANON, -1, 0), a + 4 * (long)P); /* hint */
	b = map((u64)a, P, RW, ANON, -1, 0); /* taken: elsewhere */
	CHECK(b > 0 && b != a);
	*(char *)a = 'x';
	EQ(map((u64)a, P, RW, ANON | MAP_FIXED, -1, 0), a);
	EQ(*(char *)a, 0);
	EQ(SYS(mprotect, a + P, P, PROT_NONE), 0);
	CHECK(!readable(a + P) && readable(a + 2 * P));
	EQ(SYS(mprotect, a, 10 * P, RW), 0);
	EQ(SYS(munmap, a, 10 * P), 0);
	EQ(SYS(mprotect, a, P, RW), -ENOMEM);
	CHECK(!readable(a));
}

UNIT(mm_moves)
{
	long a = map(0, 4 * P, RW, ANON, -1, 0), b;

	memset((void *)a, 'm', 4 * P);
	b = SYS(mremap, a, 4 * P, 8 * P, 1 /* MAYMOVE */);
	CHECK(b > 0);
	EQ(((char *)b)[4 * P - 1], 'm');
	EQ(((char *)b)[8 * P - 1], 0);
	EQ(SYS(mremap, b, 8 * P, 2 * P, 0), b);
	CHECK(!readable(b + 2 * P));
	a = map(0, 2 * P, RW, ANON, -1, 0);
	EQ(SYS(mremap, b, 2 * P, 2 * P, 3, a), a); /* FIXED */
	EQ(((char *)a)[0], 'm');
	CHECK(!readable(b));
	EQ(SYS(mremap, a, 2 * P, 2 * P, 3, a + P), -EINVAL);
	EQ(SYS(mremap, b, P, P, 0), -EFAULT);
	EQ(SYS(mremap, a, P, 0, 0), -EINVAL);
	EQ(SYS(mremap, a + 1, P, P, 0), -EINVAL);
}

/* A file and its mappings are one. */
UNIT(mm_shared_file)
{
	long f = SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);
	char *s, *p, b[8];

	EQ(SYS(pwrite64, f, "file", 4, 0), 4);
	EQ(SYS(ftruncate, f, 3 * P), 0);
	s = (char *)map(0, 3 * P, RW, MAP_SHARED, f, 0);
	p = (char *)map(0, 3 * P, RW, MAP_PRIVATE, f, 0);
	MUST((long)s > 0 && (long)p > 0);
	CHECK(!memcmp(s, "file", 4) && !memcmp(p, "file", 4));
	s[1] = 'I';
	EQ(SYS(pread64, f, b, 4, 0), 4);
	CHECK(!memcmp(b, "fIle", 4));
	CHECK(p[1] == 'I');
	p[2] = 'X'; /* from here on its own */
	EQ(SYS(pwrite64, f, "new", 3, 0), 3);
	CHECK(!memcmp(s, "newe", 4) && p[2] == 'X');
	EQ(SYS(pwrite64, f, "far", 3, 2 * P + 10), 3);
	CHECK(!memcmp(s + 2 * P + 10, "far", 3));
	EQ(SYS(ftruncate, f, P), 0);
	CHECK(!readable((long)s + 2 * (long)P));
	EQ(SYS(msync, s, P, 4), 0);
	EQ(SYS(close, f), 0);
	s[0] = 'n';
	EQ(SYS(munmap, s, 3 * P), 0);
}

UNIT(mm_lower_file)
{
	char *s;
	long f;

	fake_tree_file("lower", "from the host", 0644);
	f = SYS(openat, AT_FDCWD, "/lower", O_RDONLY);
	s = (char *)map(0, P, PROT_READ, MAP_PRIVATE, f, 0);
	MUST((long)s > 0);
	CHECK(!memcmp(s, "from the host\0", 14));
	EQ(map(0, P, RW, MAP_SHARED, f, 0), -EACCES);
}

UNIT(mm_brk)
{
	long at;

	current()->proc->mm->brk_start = current()->proc->mm->brk =
		0x680000000000;
	at = SYS(brk, 0);
	EQ(at, 0x680000000000);
	EQ(SYS(brk, at + 10000), at + 10000);
	memset((void *)at, 1, 10000);
	EQ(SYS(brk, at + 100), at + 100);
	CHECK(!readable(at + 2 * (long)P));
	EQ(SYS(brk, at + 10000), at + 10000);
	EQ(((char *)at)[9999], 0);
	EQ(SYS(brk, 8), at + 10000);
}

UNIT(mm_advice)
{
	long a = map(0, 4 * P, RW, ANON, -1, 0);
	u8 vec[4];

	memset((void *)a, 1, 4 * P);
	EQ(SYS(madvise, a, 2 * P, 4 /* DONTNEED */), 0);
	CHECK(((char *)a)[0] == 0 && ((char *)a)[2 * P] == 1);
	EQ(SYS(mincore, a, 4 * P, vec), 0);
	EQ(SYS(mincore, a, 4 * P, 8), -EFAULT);
	EQ(SYS(mincore, a + 8 * P, P, vec), -ENOMEM);
	EQ(SYS(madvise, a + 1, P, 4), -EINVAL);
	EQ(SYS(mlock, a, 4 * P), 0);
	EQ(SYS(munlock, a, 4 * P), 0);
}

/* ---- against a model ------------------------------------------------------------------------ */
#define PAGES 64
static struct { bool there; u8 prot, value; } model[PAGES];
static long base;

static void model_check(void)
{
	for (u32 i = 0; i < PAGES; i++) {
		long at = base + (long)(i * P);

		MUST(readable(at) == (model[i].there &&
				      (model[i].prot & PROT_READ)));
		if (model[i].there && (model[i].prot & PROT_READ))
			MUST(*(u8 *)at == model[i].value);
	}
}

static bool all_there(u32 from, u32 n)
{
	for (u32 i = from; i < from + n; i++)
		if (!model[i].there)
			return false;
	return true;
}

static void model_step(void)
{
	u32 from = unit_random(PAGES - 8), n = 1 + unit_random(8);
	u64 at = (u64)base + from * P;
	u8 prot = unit_random(3) ? RW : unit_random(2) ? PROT_READ : 0;
	long r;

	switch (unit_random(4)) {
	case 0:
		MUST(map(at, n * P, prot, ANON | MAP_FIXED, -1, 0) ==
		     (long)at);
		for (u32 i = from; i < from + n; i++) {
			model[i].there = true;
			model[i].prot = prot;
			model[i].value = 0;
		}
		break;
	case 1:
		MUST(SYS(munmap, at, n * P) == 0);
		for (u32 i = from; i < from + n; i++)
			model[i].there = false;
		break;
	case 2:
		r = SYS(mprotect, at, n * P, prot);
		MUST(r == (all_there(from, n) ? 0 : -ENOMEM));
		for (u32 i = from; i < from + n && model[i].there; i++)
			model[i].prot = prot;
		break;
	default:
		for (u32 i = from; i < from + n; i++)
			if (model[i].there && model[i].prot == RW) {
				model[i].value = (u8)(1 + unit_random(255));
				*(u8 *)(base + (long)(i * P)) = model[i].value;
			}
	}
}

UNIT(mm_model)
{
	base = map(0, PAGES * P, PROT_NONE, ANON, -1, 0);
	MUST(base > 0);
	MUST(SYS(munmap, base, PAGES * P) == 0);
	for (int round = 0; round < 3000; round++) {
		model_step();
		if (round % 50 == 0)
			model_check();
	}
	model_check();
	CHECK(true);
}
