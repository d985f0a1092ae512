/*
 * websocket.c - see websocket.h.
 */
#include "display/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTINUED = 0, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 15, MASKED = 0x80,
       LENGTH_16 = 126, LENGTH_64 = 127, CONTROL_MAX = 125, KEY_SIZE = 4,
       CODE_SIZE = 2, PONG_ROOM = 1 << 20 };

static void add(struct bytes *b, const void *p, size_t size)
{
	if (b->size + size > b->room) {
		b->room = (b->size + size) * 2;
		b->at = realloc(b->at, b->room);
		if (!b->at)
			abort();
	}
	if (size)
		memcpy(b->at + b->size, p, size);
	b->size += size;
}

/* ---- coming in ---------------------------------------------------------- */
struct frame {
	uint8_t first;      /* FIN, RESERVED, OPCODE */
	size_t head, size;  /* of the frame's head; of what follows it */
	const uint8_t *key;
};

/* 1: there is a whole one at p; 0: not yet; -1: against the rules. */
static int read_head(const uint8_t *p, size_t have, struct frame *f)
{
	uint64_t size;
	size_t n = 2;

	if (have < 2)
		return 0;
	size = p[1] & 127;
	if (size >= LENGTH_16)
		n += size == LENGTH_16 ? 2 : 8;
	if (!(p[1] & MASKED) || p[0] & RESERVED)
		return -1;
	if (have < n)
		return 0;
	if (n > 2) {
		size = 0;
		for (size_t i = 2; i < n; i++)
			size = size << 8 | p[i];
	}
	if (size > WEBSOCKET_MESSAGE_MAX)
		return -1;
	*f = (struct frame){ p[0], n + KEY_SIZE, (size_t)size, p + n };
	return have - n >= KEY_SIZE + f->size;
}

static bool take_control(struct websocket *w, const struct frame *f,
			 const uint8_t *p)
{
	uint8_t head[2] = { FIN | PONG, (uint8_t)f->size };

	if (f->size > CONTROL_MAX || !(f->first & FIN))
		return false;
	switch (f->first & OPCODE) {
	case CLOSE:
		w->is_over = true;
		return true;
	case PING:
		if (w->out.size > PONG_ROOM)
			return true; /* who does not read gets no answer */
		add(&w->out, head, 2);
		add(&w->out, p, f->size);
		return true;
	case PONG:
		return true;
	}
	return false;
}

static bool take_data(struct websocket *w, const struct frame *f,
		      const uint8_t *p)
{
	bool is_first = (f->first & OPCODE) == BINARY;

	if (!is_first && (f->first & OPCODE) != CONTINUED)
		return false;
	if (is_first == w->is_in_message ||
	    w->message.size + f->size > WEBSOCKET_MESSAGE_MAX)
		return false;
	w->is_in_message = !(f->first & FIN);
	if (is_first && !w->is_in_message) {
		w->on_message(w->ctx, p, f->size);
		return true;
	}
	add(&w->message, p, f->size);
	if (!w->is_in_message) {
		w->on_message(w->ctx, w->message.at, w->message.size);
		w->message.size = 0;
	}
	return true;
}

bool websocket_take(struct websocket *w, const uint8_t *bytes, size_t size)
{
	size_t done = 0;
	struct frame f;
	int got = 0;

	add(&w->raw, bytes, size);
	while (!w->is_over && (got = read_head(w->raw.at + done,
					       w->raw.size - done, &f)) > 0) {
		uint8_t *p = w->raw.at + done + f.head;

		for (size_t i = 0; i < f.size; i++)
			p[i] ^= f.key[i % KEY_SIZE];
		if (f.first & CLOSE ? !take_control(w, &f, p) :
				      !take_data(w, &f, p))
			return false;
		done += f.head + f.size;
	}
	memmove(w->raw.at, w->raw.at + done, w->raw.size - done);
	w->raw.size -= done;
	return got >= 0;
}

/* ---- going out ---------------------------------------------------------- */
static void add_head(struct websocket *w, uint8_t opcode, size_t size)
{
	uint8_t head[10] = { FIN | opcode, (uint8_t)size };
	unsigned n = size <= CONTROL_MAX ? 0 : size < 1 << 16 ? 2 : 8;

	if (n)
		head[1] = n == 2 ? LENGTH_16 : LENGTH_64;
	for (unsigned i = 0; i < n; i++)
		head[2 + i] = (uint8_t)((uint64_t)size >> 8 * (n - 1 - i));
	add(&w->out, head, 2 + n);
}

void websocket_send(struct websocket *w, const void *head, size_t head_size,
		    const void *body, size_t body_size)
{
	add_head(w, BINARY, head_size + body_size);
	add(&w->out, head, head_size);
	add(&w->out, body, body_size);
}

void websocket_close(struct websocket *w, uint16_t code, const char *why)
{
	uint8_t number[CODE_SIZE] = { (uint8_t)(code >> 8), (uint8_t)code };

	add_head(w, CLOSE, CODE_SIZE + strlen(why));
	add(&w->out, number, CODE_SIZE);
	add(&w->out, why, strlen(why));
}

bool websocket_is_full(const struct websocket *w)
{
	return w->out.size > 0;
}

bool websocket_flush(struct websocket *w, int fd)
{
	while (w->out_done < w->out.size) {
		ssize_t n = write(fd, w->out.at + w->out_done,
				  w->out.size - w->out_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		w->out_done += (size_t)n;
	}
	w->out.size = w->out_done = 0;
	return true;
}
