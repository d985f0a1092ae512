/*
 * client.c - messages of the control protocol (include/bailey/sandbox.h), as
 * commands and the monitor send and receive them.
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int control_send(int fd, const struct control_msg *m, const void *payload,
		 const int *fds, unsigned fd_count)
{
	struct control_msg head = *m;
	struct iovec iov[2] = { { &head, sizeof(head) },
				{ (void *)(uintptr_t)payload, m->size } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = m->size ? 2 : 1 };
	ssize_t n;

	if (fd_count > 3) {
		errno = EINVAL;
		return -1;
	}
	if (fd_count) {
		memset(&control, 0, sizeof(control));
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds,
		       fd_count * sizeof(int));
	}
	do
		n = sendmsg(fd, &h, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static void take_handle(struct msghdr *h, int *handle)
{
	struct cmsghdr *x = CMSG_FIRSTHDR(h);

	if (x && x->cmsg_level == SOL_SOCKET && x->cmsg_type == SCM_RIGHTS &&
	    x->cmsg_len == CMSG_LEN(sizeof(*handle)))
		memcpy(handle, CMSG_DATA(x), sizeof(*handle));
}

int control_recv(int fd, struct control_msg *m, void *payload, size_t size)
{
	int handle, r = control_recv_handle(fd, m, payload, size, &handle);

	if (handle >= 0)
		close(handle);
	return r;
}

int control_recv_handle(int fd, struct control_msg *m, void *payload,
			size_t size, int *handle)
{
	struct iovec iov[2] = { { m, sizeof(*m) }, { payload, size - 1 } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);

	*handle = -1;
	if (n >= 0)
		take_handle(&h, handle);

	if (n < 0)
		return errno == ECONNRESET ? 0 : -1;
	if (n == 0)
		return 0;
	if (n < (ssize_t)sizeof(*m)) {
		errno = EPROTO;
		return -1;
	}
	/* A longer payload than the caller wants is cut. */
	m->size = (uint32_t)((size_t)n - sizeof(*m));
	((char *)payload)[m->size] = '\0';
	return 1;
}

int sandbox_connect(const char *state_dir)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, saved;

	if (dir < 0)
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control",
		 dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	saved = errno;
	close(dir);
	errno = saved;
	return fd;
}
