/*
 * sound_start.c - the supervisor's part of sound.h: it listens for programs
 * and viewers and starts the mixer when a program comes.
 */
#include "display/sound.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAITING = 8 };

static int play = -1, hear = -1; /* they listen */
static pid_t mixer;

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
		       SOCK_NONBLOCK, 0);

	memcpy(a.sun_path, path, strlen(path) + 1);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(s, WAITING))
		return -1;
	return s;
}

int sound_listen(void)
{
	play = listen_at(DISPLAY_PLAY);
	hear = listen_at(DISPLAY_HEAR);
	return play < 0 || hear < 0 ? -1 : 0;
}

int sound_waiting(void)
{
	return mixer ? -1 : play;
}

void sound_start(const char *program, void (*in_child)(void))
{
	mixer = fork();
	if (mixer > 0)
		return;
	if (mixer < 0) {
		mixer = 0;
		return;
	}
	in_child();
	setsid();
	/* neither may be overwritten before it is moved */
	play = fcntl(play, F_DUPFD_CLOEXEC, 10);
	hear = fcntl(hear, F_DUPFD_CLOEXEC, 10);
	dup2(play, SOUND_PLAY);
	dup2(hear, SOUND_HEAR);
	execl(program, program, NULL);
	_exit(127);
}

void sound_reap(pid_t pid, int status)
{
	if (pid != mixer)
		return;
	mixer = 0;
	if (status) /* so that we do not try again and again */
		close(accept4(play, NULL, NULL, SOCK_CLOEXEC));
}
