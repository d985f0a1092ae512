/*
 * socket.c - the socket object: birth, file, end, and the list of all.
 *
 * The file holds one reference; queues of connections, peers and calls in
 * progress hold others.  ops->close runs when the file goes, ops->free when
 * the last reference does.
 */
#include "sock.h"

#include <libos/save.h>

#include <libos/signal.h>

#define OWNER_GROUP 2 /* F_OWNER_PGRP */

static struct mutex all_lock = MUTEX_INIT;
static struct list all_sockets = LIST_INIT(all_sockets);
static u64 next_ino = 10000;

static void options_init(struct socket *s)
{
	s->opt.send_buffer = SOCK_DEFAULT_BUFFER;
	s->opt.receive_buffer = SOCK_DEFAULT_BUFFER;
	if (s->protocol == IPPROTO_TCP && s->family != AF_UNIX) {
		s->opt.send_buffer = 16384;
		s->opt.receive_buffer = 131072;
	}
	s->opt.low_water = 1;
	s->opt.linger = -1;
}

static void lists_init(struct socket *s)
{
	list_init(&s->marks);
	list_init(&s->messages);
	list_init(&s->accept_queue);
	list_init(&s->in_accept);
	list_init(&s->connectors);
	list_init(&s->in_connectors);
	list_init(&s->in.in_port);
	list_init(&s->in.in_listeners);
	list_init(&s->un.in_abstract);
	list_init(&s->un.in_flight_list);
	list_init(&s->un.senders);
	list_init(&s->un.in_senders);
	waitq_init(&s->read_wait);
	waitq_init(&s->write_wait);
	waitq_init(&s->space_wait);
}

struct socket *socket_alloc(u16 family, u16 type, u32 protocol,
			    const struct sock_ops *ops)
{
	struct socket *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->ref);
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->uid = current()->cred.fsuid;
	s->state = SS_CLOSED;
	s->handle = HOST_NO_HANDLE;
	s->un.peer_cred = (struct user_cred){ 0, ~0u, ~0u };
	lists_init(s);
	options_init(s);
	mutex_lock(&all_lock);
	list_push_back(&all_sockets, &s->in_all);
	mutex_unlock(&all_lock);
	return s;
}

struct socket *socket_alloc_child(struct socket *l)
{
	struct socket *s = socket_alloc(l->family, l->type, l->protocol,
					l->ops);

	if (!s)
		return NULL;
	s->opt = l->opt;
	s->in.opt = l->in.opt;
	return s;
}

void socket_put(struct socket *s)
{
	if (!ref_put(&s->ref))
		return;
	mutex_lock(&all_lock);
	list_remove(&s->in_all);
	mutex_unlock(&all_lock);
	if (s->ops->free)
		s->ops->free(s);
	ring_free(&s->ring);
	kfree(s->pushback);
	kfree(s);
}

int socket_take_error(struct socket *s)
{
	s32 e = 0;

	if (LIKELY(!__atomic_load_n(&s->error, __ATOMIC_RELAXED)))
		return 0;
	e = __atomic_exchange_n(&s->error, 0, __ATOMIC_ACQ_REL);
	return -e;
}

u64 socket_deadline(u64 timeout_ns)
{
	return timeout_ns ? deadline_after(timeout_ns) : HOST_FOREVER;
}

int socket_wait_error(int err, u64 deadline)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	if (err == -ERESTARTSYS && deadline != HOST_FOREVER)
		return -EINTR;
	return err;
}

/* The program asked (O_ASYNC, F_SETOWN) to be told of events by a signal. */
static void socket_signal_owner(struct socket *s)
{
	struct file *f = s->file;
	struct proc *p;
	int sig;

	if (LIKELY(!f || !(f->flags & O_ASYNC) || !f->owner_pid))
		return;
	sig = f->owner_signal ? (int)f->owner_signal : SIGIO;
	if (f->owner_type == OWNER_GROUP) {
		signal_send_pgrp(f->owner_pid, sig, NULL);
		return;
	}
	mutex_lock(&tasklist_lock);
	p = proc_find(f->owner_pid);
	if (p)
		ref_get(&p->ref);
	mutex_unlock(&tasklist_lock);
	if (!p)
		return;
	signal_send_proc(p, sig, NULL);
	proc_put(p);
}

