/*
 * files.c - files of the host that an image names instead of holding: hashed
 * when it is written, compared when it is to be resumed.
 *
 * The names come from a sandbox or from an image: below their tree they are
 * opened without following a link or leaving it, and only regular files are
 * read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include "image/cache.h"
#include "image/processor.h"
#include "image/util.h"
#include "image/writer.h"
#include "image/reader.h"

#define BLOCK (1u << 20)

/* ---- opening and hashing ------------------------------------------------ */
static int open_below(const char *root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			RESOLVE_NO_MAGICLINKS,
	};
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	close(dir);
	return fd;
}

/* host ends in path: what is before is the tree, which the user chose. */
static int open_host(const char *host, const char *path, struct stat *st)
{
	size_t whole = strlen(host), part = strlen(path);
	char root[2 * SAVE_PATH_MAX];
	int fd;

	if (whole > part && whole - part < sizeof(root) &&
	    !strcmp(host + whole - part, path) &&
	    host[whole - part - 1] == '/') {
		memcpy(root, host, whole - part);
		root[whole - part] = 0;
		fd = open_below(root, path);
	} else {
		/* A tree that is one file. */
		fd = open(host, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
			  O_NOFOLLOW);
	}
	if (fd < 0)
		return -1;
	if (!fstat(fd, st) && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

static int hash_bytes(int fd, uint8_t hash[16])
{
	XXH3_state_t *state = XXH3_createState();
	uint8_t *buf = malloc(BLOCK);
	XXH128_canonical_t c;
	uint64_t at = 0;
	ssize_t n = -1;

	if (state && buf && XXH3_128bits_reset(state) == XXH_OK)
		while ((n = read_at(fd, buf, BLOCK, at)) > 0) {
			XXH3_128bits_update(state, buf, (size_t)n);
			at += (uint64_t)n;
		}
	if (!n) {
		XXH128_canonicalFromHash(&c, XXH3_128bits_digest(state));
		memcpy(hash, c.digest, 16);
	}
	XXH3_freeState(state);
	free(buf);
	return n ? -1 : 0;
}

/* -1 with errno. */
static int hash_file(const char *host, const char *path, uint64_t *size,
		     uint8_t hash[16])
{
	struct stat st;
	int fd = open_host(host, path, &st), rc = 0;

	if (fd < 0)
		return -1;
	*size = (uint64_t)st.st_size;
	if (!cache_hash_find(&st, hash)) {
		rc = hash_bytes(fd, hash);
		if (!rc)
			cache_hash_add(&st, hash);
	}
	close(fd);
	return rc;
}

/* ---- writing ------------------------------------------------------------ */
static bool find_known(const struct image_writer *w, uint32_t tree,
		       const char *path, size_t size, uint32_t *number)
{
	for (*number = 0; *number < w->files; ++*number) {
		const struct image_file_entry *f = &w->file[*number].entry;

		if (f->tree == tree && f->path_size == size &&
		    !memcmp(w->strings + f->path, path, size))
			return true;
	}
	return false;
}

int writer_file(struct image_writer *w, uint32_t tree, const char *path,
		const char *host, uint32_t *number, struct err *e)
{
	struct image_file_entry f = { .tree = tree };
	size_t size = strlen(path);

	if (!image_is_below(path, size))
		return FAIL(e, "the sandbox named a file that is not below "
			    "its tree: %.200s", path);
	if (find_known(w, tree, path, size, number))
		return 0;
	if (w->files == IMAGE_FILES_MAX)
		return FAIL(e, "the sandbox uses more files than an image can "
			    "name (%u)", IMAGE_FILES_MAX);
	if (hash_file(host, path, &f.size, f.hash))
		return FAIL(e, "cannot read %.300s, whose pages the sandbox "
			    "uses: %s", host, strerror(errno));
	f.path_size = (uint32_t)size;
	if (writer_string(w, path, size, &f.path, e) ||
	    big_grow((void **)&w->file, &w->file_room, w->files,
		     sizeof(*w->file), e))
		return -1;
	w->file[w->files++].entry = f;
	return 0;
}

/* ---- opening what an image names ---------------------------------------- */
/* Programs inside do not see what is not for everybody to read: an image must
 * not be a way to it. */
int image_open_readable(const char *host, const char *path)
{
	struct stat st;
	int fd = open_host(host, path, &st);

	if (fd < 0 || (st.st_mode & S_IROTH))
		return fd;
	close(fd);
	errno = EACCES;
	return -1;
}

int image_open_named(const struct image *i, uint32_t number, struct err *e)
{
	const struct image_file_entry *f = &i->file[number];
	char path[SAVE_PATH_MAX], host[2 * SAVE_PATH_MAX];
	int fd;

	memcpy(path, i->strings + f->path, f->path_size);
	path[f->path_size] = 0;
	if (!i->find ||
	    !i->find(i->find_arg, f->tree, path, host, sizeof(host)))
		return FAIL(e, "%s needs the file %.200s of a tree that is "
			    "not given here (--rootfs gives one)", i->path,
			    path);
	fd = image_open_readable(host, path);
	return fd >= 0 ? fd : FAIL(e, "%s needs %.300s: %s", i->path, host,
				   strerror(errno));
}

/* ---- checking ----------------------------------------------------------- */
static int check_processor(const struct image *i, bool is_any, struct err *e)
{
	uint64_t here[4];
	char names[300];

	if (strcmp(i->index.processor, processor_name))
		return FAIL(e, "%s was saved on a %.16s processor; this one "
			    "is %s", i->path, i->index.processor,
			    processor_name);
	processor_features(here);
	if (!is_any &&
	    processor_missing(i->index.features, here, names, sizeof(names)))
		return FAIL(e, "%s cannot run here: it was saved on a "
			    "processor with features that this one lacks: %s "
			    "(run it with --processor, so that it does "
			    "without, or take the risk with --any-processor)",
			    i->path, names);
	return 0;
}

static int check_file(const struct image *i, const struct image_file_entry *f,
		      image_file_fn find, void *arg, struct err *e)
{
	char path[SAVE_PATH_MAX], host[2 * SAVE_PATH_MAX];
	uint8_t hash[16];
	uint64_t size = 0;

	memcpy(path, i->strings + f->path, f->path_size);
	path[f->path_size] = 0;
	if (!find || !find(arg, f->tree, path, host, sizeof(host)))
		return FAIL(e, "%s needs the file %.200s of a tree that is "
			    "not given here", i->path, path);
	if (hash_file(host, path, &size, hash))
		return FAIL(e, "%s needs %.300s: %s", i->path, host,
			    strerror(errno));
	if (size != f->size || memcmp(hash, f->hash, 16))
		return FAIL(e, "%s needs %.300s as it was when it was saved; "
			    "it has changed since: give the old one with -v",
			    i->path, host);
	return 0;
}

int image_check_host(struct image *i, bool any_processor, image_file_fn find,
		     void *arg, struct err *e)
{
	uint32_t k;

	if (check_processor(i, any_processor, e))
		return -1;
	for (k = 0; k < i->index.file_count; k++)
		if (check_file(i, &i->file[k], find, arg, e))
			return -1;
	return 0;
}
