/*
 * words.c - see words.h.
 *
 * Tags: 0 is the word zero; TAG_HOT and up the most frequent words, then
 * groups of 256 less frequent ones, then one for each way to write a word.
 * Pointers: the pages (of 4096 bytes) that words point to are kept in order of
 * use, 256 of them; a word that points into one of these is its rank and the
 * place in the page.
 */
#include "image/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image/util.h"

enum {
	HOT = 159,          /* words that are a tag of their own */
	GROUPS = 8,         /* of 256 words each */
	HOT_MAX = HOT + GROUPS * 256,
	HIGHS = 16,         /* upper 40 bits that many words have */
	PAGES = 256,        /* that are remembered */
	COUNTED = 1 << 16,  /* places of the table that finds frequent words */
	HIGH_COUNTED = 1 << 12,
	BEST = 1 << 12,     /* of either, that are sorted */
};
enum tag {
	TAG_ZERO,
	TAG_HOT,
	TAG_GROUP = TAG_HOT + HOT,
	TAG_BYTE = TAG_GROUP + GROUPS,
	TAG_SHORT,
	TAG_NEAR_16, /* RANK, PLACE */
	TAG_NEAR,    /* RANK, PLACE_LOW, PLACE_HIGH */
	TAG_HIGH,    /* LOW, MIDDLE, UPPER, below HOT's n-th high part */
	TAG_LONG = TAG_HIGH + HIGHS,
	TAG_TEXT,
	TAG_RAW,
	TAGS
};

/* Streams whose entries have several bytes. */
static size_t unit_of(enum words_stream s)
{
	return s == WORDS_HOT || s == WORDS_TEXT || s == WORDS_RAW ? 8 :
		s == WORDS_LONG ? 4 : 1;
}

/* ---- frequent values ---------------------------------------------------- */
/* A place counts the value that is in it; others wear it down and take it
 * over.  So what is frequent is found, roughly, in one pass. */
struct counted {
	uint64_t value;
	uint32_t count;
	uint32_t number; /* + 1, once it has one */
};
struct words_tables {
	struct counted word[COUNTED];
	struct counted high[HIGH_COUNTED];
	struct counted *best[BEST];
	uint64_t page[PAGES];
};

static uint64_t spread(uint64_t x)
{
	return x * 0x9e3779b97f4a7c15ull;
}

static struct counted *place_of_word(struct words_tables *t, uint64_t x)
{
	return &t->word[spread(x) >> 48];
}

static struct counted *place_of_high(struct words_tables *t, uint64_t x)
{
	return &t->high[spread(x >> 24) >> 52];
}

static void count(struct counted *c, uint64_t value)
{
	if (c->value == value)
		c->count++;
	else if (c->count)
		c->count--;
	else
		*c = (struct counted){ value, 1, 0 };
}

