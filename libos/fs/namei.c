/*
 * namei.c - from a path to a dentry.
 *
 * A walk holds dcache_mutex while every component is in the cache, and so
 * needs no reference on the way.  For a component that is not, for symbolic
 * links that must be asked for, and for magic links it takes a reference on
 * where it is (walk->held), lets the lock go, asks, and goes on.
 */
#include "hostfs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

struct walk {
	struct dentry *at;     /* alive: dcache_mutex, or below held */
	struct dentry *held;   /* a reference of ours, or NULL */
	struct dentry *root;
	struct dentry *floor;  /* RESOLVE_BENEATH and IN_ROOT: not above */
	bool root_held;
	const char *p;         /* what is left of the path */
	char *buf;             /* kmalloc'd: holds p after a link */
	u32 flags;
	int links;
	u64 stamp;
	enum last_type type;
	bool slash, is_magic;
	char *last;            /* LOOKUP_PARENT: the last name goes here */
	struct walk_open open;
};

struct component { const char *name; size_t n; u32 hash; bool is_last; };

static u64 next_stamp = 1;

/* Before the lock is let go: keep what the walk stands on. */
static void walk_hold(struct walk *w, struct dentry *d)
{
	dcache_get(d);
	if (!w->root_held) {
		dcache_get(w->root);
		w->root_held = true;
	}
	if (w->held)
		dcache_put(w->held);
	w->held = d;
}

static void walk_hold_taken(struct walk *w, struct dentry *d)
{
	if (w->held)
		dcache_put(w->held);
	w->held = d;
}

/* ---- one name in one directory ------------------------------------------------ */
static bool is_fresh(const struct dentry *dir, const struct dentry *d,
		     u64 stamp)
{
	return !(dir->inode->super->flags & SUPER_STAMPED) ||
	       d->stamp == stamp || d->mounted ||
	       (d->seen && hostwatch_holds(d, stamp));
}

static struct dentry *find_fresh(struct dentry *dir, const char *name,
				 size_t n, u64 stamp)
{
	struct dentry *d;

	dcache_lock();
	d = dcache_find(dir, name, n, dentry_hash_name(name, n));
	if (d && !is_fresh(dir, d, stamp))
		d = NULL;
	if (d)
		dcache_get(d);
	dcache_unlock();
	return d;
}

/* Ask the file system; dir->inode->lock is held.  rest starts with name. */
static struct dentry *lookup_ask(struct dentry *dir, const char *name,
				 size_t n, const char *rest, u64 stamp,
				 struct walk_open *o)
{
	char copy[NAME_MAX_LEN + 1];
	struct super *s = dir->inode->super;
	struct inode *i;
	struct dentry *d;
	int err;

	if (s->prefill) {
		err = s->prefill(dir, rest, stamp, o);
		if (err)
			return err_ptr(err);
		d = find_fresh(dir, name, n, stamp);
		if (d)
			return d;
		i = NULL;
	} else if (dir->inode->ops->lookup) {
		memcpy(copy, name, n);
		copy[n] = 0;
		i = dir->inode->ops->lookup(dir->inode, copy);
		if (is_err(i)) {
			if (ptr_err(i) != -ENOENT)
				return err_ptr(ptr_err(i));
			i = NULL;
		}
	} else {
		return err_ptr(-ENOTDIR);
	}
	d = dentry_add(dir, name, n, i, stamp);
	return d ? d : err_ptr(-ENOMEM);
}

static struct dentry *lookup_locked(struct dentry *dir, const char *name,
				    size_t n, const char *rest, u64 stamp,
				    struct walk_open *o)
{
	struct dentry *d = find_fresh(dir, name, n, stamp);

	if (d)
		return d;
	if (dir->unlinked)
		return err_ptr(-ENOENT);
	return lookup_ask(dir, name, n, rest, stamp, o);
}

struct dentry *lookup_one(struct dentry *dir, const char *name, size_t n)
{
	char rest[NAME_MAX_LEN + 1];

	if (n > NAME_MAX_LEN)
		return err_ptr(-ENAMETOOLONG);
	memcpy(rest, name, n);
	rest[n] = 0;
	return lookup_locked(dir, name, n, rest,
			     __atomic_fetch_add(&next_stamp, 1,
						__ATOMIC_RELAXED), NULL);
}

