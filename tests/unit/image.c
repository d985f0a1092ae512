/*
 * image.c - checks of image/: what goes in comes out, incremental, encrypted,
 * through the cache; every flipped bit and every truncation is found; records
 * and files of strangers are refused.  argv[1]: a directory to work in.
 */
#include "tests/unit/image_model.h"

#include <signal.h>

#include "image/cache.h"
#include "image/processor.h"
#include "image/util.h"
#include "image/words.h"

static int checks, failures;
static const char *base;
static struct model model, second;

static void check(bool ok, const char *what, const char *why)
{
	checks++;
	if (ok)
		return;
	failures++;
	printf("FAIL %s: %s\n", what, why ? why : "");
}

static const char *in_base(const char *name)
{
	static char path[4][512];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, 512, "%s/%s", base, name);
	return p;
}

static void save(const struct model *m, const char *path,
		 const struct image_options *o, struct image_totals *t)
{
	struct err e = { 0 };

	check(!model_save(m, path, o, NULL, NULL, t, &e), "save", e.text);
}

/* Opens, verifies, unpacks and compares. */
static void load(const struct model *m, const char *path,
		 const char *passphrase, bool keep, bool is_warm,
		 const char *what)
{
	struct err e = { 0 };
	struct image *i = image_open_file(path, passphrase, &e);
	struct image_unpacked u;
	const char *wrong;
	size_t size;

	check(i != NULL, what, e.text);
	if (!i)
		return;
	check(!image_verify(i, NULL, NULL, &e), what, e.text);
	check(!strcmp(image_manifest(i, &size), "{\"a\":1}") && size == 7,
	      what, "manifest");
	if (image_unpack(i, keep, &u, NULL, NULL, &e)) {
		check(false, what, e.text);
	} else {
		struct model_pages p = model_map(u.pages);
		unsigned n = 0;

		/* Large ones are finished by another process. */
		while (__atomic_load_n(&p.head->ready, __ATOMIC_ACQUIRE) <
		       p.head->data_count && n++ < 10000)
			usleep(1000);
		munmap((void *)(uintptr_t)p.data, p.size);
		wrong = model_compare(m, u.pages);
		check(!wrong, what, wrong);
		check(u.was_warm == is_warm, what, "was_warm");
		check(!access(u.libos, R_OK), what, "libos");
		close(u.pages);
	}
	image_close(i);
}

/* ---- round trips -------------------------------------------------------- */
static void test_round_trips(void)
{
	struct image_totals t;
	int k;

	for (k = 0; k < 12; k++) {
		struct image_options o = { .level = 1 + k % 3,
					   .threads = 1 + k % 4 };

		model_make(&model, 1 + k % 4, k ? 10u << k % 8 : 0);
		save(&model, in_base("a.bly"), &o, &t);
		check(t.stored_pages <= t.memory_pages, "totals", "stored");
		load(&model, in_base("a.bly"), NULL, false, false, "plain");
	}
}

static void test_incremental(void)
{
	struct image_totals t[4];
	char name[4][32];
	unsigned k, n;
	struct err e;
	struct image *i;
	struct image_unpacked u;

	model_make(&model, 3, 600);
	for (k = 0; k < 4; k++) {
		struct image_options o = { .since = k ? in_base(name[k - 1]) :
						    NULL };

		snprintf(name[k], sizeof(name[k]), "chain%u.bly", k);
		save(&model, in_base(name[k]), &o, &t[k]);
		load(&model, in_base(name[k]), NULL, false, false, "chain");
		for (n = 0; n < 20; n++)
			model.page[model_random() % model.count].seed =
				1000000 * (k + 2) + n;
	}
	check(t[1].stored_pages <= 20 && t[3].stored_pages <= 20,
	      "incremental", "stores too much");
	/* A parent under another name is found by its id. */
	rename(in_base("chain1.bly"), in_base("other-name"));
	i = image_open_file(in_base("chain2.bly"), NULL, &e);
	check(i && !image_verify(i, NULL, NULL, &e), "renamed", e.text);
	image_close(i);
	unlink(in_base("chain0.bly"));
	i = image_open_file(in_base("chain3.bly"), NULL, &e);
	check(i && image_unpack(i, false, &u, NULL, NULL, &e) &&
	      strstr(e.text, "incremental"), "missing parent", e.text);
	image_close(i);
}

