/*
 * turn.h - whose turn it is to look at the screen: the newest viewer's, of
 * whatever kind.  It owns a selection of the X server.
 */
#ifndef BAILEY_DISPLAY_TURN_H
#define BAILEY_DISPLAY_TURN_H

#include <X11/Xlib.h>
#include <stdbool.h>

/* Ends the turn of the one before, and waits a moment for it to have let go
 * of keys and buttons.  From now on errors of X requests are ignored: windows
 * of others go when they like. */
void turn_take(Display *x);
/* Another viewer has taken over. */
bool turn_is_over(const XEvent *e);

#endif
