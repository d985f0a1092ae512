/*
 * pack.c - see pack.h.
 *
 * A group goes round: EMPTY (the filler's) -> FULL -> BUSY (a worker's) ->
 * DONE -> written, EMPTY again.  Groups are a ring in order of arrival; the
 * counters only grow: `filled` groups were handed over, `taken` went to
 * workers, `written` are in the sink.  One worker at a time writes.
 */
#include "image/pack.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "image/util.h"
#include "image/words.h"

#define GROUP_BYTES (IMAGE_FRAME_PAGES * PAGE)

struct group {
	uint8_t *in, *out;
	uint32_t raw, size;
	uint8_t check[16];
	bool is_done;
};
struct pack {
	struct sink *sink;
	int level, threads;
	pthread_t thread[16];
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of what follows */
	struct group *group;
	size_t groups, out_room;
	uint64_t filled, taken, written;
	bool is_ending, is_writing, has_failed;
	struct err why;
	struct image_blob *frame;
	size_t frame_room, frames;
	uint64_t bytes_out;
	uint32_t used;          /* of the group that is being filled */
	bool has_group;
};

/* The first LARGE_GROUPS are large and packed well, which nobody notices when
 * there is not more; what follows is packed fast, by many.  Measured on a
 * python's memory (22 MB, processor time to pack it): zstd -5 alone 4.8 MB in
 * 0.16 s, in frames of 4 MiB 4.7 MB; words and level 9 3.9 MB in 0.28 s, in
 * frames of 1 MiB 4.1 MB; level 1 alone 5.6 MB in 0.05 s. */
#define LARGE_GROUPS 16u
#define SMALL_GROUP_PAGES 256u
#define EARLY_GROUPS 2u /* small too: all that a small image has, for two */
#define LEVEL_FAST 2 /* up to here, no words */
#define LEVEL_TEXT 5 /* more takes long, and gains little */

static int level_of(const struct pack *p, uint64_t group)
{
	if (p->level)
		return p->level;
	return group < LARGE_GROUPS / 2 ? 9 : group < LARGE_GROUPS ? 3 : 1;
}

static uint32_t pages_of(const struct pack *p, uint64_t group)
{
	return group >= EARLY_GROUPS && level_of(p, group) > LEVEL_FAST ?
		IMAGE_FRAME_PAGES : SMALL_GROUP_PAGES;
}

/* ---- workers ------------------------------------------------------------ */
static void set_failed(struct pack *p, const struct err *why)
{
	if (!p->has_failed)
		p->why = *why;
	p->has_failed = true;
	pthread_cond_broadcast(&p->changed);
}

/* With the lock held and is_writing set; the lock is let go meanwhile. */
static int write_group(struct pack *p, struct group *g, struct err *e)
{
	struct image_blob *f;
	int rc;

	if (big_grow((void **)&p->frame, &p->frame_room, p->frames,
		     sizeof(*p->frame), e))
		return -1;
	f = &p->frame[p->frames++];
	f->offset = p->sink->offset;
	f->size = g->size;
	f->raw = g->raw;
	memcpy(f->check, g->check, 16);
	pthread_mutex_unlock(&p->lock);
	rc = sink_write(p->sink, g->out, g->size, e);
	pthread_mutex_lock(&p->lock);
	p->bytes_out += g->size;
	return rc;
}

/* Whatever is next in turn and done, by whoever comes first. */
static void write_done(struct pack *p)
{
	struct err e;

	if (p->is_writing)
		return;
	p->is_writing = true;
	while (!p->has_failed && p->written < p->filled) {
		struct group *g = &p->group[p->written % p->groups];

		if (!g->is_done)
			break;
		if (write_group(p, g, &e)) {
			set_failed(p, &e);
			break;
		}
		g->is_done = false;
		p->written++;
		pthread_cond_broadcast(&p->changed);
	}
	p->is_writing = false;
}

/* ---- one frame ---------------------------------------------------------- */
/* Of one worker. */
struct packer {
	ZSTD_CCtx *context;
	struct words words;
	bool has_words;
};

static int bad_zstd(size_t n, struct err *e)
{
	return FAIL(e, "zstd: %s", ZSTD_getErrorName(n));
}

