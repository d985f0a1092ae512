/*
 * splice.c - splice, tee, vmsplice.
 *
 * Bytes are copied through a kernel buffer.  What makes them more than a read
 * and a write is that nothing is taken from the source before the target has
 * it: room in a pipe is reserved first, data in a pipe stays until written.
 */
#include "copybuf.h"
#include "pipe.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#define SPLICE_F_NONBLOCK_BIT 2u
#define SPLICE_F_ALL_BITS 15u

/* ---- the three directions ---- */
static ssize_t splice_to_pipe(struct file *in, u64 *pos, struct pipe *p,
			      u64 len, bool nonblock)
{
	void *buf = copybuf_take();
	ssize_t room, got;

	if (!buf)
		return -ENOMEM;
	room = pipe_reserve(p, (u32)MIN(len, (u64)COPYBUF_SIZE), nonblock);
	if (room <= 0) {
		copybuf_give(buf);
		return room;
	}
	got = file_read_kernel(in, buf, (size_t)room, pos);
	pipe_commit(p, (u32)room, buf, (u32)MAX(got, 0));
	copybuf_give(buf);
	return got;
}

static ssize_t splice_from_pipe(struct pipe *p, struct file *out, u64 *pos,
				u64 len, bool nonblock)
{
	void *buf = copybuf_take();
	ssize_t done = 0, n, put;

	if (!buf)
		return -ENOMEM;
	for (;;) {
		n = pipe_claim(p, nonblock || done);
		if (n <= 0)
			break;
		n = (ssize_t)MIN((u64)n, MIN(len - (u64)done,
					     (u64)COPYBUF_SIZE));
		pipe_peek(p, 0, buf, (u32)n);
		put = file_write_kernel(out, buf, (size_t)n, pos);
		pipe_unclaim(p, (u32)MAX(put, 0));
		if (put < 0) {
			n = put;
			break;
		}
		done += put;
		if (put < n || (u64)done >= len)
			break;
	}
	copybuf_give(buf);
	return done ? done : n;
}

/* Move, or only copy (tee). */
static ssize_t splice_pipes(struct pipe *from, struct pipe *to, u64 len,
			    bool nonblock, bool keep)
{
	void *buf = copybuf_take();
	ssize_t n, room = 0;

	if (!buf)
		return -ENOMEM;
	n = pipe_claim(from, nonblock);
	if (n > 0) {
		n = (ssize_t)MIN((u64)n, MIN(len, (u64)COPYBUF_SIZE));
		room = pipe_reserve(to, (u32)n, nonblock);
		n = MAX(MIN(n, room), 0);
		pipe_peek(from, 0, buf, (u32)n);
		if (room > 0)
			pipe_commit(to, (u32)room, buf, (u32)n);
		pipe_unclaim(from, keep ? 0 : (u32)n);
	}
	copybuf_give(buf);
	return room < 0 ? room : n;
}

/* ---- splice ---- */
/* The guest's offset of the file side: where to start and to write back. */
static long splice_offset(struct file *f, u64 user, u64 *pos)
{
	if (!user)
		return 0;
	if (!f->ops->seek)
		return -EINVAL;
	if (get_user_u64(pos, user))
		return -EFAULT;
	return (s64)*pos < 0 ? -EINVAL : 0;
}

static long splice_with_file(struct file *in, u64 uin, struct file *out,
			     u64 uout, u64 len, bool nonblock)
{
	bool to_pipe = file_is_pipe(out);
	struct file *file = to_pipe ? in : out;
	u64 user = to_pipe ? uin : uout, pos = 0, *at = user ? &pos : NULL;
	long ret;

	if (to_pipe ? uout : uin)
		return -ESPIPE;
	if (!to_pipe && out->flags & O_APPEND)
		return -EINVAL;
	if (to_pipe ? !file->ops->read : !file->ops->write)
		return -EINVAL;
	ret = splice_offset(file, user, &pos);
	if (ret)
		return ret;
	ret = to_pipe ? splice_to_pipe(in, at, pipe_of(out), len,
				       nonblock || out->flags & O_NONBLOCK)
		      : splice_from_pipe(pipe_of(in), out, at, len,
					 nonblock || in->flags & O_NONBLOCK);
	if (ret > 0 && user && put_user_u64(user, pos))
		return -EFAULT;
	return ret;
}

static long splice_do(struct file *in, u64 uin, struct file *out, u64 uout,
		      u64 len, u32 flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK_BIT;
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!from && !to)
		return -EINVAL;
	len = MIN(len, (u64)COPY_MAX);
	if (!from || !to)
		return splice_with_file(in, uin, out, uout, len, nonblock);
	if (uin || uout)
		return -ESPIPE;
	if (from == to)
		return -EINVAL;
	nonblock |= (in->flags | out->flags) & O_NONBLOCK;
	return splice_pipes(from, to, len, nonblock, false);
}

long sys_splice(struct task *t, const struct sysargs *a)
{
	struct file *in, *out;
	long ret = -EBADF;

	if (!a->a[4])
		return 0;
	if ((u32)a->a[5] & ~SPLICE_F_ALL_BITS)
		return -EINVAL;
	in = fd_get((int)a->a[0]);
	if (!in)
		return -EBADF;
	out = fd_get((int)a->a[2]);
	if (out) {
		ret = splice_do(in, a->a[1], out, a->a[3], a->a[4],
				(u32)a->a[5]);
		file_put(out);
	}
	file_put(in);
	return ret;
}

/* ---- tee ---- */
static long tee_do(struct file *in, struct file *out, u64 len, bool nonblock)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!from || !to || from == to)
		return -EINVAL;
	nonblock |= (in->flags | out->flags) & O_NONBLOCK;
	return splice_pipes(from, to, MIN(len, (u64)COPY_MAX), nonblock, true);
}

long sys_tee(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[3];
	struct file *in, *out;
	long ret = -EBADF;

	if (flags & ~SPLICE_F_ALL_BITS)
		return -EINVAL;
	if (!a->a[2])
		return 0;
	in = fd_get((int)a->a[0]);
	if (!in)
		return -EBADF;
	out = fd_get((int)a->a[1]);
	if (out) {
		ret = tee_do(in, out, a->a[2], flags & SPLICE_F_NONBLOCK_BIT);
		file_put(out);
	}
	file_put(in);
	return ret;
}

/* ---- vmsplice ---- */
static long vmsplice_do(struct file *f, u64 uiov, u64 count, bool nonblock)
{
	struct host_iovec iov[8], *to_free = NULL;
	struct pipe *p = pipe_of(f);
	struct uio u;
	long ret;

	if (!p)
		return -EBADF;
	ret = uio_from_user(&u, uiov, count, iov, ARRAY_SIZE(iov), &to_free);
	if (ret < 0)
		return ret;
	nonblock |= f->flags & O_NONBLOCK;
	if (!u.left)
		ret = 0;
	else if (f->mode & FMODE_WRITE)
		ret = pipe_put(p, &u, false, nonblock);
	else
		ret = pipe_get(p, &u, nonblock);
	kfree(to_free);
	return ret;
}

long sys_vmsplice(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[3];
	struct file *f;
	long ret;

	if (flags & ~SPLICE_F_ALL_BITS)
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	ret = vmsplice_do(f, a->a[1], a->a[2], flags & SPLICE_F_NONBLOCK_BIT);
	file_put(f);
	return ret;
}
