/*
 * pipe.c - pipes: pipe(2), pipe2(2), reading, writing, polling, sizes.
 *
 * One lock per pipe, one wait queue per direction; a hand-off to a sleeping
 * reader or writer costs one wake-up, and none when nobody sleeps.  Writes of
 * at most PIPE_BUF bytes are atomic.  FIFO opens are in fifo.c, splice's
 * entry points at the end of this file.
 */
#include "pipe.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/poll.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#include <asm/ioctls.h>

#define PIPEFS_MAGIC 0x50495045u
#define CAP_SYS_RESOURCE_BIT 24
#ifndef O_NOTIFICATION_PIPE
#define O_NOTIFICATION_PIPE O_EXCL
#endif

static struct mutex pipefs_lock = MUTEX_INIT;
static struct super *pipefs;

/* ---- the ring ---- */
static u32 ring_room(const struct pipe *p)
{
	u32 taken = p->used + p->reserved;

	return taken >= p->limit ? 0 : p->limit - taken;
}

static void ring_free(struct pipe *p)
{
	if (p->ring)
		page_free(p->ring, p->capacity / PAGE_SIZE);
	p->ring = NULL;
	p->capacity = p->head = 0;
}

/* Copy used bytes from offset on into a flat buffer. */
static void ring_peek(const struct pipe *p, u32 offset, u8 *to, u32 n)
{
	u32 at, part;

	if (!n)
		return;
	at = (p->head + offset) % p->capacity;
	part = MIN(n, p->capacity - at);
	memcpy(to, p->ring + at, part);
	memcpy(to + part, p->ring, n - part);
}

static int ring_resize(struct pipe *p, u32 capacity)
{
	u8 *fresh = page_alloc(capacity / PAGE_SIZE);
	u32 used = p->used;

	if (!fresh)
		return -ENOMEM;
	ring_peek(p, 0, fresh, used);
	ring_free(p);
	p->ring = fresh;
	p->capacity = capacity;
	return 0;
}

/* Make the ring hold `bytes`: 4 KiB at first, as most pipes carry little. */
static int ring_grow(struct pipe *p, u32 bytes)
{
	u32 capacity = p->capacity ? p->capacity : PAGE_SIZE;

	if (LIKELY(bytes <= p->capacity))
		return 0;
	while (capacity < bytes)
		capacity *= 4;
	return ring_resize(p, MIN(capacity, MAX(p->limit, (u32)PAGE_UP(bytes))));
}

/* Append n bytes of u; there is room.  Bytes or -EFAULT. */
static ssize_t ring_put(struct pipe *p, struct uio *u, u32 n)
{
	u32 at = (p->head + p->used) % p->capacity;
	u32 part = MIN(n, p->capacity - at);
	ssize_t got = uio_get(u, p->ring + at, part), more;

	if (got < (ssize_t)part || part == n)
		return got;
	more = uio_get(u, p->ring, n - part);
	return more < 0 ? got : got + more;
}

/* Move n bytes out to u. Bytes copied or -EFAULT. */
static ssize_t ring_get(struct pipe *p, struct uio *u, u32 n)
{
	u32 part = MIN(n, p->capacity - p->head);
	ssize_t got = uio_put(u, p->ring + p->head, part), more;

	if (got < (ssize_t)part || part == n)
		return got;
	more = uio_put(u, p->ring, n - part);
	return more < 0 ? got : got + more;
}

static void ring_consume(struct pipe *p, u32 n)
{
	p->used -= n;
	/* An empty ring starts again at its first, warm page. */
	p->head = p->used || p->reserved ? (p->head + n) % p->capacity : 0;
}

/* ---- packet marks ---- */
static struct pipe_mark *mark_first(const struct pipe *p)
{
	return &p->marks[p->mark_head];
}

static struct pipe_mark *mark_last(const struct pipe *p)
{
	return &p->marks[(p->mark_head + p->mark_count - 1) % p->mark_max];
}

static void mark_append(struct pipe *p, u32 size, bool is_packet)
{
	if (p->mark_count && !is_packet && !mark_last(p)->is_packet) {
		mark_last(p)->size += size;
		return;
	}
	p->mark_count++;
	*mark_last(p) = (struct pipe_mark){ size, is_packet };
}

static int marks_begin(struct pipe *p)
{
	u32 max = p->limit / PAGE_SIZE + 1;

	if (p->marks)
		return 0;
	p->marks = kmalloc(max * sizeof(*p->marks));
	if (!p->marks)
		return -ENOMEM;
	p->mark_head = p->mark_count = 0;
	p->mark_max = max;
	if (p->used)
		mark_append(p, p->used, false);
	return 0;
}

