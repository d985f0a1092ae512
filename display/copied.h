/*
 * copied.h - what is copied, in the forms of the two sides: the client's
 * (UTF-16 with CR LF; device-independent bitmaps) and the programs' (UTF-8;
 * PNG and BMP files).  Knows neither X nor RDP, and believes nothing.
 */
#ifndef BAILEY_DISPLAY_COPIED_H
#define BAILEY_DISPLAY_COPIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copied { uint8_t *data; size_t size; }; /* data is malloc's */

enum { COPIED_TEXT_MAX = 4 << 20, COPIED_IMAGE_MAX = 64 << 20 };

/* Each is false, and out empty, if that is not what it should be. */
bool copied_text_in(const uint8_t *data, size_t size, struct copied *out);
bool copied_text_out(const uint8_t *data, size_t size, struct copied *out);
bool copied_bmp_in(const uint8_t *dib, size_t size, struct copied *out);
bool copied_png_in(const uint8_t *dib, size_t size, struct copied *out);
bool copied_bmp_out(const uint8_t *file, size_t size, struct copied *out);
bool copied_png_out(const uint8_t *file, size_t size, struct copied *out);

#endif
