/*
 * rdp-client.c - an RDP client that measures what a person would see.
 *
 *   rdp-client HOST PORT USER PASSWORD WHAT [NUMBER]
 *     connect      milliseconds from the connection to TLS, to the session, to
 *                  the first and to the last pixel
 *     keys N       milliseconds from a key press to a changed pixel, N times
 *     frames S     for S seconds, what arrived of x-video's pictures: how many
 *                  different ones, and how many in one piece
 *     stay S       only look, for S seconds
 *     clipboard N  copy N bytes, of which few come (tests/display/robust.sh)
 *
 * Written to standard output, numbers alone.  It knows RemoteFX unless
 * WITHOUT_REMOTEFX is set.
 *
 * FreeRDP's library sleeps 0.1 s at each step of the log-in whose answer is
 * not there at once, which is not the server's: usleep() is replaced by a wait
 * for the answer, unless SLEEPS is set.  Time is counted from the connection.
 */
#include <freerdp/channels/channels.h>
#include <freerdp/client.h>
#include <freerdp/freerdp.h>
#include <freerdp/gdi/gdi.h>
#include <freerdp/input.h>
#include <freerdp/primitives.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <winpr/crt.h>
#include <winpr/synch.h>

enum { HANDLES = 64, KEY_A = 30, QUIET_MS = 60, KEY_SECONDS = 5 };
enum { BLOCK = 16, BITS = 16 }; /* of x-video's numbers */

static double began, tls_at, session_at, first_at, picture_at;
static uint8_t *has; /* of each pixel: has it come? */
static size_t missing;
static uint32_t *before; /* the picture before a key was pressed */
static bool is_watching;
static double changed_at;
static unsigned last_number, numbers, whole;
static unsigned long updates;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- what the library would do by itself -------------------------------- */
static int connection = -1;

int connect(int fd, const struct sockaddr *a, socklen_t n)
{
	if (a->sa_family == AF_INET) {
		connection = fd;
		began = now_ms();
	}
	return (int)syscall(SYS_connect, fd, a, n);
}

int usleep(useconds_t microseconds)
{
	struct pollfd p = { connection, POLLIN, 0 };

	poll(&p, getenv("SLEEPS") ? 0 : 1, (int)(microseconds / 1000));
	return 0;
}

/* ---- what arrives ------------------------------------------------------- */
static void note_coverage(const rdpGdi *g, const GDI_RGN *r)
{
	if (!missing)
		return;
	for (int y = r->y; y < r->y + r->h && y < g->height; y++)
		for (int x = r->x; x < r->x + r->w && x < g->width; x++) {
			size_t i = (size_t)y * (size_t)g->width + (size_t)x;

			missing -= !has[i];
			has[i] = 1;
		}
	if (!first_at)
		first_at = now_ms();
	if (!missing)
		picture_at = now_ms();
}

static void note_change(const rdpGdi *g, const GDI_RGN *r)
{
	const uint32_t *p = (const uint32_t *)(void *)g->primary_buffer;

	for (int y = r->y; y < r->y + r->h && y < g->height; y++) {
		size_t i = (size_t)y * (g->stride / 4) + (size_t)r->x;

		if (!changed_at && memcmp(p + i, before + i,
					  (size_t)r->w * 4))
			changed_at = now_ms();
	}
}

static unsigned number_at(const rdpGdi *g, int left, int top)
{
	unsigned n = 0;

	for (int b = 0; b < BITS; b++) {
		const uint8_t *p = g->primary_buffer +
			(size_t)(top + BLOCK / 2) * g->stride +
			(size_t)(left + b * BLOCK + BLOCK / 2) * 4;

		n |= (unsigned)(p[1] > 127) << b;
	}
	return n;
}

/* x-video's window is 1280x720 in the left upper corner. */
static void note_number(const rdpGdi *g)
{
	unsigned n = number_at(g, 0, 0);

	if (g->width < 1280 || g->height < 720 || n == last_number)
		return;
	if (number_at(g, 1280 - BITS * BLOCK, 720 - BLOCK) != n)
		return;
	last_number = n;
	whole++;
}

