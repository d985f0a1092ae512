/*
 * access.h - what a viewer must know, kept by the supervisor: the password of
 * the next log-in and the certificate.
 *
 * Both are the sandbox's alone: one that was resumed, and each clone of an
 * image, gets others, the certificate only when somebody asks for it or
 * connects.  A password is good for one log-in.
 */
#ifndef BAILEY_DISPLAY_ACCESS_H
#define BAILEY_DISPLAY_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* ---- the supervisor ----------------------------------------------------- */
/* Two sockets that answer; -1 with errno. */
int access_open(void);
int access_password_socket(void);
int access_fingerprint_socket(void);
/* Has the sandbox become another one?  Before what follows is believed. */
void access_renew(void);
const char *access_password(void);
/* Somebody has logged in with it. */
void access_used(void);
/* Somebody waits at the socket.  The password is told to processes from
 * outside alone, `bailey exec`'s: the sandbox's own do not get it. */
void access_tell_password(void);
void access_tell_fingerprint(void);

bool access_has_certificate(void);
const char *access_fingerprint(void);
/* Start PROGRAM --certificate; 0 while one is at it. */
pid_t access_certify(const char *program, void (*in_child)(void));
/* It has ended so. */
bool access_certified(int status);

/* ---- another process ---------------------------------------------------- */
/* Prints a line for each: password, fingerprint, size. */
int access_ask(char *const *what);

#endif
