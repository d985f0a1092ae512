/*
 * fill.c - see fill.h.
 *
 * An item is one frame of the image or of a parent, with the positions that
 * take pages from it.  Items are in the order in which positions first need
 * them, so that a prefix of the items completes a prefix of the file.
 */
#include "image/fill.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/util.h"

#define FEW 2u /* items that are not worth a thread */
#define NO_ITEM 0xffffffffu

struct item {
	const struct image *image;
	uint32_t frame;
	uint32_t start, count; /* of order[] */
	bool is_done;
};
struct fill {
	struct image *image;
	struct layout *layout;
	int out;
	struct pages_header *live; /* the file's first page */
	uint64_t first_data;
	struct item *item;
	size_t item_room, items;
	uint32_t *item_of;         /* by position */
	uint32_t *order;           /* positions, item by item */
	size_t table_size;         /* of item_of, and of order */
	pthread_t caller;          /* works too, and alone tells of progress */
	image_progress_fn progress;
	void *arg;
	pthread_mutex_t lock;
	size_t next, end;          /* items */
	bool is_check, has_failed;
	struct err why;
};

/* ---- items -------------------------------------------------------------- */
static const struct image *source(const struct image *i, uint32_t page,
				  uint32_t *number)
{
	const struct image_ref *r;

	*number = page;
	if (page < i->index.stored_pages)
		return i;
	r = &i->ref[page - i->index.stored_pages];
	*number = r->page;
	return i->parents[r->parent];
}

static int add_item(struct fill *f, const struct image *from, uint32_t frame,
		    uint32_t *known, struct err *e)
{
	if (big_grow((void **)&f->item, &f->item_room, f->items,
		     sizeof(*f->item), e))
		return -1;
	f->item[f->items].image = from;
	f->item[f->items].frame = frame;
	*known = (uint32_t)++f->items;
	return 0;
}

/* known: by image (0: this one) and frame, number of the item + 1. */
static int number_items(struct fill *f, uint32_t **known, struct err *e)
{
	const struct layout *l = f->layout;
	uint32_t at, number, frame, *k;

	for (at = 0; at < l->count; at++) {
		uint32_t page = l->fill[at], which = 0;
		const struct image *from;

		f->item_of[at] = NO_ITEM;
		if (page == LAYOUT_ZERO)
			continue;
		from = source(f->image, page, &number);
		if (from != f->image)
			which = 1 + f->image->ref[page -
				f->image->index.stored_pages].parent;
		if (number >= from->index.stored_pages ||
		    (from != f->image && image_is_based(from, number)))
			return FAIL(e, "%s takes pages from %s that are not "
				    "there", f->image->path, from->path);
		frame = image_frame_of(from, number);
		k = &known[which][frame];
		if (!*k && add_item(f, from, frame, k, e))
			return -1;
		f->item_of[at] = *k - 1;
		f->item[*k - 1].count++;
	}
	return 0;
}

static void sort_positions(struct fill *f)
{
	uint32_t at, sum = 0;
	size_t k;

	for (k = 0; k < f->items; k++) {
		f->item[k].start = sum;
		sum += f->item[k].count;
		f->item[k].count = 0;
	}
	for (at = 0; at < f->layout->count; at++) {
		struct item *t;

		if (f->item_of[at] == NO_ITEM)
			continue;
		t = &f->item[f->item_of[at]];
		f->order[t->start + t->count++] = at;
	}
}

static int make_items(struct fill *f, struct err *e)
{
	uint32_t parents = f->image->index.parent_count, k;
	uint32_t **known = calloc(parents + 1u, sizeof(*known));
	int rc = known ? 0 : -1;

	f->table_size = (f->layout->count + 1u) * sizeof(*f->order);
	f->item_of = big_alloc(f->table_size);
	f->order = big_alloc(f->table_size);
	for (k = 0; !rc && k <= parents; k++) {
		const struct image *i = k ? f->image->parents ?
			f->image->parents[k - 1] : NULL : f->image;

		known[k] = i ? calloc(i->index.frame_count + 1u,
				      sizeof(**known)) : NULL;
		rc = i && !known[k] ? -1 : 0;
	}
	if (rc || !f->item_of || !f->order)
		rc = FAIL(e, "out of memory for unpacking");
	else
		rc = number_items(f, known, e);
	if (!rc)
		sort_positions(f);
	for (k = 0; known && k <= parents; k++)
		free(known[k]);
	free(known);
	return rc;
}