static BOOL begin_paint(rdpContext *c)
{
	c->gdi->primary->hdc->hwnd->invalid->null = TRUE;
	c->gdi->primary->hdc->hwnd->ninvalid = 0;
	return TRUE;
}

static BOOL end_paint(rdpContext *c)
{
	rdpGdi *g = c->gdi;
	HGDI_WND w = g->primary->hdc->hwnd;

	updates++;
	if (w->invalid->null)
		return TRUE;
	for (int i = 0; i < w->ninvalid; i++)
		note_coverage(g, &w->cinvalid[i]);
	for (int i = 0; is_watching && i < w->ninvalid; i++)
		note_change(g, &w->cinvalid[i]);
	return TRUE;
}

static BOOL end_frame(rdpContext *c, const SURFACE_FRAME_MARKER *m)
{
	BOOL is_good = TRUE;

	if (m->frameAction == SURFACECMD_FRAMEACTION_END) {
		numbers++;
		note_number(c->gdi);
		if (c->settings->FrameAcknowledge)
			is_good = c->update->SurfaceFrameAcknowledge(c,
				m->frameId);
	}
	return is_good;
}

/* ---- the connection ----------------------------------------------------- */
static DWORD trust(freerdp *f, const char *host, UINT16 port,
		   const char *name, const char *subject, const char *issuer,
		   const char *fingerprint, DWORD flags)
{
	tls_at = now_ms();
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

static BOOL resize(rdpContext *c)
{
	return gdi_resize(c->gdi, c->settings->DesktopWidth,
			  c->settings->DesktopHeight);
}

static BOOL prepare(freerdp *f)
{
	if (!gdi_init(f, PIXEL_FORMAT_BGRX32))
		return FALSE;
	session_at = now_ms();
	missing = (size_t)f->context->gdi->width *
		(size_t)f->context->gdi->height;
	has = calloc(missing, 1);
	before = malloc((size_t)f->context->gdi->height *
			f->context->gdi->stride);
	f->update->BeginPaint = begin_paint;
	f->update->EndPaint = end_paint;
	f->update->DesktopResize = resize;
	f->update->SurfaceFrameMarker = end_frame;
	f->update->pointer->PointerNew = no_pointer;
	f->update->pointer->PointerSystem = no_shape;
	return has && before;
}

static void add_clipboard(rdpSettings *set)
{
	CHANNEL_DEF *c = &set->ChannelDefArray[set->ChannelCount++];

	memset(c, 0, sizeof(*c));
	strcpy(c->name, "cliprdr");
	c->options = CHANNEL_OPTION_INITIALIZED | CHANNEL_OPTION_ENCRYPT_RDP;
}

static freerdp *connect_to(char **argv)
{
	freerdp *f = freerdp_new();
	rdpSettings *set;

	if (!f || !freerdp_context_new(f))
		return NULL;
	f->PostConnect = prepare;
	f->VerifyCertificateEx = trust;
	set = f->settings;
	set->ServerHostname = _strdup(argv[1]);
	set->ServerPort = (UINT32)atoi(argv[2]);
	set->Username = _strdup(argv[3]);
	set->Password = _strdup(argv[4]);
	set->DesktopWidth = 1280;
	set->DesktopHeight = 800;
	set->ColorDepth = 32;
	set->SurfaceCommandsEnabled = TRUE;
	set->RemoteFxCodec = !getenv("WITHOUT_REMOTEFX");
	set->FastPathOutput = TRUE;
	set->FrameMarkerCommandEnabled = TRUE;
	set->SurfaceFrameMarkerEnabled = TRUE;
	set->FrameAcknowledge = 2;
	if (!strcmp(argv[5], "clipboard"))
		add_clipboard(set);
	return freerdp_connect(f) ? f : NULL;
}

/* Let the connection work, until something arrives or time is over. */
static bool attend(freerdp *f, double milliseconds)
{
	HANDLE handles[HANDLES];
	DWORD n = freerdp_get_event_handles(f->context, handles, HANDLES);

	if (milliseconds < 0)
		milliseconds = 0;
	WaitForMultipleObjects(n, handles, FALSE, (DWORD)milliseconds);
	return freerdp_check_event_handles(f->context);
}

static bool attend_until(freerdp *f, double at)
{
	while (now_ms() < at)
		if (!attend(f, at - now_ms()))
			return false;
	return true;
}

/* ---- what is not measured ------------------------------------------------ */
/* A list of formats, of so many bytes. */
static bool copy_much(freerdp *f, uint32_t bytes)
{
	uint8_t list[1000] = { 2 };
	uint16_t id = freerdp_channels_get_id_by_name(f, strdup("cliprdr"));

	memcpy(list + 4, &bytes, 4);
	if (!id || !f->SendChannelData(f, id, list, sizeof(list)))
		return false;
	attend_until(f, now_ms() + 10000); /* or it is thrown out */
	return true;
}

/* ---- what is measured --------------------------------------------------- */
static bool measure_connect(freerdp *f)
{
	/* what was read with the last of the log-in wakes nobody */
	while (missing && now_ms() < began + 20000)
		if (!attend(f, 1))
			return false;
	printf("%.2f %.2f %.2f %.2f\n", tls_at - began, session_at - began,
	       first_at - began, picture_at - began);
	return !missing;
}

static bool wait_for_quiet(freerdp *f)
{
	unsigned long seen;

	do {
		seen = updates;
		if (!attend_until(f, now_ms() + QUIET_MS + rand() % 40))
			return false;
	} while (updates != seen);
	return true;
}

static bool measure_keys(freerdp *f, int count)
{
	const rdpGdi *g = f->context->gdi;

	for (int i = 0; i < count; i++) {
		double pressed;

		if (!wait_for_quiet(f))
			return false;
		memcpy(before, g->primary_buffer,
		       (size_t)g->height * g->stride);
		changed_at = 0;
		is_watching = true;
		pressed = now_ms();
		freerdp_input_send_keyboard_event(f->input, KBD_FLAGS_DOWN,
						  KEY_A);
		freerdp_input_send_keyboard_event(f->input, KBD_FLAGS_RELEASE,
						  KEY_A);
		while (!changed_at && now_ms() < pressed + KEY_SECONDS * 1e3)
			if (!attend(f, 1000))
				return false;
		is_watching = false;
		if (!changed_at) {
			fprintf(stderr, "key %d changes nothing\n", i);
			return false;
		}
		printf("%.2f\n", changed_at - pressed);
	}
	return true;
}

static bool measure_frames(freerdp *f, int seconds)
{
	if (!attend_until(f, now_ms() + 1000)) /* it has found its pace */
		return false;
	numbers = whole = 0;
	if (!attend_until(f, now_ms() + seconds * 1e3))
		return false;
	printf("%.2f %.2f\n", (double)numbers / seconds,
	       (double)whole / seconds);
	return true;
}

int main(int argc, char **argv)
{
	int number = argc > 6 ? (int)strtoul(argv[6], NULL, 0) : 0;
	freerdp *f;
	bool is_good = false;

	if (argc < 6)
		return 2;
	primitives_set_hints(PRIMITIVES_ONLY_CPU); /* no benchmark */
	setenv("SSL_CERT_FILE", "/dev/null", 1); /* 30 ms to read them all */
	f = connect_to(argv);
	if (!f) {
		fprintf(stderr, "cannot connect\n");
		return 1;
	}
	if (!strcmp(argv[5], "connect"))
		is_good = measure_connect(f);
	else if (!strcmp(argv[5], "keys"))
		is_good = measure_keys(f, number);
	else if (!strcmp(argv[5], "frames"))
		is_good = measure_frames(f, number);
	else if (!strcmp(argv[5], "clipboard"))
		is_good = copy_much(f, (uint32_t)number);
	else if (!strcmp(argv[5], "stay"))
		is_good = attend_until(f, now_ms() + number * 1e3);
	freerdp_disconnect(f);
	return is_good ? 0 : 1;
}
