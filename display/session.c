/*
 * session.c - bailey-display-session: one client's connection (display.h).
 *
 * A frame is sent at most every FRAME_MS, never while the connection is still
 * full of the last one, and never more than FRAMES_AHEAD before the client
 * has said that it shows them: a slow client gets fewer frames, not late
 * ones.  While nothing changes nothing runs.
 */
#include "display/session.h"
#include "display/display.h"
#include "display/keys.h"
#include "display/turn.h"

#include <fcntl.h>
#include <freerdp/channels/channels.h>
#include <freerdp/channels/wtsvc.h>
#include <freerdp/primitives.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <winpr/ssl.h>
#include <winpr/synch.h>
#include <winpr/wtsapi.h>

enum { FRAME_MS = 30, FRAMES_AHEAD = 2, LOGIN_SECONDS = 20, HANDLES = 32 };
enum { DATA_MAX = 384 << 20 };

static volatile sig_atomic_t is_over;

static void on_term(int sig)
{
	is_over = 1;
}

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- what the client says ----------------------------------------------- */
/* It has shown user and password before this, and seen nothing yet. */
static BOOL on_capabilities(freerdp_peer *peer)
{
	struct session *s = (struct session *)peer->context;
	uint32_t w, h;

	if (s->screen)
		return TRUE;
	if (!login_check(s))
		return FALSE;
	s->x = XOpenDisplay(NULL);
	if (s->x) {
		turn_take(s->x);
		layout_set(s);
	}
	if (!s->x || !resize_open(s) || !screen_open(s) ||
	    !pointer_open(s) || !input_open(s)) {
		fprintf(stderr, "bailey: display: no X server to show\n");
		return FALSE;
	}
	screen_size(s, &w, &h);
	peer->settings->DesktopWidth = w; /* as near as there is */
	peer->settings->DesktopHeight = h;
	return TRUE;
}

static BOOL on_post_connect(freerdp_peer *peer)
{
	struct session *s = (struct session *)peer->context;

	if (!s->is_admitted)
		return FALSE;
	alarm(0);
	return clipboard_open(s) && sound_open(s);
}

static BOOL on_activate(freerdp_peer *peer)
{
	struct session *s = (struct session *)peer->context;

	s->is_active = s->is_admitted;
	s->is_acknowledging = peer->settings->SurfaceFrameMarkerEnabled &&
		peer->settings->FrameAcknowledge > 0;
	s->frame = s->acknowledged = 0;
	screen_start(s);
	return pointer_send(s);
}

static BOOL on_acknowledge(rdpContext *context, UINT32 frame)
{
	struct session *s = (struct session *)context;

	s->acknowledged = frame;
	return TRUE;
}

static BOOL on_refresh(rdpContext *context, BYTE count,
		       const RECTANGLE_16 *areas)
{
	struct session *s = (struct session *)context;

	if (s->is_active)
		screen_forget(s);
	return TRUE;
}

static BOOL on_suppress(rdpContext *context, BYTE is_shown,
			const RECTANGLE_16 *area)
{
	struct session *s = (struct session *)context;

	s->is_hidden = !is_shown;
	if (is_shown && s->is_active)
		screen_forget(s);
	return TRUE;
}

/* ---- the connection ----------------------------------------------------- */
static void set_capabilities(rdpSettings *set)
{
	set->ColorDepth = 32;
	set->OsMajorType = OSMAJORTYPE_UNIX;
	set->OsMinorType = OSMINORTYPE_PSEUDO_XSERVER;
	set->RemoteFxCodec = TRUE;
	set->NSCodec = FALSE;
	set->SupportGraphicsPipeline = FALSE;
	set->FrameMarkerCommandEnabled = TRUE;
	set->SurfaceFrameMarkerEnabled = TRUE;
	set->RefreshRect = TRUE;
	set->SuppressOutput = TRUE;
	set->UnicodeInput = TRUE;
	set->HasHorizontalWheel = TRUE;
	set->HasExtendedMouseEvent = TRUE;
	set->WaitForOutputBufferFlush = FALSE;
}

static freerdp_peer *open_peer(void)
{
	freerdp_peer *p = freerdp_peer_new(SESSION_SOCKET);

	if (!p)
		return NULL;
	p->ContextSize = sizeof(struct session);
	if (!freerdp_peer_context_new(p))
		return NULL;
	p->PostConnect = on_post_connect;
	p->Activate = on_activate;
	p->Capabilities = on_capabilities;
	p->update->SurfaceFrameAcknowledge = on_acknowledge;
	p->update->RefreshRect = on_refresh;
	p->update->SuppressOutput = on_suppress;
	set_capabilities(p->settings);
	return p;
}

static const char *read_password(void)
{
	static char text[64];
	ssize_t n = read(SESSION_SECRET, text, sizeof(text) - 1);

	close(SESSION_SECRET);
	if (n <= 0)
		_exit(1);
	return text;
}

static struct session *open_session(char **argv)
{
	freerdp_peer *p = open_peer();
	struct session *s;

	if (!p)
		return NULL;
	s = (struct session *)p->context;
	s->peer = p;
	s->user = argv[1];
	s->password = read_password();
	s->can_copy_in = !strcmp(argv[2], "in") || !strcmp(argv[2], "both");
	s->can_copy_out = !strcmp(argv[2], "out") || !strcmp(argv[2], "both");
	s->channels = WTSOpenServerA((LPSTR)p->context);
	if (!s->channels || s->channels == INVALID_HANDLE_VALUE)
		return NULL;
	return login_prepare(s) && p->Initialize(p) ? s : NULL;
}

