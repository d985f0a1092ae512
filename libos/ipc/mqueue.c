/*
 * mqueue.c - POSIX message queues: the objects, their names, sending,
 * receiving and notification.  The calls are in sys_mqueue.c.
 *
 * Queues live in a name space of their own.  A queue is freed when its name
 * and its last open file are gone; mq_lock guards the names, the counts and
 * the notification of every queue.
 */
#include "mqueue.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/poll.h>
#include <libos/task.h>
#include <libos/vfs.h>

#define MQUEUE_MAGIC 0x19800202u

static struct mutex mq_lock = MUTEX_INIT;
static struct list mq_names = LIST_INIT(mq_names);
static u32 mq_total;
static struct super *mq_super;

/* ---- life ---- */
static void mq_free(struct mqueue *q)
{
	struct mq_message *m, *next;

	list_for_each_safe(m, next, &q->messages, node)
		kfree(m);
	inode_put(q->inode);
	kfree(q);
}

/* Drop a use (an open file, a call under way, the name). */
void mq_put(struct mqueue *q)
{
	bool last;

	mutex_lock(&mq_lock);
	last = --q->uses == 0;
	mq_total -= last;
	mutex_unlock(&mq_lock);
	if (last)
		mq_free(q);
}

static struct mqueue *mq_lookup(const char *name)
{
	struct mqueue *q;

	list_for_each(q, &mq_names, in_names)
		if (!strcmp(q->name, name))
			return q;
	return NULL;
}

static struct mqueue *mq_new(const char *name, u32 mode,
			     const struct mq_attr_k *attr)
{
	const struct cred *c = &current()->cred;
	struct mqueue *q;

	if (mq_total >= MQ_QUEUES_MAX && !capable(24 /* CAP_SYS_RESOURCE */))
		return err_ptr(-ENOSPC);
	if (!mq_super)
		mq_super = super_alloc("mqueue", MQUEUE_MAGIC);
	q = kzalloc(sizeof(*q));
	if (!q || !mq_super)
		goto no_memory;
	q->inode = inode_alloc(mq_super, 0100000 | (mode & 0777));
	if (!q->inode)
		goto no_memory;
	q->inode->uid = c->fsuid;
	q->inode->gid = c->fsgid;
	q->inode->nlink = 1;
	q->inode->size = 80; /* of the status text, as Linux says */
	strlcpy(q->name, name, sizeof(q->name));
	q->limit = (u32)attr->max_messages;
	q->message_size = (u32)attr->message_size;
	list_init(&q->messages);
	waitq_init(&q->readers);
	waitq_init(&q->writers);
	list_push_back(&mq_names, &q->in_names);
	q->uses = 1;
	mq_total++;
	return q;
no_memory:
	kfree(q);
	return err_ptr(-ENOMEM);
}

struct mqueue *mq_get(const char *name, u32 flags, u32 mode,
		      const struct mq_attr_k *attr)
{
	static const int masks[4] = { 4, 2, 6, 6 };
	struct mqueue *q;
	int err = 0;

	mutex_lock(&mq_lock);
	q = mq_lookup(name);
	if (q && flags & O_CREAT && flags & O_EXCL)
		q = err_ptr(-EEXIST);
	else if (q && (err = inode_permission(q->inode,
					      masks[flags & O_ACCMODE])))
		q = err_ptr(err);
	else if (!q && flags & O_CREAT)
		q = mq_new(name, mode, attr);
	else if (!q)
		q = err_ptr(-ENOENT);
	if (!is_err(q))
		q->uses++;
	mutex_unlock(&mq_lock);
	return q;
}

int mq_remove(const char *name)
{
	struct mqueue *q;
	int err = 0;

	mutex_lock(&mq_lock);
	q = mq_lookup(name);
	if (!q)
		err = -ENOENT;
	else if (current()->cred.fsuid != q->inode->uid &&
		 !capable(3 /* CAP_FOWNER */))
		err = -EACCES;
	else
		list_remove(&q->in_names);
	mutex_unlock(&mq_lock);
	if (!err)
		mq_put(q);
	return err;
}

/* ---- messages ---- */
/* Lock held: in order of priority, first come first. */
static void mq_insert(struct mqueue *q, struct mq_message *m)
{
	struct mq_message *at;
	struct list *before = &q->messages;

	for (before = q->messages.prev; before != &q->messages;
	     before = before->prev) {
		at = list_entry(before, struct mq_message, node);
		if (at->priority >= m->priority)
			break;
	}
	list_push_front(before, &m->node);
	q->count++;
	q->bytes += m->size;
}

/* An empty queue gets its first message and nobody is receiving: tell who
 * asked for it, once. */
