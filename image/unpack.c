/*
 * unpack.c - images into files of pages: in the cache, or in memory.
 *
 * The caller waits for the kernel heap's pages and for every checksum; if much
 * is left, a process of its own goes on (and one that watches over it), so that
 * the caller may fork, exec or end as it likes.  The entry of the cache gets its
 * name when it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/fill.h"
#include "image/needs.h"
#include "image/parallel.h"
#include "image/util.h"

#define LAZY_PAGES 8192u /* less is done before the caller goes on */
#define TRIES 3

struct job {
	struct image *image;
	struct layout layout;
	struct fill *fill;
	struct cache_new entry; /* .pages: the file, in the cache or not */
	uint64_t limit;         /* of the cache */
	bool is_kept;
};

/* ---- the library OS ----------------------------------------------------- */
static int libos_in_memory(const char *data, size_t size, char *path,
			   size_t room, struct err *e)
{
	int fd = memfd_create("bailey-libos", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, size))
		return FAIL(e, "cannot make room for the library OS: %s",
			    strerror(errno));
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return 0;
}

static int unpack_libos(const struct image *i, bool is_kept,
			struct image_unpacked *out, struct err *e)
{
	const struct image_blob *b = &i->index.libos;
	char *data;
	int rc;

	data = image_blob(i, b, "library OS", e);
	if (!data)
		return -1;
	if (is_kept && !cache_libos(b->check, out->libos,
				    sizeof(out->libos)))
		rc = 0;
	else if (!is_kept)
		rc = libos_in_memory(data, b->raw, out->libos,
				     sizeof(out->libos), e);
	else
		rc = cache_put_libos(b->check, data, b->raw, e) ||
			cache_libos(b->check, out->libos, sizeof(out->libos));
	free(data);
	return rc ? -1 : 0;
}

/* ---- the file of pages -------------------------------------------------- */
static int open_target(struct job *j, struct err *e)
{
	if (j->is_kept)
		return cache_begin(&j->entry, j->image->trailer.id, e);
	j->entry.pages = memfd_create("bailey-pages", MFD_CLOEXEC);
	if (j->entry.pages < 0)
		return FAIL(e, "cannot make room for the image's pages: %s",
			    strerror(errno));
	return 0;
}

static int check_room(struct job *j, struct err *e)
{
	uint64_t need = (uint64_t)(j->image->index.stored_pages +
				   j->image->index.ref_pages) * PAGE;
	struct statvfs s;

	if (!j->is_kept || fstatvfs(j->entry.pages, &s) ||
	    (uint64_t)s.f_bavail * s.f_frsize >= need)
		return 0;
	return FAIL(e, "no room in the cache: the image needs %llu MB, %llu "
		    "MB are free; free some, or set XDG_CACHE_HOME",
		    (unsigned long long)(need >> 20),
		    (unsigned long long)(s.f_bavail * s.f_frsize >> 20));
}

/* What the caller gets cannot be written through. */
static int read_only(int fd)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_CLOEXEC);
}

static int finish(struct job *j, bool is_synced, struct err *e)
{
	const struct image *i = j->image;

	if (!j->is_kept)
		return 0;
	needs_keep(i, &j->entry);
	return cache_finish(&j->entry, i->trailer.id, i->index.libos.check,
			    i->manifest, i->index.manifest.raw, is_synced, e);
}

static void end_job(struct job *j)
{
	fill_free(j->fill);
	layout_free(&j->layout, j->image);
	if (j->is_kept)
		cache_abandon(&j->entry);
	else if (j->entry.pages >= 0)
		close(j->entry.pages);
}

/* ---- going on in the background ----------------------------------------- */
static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Whatever else the caller had open is not kept open by this process. */
static void close_others(struct job *j)
{
	int keep[IMAGE_PARENTS_MAX + 8], n = 0, k, from = 3;
	int null = open("/dev/null", O_RDWR);

	for (k = 0; null >= 0 && k < 3; k++)
		if (k != j->image->fd)
			dup2(null, k);
	keep[n++] = j->image->fd;
	keep[n++] = j->entry.pages;
	keep[n++] = j->entry.dir;
	keep[n++] = j->entry.images;
	for (k = 0; k < (int)j->image->index.parent_count; k++)
		if (j->image->parents && j->image->parents[k])
			keep[n++] = j->image->parents[k]->fd;
	qsort(keep, (size_t)n, sizeof(*keep), by_number);
	for (k = 0; k < n; k++) {
		if (keep[k] > from)
			close_range((unsigned)from, (unsigned)keep[k] - 1, 0);
		if (keep[k] >= from)
			from = keep[k] + 1;
	}
	close_range((unsigned)from, ~0u, 0);
}

_Noreturn static void fill_rest(struct job *j)
{
	struct err e;

	if (fill_until(j->fill, j->layout.count, NULL, NULL, &e))
		_exit(1);
	finish(j, true, &e);
	_exit(0);
}

/* The work is a child's, so that its end is seen at once, whatever ends it.
 * One that was killed has a successor, which writes the same again; when there
 * is no hope the sandbox that waits for pages is told. */
