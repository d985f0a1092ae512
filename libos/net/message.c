/*
 * message.c - queues of whole messages: Unix datagrams and seqpackets, UDP,
 * netlink.
 *
 * A message lies in the receiver's list under its lock.  Senders that find
 * the queue full set want_space and wait at the receiver's space_wait.
 */
#include "sock.h"

struct message *message_alloc(u32 size)
{
	struct message *m = kmalloc(sizeof(*m) + size);

	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	list_init(&m->node);
	m->size = size;
	m->data = (u8 *)(m + 1);
	return m;
}

int message_from_uio(struct uio *u, struct message **out)
{
	u32 size = (u32)u->left;
	struct message *m = message_alloc(size);

	if (!m)
		return -ENOBUFS;
	if (size && uio_get(u, m->data, size) != (ssize_t)size) {
		kfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

void message_free(struct message *m)
{
	if (m->scm)
		scm_free(m->scm);
	if (m->from_unix)
		unix_name_put(m->from_unix);
	kfree(m);
}

void message_queue(struct socket *s, struct message *m)
{
	list_push_back(&s->messages, &m->node);
	s->message_count++;
	s->message_bytes += m->size;
}

static void message_unqueue(struct socket *s, struct message *m)
{
	list_remove(&m->node);
	s->message_count--;
	s->message_bytes -= m->size;
}

static bool can_receive(struct socket *s)
{
	return !list_empty(&s->messages) || s->error ||
		(s->shut & SHUT_READ) || s->dead;
}

/* Nothing there: 0 at the end, 1 to wait, or an error. */
static int receive_empty(struct socket *s, struct sock_io *io)
{
	int err = socket_take_error(s);

	if (err)
		return err;
	if (s->type == SOCK_DGRAM && io->nonblock)
		return -EAGAIN; /* as Linux: even behind the end */
	if (s->shut & SHUT_READ)
		return 0;
	return io->nonblock ? -EAGAIN : 1;
}

/* With the lock held when it returns 1: *out is the first message. */
static int message_wait(struct socket *s, struct sock_io *io,
			struct message **out)
{
	u64 deadline = 0;
	int err;

	for (;;) {
		mutex_lock(&s->lock);
		if (LIKELY(!list_empty(&s->messages)) && !s->error) {
			*out = list_first(&s->messages, struct message, node);
			return 1;
		}
		mutex_unlock(&s->lock);
		err = receive_empty(s, io);
		if (err <= 0)
			return err;
		if (!deadline)
			deadline = socket_deadline(s->opt.receive_timeout_ns);
		err = wait_until(&s->read_wait, can_receive(s), deadline);
		if (err)
			return socket_wait_error(err, deadline);
	}
}

/* What a peek needs to keep: a copy that the caller may free. */
static struct message *message_peek(const struct message *m)
{
	struct message *c = message_alloc(0);

	if (!c)
		return NULL;
	*c = *m;
	list_init(&c->node);
	c->scm = m->scm ? scm_copy(m->scm) : NULL;
	if (c->from_unix)
		ref_get(&c->from_unix->ref);
	return c;
}

/* There is room: for those in a call, and those connected to us in poll. */
static void wake_senders(struct socket *s)
{
	struct socket *other;

	waitq_wake(&s->space_wait, EPOLL_WRITABLE);
	mutex_lock(&s->lock);
	list_for_each(other, &s->un.senders, un.in_senders)
		socket_wake_write(other, EPOLL_WRITABLE);
	mutex_unlock(&s->lock);
}

/* Copies the data of m; returns what recv is to return. */
static ssize_t copy_data(struct message *m, struct sock_io *io)
{
	size_t n = MIN((size_t)m->size, io->data->left);
	ssize_t done = n ? uio_put(io->data, m->data, n) : 0;

	if (done < 0 || (size_t)done < n)
		return -EFAULT;
	if (n < m->size)
		io->out_flags |= MSG_TRUNC;
	return io->flags & MSG_TRUNC ? (ssize_t)m->size : (ssize_t)n;
}

ssize_t message_receive(struct socket *s, struct sock_io *io,
			struct message **out)
{
	struct message *m = NULL;
	bool wake = false;
	ssize_t n;
	int r;

	*out = NULL;
	r = message_wait(s, io, &m);
	if (r <= 0)
		return r;
	if (io->flags & MSG_PEEK) {
		n = copy_data(m, io);
		*out = n < 0 ? NULL : message_peek(m);
		mutex_unlock(&s->lock);
		return n < 0 || *out ? n : -ENOMEM;
	}
	message_unqueue(s, m);
	wake = s->want_space;
	s->want_space = false;
	mutex_unlock(&s->lock);
	if (wake)
		wake_senders(s);
	n = copy_data(m, io);
	*out = m;
	return n;
}

void message_done(struct message *m)
{
	if (m)
		message_free(m);
}

void messages_purge(struct socket *s, struct list *out)
{
	list_init(out);
	while (!list_empty(&s->messages)) {
		struct list *n = s->messages.next;

		list_remove(n);
		list_push_back(out, n);
	}
	s->message_count = s->message_bytes = 0;
}

void messages_free(struct list *l)
{
	struct message *m, *next;

	list_for_each_safe(m, next, l, node) {
		list_remove(&m->node);
		message_free(m);
	}
}
