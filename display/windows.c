/*
 * windows.c - bailey-display-windows: what a screen for one program needs of
 * a window manager.
 *
 *   bailey-display-windows [WIDTHxHEIGHT]     (display.h)
 *
 * A main window fills the screen, whatever size that gets; a dialog lies in the middle and inside it,
 * above the window that it belongs to.  The newest has the keyboard, then the
 * one that was clicked on.  Alt-Tab goes to the next, Alt-F4 closes.  No
 * frames.  It ends when another window manager takes over (`--replace`).
 *
 * State: the managed windows, bottom first; the last has the keyboard.
 */
#include "display/display.h"
#include "display/size.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WINDOWS_MAX = 256 };

struct window { Window id, of; bool is_filling; };

static struct window stack[WINDOWS_MAX];
static int count;
static Display *x;
static Window root;
static int width, height;
static Atom wm_state, wm_protocols, wm_delete, wm_take_focus, net_active,
	net_type, net_dialog, net_utility, net_splash;

/* A window may be gone at any moment. */
static int on_error(Display *d, XErrorEvent *e)
{
	return 0;
}

/* ---- the stack ---------------------------------------------------------- */
static struct window *find(Window id)
{
	for (int i = 0; i < count; i++)
		if (stack[i].id == id)
			return &stack[i];
	return NULL;
}

static void take_out(struct window *w)
{
	count--;
	memmove(w, w + 1, (size_t)(stack + count - w) * sizeof(*w));
}

static void put_on_top(Window id)
{
	struct window *w = find(id), copy;

	if (!w)
		return;
	copy = *w;
	take_out(w);
	stack[count++] = copy;
	XRaiseWindow(x, id);
}

/* ---- the keyboard -------------------------------------------------------- */
static bool knows(Window id, Atom protocol)
{
	Atom *list;
	int n;
	bool is_known = false;

	if (!XGetWMProtocols(x, id, &list, &n))
		return false;
	for (int i = 0; i < n; i++)
		is_known |= list[i] == protocol;
	XFree(list);
	return is_known;
}

static void tell(Window id, Atom protocol, Time when)
{
	XEvent e = { .xclient = { .type = ClientMessage, .window = id,
		.message_type = wm_protocols, .format = 32,
		.data.l = { (long)protocol, (long)when } } };

	XSendEvent(x, id, False, NoEventMask, &e);
}

static void focus_top(Time when)
{
	Window id = count ? stack[count - 1].id : None;

	XChangeProperty(x, root, net_active, XA_WINDOW, 32, PropModeReplace,
			(unsigned char *)&id, 1);
	if (id == None) {
		XSetInputFocus(x, PointerRoot, RevertToPointerRoot, when);
		return;
	}
	XSetInputFocus(x, id, RevertToPointerRoot, when);
	if (knows(id, wm_take_focus))
		tell(id, wm_take_focus, when);
}

/* It, and above it what belongs to it. */
static void raise_window(Window id, Time when)
{
	Window of[WINDOWS_MAX];
	int n = 0;

	put_on_top(id);
	for (int i = 0; i < count; i++)
		if (stack[i].of == id && stack[i].id != id)
			of[n++] = stack[i].id;
	for (int i = 0; i < n; i++)
		put_on_top(of[i]);
	focus_top(when);
}

/* ---- places -------------------------------------------------------------- */
static bool is_small(Window id, Window of)
{
	XSizeHints h = { .flags = 0 };
	unsigned char *data = NULL;
	unsigned long n, left;
	Atom type, kind = None;
	int format;
	long given;

	if (XGetWindowProperty(x, id, net_type, 0, 1, False, XA_ATOM, &type,
			       &format, &n, &left, &data) == Success && data) {
		if (n == 1)
			memcpy(&kind, data, sizeof(kind));
		XFree(data);
	}
	if (of != None || kind == net_dialog || kind == net_utility ||
	    kind == net_splash)
		return true;
	return XGetWMNormalHints(x, id, &h, &given) && h.flags & PMaxSize &&
		(h.max_width < width || h.max_height < height);
}

static int middle(int size, int all)
{
	return size < all ? (all - size) / 2 : 0;
}

static void place(struct window *w, int wide, int high)
{
	if (w->is_filling || wide > width)
		wide = width;
	if (w->is_filling || high > height)
		high = height;
	XMoveResizeWindow(x, w->id, middle(wide, width), middle(high, height),
			  (unsigned)wide, (unsigned)high);
}

