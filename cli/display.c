/*
 * display.c - see display.h.
 */
#include "cli/display.h"
#include "cli/launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUEST_PORT = 3389, SIDE_MIN = 200, SIDE_MAX = 8192, WORD_MAX = 64,
       START_MS = 10000 };

/* ---- options ------------------------------------------------------------ */
int display_option(struct display *d, const char *arg, struct err *e)
{
	const char *colon = arg ? strrchr(arg, ':') : NULL;
	const char *port = colon ? colon + 1 : arg;
	struct in_addr ip;
	uint32_t number;

	d->is_on = true;
	if (!arg || !*arg)
		return 0;
	if (colon && colon > arg) {
		d->ip = xstrndup(arg, (size_t)(colon - arg));
		if (inet_pton(AF_INET, d->ip, &ip) != 1)
			return err_set(e, STATUS_OURS, "display '%s': %s is "
				       "not an IPv4 address", arg, d->ip);
	}
	if (parse_u32(port, 65535, &number) || !number)
		return err_set(e, STATUS_OURS, "display '%s': [IP:]PORT is "
			       "needed, a port from 1 to 65535", arg);
	d->port = (uint16_t)number;
	return 0;
}

static bool is_policy(const char *s)
{
	return !strcmp(s, "in") || !strcmp(s, "out") || !strcmp(s, "both") ||
		!strcmp(s, "none");
}

int display_clipboard(struct display *d, const char *arg, struct err *e)
{
	if (!is_policy(arg))
		return err_set(e, STATUS_OURS, "clipboard '%s': in, out, both "
			       "or none is needed", arg);
	d->clipboard = arg;
	return 0;
}

int display_size(struct display *d, const char *arg, struct err *e)
{
	unsigned w = 0, h = 0;
	int end = 0;

	if (sscanf(arg, "%4ux%4u%n", &w, &h, &end) != 2 || arg[end] ||
	    w < SIDE_MIN || h < SIDE_MIN || w > SIDE_MAX || h > SIDE_MAX)
		return err_set(e, STATUS_OURS, "display size '%s': WIDTHxHEIGHT "
			"is needed, each from %d to %d", arg, SIDE_MIN,
			SIDE_MAX);
	/* lines of a picture are sent in units of four */
	d->size = xasprintf("%ux%u", w & ~3u, h);
	return 0;
}

/* ---- run ---------------------------------------------------------------- */
const char *display_programs(struct err *e)
{
	static const char *const places[] = { "display-programs",
		"../lib/bailey/display-programs" };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = 0;
		*strrchr(self, '/') = 0;
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
			char *dir = xasprintf("%s/%s", self, places[i]);

			if (!access(xasprintf("%s/bailey-display-session",
					      dir), X_OK))
				return dir;
		}
	}
	err_set(e, STATUS_OURS, "this bailey was built without the display; "
		"install what it needs and build again:\n  apt install "
		"freerdp2-dev libx11-dev libxtst-dev libxdamage-dev "
		"libxfixes-dev libxrandr-dev libssl-dev libasound2-dev "
		"pkg-config "
		"libwayland-dev wayland-protocols libxkbcommon-x11-dev "
		"libpixman-1-dev libxrender-dev libxext-dev && make");
	return NULL;
}

static void put_before_program(struct request *r)
{
	struct display *d = &r->display;
	struct strings out = { 0 };

	d->argv = r->config.argv;
	strings_add(&out, xstrdup(DISPLAY_GUEST "/bailey-display"));
	strings_add(&out, xstrdup(d->user));
	strings_add(&out, xstrdup(d->clipboard));
	strings_add(&out, xstrdup(d->size));
	for (char *const *w = d->argv; *w; w++)
		strings_add(&out, *w);
	r->config.argv = out.v;
}

static bool is_published(const struct request *r)
{
	for (size_t i = 0; i < r->ports.count; i++)
		if (r->ports.v[i].guest_port == GUEST_PORT &&
		    r->ports.v[i].proto == SANDBOX_TCP)
			return true;
	return false;
}

