/*
 * libos_data.c - contents of files in memory: sparse, cut, grown; random
 * reads and writes against a model.
 */
#include "unit.h"

#include <asm/stat.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>

static struct stat st;

static long size_of(long fd)
{
	return SYS(fstat, fd, &st) ? -1 : (long)st.st_size;
}

static long new_file(void)
{
	return SYS(openat, AT_FDCWD, "/tmp/f", O_RDWR | O_CREAT, 0600);
}

UNIT(data_sparse)
{
	static char b[100];
	long fd = new_file(), pages;

	pages = fake_heap_pages;
	EQ(SYS(pwrite64, fd, "end", 3, 1ul << 40), 3);
	EQ(size_of(fd), (1l << 40) + 3);
	CHECK(st.st_blocks < 1024);
	CHECK(fake_heap_pages - pages < 600);
	memset(b, 1, sizeof(b));
	EQ(SYS(pread64, fd, b, sizeof(b), 1ul << 30), 100);
	CHECK(b[0] == 0 && b[99] == 0);
	EQ(SYS(pread64, fd, b, sizeof(b), 1ul << 40), 3);
	EQ(SYS(pread64, fd, b, sizeof(b), 1ul << 41), 0);
	EQ(SYS(pread64, fd, b, sizeof(b), -1), -EINVAL);
	EQ(SYS(lseek, fd, 0, 3 /* SEEK_DATA */), 1l << 40);
	EQ(SYS(lseek, fd, 0, 4 /* SEEK_HOLE */), 0);
	EQ(SYS(ftruncate, fd, 5), 0);
	EQ(size_of(fd), 5);
	EQ(SYS(ftruncate, fd, -1), -EINVAL);
	EQ(SYS(ftruncate, fd, 10), 0);
	EQ(SYS(close, fd), 0);
	EQ(SYS(unlink, "/tmp/f"), 0);
	CHECK(fake_heap_pages - pages < 8); /* all has come back */
}

/* What was cut off does not come back when the file grows. */
UNIT(data_cut_and_grow)
{
	char b[16];
	long fd = new_file();

	EQ(SYS(write, fd, "abcdefgh", 8), 8);
	EQ(SYS(ftruncate, fd, 3), 0);
	EQ(SYS(ftruncate, fd, 8), 0);
	EQ(SYS(pread64, fd, b, 16, 0), 8);
	CHECK(!memcmp(b, "abc\0\0\0\0\0", 8));
	EQ(SYS(ftruncate, fd, 2), 0);
	EQ(SYS(pwrite64, fd, "z", 1, 6), 1);
	EQ(SYS(pread64, fd, b, 16, 0), 7);
	CHECK(!memcmp(b, "ab\0\0\0\0z", 7));
}

UNIT(data_bad_memory)
{
	char b[16];
	long fd = new_file();

	EQ(SYS(write, fd, 8, 10), -EFAULT);
	EQ(SYS(write, fd, "abc", 3), 3);
	EQ(SYS(pread64, fd, 8, 10, 0), -EFAULT);
	EQ(SYS(pread64, fd, b, -1, 0), -EFAULT);
	EQ(SYS(readv, fd, 8, 1), -EFAULT);
	EQ(SYS(readv, fd, b, 1025), -EINVAL);
	EQ(SYS(write, fd, b, 0), 0);
	EQ(SYS(write, 99, b, 0), -EBADF);
	EQ(size_of(fd), 3);
}

/* Where guest memory may not be the library OS's own. */
UNIT(data_kernel_memory)
{
	long fd = new_file();

	EQ(SYS(write, fd, "abc", 3), 3);
	EQ(SYS(pread64, fd, 0x6a0040000000, 3, 0), -EFAULT);
	EQ(SYS(write, fd, 0x6a0040000000, 3), -EFAULT);
	EQ(SYS(write, fd, 0x69fffffffffe, 8), -EFAULT);
	EQ(SYS(write, fd, 0x800000000000, 3), -EFAULT);
	EQ(SYS(fstat, fd, 0x6a0041000000), -EFAULT);
	EQ(SYS(getcwd, 0x6a0041000000, 10), -EFAULT);
}

