/*
 * sound.h - how sound gets from the programs to the viewer.
 *
 * Programs play through ALSA, whose configuration (asound.conf) names our
 * plugin, alsa.c; it connects to DISPLAY_PLAY.  The session of the viewer
 * connects to DISPLAY_HEAR.  bailey-display-sound, mixer.c, is in between; the
 * supervisor listens on both and starts it when a program plays.
 *
 * All messages are of SOCK_SEQPACKET: frames of two signed 16-bit samples, left
 * and right, SOUND_RATE a second, at most SOUND_FRAMES.  A program's message of
 * one byte: forget what has not been played.
 */
#ifndef BAILEY_DISPLAY_SOUND_H
#define BAILEY_DISPLAY_SOUND_H

#include "display/display.h"

#include <sys/types.h>

enum { SOUND_RATE = 44100, SOUND_CHANNELS = 2, SOUND_FRAME_BYTES = 4,
       SOUND_FRAMES = 4096, SOUND_BYTES = SOUND_FRAMES * SOUND_FRAME_BYTES };

#define DISPLAY_PLAY DISPLAY_DIR "/play"
#define DISPLAY_HEAR DISPLAY_DIR "/hear"

/* The mixer's listening sockets. */
enum { SOUND_PLAY = 3, SOUND_HEAR = 4 };

/* ---- sound_start.c: the supervisor's ------------------------------------- */
int sound_listen(void);
/* Readable: a program wants to play and no mixer runs.  Or -1. */
int sound_waiting(void);
void sound_start(const char *program, void (*in_child)(void));
void sound_reap(pid_t pid, int status);

#endif