/* ---- the file ----------------------------------------------------------- */
static int fail_write(struct err *e)
{
	return FAIL(e, "cannot unpack the image: %s%s", strerror(errno),
		    errno == ENOSPC ? " (in the cache: see `bailey help "
		    "warm`)" : "");
}

static int write_tables(struct fill *f, struct err *e)
{
	const struct image *i = f->image;
	struct layout *l = f->layout;
	struct pages_space *s = calloc(i->index.space_count, sizeof(*s));
	uint64_t size = i->index.space_count * sizeof(*s), at = PAGE + size;
	uint32_t k;
	size_t r;
	int rc;

	if (!s)
		return FAIL(e, "out of memory for unpacking");
	for (k = 0; k < i->index.space_count; k++) {
		s[k].id = i->space[k].id;
		s[k].runs = at;
		s[k].run_count = l->space_runs[k];
		at += s[k].run_count * sizeof(*l->run);
	}
	f->first_data = (at + PAGE - 1) / PAGE;
	for (r = 0; r < l->runs; r++)
		l->run[r].page += f->first_data;
	rc = ftruncate(f->out, (off_t)((f->first_data + l->count) * PAGE)) ||
		write_at(f->out, s, size, PAGE) ||
		write_at(f->out, l->run, l->runs * sizeof(*l->run),
			 PAGE + size);
	free(s);
	return rc ? fail_write(e) : 0;
}

