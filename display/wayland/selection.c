/*
 * selection.c - X's CLIPBOARD and PRIMARY, and what Wayland's programs copy and
 * select (wayland.h).  Each has a window of its own.
 *
 * Out: while a program of Wayland has copied we own X's selection; for a question
 * of X the program writes into a pipe, and what has come at its end is the
 * answer.  In: each question of a program of Wayland has a property of its
 * own, and what is in it goes into the program's pipe.  Neither side is ever
 * waited for.  At most SIZE_MAX_BYTES; in pieces if X's program wants that.
 */
#include "display/wayland/wayland.h"

#include <X11/Xatom.h>
#include <X11/extensions/Xfixes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE_MAX_BYTES = 8 << 20, PIECE = 65536, QUESTIONS = 8, TYPES = 64 };

/* Bytes on their way from a pipe or into one. */
struct transfer {
	struct wl_event_source *event;
	int fd;
	char *data;
	size_t size, at;
	XSelectionRequestEvent request; /* of what is read */
};

struct question {
	Atom property;
	int fd;                   /* or -1: none is asked */
	bool is_in_pieces;
	struct wl_array pieces;   /* that have come */
};

struct selection {
	enum which which;
	Atom name;
	Window window;
	struct source *own;       /* NULL: it is a program of X's */
	struct question questions[QUESTIONS];
};

static struct selection all[SELECTIONS];
static Atom targets, utf8, incr, offered;
static int event_base;

static struct selection *selection_of(Window window)
{
	for (int i = 0; i < SELECTIONS; i++)
		if (all[i].window == window)
			return &all[i];
	return NULL;
}

static void end_transfer(struct transfer *t)
{
	wl_event_source_remove(t->event);
	close(t->fd);
	free(t->data);
	free(t);
}

/* ---- out: X asks -------------------------------------------------------- */
static void answer(const XSelectionRequestEvent *r, Atom property)
{
	XSelectionEvent e = { .type = SelectionNotify, .display = server.x,
		.requestor = r->requestor, .selection = r->selection,
		.target = r->target, .property = property, .time = r->time };

	XSendEvent(server.x, r->requestor, False, 0, (XEvent *)&e);
}

static int on_pipe_readable(int fd, uint32_t mask, void *data)
{
	struct transfer *t = data;
	char *more = realloc(t->data, t->size + PIECE);
	ssize_t n;

	if (more)
		t->data = more;
	n = more ? read(fd, t->data + t->size, PIECE) : -1;
	if (n > 0)
		t->size += (size_t)n;
	if (n > 0 && t->size <= SIZE_MAX_BYTES)
		return 0;
	if (!n)
		XChangeProperty(server.x, t->request.requestor,
			t->request.property, t->request.target, 8,
			PropModeReplace, (unsigned char *)t->data,
			(int)t->size);
	answer(&t->request, n ? None : t->request.property);
	end_transfer(t);
	return 0;
}

/* As what the program gives it, or NULL. */
static const char *type_for(const struct source *own, Atom target)
{
	static const char *const texts[] = { "text/plain;charset=utf-8",
		"UTF8_STRING", "text/plain", "TEXT", "STRING" };
	static char name[128];
	char *given;

	if (target == utf8 || target == XA_STRING) {
		for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
			if (source_has(own, texts[i]))
				return texts[i];
		return NULL;
	}
	given = XGetAtomName(server.x, target);
	if (!given)
		return NULL;
	snprintf(name, sizeof(name), "%s", given);
	XFree(given);
	return source_has(own, name) ? name : NULL;
}

static bool ask_program(const struct source *own,
			const XSelectionRequestEvent *r)
{
	const char *type = type_for(own, r->target);
	struct transfer *t = type ? calloc(1, sizeof(*t)) : NULL;
	int ends[2];

	if (!t || pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
		free(t);
		return false;
	}
	fcntl(ends[1], F_SETFL, 0);
	t->fd = ends[0];
	t->request = *r;
	t->event = wl_event_loop_add_fd(server.loop, ends[0],
		WL_EVENT_READABLE, on_pipe_readable, t);
	source_send(own, type, ends[1]);
	return true;
}

