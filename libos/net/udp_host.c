/*
 * udp_host.c - datagrams from and to the outside through a published port.
 * A message of the host's handle is a struct host_addr and the payload.
 */
#include "sock.h"

#define DATAGRAM_MAX 65536u

void udp_host_bind(struct socket *s)
{
	int i = inet_published(IPPROTO_UDP, s->in.local.port);
	host_handle h;

	if (i < 0)
		return;
	h = published_open((u32)i, true);
	if (h < 0) {
		klog("port %u: cannot open its host port: error %d",
		     s->in.local.port, -h);
		return;
	}
	s->handle = h;
	s->in.published = (u32)i + 1;
}

/* With the host's network: a socket of the host that knows one peer. */
int udp_host_connect(struct socket *s, const struct inet_addr *to)
{
	struct host_open o = { .kind = HOST_OPEN_CONNECT,
			       .mode = IPPROTO_UDP };
	host_handle h;

	inet_to_host(to, &o.addr);
	h = host_stream_open(&o);
	if (h < 0)
		return h;
	s->handle = h;
	s->in.is_host_plain = true;
	return 0;
}

void udp_host_close(struct socket *s)
{
	host_handle h = s->handle;

	s->handle = HOST_NO_HANDLE;
	if (h == HOST_NO_HANDLE)
		return;
	if (s->in.is_host_plain) {
		s->in.is_host_plain = false;
		host_stream_close(h);
		return;
	}
	published_close(s->in.published - 1);
	s->in.published = 0;
}

ssize_t udp_host_send(struct socket *s, const struct inet_addr *to,
		      struct message *m)
{
	struct host_addr a;
	struct host_iovec iov[2] = { { &a, sizeof(a) }, { m->data, m->size } };
	int64_t n;

	inet_to_host(to, &a);
	if (s->in.is_host_plain)
		n = host_stream_write(s->handle, iov + 1, 1, HOST_NO_OFFSET);
	else
		n = host_stream_write(s->handle, iov, 2, HOST_NO_OFFSET);
	if (n == -HOST_EINTR)
		return -ERESTARTSYS;
	/* A full host queue drops, as any network may. */
	return n < 0 && n != -EAGAIN ? n : (ssize_t)m->size;
}

/* iov: the address and the payload; returns the payload's size. */
static int64_t read_message(struct socket *s, const struct host_iovec *iov)
{
	int64_t head = (int64_t)iov[0].size, n;

	if (s->in.is_host_plain)
		return host_stream_read(s->handle, iov + 1, 1,
					HOST_NO_OFFSET);
	n = host_stream_read(s->handle, iov, 2, HOST_NO_OFFSET);
	return n < head ? -EAGAIN : n - head;
}

int udp_host_receive(struct socket *s, struct message **out)
{
	struct message *m = message_alloc(DATAGRAM_MAX), *small;
	struct host_addr a;
	struct host_iovec iov[2] = { { &a, sizeof(a) },
				     { NULL, DATAGRAM_MAX } };
	int64_t n;

	if (!m)
		return -ENOMEM;
	iov[1].base = m->data;
	n = read_message(s, iov);
	if (n < 0) {
		message_free(m);
		return n == -ECONNREFUSED ? (int)n : -EAGAIN;
	}
	small = message_alloc((u32)n);
	if (small) {
		memcpy(small->data, m->data, (size_t)n);
		if (s->in.is_host_plain)
			small->from = s->in.remote;
		else
			inet_from_host(&a, &small->from);
		small->to = s->in.local;
		*out = small;
	}
	message_free(m);
	return small ? 0 : -ENOMEM;
}
