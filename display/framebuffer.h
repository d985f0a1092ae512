/*
 * framebuffer.h - the X server's picture: Xvfb's own memory, mapped.
 */
#ifndef BAILEY_DISPLAY_FRAMEBUFFER_H
#define BAILEY_DISPLAY_FRAMEBUFFER_H

#include <stdbool.h>
#include <stdint.h>

struct framebuffer {
	const uint8_t *pixels; /* blue, green, red, nothing */
	uint32_t width, height; /* of the file: the largest there can be */
	uint32_t stride;        /* bytes of a line */
};

bool framebuffer_map(struct framebuffer *f);

#endif
