/*
 * tcp.c - TCP: byte streams between two sockets of the sandbox, joined
 * directly, with TCP's rules for connecting, closing and resetting.
 *
 * Connections to and from the outside have a host handle instead of a peer
 * (tcp_host.c).  Joining and closing happen under inet_lock, so that no
 * connection is made to a socket that is closed at the same time.
 */
#include "sock.h"

/* ---- listening ------------------------------------------------------------------ */
static int tcp_listen(struct socket *s, int backlog)
{
	int err = s->in.port ? 0 : inet_autobind(s);
	bool was;

	if (err)
		return err == -EAGAIN ? -EADDRINUSE : err;
	mutex_lock(&inet_lock);
	was = s->state == SS_LISTEN;
	if (!was && s->state != SS_CLOSED) {
		err = -EINVAL;
	} else if (!was && inet_conflict(s, true)) {
		err = -EADDRINUSE;
	} else {
		s->backlog = (u32)backlog;
		s->shut = 0;
		s->state = SS_LISTEN;
		if (!was)
			list_push_back(&s->in.port->listeners,
				       &s->in.in_listeners);
	}
	mutex_unlock(&inet_lock);
	if (!err && !was)
		tcp_host_listen(s);
	return err;
}

/* Who is to be connected to at `to`; inet_lock held. */
static struct socket *find_listener(const struct inet_addr *to)
{
	struct inet_port *p = inet_port_find(IPPROTO_TCP, to->port);
	struct socket *s, *best = NULL;
	u32 best_score = 0, same = 0;

	if (!p)
		return NULL;
	list_for_each(s, &p->listeners, in.in_listeners) {
		u32 score = 1;

		if (!inet_accepts(s, to))
			continue;
		if (!inet_is_any(&s->in.local))
			score += 2;
		if (inet_is_v4(&s->in.local) == inet_is_v4(to))
			score += 1;
		if (score > best_score) {
			best = s;
			best_score = score;
			same = 1;
		} else if (score == best_score && s->opt.reuse_port) {
			/* the n-th of a group takes one in n */
			if (p->next_reuse++ % ++same == 0)
				best = s;
		}
	}
	return best;
}

/* ---- connecting ------------------------------------------------------------------ */
/* Make l's end for s, join and queue it; inet_lock held. */
static int join_and_queue(struct socket *s, struct socket *l)
{
	struct socket *c = socket_alloc_child(l);

	if (!c)
		return -ENOMEM;
	c->in.local = s->in.remote;
	c->in.remote = s->in.local;
	inet_port_add(c, l->in.port);
	s->shut = 0;
	stream_join(s, c);
	mutex_lock(&l->lock);
	listen_queue(l, c);
	mutex_unlock(&l->lock);
	socket_wake_read(l, EPOLL_READABLE);
	return 0;
}

static void connect_failed(struct socket *s, s32 error)
{
	mutex_lock(&s->lock);
	s->state = SS_CLOSED;
	s->error = error;
	s->shut = SHUT_BOTH;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
}

/* A place came free: the first connector that still lives gets it. */
void tcp_admit(struct socket *l)
{
	struct socket *s = NULL;

	mutex_lock(&inet_lock);
	if (!list_empty(&l->connectors)) {
		s = list_first(&l->connectors, struct socket, in_connectors);
		list_remove(&s->in_connectors);
		if (!s->dead && s->state == SS_CONNECTING)
			join_and_queue(s, l);
	}
	mutex_unlock(&inet_lock);
	if (!s)
		return;
	socket_wake_all(s, EPOLL_WRITABLE);
	socket_put(s);
}

/* Start connecting: joined, waiting for a place, or refused. */
static int start_connect(struct socket *s)
{
	struct socket *l;
	int err = 0;

	mutex_lock(&inet_lock);
	l = find_listener(&s->in.remote);
	if (!l) {
		err = -ECONNREFUSED;
	} else if (listen_is_full(l)) {
		list_push_back(&l->connectors,
			       &socket_get(s)->in_connectors);
	} else {
		err = join_and_queue(s, l);
	}
	mutex_unlock(&inet_lock);
	return err;
}

