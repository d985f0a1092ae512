/*
 * copied_image.c - pictures (copied.h).
 *
 * A device-independent bitmap is a BMP file without its first 14 bytes.  What
 * goes out is made anew: 24 bits a pixel, bottom line first, which everything
 * reads; what was transparent is white.  Compressed bitmaps are not read; they
 * come in as BMP only, as they are.
 */
#include "display/copied.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_HEADER = 14, HEADER = 40, SIDE_MAX = 16384,
       COMPRESSION_NONE = 0, COMPRESSION_MASKS = 3, MASKS_BYTES = 12 };

struct bitmap {
	uint32_t width, height, bits;
	size_t stride, start; /* of a line; of the first in the data */
	size_t colours, colour_count; /* below 24 bits: where the table is */
	bool is_top_first;
};

static uint32_t get16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

/* ---- bitmaps ------------------------------------------------------------ */
/* Header, masks and colours lie before the pixels. */
static size_t pixels_start(const uint8_t *d, uint32_t header, uint32_t bits)
{
	uint32_t colours = get32(d + 32);

	if (!colours && bits <= 8)
		colours = 1u << bits;
	if (colours > 256)
		return SIZE_MAX;
	return header + colours * 4u + (header == HEADER &&
		get32(d + 16) == COMPRESSION_MASKS ? MASKS_BYTES : 0);
}

static bool has_common_masks(const uint8_t *d)
{
	return get32(d + HEADER) == 0xff0000 &&
		get32(d + HEADER + 4) == 0xff00 && get32(d + HEADER + 8) == 0xff;
}

static bool read_header(const uint8_t *d, size_t size, struct bitmap *b)
{
	uint32_t header = size < HEADER + MASKS_BYTES ? 0 : get32(d);
	uint32_t compression;
	int32_t height;

	if (header < HEADER || header > 124)
		return false;
	b->width = get32(d + 4);
	height = (int32_t)get32(d + 8);
	b->is_top_first = height < 0;
	b->height = height < 0 ? 0u - (uint32_t)height : (uint32_t)height;
	b->bits = get16(d + 14);
	compression = get32(d + 16);
	if (!b->width || b->width > SIDE_MAX || !b->height ||
	    b->height > SIDE_MAX || (b->bits != 24 && b->bits != 32 &&
				     b->bits != 8 && b->bits != 4 &&
				     b->bits != 1))
		return false;
	if (compression != COMPRESSION_NONE &&
	    !(compression == COMPRESSION_MASKS && b->bits == 32 &&
	      has_common_masks(d)))
		return false;
	b->stride = ((size_t)b->width * b->bits + 31) / 32 * 4;
	b->start = pixels_start(d, header, b->bits);
	b->colours = header;
	b->colour_count = b->bits > 8 ? 0 : (b->start - header) / 4;
	return b->start < size && b->stride * b->height <= size - b->start;
}

static void read_pixel(const uint8_t *d, const struct bitmap *b,
		       const uint8_t *line, uint32_t x, uint8_t *to)
{
	uint32_t bit = x * b->bits, index;

	if (b->bits > 8) {
		memcpy(to, line + bit / 8, 3);
		return;
	}
	index = (uint32_t)line[bit / 8] >> (8 - b->bits - bit % 8) &
		((1u << b->bits) - 1);
	if (index < b->colour_count)
		memcpy(to, d + b->colours + index * 4, 3);
	else
		memset(to, 0, 3);
}

/* Blue, green, red, lines from the top without padding. */
static uint8_t *read_pixels(const uint8_t *d, const struct bitmap *b)
{
	uint8_t *out = malloc((size_t)b->width * b->height * 3), *to = out;

	for (uint32_t y = 0; out && y < b->height; y++) {
		uint32_t line = b->is_top_first ? y : b->height - 1 - y;
		const uint8_t *p = d + b->start + line * b->stride;

		for (uint32_t x = 0; x < b->width; x++, to += 3)
			read_pixel(d, b, p, x, to);
	}
	return out;
}

