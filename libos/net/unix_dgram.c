/*
 * unix_dgram.c - Unix datagrams, and the messages of seqpacket connections.
 *
 * The peer of a datagram socket may change at any time: take it with a
 * reference, under the lock.
 */
#include "sock.h"

/* A message costs its sender this much of its buffer besides the bytes. */
#define MESSAGE_COST 768u
#define MESSAGE_SLACK 32u
#define QUEUE_MAX 512u

bool unix_queue_full(const struct socket *r, const struct socket *sender)
{
	u64 cost = r->message_bytes + (u64)r->message_count * MESSAGE_COST;

	return cost >= sender->opt.send_buffer || (r->peer != sender &&
		r->message_count > QUEUE_MAX);
}

static struct socket *peer_get(struct socket *s)
{
	struct socket *p;

	mutex_lock(&s->lock);
	p = s->peer;
	if (p)
		socket_get(p);
	mutex_unlock(&s->lock);
	return p;
}

/* Replace the peer; to is a reference that s takes over, or NULL. */
static void set_peer(struct socket *s, struct socket *to)
{
	struct socket *old;

	mutex_lock(&s->lock);
	old = s->peer;
	s->peer = to;
	s->state = to ? SS_ESTABLISHED : SS_CLOSED;
	mutex_unlock(&s->lock);
	if (old) {
		mutex_lock(&old->lock);
		list_remove(&s->un.in_senders);
		mutex_unlock(&old->lock);
		if (old->peer == s && old != to) {
			old->error = ECONNRESET;
			socket_wake_all(old, EPOLLERR);
		}
		socket_put(old);
	}
	if (to) {
		mutex_lock(&to->lock);
		list_push_back(&to->un.senders, &s->un.in_senders);
		mutex_unlock(&to->lock);
	}
}

static bool may_send(const struct socket *s, const struct socket *to)
{
	return !to->peer || to->peer == s;
}

static int dgram_connect(struct socket *s, const union sock_addr *a, u32 size,
			 bool nonblock)
{
	struct socket *to;
	int err;

	if (size < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		set_peer(s, NULL);
		return 0;
	}
	err = unix_find(a, size, s->type, &to);
	if (err)
		return err;
	if (s->opt.pass_cred && !s->un.name)
		unix_autobind(s);
	if (!may_send(s, to)) {
		socket_put(to);
		return -EPERM;
	}
	set_peer(s, to);
	return 0;
}

/* ---- sending ------------------------------------------------------------------ */
static int message_dress(struct socket *s, struct socket *to,
			 struct sock_io *io, struct message *m)
{
	bool want_cred = s->opt.pass_cred || to->opt.pass_cred;

	m->from_unix = unix_name_get(s);
	if (!io->scm && want_cred)
		io->scm = scm_with_cred();
	if (!io->scm)
		return want_cred ? -ENOMEM : 0;
	if (!io->scm->has_cred) {
		cred_of_current(&io->scm->cred);
		io->scm->has_cred = true;
	}
	m->scm = io->scm;
	io->scm = NULL;
	scm_count(m->scm);
	return 0;
}

static int refused(struct socket *s, struct socket *to)
{
	if (s->shut & SHUT_WRITE)
		return -EPIPE;
	if (s->type == SOCK_SEQPACKET)
		return to->dead || (to->shut & SHUT_READ) ? -EPIPE : 0;
	if (to->dead)
		return -ECONNREFUSED;
	return to->shut & SHUT_READ ? -EPIPE : 0;
}

/* Asks for a wake-up if the answer is no. */
static bool can_queue(struct socket *s, struct socket *to)
{
	bool ok;

	mutex_lock(&to->lock);
	ok = refused(s, to) || !unix_queue_full(to, s);
	if (!ok)
		to->want_space = true;
	mutex_unlock(&to->lock);
	return ok;
}

static int deliver(struct socket *s, struct socket *to, struct message *m,
		   bool nonblock)
{
	u64 deadline = 0;
	int err;

	for (;;) {
		mutex_lock(&to->lock);
		err = refused(s, to);
		if (err || !unix_queue_full(to, s))
			break;
		mutex_unlock(&to->lock);
		if (nonblock)
			return -EAGAIN;
		if (!deadline)
			deadline = socket_deadline(s->opt.send_timeout_ns);
		err = wait_until(&to->space_wait, can_queue(s, to), deadline);
		if (err)
			return socket_wait_error(err, deadline);
	}
	if (!err)
		message_queue(to, m);
	mutex_unlock(&to->lock);
	if (!err)
		socket_wake_read(to, EPOLL_READABLE);
	return err;
}

