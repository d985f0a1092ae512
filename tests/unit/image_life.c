/*
 * image_life.c - checks of image/ around the edges of its life: kills while
 * it writes and unpacks, several at once, pipes that break, damage behind a
 * warm cache.  argv[1]: a directory to work in.
 */
#include "tests/unit/image_model.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>

static int checks, failures;
static const char *base;
static struct model model;

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

static int entries(const char *path, const char *with)
{
	DIR *d = opendir(path);
	struct dirent *x;
	int n = 0;

	while (d && (x = readdir(d)))
		n += x->d_name[0] != '.' ? strstr(x->d_name, with) != NULL :
			strstr(x->d_name, ".new") != NULL;
	if (d)
		closedir(d);
	return n;
}

static int load(const char *path, bool keep, struct err *e)
{
	struct image *i = image_open_file(path, NULL, e);
	struct image_unpacked u;
	const char *wrong;
	int rc = i ? image_unpack(i, keep, &u, NULL, NULL, e) : -1;

	image_close(i);
	if (rc)
		return -1;
	wrong = model_compare(&model, u.pages);
	if (wrong)
		snprintf(e->text, sizeof(e->text), "%s", wrong);
	close(u.pages);
	return wrong ? -1 : 0;
}

/* Kills a process that does what it is told, later each time. */
static int kill_after(useconds_t delay, int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn() ? 1 : 0);
	usleep(delay);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status);
}

static int save_target(void)
{
	struct image_totals t;
	struct err e = { 0 };

	return model_save(&model, in_base("kill/target.bly"), NULL, NULL,
			  NULL, &t, &e);
}

static void test_kill_save(void)
{
	struct err e = { 0 };
	int killed = 0, k;

	model_make(&model, 2, 1500);
	mkdir(in_base("kill"), 0700);
	check(!save_target(), "kill", "first save");
	for (k = 0; k < 25; k++) {
		killed += kill_after(1000 + (useconds_t)k * 8000,
				     save_target);
		check(!load(in_base("kill/target.bly"), false, &e),
		      "killed save", e.text);
	}
	check(killed > 3, "killed save", "too few were killed");
	check(entries(in_base("kill"), "") == 1, "killed save",
	      "left something behind");
}

static int unpack_target(void)
{
	struct err e = { 0 };
	int rc = load(in_base("kill/target.bly"), true, &e);

	if (rc)
		fprintf(stderr, "unpacking: %s\n", e.text);
	return rc;
}

static void test_kill_unpack(void)
{
	struct err e = { 0 };
	int killed = 0, k;

	for (k = 0; k < 12 && killed < 8; k++) {
		char command[600];

		snprintf(command, sizeof(command), "rm -rf %s/cache/bailey",
			 base);
		check(!system(command), "rm", NULL);
		killed += kill_after(1000 + (useconds_t)k * 3000,
				     unpack_target);
		check(!load(in_base("kill/target.bly"), true, &e),
		      "killed unpacking", e.text);
		check(entries(in_base("cache/bailey/images"), ".new") == 0,
		      "killed unpacking", "not swept");
	}
	check(killed > 2, "killed unpacking", "too few were killed");
}

static void test_at_once(void)
{
	char command[600];
	pid_t pid[6];
	int k, status, bad = 0;

	snprintf(command, sizeof(command), "rm -rf %s/cache/bailey", base);
	check(!system(command), "rm", NULL);
	for (k = 0; k < 6; k++) {
		pid[k] = fork();
		if (!pid[k])
			_exit(unpack_target() ? 1 : 0);
	}
	for (k = 0; k < 6; k++) {
		waitpid(pid[k], &status, 0);
		bad += status != 0;
	}
	check(!bad, "six at once", "one failed");
	check(entries(in_base("cache/bailey/images"), "") == 1,
	      "six at once", "more than one entry");
}

/* ---- the process that unpacks in the background ---------------------------- */
/* A child of parent, or 0. */
static pid_t child_of(pid_t parent)
{
	DIR *d = opendir("/proc");
	pid_t found = 0, pid, of;
	struct dirent *x;
	char path[300];
	FILE *f;

	while (d && !found && (x = readdir(d))) {
		pid = atoi(x->d_name);
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = pid ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (fscanf(f, "%*d (%*[^)]) %*c %d", &of) == 1 && of == parent)
			found = pid;
		fclose(f);
	}
	if (d)
		closedir(d);
	return found;
}

/* Kills the process that unpacks, up to so many times; how often it did. */
static int kill_unpacker(pid_t watcher, int times)
{
	int killed = 0, n = 0;
	pid_t last = 0, pid;

	while (killed < times && n++ < 20000 && !kill(watcher, 0)) {
		pid = child_of(watcher);
		if (pid && pid != last && !kill(pid, SIGKILL)) {
			killed++;
			last = pid;
		}
		waitpid(watcher, NULL, WNOHANG);
	}
	return killed;
}

