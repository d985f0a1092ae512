/* unix.c - saved: Unix sockets with contents and descriptors in flight. */
#include "save.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static int send_fd(int to, int fd, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(to, &m, 0);
}

static int receive_fd(int from, char *text, int size)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { text, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(from, &m, 0) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static socklen_t name_of(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (name[0] == '@')
		return 3 + snprintf(a->sun_path + 1, 80, "%s-%d", name + 1,
				    getpid());
	snprintf(a->sun_path, sizeof(a->sun_path), "%s", name);
	return sizeof(*a);
}

/* ---- contents of the three kinds */
static int st[2], dg[2], sq[2];

static void contents_setup(void)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, st));
	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, dg));
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sq));
	CHECK(send(st[0], "to 1", 4, 0) == 4 && send(st[1], "to 0", 4, 0) == 4);
	CHECK(send(dg[0], "one", 3, 0) == 3 && send(dg[0], "", 0, 0) == 0);
	CHECK(send(dg[0], "three", 5, 0) == 5);
	CHECK(send(sq[1], "packet", 6, 0) == 6 && send(sq[1], "p", 1, 0) == 1);
	CHECK(!shutdown(st[0], SHUT_WR));
}
static void contents_verify(void)
{
	char b[16];

	CHECK(recv(st[1], b, 16, 0) == 4 && !memcmp(b, "to 1", 4));
	CHECK(recv(st[1], b, 16, 0) == 0);
	CHECK(recv(st[0], b, 16, 0) == 4 && !memcmp(b, "to 0", 4));
	CHECK(recv(dg[1], b, 16, 0) == 3 && recv(dg[1], b, 16, 0) == 0);
	CHECK(recv(dg[1], b, 3, MSG_TRUNC) == 5 && !memcmp(b, "thr", 3));
	CHECK(recv(sq[0], b, 16, 0) == 6 && recv(sq[0], b, 16, 0) == 1);
	CHECK_ERRNO(recv(sq[0], b, 16, 0), EAGAIN);
	CHECK(send(st[1], "more", 4, 0) == 4 && recv(st[0], b, 16, 0) == 4);
	CHECK(send(sq[0], "back", 4, 0) == 4 && recv(sq[1], b, 16, 0) == 4);
}

/* ---- descriptors in flight, the only references to what they name */
static int carrier[2], kept_read;

static void rights_setup(void)
{
	int p[2], s[2], m = memfd_create("flight", 0), f;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, carrier));
	CHECK(!pipe(p) && write(p[1], "in flight", 9) == 9);
	CHECK(send_fd(carrier[0], p[0], "a") == 1);
	CHECK(send_fd(carrier[0], p[1], "b") == 1);
	close(p[0]);
	close(p[1]);
	CHECK(write(m, "memory", 6) == 6 && send_fd(carrier[0], m, "c") == 1);
	close(m);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(send_fd(s[0], carrier[0], "self") == 4);
	CHECK(send(s[0], "tail", 4, 0) == 4);
	CHECK(send_fd(carrier[0], s[1], "d") == 1);
	close(s[0]);
	close(s[1]);
	f = open("flying", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(write(f, "0123456789", 10) == 10 && lseek(f, 4, SEEK_SET) == 4);
	CHECK(send_fd(carrier[0], f, "e") == 1 && !unlink("flying"));
	close(f);
	CHECK(!pipe(p));
	kept_read = p[0];
	CHECK(send_fd(carrier[0], p[1], "f") == 1);
	close(p[1]);
}
static void rights_verify(void)
{
	struct pollfd pf = { kept_read, POLLIN, 0 };
	char b[16];
	int r = receive_fd(carrier[1], b, 1), w, m, s, f, c;

	w = receive_fd(carrier[1], b, 1);
	CHECK(r >= 0 && read(r, b, 16) == 9 && !memcmp(b, "in flight", 9));
	CHECK(w >= 0 && write(w, "x", 1) == 1 && read(r, b, 16) == 1);
	m = receive_fd(carrier[1], b, 1);
	CHECK(pread(m, b, 16, 0) == 6 && !memcmp(b, "memory", 6));
	CHECK(lseek(m, 0, SEEK_CUR) == 6);
	s = receive_fd(carrier[1], b, 1);
	c = receive_fd(s, b, 4);
	CHECK(c >= 0 && !memcmp(b, "self", 4));
	CHECK(recv(s, b, 16, 0) == 4 && !memcmp(b, "tail", 4));
	f = receive_fd(carrier[1], b, 1);
	CHECK(read(f, b, 16) == 6 && !memcmp(b, "456789", 6));
	CHECK(!poll(&pf, 1, 0)); /* held by the message alone */
	w = receive_fd(carrier[1], b, 1);
	close(w);
	CHECK(poll(&pf, 1, 1000) == 1 && pf.revents == POLLHUP);
	CHECK(send(c, "via copy", 8, 0) == 8);
	CHECK(recv(carrier[1], b, 16, 0) == 8);
}

/* ---- names, and connections that nobody has accepted yet */
static struct sockaddr_un file_name, abstract_name;
static socklen_t file_len, abstract_len;
static int file_l, abstract_l, pending;

