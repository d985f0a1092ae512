/*
 * wayland_socket.c - see wayland_socket.h.
 *
 * A program of X costs a socket that nobody connects to.  Who connects waits
 * in it until bailey-display-wayland, which inherits it, accepts.
 */
#include "display/wayland_socket.h"
#include "display/display.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 16, NOT_FOUND = 127 };

static const char *program;
static int listener = -1;
static pid_t running;

void wayland_listen(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int s = -1;

	unsetenv("WAYLAND_DISPLAY");
	if (access(path, X_OK) || !dir || snprintf(a.sun_path,
		    sizeof(a.sun_path), "%s/wayland-0", dir) >=
	    (int)sizeof(a.sun_path))
		return;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(s, BACKLOG)) {
		if (s >= 0)
			close(s);
		return;
	}
	program = path;
	listener = s;
	setenv("WAYLAND_DISPLAY", "wayland-0", 1);
}

int wayland_fd(void)
{
	return running ? -1 : listener;
}

void wayland_start(void)
{
	running = fork();
	if (running < 0)
		running = 0;
	if (running)
		return;
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	setsid();
	dup2(listener, WAYLAND_LISTENER);
	fcntl(WAYLAND_LISTENER, F_SETFD, 0);
	execl(program, program, NULL);
	_exit(NOT_FOUND);
}

bool wayland_reap(pid_t pid, int status)
{
	if (!running || pid != running)
		return false;
	running = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != NOT_FOUND)
		return true;
	fputs("bailey: display: no Wayland: its libraries are missing; "
	      "install the Debian packages libwayland-server0 "
	      "libxkbcommon-x11-0 libpixman-1-0 libxrender1 libxfixes3\n",
	      stderr);
	close(listener); /* who waits is told */
	listener = -1;
	return true;
}
