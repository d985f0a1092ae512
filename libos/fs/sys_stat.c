/*
 * sys_stat.c - stat in all its forms, statfs, access.
 */
#include "fs.h"

#include <libos/uaccess.h>

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/sysinfo.h>

#define MAJOR(d) ((u32)(((d) >> 8) & 0xfff))
#define MINOR(d) ((u32)(((d) & 0xff) | (((d) >> 12) & 0xfff00)))

static u64 seconds(s64 ns)
{
	s64 s = ns / (s64)NSEC_PER_SEC;

	return (u64)(ns % (s64)NSEC_PER_SEC < 0 ? s - 1 : s);
}

static u64 nanoseconds(s64 ns)
{
	s64 n = ns % (s64)NSEC_PER_SEC;

	return (u64)(n < 0 ? n + (s64)NSEC_PER_SEC : n);
}

/* ---- stat ----------------------------------------------------------------------------- */
static long put_stat(u64 uptr, struct inode *i)
{
	struct kstat k;
	struct stat st;

	inode_stat(i, &k);
	memset(&st, 0, sizeof(st));
	st.st_dev = k.dev;
	st.st_ino = k.ino;
	st.st_nlink = k.nlink;
	st.st_mode = k.mode;
	st.st_uid = k.uid;
	st.st_gid = k.gid;
	st.st_rdev = k.rdev;
	st.st_size = (long)k.size;
	st.st_blksize = k.blksize;
	st.st_blocks = (long)k.blocks;
	st.st_atime = seconds(k.atime_ns);
	st.st_atime_nsec = nanoseconds(k.atime_ns);
	st.st_mtime = seconds(k.mtime_ns);
	st.st_mtime_nsec = nanoseconds(k.mtime_ns);
	st.st_ctime = seconds(k.ctime_ns);
	st.st_ctime_nsec = nanoseconds(k.ctime_ns);
	return copy_to_user(uptr, &st, sizeof(st)) ? -EFAULT : 0;
}

