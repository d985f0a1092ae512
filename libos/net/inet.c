/*
 * inet.c - internet addresses and ports of the sandbox's own loopback.
 *
 * Both families share one port space; a v4 address is kept as
 * ::ffff:a.b.c.d, so a dual-stack socket needs no special case.  A port
 * object exists while a socket is bound to it.
 */
#include "sock.h"

#include <linux/socket.h>

#define PORT_BUCKETS 1024
#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT 28232u /* to 60999 */
#define CAP_NET_BIND_SERVICE 10
#define SIN6_SIZE_MIN 24u

struct mutex inet_lock = MUTEX_INIT;
static struct list ports[PORT_BUCKETS] RARE; /* inet_lock */
static u32 ephemeral_next = 4711;

/* ---- addresses ---------------------------------------------------------------- */
static const u8 v4_prefix[12] = { [10] = 0xff, [11] = 0xff };
static const u8 zeros[16];

bool inet_is_v4(const struct inet_addr *a)
{
	return !memcmp(a->ip, v4_prefix, 12);
}

bool inet_is_any(const struct inet_addr *a)
{
	return !memcmp(a->ip, zeros, 16) ||
		(inet_is_v4(a) && !memcmp(a->ip + 12, zeros, 4));
}

bool inet_is_loopback(const struct inet_addr *a)
{
	if (inet_is_v4(a))
		return a->ip[12] == 127;
	return !memcmp(a->ip, zeros, 15) && a->ip[15] == 1;
}

bool inet_is_multicast(const struct inet_addr *a)
{
	return inet_is_v4(a) ? (a->ip[12] & 0xf0) == 0xe0 : a->ip[0] == 0xff;
}

bool inet_is_broadcast(const struct inet_addr *a)
{
	static const u8 ones[4] = { 255, 255, 255, 255 };
	static const u8 local[4] = { 127, 255, 255, 255 };

	return inet_is_v4(a) && (!memcmp(a->ip + 12, ones, 4) ||
				 !memcmp(a->ip + 12, local, 4));
}

bool inet_same_ip(const struct inet_addr *a, const struct inet_addr *b)
{
	return !memcmp(a->ip, b->ip, 16);
}

static void set_v4(struct inet_addr *a, const void *ip4)
{
	memcpy(a->ip, v4_prefix, 12);
	memcpy(a->ip + 12, ip4, 4);
}

