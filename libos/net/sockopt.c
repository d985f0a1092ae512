/*
 * sockopt.c - options of every socket (SOL_SOCKET), and the way to those of
 * the protocols.  Values read back as Linux would show them.
 */
#include "sock.h"

#include <asm/ioctls.h>

#define BUFFER_MAX 212992u
#define SEND_BUFFER_MIN 4608u
#define RECEIVE_BUFFER_MIN 2304u
#define CAP_NET_ADMIN 12
#define OPTION_MAX 512u
#define SO_PEERPIDFD_NUMBER 77

int option_int(u64 value, u32 size, s32 *out)
{
	if (size < sizeof(*out))
		return -EINVAL;
	return copy_from_user(out, value, sizeof(*out));
}

int option_put_int(u8 *value, u32 *size, s32 v)
{
	*size = MIN(*size, (u32)sizeof(v));
	memcpy(value, &v, sizeof(v));
	return 0;
}

/* ---- set ------------------------------------------------------------------------ */
static int set_timeout(u64 value, u32 size, u64 *ns)
{
	s64 t[2];

	if (size < sizeof(t))
		return -EINVAL;
	if (copy_from_user(t, value, sizeof(t)))
		return -EFAULT;
	if (t[1] < 0 || t[1] >= 1000000)
		return -EDOM;
	if (t[0] < 0)
		*ns = 1; /* in the past: do not wait */
	else if (t[0] > 1000000000)
		*ns = 0;
	else
		*ns = (u64)t[0] * NSEC_PER_SEC + (u64)t[1] * 1000;
	return 0;
}

static int set_linger(struct socket *s, u64 value, u32 size)
{
	s32 l[2];

	if (size < sizeof(l))
		return -EINVAL;
	if (copy_from_user(l, value, sizeof(l)))
		return -EFAULT;
	s->opt.linger = l[0] ? (l[1] < 0 ? 0x7fffffff : l[1]) : -1;
	return 0;
}

static int set_buffer(struct socket *s, int name, u32 v)
{
	bool send = name == SO_SNDBUF || name == SO_SNDBUFFORCE;
	bool force = name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE;

	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	v = MIN(v, force ? 0x3fffffffu : BUFFER_MAX) * 2;
	if (send) {
		s->opt.send_buffer = MAX(v, SEND_BUFFER_MIN);
		s->opt.send_locked = true;
	} else {
		s->opt.receive_buffer = MAX(v, RECEIVE_BUFFER_MIN);
		s->opt.receive_locked = true;
	}
	return 0;
}

static int set_device(u64 value, u32 size)
{
	char name[16] = "";

	if (copy_from_user(name, value, MIN(size, 15u)))
		return -EFAULT;
	return !name[0] || !strcmp(name, "lo") ? 0 : -ENODEV;
}

static bool *flag_of(struct sock_options *o, int name)
{
	switch (name) {
	case SO_REUSEADDR: return &o->reuse_addr;
	case SO_REUSEPORT: return &o->reuse_port;
	case SO_KEEPALIVE: return &o->keepalive;
	case SO_BROADCAST: return &o->broadcast;
	case SO_OOBINLINE: return &o->oob_inline;
	case SO_DONTROUTE: return &o->dont_route;
	case SO_NO_CHECK: return &o->no_check;
	case SO_PASSCRED: return &o->pass_cred;
	case SO_TIMESTAMP_OLD: return &o->timestamp;
	case SO_TIMESTAMPNS_OLD: return &o->timestamp_ns;
	case SO_RXQ_OVFL: return &o->rx_overflow;
	case SO_DEBUG: return &o->debug;
	default: return NULL;
	}
}

static int set_flag(struct socket *s, int name, s32 v)
{
	if (name == SO_DEBUG && v && !capable(CAP_NET_ADMIN))
		return -EACCES;
	if (name == SO_REUSEPORT && v && s->family != AF_INET &&
	    s->family != AF_INET6)
		return -EOPNOTSUPP;
	if (name == SO_PASSCRED && s->family != AF_UNIX &&
	    s->family != AF_NETLINK)
		return -EOPNOTSUPP;
	*flag_of(&s->opt, name) = v != 0;
	return 0;
}

