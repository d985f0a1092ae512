/*
 * fifo.c - opening FIFOs, and the hold that files have on a pipe.
 *
 * A FIFO's pipe hangs on inode->bound while somebody has it open or is
 * opening it; fifo_lock guards that pointer and pipe->refs.
 */
#include "pipe.h"

#include <libos/ipc.h>
#include <libos/poll.h>
#include <libos/task.h>
#include <libos/vfs.h>

static struct mutex fifo_lock = MUTEX_INIT;

static struct pipe *fifo_hold(struct inode *ino)
{
	struct pipe *p;

	mutex_lock(&fifo_lock);
	p = ino->bound;
	if (!p && (p = pipe_alloc())) {
		p->inode = ino;
		ino->bound = p;
	}
	if (p)
		p->refs++;
	mutex_unlock(&fifo_lock);
	return p;
}

void pipe_drop(struct pipe *p)
{
	bool last;

	mutex_lock(&fifo_lock);
	last = --p->refs == 0;
	if (last && p->inode)
		p->inode->bound = NULL;
	mutex_unlock(&fifo_lock);
	if (last)
		pipe_free(p);
}

/* The other end, as it was when ours was counted in: woken by that, it may
 * be closed again before we look. */
struct partner {
	bool is_there;
	u32 seen;
};

/* Count the new end in and wake the opens that wait for it. */
static struct partner fifo_join(struct pipe *p, bool reads, bool writes)
{
	struct partner other;

	mutex_lock(&p->lock);
	other.is_there = reads ? p->writers : p->readers;
	other.seen = reads ? p->writer_count : p->reader_count;
	if (reads) {
		p->readers++;
		__atomic_fetch_add(&p->reader_count, 1, __ATOMIC_SEQ_CST);
	}
	if (writes) {
		p->writers++;
		__atomic_fetch_add(&p->writer_count, 1, __ATOMIC_SEQ_CST);
	}
	mutex_unlock(&p->lock);
	if (reads)
		waitq_wake(&p->write_wait, 0);
	if (writes)
		waitq_wake(&p->read_wait, 0);
	return other;
}

static void fifo_leave(struct pipe *p, bool reads, bool writes)
{
	mutex_lock(&p->lock);
	p->readers -= reads;
	p->writers -= writes;
	mutex_unlock(&p->lock);
	waitq_wake(&p->read_wait, EPOLLHUP);
	waitq_wake(&p->write_wait, EPOLLERR);
}

/* One end only, blocking: until the other end is opened, even if it has been
 * closed again by the time that we run. */
static int fifo_wait_partner(struct pipe *p, bool reads, struct partner other)
{
	u32 *count = reads ? &p->writer_count : &p->reader_count;

	if (other.is_there)
		return 0;
	return wait_until(reads ? &p->read_wait : &p->write_wait,
			  __atomic_load_n(count, __ATOMIC_SEQ_CST) !=
				other.seen,
			  HOST_FOREVER);
}

int fifo_open(struct inode *ino, struct file *f)
{
	u32 access = f->flags & O_ACCMODE;
	bool reads = access != O_WRONLY, writes = access != O_RDONLY;
	bool nonblock = f->flags & O_NONBLOCK;
	bool unnamed = pipe_is_unnamed(ino); /* /proc/PID/fd: waits for nobody */
	struct partner other;
	struct pipe *p;
	int err = 0;

	if (access == O_ACCMODE)
		return -EINVAL;
	p = fifo_hold(ino);
	if (!p)
		return -ENOMEM;
	if (access == O_WRONLY && nonblock && !unnamed && !p->readers) {
		pipe_drop(p);
		return -ENXIO;
	}
	other = fifo_join(p, reads, writes);
	f->pos = 0;
	if (!unnamed && access == O_RDONLY && nonblock && !p->writers)
		f->pos = p->writer_count; /* no EPOLLHUP before a writer came */
	else if (!unnamed && access != O_RDWR && !nonblock)
		err = fifo_wait_partner(p, reads, other);
	if (err) {
		fifo_leave(p, reads, writes);
		pipe_drop(p);
		return err;
	}
	f->ops = &pipe_ops;
	f->priv = p;
	f->mode |= FMODE_STREAM;
	return 0;
}
