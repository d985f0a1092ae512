/*
 * sound.c - what the mixer (sound.h) lets hear goes to the client
 * (session.h), uncompressed, in the one format that every client knows.  A
 * client that takes none, or is slow, gets none.
 */
#include "display/sound.h"
#include "display/session.h"

#include <errno.h>
#include <freerdp/codec/audio.h>
#include <freerdp/server/rdpsnd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <winpr/synch.h>
#include <winpr/wtsapi.h>

enum { VERSION_WINDOWS_8 = 8 };

static AUDIO_FORMAT format = { .wFormatTag = WAVE_FORMAT_PCM,
	.nChannels = SOUND_CHANNELS, .nSamplesPerSec = SOUND_RATE,
	.nAvgBytesPerSec = SOUND_RATE * SOUND_FRAME_BYTES,
	.nBlockAlign = SOUND_FRAME_BYTES, .wBitsPerSample = 16 };
static RdpsndServerContext *channel;
static UINT16 chosen; /* of the client's formats */
static int mixer = -1;

/* The mixer need not run yet: the supervisor listens for it. */
static void reach_mixer(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = DISPLAY_HEAR };

	mixer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0);
	if (mixer < 0 || !connect(mixer, (struct sockaddr *)&a, sizeof(a)))
		return;
	close(mixer);
	mixer = -1;
}

/* The client has said what it plays.  The samples are sent as they are, which
 * Windows 8's version of the protocol brought: FreeRDP 2 makes unsigned ones of
 * them otherwise. */
static void on_formats(RdpsndServerContext *c)
{
	if (c->clientVersion < VERSION_WINDOWS_8)
		return;
	for (UINT16 i = 0; i < c->num_client_formats; i++) {
		const AUDIO_FORMAT *f = &c->client_formats[i];

		if (f->wFormatTag != format.wFormatTag ||
		    f->nChannels != format.nChannels ||
		    f->nSamplesPerSec != format.nSamplesPerSec ||
		    f->wBitsPerSample != format.wBitsPerSample)
			continue;
		chosen = i;
		if (mixer < 0)
			reach_mixer();
		return;
	}
}

bool sound_open(struct session *s)
{
	RdpsndServerContext *c;

	if (!WTSVirtualChannelManagerIsChannelJoined(s->channels, "rdpsnd"))
		return true;
	c = rdpsnd_server_context_new(s->channels);
	if (!c)
		return false;
	c->rdpcontext = &s->rdp;
	c->server_formats = c->src_format = &format;
	c->num_server_formats = 1;
	c->Activated = on_formats;
	if (!c->Initialize(c, FALSE))
		channel = c;
	return true;
}

unsigned sound_fds(int fds[2])
{
	fds[0] = channel ? GetEventFileDescriptor(
		rdpsnd_server_get_event_handle(channel)) : -1;
	fds[1] = mixer;
	return 2;
}

static void hear(struct session *s)
{
	static char data[SOUND_BYTES];
	ssize_t n = recv(mixer, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* it has ended; the next one will let us hear */
		close(mixer);
		reach_mixer();
		return;
	}
	if (s->is_active && !s->peer->IsWriteBlocked(s->peer))
		channel->SendSamples2(channel, chosen, data, (size_t)n,
				      (UINT16)clock_ms(), (UINT32)clock_ms());
}

bool sound_check(struct session *s)
{
	if (!channel)
		return true;
	while (WaitForSingleObject(rdpsnd_server_get_event_handle(channel), 0)
	       == WAIT_OBJECT_0) {
		UINT error = rdpsnd_server_handle_messages(channel);

		if (error == ERROR_NO_DATA)
			break;
		if (error)
			return false;
	}
	if (mixer >= 0)
		hear(s);
	return true;
}
