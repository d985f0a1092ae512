/*
 * handover.c - what the command prepared, handed to its monitor.
 *
 * The monitor is born before the command's own work and isolates itself
 * meanwhile (start.c), so what was opened since reaches it through their
 * socket: one message with the prepared part of struct monitor and all its
 * handles in the order of monitor_fields(), and, where the monitor is the one
 * to mount the trees, one more with each tree's path.  If the command ends
 * first the socket says so, and the monitor goes too.
 *
 * Both sides are the same program and trust each other.
 */
#include "mon.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

unsigned monitor_fields(struct monitor *m, int **out, bool far)
{
	/* The heap's object stays, to be handed to a command that saves. */
	int *const near[] = { &m->request, &m->events, &m->command,
			      &m->listener, &m->log, &m->messages, &m->denied,
			      &m->exit_file, &m->console, &m->signals,
			      &m->cgroup_events, &m->heap };
	int *const others[] = { &m->request_far, &m->events_far, &m->pages,
				&m->stdio[0], &m->stdio[1], &m->stdio[2],
				&m->trace, &m->image.fd, &m->cgroup };
	unsigned i, n = 0;

	for (i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		if (*near[i] >= 0)
			out[n++] = near[i];
	for (i = 0; far && i < sizeof(others) / sizeof(others[0]); i++)
		if (*others[i] >= 0)
			out[n++] = others[i];
	for (i = 0; i < m->tree_count; i++)
		out[n++] = &m->trees[i].fd;
	for (i = 0; i < m->port_count; i++)
		out[n++] = &m->ports[i].fd;
	return n;
}

/* Those that the monitor does not have already. */
static unsigned fields_handed(struct monitor *m, int **out)
{
	unsigned i, k = 0, n = monitor_fields(m, out, true);

	for (i = 0; i < n; i++)
		if (out[i] != &m->command && out[i] != &m->signals)
			out[k++] = out[i];
	return k;
}

/* The prepared part, the trees last: only those that there are. */
#define PARTS 3
static void parts(struct monitor *m, unsigned trees, struct iovec v[PARTS])
{
	v[0].iov_base = m;
	v[0].iov_len = offsetof(struct monitor, trees);
	v[1].iov_base = &m->tree_count;
	v[1].iov_len = offsetof(struct monitor, signals) -
		       offsetof(struct monitor, tree_count);
	v[2].iov_base = m->trees;
	v[2].iov_len = trees * sizeof(m->trees[0]);
}

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(MON_HANDLES * sizeof(int))];
};

static int send_all(struct monitor *m, int to)
{
	int *fields[MON_HANDLES];
	unsigned i, n = fields_handed(m, fields);
	union control c;
	struct iovec v[PARTS];
	struct msghdr h = { .msg_iov = v, .msg_iovlen = PARTS,
			    .msg_control = &c,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	parts(m, m->tree_count, v);
	memset(&c.header, 0, sizeof(c.header));
	c.header.cmsg_level = SOL_SOCKET;
	c.header.cmsg_type = SCM_RIGHTS;
	c.header.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(&c.header) + i * sizeof(int), fields[i],
		       sizeof(int));
	return sendmsg(to, &h, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int handover_send(struct monitor *m, int to, struct err *e)
{
	unsigned i;
	int r = send_all(m, to);

	for (i = 0; !r && !m->was_root && i < m->tree_count; i++)
		if (send(to, m->trees[i].host, strlen(m->trees[i].host) + 1,
			 MSG_NOSIGNAL) < 0)
			r = -1;
	/* A monitor that has failed has said why. */
	if (r && errno != EPIPE && errno != ECONNRESET)
		return err_set(e, 125, "cannot hand the sandbox to its "
			       "monitor: %s", strerror(errno));
	return 0;
}

static int receive_all(struct monitor *m, union control *c)
{
	struct iovec v[PARTS];
	struct msghdr h = { .msg_iov = v, .msg_iovlen = PARTS,
			    .msg_control = c, .msg_controllen = sizeof(*c) };
	ssize_t n;

	parts(m, MON_TREES, v);
	do
		n = recvmsg(m->command, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	return n <= 0 || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? -1 : 0;
}

int handover_receive(struct monitor *m)
{
	static char path[PATH_MAX];
	int *fields[MON_HANDLES];
	union control c;
	unsigned i, n;

	if (receive_all(m, &c))
		return -1;
	n = fields_handed(m, fields);
	if (c.header.cmsg_len != CMSG_LEN(n * sizeof(int)))
		return -1;
	for (i = 0; i < n; i++)
		memcpy(fields[i], CMSG_DATA(&c.header) + i * sizeof(int),
		       sizeof(int));
	for (i = 0; !m->was_root && i < m->tree_count; i++) {
		if (recv(m->command, path, sizeof(path), 0) <= 0)
			return -1;
		m->trees[i].host = strdup(path);
	}
	return 0;
}
