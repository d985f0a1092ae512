/*
 * cache.c - unpacked images and library OSes in the cache (cache.h).
 */
#include "image/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <bailey/image_format.h>

#include "image/util.h"

#define ENTRY_MAGIC 0x7972746e45796c42ull /* "BlyEntry" */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* Without is_synced an entry is believed until the host starts again: its
 * pages may not have reached the disk by then. */
struct cache_entry {
	uint64_t magic;
	uint8_t id[16];
	uint8_t libos[16];
	char boot[40];
	uint32_t version; /* of pages.h */
	uint32_t is_synced;
	uint64_t check;
};

/* ---- the directory ------------------------------------------------------ */
bool cache_path(char *buf, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (xdg && xdg[0] == '/')
		n = snprintf(buf, size, "%s/bailey", xdg);
	else if (!geteuid())
		n = snprintf(buf, size, "/var/cache/bailey");
	else if (home && home[0] == '/')
		n = snprintf(buf, size, "%s/.cache/bailey", home);
	else
		return false;
	return n > 0 && (size_t)n < size;
}

static void make_parents(const char *path)
{
	char part[4096];
	size_t k;

	for (k = 1; path[k] && k < sizeof(part) - 1; k++)
		if (path[k] == '/') {
			memcpy(part, path, k);
			part[k] = 0;
			mkdir(part, 0700);
		}
}

/* A directory that only this user can write to. */
static int open_own(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
			O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) || st.st_uid != geteuid() ||
			(st.st_mode & 022))) {
		close(fd);
		errno = EACCES;
		return -1;
	}
	return fd;
}

int cache_open(const char *sub)
{
	char path[4096];
	int base, fd;

	if (!cache_path(path, sizeof(path)))
		return -1;
	base = open_own(AT_FDCWD, path);
	if (base < 0 && errno == ENOENT) {
		make_parents(path);
		mkdir(path, 0700);
		base = open_own(AT_FDCWD, path);
	}
	if (base < 0)
		return -1;
	fd = open_own(base, sub);
	if (fd < 0 && errno == ENOENT) { /* others may make it, too */
		mkdirat(base, sub, 0700);
		fd = open_own(base, sub);
	}
	close(base);
	return fd;
}

static int put_file(int dir, const char *name, const void *data, size_t size,
		    bool is_synced)
{
	char temp[128];
	int fd, rc;

	snprintf(temp, sizeof(temp), ".%.60s.%d-%llx", name, (int)getpid(),
		 (unsigned long long)now_ns());
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	rc = write_all(fd, data, size) || (is_synced && fsync(fd));
	rc = close(fd) || rc || renameat(dir, temp, dir, name);
	if (rc)
		unlinkat(dir, temp, 0);
	return rc ? -1 : 0;
}

static char *get_file(int dir, const char *name, size_t most, size_t *size)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char *buf = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size <= most)
		buf = malloc((size_t)st.st_size + 1);
	if (buf && read_at(fd, buf, (size_t)st.st_size, 0) != st.st_size) {
		free(buf);
		buf = NULL;
	}
	close(fd);
	if (buf) {
		*size = (size_t)st.st_size;
		buf[*size] = 0;
	}
	return buf;
}

static void boot_id(char out[40])
{
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);

	memset(out, 0, 40);
	if (fd >= 0 && read(fd, out, 36) != 36)
		memset(out, 0, 40);
	if (fd >= 0)
		close(fd);
}

/* ---- library OSes ------------------------------------------------------- */
int cache_libos(const uint8_t check[16], char *path, size_t size)
{
	char base[3800], hex[33];
	struct stat st;
	int n;

	to_hex(hex, check, 16);
	if (!cache_path(base, sizeof(base)))
		return -1;
	n = snprintf(path, size, "%s/libos/%s.elf", base, hex);
	if (n < 0 || (size_t)n >= size || stat(path, &st))
		return -1;
	return S_ISREG(st.st_mode) && st.st_uid == geteuid() ? 0 : -1;
}

int cache_put_libos(const uint8_t check[16], const char *data, size_t size,
		    struct err *e)
{
	int dir = cache_open("libos"), rc = -1;
	char name[40];

	to_hex(name, check, 16);
	strcat(name, ".elf");
	if (dir >= 0)
		rc = put_file(dir, name, data, size, true);
	if (rc)
		FAIL(e, "cannot write to the cache: %s", strerror(errno));
	if (dir >= 0)
		close(dir);
	return rc;
}