static void test_encrypted(void)
{
	struct image_options o = { .passphrase = "correct horse" };
	struct image_totals t;
	struct err e = { 0 };
	struct image_unpacked u;
	struct image *i;

	model_make(&model, 2, 300);
	save(&model, in_base("secret.bly"), &o, &t);
	load(&model, in_base("secret.bly"), "correct horse", true, false,
	     "encrypted");
	check(!image_open_file(in_base("secret.bly"), "wrong", &e) &&
	      strstr(e.text, "wrong passphrase"), "wrong passphrase", e.text);
	check(!image_open_file(in_base("secret.bly"), NULL, &e) &&
	      strstr(e.text, "passphrase"), "no passphrase", e.text);
	i = image_open_file(in_base("secret.bly"), "correct horse", &e);
	check(i && image_warm(i, 0, &u, NULL, NULL, &e), "not kept", "kept");
	image_close(i);
}

/* ---- the cache ---------------------------------------------------------- */
static void test_cache(void)
{
	struct image_unpacked u;
	struct image_totals t;
	uint8_t id[16];
	char *manifest = NULL, command[600];
	const char *wrong;
	size_t size;

	model_make(&model, 3, 2000);
	save(&model, in_base("warm.bly"), NULL, &t);
	check(!image_find_warm(in_base("warm.bly"), &u, &manifest, &size, id),
	      "cold", "was found");
	load(&model, in_base("warm.bly"), NULL, true, false, "to the cache");
	load(&model, in_base("warm.bly"), NULL, true, true, "from the cache");
	if (image_find_warm(in_base("warm.bly"), &u, &manifest, &size, id)) {
		wrong = model_compare(&model, u.pages);
		check(!wrong, "warm", wrong);
		check(!memcmp(id, t.id, 16) && size == 7, "warm", "what");
		check(pwrite(u.pages, "", 1, 0) < 0, "warm", "writable");
		close(u.pages);
		free(manifest);
	} else {
		check(false, "warm", "not found");
	}
	/* Another file with the same contents; then other contents. */
	snprintf(command, sizeof(command), "cp %s/warm.bly %s/copy.bly",
		 base, base);
	check(!system(command), "copy", NULL);
	load(&model, in_base("copy.bly"), NULL, true, true, "copy");
	model_make(&second, 2, 100);
	save(&second, in_base("copy.bly"), NULL, &t);
	check(!image_find_warm(in_base("copy.bly"), &u, NULL, NULL, id),
	      "replaced", "was found");
	load(&second, in_base("copy.bly"), NULL, true, false, "replaced");
}

static void test_lazy(void)
{
	struct image_totals t;
	struct image_unpacked u;
	uint8_t id[16];
	int n = 0;

	model_make(&model, 2, MODEL_MAX / 2);
	save(&model, in_base("lazy.bly"), NULL, &t);
	load(&model, in_base("lazy.bly"), NULL, true, false, "lazy");
	while (!image_find_warm(in_base("lazy.bly"), &u, NULL, NULL, id) &&
	       n++ < 5000)
		usleep(1000);
	check(n < 5000, "lazy", "never whole");
	load(&model, in_base("lazy.bly"), NULL, true, true, "then warm");
}

/* Two clones of a process: their common pages are stored and placed once,
 * and few runs are needed. */