static ssize_t send_to(struct socket *s, struct socket *to,
		       struct sock_io *io)
{
	u32 size = (u32)io->data->left;
	struct message *m;
	int err;

	if (io->data->left > s->opt.send_buffer - MESSAGE_SLACK)
		return -EMSGSIZE;
	err = message_from_uio(io->data, &m);
	if (err)
		return err;
	err = message_dress(s, to, io, m);
	if (!err)
		err = deliver(s, to, m, io->nonblock);
	if (err) {
		message_free(m);
		return err;
	}
	return (ssize_t)size;
}

static int destination(struct socket *s, struct sock_io *io,
		       struct socket **to)
{
	int err;

	if (!io->name_size) {
		*to = peer_get(s);
		return *to ? 0 : -ENOTCONN;
	}
	err = unix_find(io->name, io->name_size, s->type, to);
	if (!err && !may_send(s, *to)) {
		socket_put(*to);
		err = -EPERM;
	}
	return err;
}

static ssize_t dgram_send(struct socket *s, struct sock_io *io)
{
	struct socket *to;
	ssize_t n;
	int err;

	if (io->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->opt.pass_cred && !s->un.name) {
		err = unix_autobind(s);
		if (err)
			return err;
	}
	err = destination(s, io, &to);
	if (err)
		return err;
	n = send_to(s, to, io);
	if (n == -ECONNREFUSED && to->dead && s->peer == to)
		set_peer(s, NULL);
	socket_put(to);
	return n;
}

ssize_t unix_seqpacket_send(struct socket *s, struct sock_io *io)
{
	if (io->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->error)
		return socket_take_error(s);
	if (s->state != SS_ESTABLISHED)
		return -ENOTCONN;
	return send_to(s, s->peer, io);
}

/* ---- receiving ------------------------------------------------------------------ */
ssize_t unix_message_receive(struct socket *s, struct sock_io *io)
{
	struct message *m;
	ssize_t n;

	if (io->flags & MSG_OOB)
		return -EOPNOTSUPP;
	n = message_receive(s, io, &m);
	if (!m)
		return n;
	if (n >= 0 && io->want_name && m->from_unix)
		io->name_size = unix_name_copy(m->from_unix, io->name);
	if (n >= 0) {
		io->scm = m->scm;
		m->scm = NULL;
		if (io->scm || s->opt.pass_cred)
			control_put_scm(s, io);
	}
	message_done(m);
	return n;
}

ssize_t unix_seqpacket_receive(struct socket *s, struct sock_io *io)
{
	if (s->state != SS_ESTABLISHED)
		return -ENOTCONN;
	return unix_message_receive(s, io);
}

/* ---- the rest ---------------------------------------------------------------------- */
static int dgram_shutdown(struct socket *s, u32 how)
{
	struct socket *p = peer_get(s);

	mutex_lock(&s->lock);
	s->shut |= how;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	if (p)
		socket_put(p);
	return 0;
}

static u32 dgram_poll(struct socket *s, struct poll_table *pt)
{
	u32 shut = s->shut, mask = 0;
	struct socket *p;
	bool room = true;

	if (s->error)
		mask |= EPOLLERR;
	if (shut & SHUT_READ)
		mask |= EPOLLRDHUP | EPOLL_READABLE;
	if (shut == SHUT_BOTH)
		mask |= EPOLLHUP;
	if (s->message_count)
		mask |= EPOLL_READABLE;
	p = peer_get(s);
	if (p) {
		room = can_queue(s, p);
		socket_put(p);
	}
	return room ? mask | EPOLL_WRITABLE | EPOLLWRBAND : mask;
}

static void dgram_close(struct socket *s)
{
	struct list messages;

	unix_unbind(s);
	mutex_lock(&s->lock);
	s->dead = true;
	s->shut = SHUT_BOTH;
	messages_purge(s, &messages);
	mutex_unlock(&s->lock);
	if (waitq_active(&s->space_wait))
		waitq_wake(&s->space_wait, EPOLLHUP);
	messages_free(&messages);
	if (s->peer) {
		struct socket *p = s->peer;

		mutex_lock(&p->lock);
		list_remove(&s->un.in_senders);
		mutex_unlock(&p->lock);
		mutex_lock(&s->lock);
		s->peer = NULL;
		mutex_unlock(&s->lock);
		socket_put(p);
	}
	unix_gc();
}

const struct sock_ops unix_dgram_ops = {
	.bind = unix_bind,
	.connect = dgram_connect,
	.name = unix_getname,
	.send = dgram_send,
	.receive = unix_message_receive,
	.shutdown = dgram_shutdown,
	.poll = dgram_poll,
	.set_option = unix_set_option,
	.get_option = unix_get_option,
	.close = dgram_close,
	.free = unix_free,
};
