/*
 * display.h - `--display`: a screen of the sandbox's own, served over RDP.
 *
 * The server is guest programs (display/), shown inside at
 * DISPLAY_GUEST; the command only puts the first of them before the user's
 * program and publishes a port.  The server thinks of the password, another
 * one for each log-in, and tells it to programs that the host starts inside.
 */
#ifndef BAILEY_CLI_DISPLAY_H
#define BAILEY_CLI_DISPLAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define DISPLAY_GUEST "/run/bailey"

struct request;
struct launch;

struct display {
	bool is_on;
	const char *ip;        /* NULL: 127.0.0.1 */
	uint16_t port;         /* 0: any that is free */
	const char *clipboard; /* in, out, both, none */
	const char *size;      /* WIDTHxHEIGHT */
	const char *user;
	char *const *argv;     /* the user's program, as it is listed */
};

/* ---- options ------------------------------------------------------------ */
/* --display[=[IP:]PORT]: arg may be NULL. */
int display_option(struct display *d, const char *arg, struct err *e);
int display_clipboard(struct display *d, const char *arg, struct err *e);
int display_size(struct display *d, const char *arg, struct err *e);

/* ---- run ---------------------------------------------------------------- */
/* Before the request's argv and ports are final: nothing if it is off. */
int display_prepare(struct request *r, struct err *e);
/* Where our programs are on this host, or NULL with e. */
const char *display_programs(struct err *e);
/* Add the port that leads to the screen, if there is none. */
void display_publish(struct request *r);
/* For state.json: null if it is off. */
json_t *display_json(const struct request *r);
/* Once it runs: tell the user where, and how to log in. */
void display_announce(const struct launch *l);

/* ---- display_tell.c ------------------------------------------------------ */
/* Ask a running one, waiting so long for it: a word of what[] each ("password",
 * "fingerprint", "size"); they are in said. */
bool display_tell(const char *id, const char *const what[], char *said[],
		  int ms);

/* ---- resume ------------------------------------------------------------- */
/* saved: the image's section, or NULL. */
int display_resume(struct request *r, const json_t *saved, struct err *e);

#endif
