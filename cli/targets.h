/*
 * targets.h - commands that act on each sandbox named in their arguments:
 * kill, stop, wait, rm, inspect.
 */
#ifndef BAILEY_TARGETS_H
#define BAILEY_TARGETS_H

#include <bailey/sandbox.h>

#include "cli/state.h"

/* For each argument, or for every sandbox if is_all; goes on after an error
 * and returns 125 if there was one. */
int targets_each(const char *command, bool is_all, int argc, char **argv,
		 int (*act)(struct state *s, void *ctx, struct err *e),
		 void *ctx);
/* Send a signal to the program; 0, or -1 with e. */
int target_signal(const struct state *s, int sig, struct err *e);
/* Wait up to this long for the end (-1: for ever); true when it has ended. */
bool target_wait(struct state *s, int milliseconds);

/* One request without handles; answers are waited for this long each (-1: for
 * ever).  The size of the answer that is now in payload (CONTROL_PAYLOAD_MAX
 * bytes), or -1 with e. */
int target_ask(const struct state *s, int control, const struct control_msg *m,
	       char *payload, int milliseconds, struct err *e);
/* Does it stand still, by `bailey pause` or a save that left it so? */
bool target_is_paused(const struct state *s);

#endif
