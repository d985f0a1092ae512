/*
 * clipboard_out.c - what a program has copied, for a client that pastes
 * (clipboard.h).  When a program takes the X selection it is asked what it
 * offers, and the client is told; the program is asked for it when the client
 * asks.
 */
#include "display/clipboard.h"

#include <X11/Xatom.h>
#include <stdlib.h>
#include <string.h>
#include <winpr/user.h>

static void forget_pieces(struct clipboard *c)
{
	free(c->pieces.data);
	c->pieces = (struct copied){ 0 };
	c->is_arriving = false;
}

/* Of our window's property, and it is gone. */
static uint8_t *take_property(struct session *s, Atom name, Atom *type,
			      int format, size_t *size)
{
	unsigned long count = 0, left = 0;
	unsigned char *data = NULL;
	int f = 0;

	*type = None;
	*size = 0;
	XGetWindowProperty(s->x, s->clipboard->window, name, 0,
			   COPIED_IMAGE_MAX / 4, True, AnyPropertyType, type,
			   &f, &count, &left, &data);
	if (data && f == format && !left)
		*size = count;
	return data;
}

/* ---- what there is ------------------------------------------------------ */
void clipboard_on_program_copied(struct session *s)
{
	struct clipboard *c = s->clipboard;

	if (!s->can_copy_out)
		return;
	c->asked = None;
	forget_pieces(c);
	XConvertSelection(s->x, c->selection, c->targets, c->offers, c->window,
			  CurrentTime);
	XFlush(s->x);
}

static void on_offers(struct session *s)
{
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT formats[2];
	CLIPRDR_FORMAT_LIST l = { .msgType = CB_FORMAT_LIST,
		.formats = formats };
	bool has_text = false, has_png = false, has_bmp = false;
	Atom type;
	size_t count;
	uint8_t *data = take_property(s, c->offers, &type, 32, &count);
	const Atom *list = (const Atom *)(const void *)data;

	for (size_t i = 0; i < count; i++) {
		has_text |= list[i] == c->utf8 || list[i] == XA_STRING;
		has_png |= list[i] == c->png;
		has_bmp |= list[i] == c->bmp;
	}
	if (data)
		XFree(data);
	c->image = has_png ? c->png : has_bmp ? c->bmp : None;
	if (has_text)
		formats[l.numFormats++] = (CLIPRDR_FORMAT){
			.formatId = CF_UNICODETEXT };
	if (c->image != None)
		formats[l.numFormats++] = (CLIPRDR_FORMAT){
			.formatId = CF_DIB };
	if (l.numFormats)
		c->channel->ServerFormatList(c->channel, &l);
}

/* ---- one of it ---------------------------------------------------------- */
/* data may be NULL: there is none. */
static void send_data(struct session *s, const uint8_t *data, size_t size)
{
	struct clipboard *c = s->clipboard;
	CLIPRDR_FORMAT_DATA_RESPONSE r = {
		.msgType = CB_FORMAT_DATA_RESPONSE,
		.msgFlags = CB_RESPONSE_FAIL };
	struct copied out = { 0 };
	bool is_good = data &&
		(c->asked == c->png ? copied_png_out(data, size, &out) :
		 c->asked == c->bmp ? copied_bmp_out(data, size, &out) :
		 copied_text_out(data, size, &out));

	if (is_good) {
		r.msgFlags = CB_RESPONSE_OK;
		r.dataLen = (UINT32)out.size;
		r.requestedFormatData = out.data;
	}
	c->asked = None;
	c->channel->ServerFormatDataResponse(c->channel, &r);
	free(out.data);
}

UINT clipboard_on_client_pastes(CliprdrServerContext *channel,
				const CLIPRDR_FORMAT_DATA_REQUEST *q)
{
	struct session *s = channel->custom;
	struct clipboard *c = s->clipboard;
	Atom target = q->requestedFormatId == CF_UNICODETEXT ? c->utf8 :
		q->requestedFormatId == CF_DIB ? c->image : None;

	forget_pieces(c);
	if (!s->can_copy_out || target == None) {
		send_data(s, NULL, 0);
		return CHANNEL_RC_OK;
	}
	c->asked = target;
	XConvertSelection(s->x, c->selection, target, c->data, c->window,
			  CurrentTime);
	XFlush(s->x);
	return CHANNEL_RC_OK;
}

void clipboard_on_program_data(struct session *s, const XSelectionEvent *e)
{
	struct clipboard *c = s->clipboard;
	uint8_t *data = NULL;
	Atom type = None;
	size_t size = 0;

	if (e->target == c->targets) {
		if (e->property != None)
			on_offers(s);
		return;
	}
	if (c->asked == None || e->target != c->asked)
		return;
	if (e->property != None)
		data = take_property(s, c->data, &type, 8, &size);
	if (type == c->incr) /* taking it was the sign to go on */
		c->is_arriving = true;
	else
		send_data(s, size ? data : NULL, size);
	if (data)
		XFree(data);
	XFlush(s->x);
}

static bool add_piece(struct clipboard *c, const uint8_t *data, size_t size)
{
	uint8_t *all = size > COPIED_IMAGE_MAX - c->pieces.size ? NULL :
		realloc(c->pieces.data, c->pieces.size + size);

	if (!all)
		return false;
	memcpy(all + c->pieces.size, data, size);
	c->pieces.data = all;
	c->pieces.size += size;
	return true;
}

void clipboard_on_piece(struct session *s, const XPropertyEvent *e)
{
	struct clipboard *c = s->clipboard;
	uint8_t *data;
	Atom type;
	size_t size;

	if (!c->is_arriving || e->atom != c->data || e->window != c->window ||
	    e->state != PropertyNewValue)
		return;
	data = take_property(s, c->data, &type, 8, &size);
	if (!size || !add_piece(c, data, size)) {
		/* the last one is empty */
		send_data(s, size ? NULL : c->pieces.data, c->pieces.size);
		forget_pieces(c);
	}
	if (data)
		XFree(data);
	XFlush(s->x);
}
