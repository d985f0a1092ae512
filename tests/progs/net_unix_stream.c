/* Unix stream and seqpacket sockets: names, connections, ends, readiness. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char dir[64];

static socklen_t name(struct sockaddr_un *a, const char *file)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", dir, file);
	return offsetof(struct sockaddr_un, sun_path) + strlen(a->sun_path) + 1;
}

static short events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static void pairs(void)
{
	int p[2];
	char b[64];
	struct ucred c;
	socklen_t n = sizeof(c);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	CHECK(events(p[0]) == POLLOUT);
	CHECK(write(p[0], "hello", 5) == 5);
	CHECK(events(p[1]) == (POLLIN | POLLOUT));
	CHECK(ioctl(p[1], FIONREAD, &n) == 0 && n == 5);
	CHECK(recv(p[1], b, 2, MSG_PEEK) == 2 && !memcmp(b, "he", 2));
	CHECK(recv(p[1], b, 64, 0) == 5 && !memcmp(b, "hello", 5));
	CHECK_ERRNO(recv(p[1], b, 64, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(lseek(p[0], 0, SEEK_SET), ESPIPE);
	n = sizeof(c);
	CHECK(getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &c, &n) == 0);
	CHECK(c.pid == getpid() && c.uid == getuid() && c.gid == getgid());
	CHECK(shutdown(p[0], SHUT_WR) == 0);
	CHECK(read(p[1], b, 1) == 0);
	CHECK(events(p[1]) == (POLLIN | POLLOUT | POLLRDHUP));
	CHECK_ERRNO(send(p[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(write(p[1], "back", 4) == 4);
	CHECK(read(p[0], b, 64) == 4);
	close(p[1]);
	CHECK(events(p[0]) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	CHECK(read(p[0], b, 1) == 0);
	close(p[0]);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			 0, p) == 0);
	CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(p[0], F_GETFL) == (O_RDWR | O_NONBLOCK));
	CHECK(write(p[0], "x", 1) == 1);
	close(p[1]);
	CHECK_ERRNO(read(p[0], b, 1), ECONNRESET);
	CHECK(read(p[0], b, 1) == 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(p[0], "x", 1), EPIPE);
	close(p[0]);
	CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, p), EOPNOTSUPP);
	CHECK_ERRNO(socket(AF_UNIX, 77, 0), EINVAL);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
}

static void full_pair(void)
{
	int p[2];
	char b[4096];
	long n = 0;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
	memset(b, 'x', sizeof(b));
	while (write(p[0], b, sizeof(b)) > 0)
		n += sizeof(b);
	CHECK(errno == EAGAIN);
	CHECK(n >= 65536);
	CHECK(!(events(p[0]) & POLLOUT));
	while (read(p[1], b, sizeof(b)) > 0)
		;
	CHECK(errno == EAGAIN);
	CHECK(events(p[0]) & POLLOUT);
	close(p[0]);
	close(p[1]);
}

static void named(void)
{
	struct sockaddr_un a, b;
	socklen_t n = name(&a, "s"), m;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c, s, d;
	struct stat st;
	char buf[8];

	CHECK(events(l) == (POLLOUT | POLLHUP));
	CHECK_ERRNO(listen(l, 1), EINVAL);
	CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
	CHECK(bind(l, (void *)&a, n) == 0);
	CHECK_ERRNO(bind(l, (void *)&a, n), EADDRINUSE);
	CHECK(stat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK_ERRNO(open(a.sun_path, O_RDONLY), ENXIO);
	m = sizeof(b);
	CHECK(getsockname(l, (void *)&b, &m) == 0 && m == n);
	CHECK(!strcmp(b.sun_path, a.sun_path));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(c, (void *)&a, n), ECONNREFUSED);
	CHECK(listen(l, 1) == 0);
	CHECK(connect(c, (void *)&a, n) == 0);
	CHECK_ERRNO(connect(c, (void *)&a, n), EISCONN);
	CHECK(events(l) == POLLIN);
	CHECK(write(c, "early", 5) == 5);
	m = sizeof(b);
	s = accept4(l, (void *)&b, &m, SOCK_NONBLOCK);
	CHECK(s >= 0 && m == 2);
	CHECK(read(s, buf, 8) == 5);
	m = sizeof(b);
	CHECK(getpeername(c, (void *)&b, &m) == 0 && m == n);
	CHECK(getpeername(s, (void *)&b, &m) == 0 && m == 2);
	m = sizeof(b);
	CHECK(getsockname(s, (void *)&b, &m) == 0 && m == n);
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, n), EISCONN);
	d = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(bind(d, (void *)&a, n), EADDRINUSE);
	CHECK_ERRNO(write(d, "x", 1), ENOTCONN);
	CHECK_ERRNO(read(d, buf, 1), EINVAL);
	m = sizeof(b);
	CHECK_ERRNO(getpeername(d, (void *)&b, &m), ENOTCONN);
	close(d);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_ERRNO(connect(d, (void *)&a, n), EPROTOTYPE);
	close(d);
	unlink(a.sun_path);
	d = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(d, (void *)&a, n), ENOENT);
	close(d);
	close(s);
	close(c);
	close(l);
}

static void backlog(void)
{
	struct sockaddr_un a;
	socklen_t n = name(&a, "b");
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c[4], i;

	bind(l, (void *)&a, n);
	CHECK(listen(l, 1) == 0);
	for (i = 0; i < 4; i++)
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(connect(c[0], (void *)&a, n) == 0);
	CHECK(connect(c[1], (void *)&a, n) == 0);
	CHECK_ERRNO(connect(c[2], (void *)&a, n), EAGAIN);
	close(accept(l, NULL, NULL));
	CHECK(connect(c[2], (void *)&a, n) == 0);
	close(l);
	CHECK_ERRNO(read(c[2], &i, 1), ECONNRESET);
	CHECK_ERRNO(connect(c[3], (void *)&a, n), ECONNREFUSED);
	for (i = 0; i < 4; i++)
		close(c[i]);
	unlink(a.sun_path);
}

static void abstract(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX }, b;
	int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), c, s;
	socklen_t n, m;
	char buf[16];

	snprintf(a.sun_path + 1, 40, "bailey-%d", getpid());
	n = 2 + 1 + strlen(a.sun_path + 1);
	CHECK(bind(l, (void *)&a, n) == 0 && listen(l, 4) == 0);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK_ERRNO(bind(c, (void *)&a, n), EADDRINUSE);
	CHECK(bind(c, (void *)&a, 2) == 0); /* autobind */
	m = sizeof(b);
	CHECK(getsockname(c, (void *)&b, &m) == 0 && m == 8);
	CHECK_ERRNO(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERRNO(recv(c, buf, 1, 0), ENOTCONN);
	CHECK(connect(c, (void *)&a, n) == 0);
	s = accept(l, NULL, NULL);
	CHECK(send(c, "one", 3, 0) == 3 && send(c, "three", 5, 0) == 5);
	CHECK(recv(s, buf, 2, 0) == 2);
	CHECK(recv(s, buf, 2, MSG_TRUNC) == 5);
	CHECK(send(c, "", 0, 0) == 0);
	CHECK(recv(s, buf, 2, 0) == 0);
	close(c);
	CHECK(recv(s, buf, 2, 0) == 0);
	CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(s);
	close(l);
}

static void across_fork(void)
{
	int p[2], st, i;
	char c = 0;
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	pid = fork();
	if (!pid) {
		close(p[0]);
		while (read(p[1], &c, 1) == 1) {
			c++;
			if (write(p[1], &c, 1) != 1)
				_exit(1);
		}
		_exit(7);
	}
	close(p[1]);
	for (i = 0; i < 200; i++)
		if (write(p[0], &c, 1) != 1 || read(p[0], &c, 1) != 1)
			break;
	CHECK(i == 200 && c == (char)200);
	close(p[0]);
	CHECK(waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 7);
}

static void timeouts(void)
{
	struct timeval t = { 0, 20000 }, g;
	socklen_t n = sizeof(g);
	int p[2];
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	CHECK(!setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK(!getsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &g, &n));
	CHECK(n == sizeof(g) && g.tv_usec >= 20000 && g.tv_usec < 30000);
	CHECK_ERRNO(read(p[0], &c, 1), EAGAIN);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	strcpy(dir, "/tmp/netXXXXXX");
	if (!mkdtemp(dir))
		return 2;
	pairs();
	full_pair();
	named();
	backlog();
	abstract();
	across_fork();
	timeouts();
	rmdir(dir);
	return check_done();
}
