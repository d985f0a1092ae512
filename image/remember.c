/*
 * remember.c - what the cache knows of files by their identity: which image
 * one holds, what one's hash is (cache.h).
 *
 * The identity is device, inode, size and both times.  A file that changed
 * less than two seconds ago is not remembered: it could change again without
 * the times telling.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/util.h"

#define SETTLED_NS 2000000000ull
#define HASHES_MAX (8u << 10) /* then the file begins anew */

struct identity {
	uint64_t device, inode, size, mtime_ns, ctime_ns;
};
struct cache_record {
	struct identity file;
	uint8_t value[16];
	uint64_t check;
};

static uint64_t ns(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){ st->st_dev, st->st_ino,
				  (uint64_t)st->st_size, ns(st->st_mtim),
				  ns(st->st_ctim) };
}

static bool is_settled(const struct stat *st)
{
	return now_ns() > ns(st->st_ctim) + SETTLED_NS;
}

static bool matches(const struct cache_record *r, const struct stat *st)
{
	struct identity want = identity_of(st);

	return !memcmp(&r->file, &want, sizeof(want)) &&
		r->check == check64(r, offsetof(struct cache_record, check));
}

static struct cache_record record_of(const struct stat *st,
				     const uint8_t value[16])
{
	struct cache_record r = { .file = identity_of(st) };

	memcpy(r.value, value, 16);
	r.check = check64(&r, offsetof(struct cache_record, check));
	return r;
}

/* ---- images ------------------------------------------------------------- */
static void source_name(const struct stat *st, char *name, size_t size)
{
	snprintf(name, size, "%llx-%llx", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
}

bool cache_source_find(const struct stat *st, uint8_t id[16])
{
	struct cache_record r;
	char name[64];
	int dir = cache_open("sources"), fd;
	bool ok = false;

	if (dir < 0)
		return false;
	source_name(st, name, sizeof(name));
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		ok = read_at(fd, &r, sizeof(r), 0) == (ssize_t)sizeof(r) &&
			matches(&r, st);
		close(fd);
	}
	close(dir);
	if (ok)
		memcpy(id, r.value, 16);
	return ok;
}

void cache_source_add(const struct stat *st, const uint8_t id[16])
{
	struct cache_record r = record_of(st, id);
	char name[64], temp[96];
	int dir = cache_open("sources"), fd;

	if (dir < 0)
		return;
	source_name(st, name, sizeof(name));
	snprintf(temp, sizeof(temp), ".%.50s.%d", name, (int)getpid());
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		if (write_all(fd, &r, sizeof(r)) || close(fd) ||
		    renameat(dir, temp, dir, name))
			unlinkat(dir, temp, 0);
	}
	close(dir);
}

bool cache_place(const uint8_t id[16], char *path, size_t size)
{
	int dir = cache_open("places");
	ssize_t n = -1;
	char hex[33];

	to_hex(hex, id, 16);
	if (dir >= 0) {
		n = readlinkat(dir, hex, path, size - 1);
		close(dir);
	}
	if (n > 0)
		path[n] = 0;
	return n > 0;
}

void cache_place_add(const uint8_t id[16], const char *path)
{
	int dir = cache_open("places");
	char hex[33], *whole = realpath(path, NULL);

	to_hex(hex, id, 16);
	if (dir >= 0 && whole) {
		unlinkat(dir, hex, 0);
		(void)!symlinkat(whole, dir, hex);
	}
	free(whole);
	if (dir >= 0)
		close(dir);
}

/* ---- hashes ------------------------------------------------------------- */
/* What the table held when this process first asked. */
static struct {
	struct cache_record *v;
	size_t count;
	bool is_read;
} hashes;

static void hashes_read(void)
{
	int dir = cache_open("hashes"), fd = -1;
	struct stat st;
	ssize_t n = -1;

	hashes.is_read = true;
	if (dir < 0)
		return;
	fd = openat(dir, "table", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= (HASHES_MAX + 1) * sizeof(*hashes.v))
		hashes.v = malloc((size_t)st.st_size);
	if (hashes.v)
		n = read_at(fd, hashes.v, (size_t)st.st_size, 0);
	hashes.count = n > 0 ? (size_t)n / sizeof(*hashes.v) : 0;
	close(fd);
}

bool cache_hash_find(const struct stat *st, uint8_t hash[16])
{
	size_t k;

	if (!hashes.is_read)
		hashes_read();
	for (k = hashes.count; k--;) /* the last word is the newest */
		if (hashes.v[k].file.inode == st->st_ino &&
		    matches(&hashes.v[k], st)) {
			memcpy(hash, hashes.v[k].value, 16);
			return true;
		}
	return false;
}

void cache_hash_add(const struct stat *st, const uint8_t hash[16])
{
	struct cache_record r = record_of(st, hash);
	int dir, fd;
	struct stat now;

	if (!is_settled(st))
		return;
	dir = cache_open("hashes");
	if (dir < 0)
		return;
	fd = openat(dir, "table", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
		    O_NOFOLLOW, 0600);
	close(dir);
	if (fd < 0)
		return;
	/* A torn record would shift those behind it: begin anew. */
	if (!fstat(fd, &now) &&
	    ((uint64_t)now.st_size > HASHES_MAX * sizeof(r) ||
	     now.st_size % (off_t)sizeof(r)) && ftruncate(fd, 0)) {
		close(fd);
		return;
	}
	if (write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
		(void)!ftruncate(fd, now.st_size);
	close(fd);
}
