/*
 * heap.c - the kernel heap into an image.
 *
 * The sandbox stands still while the object is copied, so that copying is all
 * that image_add_heap() does, by several threads if there is much;
 * writer_flush_heap() packs the copy later.  The object is sparse and of the
 * sandbox's making: its holes are skipped (reading one would give it a page),
 * its size is bounded.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/util.h"
#include "image/writer.h"

#define HUGE (2u << 20)
#define STEP (8u << 20)
#define CHUNK (4u << 20) /* that a thread copies at a time */

/* Room for the copy, touched ahead with the largest pages that there are. */
static int make_room(struct image_writer *w, uint64_t size, struct err *e)
{
	uint64_t room = (size + HUGE - 1) / HUGE * HUGE;
	void *p;

	if (room <= w->heap_room)
		return 0;
	p = big_resize(w->heap, w->heap_room, room);
	if (!p)
		return FAIL(e, "out of memory: no room for a copy of the "
			    "kernel heap of %llu MB",
			    (unsigned long long)(room >> 20));
	w->heap = p;
	w->heap_room = room;
	madvise(p, room, MADV_HUGEPAGE);
	return 0;
}

int image_prepare_heap(struct image_writer *w, int heap, struct err *e)
{
	struct stat st;

	if (fstat(heap, &st))
		return FAIL(e, "the kernel heap: %s", strerror(errno));
	if (make_room(w, (uint64_t)st.st_blocks * 512, e))
		return -1;
#ifdef MADV_POPULATE_WRITE
	madvise(w->heap, w->heap_room, MADV_POPULATE_WRITE);
#endif
	return 0;
}

/* ---- what there is ----------------------------------------------------- */
static int add_piece(struct image_writer *w, uint64_t from, uint64_t to,
		     struct err *e)
{
	if (to <= from)
		return 0;
	if (w->heap_size + (to - from) > (uint64_t)UINT32_MAX * PAGE)
		return FAIL(e, "the kernel heap is too large for an image");
	if (big_grow((void **)&w->heap_run, &w->heap_run_room, w->heap_runs,
		     sizeof(*w->heap_run), e))
		return -1;
	w->heap_run[w->heap_runs++] = (struct writer_run){
		.address = from,
		.page = (uint32_t)(w->heap_size / PAGE),
		.count = (uint32_t)((to - from) / PAGE),
	};
	w->heap_size += to - from;
	return 0;
}

static int find_pieces(struct image_writer *w, int heap, uint64_t size,
		       struct err *e)
{
	uint64_t at = 0;

	while (at < size) {
		off_t from = lseek(heap, (off_t)at, SEEK_DATA), to;

		if (from < 0 && errno == ENXIO)
			break;
		to = from < 0 ? -1 : lseek(heap, from, SEEK_HOLE);
		if (to < 0 || to <= from || from < (off_t)at)
			return FAIL(e, "cannot find the kernel heap's data: "
				    "%s", strerror(errno));
		at = ((uint64_t)to + PAGE - 1) / PAGE * PAGE;
		if (at > size)
			at = size;
		if (add_piece(w, (uint64_t)from / PAGE * PAGE, at, e))
			return -1;
	}
	return 0;
}

/* ---- copying ------------------------------------------------------------ */
struct copying {
	struct image_writer *w;
	int heap;
	uint64_t next; /* of the copy: where the next thread begins; atomic */
	int error;     /* errno; atomic */
};

/* [at, end) of the copy, which may be in several pieces of the heap. */
static int copy_range(const struct copying *c, uint64_t at, uint64_t end)
{
	const struct writer_run *run = c->w->heap_run;
	size_t low = 0, high = c->w->heap_runs;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if ((uint64_t)run[middle].page * PAGE <= at)
			low = middle;
		else
			high = middle;
	}
	for (run += low; at < end; run++) {
		uint64_t skip = at - (uint64_t)run->page * PAGE;
		uint64_t n = (uint64_t)run->count * PAGE - skip;
		ssize_t got;

		n = n < end - at ? n : end - at;
		got = read_at(c->heap, c->w->heap + at, n,
			      run->address + skip);
		if (got < 0)
			return errno;
		if ((uint64_t)got < n)
			return ENODATA; /* it became shorter */
		at += n;
	}
	return 0;
}

static void *copy(void *arg)
{
	struct copying *c = arg;
	uint64_t at, end;
	int error;

	while (!__atomic_load_n(&c->error, __ATOMIC_RELAXED)) {
		at = __atomic_fetch_add(&c->next, CHUNK, __ATOMIC_RELAXED);
		if (at >= c->w->heap_size)
			break;
		end = at + CHUNK < c->w->heap_size ? at + CHUNK :
			c->w->heap_size;
		error = copy_range(c, at, end);
		if (error)
			__atomic_store_n(&c->error, error, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int copy_all(struct image_writer *w, int heap, struct err *e)
{
	struct copying c = { .w = w, .heap = heap };
	int want = w->heap_size < 4 * CHUNK ? 0 : processor_count() - 1;
	pthread_t thread[16];
	sigset_t all, old;
	int n = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n < want && !pthread_create(&thread[n], NULL, copy, &c))
		n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	copy(&c);
	while (n)
		pthread_join(thread[--n], NULL);
	return c.error ? FAIL(e, "cannot read the kernel heap: %s",
			      strerror(c.error)) : 0;
}

int image_add_heap(struct image_writer *w, int heap, struct err *e)
{
	struct stat st;

	if (w->heap_runs)
		return FAIL(e, "the kernel heap comes twice");
	if (fstat(heap, &st) || st.st_size < 0 ||
	    (uint64_t)st.st_size > IMAGE_HEAP_MAX)
		return FAIL(e, "the kernel heap has no size that makes sense");
	if (find_pieces(w, heap, (uint64_t)st.st_size / PAGE * PAGE, e) ||
	    make_room(w, w->heap_size, e))
		return -1;
	return copy_all(w, heap, e);
}

/* The copy shrinks while it is packed: groups hold what is in work. */
int writer_flush_heap(struct image_writer *w, struct err *e)
{
	uint64_t given = 0;
	size_t i;
	uint32_t k;

	for (i = 0; i < w->heap_runs; i++) {
		const struct writer_run *r = &w->heap_run[i];

		for (k = 0; k < r->count; k++) {
			uint64_t at = ((uint64_t)r->page + k) * PAGE;

			if (at - given >= STEP) {
				madvise(w->heap + given, STEP,
					MADV_DONTNEED);
				given += STEP;
				writer_progress(w, given);
			}
			if (writer_page(w, 0, r->address +
					(uint64_t)k * PAGE, w->heap + at, NULL,
					e))
				return -1;
		}
	}
	big_free(w->heap, w->heap_room);
	big_free(w->heap_run, w->heap_run_room * sizeof(*w->heap_run));
	w->heap = NULL;
	w->heap_run = NULL;
	w->heap_room = w->heap_runs = w->heap_run_room = 0;
	return 0;
}
