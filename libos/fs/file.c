/*
 * file.c - open file descriptions: birth, death, reading, writing, seeking.
 *
 * f->lock guards f->pos; streams (FMODE_STREAM) have none and take no lock,
 * so that a blocked reader does not hold up a writer.
 */
#include "fs.h"

#include <libos/heap.h>

#include <linux/inotify.h>

struct file *file_alloc(const struct file_ops *ops, struct inode *ino,
			u32 flags, void *priv)
{
	struct file *f = kzalloc(sizeof(*f));
	u32 access = flags & O_ACCMODE;

	if (!f)
		return NULL;
	ref_init(&f->ref);
	f->flags = flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC |
				  O_CLOEXEC);
	if (flags & O_PATH)
		f->mode = FMODE_PATH;
	else if (access == O_RDONLY)
		f->mode = FMODE_READ;
	else if (access == O_WRONLY)
		f->mode = FMODE_WRITE;
	else if (access == O_RDWR)
		f->mode = FMODE_READ | FMODE_WRITE;
	f->ops = ops;
	f->inode = ino ? inode_get(ino) : anon_inode();
	f->priv = priv;
	f->handle = HOST_NO_HANDLE;
	list_init(&f->epoll_items);
	return f;
}

struct file *file_anon(const struct file_ops *ops, u32 flags, void *priv)
{
	struct file *f = file_alloc(ops, NULL, flags, priv);

	if (f)
		f->mode |= FMODE_STREAM;
	return f;
}

static void drop_write_access(struct file *f)
{
	if ((f->mode & (FMODE_COUNTED | FMODE_EXEC)) == 0)
		return;
	mutex_lock(&f->inode->lock);
	if (f->mode & FMODE_COUNTED)
		f->inode->write_count--;
	if (f->mode & FMODE_EXEC)
		f->inode->exec_count--;
	mutex_unlock(&f->inode->lock);
}

static void file_free(struct file *f)
{
	if (f->dentry && !(f->mode & FMODE_PATH))
		fsnotify_dentry(f->dentry, f->mode & FMODE_WRITE ?
				IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (!list_empty(&f->epoll_items))
		epoll_file_released(f);
	if (!list_empty(&f->inode->locks))
		locks_release_flock(f);
	if (f->ops && f->ops->release && !(f->mode & FMODE_PATH))
		f->ops->release(f);
	drop_write_access(f);
	if (f->dentry)
		dentry_put(f->dentry);
	inode_put(f->inode);
	kfree(f);
}

void file_put(struct file *f)
{
	if (f && ref_put(&f->ref))
		file_free(f);
}

/* ---- reading and writing ------------------------------------------------------ */
static ssize_t transfer(struct file *f, struct uio *u, u64 *pos,
			ssize_t (*op)(struct file *, struct uio *, u64 *))
{
	u64 none = 0;
	ssize_t n;

	if (pos)
		return op(f, u, pos);
	if (f->mode & FMODE_STREAM)
		return op(f, u, &none);
	mutex_lock(&f->lock);
	n = op(f, u, &f->pos);
	mutex_unlock(&f->lock);
	return n;
}

ssize_t file_read(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n;

	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (!f->ops->read)
		return -EINVAL;
	n = transfer(f, u, pos, f->ops->read);
	if (n > 0 && fsnotify_active())
		fsnotify_dentry(f->dentry, IN_ACCESS);
	return n;
}

ssize_t file_write(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	n = transfer(f, u, pos, f->ops->write);
	if (n > 0 && fsnotify_active())
		fsnotify_dentry(f->dentry, IN_MODIFY);
	return n;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct host_iovec iov;
	struct uio u;

	if (!f->ops->read)
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	uio_single(&u, &iov, buf, n, true);
	return transfer(f, &u, pos, f->ops->read);
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct host_iovec iov;
	struct uio u;

	uio_single(&u, &iov, (void *)(uintptr_t)buf, n, true);
	return file_write(f, &u, pos);
}

/* ---- seeking -------------------------------------------------------------------- */
s64 file_seek_sized(struct file *f, s64 off, int whence, u64 size)
{
	s64 pos, base = 0;

	mutex_lock(&f->lock);
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
		base = (s64)size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0 || (u64)off >= size) {
			mutex_unlock(&f->lock);
			return -ENXIO;
		}
		if (whence == SEEK_HOLE)
			off = (s64)size;
		break;
	default:
		mutex_unlock(&f->lock);
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &pos))
		pos = -EOVERFLOW;
	else if (pos < 0)
		pos = -EINVAL;
	else
		f->pos = (u64)pos;
	mutex_unlock(&f->lock);
	return pos;
}
