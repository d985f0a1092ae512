/*
 * rdp-type.c - an RDP client that types characters, not keys, which xfreerdp
 * cannot:  rdp-type HOST PORT USER PASSWORD TEXT.  0 when all was sent.
 */
#include <freerdp/client.h>
#include <freerdp/freerdp.h>
#include <freerdp/gdi/gdi.h>
#include <freerdp/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <winpr/crt.h>
#include <winpr/string.h>

static DWORD trust(freerdp *f, const char *host, UINT16 port,
		   const char *name, const char *subject, const char *issuer,
		   const char *fingerprint, DWORD flags)
{
	return 2; /* for this session */
}

static BOOL no_pointer(rdpContext *c, const POINTER_NEW_UPDATE *u)
{
	return TRUE;
}

static BOOL no_shape(rdpContext *c, const POINTER_SYSTEM_UPDATE *u)
{
	return TRUE;
}

static BOOL no_paint(rdpContext *c)
{
	return TRUE;
}

static BOOL resize(rdpContext *c)
{
	return gdi_resize(c->gdi, c->settings->DesktopWidth,
			  c->settings->DesktopHeight);
}

static BOOL prepare(freerdp *f)
{
	if (!gdi_init(f, PIXEL_FORMAT_BGRX32))
		return FALSE;
	f->update->BeginPaint = f->update->EndPaint = no_paint;
	f->update->DesktopResize = resize;
	f->update->pointer->PointerNew = no_pointer;
	f->update->pointer->PointerSystem = no_shape;
	return TRUE;
}

/* Let the connection work for so long. */
static int attend(freerdp *f, int milliseconds)
{
	for (int i = 0; i < milliseconds / 10; i++) {
		if (!freerdp_check_event_handles(f->context))
			return -1;
		usleep(10000);
	}
	return 0;
}

static int type(freerdp *f, const char *text)
{
	WCHAR *units = NULL;
	int n = ConvertToUnicode(CP_UTF8, 0, text, -1, &units, 0);

	for (int i = 0; i < n - 1; i++) {
		freerdp_input_send_unicode_keyboard_event(f->input, 0,
							  units[i]);
		freerdp_input_send_unicode_keyboard_event(f->input,
			KBD_FLAGS_RELEASE, units[i]);
		if (attend(f, 30))
			return 1;
	}
	return attend(f, 500) ? 1 : 0;
}

int main(int argc, char **argv)
{
	freerdp *f = freerdp_new();
	int result;

	if (argc != 6 || !f || !freerdp_context_new(f))
		return 2;
	f->PostConnect = prepare;
	f->VerifyCertificateEx = trust;
	f->settings->ServerHostname = _strdup(argv[1]);
	f->settings->ServerPort = (UINT32)atoi(argv[2]);
	f->settings->Username = _strdup(argv[3]);
	f->settings->Password = _strdup(argv[4]);
	f->settings->UnicodeInput = TRUE;
	if (!freerdp_connect(f)) {
		fprintf(stderr, "cannot connect\n");
		return 1;
	}
	result = attend(f, 500) ? 1 : type(f, argv[5]);
	freerdp_disconnect(f);
	return result;
}
