/*
 * eventfd.c - eventfd(2): a counter to wait on.
 */
#include "anon.h"

#include <libos/file.h>
#include <libos/heap.h>
#include <libos/poll.h>
#include <libos/sys.h>
#include <libos/task.h>

#define EFD_SEMAPHORE_FLAG 1u

struct eventfd {
	struct mutex lock;
	u64 count;
	bool is_semaphore;
	struct waitq wait;
};

static u64 event_load(const struct eventfd *e)
{
	return __atomic_load_n(&e->count, __ATOMIC_SEQ_CST);
}

static ssize_t eventfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 value;
	int err;

	if (u->left < sizeof(value))
		return -EINVAL;
	for (;;) {
		mutex_lock(&e->lock);
		if (e->count)
			break;
		mutex_unlock(&e->lock);
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_until(&e->wait, event_load(e), HOST_FOREVER);
		if (err)
			return err;
	}
	value = e->is_semaphore ? 1 : e->count;
	e->count -= value;
	mutex_unlock(&e->lock);
	waitq_wake(&e->wait, EPOLLOUT);
	return uio_put(u, &value, sizeof(value));
}

static ssize_t eventfd_write(struct file *f, struct uio *u, u64 *pos)
{
	struct eventfd *e = f->priv;
	ssize_t got;
	u64 value;
	int err;

	if (u->left < sizeof(value))
		return -EINVAL;
	got = uio_get(u, &value, sizeof(value));
	if (got != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	for (;;) {
		mutex_lock(&e->lock);
		if (UINT64_MAX - e->count > value)
			break;
		mutex_unlock(&e->lock);
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_until(&e->wait, UINT64_MAX - event_load(e) > value,
				 HOST_FOREVER);
		if (err)
			return err;
	}
	e->count += value;
	mutex_unlock(&e->lock);
	waitq_wake(&e->wait, EPOLLIN);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u32 mask = 0;
	u64 count;

	poll_add(pt, &e->wait);
	count = event_load(e);
	if (count > 0)
		mask |= EPOLLIN;
	if (count == UINT64_MAX)
		mask |= EPOLLERR;
	if (count < UINT64_MAX - 1)
		mask |= EPOLLOUT;
	return mask;
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops eventfd_ops = {
	.name = "[eventfd]",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

static long eventfd_create(u32 count, u32 flags)
{
	struct eventfd *e;
	long fd;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE_FLAG))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	waitq_init(&e->wait);
	e->count = count;
	e->is_semaphore = flags & EFD_SEMAPHORE_FLAG;
	fd = anon_install(&eventfd_ops,
			  O_RDWR | (flags & (O_NONBLOCK | O_CLOEXEC)), e, NULL);
	if (fd < 0)
		kfree(e);
	return fd;
}

long sys_eventfd(struct task *t, const struct sysargs *a)
{
	return eventfd_create((u32)a->a[0], 0);
}

long sys_eventfd2(struct task *t, const struct sysargs *a)
{
	return eventfd_create((u32)a->a[0], (u32)a->a[1]);
}
