/*
 * sys_rw.c - read, write and their vectored and positioned forms, lseek.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

#include <linux/inotify.h>

#define INLINE_IOV 8
#define RWF_KNOWN 0x1f /* HIPRI DSYNC SYNC NOWAIT APPEND */
#define RWF_SYNC_BITS 0x6
#define RWF_APPEND_BIT 0x10
#define RWF_NOWAIT_BIT 0x8

/* ---- one buffer ---------------------------------------------------------------------- */
/* Coming back from the host every return on the way up is mispredicted: what
 * is likely to lead there is kept in one frame. */
static long rw_any(struct file *f, struct uio *u, u64 *pos, bool write)
{
	return write ? file_write(f, u, pos) : file_read(f, u, pos);
}

static inline long rw_stream(struct file *f, struct uio *u, bool write)
{
	u64 none = 0;

	return write ? f->ops->write(f, u, &none) : f->ops->read(f, u, &none);
}

static inline bool is_plain_stream(const struct file *f, bool write)
{
	u32 need = FMODE_STREAM | (write ? FMODE_WRITE : FMODE_READ);

	return (f->mode & need) == need && !fsnotify_active() &&
	       (write ? f->ops->write != NULL : f->ops->read != NULL);
}

static inline long rw_one(struct file *f, u64 buf, u64 size, u64 *pos,
			  bool write)
{
	struct host_iovec iov;
	struct uio u;

	if (UNLIKELY(!access_ok(buf, size))) /* nor of a negative size */
		return -EFAULT;
	uio_single(&u, &iov, (void *)(uintptr_t)buf, size, false);
	if (!pos && is_plain_stream(f, write))
		return rw_stream(f, &u, write);
	return rw_any(f, &u, pos, write);
}

long sys_read(struct task *t, const struct sysargs *a)
{
	bool put;
	struct file *f = fd_begin((int)a->a[0], &put);
	long n;

	if (UNLIKELY(!f))
		return -EBADF;
	n = rw_one(f, a->a[1], a->a[2], NULL, false);
	fd_end(f, put);
	return n;
}

long sys_write(struct task *t, const struct sysargs *a)
{
	bool put;
	struct file *f = fd_begin((int)a->a[0], &put);
	long n;

	if (UNLIKELY(!f))
		return -EBADF;
	n = rw_one(f, a->a[1], a->a[2], NULL, true);
	fd_end(f, put);
	return n;
}

/* One buffer of a file whose data is all the host's. */
static inline long direct(struct file *f, u64 buf, u64 size, u64 pos,
			  bool write)
{
	struct host_iovec iov = { (void *)(uintptr_t)buf, size };
	long n;

	if (UNLIKELY(!access_ok(buf, size)))
		return -EFAULT;
	if (write)
		n = host_stream_write(f->handle, &iov, 1, pos);
	else if (readmap_read(f, f->handle, iov.base, size, pos))
		n = (long)size;
	else
		n = host_stream_read(f->handle, &iov, 1, pos);
	if (write && n > 0 && pos + (u64)n > f->inode->size)
		f->inode->size = pos + (u64)n;
	if (UNLIKELY(n > 0 && fsnotify_active()))
		fsnotify_dentry(f->dentry, write ? IN_MODIFY : IN_ACCESS);
	return n;
}

static inline bool may_go_direct(const struct file *f, u64 size, u64 pos,
				 bool write)
{
	u32 need = FMODE_DIRECT | (write ? FMODE_WRITE : FMODE_READ);

	if ((f->mode & need) != need || size > UIO_SIZE_MAX)
		return false;
	return !write || (!(f->flags & O_APPEND) &&
			  pos < current()->proc->rlimits[1].soft);
}

static inline long positioned(const struct sysargs *a, bool write)
{
	u64 pos = a->a[3];
	bool put;
	struct file *f;
	long n;

	if ((s64)pos < 0)
		return -EINVAL;
	f = fd_begin((int)a->a[0], &put);
	if (UNLIKELY(!f))
		return -EBADF;
	if (LIKELY(may_go_direct(f, a->a[2], pos, write)))
		n = direct(f, a->a[1], a->a[2], pos, write);
	else if (f->mode & (FMODE_STREAM | FMODE_NOSEEK))
		n = -ESPIPE;
	else
		n = rw_one(f, a->a[1], a->a[2], &pos, write);
	fd_end(f, put);
	return n;
}

