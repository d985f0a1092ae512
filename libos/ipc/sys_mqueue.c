/*
 * sys_mqueue.c - the system calls of POSIX message queues.
 */
#include "mqueue.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/signal.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#define CAP_SYS_RESOURCE_BIT 24

/* The name as the kernel gets it: without the slash that programs write. */
static int mq_read_name(char *name, u64 user)
{
	ssize_t n = strncpy_from_user(name, user, MQ_NAME_MAX + 1);

	if (n < 0)
		return (int)n;
	if (!n)
		return -ENOENT;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return strchr(name, '/') ? -EACCES : 0;
}

static int mq_check_attr(const struct mq_attr_k *a)
{
	bool privileged = capable(CAP_SYS_RESOURCE_BIT);
	s64 messages = privileged ? MQ_HARD_MESSAGES : MQ_DEFAULT_MESSAGES;
	s64 size = privileged ? MQ_HARD_SIZE : MQ_DEFAULT_SIZE;

	if (a->max_messages <= 0 || a->message_size <= 0 ||
	    a->max_messages > messages || a->message_size > size)
		return -EINVAL;
	return 0;
}

static long mq_open_file(struct mqueue *q, u32 flags)
{
	struct file *f = file_alloc(&mq_file_ops, q->inode,
				    flags & (O_ACCMODE | O_NONBLOCK), q);
	int fd;

	if (!f || is_err(f)) {
		mq_put(q);
		return -ENFILE;
	}
	fd = fd_install(f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_mq_open(struct task *t, const struct sysargs *a)
{
	struct mq_attr_k attr = { .max_messages = MQ_DEFAULT_MESSAGES,
				  .message_size = MQ_DEFAULT_SIZE };
	u32 flags = (u32)a->a[1];
	char name[MQ_NAME_MAX + 1];
	struct mqueue *q;
	int err = mq_read_name(name, a->a[0]);

	if (!err && a->a[3] && copy_from_user(&attr, a->a[3], sizeof(attr)))
		err = -EFAULT;
	if (!err && flags & O_CREAT)
		err = mq_check_attr(&attr);
	if (!err && (flags & O_ACCMODE) == O_ACCMODE)
		err = -EINVAL;
	if (err)
		return err;
	q = mq_get(name, flags, (u32)a->a[2] & ~t->proc->fs->umask, &attr);
	return is_err(q) ? ptr_err(q) : mq_open_file(q, flags);
}

long sys_mq_unlink(struct task *t, const struct sysargs *a)
{
	char name[MQ_NAME_MAX + 1];
	int err = mq_read_name(name, a->a[0]);

	return err ? err : mq_remove(name);
}

static struct file *mq_file(u64 fd, u32 mode)
{
	struct file *f = fd_get((int)fd);

	if (f && f->ops == &mq_file_ops && (f->mode & mode) == mode)
		return f;
	if (f)
		file_put(f);
	return NULL;
}

/* The absolute CLOCK_REALTIME timeout of the timed calls. */
static int mq_deadline(u64 user, u64 *deadline_ns)
{
	u64 at;
	int err;

	*deadline_ns = HOST_FOREVER;
	if (!user)
		return 0;
	err = get_timespec(user, &at);
	if (err)
		return err;
	*deadline_ns = MAX(deadline_from_realtime(at), 1ull);
	return 0;
}

static struct mq_message *mq_message_from(u64 user, u64 size, u32 priority)
{
	struct mq_message *m = kmalloc(sizeof(*m) + size);

	if (!m)
		return err_ptr(-ENOMEM);
	m->priority = priority;
	m->size = (u32)size;
	if (!copy_from_user(m->text, user, size))
		return m;
	kfree(m);
	return err_ptr(-EFAULT);
}

long sys_mq_timedsend(struct task *t, const struct sysargs *a)
{
	struct mq_message *m;
	struct mqueue *q;
	struct file *f;
	u64 deadline;
	long ret = mq_deadline(a->a[4], &deadline);

	if (ret)
		return ret;
	if ((u32)a->a[3] >= MQ_PRIORITY_MAX)
		return -EINVAL;
	f = mq_file(a->a[0], FMODE_WRITE);
	if (!f)
		return -EBADF;
	q = f->priv;
	if (a->a[2] > q->message_size) {
		file_put(f);
		return -EMSGSIZE;
	}
	m = mq_message_from(a->a[1], a->a[2], (u32)a->a[3]);
	if (is_err(m)) {
		file_put(f);
		return ptr_err(m);
	}
	ret = mq_send(q, m, f->flags & O_NONBLOCK, deadline);
	if (ret)
		kfree(m);
	file_put(f);
	return ret;
}

static long mq_message_to(struct mq_message *m, u64 user, u64 upriority)
{
	if (upriority && put_user_u32(upriority, m->priority))
		return -EFAULT;
	return copy_to_user(user, m->text, m->size) ? -EFAULT : (long)m->size;
}

long sys_mq_timedreceive(struct task *t, const struct sysargs *a)
{
	struct mq_message *m;
	struct mqueue *q;
	struct file *f;
	u64 deadline;
	long ret = mq_deadline(a->a[4], &deadline);

	if (ret)
		return ret;
	f = mq_file(a->a[0], FMODE_READ);
	if (!f)
		return -EBADF;
	q = f->priv;
	if (a->a[2] < q->message_size) {
		file_put(f);
		return -EMSGSIZE;
	}
	m = mq_receive(q, f->flags & O_NONBLOCK, deadline);
	file_put(f);
	if (is_err(m))
		return ptr_err(m);
	ret = mq_message_to(m, a->a[1], a->a[3]);
	kfree(m);
	return ret;
}

struct user_sigevent { u64 value; s32 signo, notify; s32 rest[12]; };

long sys_mq_notify(struct task *t, const struct sysargs *a)
{
	struct user_sigevent ev;
	struct mq_notice n = { 0 };
	struct file *f;
	long ret;

	if (a->a[1]) {
		if (copy_from_user(&ev, a->a[1], sizeof(ev)))
			return -EFAULT;
		/* SIGEV_THREAD needs a kernel netlink socket: not offered. */
		if (ev.notify != MQ_NOTIFY_SIGNAL && ev.notify != MQ_NOTIFY_NONE)
			return -EINVAL;
		if (ev.notify == MQ_NOTIFY_SIGNAL &&
		    (ev.signo < 0 || ev.signo > NSIG))
			return -EINVAL;
		n.kind = ev.notify;
		n.signal = ev.signo;
		n.value = ev.value;
	}
	f = mq_file(a->a[0], 0);
	if (!f)
		return -EBADF;
	ret = mq_set_notice(f->priv, a->a[1] ? &n : NULL);
	file_put(f);
	return ret;
}

static void mq_fill_attr(struct file *f, struct mq_attr_k *out)
{
	struct mqueue *q = f->priv;

	memset(out, 0, sizeof(*out));
	out->flags = f->flags & O_NONBLOCK;
	out->max_messages = q->limit;
	out->message_size = q->message_size;
	out->current = q->count;
}

long sys_mq_getsetattr(struct task *t, const struct sysargs *a)
{
	struct mq_attr_k in, out;
	struct file *f;

	if (a->a[1]) {
		if (copy_from_user(&in, a->a[1], sizeof(in)))
			return -EFAULT;
		if (in.flags & ~(s64)O_NONBLOCK)
			return -EINVAL;
	}
	f = mq_file(a->a[0], 0);
	if (!f)
		return -EBADF;
	mq_fill_attr(f, &out);
	if (a->a[1])
		f->flags = (f->flags & ~(u32)O_NONBLOCK) | (u32)in.flags;
	file_put(f);
	return a->a[2] && copy_to_user(a->a[2], &out, sizeof(out)) ? -EFAULT : 0;
}
