/*
 * util.h - small helpers of image/.
 */
#ifndef IMAGE_UTIL_H
#define IMAGE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define IMAGE_STATUS 125
#define PAGE 4096u
#define FAIL(e, ...) err_set((e), IMAGE_STATUS, __VA_ARGS__)

bool is_zero_page(const void *page);
uint64_t now_ns(void); /* CLOCK_REALTIME */
/* Processors that this process may use, 1 to 16. */
int processor_count(void);

/* Whole reads and writes; -1 with errno; read_at: fewer at the end of the
 * file only. */
ssize_t read_at(int fd, void *buf, size_t size, uint64_t offset);
int write_at(int fd, const void *buf, size_t size, uint64_t offset);
int write_all(int fd, const void *buf, size_t size);

/* Large tables, zeroed, given back to the host by big_free(): what a command
 * holds when it forks counts for its children, too.  NULL (and the old one
 * stays) when there is no memory. */
void *big_alloc(size_t size);
void *big_resize(void *p, size_t old, size_t size);
void big_free(void *p, size_t size);
/* Room for one more element: *items has *room elements of `size` bytes; grows
 * by doubling. */
int big_grow(void **items, size_t *room, size_t count, size_t size,
	     struct err *e);

void hash_short(uint8_t out[16], const void *data, size_t size); /* BLAKE2b */
uint64_t check64(const void *data, size_t size);                 /* XXH3-64 */
void hash_page(uint8_t out[16], const void *page);               /* XXH3-128 */
int crypto_ready(struct err *e);
void to_hex(char *out, const uint8_t *bytes, size_t count);

#endif
