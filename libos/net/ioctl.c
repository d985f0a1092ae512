/*
 * ioctl.c - ioctl on sockets: what is queued, and the one interface, lo.
 */
#include "sock.h"

#include <asm/ioctls.h>
#include <linux/sockios.h>

#define IF_NAME_SIZE 16
#define LO_FLAGS 0x49 /* up, loopback, running */
#define LO_MTU 65536
#define LO_TYPE 772   /* ARPHRD_LOOPBACK */

/* struct ifreq, ifconf: the kernel's header clashes with others. */
struct user_ifreq {
	char name[IF_NAME_SIZE];
	union { u8 raw[24]; s32 number; s16 flags; struct sockaddr_in sin; } u;
};
struct user_ifconf { s32 size; s32 pad; u64 buffer; };

static long put_count(u64 arg, u32 n)
{
	return put_user_u32(arg, n);
}

static long readable(struct socket *s, u64 arg)
{
	u32 n;

	if (s->state == SS_LISTEN)
		return -EINVAL;
	mutex_lock(&s->lock);
	n = s->ring.used + s->pushback_size;
	if (!list_empty(&s->messages)) {
		struct message *m = list_first(&s->messages, struct message,
					       node);
		n = s->type == SOCK_SEQPACKET ? s->message_bytes : m->size;
	}
	mutex_unlock(&s->lock);
	return put_count(arg, n);
}

static long unsent(struct socket *s, u64 arg)
{
	if (s->state == SS_LISTEN)
		return -EINVAL;
	if (s->family == AF_UNIX && s->peer)
		return put_count(arg, s->peer->ring.used +
				 s->peer->message_bytes);
	return put_count(arg, 0); /* the loopback delivers at once */
}

static void fill_address(struct user_ifreq *r, u32 address)
{
	memset(&r->u, 0, sizeof(r->u));
	r->u.sin.sin_family = AF_INET;
	r->u.sin.sin_addr.s_addr = swap32(address);
}

static long list_interfaces(u64 arg)
{
	struct user_ifreq r = { .name = "lo" };
	struct user_ifconf c;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	fill_address(&r, 0x7f000001);
	if (c.buffer && c.size >= (s32)sizeof(r) &&
	    copy_to_user(c.buffer, &r, sizeof(r)))
		return -EFAULT;
	c.size = !c.buffer || c.size >= (s32)sizeof(r) ? (s32)sizeof(r) : 0;
	return copy_to_user(arg, &c, sizeof(c));
}

static long interface_name(u64 arg)
{
	struct user_ifreq r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.u.number != 1)
		return -ENODEV;
	strlcpy(r.name, "lo", sizeof(r.name));
	return copy_to_user(arg, &r, sizeof(r));
}

static int fill_request(struct user_ifreq *r, u32 cmd)
{
	switch (cmd) {
	case SIOCGIFINDEX: r->u.number = 1; return 0;
	case SIOCGIFFLAGS: r->u.flags = LO_FLAGS; return 0;
	case SIOCGIFMTU: r->u.number = LO_MTU; return 0;
	case SIOCGIFMETRIC: r->u.number = 0; return 0;
	case SIOCGIFTXQLEN: r->u.number = 1000; return 0;
	case SIOCGIFADDR: fill_address(r, 0x7f000001); return 0;
	case SIOCGIFNETMASK: fill_address(r, 0xff000000); return 0;
	case SIOCGIFBRDADDR: fill_address(r, 0); return 0;
	case SIOCGIFDSTADDR: fill_address(r, 0x7f000001); return 0;
	case SIOCGIFHWADDR:
		memset(&r->u, 0, sizeof(r->u));
		r->u.flags = LO_TYPE;
		return 0;
	default:
		return -ENOTTY;
	}
}

static bool is_interface_set(u32 cmd)
{
	switch (cmd) {
	case SIOCSIFFLAGS: case SIOCSIFADDR: case SIOCSIFNETMASK:
	case SIOCSIFMTU: case SIOCSIFHWADDR: case SIOCSIFNAME:
	case SIOCADDRT: case SIOCDELRT: case SIOCSIFBRDADDR:
		return true;
	default:
		return false;
	}
}

static long interface_request(u32 cmd, u64 arg)
{
	struct user_ifreq r;
	int err;

	if (is_interface_set(cmd))
		return -EPERM;
	if (cmd != SIOCETHTOOL && fill_request(&(struct user_ifreq){ .name =
			"" }, cmd))
		return -ENOTTY;
	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	r.name[IF_NAME_SIZE - 1] = 0;
	if (strcmp(r.name, "lo"))
		return -ENODEV;
	if (cmd == SIOCETHTOOL)
		return -EOPNOTSUPP;
	err = fill_request(&r, cmd);
	return err ? err : copy_to_user(arg, &r, sizeof(r));
}

long socket_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct socket *s = socket_of(f);

	switch (cmd) {
	case FIONREAD: /* = SIOCINQ */
		return readable(s, arg);
	case TIOCOUTQ: /* = SIOCOUTQ */
		return unsent(s, arg);
	case SIOCATMARK:
		return s->type == SOCK_STREAM && s->family != AF_UNIX
			? put_user_u32(arg, 0) : -ENOTTY;
	case SIOCGIFCONF:
		return list_interfaces(arg);
	case SIOCGIFNAME:
		return interface_name(arg);
	default:
		return interface_request(cmd, arg);
	}
}
