/*
 * sendfile.c - sendfile and copy_file_range, and the buffers of all calls
 * that move data between files.
 */
#include "copybuf.h"

#include <libos/file.h>
#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/lock.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

/* ---- buffers: a few are kept, as fresh pages are dear ---- */
#define KEPT_BUFFERS 4
static struct mutex buffers_lock = MUTEX_INIT;
static void *buffers[KEPT_BUFFERS];
static unsigned buffer_count;

void *copybuf_take(void)
{
	void *buf = NULL;

	mutex_lock(&buffers_lock);
	if (buffer_count)
		buf = buffers[--buffer_count];
	mutex_unlock(&buffers_lock);
	return buf ? buf : page_alloc(COPYBUF_SIZE / PAGE_SIZE);
}

void copybuf_give(void *buf)
{
	mutex_lock(&buffers_lock);
	if (buffer_count < KEPT_BUFFERS) {
		buffers[buffer_count++] = buf;
		buf = NULL;
	}
	mutex_unlock(&buffers_lock);
	if (buf)
		page_free(buf, COPYBUF_SIZE / PAGE_SIZE);
}

/* ---- the common loop ---- */
/* Copy up to count bytes; *in_pos advances by what was written.  out_pos NULL:
 * the file's own. */
static ssize_t copy_between(struct file *in, u64 *in_pos, struct file *out,
			    u64 *out_pos, u64 count)
{
	void *buf = copybuf_take();
	ssize_t done = 0, got, put = 0;

	if (!buf)
		return -ENOMEM;
	while ((u64)done < count) {
		size_t n = MIN(count - (u64)done, (u64)COPYBUF_SIZE);
		u64 at = *in_pos;

		got = file_read_kernel(in, buf, n, &at);
		if (got <= 0) {
			put = got;
			break;
		}
		put = file_write_kernel(out, buf, (size_t)got, out_pos);
		if (put <= 0)
			break;
		*in_pos += (u64)put;
		done += put;
		if (put < got)
			break;
	}
	copybuf_give(buf);
	return done ? done : put;
}

/* The position that a call starts at: the guest's variable or the file's. */
static long begin_position(struct file *f, u64 user, u64 *pos)
{
	if (!user) {
		*pos = f->pos;
		return 0;
	}
	if (!f->ops->seek)
		return -ESPIPE;
	if (get_user_u64(pos, user))
		return -EFAULT;
	return (s64)*pos < 0 ? -EINVAL : 0;
}

static long end_position(struct file *f, u64 user, u64 pos)
{
	if (user)
		return put_user_u64(user, pos);
	mutex_lock(&f->lock);
	f->pos = pos;
	mutex_unlock(&f->lock);
	return 0;
}

/* ---- sendfile ---- */
static long sendfile_check(struct file *in, struct file *out)
{
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!in->ops->seek || !in->ops->read || file_is_pipe(in))
		return -EINVAL;
	if (out->flags & O_APPEND)
		return -EINVAL;
	return out->ops->write ? 0 : -EINVAL;
}

static long sendfile_do(struct file *in, struct file *out, u64 uoff, u64 count)
{
	u64 pos;
	long ret = sendfile_check(in, out), err;

	if (!ret)
		ret = begin_position(in, uoff, &pos);
	if (ret)
		return ret;
	ret = copy_between(in, &pos, out, NULL, MIN(count, (u64)COPY_MAX));
	if (ret <= 0)
		return ret;
	err = end_position(in, uoff, pos);
	return err ? err : ret;
}

long sys_sendfile(struct task *t, const struct sysargs *a)
{
	struct file *in = fd_get((int)a->a[1]);
	struct file *out = in ? fd_get((int)a->a[0]) : NULL;
	long ret = -EBADF;

	if (out) {
		ret = sendfile_do(in, out, a->a[2], a->a[3]);
		file_put(out);
	}
	if (in)
		file_put(in);
	return ret;
}

/* ---- copy_file_range ---- */
static long range_check(struct file *in, struct file *out, u32 flags)
{
	u32 in_type = in->inode->mode & 0170000;
	u32 out_type = out->inode->mode & 0170000;

	if (flags)
		return -EINVAL;
	if (in_type == 0040000 || out_type == 0040000)
		return -EISDIR;
	if (in_type != 0100000 || out_type != 0100000)
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) ||
	    out->flags & O_APPEND)
		return -EBADF;
	return 0;
}

static long range_do(struct file *in, u64 uin, struct file *out, u64 uout,
		     u64 count, u32 flags)
{
	u64 from, to;
	long ret = range_check(in, out, flags), err;

	if (!ret)
		ret = begin_position(in, uin, &from);
	if (!ret)
		ret = begin_position(out, uout, &to);
	if (ret)
		return ret;
	if (from + count < from || to + count < to)
		return -EOVERFLOW;
	count = MIN(count, (u64)COPY_MAX);
	if (from < in->inode->size)
		count = MIN(count, in->inode->size - from);
	if (in->inode == out->inode && to + count > from && from + count > to)
		return count ? -EINVAL : 0;
	/* only the file itself knows where a host stream's end is */
	ret = copy_between(in, &from, out, uout ? &to : NULL, count);
	if (ret <= 0)
		return ret;
	err = end_position(in, uin, from);
	if (!err && uout)
		err = end_position(out, uout, to);
	return err ? err : ret;
}

long sys_copy_file_range(struct task *t, const struct sysargs *a)
{
	struct file *in = fd_get((int)a->a[0]);
	struct file *out = in ? fd_get((int)a->a[2]) : NULL;
	long ret = -EBADF;

	if (out) {
		ret = range_do(in, a->a[1], out, a->a[3], a->a[4],
			       (u32)a->a[5]);
		file_put(out);
	}
	if (in)
		file_put(in);
	return ret;
}
