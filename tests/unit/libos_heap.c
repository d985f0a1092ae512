/*
 * libos_heap.c - the kernel heap (libos/core/heap.c) itself, without red
 * zones: against a model of what is in it.  And the library OS's own strings
 * and printing (libos/core/string.c, printf.c).
 */
#include "unit.h"

#include <bailey/boot.h>

/* ---- objects --------------------------------------------------------------- */
#define LIVE 600
static struct object { u8 *p; size_t size; u8 fill; } live[LIVE];

static bool holds(const struct object *o)
{
	for (size_t i = 0; i < o->size; i++)
		if (o->p[i] != o->fill)
			return false;
	return true;
}

static size_t any_size(void)
{
	switch (unit_random(4)) {
	case 0: return 1 + unit_random(64);
	case 1: return 1 + unit_random(2100);
	case 2: return 1 + unit_random(20000);
	default: return 1 + unit_random(400);
	}
}

static void one_step(struct object *o)
{
	if (o->p) {
		MUST(holds(o));
		if (unit_random(3) == 0) {
			size_t size = any_size();
			u8 *p = krealloc(o->p, size);

			MUST(p && ((u64)p & 15) == 0);
			for (size_t i = 0; i < MIN(size, o->size); i++)
				MUST(p[i] == o->fill);
			o->p = p;
			o->size = size;
			memset(p, o->fill, size);
			return;
		}
		kfree(o->p);
		o->p = NULL;
		return;
	}
	o->size = any_size();
	o->fill = (u8)unit_random(256);
	if (unit_random(2)) {
		o->p = kzalloc(o->size);
		for (size_t i = 0; i < o->size; i++)
			MUST(o->p[i] == 0);
	} else {
		o->p = kmalloc(o->size);
	}
	MUST(o->p && ((u64)o->p & 15) == 0);
	memset(o->p, o->fill, o->size);
}

UNIT(heap_objects)
{
	size_t before = page_used(), after;

	for (int round = 0; round < 60000; round++)
		one_step(&live[unit_random(LIVE)]);
	CHECK(true);
	for (int i = 0; i < LIVE; i++) {
		if (live[i].p)
			MUST(holds(&live[i]));
		kfree(live[i].p);
		live[i].p = NULL;
	}
	/* slabs stay with their class; all runs have come back */
	after = page_used();
	CHECK(after - before < 1500);
	for (int i = 0; i < 1000; i++)
		kfree(kmalloc(20000));
	EQ(page_used(), after);
	kfree(NULL);
	CHECK(!kmalloc(~0ul >> 1));
}

UNIT(heap_strings)
{
	char *s = kstrdup("a name"), *n = kstrndup("a name", 3);

	CHECK(!strcmp(s, "a name"));
	CHECK(!strcmp(n, "a n"));
	kfree(s);
	kfree(n);
	n = kstrndup("ab", 100);
	CHECK(!strcmp(n, "ab"));
	kfree(n);
}

/* ---- page runs --------------------------------------------------------------- */
static bool is_zero(const u64 *p, size_t pages)
{
	for (size_t i = 0; i < pages * PAGE_SIZE / 8; i++)
		if (p[i])
			return false;
	return true;
}

UNIT(heap_pages)
{
	enum { N = 64 };
	struct { u64 *p; size_t pages; } run[N] = { { NULL, 0 } };
	size_t before = page_used(), held = 0;

	for (int round = 0; round < 3000; round++) {
		unsigned i = unit_random(N);

		if (run[i].p) {
			MUST(run[i].p[0] == (u64)run[i].p);
			page_free(run[i].p, run[i].pages);
			held -= run[i].pages;
			run[i].p = NULL;
			continue;
		}
		run[i].pages = 1 + unit_random(round % 10 ? 20 : 300);
		run[i].p = page_alloc(run[i].pages);
		held += run[i].pages;
		MUST(run[i].p && ((u64)run[i].p & ~PAGE_MASK) == 0);
		MUST(is_zero(run[i].p, run[i].pages));
		memset(run[i].p, 0xff, run[i].pages * PAGE_SIZE);
		run[i].p[0] = (u64)run[i].p;
		MUST(page_used() == before + held);
	}
	CHECK(true);
	CHECK(!page_alloc(0));
	CHECK(!page_alloc(~0ul));
	page_free(NULL, 1);
}

/* Those that a resume does not fill lie apart, and count like all. */
UNIT(heap_left_pages)
{
	enum { N = 40 };
	u64 *page[N];
	size_t before = page_used();

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			page[i] = left_page_alloc();
			MUST((u64)page[i] >= BLY_HEAP_LEFT);
			MUST((u64)page[i] < BLY_HEAP + BLY_HEAP_SIZE);
			MUST(is_zero(page[i], 1));
			page[i][0] = (u64)page[i];
		}
		EQ(page_used(), before + N);
		for (int i = 0; i < N; i++) {
			MUST(page[i][0] == (u64)page[i]);
			left_page_free(page[i], true);
		}
		EQ(page_used(), before);
	}
	MUST((u64)page_alloc(1) < BLY_HEAP_LEFT);
}

