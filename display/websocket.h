/*
 * websocket.h - a WebSocket's frames (RFC 6455), the server's side, after its
 * greeting.  Binary messages only.  What comes in is a stranger's.
 */
#ifndef BAILEY_DISPLAY_WEBSOCKET_H
#define BAILEY_DISPLAY_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEBSOCKET_MESSAGE_MAX = (8 << 20) + 64 };

struct websocket {
	struct bytes { uint8_t *at; size_t size, room; } raw, message, out;
	size_t out_done;
	bool is_in_message; /* more of it is to come */
	bool is_over;       /* the other side has said so */
	void (*on_message)(void *ctx, const uint8_t *p, size_t size);
	void *ctx;
};

/* These bytes have come; false: it breaks the rules, and is to be ended. */
bool websocket_take(struct websocket *w, const uint8_t *p, size_t size);
/* One message of two parts; it waits in w->out. */
void websocket_send(struct websocket *w, const void *head, size_t head_size,
		    const void *body, size_t body_size);
void websocket_close(struct websocket *w, uint16_t code, const char *why);
/* As much of w->out as fd takes at once; false: the other side is gone. */
bool websocket_flush(struct websocket *w, int fd);
bool websocket_is_full(const struct websocket *w);

#endif
