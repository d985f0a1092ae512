/*
 * parallel.c - see parallel.h.
 */
#include "image/parallel.h"

#include <pthread.h>
#include <signal.h>

#include "image/util.h"

#define FEW 4u /* frames that are not worth a thread */

struct work {
	const struct image *image;
	frame_fn fn;
	pthread_t caller;   /* works too, and alone tells of progress */
	image_progress_fn progress;
	void *arg;
	const char *phase;
	pthread_mutex_t lock;
	uint32_t next, end; /* frames */
	bool has_failed;
	struct err why;
};

static void tell(const struct work *w, uint32_t frame)
{
	const struct image *i = w->image;
	struct image_progress p = {
		.bytes_in = (uint64_t)i->first[frame + 1] * PAGE,
		.bytes_total = (uint64_t)i->index.stored_pages * PAGE,
		.bytes_out = i->frame[frame].offset + i->frame[frame].size,
		.phase = w->phase,
	};

	if (w->progress && pthread_equal(pthread_self(), w->caller))
		w->progress(w->arg, &p);
}

static void *run(void *arg)
{
	struct work *w = arg;
	struct err e;
	struct frame_reader *r = frame_reader_new(&e);
	int rc = r ? 0 : -1;

	pthread_mutex_lock(&w->lock);
	while (!rc && !w->has_failed && w->next < w->end) {
		uint32_t frame = w->next++;

		pthread_mutex_unlock(&w->lock);
		rc = w->fn(r, w->image, frame, &e);
		tell(w, frame);
		pthread_mutex_lock(&w->lock);
	}
	if (rc && !w->has_failed) {
		w->has_failed = true;
		w->why = e;
	}
	pthread_mutex_unlock(&w->lock);
	frame_reader_free(r);
	return NULL;
}

static void run_all(struct work *w)
{
	int want = w->end - w->next < FEW ? 0 : processor_count() - 1, n = 0;
	pthread_t thread[16];
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n < want && !pthread_create(&thread[n], NULL, run, w))
		n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	run(w);
	while (n)
		pthread_join(thread[--n], NULL);
}

int parallel_frames(const struct image *i, frame_fn fn, const char *phase,
		    image_progress_fn progress, void *arg, struct err *e)
{
	struct work w = { .image = i, .fn = fn, .caller = pthread_self(),
			  .progress = progress, .arg = arg, .phase = phase,
			  .end = i->index.frame_count };

	pthread_mutex_init(&w.lock, NULL);
	run_all(&w);
	if (w.has_failed && e)
		*e = w.why;
	return w.has_failed ? -1 : 0;
}
