/*
 * web.c - bailey-display-web: one page's connection (web.h).
 *
 * A frame is sent at most every FRAME_MS, never while the connection is still
 * full of the last one, and never more than FRAMES_AHEAD before the page has
 * said that it shows them.  While nothing changes nothing runs.
 */
#include "display/web.h"
#include "display/display.h"
#include "display/keys.h"
#include "display/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FROM_PAGE = 0, TO_PAGE = 1, FRAME_MS = 30,
       START_TRIES = 100, START_PAUSE_US = 200000, LINGER_MS = 1000,
       NAME_MAX_SIZE = 24 };

static int64_t next_frame_ms;
static bool is_turn_over;

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- the X server ------------------------------------------------------- */
static bool read_name(char name[NAME_MAX_SIZE])
{
	FILE *f = fopen(DISPLAY_NAME, "r");
	bool is_whole = f && fgets(name, NAME_MAX_SIZE, f) &&
		strchr(name, '\n');

	if (f)
		fclose(f);
	name[is_whole ? strcspn(name, "\n") : 0] = 0;
	return is_whole;
}

/* The sandbox may have been started a moment ago. */
static Display *connect_display(void)
{
	char name[NAME_MAX_SIZE];

	for (int i = 0; !read_name(name); i++) {
		if (i == START_TRIES)
			return NULL;
		usleep(START_PAUSE_US);
	}
	return XOpenDisplay(name);
}

static bool open_all(struct web *w)
{
	w->x = connect_display();
	if (!w->x)
		return false;
	turn_take(w->x);
	return picture_open(w) && cursor_open(w) && keys_open(w->x) &&
		copied_open(w);
}

static void take_x_events(struct web *w)
{
	XEvent e;

	while (XPending(w->x)) {
		XNextEvent(w->x, &e);
		if (e.type == MappingNotify)
			XRefreshKeyboardMapping(&e.xmapping);
		if (turn_is_over(&e))
			is_turn_over = true;
		if (picture_event(w, &e) || cursor_event(w, &e))
			continue;
		copied_event(w, &e);
	}
}

/* ---- the page ----------------------------------------------------------- */
static bool take_page(struct web *w)
{
	uint8_t bytes[1 << 16];
	ssize_t n = read(FROM_PAGE, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && websocket_take(&w->socket, bytes, (size_t)n) &&
		!w->socket.is_over;
}

/* How long until a frame may be due; 0: it is. */
static int frame_wait(struct web *w)
{
	int64_t left = next_frame_ms - clock_ms();
	int wait = -1;

	if (!w->is_visible || websocket_is_full(&w->socket) ||
	    w->frame - w->shown >= FRAMES_AHEAD)
		return -1; /* something else wakes us first */
	if (!picture_is_due(w, &wait))
		return wait;
	return left < 0 ? 0 : (int)left;
}

static void send_new(struct web *w)
{
	if (!websocket_is_full(&w->socket)) {
		cursor_send(w);
		copied_ask(w);
	}
	if (frame_wait(w))
		return;
	next_frame_ms = clock_ms() + FRAME_MS;
	picture_send(w);
}

static void run(struct web *w)
{
	for (;;) {
		struct pollfd p[] = { { FROM_PAGE, POLLIN, 0 },
			{ ConnectionNumber(w->x), POLLIN, 0 },
			{ websocket_is_full(&w->socket) ? TO_PAGE : -1,
			  POLLOUT, 0 } };

		poll(p, 3, XPending(w->x) ? 0 : frame_wait(w));
		if (p[0].revents && !take_page(w))
			return;
		take_x_events(w);
		if (is_turn_over)
			return;
		send_new(w);
		if (!websocket_flush(&w->socket, TO_PAGE))
			return;
	}
}

/* The last words, if the page takes them. */
static void say_bye(struct web *w, enum why why, const char *text)
{
	int64_t end = clock_ms() + LINGER_MS;
	struct pollfd p = { TO_PAGE, POLLOUT, 0 };

	websocket_close(&w->socket, why, text);
	while (websocket_flush(&w->socket, TO_PAGE) &&
	       websocket_is_full(&w->socket) && clock_ms() < end)
		poll(&p, 1, LINGER_MS);
}

int main(int argc, char **argv)
{
	struct web w = { .is_visible = true };

	if (argc != 2) {
		fprintf(stderr, "bailey-display-web is started by "
			"`bailey view --web`\n");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	w.can_copy_in = !strcmp(argv[1], "in") || !strcmp(argv[1], "both");
	w.can_copy_out = !strcmp(argv[1], "out") || !strcmp(argv[1], "both");
	w.socket.on_message = web_message;
	w.socket.ctx = &w;
	if (!open_all(&w)) {
		say_bye(&w, WHY_CANNOT, "the screen does not answer");
		return 1;
	}
	run(&w);
	web_keys_release(w.x);
	keys_close(w.x);
	XCloseDisplay(w.x);
	if (is_turn_over)
		say_bye(&w, WHY_TURN, "another viewer has taken over");
	return 0;
}
