/*
 * netlink.c - netlink sockets: only NETLINK_ROUTE, as getaddrinfo and
 * getifaddrs need it.  A request is answered at once, in the sender's call,
 * into its own queue (rtnetlink.c).
 */
#include "sock.h"

#define SOL_NETLINK_MAX_NAME 12
#define PORT_FIRST 0xc0000000u

static struct mutex netlink_lock = MUTEX_INIT;
static struct list bound = LIST_INIT(bound); /* socket.un.in_abstract */
static u32 next_port = PORT_FIRST;

static bool port_taken(u32 port)
{
	struct socket *s;

	list_for_each(s, &bound, un.in_abstract)
		if (s->nl.port == port)
			return true;
	return false;
}

/* port 0: the process's number if it is free. */
static int take_port(struct socket *s, u32 port)
{
	int err = 0;

	mutex_lock(&netlink_lock);
	if (s->nl.port) {
		err = port && port != s->nl.port ? -EINVAL : 0;
	} else {
		if (!port) {
			port = (u32)current()->proc->pid;
			while (port_taken(port))
				port = next_port++;
		}
		if (port_taken(port)) {
			err = -EADDRINUSE;
		} else {
			s->nl.port = port;
			list_push_back(&bound, &s->un.in_abstract);
		}
	}
	mutex_unlock(&netlink_lock);
	return err;
}

static int netlink_bind(struct socket *s, const union sock_addr *a, u32 size)
{
	int err;

	if (size < sizeof(a->nl) || a->family != AF_NETLINK)
		return -EINVAL;
	err = take_port(s, a->nl.nl_pid);
	if (!err)
		s->nl.groups = a->nl.nl_groups; /* nothing ever changes */
	return err;
}

static int netlink_connect(struct socket *s, const union sock_addr *a,
			   u32 size, bool nonblock)
{
	if (size >= sizeof(a->family) && a->family == AF_UNSPEC)
		return 0;
	if (size < sizeof(a->nl) || a->family != AF_NETLINK)
		return -EINVAL;
	return a->nl.nl_pid ? -ECONNREFUSED : take_port(s, 0);
}

static int netlink_name(struct socket *s, union sock_addr *a, bool peer)
{
	memset(&a->nl, 0, sizeof(a->nl));
	a->nl.nl_family = AF_NETLINK;
	if (!peer) {
		a->nl.nl_pid = s->nl.port;
		a->nl.nl_groups = s->nl.groups;
	}
	return sizeof(a->nl);
}

int netlink_queue(struct socket *s, const void *data, u32 size)
{
	struct message *m = message_alloc(size);

	if (!m)
		return -ENOBUFS;
	memcpy(m->data, data, size);
	mutex_lock(&s->lock);
	message_queue(s, m);
	mutex_unlock(&s->lock);
	return 0;
}

static void answer_all(struct socket *s, const u8 *data, u32 size)
{
	struct nlmsghdr h;

	while (size >= sizeof(h)) {
		memcpy(&h, data, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > size)
			return;
		if ((h.nlmsg_flags & NLM_F_REQUEST) &&
		    h.nlmsg_type >= NLMSG_MIN_TYPE)
			rtnetlink_answer(s, data, h.nlmsg_len);
		if (NLMSG_ALIGN(h.nlmsg_len) >= size)
			return;
		data += NLMSG_ALIGN(h.nlmsg_len);
		size -= NLMSG_ALIGN(h.nlmsg_len);
	}
}

static ssize_t netlink_send(struct socket *s, struct sock_io *io)
{
	struct message *m;
	u32 size = (u32)io->data->left;
	int err;

	if (io->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (io->name_size) {
		if (io->name_size < sizeof(io->name->nl) ||
		    io->name->family != AF_NETLINK)
			return -EINVAL;
		if (io->name->nl.nl_pid)
			return -ECONNREFUSED;
	}
	if (io->data->left > s->opt.send_buffer - 32)
		return -EMSGSIZE;
	err = s->nl.port ? 0 : take_port(s, 0);
	if (!err)
		err = message_from_uio(io->data, &m);
	if (err)
		return err;
	answer_all(s, m->data, size);
	message_free(m);
	socket_wake_read(s, EPOLL_READABLE);
	return size;
}

static ssize_t netlink_receive(struct socket *s, struct sock_io *io)
{
	struct message *m;
	ssize_t n;

	if (io->flags & MSG_OOB)
		return -EOPNOTSUPP;
	n = message_receive(s, io, &m);
	if (m && n >= 0 && io->want_name) {
		memset(&io->name->nl, 0, sizeof(io->name->nl));
		io->name->nl.nl_family = AF_NETLINK;
		io->name_size = sizeof(io->name->nl);
	}
	message_done(m);
	return n;
}

static u32 netlink_poll(struct socket *s, struct poll_table *pt)
{
	return EPOLL_WRITABLE | EPOLLWRBAND |
		(s->message_count ? EPOLL_READABLE : 0);
}

static int netlink_set_option(struct socket *s, int level, int name,
			      u64 value, u32 size)
{
	s32 v;
	int err;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	err = option_int(value, size, &v);
	if (err)
		return err;
	switch (name) {
	case NETLINK_EXT_ACK: s->nl.ext_ack = v; return 0;
	case NETLINK_CAP_ACK: s->nl.cap_ack = v; return 0;
	case NETLINK_GET_STRICT_CHK: s->nl.strict = v; return 0;
	case NETLINK_ADD_MEMBERSHIP: case NETLINK_DROP_MEMBERSHIP:
	case NETLINK_PKTINFO: case NETLINK_NO_ENOBUFS:
	case NETLINK_BROADCAST_ERROR:
		return 0; /* about events: there are none */
	default:
		return -ENOPROTOOPT;
	}
}

static int netlink_get_option(struct socket *s, int level, int name,
			      u8 *value, u32 *size)
{
	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	switch (name) {
	case NETLINK_EXT_ACK:
		return option_put_int(value, size, s->nl.ext_ack);
	case NETLINK_CAP_ACK:
		return option_put_int(value, size, s->nl.cap_ack);
	case NETLINK_GET_STRICT_CHK:
		return option_put_int(value, size, s->nl.strict);
	default:
		return -ENOPROTOOPT;
	}
}

static void netlink_close(struct socket *s)
{
	struct list messages;

	mutex_lock(&netlink_lock);
	list_remove(&s->un.in_abstract);
	mutex_unlock(&netlink_lock);
	mutex_lock(&s->lock);
	s->dead = true;
	messages_purge(s, &messages);
	mutex_unlock(&s->lock);
	messages_free(&messages);
}

static const struct sock_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.name = netlink_name,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll = netlink_poll,
	.set_option = netlink_set_option,
	.get_option = netlink_get_option,
	.close = netlink_close,
};

int netlink_socket(u16 type, u32 protocol, struct socket **out)
{
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	*out = socket_alloc(AF_NETLINK, type, protocol, &netlink_ops);
	return *out ? 0 : -ENOMEM;
}
