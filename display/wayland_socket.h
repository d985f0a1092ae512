/*
 * wayland_socket.h - the supervisor's side of Wayland: a socket that programs
 * find, and bailey-display-wayland while somebody uses it.
 */
#ifndef BAILEY_DISPLAY_WAYLAND_SOCKET_H
#define BAILEY_DISPLAY_WAYLAND_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/* Listens in $XDG_RUNTIME_DIR and sets WAYLAND_DISPLAY; without a place to
 * listen at there is no Wayland.  path: of bailey-display-wayland. */
void wayland_listen(const char *path);
/* What is to be polled for reading, or -1. */
int wayland_fd(void);
/* Somebody connects: its program starts. */
void wayland_start(void);
/* A child has ended: was it that? */
bool wayland_reap(pid_t pid, int status);

#endif
