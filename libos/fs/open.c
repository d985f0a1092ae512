/*
 * open.c - open(2)'s core: find or make, check, open.
 */
#include "hostfs.h"

#include <libos/heap.h>
#include <libos/mm.h>

#include <linux/inotify.h>

static const struct file_ops path_ops = { .name = NULL };

/* ---- one dentry ----------------------------------------------------------------- */
static int count_writer(struct file *f)
{
	struct inode *i = f->inode;
	int err = 0;

	if (!(f->mode & FMODE_WRITE) || !S_ISREG(i->mode))
		return 0;
	mutex_lock(&i->lock);
	if (i->exec_count)
		err = -ETXTBSY;
	else
		i->write_count++;
	mutex_unlock(&i->lock);
	if (!err)
		f->mode |= FMODE_COUNTED;
	return err;
}

static int open_inode(struct inode *i, struct file *f)
{
	if (S_ISFIFO(i->mode))
		return fifo_open(i, f);
	if (S_ISSOCK(i->mode) || S_ISBLK(i->mode) || !i->ops)
		return -ENXIO;
	if (S_ISCHR(i->mode) && (inode_is_memfs(i) || !i->ops->open))
		return chrdev_open(i, f);
	if (i->ops->open)
		return i->ops->open(i, f);
	f->ops = i->fops;
	return f->ops ? 0 : -ENXIO;
}

/* *ready: the host's handle of the file if it is open already; taken over
 * unless this fails. */
static struct file *open_dentry(struct dentry *d, u32 flags,
				host_handle *ready)
{
	struct file *f = file_alloc(NULL, d->inode, flags, NULL);
	int err;

	if (!f)
		return err_ptr(-ENOMEM);
	f->dentry = dentry_get(d);
	if (flags & O_PATH) {
		f->ops = &path_ops;
		return f;
	}
	err = count_writer(f);
	f->handle = *ready;
	if (!err)
		err = open_inode(d->inode, f);
	f->flags &= ~(u32)O_NOCTTY; /* only the open op cared */
	if (err) {
		f->ops = NULL;
		file_put(f);
		return err_ptr(err);
	}
	*ready = HOST_NO_HANDLE;
	if (!f->ops)
		f->ops = &path_ops;
	if (!f->ops->seek)
		f->mode |= FMODE_NOSEEK;
	if (fsnotify_active())
		fsnotify_dentry(d, IN_OPEN);
	return f;
}

struct file *vfs_open_dentry(struct dentry *d, u32 flags)
{
	host_handle none = HOST_NO_HANDLE;

	return open_dentry(d, flags, &none);
}

/* ---- checks ----------------------------------------------------------------------- */
static int access_mask(u32 flags)
{
	static const u8 masks[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				     MAY_READ | MAY_WRITE };
	int mask = masks[flags & O_ACCMODE];

	return flags & O_TRUNC ? mask | MAY_WRITE : mask;
}

static int may_open(struct dentry *d, u32 flags)
{
	struct inode *i = d->inode;
	int mask = access_mask(flags);

	if (S_ISLNK(i->mode))
		return -ELOOP;
	if (S_ISDIR(i->mode) && (mask & MAY_WRITE))
		return -EISDIR;
	if ((mask & MAY_WRITE) && inode_is_readonly(i) &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode)))
		return -EROFS;
	if ((flags & O_NOATIME) && !inode_is_owner(i))
		return -EPERM;
	return inode_permission(i, mask);
}

int vfs_truncate(struct dentry *d, struct inode *i, u64 size)
{
	struct iattr a = { .valid = ATTR_SIZE, .size = size };
	int err = vfs_setattr(d, i, &a);

	if (!err && fsnotify_active() && d)
		fsnotify_dentry(d, IN_MODIFY);
	return err;
}

/* ---- open ------------------------------------------------------------------------- */
static struct file *open_tmpfile(struct dentry *dir, u32 flags, u32 mode)
{
	char name[24];
	struct dentry *d;
	struct inode *i;
	struct file *f;
	int err;

	if (!S_ISDIR(dir->inode->mode))
		return err_ptr(-ENOTDIR);
	if (!(access_mask(flags) & MAY_WRITE))
		return err_ptr(-EINVAL);
	if (!dir->inode->ops->tmpfile)
		return err_ptr(-EOPNOTSUPP);
	err = inode_may_create(dir);
	if (err)
		return err_ptr(err);
	i = dir->inode->ops->tmpfile(dir->inode, mode & ~current_umask());
	if (is_err(i))
		return err_ptr(ptr_err(i));
	if (!(flags & O_EXCL))
		i->flags |= INODE_LINKABLE;
	snprintf(name, sizeof(name), "#%lu", (unsigned long)i->ino);
	d = dentry_new_root(i, name);
	if (!d) {
		inode_put(i);
		return err_ptr(-ENOMEM);
	}
	d->unlinked = true;
	f = vfs_open_dentry(d, flags & ~(u32)O_TMPFILE);
	dentry_put(d);
	return f;
}