/* ---- finding ------------------------------------------------------------ */
static bool is_believed(int dir, const uint8_t id[16], struct cache_entry *x)
{
	char boot[40];
	size_t size;
	char *p = get_file(dir, "entry", sizeof(*x), &size);
	bool ok = p && size == sizeof(*x);

	if (ok)
		memcpy(x, p, sizeof(*x));
	free(p);
	if (!ok || x->magic != ENTRY_MAGIC || x->version != PAGES_VERSION ||
	    memcmp(x->id, id, 16) ||
	    x->check != check64(x, offsetof(struct cache_entry, check)))
		return false;
	boot_id(boot);
	return x->is_synced || (boot[0] && !memcmp(boot, x->boot, 40));
}

static int open_pages(int dir, const uint8_t id[16])
{
	int fd = openat(dir, "pages", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct pages_header h;
	struct stat st;

	if (fd < 0)
		return -1;
	if (read_at(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
	    !fstat(fd, &st) && h.magic == PAGES_MAGIC &&
	    h.version == PAGES_VERSION && !memcmp(h.image_id, id, 16) &&
	    h.ready == h.data_count && (uint64_t)st.st_size ==
	    (h.first_data + h.data_count) * PAGE)
		return fd;
	close(fd);
	return -1;
}

/* Nobody removes what is locked so (room.c); who looks whether it is holds the
 * other lock for a moment. */
static bool take_into_use(int dir, int pages)
{
	int tries = 0;

	while (flock(pages, LOCK_SH | LOCK_NB)) {
		if (tries++ == 50)
			return false;
		usleep(500);
	}
	(void)utimensat(dir, "entry", NULL, AT_SYMLINK_NOFOLLOW);
	return true;
}

static int find(const uint8_t id[16], struct image_unpacked *out,
		char **manifest, size_t *size, bool is_use)
{
	int images = cache_open("images"), dir;
	struct cache_entry x;
	char hex[33];

	if (images < 0)
		return 0;
	to_hex(hex, id, 16);
	dir = open_own(images, hex);
	close(images);
	if (dir < 0)
		return 0;
	out->pages = -1;
	if (is_believed(dir, id, &x) &&
	    !cache_libos(x.libos, out->libos, sizeof(out->libos)))
		out->pages = open_pages(dir, id);
	if (out->pages >= 0 && is_use && !take_into_use(dir, out->pages)) {
		close(out->pages);
		out->pages = -1;
	}
	if (out->pages >= 0 && manifest) {
		*manifest = get_file(dir, "manifest.json", IMAGE_MANIFEST_MAX,
				     size);
		if (!*manifest) {
			close(out->pages);
			out->pages = -1;
		}
	}
	close(dir);
	out->was_warm = out->pages >= 0;
	return out->was_warm;
}

int cache_find(const uint8_t id[16], struct image_unpacked *out,
	       char **manifest, size_t *size)
{
	return find(id, out, manifest, size, true);
}

int cache_look(const uint8_t id[16], struct image_unpacked *out,
	       char **manifest, size_t *size)
{
	return find(id, out, manifest, size, false);
}

char *cache_needs(const uint8_t id[16], size_t most, size_t *size)
{
	int images = cache_open("images"), dir;
	char hex[33], *data;

	if (images < 0)
		return NULL;
	to_hex(hex, id, 16);
	dir = open_own(images, hex);
	close(images);
	if (dir < 0)
		return NULL;
	data = get_file(dir, "needs", most, size);
	close(dir);
	return data;
}

/* ---- making ------------------------------------------------------------- */
/* The entry goes first: without it nobody believes the rest. */
static int remove_dir(int images, const char *name)
{
	static const char *const parts[] = { "entry", "pages",
					     "manifest.json", "needs" };
	int dir = openat(images, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			 O_CLOEXEC);
	size_t k;

	if (dir < 0)
		return -1;
	for (k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
		unlinkat(dir, parts[k], 0);
	close(dir);
	return unlinkat(images, name, AT_REMOVEDIR);
}

int cache_drop(const char *name)
{
	int images = cache_open("images"), rc = -1;

	if (images < 0)
		return -1;
	rc = remove_dir(images, name);
	close(images);
	return rc;
}

int cache_remove(const char *name)
{
	int images = cache_open("images"), pages = -1, rc = -1;
	char path[300];

	snprintf(path, sizeof(path), "%s/pages", name);
	if (images >= 0)
		pages = openat(images, path, O_RDONLY | O_NOFOLLOW |
			       O_CLOEXEC);
	if (pages >= 0)
		rc = !flock(pages, LOCK_EX | LOCK_NB);
	if (rc == 1)
		remove_dir(images, name);
	if (pages >= 0)
		close(pages);
	if (images >= 0)
		close(images);
	return rc;
}

/* What was being made by somebody who is gone. */
static void sweep(int images)
{
	int copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *x;
	char path[300];
	int fd;

	while (d && (x = readdir(d))) {
		if (!strstr(x->d_name, ".new"))
			continue;
		snprintf(path, sizeof(path), "%s/pages", x->d_name);
		fd = openat(images, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
			remove_dir(images, x->d_name);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
}

/* 1: somebody swept it away before it was locked. */
static int try_begin(struct cache_new *n, const char *hex)
{
	snprintf(n->name, sizeof(n->name), "%s.%d-%llx.new", hex,
		 (int)getpid(), (unsigned long long)now_ns());
	n->dir = n->pages = -1;
	if (!mkdirat(n->images, n->name, 0700))
		n->dir = open_own(n->images, n->name);
	if (n->dir < 0)
		return -1;
	n->pages = openat(n->dir, "pages", O_RDWR | O_CREAT | O_EXCL |
			  O_CLOEXEC, 0600);
	if (n->pages >= 0 && !flock(n->pages, LOCK_EX | LOCK_NB) &&
	    !faccessat(n->dir, "pages", R_OK, 0))
		return 0;
	close(n->dir);
	if (n->pages >= 0)
		close(n->pages);
	return 1;
}

int cache_begin(struct cache_new *n, const uint8_t id[16], struct err *e)
{
	char hex[33];
	int tries = 0, rc;

	n->dir = n->pages = -1;
	n->images = cache_open("images");
	if (n->images < 0)
		return FAIL(e, "there is no cache: %s; set XDG_CACHE_HOME to "
			    "a directory of yours", strerror(errno));
	sweep(n->images);
	to_hex(hex, id, 16);
	while ((rc = try_begin(n, hex)) == 1 && tries++ < 10)
		remove_dir(n->images, n->name);
	if (!rc)
		return 0;
	FAIL(e, "cannot write to the cache: %s", strerror(errno));
	n->dir = n->pages = -1;
	cache_abandon(n);
	return -1;
}

/* It can be done without. */
void cache_put_needs(struct cache_new *n, const void *data, size_t size)
{
	(void)put_file(n->dir, "needs", data, size, false);
}

int cache_finish(struct cache_new *n, const uint8_t id[16],
		 const uint8_t libos[16], const char *manifest, size_t size,
		 bool is_synced, struct err *e)
{
	struct cache_entry x = { .magic = ENTRY_MAGIC,
				 .version = PAGES_VERSION };
	char hex[33];
	int rc;

	to_hex(hex, id, 16);
	memcpy(x.id, id, 16);
	memcpy(x.libos, libos, 16);
	boot_id(x.boot);
	x.is_synced = is_synced;
	x.check = check64(&x, offsetof(struct cache_entry, check));
	rc = (is_synced && fsync(n->pages)) ||
		put_file(n->dir, "manifest.json", manifest, size,
			 is_synced) ||
		put_file(n->dir, "entry", &x, sizeof(x), is_synced);
	if (!rc && renameat(n->images, n->name, n->images, hex)) {
		/* Another was faster, or what is there is of no use. */
		struct image_unpacked other;

		if (cache_look(id, &other, NULL, NULL) == 1)
			close(other.pages);
		else
			remove_dir(n->images, hex);
		rc = renameat(n->images, n->name, n->images, hex) &&
			errno != ENOTEMPTY && errno != EEXIST;
	}
	if (rc)
		FAIL(e, "cannot write to the cache: %s", strerror(errno));
	cache_abandon(n);
	return rc ? -1 : 0;
}

void cache_abandon(struct cache_new *n)
{
	if (n->images >= 0)
		remove_dir(n->images, n->name);
	if (n->pages >= 0)
		close(n->pages);
	if (n->dir >= 0)
		close(n->dir);
	if (n->images >= 0)
		close(n->images);
	n->images = n->dir = n->pages = -1;
}
