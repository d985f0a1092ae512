/*
 * unix_stream.c - Unix stream and seqpacket sockets: connections.
 *
 * The client makes the server's end itself and queues it at the listener;
 * both ends are joined before accept sees one.
 */
#include "sock.h"

/* ---- connecting ---------------------------------------------------------------- */
static int unix_listen(struct socket *s, int backlog)
{
	struct task *t = current();

	if (!s->un.name)
		return -EINVAL;
	mutex_lock(&s->lock);
	if (s->state != SS_CLOSED && s->state != SS_LISTEN) {
		mutex_unlock(&s->lock);
		return -EINVAL;
	}
	s->state = SS_LISTEN;
	s->backlog = (u32)backlog;
	mutex_unlock(&s->lock);
	unix_set_peer_cred(s, &t->cred, t->proc->pid);
	if (waitq_active(&s->space_wait))
		waitq_wake(&s->space_wait, EPOLL_WRITABLE);
	return 0;
}

static bool may_connect(struct socket *l)
{
	return !listen_is_full(l) || l->state != SS_LISTEN ||
		(l->shut & SHUT_READ);
}

/* l's place in the queue, or why not; lock held if 0. */
static int listen_enter(struct socket *s, struct socket *l, bool nonblock)
{
	u64 deadline = socket_deadline(s->opt.send_timeout_ns);
	int err;

	for (;;) {
		mutex_lock(&l->lock);
		if (l->state != SS_LISTEN || (l->shut & SHUT_READ)) {
			mutex_unlock(&l->lock);
			return -ECONNREFUSED;
		}
		if (!listen_is_full(l))
			return 0;
		mutex_unlock(&l->lock);
		if (nonblock)
			return -EAGAIN;
		err = wait_until(&l->space_wait, may_connect(l), deadline);
		if (err)
			return socket_wait_error(err, deadline);
	}
}

static struct socket *make_child(struct socket *s, struct socket *l)
{
	struct task *t = current();
	struct socket *c = socket_alloc_child(l);

	if (!c)
		return NULL;
	c->opt.send_timeout_ns = c->opt.receive_timeout_ns = 0;
	c->opt.low_water = 1;
	c->un.name = unix_name_get(l);
	unix_set_peer_cred(c, &t->cred, t->proc->pid);
	return c;
}

/* Claim s for this connection: only one thread may connect it. */
static int claim(struct socket *s)
{
	int err = 0;

	mutex_lock(&s->lock);
	if (s->state == SS_ESTABLISHED)
		err = -EISCONN;
	else if (s->state != SS_CLOSED || s->peer)
		err = -EINVAL;
	else
		s->state = SS_CONNECTING;
	mutex_unlock(&s->lock);
	return err;
}

static int connect_to(struct socket *s, struct socket *l, bool nonblock)
{
	struct socket *c = make_child(s, l);
	int err;

	if (!c)
		return -ENOMEM;
	err = listen_enter(s, l, nonblock);
	if (err) {
		socket_put(c);
		return err;
	}
	unix_copy_peer_cred(s, l);
	stream_join(s, c);
	if (s->type != SOCK_STREAM) {
		list_push_back(&s->un.senders, &c->un.in_senders);
		list_push_back(&c->un.senders, &s->un.in_senders);
	}
	listen_queue(l, c);
	mutex_unlock(&l->lock);
	socket_wake_read(l, EPOLL_READABLE);
	return 0;
}

static int unix_connect(struct socket *s, const union sock_addr *a, u32 size,
			bool nonblock)
{
	struct socket *l;
	int err = unix_find(a, size, s->type, &l);

	if (err)
		return err;
	if (s->opt.pass_cred && !s->un.name)
		unix_autobind(s);
	err = claim(s);
	if (!err) {
		err = connect_to(s, l, nonblock);
		if (err)
			s->state = SS_CLOSED;
		else
			socket_wake_write(s, EPOLL_WRITABLE);
	}
	socket_put(l);
	return err;
}

/* ---- ending ------------------------------------------------------------------------ */
static void close_listener(struct socket *s)
{
	struct socket *c, *next;
	struct list queue;

	list_init(&queue);
	mutex_lock(&s->lock);
	s->state = SS_CLOSED;
	s->dead = true;
	list_for_each_safe(c, next, &s->accept_queue, in_accept) {
		list_remove(&c->in_accept);
		list_push_back(&queue, &c->in_accept);
	}
	s->accept_count = 0;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLHUP);
	list_for_each_safe(c, next, &queue, in_accept) {
		list_remove(&c->in_accept);
		c->error = ECONNRESET; /* tells close: never accepted */
		c->ops->close(c);
		socket_put(c);
	}
}

