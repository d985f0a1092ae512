/*
 * names.c - making, removing, linking and renaming names.
 *
 * In SUPER_PINNED systems a removed name that the lower directory has is
 * replaced by a pinned negative dentry, which hides it.
 */
#include "fs.h"

#include <libos/heap.h>

#include <linux/inotify.h>

#include "memfs.h"

u32 current_umask(void)
{
	struct proc *p = current()->proc;

	return p && p->fs ? p->fs->umask : 022;
}

static bool is_pinned(const struct dentry *d)
{
	return d->parent->inode->super->flags & SUPER_PINNED;
}

/* Give the (locked) directory's name d its inode. */
static void instantiate(struct dentry *d, struct inode *i)
{
	dcache_lock();
	dcache_set_inode(d, i);
	if (is_pinned(d))
		dcache_pin(d);
	dcache_unlock();
}

/* d is about to leave its directory: what keeps its lower namesake hidden
 * then, NULL if there is none.  Made beforehand, as it must not fail later. */
static int cover_make(const struct dentry *d, struct dentry **cover)
{
	*cover = NULL;
	if (!d->in_lower || !is_pinned(d))
		return 0;
	*cover = dentry_alloc(d->name, d->name_size);
	return *cover ? 0 : -ENOMEM;
}

/* The parent, locked, with d still in it; NULL if d was removed. */
static struct dentry *lock_parent(struct dentry *d)
{
	struct dentry *dir;

	for (;;) {
		dcache_lock();
		dir = d->parent;
		dcache_get(dir);
		dcache_unlock();
		mutex_lock(&dir->inode->lock);
		if (d->parent == dir && !d->unlinked)
			return dir;
		mutex_unlock(&dir->inode->lock);
		dentry_put(dir);
		if (d->unlinked)
			return NULL;
	}
}

/* ---- making ----------------------------------------------------------------------- */
static struct inode *ask_make(struct inode *dir, const char *name, u32 mode,
			      u64 rdev, const char *target)
{
	const struct inode_ops *o = dir->ops;

	switch (mode & S_IFMT) {
	case S_IFREG:
		return o->create ? o->create(dir, name, mode & 07777) :
				   err_ptr(-EACCES);
	case S_IFDIR:
		return o->mkdir ? o->mkdir(dir, name, mode & 07777) :
				  err_ptr(-EPERM);
	case S_IFLNK:
		return o->symlink ? o->symlink(dir, name, target) :
				    err_ptr(-EPERM);
	default:
		return o->mknod ? o->mknod(dir, name, mode, rdev) :
				  err_ptr(-EPERM);
	}
}

int vfs_make(struct dentry *d, u32 mode, u64 rdev, const char *target)
{
	struct dentry *dir = lock_parent(d);
	struct inode *i;
	int err;

	if (!dir)
		return -ENOENT;
	err = d->inode ? -EEXIST : inode_may_create(dir);
	if (err)
		goto out;
	if (!S_ISLNK(mode))
		mode &= ~current_umask();
	i = ask_make(dir->inode, d->name, mode, rdev, target);
	err = is_err(i) ? (int)ptr_err(i) : 0;
	if (!err)
		instantiate(d, i);
out:
	mutex_unlock(&dir->inode->lock);
	if (!err)
		fsnotify(dir->inode, IN_CREATE | (S_ISDIR(mode) ? IN_ISDIR : 0),
			 d->name, 0);
	dentry_put(dir);
	return err;
}

int vfs_mknod(int dirfd, const char *path, u32 mode, u64 rdev,
	      struct dentry **out)
{
	struct lookup l;
	int err = namei(dirfd, path, LOOKUP_NEGATIVE | LOOKUP_NOFOLLOW, &l);

	if (err)
		return err;
	err = l.dentry->inode ? -EEXIST :
	      vfs_make(l.dentry, mode, rdev, NULL);
	if (err || !out)
		dentry_put(l.dentry);
	else
		*out = l.dentry;
	return err;
}

