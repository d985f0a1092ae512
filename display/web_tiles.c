/*
 * web_tiles.c - lossless rectangles (web.h), cheap to make and to draw.
 *
 * The message TILES holds, deflated if that is worth while, for each
 *   u16 x, u16 y, u8 width, u8 height, u16 colours
 * then, if colours is 0, red, green, blue of each pixel; else those of each
 * colour and, if there are more than one, a byte for each pixel.
 */
#include "display/web.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEAD = 8, COLOURS_MAX = 256, SLOTS = 1024, LEVEL = 1, RAW_BITS = -15,
       MEMORY_LEVEL = 8, DEFLATE_MIN = 4096 };
enum { RECTANGLE_MAX = HEAD + TILE * TILE * 3 + COLOURS_MAX * 3 };

static uint8_t *raw; /* what has been gathered */
static size_t raw_size, raw_room;

/* ---- colours ------------------------------------------------------------ */
static struct { uint32_t colour; uint16_t index; } slots[SLOTS];
static uint16_t colour_count;

/* Its number, from 0; COLOURS_MAX: there are too many. */
static uint16_t number_of(uint32_t colour, uint8_t *palette)
{
	uint32_t at = (colour * 0x9e3779b1u) >> 22;

	for (; slots[at].index; at = (at + 1) % SLOTS)
		if (slots[at].colour == colour)
			return slots[at].index - 1;
	if (colour_count == COLOURS_MAX)
		return COLOURS_MAX;
	slots[at].colour = colour;
	slots[at].index = ++colour_count;
	palette[colour_count * 3 - 3] = (uint8_t)(colour >> 16);
	palette[colour_count * 3 - 2] = (uint8_t)(colour >> 8);
	palette[colour_count * 3 - 1] = (uint8_t)colour;
	return colour_count - 1;
}

/* A byte for each pixel; false: too many colours. */
static bool count_colours(const uint8_t *pixels, uint32_t stride, uint32_t w,
			  uint32_t h, uint8_t *palette, uint8_t *out)
{
	uint32_t last = ~0u;
	uint16_t number = 0;

	memset(slots, 0, sizeof(slots));
	colour_count = 0;
	for (uint32_t y = 0; y < h; y++, pixels += stride)
		for (uint32_t x = 0; x < w; x++) {
			uint32_t colour = get32(pixels + x * 4) & 0xffffff;

			if (colour != last)
				number = number_of(colour, palette);
			if (number == COLOURS_MAX)
				return false;
			last = colour;
			*out++ = (uint8_t)number;
		}
	return true;
}

static uint8_t *put_pixels(uint8_t *to, const uint8_t *pixels, uint32_t stride,
			   uint32_t w, uint32_t h)
{
	for (uint32_t y = 0; y < h; y++, pixels += stride)
		for (uint32_t x = 0; x < w; x++, to += 3) {
			to[0] = pixels[x * 4 + 2];
			to[1] = pixels[x * 4 + 1];
			to[2] = pixels[x * 4];
		}
	return to;
}

static uint8_t *put_colours(uint8_t *to, const uint8_t *palette,
			    const uint8_t *numbers, size_t count)
{
	memcpy(to, palette, colour_count * 3u);
	to += colour_count * 3u;
	if (colour_count == 1)
		return to;
	memcpy(to, numbers, count);
	return to + count;
}

/* ---- gathering ---------------------------------------------------------- */
static uint8_t *make_room(void)
{
	if (raw_size + RECTANGLE_MAX > raw_room) {
		raw_room = (raw_size + RECTANGLE_MAX) * 2;
		raw = realloc(raw, raw_room);
		if (!raw)
			abort();
	}
	return raw + raw_size;
}

bool tiles_add(const uint8_t *pixels, uint32_t stride, uint32_t x, uint32_t y,
	       uint32_t w, uint32_t h, bool is_any)
{
	static uint8_t palette[COLOURS_MAX * 3], numbers[TILE * TILE];
	bool is_few = count_colours(pixels, stride, w, h, palette, numbers);
	uint8_t *to;

	if (!is_few && !is_any)
		return false;
	to = make_room();
	put16(to, x);
	put16(to + 2, y);
	to[4] = (uint8_t)w;
	to[5] = (uint8_t)h;
	put16(to + 6, is_few ? colour_count : 0);
	to = is_few ? put_colours(to + HEAD, palette, numbers, (size_t)w * h) :
		put_pixels(to + HEAD, pixels, stride, w, h);
	raw_size = (size_t)(to - raw);
	return true;
}

/* ---- sending ------------------------------------------------------------ */
static size_t deflate_all(uint8_t **out)
{
	static z_stream z;
	static bool is_open;
	static uint8_t *packed;
	static size_t room;
	size_t most;

	if (!is_open)
		is_open = deflateInit2(&z, LEVEL, Z_DEFLATED, RAW_BITS,
			MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
	if (!is_open || deflateReset(&z) != Z_OK)
		return 0;
	most = deflateBound(&z, raw_size);
	if (most > room) {
		free(packed);
		packed = malloc(most);
		room = packed ? most : 0;
	}
	z.next_in = raw;
	z.avail_in = (uInt)raw_size;
	z.next_out = *out = packed;
	z.avail_out = (uInt)room;
	return packed && deflate(&z, Z_FINISH) == Z_STREAM_END ? z.total_out :
		0;
}

void tiles_send(struct websocket *s)
{
	uint8_t head[HEAD] = { WEB_TILES }, *packed = NULL;
	size_t size = raw_size > DEFLATE_MIN ? deflate_all(&packed) : 0;

	if (!raw_size)
		return;
	head[1] = size > 0;
	put32(head + 4, (uint32_t)raw_size);
	websocket_send(s, head, HEAD, size ? packed : raw,
		       size ? size : raw_size);
	raw_size = 0;
}