/* ---- the loop ----------------------------------------------------------- */
/* When the next part of the picture may go; INT64_MAX: not before something
 * happens. */
static int64_t sending_ms(struct session *s)
{
	int64_t due;

	if (!s->is_active || s->is_hidden)
		return INT64_MAX;
	if (screen_is_in_frame(s))
		return 0;
	if (s->is_acknowledging && s->frame - s->acknowledged >= FRAMES_AHEAD)
		return INT64_MAX;
	due = screen_due_ms(s);
	return due < s->next_frame_ms ? s->next_frame_ms : due;
}

static bool send_frame(struct session *s)
{
	if (s->peer->IsWriteBlocked(s->peer) || sending_ms(s) > clock_ms())
		return true;
	if (!screen_is_in_frame(s))
		s->next_frame_ms = clock_ms() + FRAME_MS;
	return screen_send(s);
}

static void take_x_events(struct session *s)
{
	XEvent e;

	while (s->x && XPending(s->x)) {
		XNextEvent(s->x, &e);
		if (turn_is_over(&e))
			is_over = 1;
		if (screen_event(s, &e) || resize_event(s, &e) ||
		    pointer_event(s, &e))
			continue;
		clipboard_event(s, &e);
	}
}

static int timeout_ms(struct session *s)
{
	int64_t at = sending_ms(s), left = at - clock_ms();

	if (at == INT64_MAX)
		return -1;
	return left < 0 ? 0 : (int)left;
}

static unsigned gather(struct session *s, struct pollfd *p)
{
	HANDLE handles[HANDLES];
	int sounds[2];
	unsigned n = s->peer->GetEventHandles(s->peer, handles, HANDLES - 1);

	handles[n++] = WTSVirtualChannelManagerGetEventHandle(s->channels);
	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){ GetEventFileDescriptor(handles[i]),
					POLLIN, 0 };
	p[n++] = (struct pollfd){ s->x ? ConnectionNumber(s->x) : -1, POLLIN,
				  0 };
	p[n++] = (struct pollfd){ clipboard_fd(s), POLLIN, 0 };
	p[n++] = (struct pollfd){ resize_fd(), POLLIN, 0 };
	sound_fds(sounds);
	for (int i = 0; i < 2; i++)
		p[n++] = (struct pollfd){ sounds[i], POLLIN, 0 };
	if (s->peer->IsWriteBlocked(s->peer))
		p[n++] = (struct pollfd){ SESSION_SOCKET, POLLOUT, 0 };
	return n;
}

static void run(struct session *s)
{
	struct pollfd p[HANDLES + 8];

	while (!is_over) {
		unsigned n = gather(s, p);
		bool is_pending = s->x && XPending(s->x);
		int wait = is_pending ? 0 : timeout_ms(s);

		/* no wait for a frame while the connection is full: the
		 * socket's readiness wakes us */
		if (!is_pending && s->peer->IsWriteBlocked(s->peer))
			wait = -1;
		poll(p, n, wait);
		if (s->peer->IsWriteBlocked(s->peer))
			s->peer->DrainOutputBuffer(s->peer);
		if (!s->peer->CheckFileDescriptor(s->peer) ||
		    !WTSVirtualChannelManagerCheckFileDescriptor(s->channels))
			break;
		resize_check(s);
		take_x_events(s);
		if (!clipboard_check(s) || !sound_check(s) ||
		    !resize_follow(s) || !send_frame(s))
			break;
	}
}

/* FreeRDP believes the lengths that a client names, and clears as much: the
 * memory of the others is not its to take. */
static void limit_memory(void)
{
	const struct rlimit most = { DATA_MAX, DATA_MAX };

#ifndef __SANITIZE_ADDRESS__ /* which has terabytes already */
	setrlimit(RLIMIT_DATA, &most);
#endif
	(void)most;
}

static int serve(char **argv)
{
	struct sigaction a = { .sa_handler = on_term };
	struct session *s;

	sigaction(SIGTERM, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
	limit_memory();
	primitives_set_hints(PRIMITIVES_ONLY_CPU); /* no benchmark of 0.3 s */
	alarm(LOGIN_SECONDS); /* who does not log in keeps no process */
	setenv("WLOG_LEVEL", getenv("BAILEY_DISPLAY_DEBUG") ?: "OFF", 1);
	fcntl(SESSION_SOCKET, F_SETFD, FD_CLOEXEC);
	setsockopt(SESSION_SOCKET, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
		   sizeof(int)); /* a frame's end waits for nothing */
	fcntl(SESSION_REPORT, F_SETFD, FD_CLOEXEC);
	winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);
	WTSRegisterWtsApiFunctionTable(FreeRDP_InitWtsApi());
	s = open_session(argv);
	if (!s)
		return 1;
	run(s);
	login_failed(s);
	if (s->x) {
		keys_close(s->x);
		XCloseDisplay(s->x);
	}
	s->peer->Disconnect(s->peer);
	return 0; /* the rest ends with the process */
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--certificate"))
		return certificate_make() ? 1 : 0;
	if (argc != 3) {
		fprintf(stderr, "bailey-display-session is started by "
			"bailey-display\n");
		return 1;
	}
	return serve(argv);
}