_Noreturn static void go_on(struct job *j)
{
	int tries = TRIES, status = 0;

	setsid();
	close_others(j);
	while (tries--) {
		pid_t pid = fork();

		if (!pid)
			fill_rest(j);
		while (pid > 0 && waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				break;
		if (pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status))
			break;
		if (pid < 0 || WIFEXITED(status))
			tries = -1;
	}
	if (tries < 0)
		fill_fail(j->fill);
	end_job(j);
	_exit(0);
}

/* The process is nobody's child, so nobody has to wait for it. */
static int start_background(struct job *j, struct err *e)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		pid = fork();
		if (!pid)
			go_on(j);
		_exit(pid < 0 ? 1 : 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	if (pid < 0 || status)
		return FAIL(e, "cannot start a process that unpacks: %s",
			    strerror(errno));
	/* The entry is the process's now. */
	close(j->entry.pages);
	if (j->is_kept) {
		close(j->entry.dir);
		close(j->entry.images);
	}
	j->entry.pages = j->entry.dir = j->entry.images = -1;
	return 0;
}

/* ---- the call ----------------------------------------------------------- */
static int unpack_now(struct job *j, bool is_warming,
		      struct image_unpacked *out, image_progress_fn progress,
		      void *arg, struct err *e)
{
	const struct layout *l = &j->layout;
	bool is_lazy = !is_warming && l->count - l->heap > LAZY_PAGES;

	if ((j->is_kept && cache_make_room((uint64_t)l->count * PAGE,
					   j->limit, e)) ||
	    open_target(j, e) || check_room(j, e))
		return -1;
	j->fill = fill_start(j->image, &j->layout, j->entry.pages, e);
	if (!j->fill ||
	    fill_until(j->fill, is_lazy ? l->heap : l->count, progress, arg,
		       e) ||
	    (is_lazy && fill_check_rest(j->fill, e)))
		return -1;
	out->pages = read_only(j->entry.pages);
	if (out->pages < 0)
		return FAIL(e, "cannot open the unpacked pages: %s",
			    strerror(errno));
	return is_lazy ? start_background(j, e) : finish(j, is_warming, e);
}

/* The cache has the contents that the id stands for; a file that was not seen
 * before may still be damaged, and is to be found out. */
static int check_file(struct image *i, struct err *e)
{
	uint8_t id[16];
	char *libos;

	if (!i->is_stream && cache_source_find(&i->source, id) &&
	    !memcmp(id, i->trailer.id, 16))
		return 0;
	libos = image_blob(i, &i->index.libos, "library OS", e);
	free(libos);
	if (!libos)
		return -1;
	return parallel_frames(i, frame_check, "verifying", NULL, NULL, e);
}

static void remember(const struct image *i)
{
	if (i->is_stream)
		return;
	cache_source_add(&i->source, i->trailer.id);
	cache_place_add(i->trailer.id, i->path);
}

static int unpack_cold(struct image *i, bool keep, bool is_warming,
		       uint64_t limit, struct image_unpacked *out, image_progress_fn progress,
		       void *arg, struct err *e)
{
	struct job j = { .image = i, .is_kept = keep && !i->is_encrypted,
			 .limit = limit,
			 .entry = { -1, -1, -1, "" } };
	int rc;

	rc = unpack_libos(i, j.is_kept, out, e) || image_need_parents(i, e) ||
		layout_make(&j.layout, i, e) ||
		unpack_now(&j, is_warming, out, progress, arg, e);
	end_job(&j);
	if (rc && out->pages >= 0) {
		close(out->pages);
		out->pages = -1;
	}
	if (!rc && j.is_kept)
		remember(i);
	return rc ? -1 : 0;
}

static int unpack(struct image *i, bool keep, bool is_warming,
		  uint64_t limit, struct image_unpacked *out, image_progress_fn progress,
		  void *arg, struct err *e)
{
	out->pages = -1;
	out->was_warm = false;
	if (i->is_encrypted ||
	    cache_find(i->trailer.id, out, NULL, NULL) != 1)
		return unpack_cold(i, keep, is_warming, limit, out, progress,
				   arg, e);
	if (!check_file(i, e)) {
		remember(i);
		return 0;
	}
	close(out->pages);
	out->pages = -1;
	return -1;
}

int image_unpack(struct image *i, bool keep, struct image_unpacked *out,
		 image_progress_fn progress, void *arg, struct err *e)
{
	return unpack(i, keep, false, 0, out, progress, arg, e);
}

int image_warm(struct image *i, uint64_t limit, struct image_unpacked *out,
	       image_progress_fn progress, void *arg, struct err *e)
{
	if (i->is_encrypted)
		return FAIL(e, "%s is encrypted: it is not kept in the cache, "
			    "where its pages would be readable", i->path);
	return unpack(i, true, true, limit, out, progress, arg, e);
}

int image_find_warm(const char *path, struct image_unpacked *out,
		    char **manifest, size_t *size, uint8_t id[16])
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) ||
	    !cache_source_find(&st, id))
		return 0;
	return cache_find(id, out, manifest, size);
}
