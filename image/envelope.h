/*
 * envelope.h - the encryption of a whole image (image_format.h): argon2id
 * makes a key of the passphrase, secretstream seals chunk after chunk.
 */
#ifndef IMAGE_ENVELOPE_H
#define IMAGE_ENVELOPE_H

#include <stddef.h>

#include "image/sink.h"
#include "lib/err.h"

struct envelope *envelope_start(struct sink *s, const char *passphrase,
				struct err *e);
int envelope_write(struct envelope *v, struct sink *s, const void *data,
		   size_t size, struct err *e);
int envelope_finish(struct envelope *v, struct sink *s, struct err *e);
void envelope_free(struct envelope *v);

/* Opens the envelope in from (at its start) and writes what is in it to the
 * file to. */
int envelope_open(int from, const char *passphrase, int to, struct err *e);

#endif
