/*
 * req_fs.c - requests on host files by name: look up, list, open, make,
 * remove, rename, link, set attributes.
 *
 * Each answer_*() first decodes the record in full (form, tree, paths), then
 * does one thing.  Results are 0 or a negative error number; -EPROTO means
 * that the record cannot come from the library OS.
 */
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* The one path of a request: text is exactly it. */
static int decode_one(struct mon_call *c, uint32_t tree, uint32_t size,
		      struct mon_path *p)
{
	if (size == 0 || size != c->text_size || c->text[size - 1])
		return -EPROTO;
	return path_decode(c, tree, c->text, size, p);
}

/* Two strings in a row. */
static int decode_two(const struct mon_call *c, uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0 || a > c->text_size || b != c->text_size - a ||
	    c->text[a - 1] || c->text[a + b - 1])
		return -EPROTO;
	return 0;
}

/* Set-id bits never reach the host on a file. */
static unsigned safe_mode(unsigned mode, bool is_dir)
{
	return mode & (is_dir ? 03777u : 01777u);
}

/* ---- open ---------------------------------------------------------------- */
static int open_flags(uint32_t f)
{
	int flags = f & HOST_OPEN_WRITE ?
		    (f & HOST_OPEN_READ ? O_RDWR : O_WRONLY) : O_RDONLY;

	/* Never hang on a FIFO; no effect on a regular file. */
	flags |= O_NONBLOCK | O_LARGEFILE;
	if (f & HOST_OPEN_CREATE)
		flags |= O_CREAT;
	if (f & HOST_OPEN_EXCLUSIVE)
		flags |= O_EXCL;
	if (f & HOST_OPEN_APPEND)
		flags |= O_APPEND;
	return flags;
}

/* What was opened must be a file that the policy shows. */
static int open_check(struct mon_call *c, const struct mon_path *p, int fd,
		      const struct mon_open *q, struct stat *st)
{
	if (fstat(fd, st))
		return -errno;
	if (S_ISDIR(st->st_mode))
		return -HOST_EISDIR;
	if (!S_ISREG(st->st_mode) || path_is_safe(p->tree, fd, st) ||
	    path_may_read(p->tree, st))
		return denied(c, "open", p->full, HOST_EACCES);
	if ((q->flags & HOST_OPEN_TRUNCATE) && ftruncate(fd, 0))
		return -errno;
	return 0;
}

int open_file(struct mon_call *c, const struct mon_open *q)
{
	const uint32_t known = HOST_OPEN_READ | HOST_OPEN_WRITE |
		HOST_OPEN_CREATE | HOST_OPEN_EXCLUSIVE | HOST_OPEN_TRUNCATE |
		HOST_OPEN_APPEND;
	struct mon_path p;
	struct stat st;
	int r = decode_one(c, q->tree, q->path_size, &p);
	int fd;

	if (r)
		return r;
	if (q->flags & ~known ||
	    ((q->flags & HOST_OPEN_TRUNCATE) && !(q->flags & HOST_OPEN_WRITE)))
		return -HOST_EINVAL;
	r = path_enter(c, &p, q->flags & ~(unsigned)HOST_OPEN_READ);
	if (r)
		return r;
	fd = path_open(&p, open_flags(q->flags), safe_mode(q->mode, false));
	path_leave(&p);
	if (fd < 0)
		return fd;
	r = open_check(c, &p, fd, q, &st);
	if (r) {
		close(fd);
		return r;
	}
	path_stat(c->m, p.tree->is_volume, &st,
		  (struct host_stat *)(void *)c->payload);
	c->reply.size = sizeof(struct host_stat);
	c->reply_handle = fd;
	return 0;
}

/* ---- look up --------------------------------------------------------------- */
struct walk {
	struct mon_call *c;
	const struct mon_tree *tree;
	struct mon_walked *head;
	struct host_stat *out;
	uint32_t max;
	uint32_t open;  /* HOST_OPEN_*: wanted of the last component */
	bool watch;     /* every directory, too */
};

/* Describe what fd is (O_PATH). Returns 1 to go on below it, 0 to stop. */
static int walk_take(struct walk *w, int fd, struct stat *st)
{
	if (fstat(fd, st)) {
		w->head->error = -errno;
		return 0;
	}
	if (path_is_safe(w->tree, fd, st)) {
		w->head->error = denied(w->c, "walk", "", HOST_EACCES);
		return 0;
	}
	path_stat(w->c->m, w->tree->is_volume, st,
		  &w->out[w->head->count++]);
	return S_ISDIR(st->st_mode);
}