static void test_layout(void)
{
	struct image_totals t;
	struct image_unpacked u;
	struct err e = { 0 };
	struct image *i;
	unsigned s, k;
	uint64_t pages, runs = 0;

	model.count = 0;
	for (s = 1; s < 4; s++)
		for (k = 0; k < 1000; k++)
			model_add(&model, s, 0x10000000ull + k * 4096,
				  k % 250 == 7 ? s * 100000 + k :
				  k % 20 == 3 ? 5 : 10 + k);
	save(&model, in_base("layout.bly"), NULL, &t);
	i = image_open_file(in_base("layout.bly"), NULL, &e);
	if (i && !image_unpack(i, false, &u, NULL, NULL, &e)) {
		struct model_pages p = model_map(u.pages);

		runs = model_runs(&p, &pages);
		check(runs <= 1 + 2 * 9, "layout", "too many runs");
		check(p.head->data_count < 1100, "layout", "too many pages");
		munmap((void *)(uintptr_t)p.data, p.size);
		close(u.pages);
	}
	check(runs != 0, "layout", e.text);
	image_close(i);
}

/* Zeros of a process are named, whatever their number, and take little. */
static void test_zeros(void)
{
	struct image_totals t;
	unsigned k;

	model.count = 0;
	for (k = 0; k < 12000; k++)
		model_add(&model, 1, 0x10000000ull + k * 4096,
			  k % 4000 == 9 ? k : 0);
	save(&model, in_base("zeros.bly"), NULL, &t);
	check(t.stored_pages == 3 && t.memory_pages == 12000, "zeros",
	      "totals");
	load(&model, in_base("zeros.bly"), NULL, false, false, "zeros");
}

/* ---- damage ------------------------------------------------------------- */
static uint8_t *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *p;

	if (fd < 0 || fstat(fd, &st))
		abort();
	*size = (size_t)st.st_size;
	p = malloc(*size + 1);
	if (read(fd, p, *size) != (ssize_t)*size)
		abort();
	close(fd);
	return p;
}

static bool is_sound(int fd, const char *passphrase, struct err *e)
{
	struct image *i;
	char path[64];
	bool ok;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	e->text[0] = 0;
	i = image_open_file(path, passphrase, e);
	ok = i && !image_verify(i, NULL, NULL, e);
	image_close(i);
	return ok;
}

static void damage(const char *path, const char *passphrase, size_t stride,
		   const char *what)
{
	size_t size, at;
	uint8_t *p = read_file(path, &size);
	int fd = memfd_create("damaged", MFD_CLOEXEC);
	struct err e = { 0 };
	unsigned missed = 0, mute = 0;

	if (write(fd, p, size) != (ssize_t)size)
		abort();
	check(is_sound(fd, passphrase, &e), what, e.text);
	for (at = 0; at < size; at += stride) {
		uint8_t flipped = (uint8_t)(p[at] ^ (1u << at % 8));

		if (pwrite(fd, &flipped, 1, (off_t)at) != 1)
			abort();
		missed += is_sound(fd, passphrase, &e);
		mute += strstr(e.text, "damaged") == NULL;
		if (pwrite(fd, p + at, 1, (off_t)at) != 1)
			abort();
	}
	check(!missed && !mute, what, "a flipped bit was not found or named");
	for (at = missed = mute = 0; at < size; at += stride) {
		size_t length = size - 1 - at;

		if (ftruncate(fd, (off_t)length))
			abort();
		missed += is_sound(fd, passphrase, &e);
		mute += strstr(e.text, "truncated") == NULL;
	}
	check(!missed && !mute, what, "a truncation was not found or named");
	close(fd);
	free(p);
}

static void test_damage(void)
{
	struct image_totals t;
	struct err e = { 0 };

	model.count = 0;
	model_add(&model, 0, 4096, 1);
	model_add(&model, 0, 16384, 2);
	model_add(&model, 1, 0x400000, 1);
	model_add(&model, 1, 0x401000, 3);
	model_save(&model, in_base("small.bly"), NULL, "tests/unit",
		   "image.c", &t, &e);
	damage(in_base("small.bly"), NULL, 1, "small image");
}

static void test_damage_encrypted(void)
{
	struct image_options o = { .passphrase = "x" };
	struct image_totals t;
	size_t size;

	save(&model, in_base("small2.bly"), &o, &t);
	free(read_file(in_base("small2.bly"), &size));
	damage(in_base("small2.bly"), "x", size / 4, "small encrypted image");
}

