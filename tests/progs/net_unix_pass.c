/* Unix datagrams; descriptors and credentials that travel in messages. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static int send_fds(int to, const int *fds, int n, const char *text)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(to, &m, 0);
}

static int got_flags, got_type, got_n;

static int receive_fds(int from, int *fds, int room, char *text, int size,
		       int flags)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { text, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = room ? CMSG_SPACE(room *
						    sizeof(int)) : 0 };
	int n = recvmsg(from, &m, flags);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	got_flags = m.msg_flags;
	got_n = 0;
	got_type = c ? c->cmsg_type : 0;
	if (n >= 0 && c) {
		got_n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	}
	return n;
}

static void rights(void)
{
	int p[2], q[2], fd[8], fds[8];
	char b[64];

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	CHECK(pipe(q) == 0);
	CHECK(write(p[0], "ab", 2) == 2);
	CHECK(send_fds(p[0], q, 2, "cd") == 2);
	CHECK(write(p[0], "ef", 2) == 2);
	/* bytes before may come along, bytes behind may not */
	CHECK(receive_fds(p[1], fd, 2, b, 64, MSG_CMSG_CLOEXEC) == 4);
	CHECK(got_n == 2 && got_type == SCM_RIGHTS);
	CHECK(fcntl(fd[0], F_GETFD) == FD_CLOEXEC);
	CHECK(write(fd[1], "x", 1) == 1 && read(q[0], b, 1) == 1);
	CHECK(receive_fds(p[1], fds, 2, b, 64, 0) == 2 && got_n == 0);
	close(fd[0]);
	close(fd[1]);

	CHECK(send_fds(p[0], q, 2, "t") == 1);
	CHECK(receive_fds(p[1], fd, 0, b, 64, 0) == 1);
	CHECK(got_flags & MSG_CTRUNC);
	fd[0] = 999;
	CHECK_ERRNO(send_fds(p[0], fd, 1, "t"), EBADF);

	/* a descriptor in flight keeps the file open */
	CHECK(send_fds(p[0], q + 1, 1, "k") == 1);
	close(q[1]);
	{
		struct pollfd pf = { q[0], POLLIN, 0 };

		CHECK(poll(&pf, 1, 0) == 0);
		close(p[1]); /* never received: dropped */
		CHECK(poll(&pf, 1, 100) == 1 && pf.revents == POLLHUP);
	}
	close(q[0]);
	close(p[0]);
}

/* Two sockets that hold only each other go away. */
static void cycle(void)
{
	int a[2], q[2], other[2];
	struct pollfd pf;

	CHECK(pipe(q) == 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, a);
	socketpair(AF_UNIX, SOCK_STREAM, 0, other);
	CHECK(send_fds(a[0], a, 2, "c") == 1);
	CHECK(send_fds(a[1], q + 1, 1, "p") == 1);
	close(q[1]);
	close(a[0]);
	close(a[1]);
	close(other[0]); /* some Unix socket closes: time to collect */
	close(other[1]);
	pf.fd = q[0];
	pf.events = POLLIN;
	CHECK(poll(&pf, 1, 1000) == 1 && pf.revents == POLLHUP);
	close(q[0]);
}

static void credentials(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] = { 0 }, b[16];
	struct iovec iov = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred u;
	int p[2], one = 1, st;
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	CHECK(!setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	pid = fork();
	if (!pid)
		_exit(write(p[0], "child", 5) != 5);
	waitpid(pid, &st, 0);
	CHECK(write(p[0], "parent", 6) == 6);
	CHECK(recvmsg(p[1], &m, 0) == 5); /* credentials change behind it */
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&u, CMSG_DATA(c), sizeof(u));
	CHECK(u.pid == pid && u.uid == getuid());
	m.msg_controllen = sizeof(control);
	CHECK(recvmsg(p[1], &m, 0) == 6);
	memcpy(&u, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(u));
	CHECK(u.pid == getpid());
	close(p[0]);
	close(p[1]);
}