static void marks_end(struct pipe *p)
{
	kfree(p->marks);
	p->marks = NULL;
	p->mark_count = 0;
}

/* n bytes of the first stretch were read; a packet goes whole. */
static void pipe_consume(struct pipe *p, u32 n)
{
	struct pipe_mark *m;

	if (!p->marks) {
		ring_consume(p, n);
		return;
	}
	m = mark_first(p);
	if (m->is_packet)
		n = m->size;
	m->size -= n;
	ring_consume(p, n);
	if (m->size)
		return;
	p->mark_head = (p->mark_head + 1) % p->mark_max;
	if (--p->mark_count == 0)
		marks_end(p);
}

/* Bytes that one read may take. */
static u32 pipe_first_size(const struct pipe *p)
{
	return p->marks ? mark_first(p)->size : p->used;
}

/* Room for a write now: packets and their marks are limited in number. */
static u32 pipe_room(const struct pipe *p, bool packet)
{
	if (p->marks && p->mark_count + 1 >= p->mark_max)
		return 0;
	return packet && ring_room(p) < PIPE_ATOMIC ? 0 : ring_room(p);
}

/* ---- life ---- */
struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->limit = PIPE_DEFAULT_SIZE;
	waitq_init(&p->read_wait);
	waitq_init(&p->write_wait);
	return p;
}

void pipe_free(struct pipe *p)
{
	ring_free(p);
	kfree(p->marks);
	kfree(p);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->lock);
	if (pipe_can_read(f))
		p->readers--;
	if (pipe_can_write(f))
		p->writers--;
	if (!p->readers && !p->writers) {
		/* A FIFO that nobody has open is empty. */
		p->used = p->head = 0;
		marks_end(p);
	}
	mutex_unlock(&p->lock);
	waitq_wake(&p->read_wait, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	waitq_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
	pipe_drop(p);
}

/* ---- reading ---- */
static bool pipe_is_readable(const struct pipe *p)
{
	return (p->used || !p->writers) && !p->read_claimed;
}

/* Returns with the lock held when there is something, 1; 0 at the end. */
static int pipe_wait_readable(struct pipe *p, bool nonblock)
{
	int err;

	for (;;) {
		mutex_lock(&p->lock);
		if (p->used && !p->read_claimed)
			return 1;
		if (!p->used && !p->writers) {
			mutex_unlock(&p->lock);
			return 0;
		}
		mutex_unlock(&p->lock);
		if (nonblock)
			return -EAGAIN;
		err = wait_until(&p->read_wait, pipe_is_readable(p),
				 HOST_FOREVER);
		if (err)
			return err;
	}
}

/* Lock held.  One stretch after the other until u is full; a packet ends the
 * read. */
static ssize_t pipe_take(struct pipe *p, struct uio *u)
{
	ssize_t done = 0;

	while (p->used && u->left) {
		bool packet = p->marks && mark_first(p)->is_packet;
		u32 n = (u32)MIN((size_t)pipe_first_size(p), u->left);
		ssize_t got = ring_get(p, u, n);

		if (got <= 0)
			return done ? done : got;
		pipe_consume(p, (u32)got);
		done += got;
		if (packet || got < (ssize_t)n)
			break;
	}
	return done;
}

ssize_t pipe_get(struct pipe *p, struct uio *u, bool nonblock)
{
	bool was_full;
	ssize_t got;
	int ready;

	if (!u->left)
		return 0;
	ready = pipe_wait_readable(p, nonblock);
	if (ready <= 0)
		return ready;
	was_full = ring_room(p) < PIPE_ATOMIC || p->marks;
	got = pipe_take(p, u);
	was_full |= p->has_polled;
	mutex_unlock(&p->lock);
	if (was_full)
		waitq_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
	return got;
}

static ssize_t pipe_read(struct file *f, struct uio *u, u64 *pos)
{
	return pipe_get(f->priv, u, f->flags & O_NONBLOCK);
}

/* ---- writing ---- */
static int pipe_broken(void)
{
	signal_send_task(current(), SIGPIPE, NULL);
	return -EPIPE;
}

/* Lock held.  What fits of u, at least `least` bytes or nothing. */
static ssize_t pipe_fill(struct pipe *p, struct uio *u, u32 least, bool packet)
{
	u32 room = pipe_room(p, packet), n;
	ssize_t got;
	int err;

	if (room < least)
		return 0;
	n = (u32)MIN((size_t)room, u->left);
	if (packet)
		n = MIN(n, PIPE_ATOMIC);
	err = ring_grow(p, p->used + p->reserved + n);
	if (err)
		return err;
	if (packet && (err = marks_begin(p)))
		return err;
	got = ring_put(p, u, n);
	if (got <= 0)
		return got;
	if (p->marks)
		mark_append(p, (u32)got, packet);
	p->used += (u32)got;
	return got;
}

