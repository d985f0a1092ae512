/*
 * x-flood.c - a program that does to its X server what it can: for SECONDS
 * seconds windows are made, named, moved, shown and destroyed, hundreds at a
 * time, the selection changes hands, and the pointer its shape:
 * x-flood SECONDS.  Then one window stays, with the title "still here".
 */
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/cursorfont.h>
#include <stdlib.h>
#include <time.h>

enum { WINDOWS = 300 };

static Window make(Display *d, int i)
{
	Window w = XCreateSimpleWindow(d, DefaultRootWindow(d), i * 7 % 900,
				       i * 11 % 700, 60 + (unsigned)i % 90,
				       50, 1, 0, (unsigned long)i * 7919);

	XStoreName(d, w, "flood");
	if (i % 3 == 0)
		XSetTransientForHint(d, w, DefaultRootWindow(d));
	XDefineCursor(d, w, XCreateFontCursor(d, (unsigned)i * 2 % 150));
	XMapWindow(d, w);
	return w;
}

static void flood(Display *d, Window *w)
{
	Atom clipboard = XInternAtom(d, "CLIPBOARD", False);

	for (int i = 0; i < WINDOWS; i++)
		w[i] = make(d, i);
	for (int i = 0; i < WINDOWS; i++) {
		XMoveResizeWindow(d, w[i], rand() % 1000, rand() % 800,
				  1 + (unsigned)rand() % 400,
				  1 + (unsigned)rand() % 400);
		XClearWindow(d, w[i]);
		XSetSelectionOwner(d, clipboard, w[i], CurrentTime);
		XWarpPointer(d, None, DefaultRootWindow(d), 0, 0, 0, 0,
			     rand() % 1000, rand() % 700);
	}
	XSync(d, True);
	for (int i = 0; i < WINDOWS; i++)
		XDestroyWindow(d, w[i]);
}

static int on_error(Display *d, XErrorEvent *e)
{
	return 0;
}

int main(int argc, char **argv)
{
	Display *d = XOpenDisplay(NULL);
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	Window w[WINDOWS];
	XEvent e;

	if (!d)
		return 1;
	XSetErrorHandler(on_error);
	while (time(NULL) < end)
		flood(d, w);
	w[0] = XCreateSimpleWindow(d, DefaultRootWindow(d), 0, 0, 400, 300, 0,
				   0, 0x3366cc);
	XStoreName(d, w[0], "still here");
	XSelectInput(d, w[0], KeyPressMask);
	XMapWindow(d, w[0]);
	for (;;) {
		XNextEvent(d, &e);
		if (e.type != KeyPress)
			continue;
		XSetWindowBackground(d, w[0], (unsigned long)rand());
		XClearWindow(d, w[0]);
	}
}