static socklen_t abstract(struct sockaddr_un *a, const char *s)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	return 3 + snprintf(a->sun_path + 1, 60, "%s-%d", s, getpid());
}

static void datagrams(void)
{
	struct sockaddr_un a, b, from;
	socklen_t an = abstract(&a, "dga"), bn = abstract(&b, "dgb"), n;
	int x = socket(AF_UNIX, SOCK_DGRAM, 0);
	int y = socket(AF_UNIX, SOCK_DGRAM, 0);
	int z = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[32];
	int i = 0;

	CHECK(bind(x, (void *)&a, an) == 0 && bind(y, (void *)&b, bn) == 0);
	CHECK_ERRNO(send(y, "x", 1, 0), ENOTCONN);
	CHECK(sendto(y, "hello", 5, 0, (void *)&a, an) == 5);
	CHECK(sendto(z, "anon", 4, 0, (void *)&a, an) == 4);
	CHECK(ioctl(x, FIONREAD, &i) == 0 && i == 5);
	n = sizeof(from);
	CHECK(recvfrom(x, buf, 3, 0, (void *)&from, &n) == 3);
	CHECK(n == bn && !memcmp(&from, &b, n));
	n = sizeof(from);
	CHECK(recvfrom(x, buf, 32, MSG_TRUNC, (void *)&from, &n) == 4);
	CHECK(n == 0);
	CHECK_ERRNO(recv(x, buf, 32, MSG_DONTWAIT), EAGAIN);
	CHECK(connect(y, (void *)&a, an) == 0);
	CHECK(connect(x, (void *)&b, bn) == 0);
	CHECK_ERRNO(sendto(z, "no", 2, 0, (void *)&a, an), EPERM);
	CHECK_ERRNO(connect(z, (void *)&a, an), EPERM);
	CHECK(send(y, "", 0, 0) == 0);
	CHECK(recv(x, buf, 32, 0) == 0);
	CHECK_ERRNO(listen(x, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(x, NULL, NULL), EOPNOTSUPP);
	close(x);
	CHECK_ERRNO(send(y, "x", 1, 0), ECONNREFUSED);
	CHECK_ERRNO(send(y, "x", 1, 0), ENOTCONN);
	CHECK_ERRNO(sendto(y, "x", 1, 0, (void *)&a, an), ECONNREFUSED);
	close(y);
	close(z);
	{
		int p[2];
		static char big[300000];

		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
		CHECK_ERRNO(send(p[0], big, sizeof(big), 0), EMSGSIZE);
		CHECK(send(p[0], big, 100000, 0) == 100000);
		for (i = 0; i < 5000 && send(p[0], "x", 1, 0) == 1; i++)
			;
		CHECK(i < 5000 && errno == EAGAIN);
		CHECK(recv(p[1], big, sizeof(big), 0) == 100000);
		CHECK(send(p[0], "x", 1, 0) == 1);
		close(p[0]);
		close(p[1]);
	}
}

static void many(void)
{
	struct mmsghdr v[3];
	struct iovec iov[3];
	char b[3][8];
	int p[2], i;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
	memset(v, 0, sizeof(v));
	for (i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ (char *)"123456" + i, 6 - i };
		v[i].msg_hdr.msg_iov = &iov[i];
		v[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK(sendmmsg(p[0], v, 3, 0) == 3 && v[2].msg_len == 4);
	for (i = 0; i < 3; i++)
		iov[i] = (struct iovec){ b[i], 8 };
	CHECK(recvmmsg(p[1], v, 2, 0, NULL) == 2);
	CHECK(v[0].msg_len == 6 && v[1].msg_len == 5);
	CHECK(recvmmsg(p[1], v, 3, MSG_WAITFORONE, NULL) == 1);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	rights();
	cycle();
	credentials();
	datagrams();
	many();
	return check_done();
}