/* With the host's network, its loopback is what nobody listens on inside. */
static bool is_outside(const struct inet_addr *to)
{
	bool is_ours;

	if (!inet_is_loopback(to) || !inet_host_network())
		return !inet_is_loopback(to);
	mutex_lock(&inet_lock);
	is_ours = find_listener(to) != NULL;
	mutex_unlock(&inet_lock);
	return !is_ours;
}

/* What a second connect() says; 1: go on and connect. */
static int connect_again(struct socket *s)
{
	int err;

	if (s->state == SS_LISTEN)
		return -EISCONN;
	if (s->state == SS_CONNECTING)
		return -EALREADY;
	if (s->state == SS_ESTABLISHED) {
		if (!s->in.connect_untold)
			return -EISCONN;
		err = tcp_host_check(s);
		s->in.connect_untold = err == -EALREADY;
		return err;
	}
	if (s->in.connect_untold) {
		s->in.connect_untold = false;
		s->shut = 0;
		err = socket_take_error(s);
		return err ? err : -ECONNABORTED;
	}
	if (s->dead || s->peer || s->reset)
		return -EISCONN;
	return 1;
}

static int prepare_connect(struct socket *s, const struct inet_addr *to)
{
	struct inet_addr source;
	int err = 0;

	if (s->family == AF_INET6 && s->in.opt.v6only && inet_is_v4(to))
		return -ENETUNREACH;
	if (inet_is_multicast(to) || inet_is_broadcast(to))
		return -ENETUNREACH;
	if (!s->in.port)
		err = inet_autobind(s);
	if (err)
		return err == -EAGAIN ? -EADDRNOTAVAIL : err;
	if (inet_is_any(&s->in.local)) {
		inet_source_for(to, &source);
		memcpy(s->in.local.ip, source.ip, 16);
	}
	s->in.remote = *to;
	return 0;
}

/* Give back the port and address that connect() chose by itself. */
static void forget_source(struct socket *s)
{
	if (!s->in.is_bound_port) {
		inet_unbind(s);
		s->in.local.port = 0;
	}
	if (!s->in.is_bound_addr)
		memset(s->in.local.ip + (s->family == AF_INET ? 12 : 0), 0,
		       s->family == AF_INET ? 4 : 16);
}

static int wait_connected(struct socket *s)
{
	u64 deadline = socket_deadline(s->opt.send_timeout_ns);
	int err = wait_until(&s->write_wait, s->state != SS_CONNECTING,
			     deadline);

	if (err == -ETIMEDOUT)
		return -EINPROGRESS;
	if (err)
		return deadline == HOST_FOREVER ? err : -EINTR;
	err = socket_take_error(s);
	if (err) {
		s->shut = 0;
		forget_source(s);
	}
	return err;
}

static int connect_inside(struct socket *s, bool nonblock)
{
	int err;

	s->error = 0;
	s->shut = 0;
	s->state = SS_CONNECTING;
	err = start_connect(s);
	if (nonblock) {
		/* As over a real network: the outcome comes afterwards. */
		s->in.connect_untold = true;
		if (err)
			connect_failed(s, -err);
		return -EINPROGRESS;
	}
	if (err) {
		s->state = SS_CLOSED;
		forget_source(s);
		return err;
	}
	return s->state == SS_CONNECTING ? wait_connected(s) : 0;
}

static void tcp_disconnect(struct socket *s);