/* ---- what sandboxes send ------------------------------------------------ */
/* Sends one record and a proper end; it must be refused with the word. */
static void refuse(struct save_record r, const void *data, size_t size,
		   const char *word, const char *what)
{
	struct image_writer *w;
	struct err e = { 0 };
	struct save_record end = { .magic = SAVE_MAGIC, .kind = SAVE_END,
				   .address = 1 };
	int ends[2], rc;
	static char dir[] = "tests/unit";
	pid_t pid;

	w = image_create(in_base("refused.bly"), NULL, &e);
	check(w != NULL, what, e.text);
	if (!w || pipe2(ends, O_CLOEXEC))
		abort();
	pid = fork();
	if (!pid) {
		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		model_put(ends[1], &r, sizeof(r));
		model_put(ends[1], data, size);
		model_put(ends[1], &end, sizeof(end));
		_exit(0);
	}
	close(ends[1]);
	rc = image_add_stream(w, ends[0], model_find, dir, &e);
	check(rc && strstr(e.text, word), what, e.text);
	image_discard(w);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	check(access(in_base("refused.bly"), F_OK), what, "left a file");
}

static void test_records(void)
{
	static uint8_t pages[4 * 4096];
	struct save_record r = { SAVE_MAGIC, SAVE_PAGES, 4096, 0, 1, 4096 };
	struct save_record x;
	uint8_t twice[4096 + sizeof(r)];
	struct save_map map = { .size = 4096, .tree = 7 };
	char with_name[sizeof(map) + 8] = { 0 };

	strcpy(with_name + sizeof(map), "image.c");
	memset(pages, 7, sizeof(pages));
	x = r, x.magic++;
	refuse(x, pages, 4096, "no record", "magic");
	x = r, x.kind = 99;
	refuse(x, pages, 4096, "kind", "kind");
	x = r, x.space = 0;
	refuse(x, pages, 4096, "space", "space 0");
	x = r, x.address = 5;
	refuse(x, pages, 4096, "address", "unaligned");
	x = r, x.address = ~4095ull;
	refuse(x, pages, 4096, "address", "address too high");
	x = r, x.size = 4095;
	refuse(x, pages, 4095, "size", "size");
	x = r, x.size = 0;
	refuse(x, pages, 0, "size", "size 0");
	x = r, x.size = 1u << 30;
	refuse(x, pages, 4096, "size", "size too large");
	x = r, x.size = 3 * 4096;
	refuse(x, pages, 4096, "broke off", "broken off");
	x = r, x.kind = SAVE_FAILED, x.size = 5;
	refuse(x, "why\x1b!", 5, "cannot be saved: why?!", "failure");
	x = r, x.kind = SAVE_FILE, x.space = 7, x.size = 10;
	refuse(x, "../passwd", 10, "not below", "path that leaves its tree");
	x.space = 8;
	refuse(x, "image.cxx", 10, "not known", "unknown tree");
	x.space = 7;
	refuse(x, "image.cxx", 10, "No such file", "missing file");
	x = r, x.kind = SAVE_MAP, x.size = sizeof(map) - 1;
	refuse(x, &map, sizeof(map), "without a file", "short mapping");
	x.size = sizeof(map);
	refuse(x, &map, sizeof(map), "without a name", "nameless mapping");
	x.size = sizeof(with_name);
	map.size = 77;
	memcpy(with_name, &map, sizeof(map));
	refuse(x, with_name, x.size, "mapping's place", "mapping of bytes");
	map.size = 4096, map.offset = ~4095ull;
	memcpy(with_name, &map, sizeof(map));
	refuse(x, with_name, x.size, "mapping's place", "mapping beyond");
	map.offset = 0, map.tree = 8;
	memcpy(with_name, &map, sizeof(map));
	refuse(x, with_name, x.size, "not known", "mapping of another tree");
	x = r, x.kind = SAVE_END, x.size = 0, x.address = 3;
	refuse(x, pages, 0, "counts", "wrong count");
	memcpy(twice, pages, 4096);
	memcpy(twice + 4096, &r, sizeof(r));
	/* The second record lacks its page: the end's bytes stand for it. */
	x = r;
	refuse(x, twice, sizeof(twice), "broke off", "cut record");
}