static int by_count(const void *a, const void *b)
{
	const struct counted *x = *(struct counted *const *)a;
	const struct counted *y = *(struct counted *const *)b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

/* Numbers the up to `most` best of what was counted often enough, best first;
 * their count.  Fewer than BEST can be as frequent as the histogram ends. */
static unsigned choose(struct words_tables *t, struct counted *c,
		       unsigned places, unsigned least, unsigned most)
{
	uint32_t with[BEST] = { 0 }, sum = 0, n = 0;
	unsigned i, cut = BEST - 1;

	for (i = 0; i < places; i++)
		with[c[i].count < BEST ? c[i].count : BEST - 1]++;
	while (cut > least && sum + with[cut] + with[cut - 1] <= BEST)
		sum += with[cut--];
	for (i = 0; i < places && n < BEST; i++)
		if (c[i].count >= cut)
			t->best[n++] = &c[i];
	qsort(t->best, n, sizeof(*t->best), by_count);
	n = n < most ? n : most;
	for (i = 0; i < n; i++)
		t->best[i]->number = i + 1;
	return n;
}

/* ---- splitting ---------------------------------------------------------- */
int words_init(struct words *w, size_t most)
{
	enum words_stream s;
	bool is_whole;

	memset(w, 0, sizeof(*w));
	w->tables = big_alloc(sizeof(*w->tables));
	is_whole = w->tables != NULL;
	for (s = 0; s < WORDS_STREAMS; s++) {
		w->stream[s] = big_alloc(most + HOT_MAX * 8 + HIGHS * 8);
		is_whole = is_whole && w->stream[s];
	}
	return is_whole ? 0 : -1;
}

void words_free(struct words *w, size_t most)
{
	enum words_stream s;

	for (s = 0; s < WORDS_STREAMS; s++)
		big_free(w->stream[s], most + HOT_MAX * 8 + HIGHS * 8);
	big_free(w->tables, sizeof(*w->tables));
}

static void put(struct words *w, enum words_stream s, uint64_t byte)
{
	w->stream[s][w->size[s]++] = (uint8_t)byte;
}

static void put_word(struct words *w, enum words_stream s, uint64_t x)
{
	size_t unit = unit_of(s);

	memcpy(w->stream[s] + w->size[s], &x, unit);
	w->size[s] += unit;
}

static void count_all(struct words *w, const uint8_t *in, size_t size)
{
	struct words_tables *t = w->tables;
	uint64_t x;
	size_t at;

	memset(t, 0, sizeof(*t));
	for (at = 0; at < size; at += 8) {
		memcpy(&x, in + at, 8);
		if (!x)
			continue;
		count(place_of_word(t, x), x);
		count(place_of_high(t, x), x >> 24);
	}
}

/* The table of high parts begins with the one that is zero. */
static uint32_t put_hot(struct words *w)
{
	struct words_tables *t = w->tables;
	unsigned n = choose(t, t->word, COUNTED, 4, HOT_MAX), i;

	for (i = 0; i < n; i++)
		put_word(w, WORDS_HOT, t->best[i]->value);
	n = choose(t, t->high, HIGH_COUNTED, 64, HIGHS);
	for (i = 0; i < n; i++)
		put_word(w, WORDS_HOT, t->best[i]->value);
	return n;
}

static bool is_text(uint64_t x)
{
	const uint64_t tops = 0x8080808080808080ull;
	uint64_t some = x + 0x7f7f7f7f7f7f7f7full; /* bytes from 1 on */
	uint64_t printed = x + 0x7777777777777777ull; /* from 9 on */

	return !(x & tops) && !(some & ~printed & tops);
}

/* Moves page to the front; its rank before, or PAGES. */
static unsigned use_page(uint64_t *page, uint64_t it)
{
	unsigned rank = 0;

	while (rank < PAGES && page[rank] != it)
		rank++;
	memmove(page + 1, page,
		(rank < PAGES ? rank : PAGES - 1) * sizeof(*page));
	page[0] = it;
	return rank;
}

static void split_pointer(struct words *w, uint64_t x, uint32_t high)
{
	unsigned rank = use_page(w->tables->page, x >> 12);

	if (rank == PAGES) {
		put(w, WORDS_TAG, TAG_HIGH + high);
		put(w, WORDS_LOW, x);
		put(w, WORDS_MIDDLE, x >> 8);
		put(w, WORDS_UPPER, x >> 16);
		return;
	}
	put(w, WORDS_RANK, rank);
	if (x % 16) {
		put(w, WORDS_TAG, TAG_NEAR);
		put(w, WORDS_PLACE_LOW, x);
		put(w, WORDS_PLACE_HIGH, x >> 8 & 15);
	} else {
		put(w, WORDS_TAG, TAG_NEAR_16);
		put(w, WORDS_PLACE, x >> 4);
	}
}

static void split_rare(struct words *w, uint64_t x)
{
	const struct counted *high = place_of_high(w->tables, x);

	if (x < 256) {
		put(w, WORDS_TAG, TAG_BYTE);
		put(w, WORDS_BYTE, x);
	} else if (x < 65536) {
		put(w, WORDS_TAG, TAG_SHORT);
		put(w, WORDS_SHORT_LOW, x);
		put(w, WORDS_SHORT_HIGH, x >> 8);
	} else if (high->number && high->value == x >> 24) {
		split_pointer(w, x, high->number - 1);
	} else if (x >> 32 == 0) {
		put(w, WORDS_TAG, TAG_LONG);
		put_word(w, WORDS_LONG, x);
	} else {
		bool is_it = is_text(x);

		put(w, WORDS_TAG, is_it ? TAG_TEXT : TAG_RAW);
		put_word(w, is_it ? WORDS_TEXT : WORDS_RAW, x);
	}
}

static void split_hot(struct words *w, uint32_t number)
{
	if (number < HOT) {
		put(w, WORDS_TAG, TAG_HOT + number);
		return;
	}
	number -= HOT;
	put(w, WORDS_TAG, TAG_GROUP + number / 256);
	put(w, WORDS_INDEX, number);
}

void words_split(struct words *w, const uint8_t *in, size_t size)
{
	struct words_head head = { { 0 }, 0 };
	const struct counted *c;
	enum words_stream s;
	uint64_t x;
	size_t at;

	memset(w->size, 0, sizeof(w->size));
	count_all(w, in, size);
	head.high_count = put_hot(w);
	for (at = 0; at < size; at += 8) {
		memcpy(&x, in + at, 8);
		c = place_of_word(w->tables, x);
		if (!x)
			put(w, WORDS_TAG, TAG_ZERO);
		else if (c->number && c->value == x)
			split_hot(w, c->number - 1);
		else
			split_rare(w, x);
	}
	for (s = WORDS_HOT; s < WORDS_STREAMS; s++)
		head.size[s] = (uint32_t)w->size[s];
	memcpy(w->stream[WORDS_HEAD], &head, sizeof(head));
	w->size[WORDS_HEAD] = sizeof(head);
}

int words_is_text(const struct words *w)
{
	return w->size[WORDS_TEXT] + w->size[WORDS_RAW] >
		w->size[WORDS_TAG] * 8 / 10 * 9;
}

/* ---- joining ------------------------------------------------------------ */
/* The tables have all entries that a tag, an index or a rank can mean, so
 * that what is not checked here cannot lead out of them. */
struct joining {
	const uint8_t *at[WORDS_STREAMS];
	uint64_t hot[HOT_MAX], high[HIGHS], page[PAGES];
};

/* How much the words with these tags take from each stream. */
static bool is_enough(const uint8_t *tag, size_t words,
		      const struct words_head *h)
{
	uint32_t with[256] = { 0 }, sum[WORDS_STREAMS] = { 0 };
	unsigned t;
	size_t i;

	for (i = 0; i < words; i++)
		with[tag[i]]++;
	for (t = TAGS; t < 256; t++)
		if (with[t])
			return false;
	for (t = TAG_GROUP; t < TAG_BYTE; t++)
		sum[WORDS_INDEX] += with[t];
	for (t = TAG_HIGH; t < TAG_LONG; t++)
		sum[WORDS_LOW] += with[t];
	sum[WORDS_MIDDLE] = sum[WORDS_UPPER] = sum[WORDS_LOW];
	sum[WORDS_BYTE] = with[TAG_BYTE];
	sum[WORDS_SHORT_LOW] = sum[WORDS_SHORT_HIGH] = with[TAG_SHORT];
	sum[WORDS_RANK] = with[TAG_NEAR_16] + with[TAG_NEAR];
	sum[WORDS_PLACE] = with[TAG_NEAR_16];
	sum[WORDS_PLACE_LOW] = sum[WORDS_PLACE_HIGH] = with[TAG_NEAR];
	sum[WORDS_LONG] = with[TAG_LONG];
	sum[WORDS_TEXT] = with[TAG_TEXT];
	sum[WORDS_RAW] = with[TAG_RAW];
	for (t = WORDS_INDEX; t < WORDS_STREAMS; t++)
		if (h->size[t] != (uint64_t)sum[t] * unit_of(t))
			return false;
	return true;
}

static int find_streams(struct joining *j, const uint8_t *in, size_t in_size,
			size_t size)
{
	struct words_head h;
	enum words_stream s;
	uint64_t at = sizeof(h);
	size_t hot;

	if (in_size < sizeof(h))
		return -1;
	memcpy(&h, in, sizeof(h));
	for (s = WORDS_HOT; s < WORDS_STREAMS; s++) {
		j->at[s] = in + (at < in_size ? at : in_size);
		at += h.size[s];
	}
	hot = h.size[WORDS_HOT] / 8;
	if (at != in_size || h.size[WORDS_HEAD] || h.size[WORDS_HOT] % 8 ||
	    h.high_count > HIGHS || h.high_count > hot ||
	    hot - h.high_count > HOT_MAX || h.size[WORDS_TAG] != size / 8 ||
	    !is_enough(j->at[WORDS_TAG], size / 8, &h))
		return -1;
	hot -= h.high_count;
	memcpy(j->hot, j->at[WORDS_HOT], hot * 8);
	memcpy(j->high, j->at[WORDS_HOT] + hot * 8, h.high_count * 8u);
	return 0;
}

static uint64_t take(struct joining *j, enum words_stream s)
{
	return *j->at[s]++;
}

static uint64_t take_word(struct joining *j, enum words_stream s)
{
	uint64_t x = 0;
	size_t unit = unit_of(s);

	memcpy(&x, j->at[s], unit);
	j->at[s] += unit;
	return x;
}

static uint64_t join_high(struct joining *j, unsigned which)
{
	uint64_t x = j->high[which] << 24;

	x |= take(j, WORDS_LOW);
	x |= take(j, WORDS_MIDDLE) << 8;
	x |= take(j, WORDS_UPPER) << 16;
	memmove(j->page + 1, j->page, (PAGES - 1) * sizeof(*j->page));
	j->page[0] = x >> 12;
	return x;
}

static uint64_t join_near(struct joining *j, unsigned tag)
{
	size_t rank = take(j, WORDS_RANK);
	uint64_t x = j->page[rank];

	memmove(j->page + 1, j->page, rank * sizeof(*j->page));
	j->page[0] = x;
	x <<= 12;
	if (tag == TAG_NEAR_16)
		return x | take(j, WORDS_PLACE) << 4;
	x |= take(j, WORDS_PLACE_LOW);
	return x | (take(j, WORDS_PLACE_HIGH) & 15) << 8;
}

static uint64_t join_rare(struct joining *j, unsigned tag)
{
	uint64_t x;

	switch (tag) {
	case TAG_BYTE: return take(j, WORDS_BYTE);
	case TAG_SHORT:
		x = take(j, WORDS_SHORT_LOW);
		return x | take(j, WORDS_SHORT_HIGH) << 8;
	case TAG_NEAR_16:
	case TAG_NEAR: return join_near(j, tag);
	case TAG_LONG: return take_word(j, WORDS_LONG);
	case TAG_TEXT: return take_word(j, WORDS_TEXT);
	case TAG_RAW: return take_word(j, WORDS_RAW);
	default: return join_high(j, tag - TAG_HIGH);
	}
}

int words_join(const uint8_t *in, size_t in_size, uint8_t *out, size_t size)
{
	struct joining j;
	const uint8_t *tag;
	uint64_t x;
	size_t i;

	memset(&j, 0, sizeof(j));
	if (size % 8 || find_streams(&j, in, in_size, size))
		return -1;
	tag = j.at[WORDS_TAG];
	for (i = 0; i < size / 8; i++) {
		unsigned t = tag[i];

		if (t == TAG_ZERO)
			x = 0;
		else if (t < TAG_GROUP)
			x = j.hot[t - TAG_HOT];
		else if (t < TAG_BYTE)
			x = j.hot[HOT + (t - TAG_GROUP) * 256 +
				  take(&j, WORDS_INDEX)];
		else
			x = join_rare(&j, t);
		memcpy(out + i * 8, &x, 8);
	}
	return 0;
}
