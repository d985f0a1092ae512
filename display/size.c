/*
 * size.c - see size.h.
 *
 * Xvfb has the memory of its largest screen from the beginning and shows the
 * upper left part of it.  Memory that was never drawn into costs nothing, so
 * what Xvfb has cleared at its start, and what a large viewer has left behind,
 * is punched out of the file.
 */
#include "display/size.h"
#include "display/display.h"

#define BOOL x_bool
#include <X11/XWDFile.h>
#undef BOOL
#include <X11/extensions/Xrandr.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDE_MIN = 200, DOTS_PER_INCH = 96, UNIT = 4, PAGE = 4096 };

/* ---- memory ------------------------------------------------------------- */
void size_trim(void)
{
	int fd = open(DISPLAY_FRAMEBUFFER, O_RDWR | O_CLOEXEC);
	XWDFileHeader h;
	struct stat st;
	off_t start;

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && read(fd, &h, sizeof(h)) == sizeof(h)) {
		start = (off_t)ntohl(h.header_size) +
			(off_t)ntohl(h.ncolors) * SIZEOF(XWDColor);
		start = (start + PAGE - 1) / PAGE * PAGE;
		if (start < st.st_size)
			fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				  FALLOC_FL_KEEP_SIZE, start,
				  st.st_size - start);
	}
	close(fd);
}

/* Everything is drawn anew below a window that comes and goes. */
static void draw_all(Display *x, uint32_t w, uint32_t h)
{
	XSetWindowAttributes a = { .override_redirect = True };
	Window cover = XCreateWindow(x, DefaultRootWindow(x), 0, 0, w, h, 0,
		CopyFromParent, InputOutput, CopyFromParent,
		CWOverrideRedirect, &a);

	XMapRaised(x, cover);
	XDestroyWindow(x, cover);
	XFlush(x);
}

/* ---- RandR -------------------------------------------------------------- */
static uint32_t between(uint32_t v, int min, int max)
{
	int wanted = v > 1 << 15 ? 1 << 15 : (int)v;

	return (uint32_t)(wanted < min ? min : wanted > max ? max : wanted);
}

static RRMode find_mode(const XRRScreenResources *r, uint32_t w, uint32_t h)
{
	for (int i = 0; i < r->nmode; i++)
		if (r->modes[i].width == w && r->modes[i].height == h)
			return r->modes[i].id;
	return None;
}

static RRMode make_mode(Display *x, uint32_t w, uint32_t h)
{
	char name[32];
	XRRModeInfo m = { .width = w, .height = h, .hTotal = w, .vTotal = h,
		.dotClock = (unsigned long)w * h * 60, .name = name };

	m.nameLength = (unsigned)snprintf(name, sizeof(name), "%ux%u", w, h);
	return XRRCreateMode(x, DefaultRootWindow(x), &m);
}

/* The modes of sizes that have been; the first is the server's own. */
static void forget_modes(Display *x, const XRRScreenResources *r, RRMode but)
{
	for (int i = 1; i < r->nmode; i++) {
		if (r->modes[i].id == but)
			continue;
		XRRDeleteOutputMode(x, r->outputs[0], r->modes[i].id);
		XRRDestroyMode(x, r->modes[i].id);
	}
}

static int millimetres(uint32_t dots)
{
	return (int)((dots * 254 + DOTS_PER_INCH * 5) / (DOTS_PER_INCH * 10));
}

static void change(Display *x, XRRScreenResources *r, uint32_t w,
		   uint32_t h)
{
	RRMode mode = find_mode(r, w, h);
	RROutput output = r->outputs[0];
	Window root = DefaultRootWindow(x);

	if (!mode) {
		mode = make_mode(x, w, h);
		XRRAddOutputMode(x, output, mode);
	}
	XRRSetCrtcConfig(x, r, r->crtcs[0], CurrentTime, 0, 0, None,
			 RR_Rotate_0, NULL, 0);
	XRRSetScreenSize(x, root, (int)w, (int)h,
			 millimetres(w), millimetres(h));
	XRRSetCrtcConfig(x, r, r->crtcs[0], CurrentTime, 0, 0, mode,
			 RR_Rotate_0, &output, 1);
	forget_modes(x, r, mode);
}

void size_set(Display *x, uint32_t w, uint32_t h)
{
	int min_w, min_h, max_w, max_h, first, error, screen = DefaultScreen(x);
	uint32_t old_w = (uint32_t)DisplayWidth(x, screen);
	uint32_t old_h = (uint32_t)DisplayHeight(x, screen);
	XRRScreenResources *r;

	if (!XRRQueryExtension(x, &first, &error) ||
	    !XRRGetScreenSizeRange(x, DefaultRootWindow(x), &min_w, &min_h,
				   &max_w, &max_h))
		return;
	/* lines of a picture are sent in units of four */
	w = between(w, SIDE_MIN, max_w) / UNIT * UNIT;
	h = between(h, SIDE_MIN, max_h);
	if (w == old_w && h == old_h)
		return;
	XGrabServer(x); /* nobody sees it in between */
	r = XRRGetScreenResourcesCurrent(x, DefaultRootWindow(x));
	if (r && r->ncrtc > 0 && r->noutput > 0)
		change(x, r, w, h);
	if (r)
		XRRFreeScreenResources(r);
	XUngrabServer(x);
	XSync(x, False);
	if ((uint64_t)w * h * 2 < (uint64_t)old_w * old_h) {
		size_trim();
		draw_all(x, w, h);
	}
}

int size_watch(Display *x)
{
	int first, error;

	if (!XRRQueryExtension(x, &first, &error))
		return -1;
	XRRSelectInput(x, DefaultRootWindow(x), RRScreenChangeNotifyMask);
	return first;
}

bool size_event(int first, const XEvent *e)
{
	XEvent copy = *e;

	if (first < 0 || e->type != first + RRScreenChangeNotify)
		return false;
	XRRUpdateConfiguration(&copy);
	return true;
}