static void test_twice(void)
{
	struct err e = { 0 };
	struct image_totals t;

	model.count = 0;
	model_add(&model, 1, 0x1000, 5);
	model_add(&model, 1, 0x9000, 6);
	model_add(&model, 1, 0x1000, 7);
	check(model_save(&model, in_base("twice.bly"), NULL, NULL, NULL, &t,
			 &e) && strstr(e.text, "twice"), "twice", e.text);
}

/* ---- the host ----------------------------------------------------------- */
static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void test_processor(void)
{
	uint64_t all[4] = { ~0ull, ~0ull, ~0ull, ~0ull }, none[4] = { 0 };
	uint64_t here[4];
	char names[2000], few[8];

	processor_features(here);
	check(!processor_missing(here, here, names, sizeof(names)) &&
	      !names[0], "processor", names);
	check(processor_missing(all, none, names, sizeof(names)) > 50 &&
	      strstr(names, "avx512f") && strstr(names, "pkru-state"),
	      "processor", names);
	check(processor_missing(all, none, few, sizeof(few)) > 50 &&
	      strlen(few) < 8, "processor", "overrun");
}

static void test_level(void)
{
	uint64_t all[4] = { ~0ull, ~0ull, ~0ull, ~0ull }, of[4];
	char names[2000], *value;
	const char *name;
	int i = 0;

	check(processor_level("x86-64-v3") == 3 && !processor_level("v3") &&
	      !processor_level("x86-64-v1") && !processor_level("x86-64-v30") &&
	      !processor_level(""), "level", "names");
	memcpy(of, all, sizeof(of));
	processor_limit(of, 0);
	check(!memcmp(of, all, sizeof(of)), "level", "none");
	processor_limit(of, 3);
	processor_missing(all, of, names, sizeof(names));
	check(strstr(names, "avx512f") && !strstr(names, "avx2") &&
	      strstr(names, "zmm-hi256-state") && !strstr(names, "avx-state"),
	      "level", names);
	for (; (name = processor_environment(3, i, &value)); i++) {
		check(strcmp(name, "GLIBC_TUNABLES") ||
		      (!strncmp(value, "glibc.cpu.hwcaps=-", 18) &&
		       strstr(value, ",-AVX512VL,") &&
		       strstr(value, "-XSAVEC") && !strstr(value, "AVX2")),
		      "level", value);
		free(value);
	}
	check(i == 3, "level", "environment");
}

static void test_host(void)
{
	char dir[256];
	struct image_totals t;
	struct err e = { 0 };
	struct image *i;

	snprintf(dir, sizeof(dir), "%s", base);
	put(in_base("library"), "one");
	model_make(&model, 2, 10);
	check(!model_save(&model, in_base("files.bly"), NULL, dir, "library",
			  &t, &e), "files", e.text);
	i = image_open_file(in_base("files.bly"), NULL, &e);
	check(i && !image_check_host(i, false, model_find, dir, &e), "unchanged",
	      e.text);
	put(in_base("library"), "two");
	check(image_check_host(i, false, model_find, dir, &e) &&
	      strstr(e.text, "changed"), "changed", e.text);
	unlink(in_base("library"));
	check(image_check_host(i, false, model_find, dir, &e) &&
	      strstr(e.text, "library"), "missing", e.text);
	put(in_base("elsewhere"), "one");
	check(!symlink("elsewhere", in_base("library")) &&
	      image_check_host(i, false, model_find, dir, &e), "link", "followed");
	unlink(in_base("library"));
	image_close(i);
}

/* The contents that pages had then: half of a page repeats one word. */
static bool is_old_page(uint64_t seed, const uint8_t *page)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ull;
	unsigned i;

	for (i = 0; page && i < 4096; i += 8) {
		if (i % 512 < 256)
			x = x * 6364136223846793005ull + 1442695040888963407ull;
		if (memcmp(page + i, &x, 8))
			return false;
	}
	return page != NULL;
}

