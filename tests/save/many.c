/* many.c - saved: a thousand open descriptors of all kinds, all in use. */
#include "save.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define EACH 60 /* times 18 descriptors */

struct set {
	int pipe[2], unix_stream[2], unix_dgram[2], tcp[2], udp;
	int event, epoll, timer, mem, file, deleted, dir, host, copy;
};
static struct set sets[EACH];
static int listener;
static struct sockaddr_in where = { .sin_family = AF_INET };
static ino_t inodes[EACH];

static int is_open(const struct set *s)
{
	const int *fd = (const int *)s;
	unsigned i;

	for (i = 0; i < sizeof(*s) / sizeof(int); i++)
		if (fcntl(fd[i], F_GETFD) < 0)
			return 0;
	return 1;
}

static int fill(struct set *s, int i)
{
	struct itimerspec t = { { 0 }, { 1000, 0 } };
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
	uint64_t v = i + 1;
	char name[32];

	snprintf(name, sizeof(name), "many.%d", i);
	s->file = open(name, O_RDWR | O_CREAT, 0600);
	s->deleted = open("many.gone", O_RDWR | O_CREAT, 0600);
	unlink("many.gone");
	s->dir = open(".", O_RDONLY | O_DIRECTORY);
	s->host = open("/usr/bin/env", O_RDONLY);
	s->mem = memfd_create(name, 0);
	s->event = eventfd(0, EFD_NONBLOCK);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	s->epoll = epoll_create1(0);
	s->udp = socket(AF_INET, SOCK_DGRAM, 0);
	s->tcp[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (pipe(s->pipe) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, s->unix_stream) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, s->unix_dgram) ||
	    connect(s->tcp[0], (void *)&where, sizeof(where)))
		return 0;
	s->tcp[1] = accept(listener, NULL, NULL);
	s->copy = dup(s->file);
	timerfd_settime(s->timer, 0, &t, NULL);
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->event, &e);
	return write(s->event, &v, 8) == 8 && write(s->pipe[1], &i, 4) == 4 &&
	       write(s->unix_stream[0], &i, 4) == 4 &&
	       write(s->unix_dgram[1], &i, 4) == 4 &&
	       write(s->tcp[i & 1], &i, 4) == 4 && write(s->mem, &i, 4) == 4 &&
	       write(s->file, &i, 4) == 4 && write(s->deleted, &i, 4) == 4;
}

static int gives(int fd, int i)
{
	int v = -1;

	return read(fd, &v, 4) == 4 && v == i;
}
static int is_right(struct set *s, int i)
{
	struct epoll_event e;
	struct itimerspec t;
	uint64_t v = 0;
	struct stat st;
	char elf[4];
	int n;

	if (epoll_wait(s->epoll, &e, 1, 0) != 1 || e.data.u32 != (uint32_t)i ||
	    read(s->event, &v, 8) != 8 || v != (uint64_t)i + 1)
		return 0;
	if (timerfd_gettime(s->timer, &t) || t.it_value.tv_sec < 900)
		return 0;
	if (lseek(s->copy, 0, SEEK_CUR) != 4 || lseek(s->copy, 0, SEEK_SET) ||
	    lseek(s->deleted, 0, SEEK_SET) || lseek(s->mem, 0, SEEK_SET))
		return 0;
	if (fstat(s->dir, &st) || st.st_ino != inodes[i] ||
	    read(s->host, elf, 4) != 4 || memcmp(elf, "\177ELF", 4))
		return 0;
	if (sendto(s->udp, &i, 4, 0, (void *)&where, sizeof(where)) != 4)
		return 0;
	n = gives(s->pipe[0], i) + gives(s->unix_stream[1], i) +
	    gives(s->unix_dgram[0], i) + gives(s->tcp[!(i & 1)], i) +
	    gives(s->mem, i) + gives(s->file, i) + gives(s->deleted, i);
	return n == 7 && is_open(s);
}

static void thousand_setup(void)
{
	struct rlimit l = { 4096, 4096 };
	socklen_t n = sizeof(where);
	int i, good = 0, same = 0;
	struct stat st;

	setrlimit(RLIMIT_NOFILE, &l);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!bind(listener, (void *)&where, n) && !listen(listener, 9));
	CHECK(!getsockname(listener, (void *)&where, &n));
	for (i = 0; i < EACH; i++) {
		good += fill(&sets[i], i) && is_open(&sets[i]);
		same += !fstat(sets[i].dir, &st);
		inodes[i] = st.st_ino;
	}
	CHECK(good == EACH && same == EACH);
	CHECK(sets[EACH - 1].copy > 1000);
}
static void thousand_verify(void)
{
	int i, good = 0;
	char name[32];

	for (i = 0; i < EACH; i++) {
		good += is_right(&sets[i], i);
		snprintf(name, sizeof(name), "many.%d", i);
		unlink(name);
	}
	CHECK(good == EACH);
}

static const struct save_case cases[] = { CASE(thousand) };
SAVE_MAIN(cases)
