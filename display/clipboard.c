/*
 * clipboard.c - text of the two clipboards (session.h), each direction only
 * if the policy lets it.
 *
 * In: when the client has copied text we own the X selection, and ask the
 * client for the text when a program pastes.  Out: when a program has copied
 * we tell the client so, and ask the program when the client pastes.  At most
 * one question is open on either side; a new one ends the old one unanswered.
 */
#include "display/session.h"

#include <X11/Xatom.h>
#include <X11/extensions/Xfixes.h>
#include <freerdp/server/cliprdr.h>
#include <stdlib.h>
#include <string.h>
#include <winpr/string.h>
#include <winpr/synch.h>
#include <winpr/user.h>
#include <winpr/wtsapi.h>

enum { TEXT_MAX = 4 << 20 };

struct clipboard {
	CliprdrServerContext *channel;
	Window window;
	Atom selection, utf8, targets, property, incr;
	int event;
	bool is_pasting_in;      /* `request` waits for the client's text */
	bool is_pasting_out;     /* the client waits for a program's */
	XSelectionRequestEvent request;
};

/* ---- text --------------------------------------------------------------- */
/* Little-endian UTF-16 with CR LF, as the client has it, to UTF-8. */
static char *text_in(const uint8_t *data, size_t size, size_t *length)
{
	size_t units = size / 2, n = 0;
	WCHAR *wide = calloc(units + 1, sizeof(WCHAR));
	char *text = NULL;
	int got;

	if (!wide)
		return NULL;
	memcpy(wide, data, units * sizeof(WCHAR));
	got = ConvertFromUnicode(CP_UTF8, 0, wide, -1, &text, 0, NULL, NULL);
	free(wide);
	if (got <= 0 || !text)
		return NULL;
	for (char *p = text; *p; p++)
		if (*p != '\r')
			text[n++] = *p;
	text[n] = 0;
	*length = n;
	return text;
}

static char *with_crlf(const char *text, size_t length)
{
	char *out = malloc(length * 2 + 1), *to = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < length && text[i]; i++) {
		if (text[i] == '\n' && (!i || text[i - 1] != '\r'))
			*to++ = '\r';
		*to++ = text[i];
	}
	*to = 0;
	return out;
}

/* ---- in: the client's text for a program -------------------------------- */
static void answer(struct session *s, const XSelectionRequestEvent *r,
		   Atom property)
{
	XSelectionEvent e = { .type = SelectionNotify, .display = s->x,
		.requestor = r->requestor, .selection = r->selection,
		.target = r->target, .property = property, .time = r->time };

	XSendEvent(s->x, r->requestor, False, 0, (XEvent *)&e);
	XFlush(s->x);
}

static void answer_targets(struct session *s, const XSelectionRequestEvent *r)
{
	struct clipboard *c = s->clipboard;
	Atom list[] = { c->targets, c->utf8, XA_STRING };

	XChangeProperty(s->x, r->requestor, r->property, XA_ATOM, 32,
			PropModeReplace, (const unsigned char *)list, 3);
	answer(s, r, r->property);
}

static void ask_client(struct session *s, const XSelectionRequestEvent *r)
{
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT_DATA_REQUEST q = { .msgType = CB_FORMAT_DATA_REQUEST,
		.dataLen = 4, .requestedFormatId = CF_UNICODETEXT };

	if (c->is_pasting_in)
		answer(s, &c->request, None);
	c->is_pasting_in = true;
	c->request = *r;
	c->channel->lastRequestedFormatId = CF_UNICODETEXT;
	if (c->channel->ServerFormatDataRequest(c->channel, &q)) {
		c->is_pasting_in = false;
		answer(s, r, None);
	}
}

static void on_selection_request(struct session *s,
				 const XSelectionRequestEvent *r)
{
	struct clipboard *c = s->clipboard;

	if (r->property == None)
		answer(s, r, None);
	else if (r->target == c->targets)
		answer_targets(s, r);
	else if (s->can_copy_in && (r->target == c->utf8 ||
				    r->target == XA_STRING))
		ask_client(s, r);
	else
		answer(s, r, None);
}

