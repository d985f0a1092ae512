/*
 * udp.c - datagrams on the loopback.  A full receiver drops; a connected
 * sender learns by ECONNREFUSED that nobody listens.
 */
#include "sock.h"

#define PAYLOAD_MAX_V4 65507u
#define PAYLOAD_MAX_V6 65527u
#define MESSAGE_COST 768u

/* ---- naming ---------------------------------------------------------------------- */
static int udp_bind(struct socket *s, const union sock_addr *a, u32 size)
{
	int err = inet_bind(s, a, size);

	if (!err)
		udp_host_bind(s);
	return err;
}

/* As inet_from_user; a v6 socket may name a v4 destination. */
static int destination_from_user(const struct socket *s,
				 const union sock_addr *a, u32 size,
				 struct inet_addr *to)
{
	bool is_v4 = size >= sizeof(a->family) && a->family == AF_INET;

	return inet_from_user(is_v4 ? AF_INET : s->family, a, size, to);
}

static int check_destination(const struct socket *s,
			     const struct inet_addr *to)
{
	if (s->family == AF_INET6 && s->in.opt.v6only && inet_is_v4(to))
		return -ENETUNREACH;
	if (inet_is_broadcast(to) && !s->opt.broadcast)
		return -EACCES;
	if (inet_is_loopback(to) && !inet_is_broadcast(to))
		return 0;
	if (s->handle != HOST_NO_HANDLE && !inet_is_multicast(to))
		return 0;
	return -ENETUNREACH;
}

static bool is_bound_inside(const struct inet_addr *to)
{
	struct inet_port *p;
	struct socket *s;
	bool found = false;

	mutex_lock(&inet_lock);
	p = inet_port_find(IPPROTO_UDP, to->port);
	if (p)
		list_for_each(s, &p->sockets, in.in_port)
			found |= inet_accepts(s, to);
	mutex_unlock(&inet_lock);
	return found;
}

/* With the host's network, its loopback is what is not bound inside. */
static bool is_outside(const struct inet_addr *to)
{
	return inet_host_network() && !inet_is_multicast(to) &&
		!inet_is_broadcast(to) &&
		!(inet_is_loopback(to) && is_bound_inside(to));
}

static bool is_host_peer(const struct socket *s, const struct inet_addr *to)
{
	return s->in.is_host_plain && s->in.remote.port == to->port &&
		inet_same_ip(to, &s->in.remote);
}

static void disconnect(struct socket *s)
{
	if (s->in.is_host_plain)
		udp_host_close(s);
	s->state = SS_CLOSED;
	memset(&s->in.remote, 0, sizeof(s->in.remote));
	if (!s->in.is_bound_addr) {
		memset(s->in.local.ip, 0, 16);
		if (s->family == AF_INET)
			s->in.local.ip[10] = s->in.local.ip[11] = 0xff;
	}
	if (!s->in.is_bound_port) {
		inet_unbind(s);
		s->in.local.port = 0;
	}
}

static int udp_connect(struct socket *s, const union sock_addr *a, u32 size,
		       bool nonblock)
{
	struct inet_addr to, source;
	int err;

	if (size < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		disconnect(s);
		return 0;
	}
	err = destination_from_user(s, a, size, &to);
	if (err)
		return err;
	inet_fix_destination(&to);
	if (s->in.is_host_plain)
		udp_host_close(s);
	err = s->handle == HOST_NO_HANDLE && is_outside(&to)
		? udp_host_connect(s, &to) : check_destination(s, &to);
	if (!err && !s->in.port)
		err = inet_autobind(s);
	if (err)
		return err;
	if (inet_is_any(&s->in.local)) {
		inet_source_for(&to, &source);
		memcpy(s->in.local.ip, source.ip, 16);
	}
	mutex_lock(&inet_lock);
	s->in.remote = to;
	s->state = SS_ESTABLISHED;
	mutex_unlock(&inet_lock);
	return 0;
}

/* ---- sending ------------------------------------------------------------------- */
/* How well s fits a datagram; 0: not at all. */
static u32 score(const struct socket *s, const struct message *m)
{
	u32 n = 1;

	if (!inet_accepts(s, &m->to))
		return 0;
	if (s->state == SS_ESTABLISHED) {
		if (s->in.remote.port != m->from.port ||
		    !inet_same_ip(&s->in.remote, &m->from))
			return 0;
		n += 4;
	}
	if (!inet_is_any(&s->in.local))
		n += 2;
	return n + (inet_is_v4(&s->in.local) == inet_is_v4(&m->to));
}

static struct socket *find_receiver(const struct message *m)
{
	struct socket *s, *best = NULL;
	u32 best_score = 0, same = 0;
	struct inet_port *p;

