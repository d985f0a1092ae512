/*
 * web_head.c - the head of a browser's request (web.h): whether it may have
 * what it asks for, and the head of the answer.
 *
 * Reads bytes of strangers: works in the given buffer, allocates nothing, and
 * calls nothing but string functions, since it runs where no system call but
 * read and write is left.  Whoever names us otherwise than as the loopback
 * (a name that some DNS server lets point here) is refused, and so is a
 * WebSocket that another page opens.
 */
#include "cli/web.h"
#include "lib/sha1.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_SIZE = 24 };

struct text { const char *at; size_t size; };

/* The headers that matter; each at most once. */
enum header { HOST, ORIGIN, UPGRADE, CONNECTION, KEY, VERSION, PROTOCOL,
	      HEADERS };
static const char *const header_names[HEADERS] = { "host", "origin", "upgrade",
	"connection", "sec-websocket-key", "sec-websocket-version",
	"sec-websocket-protocol" };

static const struct { const char *path; enum web_kind kind; } paths[] = {
	{ "", WEB_PAGE }, { "page.js", WEB_SCRIPT }, { "page.css", WEB_STYLE },
	{ "screen", WEB_SCREEN } };
#define PATHS (sizeof(paths) / sizeof(*paths))

/* ---- pieces of text ----------------------------------------------------- */
static bool is_text(struct text t, const char *s)
{
	return t.size == strlen(s) && !strncasecmp(t.at, s, t.size);
}

static bool starts(struct text t, const char *s)
{
	return t.size >= strlen(s) && !memcmp(t.at, s, strlen(s));
}

static struct text skip(struct text t, size_t n)
{
	return (struct text){ t.at + n, t.size - n };
}

/* What comes before the separator, which is taken away from *t as well. */
static struct text cut(struct text *t, const char *separator)
{
	size_t n = strlen(separator);
	const char *p = memmem(t->at, t->size, separator, n);
	struct text first = { t->at, p ? (size_t)(p - t->at) : t->size };

	*t = skip(*t, p ? first.size + n : first.size);
	return first;
}

static struct text trim(struct text t)
{
	while (t.size && (*t.at == ' ' || *t.at == '\t'))
		t = skip(t, 1);
	while (t.size && (t.at[t.size - 1] == ' ' ||
			  t.at[t.size - 1] == '\t'))
		t.size--;
	return t;
}

static bool list_has(struct text list, const char *word)
{
	while (list.size)
		if (is_text(trim(cut(&list, ",")), word))
			return true;
	return false;
}

/* ---- the first line ----------------------------------------------------- */
/* In a time that tells nothing of where they differ. */
static bool is_token(struct text t, const char token[WEB_TOKEN_SIZE])
{
	unsigned differs = 0;

	if (t.size < WEB_TOKEN_SIZE)
		return false;
	for (size_t i = 0; i < WEB_TOKEN_SIZE; i++)
		differs |= (unsigned char)t.at[i] ^ (unsigned char)token[i];
	return !differs;
}

static enum web_kind read_first(struct text line, const char *token)
{
	struct text path;

	if (!starts(line, "GET "))
		return WEB_BAD;
	line = skip(line, 4);
	path = cut(&line, " ");
	if (!is_text(line, "HTTP/1.1") || !starts(path, "/"))
		return WEB_BAD;
	path = skip(path, 1);
	if (!is_token(path, token))
		return WEB_NOT_FOUND;
	path = skip(path, WEB_TOKEN_SIZE);
	for (size_t i = 0; i < PATHS; i++)
		if (starts(path, "/") && is_text(skip(path, 1), paths[i].path))
			return paths[i].kind;
	return WEB_NOT_FOUND;
}

/* ---- the other lines ---------------------------------------------------- */
static bool is_printable(struct text t)
{
	for (size_t i = 0; i < t.size; i++)
		if (((unsigned char)t.at[i] < 32 && t.at[i] != '\t') ||
		    t.at[i] == 127)
			return false;
	return true;
}

static bool read_header(struct text line, struct text headers[HEADERS])
{
	struct text name;

	if (!memchr(line.at, ':', line.size))
		return false;
	name = cut(&line, ":");
	for (int i = 0; i < HEADERS; i++) {
		if (!is_text(name, header_names[i]))
			continue;
		if (headers[i].at)
			return false;
		headers[i] = trim(line);
	}
	return true;
}

static bool is_port(struct text t)
{
	for (size_t i = 0; i < t.size; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
	return t.size > 0 && t.size <= 5;
}

/* The loopback's names, with or without a port (a tunnel has another). */
static bool is_loopback(struct text host)
{
	static const char *const names[] = { "127.0.0.1", "localhost",
		"[::1]" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct text rest;

		if (!starts(host, names[i]))
			continue;
		rest = skip(host, strlen(names[i]));
		if (!rest.size)
			return true;
		return *rest.at == ':' && is_port(skip(rest, 1));
	}
	return false;
}

/* ---- WebSocket ---------------------------------------------------------- */
static bool is_key(struct text key)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";

	if (key.size != KEY_SIZE || memcmp(key.at + KEY_SIZE - 2, "==", 2))
		return false;
	for (size_t i = 0; i < KEY_SIZE - 2; i++)
		if (!key.at[i] || !strchr(letters, key.at[i]))
			return false;
	return true;
}