static void answer_targets(const struct source *own,
			   const XSelectionRequestEvent *r)
{
	Atom list[TYPES];
	int n = 0;
	char **t;

	list[n++] = targets;
	if (type_for(own, utf8)) {
		list[n++] = utf8;
		list[n++] = XA_STRING;
	}
	wl_array_for_each(t, (struct wl_array *)(uintptr_t)&own->types)
		if (n < TYPES && strchr(*t, '/'))
			list[n++] = atom(*t);
	XChangeProperty(server.x, r->requestor, r->property, XA_ATOM, 32,
		PropModeReplace, (unsigned char *)list, n);
	answer(r, r->property);
}

static void on_request(const XSelectionRequestEvent *r)
{
	const struct selection *s = selection_of(r->owner);

	if (!s || !s->own || r->property == None)
		answer(r, None);
	else if (r->target == targets)
		answer_targets(s->own, r);
	else if (!ask_program(s->own, r))
		answer(r, None);
}

void selection_own(enum which which, struct source *source)
{
	struct selection *s = &all[which];

	s->own = source;
	if (source)
		XSetSelectionOwner(server.x, s->name, s->window, CurrentTime);
	else if (XGetSelectionOwner(server.x, s->name) == s->window)
		XSetSelectionOwner(server.x, s->name, None, CurrentTime);
}

/* ---- in: a program of Wayland asks -------------------------------------- */
static int on_pipe_writable(int fd, uint32_t mask, void *data)
{
	struct transfer *t = data;
	ssize_t n = write(fd, t->data + t->at, t->size - t->at);

	if (n > 0)
		t->at += (size_t)n;
	if (n <= 0 || t->at == t->size)
		end_transfer(t);
	return 0;
}

static void write_out(int fd, const void *data, size_t size)
{
	struct transfer *t = calloc(1, sizeof(*t));
	char *copy = malloc(size + 1);

	if (!t || !copy) {
		free(t);
		free(copy);
		close(fd);
		return;
	}
	if (size)
		memcpy(copy, data, size);
	t->fd = fd;
	t->data = copy;
	t->size = size;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	t->event = wl_event_loop_add_fd(server.loop, fd, WL_EVENT_WRITABLE,
					on_pipe_writable, t);
}

/* What has come is all. */
static void end_question(struct question *q)
{
	if (q->fd >= 0)
		write_out(q->fd, q->pieces.data, q->pieces.size);
	wl_array_release(&q->pieces);
	wl_array_init(&q->pieces);
	q->is_in_pieces = false;
	q->fd = -1;
}

void selection_receive(enum which which, const char *type, int fd)
{
	bool is_text = !strcmp(type, "text/plain;charset=utf-8") ||
		!strcmp(type, "text/plain");
	struct selection *s = &all[which];
	struct question *q = s->questions;

	while (q < s->questions + QUESTIONS && q->fd >= 0)
		q++;
	if (q == s->questions + QUESTIONS) { /* they were never answered */
		q = s->questions;
		end_question(q);
	}
	q->fd = fd;
	XConvertSelection(server.x, s->name, is_text ? utf8 : atom(type),
			  q->property, s->window, CurrentTime);
}

static struct question *question_of(struct selection *s, Atom property)
{
	for (int i = 0; i < QUESTIONS; i++)
		if (s->questions[i].property == property &&
		    s->questions[i].fd >= 0)
			return &s->questions[i];
	return NULL;
}

/* What X's program has copied can be had as these. */
static void on_targets(const struct selection *s, const Atom *list,
		       unsigned long n)
{
	char *names[TYPES + 3];
	bool is_text = false;
	size_t count = 0, from_x;

	for (unsigned long i = 0; i < n && count < TYPES; i++) {
		char *name = XGetAtomName(server.x, list[i]);

		is_text |= list[i] == utf8;
		if (name && strchr(name, '/') && strncmp(name, "text/plain",
							 10))
			names[count++] = name;
		else if (name)
			XFree(name);
	}
	from_x = count;
	if (is_text) {
		names[count++] = (char *)(uintptr_t)"text/plain;charset=utf-8";
		names[count++] = (char *)(uintptr_t)"text/plain";
		names[count++] = (char *)(uintptr_t)"UTF8_STRING";
	}
	data_offer_x(s->which, names, count);
	for (size_t i = 0; i < from_x; i++)
		XFree(names[i]);
}

