/*
 * stream.c - the host ABI's data path: reads, writes, accepts and waits go
 * straight to the host, past the monitor.
 */
#include "raw.h"

#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000
#define AF_INET 2
#define AF_INET6 10

int64_t host_stream_read(host_handle h, const struct host_iovec *iov,
			 unsigned count, uint64_t offset)
{
	if (offset == HOST_AT_ONCE)
		return raw_preadv2(h, iov, count, HOST_NO_OFFSET,
				  HOST_NO_OFFSET, 0);
	if (offset != HOST_NO_OFFSET)
		return raw_preadv2(h, iov, count, offset, 0, 0);
	return raw_preadv2_wait(h, iov, count, offset, offset, 0);
}

int64_t host_stream_write(host_handle h, const struct host_iovec *iov,
			  unsigned count, uint64_t offset)
{
	if (offset == HOST_AT_ONCE)
		return raw_pwritev2(h, iov, count, HOST_NO_OFFSET,
				  HOST_NO_OFFSET, 0);
	if (offset != HOST_NO_OFFSET)
		return raw_pwritev2(h, iov, count, offset, 0, 0);
	return raw_pwritev2_wait(h, iov, count, offset, offset, 0);
}

static void copy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

host_handle host_stream_accept(host_handle h, struct host_addr *peer)
{
	uint8_t sa[32]; /* struct sockaddr_in or _in6 */
	uint32_t size = sizeof(sa);
	int64_t r = raw_accept4(h, sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uint16_t family;

	if (r < 0)
		return (host_handle)r;
	*peer = (struct host_addr){ 0 };
	copy(&family, sa, 2);
	copy(&peer->port, sa + 2, 2);
	if (family == AF_INET) {
		peer->family = 4;
		copy(peer->ip, sa + 4, 4);
	} else if (family == AF_INET6) {
		peer->family = 6;
		copy(peer->ip, sa + 8, 16);
		copy(&peer->scope, sa + 24, 4);
	}
	return (host_handle)r;
}

int host_stream_close(host_handle h)
{
	return (int)raw_close(h);
}

/* Time left until the deadline; never negative. */
static uint64_t left_ns(uint64_t deadline_ns)
{
	uint64_t now;

	if (deadline_ns == 0)
		return 0;
	host_clock_read(HOST_CLOCK_MONOTONIC, 0, &now);
	return deadline_ns > now ? deadline_ns - now : 0;
}

int host_poll(struct host_pollfd *fds, unsigned count, uint64_t deadline_ns)
{
	struct raw_timespec ts;

	if (deadline_ns == HOST_FOREVER)
		return (int)raw_ppoll(fds, count, NULL, NULL, 0);
	uint64_t left = left_ns(deadline_ns);

	if (deadline_ns == 0) {
		ts = (struct raw_timespec){ 0, 0 };
		return (int)raw_ppoll_now(fds, count, &ts, NULL, 0);
	}
	ts.sec = (int64_t)(left / 1000000000u);
	ts.nsec = (int64_t)(left % 1000000000u);
	return (int)raw_ppoll(fds, count, &ts, NULL, 0);
}

int host_pollset_ctl(host_handle set, int op, host_handle h, uint32_t events,
		     uint64_t cookie)
{
	struct host_poll_event ev = { events, cookie };

	return (int)raw_epoll_ctl(set, op, h, &ev);
}

int host_pollset_wait(host_handle set, struct host_poll_event *ev,
		      unsigned count, uint64_t deadline_ns)
{
	int timeout_ms = -1;

	if (deadline_ns == 0)
		return (int)raw_epoll_poll(set, ev, (int)count, 0, NULL, 0);
	if (deadline_ns != HOST_FOREVER) {
		uint64_t ms = (left_ns(deadline_ns) + 999999) / 1000000;

		timeout_ms = ms > INT32_MAX ? INT32_MAX : (int)ms;
	}
	return (int)raw_epoll_pwait(set, ev, (int)count, timeout_ms, NULL, 0);
}
