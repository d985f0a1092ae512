/*
 * sys_fsattr.c - changing attributes: mode, owner, times, size, space; and
 * sync in all its forms.
 */
#include "hostfs.h"

#include <libos/uaccess.h>

#include <linux/falloc.h>
#include <linux/inotify.h>

#define UTIME_NOW 0x3fffffffl
#define UTIME_OMIT 0x3ffffffel

static long apply(struct dentry *d, struct inode *i, const struct iattr *a)
{
	long ret = vfs_setattr(d, i, a);

	if (!ret && fsnotify_active() && d)
		fsnotify_dentry(d, IN_ATTRIB);
	return ret;
}

/* ---- mode ----------------------------------------------------------------------------- */
static long change_mode(struct dentry *d, struct inode *i, u32 mode)
{
	struct iattr a = { .valid = ATTR_MODE, .mode = mode & 07777 };

	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (inode_is_readonly(i))
		return -EROFS;
	if (!inode_is_owner(i))
		return -EPERM;
	if (!in_group(i->gid) && !capable(KCAP_FSETID))
		a.mode &= ~(u32)S_ISGID;
	return apply(d, i, &a);
}

static long chmod_at(int dirfd, u64 upath, u32 mode, u32 flags)
{
	struct dentry *d;
	int err;
	long ret;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_at(dirfd, upath, flags & AT_SYMLINK_NOFOLLOW,
			   flags & AT_EMPTY_PATH, &d);
	if (err)
		return err;
	ret = change_mode(d, d->inode, mode);
	dentry_put(d);
	return ret;
}

long sys_chmod(struct task *t, const struct sysargs *a)
{
	return chmod_at(AT_FDCWD, a->a[0], (u32)a->a[1], 0);
}

long sys_fchmodat(struct task *t, const struct sysargs *a)
{
	return chmod_at((int)a->a[0], a->a[1], (u32)a->a[2], 0);
}

long sys_fchmod(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	long ret;

	if (!f)
		return -EBADF;
	ret = change_mode(f->dentry, f->inode, (u32)a->a[1]);
	file_put(f);
	return ret;
}

/* ---- owner ------------------------------------------------------------------------------ */
static bool may_chown(const struct inode *i, u32 uid, u32 gid)
{
	bool is_mine = current()->cred.fsuid == i->uid;

	if (capable(KCAP_CHOWN))
		return true;
	if (uid != UINT32_MAX && !(is_mine && uid == i->uid))
		return false;
	return gid == UINT32_MAX ||
	       (is_mine && (gid == i->gid || in_group(gid)));
}

static long change_owner(struct dentry *d, struct inode *i, u32 uid, u32 gid)
{
	struct iattr a = { .uid = uid, .gid = gid };

	if (inode_is_readonly(i))
		return -EROFS;
	if (!may_chown(i, uid, gid))
		return -EPERM;
	if (uid != UINT32_MAX)
		a.valid |= ATTR_UID;
	if (gid != UINT32_MAX)
		a.valid |= ATTR_GID;
	/* even root loses set-id bits of what it gives away */
	if (S_ISREG(i->mode) && (i->mode & (S_ISUID | S_ISGID))) {
		a.valid |= ATTR_MODE;
		a.mode = i->mode & 07777 & ~(u32)S_ISUID;
		if (i->mode & S_IXGRP)
			a.mode &= ~(u32)S_ISGID;
	}
	return a.valid ? apply(d, i, &a) : 0;
}

static long chown_at(int dirfd, u64 upath, u32 uid, u32 gid, u32 flags)
{
	struct dentry *d;
	int err;
	long ret;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_at(dirfd, upath, flags & AT_SYMLINK_NOFOLLOW,
			   flags & AT_EMPTY_PATH, &d);
	if (err)
		return err;
	ret = change_owner(d, d->inode, uid, gid);
	dentry_put(d);
	return ret;
}

long sys_chown(struct task *t, const struct sysargs *a)
{
	return chown_at(AT_FDCWD, a->a[0], (u32)a->a[1], (u32)a->a[2], 0);
}

long sys_lchown(struct task *t, const struct sysargs *a)
{
	return chown_at(AT_FDCWD, a->a[0], (u32)a->a[1], (u32)a->a[2],
			AT_SYMLINK_NOFOLLOW);
}

long sys_fchownat(struct task *t, const struct sysargs *a)
{
	return chown_at((int)a->a[0], a->a[1], (u32)a->a[2], (u32)a->a[3],
			(u32)a->a[4]);
}