static int write_head(struct fill *f, struct err *e)
{
	struct pages_header h = {
		.magic = PAGES_MAGIC,
		.version = PAGES_VERSION,
		.space_count = f->image->index.space_count,
		.spaces = PAGE,
		.first_data = f->first_data,
		.data_count = f->layout->count,
	};
	void *p;

	memcpy(h.image_id, f->image->trailer.id, 16);
	if (write_at(f->out, &h, sizeof(h), 0))
		return fail_write(e);
	/* Through a mapping, `ready` changes in one store. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->out, 0);
	if (p == MAP_FAILED)
		return fail_write(e);
	f->live = p;
	return 0;
}

struct fill *fill_start(struct image *i, struct layout *l, int out,
			struct err *e)
{
	struct fill *f = calloc(1, sizeof(*f));

	if (!f) {
		FAIL(e, "out of memory for unpacking");
		return NULL;
	}
	f->image = i;
	f->layout = l;
	f->out = out;
	pthread_mutex_init(&f->lock, NULL);
	if (i->index.base_count && !i->find) {
		FAIL(e, "%s needs files of its host that are not given here",
		     i->path);
		fill_free(f);
		return NULL;
	}
	if (!make_items(f, e) && !write_tables(f, e) && !write_head(f, e))
		return f;
	fill_free(f);
	return NULL;
}

void fill_free(struct fill *f)
{
	if (!f)
		return;
	if (f->live)
		munmap(f->live, PAGE);
	big_free(f->item, f->item_room * sizeof(*f->item));
	big_free(f->item_of, f->table_size);
	big_free(f->order, f->table_size);
	free(f);
}

/* ---- filling ------------------------------------------------------------ */
/* Neighbours in the frame that are neighbours in the file go together. */
static int write_pages(struct fill *f, const struct item *t,
		       const uint8_t *data, struct err *e)
{
	const uint32_t *at = f->order + t->start;
	uint32_t k, n, number, first = t->image->first[t->frame];

	for (k = 0; k < t->count; k += n) {
		uint32_t next;

		source(f->image, f->layout->fill[at[k]], &number);
		for (n = 1; k + n < t->count && at[k + n] == at[k] + n; n++) {
			source(f->image, f->layout->fill[at[k + n]], &next);
			if (next != number + n)
				break;
		}
		if (write_at(f->out, data + (size_t)(number - first) * PAGE,
			     (size_t)n * PAGE,
			     (f->first_data + at[k]) * PAGE))
			return fail_write(e);
	}
	return 0;
}

static int do_item(struct fill *f, const struct item *t,
		   struct frame_reader *r, struct err *e)
{
	const uint8_t *data;

	if (f->is_check)
		return frame_check(r, t->image, t->frame, e);
	data = frame_read(r, t->image, t->frame, e);
	return data ? write_pages(f, t, data, e) : -1;
}

/* With the lock held. */
static void advance(struct fill *f)
{
	uint64_t ready = f->live->ready;

	while (ready < f->layout->count &&
	       (f->item_of[ready] == NO_ITEM ||
		f->item[f->item_of[ready]].is_done))
		ready++;
	__atomic_store_n(&f->live->ready, ready, __ATOMIC_RELEASE);
}

static void tell(const struct fill *f)
{
	struct image_progress p = { .phase = "unpacking" };

	if (!f->progress || !pthread_equal(pthread_self(), f->caller))
		return;
	p.bytes_in = p.bytes_out = __atomic_load_n(&f->live->ready,
						   __ATOMIC_RELAXED) * PAGE;
	p.bytes_total = (uint64_t)f->layout->count * PAGE;
	f->progress(f->arg, &p);
}

static void *work(void *arg)
{
	struct fill *f = arg;
	struct err e;
	struct frame_reader *r = frame_reader_new(&e);
	int rc = r ? 0 : -1;

	pthread_mutex_lock(&f->lock);
	while (!rc && f->next < f->end && !f->has_failed) {
		struct item *t = &f->item[f->next++];

		pthread_mutex_unlock(&f->lock);
		rc = do_item(f, t, r, &e);
		tell(f);
		pthread_mutex_lock(&f->lock);
		if (!rc && !f->is_check) {
			t->is_done = true;
			advance(f);
		}
	}
	if (rc && !f->has_failed) {
		f->has_failed = true;
		f->why = e;
	}
	pthread_mutex_unlock(&f->lock);
	frame_reader_free(r);
	return NULL;
}

/* Items up to f->end, by as many threads as are worth it. */
static int run_items(struct fill *f, struct err *e)
{
	pthread_t thread[16];
	sigset_t all, old;
	size_t left = f->end - f->next;
	int want = left < FEW ? 0 : processor_count() - 1, n = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n < want && !pthread_create(&thread[n], NULL, work, f))
		n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	work(f);
	while (n)
		pthread_join(thread[--n], NULL);
	if (f->has_failed && e)
		*e = f->why;
	return f->has_failed ? -1 : 0;
}

int fill_until(struct fill *f, uint32_t until, image_progress_fn progress,
	       void *arg, struct err *e)
{
	uint32_t at;

	f->end = f->next;
	for (at = (uint32_t)f->live->ready; at < until; at++)
		if (f->item_of[at] != NO_ITEM && f->item_of[at] >= f->end)
			f->end = f->item_of[at] + 1;
	f->caller = pthread_self();
	f->progress = progress;
	f->arg = arg;
	if (run_items(f, e))
		return -1;
	advance(f);
	return 0;
}

void fill_fail(struct fill *f)
{
	if (f->live)
		__atomic_store_n(&f->live->failed, 1, __ATOMIC_RELEASE);
}

int fill_check_rest(struct fill *f, struct err *e)
{
	size_t next = f->next;
	int rc;

	f->is_check = true;
	f->end = f->items;
	f->progress = NULL;
	rc = run_items(f, e);
	f->is_check = false;
	f->next = next;
	return rc;
}