/* The cached dentry is no good, or there is none. */
static struct dentry *walk_ask(struct walk *w, const struct component *c)
{
	struct dentry *dir = w->at, *d;

	walk_hold(w, dir);
	dcache_unlock();
	mutex_lock(&dir->inode->lock);
	d = lookup_locked(dir, c->name, c->n, c->name, w->stamp, &w->open);
	mutex_unlock(&dir->inode->lock);
	dcache_lock();
	if (!is_err(d))
		walk_hold_taken(w, d);
	return d;
}

/* File systems that can tell whether a cached name still holds (procfs). */
static struct dentry *walk_revalidate(struct walk *w, struct dentry *d,
				      const struct component *c)
{
	struct dentry *dir = w->at;
	bool good;

	walk_hold(w, d); /* holds dir too */
	dcache_unlock();
	good = dir->inode->ops->revalidate(dir->inode, d->name, d->inode);
	dcache_lock();
	if (good)
		return d;
	if (!d->unlinked)
		dcache_unlink(d);
	return walk_ask(w, c);
}

static struct dentry *walk_child(struct walk *w, const struct component *c)
{
	struct dentry *d = dcache_find(w->at, c->name, c->n, c->hash);

	if (!d || !is_fresh(w->at, d, w->stamp))
		return walk_ask(w, c);
	if (UNLIKELY(w->at->inode->ops->revalidate && d->inode))
		return walk_revalidate(w, d, c);
	return d;
}