static bool mq_take_notice(struct mqueue *q, struct mq_notice *n)
{
	if (!q->notice.proc || q->count != 1 || q->receivers)
		return false;
	*n = q->notice;
	q->notice.proc = NULL;
	return true;
}

static void mq_send_notice(struct mq_notice *n)
{
	siginfo_t info;

	if (n->kind == MQ_NOTIFY_SIGNAL) {
		memset(&info, 0, sizeof(info));
		info.si_signo = n->signal;
		info.si_code = SI_MESGQ;
		info.si_pid = current()->proc->pid;
		info.si_uid = current()->cred.uid;
		info.si_ptr = (void *)(uintptr_t)n->value;
		signal_send_proc(n->proc, n->signal, &info);
	}
	proc_put(n->proc);
}

int mq_send(struct mqueue *q, struct mq_message *m, bool nonblock,
	    u64 deadline_ns)
{
	struct mq_notice notice;
	bool notify;
	int err;

	for (;;) {
		mutex_lock(&q->lock);
		if (q->count < q->limit)
			break;
		mutex_unlock(&q->lock);
		if (nonblock)
			return -EAGAIN;
		err = wait_until(&q->writers, q->count < q->limit, deadline_ns);
		if (err)
			return err;
	}
	mq_insert(q, m);
	notify = mq_take_notice(q, &notice);
	mutex_unlock(&q->lock);
	waitq_wake(&q->readers, EPOLLIN | EPOLLRDNORM);
	if (notify)
		mq_send_notice(&notice);
	return 0;
}

struct mq_message *mq_receive(struct mqueue *q, bool nonblock, u64 deadline_ns)
{
	struct mq_message *m;
	int err;

	for (;;) {
		mutex_lock(&q->lock);
		if (q->count)
			break;
		if (!nonblock)
			q->receivers++;
		mutex_unlock(&q->lock);
		if (nonblock)
			return err_ptr(-EAGAIN);
		err = wait_until(&q->readers, q->count, deadline_ns);
		mutex_lock(&q->lock);
		q->receivers--;
		mutex_unlock(&q->lock);
		if (err)
			return err_ptr(err);
	}
	m = list_first(&q->messages, struct mq_message, node);
	list_remove(&m->node);
	q->count--;
	q->bytes -= m->size;
	mutex_unlock(&q->lock);
	waitq_wake(&q->writers, EPOLLOUT | EPOLLWRNORM);
	return m;
}

/* ---- notification ---- */
int mq_set_notice(struct mqueue *q, const struct mq_notice *n)
{
	struct proc *self = current()->proc, *old = NULL;
	int err = 0;

	mutex_lock(&q->lock);
	if (!n) {
		if (q->notice.proc == self) {
			old = self;
			q->notice.proc = NULL;
		}
	} else if (q->notice.proc) {
		err = -EBUSY;
	} else {
		q->notice = *n;
		q->notice.proc = self;
		ref_get(&self->ref);
	}
	mutex_unlock(&q->lock);
	if (old)
		proc_put(old);
	return err;
}

/* ---- the file ---- */
static ssize_t mq_read(struct file *f, struct uio *u, u64 *pos)
{
	struct mqueue *q = f->priv;
	char text[80];
	size_t n;

	mutex_lock(&q->lock);
	n = (size_t)snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d "
			     "SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes,
			     q->notice.proc ? q->notice.kind : 0,
			     q->notice.proc &&
			     q->notice.kind == MQ_NOTIFY_SIGNAL
				     ? q->notice.signal : 0,
			     q->notice.proc ? q->notice.proc->pid : 0);
	mutex_unlock(&q->lock);
	if (*pos >= n)
		return 0;
	n = MIN(n - *pos, u->left);
	n = (size_t)uio_put(u, text + *pos, n);
	if ((ssize_t)n > 0)
		*pos += n;
	return (ssize_t)n;
}

static u32 mq_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->priv;
	u32 mask = 0;

	poll_add(pt, &q->readers);
	poll_add(pt, &q->writers);
	if (q->count)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (q->count < q->limit)
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* Closing any descriptor of the queue ends the process's notification. */
static void mq_flush(struct file *f)
{
	mq_set_notice(f->priv, NULL);
}

static void mq_release(struct file *f)
{
	mq_put(f->priv);
}

static s64 mq_seek(struct file *f, s64 off, int whence)
{
	return file_seek_sized(f, off, whence, 80);
}

const struct file_ops mq_file_ops = {
	.name = "mqueue",
	.read = mq_read,
	.poll = mq_poll,
	.seek = mq_seek,
	.flush = mq_flush,
	.release = mq_release,
};