static UINT on_client_text(CliprdrServerContext *channel,
			   const CLIPRDR_FORMAT_DATA_RESPONSE *a)
{
	struct session *s = channel->custom;
	struct clipboard *c = s->clipboard;
	Atom property = None;
	size_t length;
	char *text = NULL;

	if (!c->is_pasting_in)
		return CHANNEL_RC_OK;
	c->is_pasting_in = false;
	if (a->msgFlags & CB_RESPONSE_OK && a->dataLen <= TEXT_MAX)
		text = text_in(a->requestedFormatData, a->dataLen, &length);
	if (text) {
		property = c->request.property;
		XChangeProperty(s->x, c->request.requestor, property,
			c->request.target, 8, PropModeReplace,
			(const unsigned char *)text, (int)length);
	}
	answer(s, &c->request, property);
	free(text);
	return CHANNEL_RC_OK;
}

static UINT on_client_copied(CliprdrServerContext *channel,
			     const CLIPRDR_FORMAT_LIST *list)
{
	struct session *s = channel->custom;
	CLIPRDR_FORMAT_LIST_RESPONSE r = {
		.msgType = CB_FORMAT_LIST_RESPONSE,
		.msgFlags = CB_RESPONSE_OK };
	bool has_text = false;

	for (UINT32 i = 0; i < list->numFormats; i++)
		has_text |= list->formats[i].formatId == CF_UNICODETEXT;
	if (has_text && s->can_copy_in) {
		XSetSelectionOwner(s->x, s->clipboard->selection,
				   s->clipboard->window, CurrentTime);
		XFlush(s->x);
	}
	return channel->ServerFormatListResponse(channel, &r);
}

/* ---- out: a program's text for the client ------------------------------- */
static void on_program_copied(struct session *s)
{
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT f = { .formatId = CF_UNICODETEXT };
	CLIPRDR_FORMAT_LIST l = { .msgType = CB_FORMAT_LIST, .numFormats = 1,
		.formats = &f };

	if (s->can_copy_out)
		c->channel->ServerFormatList(c->channel, &l);
}

static void send_text(struct session *s, const char *text, size_t length)
{
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT_DATA_RESPONSE r = {
		.msgType = CB_FORMAT_DATA_RESPONSE,
		.msgFlags = CB_RESPONSE_FAIL };
	char *lines = text ? with_crlf(text, length) : NULL;
	WCHAR *wide = NULL;
	int n = lines ? ConvertToUnicode(CP_UTF8, 0, lines, -1, &wide, 0) : 0;

	if (n > 0) {
		r.msgFlags = CB_RESPONSE_OK;
		r.dataLen = (UINT32)n * sizeof(WCHAR);
		r.requestedFormatData = (const BYTE *)wide;
	}
	c->is_pasting_out = false;
	c->channel->ServerFormatDataResponse(c->channel, &r);
	free(lines);
	free(wide);
}

static UINT on_client_pastes(CliprdrServerContext *channel,
			     const CLIPRDR_FORMAT_DATA_REQUEST *q)
{
	struct session *s = channel->custom;
	struct clipboard *c = s->clipboard;

	if (!s->can_copy_out || q->requestedFormatId != CF_UNICODETEXT ||
	    c->is_pasting_out) {
		send_text(s, NULL, 0);
		return CHANNEL_RC_OK;
	}
	c->is_pasting_out = true;
	XConvertSelection(s->x, c->selection, c->utf8, c->property, c->window,
			  CurrentTime);
	XFlush(s->x);
	return CHANNEL_RC_OK;
}

static void on_program_text(struct session *s, const XSelectionEvent *e)
{
	struct clipboard *c = s->clipboard;
	unsigned long count = 0, left = 0;
	unsigned char *data = NULL;
	Atom type = None;
	int format = 0;

	if (!c->is_pasting_out)
		return;
	if (e->property != None)
		XGetWindowProperty(s->x, c->window, c->property, 0,
			TEXT_MAX / 4, True, AnyPropertyType, &type, &format,
			&count, &left, &data);
	if (data && format == 8 && type != c->incr && !left)
		send_text(s, (const char *)data, count);
	else
		send_text(s, NULL, 0);
	if (data)
		XFree(data);
}

/* ---- the whole ---------------------------------------------------------- */
bool clipboard_event(struct session *s, const XEvent *e)
{
	struct clipboard *c = s->clipboard;

	if (!c)
		return false;
	if (e->type == SelectionRequest)
		on_selection_request(s, &e->xselectionrequest);
	else if (e->type == SelectionNotify)
		on_program_text(s, &e->xselection);
	else if (e->type == c->event + XFixesSelectionNotify &&
		 ((const XFixesSelectionNotifyEvent *)e)->owner != c->window)
		on_program_copied(s);
	return true;
}

