/*
 * resize.c - the screen gets the size of the client's window (session.h).
 *
 * The client says it once when it connects, and then through the channel for
 * display control ([MS-RDPEDISP]), if it knows that.  What is shown follows
 * the X server, whoever has changed its size: a program may, too.
 */
#include "display/session.h"
#include "display/size.h"

#include <freerdp/channels/disp.h>
#include <freerdp/channels/wtsvc.h>
#include <stdlib.h>
#include <string.h>
#include <winpr/synch.h>
#include <winpr/wtsapi.h>

enum { MESSAGE_MAX = 4096, CAPS_BYTES = 20, LAYOUT_HEADER = 16,
       AREA_FACTOR = 8192 };

static HANDLE channel; /* NULL: none, or not yet */
static bool is_greeted, is_refused;
static int randr_event;

/* ---- the channel -------------------------------------------------------- */
static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		(uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void *query(WTS_VIRTUAL_CLASS what)
{
	void *answer = NULL, *value = NULL;
	DWORD n = 0;

	if (!WTSVirtualChannelQuery(channel, what, &answer, &n))
		return NULL;
	if (n == sizeof(void *))
		memcpy(&value, answer, n);
	else if (n == sizeof(BOOL) && *(BOOL *)answer)
		value = channel; /* true */
	WTSFreeMemory(answer);
	return value;
}

/* One monitor, of any size. */
static void greet(void)
{
	uint8_t caps[CAPS_BYTES];
	ULONG sent;

	put32(caps, DISPLAY_CONTROL_PDU_TYPE_CAPS);
	put32(caps + 4, CAPS_BYTES);
	put32(caps + 8, 1);
	put32(caps + 12, AREA_FACTOR);
	put32(caps + 16, AREA_FACTOR);
	WTSVirtualChannelWrite(channel, (PCHAR)caps, CAPS_BYTES, &sent);
	is_greeted = true;
}

static void open_channel(struct session *s)
{
	LPSTR id = NULL;
	DWORD n = 0;

	is_refused = true;
	if (!WTSQuerySessionInformationA(s->channels, WTS_CURRENT_SESSION,
					 WTSSessionId, &id, &n))
		return;
	channel = WTSVirtualChannelOpenEx(*(ULONG *)(void *)id,
		(LPSTR)(uintptr_t)DISP_DVC_CHANNEL_NAME,
		WTS_CHANNEL_OPTION_DYNAMIC);
	WTSFreeMemory(id);
	is_refused = !channel;
}

static void close_channel(void)
{
	WTSVirtualChannelClose(channel);
	channel = NULL;
	is_refused = true;
}

/* The first of its monitors. */
static void take_layout(struct session *s, const uint8_t *m, size_t n)
{
	uint32_t entry;

	if (n < LAYOUT_HEADER ||
	    get32(m) != DISPLAY_CONTROL_PDU_TYPE_MONITOR_LAYOUT)
		return;
	entry = get32(m + 8);
	if (entry < DISPLAY_CONTROL_MONITOR_LAYOUT_SIZE || !get32(m + 12) ||
	    n < LAYOUT_HEADER + DISPLAY_CONTROL_MONITOR_LAYOUT_SIZE)
		return;
	m += LAYOUT_HEADER;
	size_set(s->x, get32(m + 12), get32(m + 16));
}

/* Those that wait are read, and the last one counts. */
static void read_channel(struct session *s)
{
	static uint8_t message[MESSAGE_MAX];
	HANDLE ready = query(WTSVirtualEventHandle);
	ULONG n = 0, last = 0;

	while (ready && WaitForSingleObject(ready, 0) == WAIT_OBJECT_0) {
		if (!WTSVirtualChannelRead(channel, 0, (PCHAR)message,
					   sizeof(message), &n)) {
			close_channel(); /* the client has, or wants none */
			break;
		}
		last = n;
	}
	if (last)
		take_layout(s, message, last);
}

int resize_fd(void)
{
	HANDLE ready = channel ? query(WTSVirtualEventHandle) : NULL;

	return ready ? GetEventFileDescriptor(ready) : -1;
}

void resize_check(struct session *s)
{
	if (!s->is_active || is_refused)
		return;
	if (!channel) {
		if (WTSVirtualChannelManagerGetDrdynvcState(s->channels) !=
		    DRDYNVC_STATE_READY)
			return;
		open_channel(s);
	}
	if (channel && !is_greeted && query(WTSVirtualChannelReady))
		greet();
	if (channel)
		read_channel(s);
}

/* ---- following ---------------------------------------------------------- */
bool resize_open(struct session *s)
{
	rdpSettings *set = s->peer->settings;

	randr_event = size_watch(s->x);
	size_set(s->x, set->DesktopWidth, set->DesktopHeight);
	return true;
}

bool resize_event(struct session *s, const XEvent *e)
{
	if (!size_event(randr_event, e))
		return false;
	s->is_resized = true;
	return true;
}

/* The client gets the new size and, when it has said yes, all of the picture:
 * it is activated again. */
bool resize_follow(struct session *s)
{
	rdpSettings *set = s->peer->settings;
	uint32_t w, h;

	if (!s->is_resized || !s->is_active)
		return true;
	s->is_resized = false;
	if (!screen_fit(s))
		return false;
	screen_size(s, &w, &h);
	if (w == set->DesktopWidth && h == set->DesktopHeight)
		return true;
	if (!set->DesktopResize)
		return false; /* it comes back with the new one */
	set->DesktopWidth = w;
	set->DesktopHeight = h;
	s->is_active = false;
	return s->peer->update->DesktopResize(&s->rdp);
}
