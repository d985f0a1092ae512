/*
 * sys_fcntl.c - dup, fcntl, flock's entry, ioctl dispatch, close_range.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

#include <asm/ioctls.h>
#include <linux/close_range.h>

#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)
#ifndef F_SETSIG
#define F_SETSIG 10
#define F_GETSIG 11
#endif

/* ---- dup ----------------------------------------------------------------------------- */
static long dup_from(int fd, int min, bool cloexec)
{
	struct file *f = fd_get_any(fd);
	int ret;

	if (!f)
		return -EBADF;
	ret = fd_install_at_least(f, min, cloexec);
	if (ret < 0)
		file_put(f);
	return ret;
}

static long dup_to(int old, int fd, bool cloexec)
{
	struct file *f = fd_get_any(old);
	int ret;

	if (!f)
		return -EBADF;
	ret = fd_replace(fd, f, cloexec);
	if (ret < 0)
		file_put(f);
	return ret;
}

long sys_dup(struct task *t, const struct sysargs *a)
{
	return dup_from((int)a->a[0], 0, false);
}

long sys_dup2(struct task *t, const struct sysargs *a)
{
	int old = (int)a->a[0], fd = (int)a->a[1];

	if (old == fd) {
		struct file *f = fd_get_any(fd);

		file_put(f);
		return f ? fd : -EBADF;
	}
	return dup_to(old, fd, false);
}

long sys_dup3(struct task *t, const struct sysargs *a)
{
	if ((a->a[2] & ~(u64)O_CLOEXEC) || (int)a->a[0] == (int)a->a[1])
		return -EINVAL;
	return dup_to((int)a->a[0], (int)a->a[1], a->a[2] & O_CLOEXEC);
}

/* ---- close_range ------------------------------------------------------------------------ */
long sys_close_range(struct task *t, const struct sysargs *a)
{
	u32 first = (u32)a->a[0], last = (u32)a->a[1], flags = (u32)a->a[2];
	struct files *fs = t->proc->files, *own;

	if ((flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) ||
	    first > last)
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) && fs->ref.count > 1) {
		own = files_copy(fs);
		if (!own)
			return -ENOMEM;
		t->proc->files = own;
		files_put(fs);
		fs = own;
	}
	return files_close_range(fs, first, last, flags & CLOSE_RANGE_CLOEXEC);
}