static void listen_setup(void)
{
	file_l = socket(AF_UNIX, SOCK_STREAM, 0);
	abstract_l = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	file_len = name_of(&file_name, "socket");
	abstract_len = name_of(&abstract_name, "@saved");
	CHECK(!bind(file_l, (void *)&file_name, file_len));
	CHECK(!bind(abstract_l, (void *)&abstract_name, abstract_len));
	CHECK(!listen(file_l, 4) && !listen(abstract_l, 4));
	pending = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!connect(pending, (void *)&file_name, file_len));
	CHECK(send(pending, "early", 5, 0) == 5);
}
static void listen_verify(void)
{
	struct ucred u;
	socklen_t n = sizeof(u);
	char b[8];
	int a = accept(file_l, NULL, NULL), c;

	CHECK(a >= 0 && recv(a, b, 8, 0) == 5 && !memcmp(b, "early", 5));
	CHECK(!getsockopt(a, SOL_SOCKET, SO_PEERCRED, &u, &n) &&
	      u.pid == getpid());
	CHECK(send(a, "late", 4, 0) == 4 && recv(pending, b, 8, 0) == 4);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK(!connect(c, (void *)&abstract_name, abstract_len));
	a = accept(abstract_l, NULL, NULL);
	CHECK(send(c, "hi", 2, 0) == 2 && recv(a, b, 8, 0) == 2);
	close(c);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!connect(c, (void *)&file_name, file_len));
	CHECK_ERRNO(bind(socket(AF_UNIX, SOCK_SEQPACKET, 0),
			 (void *)&abstract_name, abstract_len), EADDRINUSE);
	unlink("socket");
}

/* ---- waits: accept, receive, send when full, connect when full */
static struct sockaddr_un wait_name, full_name;
static socklen_t wait_len, full_len;
static int wait_l, full_l, receive_pair[2], send_pair[2];
static char received[16], block[1 << 20];
WAITER(acceptor, accept(wait_l, NULL, NULL))
WAITER(receiver, recv(receive_pair[0], received, 8, MSG_WAITALL))
WAITER(sender, send(send_pair[0], block, sizeof(block), 0))
static long connects(void)
{
	int c = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(c, (void *)&full_name, full_len) ? -1 : c;
}
WAITER(connector, connects())

static void waits_setup(void)
{
	wait_l = socket(AF_UNIX, SOCK_STREAM, 0);
	full_l = socket(AF_UNIX, SOCK_STREAM, 0);
	wait_len = name_of(&wait_name, "@wait");
	full_len = name_of(&full_name, "@full");
	CHECK(!bind(wait_l, (void *)&wait_name, wait_len));
	CHECK(!bind(full_l, (void *)&full_name, full_len));
	CHECK(!listen(wait_l, 1) && !listen(full_l, 0));
	CHECK(connects() >= 0); /* fills the queue */
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, receive_pair));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, send_pair));
	START(acceptor);
	START(connector);
	START(receiver);
	START(sender);
	CHECK(send(receive_pair[1], "half", 4, 0) == 4);
}
static void waits_verify(void)
{
	static char b[4096];
	size_t n = 0;
	ssize_t r;
	int c, a;

	CHECK(WAITS(acceptor) && WAITS(connector));
	CHECK(WAITS(receiver) && WAITS(sender));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!connect(c, (void *)&wait_name, wait_len));
	a = END(acceptor);
	CHECK(a >= 0 && send(c, "x", 1, 0) == 1 && recv(a, b, 8, 0) == 1);
	CHECK(accept(full_l, NULL, NULL) >= 0);
	CHECK(END(connector) >= 0);
	CHECK(send(receive_pair[1], "rest", 4, 0) == 4);
	CHECK(END(receiver) == 8 && !memcmp(received, "halfrest", 8));
	while (n < sizeof(block) && (r = recv(send_pair[1], b, 4096, 0)) > 0)
		n += r;
	CHECK(n == sizeof(block) && END(sender) == sizeof(block));
}

/* ---- options and credentials that come along */
static int opt[2];

static void options_setup(void)
{
	struct timeval t = { 0, 300000 };
	int one = 1;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, opt));
	CHECK(!setsockopt(opt[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CHECK(!setsockopt(opt[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK(send(opt[1], "who", 3, 0) == 3);
}
static void options_verify(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] = { 0 }, b[8];
	struct iovec iov = { b, 8 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred u = { 0 };
	double t = now_ms(CLOCK_MONOTONIC);

	CHECK(recvmsg(opt[0], &m, 0) == 3);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
	if (c)
		memcpy(&u, CMSG_DATA(c), sizeof(u));
	CHECK(u.pid == getpid() && u.uid == getuid());
	CHECK_ERRNO(recv(opt[1], b, 8, 0), EAGAIN);
	CHECK(now_ms(CLOCK_MONOTONIC) - t >= 299);
}

static const struct save_case cases[] = {
	CASE(contents), CASE(rights), CASE(listen), CASE(waits),
	CASE(options),
};
SAVE_MAIN(cases)
