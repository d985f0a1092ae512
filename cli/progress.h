/*
 * progress.h - how far saving, unpacking, verifying and moving are.
 *
 * On a terminal: one line on stderr, redrawn some times a second and erased
 * at the end.  json: one object a line on stderr, for machines.
 */
#ifndef BAILEY_PROGRESS_H
#define BAILEY_PROGRESS_H

#include "image/image.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_JSON, PROGRESS_NONE };
struct progress {
	enum progress_mode mode;
	uint64_t start_ns, shown_ns;
	bool is_drawn;
	struct image_progress last;
};

int progress_parse(struct progress *p, const char *arg, struct err *e);
/* An image_progress_fn; arg is a struct progress. */
void progress_show(void *arg, const struct image_progress *at);
/* Erase the bar; the last JSON line. */
void progress_end(struct progress *p);

/* "12.3 MB", in powers of ten; static buffers, a few calls deep. */
const char *bytes_text(uint64_t bytes);
uint64_t monotonic_ns(void); /* CLOCK_MONOTONIC */

#endif