static int set_int(struct socket *s, int name, s32 v)
{
	if (flag_of(&s->opt, name))
		return set_flag(s, name, v);
	switch (name) {
	case SO_SNDBUF: case SO_RCVBUF:
	case SO_SNDBUFFORCE: case SO_RCVBUFFORCE:
		return set_buffer(s, name, (u32)v);
	case SO_PRIORITY:
		if ((v < 0 || v > 6) && !capable(CAP_NET_ADMIN))
			return -EPERM;
		s->opt.priority = (u32)v;
		return 0;
	case SO_RCVLOWAT:
		if (v < 0)
			v = 0x7fffffff;
		s->opt.low_water = v ? MIN((u32)v, STREAM_RING_MAX / 2) : 1;
		return 0;
	case SO_MARK:
		if (!capable(CAP_NET_ADMIN))
			return -EPERM;
		s->opt.mark = (u32)v;
		return 0;
	case SO_BUSY_POLL: case SO_INCOMING_CPU:
		return 0; /* hints about processors: nothing to steer here */
	case SO_DETACH_FILTER:
		return -ENOENT;
	case SO_PEEK_OFF:
		return -EOPNOTSUPP;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_common(struct socket *s, int name, u64 value, u32 size)
{
	s32 v;
	int err;

	switch (name) {
	case SO_BINDTODEVICE:
		return set_device(value, size);
	case SO_ATTACH_FILTER:
		return -ENOPROTOOPT;
	}
	err = option_int(value, size, &v);
	if (err)
		return err;
	switch (name) {
	case SO_LINGER:
		return set_linger(s, value, size);
	case SO_RCVTIMEO_OLD: case SO_RCVTIMEO_NEW:
		return set_timeout(value, size, &s->opt.receive_timeout_ns);
	case SO_SNDTIMEO_OLD: case SO_SNDTIMEO_NEW:
		return set_timeout(value, size, &s->opt.send_timeout_ns);
	default:
		return set_int(s, name, v);
	}
}

long socket_set_option(struct socket *s, int level, int name, u64 value,
		       u32 size)
{
	if (level == SOL_SOCKET)
		return set_common(s, name, value, size);
	return s->ops->set_option(s, level, name, value, size);
}

/* ---- get ------------------------------------------------------------------------- */
static int put_bytes(u8 *value, u32 *size, const void *p, u32 n)
{
	*size = MIN(*size, n);
	memcpy(value, p, *size);
	return 0;
}

static int get_timeout_option(u8 *value, u32 *size, u64 ns)
{
	s64 t[2] = { (s64)(ns / NSEC_PER_SEC),
		     (s64)(ns % NSEC_PER_SEC / 1000) };

	return put_bytes(value, size, t, sizeof(t));
}

static int get_linger(struct socket *s, u8 *value, u32 *size)
{
	s32 l[2] = { s->opt.linger >= 0, s->opt.linger >= 0
		? s->opt.linger : 0 };

	return put_bytes(value, size, l, sizeof(l));
}

static int get_groups(struct socket *s, u8 *value, u32 *size)
{
	u32 n = s->un.peer_group_count * (u32)sizeof(u32);
	u32 room = *size;

	if (s->family != AF_UNIX || s->un.peer_cred.uid == ~0u)
		return -ENODATA;
	*size = n;
	if (room < n)
		return -ERANGE;
	memcpy(value, s->un.peer_groups, n);
	return 0;
}

static int get_peer_name(struct socket *s, u8 *value, u32 *size)
{
	union sock_addr a;
	int n = s->ops->name(s, &a, true);

	if (n < 0)
		return -ENOTCONN;
	if (*size < (u32)n)
		return -EINVAL;
	return put_bytes(value, size, &a, (u32)n);
}

static int get_struct(struct socket *s, int name, u8 *value, u32 *size)
{
	u64 cookie = s->ino;

	switch (name) {
	case SO_LINGER:
		return get_linger(s, value, size);
	case SO_RCVTIMEO_OLD: case SO_RCVTIMEO_NEW:
		return get_timeout_option(value, size,
					  s->opt.receive_timeout_ns);
	case SO_SNDTIMEO_OLD: case SO_SNDTIMEO_NEW:
		return get_timeout_option(value, size,
					  s->opt.send_timeout_ns);
	case SO_PEERCRED:
		return put_bytes(value, size, &s->un.peer_cred,
				 sizeof(s->un.peer_cred));
	case SO_PEERGROUPS:
		return get_groups(s, value, size);
	case SO_PEERNAME:
		return get_peer_name(s, value, size);
	case SO_COOKIE:
		return *size < 8 ? -EINVAL
			: put_bytes(value, size, &cookie, 8);
	case SO_BINDTODEVICE:
		*size = 0;
		return 0;
	default: /* SO_PEERSEC: no security module; SO_PEERPIDFD: none */
		return -ENOPROTOOPT;
	}
}

static s32 take_error(struct socket *s)
{
	int err = s->in.is_host_pending ? tcp_host_check(s) : 0;

	return err && err != -EALREADY ? -err : -socket_take_error(s);
}

static int get_common(struct socket *s, int name, u8 *value, u32 *size)
{
	bool *flag = flag_of(&s->opt, name);
	s32 v;

	if (flag)
		return option_put_int(value, size, *flag);
	switch (name) {
	case SO_TYPE: v = s->type; break;
	case SO_DOMAIN: v = s->family; break;
	case SO_PROTOCOL: v = (s32)s->protocol; break;
	case SO_ERROR: v = take_error(s); break;
	case SO_ACCEPTCONN: v = s->state == SS_LISTEN; break;
	case SO_SNDBUF: v = (s32)s->opt.send_buffer; break;
	case SO_RCVBUF: v = (s32)s->opt.receive_buffer; break;
	case SO_RCVLOWAT: v = (s32)s->opt.low_water; break;
	case SO_SNDLOWAT: v = 1; break;
	case SO_PRIORITY: v = (s32)s->opt.priority; break;
	case SO_MARK: v = (s32)s->opt.mark; break;
	case SO_INCOMING_NAPI_ID: v = 0; break;
	case SO_INCOMING_CPU: v = 0; break;
	case SO_BUSY_POLL: v = 0; break;
	case SO_LOCK_FILTER: v = 0; break;
	case SO_ZEROCOPY: v = 0; break;
	case SO_PEEK_OFF: v = -1; break;
	default: return get_struct(s, name, value, size);
	}
	return option_put_int(value, size, v);
}

long socket_get_option(struct socket *s, int level, int name, u64 value,
		       u64 usize)
{
	u8 small[OPTION_MAX];
	u32 size;
	int err;

	if (get_user_u32(&size, usize))
		return -EFAULT;
	if ((s32)size < 0)
		return -EINVAL;
	size = MIN(size, OPTION_MAX);
	memset(small, 0, sizeof(small));
	err = level == SOL_SOCKET ? get_common(s, name, small, &size)
		: s->ops->get_option(s, level, name, small, &size);
	if (err == -ERANGE && put_user_u32(usize, size))
		return -EFAULT;
	if (err)
		return err;
	if (copy_to_user(value, small, size))
		return -EFAULT;
	return put_user_u32(usize, size);
}