static int tcp_connect(struct socket *s, const union sock_addr *a, u32 size,
		       bool nonblock)
{
	struct inet_addr to;
	int err;

	if (size < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		tcp_disconnect(s);
		return 0;
	}
	err = inet_from_user(s->family, a, size, &to);
	if (err)
		return err;
	err = connect_again(s);
	if (err == -EALREADY && !nonblock)
		return wait_connected(s);
	if (err <= 0)
		return err;
	inet_fix_destination(&to);
	if (!inet_is_loopback(&to) && !inet_host_network())
		return -ENETUNREACH;
	err = prepare_connect(s, &to);
	if (err)
		return err;
	if (is_outside(&to))
		return tcp_host_connect(s, &to, nonblock);
	return connect_inside(s, nonblock);
}

/* ---- ending ------------------------------------------------------------------------ */
static void refuse_all(struct list *queue, struct list *connectors)
{
	struct socket *c, *next;

	list_for_each_safe(c, next, queue, in_accept) {
		list_remove(&c->in_accept);
		c->opt.linger = 0; /* the client is to see a reset */
		c->ops->close(c);
		socket_put(c);
	}
	list_for_each_safe(c, next, connectors, in_connectors) {
		list_remove(&c->in_connectors);
		connect_failed(c, ECONNREFUSED);
		socket_put(c);
	}
}

static void stop_listening(struct socket *s)
{
	struct list queue, connectors;
	struct list *n;

	list_init(&queue);
	list_init(&connectors);
	tcp_host_close(s);
	mutex_lock(&inet_lock);
	list_remove(&s->in.in_listeners);
	mutex_lock(&s->lock);
	s->state = SS_CLOSED;
	while (!list_empty(&s->accept_queue)) {
		n = s->accept_queue.next;
		list_remove(n);
		list_push_back(&queue, n);
	}
	s->accept_count = 0;
	mutex_unlock(&s->lock);
	while (!list_empty(&s->connectors)) {
		n = s->connectors.next;
		list_remove(n);
		list_push_back(&connectors, n);
	}
	mutex_unlock(&inet_lock);
	socket_wake_all(s, EPOLLIN | EPOLLHUP);
	refuse_all(&queue, &connectors);
}

/* p's peer closed: a FIN, or a reset. */
static void tell_peer(struct socket *p, bool reset)
{
	mutex_lock(&p->lock);
	if (reset) {
		if (!p->dead && p->state == SS_ESTABLISHED && !p->reset)
			p->error = p->shut & SHUT_READ ? EPIPE : ECONNRESET;
		p->shut = SHUT_BOTH;
		p->reset = true;
	} else {
		p->shut |= SHUT_READ;
	}
	mutex_unlock(&p->lock);
	socket_wake_all(p, EPOLL_READABLE | EPOLLRDHUP |
			(reset ? EPOLLERR | EPOLLHUP | EPOLLOUT : 0) |
			(p->shut == SHUT_BOTH ? EPOLLHUP : 0));
}

static void end_connection(struct socket *s)
{
	struct list none;
	struct socket *p;
	bool reset;

	mutex_lock(&s->lock);
	p = s->peer;
	s->peer = NULL;
	reset = s->ring.used || s->opt.linger == 0;
	stream_purge(s, &none);
	s->shut = SHUT_BOTH;
	s->state = SS_CLOSED;
	mutex_unlock(&s->lock);
	if (!p)
		return;
	tell_peer(p, reset);
	socket_put(p);
}

static void tcp_close(struct socket *s)
{
	mutex_lock(&inet_lock);
	s->dead = true;
	mutex_unlock(&inet_lock);
	if (s->state == SS_LISTEN)
		stop_listening(s);
	else if (s->handle != HOST_NO_HANDLE)
		tcp_host_close(s);
	end_connection(s);
	inet_unbind(s);
}

/* connect(AF_UNSPEC): drop the connection, keep the socket. */
static void tcp_disconnect(struct socket *s)
{
	if (s->state == SS_LISTEN)
		stop_listening(s);
	else if (s->handle != HOST_NO_HANDLE)
		tcp_host_close(s);
	if (s->peer)
		s->opt.linger = 0;
	end_connection(s);
	s->shut = 0;
	s->error = 0;
	s->reset = false;
	s->in.connect_untold = false;
	forget_source(s);
}

