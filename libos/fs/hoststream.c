/*
 * hoststream.c - streams of the host handed in: stdin, stdout, stderr.
 *
 * The host keeps the position, so that what several descriptors write to one
 * redirected file appends correctly.  f->pos counts along, from 0; after an
 * lseek it is the position.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/park.h>
#include <libos/poll.h>
#include <libos/save.h>
#include <libos/signal.h>

struct hoststream {
	const char *name;
	struct host_stat st;
	bool own_position;
	bool is_gone;      /* its other end was left behind by a resume */
	struct file *file;
	struct list in_all;/* all_lock */
};

static struct mutex all_lock = MUTEX_INIT; /* guards all_streams */
static struct list all_streams = LIST_INIT(all_streams);

static bool is_regular(const struct hoststream *s)
{
	return s->st.kind == HOST_KIND_FILE;
}

/* Try op until it neither has to wait nor was interrupted. */
static ssize_t stream_io(struct file *f, struct uio *u, u64 offset, bool write)
{
	u32 events = write ? HOST_POLL_OUT : HOST_POLL_IN;
	int64_t n;
	int err;

	/* A regular file does not make anyone wait; and its reader holds
	 * file->lock. */
	if (is_regular(f->priv) && offset == HOST_NO_OFFSET)
		offset = HOST_AT_ONCE;
	for (;;) {
		if (((struct hoststream *)f->priv)->is_gone)
			return write ? -EPIPE : 0;
		if (!is_regular(f->priv) && !(f->flags & O_NONBLOCK)) {
			err = host_handle_wait(f->handle, events, HOST_FOREVER);
			if (err)
				return err;
		}
		n = write ? host_stream_write(f->handle, u->iov, u->count,
					      offset) :
			    host_stream_read(f->handle, u->iov, u->count,
					     offset);
		if (n == -EINTR && !signal_pending(current())) {
			if (!is_regular(f->priv))
				task_park_point();
			continue;
		}
		if (n != -EAGAIN || (f->flags & O_NONBLOCK))
			break;
		if (is_regular(f->priv))
			break;
	}
	return n == -EINTR ? -ERESTARTSYS : n;
}

static ssize_t transfer(struct file *f, struct uio *u, u64 *pos, bool write)
{
	struct hoststream *s = f->priv;
	bool here = pos == &f->pos && !s->own_position;
	u64 offset = is_regular(s) && !here ? *pos : HOST_NO_OFFSET;
	ssize_t n = stream_io(f, u, offset, write);

	if (n > 0) {
		uio_advance(u, (size_t)n);
		*pos += (u64)n;
	}
	return n;
}

static ssize_t stream_read(struct file *f, struct uio *u, u64 *pos)
{
	return transfer(f, u, pos, false);
}

static ssize_t stream_write(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n = transfer(f, u, pos, true);

	if (n == -EPIPE)
		signal_send_task(current(), SIGPIPE, NULL);
	return n;
}

static u32 stream_poll(struct file *f, struct poll_table *pt)
{
	const struct hoststream *s = f->priv;

	if (s->is_gone)
		return EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR;
	return is_regular(s) ? EPOLLIN | EPOLLOUT : 0;
}

static host_handle stream_handle(struct file *f)
{
	const struct hoststream *s = f->priv;

	return is_regular(s) || s->is_gone ? HOST_NO_HANDLE : f->handle;
}

static s64 stream_seek(struct file *f, s64 off, int whence)
{
	struct hoststream *s = f->priv;
	struct host_stat st;
	s64 pos;
	int err;

	if (!is_regular(s))
		return -ESPIPE;
	if (whence == SEEK_CUR && !off && !s->own_position)
		return (s64)f->pos;
	err = host_stream_stat(f->handle, &st, NULL);
	if (err)
		return err;
	pos = file_seek_sized(f, off, whence, st.size);
	if (pos >= 0)
		s->own_position = true;
	return pos;
}

static int stream_map(struct file *f, struct vma *v, u64 addr, u64 size,
		      u64 offset)
{
	if (!is_regular(f->priv))
		return -ENODEV;
	return host_mem_map((void *)(uintptr_t)addr, size, (int)v->prot,
			    v->flags & VMA_SHARED ? HOST_MAP_SHARED :
						    HOST_MAP_PRIVATE,
			    f->handle, offset);
}

static int stream_sync(struct file *f, bool data_only)
{
	if (!is_regular(f->priv))
		return -EINVAL;
	return host_stream_sync(f->handle, data_only);
}

static void stream_release(struct file *f)
{
	struct hoststream *s = f->priv;

	mutex_lock(&all_lock);
	list_remove(&s->in_all);
	mutex_unlock(&all_lock);
	if (f->handle != HOST_NO_HANDLE)
		host_stream_close(f->handle);
	kfree(s);
}

