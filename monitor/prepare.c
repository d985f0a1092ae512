/*
 * prepare.c - opens everything that a sandbox will need while the command
 * still runs with the user's rights: host trees, ports, the files of the
 * state directory, the program's first handles.
 *
 * After this the monitor needs no path on the host any more.
 */
#include "mon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- trees ------------------------------------------------------------- */
static int tree_error(const struct sandbox_mount *s, struct err *e)
{
	return err_set(e, 125, "%s %s: %s",
		       s->kind == BOOT_MOUNT_VOLUME ? "volume" : "tree",
		       s->host ? s->host : "(none)", strerror(errno));
}

/* A single file is its directory and its name in it: a handle that may only
 * be looked at (O_PATH) of a file could not be opened later. */
static int tree_open_file(struct mon_tree *t, const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash == path ? 1 : (size_t)(slash - path);

	if (strlen(slash + 1) >= sizeof(t->name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(t->name, slash + 1);
	memcpy(dir, path, n);
	dir[n] = '\0';
	t->host = strdup(dir);
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int tree_open(struct mon_tree *t, const struct sandbox_mount *s,
		     struct err *e)
{
	char path[PATH_MAX];
	struct stat st;

	if (!s->host || !realpath(s->host, path) || stat(path, &st))
		return tree_error(s, e);
	t->is_volume = s->kind == BOOT_MOUNT_VOLUME;
	t->read_only = !t->is_volume || (s->flags & BOOT_MOUNT_RO);
	t->whole = t->is_volume || (s->flags & SANDBOX_MOUNT_WHOLE);
	t->dev = st.st_dev;
	if (S_ISDIR(st.st_mode)) {
		t->host = strdup(path);
		t->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else if (S_ISREG(st.st_mode)) {
		t->fd = tree_open_file(t, path);
	} else {
		return err_set(e, 125, "%s is neither a directory nor a "
			       "regular file", s->host);
	}
	return t->fd < 0 ? tree_error(s, e) : 0;
}

int prepare_trees(struct monitor *m, struct err *e)
{
	const struct sandbox_config *c = m->config;
	size_t i;

	for (i = 0; i < c->mount_count; i++) {
		const struct sandbox_mount *s = &c->mounts[i];

		if (s->kind != BOOT_MOUNT_LAYER &&
		    s->kind != BOOT_MOUNT_VOLUME)
			continue;
		if (m->tree_count == MON_TREES)
			return err_set(e, 125, "more than %d volumes",
				       MON_TREES);
		if (tree_open(&m->trees[m->tree_count], s, e))
			return -1;
		m->tree_count++;
	}
	return 0;
}

/* ---- ports ------------------------------------------------------------- */
union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t port_address(const struct sandbox_port *p, union address *a)
{
	const char *ip = p->host_ip ? p->host_ip : "0.0.0.0";

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(p->host_port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, ip, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(p->host_port);
		return sizeof(a->v6);
	}
	return 0;
}

static int port_error(const struct sandbox_port *p, struct err *e)
{
	const char *proto = p->proto == SANDBOX_UDP ? "udp" : "tcp";
	const char *ip = p->host_ip ? p->host_ip : "0.0.0.0";

	if (errno == EADDRINUSE)
		return err_set(e, 125, "port %s:%u/%s is already in use", ip,
			       p->host_port, proto);
	if (errno == EACCES)
		return err_set(e, 125, "port %s:%u/%s needs privileges; "
			       "choose one from 1024 up, or lower "
			       "net.ipv4.ip_unprivileged_port_start", ip,
			       p->host_port, proto);
	return err_set(e, 125, "cannot bind port %s:%u/%s: %s", ip,
		       p->host_port, proto, strerror(errno));
}

/* A TCP port is claimed now, but refuses connections until the guest
 * listens.  Without SO_REUSEADDR nobody else can bind it; with it, one that
 * only has connections in TIME_WAIT can be had.  Once it listens it is
 * exclusive anyway: open_listen() sets the option then, for the next one's
 * sake. */
static int port_bind(const struct sandbox_port *p, int fd,
		     const union address *a, socklen_t size)
{
	int one = 1;

	if (a->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (!bind(fd, &a->any, size))
		return 0;
	if (errno != EADDRINUSE || p->proto == SANDBOX_UDP)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, &a->any, size);
}

static int port_open(struct mon_port *d, struct sandbox_port *p,
		     struct err *e)
{
	union address a;
	socklen_t size = port_address(p, &a);
	int type = p->proto == SANDBOX_UDP ? SOCK_DGRAM : SOCK_STREAM;

	if (!size)
		return err_set(e, 125, "%s is not an internet address",
			       p->host_ip);
	d->proto = p->proto == SANDBOX_UDP ? 17 : 6;
	d->guest_port = p->guest_port;
	d->fd = socket(a.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0);
	if (d->fd < 0 || port_bind(p, d->fd, &a, size))
		return port_error(p, e);
	if (!p->host_port && !getsockname(d->fd, &a.any, &size))
		p->host_port = ntohs(a.any.sa_family == AF_INET ?
				     a.v4.sin_port : a.v6.sin6_port);
	return 0;
}

int prepare_ports(struct monitor *m, struct err *e)
{
	const struct sandbox_config *c = m->config;
	size_t i;

	for (i = 0; i < c->port_count; i++) {
		if (m->port_count == MON_PORTS)
			return err_set(e, 125, "more than %d ports",
				       MON_PORTS);
		if (port_open(&m->ports[m->port_count++], &c->ports[i], e))
			return -1;
	}
	return 0;
}

/* ---- the state directory ------------------------------------------------ */
static int control_listen(int dir)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
			SOCK_NONBLOCK, 0);

	/* Through the handle: the path itself may be too long. */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control",
		 dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 16))
		return -1;
	return fd;
}

