/*
 * web.h - the parts of bailey-display-web: one connection of the page that
 * `bailey view --web` serves (cli/page/page.js) to the sandbox's X server.
 * One thread, one loop (web.c).
 *
 * bailey-display-web CLIPBOARD: descriptors 0 and 1 are a WebSocket whose
 * greeting is over; whoever is at its other end has shown that it may look.
 *
 * Messages, numbers little-endian, the first byte says which (enum below).
 * From the page:
 *   KEY      u8 is_press, u8 X key or 0, u8 enum key_flags, u32 character or 0
 *   TEXT     u32 characters, typed one after the other
 *   POINTER  u8 buttons as in MouseEvent.buttons, u16 x, u16 y
 *   WHEEL    u8 0, s16 up, s16 right, of 120 a notch
 *   SHOWN    u32 number of the frame that it has drawn
 *   VISIBLE  u8 is_visible: frames are wanted
 *   RELEASE  no key and no button is held any more
 *   COPIED   the text that it has on its clipboard
 *   PICTURE  the picture that it has there, as PNG
 *   ROOM     u8 0, u16 width, u16 height: the size that the screen is to have
 * To it:
 *   SIZE     u8 0, u16 width, u16 height: a black screen; all follows
 *   TILES    u8 is_deflated (raw), u32 size: web_tiles.c
 *   JPEG     u8 0, u16 x, u16 y, the file
 *   FRAME    u8 0, u16 0, u32 number: the frame is whole
 *   CURSOR   u8 0, u16 hot x, u16 hot y, u16 width, u16 height, RGBA...
 *   COPIED   the text that a program has copied
 *   PICTURE  the picture that one has copied, as PNG
 * The connection is closed with enum why.
 */
#ifndef BAILEY_DISPLAY_WEB_H
#define BAILEY_DISPLAY_WEB_H

#include <X11/Xlib.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/websocket.h"

enum from_page { PAGE_KEY = 1, PAGE_TEXT, PAGE_POINTER, PAGE_WHEEL, PAGE_SHOWN,
		 PAGE_VISIBLE, PAGE_RELEASE, PAGE_COPIED, PAGE_ROOM,
		 PAGE_PICTURE };
enum to_page { WEB_SIZE = 1, WEB_TILES, WEB_JPEG, WEB_FRAME, WEB_CURSOR,
	       WEB_COPIED, WEB_PICTURE };
/* SHORTCUT: with Ctrl or the like, so the key counts and not the character. */
enum key_flags { KEY_CAPS = 1, KEY_NUM = 2, KEY_SHORTCUT = 4 };
enum why { WHY_CANNOT = 4000, WHY_TURN = 4001 };

/* So many frames are sent before the page has said that it shows them. */
enum { FRAMES_AHEAD = 2 };

struct picture;
struct copied;

struct web {
	struct websocket socket;
	Display *x;
	struct picture *picture;
	struct copied *copied;
	bool can_copy_in, can_copy_out;
	bool is_visible;
	uint32_t frame, shown; /* numbers of frames */
	int64_t sent_ms[FRAMES_AHEAD];
	int64_t delay_ms; /* from sending a frame to hearing that it is shown */
};

int64_t clock_ms(void);
static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}
static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

/* ---- web_message.c ------------------------------------------------------ */
/* What the page says; ctx is a struct web.  Nonsense is ignored. */
void web_message(void *ctx, const uint8_t *p, size_t size);

/* ---- web_keys.c --------------------------------------------------------- */
void web_key(Display *x, bool is_press, uint8_t code, uint32_t flags,
	     uint32_t character);
void web_type(Display *x, uint32_t character);
void web_keys_release(Display *x);

/* ---- web_picture.c ------------------------------------------------------ */
bool picture_open(struct web *w);
bool picture_event(struct web *w, const XEvent *e);
/* Is there something to send?  At the latest in *wait_ms, if not -1. */
bool picture_is_due(struct web *w, int *wait_ms);
void picture_send(struct web *w);

/* ---- web_tiles.c -------------------------------------------------------- */
/* Lossless rectangles of at most TILE by TILE, gathered into one message. */
enum { TILE = 64 };
/* pixels: of its first, blue, green, red, nothing; false: it has too many
 * colours to be cheap, and was not added unless is_any. */
bool tiles_add(const uint8_t *pixels, uint32_t stride, uint32_t x, uint32_t y,
	       uint32_t w, uint32_t h, bool is_any);
void tiles_send(struct websocket *s);

/* ---- web_jpeg.c --------------------------------------------------------- */
void jpeg_send(struct websocket *s, const uint8_t *pixels, uint32_t stride,
	       uint32_t x, uint32_t y, uint32_t w, uint32_t h);

/* ---- web_cursor.c ------------------------------------------------------- */
bool cursor_open(struct web *w);
bool cursor_event(struct web *w, const XEvent *e);
void cursor_send(struct web *w);

/* ---- web_copied.c ------------------------------------------------------- */
bool copied_open(struct web *w);
bool copied_event(struct web *w, const XEvent *e);
/* Ask for what a program has copied since. */
void copied_ask(struct web *w);
/* The page has text, or a picture. */
enum { COPIED_MAX = 8 << 20 };
void copied_take(struct web *w, bool is_picture, const uint8_t *data,
		 size_t size);

#endif
