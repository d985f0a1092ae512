/*
 * room.c - how much the unpacked images in the cache take, and which of them
 * go when others need the room.
 *
 * Whoever uses an entry has its pages locked, shared, as long as the handle is
 * open anywhere: in a command, a monitor, a sandbox.  Only what nobody has
 * locked is removed, what was used longest ago first.  The file `entry` has the
 * time of the last use.
 */
#include "image/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "image/util.h"

#define LIMIT_MOST (10ull << 30)
#define LIMIT_PART 4u /* of the file system */

uint64_t cache_usual_limit(void)
{
	int images = cache_open("images");
	uint64_t part = LIMIT_MOST;
	struct statvfs s;

	if (images >= 0 && !fstatvfs(images, &s))
		part = (uint64_t)s.f_blocks * s.f_frsize / LIMIT_PART;
	if (images >= 0)
		close(images);
	return part < LIMIT_MOST ? part : LIMIT_MOST;
}

/* ---- what is there ------------------------------------------------------ */
static bool look(int images, const char *name, struct cache_item *x)
{
	char path[300];
	struct stat st;
	int fd;

	memset(x, 0, sizeof(*x));
	snprintf(x->name, sizeof(x->name), "%s", name);
	snprintf(path, sizeof(path), "%s/pages", name);
	fd = openat(images, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	x->is_new = strstr(name, ".new") != NULL;
	x->is_in_use = flock(fd, LOCK_EX | LOCK_NB) != 0;
	if (!fstat(fd, &st)) /* one that is being made will be whole */
		x->bytes = x->is_new ? (uint64_t)st.st_size :
			(uint64_t)st.st_blocks * 512;
	close(fd);
	snprintf(path, sizeof(path), "%s/entry", name);
	if (!fstatat(images, path, &st, AT_SYMLINK_NOFOLLOW))
		x->used = st.st_mtim;
	return true;
}

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct cache_item *)a)->used;
	const struct timespec *y = &((const struct cache_item *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

struct cache_item *cache_items(size_t *count)
{
	int images = cache_open("images");
	DIR *d = images < 0 ? NULL : fdopendir(images);
	struct cache_item *item = NULL, *more;
	struct dirent *x;

	*count = 0;
	while (d && (x = readdir(d))) {
		if (x->d_name[0] == '.')
			continue;
		more = reallocarray(item, *count + 1, sizeof(*item));
		if (!more)
			break;
		item = more;
		*count += look(images, x->d_name, &item[*count]);
	}
	if (d)
		closedir(d);
	if (*count)
		qsort(item, *count, sizeof(*item), by_use);
	return item;
}

/* ---- room --------------------------------------------------------------- */
int cache_make_room(uint64_t bytes, uint64_t limit, struct err *e)
{
	struct cache_item *item;
	uint64_t sum = 0;
	size_t count, k;

	if (!limit)
		limit = cache_usual_limit();
	item = cache_items(&count);
	for (k = 0; k < count; k++)
		sum += item[k].bytes;
	for (k = 0; k < count && bytes <= limit && sum > limit - bytes; k++)
		if (!item[k].is_new && cache_remove(item[k].name) == 1)
			sum -= item[k].bytes;
	free(item);
	if (bytes <= limit && sum <= limit - bytes)
		return 0;
	return FAIL(e, "no room in the cache: the image takes %llu MB there, "
		    "the limit is %llu MB, of which %llu MB are in use; raise "
		    "it with --cache-limit or BAILEY_CACHE_LIMIT",
		    (unsigned long long)(bytes >> 20),
		    (unsigned long long)(limit >> 20),
		    (unsigned long long)(sum >> 20));
}
