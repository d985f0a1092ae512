/*
 * sha1.c - see sha1.h.  FIPS 180-4, for input of at most SHA1_INPUT_MAX bytes.
 */
#include "lib/sha1.h"

#include <assert.h>
#include <string.h>

enum { BLOCK = 64, ROUNDS = 80, LENGTH_BYTES = 8 };

static uint32_t rotate(uint32_t v, int by)
{
	return v << by | v >> (32 - by);
}

static uint32_t mix(int i, uint32_t b, uint32_t c, uint32_t d)
{
	if (i < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (i < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (i < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[ROUNDS], v[5];

	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			(uint32_t)p[2] << 8 | p[3];
	for (int i = 16; i < ROUNDS; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t t = rotate(v[0], 5) + mix(i, v[1], v[2], v[3]) + v[4] +
			w[i];

		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotate(v[1], 30);
		v[1] = v[0];
		v[0] = t;
	}
	for (int i = 0; i < 5; i++)
		h[i] += v[i];
}

void sha1(const void *data, size_t size, uint8_t out[SHA1_SIZE])
{
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
		0xc3d2e1f0 };
	uint8_t padded[2 * BLOCK] = { 0 };
	size_t blocks = size + 1 + LENGTH_BYTES > BLOCK ? 2 : 1;

	assert(size <= SHA1_INPUT_MAX);
	memcpy(padded, data, size);
	padded[size] = 0x80;
	padded[blocks * BLOCK - 2] = (uint8_t)(size * 8 >> 8);
	padded[blocks * BLOCK - 1] = (uint8_t)(size * 8);
	for (size_t i = 0; i < blocks; i++)
		add_block(h, padded + i * BLOCK);
	for (int i = 0; i < SHA1_SIZE; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}
