/*
 * check.h - for the small programs that run natively and inside a sandbox.
 *
 * CHECK(expr) prints "ok" or "FAIL" with its text; SHOW prints a value.  The
 * runner compares the two outputs and exit statuses, and every line that a
 * CHECK prints is one counted check.  A program that is right prints no FAIL
 * natively.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_failures;

#define CHECK(expr)                                                          \
	do {                                                                 \
		int check_ok = !!(expr);                                     \
		check_failures += !check_ok;                                 \
		printf("%s %s:%d %s\n", check_ok ? "ok" : "FAIL",            \
		       __func__, __LINE__, #expr);                           \
		fflush(stdout);                                              \
	} while (0)

/* expr must fail with this errno. */
#define CHECK_ERRNO(expr, code)                                              \
	do {                                                                 \
		errno = 0;                                                   \
		long check_r = (long)(expr);                                 \
		int check_e = errno;                                         \
		int check_ok = check_r == -1 && check_e == (code);           \
		check_failures += !check_ok;                                 \
		printf("%s %s:%d %s -> %s", check_ok ? "ok" : "FAIL",        \
		       __func__, __LINE__, #expr, #code);                    \
		if (!check_ok)                                               \
			printf(" (got %ld, %s)", check_r, strerror(check_e));\
		printf("\n");                                                \
		fflush(stdout);                                              \
	} while (0)

#define SHOW(...)                                                            \
	do {                                                                 \
		printf(__VA_ARGS__);                                         \
		printf("\n");                                                \
		fflush(stdout);                                              \
	} while (0)

static inline int check_done(void) { return check_failures ? 1 : 0; }

#endif