static UINT on_nothing(CliprdrServerContext *channel,
		       const CLIPRDR_FORMAT_LIST_RESPONSE *r)
{
	return CHANNEL_RC_OK;
}

static UINT on_client_capabilities(CliprdrServerContext *channel,
				   const CLIPRDR_CAPABILITIES *c)
{
	return CHANNEL_RC_OK;
}

static UINT on_temp_directory(CliprdrServerContext *channel,
			      const CLIPRDR_TEMP_DIRECTORY *t)
{
	return CHANNEL_RC_OK;
}

/* Capabilities, then "ready": the client answers with what it has. */
static bool greet(CliprdrServerContext *channel)
{
	CLIPRDR_GENERAL_CAPABILITY_SET general = {
		.capabilitySetType = CB_CAPSTYPE_GENERAL,
		.capabilitySetLength = CB_CAPSTYPE_GENERAL_LEN,
		.version = CB_CAPS_VERSION_2,
		.generalFlags = CB_USE_LONG_FORMAT_NAMES };
	CLIPRDR_CAPABILITIES all = { .msgType = CB_CLIP_CAPS,
		.dataLen = 4 + CB_CAPSTYPE_GENERAL_LEN,
		.cCapabilitiesSets = 1,
		.capabilitySets = (CLIPRDR_CAPABILITY_SET *)&general };
	CLIPRDR_MONITOR_READY ready = { .msgType = CB_MONITOR_READY };

	return !channel->ServerCapabilities(channel, &all) &&
		!channel->MonitorReady(channel, &ready);
}

static void watch_selection(struct session *s, struct clipboard *c)
{
	int error;

	c->selection = XInternAtom(s->x, "CLIPBOARD", False);
	c->utf8 = XInternAtom(s->x, "UTF8_STRING", False);
	c->targets = XInternAtom(s->x, "TARGETS", False);
	c->incr = XInternAtom(s->x, "INCR", False);
	c->property = XInternAtom(s->x, "BAILEY_CLIPBOARD", False);
	c->window = XCreateSimpleWindow(s->x, DefaultRootWindow(s->x), -1, -1,
					1, 1, 0, 0, 0);
	XFixesQueryExtension(s->x, &c->event, &error);
	XFixesSelectSelectionInput(s->x, c->window, c->selection,
				   XFixesSetSelectionOwnerNotifyMask);
}

bool clipboard_open(struct session *s)
{
	struct clipboard *c;
	CliprdrServerContext *channel;

	if (!s->can_copy_in && !s->can_copy_out)
		return true;
	if (!WTSVirtualChannelManagerIsChannelJoined(s->channels, "cliprdr"))
		return true;
	c = calloc(1, sizeof(*c));
	channel = cliprdr_server_context_new(s->channels);
	if (!c || !channel)
		return false;
	c->channel = channel;
	channel->custom = s;
	channel->rdpcontext = &s->rdp;
	channel->autoInitializationSequence = FALSE;
	channel->useLongFormatNames = TRUE;
	channel->ClientFormatList = on_client_copied;
	channel->ClientFormatListResponse = on_nothing;
	channel->ClientFormatDataRequest = on_client_pastes;
	channel->ClientFormatDataResponse = on_client_text;
	channel->ClientCapabilities = on_client_capabilities;
	channel->TempDirectory = on_temp_directory;
	if (channel->Open(channel))
		return false;
	watch_selection(s, c);
	s->clipboard = c;
	return greet(channel);
}

int clipboard_fd(const struct session *s)
{
	struct clipboard *c = s->clipboard;

	return c ? GetEventFileDescriptor(
		c->channel->GetEventHandle(c->channel)) : -1;
}

bool clipboard_check(struct session *s)
{
	struct clipboard *c = s->clipboard;

	while (c && WaitForSingleObject(c->channel->GetEventHandle(
					c->channel), 0) == WAIT_OBJECT_0) {
		UINT error = c->channel->CheckEventHandle(c->channel);

		if (error == ERROR_NO_DATA)
			break;
		if (error)
			return false;
	}
	return true;
}