/* ---- flags -------------------------------------------------------------------------------- */
static void change_flags(struct file *f, u32 clear, u32 set)
{
	u32 old = __atomic_load_n(&f->flags, __ATOMIC_RELAXED), flags;

	do {
		flags = (old & ~clear) | set;
	} while (!__atomic_compare_exchange_n(&f->flags, &old, flags, false,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	if (f->ops->set_flags && flags != old)
		f->ops->set_flags(f, flags);
}

static long set_status(struct file *f, u64 arg)
{
	if ((arg & O_NOATIME) && !(f->flags & O_NOATIME) &&
	    !inode_is_owner(f->inode))
		return -EPERM;
	change_flags(f, SETTABLE, (u32)arg & SETTABLE);
	return 0;
}

/* ---- owners of signals ---------------------------------------------------------------------- */
struct owner_ex { s32 type, pid; };

static long set_owner(struct file *f, s64 arg)
{
	if (arg == INT32_MIN)
		return -EINVAL;
	f->owner_type = arg < 0 ? 2 : 1; /* F_OWNER_PGRP : F_OWNER_PID */
	f->owner_pid = (s32)(arg < 0 ? -arg : arg);
	return 0;
}

static long owner_ex(struct file *f, u64 uptr, bool set)
{
	struct owner_ex ex = { (s32)f->owner_type, f->owner_pid };

	if (!set)
		return copy_to_user(uptr, &ex, sizeof(ex)) ? -EFAULT : 0;
	if (copy_from_user(&ex, uptr, sizeof(ex)))
		return -EFAULT;
	if (ex.type < 0 || ex.type > 2)
		return -EINVAL;
	f->owner_type = (u32)ex.type;
	f->owner_pid = ex.pid;
	return 0;
}

/* ---- fcntl ----------------------------------------------------------------------------------- */
static long fcntl_owner(struct file *f, int cmd, u64 arg)
{
	switch (cmd) {
	case F_SETOWN:
		return set_owner(f, (s32)arg);
	case F_GETOWN:
		return f->owner_type == 2 ? -(long)f->owner_pid : f->owner_pid;
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return owner_ex(f, arg, cmd == F_SETOWN_EX);
	case F_SETSIG:
		if (arg > NSIG)
			return -EINVAL;
		f->owner_signal = (u32)arg;
		return 0;
	default: /* F_GETSIG */
		return (long)f->owner_signal;
	}
}

/* Leases: nobody else could break one behind our back, so a lease on a file
 * that only the caller has open is granted and never broken. */
static long fcntl_lease(struct file *f, int cmd, u64 arg)
{
	if (cmd == F_GETLEASE)
		return f->lease ? (long)f->lease - 1 : F_UNLCK;
	if (arg != F_RDLCK && arg != F_WRLCK && arg != F_UNLCK)
		return -EINVAL;
	if (!S_ISREG(f->inode->mode))
		return -EINVAL;
	if (arg == F_RDLCK && (f->mode & FMODE_WRITE))
		return -EAGAIN;
	f->lease = arg == F_UNLCK ? 0 : (u32)arg + 1;
	return 0;
}

static long fcntl_file(struct file *f, int cmd, u64 arg)
{
	switch (cmd) {
	case F_SETFL:
		return set_status(f, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return locks_fcntl(f, cmd, arg);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
	case F_SETSIG:
	case F_GETSIG:
		return fcntl_owner(f, cmd, arg);
	case F_SETLEASE:
	case F_GETLEASE:
		return fcntl_lease(f, cmd, arg);
	case F_ADD_SEALS:
		return memfs_seals_add(f, (u32)arg);
	case F_GET_SEALS:
		return memfs_seals_get(f);
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return pipe_fcntl(f, cmd, arg);
	default:
		return -EINVAL;
	}
}

static long fcntl_fd(int fd, struct file *f, int cmd, u64 arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg >= current()->proc->rlimits[7].soft)
			return -EINVAL;
		return dup_from(fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_set_cloexec(fd, -1);
	case F_SETFD:
		return fd_set_cloexec(fd, (int)(arg & FD_CLOEXEC)) < 0 ?
		       -EBADF : 0;
	case F_GETFL:
		return (long)f->flags;
	default:
		return f->mode & FMODE_PATH ? -EBADF : fcntl_file(f, cmd, arg);
	}
}

long sys_fcntl(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get_any((int)a->a[0]);
	long ret;

	if (!f)
		return -EBADF;
	ret = fcntl_fd((int)a->a[0], f, (int)a->a[1], a->a[2]);
	file_put(f);
	return ret;
}

/* ---- ioctl -------------------------------------------------------------------------------------- */
static long ioctl_flag(struct file *f, u64 arg, u32 flag)
{
	u32 on;

	if (get_user_u32(&on, arg))
		return -EFAULT;
	change_flags(f, on ? 0 : flag, on ? flag : 0);
	return 0;
}

static long ioctl_common(int fd, struct file *f, u32 cmd, u64 arg)
{
	u32 left;

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		return fd_set_cloexec(fd, cmd == FIOCLEX) < 0 ? -EBADF : 0;
	case FIONBIO:
		return ioctl_flag(f, arg, O_NONBLOCK);
	case FIOASYNC:
		return ioctl_flag(f, arg, FASYNC);
	case FIONREAD:
		if (!S_ISREG(f->inode->mode) || f->inode->super == NULL)
			break;
		left = (u32)(f->inode->size - f->pos);
		return put_user_u32(arg, left);
	case FIOQSIZE:
		if (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode))
			return put_user_u64(arg, f->inode->size);
		break;
	case FIGETBSZ:
		return put_user_u32(arg, 4096);
	}
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

long sys_ioctl(struct task *t, const struct sysargs *a)
{
	bool put;
	struct file *f = fd_begin((int)a->a[0], &put);
	long ret;

	if (!f)
		return -EBADF;
	ret = ioctl_common((int)a->a[0], f, (u32)a->a[1], a->a[2]);
	fd_end(f, put);
	return ret;
}
