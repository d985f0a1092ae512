/*
 * heap.c - the kernel heap into an image.
 *
 * The sandbox stands still while the object is copied, so that copying is all
 * that image_add_heap() does; writer_flush_heap() packs the copy later.  The
 * object is sparse and of the sandbox's making: its holes are skipped (reading
 * one would give it a page), its size is bounded.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/util.h"
#include "image/writer.h"

#define HUGE (2u << 20)
#define STEP (8u << 20)

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

static int copy_piece(struct image_writer *w, int heap, uint64_t from,
		      uint64_t to, struct err *e)
{
	ssize_t n;

	if (big_grow((void **)&w->heap_run, &w->heap_run_room, w->heap_runs,
		     sizeof(*w->heap_run), e) ||
	    make_room(w, w->heap_size + (to - from), e))
		return -1;
	n = read_at(heap, w->heap + w->heap_size, to - from, from);
	if (n < 0 || (uint64_t)n < to - from)
		return FAIL(e, "cannot read the kernel heap: %s",
			    n < 0 ? strerror(errno) : "it became shorter");
	w->heap_run[w->heap_runs++] = (struct writer_run){
		.address = from,
		.page = (uint32_t)(w->heap_size / PAGE),
		.count = (uint32_t)((to - from) / PAGE),
	};
	w->heap_size += to - from;
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

int image_add_heap(struct image_writer *w, int heap, struct err *e)
{
	struct stat st;
	uint64_t size, at = 0;

	if (w->heap_runs)
		return FAIL(e, "the kernel heap comes twice");
	if (fstat(heap, &st) || st.st_size < 0 ||
	    (uint64_t)st.st_size > IMAGE_HEAP_MAX)
		return FAIL(e, "the kernel heap has no size that makes sense");
	size = (uint64_t)st.st_size / PAGE * PAGE;
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
		from = from / (off_t)PAGE * (off_t)PAGE;
		if (at > (uint64_t)from &&
		    copy_piece(w, heap, (uint64_t)from, at, e))
			return -1;
	}
	return 0;
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
					(uint64_t)k * PAGE, w->heap + at, e))
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
