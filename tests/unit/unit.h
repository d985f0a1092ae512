/*
 * unit.h - what a test of the library OS uses: system calls, checks, and
 * threads of the guest.
 *
 * A test is a function UNIT(name).  It runs as process 1 of a sandbox of its
 * own, in its own test program process, with a private layer over tree 0 as
 * its root, tmpfs on /tmp and tree 0 itself on /volume, and calls the system's
 * calls with SYS(name, ...): the result is what the guest would get, handlers
 * of signals have run.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <libos/base.h>
#include <libos/heap.h>
#include <libos/sys.h>
#include <libos/task.h>

#include <asm/unistd.h>

#include "fake.h"

int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- checks --------------------------------------------------------------- */
void unit_check(bool ok, const char *file, int line, const char *what);
void unit_equal(long got, long want, const char *file, int line,
		const char *what);
#define CHECK(c) unit_check((c), __FILE__, __LINE__, #c)
/* got is what it should be; both are told if not. */
#define EQ(got, want) \
	unit_equal((long)(got), (long)(want), __FILE__, __LINE__, #got)
/* For loops against a model: a failure ends the test, a success counts as
 * nothing until UNIT_DONE says that the whole loop went well. */
#define MUST(c) \
	do { if (!(c)) unit_fatal(__FILE__, __LINE__, #c); } while (0)
_Noreturn void unit_fatal(const char *file, int line, const char *what);

/* The same numbers in every run. */
u32 unit_random(u32 below);

/* ---- system calls ------------------------------------------------------------ */
long unit_sys(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
#define UNIT_SYS(nr, a, b, c, d, e, f, ...) \
	unit_sys((nr), (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), \
		 (u64)(f))
#define SYS(name, ...) \
	UNIT_SYS(__NR_##name __VA_OPT__(,) __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* ---- threads and processes of the guest ---------------------------------------- */
/* A process (a fork whose memory is shared) or a thread that runs fn(arg) and
 * exits with what it returns.  Its pid or tid. */
s32 unit_fork(int (*fn)(void *arg), void *arg);
s32 unit_thread(int (*fn)(void *arg), void *arg);
/* Waits for a child: its wait status. */
int unit_wait(s32 pid);
/* Waits until *word is not value, by futex-less looking; false after 10 s. */
bool unit_until(const volatile u32 *word, u32 value);
void unit_run_guest(struct task *t);
/* The service thread, for tests that let time pass on its own. */
void unit_service(void);

/* ---- the list of tests ------------------------------------------------------------ */
struct unit {
	const char *name;
	void (*fn)(void);
	bool still; /* one thread, time stands still */
	struct unit *next;
};
void unit_add(struct unit *u);
#define UNIT_(id, still_)                                                    \
	static void id(void);                                                \
	static struct unit unit_##id = { #id, id, still_, NULL };            \
	__attribute__((constructor)) static void add_##id(void)              \
	{                                                                    \
		unit_add(&unit_##id);                                        \
	}                                                                    \
	static void id(void)
#define UNIT(id) UNIT_(id, true)           /* alone; the clock stands still */
#define UNIT_THREADS(id) UNIT_(id, false)  /* with others; the real clock */

#endif
