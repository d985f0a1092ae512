/*
 * fake_host_tree.c - the fake monitor's answers about names: tree 0 is a
 * folder in $TMPDIR that goes at the end.  All files are root's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bailey/host_abi.h>

#include "fake.h"
#include "fake_host.h"

static char tree_path[64];
static int tree_fd;

void fake_tree_start(void)
{
	snprintf(tree_path, sizeof(tree_path), "/tmp/bailey-unit-XXXXXX");
	if (!mkdtemp(tree_path))
		die("no folder for tree 0", errno);
	tree_fd = open(tree_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	umask(0);
	if (chmod(tree_path, 0755))
		die("chmod", errno);
}

void fake_tree_end(void)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "chmod -R u+rwX %s; rm -rf %s", tree_path,
		 tree_path);
	if (system(cmd))
		die("the tree stays", 0);
}

void fake_tree_dir(const char *path, unsigned mode)
{
	if (mkdirat(tree_fd, path, mode))
		die("mkdir", errno);
}

void fake_tree_file(const char *path, const char *text, unsigned mode)
{
	int fd = openat(tree_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode))
		die("file", errno);
	close(fd);
}

void fake_tree_link(const char *path, const char *target)
{
	if (symlinkat(target, tree_fd, path))
		die("symlink", errno);
}

const char *fake_tree_read(const char *path)
{
	static char text[65536];
	int fd = openat(tree_fd, path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static const char *at(const char *path)
{
	return *path ? path : ".";
}

static uint32_t kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return HOST_KIND_FILE;
	case S_IFDIR: return HOST_KIND_DIR;
	case S_IFLNK: return HOST_KIND_SYMLINK;
	case S_IFIFO: return HOST_KIND_FIFO;
	case S_IFSOCK: return HOST_KIND_SOCKET;
	default: return HOST_KIND_NONE;
	}
}

static int64_t ns(struct timespec ts)
{
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void stat_out(const struct stat *st, struct host_stat *out)
{
	*out = (struct host_stat){
		.ino = st->st_ino, .dev = 1, .size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.kind = kind_of(st->st_mode), .mode = st->st_mode & 07777,
		.nlink = (uint32_t)st->st_nlink, .blksize = 4096,
		.atime_ns = ns(st->st_atim), .mtime_ns = ns(st->st_mtim),
		.ctime_ns = ns(st->st_ctim),
	};
}

static host_handle open_file(const struct host_open *o)
{
	int flags = o->flags & HOST_OPEN_WRITE ?
		(o->flags & HOST_OPEN_READ ? O_RDWR : O_WRONLY) : O_RDONLY;
	struct stat st;
	int fd;

	flags |= o->flags & HOST_OPEN_CREATE ? O_CREAT : 0;
	flags |= o->flags & HOST_OPEN_EXCLUSIVE ? O_EXCL : 0;
	flags |= o->flags & HOST_OPEN_TRUNCATE ? O_TRUNC : 0;
	flags |= o->flags & HOST_OPEN_APPEND ? O_APPEND : 0;
	fd = openat(tree_fd, o->path, flags | O_CLOEXEC | O_NOFOLLOW,
		    o->mode);
	if (fd >= 0 && o->stat) {
		fstat(fd, &st);
		stat_out(&st, o->stat);
	}
	return fd < 0 ? -errno : fd;
}

int host_path_walk(uint32_t tree, const char *path, struct host_stat *out,
		   unsigned max, char *link, size_t link_size, int *error,
		   struct host_walk_open *o)
{
	char part[HOST_PATH_MAX];
	size_t n = 0;
	unsigned count = 0;
	struct stat st;
	ssize_t len;

	fake_requests++;
	*error = 0;
	if (o) {
		o->handle = HOST_NO_HANDLE;
		o->is_watched = 0;
	}
	do {
		n += strcspn(path + n, "/");
		memcpy(part, path, n);
		part[n] = '\0';
		if (fstatat(tree_fd, at(part), &st, AT_SYMLINK_NOFOLLOW)) {
			*error = -errno;
			return (int)count;
		}
		stat_out(&st, &out[count++]);
	} while (S_ISDIR(st.st_mode) && path[n++] && count < max);
	if (S_ISLNK(st.st_mode) && link) {
		len = readlinkat(tree_fd, part, link, link_size - 1);
		link[len < 0 ? 0 : len] = '\0';
	}
	if (o && (o->flags & (HOST_OPEN_READ | HOST_OPEN_WRITE)) &&
	    S_ISREG(st.st_mode) && !path[n])
		o->handle = open_file(&(struct host_open){
			.path = path, .flags = o->flags });
	if (o && o->handle < 0)
		o->handle = HOST_NO_HANDLE;
	return (int)count;
}

int64_t host_path_list(uint32_t tree, const char *path, uint64_t *cursor,
		       void *buf, size_t size)
{
	int fd = openat(tree_fd, at(path), O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	size_t used = 0;
	uint64_t i = 0;

	fake_requests++;
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		size_t need = (sizeof(struct host_dirent) +
			       strlen(e->d_name) + 8) & ~7ul;
		struct host_dirent *h = (void *)((char *)buf + used);

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    i++ < *cursor)
			continue;
		if (used + need > size)
			break;
		memset(h, 0, need);
		h->ino = e->d_ino;
		h->size = (uint16_t)need;
		h->kind = (uint8_t)kind_of(DTTOIF(e->d_type));
		strcpy(h->name, e->d_name);
		used += need;
		*cursor = i;
	}
	closedir(d);
	return (int64_t)used;
}

int host_path_make(uint32_t tree, const char *path, enum host_kind kind,
		   uint32_t mode, const char *target)
{
	int r;

	fake_requests++;
	if (kind == HOST_KIND_DIR)
		r = mkdirat(tree_fd, path, mode);
	else if (kind == HOST_KIND_SYMLINK)
		r = symlinkat(target, tree_fd, path);
	else
		r = mknodat(tree_fd, path, mode |
			    (kind == HOST_KIND_FIFO ? S_IFIFO :
			     kind == HOST_KIND_SOCKET ? S_IFSOCK : S_IFREG), 0);
	return r ? -errno : 0;
}

int host_path_remove(uint32_t tree, const char *path, int is_dir)
{
	fake_requests++;
	return unlinkat(tree_fd, path, is_dir ? AT_REMOVEDIR : 0) ? -errno : 0;
}

int host_path_rename(uint32_t tree, const char *from, const char *to,
		     unsigned flags)
{
	fake_requests++;
	return renameat2(tree_fd, from, tree_fd, to, flags) ? -errno : 0;
}

int host_path_link(uint32_t tree, const char *from, const char *to)
{
	fake_requests++;
	return linkat(tree_fd, from, tree_fd, to, 0) ? -errno : 0;
}

int host_path_setattr(uint32_t tree, const char *path,
		      const struct host_setattr *a)
{
	fake_requests++;
	if ((a->which & HOST_SET_MODE) &&
	    fchmodat(tree_fd, at(path), a->mode, 0))
		return -errno;
	return 0;
}

static host_handle open_one(const struct host_open *o)
{
	int fd;

	fake_requests++;
	switch (o->kind) {
	case HOST_OPEN_FILE:
		return open_file(o);
	case HOST_OPEN_POLLSET:
		fd = epoll_create1(EPOLL_CLOEXEC);
		return fd < 0 ? -errno : fd;
	case HOST_OPEN_EVENT:
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		return fd < 0 ? -errno : fd;
	default:
		return -HOST_EACCES;
	}
}

host_handle host_stream_open(struct host_open *o)
{
	struct host_open *at;

	if (!o->next)
		return open_one(o);
	for (at = o; at; at = at->next)
		at->handle = open_one(at);
	return o->handle;
}

int host_stream_stat(host_handle h, struct host_stat *out, int *is_cached)
{
	struct stat st;

	fake_requests++;
	if (fstat(h, &st))
		return -errno;
	stat_out(&st, out);
	if (is_cached)
		*is_cached = 0;
	return 0;
}

int host_stream_resize(host_handle h, uint64_t size)
{
	fake_requests++;
	return ftruncate(h, (off_t)size) ? -errno : 0;
}

int host_stream_sync(host_handle h, int data_only)
{
	fake_requests++;
	return 0;
}
