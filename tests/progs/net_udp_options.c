/* UDP on the loopback, socket options, netlink, interfaces. */
#include "check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct sockaddr_in local(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	getsockname(fd, (void *)&a, &n);
	return ntohs(a.sin_port);
}

static void udp(void)
{
	int x = socket(AF_INET, SOCK_DGRAM, 0), y = socket(AF_INET, SOCK_DGRAM,
							   0), i = 0;
	struct sockaddr_in a = local(0), b, bc = local(9);
	struct pollfd p = { x, POLLIN | POLLOUT, 0 };
	socklen_t n = sizeof(b);
	char buf[64];

	CHECK(bind(x, (void *)&a, sizeof(a)) == 0);
	a = local(port_of(x));
	CHECK_ERRNO(send(y, "x", 1, 0), EDESTADDRREQ);
	CHECK(sendto(y, "hello", 5, 0, (void *)&a, sizeof(a)) == 5);
	CHECK(sendto(y, "", 0, 0, (void *)&a, sizeof(a)) == 0);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
	CHECK(ioctl(x, FIONREAD, &i) == 0 && i == 5);
	CHECK(recvfrom(x, buf, 3, MSG_TRUNC, (void *)&b, &n) == 5);
	CHECK(ntohs(b.sin_port) == port_of(y));
	CHECK(recv(x, buf, 3, 0) == 0);
	CHECK_ERRNO(recv(x, buf, 3, MSG_DONTWAIT), EAGAIN);
	CHECK(connect(y, (void *)&a, sizeof(a)) == 0);
	CHECK(send(y, "c", 1, 0) == 1 && recv(x, buf, 8, 0) == 1);
	/* a connected socket hears only its peer */
	{
		int z = socket(AF_INET, SOCK_DGRAM, 0);
		struct sockaddr_in to = local(port_of(y));

		CHECK(sendto(z, "z", 1, 0, (void *)&to, sizeof(to)) == 1);
		CHECK(sendto(x, "y", 1, 0, (void *)&to, sizeof(to)) == 1);
		CHECK(recv(y, buf, 8, 0) == 1 && buf[0] == 'y');
		CHECK_ERRNO(recv(y, buf, 8, MSG_DONTWAIT), EAGAIN);
		close(z);
	}
	close(x);
	CHECK(send(y, "gone", 4, 0) == 4);
	usleep(1000);
	CHECK_ERRNO(send(y, "gone", 4, 0), ECONNREFUSED);
	bc.sin_family = AF_UNSPEC;
	CHECK(connect(y, (void *)&bc, sizeof(bc)) == 0);
	CHECK_ERRNO(send(y, "x", 1, 0), EDESTADDRREQ);
	bc = local(9);
	bc.sin_addr.s_addr = INADDR_BROADCAST;
	CHECK_ERRNO(sendto(y, "x", 1, 0, (void *)&bc, sizeof(bc)), EACCES);
	bc = local(0);
	CHECK_ERRNO(sendto(y, "x", 1, 0, (void *)&bc, sizeof(bc)), EINVAL);
	{
		static char big[70000];

		CHECK_ERRNO(sendto(y, big, sizeof(big), 0, (void *)&a,
				   sizeof(a)), EMSGSIZE);
	}
	CHECK_ERRNO(listen(y, 1), EOPNOTSUPP);
	close(y);
}

static void pktinfo(void)
{
	int x = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in a = local(0);
	char control[64], buf[8];
	struct iovec iov = { buf, 8 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct in_pktinfo *i;

	bind(x, (void *)&a, sizeof(a));
	a = local(port_of(x));
	CHECK(!setsockopt(x, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)));
	sendto(x, "me", 2, 0, (void *)&a, sizeof(a));
	CHECK(recvmsg(x, &m, 0) == 2);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO);
	i = (void *)CMSG_DATA(c);
	CHECK(i->ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK(i->ipi_ifindex == 1);
	close(x);
}

static int get(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	if (getsockopt(fd, level, name, &v, &n))
		return -errno;
	return v;
}

static int set(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v));
}

