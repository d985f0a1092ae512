/*
 * random.h - the sandbox's random number generator (libos/fs/random.c):
 * ChaCha20 with fast key erasure, keyed from the boot seed and the host.
 */
#ifndef LIBOS_RANDOM_H
#define LIBOS_RANDOM_H

#include <libos/base.h>

struct boot_info;

void random_bytes(void *buf, size_t n);
/* Mix fresh host entropy in, the seed of a new boot record: after a resume, so
 * that two copies of one image never share numbers. */
void random_reseed(struct boot_info *b);

#endif
