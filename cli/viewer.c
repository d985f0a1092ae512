/*
 * viewer.c - `bailey view`: the sandbox's screen in the RDP client that is
 * installed.
 *
 * The certificate is the sandbox's own, so its fingerprint is asked for there
 * first, by an `exec`, and given to the client; the password goes through a
 * pipe, where `ps` does not show it.
 */
#include "cli/display.h"
#include "cli/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINGERPRINT_MAX = 128, TRIES = 50, PAUSE_US = 200000 };

/* ---- the certificate ---------------------------------------------------- */
static _Noreturn void ask(const char *id, int out)
{
	dup2(out, 1);
	execl("/proc/self/exe", "bailey", "exec", id,
	      DISPLAY_GUEST "/bailey-display", "--fingerprint", NULL);
	_exit(STATUS_OURS);
}

static bool read_fingerprint(const char *id, char text[FINGERPRINT_MAX])
{
	size_t n = 0;
	ssize_t got;
	int fds[2], status = -1;
	pid_t pid;

	if (pipe(fds))
		return false;
	pid = fork();
	if (!pid) {
		close(fds[0]);
		ask(id, fds[1]);
	}
	close(fds[1]);
	while (n < FINGERPRINT_MAX - 1 &&
	       (got = read(fds[0], text + n, FINGERPRINT_MAX - 1 - n)) > 0)
		n += (size_t)got;
	close(fds[0]);
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status &&
		n && strspn(text, "0123456789abcdef:") == strlen(text);
}

/* The sandbox may have been started a moment ago. */
static bool wait_for_fingerprint(const char *id, char text[FINGERPRINT_MAX])
{
	for (int i = 0; i < TRIES; i++) {
		if (read_fingerprint(id, text))
			return true;
		usleep(PAUSE_US);
	}
	return false;
}

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
			const char *fingerprint)
{
	static const char *const clients[] = { "xfreerdp", "xfreerdp3" };
	char *server = xasprintf("/v:%s", field(display, "Address"));
	char *user = xasprintf("/u:%s", field(display, "User"));
	char *size = xasprintf("/size:%s", field(display, "Size"));
	char *title = xasprintf("/t:%s", s->name);
	char *certificate = xasprintf("/cert:fingerprint:sha256:%s",
				      fingerprint);

	if (give_password(field(display, "Password")) < 0)
		return fail("pipe: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++)
		execlp(clients[i], clients[i], server, user, "/d:", title,
		       certificate, size, "/dynamic-resolution",
		       "/from-stdin", "+clipboard", "/log-level:OFF", NULL);
	return fail("no RDP client is installed: apt install freerdp2-x11\n"
		    "or connect another one to %s, user %s, password %s",
		    field(display, "Address"), field(display, "User"),
		    field(display, "Password"));
}

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	return 0;
}

int cmd_view(int argc, char **argv)
{
	char fingerprint[FINGERPRINT_MAX];
	struct state s;
	struct err e = { 0 };
	json_t *display;
	int at = options_parse(CMD_VIEW, argc, argv, set, NULL, &e);

	if (at < 0)
		return message_error(&e);
	if (argc - at != 1)
		return fail("which sandbox? usage: bailey view SANDBOX");
	if (state_find(argv[at], &s, &e))
		return message_error(&e);
	display = json_object_get(s.json, "Display");
	if (!json_is_object(display))
		return fail("%s has no screen; it was started without "
			    "--display", s.name);
	if (s.status != STATE_RUNNING)
		return fail("%s is not running", s.name);
	if (!wait_for_fingerprint(s.id, fingerprint))
		return fail("%s's screen does not answer; see bailey logs %s",
			    s.name, s.name);
	return start_client(&s, display, fingerprint);
}
