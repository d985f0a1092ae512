/*
 * saving.h - a running sandbox into an image: what `save`, `move` and
 * `branch` have in common.
 *
 * Whatever can be refused is refused before the sandbox is touched.  Then it
 * is frozen, its kernel heap copied, and let go (or kept frozen); the rest is
 * written while it runs.  Until the image is complete any end of this
 * process, kill -9 included, lets the sandbox go on as it was.
 */
#ifndef BAILEY_SAVING_H
#define BAILEY_SAVING_H

#include "cli/state.h"
#include "image/image.h"

struct saving {
	struct state *state;
	struct image_options options;
	const char *path;       /* "-": standard output */
	bool is_kept_frozen;    /* stands still until one of the three below */
	/* results */
	struct image_totals totals;
	uint64_t pause_ns;      /* that the program felt */
	int signal;             /* that came too late to stop it, or 0 */
	/* own */
	int control, stream;
	bool was_paused, is_thawed;
	int guardian, guardian_pid;
	char *manifest;
};

/* 0: the image is complete.  -1 with e: there is none, the sandbox is as it
 * was; e->status is 128 + n if signal n stopped us. */
int saving_run(struct saving *s, struct err *e);
/* What becomes of a frozen one: it goes on, stays as it is, or ends. */
void saving_let_go(struct saving *s);
void saving_leave(struct saving *s);
int saving_end(struct saving *s, struct err *e);

/* The manifest that goes into an image (record.c): the OCI form of what
 * state.json says, and a section "bailey" with what has no place there. */
char *record_manifest(const struct state *s);
/* Its published ports, as -p takes them, separated by commas. */
char *record_ports(const struct state *s);

#endif