UNIT(data_vectors)
{
	char a[4] = "", b[8] = "";
	struct { void *p; u64 n; } v[3] = { { a, 3 }, { NULL, 0 }, { b, 7 } };
	long fd = new_file();

	EQ(SYS(write, fd, "0123456789", 10), 10);
	EQ(SYS(preadv, fd, v, 3, 1, 0), 9);
	CHECK(!strcmp(a, "123") && !memcmp(b, "456789", 6));
	EQ(SYS(pwritev, fd, v, 3, 0, 0), 10);
	EQ(SYS(pread64, fd, a, 3, 0), 3);
	CHECK(!strcmp(a, "123"));
	v[1].n = ~0ul;
	EQ(SYS(preadv, fd, v, 3, 0, 0), -EINVAL);
	v[1].n = 5;
	EQ(SYS(preadv, fd, v, 3, 0, 0), 3); /* up to the bad one */
}

/* ---- against a model ------------------------------------------------------------- */
#define MAX_SIZE 200000u
static u8 model[MAX_SIZE], buf[MAX_SIZE];
static u32 model_size;

static void model_write(u32 at, u32 n, const u8 *from)
{
	if (at > model_size)
		memset(model + model_size, 0, at - model_size);
	memcpy(model + at, from, n);
	model_size = MAX(model_size, at + n);
}

static void model_resize(u32 size)
{
	if (size > model_size)
		memset(model + model_size, 0, size - model_size);
	model_size = size;
}

static u32 any_length(void)
{
	return unit_random(2) ? unit_random(200) : unit_random(30000);
}

static void data_step(long fd)
{
	u32 at = unit_random(MAX_SIZE - 30001), n = any_length(), end;
	long r;

	switch (unit_random(8)) {
	case 0: case 1: case 2:
		memset(buf, (int)unit_random(256), n);
		MUST(SYS(pwrite64, fd, buf, n, at) == (long)n);
		if (n)
			model_write(at, n, buf);
		break;
	case 3: case 4: case 5:
		end = MIN(at + n, model_size);
		r = SYS(pread64, fd, buf, n, at);
		MUST(r == (end > at ? (long)(end - at) : 0));
		MUST(!memcmp(buf, model + at, (size_t)r));
		break;
	case 6:
		if (unit_random(4) == 0) {
			MUST(SYS(ftruncate, fd, at) == 0);
			model_resize(at);
		}
		break;
	default:
		if (!n)
			break;
		MUST(SYS(fallocate, fd, FALLOC_FL_PUNCH_HOLE |
			 FALLOC_FL_KEEP_SIZE, at, n) == 0);
		if (at < model_size)
			memset(model + at, 0, MIN(n, model_size - at));
	}
	MUST(size_of(fd) == (long)model_size);
}

static void data_whole(long fd)
{
	MUST(SYS(pread64, fd, buf, sizeof(buf), 0) == (long)model_size);
	MUST(!memcmp(buf, model, model_size));
}

UNIT(data_model)
{
	long fd = new_file();

	for (int round = 0; round < 6000; round++) {
		data_step(fd);
		if (round % 500 == 0)
			data_whole(fd);
	}
	data_whole(fd);
	CHECK(true);
}

/* The same over a file of the lower tree, which is copied at the first write. */
UNIT(data_model_lower)
{
	static char text[60001];
	long fd;

	for (u32 i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 23);
	fake_tree_file("big", text, 0644);
	model_write(0, sizeof(text) - 1, (const u8 *)text);
	fd = SYS(openat, AT_FDCWD, "/big", O_RDWR);
	CHECK(fd >= 0);
	data_whole(fd);
	for (int round = 0; round < 2000; round++)
		data_step(fd);
	data_whole(fd);
	CHECK(!strcmp(fake_tree_read("big"), text));
}
