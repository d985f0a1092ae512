/*
 * tcp_opt.c - options of TCP sockets: recorded and read back.  There are no
 * segments, windows or timers, so none has an effect on the loopback; on
 * host connections they cannot be passed on (see tcp_host.c).
 */
#include "sock.h"

#include <linux/tcp.h>

#define MSS_LOOPBACK 65483

struct tcp_place {
	int name;
	u16 offset;
	u8 size; /* 0: bool, 4: int */
	s32 min, max;
};
#define TCP_INT(name, field, min, max) \
	{ name, offsetof(struct inet_options, field), 4, min, max }
#define TCP_FLAG(name, field) \
	{ name, offsetof(struct inet_options, field), 0, 0, 0 }
#define S32_MAX 0x7fffffff

static const struct tcp_place places[] = {
	TCP_FLAG(TCP_NODELAY, is_nodelay),
	TCP_FLAG(TCP_CORK, is_cork),
	TCP_FLAG(TCP_QUICKACK, is_quickack),
	TCP_INT(TCP_KEEPIDLE, keep_idle, 1, 32767),
	TCP_INT(TCP_KEEPINTVL, keep_interval, 1, 32767),
	TCP_INT(TCP_KEEPCNT, keep_count, 1, 127),
	TCP_INT(TCP_SYNCNT, syn_count, 1, 127),
	TCP_INT(TCP_USER_TIMEOUT, user_timeout, 0, S32_MAX),
	TCP_INT(TCP_DEFER_ACCEPT, defer_accept, -S32_MAX, S32_MAX),
	TCP_INT(TCP_LINGER2, linger2, -S32_MAX, S32_MAX),
	TCP_INT(TCP_WINDOW_CLAMP, window_clamp, 0, S32_MAX),
	TCP_INT(TCP_NOTSENT_LOWAT, notsent_lowat, -S32_MAX, S32_MAX),
	TCP_INT(TCP_FASTOPEN, fastopen, 0, S32_MAX),
	TCP_INT(TCP_MAXSEG, max_segment, 88, 32767),
};

static const struct tcp_place *place_of(int name)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].name == name)
			return &places[i];
	return NULL;
}

static int set_congestion(struct socket *s, u64 value, u32 size)
{
	char name[16] = "";

	if (!size)
		return -EINVAL;
	if (copy_from_user(name, value, MIN(size, 15u)))
		return -EFAULT;
	if (strcmp(name, "cubic") && strcmp(name, "reno"))
		return -ENOENT;
	strlcpy(s->in.opt.congestion, name, sizeof(s->in.opt.congestion));
	return 0;
}

int tcp_set_option(struct socket *s, int name, u64 value, u32 size)
{
	const struct tcp_place *p = place_of(name);
	u8 *at;
	s32 v;
	int err;

	if (name == TCP_CONGESTION)
		return set_congestion(s, value, size);
	if (name == TCP_ULP)
		return -ENOENT; /* no such protocol is built in */
	err = option_int(value, size, &v);
	if (err)
		return err;
	if (!p)
		return -ENOPROTOOPT;
	if (p->size && (v < p->min || v > p->max))
		return -EINVAL;
	at = (u8 *)&s->in.opt + p->offset;
	if (p->size)
		memcpy(at, &v, sizeof(v));
	else
		*(bool *)at = v != 0;
	return 0;
}

static int get_info(struct socket *s, u8 *value, u32 *size)
{
	struct tcp_info i;

	memset(&i, 0, sizeof(i));
	i.tcpi_state = (u8)s->state;
	i.tcpi_rto = 201000;
	i.tcpi_ato = 40000;
	i.tcpi_snd_mss = i.tcpi_rcv_mss = MSS_LOOPBACK;
	i.tcpi_snd_cwnd = 10;
	i.tcpi_snd_ssthresh = 0x7fffffff;
	i.tcpi_rtt = 30;
	i.tcpi_rttvar = 15;
	i.tcpi_pmtu = 65535;
	if (s->state == SS_LISTEN) {
		i.tcpi_unacked = s->accept_count;
		i.tcpi_sacked = s->backlog;
	}
	*size = MIN(*size, (u32)sizeof(i));
	memcpy(value, &i, *size);
	return 0;
}

int tcp_get_option(struct socket *s, int name, u8 *value, u32 *size)
{
	const struct tcp_place *p = place_of(name);
	const u8 *at;
	s32 v;

	if (name == TCP_INFO)
		return get_info(s, value, size);
	if (name == TCP_CONGESTION) {
		*size = MIN(*size, 16u);
		memcpy(value, s->in.opt.congestion, *size);
		return 0;
	}
	if (name == TCP_ULP) {
		*size = 0;
		return 0;
	}
	if (!p)
		return -ENOPROTOOPT;
	at = (const u8 *)&s->in.opt + p->offset;
	v = *at;
	if (p->size)
		memcpy(&v, at, sizeof(v));
	if (name == TCP_MAXSEG && !v)
		v = s->state == SS_ESTABLISHED ? MSS_LOOPBACK : 536;
	return option_put_int(value, size, v);
}
