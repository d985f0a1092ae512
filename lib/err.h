/*
 * err.h - an error that is on its way to the user.
 *
 * Functions of the command and the monitor that can fail for a reason worth
 * telling take a struct err: the exit status that the command is to end with
 * (125 our own, 126 not executable, 127 not found) and one or two lines of
 * text.  Nothing in lib/ or monitor/ prints.
 */
#ifndef BAILEY_ERR_H
#define BAILEY_ERR_H

struct err {
	int status;     /* exit status for the command; 0: no error */
	char text[512]; /* without "bailey: " and without a newline */
};

/* Fill e (may be NULL) and return -1, so that `return err_set(...)` works. */
int err_set(struct err *e, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
