/*
 * tcp_host.c - TCP connections with the outside: those accepted on a
 * published port, and with the host's network also outgoing ones.
 *
 * The data path is one host call on the program's own buffers.  Options of
 * the host's socket cannot be changed from here: TCP_NODELAY and the like
 * are recorded only (the monitor opens streams with TCP_NODELAY set).
 */
#include "sock.h"

#define PORTS_MAX 256
#define PEEK_MAX 65536u

/* ---- published ports --------------------------------------------------------------- */
static struct { host_handle handle; u32 refs; } published[PORTS_MAX] LARGE;
static struct mutex published_lock = MUTEX_INIT;

bool inet_host_network(void)
{
	return boot_info()->flags & BOOT_NET_HOST;
}

int inet_published(u32 protocol, u16 port)
{
	const struct boot_info *b = boot_info();
	const struct boot_port *p;
	u32 i;

	if (!b->ports)
		return -1;
	p = (const struct boot_port *)(const void *)
		((const char *)b + b->ports);
	for (i = 0; i < b->port_count && i < PORTS_MAX; i++)
		if (p[i].proto == protocol && p[i].guest_port == port)
			return (int)i;
	return -1;
}

host_handle published_open(u32 index, bool datagram)
{
	struct host_open o = {
		.kind = datagram ? HOST_OPEN_DATAGRAM : HOST_OPEN_LISTEN,
		.tree = index,
	};
	host_handle h;

	mutex_lock(&published_lock);
	if (!published[index].refs)
		published[index].handle = host_stream_open(&o);
	h = published[index].handle;
	if (h >= 0)
		published[index].refs++;
	mutex_unlock(&published_lock);
	return h;
}

void published_close(u32 index)
{
	mutex_lock(&published_lock);
	if (--published[index].refs == 0)
		host_stream_close(published[index].handle);
	mutex_unlock(&published_lock);
}

void published_resumed(void)
{
	memset(published, 0, sizeof(published));
}

void tcp_host_listen(struct socket *s)
{
	int i = inet_published(IPPROTO_TCP, s->in.local.port);
	host_handle h;

	/* A program that listens on v4 and on v6 alone has two sockets for one
	 * port; the published one is the first's, so that no connection is
	 * announced to both. */
	if (i < 0 || (s->family == AF_INET6 && s->in.opt.v6only))
		return;
	h = published_open((u32)i, false);
	if (h < 0) {
		klog("port %u: cannot listen on its host port: error %d",
		     s->in.local.port, -h);
		return;
	}
	s->in.published = (u32)i + 1;
	s->handle = h;
}

void tcp_host_close(struct socket *s)
{
	host_handle h = s->handle;

	s->handle = HOST_NO_HANDLE;
	if (h == HOST_NO_HANDLE)
		return;
	if (s->in.published) {
		published_close(s->in.published - 1);
		s->in.published = 0;
		return;
	}
	host_stream_close(h);
}

/* ---- addresses ------------------------------------------------------------------------ */
void inet_from_host(const struct host_addr *h, struct inet_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->port = swap16(h->port);
	if (h->family == 6) {
		memcpy(a->ip, h->ip, 16);
		a->scope = h->scope;
		return;
	}
	a->ip[10] = a->ip[11] = 0xff;
	memcpy(a->ip + 12, h->ip, 4);
}

void inet_to_host(const struct inet_addr *a, struct host_addr *h)
{
	memset(h, 0, sizeof(*h));
	h->port = swap16(a->port);
	h->family = inet_is_v4(a) ? 4 : 6;
	h->scope = a->scope;
	memcpy(h->ip, inet_is_v4(a) ? a->ip + 12 : a->ip, h->family == 4
	       ? 4 : 16);
}

/* ---- connections ------------------------------------------------------------------------ */
static void child_addresses(struct socket *c, struct socket *l,
			    const struct host_addr *peer)
{
	inet_from_host(peer, &c->in.remote);
	if (l->family == AF_INET && !inet_is_v4(&c->in.remote)) {
		u16 port = c->in.remote.port; /* cannot be said in v4 */

		inet_source_for(&l->in.local, &c->in.remote);
		c->in.remote.port = port;
	}
	c->in.local = l->in.local;
	if (inet_is_any(&c->in.local))
		inet_source_for(&c->in.remote, &c->in.local);
	c->in.local.port = l->in.local.port;
}

int tcp_host_accept(struct socket *s, struct socket **out)
{
	struct host_addr peer;
	host_handle h = host_stream_accept(s->handle, &peer);
	struct socket *c;

	if (h < 0)
		return h == -HOST_EINTR ? -ERESTARTSYS : h;
	c = socket_alloc_child(s);
	if (!c) {
		host_stream_close(h);
		return -ENOMEM;
	}
	c->handle = h;
	child_addresses(c, s, &peer);
	c->state = SS_ESTABLISHED;
	*out = c;
	return 0;
}

/* ---- waiting ----------------------------------------------------------------------------- */
static int wait_host(struct socket *s, u32 events, u64 timeout_ns,
		     u64 *deadline)
{
	int err;

	if (!*deadline)
		*deadline = socket_deadline(timeout_ns);
	task_prepare_sleep();
	err = host_handle_wait(s->handle, events, *deadline);
	if (UNLIKELY(s->handle == HOST_NO_HANDLE)) /* lost by a resume */
		return socket_take_error(s) ?: -ECONNRESET;
	return socket_wait_error(err, *deadline);
}

/* ---- connecting --------------------------------------------------------------------------- */
static ssize_t fill_pushback(struct socket *s, size_t want, bool nonblock);

/* The host tells the outcome at the first read: nothing to read yet means
 * that the connection is there. */