void socket_wake_read(struct socket *s, u32 events)
{
	if (waitq_active(&s->read_wait))
		waitq_wake(&s->read_wait, events);
	socket_signal_owner(s);
}

void socket_wake_write(struct socket *s, u32 events)
{
	if (waitq_active(&s->write_wait))
		waitq_wake(&s->write_wait, events);
}

void socket_wake_all(struct socket *s, u32 events)
{
	socket_wake_read(s, events);
	socket_wake_write(s, events);
	if (waitq_active(&s->space_wait))
		waitq_wake(&s->space_wait, events);
}

/* ---- the file ------------------------------------------------------------ */
static const struct file_ops socket_fops;

struct socket *socket_of(struct file *f)
{
	return f->ops == &socket_fops ? f->priv : NULL;
}

host_handle socket_host_stream(struct file *f)
{
	struct socket *s = socket_of(f);

	if (!s || s->state != SS_ESTABLISHED || s->type != SOCK_STREAM)
		return HOST_NO_HANDLE;
	return s->handle;
}

static ssize_t socket_read(struct file *f, struct uio *u, u64 *pos)
{
	struct sock_io io = { .data = u };

	return socket_receive(f, f->priv, &io);
}

static ssize_t socket_write(struct file *f, struct uio *u, u64 *pos)
{
	struct sock_io io = { .data = u };
	struct socket *s = f->priv;

	if (s->type == SOCK_SEQPACKET)
		io.flags |= MSG_EOR;
	return socket_send(f, s, &io);
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;

	poll_add(pt, &s->read_wait);
	poll_add(pt, &s->write_wait);
	return s->ops->poll(s, pt);
}

static host_handle socket_poll_handle(struct file *f)
{
	return ((struct socket *)f->priv)->handle;
}

static void socket_release(struct file *f)
{
	struct socket *s = f->priv;

	s->file = NULL;
	s->ops->close(s);
	socket_put(s);
}

static const struct file_ops socket_fops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.poll_handle = socket_poll_handle,
	.ioctl = socket_ioctl,
	.release = socket_release,
};

/* Sockets have no directory: one file system gives them their inodes. */
static struct super *socket_super(void)
{
	static struct super *super;
	static struct mutex lock = MUTEX_INIT;

	if (LIKELY(__atomic_load_n(&super, __ATOMIC_ACQUIRE) != NULL))
		return super;
	mutex_lock(&lock);
	if (!super)
		__atomic_store_n(&super, super_alloc("sockfs", 0x534f434b),
				 __ATOMIC_RELEASE);
	mutex_unlock(&lock);
	return super;
}

u64 socket_next_ino(void)
{
	return __atomic_fetch_add(&next_ino, 1, __ATOMIC_RELAXED);
}

static struct inode *socket_inode(void)
{
	struct super *super = socket_super();
	struct inode *ino = super ? inode_alloc(super, 0140777) : NULL;

	if (!ino)
		return NULL;
	ino->ino = socket_next_ino();
	ino->uid = current()->cred.fsuid;
	ino->gid = current()->cred.fsgid;
	ino->nlink = 1;
	return ino;
}

struct file *socket_file(struct socket *s, u32 flags)
{
	struct inode *ino = socket_inode();
	struct file *f = NULL;

	if (ino) {
		u32 fl = O_RDWR | (flags & O_NONBLOCK);

		f = file_alloc(&socket_fops, ino, fl, s);
		inode_put(ino);
	}
	if (!f) {
		s->ops->close(s);
		socket_put(s);
		return NULL;
	}
	f->mode |= FMODE_READ | FMODE_WRITE | FMODE_NOSEEK | FMODE_STREAM;
	s->ino = ino->ino;
	s->file = f;
	return f;
}

