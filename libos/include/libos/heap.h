/*
 * heap.h - the kernel heap: memory shared by all picoprocesses of a sandbox,
 * at the same address in each.
 *
 * Everything that the library OS keeps lives here (its .data and .bss too),
 * so pointers are valid in every picoprocess.  kmalloc hands out small
 * objects, page_alloc runs of pages; file contents, shared memory and task
 * blocks are page runs.  Page runs are zeroed when first handed out (the
 * object is sparse; page_free gives the memory back to the host).
 */
#ifndef LIBOS_HEAP_H
#define LIBOS_HEAP_H

#include <bailey/boot.h>
#include <libos/base.h>

/* NULL when the sandbox's memory limit is reached: callers return ENOMEM. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void kfree(void *p); /* NULL is fine */
void *krealloc(void *p, size_t size);
char *kstrdup(const char *s);
char *kstrndup(const char *s, size_t n);

/* A run of zeroed pages, page aligned; NULL if there is no room. */
void *page_alloc(size_t pages);
/* As page_alloc, aligned to align bytes (a power of two >= PAGE_SIZE). */
void *page_alloc_aligned(size_t pages, size_t align);
void page_free(void *p, size_t pages);
/* One page, in the part of the heap that a resume does not fill (BLY_HEAP_LEFT):
 * its owner must know that its content is in the image then. */
void *left_page_alloc(void);
/* is_there: it has been touched since the start or the last resume. */
void left_page_free(void *p, bool is_there);
/* Free pages that are kept warm give their memory back. */
void heap_trim(void);
size_t page_used(void);      /* pages handed out */
/* Private memory of programs, counted where the host does not (--memory
 * without a cgroup): pages that are mapped writable, touched or not. */
void memory_charge(s64 pages);
bool memory_fits(u64 pages); /* that many more */
u64 memory_in_use(void);     /* bytes, of all that is counted */
void heap_init(void);

/* Offset of p in the heap object, for host_mem_map of heap_handle(). */
static inline u64 heap_offset(const void *p)
{
	return (u64)((uintptr_t)p - BLY_HEAP);
}
host_handle heap_handle(void);

#endif