int tcp_host_check(struct socket *s)
{
	struct host_pollfd p = { s->handle, HOST_POLL_OUT, 0 };
	ssize_t n;

	if (!s->in.is_host_pending)
		return 0;
	if (host_poll(&p, 1, 0) <= 0)
		return -EALREADY;
	n = s->pushback_size ? 1 : fill_pushback(s, PAGE_SIZE, true);
	s->in.is_host_pending = false;
	if (n >= 0 || n == -EAGAIN)
		return 0;
	tcp_host_close(s);
	s->state = SS_CLOSED;
	return (int)n;
}

static int wait_connected(struct socket *s)
{
	u64 deadline = 0;
	int err;

	for (;;) {
		err = tcp_host_check(s);
		if (err != -EALREADY)
			return err;
		err = wait_host(s, HOST_POLL_OUT, s->opt.send_timeout_ns,
				&deadline);
		if (err)
			return err == -EAGAIN ? -EINPROGRESS : err;
	}
}

int tcp_host_connect(struct socket *s, const struct inet_addr *to,
		     bool nonblock)
{
	struct host_open o = { .kind = HOST_OPEN_CONNECT,
			       .mode = IPPROTO_TCP };
	host_handle h;

	inet_to_host(to, &o.addr);
	h = host_stream_open(&o);
	if (h < 0)
		return h;
	s->handle = h;
	s->in.is_host_pending = true;
	s->state = SS_ESTABLISHED;
	if (!nonblock)
		return wait_connected(s);
	s->in.connect_untold = true;
	return -EINPROGRESS;
}

/* ---- sending ------------------------------------------------------------------------------- */
ssize_t tcp_host_send(struct socket *s, struct sock_io *io)
{
	struct uio *u = io->data;
	u64 deadline = 0;
	ssize_t done = 0, n = 0;

	if (UNLIKELY(s->shut & SHUT_WRITE))
		return -EPIPE;
	while (u->left) {
		n = host_stream_write(s->handle, u->iov, u->count,
				      HOST_NO_OFFSET);
		if (LIKELY(n >= 0)) {
			done += n;
			if (LIKELY((size_t)n == u->left))
				return done;
			uio_advance(u, (size_t)n);
			continue;
		}
		if (n == -HOST_EINTR)
			n = -ERESTARTSYS;
		if (n != -EAGAIN || io->nonblock)
			break;
		n = wait_host(s, HOST_POLL_OUT, s->opt.send_timeout_ns,
			      &deadline);
		if (n)
			break;
	}
	return done ? done : n;
}

/* ---- receiving ------------------------------------------------------------------------------ */
static ssize_t read_host(struct socket *s, struct uio *u, bool nonblock,
			 u64 *deadline)
{
	ssize_t n;

	for (;;) {
		n = host_stream_read(s->handle, u->iov, u->count,
				     HOST_NO_OFFSET);
		if (LIKELY(n >= 0))
			return n;
		if (n == -HOST_EINTR)
			return -ERESTARTSYS;
		if (n != -EAGAIN || nonblock)
			return n;
		n = wait_host(s, HOST_POLL_IN, s->opt.receive_timeout_ns,
			      deadline);
		if (n)
			return n;
	}
}

/* Bytes that an earlier peek had to take from the host. */
static ssize_t take_pushback(struct socket *s, struct uio *u, bool peek)
{
	size_t n = MIN((size_t)s->pushback_size, u->left);
	ssize_t got = uio_put(u, s->pushback + s->pushback_start, n);

	if (got <= 0 || peek)
		return got;
	s->pushback_start += (u32)got;
	s->pushback_size -= (u32)got;
	if (!s->pushback_size) {
		kfree(s->pushback);
		s->pushback = NULL;
	}
	return got;
}

static ssize_t fill_pushback(struct socket *s, size_t want, bool nonblock)
{
	u32 size = (u32)MIN(want, (size_t)PEEK_MAX);
	struct host_iovec iov;
	u64 deadline = 0;
	struct uio u;
	ssize_t n;
	u8 *p = kmalloc(size);

	if (!p)
		return -ENOMEM;
	uio_single(&u, &iov, p, size, true);
	n = read_host(s, &u, nonblock, &deadline);
	mutex_lock(&s->lock);
	if (n > 0 && !s->pushback_size) {
		kfree(s->pushback);
		s->pushback = p;
		s->pushback_start = 0;
		s->pushback_size = (u32)n;
		p = NULL;
	}
	mutex_unlock(&s->lock);
	kfree(p);
	return n;
}

static ssize_t receive_with_pushback(struct socket *s, struct sock_io *io)
{
	bool peek = io->flags & MSG_PEEK;
	ssize_t n;

	if (!s->pushback_size) {
		n = fill_pushback(s, io->data->left, io->nonblock);
		if (n <= 0)
			return n;
	}
	mutex_lock(&s->lock);
	if ((io->flags & MSG_TRUNC) && !peek) {
		n = (ssize_t)MIN((size_t)s->pushback_size, io->data->left);
		s->pushback_start += (u32)n;
		s->pushback_size -= (u32)n;
	} else {
		n = take_pushback(s, io->data, peek);
	}
	mutex_unlock(&s->lock);
	return n;
}

ssize_t tcp_host_receive(struct socket *s, struct sock_io *io)
{
	struct uio *u = io->data;
	u64 deadline = 0;
	size_t done = 0;
	ssize_t n;

	if (!u->left)
		return 0;
	if (UNLIKELY(s->pushback_size || (io->flags & (MSG_PEEK | MSG_TRUNC))))
		return receive_with_pushback(s, io);
	for (;;) {
		n = read_host(s, u, io->nonblock, &deadline);
		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if (LIKELY(!(io->flags & MSG_WAITALL) ||
			   (size_t)n == u->left))
			return (ssize_t)done;
		uio_advance(u, (size_t)n);
	}
}
