/*
 * clipboard.h - the parts of the session's clipboard: clipboard.c, the whole;
 * clipboard_in.c, the client's for a program; clipboard_out.c, a program's for
 * the client.  At most one question is open on either side; a new one ends
 * the old one.
 */
#ifndef BAILEY_DISPLAY_CLIPBOARD_H
#define BAILEY_DISPLAY_CLIPBOARD_H

#include "display/copied.h"
#include "display/session.h"

#include <freerdp/server/cliprdr.h>

struct clipboard {
	CliprdrServerContext *channel;
	Window window;
	Atom selection, utf8, targets, png, bmp, incr;
	Atom data, offers; /* properties of our window */
	int event;         /* XFIXES's first */

	/* clipboard_in.c */
	bool has_text, has_image; /* the client */
	bool is_pasting_in;       /* `request` waits for its data */
	XSelectionRequestEvent request;

	/* clipboard_out.c */
	Atom image;     /* what the program offers, or None */
	Atom asked;     /* of the program, or None */
	bool is_arriving; /* piece by piece, in `pieces` */
	struct copied pieces;
};

void clipboard_on_request(struct session *s, const XSelectionRequestEvent *r);
UINT clipboard_on_client_copied(CliprdrServerContext *channel,
				const CLIPRDR_FORMAT_LIST *list);
UINT clipboard_on_client_data(CliprdrServerContext *channel,
			      const CLIPRDR_FORMAT_DATA_RESPONSE *a);

void clipboard_on_program_copied(struct session *s);
void clipboard_on_program_data(struct session *s, const XSelectionEvent *e);
void clipboard_on_piece(struct session *s, const XPropertyEvent *e);
UINT clipboard_on_client_pastes(CliprdrServerContext *channel,
				const CLIPRDR_FORMAT_DATA_REQUEST *q);

#endif