static void accept_key(struct text key, char out[29])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t hash[SHA1_SIZE + 1] = { 0 };
	char text[KEY_SIZE + sizeof(guid)];

	memcpy(text, key.at, KEY_SIZE);
	memcpy(text + KEY_SIZE, guid, sizeof(guid));
	sha1(text, KEY_SIZE + sizeof(guid) - 1, hash);
	for (int i = 0; i < 7; i++) {
		uint32_t v = (uint32_t)hash[i * 3] << 16 |
			(uint32_t)hash[i * 3 + 1] << 8 | hash[i * 3 + 2];

		for (int k = 0; k < 4; k++)
			out[i * 4 + k] = letters[v >> (18 - 6 * k) & 63];
	}
	out[27] = '=';
	out[28] = 0;
}

/* The page offers one protocol for each way that the clipboard may be let go,
 * and learns by the one that is taken what it may do. */
static enum web_kind read_upgrade(const struct text h[HEADERS],
				  const char *clipboard, struct web_head *out)
{
	char protocol[32];

	snprintf(protocol, sizeof(protocol), "bailey.%s", clipboard);
	if (!is_text(h[UPGRADE], "websocket") || !is_key(h[KEY]) ||
	    !list_has(h[CONNECTION], "upgrade") || !is_text(h[VERSION], "13") ||
	    !list_has(h[PROTOCOL], protocol))
		return WEB_BAD;
	if (!starts(h[ORIGIN], "http://") ||
	    h[ORIGIN].size != h[HOST].size + 7 ||
	    memcmp(h[ORIGIN].at + 7, h[HOST].at, h[HOST].size))
		return WEB_FORBIDDEN;
	accept_key(h[KEY], out->accept);
	return WEB_SCREEN;
}

/* ---- the whole ---------------------------------------------------------- */
size_t web_head_size(const char *text, size_t size)
{
	const char *p = memmem(text, size, "\r\n\r\n", 4);

	return p ? (size_t)(p - text) + 4 : 0;
}

enum web_kind web_head_read(const char *text, size_t size,
			    const char token[WEB_TOKEN_SIZE],
			    const char *clipboard, struct web_head *out)
{
	struct text rest = { text, size - 4 }, headers[HEADERS] = { { 0 } };
	struct text line = cut(&rest, "\r\n");
	enum web_kind kind = read_first(line, token);

	if (kind < WEB_PAGE || !is_printable(line))
		return kind == WEB_NOT_FOUND ? kind : WEB_BAD;
	while (rest.size) {
		line = cut(&rest, "\r\n");
		if (!is_printable(line) || !read_header(line, headers))
			return WEB_BAD;
	}
	if (!is_loopback(headers[HOST]))
		return WEB_FORBIDDEN;
	out->host = headers[HOST].at;
	out->host_size = headers[HOST].size;
	return kind == WEB_SCREEN ? read_upgrade(headers, clipboard, out) :
		kind;
}

/* ---- the answer --------------------------------------------------------- */
static const char common[] = "Connection: close\r\nCache-Control: no-store\r\n"
	"Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
	"X-Frame-Options: DENY\r\nCross-Origin-Opener-Policy: same-origin\r\n"
	"Cross-Origin-Resource-Policy: same-origin\r\n";

static size_t answer_file(const char *type, const struct web_head *h,
			  size_t size, char out[WEB_ANSWER_MAX])
{
	return (size_t)snprintf(out, WEB_ANSWER_MAX, "HTTP/1.1 200 OK\r\n"
		"Content-Type: text/%s; charset=utf-8\r\nContent-Length: %zu\r\n"
		"Content-Security-Policy: default-src 'none'; "
		"script-src 'self'; style-src 'self'; img-src data:; "
		"connect-src ws://%.*s; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'\r\n%s\r\n", type, size,
		(int)h->host_size, h->host, common);
}

static size_t answer_error(const char *status, char out[WEB_ANSWER_MAX])
{
	return (size_t)snprintf(out, WEB_ANSWER_MAX, "HTTP/1.1 %s\r\n"
		"Content-Type: text/plain\r\nContent-Length: %zu\r\n"
		"%s\r\n%s\n", status, strlen(status) + 1, common, status);
}

size_t web_answer(enum web_kind kind, const struct web_head *h,
		  const char *clipboard, size_t body_size,
		  char out[WEB_ANSWER_MAX])
{
	switch (kind) {
	case WEB_PAGE: return answer_file("html", h, body_size, out);
	case WEB_SCRIPT: return answer_file("javascript", h, body_size, out);
	case WEB_STYLE: return answer_file("css", h, body_size, out);
	case WEB_NOT_FOUND: return answer_error("404 Not Found", out);
	case WEB_FORBIDDEN: return answer_error("403 Forbidden", out);
	case WEB_BAD: return answer_error("400 Bad Request", out);
	case WEB_SCREEN: break;
	}
	return (size_t)snprintf(out, WEB_ANSWER_MAX,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
		"Sec-WebSocket-Protocol: bailey.%s\r\n\r\n", h->accept,
		clipboard);
}
