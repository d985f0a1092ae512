/*
 * turn.c - see turn.h.
 */
#include "display/turn.h"

#include <poll.h>

enum { WAIT_MS = 1000 };

static Window own;
static Atom selection;

static int ignore(Display *x, XErrorEvent *e)
{
	return 0;
}

static Bool is_gone(Display *x, XEvent *e, XPointer window)
{
	return e->type == DestroyNotify &&
		e->xdestroywindow.window == *(const Window *)window;
}

static void wait_for_end(Display *x, Window before)
{
	struct pollfd p = { ConnectionNumber(x), POLLIN, 0 };
	XEvent e;

	for (;;) {
		if (XCheckIfEvent(x, &e, is_gone, (XPointer)&before))
			return;
		if (poll(&p, 1, WAIT_MS) <= 0)
			return;
	}
}

void turn_take(Display *x)
{
	XWindowAttributes a;
	Window before;

	XSetErrorHandler(ignore);
	selection = XInternAtom(x, "_BAILEY_VIEWER", False);
	own = XCreateSimpleWindow(x, DefaultRootWindow(x), -1, -1, 1, 1, 0, 0,
				  0);
	before = XGetSelectionOwner(x, selection);
	if (before != None)
		XSelectInput(x, before, StructureNotifyMask);
	XSetSelectionOwner(x, selection, own, CurrentTime);
	/* it may have gone before it was watched */
	if (before != None && XGetWindowAttributes(x, before, &a))
		wait_for_end(x, before);
}

bool turn_is_over(const XEvent *e)
{
	return e->type == SelectionClear &&
		e->xselectionclear.selection == selection;
}