	mutex_lock(&inet_lock);
	p = inet_port_find(IPPROTO_UDP, m->to.port);
	if (p)
		list_for_each(s, &p->sockets, in.in_port) {
			u32 n = score(s, m);

			if (n > best_score) {
				best = s;
				best_score = n;
				same = 1;
			} else if (n && n == best_score &&
				   (!s->opt.reuse_port ||
				    p->next_reuse++ % ++same == 0)) {
				best = s; /* the last bound, or one in n */
			}
		}
	if (best)
		socket_get(best);
	mutex_unlock(&inet_lock);
	return best;
}

static void deliver(struct socket *r, struct message *m)
{
	bool fits;

	mutex_lock(&r->lock);
	fits = !r->dead && !(r->shut & SHUT_READ) &&
		r->message_bytes + (u64)r->message_count * MESSAGE_COST <
		r->opt.receive_buffer;
	if (fits)
		message_queue(r, m);
	mutex_unlock(&r->lock);
	if (fits)
		socket_wake_read(r, EPOLL_READABLE);
	else
		message_free(m);
}

static void nobody_there(struct socket *s, struct message *m)
{
	message_free(m);
	if (s->state != SS_ESTABLISHED)
		return;
	s->error = ECONNREFUSED;
	socket_wake_all(s, EPOLLERR | EPOLLIN | EPOLLOUT);
}

static ssize_t send_outside(struct socket *s, struct message *m,
			    const struct inet_addr *to)
{
	ssize_t n = udp_host_send(s, to, m);

	message_free(m);
	return n;
}

static ssize_t send_message(struct socket *s, struct message *m,
			    const struct inet_addr *to)
{
	struct socket *r;
	ssize_t n = m->size;

	if (!inet_is_loopback(to) || is_host_peer(s, to))
		return send_outside(s, m, to);
	m->to = *to;
	if (inet_is_any(&m->from)) {
		u16 port = m->from.port;

		inet_source_for(to, &m->from);
		m->from.port = port;
	}
	if (s->opt.timestamp || s->opt.timestamp_ns)
		m->time_ns = clock_realtime_ns();
	r = find_receiver(m);
	if (!r && s->in.published) /* a client on the host's loopback */
		return send_outside(s, m, to);
	if (!r) {
		nobody_there(s, m);
		return n;
	}
	deliver(r, m);
	socket_put(r);
	return n;
}

static int send_destination(struct socket *s, struct sock_io *io,
			    struct inet_addr *to)
{
	int err;

	if (!io->name_size) {
		if (s->state != SS_ESTABLISHED)
			return -EDESTADDRREQ;
		*to = s->in.remote;
		return 0;
	}
	err = destination_from_user(s, io->name, io->name_size, to);
	if (err)
		return err;
	if (!to->port)
		return -EINVAL;
	inet_fix_destination(to);
	if (s->handle == HOST_NO_HANDLE && is_outside(to)) {
		err = udp_host_connect(s, to);
		if (!err)
			s->in.remote = *to; /* where answers come from */
		return err;
	}
	if (s->in.is_host_plain && !inet_same_ip(to, &s->in.remote))
		return -ENETUNREACH; /* one outside peer for each socket */
	return check_destination(s, to);
}

static ssize_t udp_send(struct socket *s, struct sock_io *io)
{
	u32 max = s->family == AF_INET ? PAYLOAD_MAX_V4 : PAYLOAD_MAX_V6;
	struct inet_addr to;
	struct message *m;
	int err;

	if (io->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (io->data->left > max)
		return -EMSGSIZE;
	err = send_destination(s, io, &to);
	if (!err)
		err = socket_take_error(s);
	if (!err && (s->shut & SHUT_WRITE))
		err = -EPIPE;
	if (!err && !s->in.port)
		err = inet_autobind(s);
	if (!err)
		err = message_from_uio(io->data, &m);
	if (err)
		return err;
	m->from = s->in.local;
	if (io->has_source)
		memcpy(m->from.ip, io->source.ip, 16);
	return send_message(s, m, &to);
}

/* ---- receiving ------------------------------------------------------------------- */
static void put_time(struct socket *s, struct sock_io *io,
		     const struct message *m)
{
	u64 ns = m->time_ns ? m->time_ns : clock_realtime_ns();
	s64 t[2] = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };

	if (s->opt.timestamp_ns) {
		control_put(io, SOL_SOCKET, SO_TIMESTAMPNS_OLD, t, sizeof(t));
	} else if (s->opt.timestamp) {
		t[1] /= 1000;
		control_put(io, SOL_SOCKET, SO_TIMESTAMP_OLD, t, sizeof(t));
	}
}