/* All is there in the end, or at once it is told that it never will be. */
static void kill_in_background(int times, const char *what)
{
	struct err e = { 0 };
	struct image *i = image_open_file(in_base("kill/target.bly"), NULL,
					  &e);
	struct image_unpacked u;
	struct model_pages p;
	pid_t watcher;
	int killed, n = 0;

	if (!i || image_unpack(i, false, &u, NULL, NULL, &e))
		return check(false, what, e.text);
	watcher = child_of(getpid());
	check(watcher > 0, what, "nobody unpacks");
	killed = kill_unpacker(watcher, times);
	p = model_map(u.pages);
	while (__atomic_load_n(&p.head->ready, __ATOMIC_ACQUIRE) <
	       p.head->data_count && !__atomic_load_n(&p.head->failed,
					__ATOMIC_ACQUIRE) && n++ < 20000)
		usleep(1000);
	if (p.head->failed)
		check(killed == 3, what, "given up too soon");
	else
		check(p.head->ready == p.head->data_count && killed < 3 &&
		      !model_compare(&model, u.pages), what, "not unpacked");
	munmap((void *)(uintptr_t)p.data, p.size);
	image_close(i);
	close(u.pages);
	close(atoi(strrchr(u.libos, '/') + 1));
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void test_kill_background(void)
{
	unsigned k;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	model.count = 0;
	for (k = 0; k < 12000; k++)
		model_add(&model, 1, 0x10000 + k * 4096ull, 1 + 2 * k);
	check(!save_target(), "background", "save");
	kill_in_background(0, "unpacked in the background");
	kill_in_background(1, "its process killed");
	kill_in_background(3, "all of its processes killed");
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* The cache knows the contents, but not yet that this file is sound. */
static void test_damaged_copy(void)
{
	char command[1200];
	struct err e = { 0 };
	int fd;

	snprintf(command, sizeof(command), "cp %s/kill/target.bly "
		 "%s/copy.bly", base, base);
	check(!system(command), "cp", NULL);
	fd = open(in_base("copy.bly"), O_RDWR);
	check(pwrite(fd, "x", 1, 5000) == 1, "damaged copy", "write");
	close(fd);
	check(load(in_base("copy.bly"), true, &e) &&
	      strstr(e.text, "damaged: frame 0"), "damaged copy", e.text);
}

/* ---- streams ----------------------------------------------------------- */
static void test_broken_pipe(void)
{
	int ends[2], out = dup(1), rc;
	struct image_totals t;
	struct err e = { 0 };

	check(!pipe(ends), "pipe", NULL);
	fflush(stdout);
	dup2(ends[1], 1);
	close(ends[0]);
	close(ends[1]);
	signal(SIGPIPE, SIG_DFL);
	rc = model_save(&model, "-", NULL, NULL, NULL, &t, &e);
	dup2(out, 1);
	close(out);
	check(rc && strstr(e.text, "gone away"), "broken pipe", e.text);
}

/* Saved to a pipe and opened from it. */
static void test_pipe(void)
{
	int ends[2], in = dup(0), status;
	struct err e = { 0 };
	pid_t pid;

	check(!pipe(ends), "pipe", NULL);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct image_totals t;

		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		_exit(model_save(&model, "-", NULL, NULL, NULL, &t, &e) ?
		      1 : 0);
	}
	dup2(ends[0], 0);
	close(ends[0]);
	close(ends[1]);
	check(!load("-", false, &e), "through a pipe", e.text);
	dup2(in, 0);
	close(in);
	waitpid(pid, &status, 0);
	check(!status, "through a pipe", "save");
}

/* A link stays one, and what it names is replaced. */
static void test_link(void)
{
	struct image_totals t;
	struct err e = { 0 };
	struct stat st;

	mkdir(in_base("elsewhere"), 0700);
	check(!symlink("elsewhere/real.bly", in_base("link.bly")) &&
	      close(open(in_base("elsewhere/real.bly"),
			 O_CREAT | O_WRONLY, 0600)) == 0 &&
	      !model_save(&model, in_base("link.bly"), NULL, NULL, NULL, &t,
			  &e), "link", e.text);
	check(!lstat(in_base("link.bly"), &st) && S_ISLNK(st.st_mode) &&
	      !load(in_base("elsewhere/real.bly"), false, &e), "link",
	      e.text);
}

static void test_same_target(void)
{
	struct image_options o = { .since = in_base("kill/target.bly") };
	struct image_totals t;
	struct err e = { 0 };

	check(model_save(&model, in_base("kill/target.bly"), &o, NULL, NULL,
			 &t, &e) && strstr(e.text, "builds on it"),
	      "target is the parent", e.text);
}

/* Changed records: an error or an image, nothing else. */
static void test_random_records(void)
{
	int fd = memfd_create("records", MFD_CLOEXEC), k, good = 0;
	static char dir[] = "tests/unit";
	size_t size, at;
	uint8_t *p;

	model_make(&model, 3, 30);
	model_records(&model, fd, "image.c");
	size = (size_t)lseek(fd, 0, SEEK_CUR);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (k = 0; k < 400; k++) {
		struct image_writer *w;
		struct save_record r;
		struct err e = { 0 };
		uint8_t old;

		/* At a record's head, wherever there is one. */
		at = model_random() % (size - sizeof(r)) / 32 * 32;
		while (at + sizeof(r) < size && memcmp(p + at, "BlyS", 4))
			at += 32;
		if (at + sizeof(r) >= size)
			continue;
		at += model_random() % sizeof(r);
		old = p[at];
		p[at] = (uint8_t)model_random();
		lseek(fd, 0, SEEK_SET);
		w = image_create("/dev/null", NULL, &e);
		good += w && !image_add_stream(w, fd, model_find, dir, &e);
		image_discard(w);
		p[at] = old;
	}
	check(good < 200, "random records", "too many were taken");
	munmap(p, size);
	close(fd);
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
	test_kill_save();
	test_kill_unpack();
	for (int k = 0; k < 3; k++)
		test_at_once();
	test_damaged_copy();
	test_broken_pipe();
	test_pipe();
	test_link();
	test_same_target();
	test_random_records();
	test_kill_background();
	printf("image life: %d checks, %d failures\n", checks, failures);
	return failures != 0;
}