int vfs_link(struct dentry *old, struct dentry *d)
{
	struct inode *i = old->inode;
	struct dentry *dir;
	int err;

	if (d->parent->inode->super != i->super)
		return -EXDEV;
	if (S_ISDIR(i->mode) || !d->parent->inode->ops->link)
		return -EPERM;
	dir = lock_parent(d);
	if (!dir)
		return -ENOENT;
	mutex_lock(&i->lock);
	err = d->inode ? -EEXIST : inode_may_create(dir);
	if (!err && !i->nlink && !(i->flags & INODE_LINKABLE))
		err = -ENOENT;
	if (!err)
		err = dir->inode->ops->link(dir->inode, d->name, i);
	mutex_unlock(&i->lock);
	if (!err)
		instantiate(d, inode_get(i));
	mutex_unlock(&dir->inode->lock);
	if (!err) {
		fsnotify(i, IN_ATTRIB, NULL, 0);
		fsnotify(dir->inode, IN_CREATE, d->name, 0);
	}
	dentry_put(dir);
	return err;
}

/* ---- removing ------------------------------------------------------------------------ */
/* dir and, for a directory, the victim's inode are locked. */
static int ask_remove(struct dentry *dir, struct dentry *d, bool rmdir)
{
	const struct inode_ops *o = dir->inode->ops;
	int empty;

	if (!rmdir) {
		if (!o->unlink)
			return -EPERM;
		mutex_lock(&d->inode->lock);
		empty = o->unlink(dir->inode, d->name, d->inode);
		mutex_unlock(&d->inode->lock);
		return empty;
	}
	if (!o->rmdir)
		return -EPERM;
	mutex_lock(&d->inode->lock);
	empty = is_pinned(d) ? memfs_is_empty(d) : 1;
	if (empty > 0)
		empty = o->rmdir(dir->inode, d->name, d->inode);
	else if (empty == 0)
		empty = -ENOTEMPTY;
	if (!empty) {
		dcache_lock();
		d->unlinked = true; /* before the lock goes: no new names */
		dcache_unlock();
	}
	mutex_unlock(&d->inode->lock);
	return empty;
}

static void forget_name(struct dentry *dir, struct dentry *d,
			struct dentry *cover)
{
	dcache_lock();
	dcache_unlink(d);
	if (cover)
		dcache_cover(cover, dir);
	dcache_unlock();
}

static int remove_locked(struct dentry *dir, struct dentry *d, bool rmdir)
{
	struct dentry *cover = NULL;
	int err;

	if (!d->inode)
		return -ENOENT;
	if (d->mounted)
		return -EBUSY;
	err = inode_may_delete(dir->inode, d->inode, rmdir);
	if (!err)
		err = cover_make(d, &cover);
	if (!err)
		err = ask_remove(dir, d, rmdir);
	if (!err)
		forget_name(dir, d, cover);
	else
		dentry_discard(cover);
	return err;
}

static void notify_removed(struct dentry *dir, struct dentry *d, bool rmdir)
{
	if (!fsnotify_active())
		return;
	if (!rmdir)
		fsnotify(d->inode, d->inode->nlink ? IN_ATTRIB :
			 IN_ATTRIB | IN_DELETE_SELF, NULL, 0);
	else
		fsnotify(d->inode, IN_DELETE_SELF, NULL, 0);
	fsnotify(dir->inode, IN_DELETE | (rmdir ? IN_ISDIR : 0), d->name, 0);
}

static int check_last(const struct lookup *l, bool rmdir)
{
	if (l->type != LAST_NORM && !rmdir)
		return -EISDIR;
	if (l->type != LAST_NORM)
		return l->type == LAST_DOT ? -EINVAL :
		       l->type == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
	if (l->dentry->parent == l->dentry)
		return -EBUSY;
	if (!rmdir && l->slash)
		return S_ISDIR(l->dentry->inode->mode) ? -EISDIR : -ENOTDIR;
	return 0;
}

int vfs_unlink(int dirfd, const char *path, bool rmdir)
{
	struct dentry *dir;
	struct lookup l;
	int err = namei(dirfd, path, LOOKUP_NOFOLLOW, &l);

	if (err)
		return err;
	err = check_last(&l, rmdir);
	dir = err ? NULL : lock_parent(l.dentry);
	if (!err && !dir)
		err = -ENOENT;
	if (dir) {
		err = remove_locked(dir, l.dentry, rmdir);
		mutex_unlock(&dir->inode->lock);
		if (!err)
			notify_removed(dir, l.dentry, rmdir);
		dentry_put(dir);
	}
	dentry_put(l.dentry);
	return err;
}

