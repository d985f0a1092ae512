/*
 * web.c - fuzzer of what reads strangers' bytes for `view --web`: the head of
 * a request (cli/web_head.c), frames of a WebSocket (display/websocket.c) and
 * the messages in them (display/web_message.c).
 *
 *   fuzz-web ROUNDS [SEED]
 *
 * Good input is made, then spoiled at random.  What must hold: no access
 * beyond the bytes (they lie in memory of their exact size, under sanitizers);
 * nobody gets anything without the token or from elsewhere; frames mean the
 * same however they are cut on their way; good ones arrive as they were sent.
 */
#include "cli/web.h"
#include "display/keys.h"
#include "display/size.h"
#include "display/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define must(x) ((x) ? (void)0 : broken(#x, __LINE__))
static uint64_t state = 1;
static unsigned long long round_number;

static _Noreturn void broken(const char *what, int line)
{
	fprintf(stderr, "line %d, round %llu: not so: %s\n", line, round_number,
		what);
	abort();
}

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

/* ---- heads --------------------------------------------------------------- */
static const char token[] = "abcdefghijklmnopqrstuvwxyz012345";

static size_t make_head(char *out, size_t room)
{
	static const char *const files[] = { "", "page.js", "page.css",
		"screen", "screen", "screen", "else", "../screen" };
	static const char *const hosts[] = { "127.0.0.1:8080", "localhost",
		"[::1]:1", "evil.example", "localhost:99999", "127.0.0.1:x" };
	const char *host = hosts[below(6)];

	return (size_t)snprintf(out, room, "GET /%s/%s HTTP/1.1\r\nHost: %s\r\n"
		"Origin: http://%s\r\nUpgrade: websocket\r\n"
		"Connection: keep-alive, Upgrade\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"Sec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Protocol: bailey.in, bailey.both\r\n\r\n",
		token, files[below(8)], host,
		below(4) ? host : hosts[below(6)]);
}

static size_t spoil(uint8_t *p, size_t size, size_t room)
{
	static const char marks[] = "\r\n :,/=\t\0GET";

	for (uint32_t n = below(4); n && size; n--) {
		size_t at = below((uint32_t)size), end;

		switch (below(5)) {
		case 0: p[at] = (uint8_t)below(256); break;
		case 1: p[at] = (uint8_t)marks[below(sizeof(marks))]; break;
		case 2: p[at] ^= (uint8_t)(1u << below(8)); break;
		case 3: /* a piece goes */
			end = at + below((uint32_t)(size - at)) % 40;
			memmove(p + at, p + end, size - end);
			size -= end - at;
			break;
		case 4: /* a piece comes twice */
			end = at + below((uint32_t)(size - at)) % 80;
			if (size + end - at > room)
				break;
			memmove(p + end, p + at, size - at);
			size += end - at;
			break;
		}
	}
	return size;
}

static bool is_local(const struct web_head *h)
{
	return (h->host_size >= 9 && (!memcmp(h->host, "127.0.0.1", 9) ||
				      !memcmp(h->host, "localhost", 9))) ||
		(h->host_size >= 5 && !memcmp(h->host, "[::1]", 5));
}

static void check_answer(enum web_kind kind, const struct web_head *h)
{
	char answer[WEB_ANSWER_MAX];
	size_t n = web_answer(kind, h, "both", 1000, answer);

	must(n > 0 && n < WEB_ANSWER_MAX && strlen(answer) == n);
	must(!strncmp(answer, "HTTP/1.1 ", 9));
	must(!strncmp(answer + 9, "101", 3) == (kind == WEB_SCREEN));
	must(!strncmp(answer + 9, "200", 3) ==
	     (kind == WEB_PAGE || kind == WEB_SCRIPT || kind == WEB_STYLE));
}

static void fuzz_head(void)
{
	char text[4096];
	struct web_head h = { 0 };
	enum web_kind kind;
	size_t size = make_head(text, sizeof(text)), end;
	char *exact;

	size = spoil((uint8_t *)text, size, sizeof(text));
	exact = malloc(size ? size : 1);
	memcpy(exact, text, size);
	end = web_head_size(exact, size);
	must(end <= size && end != 1 && end != 2 && end != 3);
	if (end) {
		kind = web_head_read(exact, end, token, "both", &h);
		if (kind >= WEB_PAGE) {
			must(!strncasecmp(exact, "GET /", 5));
			must(!memcmp(exact + 5, token, WEB_TOKEN_SIZE));
			must(h.host >= exact && h.host + h.host_size <=
			     exact + end);
			must(is_local(&h));
		}
		if (kind == WEB_SCREEN)
			must(strlen(h.accept) == 28);
		check_answer(kind, &h);
	}
	free(exact);
}

