/*
 * progress.c - see progress.h.
 */
#include "cli/progress.h"
#include "cli/cli.h"
#include "cli/session.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_NS 100000000u

uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

const char *bytes_text(uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	static char text[8][24];
	static unsigned next;
	char *out = text[next++ % 8];
	double v = (double)bytes / 1000;
	unsigned u = 0;

	while (v >= 999.95 && u < 3) {
		v /= 1000;
		u++;
	}
	if (bytes < 1000)
		snprintf(out, sizeof(text[0]), "%" PRIu64 " B", bytes);
	else
		snprintf(out, sizeof(text[0]), "%.1f %s", v, units[u]);
	return out;
}

int progress_parse(struct progress *p, const char *arg, struct err *e)
{
	if (!strcmp(arg, "auto"))
		p->mode = PROGRESS_AUTO;
	else if (!strcmp(arg, "json"))
		p->mode = PROGRESS_JSON;
	else if (!strcmp(arg, "none"))
		p->mode = PROGRESS_NONE;
	else
		return err_set(e, STATUS_OURS, "progress '%s': auto, json or "
			       "none is needed", arg);
	return 0;
}

static uint64_t rate(const struct progress *p)
{
	uint64_t ns = monotonic_ns() - p->start_ns;

	return ns ? (uint64_t)((double)p->last.bytes_in * 1e9 / (double)ns) : 0;
}

static double ratio(const struct progress *p)
{
	return p->last.bytes_out ? (double)p->last.bytes_in /
		(double)p->last.bytes_out : 0;
}

static void put_json(const struct progress *p, bool is_done)
{
	fprintf(stderr, "{\"phase\": \"%s\", \"bytes_in\": %" PRIu64
		", \"bytes_total\": %" PRIu64 ", \"bytes_out\": %" PRIu64
		", \"bytes_per_second\": %" PRIu64 ", \"ratio\": %.2f"
		", \"done\": %s}\n", p->last.phase ? p->last.phase : "",
		p->last.bytes_in, p->last.bytes_total, p->last.bytes_out,
		rate(p), ratio(p), is_done ? "true" : "false");
}

/* "####----", as wide as it is told. */
static const char *bar(const struct progress *p, int width)
{
	static char text[64];
	int full = p->last.bytes_total ? (int)((double)width *
		(double)p->last.bytes_in / (double)p->last.bytes_total) : 0;

	if (full > width)
		full = width;
	memset(text, '-', (size_t)width);
	memset(text, '#', (size_t)full);
	text[width] = 0;
	return text;
}

static void draw(struct progress *p)
{
	char total[32] = "", line[160], shrink[32] = "";
	uint32_t rows, columns;
	int n = 0;

	terminal_size(&rows, &columns);
	if (p->last.bytes_total) {
		snprintf(total, sizeof(total), " of %s",
			 bytes_text(p->last.bytes_total));
		n = columns > 90 ? 24 : 12;
	}
	if (p->last.bytes_out)
		snprintf(shrink, sizeof(shrink), ", ratio %.1f", ratio(p));
	snprintf(line, sizeof(line), "%s%s%s%s %s%s, %s/s%s",
		 p->last.phase ? p->last.phase : "", n ? " [" : "",
		 n ? bar(p, n) : "", n ? "]" : "", bytes_text(p->last.bytes_in),
		 total, bytes_text(rate(p)), shrink);
	/* a line that wraps could not be erased */
	fprintf(stderr, "\r%.*s\033[K", (int)columns - 1, line);
	fflush(stderr);
	p->is_drawn = true;
}

void progress_show(void *arg, const struct image_progress *at)
{
	struct progress *p = arg;
	uint64_t now = monotonic_ns();

	if (!p->start_ns || (p->last.phase && at->phase &&
			     strcmp(p->last.phase, at->phase)))
		p->start_ns = now;
	p->last = *at;
	if (p->mode == PROGRESS_NONE || now - p->shown_ns < REDRAW_NS)
		return;
	p->shown_ns = now;
	if (p->mode == PROGRESS_JSON)
		put_json(p, false);
	else if (isatty(2))
		draw(p);
}

void progress_end(struct progress *p)
{
	if (p->mode == PROGRESS_JSON && p->last.phase)
		put_json(p, true);
	if (p->is_drawn)
		fputs("\r\033[K", stderr);
	p->is_drawn = false;
}