/* ---- renaming -------------------------------------------------------------------------- */
struct rename {
	struct dentry *from, *to, *from_dir, *to_dir;
	u32 flags;
	bool exchange;
	char *storage; /* for the new name */
	struct dentry *cover; /* of the old one */
};

/* rename_lock is held, so the topology stands still; ancestors first. */
static void lock_directories(struct rename *r)
{
	struct inode *a = r->from_dir->inode, *b = r->to_dir->inode;
	bool a_below, b_below;

	dcache_lock();
	a_below = dcache_is_below(r->from_dir, r->to_dir);
	b_below = dcache_is_below(r->to_dir, r->from_dir);
	dcache_unlock();
	if (a == b) {
		mutex_lock(&a->lock);
	} else if (a_below) {
		mutex_lock(&b->lock);
		mutex_lock(&a->lock);
	} else if (b_below) {
		mutex_lock(&a->lock);
		mutex_lock(&b->lock);
	} else {
		mutex_lock_pair(&a->lock, &b->lock);
	}
}

static int check_topology(struct rename *r)
{
	int err = 0;

	dcache_lock();
	if (r->from->parent != r->from_dir || r->to->parent != r->to_dir ||
	    r->from->unlinked || r->to->unlinked)
		err = -EAGAIN;
	else if (dcache_is_below(r->to_dir, r->from))
		err = -EINVAL;
	else if (r->to->inode && dcache_is_below(r->from_dir, r->to))
		err = r->exchange ? -EINVAL : -ENOTEMPTY;
	dcache_unlock();
	return err;
}

static int check_rename(struct rename *r)
{
	struct inode *i = r->from->inode, *victim = r->to->inode;
	bool is_dir;
	int err;

	if (!i || (r->exchange && !victim))
		return -ENOENT;
	if ((r->flags & RENAME_NOREPLACE) && victim)
		return -EEXIST;
	is_dir = S_ISDIR(i->mode);
	err = inode_may_delete(r->from_dir->inode, i, is_dir);
	if (err)
		return err;
	if (!victim)
		err = inode_may_create(r->to_dir);
	else
		err = inode_may_delete(r->to_dir->inode, victim,
				       r->exchange ? S_ISDIR(victim->mode) :
						     is_dir);
	if (!err && (r->from->mounted || r->to->mounted))
		err = -EBUSY;
	if (!err && is_dir && r->from_dir != r->to_dir)
		err = inode_permission(i, MAY_WRITE);
	if (!err && !r->from_dir->inode->ops->rename)
		err = -EPERM;
	return err;
}

static int ask_rename(struct rename *r)
{
	struct inode *victim = r->to->inode;
	int err = 0, empty;

	if (victim && !r->exchange && S_ISDIR(victim->mode) &&
	    is_pinned(r->to)) {
		mutex_lock(&victim->lock);
		empty = memfs_is_empty(r->to);
		if (empty > 0) {
			dcache_lock();
			r->to->unlinked = true;
			dcache_unlock();
		}
		mutex_unlock(&victim->lock);
		err = empty < 0 ? empty : empty ? 0 : -ENOTEMPTY;
	}
	if (err)
		return err;
	return r->from_dir->inode->ops->rename(r->from_dir->inode,
			r->from->name, r->from->inode, r->to_dir->inode,
			r->to->name, victim, r->flags);
}

static void commit_exchange(struct rename *r)
{
	bool lower = r->from->in_lower;

	dcache_lock();
	dcache_exchange(r->from, r->to);
	r->from->in_lower = r->to->in_lower;
	r->to->in_lower = lower;
	if (is_pinned(r->from)) {
		dcache_pin(r->from);
		dcache_pin(r->to);
	}
	dcache_unlock();
}

