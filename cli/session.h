/*
 * session.h - the foreground of `run` and `exec`: from the start of the
 * program to its end, the command relays the terminal, passes signals on and
 * watches the connection to the monitor.
 */
#ifndef BAILEY_SESSION_H
#define BAILEY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct session {
	int control;      /* connection to the monitor */
	uint32_t token;   /* 0: the sandbox's program; else a spawn's */
	int relay;        /* our end of the console's stream, or -1 */
	bool has_input;   /* -i: standard input goes to the console */
	bool is_proxying; /* pass signals on */
	bool is_quiet;
	/* result */
	bool is_over;
	int status;       /* wait status, of a spawn only */
};

/* The signals that session_run handles must be blocked before threads or
 * children exist: done by session_prepare. */
void session_prepare(void);
/* In a child that is to run something else: as before session_prepare. */
void session_restore_signals(void);
/* Until the program has ended (token 0: CTL_ENDED is left unread, for
 * sandbox_wait). -1 with e only if the connection broke. */
int session_run(struct session *s, struct err *e);

/* ---- terminal.c ------------------------------------------------------------- */
/* Raw mode for the terminal at fd 0 or 1 until terminal_restore; also on
 * exit(). keep_output: leave output processing on (a trace is written to the
 * same terminal). */
void terminal_raw(bool keep_output);
void terminal_restore(void);
/* In raw mode without output processing a line ends with "\r\n". */
bool terminal_needs_return(void);
/* Size of the terminal at fd 1 or 0; 24 x 80 if there is none. */
void terminal_size(uint32_t *rows, uint32_t *columns);
/* Both stdin and stdout are terminals. */
bool terminal_is_interactive(void);
/* The console's stream: *inside goes to the sandbox. */
int terminal_pair(int *relay, int *inside, struct err *e);

#endif
