/*
 * envelope.c - see envelope.h.
 */
#include "image/envelope.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <bailey/image_format.h>

#include "image/util.h"

#define SEAL crypto_secretstream_xchacha20poly1305_ABYTES
#define FINAL crypto_secretstream_xchacha20poly1305_TAG_FINAL

struct envelope {
	crypto_secretstream_xchacha20poly1305_state state;
	struct envelope_header header;
	bool has_header; /* it was sealed into a chunk */
	size_t used;
	uint8_t plain[ENVELOPE_CHUNK];
	uint8_t sealed[ENVELOPE_CHUNK + SEAL];
};

static int make_key(uint8_t key[32], const struct envelope_header *h,
		    const char *passphrase, struct err *e)
{
	if (crypto_pwhash(key, 32, passphrase, strlen(passphrase), h->salt,
			  h->ops, (size_t)h->memory,
			  crypto_pwhash_ALG_ARGON2ID13))
		return FAIL(e, "not enough memory to make a key of the "
			    "passphrase (%llu MB)",
			    (unsigned long long)(h->memory >> 20));
	return 0;
}

/* ---- sealing ------------------------------------------------------------ */
struct envelope *envelope_start(struct sink *s, const char *passphrase,
				struct err *e)
{
	struct envelope *v = calloc(1, sizeof(*v));
	struct envelope_header *h;
	uint8_t key[32];

	if (!v) {
		FAIL(e, "out of memory");
		return NULL;
	}
	h = &v->header;
	h->magic = ENVELOPE_MAGIC;
	h->version = ENVELOPE_VERSION;
	h->chunk = ENVELOPE_CHUNK;
	h->ops = crypto_pwhash_OPSLIMIT_MODERATE;
	h->memory = crypto_pwhash_MEMLIMIT_MODERATE;
	randombytes_buf(h->salt, sizeof(h->salt));
	if (make_key(key, h, passphrase, e)) {
		envelope_free(v);
		return NULL;
	}
	crypto_secretstream_xchacha20poly1305_init_push(&v->state, h->stream,
							key);
	sodium_memzero(key, sizeof(key));
	h->check = check64(h, offsetof(struct envelope_header, check));
	if (sink_put(s, h, sizeof(*h), e)) {
		envelope_free(v);
		return NULL;
	}
	return v;
}

static int seal(struct envelope *v, struct sink *s, uint8_t tag,
		struct err *e)
{
	unsigned long long n;

	crypto_secretstream_xchacha20poly1305_push(&v->state, v->sealed, &n,
		v->plain, v->used, v->has_header ? NULL :
		(const uint8_t *)&v->header,
		v->has_header ? 0 : sizeof(v->header), tag);
	v->has_header = true;
	v->used = 0;
	return sink_put(s, v->sealed, (size_t)n, e);
}

int envelope_write(struct envelope *v, struct sink *s, const void *data,
		   size_t size, struct err *e)
{
	while (size) {
		size_t n = ENVELOPE_CHUNK - v->used;

		/* A full chunk waits: it may be the last. */
		if (!n && seal(v, s, 0, e))
			return -1;
		n = ENVELOPE_CHUNK - v->used;
		if (n > size)
			n = size;
		memcpy(v->plain + v->used, data, n);
		v->used += n;
		data = (const uint8_t *)data + n;
		size -= n;
	}
	return 0;
}

int envelope_finish(struct envelope *v, struct sink *s, struct err *e)
{
	return seal(v, s, FINAL, e);
}

void envelope_free(struct envelope *v)
{
	if (!v)
		return;
	sodium_memzero(v, sizeof(*v));
	free(v);
}

/* ---- opening ------------------------------------------------------------ */
static int read_head(int from, struct envelope_header *h, struct err *e)
{
	if (read_at(from, h, sizeof(*h), 0) != (ssize_t)sizeof(*h))
		return FAIL(e, "truncated: not even its header is whole");
	if (h->check != check64(h, offsetof(struct envelope_header, check)))
		return FAIL(e, "damaged: its header (bytes 0 to %zu) does not "
			    "match its checksum", sizeof(*h) - 1);
	if (h->version != ENVELOPE_VERSION)
		return FAIL(e, "encrypted by version %u, this bailey knows %u",
			    h->version, ENVELOPE_VERSION);
	if (h->chunk != ENVELOPE_CHUNK ||
	    h->ops < crypto_pwhash_OPSLIMIT_MIN ||
	    h->ops > ENVELOPE_OPS_MAX ||
	    h->memory < crypto_pwhash_MEMLIMIT_MIN ||
	    h->memory > ENVELOPE_MEMORY_MAX)
		return FAIL(e, "its header asks for what no image needs");
	return 0;
}

static int open_chunk(struct envelope *v, uint64_t number, size_t size,
		      uint8_t *tag, struct err *e)
{
	unsigned long long n;

	if (size < SEAL)
		return FAIL(e, "truncated: it ends in chunk %llu",
			    (unsigned long long)number);
	if (crypto_secretstream_xchacha20poly1305_pull(&v->state, v->plain,
		&n, tag, v->sealed, size, number ? NULL :
		(const uint8_t *)&v->header,
		number ? 0 : sizeof(v->header))) {
		if (!number)
			return FAIL(e, "wrong passphrase, or its beginning "
				    "(bytes 0 to %zu) is damaged or truncated",
				    sizeof(v->header) + size - 1);
		return FAIL(e, "damaged or truncated: bytes %llu to %llu do "
			    "not match their seal",
			    (unsigned long long)(sizeof(v->header) + number *
			    (ENVELOPE_CHUNK + SEAL)),
			    (unsigned long long)(sizeof(v->header) + number *
			    (ENVELOPE_CHUNK + SEAL) + size - 1));
	}
	v->used = (size_t)n;
	return 0;
}

static int open_chunks(struct envelope *v, int from, int to, struct err *e)
{
	uint64_t at = sizeof(v->header), number = 0;
	uint8_t tag = 0;
	ssize_t n;

	for (; tag != FINAL; number++, at += (uint64_t)n) {
		n = read_at(from, v->sealed, sizeof(v->sealed), at);
		if (n < 0)
			return FAIL(e, "cannot read it: %s", strerror(errno));
		if (!n)
			return FAIL(e, "truncated: its last chunk is "
				    "missing");
		if (open_chunk(v, number, (size_t)n, &tag, e))
			return -1;
		if (write_all(to, v->plain, v->used))
			return FAIL(e, "no room to decrypt it: %s",
				    strerror(errno));
	}
	if (read_at(from, v->sealed, 1, at))
		return FAIL(e, "damaged: there is something behind its end");
	return 0;
}

int envelope_open(int from, const char *passphrase, int to, struct err *e)
{
	struct envelope *v = calloc(1, sizeof(*v));
	uint8_t key[32];
	int rc = -1;

	if (!v)
		return FAIL(e, "out of memory");
	if (!read_head(from, &v->header, e) &&
	    !make_key(key, &v->header, passphrase, e)) {
		if (crypto_secretstream_xchacha20poly1305_init_pull(&v->state,
			v->header.stream, key))
			FAIL(e, "damaged: its header");
		else
			rc = open_chunks(v, from, to, e);
		sodium_memzero(key, sizeof(key));
	}
	envelope_free(v);
	return rc;
}