static void put_v4(struct socket *s, struct sock_io *io,
		   const struct message *m)
{
	s32 ttl = 64;
	u8 tos = 0;

	if (s->in.opt.want_pktinfo) {
		struct in_pktinfo p = { .ipi_ifindex = 1 };

		memcpy(&p.ipi_spec_dst, m->to.ip + 12, 4);
		memcpy(&p.ipi_addr, m->to.ip + 12, 4);
		control_put(io, SOL_IP, IP_PKTINFO, &p, sizeof(p));
	}
	if (s->in.opt.want_ttl)
		control_put(io, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (s->in.opt.want_tos)
		control_put(io, SOL_IP, IP_TOS, &tos, sizeof(tos));
}

static void put_v6(struct socket *s, struct sock_io *io,
		   const struct message *m)
{
	s32 hops = 64, tclass = 0;

	if (s->in.opt.want_pktinfo6) {
		struct { u8 ip[16]; u32 index; } p = { .index = 1 };

		memcpy(p.ip, m->to.ip, 16);
		control_put(io, SOL_IPV6, IPV6_PKTINFO, &p, sizeof(p));
	}
	if (s->in.opt.want_hoplimit)
		control_put(io, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (s->in.opt.want_tclass)
		control_put(io, SOL_IPV6, IPV6_TCLASS, &tclass,
			    sizeof(tclass));
}

/* Queue what the host has, so that there is one order. */
static void fetch_from_host(struct socket *s)
{
	struct message *m;
	int err = udp_host_receive(s, &m);

	if (err == -ECONNREFUSED)
		s->error = ECONNREFUSED;
	if (err)
		return;
	mutex_lock(&s->lock);
	message_queue(s, m);
	mutex_unlock(&s->lock);
}

/* With a host handle: wait for either side. */
static int wait_both(struct socket *s, bool nonblock)
{
	u64 deadline = socket_deadline(s->opt.receive_timeout_ns);
	struct waiter w;
	int err;

	for (;;) {
		if (!s->message_count)
			fetch_from_host(s);
		if (s->message_count || nonblock || s->error ||
		    (s->shut & SHUT_READ))
			return 0;
		waiter_init(&w, current());
		waitq_add(&s->read_wait, &w);
		task_prepare_sleep();
		err = s->message_count ? 0 : host_handle_wait(s->handle,
				HOST_POLL_IN, deadline);
		waitq_remove(&w);
		if (err)
			return socket_wait_error(err, deadline);
	}
}

static ssize_t udp_receive(struct socket *s, struct sock_io *io)
{
	struct message *m;
	ssize_t n;

	if (s->handle != HOST_NO_HANDLE) {
		n = wait_both(s, io->nonblock);
		if (n)
			return n;
	}
	n = message_receive(s, io, &m);
	if (m && n >= 0) {
		if (io->want_name)
			io->name_size = inet_to_user(s, &m->from, io->name);
		put_time(s, io, m);
		if (s->family == AF_INET)
			put_v4(s, io, m);
		else
			put_v6(s, io, m);
	}
	message_done(m);
	return n;
}

/* ---- the rest --------------------------------------------------------------------- */
static int udp_shutdown(struct socket *s, u32 how)
{
	mutex_lock(&s->lock);
	s->shut |= how;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP |
			(s->shut == SHUT_BOTH ? EPOLLHUP : 0));
	return s->state == SS_ESTABLISHED ? 0 : -ENOTCONN;
}

static u32 udp_poll(struct socket *s, struct poll_table *pt)
{
	u32 mask = EPOLL_WRITABLE | EPOLLWRBAND;

	if (s->error)
		mask |= EPOLLERR;
	if (s->shut & SHUT_READ)
		mask |= EPOLLRDHUP | EPOLL_READABLE;
	if (s->shut == SHUT_BOTH)
		mask |= EPOLLHUP;
	if (s->message_count)
		mask |= EPOLL_READABLE;
	return mask;
}

static void udp_close(struct socket *s)
{
	struct list messages;

	inet_unbind(s);
	udp_host_close(s);
	mutex_lock(&s->lock);
	s->dead = true;
	messages_purge(s, &messages);
	mutex_unlock(&s->lock);
	messages_free(&messages);
}

const struct sock_ops udp_ops = {
	.bind = udp_bind,
	.connect = udp_connect,
	.name = inet_getname,
	.send = udp_send,
	.receive = udp_receive,
	.shutdown = udp_shutdown,
	.poll = udp_poll,
	.set_option = inet_set_option,
	.get_option = inet_get_option,
	.close = udp_close,
};
