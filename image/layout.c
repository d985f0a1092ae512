/*
 * layout.c - see layout.h.
 */
#include "image/layout.h"

#include <stdlib.h>
#include <string.h>

#include "image/util.h"

#define NOWHERE 0xffffffffu
#define SHORT 16u /* stretches of known contents below are worth a copy */
#define EXTENT 256u /* zero pages that long stretches of zeros share */

/* A place in a space's runs. */
struct cursor {
	const struct image_run *run, *end;
	uint32_t at; /* page of run */
};
struct state {
	struct layout *l;
	uint32_t *where;     /* by page of the image: its first position */
	uint32_t copies;     /* that may still be made */
	uint32_t zeros;      /* zero pages that may still have their own */
	uint32_t extent;     /* position of the shared ones; NOWHERE */
	uint64_t next_address;
	uint32_t last;       /* position of the page before; NOWHERE */
	bool is_fresh;       /* that was given a new position */
	struct err *e;
};

static bool is_end(const struct cursor *c)
{
	return c->run == c->end;
}
static uint64_t address(const struct cursor *c)
{
	return c->run->address + (uint64_t)c->at * PAGE;
}
static uint32_t page(const struct cursor *c)
{
	return c->run->page == IMAGE_ZERO_PAGE ? IMAGE_ZERO_PAGE :
		c->run->page + c->at;
}
static void step(struct cursor *c)
{
	if (++c->at == c->run->count) {
		c->run++;
		c->at = 0;
	}
}

static bool is_at(const struct state *s, uint32_t page, uint32_t position)
{
	return position < s->l->count && s->l->fill[position] == page;
}

/* Pages from c on that are at consecutive addresses and positions already. */
static uint32_t known_stretch(const struct state *s, struct cursor c)
{
	uint64_t from = address(&c);
	uint32_t first = s->where[page(&c)], n = 0;

	while (n < SHORT && !is_end(&c) &&
	       address(&c) == from + (uint64_t)n * PAGE &&
	       is_at(s, page(&c), first + n)) {
		n++;
		step(&c);
	}
	return n;
}

/* Appends the page at the cursor, which goes to or is at the position. */
static int name_page(struct state *s, struct cursor *c, uint32_t position)
{
	struct layout *l = s->l;
	struct pages_run *r = l->runs ? &l->run[l->runs - 1] : NULL;

	if (s->last != NOWHERE && address(c) == s->next_address &&
	    position == s->last + 1) {
		r->count++;
	} else {
		if (big_grow((void **)&l->run, &l->run_room, l->runs,
			     sizeof(*l->run), s->e))
			return -1;
		l->run[l->runs++] = (struct pages_run){ address(c), position,
							1 };
	}
	s->last = position;
	s->next_address = address(c) + PAGE;
	step(c);
	return 0;
}

static int place_new(struct state *s, struct cursor *c)
{
	struct layout *l = s->l;
	uint32_t p = page(c);

	if (p == IMAGE_ZERO_PAGE)
		l->fill[l->count] = LAYOUT_ZERO;
	else {
		l->fill[l->count] = p;
		if (s->where[p] == NOWHERE)
			s->where[p] = l->count;
	}
	s->is_fresh = true;
	return name_page(s, c, l->count++);
}

/* A run of zeros: new pages of its own if it is short, so that the stretch
 * around stays whole; no file needs many. */
static int place_zeros(struct state *s, struct cursor *c)
{
	uint32_t n = c->run->count - c->at, k;

	if (n <= EXTENT && n <= s->zeros) {
		s->zeros -= n;
		while (n--)
			if (place_new(s, c))
				return -1;
		return 0;
	}
	if (s->extent == NOWHERE) {
		s->extent = s->l->count;
		for (k = 0; k < EXTENT; k++)
			s->l->fill[s->l->count++] = LAYOUT_ZERO;
	}
	s->is_fresh = false;
	for (k = 0; k < n; k++)
		if (name_page(s, c, s->extent + k % EXTENT))
			return -1;
	return 0;
}

static int place(struct state *s, struct cursor *c)
{
	uint32_t p = page(c), n;
	bool joins = s->last != NOWHERE && address(c) == s->next_address;

	if (joins && is_at(s, p, s->last + 1))
		return name_page(s, c, s->last + 1);
	if (p == IMAGE_ZERO_PAGE)
		return place_zeros(s, c);
	if (s->where[p] == NOWHERE)
		return place_new(s, c);
	n = known_stretch(s, *c);
	if (joins && s->is_fresh && n < SHORT && n <= s->copies) {
		s->copies -= n;
		while (n--)
			if (place_new(s, c))
				return -1;
		return 0;
	}
	s->is_fresh = false;
	return name_page(s, c, s->where[p]);
}

static int place_space(struct state *s, const struct image_run *run,
		       uint64_t runs)
{
	struct cursor c = { run, run + runs, 0 };

	s->last = NOWHERE;
	s->is_fresh = false;
	while (!is_end(&c))
		if (place(s, &c))
			return -1;
	return 0;
}

int layout_make(struct layout *l, const struct image *i, struct err *e)
{
	uint32_t pages = i->index.stored_pages + i->index.ref_pages, k;
	struct state s = { .l = l, .copies = pages / 8 + 64, .e = e,
			   .zeros = pages / 8 + 1024, .extent = NOWHERE };
	const struct image_run *run = i->run;
	size_t where = (pages + 1u) * sizeof(*s.where), runs;
	int rc = 0;

	memset(l, 0, sizeof(*l));
	l->fill_room = pages + s.copies + s.zeros + EXTENT;
	l->fill = big_alloc(l->fill_room * sizeof(*l->fill));
	l->space_runs = calloc(i->index.space_count,
			       sizeof(*l->space_runs));
	s.where = big_alloc(where);
	if (!l->fill || !l->space_runs || !s.where)
		rc = FAIL(e, "out of memory for laying an image's pages out");
	else
		memset(s.where, 0xff, where);
	for (k = 0; !rc && k < i->index.space_count; k++) {
		runs = l->runs;
		rc = place_space(&s, run, i->space[k].run_count);
		run += i->space[k].run_count;
		l->space_runs[k] = l->runs - runs;
		if (!k)
			l->heap = l->count;
	}
	big_free(s.where, where);
	if (rc)
		layout_free(l, i);
	return rc;
}

void layout_free(struct layout *l, const struct image *i)
{
	big_free(l->fill, l->fill_room * sizeof(*l->fill));
	big_free(l->run, l->run_room * sizeof(*l->run));
	free(l->space_runs);
	memset(l, 0, sizeof(*l));
}