void display_publish(struct request *r)
{
	const struct display *d = &r->display;

	if (is_published(r)) /* -p has said where, as a move does */
		return;
	r->ports.v = xrealloc(r->ports.v, (r->ports.count + 1) *
			      sizeof(*r->ports.v));
	r->ports.v[r->ports.count++] = (struct sandbox_port){
		.host_ip = d->ip ? d->ip : "127.0.0.1",
		.host_port = d->port, .guest_port = GUEST_PORT,
		.proto = SANDBOX_TCP };
}

int display_prepare(struct request *r, struct err *e)
{
	struct display *d = &r->display;

	if (!d->is_on && (d->clipboard || d->size))
		return err_set(e, STATUS_OURS, "--clipboard and --display-size "
			       "need --display");
	if (!d->is_on)
		return 0;
	if (!display_programs(e))
		return -1;
	d->user = "bailey";
	d->clipboard = d->clipboard ? d->clipboard : "in";
	d->size = d->size ? d->size : "1280x800";
	put_before_program(r);
	display_publish(r);
	return 0;
}

/* ---- what is listed ------------------------------------------------------ */
static const struct sandbox_port *find_port(const struct request *r)
{
	const struct sandbox_config *c = &r->config;

	for (size_t i = 0; i < c->port_count; i++)
		if (c->ports[i].guest_port == GUEST_PORT &&
		    c->ports[i].proto == SANDBOX_TCP)
			return &c->ports[i];
	return NULL;
}

static char *address(const struct request *r)
{
	const struct sandbox_port *p = find_port(r);

	return p ? xasprintf("%s:%d", p->host_ip ? p->host_ip : "0.0.0.0",
			     p->host_port) : xstrdup("");
}

json_t *display_json(const struct request *r)
{
	const struct display *d = &r->display;

	if (!d->is_on)
		return json_null();
	return json_pack("{s:s,s:s,s:s,s:s}", "Address", address(r),
		"User", d->user, "Clipboard", d->clipboard, "Size", d->size);
}

static void announce(const struct launch *l)
{
	static const char *const what[] = { "password", NULL };
	const struct request *r = &l->request;
	char *said[1];

	if (!display_tell(l->state.id, what, said, START_MS))
		return; /* what is the matter is said by others */
	message("screen at %s (RDP), user %s, password %s; or: bailey view %s",
		address(r), r->display.user, said[0], l->state.name);
}

void display_announce(const struct launch *l)
{
	pid_t pid;

	if (!l->request.display.is_on || l->request.is_quiet)
		return;
	if (l->request.config.detach) {
		announce(l);
		return;
	}
	/* the program's streams are served meanwhile; nobody waits for it */
	pid = fork();
	if (!pid && !fork())
		announce(l);
	if (!pid)
		_exit(0);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- resume ------------------------------------------------------------- */
/* The image is a stranger's word, and this is shown and passed on. */
static const char *word(const json_t *saved, const char *key)
{
	const char *s = json_string_value(json_object_get(saved, key));

	if (!s || !*s || strlen(s) > WORD_MAX ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789-") != strlen(s))
		return NULL;
	return s;
}

int display_resume(struct request *r, const json_t *saved, struct err *e)
{
	struct display *d = &r->display;

	if (!json_is_object(saved)) {
		if (d->is_on)
			return err_set(e, STATUS_OURS, "the image was saved "
				"without a screen; leave --display out");
		return 0;
	}
	d->user = word(saved, "User");
	d->clipboard = word(saved, "Clipboard");
	d->size = word(saved, "Size");
	if (!d->user || !d->clipboard || !d->size)
		return err_set(e, STATUS_OURS, "the image's manifest is "
			       "damaged: bailey.display");
	d->is_on = true;
	display_publish(r);
	return 0;
}