static bool write_bitmap(const uint8_t *pixels, uint32_t width,
			 uint32_t height, struct copied *out)
{
	size_t stride = ((size_t)width * 3 + 3) / 4 * 4;

	out->size = HEADER + stride * height;
	out->data = out->size > COPIED_IMAGE_MAX ? NULL :
		calloc(1, out->size);
	if (!out->data)
		return false;
	put32(out->data, HEADER);
	put32(out->data + 4, width);
	put32(out->data + 8, height);
	put16(out->data + 12, 1);
	put16(out->data + 14, 24);
	put32(out->data + 20, (uint32_t)(stride * height));
	for (uint32_t y = 0; y < height; y++)
		memcpy(out->data + HEADER + stride * (height - 1 - y),
		       pixels + (size_t)y * width * 3, (size_t)width * 3);
	return true;
}

/* ---- in ----------------------------------------------------------------- */
bool copied_bmp_in(const uint8_t *dib, size_t size, struct copied *out)
{
	size_t start;

	*out = (struct copied){ 0 };
	if (size < HEADER || size > COPIED_IMAGE_MAX || get32(dib) < HEADER ||
	    get32(dib) > 124)
		return false;
	start = pixels_start(dib, get32(dib), get16(dib + 14));
	out->data = start > size ? NULL : calloc(1, size + FILE_HEADER);
	if (!out->data)
		return false;
	out->size = size + FILE_HEADER;
	memcpy(out->data, "BM", 2);
	put32(out->data + 2, (uint32_t)out->size);
	put32(out->data + 10, (uint32_t)(start + FILE_HEADER));
	memcpy(out->data + FILE_HEADER, dib, size);
	return true;
}

bool copied_png_in(const uint8_t *dib, size_t size, struct copied *out)
{
	png_image image = { .version = PNG_IMAGE_VERSION,
		.format = PNG_FORMAT_BGR, .flags = PNG_IMAGE_FLAG_FAST };
	png_alloc_size_t room;
	struct bitmap b;
	uint8_t *pixels;

	*out = (struct copied){ 0 };
	if (size > COPIED_IMAGE_MAX || !read_header(dib, size, &b))
		return false;
	pixels = read_pixels(dib, &b);
	if (!pixels)
		return false;
	image.width = b.width;
	image.height = b.height;
	room = PNG_IMAGE_PNG_SIZE_MAX(image);
	out->data = malloc(room);
	if (out->data && png_image_write_to_memory(&image, out->data, &room, 0,
						   pixels, 0, NULL))
		out->size = room;
	free(pixels);
	return out->size;
}

/* ---- out ---------------------------------------------------------------- */
bool copied_bmp_out(const uint8_t *file, size_t size, struct copied *out)
{
	struct bitmap b;
	uint8_t *pixels;
	bool is_good;

	*out = (struct copied){ 0 };
	if (size < FILE_HEADER + HEADER || size > COPIED_IMAGE_MAX ||
	    memcmp(file, "BM", 2))
		return false;
	if (!read_header(file + FILE_HEADER, size - FILE_HEADER, &b))
		return false;
	b.start = get32(file + 10) - (size_t)FILE_HEADER;
	if (b.start < HEADER || b.start > size - FILE_HEADER ||
	    b.stride * b.height > size - FILE_HEADER - b.start)
		return false;
	pixels = read_pixels(file + FILE_HEADER, &b);
	is_good = pixels && write_bitmap(pixels, b.width, b.height, out);
	free(pixels);
	return is_good;
}

bool copied_png_out(const uint8_t *file, size_t size, struct copied *out)
{
	static const png_color white = { 255, 255, 255 };
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t *pixels = NULL;
	bool is_good = false;

	*out = (struct copied){ 0 };
	if (!png_image_begin_read_from_memory(&image, file, size))
		return false;
	image.format = PNG_FORMAT_BGR;
	if (image.width && image.width <= SIDE_MAX && image.height &&
	    image.height <= SIDE_MAX &&
	    PNG_IMAGE_SIZE(image) <= COPIED_IMAGE_MAX)
		pixels = malloc(PNG_IMAGE_SIZE(image));
	if (pixels && png_image_finish_read(&image, &white, pixels, 0, NULL))
		is_good = write_bitmap(pixels, image.width, image.height, out);
	png_image_free(&image);
	free(pixels);
	return is_good;
}
