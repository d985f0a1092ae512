/*
 * rewrite.h - what the two halves of the rewriter's fuzzer say to each other:
 * rewrite_libos.c holds the rewriter and a file of text for it, rewrite.c
 * makes the text and judges what has become of it.
 */
#ifndef TESTS_FUZZ_REWRITE_H
#define TESTS_FUZZ_REWRITE_H

#include <stddef.h>
#include <stdint.h>

/* A new file, mapped at base; trampolines will be at zone. */
void rw_begin(uint8_t *base, size_t size, uint8_t *zone);
void rw_end(void);
/* The guest has trapped at the system call at site; where it goes on. */
uint8_t *rw_trap(uint8_t *site, uint64_t nr);
/* The trampolines as they are now, or NULL. */
const uint8_t *rw_trampolines(size_t *bytes);
/* The rewriter's own opinion on an instruction: its length, or 0. */
size_t rw_simple(const uint8_t *b, int *ends);

#define RW_ZONE_SIZE 16384u

#endif