static long stat_fd(int fd, u64 ubuf)
{
	struct file *f = fd_get_any(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = put_stat(ubuf, f->inode);
	file_put(f);
	return ret;
}

static long stat_path(int dirfd, u64 upath, u64 ubuf, bool nofollow,
		      bool empty)
{
	struct dentry *d;
	int err = user_path_at(dirfd, upath, nofollow, empty, &d);
	long ret;

	if (err)
		return err;
	ret = put_stat(ubuf, d->inode);
	dentry_put(d);
	return ret;
}

long sys_stat(struct task *t, const struct sysargs *a)
{
	return stat_path(AT_FDCWD, a->a[0], a->a[1], false, false);
}

long sys_lstat(struct task *t, const struct sysargs *a)
{
	return stat_path(AT_FDCWD, a->a[0], a->a[1], true, false);
}

long sys_fstat(struct task *t, const struct sysargs *a)
{
	return stat_fd((int)a->a[0], a->a[1]);
}

/* With AT_EMPTY_PATH and an empty (or, newly, no) path: the descriptor. */
static int is_empty_path(u64 upath, u32 flags)
{
	char c;

	if (!(flags & AT_EMPTY_PATH))
		return 0;
	if (!upath)
		return 1;
	if (copy_from_user(&c, upath, 1))
		return -EFAULT;
	return !c;
}

long sys_newfstatat(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[3];
	int empty;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH |
			   AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	empty = is_empty_path(a->a[1], flags);
	if (empty < 0)
		return empty;
	if (empty && (int)a->a[0] != AT_FDCWD)
		return stat_fd((int)a->a[0], a->a[2]);
	return stat_path((int)a->a[0], a->a[1], a->a[2],
			 flags & AT_SYMLINK_NOFOLLOW, flags & AT_EMPTY_PATH);
}

/* ---- statx ------------------------------------------------------------------------------- */
static void put_time(struct statx_timestamp *ts, s64 ns)
{
	ts->tv_sec = (s64)seconds(ns);
	ts->tv_nsec = (u32)nanoseconds(ns);
}

static long put_statx(u64 uptr, struct inode *i)
{
	struct statx st;
	struct kstat k;

	inode_stat(i, &k);
	memset(&st, 0, sizeof(st));
	st.stx_mask = STATX_BASIC_STATS | STATX_BTIME;
	st.stx_blksize = k.blksize;
	st.stx_nlink = k.nlink;
	st.stx_uid = k.uid;
	st.stx_gid = k.gid;
	st.stx_mode = (u16)k.mode;
	st.stx_ino = k.ino;
	st.stx_size = k.size;
	st.stx_blocks = k.blocks;
	st.stx_rdev_major = MAJOR(k.rdev);
	st.stx_rdev_minor = MINOR(k.rdev);
	st.stx_dev_major = MAJOR(k.dev);
	st.stx_dev_minor = MINOR(k.dev);
	put_time(&st.stx_atime, k.atime_ns);
	put_time(&st.stx_btime, k.btime_ns);
	put_time(&st.stx_ctime, k.ctime_ns);
	put_time(&st.stx_mtime, k.mtime_ns);
	return copy_to_user(uptr, &st, sizeof(st)) ? -EFAULT : 0;
}

long sys_statx(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[2], mask = (u32)a->a[3];
	struct dentry *d;
	struct file *f;
	long ret;
	int empty, err;

	if ((flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH |
			    AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)) ||
	    (mask & STATX__RESERVED) ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	empty = is_empty_path(a->a[1], flags);
	if (empty < 0)
		return empty;
	if (empty && (int)a->a[0] != AT_FDCWD) {
		f = fd_get_any((int)a->a[0]);
		if (!f)
			return -EBADF;
		ret = put_statx(a->a[4], f->inode);
		file_put(f);
		return ret;
	}
	err = user_path_at((int)a->a[0], a->a[1], flags & AT_SYMLINK_NOFOLLOW,
			   flags & AT_EMPTY_PATH, &d);
	if (err)
		return err;
	ret = put_statx(a->a[4], d->inode);
	dentry_put(d);
	return ret;
}

/* ---- statfs -------------------------------------------------------------------------------- */
static long put_statfs(u64 uptr, const struct inode *i)
{
	struct super *s = i->super;
	struct statfs st;
	u64 blocks = 0, free = 0, files = 0;

	memset(&st, 0, sizeof(st));
	if (s && s->statfs)
		s->statfs(s, &blocks, &free, &files);
	st.f_type = s ? s->magic : 0x09041934; /* anon_inodefs */
	st.f_bsize = st.f_frsize = 4096;
	st.f_blocks = (long)blocks;
	st.f_bfree = st.f_bavail = (long)free;
	st.f_files = st.f_ffree = (long)files;
	st.f_namelen = NAME_MAX_LEN;
	if (s) {
		st.f_fsid.val[0] = (int)s->dev;
		st.f_flags = 0x420 | /* ST_VALID, ST_NOATIME */
			     (inode_is_readonly(i) ? 1 : 0) |
			     (s->flags & SUPER_NOEXEC ? 8 : 0);
	}
	return copy_to_user(uptr, &st, sizeof(st)) ? -EFAULT : 0;
}

long sys_statfs(struct task *t, const struct sysargs *a)
{
	struct dentry *d;
	int err = user_path_lookup(AT_FDCWD, a->a[0], 0, &d);
	long ret;

	if (err)
		return err;
	ret = put_statfs(a->a[1], d->inode);
	dentry_put(d);
	return ret;
}

long sys_fstatfs(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get_any((int)a->a[0]);
	long ret;

	if (!f)
		return -EBADF;
	ret = put_statfs(a->a[1], f->inode);
	file_put(f);
	return ret;
}

/* ---- access --------------------------------------------------------------------------------- */
static long check_access(struct dentry *d, int mode)
{
	struct inode *i = d->inode;

	if ((mode & MAY_EXEC) && S_ISREG(i->mode) && i->super &&
	    (i->super->flags & SUPER_NOEXEC))
		return -EACCES;
	if ((mode & MAY_WRITE) && inode_is_readonly(i) &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		return -EROFS;
	return mode ? inode_permission(i, mode) : 0;
}

/* access(2) asks for the real ids: they stand in for the walk, too. */
static long access_at(struct task *t, int dirfd, u64 upath, int mode,
		      u32 flags)
{
	struct cred *c = &t->cred;
	u32 fsuid = c->fsuid, fsgid = c->fsgid;
	u64 caps = c->cap_effective;
	bool real = !(flags & AT_EACCESS);
	struct dentry *d;
	long ret;

	if ((mode & ~7) || (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW |
					   AT_EMPTY_PATH)))
		return -EINVAL;
	if (real) {
		c->fsuid = c->uid;
		c->fsgid = c->gid;
		c->cap_effective = c->uid ? 0 : c->cap_permitted;
	}
	ret = user_path_at(dirfd, upath, flags & AT_SYMLINK_NOFOLLOW,
			   flags & AT_EMPTY_PATH, &d);
	if (!ret) {
		ret = check_access(d, mode);
		dentry_put(d);
	}
	c->fsuid = fsuid;
	c->fsgid = fsgid;
	c->cap_effective = caps;
	return ret;
}

long sys_access(struct task *t, const struct sysargs *a)
{
	return access_at(t, AT_FDCWD, a->a[0], (int)a->a[1], 0);
}

long sys_faccessat(struct task *t, const struct sysargs *a)
{
	return access_at(t, (int)a->a[0], a->a[1], (int)a->a[2], 0);
}

long sys_faccessat2(struct task *t, const struct sysargs *a)
{
	return access_at(t, (int)a->a[0], a->a[1], (int)a->a[2], (u32)a->a[3]);
}
