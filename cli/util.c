/*
 * util.c - messages, memory, files and values for the commands (cli.h).
 */
#include "cli/cli.h"
#include "cli/session.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

/* ---- messages ------------------------------------------------------------- */
bool has_colour(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(f)) && !(no && *no) &&
		!(term && !strcmp(term, "dumb"));
}

static void message_v(const char *colour, const char *fmt, va_list ap)
{
	bool is_coloured = has_colour(stderr);

	fflush(stdout);
	fprintf(stderr, "%sbailey:%s ", is_coloured ? colour : "",
		is_coloured ? "\033[0m" : "");
	vfprintf(stderr, fmt, ap);
	fputs(terminal_needs_return() ? "\r\n" : "\n", stderr);
}

void message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_v("\033[33m", fmt, ap);
	va_end(ap);
}

int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_v("\033[31m", fmt, ap);
	va_end(ap);
	return STATUS_OURS;
}

int message_error(const struct err *e)
{
	fail("%s", e->text);
	return e->status ? e->status : STATUS_OURS;
}

/* ---- memory --------------------------------------------------------------- */
static void *need(void *p)
{
	if (p)
		return p;
	fputs("bailey: out of memory\n", stderr);
	exit(STATUS_OURS);
}

void *xcalloc(size_t count, size_t size)
{
	return need(calloc(count ? count : 1, size));
}
void *xrealloc(void *p, size_t size)
{
	return need(realloc(p, size));
}
char *xstrdup(const char *s)
{
	return need(strdup(s));
}
char *xstrndup(const char *s, size_t n)
{
	return need(strndup(s, n));
}
char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return need(s);
}

char *printable(const char *s)
{
	char *out = xstrdup(s);

	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return out;
}

void strings_add(struct strings *s, char *item)
{
	s->v = xrealloc(s->v, (s->count + 2) * sizeof(*s->v));
	s->v[s->count++] = item;
	s->v[s->count] = NULL;
}

/* ---- files ---------------------------------------------------------------- */
int read_file_at(int dir, const char *path, char **text, size_t *size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = 0, room = 4096;
	char *buf;
	ssize_t got;

	if (fd < 0)
		return -1;
	buf = xcalloc(1, room + 1);
	while ((got = read(fd, buf + n, room - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || n + (size_t)got > FILE_MAX)
			break;
		n += (size_t)got;
		if (n == room)
			buf = xrealloc(buf, (room *= 2) + 1);
	}
	if (got > 0)
		errno = EFBIG;
	close(fd);
	if (got) {
		free(buf);
		return -1;
	}
	buf[n] = 0;
	*text = buf;
	if (size)
		*size = n;
	return 0;
}

char *read_file(const char *path, size_t *size)
{
	char *text;

	return read_file_at(AT_FDCWD, path, &text, size) ? NULL : text;
}

/* ---- values --------------------------------------------------------------- */
int parse_u32(const char *s, uint32_t max, uint32_t *v)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	n = strtoul(s, &end, 10);
	if (*end || errno || n > max)
		return -1;
	*v = (uint32_t)n;
	return 0;
}

static int size_shift(const char *unit)
{
	static const char letters[] = "bkmgt";
	const char *hit;

	if (!*unit)
		return 0;
	hit = strchr(letters, tolower((unsigned char)*unit));
	if (!hit || !*hit)
		return -1;
	/* "m", "mb", "mib" all mean the same, as podman has it */
	if (unit[1] && strcasecmp(unit + 1, "b") && strcasecmp(unit + 1, "ib"))
		return -1;
	return 10 * (int)(hit - letters);
}

int parse_size(const char *s, uint64_t *bytes)
{
	unsigned long long n;
	char *end;
	int shift;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	n = strtoull(s, &end, 10);
	shift = size_shift(end);
	if (errno || shift < 0 || (n << shift) >> shift != n)
		return -1;
	*bytes = n << shift;
	return 0;
}

const char *signal_name(int sig)
{
	const char *s = sigabbrev_np(sig);

	return s ? s : "?";
}

int parse_signal(const char *s)
{
	uint32_t n;

	if (!parse_u32(s, 64, &n))
		return (int)n;
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && !strcasecmp(s, sigabbrev_np(i)))
			return i;
	if (!strncasecmp(s, "RTMIN", 5)) {
		if (!s[5])
			return 34;
		if (s[5] == '+' && !parse_u32(s + 6, 30, &n))
			return 34 + (int)n;
	}
	return -1;
}