static bool pipe_has_room(const struct pipe *p, u32 least, bool packet)
{
	/* A promise is filled from behind: others wait meanwhile. */
	return !p->readers || (!p->reserved && pipe_room(p, packet) >= least);
}

ssize_t pipe_put(struct pipe *p, struct uio *u, bool packet, bool nonblock)
{
	ssize_t done = 0, n;

	while (u->left) {
		u32 least = u->left <= PIPE_ATOMIC && !done ? (u32)u->left : 1;
		bool was_empty;

		mutex_lock(&p->lock);
		if (!p->readers) {
			mutex_unlock(&p->lock);
			return done ? (pipe_broken(), done) : pipe_broken();
		}
		was_empty = !p->used || p->has_polled || p->read_claimed;
		n = p->reserved ? 0 : pipe_fill(p, u, least, packet);
		mutex_unlock(&p->lock);
		if (n > 0 && was_empty)
			waitq_wake(&p->read_wait, EPOLLIN | EPOLLRDNORM);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (n)
			continue;
		if (nonblock)
			return done ? done : -EAGAIN;
		n = wait_until(&p->write_wait, pipe_has_room(p, least, packet),
			       HOST_FOREVER);
		if (n)
			return done ? done : n;
	}
	return done;
}

static ssize_t pipe_write(struct file *f, struct uio *u, u64 *pos)
{
	return pipe_put(f->priv, u, f->flags & O_DIRECT, f->flags & O_NONBLOCK);
}

/* ---- the other operations ---- */
static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 mask = 0;

	if (pt && !p->has_polled)
		__atomic_store_n(&p->has_polled, true, __ATOMIC_SEQ_CST);
	if (pipe_can_read(f)) {
		poll_add(pt, &p->read_wait);
		if (p->used)
			mask |= EPOLLIN | EPOLLRDNORM;
		/* f->pos holds the number of writers seen at the open. */
		if (!p->writers && f->pos != p->writer_count)
			mask |= EPOLLHUP;
	}
	if (pipe_can_write(f)) {
		poll_add(pt, &p->write_wait);
		if (pipe_room(p, true))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (!p->readers)
			mask |= EPOLLERR;
	}
	return mask;
}

static long pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = f->priv;

	if (cmd == FIONREAD)
		return put_user_u32(arg, p->used);
	return -ENOTTY;
}

const struct file_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

/* ---- F_SETPIPE_SZ ---- */
static long pipe_set_size(struct pipe *p, u64 arg)
{
	u32 size = PAGE_SIZE;
	long ret = 0;

	if (arg > 1u << 31)
		return -EINVAL;
	while (size < arg)
		size *= 2;
	if (size > PIPE_MAX_SIZE && !capable(CAP_SYS_RESOURCE_BIT))
		return -EPERM;
	mutex_lock(&p->lock);
	if (p->used + p->reserved > size || p->mark_count > size / PAGE_SIZE ||
	    (p->reserved && p->capacity > size))
		ret = -EBUSY;
	else if (p->capacity > size)
		ret = ring_resize(p, size);
	if (!ret)
		p->limit = size;
	mutex_unlock(&p->lock);
	if (ret)
		return ret;
	waitq_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
	return size;
}

long pipe_fcntl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = pipe_of(f);

	if (!p)
		return -EBADF;
	return cmd == F_SETPIPE_SZ ? pipe_set_size(p, (u32)arg) : p->limit;
}

/* ---- pipe(2) ---- */
static struct inode *pipe_inode(void)
{
	struct inode *i;

	mutex_lock(&pipefs_lock);
	if (!pipefs)
		pipefs = super_alloc("pipefs", PIPEFS_MAGIC);
	mutex_unlock(&pipefs_lock);
	if (!pipefs)
		return NULL;
	i = inode_alloc(pipefs, 0010600); /* S_IFIFO */
	if (!i)
		return NULL;
	i->uid = current()->cred.fsuid;
	i->gid = current()->cred.fsgid;
	i->nlink = 1;
	return i;
}

bool pipe_is_unnamed(const struct inode *ino)
{
	return pipefs && ino->super == pipefs;
}