int socket_install(struct socket *s, u32 flags)
{
	struct file *f = socket_file(s, flags);
	int fd;

	if (!f)
		return -ENFILE;
	fd = fd_install(f, flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* ---- sending and receiving, for every caller -------------------------------- */
ssize_t socket_send(struct file *f, struct socket *s, struct sock_io *io)
{
	ssize_t n;

	io->nonblock = (io->flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK);
	n = s->ops->send(s, io);
	if (n == -EPIPE && s->type == SOCK_STREAM &&
	    !(io->flags & MSG_NOSIGNAL))
		signal_send_task(current(), SIGPIPE, NULL);
	if (UNLIKELY(io->scm)) {
		scm_free(io->scm);
		io->scm = NULL;
	}
	return n;
}

ssize_t socket_receive(struct file *f, struct socket *s, struct sock_io *io)
{
	io->nonblock = (io->flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK);
	if (UNLIKELY(io->flags & MSG_ERRQUEUE))
		return -EAGAIN; /* the loopback never reports errors there */
	return s->ops->receive(s, io);
}

/* ---- lists of all sockets ------------------------------------------------------ */
static void info_fill(struct socket *s, struct net_info *i)
{
	memset(i, 0, sizeof(*i));
	i->family = s->family;
	i->type = s->type;
	i->protocol = s->protocol;
	i->state = s->state;
	memcpy(i->local, s->in.local.ip, 16);
	memcpy(i->remote, s->in.remote.ip, 16);
	i->local_port = s->in.local.port;
	i->remote_port = s->in.remote.port;
	i->uid = s->uid;
	i->ino = s->ino;
	i->refs = s->ref.count;
	mutex_lock(&s->lock);
	i->receive_bytes = s->state == SS_LISTEN ? s->accept_count
		: s->ring.used + s->message_bytes;
	i->shut = s->shut;
	i->has_backlog = s->state == SS_LISTEN;
	mutex_unlock(&s->lock);
}

static void info_fill_name(struct socket *s, struct net_info *i)
{
	struct unix_name *n = s->un.name;

	if (s->family != AF_UNIX || !n || n->size <= 2)
		return;
	i->name_size = MIN(n->size - 2, (u32)sizeof(i->name));
	memcpy(i->name, n->sun.sun_path, i->name_size);
}

void net_for_each(u16 family, u16 type,
		  void (*fn)(void *arg, const struct net_info *i), void *arg)
{
	struct net_info i;
	struct socket *s;

	mutex_lock(&unix_lock); /* keeps names in place */
	mutex_lock(&all_lock);
	list_for_each(s, &all_sockets, in_all) {
		if ((family && s->family != family) ||
		    (type && s->type != type))
			continue;
		info_fill(s, &i);
		info_fill_name(s, &i);
		fn(arg, &i);
	}
	mutex_unlock(&all_lock);
	mutex_unlock(&unix_lock);
}

static void count_one(void *arg, const struct net_info *i)
{
	struct net_counts *c = arg;

	c->sockets++;
	if (i->family == AF_UNIX)
		c->unix_sockets++;
	else if (i->family == AF_INET)
		*(i->type == SOCK_STREAM ? &c->tcp : &c->udp) += 1;
	else if (i->family == AF_INET6)
		*(i->type == SOCK_STREAM ? &c->tcp6 : &c->udp6) += 1;
}

void net_count(struct net_counts *c)
{
	memset(c, 0, sizeof(*c));
	net_for_each(0, 0, count_one, c);
}

/* ---- after a resume --------------------------------------------------------- */
/* A connection with the outside has ended where nobody could tell. */
static void connection_lost(struct socket *s)
{
	s->handle = HOST_NO_HANDLE;
	s->in.is_host_pending = false;
	kfree(s->pushback);
	s->pushback = NULL;
	s->pushback_size = 0;
	s->error = ECONNRESET;
	s->reset = true;
	s->shut = SHUT_BOTH;
	socket_wake_all(s, EPOLL_READABLE | EPOLL_WRITABLE | EPOLLRDHUP |
			EPOLLERR | EPOLLHUP);
}

static void socket_resumed(struct socket *s)
{
	bool is_datagram = s->type == SOCK_DGRAM;

	if (s->family != AF_INET && s->family != AF_INET6)
		return;
	if (s->state == SS_LISTEN || (is_datagram && s->in.published)) {
		s->handle = HOST_NO_HANDLE;
		s->in.published = 0;
	}
	if (s->state == SS_LISTEN && !is_datagram)
		tcp_host_listen(s);
	else if (is_datagram && s->handle == HOST_NO_HANDLE)
		udp_host_bind(s);
	else if (is_datagram && s->in.is_host_plain)
		udp_host_connect(s, &s->in.remote);
	else if (s->handle != HOST_NO_HANDLE)
		connection_lost(s);
}

void net_resumed(void)
{
	struct socket *s;

	published_resumed();
	list_for_each(s, &all_sockets, in_all)
		socket_resumed(s);
}
