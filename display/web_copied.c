/*
 * web_copied.c - text and pictures (PNG) of the two clipboards (web.h), each
 * direction only if the policy lets it.
 *
 * In: the page says what it has; from then on we own the X selection, and
 * answer programs that paste.  Out: when a program has copied we ask it what
 * there is, then for the text, or else the picture, and send that, since a page
 * can only put into its clipboard what it has.  Much comes in pieces (INCR).
 */
#include "display/web.h"

#include <X11/Xatom.h>
#include <X11/extensions/Xfixes.h>
#include <stdlib.h>
#include <string.h>

enum { TARGETS_MAX = 256 };

struct copied {
	Window window;
	Atom selection, utf8, png, targets, property, incr;
	int event;
	char *in;                /* the page's */
	size_t in_size;
	bool is_picture;         /* it is one */
	bool is_new;             /* a program has copied; not asked yet */
	bool is_in_pieces;       /* what a program has is coming */
	Atom asked;              /* what for */
	char *out;
	size_t out_size;
};

/* ---- in: what the page has, for a program ------------------------------- */
static void answer(struct web *w, const XSelectionRequestEvent *r,
		   Atom property)
{
	XSelectionEvent e = { .type = SelectionNotify, .display = w->x,
		.requestor = r->requestor, .selection = r->selection,
		.target = r->target, .property = property, .time = r->time };

	XSendEvent(w->x, r->requestor, False, 0, (XEvent *)&e);
	XFlush(w->x);
}

static void on_request(struct web *w, const XSelectionRequestEvent *r)
{
	struct copied *c = w->copied;
	Atom text[] = { c->targets, c->utf8, XA_STRING };
	Atom picture[] = { c->targets, c->png };
	Atom property = r->property;
	bool is_ours = c->is_picture ? r->target == c->png :
		r->target == c->utf8 || r->target == XA_STRING;

	if (property != None && r->target == c->targets)
		XChangeProperty(w->x, r->requestor, property, XA_ATOM, 32,
			PropModeReplace, (unsigned char *)(c->is_picture ?
			picture : text), c->is_picture ? 2 : 3);
	else if (property != None && is_ours)
		XChangeProperty(w->x, r->requestor, property, r->target, 8,
				PropModeReplace, (unsigned char *)c->in,
				(int)c->in_size);
	else
		property = None;
	answer(w, r, property);
}

void copied_take(struct web *w, bool is_picture, const uint8_t *data,
		 size_t size)
{
	struct copied *c = w->copied;

	if (size > COPIED_MAX)
		return;
	free(c->in);
	c->in = malloc(size + 1);
	c->in_size = c->in ? size : 0;
	c->is_picture = is_picture;
	if (!c->in)
		return;
	memcpy(c->in, data, size);
	XSetSelectionOwner(w->x, c->selection, c->window, CurrentTime);
	XFlush(w->x);
}

/* ---- out: what a program has, for the page ------------------------------ */
static void send_out(struct web *w)
{
	struct copied *c = w->copied;
	uint8_t head = c->asked == c->png ? WEB_PICTURE : WEB_COPIED;

	if (c->out_size && c->out_size <= COPIED_MAX)
		websocket_send(&w->socket, &head, 1, c->out, c->out_size);
	free(c->out);
	c->out = NULL;
	c->out_size = 0;
	c->is_in_pieces = false;
}

static void add_out(struct copied *c, const void *p, size_t size)
{
	if (c->out_size > COPIED_MAX)
		return; /* too much already; read to its end */
	c->out = realloc(c->out, c->out_size + size + 1);
	if (!c->out)
		abort();
	memcpy(c->out + c->out_size, p, size);
	c->out_size += size;
}

/* What lies in our property, which is a question for more if it is a piece. */
static size_t take_property(struct web *w, Atom *type)
{
	struct copied *c = w->copied;
	unsigned long count = 0, left = 0;
	unsigned char *data = NULL;
	int format = 0;

	XGetWindowProperty(w->x, c->window, c->property, 0, COPIED_MAX / 4 + 1,
			   True, AnyPropertyType, type, &format, &count, &left,
			   &data);
	if (left)
		XDeleteProperty(w->x, c->window, c->property);
	if (data && format == 8 && *type != c->incr)
		add_out(c, data, count);
	if (data)
		XFree(data);
	return count;
}