static void commit_rename(struct rename *r)
{
	bool lower;

	dcache_lock();
	lower = r->to->in_lower;
	dcache_unlink(r->to);
	dcache_move(r->from, r->to_dir, r->to->name, r->storage);
	r->from->in_lower = lower;
	if (is_pinned(r->from))
		dcache_pin(r->from);
	if (r->cover)
		dcache_cover(r->cover, r->from_dir);
	dcache_unlock();
	r->storage = NULL;
	r->cover = NULL;
}

static void notify_rename(struct rename *r, const char *old_name)
{
	static u32 next_cookie = 1;
	u32 cookie = __atomic_fetch_add(&next_cookie, 1, __ATOMIC_RELAXED);
	u32 dir = S_ISDIR(r->from->inode->mode) ? IN_ISDIR : 0;

	fsnotify(r->from_dir->inode, IN_MOVED_FROM | dir, old_name, cookie);
	fsnotify(r->to_dir->inode, IN_MOVED_TO | dir, r->from->name, cookie);
	fsnotify(r->from->inode, IN_MOVE_SELF, NULL, 0);
	if (!r->exchange && r->to->inode)
		fsnotify(r->to->inode, r->to->inode->nlink ? IN_ATTRIB :
			 IN_ATTRIB | IN_DELETE_SELF, NULL, 0);
}

static int rename_locked(struct rename *r)
{
	int err = check_topology(r);

	if (err)
		return err;
	err = check_rename(r);
	if (err)
		return err;
	if (r->from->inode == r->to->inode)
		return 0;
	err = r->exchange ? 0 : cover_make(r->from, &r->cover);
	if (!err)
		err = ask_rename(r);
	if (err)
		return err;
	if (r->exchange)
		commit_exchange(r);
	else
		commit_rename(r);
	return 1;
}

static int rename_dentries(struct rename *r)
{
	char old_name[NAME_MAX_LEN + 1];
	int err;

	mutex_lock(&rename_lock);
	dcache_lock();
	r->from_dir = r->from->parent;
	r->to_dir = r->to->parent;
	dcache_get(r->from_dir);
	dcache_get(r->to_dir);
	strlcpy(old_name, r->from->name, sizeof(old_name));
	dcache_unlock();
	if (r->from_dir->inode->super != r->to_dir->inode->super) {
		err = -EXDEV;
	} else {
		lock_directories(r);
		err = rename_locked(r);
		mutex_unlock_pair(&r->from_dir->inode->lock,
				  &r->to_dir->inode->lock);
	}
	mutex_unlock(&rename_lock);
	if (err > 0 && fsnotify_active())
		notify_rename(r, old_name);
	dentry_put(r->from_dir);
	dentry_put(r->to_dir);
	return err > 0 ? 0 : err;
}

static int check_rename_paths(const struct lookup *a, const struct lookup *b,
			      bool exchange)
{
	if (a->type != LAST_NORM || b->type != LAST_NORM ||
	    a->dentry->parent == a->dentry || b->dentry->parent == b->dentry)
		return -EBUSY;
	if (!S_ISDIR(a->dentry->inode->mode) &&
	    (a->slash || (!exchange && b->slash)))
		return -ENOTDIR;
	return 0;
}

int vfs_rename(int from_fd, const char *from, int to_fd, const char *to,
	       u32 flags)
{
	struct rename r = { .flags = flags,
			    .exchange = flags & RENAME_EXCHANGE };
	struct lookup a, b;
	int err;

	do {
		err = namei(from_fd, from, LOOKUP_NOFOLLOW, &a);
		if (err)
			return err;
		err = namei(to_fd, to, LOOKUP_NOFOLLOW |
			    (r.exchange ? 0 : LOOKUP_NEGATIVE |
			     LOOKUP_SLASH_OK), &b);
		if (err) {
			dentry_put(a.dentry);
			return err;
		}
		r.from = a.dentry;
		r.to = b.dentry;
		err = check_rename_paths(&a, &b, r.exchange);
		if (!err)
			err = dentry_name_storage(b.dentry->name, &r.storage);
		if (!err)
			err = rename_dentries(&r);
		kfree(r.storage);
		dentry_discard(r.cover);
		r.storage = NULL;
		r.cover = NULL;
		dentry_put(a.dentry);
		dentry_put(b.dentry);
	} while (err == -EAGAIN);
	return err;
}