/* The example of RFC 6455. */
static void check_example(void)
{
	char text[4096];
	struct web_head h = { 0 };
	int size = snprintf(text, sizeof(text), "GET /%s/screen HTTP/1.1\r\n"
		"hOST: localhost\r\nOrigin: http://localhost\r\n"
		"Upgrade:WebSocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key:  dGhlIHNhbXBsZSBub25jZQ== \r\n"
		"Sec-WebSocket-Version: 13\r\nCookie: a=b\r\n"
		"Sec-WebSocket-Protocol: bailey.in\r\n\r\n", token);

	must(web_head_read(text, (size_t)size, token, "in", &h) == WEB_SCREEN);
	must(!strcmp(h.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	must(web_head_read(text, (size_t)size, token, "out", &h) == WEB_BAD);
	text[5] = 'b';
	must(web_head_read(text, (size_t)size, token, "in", &h) ==
	     WEB_NOT_FOUND);
}

/* ---- what messages do ---------------------------------------------------- */
static unsigned long long acts;

void web_key(Display *x, bool is_press, uint8_t code, uint32_t flags,
	     uint32_t character)
{
	must(character <= 0x10ffff);
	acts++;
}
void web_type(Display *x, uint32_t character)
{
	must(character <= 0x10ffff);
	acts++;
}
void web_keys_release(Display *x) { acts++; }
void keys_move(Display *x, int to_x, int to_y)
{
	must(to_x >= 0 && to_x <= 65535 && to_y >= 0 && to_y <= 65535);
}
void keys_button(Display *x, unsigned number, bool is_press)
{
	must(number > 0 && number < 10);
	acts++;
}
void keys_wheel(Display *x, int by, bool is_horizontal)
{
	must(by >= -10000 && by <= 10000);
	acts++;
}
void size_set(Display *x, uint32_t w, uint32_t h) { acts++; }
void copied_take(struct web *w, bool is_picture, const uint8_t *text,
		 size_t size)
{
	must(w->can_copy_in);
	for (size_t i = 0; i < size; i++)
		acts += text[i] == 'x';
}
int XFlush(Display *x) { return 0; }
int64_t clock_ms(void) { return 1000; }

/* ---- frames -------------------------------------------------------------- */
struct heard { uint64_t hash, count; struct web web; };

static void hear(void *ctx, const uint8_t *p, size_t size)
{
	struct heard *h = ctx;

	must(size <= WEBSOCKET_MESSAGE_MAX);
	h->hash = h->hash * 31 + size;
	for (size_t i = 0; i < size; i++)
		h->hash = h->hash * 31 + p[i];
	h->count++;
	web_message(&h->web, p, size);
	must(h->web.frame - h->web.shown <= h->web.frame);
}

static size_t put_frame(uint8_t *to, uint8_t first, const uint8_t *data,
			size_t size)
{
	uint8_t key[4] = { (uint8_t)below(256), (uint8_t)below(256), 7, 0 };
	size_t n = 2;

	to[0] = first;
	to[1] = (uint8_t)(0x80 | (size < 126 ? size : 126));
	if (size >= 126) {
		to[n++] = (uint8_t)(size >> 8);
		to[n++] = (uint8_t)size;
	}
	memcpy(to + n, key, 4);
	n += 4;
	for (size_t i = 0; i < size; i++)
		to[n + i] = data[i] ^ key[i % 4];
	return n + size;
}

/* One message, perhaps in pieces with a ping between. */
static size_t put_message(uint8_t *to, const uint8_t *data, size_t size)
{
	size_t cut = below(2) ? size : below((uint32_t)size + 1), n;

	if (cut == size)
		return put_frame(to, 0x82, data, size);
	n = put_frame(to, 0x02, data, cut);
	if (below(2))
		n += put_frame(to + n, 0x89, data, size < 125 ? size : 125);
	return n + put_frame(to + n, 0x80, data + cut, size - cut);
}

static size_t make_frames(uint8_t *out, struct heard *expected)
{
	size_t n = 0;

	for (uint32_t i = below(6); i; i--) {
		uint8_t data[600];
		size_t size = below(4) ? below(12) : below(sizeof(data));

		for (size_t k = 0; k < size; k++)
			data[k] = (uint8_t)below(256);
		if (size)
			data[0] = (uint8_t)below(12);
		n += put_message(out + n, data, size);
		hear(expected, data, size);
	}
	return n;
}

static bool feed(struct heard *h, const uint8_t *p, size_t size, bool is_whole)
{
	struct websocket w = { .on_message = hear, .ctx = h };
	bool is_good = true;
	size_t n;

	for (size_t done = 0; is_good && done < size; done += n) {
		uint8_t *exact;

		n = is_whole ? size : 1 + below((uint32_t)(size - done));
		exact = malloc(n);
		memcpy(exact, p + done, n);
		is_good = websocket_take(&w, exact, n);
		free(exact);
	}
	free(w.raw.at);
	free(w.message.at);
	free(w.out.at);
	return is_good;
}

static void fuzz_frames(void)
{
	static uint8_t bytes[1 << 14];
	struct heard expected = { 0 }, whole, cut;
	bool is_good;
	size_t size;

	expected.web.can_copy_in = below(2);
	expected.web.frame = below(10);
	whole = cut = expected;
	size = make_frames(bytes, &expected);
	must(feed(&whole, bytes, size, true));
	must(feed(&cut, bytes, size, false));
	must(whole.hash == expected.hash && whole.count == expected.count);
	must(cut.hash == expected.hash && cut.count == expected.count);
	size = spoil(bytes, size, sizeof(bytes));
	whole.hash = cut.hash = whole.count = cut.count = 0;
	is_good = feed(&whole, bytes, size, true);
	must(feed(&cut, bytes, size, false) == is_good);
	must(whole.hash == cut.hash && whole.count == cut.count);
}

int main(int argc, char **argv)
{
	unsigned long long rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

	if (argc > 2)
		state = strtoull(argv[2], NULL, 10);
	check_example();
	for (; round_number < rounds; round_number++) {
		fuzz_head();
		fuzz_frames();
	}
	printf("%llu rounds, %llu acts\n", rounds, acts);
	return 0;
}
