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

void udp_host_close(struct socket *s)
{
	if (s->handle == HOST_NO_HANDLE)
		return;
	s->handle = HOST_NO_HANDLE;
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
	n = host_stream_write(s->handle, iov, 2, HOST_NO_OFFSET);
	/* A full host queue drops, as any network may. */
	return n < 0 && n != -EAGAIN ? n : (ssize_t)m->size;
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
	n = host_stream_read(s->handle, iov, 2, HOST_NO_OFFSET);
	if (n < (int64_t)sizeof(a)) {
		message_free(m);
		return -EAGAIN;
	}
	n -= (int64_t)sizeof(a);
	small = message_alloc((u32)n);
	if (small) {
		memcpy(small->data, m->data, (size_t)n);
		inet_from_host(&a, &small->from);
		small->to = s->in.local;
		*out = small;
	}
	message_free(m);
	return small ? 0 : -ENOMEM;
}