static void options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v;
	int u = socket(AF_UNIX, SOCK_STREAM, 0);
	struct linger l = { 1, 5 }, g = { 0, 0 };
	struct tcp_info info;
	socklen_t n = sizeof(g);
	char name[16];

	CHECK(get(s, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	CHECK(get(s, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	CHECK(get(s, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	CHECK(get(u, SOL_SOCKET, SO_PROTOCOL) == 0);
	CHECK(get(s, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	CHECK(get(s, SOL_SOCKET, SO_REUSEADDR) == 0);
	CHECK(set(s, SOL_SOCKET, SO_REUSEADDR, 5) == 0);
	CHECK(get(s, SOL_SOCKET, SO_REUSEADDR) == 1);
	CHECK(set(u, SOL_SOCKET, SO_SNDBUF, 10000) == 0);
	CHECK(get(u, SOL_SOCKET, SO_SNDBUF) == 20000);
	CHECK(set(u, SOL_SOCKET, SO_RCVBUF, 1) == 0);
	CHECK(get(u, SOL_SOCKET, SO_RCVBUF) == 2304);
	CHECK(set(u, SOL_SOCKET, SO_SNDBUF, 1) == 0);
	CHECK(get(u, SOL_SOCKET, SO_SNDBUF) == 4608);
	CHECK(!setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	CHECK(!getsockopt(s, SOL_SOCKET, SO_LINGER, &g, &n));
	CHECK(g.l_onoff == 1 && g.l_linger == 5);
	CHECK_ERRNO(set(s, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
	CHECK_ERRNO(set(s, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
	CHECK(get(s, SOL_SOCKET, 9999) == -ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, 1), EINVAL);
	CHECK(get(u, 77, 1) == -EOPNOTSUPP);
	CHECK(get(s, IPPROTO_TCP, TCP_NODELAY) == 0);
	CHECK(set(s, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
	CHECK(get(s, IPPROTO_TCP, TCP_NODELAY) == 1);
	CHECK(set(s, IPPROTO_TCP, TCP_KEEPIDLE, 60) == 0);
	CHECK(get(s, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
	CHECK_ERRNO(set(s, IPPROTO_TCP, TCP_KEEPCNT, 1000), EINVAL);
	CHECK(get(s, IPPROTO_TCP, TCP_MAXSEG) == 536);
	n = sizeof(info);
	CHECK(!getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &n) &&
	      info.tcpi_state == TCP_CLOSE);
	n = sizeof(name);
	CHECK(!getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n));
	CHECK(get(s, IPPROTO_IP, IP_TTL) == 64);
	CHECK(get(s, IPPROTO_IPV6, IPV6_V6ONLY) < 0);
	CHECK_ERRNO(set(0, SOL_SOCKET, SO_REUSEADDR, 1), ENOTSOCK);
	CHECK_ERRNO(set(99, SOL_SOCKET, SO_REUSEADDR, 1), EBADF);
	CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP),
		    EPROTONOSUPPORT);
	close(s);
	close(u);
}

static void netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} q = { { sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 },
		{ AF_UNSPEC } };
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t n = sizeof(a);
	static char buf[65536];
	struct nlmsghdr *h = (void *)buf;
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), links = 0;
	ssize_t size = 0;

	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	CHECK(getsockname(s, (void *)&a, &n) == 0 && n == 12 && a.nl_pid);
	CHECK(send(s, &q, sizeof(q), 0) == sizeof(q));
	do {
		size = recv(s, buf, sizeof(buf), 0);
		for (h = (void *)buf; NLMSG_OK(h, size);
		     h = NLMSG_NEXT(h, size)) {
			if (h->nlmsg_type == NLMSG_DONE)
				break;
			links += h->nlmsg_type == RTM_NEWLINK &&
				((struct ifinfomsg *)NLMSG_DATA(h))
				->ifi_index == 1;
		}
	} while (h->nlmsg_type != NLMSG_DONE);
	CHECK(links == 1);
	CHECK(h->nlmsg_seq == 7 && h->nlmsg_pid == a.nl_pid);
	close(s);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

static void interfaces(void)
{
	struct ifaddrs *all, *i;
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST }, *r;
	struct ifreq q = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0), found = 0;

	CHECK(getifaddrs(&all) == 0);
	for (i = all; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET &&
		    !strcmp(i->ifa_name, "lo"))
			found++;
	CHECK(found == 1);
	freeifaddrs(all);
	CHECK(if_nametoindex("lo") == 1);
	CHECK(ioctl(s, SIOCGIFFLAGS, &q) == 0);
	CHECK((q.ifr_flags & (IFF_UP | IFF_LOOPBACK)) ==
	      (IFF_UP | IFF_LOOPBACK));
	CHECK(ioctl(s, SIOCGIFADDR, &q) == 0);
	strcpy(q.ifr_name, "nope0");
	CHECK_ERRNO(ioctl(s, SIOCGIFFLAGS, &q), ENODEV);
	CHECK(getaddrinfo("127.0.0.1", "80", &hint, &r) == 0);
	freeaddrinfo(r);
	CHECK(getaddrinfo("::1", "80", &hint, &r) == 0);
	freeaddrinfo(r);
	close(s);
}

int main(void)
{
	udp();
	pktinfo();
	options();
	netlink();
	interfaces();
	return check_done();
}
