/*
 * image_model.h - a made-up sandbox for the tests of image/: pages by space
 * and address whose contents follow from a seed, put into an image the way
 * the command does it, and looked for in what comes out.
 */
#ifndef TESTS_IMAGE_MODEL_H
#define TESTS_IMAGE_MODEL_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/image.h"

#define MODEL_MAX 20000
#define MODEL_LIBOS "tests/unit/image_model.h" /* any file does */

struct model_page {
	uint64_t space, address;
	uint64_t seed; /* 0: zeros */
};
struct model {
	struct model_page page[MODEL_MAX];
	unsigned count;
	/* the named file is mapped there: */
	uint64_t map_space, map_address, map_size;
};

static uint64_t model_state = 88172645463325252ull;

static inline uint64_t model_random(void)
{
	model_state ^= model_state << 13;
	model_state ^= model_state >> 7;
	model_state ^= model_state << 17;
	return model_state;
}

/* A page as a program has it: zeros, pointers into a few pages, numbers,
 * the same word often, text; and what is like nothing else. */
static inline uint64_t model_word(uint64_t x, unsigned i)
{
	switch (x >> 60 & 15) {
	case 0: return x >> 8 & 255;
	case 1: return x >> 8 & 65535;
	case 2: return 0x7f6b8a000000ull + (x >> 8 & 0xffff8);
	case 3: return 0x7f6b8a000000ull + (x >> 8 & 0xffffff);
	case 4: return 0x958980;
	case 5: return x >> 32;
	case 6: return (x & 0x0f0f0f0f0f0f0f0full) | 0x6060606060606060ull;
	case 7: return x;
	case 8: return ~0ull;
	case 9: return 0x400000 + (x >> 8 & 0x3ff0);
	case 10: return i;
	default: return 0;
	}
}

/* With this, the page is that of the seed without it, moved elsewhere. */
#define MODEL_MOVED (1ull << 63)
#define MODEL_MOVED_BY 0x7f1234567000ull

static inline void model_fill(uint64_t seed, uint8_t *page)
{
	uint64_t x = (seed & ~MODEL_MOVED) * 0x9e3779b97f4a7c15ull, w;
	unsigned i;

	memset(page, 0, 4096);
	if (!seed)
		return;
	/* Half of it compresses. */
	for (i = 0; i < 4096; i += 8) {
		if (i % 512 < 256 || seed % 2)
			x = x * 6364136223846793005ull + 1442695040888963407ull;
		w = seed % 2 && i ? model_word(x, i) : x;
		if ((seed & MODEL_MOVED) && i % 24 == 8)
			w += MODEL_MOVED_BY;
		memcpy(page + i, &w, 8);
	}
}

static inline void model_add(struct model *m, uint64_t space,
			     uint64_t address, uint64_t seed)
{
	if (m->count < MODEL_MAX)
		m->page[m->count++] = (struct model_page){ space, address,
							   seed };
}

/* Stretches of new, known, twin and zero pages, with holes between. */
static inline void model_make(struct model *m, unsigned spaces,
			      unsigned pages)
{
	uint64_t next = 1 + model_random() % 1000000;
	unsigned s, n;

	m->count = 0;
	m->map_size = 0;
	for (s = 0; s < spaces; s++) {
		uint64_t at = s ? 0x7f0000000000ull : 0, from = next;

		for (n = 0; n < pages; ) {
			unsigned kind = model_random() % 6, k;
			unsigned length = 1 + model_random() % 40;

			at += (model_random() % 3 ? 0 : model_random() % 9) *
				4096;
			for (k = 0; k < length && n < pages; k++, n++) {
				uint64_t seed = next;

				if (kind == 0)
					seed = 0;
				else if (kind == 1)
					seed = 1 + model_random() % 5;
				else if (kind == 2 && next > from)
					seed = from + k % (next - from);
				else
					next++;
				model_add(m, s, at, seed);
				at += 4096;
			}
		}
	}
}

/* ---- into an image ------------------------------------------------------ */
static inline int model_heap(const struct model *m)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	uint8_t page[4096];
	unsigned i;

	if (fd < 0 || ftruncate(fd, 1ll << 36))
		abort();
	for (i = 0; i < m->count; i++) {
		if (m->page[i].space)
			continue;
		model_fill(m->page[i].seed, page);
		if (pwrite(fd, page, 4096, (off_t)m->page[i].address) != 4096)
			abort();
	}
	return fd;
}

static inline void model_put(int fd, const void *p, size_t size)
{
	while (size) {
		ssize_t n = write(fd, p, size);

		if (n <= 0)
			_exit(1);
		p = (const char *)p + n;
		size -= (size_t)n;
	}
}

static inline void model_put_map(const struct model *m, int fd,
				 const char *file)
{
	struct save_map x = { .size = m->map_size, .offset = 4096, .tree = 7 };
	struct save_record r = { .magic = SAVE_MAGIC, .kind = SAVE_MAP,
				 .space = m->map_space,
				 .address = m->map_address };

	r.size = (uint32_t)(sizeof(x) + strlen(file) + 1);
	model_put(fd, &r, sizeof(r));
	model_put(fd, &x, sizeof(x));
	model_put(fd, file, strlen(file) + 1);
}