int inet_from_user(u16 family, const union sock_addr *a, u32 size,
		   struct inet_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (family == AF_INET) {
		if (size < sizeof(a->in4))
			return -EINVAL;
		if (a->family != AF_INET && (a->family != AF_UNSPEC ||
					     a->in4.sin_addr.s_addr))
			return -EAFNOSUPPORT;
		set_v4(out, &a->in4.sin_addr);
		out->port = swap16(a->in4.sin_port);
		return 0;
	}
	if (size < SIN6_SIZE_MIN)
		return -EINVAL;
	if (a->family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(out->ip, &a->in6.sin6_addr, 16);
	out->port = swap16(a->in6.sin6_port);
	if (size >= sizeof(a->in6))
		out->scope = a->in6.sin6_scope_id;
	return 0;
}

u32 inet_to_user(const struct socket *s, const struct inet_addr *in,
		 union sock_addr *a)
{
	if (s->family == AF_INET) {
		memset(&a->in4, 0, sizeof(a->in4));
		a->in4.sin_family = AF_INET;
		a->in4.sin_port = swap16(in->port);
		memcpy(&a->in4.sin_addr, in->ip + 12, 4);
		return sizeof(a->in4);
	}
	memset(&a->in6, 0, sizeof(a->in6));
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = swap16(in->port);
	a->in6.sin6_scope_id = in->scope;
	memcpy(&a->in6.sin6_addr, in->ip, 16);
	return sizeof(a->in6);
}

/* "Any" as a destination is this host. */
void inet_fix_destination(struct inet_addr *to)
{
	static const u8 local[4] = { 127, 0, 0, 1 };

	if (!inet_is_any(to))
		return;
	if (inet_is_v4(to))
		set_v4(to, local);
	else
		to->ip[15] = 1;
}

void inet_source_for(const struct inet_addr *to, struct inet_addr *out)
{
	static const u8 local[4] = { 127, 0, 0, 1 };

	memset(out->ip, 0, sizeof(out->ip));
	if (inet_is_v4(to))
		set_v4(out, local);
	else
		out->ip[15] = 1;
}

bool inet_accepts(const struct socket *s, const struct inet_addr *to)
{
	const struct inet_addr *l = &s->in.local;

	if (!inet_is_any(l))
		return inet_same_ip(l, to);
	if (inet_is_v4(l))
		return inet_is_v4(to);
	return !inet_is_v4(to) || !s->in.opt.v6only;
}

/* Do the sets of addresses that two sockets are bound to overlap? */
static bool overlap(const struct socket *a, const struct socket *b)
{
	if (inet_is_any(&a->in.local)) {
		if (!inet_is_any(&b->in.local))
			return inet_accepts(a, &b->in.local);
		if (inet_is_v4(&a->in.local) == inet_is_v4(&b->in.local))
			return true;
		return inet_is_v4(&a->in.local) ? !b->in.opt.v6only
			: !a->in.opt.v6only;
	}
	return inet_accepts(b, &a->in.local);
}

/* ---- ports ---------------------------------------------------------------------- */
static struct list *bucket_of(u16 number)
{
	struct list *b = &ports[number % PORT_BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

struct inet_port *inet_port_find(u32 protocol, u16 number)
{
	struct list *b = bucket_of(number);
	struct inet_port *p;

	list_for_each(p, b, in_hash)
		if (p->number == number && p->protocol == protocol)
			return p;
	return NULL;
}

static struct inet_port *port_make(u32 protocol, u16 number)
{
	struct inet_port *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->protocol = protocol;
	p->number = number;
	list_init(&p->sockets);
	list_init(&p->listeners);
	list_push_front(bucket_of(number), &p->in_hash);
	return p;
}

void inet_port_add(struct socket *s, struct inet_port *p)
{
	s->in.port = p;
	list_push_back(&p->sockets, &s->in.in_port);
}

static bool may_share(const struct socket *s, const struct socket *o,
		      bool for_listen)
{
	if (s->opt.reuse_port && o->opt.reuse_port && s->uid == o->uid)
		return true;
	if (!s->opt.reuse_addr || !o->opt.reuse_addr)
		return false;
	return s->type == SOCK_DGRAM ||
		(o->state != SS_LISTEN && !for_listen) ||
		o->state == SS_ESTABLISHED;
}

bool inet_conflict(struct socket *s, bool for_listen)
{
	struct socket *o;

	if (for_listen) {
		list_for_each(o, &s->in.port->listeners, in.in_listeners)
			if (o != s && overlap(s, o) &&
			    !(s->opt.reuse_port && o->opt.reuse_port))
				return true;
		return false;
	}
	list_for_each(o, &s->in.port->sockets, in.in_port)
		if (o != s && overlap(s, o) && !may_share(s, o, for_listen))
			return true;
	return false;
}

static int bind_number(struct socket *s, u16 number)
{
	struct inet_port *p = inet_port_find(s->protocol, number);

	if (!p)
		p = port_make(s->protocol, number);
	if (!p)
		return -ENOMEM;
	inet_port_add(s, p);
	if (inet_conflict(s, false)) {
		list_remove(&s->in.in_port);
		s->in.port = NULL;
		return -EADDRINUSE;
	}
	s->in.local.port = number;
	return 0;
}

static int bind_ephemeral(struct socket *s)
{
	u32 i;

	for (i = 0; i < EPHEMERAL_COUNT; i++) {
		u16 n = (u16)(EPHEMERAL_FIRST +
			      ephemeral_next++ % EPHEMERAL_COUNT);

		if (!inet_port_find(s->protocol, n))
			return bind_number(s, n);
	}
	return -EADDRINUSE;
}

static int check_bind(struct socket *s, const struct inet_addr *a)
{
	if (a->port && a->port < 1024 && !capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (s->family == AF_INET6 && s->in.opt.v6only && inet_is_v4(a))
		return -EINVAL;
	if (inet_is_any(a) || inet_is_loopback(a) || s->in.opt.is_freebind ||
	    s->in.opt.is_transparent)
		return 0;
	if (s->type == SOCK_DGRAM && (inet_is_multicast(a) ||
				      inet_is_broadcast(a)))
		return 0;
	return -EADDRNOTAVAIL;
}

int inet_bind_addr(struct socket *s, const struct inet_addr *a)
{
	int err = check_bind(s, a);

	if (err)
		return err;
	mutex_lock(&inet_lock);
	if (s->in.port || s->state != SS_CLOSED) {
		err = -EINVAL;
	} else {
		s->in.local = *a;
		err = a->port ? bind_number(s, a->port) : bind_ephemeral(s);
		if (err)
			memset(&s->in.local, 0, sizeof(s->in.local));
	}
	mutex_unlock(&inet_lock);
	if (!err) {
		s->in.is_bound_addr = !inet_is_any(a);
		s->in.is_bound_port = a->port != 0;
	}
	return err;
}

int inet_bind(struct socket *s, const union sock_addr *a, u32 size)
{
	struct inet_addr in;
	int err = inet_from_user(s->family, a, size, &in);

	return err ? err : inet_bind_addr(s, &in);
}

/* Give s a port if it has none; its address stays as it is. */
int inet_autobind(struct socket *s)
{
	int err = 0;

	mutex_lock(&inet_lock);
	if (!s->in.port) {
		if (s->family == AF_INET)
			memcpy(s->in.local.ip, v4_prefix, 12);
		err = bind_ephemeral(s);
	}
	mutex_unlock(&inet_lock);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

void inet_unbind(struct socket *s)
{
	struct inet_port *p;

	mutex_lock(&inet_lock);
	p = s->in.port;
	s->in.port = NULL;
	list_remove(&s->in.in_port);
	list_remove(&s->in.in_listeners);
	if (p && list_empty(&p->sockets)) {
		list_remove(&p->in_hash);
		kfree(p);
	}
	mutex_unlock(&inet_lock);
}

int inet_getname(struct socket *s, union sock_addr *a, bool peer)
{
	struct inet_addr unset;

	if (peer && s->state != SS_ESTABLISHED)
		return -ENOTCONN;
	if (peer)
		return (int)inet_to_user(s, &s->in.remote, a);
	unset = s->in.local;
	return (int)inet_to_user(s, &unset, a);
}

/* ---- birth ------------------------------------------------------------------------ */
static void options_init(struct inet_options *o)
{
	o->multicast_loop = 1;
	o->ttl = o->hops = o->multicast_hops = -1;
	o->multicast_ttl = 1;
	o->mtu_discover = o->mtu_discover6 = 1;
	o->keep_idle = 7200;
	o->keep_interval = 75;
	o->keep_count = 9;
	o->syn_count = 6;
	o->is_quickack = true;
	strlcpy(o->congestion, "cubic", sizeof(o->congestion));
}

static int raw_or_unknown(u16 type, u32 protocol)
{
	if (type == SOCK_RAW)
		return protocol ? -EPERM : -EPROTONOSUPPORT;
	if (type == SOCK_DGRAM && (protocol == IPPROTO_ICMP ||
				   protocol == IPPROTO_ICMPV6))
		return -EACCES; /* as net.ipv4.ping_group_range says */
	if (type == SOCK_STREAM || type == SOCK_DGRAM)
		return -EPROTONOSUPPORT;
	return -ESOCKTNOSUPPORT;
}

int inet_socket(u16 family, u16 type, u32 protocol, struct socket **out)
{
	const struct sock_ops *ops = NULL;

	if (type == SOCK_STREAM && (!protocol || protocol == IPPROTO_TCP)) {
		protocol = IPPROTO_TCP;
		ops = &tcp_ops;
	}
	if (type == SOCK_DGRAM && (!protocol || protocol == IPPROTO_UDP)) {
		protocol = IPPROTO_UDP;
		ops = &udp_ops;
	}
	if (!ops)
		return raw_or_unknown(type, protocol);
	*out = socket_alloc(family, type, protocol, ops);
	if (!*out)
		return -ENOMEM;
	options_init(&(*out)->in.opt);
	if (family == AF_INET) {
		memcpy((*out)->in.local.ip, v4_prefix, 12);
		memcpy((*out)->in.remote.ip, v4_prefix, 12);
	}
	return 0;
}
