/*
 * sys_dir.c - system calls on names: getdents, mkdir, mknod, link, symlink,
 * unlink, rename, readlink, chdir, chroot, getcwd.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

#define DENTS_BUFFER 32768ul

/* ---- getdents ----------------------------------------------------------------------- */
struct dents {
	struct dir_context c;
	char *buf;
	size_t size, used;
	bool old;    /* getdents: another layout */
	bool full;
	bool tiny;   /* not even one entry fits */
};

static bool emit_entry(struct dir_context *c, const char *name, size_t len,
		       u64 ino, unsigned type, u64 next)
{
	struct dents *d = container_of(c, struct dents, c);
	size_t head = d->old ? 18 : 19;
	size_t size = (head + len + 1 + (d->old ? 1 : 0) + 7) & ~7ul;
	char *at = d->buf + d->used;

	if (size > d->size - d->used) {
		d->full = true;
		d->tiny = !d->used;
		return false;
	}
	memset(at, 0, size);
	memcpy(at, &ino, 8);
	memcpy(at + 8, &next, 8);
	*(u16 *)(void *)(at + 16) = (u16)size;
	memcpy(at + head, name, len);
	if (d->old)
		at[size - 1] = (char)type;
	else
		at[18] = (char)type;
	d->used += size;
	c->pos = next;
	return true;
}

static long read_dents(struct file *f, struct dents *d)
{
	int err;

	if (!f->ops->readdir)
		return -ENOTDIR;
	if (f->dentry && f->dentry->unlinked)
		return -ENOENT;
	mutex_lock(&f->lock);
	d->c.pos = f->pos;
	err = f->ops->readdir(f, &d->c);
	if (err >= 0 || d->used)
		f->pos = d->c.pos;
	mutex_unlock(&f->lock);
	if (d->tiny)
		return -EINVAL;
	return err < 0 && !d->used ? err : (long)d->used;
}

static long getdents(const struct sysargs *a, bool old)
{
	struct dents d = { .c = { .emit = emit_entry }, .old = old };
	struct file *f = fd_get((int)a->a[0]);
	long n;

	if (!f)
		return -EBADF;
	d.size = MIN((u64)(u32)a->a[2], DENTS_BUFFER);
	d.buf = kmalloc(d.size ? d.size : 1);
	n = d.buf ? read_dents(f, &d) : -ENOMEM;
	if (n > 0 && copy_to_user(a->a[1], d.buf, (size_t)n))
		n = -EFAULT;
	kfree(d.buf);
	file_put(f);
	return n;
}

long sys_getdents(struct task *t, const struct sysargs *a)
{
	return getdents(a, true);
}

long sys_getdents64(struct task *t, const struct sysargs *a)
{
	return getdents(a, false);
}

/* ---- making --------------------------------------------------------------------------- */
static long make_at(int dirfd, u64 upath, u32 mode, u64 rdev,
		    const char *target)
{
	struct lookup l;
	int err = user_namei(dirfd, upath, LOOKUP_NEGATIVE | LOOKUP_NOFOLLOW |
			     (S_ISDIR(mode) ? LOOKUP_SLASH_OK : 0), &l);

	if (err)
		return err;
	err = l.dentry->inode ? -EEXIST :
	      vfs_make(l.dentry, mode, rdev, target);
	dentry_put(l.dentry);
	return err;
}

long sys_mkdir(struct task *t, const struct sysargs *a)
{
	return make_at(AT_FDCWD, a->a[0], S_IFDIR | ((u32)a->a[1] & 01777), 0,
		       NULL);
}

long sys_mkdirat(struct task *t, const struct sysargs *a)
{
	return make_at((int)a->a[0], a->a[1], S_IFDIR | ((u32)a->a[2] & 01777),
		       0, NULL);
}

static long mknod_at(int dirfd, u64 upath, u32 mode, u64 rdev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		/* 0,0 is overlayfs's whiteout, which anybody may make */
		if (!capable(KCAP_MKNOD) && rdev)
			return -EPERM;
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make_at(dirfd, upath, mode & (S_IFMT | 07777), rdev, NULL);
}

long sys_mknod(struct task *t, const struct sysargs *a)
{
	return mknod_at(AT_FDCWD, a->a[0], (u32)a->a[1], a->a[2]);
}

long sys_mknodat(struct task *t, const struct sysargs *a)
{
	return mknod_at((int)a->a[0], a->a[1], (u32)a->a[2], a->a[3]);
}

