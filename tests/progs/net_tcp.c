/* TCP on the loopback: binding, connecting, ends, resets, readiness. */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct sockaddr_in addr4(const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	getsockname(fd, (void *)&a, &n);
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static short events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static int listener(int *port)
{
	int l = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = addr4("127.0.0.1", 0);

	bind(l, (void *)&a, sizeof(a));
	listen(l, 8);
	*port = port_of(l);
	return l;
}

static void make(int *c, int *s)
{
	int port, l = listener(&port);
	struct sockaddr_in a = addr4("127.0.0.1", port);

	*c = socket(AF_INET, SOCK_STREAM, 0);
	connect(*c, (void *)&a, sizeof(a));
	*s = accept(l, NULL, NULL);
	close(l);
}

static int error_of(int fd)
{
	int e = -1;
	socklen_t n = sizeof(e);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
	return e;
}

static void basics(void)
{
	int port, l = listener(&port), c, s;
	struct sockaddr_in a = addr4("127.0.0.1", port), b;
	socklen_t n = sizeof(b);
	char buf[64];

	CHECK(port >= 1024);
	CHECK(events(l) == 0);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(events(c) == (POLLOUT | POLLHUP));
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(recv(c, buf, 1, 0), ENOTCONN);
	CHECK_ERRNO(getpeername(c, (void *)&b, &n), ENOTCONN);
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), EISCONN);
	CHECK(events(l) == POLLIN);
	n = sizeof(b);
	s = accept(l, (void *)&b, &n);
	CHECK(s >= 0 && n == sizeof(b) && ntohs(b.sin_port) == port_of(c));
	CHECK(b.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	n = sizeof(b);
	CHECK(getpeername(c, (void *)&b, &n) == 0 && ntohs(b.sin_port) == port);
	CHECK(events(c) == POLLOUT);
	CHECK(send(c, "hello", 5, 0) == 5);
	CHECK(recv(s, buf, 3, MSG_PEEK) == 3);
	CHECK(recv(s, buf, 5, MSG_WAITALL) == 5 && !memcmp(buf, "hello", 5));
	CHECK(shutdown(c, SHUT_WR) == 0);
	CHECK(recv(s, buf, 1, 0) == 0);
	CHECK(events(s) == (POLLIN | POLLOUT | POLLRDHUP));
	CHECK(send(s, "bye", 3, 0) == 3);
	CHECK(recv(c, buf, 64, 0) == 3);
	close(s);
	CHECK(recv(c, buf, 64, 0) == 0);
	CHECK(events(c) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	close(c);
	CHECK_ERRNO(accept4(l, NULL, NULL, 1), EINVAL);
	fcntl(l, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	close(l);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(shutdown(c, SHUT_WR), ENOTCONN);
	close(c);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), ECONNREFUSED);
	CHECK_ERRNO(connect(c, (void *)&a, 8), EINVAL);
	a.sin_family = AF_INET6;
	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), EAFNOSUPPORT);
	close(c);
}

static void resets(void)
{
	struct linger lg = { 1, 0 };
	int c, s;
	char b[8];

	make(&c, &s);
	CHECK(write(c, "unread", 6) == 6);
	close(s);
	CHECK_ERRNO(read(c, b, 1), ECONNRESET);
	CHECK(read(c, b, 1) == 0);
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(c);

	make(&c, &s);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
	CHECK(write(s, "data", 4) == 4);
	close(s);
	CHECK(events(c) & POLLERR && events(c) & POLLHUP);
	CHECK(error_of(c) == ECONNRESET);
	CHECK(error_of(c) == 0);
	close(c);

	make(&c, &s);
	close(s);
	CHECK(send(c, "x", 1, MSG_NOSIGNAL) == 1);
	usleep(1000);
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(c);
}

static void nonblocking(void)
{
	int port, l = listener(&port), c, s;
	struct sockaddr_in a = addr4("127.0.0.1", port);

	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), EINPROGRESS);
	usleep(1000);
	CHECK(events(c) == POLLOUT);
	CHECK(error_of(c) == 0);
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), EISCONN);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	close(c);
	close(s);
	close(l);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), EINPROGRESS);
	usleep(1000);
	CHECK(events(c) == (POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP));
	CHECK(error_of(c) == ECONNREFUSED);
	close(c);
}

