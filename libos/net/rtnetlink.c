/*
 * rtnetlink.c - answers about the network that the sandbox has: the
 * interface lo with 127.0.0.1/8 and ::1/128.  Nothing can be changed.
 */
#include "sock.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define REPLY_MAX 1024u
#define LO_INDEX 1
#define LO_TYPE 772
#define LO_FLAGS 0x10049 /* up, loopback, running, lower up */
#define IFA_F_ALWAYS 0x80 /* permanent */

/* A reply that is being written. */
struct reply {
	u8 data[REPLY_MAX];
	u32 size;
	u32 start; /* of the message that is open */
};

static void *reply_add(struct reply *r, u32 size)
{
	void *p = r->data + r->size;

	ASSERT(r->size + NLMSG_ALIGN(size) <= REPLY_MAX);
	memset(p, 0, NLMSG_ALIGN(size));
	r->size += NLMSG_ALIGN(size);
	return p;
}

/* Open a message; returns its fixed part. */
static void *reply_open(struct reply *r, struct socket *s,
			const struct nlmsghdr *request, u16 type, u16 flags,
			u32 size)
{
	struct nlmsghdr *h;

	r->start = r->size;
	h = reply_add(r, sizeof(*h));
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = request->nlmsg_seq;
	h->nlmsg_pid = s->nl.port;
	return reply_add(r, size);
}

static void reply_close(struct reply *r)
{
	struct nlmsghdr *h = (void *)(r->data + r->start);

	h->nlmsg_len = r->size - r->start;
}

static void reply_attr(struct reply *r, u16 type, const void *p, u32 size)
{
	struct rtattr *a = reply_add(r, (u32)sizeof(*a) + size);

	a->rta_len = (u16)(sizeof(*a) + size);
	a->rta_type = type;
	memcpy(a + 1, p, size);
}

static void reply_attr_u32(struct reply *r, u16 type, u32 v)
{
	reply_attr(r, type, &v, sizeof(v));
}

static void reply_done(struct reply *r, struct socket *s,
		       const struct nlmsghdr *request)
{
	reply_open(r, s, request, NLMSG_DONE, NLM_F_MULTI, sizeof(s32));
	reply_close(r);
}

static void reply_error(struct socket *s, const void *request, int err)
{
	const struct nlmsghdr *h = request;
	bool whole = err && !s->nl.cap_ack;
	u32 extra = whole ? MIN(h->nlmsg_len - (u32)sizeof(*h), 512u) : 0;
	struct reply r = { .size = 0 };
	struct nlmsgerr *e = reply_open(&r, s, h, NLMSG_ERROR,
					whole ? 0 : NLM_F_CAPPED,
					(u32)sizeof(*e) + extra);

	e->error = err;
	memcpy(&e->msg, request, sizeof(*h) + extra);
	reply_close(&r);
	netlink_queue(s, r.data, r.size);
}

/* ---- what there is -------------------------------------------------------------- */
static void put_link(struct reply *r, struct socket *s,
		     const struct nlmsghdr *request, u16 flags)
{
	static const u8 zero_address[6];
	struct ifinfomsg *i = reply_open(r, s, request, RTM_NEWLINK, flags,
					 sizeof(*i));
	u8 zero = 0;

	i->ifi_type = LO_TYPE;
	i->ifi_index = LO_INDEX;
	i->ifi_flags = LO_FLAGS;
	reply_attr(r, IFLA_IFNAME, "lo", 3);
	reply_attr_u32(r, IFLA_TXQLEN, 1000);
	reply_attr(r, IFLA_OPERSTATE, &zero, 1);
	reply_attr(r, IFLA_LINKMODE, &zero, 1);
	reply_attr_u32(r, IFLA_MTU, 65536);
	reply_attr_u32(r, IFLA_GROUP, 0);
	reply_attr_u32(r, IFLA_NUM_TX_QUEUES, 1);
	reply_attr_u32(r, IFLA_NUM_RX_QUEUES, 1);
	reply_attr(r, IFLA_QDISC, "noqueue", 8);
	reply_attr(r, IFLA_ADDRESS, zero_address, 6);
	reply_attr(r, IFLA_BROADCAST, zero_address, 6);
	reply_close(r);
}

static void put_address(struct reply *r, struct socket *s,
			const struct nlmsghdr *request, u8 family)
{
	static const u8 ip4[4] = { 127, 0, 0, 1 };
	static const u8 ip6[16] = { [15] = 1 };
	struct ifa_cacheinfo c = { ~0u, ~0u, 0, 0 };
	struct ifaddrmsg *a = reply_open(r, s, request, RTM_NEWADDR,
					 NLM_F_MULTI, sizeof(*a));

	a->ifa_family = family;
	a->ifa_prefixlen = family == AF_INET ? 8 : 128;
	a->ifa_flags = IFA_F_ALWAYS;
	a->ifa_scope = RT_SCOPE_HOST;
	a->ifa_index = LO_INDEX;
	if (family == AF_INET) {
		reply_attr(r, IFA_ADDRESS, ip4, 4);
		reply_attr(r, IFA_LOCAL, ip4, 4);
		reply_attr(r, IFA_LABEL, "lo", 3);
	} else {
		reply_attr(r, IFA_ADDRESS, ip6, 16);
	}
	reply_attr_u32(r, IFA_FLAGS, IFA_F_ALWAYS);
	reply_attr(r, IFA_CACHEINFO, &c, sizeof(c));
	reply_close(r);
}