static void load_old(const char *path)
{
	struct err e = { 0 };
	struct image *i = image_open_file(path, NULL, &e);
	struct image_unpacked u;
	struct model_pages p;

	check(i && !image_verify(i, NULL, NULL, &e), "version 1", e.text);
	if (!i || image_unpack(i, false, &u, NULL, NULL, &e))
		return check(false, "version 1", e.text);
	p = model_map(u.pages);
	check(is_old_page(1, model_look(&p, 0, 4096)) &&
	      is_old_page(2, model_look(&p, 0, 16384)) &&
	      is_old_page(1, model_look(&p, 1, 0x400000)) &&
	      is_old_page(3, model_look(&p, 1, 0x401000)), "version 1",
	      "pages");
	munmap((void *)(uintptr_t)p.data, p.size);
	close(u.pages);
	close(atoi(strrchr(u.libos, '/') + 1));
	image_close(i);
}

/* ---- the cache's size ------------------------------------------------------ */
static char warmed[3][40];

/* Image number n, of 100 pages, into a cache of so many. */
static int warm_one(int n, uint64_t pages, struct image_unpacked *u,
		    struct err *e)
{
	struct image *i;
	char name[20];
	int rc;

	snprintf(name, sizeof(name), "room%d.bly", n);
	i = image_open_file(in_base(name), NULL, e);
	to_hex(warmed[n], image_id(i), 16);
	rc = image_warm(i, pages * 4096, u, NULL, NULL, e);
	image_close(i);
	return rc;
}

/* Which of them are there, as bits. */
static unsigned warm_ones(void)
{
	size_t count, k;
	struct cache_item *item = cache_items(&count);
	unsigned have = 0, n;

	for (k = 0; k < count; k++)
		for (n = 0; n < 3; n++)
			if (!strcmp(item[k].name, warmed[n]))
				have |= 1u << n;
	free(item);
	return have;
}

static void test_room(void)
{
	struct image_unpacked u[3], again;
	struct image_totals t;
	struct err e = { 0 };
	char *manifest;
	uint8_t id[16];
	size_t size;
	int n;

	check(!system("rm -rf $XDG_CACHE_HOME/bailey"), "room", "rm");
	for (n = 0; n < 3; n++) {
		model_make(&second, 1, 0);
		for (unsigned k = 0; k < 100; k++)
			model_add(&second, 1, 4096 + k * 4096, 1 + k + 1000 * n);
		save(&second, in_base(n == 0 ? "room0.bly" : n == 1 ?
				      "room1.bly" : "room2.bly"), NULL, &t);
	}
	check(!warm_one(0, 250, &u[0], &e) && !warm_one(1, 250, &u[1], &e),
	      "room", e.text);
	close(u[0].pages);
	close(u[1].pages);
	check(warm_ones() == 3, "room", "two have room");
	/* the older one was used last, so the other goes */
	check(image_find_warm(in_base("room0.bly"), &again, &manifest, &size,
			      id) == 1, "room", "not found");
	close(again.pages);
	free(manifest);
	check(!warm_one(2, 250, &u[2], &e) && warm_ones() == 5, "room",
	      "not the one that was used longest ago");
	close(u[2].pages);
	/* what is in use stays, whatever the limit */
	check(image_find_warm(in_base("room0.bly"), &again, NULL, NULL, id) ==
	      1 && !warm_one(1, 250, &u[1], &e) && warm_ones() == 3, "room",
	      "in use, and removed");
	close(u[1].pages);
	check(warm_one(2, 150, &u[2], &e) && strstr(e.text, "no room") &&
	      warm_ones() == 1, "room", e.text);
	close(again.pages);
	check(warm_one(2, 50, &u[2], &e) && strstr(e.text, "the limit"),
	      "room", "larger than the limit");
	check(!cache_make_room(0, 4096, &e) && !warm_ones(), "room", e.text);
}

/* ---- pages that are like a file's ---------------------------------------- */
static char dir[256]; /* base, for model_find() */

/* A library of 300 pages behind its head, and where it was loaded: all of its
 * pages are moved, but some are no more like it. */
