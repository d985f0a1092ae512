/*
 * req_net.c - requests that open streams other than files: published ports,
 * connections (only with the host's network), poll sets, event counters; and
 * the relay of published UDP ports.
 *
 * A published TCP port's socket itself is handed in: it is bound, and there
 * is nothing the sandbox could do to it but accept.  A UDP socket would let
 * the sandbox send anywhere, so the monitor keeps it and passes datagrams
 * through a socket pair; it answers only to addresses it heard from.
 */
#include "mon.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536u
#define PEERS_MAX 1024u

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void address_to_guest(const union address *a, struct host_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (a->any.sa_family == AF_INET) {
		out->family = 4;
		out->port = a->v4.sin_port;
		memcpy(out->ip, &a->v4.sin_addr, 4);
	} else if (a->any.sa_family == AF_INET6) {
		out->family = 6;
		out->port = a->v6.sin6_port;
		out->scope = a->v6.sin6_scope_id;
		memcpy(out->ip, &a->v6.sin6_addr, 16);
	}
}

/* 0 when the family is unknown. */
static socklen_t address_from_guest(const struct host_addr *h,
				    union address *a)
{
	memset(a, 0, sizeof(*a));
	if (h->family == 4) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = h->port;
		memcpy(&a->v4.sin_addr, h->ip, 4);
		return sizeof(a->v4);
	}
	if (h->family == 6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = h->port;
		a->v6.sin6_scope_id = h->scope;
		memcpy(&a->v6.sin6_addr, h->ip, 16);
		return sizeof(a->v6);
	}
	return 0;
}

static int port_find(struct mon_call *c, uint32_t index, int proto)
{
	if (index >= c->m->port_count ||
	    c->m->ports[index].proto != proto)
		return denied(c, "port", "", HOST_EACCES);
	return 0;
}

int open_listen(struct mon_call *c, const struct mon_open *q)
{
	struct mon_port *p;
	int one = 1, r = port_find(c, q->tree, 6);

	if (r)
		return r;
	p = &c->m->ports[q->tree];
	/* Again if it listened before: a shutdown of the handle ended that. */
	setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (listen(p->fd, SOMAXCONN))
		return -errno;
	c->reply_handle = p->fd;
	c->keep_handle = true;
	return 0;
}

/* Starts the connection and does not wait: the handle becomes writable when
 * it is there, or fails its first read or write.  mode: 6 or 0 for TCP, 17
 * for UDP. */
int open_connect(struct mon_call *c, const struct mon_open *q)
{
	union address a;
	socklen_t size = address_from_guest(&q->addr, &a);
	int one = 1, fd;

	if (!c->m->network_host)
		return denied(c, "connect", "", HOST_ENETUNREACH);
	if (!size || (q->mode != 0 && q->mode != 6 && q->mode != 17))
		return -HOST_EINVAL;
	fd = socket(a.any.sa_family, (q->mode == 17 ? SOCK_DGRAM :
		    SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (q->mode != 17)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &a.any, size) && errno != EINPROGRESS) {
		int saved = errno;

		close(fd);
		return -saved;
	}
	c->reply_handle = fd;
	return 0;
}

int open_pollset(struct mon_call *c)
{
	c->reply_handle = epoll_create1(EPOLL_CLOEXEC);
	return c->reply_handle < 0 ? -errno : 0;
}

int open_event(struct mon_call *c)
{
	c->reply_handle = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c->reply_handle < 0 ? -errno : 0;
}

/* ---- UDP ------------------------------------------------------------------- */
/* Whom a port has heard from; the oldest is forgotten. */
static struct {
	struct host_addr addr;
	uint32_t relay;
} peers[PEERS_MAX];
static unsigned peer_next;

static bool peer_is_known(uint32_t relay, const struct host_addr *a)
{
	unsigned i;

	for (i = 0; i < PEERS_MAX; i++)
		if (peers[i].addr.family && peers[i].relay == relay &&
		    !memcmp(&peers[i].addr, a, sizeof(*a)))
			return true;
	return false;
}

static void peer_remember(uint32_t relay, const struct host_addr *a)
{
	if (peer_is_known(relay, a))
		return;
	peers[peer_next].addr = *a;
	peers[peer_next].relay = relay;
	peer_next = (peer_next + 1) % PEERS_MAX;
}

int open_datagram(struct mon_call *c, const struct mon_open *q)
{
	struct monitor *m = c->m;
	int pair[2], r = port_find(c, q->tree, 17);

	if (r)
		return r;
	if (m->ports[q->tree].is_listening)
		return -HOST_EADDRINUSE;
	if (m->relay_count == MON_RELAYS)
		return -HOST_ENFILE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, pair))
		return -errno;
	m->ports[q->tree].is_listening = true;
	m->relays[m->relay_count].host = m->ports[q->tree].fd;
	m->relays[m->relay_count].guest = pair[0];
	m->relays[m->relay_count].port = q->tree;
	m->relay_count++;
	c->reply_handle = pair[1];
	return 0;
}

static struct {
	struct host_addr head;
	uint8_t data[DATAGRAM_MAX];
} datagram;

static bool relay_in(struct mon_relay *r)
{
	union address a;
	socklen_t size = sizeof(a);
	ssize_t n = recvfrom(r->host, datagram.data, sizeof(datagram.data),
			     MSG_DONTWAIT, &a.any, &size);

	if (n < 0)
		return errno == ECONNREFUSED;
	address_to_guest(&a, &datagram.head);
	peer_remember(r->port, &datagram.head);
	/* A full queue drops it, as a network does. */
	send(r->guest, &datagram, sizeof(datagram.head) + (size_t)n,
	     MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

static bool relay_out(struct monitor *m, struct mon_relay *r)
{
	union address a;
	socklen_t size;
	ssize_t n = recv(r->guest, &datagram, sizeof(datagram), MSG_DONTWAIT);

	if (n == 0) { /* the guest closed it; it may open it again */
		m->ports[r->port].is_listening = false;
		close(r->guest);
		r->guest = -1;
		return false;
	}
	if (n < 0)
		return false;
	if (n < (ssize_t)sizeof(datagram.head))
		return true;
	size = address_from_guest(&datagram.head, &a);
	if (size && peer_is_known(r->port, &datagram.head))
		sendto(r->host, datagram.data,
		       (size_t)n - sizeof(datagram.head),
		       MSG_DONTWAIT | MSG_NOSIGNAL, &a.any, size);
	return true;
}

void relay_run(struct monitor *m, struct mon_relay *r, bool from_host)
{
	int i;

	if (r->guest < 0)
		return;
	for (i = 0; i < 32; i++)
		if (!(from_host ? relay_in(r) : relay_out(m, r)))
			break;
}