long sys_pread64(struct task *t, const struct sysargs *a)
{
	return positioned(a, false);
}

long sys_pwrite64(struct task *t, const struct sysargs *a)
{
	return positioned(a, true);
}

/* ---- vectors ----------------------------------------------------------------------------- */
/* RWF_* for one call, as flags of the description for its time. */
static long rw_flagged(struct file *f, struct uio *u, u64 *pos, bool write,
		       u32 rwf)
{
	u32 saved = f->flags;
	ssize_t n;

	if (!rwf)
		return write ? file_write(f, u, pos) : file_read(f, u, pos);
	if ((rwf & RWF_NOWAIT_BIT) && (f->mode & FMODE_STREAM))
		f->flags |= O_NONBLOCK;
	if (write && (rwf & RWF_APPEND_BIT))
		f->flags |= O_APPEND;
	n = write ? file_write(f, u, pos) : file_read(f, u, pos);
	f->flags = saved;
	if (n >= 0 && write && (rwf & RWF_SYNC_BITS) && f->ops->sync)
		f->ops->sync(f, false);
	return n;
}

static long vectored(int fd, u64 uiov, u64 count, u64 *pos, bool write,
		     u32 rwf)
{
	struct host_iovec fast[INLINE_IOV], *to_free;
	struct file *f;
	struct uio u;
	bool put;
	long n;

	if (rwf & ~(u32)RWF_KNOWN)
		return -EOPNOTSUPP;
	f = fd_begin(fd, &put);
	if (UNLIKELY(!f))
		return -EBADF;
	if (pos && (f->mode & (FMODE_STREAM | FMODE_NOSEEK))) {
		fd_end(f, put);
		return -ESPIPE;
	}
	n = uio_from_user(&u, uiov, count, fast, INLINE_IOV, &to_free);
	if (!n) {
		n = rw_flagged(f, &u, pos, write, rwf);
		kfree(to_free);
	}
	fd_end(f, put);
	return n;
}

long sys_readv(struct task *t, const struct sysargs *a)
{
	return vectored((int)a->a[0], a->a[1], a->a[2], NULL, false, 0);
}

long sys_writev(struct task *t, const struct sysargs *a)
{
	return vectored((int)a->a[0], a->a[1], a->a[2], NULL, true, 0);
}

static long vectored_at(const struct sysargs *a, bool write, u32 rwf,
			bool here)
{
	u64 pos = a->a[3];

	if (here && pos == UINT64_MAX)
		return vectored((int)a->a[0], a->a[1], a->a[2], NULL, write,
				rwf);
	if ((s64)pos < 0)
		return -EINVAL;
	return vectored((int)a->a[0], a->a[1], a->a[2], &pos, write, rwf);
}

long sys_preadv(struct task *t, const struct sysargs *a)
{
	return vectored_at(a, false, 0, false);
}

long sys_pwritev(struct task *t, const struct sysargs *a)
{
	return vectored_at(a, true, 0, false);
}

long sys_preadv2(struct task *t, const struct sysargs *a)
{
	return vectored_at(a, false, (u32)a->a[5], true);
}

long sys_pwritev2(struct task *t, const struct sysargs *a)
{
	return vectored_at(a, true, (u32)a->a[5], true);
}

/* ---- seeking -------------------------------------------------------------------------------- */
long sys_lseek(struct task *t, const struct sysargs *a)
{
	bool put;
	struct file *f = fd_begin((int)a->a[0], &put);
	long ret;

	if (!f)
		return -EBADF;
	if ((u32)a->a[2] > SEEK_HOLE)
		ret = -EINVAL;
	else if (!f->ops->seek)
		ret = -ESPIPE;
	else
		ret = f->ops->seek(f, (s64)a->a[1], (int)a->a[2]);
	fd_end(f, put);
	return ret;
}
