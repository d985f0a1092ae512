/*
 * sink.h - where an image is written to: a file that takes its name only when
 * it is whole, or a stream; encrypted or not.
 *
 * Used by one thread at a time.  offset counts plain bytes.  After a failure
 * every further call fails; sink_discard() leaves nothing behind.
 */
#ifndef IMAGE_SINK_H
#define IMAGE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct envelope;
struct sink {
	int fd;
	int dir;              /* that the file is in; -1: a stream */
	char *name, *temp;    /* in dir; temp: NULL while it has no name */
	char shown[300];      /* for messages */
	uint64_t offset;      /* of plain bytes written */
	uint64_t file_bytes;  /* written */
	uint64_t flushed;     /* of these on their way to the disk */
	struct envelope *envelope;
};

int sink_open(struct sink *s, const char *path, const char *passphrase,
	      struct err *e);
int sink_write(struct sink *s, const void *data, size_t size, struct err *e);
/* Everything to the disk, then under its name. */
int sink_finish(struct sink *s, struct err *e);
void sink_discard(struct sink *s);

/* The bytes themselves, for the envelope: no encryption. */
int sink_put(struct sink *s, const void *data, size_t size, struct err *e);

#endif
