/*
 * pipe.h - the inside of a pipe, for pipe.c, fifo.c and splice.c.
 *
 * The data is a ring of bytes that is allocated with the first write and
 * grows up to `limit`.  When packets (O_DIRECT) are in it, `marks` says where
 * one ends: its entries cover all the bytes of the ring, in order.
 */
#ifndef LIBOS_IPC_PIPE_H
#define LIBOS_IPC_PIPE_H

#include <libos/file.h>
#include <libos/lock.h>

#define PIPE_DEFAULT_SIZE 65536u
#define PIPE_MAX_SIZE 1048576u
#define PIPE_ATOMIC 4096u       /* PIPE_BUF */

struct pipe_mark { u32 size; bool is_packet; };

struct pipe {
	struct mutex lock;       /* guards all but the queues */
	u8 *ring;
	u32 capacity;            /* of ring; 0: none yet */
	u32 limit;               /* as F_SETPIPE_SZ has it */
	u32 head, used;          /* first byte, bytes */
	u32 reserved;            /* room promised to a splice */
	struct pipe_mark *marks; /* NULL: a plain stream of bytes */
	u32 mark_head, mark_count, mark_max;
	bool read_claimed;       /* a splice is moving the first bytes out */
	bool has_polled;         /* wake at every write, for edge triggers */
	u32 readers, writers;    /* open files */
	u32 reader_count, writer_count; /* opens so far: FIFO opens wait on it */
	u32 refs;                /* open files and opens under way */
	struct waitq read_wait, write_wait;
	struct inode *inode;     /* FIFO: whose bound is this; else NULL */
};

struct pipe *pipe_alloc(void);
void pipe_free(struct pipe *p);
extern const struct file_ops pipe_ops;
static inline struct pipe *pipe_of(struct file *f)
{
	return f->ops == &pipe_ops ? f->priv : NULL;
}
static inline bool pipe_can_read(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}
static inline bool pipe_can_write(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}
/* Drop one hold on the pipe; takes it off its inode at the last. */
void pipe_drop(struct pipe *p); /* fifo.c */
/* Made by pipe(2), not a FIFO with a name. */
bool pipe_is_unnamed(const struct inode *ino);

/* Read and write, as the file ops do. */
ssize_t pipe_get(struct pipe *p, struct uio *u, bool nonblock);
ssize_t pipe_put(struct pipe *p, struct uio *u, bool packet, bool nonblock);

/* ---- for splice.c: kernel buffers ---- */
/* Wait until the pipe has data; then nobody else reads until pipe_unclaim.
 * Bytes of the first packet or stretch, 0 at the end, or -errno. */
ssize_t pipe_claim(struct pipe *p, bool nonblock);
/* Copy n of the claimed bytes from offset on; n fits what claim returned. */
void pipe_peek(struct pipe *p, u32 offset, void *to, u32 n);
void pipe_unclaim(struct pipe *p, u32 consumed);
/* Wait for room, promise up to n bytes of it: bytes, or -EPIPE, -EAGAIN... */
ssize_t pipe_reserve(struct pipe *p, u32 n, bool nonblock);
/* Use the promise: n bytes from `from`; the rest of it is given back. */
void pipe_commit(struct pipe *p, u32 reserved, const void *from, u32 n);

#endif
