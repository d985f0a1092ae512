/*
 * path.c - see path.h: resolution of names that cannot escape, and what of a
 * host file the sandbox sees.
 */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COMPONENT_MAX 255u

static int open2(int dir, const char *path, uint64_t flags, uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW |
			 (flags & O_PATH ? 0 : O_NOCTTY),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

bool path_is_plain(const char *path, uint32_t size)
{
	const char *p = path, *end;

	if (size < 1 || size > HOST_PATH_MAX || path[size - 1] ||
	    memchr(path, 0, size) != path + size - 1)
		return false;
	if (size == 1)
		return true; /* the root */
	for (;; p = end + 1) {
		size_t n;

		end = strchr(p, '/');
		n = end ? (size_t)(end - p) : strlen(p);
		if (n == 0 || n > COMPONENT_MAX ||
		    (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
			return false;
		if (!end)
			return true;
	}
}

int path_decode(struct mon_call *c, uint32_t tree, const char *path,
		uint32_t size, struct mon_path *out)
{
	if (tree >= c->m->tree_count)
		return denied(c, "tree", "", HOST_ENOENT);
	if (size > HOST_PATH_MAX)
		return -HOST_ENAMETOOLONG;
	if (!path_is_plain(path, size))
		return denied(c, "path", "", HOST_EINVAL);
	memset(out, 0, sizeof(*out));
	out->tree = &c->m->trees[tree];
	out->full = path;
	return 0;
}

/* The directory that was entered last: requests that come together often are
 * for files beside each other. */
static struct {
	const struct mon_tree *tree; /* NULL: none */
	size_t size;                 /* of its name, with the slash */
	char name[HOST_PATH_MAX];
	int fd;
} walk;

void path_forget(void)
{
	if (walk.tree)
		close(walk.fd);
	walk.tree = NULL;
}

static bool walk_again(struct mon_path *p)
{
	if (walk.tree != p->tree || strncmp(walk.name, p->full, walk.size) ||
	    strchr(p->full + walk.size, '/'))
		return false;
	p->dir = walk.fd;
	p->name = p->full + walk.size;
	return true;
}

/* The first of a batch: whoever has it open still needs it. */
static void walk_keep(struct mon_path *p)
{
	p->dir_is_ours = p->dir != p->tree->fd && walk.tree;
	if (p->dir == p->tree->fd || walk.tree)
		return;
	walk.tree = p->tree;
	walk.fd = p->dir;
	walk.size = (size_t)(p->name - p->full);
	memcpy(walk.name, p->full, walk.size);
}

/* Walk to the parent and look at each directory on the way: in a system tree
 * what lies behind a directory that is not everybody's is not shown, even if
 * the invoking user may enter it. */
static int enter_checked(struct mon_path *p)
{
	char part[COMPONENT_MAX + 1];
	const char *s = p->full;
	int dir = p->tree->fd, saved;

	if (walk_again(p))
		return 0;
	for (;;) {
		const char *end = strchr(s, '/');
		struct stat st;
		int next;

		if (fstat(dir, &st))
			goto fail;
		if (path_may_enter(p->tree, &st)) {
			errno = EACCES;
			goto fail;
		}
		if (!end)
			break;
		memcpy(part, s, (size_t)(end - s));
		part[end - s] = '\0';
		next = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW |
			      O_CLOEXEC);
		if (next < 0)
			goto fail;
		if (dir != p->tree->fd)
			close(dir);
		dir = next;
		s = end + 1;
	}
	p->dir = dir;
	p->name = s;
	walk_keep(p);
	return 0;
fail:
	saved = errno;
	if (dir != p->tree->fd)
		close(dir);
	return -saved;
}

static int enter_plain(struct mon_path *p)
{
	const char *slash = strrchr(p->full, '/');
	char parent[HOST_PATH_MAX];

	if (!slash) {
		p->dir = p->tree->fd;
		p->name = p->full;
		return 0;
	}
	memcpy(parent, p->full, (size_t)(slash - p->full));
	parent[slash - p->full] = '\0';
	p->dir = open2(p->tree->fd, parent, O_PATH | O_DIRECTORY, 0);
	if (p->dir < 0)
		return -errno;
	p->dir_is_ours = true;
	p->name = slash + 1;
	return 0;
}

int path_enter(struct mon_call *c, struct mon_path *p, bool for_write)
{
	const struct mon_tree *t = p->tree;

	if (for_write && t->read_only)
		return denied(c, "write", p->full, HOST_EROFS);
	if (t->name[0]) { /* a single file */
		p->dir = t->fd;
		p->name = t->name;
		return p->full[0] ? -HOST_ENOTDIR : 0;
	}
	if (!p->full[0]) {
		p->dir = t->fd;
		p->name = ".";
		return 0;
	}
	return t->whole ? enter_plain(p) : enter_checked(p);
}

void path_leave(struct mon_path *p)
{
	if (p->dir_is_ours)
		close(p->dir);
	p->dir_is_ours = false;
}

int path_may_enter(const struct mon_tree *t, const struct stat *st)
{
	return t->whole || (st->st_mode & S_IXOTH) ? 0 : -HOST_EACCES;
}

int path_may_read(const struct mon_tree *t, const struct stat *st)
{
	unsigned need = S_ISDIR(st->st_mode) ? S_IROTH | S_IXOTH : S_IROTH;

	return t->whole || (st->st_mode & need) == need ? 0 : -HOST_EACCES;
}

int path_is_safe(const struct mon_tree *t, int fd, const struct stat *st)
{
	struct statfs fs;

	if (st->st_dev == t->dev)
		return 0;
	if (fstatfs(fd, &fs))
		return -errno;
	switch ((unsigned long)fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEVPTS_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case BPF_FS_MAGIC:
	case NSFS_MAGIC:
		return -HOST_EACCES;
	}
	return 0;
}

/* Access times are left alone, see mount.c: but only the owner of a file may
 * ask for that. */
int path_open(const struct mon_path *p, int flags, unsigned mode)
{
	uint64_t quiet = p->tree->is_volume && !(flags & O_CREAT) ?
			 O_NOATIME : 0;
	int fd;

	mode = flags & O_CREAT ? mode & 0777 : 0;
	fd = open2(p->dir, p->name, (unsigned)flags | quiet, mode);
	if (fd < 0 && errno == EPERM && quiet)
		fd = open2(p->dir, p->name, (unsigned)flags, mode);
	return fd < 0 ? -errno : fd;
}

/* The invoking user is the sandbox's root.  All others look alike to the
 * monitor, whose user namespace has only that one: in the system's trees they
 * are root, too, as nearly all of them are; in a volume they are nobody. */
static uint32_t owner(bool is_volume, uint32_t id, uint32_t own)
{
	return id == own || !is_volume ? 0 : MON_NOBODY;
}

static int64_t stamp(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

uint32_t path_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return HOST_KIND_FILE;
	case S_IFDIR: return HOST_KIND_DIR;
	case S_IFLNK: return HOST_KIND_SYMLINK;
	case S_IFIFO: return HOST_KIND_FIFO;
	case S_IFSOCK: return HOST_KIND_SOCKET;
	case S_IFCHR: return HOST_KIND_CHAR;
	case S_IFBLK: return HOST_KIND_BLOCK;
	}
	return HOST_KIND_NONE;
}

void path_stat(const struct monitor *m, bool is_volume,
	       const struct stat *st, struct host_stat *out)
{
	memset(out, 0, sizeof(*out));
	out->ino = st->st_ino;
	out->dev = st->st_dev;
	out->size = (uint64_t)st->st_size;
	out->blocks = (uint64_t)st->st_blocks;
	out->kind = path_kind(st->st_mode);
	out->mode = st->st_mode & 07777;
	out->uid = owner(is_volume, st->st_uid, m->uid);
	out->gid = owner(is_volume, st->st_gid, m->gid);
	out->nlink = (uint32_t)st->st_nlink;
	out->blksize = (uint32_t)st->st_blksize;
	out->atime_ns = stamp(&st->st_atim);
	out->mtime_ns = stamp(&st->st_mtim);
	out->ctime_ns = stamp(&st->st_ctim);
}
