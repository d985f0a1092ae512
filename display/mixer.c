/*
 * mixer.c - bailey-display-sound: adds up what programs play, at the pace of
 * the clock, for the viewer if there is one (sound.h).
 *
 * Each program has a queue.  What is due by the clock is taken from all of
 * them; a program that is late leaves a gap only where another one plays.
 * While nothing plays no timer runs, and after IDLE_MS without a program the
 * process ends: the supervisor starts another one.
 */
#include "display/sound.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLAYERS = 16, QUEUE = SOUND_RATE * 2, /* frames */
       TICK_MS = 20, LATE_MS = 100, IDLE_MS = 5000, TAIL_MS = 100 };

struct frame { int16_t left, right; };

struct player {
	int fd; /* -1: has gone, and its queue is played */
	bool is_used;
	struct frame *queue; /* QUEUE of them, a ring */
	unsigned at, count;
};

static struct player players[PLAYERS];
static int hearer = -1;
static int64_t played_ns; /* up to there; 0: nothing plays */
static int64_t tail_ns;   /* silence until then: the viewer plays all */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- programs ----------------------------------------------------------- */
static void let_in(int fd)
{
	for (int i = 0; fd >= 0 && i < PLAYERS; i++) {
		struct player *p = &players[i];

		if (p->is_used)
			continue;
		*p = (struct player){ .fd = fd, .is_used = true,
			.queue = malloc(QUEUE * sizeof(struct frame)) };
		if (p->queue)
			return;
		p->is_used = false;
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void forget(struct player *p)
{
	free(p->queue);
	*p = (struct player){ .fd = -1 };
}

/* What does not fit is lost: it came faster than anybody can hear. */
static void take(struct player *p)
{
	static struct frame message[SOUND_FRAMES];
	ssize_t n = recv(p->fd, message, sizeof(message), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(p->fd);
		p->fd = -1;
		return;
	}
	if (n == 1)
		p->count = 0;
	for (size_t i = 0; i < (size_t)n / sizeof(struct frame) &&
	     p->count < QUEUE; i++)
		p->queue[(p->at + p->count++) % QUEUE] = message[i];
}

/* ---- mixing ------------------------------------------------------------- */
static unsigned longest_queue(void)
{
	unsigned most = 0;

	for (int i = 0; i < PLAYERS; i++)
		if (players[i].is_used && players[i].count > most)
			most = players[i].count;
	return most;
}

static int16_t add(int16_t a, int16_t b)
{
	int sum = a + b;

	return (int16_t)(sum < INT16_MIN ? INT16_MIN :
			 sum > INT16_MAX ? INT16_MAX : sum);
}

static void mix(struct frame *out, unsigned n)
{
	memset(out, 0, n * sizeof(*out));
	for (int i = 0; i < PLAYERS; i++) {
		struct player *p = &players[i];
		unsigned m = p->count < n ? p->count : n;

		for (unsigned k = 0; k < m; k++) {
			struct frame f = p->queue[(p->at + k) % QUEUE];

			out[k].left = add(out[k].left, f.left);
			out[k].right = add(out[k].right, f.right);
		}
		p->at = (p->at + m) % QUEUE;
		p->count -= m;
		if (p->is_used && p->fd < 0 && !p->count)
			forget(p);
	}
}

static void let_hear(const struct frame *out, unsigned n)
{
	if (hearer < 0 || !n ||
	    send(hearer, out, n * sizeof(*out), MSG_DONTWAIT | MSG_NOSIGNAL) >=
	    0 || errno == EAGAIN || errno == ENOBUFS)
		return;
	close(hearer);
	hearer = -1;
}

/* What is due by now. */
static void play(void)
{
	static struct frame out[SOUND_FRAMES];
	int64_t now = now_ns();
	unsigned due, n = longest_queue();

	if (n)
		tail_ns = now + TAIL_MS * 1000000LL;
	if (!played_ns)
		played_ns = now - TICK_MS * 1000000LL;
	if (now - played_ns < TICK_MS * 1000000LL)
		return;
	if (now - played_ns > LATE_MS * 1000000LL)
		played_ns = now - LATE_MS * 1000000LL;
	due = (unsigned)((now - played_ns) * SOUND_RATE / 1000000000);
	due = due < SOUND_FRAMES ? due : SOUND_FRAMES;
	if (n && n < due)
		due = n; /* the rest when it comes */
	mix(out, due);
	let_hear(out, due);
	played_ns += (int64_t)due * 1000000000 / SOUND_RATE;
	if (!n && now > tail_ns)
		played_ns = 0;
}

/* ---- the loop ----------------------------------------------------------- */
static bool is_anybody_there(void)
{
	for (int i = 0; i < PLAYERS; i++)
		if (players[i].is_used)
			return true;
	return false;
}

static void take_all(const struct pollfd *p)
{
	for (int i = 0; i < PLAYERS; i++)
		if (p[i].revents && players[i].fd >= 0)
			take(&players[i]);
	if (p[PLAYERS].revents)
		let_in(accept4(SOUND_PLAY, NULL, NULL, SOCK_CLOEXEC));
	if (p[PLAYERS + 2].revents) { /* it says nothing, so it has gone */
		close(hearer);
		hearer = -1;
	}
	if (p[PLAYERS + 1].revents) {
		if (hearer >= 0)
			close(hearer);
		hearer = accept4(SOUND_HEAR, NULL, NULL, SOCK_CLOEXEC);
	}
}

int main(void)
{
	struct pollfd p[PLAYERS + 3];

	for (;;) {
		bool is_playing = played_ns || longest_queue();

		for (int i = 0; i < PLAYERS; i++)
			p[i].fd = players[i].is_used ? players[i].fd : -1;
		p[PLAYERS].fd = SOUND_PLAY;
		p[PLAYERS + 1].fd = SOUND_HEAR;
		p[PLAYERS + 2].fd = hearer;
		for (int i = 0; i < PLAYERS + 3; i++) {
			p[i].events = POLLIN;
			p[i].revents = 0;
		}
		if (!poll(p, PLAYERS + 3, is_playing ? TICK_MS :
			  is_anybody_there() ? -1 : IDLE_MS) && !is_playing)
			return 0;
		take_all(p);
		if (is_playing || longest_queue())
			play();
	}
}
