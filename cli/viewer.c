/*
 * viewer.c - `bailey view`: the sandbox's screen in the RDP client that is
 * installed, a file for another one, or a page for browsers (web.h).
 *
 * Password and certificate are the sandbox's own, so they are asked for there
 * first (display_tell); the password goes to the client through a pipe, where
 * `ps` does not show it.
 */
#include "cli/display.h"
#include "cli/state.h"
#include "cli/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

/* What its server says. */
enum { PASSWORD, FINGERPRINT, SIZE, ALL };
static const char *const asked[] = { "password", "fingerprint", "size", NULL };

/* ---- the client --------------------------------------------------------- */
static int give_password(const char *password)
{
	int fds[2];
	size_t n = strlen(password);

	if (pipe(fds) || write(fds[1], password, n) != (ssize_t)n ||
	    write(fds[1], "\n", 1) != 1)
		return -1;
	close(fds[1]);
	return dup2(fds[0], 0);
}

static const char *field(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key)) ?: "";
}

static int start_client(const struct state *s, const json_t *display,
			char *const said[])
{
	static const char *const clients[] = { "xfreerdp", "xfreerdp3" };
	char *server = xasprintf("/v:%s", field(display, "Address"));
	char *user = xasprintf("/u:%s", field(display, "User"));
	char *size = xasprintf("/size:%s", said[SIZE]);
	char *title = xasprintf("/t:%s", s->name);
	char *certificate = xasprintf("/cert:fingerprint:sha256:%s",
				      said[FINGERPRINT]);

	if (give_password(said[PASSWORD]) < 0)
		return fail("pipe: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++)
		execlp(clients[i], clients[i], "/sound", server, user, "/d:",
		       title,
		       certificate, size, "/dynamic-resolution",
		       "/rfx", "/from-stdin", "+clipboard", "/log-level:OFF",
		       NULL);
	return fail("no RDP client is installed: apt install freerdp2-x11\n"
		    "or connect another one to %s, user %s, password %s",
		    field(display, "Address"), field(display, "User"),
		    said[PASSWORD]);
}

/* For whatever client; a password has no place in it that all would read. */
static int print_file(const struct state *s, const json_t *display,
		      char *const said[])
{
	bool copies = strcmp(field(display, "Clipboard"), "none");
	unsigned w = 0, h = 0;

	sscanf(said[SIZE], "%ux%u", &w, &h);
	printf("full address:s:%s\r\nusername:s:%s\r\ndomain:s:\r\n"
	       "screen mode id:i:1\r\ndesktopwidth:i:%u\r\n"
	       "desktopheight:i:%u\r\ndynamic resolution:i:1\r\n"
	       "smart sizing:i:0\r\nsession bpp:i:32\r\ncompression:i:1\r\n"
	       "authentication level:i:2\r\nenablecredsspsupport:i:1\r\n"
	       "prompt for credentials:i:1\r\nautoreconnection enabled:i:0\r\n"
	       "audiomode:i:0\r\n"
	       "redirectclipboard:i:%d\r\nredirectprinters:i:0\r\n"
	       "redirectsmartcards:i:0\r\ndrivestoredirect:s:\r\n",
	       field(display, "Address"), field(display, "User"), w, h,
	       copies);
	message("%s: password %s, for one log-in\ncertificate SHA-256 %s",
		s->name, said[PASSWORD], said[FINGERPRINT]);
	return fflush(stdout) ? STATUS_OURS : 0;
}

/* ---- the command -------------------------------------------------------- */
struct wish { bool is_file, is_web; struct web_view web; };

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct wish *w = ctx;
	uint32_t port = 0;

	w->is_file |= id == OPT_RDP;
	w->web.is_opening |= id == OPT_OPEN;
	if (id != OPT_WEB)
		return 0;
	w->is_web = true;
	if (arg && (parse_u32(arg, 65535, &port) || !port))
		return err_set(e, STATUS_OURS, "port '%s': a number from 1 to "
			       "65535 is needed", arg);
	w->web.port = (uint16_t)port;
	return 0;
}

static int view(struct wish *w, const struct state *s)
{
	json_t *display = json_object_get(s->json, "Display");
	char *said[ALL];

	if (!json_is_object(display))
		return fail("%s has no screen; it was started without "
			    "--display", s->name);
	if (s->status != STATE_RUNNING)
		return fail("%s is not running", s->name);
	if (w->is_web) {
		w->web.which = s->name;
		w->web.clipboard = field(display, "Clipboard");
		return web_serve(&w->web, s);
	}
	if (!display_tell(s->id, asked, said, ANSWER_MS))
		return fail("%s's screen does not answer; see bailey logs %s",
			    s->name, s->name);
	return w->is_file ? print_file(s, display, said) :
		start_client(s, display, said);
}

int cmd_view(int argc, char **argv)
{
	struct wish w = { 0 };
	struct state s;
	struct err e = { 0 };
	int at = options_parse(CMD_VIEW, argc, argv, set, &w, &e);

	if (at < 0)
		return message_error(&e);
	if (argc - at != 1)
		return fail("which sandbox? usage: bailey view [OPTIONS] "
			    "SANDBOX");
	if (w.web.is_opening && !w.is_web)
		return fail("--open needs --web");
	if (w.is_web && w.is_file)
		return fail("--web and --rdp are two ways to look; one is "
			    "needed");
	if (state_find(argv[at], &s, &e))
		return message_error(&e);
	return view(&w, &s);
}