/* ---- moving about ---------------------------------------------------------------- */
static int walk_up(struct walk *w)
{
	struct dentry *d = w->at;

	if (d == w->floor)
		return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
	if (d == w->root)
		return 0;
	while (d->parent == d && d->covers) {
		if (w->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		d = d->covers;
		if (d == w->root)
			return 0;
	}
	w->at = d->parent;
	while (w->at->mounted && w->at != w->root)
		w->at = w->at->mounted;
	return 0;
}

static int walk_magic(struct walk *w, struct dentry *link)
{
	struct dentry *to = NULL;
	int err;

	if (w->flags & (LOOKUP_NO_MAGIC | LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return w->flags & LOOKUP_NO_MAGIC ? -ELOOP : -EXDEV;
	walk_hold(w, link);
	dcache_unlock();
	err = link->inode->ops->follow(link->inode, &to);
	dcache_lock();
	if (err)
		return err;
	walk_hold_taken(w, to);
	w->at = to;
	w->is_magic = true;
	return 0;
}

/* Put the link's text before what is left of the path. */
static int walk_link(struct walk *w, struct dentry *link)
{
	struct inode *i = link->inode;
	size_t rest = strlen(w->p), max;
	ssize_t n;
	char *buf;

	if (++w->links > LINK_MAX_FOLLOW || (w->flags & LOOKUP_NO_SYMLINKS))
		return -ELOOP;
	if (i->ops->follow)
		return walk_magic(w, link);
	if (!i->ops->readlink)
		return -EINVAL;
	max = i->super->flags & SUPER_PINNED ? i->size + 1 : PATH_MAX_LEN;
	buf = kmalloc(max + rest + 1);
	if (!buf)
		return -ENOMEM;
	if (i->super->flags & SUPER_PINNED) {
		n = i->ops->readlink(i, buf, max); /* its text never changes */
	} else {
		walk_hold(w, link); /* and the directory, its parent */
		dcache_unlock();
		n = i->ops->readlink(i, buf, max);
		dcache_lock();
	}
	if (n <= 0) {
		kfree(buf);
		return n ? (int)n : -ENOENT;
	}
	n = MIN(n, (ssize_t)max - 1);
	memcpy(buf + n, w->p, rest + 1);
	kfree(w->buf);
	w->buf = buf;
	w->p = buf;
	if (*buf == '/') {
		if (w->flags & LOOKUP_BENEATH)
			return -EXDEV;
		w->at = w->root;
		w->type = LAST_ROOT;
	}
	return 0;
}

static int walk_into(struct walk *w, struct dentry *d,
		     const struct component *c)
{
	bool nofollow = c->is_last && !w->slash &&
			(w->flags & LOOKUP_NOFOLLOW);

	while (d->mounted) {
		if (w->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		d = d->mounted;
	}
	if (!d->inode) {
		if (!c->is_last || !(w->flags & LOOKUP_NEGATIVE))
			return -ENOENT;
		if (w->slash && !(w->flags & LOOKUP_SLASH_OK))
			return -ENOENT;
	} else if (S_ISLNK(d->inode->mode) && !nofollow) {
		return walk_link(w, d);
	}
	w->at = d;
	return 0;
}

static int walk_named(struct walk *w, const struct component *c)
{
	struct dentry *d;
	int err = 0;

	if (c->n == 1 && c->name[0] == '.') {
		w->type = LAST_DOT;
		return 0;
	}
	if (c->n == 2 && c->name[0] == '.' && c->name[1] == '.') {
		w->type = LAST_DOTDOT;
		return walk_up(w);
	}
	w->type = LAST_NORM;
	if (c->is_last && w->last) {
		memcpy(w->last, c->name, c->n);
		w->last[c->n] = 0;
		return 0;
	}
	d = walk_child(w, c);
	if (is_err(d))
		return (int)ptr_err(d);
	err = walk_into(w, d, c);
	return err;
}

static void next_component(struct walk *w, struct component *c)
{
	const char *p = w->p;
	u32 h = DENTRY_HASH_SEED;

	c->name = p;
	for (; *p && *p != '/'; p++)
		h = dentry_hash_step(h, *p);
	c->n = (size_t)(p - c->name);
	c->hash = h;
	w->p = p;
	w->slash = *p == '/';
	while (*p == '/')
		p++;
	c->is_last = !*p;
}

static int walk_run(struct walk *w)
{
	struct component c;
	int err;

	for (;;) {
		while (*w->p == '/')
			w->p++;
		if (!*w->p)
			break;
		if (!w->at->inode || !S_ISDIR(w->at->inode->mode))
			return -ENOTDIR;
		err = inode_permission(w->at->inode, MAY_EXEC);
		if (err)
			return err;
		next_component(w, &c);
		if (c.n > NAME_MAX_LEN)
			return -ENAMETOOLONG;
		err = walk_named(w, &c);
		if (err)
			return err;
	}
	if (w->last)
		return 0;
	if (w->at->inode && !S_ISDIR(w->at->inode->mode) &&
	    (w->slash || (w->flags & LOOKUP_DIRECTORY)))
		return -ENOTDIR;
	return 0;
}

/* ---- starting and ending ------------------------------------------------------------ */
static int walk_start_fd(struct walk *w, int dirfd, bool need_dir)
{
	struct file *f = fd_get_any(dirfd);

	if (!f)
		return -EBADF;
	if (!f->dentry || (need_dir && !S_ISDIR(f->inode->mode))) {
		int err = f->dentry || need_dir ? -ENOTDIR : -ENOENT;

		file_put(f);
		return err;
	}
	w->held = dentry_get(f->dentry);
	w->at = w->held;
	file_put(f);
	return 0;
}

static int walk_start(struct walk *w, int dirfd, const char *path, u32 flags)
{
	struct proc *p = current()->proc;
	struct fs_context *fs = p && p->fs && p->fs->root ? p->fs : NULL;
	int err;

	memset(w, 0, sizeof(*w));
	w->flags = flags;
	w->p = path;
	w->type = LAST_ROOT;
	w->stamp = __atomic_fetch_add(&next_stamp, 1, __ATOMIC_RELAXED);
	if (!*path && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if ((*path != '/' || (flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH))) &&
	    dirfd != AT_FDCWD) {
		err = walk_start_fd(w, dirfd, *path != 0);
		if (err)
			return err;
	}
	dcache_lock();
	w->root = fs ? fs->root : vfs_root;
	if (!w->at)
		w->at = *path == '/' && !(flags & LOOKUP_IN_ROOT) ? w->root :
			fs ? fs->cwd : vfs_root;
	if (flags & LOOKUP_IN_ROOT)
		w->root = w->at;
	if (flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		w->floor = w->at;
	if (w->held || w->floor)
		walk_hold(w, w->at);
	if (*path == '/' && (flags & LOOKUP_BENEATH))
		return -EXDEV;
	if (*path == '/')
		w->at = w->root;
	else if (*path)
		w->type = LAST_NORM;
	return 0;
}

static void walk_end(struct walk *w)
{
	if (w->root) {
		if (w->held)
			dcache_put(w->held);
		if (w->root_held)
			dcache_put(w->root);
		dcache_unlock();
	}
	kfree(w->buf);
}

/* What the walk has opened goes to who asked, if it is what was found. */
static host_handle walk_opened(struct walk_open *o, bool is_it)
{
	host_handle h = o->handle;

	if (h != HOST_NO_HANDLE && !is_it) {
		host_stream_close(h);
		h = HOST_NO_HANDLE;
	}
	inode_put(o->inode);
	return h;
}

static int walk(int dirfd, const char *path, u32 flags, u32 open, char *last,
		struct lookup *out)
{
	struct walk w;
	int err = walk_start(&w, dirfd, path, flags);
	bool is_it = false;

	w.last = last;
	w.open.flags = open;
	w.open.handle = HOST_NO_HANDLE;
	if (!err)
		err = walk_run(&w);
	if (!err) {
		dcache_get(w.at);
		out->dentry = w.at;
		out->type = w.type;
		out->slash = w.slash;
		out->is_magic = w.is_magic;
		is_it = w.at->inode == w.open.inode;
	}
	walk_end(&w);
	out->handle = walk_opened(&w.open, is_it);
	return err;
}

int namei(int dirfd, const char *path, u32 flags, struct lookup *out)
{
	return walk(dirfd, path, flags, 0, NULL, out);
}

int namei_open(int dirfd, const char *path, u32 flags, u32 open,
	       struct lookup *out)
{
	return walk(dirfd, path, flags, open, NULL, out);
}

int path_lookup(int dirfd, const char *path, u32 flags, struct dentry **out)
{
	char last[NAME_MAX_LEN + 1];
	struct lookup l;
	int err = walk(dirfd, path, flags, 0,
		       flags & LOOKUP_PARENT ? last : NULL, &l);

	if (!err)
		*out = l.dentry;
	return err;
}

int path_lookup_open(int dirfd, const char *path, u32 flags,
		     struct dentry **out)
{
	struct lookup l;
	int err = walk(dirfd, path, flags, HOST_OPEN_READ, NULL, &l);

	if (err)
		return err;
	if (l.handle != HOST_NO_HANDLE)
		host_stream_close(l.handle);
	*out = l.dentry;
	return 0;
}

int path_lookup_parent(int dirfd, const char *path, struct dentry **dir,
		       char *last, bool *trailing_slash)
{
	struct lookup l;
	int err = walk(dirfd, path, LOOKUP_PARENT, 0, last, &l);

	if (err)
		return err;
	if (l.type != LAST_NORM) {
		dentry_put(l.dentry);
		return -EEXIST;
	}
	*dir = l.dentry;
	*trailing_slash = l.slash;
	return 0;
}

/* ---- paths of the guest ---------------------------------------------------------------- */
char *path_from_user(u64 upath)
{
	char *p = kmalloc(PATH_MAX_LEN);
	ssize_t n;

	if (!p)
		return err_ptr(-ENOMEM);
	n = strncpy_from_user(p, upath, PATH_MAX_LEN);
	if (n < 0) {
		kfree(p);
		return err_ptr(n);
	}
	return p;
}

int user_namei(int dirfd, u64 upath, u32 flags, struct lookup *out)
{
	char path[PATH_MAX_LEN];
	ssize_t n = strncpy_from_user(path, upath, sizeof(path));

	return n < 0 ? (int)n : namei(dirfd, path, flags, out);
}

int user_path_lookup(int dirfd, u64 upath, u32 flags, struct dentry **out)
{
	struct lookup l;
	int err = user_namei(dirfd, upath, flags, &l);

	if (!err)
		*out = l.dentry;
	return err;
}

int user_path_at(int dirfd, u64 upath, bool nofollow, bool empty,
		 struct dentry **out)
{
	return user_path_lookup(dirfd, upath,
				(nofollow ? LOOKUP_NOFOLLOW : 0) |
				(empty ? LOOKUP_EMPTY : 0), out);
}
