/*
 * resume.c - fills the kernel heap of a new sandbox with that of a saved one.
 *
 * Runs in the command.  The page file (include/bailey/pages.h) is a
 * stranger's: its numbers are checked against the sizes of the file and of
 * the heap, and nothing else of it is looked at.
 */
#include "mon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bailey/pages.h>

#define RUNS_MAX (BLY_HEAP_SIZE / PAGES_SIZE)

static int pages_error(struct err *e, const char *why)
{
	return err_set(e, 125, "the saved sandbox's pages cannot be used: %s",
		       why);
}

static int read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return pread(fd, to, size, (off_t)offset) == (ssize_t)size ? 0 : -1;
}

/* Space 0: the heap. */
static int find_heap(int fd, const struct pages_header *h,
		     struct pages_space *out)
{
	uint32_t i;

	for (i = 0; i < h->space_count; i++)
		if (read_at(fd, out, sizeof(*out), h->spaces +
			    i * sizeof(*out)) || out->id == 0)
			break;
	return i < h->space_count && out->id == 0 ? 0 : -1;
}

static bool run_is_valid(const struct pages_run *r, uint64_t file_pages)
{
	return r->count && r->page <= file_pages &&
	       r->count <= file_pages - r->page &&
	       !(r->address % PAGES_SIZE) && r->address <= BLY_HEAP_SIZE &&
	       r->count <= (BLY_HEAP_SIZE - r->address) / PAGES_SIZE;
}

static int copy_runs(int heap, const char *file, uint64_t file_pages,
		     const struct pages_run *runs, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++) {
		const struct pages_run *r = &runs[i];
		size_t size = r->count * PAGES_SIZE, done = 0;

		if (!run_is_valid(r, file_pages)) {
			errno = EINVAL;
			return -1;
		}
		if (r->address >= BLY_HEAP_LEFT - BLY_HEAP)
			continue; /* stays where it is */
		while (done < size) {
			ssize_t n = pwrite(heap, file + r->page * PAGES_SIZE +
					   done, size - done,
					   (off_t)(r->address + done));

			if (n <= 0)
				return -1;
			done += (size_t)n;
		}
	}
	return 0;
}

static int fill(int heap, int fd, const struct pages_space *s,
		uint64_t file_size)
{
	struct pages_run *runs = malloc(s->run_count * sizeof(*runs));
	char *file;
	int r = -1;

	if (!runs || read_at(fd, runs, s->run_count * sizeof(*runs), s->runs))
		goto out;
	file = mmap(NULL, file_size, PROT_READ, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		goto out;
	r = copy_runs(heap, file, file_size / PAGES_SIZE, runs, s->run_count);
	munmap(file, file_size);
out:
	free(runs);
	return r;
}

int resume_fill_heap(struct monitor *m, struct err *e)
{
	struct pages_header h;
	struct pages_space s;
	struct stat st;

	if (fstat(m->pages, &st) || read_at(m->pages, &h, sizeof(h), 0))
		return pages_error(e, strerror(errno));
	if (h.magic != PAGES_MAGIC || h.version != PAGES_VERSION)
		return pages_error(e, "not of this version");
	if (find_heap(m->pages, &h, &s) || s.run_count > RUNS_MAX)
		return pages_error(e, "no kernel heap in them");
	if (fill(m->heap, m->pages, &s, (uint64_t)st.st_size))
		return pages_error(e, errno == EINVAL ? "wrong page numbers" :
				   strerror(errno));
	return 0;
}