static void ask(struct web *w, Atom target)
{
	struct copied *c = w->copied;

	c->asked = target;
	c->out_size = 0;
	c->is_in_pieces = false;
	XConvertSelection(w->x, c->selection, target, c->property, c->window,
			  CurrentTime);
	XFlush(w->x);
}

/* Text, if there is both. */
static void choose(struct web *w)
{
	struct copied *c = w->copied;
	unsigned long count = 0, left = 0;
	unsigned char *data = NULL;
	bool has_text = false, has_picture = false;
	int format = 0;
	Atom type;

	XGetWindowProperty(w->x, c->window, c->property, 0, TARGETS_MAX, True,
			   XA_ATOM, &type, &format, &count, &left, &data);
	for (unsigned long i = 0; data && format == 32 && i < count; i++) {
		has_text |= ((Atom *)(void *)data)[i] == c->utf8;
		has_picture |= ((Atom *)(void *)data)[i] == c->png;
	}
	if (data)
		XFree(data);
	ask(w, has_picture && !has_text ? c->png : c->utf8);
}

static void on_answer(struct web *w, const XSelectionEvent *e)
{
	struct copied *c = w->copied;
	Atom type = None;

	if (!w->can_copy_out || e->target != c->asked)
		return;
	if (e->target == c->targets) {
		choose(w); /* who does not know the question may have text */
		return;
	}
	if (e->property == None)
		return;
	take_property(w, &type);
	c->is_in_pieces = type == c->incr;
	if (!c->is_in_pieces)
		send_out(w);
}

static void on_piece(struct web *w, const XPropertyEvent *e)
{
	struct copied *c = w->copied;
	Atom type = None;

	if (!c->is_in_pieces || e->atom != c->property ||
	    e->state != PropertyNewValue)
		return;
	if (!take_property(w, &type))
		send_out(w);
}

void copied_ask(struct web *w)
{
	struct copied *c = w->copied;

	if (c->is_new)
		ask(w, c->targets);
	c->is_new = false;
}

/* ---- the whole ---------------------------------------------------------- */
bool copied_event(struct web *w, const XEvent *e)
{
	struct copied *c = w->copied;
	const XFixesSelectionNotifyEvent *n =
		(const XFixesSelectionNotifyEvent *)e;

	if (e->type == SelectionRequest)
		on_request(w, &e->xselectionrequest);
	else if (e->type == SelectionNotify)
		on_answer(w, &e->xselection);
	else if (e->type == PropertyNotify)
		on_piece(w, &e->xproperty);
	else if (e->type == c->event + XFixesSelectionNotify &&
		 n->owner != c->window && n->owner != None)
		c->is_new = w->can_copy_out;
	return true;
}

bool copied_open(struct web *w)
{
	struct copied *c = calloc(1, sizeof(*c));
	int error;

	w->copied = c;
	if (!c || !XFixesQueryExtension(w->x, &c->event, &error))
		return false;
	c->selection = XInternAtom(w->x, "CLIPBOARD", False);
	c->utf8 = XInternAtom(w->x, "UTF8_STRING", False);
	c->png = XInternAtom(w->x, "image/png", False);
	c->targets = XInternAtom(w->x, "TARGETS", False);
	c->incr = XInternAtom(w->x, "INCR", False);
	c->property = XInternAtom(w->x, "BAILEY_CLIPBOARD", False);
	c->window = XCreateSimpleWindow(w->x, DefaultRootWindow(w->x), -1, -1,
					1, 1, 0, 0, 0);
	XSelectInput(w->x, c->window, PropertyChangeMask);
	XFixesSelectSelectionInput(w->x, c->window, c->selection,
				   XFixesSetSelectionOwnerNotifyMask);
	return true;
}