static void make_library(uint64_t seed)
{
	uint8_t page[4096] = { 1 };
	unsigned i;
	int fd;

	unlink(in_base("library"));
	fd = open(in_base("library"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	for (i = 0; i < 300; i++) {
		if (write(fd, page, 4096) != 4096)
			abort();
		model_fill(seed + 2 * i, page);
	}
	if (write(fd, page, 1000) != 1000) /* its last page is not whole */
		abort();
	close(fd);
}

static void make_mapped(void)
{
	unsigned i;

	model.count = 0;
	for (i = 0; i < 40; i++)
		model_add(&model, 1, 0x400000 + i * 4096, 2000 + i);
	for (i = 0; i < 300; i++)
		model_add(&model, 1, 0x7f0000000000 + i * 4096ull,
			  i % 7 == 3 ? 5000 + i : (1001 + 2 * i) |
			  (i % 5 ? MODEL_MOVED : 0));
	model.map_space = 1;
	model.map_address = 0x7f0000000000;
	model.map_size = 300 * 4096;
}

static void load_mapped(const char *path, const char *word, const char *what)
{
	struct err e = { 0 };
	struct image *i = image_open_file(path, NULL, &e);
	struct image_unpacked u;
	const char *wrong = "not unpacked";

	check(i && !image_verify(i, NULL, NULL, &e), what, e.text);
	check(image_unpack(i, false, &u, NULL, NULL, &e) &&
	      strstr(e.text, "files of its host"), what, "without its files");
	image_use_files(i, model_find, dir);
	if (!image_unpack(i, false, &u, NULL, NULL, &e)) {
		wrong = model_compare(&model, u.pages);
		close(u.pages);
		close(atoi(strrchr(u.libos, '/') + 1));
	}
	check(word ? wrong && strstr(e.text, word) : !wrong, what, e.text);
	check(!image_verify(i, NULL, NULL, &e) == !word, what, "verify");
	image_close(i);
}

static void test_based(void)
{
	struct image_options o = { .since = in_base("based.bly") };
	struct image_totals t[3];
	struct err e = { 0 };
	uint64_t plain;

	snprintf(dir, sizeof(dir), "%s", base);
	make_library(1001);
	make_mapped();
	model.map_size = 0;
	check(!model_save(&model, in_base("plain.bly"), NULL, NULL, NULL, t,
			  &e), "based", e.text);
	plain = t[0].file_bytes;
	make_mapped();
	check(!model_save(&model, in_base("based.bly"), NULL, dir, "library",
			  t, &e), "based", e.text);
	check(t[0].file_bytes < plain / 2, "based", "it is not smaller");
	load_mapped(in_base("based.bly"), NULL, "based");
	check(!model_save(&model, in_base("since.bly"), &o, dir, "library",
			  t + 1, &e) && t[1].stored_pages > 200 &&
	      t[1].stored_pages < t[0].stored_pages, "based since",
	      "what has a base was taken from the parent");
	load_mapped(in_base("since.bly"), NULL, "based since");
	chmod(in_base("library"), 0640);
	load_mapped(in_base("based.bly"), "library", "not for everybody");
	make_library(1003);
	load_mapped(in_base("based.bly"), "as it was", "another library");
	unlink(in_base("library"));
	load_mapped(in_base("based.bly"), "No such file", "no library");
}

/* ---- words ---------------------------------------------------------------- */
enum { WORDS_SIZE = 64 * 4096 };

static size_t all_streams(const struct words *w, uint8_t *out)
{
	size_t at = 0;
	unsigned s;

	for (s = 0; s < WORDS_STREAMS; s++) {
		memcpy(out + at, w->stream[s], w->size[s]);
		at += w->size[s];
	}
	return at;
}

/* Whatever comes in, it is refused or makes some words; a buffer of the exact
 * size lets the sanitizer see what is read beyond it. */
static void spoil(const uint8_t *in, size_t size, uint8_t *out)
{
	size_t n = model_random() % 4 ? size : model_random() % size, k;
	uint8_t *copy = malloc(n + 1);

	memcpy(copy, in, n);
	for (k = 1 + model_random() % 4; k && n; k--)
		copy[model_random() % (model_random() % 2 ? n :
			n < 100 ? n : 100)] ^= (uint8_t)model_random();
	copy = realloc(copy, n ? n : 1);
	words_join(copy, n, out, WORDS_SIZE);
	free(copy);
}

static void test_words(void)
{
	uint8_t *in = malloc(WORDS_SIZE), *out = malloc(WORDS_SIZE);
	uint8_t *all = malloc(WORDS_ROOM(WORDS_SIZE));
	struct words w;
	size_t n, k, size;

	check(!words_init(&w, WORDS_SIZE), "words", "no memory");
	for (k = 0; k < 80; k++) {
		for (n = 0; n < WORDS_SIZE; n += 4096)
			model_fill(model_random() % 64 * (k % 3), in + n);
		size = k % 5 ? WORDS_SIZE : 8 * (model_random() % 2000);
		words_split(&w, in, size);
		n = all_streams(&w, all);
		memset(out, 1, WORDS_SIZE);
		check(n <= WORDS_ROOM(size) && !words_join(all, n, out, size) &&
		      !memcmp(in, out, size), "words", "other than before");
		check(words_join(all, n, out, size + 8) &&
		      words_join(all, n - 1, out, size), "words", "size");
		for (size = 0; size < 20; size++)
			spoil(all, n, out);
	}
	words_free(&w, WORDS_SIZE);
	free(in);
	free(out);
	free(all);
}

/* Made by the last bailey that wrote version 1. */
static void test_version_1(void)
{
	load_old("tests/unit/version-1.bly");
}

/* A full disk: the old file stays, nothing is left beside it. */
static void test_no_room(void)
{
	struct image_totals t;
	struct err e = { 0 };
	char command[600];

	model_make(&second, 2, 40);
	save(&second, in_base("target.bly"), NULL, &t);
	model_make(&model, 2, 3000);
	signal(SIGXFSZ, SIG_IGN);
	model_limit = 100000;
	check(model_save(&model, in_base("target.bly"), NULL, NULL, NULL, &t,
			 &e) && strstr(e.text, "no room"), "no room", e.text);
	model_limit = RLIM_INFINITY;
	load(&second, in_base("target.bly"), NULL, false, false, "old image");
	snprintf(command, sizeof(command), "! ls -A %s | grep -q '\\.new'",
		 base);
	check(!system(command), "no room", "left something behind");
}

static void test_diff(void)
{
	struct image_totals t;
	struct err e = { 0 };
	struct image_difference *d = NULL;
	struct image *a, *b;
	size_t n = 0;

	model.count = 0;
	model_add(&model, 0, 0, 1);
	model_add(&model, 1, 0x1000, 2);
	model_add(&model, 1, 0x2000, 3);
	model_add(&model, 2, 0x1000, 4);
	save(&model, in_base("d1.bly"), NULL, &t);
	model.page[2].seed = 9;
	model.page[3].space = 3;
	save(&model, in_base("d2.bly"), NULL, &t);
	a = image_open_file(in_base("d1.bly"), NULL, &e);
	b = image_open_file(in_base("d2.bly"), NULL, &e);
	check(a && b && !image_diff(a, b, &d, &n, &e) && n == 4 &&
	      d[0].same == 1 && d[1].same == 1 && d[1].changed == 1 &&
	      d[2].only_a == 1 && d[3].only_b == 1, "diff", e.text);
	free(d);
	image_close(a);
	image_close(b);
}

int main(int argc, char **argv)
{
	char cache[300];

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	base = argv[1];
	snprintf(cache, sizeof(cache), "%s/cache", base);
	setenv("XDG_CACHE_HOME", cache, 1);
	test_round_trips();
	test_incremental();
	test_encrypted();
	test_cache();
	test_lazy();
	test_layout();
	test_zeros();
	test_records();
	test_twice();
	test_processor();
	test_level();
	test_host();
	test_room();
	test_based();
	test_words();
	test_version_1();
	test_no_room();
	test_diff();
	test_damage();
	test_damage_encrypted();
	printf("image: %d checks, %d failures\n", checks, failures);
	return failures != 0;
}