static int pack_plain(struct packer *r, struct group *g, size_t room,
		      int level, struct err *e)
{
	size_t n = ZSTD_compressCCtx(r->context, g->out + 1, room - 1, g->in,
				     g->raw, level);

	if (ZSTD_isError(n))
		return bad_zstd(n, e);
	g->out[0] = IMAGE_CODEC_PLAIN;
	g->size = (uint32_t)n + 1;
	return 0;
}

/* Where whole words are what is left, shorter matches are worth it. */
static size_t pack_stream(struct packer *r, unsigned stream, uint8_t *out,
			  size_t room, int level)
{
	ZSTD_CCtx_reset(r->context, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(r->context, ZSTD_c_compressionLevel, level);
	if (stream == WORDS_RAW || stream == WORDS_TEXT)
		ZSTD_CCtx_setParameter(r->context, ZSTD_c_minMatch, 3);
	return ZSTD_compress2(r->context, out, room, r->words.stream[stream],
			      r->words.size[stream]);
}

/* Each stream is a zstd frame, so that it has statistics of its own. */
static int pack_words(struct packer *r, struct group *g, size_t room,
		      int level, struct err *e)
{
	size_t at = 1, n;
	unsigned s;

	for (s = 0; s < WORDS_STREAMS; s++) {
		if (!r->words.size[s])
			continue;
		n = pack_stream(r, s, g->out + at, room - at, level);
		if (ZSTD_isError(n))
			return bad_zstd(n, e);
		at += n;
	}
	g->out[0] = IMAGE_CODEC_WORDS;
	g->size = (uint32_t)at;
	return 0;
}

static int compress(struct pack *p, struct packer *r, struct group *g,
		    int level, struct err *e)
{
	bool is_split = level > LEVEL_FAST;

	if (is_split && !r->has_words) {
		r->has_words = !words_init(&r->words, GROUP_BYTES);
		is_split = r->has_words;
	}
	if (is_split) {
		words_split(&r->words, g->in, g->raw);
		is_split = !words_is_text(&r->words);
		if (!is_split && !p->level && level > LEVEL_TEXT)
			level = LEVEL_TEXT;
	}
	if (is_split ? pack_words(r, g, p->out_room, level, e) :
	    pack_plain(r, g, p->out_room, level, e))
		return -1;
	hash_short(g->check, g->out, g->size);
	return 0;
}

static void *work(void *arg)
{
	struct packer r = { .context = ZSTD_createCCtx() };
	struct pack *p = arg;
	struct err e;

	pthread_mutex_lock(&p->lock);
	if (!r.context && FAIL(&e, "out of memory for zstd"))
		set_failed(p, &e);
	while (!p->has_failed) {
		struct group *g;
		int rc, level;

		if (p->taken == p->filled) {
			if (p->is_ending)
				break;
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		level = level_of(p, p->taken);
		g = &p->group[p->taken++ % p->groups];
		pthread_mutex_unlock(&p->lock);
		rc = compress(p, &r, g, level, &e);
		pthread_mutex_lock(&p->lock);
		if (rc)
			set_failed(p, &e);
		g->is_done = true;
		write_done(p);
	}
	pthread_mutex_unlock(&p->lock);
	ZSTD_freeCCtx(r.context);
	if (r.has_words)
		words_free(&r.words, GROUP_BYTES);
	return NULL;
}

/* ---- start and end ------------------------------------------------------ */
static int start_threads(struct pack *p, int threads)
{
	sigset_t all, old;
	int rc = 0;

	/* Signals are the command's own thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; p->threads < threads && !rc; p->threads += !rc)
		rc = pthread_create(&p->thread[p->threads], NULL, work, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p->threads ? 0 : -1;
}

struct pack *pack_start(struct sink *s, int level, int threads,
			struct err *e)
{
	struct pack *p = calloc(1, sizeof(*p));
	size_t i;

	if (!p)
		goto out;
	if (threads < 1 || threads > 16)
		threads = processor_count();
	p->sink = s;
	p->level = level;
	p->groups = (size_t)threads * 2 + 2;
	p->out_room = ZSTD_compressBound(WORDS_ROOM(GROUP_BYTES)) + 8192;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->group = calloc(p->groups, sizeof(*p->group));
	for (i = 0; p->group && i < p->groups; i++) {
		p->group[i].in = malloc(GROUP_BYTES);
		p->group[i].out = malloc(p->out_room);
		if (!p->group[i].in || !p->group[i].out)
			goto out;
	}
	if (p->group && !start_threads(p, threads))
		return p;
out:
	FAIL(e, "out of memory for compressing");
	pack_free(p);
	return NULL;
}

static void join_threads(struct pack *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_ending = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	while (p->threads)
		pthread_join(p->thread[--p->threads], NULL);
}

void pack_free(struct pack *p)
{
	size_t i;

	if (!p)
		return;
	if (p->threads) {
		pthread_mutex_lock(&p->lock);
		p->has_failed = true;
		pthread_mutex_unlock(&p->lock);
		join_threads(p);
	}
	for (i = 0; p->group && i < p->groups; i++) {
		free(p->group[i].in);
		free(p->group[i].out);
	}
	free(p->group);
	big_free(p->frame, p->frame_room * sizeof(*p->frame));
	free(p);
}

/* ---- filling ------------------------------------------------------------ */
static int take_group(struct pack *p, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->has_failed && p->filled - p->written == p->groups)
		pthread_cond_wait(&p->changed, &p->lock);
	if (p->has_failed) {
		if (e)
			*e = p->why;
		rc = -1;
	}
	pthread_mutex_unlock(&p->lock);
	p->has_group = !rc;
	p->used = 0;
	return rc;
}

static void give_group(struct pack *p)
{
	pthread_mutex_lock(&p->lock);
	p->group[p->filled % p->groups].raw = p->used * PAGE;
	p->filled++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	p->has_group = false;
}

void *pack_page(struct pack *p, struct err *e)
{
	if (!p->has_group && take_group(p, e))
		return NULL;
	return p->group[p->filled % p->groups].in + (size_t)p->used * PAGE;
}

void pack_push(struct pack *p)
{
	if (++p->used == pages_of(p, p->filled))
		give_group(p);
}

uint64_t pack_bytes_out(struct pack *p)
{
	uint64_t n;

	pthread_mutex_lock(&p->lock);
	n = p->bytes_out;
	pthread_mutex_unlock(&p->lock);
	return n;
}

int pack_finish(struct pack *p, const struct image_blob **frames,
		uint32_t *count, struct err *e)
{
	if (p->has_group && p->used)
		give_group(p);
	join_threads(p);
	if (!p->has_failed)
		write_done(p);
	if (p->has_failed) {
		if (e)
			*e = p->why;
		return -1;
	}
	*frames = p->frame;
	*count = (uint32_t)p->frames;
	return 0;
}

/* ---- blobs -------------------------------------------------------------- */
static void *ahead_work(void *arg)
{
	struct pack_ahead *a = arg;
	size_t room = ZSTD_compressBound(a->size);

	a->out = malloc(room);
	a->out_size = a->out ? ZSTD_compress(a->out, room, a->data, a->size,
					     a->level) : 0;
	return NULL;
}

void pack_ahead(struct pack_ahead *a, int level, const void *data, size_t size)
{
	sigset_t all, old;

	*a = (struct pack_ahead){ .data = data, .size = size, .level = level };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	a->is_running = !pthread_create(&a->thread, NULL, ahead_work, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!a->is_running)
		ahead_work(a);
}

void pack_ahead_end(struct pack_ahead *a)
{
	if (a->is_running)
		pthread_join(a->thread, NULL);
	free(a->out);
	*a = (struct pack_ahead){ .data = NULL };
}

int pack_ahead_write(struct pack_ahead *a, struct sink *s,
		     struct image_blob *out, struct err *e)
{
	if (a->is_running)
		pthread_join(a->thread, NULL);
	a->is_running = false;
	if (!a->out)
		return FAIL(e, "out of memory for compressing");
	if (ZSTD_isError(a->out_size))
		return FAIL(e, "zstd: %s", ZSTD_getErrorName(a->out_size));
	out->offset = s->offset;
	out->size = (uint32_t)a->out_size;
	out->raw = (uint32_t)a->size;
	hash_short(out->check, a->out, a->out_size);
	return sink_write(s, a->out, a->out_size, e);
}

int pack_blob(struct sink *s, int level, const void *data, size_t size,
	      struct image_blob *out, struct err *e)
{
	struct pack_ahead a = { .data = data, .size = size, .level = level };
	int rc;

	ahead_work(&a);
	rc = pack_ahead_write(&a, s, out, e);
	pack_ahead_end(&a);
	return rc;
}
