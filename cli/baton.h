/*
 * baton.h - a sandbox goes from one host to another: never on both, and
 * never lost (`move` on one side, `resume --handover` on the other).
 *
 *   source                        target
 *   stands still; image     --->  unpacks and checks it
 *                           <---  "bailey-is-prepared ID"
 *   stays still whatever
 *   comes; "go"             --->  starts it
 *                           <---  ID, or that it has failed
 *   ends
 *
 * The target never starts without "go", and without it forgets all when its
 * input ends.  The source goes on only as long as it has not said "go", or when
 * it knows that the target does not run.  What neither can know is whether a
 * "go" has arrived when the line breaks then: the source asks again, and if
 * nobody answers it stands still, until somebody who knows ends it or lets it
 * go on.
 *
 * The image comes in chunks, each behind its size in 4 bytes, little-endian;
 * one of size 0 is its end.
 */
#ifndef BAILEY_BATON_H
#define BAILEY_BATON_H

#include "lib/err.h"

#define BATON_PREPARED "bailey-is-prepared "
#define BATON_GO "go\n"
#define BATON_FAILED "bailey-has-not-started-it"

/* ---- source ------------------------------------------------------------- */
/* From now on what is written to the returned pipe goes to `to` in chunks, by
 * process *pid, until the pipe's end, which is the image's. */
int baton_send(int to, int *pid, struct err *e);

/* ---- target ------------------------------------------------------------- */
/* Takes the image from standard input, which is the image from then on; *go:
 * where what follows it comes from. */
int baton_receive(int *go, struct err *e);
/* All is prepared: waits for the word. */
int baton_await(int go, const char *id, struct err *e);

#endif
