/*
 * watch.c - telling the sandbox what changes in its volumes.
 *
 * One inotify instance for each sandbox.  A walk that asks for it puts each
 * directory that it passes on it, before it looks anything up there: what the
 * walk said holds until a change of that name is told.  The sandbox gets the
 * handle and reads from it the names of what changed, which are names that it
 * could list.  It cannot add to what is watched.
 *
 * Only volumes, and of those only file systems whose every change goes
 * through this host's kernel.
 */
#include "path.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#define WATCH_LIMIT 2048 /* of one sandbox: the user has but so many */
#define WATCH_MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | \
		    IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | \
		    IN_MOVE_SELF | IN_ONLYDIR)
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

_Static_assert(sizeof(struct host_change) == sizeof(struct inotify_event) &&
	       offsetof(struct host_change, name_size) ==
	       offsetof(struct inotify_event, len), "told as the host tells");

static int watch = -1;
static bool is_full;

int open_changes(struct mon_call *c)
{
	if (watch < 0)
		watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch < 0)
		return -errno;
	c->reply_handle = watch;
	c->keep_handle = true;
	return 0;
}

/* A file system whose every change goes through this host's kernel, and its
 * page cache. */
bool is_all_cached(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	}
	return false;
}

static bool watch_add(const char *name, uint32_t mask)
{
	int id = inotify_add_watch(watch, name, mask);

	is_full = is_full || id >= WATCH_LIMIT;
	return id >= 0;
}

bool watch_directory(const struct mon_tree *t, int dir)
{
	/* beside a single file lies what is not shown */
	return watch >= 0 && !is_full && t->is_volume && !t->name[0] &&
	       is_all_cached(dir) && !fchdir(dir) && watch_add(".", WATCH_MASK);
}

bool watch_file(const char *name)
{
	return watch_add(name, IN_ATTRIB | IN_DONT_FOLLOW | IN_MASK_ADD) ||
	       errno == ENOENT;
}
