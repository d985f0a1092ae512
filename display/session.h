/*
 * session.h - the parts of bailey-display-session: one connection of one RDP
 * client to the sandbox's X server.  One thread, one loop (session.c).
 *
 * Order: login.c decides who may look; only then is the X server connected
 * to and screen, pointer, input and clipboard are made.  Nothing of the
 * client's is acted upon before that.
 */
#ifndef BAILEY_DISPLAY_SESSION_H
#define BAILEY_DISPLAY_SESSION_H

#include <X11/Xlib.h>
#include <freerdp/freerdp.h>
#include <freerdp/peer.h>
#include <stdbool.h>
#include <stdint.h>

struct screen;
struct clipboard;

struct session {
	rdpContext rdp; /* first: FreeRDP makes it */
	freerdp_peer *peer;
	const char *user, *password;
	bool can_copy_in, can_copy_out; /* the clipboard's policy */
	bool was_tried, is_proved, is_admitted, was_refused; /* login.c */
	bool is_active, is_hidden, is_resized;
	HANDLE channels; /* virtual channels */
	Display *x;
	struct screen *screen;
	struct clipboard *clipboard;
	uint32_t frame, acknowledged; /* numbers of frames */
	bool is_acknowledging;        /* the client does that */
	int64_t next_frame_ms;
};

int64_t clock_ms(void);

/* ---- certificate.c ------------------------------------------------------ */
int certificate_make(void);

/* ---- login.c ------------------------------------------------------------ */
/* Security settings and the call-backs that check who it is. */
bool login_prepare(struct session *s);
/* The client has shown all: admit it?  Tells the supervisor. */
bool login_check(struct session *s);
/* The connection has ended. */
void login_failed(struct session *s);

/* ---- screen.c ----------------------------------------------------------- */
bool screen_open(struct session *s);
/* The X server's size has changed: the client has nothing of it yet. */
bool screen_fit(struct session *s);
void screen_size(const struct session *s, uint32_t *w, uint32_t *h);
/* The client shows nothing yet, or no more. */
void screen_forget(struct session *s);
/* The same, and no frame has begun. */
void screen_start(struct session *s);
bool screen_event(struct session *s, const XEvent *e);
/* When there is something to send; INT64_MAX: nothing. */
int64_t screen_due_ms(const struct session *s);
/* Send what has changed, as much as goes; false: the connection is lost. */
bool screen_send(struct session *s);
/* Is there more to send of the last frame? */
bool screen_is_in_frame(const struct session *s);

/* ---- resize.c ----------------------------------------------------------- */
/* Before screen_open. */
bool resize_open(struct session *s);
int resize_fd(void); /* or -1 */
void resize_check(struct session *s);
bool resize_event(struct session *s, const XEvent *e);
/* After the events: false if the connection is lost. */
bool resize_follow(struct session *s);

/* ---- pointer.c ---------------------------------------------------------- */
bool pointer_open(struct session *s);
bool pointer_event(struct session *s, const XEvent *e);
bool pointer_send(struct session *s);

/* ---- input.c ------------------------------------------------------------ */
bool input_open(struct session *s);

/* ---- layout.c ----------------------------------------------------------- */
/* Before input_open, which looks for keys that are free. */
void layout_set(struct session *s);

/* ---- sound.c ------------------------------------------------------------ */
bool sound_open(struct session *s);
unsigned sound_fds(int fds[2]); /* each may be -1 */
bool sound_check(struct session *s);

/* ---- clipboard.c -------------------------------------------------------- */
bool clipboard_open(struct session *s);
int clipboard_fd(const struct session *s); /* or -1 */
bool clipboard_check(struct session *s);
bool clipboard_event(struct session *s, const XEvent *e);

#endif
