/*
 * base.h - what every file of the library OS uses: types, Linux's own
 * constants (from the kernel's user-space API headers), lists, small helpers.
 *
 * The library OS is freestanding: no C library.  mem*, str* and snprintf
 * below are our own (libos/core/string.c).
 */
#ifndef LIBOS_BASE_H
#define LIBOS_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/errno.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#ifndef __ssize_t_defined
typedef long ssize_t;
#define __ssize_t_defined
#endif

/* Codes that never reach a program: how a system call is to be restarted
 * after a signal handler (as in Linux's include/linux/errno.h). */
#define ERESTARTSYS 512          /* if SA_RESTART, else EINTR */
#define ERESTARTNOINTR 513       /* always restart */
#define ERESTARTNOHAND 514       /* if no handler ran, else EINTR */
#define ERESTART_RESTARTBLOCK 516/* through task->restart, else EINTR */

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_UP(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define PAGE_DOWN(x) ((x) & PAGE_MASK)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, field) \
	((type *)(void *)((char *)(p) - offsetof(type, field)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Zeroed data that lies apart, so that the rest is close together: a new
 * picoprocess takes in 64 KiB of it at a time (core/task.c). */
#define LARGE __attribute__((section(".bss.large")))
/* The same for what most programs do not use, or use little of. */
#define RARE __attribute__((section(".bss.rare")))
#define NSEC_PER_SEC 1000000000ull

/* Pointers that can also carry an error. */
static inline bool is_err(const void *p) { return (uintptr_t)p > -4096ul; }
static inline long ptr_err(const void *p) { return (long)(intptr_t)p; }
static inline void *err_ptr(long e) { return (void *)(intptr_t)e; }

/* ---- doubly linked lists ------------------------------------------------ */
struct list { struct list *next, *prev; };
#define LIST_INIT(l) { &(l), &(l) }
static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_add_between(struct list *n, struct list *p,
				    struct list *x)
{
	x->prev = n; n->next = x; n->prev = p; p->next = n;
}
static inline void list_push_front(struct list *l, struct list *n)
{
	list_add_between(n, l, l->next);
}
static inline void list_push_back(struct list *l, struct list *n)
{
	list_add_between(n, l->prev, l);
}
static inline void list_remove(struct list *n)
{
	n->prev->next = n->next; n->next->prev = n->prev; list_init(n);
}
#define list_entry(p, type, field) container_of(p, type, field)
#define list_first(l, type, field) list_entry((l)->next, type, field)
#define list_for_each(it, l, field)                                          \
	for (it = list_entry((l)->next, __typeof__(*it), field);             \
	     &it->field != (l);                                              \
	     it = list_entry(it->field.next, __typeof__(*it), field))
#define list_for_each_safe(it, nx, l, field)                                 \
	for (it = list_entry((l)->next, __typeof__(*it), field),             \
	    nx = list_entry(it->field.next, __typeof__(*it), field);         \
	     &it->field != (l);                                              \
	     it = nx, nx = list_entry(it->field.next, __typeof__(*it), field))

/* ---- reference counts --------------------------------------------------- */
struct ref { u32 count; };
static inline void ref_init(struct ref *r) { r->count = 1; }
static inline void ref_get(struct ref *r)
{
	__atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED);
}
/* True for the one that dropped the last reference. */
static inline bool ref_put(struct ref *r)
{
	return __atomic_fetch_sub(&r->count, 1, __ATOMIC_ACQ_REL) == 1;
}

/* ---- strings (libos/core/string.c) --------------------------------------- */
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
/* Copies at most n-1 bytes, always terminates; returns strlen(s). */
size_t strlcpy(char *d, const char *s, size_t n);
/* %s %c %d %i %u %x %X %o %p %% with l, ll, z, width, precision, '-', '0';
 * returns the length that the whole text would have. */
int snprintf(char *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t n, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* ---- diagnostics --------------------------------------------------------- */
void klog(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Our own invariant is broken: report, end the sandbox. */
_Noreturn void panic(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
#define ASSERT(c)                                                            \
	do {                                                                 \
		if (UNLIKELY(!(c)))                                          \
			panic("%s:%d: %s", __FILE__, __LINE__, #c);          \
	} while (0)

#endif