/* The records, with those of the spaces mixed; file: a path to name. */
static inline void model_records(const struct model *m, int fd,
				 const char *file)
{
	struct save_record r = { .magic = SAVE_MAGIC };
	static uint8_t pages[64 * 4096];
	uint64_t records = 0;
	unsigned i, n, k;

	if (file && m->map_size) {
		model_put_map(m, fd, file);
		records++;
	}
	for (i = 0; i < m->count; i += n) {
		const struct model_page *p = &m->page[i];

		for (n = 1; i + n < m->count && n < 64 &&
		     p[n].space == p->space &&
		     p[n].address == p->address + n * 4096ull; n++)
			;
		if (!p->space)
			continue;
		for (k = 0; k < n; k++)
			model_fill(p[k].seed, pages + k * 4096);
		r.kind = SAVE_PAGES;
		r.space = p->space;
		r.address = p->address;
		r.size = n * 4096;
		model_put(fd, &r, sizeof(r));
		model_put(fd, pages, r.size);
		records++;
	}
	if (file) {
		r.kind = SAVE_FILE;
		r.space = 7;
		r.address = 0;
		r.size = (uint32_t)strlen(file) + 1;
		model_put(fd, &r, sizeof(r));
		model_put(fd, file, r.size);
		records++;
	}
	r.kind = SAVE_END;
	r.space = r.size = 0;
	r.address = records;
	model_put(fd, &r, sizeof(r));
}

static inline bool model_find(void *arg, uint32_t tree, const char *path,
			      char *host, size_t size)
{
	return tree == 7 &&
		snprintf(host, size, "%s/%s", (const char *)arg, path) > 0;
}

static rlim_t model_limit = RLIM_INFINITY; /* of a file, while saving */

static inline void model_set_limit(rlim_t to)
{
	struct rlimit l;

	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = to;
	setrlimit(RLIMIT_FSIZE, &l);
}

/* 0 or -1 as the library has it. */
static inline int model_save(const struct model *m, const char *path,
			     const struct image_options *o, const char *root,
			     const char *file, struct image_totals *t,
			     struct err *e)
{
	struct image_writer *w = image_create(path, o, e);
	int heap = model_heap(m), ends[2], rc, libos;
	char dir[256];
	pid_t pid;

	if (!w) {
		close(heap);
		return -1;
	}
	snprintf(dir, sizeof(dir), "%s", root ? root : "");
	libos = open(MODEL_LIBOS, O_RDONLY | O_CLOEXEC);
	if (libos < 0 || pipe2(ends, O_CLOEXEC))
		abort();
	pid = fork();
	if (!pid) {
		close(ends[0]);
		model_records(m, ends[1], file);
		_exit(0);
	}
	close(ends[1]);
	model_set_limit(model_limit);
	rc = image_prepare_heap(w, heap, e) || image_add_heap(w, heap, e) ||
		image_add_stream(w, ends[0], model_find, dir, e) ||
		image_add_manifest(w, "{\"a\":1}", 7, e) ||
		image_add_libos(w, libos, e);
	close(ends[0]);
	close(heap);
	close(libos);
	waitpid(pid, NULL, 0);
	if (rc)
		image_discard(w);
	else
		rc = image_commit(w, t, e);
	model_set_limit(RLIM_INFINITY);
	return rc;
}

/* ---- out of an unpacked file -------------------------------------------- */
struct model_pages {
	const uint8_t *data;
	size_t size;
	const struct pages_header *head;
};

static inline struct model_pages model_map(int fd)
{
	struct model_pages p = { 0 };
	struct stat st;
	void *a;

	if (fstat(fd, &st))
		abort();
	p.size = (size_t)st.st_size;
	a = mmap(NULL, p.size, PROT_READ, MAP_SHARED, fd, 0);
	if (a == MAP_FAILED)
		abort();
	p.data = a;
	p.head = a;
	return p;
}

static inline const uint8_t *model_look(const struct model_pages *p,
					uint64_t space, uint64_t address)
{
	const struct pages_space *s = (const void *)(p->data +
						     p->head->spaces);
	uint32_t k;
	uint64_t low, high;

	for (k = 0; k < p->head->space_count && s[k].id != space; k++)
		;
	if (k == p->head->space_count)
		return NULL;
	for (low = 0, high = s[k].run_count; low < high; ) {
		uint64_t middle = (low + high) / 2;
		const struct pages_run *r = (const void *)(p->data +
							   s[k].runs);

		r += middle;
		if (address < r->address)
			high = middle;
		else if (address >= r->address + r->count * 4096)
			low = middle + 1;
		else
			return p->data + (r->page + (address - r->address) /
					  4096) * 4096;
	}
	return NULL;
}

static inline uint64_t model_runs(const struct model_pages *p,
				  uint64_t *pages)
{
	const struct pages_space *s = (const void *)(p->data +
						     p->head->spaces);
	uint64_t runs = 0, n;
	uint32_t k;

	for (*pages = k = 0; k < p->head->space_count; k++) {
		const struct pages_run *r = (const void *)(p->data +
							   s[k].runs);

		runs += s[k].run_count;
		for (n = 0; n < s[k].run_count; n++)
			*pages += r[n].count;
	}
	return runs;
}

/* NULL, or what is wrong. */
static inline const char *model_compare(const struct model *m, int fd)
{
	struct model_pages p = model_map(fd);
	const char *wrong = NULL;
	uint64_t named, want = 0;
	uint8_t page[4096];
	unsigned i;

	model_runs(&p, &named);
	for (i = 0; i < m->count && !wrong; i++) {
		const struct model_page *x = &m->page[i];
		const uint8_t *found = model_look(&p, x->space, x->address);

		want += x->space || x->seed;
		model_fill(x->seed, page);
		if (!found && (x->space || x->seed))
			wrong = "a page is missing";
		else if (found && memcmp(found, page, 4096))
			wrong = "a page has other contents";
	}
	if (!wrong && named != want)
		wrong = "pages that nobody saved";
	munmap((void *)(uintptr_t)p.data, p.size);
	return wrong;
}

#endif