static long symlink_at(u64 utarget, int dirfd, u64 upath)
{
	char *target = path_from_user(utarget);
	long ret;

	if (is_err(target))
		return ptr_err(target);
	ret = *target ? make_at(dirfd, upath, S_IFLNK | 0777, 0, target) :
			-ENOENT;
	kfree(target);
	return ret;
}

long sys_symlink(struct task *t, const struct sysargs *a)
{
	return symlink_at(a->a[0], AT_FDCWD, a->a[1]);
}

long sys_symlinkat(struct task *t, const struct sysargs *a)
{
	return symlink_at(a->a[0], (int)a->a[1], a->a[2]);
}

static long link_at(int from_fd, u64 from, int to_fd, u64 to, u32 flags)
{
	struct dentry *old;
	struct lookup l;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !capable(KCAP_DAC_READ_SEARCH))
		return -ENOENT;
	err = user_path_at(from_fd, from, !(flags & AT_SYMLINK_FOLLOW),
			   flags & AT_EMPTY_PATH, &old);
	if (err)
		return err;
	err = user_namei(to_fd, to, LOOKUP_NEGATIVE | LOOKUP_NOFOLLOW, &l);
	if (!err) {
		err = l.dentry->inode ? -EEXIST : vfs_link(old, l.dentry);
		dentry_put(l.dentry);
	}
	dentry_put(old);
	return err;
}

long sys_link(struct task *t, const struct sysargs *a)
{
	return link_at(AT_FDCWD, a->a[0], AT_FDCWD, a->a[1], 0);
}

long sys_linkat(struct task *t, const struct sysargs *a)
{
	return link_at((int)a->a[0], a->a[1], (int)a->a[2], a->a[3],
		       (u32)a->a[4]);
}

/* ---- removing and renaming ---------------------------------------------------------------- */
static long unlink_at(int dirfd, u64 upath, bool rmdir)
{
	char path[PATH_MAX_LEN];
	ssize_t n = strncpy_from_user(path, upath, sizeof(path));

	return n < 0 ? n : vfs_unlink(dirfd, path, rmdir);
}

long sys_unlink(struct task *t, const struct sysargs *a)
{
	return unlink_at(AT_FDCWD, a->a[0], false);
}

long sys_rmdir(struct task *t, const struct sysargs *a)
{
	return unlink_at(AT_FDCWD, a->a[0], true);
}