long sys_fchown(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	long ret;

	if (!f)
		return -EBADF;
	ret = change_owner(f->dentry, f->inode, (u32)a->a[1], (u32)a->a[2]);
	file_put(f);
	return ret;
}

/* ---- times --------------------------------------------------------------------------------- */
struct times_arg {
	s64 sec[2], nsec[2]; /* nsec may be UTIME_NOW or UTIME_OMIT */
	bool now;            /* no times were given */
};

/* As Linux's file systems do it: the nearest time that can be kept. */
static s64 file_time(s64 sec, s64 nsec)
{
	const s64 limit = INT64_MAX / (s64)NSEC_PER_SEC - 1;

	return MAX(MIN(sec, limit), -limit) * (s64)NSEC_PER_SEC + nsec;
}

static long change_times(struct dentry *d, struct inode *i,
			 const struct times_arg *t)
{
	s64 now = (s64)clock_realtime_ns(), ns[2];
	struct iattr a = { .valid = 0 };
	bool only_now = true;
	int k, err;

	for (k = 0; k < 2; k++) {
		ns[k] = now;
		if (!t->now && t->nsec[k] == UTIME_OMIT)
			continue;
		a.valid |= k ? ATTR_MTIME : ATTR_ATIME;
		if (!t->now && t->nsec[k] != UTIME_NOW) {
			ns[k] = file_time(t->sec[k], t->nsec[k]);
			only_now = false;
		}
	}
	if (!a.valid)
		return 0;
	if (inode_is_readonly(i))
		return -EROFS;
	only_now = only_now && a.valid == (ATTR_ATIME | ATTR_MTIME);
	if (!inode_is_owner(i)) {
		err = only_now ? inode_permission(i, MAY_WRITE) : -EPERM;
		if (err)
			return err;
	}
	a.atime_ns = ns[0];
	a.mtime_ns = ns[1];
	return apply(d, i, &a);
}

static long times_path(int dirfd, u64 upath, const struct times_arg *t,
		       u32 flags)
{
	struct dentry *d;
	int err = user_path_at(dirfd, upath, flags & AT_SYMLINK_NOFOLLOW,
			       flags & AT_EMPTY_PATH, &d);
	long ret;

	if (err)
		return err;
	ret = change_times(d, d->inode, t);
	dentry_put(d);
	return ret;
}

