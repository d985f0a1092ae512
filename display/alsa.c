/*
 * alsa.c - an ALSA output that leads to the sandbox's mixer (sound.h).
 *
 * Samples go to the mixer as soon as the program writes them; the position
 * is the clock's, as if a sound card played them: the mixer goes by the same
 * clock.  A timer that ticks each period wakes a program that polls.
 */
#include "display/sound.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct player {
	snd_pcm_ioplug_t io;
	int mixer;        /* -1: not connected */
	int64_t start_ns; /* 0: stands still */
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- the mixer ---------------------------------------------------------- */
static int reach_mixer(struct player *p)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = DISPLAY_PLAY };
	int s;

	if (p->mixer >= 0)
		return 0;
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	if (connect(s, (struct sockaddr *)&a, sizeof(a))) {
		int error = -errno;

		close(s);
		return error;
	}
	p->mixer = s;
	return 0;
}

static void leave_mixer(struct player *p)
{
	if (p->mixer >= 0)
		close(p->mixer);
	p->mixer = -1;
}

/* If it has gone, what is played is heard by nobody, until the next start. */
static void send_message(struct player *p, const void *data, size_t size)
{
	if (p->mixer >= 0 && send(p->mixer, data, size, MSG_NOSIGNAL) < 0)
		leave_mixer(p);
}

/* ---- the clock ---------------------------------------------------------- */
static void tick(struct player *p, int64_t each_ns)
{
	struct itimerspec t = { .it_interval.tv_nsec = each_ns };

	t.it_value.tv_nsec = each_ns ? 1 : 0; /* the first one at once */
	timerfd_settime(p->io.poll_fd, 0, &t, NULL);
}

static int prepare(snd_pcm_ioplug_t *io)
{
	struct player *p = io->private_data;
	int64_t period = (int64_t)io->period_size * 1000000000 / SOUND_RATE;

	p->start_ns = 0;
	tick(p, period < 999999999 ? period : 999999999);
	return reach_mixer(p);
}

static int start(snd_pcm_ioplug_t *io)
{
	struct player *p = io->private_data;

	p->start_ns = now_ns();
	return 0;
}

static int stop(snd_pcm_ioplug_t *io)
{
	struct player *p = io->private_data;

	if (io->state != SND_PCM_STATE_DRAINING)
		send_message(p, "", 1);
	p->start_ns = 0;
	tick(p, 0);
	return 0;
}

static snd_pcm_sframes_t pointer(snd_pcm_ioplug_t *io)
{
	struct player *p = io->private_data;
	uint64_t at = p->start_ns ? (uint64_t)(now_ns() - p->start_ns) *
		SOUND_RATE / 1000000000 : 0;

	if (at <= io->appl_ptr)
		return (snd_pcm_sframes_t)at;
	if (io->state == SND_PCM_STATE_DRAINING)
		return (snd_pcm_sframes_t)io->appl_ptr;
	return -EPIPE;
}

static snd_pcm_sframes_t transfer(snd_pcm_ioplug_t *io,
				  const snd_pcm_channel_area_t *areas,
				  snd_pcm_uframes_t offset,
				  snd_pcm_uframes_t size)
{
	const char *data = (const char *)areas->addr +
		(areas->first + areas->step * offset) / 8;
	snd_pcm_uframes_t left = size;

	while (left) {
		snd_pcm_uframes_t n = left < SOUND_FRAMES ? left :
			SOUND_FRAMES;

		send_message(io->private_data, data, n * SOUND_FRAME_BYTES);
		data += n * SOUND_FRAME_BYTES;
		left -= n;
	}
	return (snd_pcm_sframes_t)size;
}

static int poll_revents(snd_pcm_ioplug_t *io, struct pollfd *fds,
			unsigned count, unsigned short *revents)
{
	uint64_t ticks;
	snd_pcm_sframes_t room;

	*revents = 0;
	if (read(io->poll_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		return -errno;
	room = snd_pcm_avail_update(io->pcm);
	if (room < 0)
		*revents = POLLERR | POLLOUT;
	else if ((snd_pcm_uframes_t)room >= io->period_size)
		*revents = POLLOUT;
	return 0;
}

/* ---- the plugin --------------------------------------------------------- */
static int close_player(snd_pcm_ioplug_t *io)
{
	struct player *p = io->private_data;

	leave_mixer(p);
	close(io->poll_fd);
	free(p);
	return 0;
}

static const snd_pcm_ioplug_callback_t calls = {
	.start = start, .stop = stop, .pointer = pointer,
	.transfer = transfer, .close = close_player, .prepare = prepare,
	.poll_revents = poll_revents,
};

/* One kind of sound; ALSA's `plug` makes it of whatever a program has. */
static int limit(snd_pcm_ioplug_t *io)
{
	static const unsigned access[] = { SND_PCM_ACCESS_RW_INTERLEAVED };
	static const unsigned format[] = { SND_PCM_FORMAT_S16_LE };
	int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS,
						  1, access);

	if (!error)
		error = snd_pcm_ioplug_set_param_list(io,
			SND_PCM_IOPLUG_HW_FORMAT, 1, format);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io,
			SND_PCM_IOPLUG_HW_CHANNELS, SOUND_CHANNELS,
			SOUND_CHANNELS);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io,
			SND_PCM_IOPLUG_HW_RATE, SOUND_RATE, SOUND_RATE);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io,
			SND_PCM_IOPLUG_HW_PERIOD_BYTES,
			256 * SOUND_FRAME_BYTES, SOUND_BYTES);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io,
			SND_PCM_IOPLUG_HW_BUFFER_BYTES,
			1024 * SOUND_FRAME_BYTES, 4 * SOUND_BYTES);
	if (!error)
		error = snd_pcm_ioplug_set_param_minmax(io,
			SND_PCM_IOPLUG_HW_PERIODS, 2, 64);
	return error;
}

SND_PCM_PLUGIN_DEFINE_FUNC(bailey)
{
	struct player *p;
	int error;

	if (stream != SND_PCM_STREAM_PLAYBACK)
		return -ENODEV;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->mixer = -1;
	p->io.version = SND_PCM_IOPLUG_VERSION;
	p->io.name = "the viewer of the sandbox's screen";
	p->io.flags = SND_PCM_IOPLUG_FLAG_BOUNDARY_WA |
		SND_PCM_IOPLUG_FLAG_MONOTONIC;
	p->io.poll_fd = timerfd_create(CLOCK_MONOTONIC,
				       TFD_NONBLOCK | TFD_CLOEXEC);
	p->io.poll_events = POLLIN;
	p->io.callback = &calls;
	p->io.private_data = p;
	error = p->io.poll_fd < 0 ? -errno : reach_mixer(p);
	if (!error)
		error = snd_pcm_ioplug_create(&p->io, name, stream, mode);
	if (!error) {
		error = limit(&p->io);
		if (!error)
			*pcmp = p->io.pcm;
		else
			snd_pcm_ioplug_delete(&p->io);
		return error; /* deleting has closed it */
	}
	close_player(&p->io);
	return error;
}
SND_PCM_PLUGIN_SYMBOL(bailey);
