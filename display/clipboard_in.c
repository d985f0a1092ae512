/*
 * clipboard_in.c - what the client has copied, for a program that pastes
 * (clipboard.h).  While the client has something we own the X selection; the
 * client is asked when a program asks.
 */
#include "display/clipboard.h"

#include <X11/Xatom.h>
#include <stdlib.h>
#include <winpr/user.h>

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
	Atom list[5] = { c->targets };
	int n = 1;

	if (c->has_text) {
		list[n++] = c->utf8;
		list[n++] = XA_STRING;
	}
	if (c->has_image) {
		list[n++] = c->png;
		list[n++] = c->bmp;
	}
	XChangeProperty(s->x, r->requestor, r->property, XA_ATOM, 32,
			PropModeReplace, (const unsigned char *)list, n);
	answer(s, r, r->property);
}

static void ask_client(struct session *s, const XSelectionRequestEvent *r,
		       UINT32 format)
{
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT_DATA_REQUEST q = { .msgType = CB_FORMAT_DATA_REQUEST,
		.dataLen = 4, .requestedFormatId = format };

	if (c->is_pasting_in)
		answer(s, &c->request, None);
	c->is_pasting_in = true;
	c->request = *r;
	c->channel->lastRequestedFormatId = format;
	if (c->channel->ServerFormatDataRequest(c->channel, &q)) {
		c->is_pasting_in = false;
		answer(s, r, None);
	}
}

void clipboard_on_request(struct session *s, const XSelectionRequestEvent *r)
{
	struct clipboard *c = s->clipboard;
	bool is_text = r->target == c->utf8 || r->target == XA_STRING;
	bool is_image = r->target == c->png || r->target == c->bmp;

	if (r->property == None || !s->can_copy_in)
		answer(s, r, None);
	else if (r->target == c->targets)
		answer_targets(s, r);
	else if (is_text && c->has_text)
		ask_client(s, r, CF_UNICODETEXT);
	else if (is_image && c->has_image)
		ask_client(s, r, CF_DIB);
	else
		answer(s, r, None);
}

static bool convert(const struct clipboard *c, const uint8_t *data,
		    size_t size, struct copied *out)
{
	if (c->request.target == c->png)
		return copied_png_in(data, size, out);
	if (c->request.target == c->bmp)
		return copied_bmp_in(data, size, out);
	return copied_text_in(data, size, out);
}

/* What one request can carry; the rest of it is small. */
static size_t largest(Display *x)
{
	long units = XExtendedMaxRequestSize(x) ?: XMaxRequestSize(x);

	return (size_t)units * 4 - 256;
}

UINT clipboard_on_client_data(CliprdrServerContext *channel,
			      const CLIPRDR_FORMAT_DATA_RESPONSE *a)
{
	struct session *s = channel->custom;
	struct clipboard *c = s->clipboard;
	Atom property = None;
	struct copied out = { 0 };

	if (!c->is_pasting_in)
		return CHANNEL_RC_OK;
	c->is_pasting_in = false;
	if (a->msgFlags & CB_RESPONSE_OK &&
	    convert(c, a->requestedFormatData, a->dataLen, &out) &&
	    out.size < largest(s->x)) {
		property = c->request.property;
		XChangeProperty(s->x, c->request.requestor, property,
				c->request.target, 8, PropModeReplace,
				out.data, (int)out.size);
	}
	answer(s, &c->request, property);
	free(out.data);
	return CHANNEL_RC_OK;
}

UINT clipboard_on_client_copied(CliprdrServerContext *channel,
				const CLIPRDR_FORMAT_LIST *list)
{
	struct session *s = channel->custom;
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT_LIST_RESPONSE r = {
		.msgType = CB_FORMAT_LIST_RESPONSE,
		.msgFlags = CB_RESPONSE_OK };

	c->has_text = c->has_image = false;
	for (UINT32 i = 0; i < list->numFormats; i++) {
		c->has_text |= list->formats[i].formatId == CF_UNICODETEXT;
		c->has_image |= list->formats[i].formatId == CF_DIB;
	}
	if ((c->has_text || c->has_image) && s->can_copy_in) {
		XSetSelectionOwner(s->x, c->selection, c->window, CurrentTime);
		XFlush(s->x);
	}
	return channel->ServerFormatListResponse(channel, &r);
}
