/*
 * clipboard.c - text and pictures of the two clipboards (session.h), each
 * direction only if the policy lets it.  Its parts: clipboard.h.
 */
#include "display/clipboard.h"

#include <X11/extensions/Xfixes.h>
#include <stdlib.h>
#include <winpr/synch.h>
#include <winpr/wtsapi.h>

/* ---- events ------------------------------------------------------------- */
bool clipboard_event(struct session *s, const XEvent *e)
{
	struct clipboard *c = s->clipboard;

	if (!c)
		return false;
	if (e->type == SelectionRequest)
		clipboard_on_request(s, &e->xselectionrequest);
	else if (e->type == SelectionNotify)
		clipboard_on_program_data(s, &e->xselection);
	else if (e->type == PropertyNotify)
		clipboard_on_piece(s, &e->xproperty);
	else if (e->type == c->event + XFixesSelectionNotify &&
		 ((const XFixesSelectionNotifyEvent *)e)->owner != c->window)
		clipboard_on_program_copied(s);
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
	c->png = XInternAtom(s->x, "image/png", False);
	c->bmp = XInternAtom(s->x, "image/bmp", False);
	c->data = XInternAtom(s->x, "BAILEY_CLIPBOARD", False);
	c->offers = XInternAtom(s->x, "BAILEY_OFFERS", False);
	c->window = XCreateSimpleWindow(s->x, DefaultRootWindow(s->x), -1, -1,
					1, 1, 0, 0, 0);
	XSelectInput(s->x, c->window, PropertyChangeMask);
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
	channel->ClientFormatList = clipboard_on_client_copied;
	channel->ClientFormatListResponse = on_nothing;
	channel->ClientFormatDataRequest = clipboard_on_client_pastes;
	channel->ClientFormatDataResponse = clipboard_on_client_data;
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