/* What it is told when it asks for another place and does not get it. */
static void confirm(Window id)
{
	XWindowAttributes a;
	XEvent e = { .xconfigure = { .type = ConfigureNotify, .event = id,
		.window = id, .above = None } };

	if (!XGetWindowAttributes(x, id, &a))
		return;
	e.xconfigure.x = a.x;
	e.xconfigure.y = a.y;
	e.xconfigure.width = a.width;
	e.xconfigure.height = a.height;
	XSendEvent(x, id, False, StructureNotifyMask, &e);
}

/* ---- what happens -------------------------------------------------------- */
static void manage(Window id)
{
	long state[2] = { NormalState, None };
	XWindowAttributes a;
	struct window *w = find(id);

	if (!XGetWindowAttributes(x, id, &a) || a.override_redirect)
		return;
	if (!w && count < WINDOWS_MAX) {
		w = &stack[count++];
		*w = (struct window){ .id = id };
		XGetTransientForHint(x, id, &w->of);
		w->is_filling = !is_small(id, w->of);
		XSetWindowBorderWidth(x, id, 0);
		XGrabButton(x, AnyButton, AnyModifier, id, False,
			    ButtonPressMask, GrabModeSync, GrabModeAsync, None,
			    None);
		place(w, a.width, a.height);
	}
	XChangeProperty(x, id, wm_state, wm_state, 32, PropModeReplace,
			(unsigned char *)state, 2);
	XMapWindow(x, id);
	raise_window(id, CurrentTime);
}

static void forget(Window id)
{
	struct window *w = find(id);

	if (!w)
		return;
	take_out(w);
	focus_top(CurrentTime);
}

static void configure(const XConfigureRequestEvent *r)
{
	struct window *w = find(r->window);
	XWindowAttributes a;
	XWindowChanges c = { r->x, r->y, r->width, r->height,
		r->border_width, r->above, r->detail };

	if (!w) { /* not shown yet */
		XConfigureWindow(x, r->window, (unsigned)r->value_mask, &c);
		return;
	}
	if (!w->is_filling && r->value_mask & (CWWidth | CWHeight) &&
	    XGetWindowAttributes(x, w->id, &a))
		place(w, r->value_mask & CWWidth ? r->width : a.width,
		      r->value_mask & CWHeight ? r->height : a.height);
	confirm(r->window);
}

static void tell_size(void)
{
	FILE *f = fopen(DISPLAY_SIZE, "w");

	if (!f)
		return; /* we run elsewhere */
	fprintf(f, "%dx%d\n", width, height);
	fclose(f);
}

/* The screen's size has changed. */
static void fit_all(int w, int h)
{
	XWindowAttributes a;

	if (w == width && h == height)
		return;
	width = w;
	height = h;
	for (int i = 0; i < count; i++)
		if (XGetWindowAttributes(x, stack[i].id, &a)) {
			stack[i].is_filling = !is_small(stack[i].id,
							stack[i].of);
			place(&stack[i], a.width, a.height);
		}
	tell_size();
}

static void on_key(const XKeyEvent *e)
{
	KeySym symbol = XLookupKeysym((XKeyEvent *)(uintptr_t)e, 0);
	Window top = count ? stack[count - 1].id : None;

	if (symbol == XK_Tab && count)
		raise_window(stack[0].id, e->time);
	else if (symbol == XK_F4 && top != None && knows(top, wm_delete))
		tell(top, wm_delete, e->time);
	else if (symbol == XK_F4 && top != None)
		XKillClient(x, top);
}

static void on_button(const XButtonEvent *e)
{
	if (count && stack[count - 1].id != e->window)
		raise_window(e->window, e->time);
	XAllowEvents(x, ReplayPointer, e->time);
}

static void handle(const XEvent *e)
{
	switch (e->type) {
	case MapRequest: manage(e->xmaprequest.window); break;
	case UnmapNotify: forget(e->xunmap.window); break;
	case DestroyNotify: forget(e->xdestroywindow.window); break;
	case ConfigureNotify:
		if (e->xconfigure.window == root)
			fit_all(e->xconfigure.width, e->xconfigure.height);
		break;
	case ConfigureRequest: configure(&e->xconfigurerequest); break;
	case KeyPress: on_key(&e->xkey); break;
	case ButtonPress: on_button(&e->xbutton); break;
	case ClientMessage:
		if (e->xclient.message_type == net_active)
			raise_window(e->xclient.window, CurrentTime);
		break;
	case MappingNotify:
		XRefreshKeyboardMapping((XMappingEvent *)(uintptr_t)
					&e->xmapping);
		break;
	case SelectionClear: exit(0);
	}
}

