/*
 * names.h - included before everything in the hosted build of the library OS.
 *
 * What the C library has too goes by another name: printing everywhere, so
 * that the library OS's own is used; memory and strings in string.c, so that
 * all others use the C library's, which the sanitizers watch.  The heap is
 * reached through one with red zones (fake_heap.c), which itself and heap.c
 * see the real one.
 */
#define snprintf libos_snprintf
#define vsnprintf libos_vsnprintf
#ifdef UNIT_STRING
#define memcpy libos_memcpy
#define memmove libos_memmove
#define memset libos_memset
#define memcmp libos_memcmp
#define memchr libos_memchr
#define strlen libos_strlen
#define strnlen libos_strnlen
#define strcmp libos_strcmp
#define strncmp libos_strncmp
#define strchr libos_strchr
#define strrchr libos_strrchr
#define strlcpy libos_strlcpy
#endif
#ifndef UNIT_HEAP
#define kmalloc checked_kmalloc
#define kzalloc checked_kzalloc
#define kfree checked_kfree
#define krealloc checked_krealloc
#define kstrdup checked_kstrdup
#define kstrndup checked_kstrndup
#define page_alloc checked_page_alloc
#define page_free checked_page_free
#endif
