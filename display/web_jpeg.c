/*
 * web_jpeg.c - rectangles of moving pictures (web.h), which only JPEG makes
 * small enough in time.
 */
#include "display/web.h"

#include <stdio.h> /* for jpeglib.h */
#include <stdlib.h>

#include <jpeglib.h>

enum { HEAD = 6, QUALITY = 80 };

static void set(struct jpeg_compress_struct *c, uint32_t w, uint32_t h)
{
	c->image_width = w;
	c->image_height = h;
	c->input_components = 4;
	c->in_color_space = JCS_EXT_BGRX;
	jpeg_set_defaults(c);
	jpeg_set_quality(c, QUALITY, TRUE);
	c->dct_method = JDCT_IFAST;
}

void jpeg_send(struct websocket *s, const uint8_t *pixels, uint32_t stride,
	       uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	uint8_t head[HEAD] = { WEB_JPEG }, *out = NULL;
	unsigned long size = 0;

	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &out, &size);
	set(&c, w, h);
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < h) {
		JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels +
			(size_t)c.next_scanline * stride);

		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	put16(head + 2, x);
	put16(head + 4, y);
	websocket_send(s, head, HEAD, out, size);
	free(out);
}