/* Returns the handle of the component, or -1 with head->error set. */
static int walk_step(struct walk *w, int dir, const struct stat *st,
		     const char *part)
{
	int fd;

	if (path_may_enter(w->tree, st)) {
		w->head->error = denied(w->c, "walk", part, HOST_EACCES);
		return -1;
	}
	fd = openat(dir, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		w->head->error = -errno;
	return fd;
}

/* Open the walked-to file as well, if that can be done: `part` of dir, just
 * described as st.  Why not, an open of its own would tell. */
static void walk_open(struct walk *w, int dir, const struct stat *st,
		      const char *part)
{
	struct mon_path p = { .tree = w->tree, .dir = dir, .name = part };
	struct stat is;
	int fd;

	if (!w->open || w->head->error || !S_ISREG(st->st_mode) ||
	    path_may_read(w->tree, st) ||
	    ((w->open & HOST_OPEN_WRITE) && w->tree->read_only))
		return;
	fd = path_open(&p, open_flags(w->open), 0);
	if (fd < 0)
		return;
	/* The name may have become another's meanwhile. */
	if (fstat(fd, &is) || is.st_dev != st->st_dev ||
	    is.st_ino != st->st_ino)
		close(fd);
	else
		w->c->reply_handle = fd;
}

static void walk_link(struct walk *w, int fd)
{
	char *to = (char *)&w->out[w->head->count];
	ssize_t n = readlinkat(fd, "", to, HOST_PATH_MAX - 1);

	if (n < 0) {
		w->head->error = -errno;
		return;
	}
	to[n] = '\0';
	w->head->link_size = (uint32_t)n + 1;
}

static void walk_components(struct walk *w, const char *path)
{
	int dir = w->tree->fd, fd = -1, go = 1;
	struct stat st;

	if (fstat(dir, &st)) {
		w->head->error = -errno;
		return;
	}
	while (go && w->head->count < w->max) {
		char part[256];
		size_t n = strcspn(path, "/");

		memcpy(part, path, n);
		part[n] = '\0';
		if (w->watch)
			w->watch = watch_directory(w->tree, dir) &&
				   (path[n] || watch_file(part));
		fd = walk_step(w, dir, &st, part);
		if (fd >= 0)
			go = walk_take(w, fd, &st) && path[n];
		if (fd >= 0 && !path[n])
			walk_open(w, dir, &st, part);
		if (dir != w->tree->fd)
			close(dir);
		dir = fd;
		if (fd < 0)
			return;
		path += n + 1;
	}
	if (!w->head->error && S_ISLNK(st.st_mode))
		walk_link(w, fd);
	if (dir != w->tree->fd)
		close(dir);
}

/* The tree's own root, or the single file that a tree may be. */
static void walk_root(struct walk *w)
{
	struct stat st;
	int fd = w->tree->fd;

	if (w->tree->name[0])
		fd = openat(fd, w->tree->name, O_PATH | O_NOFOLLOW |
			    O_CLOEXEC);
	if (fd < 0) {
		w->head->error = -errno;
		return;
	}
	walk_take(w, fd, &st);
	if (fd != w->tree->fd)
		close(fd);
}

int answer_walk(struct mon_call *c)
{
	const struct mon_walk *q = c->fixed;
	struct walk w = { .c = c,
			  .head = (struct mon_walked *)(void *)c->payload,
			  .max = q->max,
			  .open = q->open & ~(uint32_t)HOST_WALK_WATCH,
			  .watch = q->open & HOST_WALK_WATCH };
	struct mon_path p;
	int r = decode_one(c, q->tree, q->path_size, &p);

	if (r)
		return r;
	if (q->max == 0 || q->max > MON_WALK_MAX ||
	    (q->open & ~(uint32_t)(HOST_OPEN_READ | HOST_OPEN_WRITE |
				   HOST_WALK_WATCH)))
		return -HOST_EINVAL;
	if (p.tree->name[0] && p.full[0])
		return -HOST_ENOTDIR;
	memset(w.head, 0, sizeof(*w.head));
	w.tree = p.tree;
	w.out = (struct host_stat *)(void *)(c->payload + sizeof(*w.head));
	if (p.full[0]) {
		walk_components(&w, p.full);
		w.head->is_watched = w.watch;
	} else {
		walk_root(&w);
	}
	c->reply.size = (uint32_t)(sizeof(*w.head) +
				   w.head->count * sizeof(*w.out) +
				   w.head->link_size);
	return 0;
}

/* ---- list ------------------------------------------------------------------ */
struct kernel_dirent {
	uint64_t ino;
	int64_t next;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* One entry of the host's as one of ours; returns bytes stored. */
static size_t list_put(uint8_t *to, const struct kernel_dirent *d)
{
	struct host_dirent out = { .ino = d->ino,
				   .kind = (uint8_t)path_kind(DTTOIF(d->type)) };
	size_t head = offsetof(struct host_dirent, name);
	size_t n = strlen(d->name) + 1;
	size_t size = (head + n + 7) & ~7ul;

	out.size = (uint16_t)size;
	memset(to, 0, size);
	memcpy(to, &out, head);
	memcpy(to + head, d->name, n);
	return size;
}

static bool is_dots(const char *s)
{
	return s[0] == '.' && (!s[1] || (s[1] == '.' && !s[2]));
}

/* Fill the reply; never longer than what the host gave, as our records are
 * shorter than its. */
static int list_read(struct mon_call *c, int fd, uint32_t max)
{
	static uint8_t buf[MON_LIST_MAX] __attribute__((aligned(8)));
	long n, at;

	do {
		n = syscall(SYS_getdents64, fd, buf, max);
		if (n < 0)
			return -errno;
		for (at = 0; at < n;) {
			struct kernel_dirent *d = (void *)(buf + at);

			if (!is_dots(d->name))
				c->reply.size += (uint32_t)
					list_put(c->payload + c->reply.size,
						 d);
			c->reply.value = (uint64_t)d->next;
			at += d->size;
		}
	} while (n > 0 && !c->reply.size);
	return 0;
}

int answer_list(struct mon_call *c)
{
	const struct mon_list *q = c->fixed;
	struct mon_path p;
	struct stat st;
	int fd, r = decode_one(c, q->tree, q->path_size, &p);

	if (r)
		return r;
	if (q->max > MON_LIST_MAX || q->cursor > INT64_MAX)
		return -HOST_EINVAL;
	r = path_enter(c, &p, false);
	if (r)
		return r;
	fd = path_open(&p, O_RDONLY | O_DIRECTORY, 0);
	path_leave(&p);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		r = -errno;
	else if (path_may_read(p.tree, &st) || path_is_safe(p.tree, fd, &st))
		r = denied(c, "list", p.full, HOST_EACCES);
	else if (q->cursor && lseek(fd, (off_t)q->cursor, SEEK_SET) < 0)
		r = -errno;
	c->reply.value = q->cursor;
	if (!r)
		r = list_read(c, fd, q->max);
	close(fd);
	return r;
}

/* ---- change ---------------------------------------------------------------- */
static int make_at(const struct mon_path *p, const struct mon_make *q,
		   const char *target)
{
	int fd;

	switch (q->kind) {
	case HOST_KIND_DIR:
		return mkdirat(p->dir, p->name, safe_mode(q->mode, true));
	case HOST_KIND_SYMLINK:
		return symlinkat(target, p->dir, p->name);
	case HOST_KIND_FIFO:
		return mknodat(p->dir, p->name, S_IFIFO | (q->mode & 0777),
			       0);
	case HOST_KIND_SOCKET:
		return mknodat(p->dir, p->name, S_IFSOCK | (q->mode & 0777),
			       0);
	case HOST_KIND_FILE:
		fd = openat(p->dir, p->name, O_WRONLY | O_CREAT | O_EXCL |
			    O_NOFOLLOW | O_CLOEXEC, safe_mode(q->mode, false));
		if (fd < 0)
			return -1;
		close(fd);
		return 0;
	}
	errno = EPERM;
	return -1;
}

int answer_make(struct mon_call *c)
{
	const struct mon_make *q = c->fixed;
	bool is_link = q->kind == HOST_KIND_SYMLINK;
	struct mon_path p;
	int r;

	if (is_link ? decode_two(c, q->path_size, q->target_size) :
	    q->path_size != c->text_size || q->target_size)
		return -EPROTO;
	if (q->target_size > HOST_PATH_MAX)
		return -HOST_ENAMETOOLONG;
	r = path_decode(c, q->tree, c->text, q->path_size, &p);
	if (!r)
		r = p.full[0] ? path_enter(c, &p, true) : -HOST_EEXIST;
	if (r)
		return r;
	r = make_at(&p, q, c->text + q->path_size) ? -errno : 0;
	path_leave(&p);
	return r;
}

int answer_remove(struct mon_call *c)
{
	const struct mon_remove *q = c->fixed;
	struct mon_path p;
	int r = decode_one(c, q->tree, q->path_size, &p);

	if (!r)
		r = p.full[0] ? path_enter(c, &p, true) : -EBUSY;
	if (r)
		return r;
	r = unlinkat(p.dir, p.name, q->is_dir ? AT_REMOVEDIR : 0) ? -errno :
	    0;
	path_leave(&p);
	return r;
}

/* Both names of a rename or link, ready to use. */
static int enter_two(struct mon_call *c, const struct mon_rename *q,
		     struct mon_path *from, struct mon_path *to)
{
	int r = decode_two(c, q->from_size, q->to_size);

	if (!r)
		r = path_decode(c, q->tree, c->text, q->from_size, from);
	if (!r)
		r = path_decode(c, q->tree, c->text + q->from_size,
				q->to_size, to);
	if (!r && (!from->full[0] || !to->full[0]))
		r = -EBUSY;
	if (!r)
		r = path_enter(c, from, true);
	if (r)
		return r;
	r = path_enter(c, to, true);
	if (r)
		path_leave(from);
	return r;
}

int answer_rename(struct mon_call *c)
{
	const struct mon_rename *q = c->fixed;
	struct mon_path from, to;
	int r;

	if (q->flags & ~(unsigned)(HOST_RENAME_NOREPLACE |
				   HOST_RENAME_EXCHANGE))
		return -HOST_EINVAL;
	r = enter_two(c, q, &from, &to);
	if (r)
		return r;
	/* The flags have the host's own values. */
	r = syscall(SYS_renameat2, from.dir, from.name, to.dir, to.name,
		    q->flags) ? -errno : 0;
	path_leave(&from);
	path_leave(&to);
	return r;
}

int answer_link(struct mon_call *c)
{
	const struct mon_rename *q = c->fixed;
	struct mon_path from, to;
	int r;

	if (q->flags)
		return -HOST_EINVAL;
	r = enter_two(c, q, &from, &to);
	if (r)
		return r;
	r = linkat(from.dir, from.name, to.dir, to.name, 0) ? -errno : 0;
	path_leave(&from);
	path_leave(&to);
	return r;
}

/* ---- attributes ------------------------------------------------------------ */
static int set_mode(const struct mon_path *p, unsigned mode)
{
	struct stat st;
	int fd, r;

	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	mode = safe_mode(mode, S_ISDIR(st.st_mode));
	r = (int)syscall(SYS_fchmodat2, p->dir, p->name, mode,
			 AT_SYMLINK_NOFOLLOW);
	if (r == 0 || errno != ENOSYS)
		return r;
	fd = path_open(p, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	r = fchmod(fd, mode);
	close(fd);
	return r;
}

/* The sandbox's root is the invoking user; it can give files to nobody
 * else. */
static int set_owner(const struct monitor *m, const struct mon_path *p,
		     uint32_t uid, uint32_t gid)
{
	uid_t u = uid == UINT32_MAX ? (uid_t)-1 : m->uid;
	gid_t g = gid == UINT32_MAX ? (gid_t)-1 : m->gid;

	if ((uid && uid != UINT32_MAX) || (gid && gid != UINT32_MAX)) {
		errno = EPERM;
		return -1;
	}
	return fchownat(p->dir, p->name, u, g, AT_SYMLINK_NOFOLLOW);
}

static struct timespec time_for(bool is_set, int64_t ns)
{
	struct timespec t = { .tv_nsec = UTIME_OMIT };

	if (!is_set)
		return t;
	t.tv_sec = ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	if (t.tv_nsec < 0) {
		t.tv_nsec += 1000000000;
		t.tv_sec--;
	}
	return t;
}

static int set_times(const struct mon_path *p, const struct host_setattr *a)
{
	struct timespec t[2] = {
		time_for(a->which & HOST_SET_ATIME, a->atime_ns),
		time_for(a->which & HOST_SET_MTIME, a->mtime_ns),
	};

	return utimensat(p->dir, p->name, t, AT_SYMLINK_NOFOLLOW);
}

static int set_all(struct mon_call *c, const struct mon_path *p,
		   const struct host_setattr *a)
{
	if ((a->which & HOST_SET_OWNER) &&
	    set_owner(c->m, p, a->uid, a->gid))
		return -errno;
	if ((a->which & HOST_SET_MODE) && set_mode(p, a->mode))
		return -errno;
	if ((a->which & (HOST_SET_ATIME | HOST_SET_MTIME)) &&
	    set_times(p, a))
		return -errno;
	return 0;
}

int answer_setattr(struct mon_call *c)
{
	const struct mon_setattr *q = c->fixed;
	const uint32_t known = HOST_SET_MODE | HOST_SET_ATIME |
			       HOST_SET_MTIME | HOST_SET_OWNER;
	struct mon_path p;
	int r = decode_one(c, q->tree, q->path_size, &p);

	if (r)
		return r;
	if (q->attr.which & ~known)
		return -HOST_EINVAL;
	r = path_enter(c, &p, true);
	if (r)
		return r;
	r = set_all(c, &p, &q->attr);
	path_leave(&p);
	return r;
}
