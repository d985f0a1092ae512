/*
 * image.c - fuzz target for the reader of images (image/): opens, verifies,
 * compares and unpacks what it is given.
 *
 * With clang -fsanitize=fuzzer it is a libFuzzer target.  With
 * -DFUZZ_STANDALONE it mutates images that it makes, and needs no library:
 * their bytes, and then with all checksums made right again: the header, the
 * index's tables (that is where a stranger's lies would be), the frames.
 * Beyond memory safety it checks what the library OS's side relies on: the
 * unpacked file is well-formed.
 */
#include <stddef.h>
#include <zstd.h>

#include "tests/unit/image_model.h"

#include <bailey/image_format.h>

#include "image/reader.h"
#include "image/util.h"

static unsigned long accepted;
static char root[] = "tests/unit"; /* where the files are that it names */

static void check_pages(const struct image *i, int fd)
{
	struct model_pages p = model_map(fd);
	const struct pages_header *h = p.head;
	const struct pages_space *s = (const void *)(p.data + h->spaces);
	uint32_t k;
	uint64_t n, least;

	if (h->magic != PAGES_MAGIC || h->ready > h->data_count ||
	    h->space_count != i->index.space_count ||
	    (h->first_data + h->data_count) * 4096 != p.size)
		abort();
	for (k = 0; k < h->space_count; k++) {
		const struct pages_run *r = (const void *)(p.data +
							   s[k].runs);

		if (s[k].runs + s[k].run_count * sizeof(*r) >
		    h->first_data * 4096)
			abort();
		for (n = least = 0; n < s[k].run_count; n++) {
			if (!r[n].count || r[n].address < least ||
			    r[n].address % 4096 ||
			    r[n].page < h->first_data || r[n].page +
			    r[n].count > h->first_data + h->data_count)
				abort();
			least = r[n].address + r[n].count * 4096;
		}
	}
	munmap((void *)(uintptr_t)p.data, p.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct image_difference *d = NULL;
	struct image_unpacked u;
	struct image_info info;
	struct image *i;
	struct err e;
	size_t n;
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	i = image_open_file(path, "x", &e);
	if (i) {
		accepted++;
		image_get_info(i, &info);
		image_verify(i, NULL, NULL, &e);
		image_check_host(i, false, NULL, NULL, &e);
		if (size % 2)
			image_use_files(i, model_find, root);
		image_verify(i, NULL, NULL, &e);
		if (!image_diff(i, i, &d, &n, &e))
			free(d);
		/* What claims more than this is for another test. */
		if (info.memory_pages < 1u << 20 &&
		    !image_unpack(i, false, &u, NULL, NULL, &e)) {
			check_pages(i, u.pages);
			close(u.pages);
			close(atoi(strrchr(u.libos, '/') + 1));
		}
	}
	image_close(i);
	close(fd);
	return 0;
}

#ifdef FUZZ_STANDALONE
#define ROOM (1u << 20)

/* An image in parts, to be put together again after a change. */
struct parts {
	uint8_t *file;
	size_t size;
	struct image_trailer trailer;
	uint8_t *index; /* raw */
};

static struct parts take_apart(const char *path)
{
	struct parts p = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		abort();
	p.size = (size_t)st.st_size;
	p.file = malloc(p.size);
	if (read(fd, p.file, p.size) != st.st_size)
		abort();
	close(fd);
	memcpy(&p.trailer, p.file + p.size - sizeof(p.trailer),
	       sizeof(p.trailer));
	p.index = malloc(p.trailer.index_raw);
	if (ZSTD_decompress(p.index, p.trailer.index_raw,
			    p.file + p.trailer.index_offset,
			    p.trailer.index_size) != p.trailer.index_raw)
		abort();
	return p;
}

/* The file with this index, all checksums right; its size. */
static size_t put_together(const struct parts *p, const uint8_t *index,
			   size_t index_size, uint8_t *out)
{
	struct image_trailer t = p->trailer;
	struct image_header h;
	uint8_t check[16];
	size_t at = t.index_offset, n;

	memcpy(out, p->file, at);
	memcpy(&h, out, sizeof(h));
	h.check = check64(&h, offsetof(struct image_header, check));
	memcpy(out, &h, sizeof(h));
	n = ZSTD_compress(out + at, ROOM - at, index, index_size, 1);
	if (ZSTD_isError(n))
		abort();
	t.index_size = (uint32_t)n;
	t.index_raw = (uint32_t)index_size;
	hash_short(check, out + at, n);
	image_make_id(t.id, &h, check);
	t.check = check64(&t, offsetof(struct image_trailer, check));
	memcpy(out + at + n, &t, sizeof(t));
	return at + n + sizeof(t);
}

static void change(uint8_t *p, size_t size)
{
	static const uint32_t words[] = { 0, 1, 2, 4096, 0xffffffff,
		0x7fffffff, 0x80000000, 0x10000000, 0x1000000 };
	unsigned k = 1 + model_random() % 4;
	uint32_t w;

	while (k--) {
		size_t at = model_random() % size;

		/* The counts and the first tables matter most. */
		if (model_random() % 2)
			at %= 400;
		if (model_random() % 2) {
			p[at % size] = (uint8_t)model_random();
			continue;
		}
		w = words[model_random() % 9] + model_random() % 3 - 1;
		at = at % size / 4 * 4;
		if (at + 4 <= size)
			memcpy(p + at, &w, 4);
	}
}

/* Frames of changed bytes whose checksum in the index is right. */
static void change_frame(struct parts *p, uint8_t *index)
{
	struct image_index x;
	struct image_blob b;
	size_t at;

	memcpy(&x, index, sizeof(x));
	if (!x.frame_count)
		return;
	at = sizeof(x) + x.parent_count * sizeof(struct image_parent) +
		model_random() % x.frame_count * sizeof(b);
	memcpy(&b, index + at, sizeof(b));
	change(p->file + b.offset, b.size);
	hash_short(b.check, p->file + b.offset, b.size);
	memcpy(index + at, &b, sizeof(b));
}

static void round_of(struct parts *p, uint8_t *out, uint8_t *index)
{
	uint8_t *copy;
	size_t size = p->trailer.index_raw, n;
	struct parts changed = *p;

	memcpy(index, p->index, size);
	changed.file = malloc(p->size);
	memcpy(changed.file, p->file, p->size);
	switch (model_random() % 4) {
	case 0: /* as it may come over a bad line */
		memcpy(out, p->file, p->size);
		n = model_random() % 4 ? p->size :
			model_random() % (p->size + 1);
		if (n)
			change(out, n);
		break;
	case 1:
		change_frame(&changed, index);
		n = put_together(&changed, index, size, out);
		break;
	default:
		change(index, size);
		n = put_together(&changed, index, size, out);
	}
	copy = malloc(n ? n : 1); /* exact: overruns show */
	memcpy(copy, out, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	free(changed.file);
}

int main(int argc, char **argv)
{
	long rounds = argc > 2 ? atol(argv[2]) : 2000, i;
	const char *base = argc > 1 ? argv[1] : "/tmp";
	char path[2][400];
	static struct model m;
	struct image_totals t;
	struct image_options o = { 0 };
	struct parts p[2];
	uint8_t *out = malloc(ROOM), *index = malloc(ROOM);
	struct err e;

	if (argc > 3)
		model_state ^= strtoull(argv[3], NULL, 10) << 20;
	snprintf(path[0], 400, "%s/a.bly", base);
	snprintf(path[1], 400, "%s/b.bly", base);
	setenv("XDG_CACHE_HOME", base, 1);
	model_make(&m, 3, 40);
	m.map_space = 1; /* some pages are like the file's */
	m.map_address = 0x7f0000000000ull;
	m.map_size = 20 * 4096;
	if (model_save(&m, path[0], &o, root, "image.c", &t, &e))
		abort();
	m.page[3].seed = 77;
	o.since = path[0];
	if (model_save(&m, path[1], &o, NULL, NULL, &t, &e))
		abort();
	p[0] = take_apart(path[0]);
	p[1] = take_apart(path[1]);
	for (i = 0; i < rounds; i++)
		round_of(&p[i % 2], out, index);
	printf("image: %ld inputs, %lu opened\n", rounds, accepted);
	for (i = 0; i < 2; i++) {
		free(p[i].file);
		free(p[i].index);
	}
	free(out);
	free(index);
	return 0;
}
#endif