static void put_route(struct reply *r, struct socket *s,
		      const struct nlmsghdr *request, u8 family, u16 flags)
{
	static const u8 ip4[4] = { 127, 0, 0, 0 }, src4[4] = { 127, 0, 0, 1 };
	static const u8 ip6[16] = { [15] = 1 };
	struct rtmsg *m = reply_open(r, s, request, RTM_NEWROUTE, flags,
				     sizeof(*m));

	m->rtm_family = family;
	m->rtm_dst_len = family == AF_INET ? 8 : 128;
	m->rtm_table = RT_TABLE_LOCAL;
	m->rtm_protocol = RTPROT_KERNEL;
	m->rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_LOCAL;
	reply_attr_u32(r, RTA_TABLE, RT_TABLE_LOCAL);
	if (family == AF_INET) {
		reply_attr(r, RTA_DST, ip4, 4);
		reply_attr(r, RTA_PREFSRC, src4, 4);
	} else {
		reply_attr(r, RTA_DST, ip6, 16);
	}
	reply_attr_u32(r, RTA_OIF, LO_INDEX);
	reply_close(r);
}

/* ---- requests -------------------------------------------------------------------- */
static u8 request_family(const struct nlmsghdr *h)
{
	return h->nlmsg_len > sizeof(*h) ? *(const u8 *)(h + 1) : AF_UNSPEC;
}

static void dump(struct socket *s, const struct nlmsghdr *h)
{
	struct reply r = { .size = 0 };
	u8 family = request_family(h);
	bool v4 = family == AF_UNSPEC || family == AF_INET;
	bool v6 = family == AF_UNSPEC || family == AF_INET6;

	if (h->nlmsg_type == RTM_GETLINK) {
		put_link(&r, s, h, NLM_F_MULTI);
	} else if (h->nlmsg_type == RTM_GETADDR) {
		if (v4)
			put_address(&r, s, h, AF_INET);
		if (v6)
			put_address(&r, s, h, AF_INET6);
	} else if (h->nlmsg_type == RTM_GETROUTE) {
		if (v4)
			put_route(&r, s, h, AF_INET, NLM_F_MULTI);
		if (v6)
			put_route(&r, s, h, AF_INET6, NLM_F_MULTI);
	}
	if (r.size)
		netlink_queue(s, r.data, r.size);
	r.size = 0;
	reply_done(&r, s, h);
	netlink_queue(s, r.data, r.size);
}

/* The attribute of this type behind a fixed part of `fixed` bytes. */
static const struct rtattr *find_attr(const struct nlmsghdr *h, u32 fixed,
				      u16 type)
{
	u32 at = NLMSG_HDRLEN + NLMSG_ALIGN(fixed);

	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a =
			(const void *)((const u8 *)h + at);

		if (a->rta_len < sizeof(*a) || at + a->rta_len > h->nlmsg_len)
			return NULL;
		if (a->rta_type == type)
			return a;
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

static int get_link(struct socket *s, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = (const void *)(h + 1);
	const struct rtattr *name;
	struct reply r = { .size = 0 };

	if (h->nlmsg_len < sizeof(*h) + sizeof(*i))
		return -EINVAL;
	name = find_attr(h, sizeof(*i), IFLA_IFNAME);
	if (i->ifi_index ? i->ifi_index != LO_INDEX
	    : !name || name->rta_len < 6 || memcmp(name + 1, "lo", 2))
		return -ENODEV;
	put_link(&r, s, h, 0);
	return netlink_queue(s, r.data, r.size);
}

static int get_route(struct socket *s, const struct nlmsghdr *h)
{
	const struct rtmsg *m = (const void *)(h + 1);
	const struct rtattr *to;
	struct reply r = { .size = 0 };
	struct inet_addr a;

	if (h->nlmsg_len < sizeof(*h) + sizeof(*m))
		return -EINVAL;
	to = find_attr(h, sizeof(*m), RTA_DST);
	memset(&a, 0, sizeof(a));
	if (m->rtm_family == AF_INET && to && to->rta_len >= 8) {
		a.ip[10] = a.ip[11] = 0xff;
		memcpy(a.ip + 12, to + 1, 4);
	} else if (m->rtm_family == AF_INET6 && to && to->rta_len >= 20) {
		memcpy(a.ip, to + 1, 16);
	}
	if (!inet_is_loopback(&a))
		return -ENETUNREACH;
	put_route(&r, s, h, m->rtm_family, 0);
	return netlink_queue(s, r.data, r.size);
}

static bool is_dump_known(u16 type)
{
	switch (type) {
	case RTM_GETLINK: case RTM_GETADDR: case RTM_GETROUTE:
	case RTM_GETNEIGH: case RTM_GETRULE: case RTM_GETQDISC:
		return true; /* the last three are empty lists here */
	default:
		return false;
	}
}

void rtnetlink_answer(struct socket *s, const void *request, u32 size)
{
	const struct nlmsghdr *h = request;
	u16 kind = (u16)((h->nlmsg_type - RTM_BASE) & 3); /* new del get set */
	int err;

	if (h->nlmsg_type < RTM_BASE) {
		err = -EINVAL;
	} else if (kind != 2) {
		err = -EPERM;
	} else if ((h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		err = is_dump_known(h->nlmsg_type) ? 0 : -EOPNOTSUPP;
		if (!err) {
			dump(s, h);
			return;
		}
	} else if (h->nlmsg_type == RTM_GETLINK) {
		err = get_link(s, h);
	} else if (h->nlmsg_type == RTM_GETROUTE) {
		err = get_route(s, h);
	} else {
		err = -EOPNOTSUPP;
	}
	if (err || (h->nlmsg_flags & NLM_F_ACK))
		reply_error(s, h, err);
}