static void add_piece(struct question *q, const void *data, size_t size)
{
	void *to = q->pieces.size + size <= SIZE_MAX_BYTES ?
		wl_array_add(&q->pieces, size) : NULL;

	if (to)
		memcpy(to, data, size);
}

/* The property is taken away, which asks for the next piece. */
static void read_property(struct selection *s, Atom property)
{
	struct question *q = question_of(s, property);
	unsigned long n = 0, left = 0;
	unsigned char *data = NULL;
	Atom type = None;
	int format = 0;

	XGetWindowProperty(server.x, s->window, property, 0,
		SIZE_MAX_BYTES / 4, True, AnyPropertyType, &type, &format, &n,
		&left, &data);
	if (property == offered && format == 32 && data)
		on_targets(s, (Atom *)(void *)data, n);
	if (q && type == incr)
		q->is_in_pieces = true;
	else if (q && data && format == 8 && n)
		add_piece(q, data, n);
	if (q && type != incr && (!q->is_in_pieces || !n))
		end_question(q);
	if (data)
		XFree(data);
}

static void on_property(const XPropertyEvent *e)
{
	struct selection *s = selection_of(e->window);
	const struct question *q = s ? question_of(s, e->atom) : NULL;

	if (q && q->is_in_pieces && e->state == PropertyNewValue)
		read_property(s, e->atom);
}

/* Refused: X does not say which one, so that all that wait get nothing. */
static void on_refusal(struct selection *s)
{
	for (int i = 0; i < QUESTIONS; i++)
		if (!s->questions[i].is_in_pieces)
			end_question(&s->questions[i]);
}

static void on_answer(const XSelectionEvent *e)
{
	struct selection *s = selection_of(e->requestor);

	if (s && e->property == None)
		on_refusal(s);
	else if (s)
		read_property(s, e->property);
}

static void ask_targets(const struct selection *s)
{
	XConvertSelection(server.x, s->name, targets, offered, s->window,
			  CurrentTime);
}

static void on_owner(const XFixesSelectionNotifyEvent *e)
{
	const struct selection *s = selection_of(e->window);

	/* what is told may be long past */
	if (!s || XGetSelectionOwner(server.x, s->name) == s->window)
		return;
	if (e->owner == None)
		data_offer_x(s->which, NULL, 0);
	else
		ask_targets(s);
}

bool selection_event(const XEvent *e)
{
	if (e->type == event_base + XFixesSelectionNotify)
		on_owner((const XFixesSelectionNotifyEvent *)e);
	else if (e->type == SelectionRequest)
		on_request(&e->xselectionrequest);
	else if (e->type == SelectionNotify)
		on_answer(&e->xselection);
	else if (e->type == PropertyNotify)
		on_property(&e->xproperty);
	else
		return false;
	return true;
}

static void open_one(struct selection *s)
{
	char name[32];

	for (int i = 0; i < QUESTIONS; i++) {
		snprintf(name, sizeof(name), "BAILEY_ASKED_%d", i);
		s->questions[i].property = atom(name);
		s->questions[i].fd = -1;
		wl_array_init(&s->questions[i].pieces);
	}
	s->window = XCreateSimpleWindow(server.x, server.root, -1, -1, 1, 1,
					0, 0, 0);
	XSelectInput(server.x, s->window, PropertyChangeMask);
	XFixesSelectSelectionInput(server.x, s->window, s->name,
		XFixesSetSelectionOwnerNotifyMask |
		XFixesSelectionWindowDestroyNotifyMask |
		XFixesSelectionClientCloseNotifyMask);
	if (XGetSelectionOwner(server.x, s->name) != None)
		ask_targets(s);
}

void selection_open(void)
{
	int error;

	targets = atom("TARGETS");
	utf8 = atom("UTF8_STRING");
	incr = atom("INCR");
	offered = atom("BAILEY_OFFERED");
	XFixesQueryExtension(server.x, &event_base, &error);
	all[CLIPBOARD].name = atom("CLIPBOARD");
	all[PRIMARY].name = XA_PRIMARY;
	for (int i = 0; i < SELECTIONS; i++) {
		all[i].which = (enum which)i;
		open_one(&all[i]);
	}
}
