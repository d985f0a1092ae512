/*
 * outside.c - a server with three connections from the outside: one idle, one
 * being read by a thread, one watched by epoll; afterwards it tells what
 * became of each, and serves a new one.
 * usage: outside PORT
 */
#include "save.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int l, idle, being_read, watched, ep, port;
static char got[16];
static struct epoll_event event;
WAITER(reader, recv(being_read, got, 16, 0))
WAITER(watcher, epoll_wait(ep, &event, 1, -1))

static void server_setup(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN };

	a.sin_port = htons(port);
	l = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!bind(l, (void *)&a, sizeof(a)) && !listen(l, 8));
	SHOW("LISTENS");
	CHECK((idle = accept(l, NULL, NULL)) >= 0);
	CHECK((being_read = accept(l, NULL, NULL)) >= 0);
	CHECK((watched = accept(l, NULL, NULL)) >= 0);
	ep = epoll_create1(0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, watched, &e));
	START(reader);
	START(watcher);
}

static void show(const char *what, long n)
{
	SHOW("%s %ld %s", what, n, n < 0 ? strerrorname_np(errno) : "");
}

static void server_verify(void)
{
	char b[64] = "";
	struct pollfd f = { idle, POLLIN | POLLOUT, 0 };
	int fd;

	show("reader", END(reader));
	show("watcher", END(watcher));
	SHOW("events %#x", event.events);
	show("poll", poll(&f, 1, 0));
	SHOW("revents %#x", f.revents);
	show("idle", recv(idle, b, 64, 0));
	show("idle again", recv(idle, b, 64, MSG_DONTWAIT));
	show("write", send(idle, "x", 1, MSG_NOSIGNAL));
	SHOW("NEXT");
	fd = accept(l, NULL, NULL);
	show("accept", fd >= 0);
	show("recv", recv(fd, b, 64, 0));
	SHOW("said %s", b);
	show("send", send(fd, "welcome", 7, 0));
	close(fd);
}

static const struct save_case cases[] = { CASE(server) };
int main(int argc, char **argv)
{
	port = atoi(argv[1]);
	return save_main(cases, 1, 1, argv);
}
