/*
 * layout.c - the client's keyboard layout becomes the X server's (session.h).
 *
 * The client names it as Windows does; the low half is a language.  Which one
 * is set stands in a property of the root window, so that a client that comes
 * back waits for nothing.
 */
#include "display/session.h"

#include <X11/Xatom.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct { uint16_t language; const char *name; } layouts[] = {
	{ 0x0402, "bg" }, { 0x0405, "cz" }, { 0x0406, "dk" }, { 0x0407, "de" },
	{ 0x0408, "gr" }, { 0x0409, "us" }, { 0x040a, "es" }, { 0x040b, "fi" },
	{ 0x040c, "fr" }, { 0x040d, "il" }, { 0x040e, "hu" }, { 0x040f, "is" },
	{ 0x0410, "it" }, { 0x0411, "jp" }, { 0x0412, "kr" }, { 0x0413, "nl" },
	{ 0x0414, "no" }, { 0x0415, "pl" }, { 0x0416, "br" }, { 0x0418, "ro" },
	{ 0x0419, "ru" }, { 0x041a, "hr" }, { 0x041b, "sk" }, { 0x041d, "se" },
	{ 0x041f, "tr" }, { 0x0422, "ua" }, { 0x0424, "si" }, { 0x0425, "ee" },
	{ 0x0426, "lv" }, { 0x0427, "lt" }, { 0x0807, "ch" }, { 0x0809, "gb" },
	{ 0x080a, "latam" }, { 0x080c, "be" }, { 0x0813, "be" },
	{ 0x0816, "pt" }, { 0x0c07, "at" }, { 0x0c0c, "ca" }, { 0x100c, "ch" },
};

/* NULL: unknown, and what is set may stay. */
static const char *find(uint32_t id)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
		if (layouts[i].language == (id & 0xffff))
			return layouts[i].name;
	return NULL;
}

static bool is_set(struct session *s, Atom property, const char *name)
{
	unsigned char *data = NULL;
	unsigned long n = 0, left;
	Atom type;
	int format;
	bool is_same;

	XGetWindowProperty(s->x, DefaultRootWindow(s->x), property, 0, 16,
			   False, XA_STRING, &type, &format, &n, &left, &data);
	is_same = data && !strcmp((const char *)data, name);
	if (data)
		XFree(data);
	/* who has set none has the server's own */
	return is_same || (!n && !strcmp(name, "us"));
}

void layout_set(struct session *s)
{
	const char *name = find(s->peer->settings->KeyboardLayout);
	Atom property = XInternAtom(s->x, "BAILEY_LAYOUT", False);
	pid_t pid;

	if (!name || is_set(s, property, name))
		return;
	pid = fork();
	if (!pid) {
		execlp("setxkbmap", "setxkbmap", "-layout", name, NULL);
		_exit(1);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	XChangeProperty(s->x, DefaultRootWindow(s->x), property, XA_STRING, 8,
			PropModeReplace, (const unsigned char *)name,
			(int)strlen(name));
}
