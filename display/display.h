/*
 * display.h - what the programs of the display agree on.
 *
 * bailey-display is the first program of a sandbox with a screen: it starts
 * the X server, then the program, and answers the RDP port.  Each connection
 * gets a process of its own, bailey-display-session, so that what a stranger
 * sends before the log-in is read by nobody else, and so that the large
 * libraries are in memory only while somebody looks.  bailey-display-windows
 * is the window manager.  bailey-display-web (web.h) is started from outside
 * for a browser that looks.  All of it is ordinary guest programs: nothing here
 * is trusted by bailey.
 *
 * bailey-display-windows WIDTHxHEIGHT    the size to begin with
 *     WINDOWS_READY is a pipe to the supervisor: closed when it is there.
 * bailey-display-wayland    Wayland programs on the X server; WAYLAND_LISTENER
 *     listens for them.  It runs while somebody uses it.
 * bailey-display-session --certificate   writes key, certificate, fingerprint
 * bailey-display-session USER CLIPBOARD
 *     SESSION_SOCKET is the connection, SESSION_REPORT a pipe to the
 *     supervisor: one byte for each of enum report; SESSION_SECRET is a pipe
 *     with the password.  SIGTERM: another viewer has taken over.
 *     Environment: DISPLAY.
 */
#ifndef BAILEY_DISPLAY_H
#define BAILEY_DISPLAY_H

enum { SESSION_SOCKET = 3, SESSION_REPORT = 4, SESSION_SECRET = 5 };
enum { WINDOWS_READY = 3 };
enum { WAYLAND_LISTENER = 3 };
enum report { REPORT_ADMITTED = 'A', REPORT_REFUSED = 'R' };

enum { DISPLAY_PORT = 3389 }; /* inside; cli/display.c publishes it */

/* The largest screen, unless it is begun with a larger one.  Its lines begin at
 * different places of their pages: a line of 1280 pixels then touches 2.25 pages
 * on average, not three. */
enum { DISPLAY_WIDTH_MAX = 3840, DISPLAY_HEIGHT_MAX = 2400 };

/* Private to the sandbox, and writable whoever the program runs as. */
#ifndef DISPLAY_DIR /* a test has its own */
#define DISPLAY_DIR "/dev/shm/.bailey-display"
#endif
#define DISPLAY_KEY DISPLAY_DIR "/key.pem"
#define DISPLAY_CERTIFICATE DISPLAY_DIR "/certificate.pem"
#define DISPLAY_FINGERPRINT DISPLAY_DIR "/certificate.sha256" /* last */
#define DISPLAY_SIZE DISPLAY_DIR "/size" /* the screen's, as it is now */
#define DISPLAY_NAME DISPLAY_DIR "/name" /* DISPLAY, and a newline */
#define DISPLAY_FRAMEBUFFER DISPLAY_DIR "/Xvfb_screen0"

#endif
