/*
 * size.h - the size of the X server's screen, which RandR changes.
 */
#ifndef BAILEY_DISPLAY_SIZE_H
#define BAILEY_DISPLAY_SIZE_H

#include <X11/Xlib.h>
#include <stdbool.h>
#include <stdint.h>

/* As near to it as the server can; no error if there is no RandR.  The events
 * of the change are on their way when it returns. */
void size_set(Display *x, uint32_t w, uint32_t h);
/* The number of RandR's first event, or -1: from now on this connection hears
 * of changes. */
int size_watch(Display *x);
/* It was such an event: what Xlib believes is right from now on. */
bool size_event(int first, const XEvent *e);

/* The picture's memory, all of it black: given back to the sandbox. */
void size_trim(void);

#endif