static long times_fd(int fd, const struct times_arg *t)
{
	struct file *f = fd_get(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = change_times(f->dentry, f->inode, t);
	file_put(f);
	return ret;
}

static bool is_valid_nsec(s64 n)
{
	return n == UTIME_NOW || n == UTIME_OMIT ||
	       (n >= 0 && n < (s64)NSEC_PER_SEC);
}

long sys_utimensat(struct task *t, const struct sysargs *a)
{
	struct times_arg ta = { .now = !a->a[2] };
	s64 raw[4];

	if (a->a[3] & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!ta.now) {
		if (copy_from_user(raw, a->a[2], sizeof(raw)))
			return -EFAULT;
		if (raw[1] == UTIME_OMIT && raw[3] == UTIME_OMIT)
			return 0;
		if (!is_valid_nsec(raw[1]) || !is_valid_nsec(raw[3]))
			return -EINVAL;
		ta.sec[0] = raw[0];
		ta.nsec[0] = raw[1];
		ta.sec[1] = raw[2];
		ta.nsec[1] = raw[3];
	}
	if (!a->a[1]) {
		if ((int)a->a[0] == AT_FDCWD)
			return -EFAULT;
		return a->a[3] ? -EINVAL : times_fd((int)a->a[0], &ta);
	}
	return times_path((int)a->a[0], a->a[1], &ta, (u32)a->a[3]);
}

static long utimes_at(int dirfd, u64 upath, u64 utimes)
{
	struct times_arg ta = { .now = !utimes };
	s64 raw[4];

	if (utimes) {
		if (copy_from_user(raw, utimes, sizeof(raw)))
			return -EFAULT;
		if (raw[1] < 0 || raw[1] >= 1000000 || raw[3] < 0 ||
		    raw[3] >= 1000000)
			return -EINVAL;
		ta.sec[0] = raw[0];
		ta.nsec[0] = raw[1] * 1000;
		ta.sec[1] = raw[2];
		ta.nsec[1] = raw[3] * 1000;
	}
	return upath ? times_path(dirfd, upath, &ta, 0) :
		       times_fd(dirfd, &ta);
}

long sys_utimes(struct task *t, const struct sysargs *a)
{
	return utimes_at(AT_FDCWD, a->a[0], a->a[1]);
}

long sys_futimesat(struct task *t, const struct sysargs *a)
{
	return utimes_at((int)a->a[0], a->a[1], a->a[2]);
}

long sys_utime(struct task *t, const struct sysargs *a)
{
	struct times_arg ta = { .now = !a->a[1] };

	if (a->a[1] && copy_from_user(ta.sec, a->a[1], sizeof(ta.sec)))
		return -EFAULT;
	return times_path(AT_FDCWD, a->a[0], &ta, 0);
}

/* ---- size and space ---------------------------------------------------------------------------- */
long sys_truncate(struct task *t, const struct sysargs *a)
{
	struct dentry *d;
	struct inode *i;
	long ret;

	if ((s64)a->a[1] < 0)
		return -EINVAL;
	ret = user_path_lookup(AT_FDCWD, a->a[0], 0, &d);
	if (ret)
		return ret;
	i = d->inode;
	if (S_ISDIR(i->mode))
		ret = -EISDIR;
	else if (!S_ISREG(i->mode))
		ret = -EINVAL;
	else if (inode_is_readonly(i))
		ret = -EROFS;
	else
		ret = inode_permission(i, MAY_WRITE);
	if (!ret && i->exec_count)
		ret = -ETXTBSY;
	if (!ret)
		ret = vfs_truncate(d, i, a->a[1]);
	dentry_put(d);
	return ret;
}

long sys_ftruncate(struct task *t, const struct sysargs *a)
{
	struct file *f;
	long ret;
	int err;

	if ((s64)a->a[1] < 0)
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	if (!S_ISREG(f->inode->mode) || !(f->mode & FMODE_WRITE))
		ret = -EINVAL;
	else if (hostfs_truncate(f, a->a[1], &err))
		ret = err;
	else
		ret = vfs_truncate(f->dentry, f->inode, a->a[1]);
	file_put(f);
	return ret;
}

static long allocate(struct file *f, u32 mode, s64 off, s64 len)
{
	u32 punch = FALLOC_FL_PUNCH_HOLE, keep = FALLOC_FL_KEEP_SIZE;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if ((mode & punch) && !(mode & keep))
		return -EOPNOTSUPP;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (!S_ISREG(f->inode->mode))
		return S_ISDIR(f->inode->mode) ? -EISDIR : -ENODEV;
	if (off > INT64_MAX - len)
		return -EFBIG;
	if (!f->ops->allocate)
		return -EOPNOTSUPP;
	return f->ops->allocate(f, (int)mode, (u64)off, (u64)len);
}

long sys_fallocate(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	long ret;

	if (!f)
		return -EBADF;
	ret = allocate(f, (u32)a->a[1], (s64)a->a[2], (s64)a->a[3]);
	file_put(f);
	return ret;
}

/* ---- sync and hints ------------------------------------------------------------------------------ */
static long sync_fd(int fd, bool data_only)
{
	struct file *f = fd_get(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = f->ops->sync ? f->ops->sync(f, data_only) : -EINVAL;
	file_put(f);
	return ret;
}

long sys_fsync(struct task *t, const struct sysargs *a)
{
	return sync_fd((int)a->a[0], false);
}

long sys_fdatasync(struct task *t, const struct sysargs *a)
{
	return sync_fd((int)a->a[0], true);
}

/* Nothing is held back from the host: there is nothing to do. */
long sys_sync(struct task *t, const struct sysargs *a)
{
	return 0;
}

long sys_syncfs(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);

	file_put(f);
	return f ? 0 : -EBADF;
}

long sys_sync_file_range(struct task *t, const struct sysargs *a)
{
	struct file *f;
	long ret = 0;

	if ((s64)a->a[1] < 0 || (s64)a->a[2] < 0 || (a->a[3] & ~7ull))
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	if (f->mode & FMODE_STREAM)
		ret = -ESPIPE;
	else if (f->ops->sync)
		ret = f->ops->sync(f, true);
	file_put(f);
	return ret;
}

/* Hints: the host reads ahead by itself. */
long sys_fadvise64(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	long ret = 0;

	if (!f)
		return -EBADF;
	if (f->mode & FMODE_STREAM)
		ret = -ESPIPE;
	else if ((u32)a->a[3] > 5)
		ret = -EINVAL;
	file_put(f);
	return ret;
}

long sys_readahead(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	long ret = 0;

	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_READ))
		ret = -EBADF;
	else if (!S_ISREG(f->inode->mode))
		ret = -EINVAL;
	file_put(f);
	return ret;
}