static int tcp_shutdown(struct socket *s, u32 how)
{
	struct socket *p = s->peer;

	if (s->state == SS_LISTEN) {
		if (how & SHUT_READ)
			stop_listening(s);
		return 0;
	}
	if (s->state != SS_ESTABLISHED)
		return -ENOTCONN;
	mutex_lock(&s->lock);
	s->shut |= how;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP |
			(s->shut == SHUT_BOTH ? EPOLLHUP : 0));
	if (s->handle != HOST_NO_HANDLE)
		return host_stream_shutdown(s->handle, (int)how - 1);
	if (p && (how & SHUT_WRITE))
		tell_peer(p, false);
	return 0;
}

/* ---- data --------------------------------------------------------------------------- */
/* 0: go on; a call on a socket that is not (yet) connected. */
static int wait_until_open(struct socket *s, bool nonblock, int unconnected)
{
	int err;

	if (s->state == SS_CONNECTING) {
		if (nonblock)
			return -EAGAIN;
		err = wait_until(&s->write_wait, s->state != SS_CONNECTING,
				 HOST_FOREVER);
		if (err)
			return err;
	}
	if (s->state == SS_ESTABLISHED)
		return 0;
	err = socket_take_error(s);
	return err ? err : unconnected;
}

static ssize_t tcp_send(struct socket *s, struct sock_io *io)
{
	if (UNLIKELY(io->flags & MSG_OOB))
		return -EOPNOTSUPP;
	if (UNLIKELY(s->state != SS_ESTABLISHED)) {
		int err = wait_until_open(s, io->nonblock, -EPIPE);

		if (err)
			return err;
	}
	if (s->handle != HOST_NO_HANDLE)
		return tcp_host_send(s, io);
	if (UNLIKELY(!s->peer))
		return -EPIPE;
	return stream_send(s, io);
}

static ssize_t tcp_receive(struct socket *s, struct sock_io *io)
{
	if (UNLIKELY(io->flags & MSG_OOB))
		return -EINVAL; /* there is never any */
	if (UNLIKELY(s->state != SS_ESTABLISHED)) {
		int err = wait_until_open(s, io->nonblock, -ENOTCONN);

		if (err == -ENOTCONN && (s->shut & SHUT_READ) && !s->dead)
			return s->ring.used ? stream_receive(s, io) : 0;
		if (err)
			return err;
	}
	if (s->handle != HOST_NO_HANDLE)
		return tcp_host_receive(s, io);
	return stream_receive(s, io);
}

static u32 tcp_poll(struct socket *s, struct poll_table *pt)
{
	u32 mask = 0, shut = s->shut;

	if (s->state == SS_LISTEN)
		return s->accept_count ? EPOLL_READABLE : 0;
	if (s->state == SS_CONNECTING)
		return 0;
	if (s->error)
		mask |= EPOLLERR;
	if (s->handle != HOST_NO_HANDLE) /* the host knows the rest */
		return mask | (s->pushback_size ? EPOLL_READABLE : 0);
	if (shut == SHUT_BOTH || s->state == SS_CLOSED)
		mask |= EPOLLHUP;
	if (shut & SHUT_READ)
		mask |= EPOLL_READABLE | EPOLLRDHUP;
	if (s->ring.used >= s->opt.low_water)
		mask |= EPOLL_READABLE;
	if ((shut & SHUT_WRITE) || stream_peer_writable(s))
		mask |= EPOLL_WRITABLE;
	return mask;
}

const struct sock_ops tcp_ops = {
	.bind = inet_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = listen_accept,
	.name = inet_getname,
	.send = tcp_send,
	.receive = tcp_receive,
	.shutdown = tcp_shutdown,
	.poll = tcp_poll,
	.set_option = inet_set_option,
	.get_option = inet_get_option,
	.close = tcp_close,
};