/* A new pipe's two files, the read end first. */
static int pipe_files(struct file *out[2], u32 flags)
{
	struct pipe *p = pipe_alloc();
	struct inode *i = p ? pipe_inode() : NULL;

	if (!i) {
		kfree(p);
		return -ENOMEM;
	}
	flags &= O_NONBLOCK | O_DIRECT;
	out[0] = file_alloc(&pipe_ops, i, O_RDONLY | (flags & O_NONBLOCK), p);
	out[1] = NULL;
	if (!is_err(out[0]) && out[0])
		out[1] = file_alloc(&pipe_ops, i, O_WRONLY | flags, p);
	inode_put(i); /* the files have their own references */
	if (!out[1] || is_err(out[1])) {
		if (out[0] && !is_err(out[0])) {
			p->refs = p->readers = 1;
			file_put(out[0]);
		} else {
			pipe_free(p);
		}
		return -ENFILE;
	}
	p->inode = i; /* /proc/PID/fd/N opens it again, as a FIFO */
	i->bound = p;
	p->refs = 2;
	p->readers = p->writers = p->reader_count = p->writer_count = 1;
	out[0]->mode |= FMODE_STREAM;
	out[1]->mode |= FMODE_STREAM;
	return 0;
}

static long pipe_create(u64 ufds, u32 flags)
{
	bool cloexec = flags & O_CLOEXEC;
	struct file *f[2];
	s32 fds[2];
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return flags & O_NOTIFICATION_PIPE ? -ENOPKG : -EINVAL;
	err = pipe_files(f, flags);
	if (err)
		return err;
	fds[0] = fd_install(f[0], cloexec);
	if (fds[0] < 0) {
		err = fds[0];
		goto put_both;
	}
	fds[1] = fd_install(f[1], cloexec);
	if (fds[1] < 0) {
		err = fds[1];
		fd_close(fds[0]);
		file_put(f[1]);
		return err;
	}
	if (copy_to_user(ufds, fds, sizeof(fds))) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
put_both:
	file_put(f[0]);
	file_put(f[1]);
	return err;
}

long sys_pipe(struct task *t, const struct sysargs *a)
{
	return pipe_create(a->a[0], 0);
}

long sys_pipe2(struct task *t, const struct sysargs *a)
{
	return pipe_create(a->a[0], (u32)a->a[1]);
}

/* ---- splice's entry points ---- */
ssize_t pipe_claim(struct pipe *p, bool nonblock)
{
	int ready = pipe_wait_readable(p, nonblock);
	u32 n;

	if (ready <= 0)
		return ready;
	p->read_claimed = true;
	n = pipe_first_size(p);
	mutex_unlock(&p->lock);
	return n;
}

void pipe_peek(struct pipe *p, u32 offset, void *to, u32 n)
{
	mutex_lock(&p->lock);
	ring_peek(p, offset, to, n);
	mutex_unlock(&p->lock);
}

void pipe_unclaim(struct pipe *p, u32 consumed)
{
	mutex_lock(&p->lock);
	p->read_claimed = false;
	if (consumed)
		pipe_consume(p, consumed);
	mutex_unlock(&p->lock);
	waitq_wake(&p->read_wait, EPOLLIN | EPOLLRDNORM);
	waitq_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
}

ssize_t pipe_reserve(struct pipe *p, u32 n, bool nonblock)
{
	int err;

	for (;;) {
		u32 room;

		mutex_lock(&p->lock);
		if (!p->readers) {
			mutex_unlock(&p->lock);
			return pipe_broken();
		}
		room = p->reserved ? 0 : pipe_room(p, false);
		n = MIN(n, room);
		err = n ? ring_grow(p, p->used + n) : 0;
		if (n && !err)
			p->reserved = n;
		mutex_unlock(&p->lock);
		if (err)
			return err;
		if (n)
			return n;
		if (nonblock)
			return -EAGAIN;
		n = PIPE_DEFAULT_SIZE;
		err = wait_until(&p->write_wait, pipe_has_room(p, 1, false),
				 HOST_FOREVER);
		if (err)
			return err;
	}
}

void pipe_commit(struct pipe *p, u32 reserved, const void *from, u32 n)
{
	struct host_iovec iov;
	struct uio u;

	uio_single(&u, &iov, (void *)(uintptr_t)from, n, true);
	mutex_lock(&p->lock);
	p->reserved -= reserved;
	if (n && ring_put(p, &u, n) == (ssize_t)n) {
		if (p->marks)
			mark_append(p, n, false);
		p->used += n;
	}
	mutex_unlock(&p->lock);
	waitq_wake(&p->read_wait, EPOLLIN | EPOLLRDNORM);
	if (n < reserved)
		waitq_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
}
