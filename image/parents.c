/*
 * parents.c - finds the images that an incremental one takes pages from.
 *
 * A parent is known by its id alone.  It is looked for under the name that it
 * had, then among all files of the directory that the image is in, then where
 * an image of the cache was last seen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/reader.h"
#include "image/util.h"

#define FILES_MAX 10000 /* of a directory, looked at */

/* Cheap: the trailer only; what it says is checked by opening. */
static bool may_be(const char *path, const uint8_t id[16])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct image_trailer t;
	uint64_t magic = 0;
	struct stat st;
	bool ok = false;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_size > (off_t)sizeof(t) &&
	    read_at(fd, &magic, sizeof(magic), 0) == sizeof(magic)) {
		ok = magic == ENVELOPE_MAGIC;
		if (magic == IMAGE_MAGIC &&
		    read_at(fd, &t, sizeof(t), (uint64_t)st.st_size -
			    sizeof(t)) == (ssize_t)sizeof(t))
			ok = !memcmp(t.id, id, 16);
	}
	close(fd);
	return ok;
}

static struct image *try_file(const struct image *i, const char *path,
			      const uint8_t id[16])
{
	struct image *p;

	if (!may_be(path, id))
		return NULL;
	p = image_open_file(path, i->passphrase, NULL);
	if (p && memcmp(p->trailer.id, id, 16)) {
		image_close(p);
		p = NULL;
	}
	return p;
}

static struct image *try_directory(const struct image *i, const char *dir,
				   const uint8_t id[16])
{
	DIR *d = opendir(dir);
	struct image *p = NULL;
	struct dirent *x;
	char path[4400];
	int n = 0;

	while (d && !p && n++ < FILES_MAX && (x = readdir(d))) {
		if (x->d_type != DT_REG && x->d_type != DT_UNKNOWN)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, x->d_name);
		p = try_file(i, path, id);
	}
	if (d)
		closedir(d);
	return p;
}

static struct image *find_parent(const struct image *i,
				 const struct image_parent *want)
{
	char dir[4096], path[4400];
	const char *slash = strrchr(i->path, '/');
	struct image *p = NULL;

	if (i->is_stream || !slash)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s",
			 (int)(slash - i->path) + (slash == i->path),
			 i->path);
	if (want->name_size) {
		snprintf(path, sizeof(path), "%s/%.*s", dir,
			 (int)want->name_size, i->strings + want->name);
		p = try_file(i, path, want->id);
	}
	if (!p)
		p = try_directory(i, dir, want->id);
	if (!p && cache_place(want->id, path, sizeof(path)))
		p = try_file(i, path, want->id);
	return p;
}

int image_need_parents(struct image *i, struct err *e)
{
	uint32_t k, r;
	char hex[33];

	if (i->parents || !i->index.ref_pages)
		return 0;
	i->parents = calloc(i->index.parent_count, sizeof(*i->parents));
	if (!i->parents)
		return FAIL(e, "out of memory");
	for (r = 0; r < i->index.ref_pages; r++) {
		const struct image_parent *want;

		k = i->ref[r].parent;
		want = &i->parent[k];
		if (i->parents[k])
			continue;
		i->parents[k] = find_parent(i, want);
		if (i->parents[k])
			continue;
		to_hex(hex, want->id, 16);
		FAIL(e, "%s is incremental and needs the image %s%s%.*s%s, "
		     "which is not beside it", i->path, hex,
		     want->name_size ? " (" : "", (int)want->name_size,
		     i->strings + want->name, want->name_size ? ")" : "");
		while (k--)
			image_close(i->parents[k]);
		free(i->parents);
		i->parents = NULL;
		return -1;
	}
	return 0;
}