static const struct file_ops hoststream_ops = {
	.name = "host", .read = stream_read, .write = stream_write,
	.poll = stream_poll, .poll_handle = stream_handle,
	.seek = stream_seek, .map = stream_map, .sync = stream_sync,
	.release = stream_release,
};

/* ---- its inode: what fstat tells of the descriptor ---------------------------------- */
static struct super stream_super = {
	.ref = { 1 }, .type = "pipefs", .magic = 0x50495045, .dev = 12,
	.next_ino = 1000,
};

static int stream_refresh(struct inode *i)
{
	struct host_stat st;

	if (!S_ISREG(i->mode))
		return 0;
	if (host_stream_stat((host_handle)(intptr_t)i->priv, &st, NULL))
		return -EIO;
	i->size = st.size;
	i->blocks = st.blocks;
	i->mtime_ns = st.mtime_ns;
	return 0;
}

static int stream_setattr(struct inode *i, const struct iattr *a)
{
	if (!(a->valid & ATTR_SIZE))
		return inode_set_attributes(i, a);
	return host_stream_resize((host_handle)(intptr_t)i->priv, a->size);
}

static const struct inode_ops stream_inode_ops = {
	.refresh = stream_refresh, .setattr = stream_setattr,
};

static u32 stream_mode(const struct host_stat *st)
{
	switch (st->kind) {
	case HOST_KIND_FILE:
		return S_IFREG | 0644;
	case HOST_KIND_CHAR:
		return S_IFCHR | 0620;
	case HOST_KIND_SOCKET:
		return S_IFSOCK | 0777;
	default:
		return S_IFIFO | 0600;
	}
}

static struct inode *stream_inode(host_handle h, const struct host_stat *st)
{
	struct inode *i = inode_alloc(&stream_super, stream_mode(st));

	if (!i)
		return NULL;
	i->ops = &stream_inode_ops;
	i->priv = (void *)(intptr_t)h;
	i->rdev = st->kind == HOST_KIND_CHAR ? MKDEV(1, 3) : 0;
	i->size = st->size;
	i->blocks = st->blocks;
	i->mtime_ns = st->mtime_ns;
	return i;
}

struct file *hoststream_file(host_handle h, u32 flags, const char *name,
			     const struct host_stat *st)
{
	struct hoststream *s = kzalloc(sizeof(*s));
	struct inode *i;
	struct file *f;

	if (!s)
		return err_ptr(-ENOMEM);
	s->name = name;
	if (st->kind)
		s->st = *st;
	else if (host_stream_stat(h, &s->st, NULL))
		s->st.kind = HOST_KIND_FIFO;
	i = stream_inode(h, &s->st);
	f = i ? file_alloc(&hoststream_ops, i, flags, s) : NULL;
	inode_put(i);
	if (!f) {
		kfree(s);
		return err_ptr(-ENOMEM);
	}
	f->handle = h;
	s->file = f;
	if (!is_regular(s))
		f->mode |= FMODE_STREAM;
	mutex_lock(&all_lock);
	list_push_back(&all_streams, &s->in_all);
	mutex_unlock(&all_lock);
	return f;
}

/* ---- after a resume ----------------------------------------------------------------- */
static void stream_attach(struct hoststream *s, host_handle h,
			  const struct host_stat *st)
{
	struct file *f = s->file;

	if (h != HOST_NO_HANDLE && st->kind)
		s->st = *st;
	else if (h == HOST_NO_HANDLE || host_stream_stat(h, &s->st, NULL))
		s->st.kind = HOST_KIND_FIFO;
	s->is_gone = h == HOST_NO_HANDLE;
	s->own_position = false;
	f->handle = h;
	f->inode->priv = (void *)(intptr_t)h;
	f->inode->mode = stream_mode(&s->st);
	f->mode = is_regular(s) ? f->mode & ~(u32)FMODE_STREAM
				: f->mode | FMODE_STREAM;
}

/* The program's own streams lead to the new surroundings; those of a command
 * that was connected to the old sandbox lead nowhere. */
void hoststream_resumed(const host_handle old[3], const host_handle new[3],
			const struct host_stat stats[3])
{
	struct hoststream *s;

	list_for_each(s, &all_streams, in_all) {
		unsigned i, which = 3;

		for (i = 0; i < 3; i++)
			if (s->file->handle == old[i] &&
			    old[i] != HOST_NO_HANDLE)
				which = i;
		if (which < 3)
			stream_attach(s, new[which], &stats[which]);
		else
			stream_attach(s, HOST_NO_HANDLE, NULL);
	}
}
