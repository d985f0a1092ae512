/*
 * words.h - pages as words of eight bytes, sorted by what they look like.
 *
 * Memory of programs is mostly zeros, small numbers, pointers and the same few
 * words again and again; zstd alone pays for each of them as if it were text.
 * Here each word becomes a tag of one byte and what the tag leaves open, and
 * bytes of one meaning lie together, as streams that are compressed one by
 * one: a python's memory gets a fifth smaller, at the same speed.
 * docs/image-format.md says what the streams hold.
 *
 * Splitting is ours; what is joined may come from anybody: words_join() checks
 * all sizes before it writes, and every byte of every stream means something.
 */
#ifndef IMAGE_WORDS_H
#define IMAGE_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum words_stream {
	WORDS_HEAD,     /* struct words_head */
	WORDS_HOT,      /* 8: the frequent words, then the high parts */
	WORDS_TAG,      /* 1 for each word */
	WORDS_INDEX,    /* 1: which of a group of frequent words */
	WORDS_BYTE,     /* 1: a number below 256 */
	WORDS_SHORT_LOW, WORDS_SHORT_HIGH, /* below 65536 */
	WORDS_RANK,     /* 1: how long ago a word was in the same page */
	WORDS_PLACE,    /* 1: where in that page, in units of 16 */
	WORDS_PLACE_LOW, WORDS_PLACE_HIGH, /* the same in units of 1 */
	WORDS_LOW, WORDS_MIDDLE, WORDS_UPPER, /* 24 bits below a high part */
	WORDS_LONG,     /* 4: below 2^32 */
	WORDS_TEXT,     /* 8: bytes of text and zeros */
	WORDS_RAW,      /* 8: all other */
	WORDS_STREAMS
};
struct words_head {
	uint32_t size[WORDS_STREAMS]; /* in bytes; of the head itself: 0 */
	uint32_t high_count;          /* of HOT's words: the last */
};

/* What all streams of so many bytes have together, at most. */
#define WORDS_ROOM(size) ((size) + (size) / 8 + 32768)

/* The streams of one frame, and what finding them takes; of one thread. */
struct words {
	uint8_t *stream[WORDS_STREAMS];
	size_t size[WORDS_STREAMS];
	struct words_tables *tables;
};
/* For frames of up to most bytes; -1: no memory. */
int words_init(struct words *w, size_t most);
void words_free(struct words *w, size_t most);
/* size: a multiple of 8. */
void words_split(struct words *w, const uint8_t *in, size_t size);
/* Is most of what was split of a kind that is better left as it was? */
int words_is_text(const struct words *w);

/* in: all streams, one behind the other. -1: they do not make size bytes. */
int words_join(const uint8_t *in, size_t in_size, uint8_t *out, size_t size);

#endif
