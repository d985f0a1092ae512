/*
 * generation.c - /dev/generation: which life of a saved sandbox this is.
 *
 * Reading gives 32 hexadecimal digits and a newline: a random number that is
 * another one after each resume, in each clone.  A program that keeps
 * something that must not exist twice (random state, session keys, names it
 * has registered) polls for POLLPRI: as with an attribute of sysfs it is
 * raised, with POLLERR, when the number has changed since this descriptor
 * last read it.  pread(fd, buf, 33, 0) reads it again.
 */
#include "fs.h"

#include <libos/lock.h>
#include <libos/poll.h>
#include <libos/random.h>
#include <libos/save.h>

#define ID_SIZE 16

static struct mutex lock = MUTEX_INIT; /* guards what follows */
static u8 id[ID_SIZE];
static u64 number;                     /* of lives; 0: id is not made yet */
static struct waitq changed = WAITQ_INIT(changed);

static void make_id(void)
{
	random_bytes(id, sizeof(id));
	number++;
}

static ssize_t generation_read(struct file *f, struct uio *u, u64 *pos)
{
	char text[2 * ID_SIZE + 2];
	size_t n = 0;
	ssize_t got;

	mutex_lock(&lock);
	if (!number)
		make_id();
	for (unsigned i = 0; i < ID_SIZE; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x",
				      id[i]);
	f->priv = (void *)(uintptr_t)number;
	mutex_unlock(&lock);
	text[n++] = '\n';
	if (*pos >= n)
		return 0;
	got = uio_put(u, text + *pos, MIN(n - *pos, u->left));
	if (got > 0)
		*pos += (u64)got;
	return got;
}

static u32 generation_poll(struct file *f, struct poll_table *pt)
{
	u64 seen = (u64)(uintptr_t)f->priv;

	poll_add(pt, &changed);
	return EPOLLIN | EPOLLRDNORM |
	       (seen && seen != number ? EPOLLPRI | EPOLLERR : 0);
}

static s64 generation_seek(struct file *f, s64 off, int whence)
{
	return file_seek_sized(f, off, whence, 2 * ID_SIZE + 1);
}

const struct file_ops generation_ops = {
	.name = "generation", .read = generation_read,
	.poll = generation_poll, .seek = generation_seek,
};

void generation_resumed(void)
{
	mutex_lock(&lock);
	make_id();
	mutex_unlock(&lock);
	waitq_wake(&changed, EPOLLPRI | EPOLLERR);
}