static void binding(void)
{
	int port, l = listener(&port), d, one = 1, e;
	struct sockaddr_in a = addr4("127.0.0.1", port);
	struct sockaddr_in any = addr4("0.0.0.0", port);
	struct sockaddr_in two = addr4("127.0.0.2", port);
	struct sockaddr_in far = addr4("192.0.2.1", 0);

	d = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(bind(d, (void *)&a, sizeof(a)), EADDRINUSE);
	CHECK_ERRNO(bind(d, (void *)&any, sizeof(any)), EADDRINUSE);
	setsockopt(d, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK_ERRNO(bind(d, (void *)&a, sizeof(a)), EADDRINUSE);
	CHECK_ERRNO(bind(d, (void *)&far, sizeof(far)), EADDRNOTAVAIL);
	CHECK(bind(d, (void *)&two, sizeof(two)) == 0);
	CHECK_ERRNO(bind(d, (void *)&two, sizeof(two)), EINVAL);
	CHECK(listen(d, 1) == 0);
	close(d);
	close(l);
	d = socket(AF_INET, SOCK_STREAM, 0);
	e = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(d, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(e, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	CHECK(bind(d, (void *)&a, sizeof(a)) == 0 && listen(d, 1) == 0);
	CHECK(bind(e, (void *)&a, sizeof(a)) == 0 && listen(e, 1) == 0);
	close(d);
	close(e);
	d = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(listen(d, 1) == 0 && port_of(d) != 0);
	close(d);
}

static void dual_stack(void)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 }, b6;
	struct sockaddr_in a4;
	socklen_t n = sizeof(b6);
	int l = socket(AF_INET6, SOCK_STREAM, 0), c, s, one = 1;
	char text[64];

	CHECK(bind(l, (void *)&a6, sizeof(a6)) == 0 && listen(l, 4) == 0);
	CHECK_ERRNO(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &one,
			       sizeof(one)), EINVAL);
	a4 = addr4("127.0.0.1", port_of(l));
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(c, (void *)&a4, sizeof(a4)) == 0);
	s = accept(l, (void *)&b6, &n);
	CHECK(n == sizeof(b6) && b6.sin6_family == AF_INET6);
	CHECK(!strcmp(inet_ntop(AF_INET6, &b6.sin6_addr, text, 64),
		      "::ffff:127.0.0.1"));
	close(c);
	close(s);
	a6.sin6_addr = in6addr_loopback;
	a6.sin6_port = htons(port_of(l));
	c = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(connect(c, (void *)&a6, sizeof(a6)) == 0);
	s = accept(l, (void *)&b6, &n);
	CHECK(!strcmp(inet_ntop(AF_INET6, &b6.sin6_addr, text, 64), "::1"));
	close(c);
	close(s);
	close(l);
	l = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(!setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
	a6.sin6_addr = in6addr_any;
	a6.sin6_port = 0;
	CHECK(bind(l, (void *)&a6, sizeof(a6)) == 0 && listen(l, 4) == 0);
	a4 = addr4("127.0.0.1", port_of(l));
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(c, (void *)&a4, sizeof(a4)), ECONNREFUSED);
	CHECK(bind(c, (void *)&a4, sizeof(a4)) == 0);
	close(c);
	close(l);
}

static void bulk(void)
{
	static char b[1 << 16];
	int c, s, st;
	long sum = 0, n;
	pid_t pid;

	make(&c, &s);
	pid = fork();
	if (!pid) {
		int i;

		close(s);
		for (i = 0; i < 64; i++)
			if (write(c, b, sizeof(b)) != sizeof(b))
				_exit(1);
		_exit(0);
	}
	close(c);
	while ((n = read(s, b, sizeof(b))) > 0)
		sum += n;
	CHECK(sum == 64l << 16);
	waitpid(pid, &st, 0);
	CHECK(st == 0);
	close(s);
}

static void edge(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	int c, s, ep = epoll_create1(0);
	char b[8];

	make(&c, &s);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e) == 0);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(write(c, "x", 1) == 1);
	CHECK(epoll_wait(ep, &e, 1, 100) == 1 && e.events == EPOLLIN);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(write(c, "x", 1) == 1);
	CHECK(epoll_wait(ep, &e, 1, 100) == 1);
	CHECK(read(s, b, 8) == 2);
	close(c);
	CHECK(epoll_wait(ep, &e, 1, 100) == 1);
	CHECK(e.events == (EPOLLIN | EPOLLRDHUP));
	close(s);
	close(ep);
}

static void unreachable(void)
{
	struct sockaddr_in a = addr4("255.255.255.255", 9);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_ERRNO(connect(c, (void *)&a, sizeof(a)), ENETUNREACH);
	close(c);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	basics();
	resets();
	nonblocking();
	binding();
	dual_stack();
	bulk();
	edge();
	unreachable();
	return check_done();
}