int prepare_state(struct monitor *m, struct err *e)
{
	const char *path = m->config->state_dir;
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
	/* With a command in attendance both are its output. */
	bool has_log = m->detach || m->config->fds[1] < 0 ||
		       m->config->fds[2] < 0;
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0) {
		if (has_log) {
			m->log = openat(dir, "log", flags, 0600);
			m->messages = openat(dir, "messages", flags, 0600);
		}
		m->denied = openat(dir, "denied", flags, 0600);
		m->exit_file = openat(dir, "exit", flags | O_TRUNC, 0600);
		unlinkat(dir, "control", 0);
		m->listener = control_listen(dir);
	}
	if (dir < 0 || m->denied < 0 || m->exit_file < 0 || m->listener < 0 ||
	    (has_log && (m->log < 0 || m->messages < 0)))
		err_set(e, 125, "cannot write to %s: %s", path,
			strerror(errno));
	else
		e->status = 0;
	monitor_close(dir);
	return e->status ? -1 : 0;
}

/* ---- the program's handles ----------------------------------------------- */
static int stdio_detached_console(struct monitor *m)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair))
		return -1;
	m->console = pair[0];
	m->stdio[0] = pair[1];
	return 0;
}

static int stdio_open(struct monitor *m)
{
	const struct sandbox_config *c = m->config;
	int i;

	if (c->tty && c->fds[0] < 0)
		return stdio_detached_console(m);
	for (i = 0; i < (c->tty ? 1 : 3); i++) {
		if (c->fds[i] >= 0)
			m->stdio[i] = fcntl(c->fds[i], F_DUPFD_CLOEXEC, 3);
		else if (i == 0)
			m->stdio[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		else
			m->stdio[i] = fcntl(m->log, F_DUPFD_CLOEXEC, 3);
		if (m->stdio[i] < 0)
			return -1;
	}
	return 0;
}

/* Also decides the numbers under which the picoprocess has them. */
int prepare_stdio(struct monitor *m, struct err *e)
{
	host_handle next = BLY_FD_FIRST;
	int i;

	if (stdio_open(m))
		return err_set(e, 125, "standard streams: %s",
			       strerror(errno));
	for (i = 0; i < 3; i++)
		m->stdio_handle[i] = m->stdio[i] >= 0 ? next++ :
				     HOST_NO_HANDLE;
	m->trace_handle = m->pages_handle = HOST_NO_HANDLE;
	if (m->config->resume_pages >= 0)
		m->pages_handle = next + (m->config->trace_fd >= 0);
	if (m->config->trace_fd < 0)
		return 0;
	m->trace = fcntl(m->config->trace_fd, F_DUPFD_CLOEXEC, 3);
	if (m->trace < 0)
		return err_set(e, 125, "trace stream: %s", strerror(errno));
	m->trace_handle = next;
	return 0;
}
