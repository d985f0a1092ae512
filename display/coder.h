/*
 * coder.h - how squares of the picture travel to the client.
 *
 * Exactly: planar at 32 bits a pixel, interleaved below.  Roughly, for what
 * moves: RemoteFX, if the client knows it.  Measured for 1280x720 with some
 * noise, a frame: planar 15 ms and 2.9 MB, RemoteFX 14 ms and 0.14 MB, NSCodec
 * 5 ms and 1 MB, H.264 (libx264) 23 ms and 0.02 MB; RemoteFX it is.
 *
 * Squares are queued and go out when the queue is full or flushed.
 */
#ifndef BAILEY_DISPLAY_CODER_H
#define BAILEY_DISPLAY_CODER_H

#include "display/session.h"

enum { TILE = 64, TILE_BYTES = TILE * TILE * 4 };

struct coder;

struct square { uint32_t x, y, w, h; };
struct picture { const uint8_t *pixels; uint32_t stride, width, height; };

struct coder *coder_new(void);
bool coder_is_rough_known(const struct session *s);
/* pixels: the square alone, w * 4 bytes a line; they are read at once. */
bool coder_exact(struct session *s, struct coder *c, struct square q,
		 const uint8_t *pixels);
bool coder_rough(struct session *s, struct coder *c, struct square q);
/* Nothing is queued any more. */
void coder_clear(struct coder *c);
/* The rough ones are read from the whole picture now. */
bool coder_flush(struct session *s, struct coder *c, const struct picture *all);

#endif
