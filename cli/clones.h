/*
 * clones.h - `bailey resume --clones`: many sandboxes from one image.
 */
#ifndef BAILEY_CLONES_H
#define BAILEY_CLONES_H

#include "cli/resuming.h"

struct clones {
	uint32_t count;
	const char *name;             /* with {}, or NULL: the image's */
	const struct strings *ports;  /* with HOST+ */
	bool is_quiet;
	bool shares_network;          /* one empty one for all */
};
/* The exit status; ids go to stdout, in the order of the clones. */
int clones_start(const struct clones *c, const struct resuming *s,
		 const struct request *r);

#endif