long sys_unlinkat(struct task *t, const struct sysargs *a)
{
	if (a->a[2] & ~(u64)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at((int)a->a[0], a->a[1], a->a[2] & AT_REMOVEDIR);
}

static long rename_at(int from_fd, u64 ufrom, int to_fd, u64 uto, u32 flags)
{
	char *from, *to;
	long ret;

	if ((flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	from = path_from_user(ufrom);
	if (is_err(from))
		return ptr_err(from);
	to = path_from_user(uto);
	ret = is_err(to) ? ptr_err(to) :
			   vfs_rename(from_fd, from, to_fd, to, flags);
	if (!is_err(to))
		kfree(to);
	kfree(from);
	return ret;
}

long sys_rename(struct task *t, const struct sysargs *a)
{
	return rename_at(AT_FDCWD, a->a[0], AT_FDCWD, a->a[1], 0);
}

long sys_renameat(struct task *t, const struct sysargs *a)
{
	return rename_at((int)a->a[0], a->a[1], (int)a->a[2], a->a[3], 0);
}

long sys_renameat2(struct task *t, const struct sysargs *a)
{
	return rename_at((int)a->a[0], a->a[1], (int)a->a[2], a->a[3],
			 (u32)a->a[4]);
}

/* ---- readlink -------------------------------------------------------------------------------- */
static ssize_t read_magic(struct inode *i, char *buf, size_t size)
{
	struct dentry *d;
	char *path;
	size_t n;
	int err = i->ops->follow(i, &d);

	if (err)
		return err;
	path = dentry_path(d, buf, size, true);
	dentry_put(d);
	if (is_err(path))
		return ptr_err(path);
	n = strlen(path);
	memmove(buf, path, n + 1);
	return (ssize_t)n;
}

static long readlink_at(int dirfd, u64 upath, u64 ubuf, s32 size)
{
	char buf[PATH_MAX_LEN];
	struct dentry *d;
	struct inode *i;
	ssize_t n;
	int err;

	if (size <= 0)
		return -EINVAL;
	err = user_path_at(dirfd, upath, true, true, &d);
	if (err)
		return err;
	i = d->inode;
	if (!S_ISLNK(i->mode))
		n = -EINVAL;
	else if (i->ops->readlink)
		n = i->ops->readlink(i, buf, sizeof(buf));
	else if (i->ops->follow)
		n = read_magic(i, buf, sizeof(buf));
	else
		n = -EINVAL;
	dentry_put(d);
	if (n < 0)
		return n;
	n = MIN(n, (ssize_t)size);
	return copy_to_user(ubuf, buf, (size_t)n) ? -EFAULT : n;
}

long sys_readlink(struct task *t, const struct sysargs *a)
{
	return readlink_at(AT_FDCWD, a->a[0], a->a[1], (s32)a->a[2]);
}

long sys_readlinkat(struct task *t, const struct sysargs *a)
{
	return readlink_at((int)a->a[0], a->a[1], a->a[2], (s32)a->a[3]);
}

/* ---- where a process is ------------------------------------------------------------------------ */
/* Takes over d. */
static void set_place(struct fs_context *fs, struct dentry **place,
		      struct dentry *d)
{
	struct dentry *old;

	mutex_lock(&fs->lock);
	dcache_lock();
	old = *place;
	*place = d;
	dcache_put(old);
	dcache_unlock();
	mutex_unlock(&fs->lock);
}

static long change_place(struct task *t, struct dentry *d, bool root)
{
	struct fs_context *fs = t->proc->fs;
	int err = S_ISDIR(d->inode->mode) ? 0 : -ENOTDIR;

	if (!err)
		err = inode_permission(d->inode, MAY_EXEC);
	if (!err && root && !capable(KCAP_SYS_CHROOT))
		err = -EPERM;
	if (err)
		dentry_put(d);
	else
		set_place(fs, root ? &fs->root : &fs->cwd, d);
	return err;
}

long sys_chdir(struct task *t, const struct sysargs *a)
{
	struct dentry *d;
	int err = user_path_lookup(AT_FDCWD, a->a[0], LOOKUP_DIRECTORY, &d);

	return err ? err : change_place(t, d, false);
}

long sys_chroot(struct task *t, const struct sysargs *a)
{
	struct dentry *d;
	int err = user_path_lookup(AT_FDCWD, a->a[0], LOOKUP_DIRECTORY, &d);

	return err ? err : change_place(t, d, true);
}

long sys_fchdir(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get_any((int)a->a[0]);
	long ret;

	if (!f)
		return -EBADF;
	ret = f->dentry ? change_place(t, dentry_get(f->dentry), false) :
			  -ENOTDIR;
	file_put(f);
	return ret;
}

long sys_getcwd(struct task *t, const struct sysargs *a)
{
	char buf[PATH_MAX_LEN + 16], *path;
	struct fs_context *fs = t->proc->fs;
	struct dentry *d;
	size_t n;

	dcache_lock();
	d = fs->cwd;
	dcache_get(d);
	dcache_unlock();
	path = d->unlinked ? err_ptr(-ENOENT) :
			     dentry_path(d, buf, sizeof(buf), false);
	dentry_put(d);
	if (is_err(path))
		return ptr_err(path);
	n = strlen(path) + 1;
	if (n > a->a[1])
		return -ERANGE;
	return copy_to_user(a->a[0], path, n) ? -EFAULT : (long)n;
}

/* ---- struct fs_context -------------------------------------------------------------------------- */
struct fs_context *fs_context_new(void)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	if (vfs_root) { /* the very first is made before the tree */
		fs->root = dentry_get(vfs_root);
		fs->cwd = dentry_get(vfs_root);
	}
	fs->umask = 022;
	return fs;
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	mutex_lock(&from->lock);
	fs->root = dentry_get(from->root);
	fs->cwd = dentry_get(from->cwd);
	fs->umask = from->umask;
	mutex_unlock(&from->lock);
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !ref_put(&fs->ref))
		return;
	dentry_put(fs->root);
	dentry_put(fs->cwd);
	kfree(fs);
}

long sys_umask(struct task *t, const struct sysargs *a)
{
	return (long)__atomic_exchange_n(&t->proc->fs->umask,
					 (u32)a->a[0] & 0777,
					 __ATOMIC_RELAXED);
}
