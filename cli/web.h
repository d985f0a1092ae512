/*
 * web.h - `bailey view --web`: the screen as a page on this host's loopback.
 *
 * Two sides distrust each other.  What a stranger sends is read by a process
 * that can do nothing but read and answer (web.c), and asks for the token
 * before anything else.  What comes from the sandbox is never a page: the
 * page is bailey's own, with a policy that lets it connect back here and
 * nowhere else, and a connection goes into the sandbox only after it has been
 * answered as a WebSocket, so that its bytes are nothing but pictures and
 * text to that page.  The token does not go in.
 */
#ifndef BAILEY_CLI_WEB_H
#define BAILEY_CLI_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* ---- serving (web.c) ---------------------------------------------------- */
struct web_view {
	const char *which;     /* the sandbox, as the user has named it */
	const char *clipboard; /* in, out, both, none */
	uint16_t port;         /* 0: any */
	bool is_opening;       /* in a browser, here */
};
/* Until a signal ends it; else the exit status. */
int web_serve(const struct web_view *w, const struct state *s);

/* ---- a request (web_head.c) --------------------------------------------- */
enum { WEB_TOKEN_SIZE = 32, WEB_HEAD_MAX = 8192, WEB_ANSWER_MAX = 2048 };
enum web_kind {
	WEB_BAD, WEB_FORBIDDEN, WEB_NOT_FOUND, /* an error, and no more */
	WEB_PAGE, WEB_SCRIPT, WEB_STYLE, WEB_SCREEN
};
struct web_head {
	const char *host;  /* as the browser names us; checked */
	size_t host_size;
	char accept[29];   /* WEB_SCREEN: the answer to its key */
};
/* Where the blank line ends that ends a head, or 0: not yet. */
size_t web_head_size(const char *text, size_t size);
/* A whole head.  All but WEB_BAD, _FORBIDDEN and _NOT_FOUND have the token. */
enum web_kind web_head_read(const char *text, size_t size,
			    const char token[WEB_TOKEN_SIZE],
			    const char *clipboard, struct web_head *h);
/* The head of our answer; body_size is ignored for WEB_SCREEN. */
size_t web_answer(enum web_kind kind, const struct web_head *h,
		  const char *clipboard, size_t body_size,
		  char out[WEB_ANSWER_MAX]);

/* ---- the page (web_page.c) ---------------------------------------------- */
struct web_file { const char *start, *end; };
struct web_file web_file(enum web_kind kind);

#endif