static void tell_peer(struct socket *s, bool reset)
{
	struct socket *p = s->peer;

	mutex_lock(&p->lock);
	p->shut = SHUT_BOTH;
	if (reset)
		p->error = ECONNRESET;
	list_remove(&s->un.in_senders);
	mutex_unlock(&p->lock);
	socket_wake_all(p, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
}

void unix_close_connection(struct socket *s)
{
	struct list marks, messages;
	bool reset;

	unix_unbind(s);
	if (s->state == SS_LISTEN) {
		close_listener(s);
		unix_gc();
		return;
	}
	mutex_lock(&s->lock);
	s->dead = true;
	s->shut = SHUT_BOTH;
	reset = s->ring.used || s->message_count ||
		(!s->file && s->error == ECONNRESET);
	stream_purge(s, &marks);
	messages_purge(s, &messages);
	mutex_unlock(&s->lock);
	if (s->peer)
		tell_peer(s, reset);
	marks_free(&marks);
	messages_free(&messages);
	if (s->peer) {
		struct socket *p = s->peer;

		mutex_lock(&s->lock);
		s->peer = NULL;
		mutex_unlock(&s->lock);
		socket_put(p);
	}
	unix_gc();
}

static int unix_shutdown(struct socket *s, u32 how)
{
	struct socket *p = s->peer;
	u32 other = (how & SHUT_READ ? SHUT_WRITE : 0) |
		(how & SHUT_WRITE ? SHUT_READ : 0);

	mutex_lock(&s->lock);
	s->shut |= how;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	if (!p)
		return 0;
	mutex_lock(&p->lock);
	p->shut |= other;
	mutex_unlock(&p->lock);
	socket_wake_all(p, EPOLLIN | EPOLLOUT | EPOLLRDHUP |
			(p->shut == SHUT_BOTH ? EPOLLHUP : 0));
	return 0;
}

/* ---- data --------------------------------------------------------------------------- */
static ssize_t unix_stream_send(struct socket *s, struct sock_io *io)
{
	if (UNLIKELY(io->flags & MSG_OOB))
		return -EOPNOTSUPP;
	if (UNLIKELY(io->name_size))
		return s->state == SS_ESTABLISHED ? -EISCONN : -EOPNOTSUPP;
	if (UNLIKELY(s->shut & SHUT_WRITE))
		return -EPIPE;
	if (UNLIKELY(s->state != SS_ESTABLISHED))
		return -ENOTCONN;
	return stream_send(s, io);
}

static void give_name(struct socket *s, struct sock_io *io)
{
	struct unix_name *n = s->peer ? unix_name_get(s->peer) : NULL;

	if (n)
		io->name_size = unix_name_copy(n, io->name);
	unix_name_put(n);
}

static ssize_t unix_stream_receive(struct socket *s, struct sock_io *io)
{
	ssize_t n;

	if (UNLIKELY(s->state != SS_ESTABLISHED))
		return -EINVAL;
	if (UNLIKELY(io->flags & MSG_OOB))
		return -EOPNOTSUPP;
	n = stream_receive(s, io);
	if (UNLIKELY(io->want_name && n > 0))
		give_name(s, io);
	return n;
}

static u32 unix_poll(struct socket *s, struct poll_table *pt)
{
	u32 shut = s->shut, mask = 0;

	if (s->error)
		mask |= EPOLLERR;
	if (shut == SHUT_BOTH)
		mask |= EPOLLHUP;
	if (shut & SHUT_READ)
		mask |= EPOLLRDHUP | EPOLL_READABLE;
	if (s->ring.used || s->message_count || s->accept_count)
		mask |= EPOLL_READABLE;
	if (s->state == SS_CLOSED || s->state == SS_CONNECTING)
		mask |= EPOLLHUP;
	if (s->state != SS_LISTEN && (s->dead || stream_peer_writable(s)))
		mask |= EPOLL_WRITABLE | EPOLLWRBAND;
	return mask;
}

const struct sock_ops unix_stream_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = listen_accept,
	.name = unix_getname,
	.send = unix_stream_send,
	.receive = unix_stream_receive,
	.shutdown = unix_shutdown,
	.poll = unix_poll,
	.set_option = unix_set_option,
	.get_option = unix_get_option,
	.close = unix_close_connection,
	.free = unix_free,
};

const struct sock_ops unix_seqpacket_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = listen_accept,
	.name = unix_getname,
	.send = unix_seqpacket_send,
	.receive = unix_seqpacket_receive,
	.shutdown = unix_shutdown,
	.poll = unix_poll,
	.set_option = unix_set_option,
	.get_option = unix_get_option,
	.close = unix_close_connection,
	.free = unix_free,
};