UNIT(heap_aligned)
{
	for (size_t align = PAGE_SIZE; align <= 0x100000; align *= 2) {
		char *p = page_alloc_aligned(16, align);

		MUST(p && ((u64)p & (align - 1)) == 0);
		memset(p, 1, 16 * PAGE_SIZE);
		MUST(page_alloc(1));
	}
	CHECK(true);
}

UNIT(heap_limit)
{
	struct boot_info *b = (void *)BOOT_INFO_ADDR;
	void *p;

	b->memory_limit = (page_used() + 10) * PAGE_SIZE;
	CHECK(!page_alloc(11));
	p = page_alloc(10);
	CHECK(p != NULL);
	CHECK(!page_alloc(1));
	CHECK(!page_alloc_aligned(1, PAGE_SIZE));
	CHECK(!kmalloc(5000));
	page_free(p, 10);
	CHECK(page_alloc(10) != NULL);
	CHECK(heap_offset((void *)(BLY_HEAP + 4096)) == 4096);
}

/* ---- strings -------------------------------------------------------------------- */
UNIT(string_printf)
{
	char b[64];

	EQ(snprintf(b, sizeof(b), "%5d|%-5d|%05x", -42, 7, 0xab), 17);
	CHECK(!strcmp(b, "  -42|7    |000ab"));
	EQ(snprintf(b, 4, "%s", "abcdef"), 6);
	CHECK(!strcmp(b, "abc"));
	snprintf(b, sizeof(b), "%lu %lx %c%%", ~0ul, ~0ul, 'x');
	CHECK(!strcmp(b, "18446744073709551615 ffffffffffffffff x%"));
	snprintf(b, sizeof(b), "%.3s|%8.3s|%-8s|", "abcdef", "xyzzy", "ab");
	CHECK(!strcmp(b, "abc|     xyz|ab      |"));
	snprintf(b, sizeof(b), "%ld", -0x7fffffffffffffffl - 1);
	CHECK(!strcmp(b, "-9223372036854775808"));
	EQ(snprintf(NULL, 0, "%d", 12345), 5);
}

void *libos_memcpy(void *d, const void *s, size_t n);
void *libos_memmove(void *d, const void *s, size_t n);
void *libos_memset(void *d, int c, size_t n);
int libos_memcmp(const void *a, const void *b, size_t n);
void *libos_memchr(const void *s, int c, size_t n);
size_t libos_strlen(const char *s);
size_t libos_strnlen(const char *s, size_t n);
int libos_strcmp(const char *a, const char *b);
int libos_strncmp(const char *a, const char *b, size_t n);
char *libos_strchr(const char *s, int c);
char *libos_strrchr(const char *s, int c);
size_t libos_strlcpy(char *d, const char *s, size_t n);

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* The C library's are the model. */
UNIT(string_functions)
{
	char a[64], b[64], c[64];

	for (int round = 0; round < 20000; round++) {
		size_t n = unit_random(40), i = unit_random(20),
		       j = unit_random(20);
		int ch = 'a' + (int)unit_random(4);

		for (size_t k = 0; k < sizeof(a); k++) {
			a[k] = (char)('a' + unit_random(3));
			c[k] = b[k] = unit_random(8) ? a[k] : 'c';
		}
		a[unit_random(60)] = a[63] = b[63] = c[63] = '\0';
		MUST(libos_strlen(a) == strlen(a));
		MUST(libos_strnlen(a, n) == strnlen(a, n));
		MUST(sign(libos_strcmp(a, b)) == sign(strcmp(a, b)));
		MUST(sign(libos_strncmp(a, b, n)) == sign(strncmp(a, b, n)));
		MUST(sign(libos_memcmp(a, b, n)) == sign(memcmp(a, b, n)));
		MUST(libos_memchr(a, ch, n) == memchr(a, ch, n));
		MUST(libos_strchr(a, ch) == strchr(a, ch));
		MUST(libos_strrchr(a, ch) == strrchr(a, ch));
		libos_memmove(b + i, b + j, n);
		memmove(c + i, c + j, n);
		MUST(!memcmp(b, c, sizeof(b)));
		libos_memset(b + i, ch, n);
		memset(c + i, ch, n);
		MUST(!memcmp(b, c, sizeof(b)));
		libos_memcpy(b, a, n);
		memcpy(c, a, n);
		MUST(!memcmp(b, c, sizeof(b)));
		MUST(libos_strlcpy(b, a, n) == strlen(a));
		MUST(!n || strlen(b) == MIN(strlen(a), n - 1));
	}
	CHECK(true);
}
