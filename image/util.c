/*
 * util.c - see util.h.
 */
#include "image/util.h"

#include <errno.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

bool is_zero_page(const void *page)
{
	const uint64_t *p = page;
	unsigned i, k;

	for (i = 0; i < PAGE / 8; i += 16) {
		uint64_t any = 0;

		for (k = 0; k < 16; k++)
			any |= p[i + k];
		if (any)
			return false;
	}
	return true;
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int processor_count(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > 16 ? 16 : n;
}

/* ---- reading and writing ------------------------------------------------ */
ssize_t read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_at(int fd, const void *buf, size_t size, uint64_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, buf, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf = (const char *)buf + n;
		size -= (size_t)n;
		offset += (size_t)n;
	}
	return 0;
}

int write_all(int fd, const void *buf, size_t size)
{
	while (size) {
		ssize_t n = write(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf = (const char *)buf + n;
		size -= (size_t)n;
	}
	return 0;
}

/* ---- memory ------------------------------------------------------------- */
#ifdef __SANITIZE_ADDRESS__ /* where overruns of one byte show */
void *big_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *big_resize(void *p, size_t old, size_t size)
{
	uint8_t *q = realloc(p, size);

	if (q && size > old)
		memset(q + old, 0, size - old);
	return q;
}

void big_free(void *p, size_t size)
{
	free(p);
}
#else
void *big_alloc(size_t size)
{
	void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *big_resize(void *p, size_t old, size_t size)
{
	void *q;

	if (!p)
		return big_alloc(size);
	q = mremap(p, old, size, MREMAP_MAYMOVE);
	return q == MAP_FAILED ? NULL : q;
}

void big_free(void *p, size_t size)
{
	if (p)
		munmap(p, size ? size : 1);
}
#endif

int big_grow(void **items, size_t *room, size_t count, size_t size,
	     struct err *e)
{
	size_t more = *room ? *room * 2 : 65536 / size + 1;
	void *p;

	if (count < *room)
		return 0;
	p = big_resize(*items, *room * size, more * size);
	if (!p)
		return FAIL(e, "out of memory for the tables of an image");
	*items = p;
	*room = more;
	return 0;
}

/* ---- checksums ---------------------------------------------------------- */
void hash_short(uint8_t out[16], const void *data, size_t size)
{
	crypto_generichash(out, 16, data, size, NULL, 0);
}

uint64_t check64(const void *data, size_t size)
{
	return XXH3_64bits(data, size);
}

void hash_page(uint8_t out[16], const void *page)
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits(page, PAGE));
	memcpy(out, c.digest, 16);
}

int crypto_ready(struct err *e)
{
	if (sodium_init() < 0)
		return FAIL(e, "libsodium does not start on this host");
	return 0;
}

void to_hex(char *out, const uint8_t *bytes, size_t count)
{
	static const char digit[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < count; i++) {
		out[2 * i] = digit[bytes[i] >> 4];
		out[2 * i + 1] = digit[bytes[i] & 15];
	}
	out[2 * count] = 0;
}
