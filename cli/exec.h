/*
 * exec.h - one more program in a running sandbox, for other commands.
 */
#ifndef BAILEY_CLI_EXEC_H
#define BAILEY_CLI_EXEC_H

#include "lib/err.h"

struct state;

/* As the sandbox's own user and with its environment; it has these as its
 * standard streams, and nobody waits for it. */
int exec_detached(const struct state *s, char *const *argv, const int fds[3],
		  struct err *e);

#endif
