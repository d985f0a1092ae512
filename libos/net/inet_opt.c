/*
 * inet_opt.c - options of the internet protocols.  There are no packets, so
 * most are recorded and read back without effect; the ones with an effect
 * are IPV6_V6ONLY and those that ask for control data.
 */
#include "sock.h"

#include <linux/socket.h>

#define IP_MTU_VALUE 65536

/* Where an option lies in struct inet_options and what it may be. */
struct option_place {
	int level, name;
	u16 offset;
	u8 size;      /* 0: bool */
	s32 min, max;
};
#define PLACE(level, name, field, size, min, max) \
	{ level, name, offsetof(struct inet_options, field), size, min, max }
#define FLAG(level, name, field) PLACE(level, name, field, 0, 0, 0)

static const struct option_place places[] = {
	PLACE(SOL_IP, IP_TOS, tos, 1, 0, 255),
	PLACE(SOL_IP, IP_TTL, ttl, 2, -1, 255),
	PLACE(SOL_IP, IP_MTU_DISCOVER, mtu_discover, 1, 0, 5),
	PLACE(SOL_IP, IP_MULTICAST_TTL, multicast_ttl, 2, -1, 255),
	PLACE(SOL_IP, IP_MULTICAST_LOOP, multicast_loop, 1, 0, 255),
	FLAG(SOL_IP, IP_PKTINFO, want_pktinfo),
	FLAG(SOL_IP, IP_RECVTTL, want_ttl),
	FLAG(SOL_IP, IP_RECVTOS, want_tos),
	FLAG(SOL_IP, IP_RECVERR, want_errors),
	FLAG(SOL_IP, IP_FREEBIND, is_freebind),
	FLAG(SOL_IP, IP_TRANSPARENT, is_transparent),
	FLAG(SOL_IP, IP_BIND_ADDRESS_NO_PORT, bind_no_port),
	PLACE(SOL_IPV6, IPV6_UNICAST_HOPS, hops, 2, -1, 255),
	PLACE(SOL_IPV6, IPV6_MULTICAST_HOPS, multicast_hops, 2, -1, 255),
	PLACE(SOL_IPV6, IPV6_MULTICAST_LOOP, multicast_loop, 1, 0, 1),
	PLACE(SOL_IPV6, IPV6_TCLASS, tclass, 1, -1, 255),
	PLACE(SOL_IPV6, IPV6_MTU_DISCOVER, mtu_discover6, 1, 0, 5),
	FLAG(SOL_IPV6, IPV6_V6ONLY, v6only),
	FLAG(SOL_IPV6, IPV6_RECVPKTINFO, want_pktinfo6),
	FLAG(SOL_IPV6, IPV6_RECVHOPLIMIT, want_hoplimit),
	FLAG(SOL_IPV6, IPV6_RECVTCLASS, want_tclass),
	FLAG(SOL_IPV6, IPV6_RECVERR, want_errors6),
};

static const struct option_place *place_of(int level, int name)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].level == level && places[i].name == name)
			return &places[i];
	return NULL;
}

static void store(struct inet_options *o, const struct option_place *p, s32 v)
{
	u8 *at = (u8 *)o + p->offset;

	if (p->size == 0)
		*(bool *)at = v != 0;
	else if (p->size == 1)
		*at = (u8)(v < 0 ? 0 : v);
	else
		memcpy(at, &(s16){ (s16)v }, 2);
}

static s32 load(const struct inet_options *o, const struct option_place *p)
{
	const u8 *at = (const u8 *)o + p->offset;
	s16 v;

	if (p->size < 2)
		return *at;
	memcpy(&v, at, 2);
	if (v >= 0)
		return v;
	/* not set: what Linux would use */
	return p->name == IPV6_MULTICAST_HOPS && p->level == SOL_IPV6 ? 1
		: p->name == IP_MULTICAST_TTL && p->level == SOL_IP ? 1 : 64;
}

/* IP options may be given as one byte. */
static int value_from_user(int level, u64 value, u32 size, s32 *v)
{
	u8 byte;

	if (size >= sizeof(*v))
		return copy_from_user(v, value, sizeof(*v));
	if (level != SOL_IP || !size)
		return -EINVAL;
	if (copy_from_user(&byte, value, 1))
		return -EFAULT;
	*v = byte;
	return 0;
}

/* Membership and interfaces: the loopback has no multicast. */
static int set_multicast(int level, int name)
{
	if (level == SOL_IP)
		switch (name) {
		case IP_ADD_MEMBERSHIP: case IP_ADD_SOURCE_MEMBERSHIP:
		case MCAST_JOIN_GROUP:
			return -ENODEV;
		case IP_DROP_MEMBERSHIP: case MCAST_LEAVE_GROUP:
			return -EADDRNOTAVAIL;
		case IP_MULTICAST_IF:
			return 0; /* "any": the only choice there is */
		}
	else
		switch (name) {
		case IPV6_ADD_MEMBERSHIP: case MCAST_JOIN_GROUP:
			return -ENODEV;
		case IPV6_DROP_MEMBERSHIP: case MCAST_LEAVE_GROUP:
			return -EADDRNOTAVAIL;
		case IPV6_MULTICAST_IF:
			return 0;
		}
	return -ENOPROTOOPT;
}

int inet_set_option(struct socket *s, int level, int name, u64 value,
		    u32 size)
{
	const struct option_place *p;
	s32 v;
	int err;

	if (level == SOL_TCP && s->type == SOCK_STREAM)
		return tcp_set_option(s, name, value, size);
	if (level != SOL_IP && (level != SOL_IPV6 || s->family != AF_INET6))
		return -ENOPROTOOPT;
	p = place_of(level, name);
	if (!p)
		return set_multicast(level, name);
	err = value_from_user(level, value, size, &v);
	if (err)
		return err;
	if (p->size && (v < p->min || v > p->max))
		return -EINVAL;
	if (level == SOL_IPV6 && name == IPV6_V6ONLY && s->in.port)
		return -EINVAL;
	if (level == SOL_IP && name == IP_TTL && v == 0)
		return -EINVAL;
	store(&s->in.opt, p, v);
	return 0;
}

int inet_get_option(struct socket *s, int level, int name, u8 *value,
		    u32 *size)
{
	const struct option_place *p;

	if (level == SOL_TCP && s->type == SOCK_STREAM)
		return tcp_get_option(s, name, value, size);
	if (level != SOL_IP && (level != SOL_IPV6 || s->family != AF_INET6))
		return -ENOPROTOOPT;
	p = place_of(level, name);
	if (p)
		return option_put_int(value, size, load(&s->in.opt, p));
	if ((level == SOL_IP && name == IP_MTU) ||
	    (level == SOL_IPV6 && name == IPV6_MTU))
		return s->state != SS_ESTABLISHED ? -ENOTCONN
			: option_put_int(value, size, IP_MTU_VALUE);
	if (level == SOL_IP && name == IP_OPTIONS) {
		*size = 0;
		return 0;
	}
	return -ENOPROTOOPT;
}