/* ---- the start ----------------------------------------------------------- */
static void name_atoms(void)
{
	wm_state = XInternAtom(x, "WM_STATE", False);
	wm_protocols = XInternAtom(x, "WM_PROTOCOLS", False);
	wm_delete = XInternAtom(x, "WM_DELETE_WINDOW", False);
	wm_take_focus = XInternAtom(x, "WM_TAKE_FOCUS", False);
	net_active = XInternAtom(x, "_NET_ACTIVE_WINDOW", False);
	net_type = XInternAtom(x, "_NET_WM_WINDOW_TYPE", False);
	net_dialog = XInternAtom(x, "_NET_WM_WINDOW_TYPE_DIALOG", False);
	net_utility = XInternAtom(x, "_NET_WM_WINDOW_TYPE_UTILITY", False);
	net_splash = XInternAtom(x, "_NET_WM_WINDOW_TYPE_SPLASH", False);
}

/* So that toolkits know that there is one, and others can take over. */
static void announce(void)
{
	Window own = XCreateSimpleWindow(x, root, -1, -1, 1, 1, 0, 0, 0);
	Atom check = XInternAtom(x, "_NET_SUPPORTING_WM_CHECK", False);
	Atom supported[] = { check, net_active, net_type };

	XChangeProperty(x, root, check, XA_WINDOW, 32, PropModeReplace,
			(unsigned char *)&own, 1);
	XChangeProperty(x, own, check, XA_WINDOW, 32, PropModeReplace,
			(unsigned char *)&own, 1);
	XChangeProperty(x, own, XInternAtom(x, "_NET_WM_NAME", False),
			XInternAtom(x, "UTF8_STRING", False), 8,
			PropModeReplace, (const unsigned char *)"bailey", 6);
	XChangeProperty(x, root, XInternAtom(x, "_NET_SUPPORTED", False),
			XA_ATOM, 32, PropModeReplace,
			(unsigned char *)supported, 3);
	XSetSelectionOwner(x, XInternAtom(x, "WM_S0", False), own,
			   CurrentTime);
}

/* GTK asks Mesa which visuals suit OpenGL best, which costs each program 9 MB
 * of memory, unless an earlier one has left the answer here. */
static void answer_gtk(void)
{
	XVisualInfo want = { .screen = DefaultScreen(x), .depth = 32,
		.class = TrueColor }, *found;
	int n = 0;
	long ids[2] = { (long)XVisualIDFromVisual(DefaultVisual(x,
						  DefaultScreen(x))) };

	found = XGetVisualInfo(x, VisualScreenMask | VisualDepthMask |
			       VisualClassMask, &want, &n);
	if (n > 0) {
		ids[1] = (long)found->visualid;
		XChangeProperty(x, root, XInternAtom(x, "GDK_VISUALS", False),
				XA_INTEGER, 32, PropModeReplace,
				(unsigned char *)ids, 2);
	}
	if (found)
		XFree(found);
}

static void grab_keys(void)
{
	static const unsigned locks[] = { 0, LockMask, Mod2Mask,
		LockMask | Mod2Mask };

	for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		XGrabKey(x, XKeysymToKeycode(x, XK_Tab), Mod1Mask | locks[i],
			 root, False, GrabModeAsync, GrabModeAsync);
		XGrabKey(x, XKeysymToKeycode(x, XK_F4), Mod1Mask | locks[i],
			 root, False, GrabModeAsync, GrabModeAsync);
	}
}

/* The program may have been quicker. */
static void manage_present(void)
{
	Window r, parent, *list = NULL;
	XWindowAttributes a;
	unsigned n = 0;

	XQueryTree(x, root, &r, &parent, &list, &n);
	for (unsigned i = 0; i < n; i++)
		if (XGetWindowAttributes(x, list[i], &a) &&
		    a.map_state == IsViewable)
			manage(list[i]);
	if (list)
		XFree(list);
}

static void set_first_size(const char *size)
{
	XWindowAttributes a;
	unsigned w, h;

	if (size && sscanf(size, "%ux%u", &w, &h) == 2) {
		size_set(x, w, h);
		size_trim(); /* what the server has cleared */
	}
	if (XGetWindowAttributes(x, root, &a)) {
		width = a.width;
		height = a.height;
	}
	tell_size();
}

int main(int argc, char **argv)
{
	XEvent e;

	x = XOpenDisplay(NULL);
	if (!x)
		return 1;
	XSetErrorHandler(on_error);
	root = DefaultRootWindow(x);
	name_atoms();
	XSelectInput(x, root, SubstructureRedirectMask |
		     SubstructureNotifyMask | StructureNotifyMask);
	set_first_size(argc > 1 ? argv[1] : NULL);
	announce();
	answer_gtk();
	grab_keys();
	manage_present();
	XSync(x, False);
	if (argc > 1)
		close(WINDOWS_READY);
	for (;;) {
		XNextEvent(x, &e);
		handle(&e);
	}
}