static int truncate_opened(struct file *f, struct dentry *d)
{
	int err;

	if (!(f->mode & FMODE_WRITE) || !hostfs_truncate(f, 0, &err))
		return vfs_truncate(d, d->inode, 0);
	if (!err && fsnotify_active())
		fsnotify_dentry(d, IN_MODIFY);
	return err;
}

static struct file *open_found(struct lookup *l, u32 flags)
{
	struct dentry *d = l->dentry;
	struct file *f;
	int err;

	if ((flags & O_DIRECTORY) && !S_ISDIR(d->inode->mode))
		return err_ptr(-ENOTDIR);
	if (flags & O_PATH)
		return vfs_open_dentry(d, flags);
	if ((flags & O_CREAT) && S_ISDIR(d->inode->mode))
		return err_ptr(-EISDIR);
	err = may_open(d, flags);
	if (err)
		return err_ptr(err);
	f = open_dentry(d, flags, &l->handle);
	if (is_err(f) || !(flags & O_TRUNC) || !S_ISREG(d->inode->mode))
		return f;
	err = truncate_opened(f, d);
	if (err) {
		file_put(f);
		return err_ptr(err);
	}
	return f;
}

/* 0: made and opened or failed; -EAGAIN: somebody else was faster. */
static struct file *open_made(struct lookup *l, u32 flags, u32 mode)
{
	int err;

	if (l->slash)
		return err_ptr(-EISDIR);
	err = vfs_make(l->dentry, S_IFREG | (mode & 07777), 0, NULL);
	if (err == -EEXIST && !(flags & O_EXCL))
		return err_ptr(-EAGAIN);
	if (err)
		return err_ptr(err == -EPERM ? -EACCES : err);
	return vfs_open_dentry(l->dentry, flags & ~(u32)O_TRUNC);
}

static u32 lookup_flags_of(u32 flags)
{
	u32 lookup = 0;

	if (flags & O_CREAT)
		lookup |= LOOKUP_NEGATIVE | LOOKUP_SLASH_OK;
	if ((flags & O_NOFOLLOW) ||
	    (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		lookup |= LOOKUP_NOFOLLOW;
	if (flags & O_DIRECTORY)
		lookup |= LOOKUP_DIRECTORY;
	return lookup;
}

/* How the file is to be opened by the walk itself, where that is possible. */
static u32 walk_open_flags(u32 flags)
{
	static const u8 how[4] = { HOST_OPEN_READ,
				   HOST_OPEN_READ | HOST_OPEN_WRITE,
				   HOST_OPEN_READ | HOST_OPEN_WRITE, 0 };

	if ((flags & (O_PATH | O_DIRECTORY)) ||
	    (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return 0;
	return how[flags & O_ACCMODE];
}

struct file *vfs_open_how(int dirfd, const char *path, u32 flags, u32 mode,
			  u32 lookup_flags)
{
	bool tmpfile = (flags & O_TMPFILE) == O_TMPFILE;
	struct lookup l;
	struct file *f;
	int err;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if ((flags & O_CREAT) && (flags & O_DIRECTORY))
		return err_ptr(-EINVAL);
	do {
		err = namei_open(dirfd, path,
				 lookup_flags | lookup_flags_of(flags),
				 walk_open_flags(flags), &l);
		if (err)
			return err_ptr(err);
		if (tmpfile)
			f = open_tmpfile(l.dentry, flags, mode & 07777);
		else if (!l.dentry->inode)
			f = open_made(&l, flags, mode);
		else if ((flags & O_CREAT) && (flags & O_EXCL))
			f = err_ptr(-EEXIST);
		else
			f = open_found(&l, flags);
		if (l.handle != HOST_NO_HANDLE)
			host_stream_close(l.handle);
		dentry_put(l.dentry);
	} while (is_err(f) && ptr_err(f) == -EAGAIN && (flags & O_CREAT));
	return f;
}

struct file *vfs_open(int dirfd, const char *path, u32 flags, u32 mode)
{
	return vfs_open_how(dirfd, path, flags, mode, 0);
}
