/*
 * fake_heap.c - the kernel heap with red zones, for the sanitizer to see.
 *
 * Every file of the library OS but heap.c itself is built with kmalloc and
 * its kin named checked_*.  An object has its size in front, in poisoned
 * memory, and poison behind; new objects hold junk; freed ones and freed
 * page runs stay poisoned and unused for a while, so that a use after free
 * is seen.
 */
#include <libos/heap.h>
#include <libos/lock.h>

#include "fake.h"

void __asan_poison_memory_region(const volatile void *p, size_t size);
void __asan_unpoison_memory_region(const volatile void *p, size_t size);
#define UNSEEN __attribute__((no_sanitize("address"), noinline))

void *checked_kmalloc(size_t size);
void *checked_kzalloc(size_t size);
void checked_kfree(void *p);
void *checked_krealloc(void *p, size_t size);
char *checked_kstrdup(const char *s);
char *checked_kstrndup(const char *s, size_t n);
void *checked_page_alloc(size_t pages);
void checked_page_free(void *p, size_t pages);

#define FRONT 16  /* bytes before a small object */
#define BACK 16   /* at least, behind any */
#define SMALL 1024
#define KEEP 1024 /* freed things that stay unused */

unsigned fake_heap_fail;
long fake_heap_objects, fake_heap_pages;

static struct mutex lock; /* guards what follows */
static struct kept { void *p; size_t pages; } kept[KEEP];
static unsigned keep_next;

static bool must_fail(void)
{
	bool fail;

	mutex_lock(&lock);
	fail = fake_heap_fail && --fake_heap_fail == 0;
	mutex_unlock(&lock);
	return fail;
}

/* Objects of a page and more stay page aligned: their front is a page. */
static size_t front_of(const void *p)
{
	return (uintptr_t)p & ~PAGE_MASK ? FRONT : PAGE_SIZE;
}

UNSEEN static void size_put(char *base, size_t size)
{
	*(volatile size_t *)(void *)base = size;
}

UNSEEN static size_t size_of(const void *p)
{
	return *(const volatile size_t *)(const void *)
		((const char *)p - front_of(p));
}

/* More than a page is a page run: aligned. */
static size_t whole_size(size_t front, size_t size)
{
	return (front + size + BACK + 7) & ~7ul;
}

void *checked_kmalloc(size_t size)
{
	size_t front = size <= SMALL ? FRONT : PAGE_SIZE;
	size_t whole = whole_size(front, size);
	char *base, *p;

	base = must_fail() ? NULL : kmalloc(whole);
	if (!base)
		return NULL;
	p = base + front;
	if (front == FRONT && !((uintptr_t)p & ~PAGE_MASK))
		panic("a small object that looks large");
	size_put(base, size);
	if (front == FRONT)
		memset(p, 0xa5, size);
	__asan_poison_memory_region(base, whole);
	__asan_unpoison_memory_region(p, size);
	__atomic_fetch_add(&fake_heap_objects, 1, __ATOMIC_RELAXED);
	return p;
}

void *checked_kzalloc(size_t size)
{
	void *p = checked_kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

/* Freed: in exchange for what was freed longest ago. */
static void keep(void *p, size_t pages)
{
	struct kept old;

	mutex_lock(&lock);
	old = kept[keep_next];
	kept[keep_next] = (struct kept){ p, pages };
	keep_next = (keep_next + 1) % KEEP;
	mutex_unlock(&lock);
	if (!old.p)
		return;
	if (old.pages) {
		__asan_unpoison_memory_region(old.p, old.pages * PAGE_SIZE);
		page_free(old.p, old.pages);
	} else {
		size_t front = front_of(old.p), size = size_of(old.p);

		__asan_unpoison_memory_region((char *)old.p - front,
					      whole_size(front, size));
		kfree((char *)old.p - front);
	}
}

void checked_kfree(void *p)
{
	if (!p)
		return;
	*(volatile char *)p; /* a double free is seen here */
	__asan_poison_memory_region(p, size_of(p) ? size_of(p) : 1);
	__atomic_fetch_sub(&fake_heap_objects, 1, __ATOMIC_RELAXED);
	keep(p, 0);
}

void *checked_krealloc(void *p, size_t size)
{
	void *q;

	if (!p)
		return checked_kmalloc(size);
	q = checked_kmalloc(size);
	if (!q)
		return NULL;
	memcpy(q, p, MIN(size_of(p), size));
	checked_kfree(p);
	return q;
}

char *checked_kstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = checked_kmalloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *checked_kstrdup(const char *s)
{
	return checked_kstrndup(s, strlen(s));
}

void *checked_page_alloc(size_t pages)
{
	void *p = must_fail() ? NULL : page_alloc(pages);

	if (p)
		__atomic_fetch_add(&fake_heap_pages, (long)pages,
				   __ATOMIC_RELAXED);
	return p;
}

void checked_page_free(void *p, size_t pages)
{
	if (!p)
		return;
	*(volatile char *)p;
	__atomic_fetch_sub(&fake_heap_pages, (long)pages, __ATOMIC_RELAXED);
	if (pages > 64) {
		page_free(p, pages);
		return;
	}
	__asan_poison_memory_region(p, pages * PAGE_SIZE);
	keep(p, pages);
}
