/*
 * control.c - control messages: descriptors and credentials that travel with
 * data, and what else recvmsg reports.
 *
 * A struct scm owns references to its files.  Dropping one may close a
 * socket whose queue holds more of them, and so on without bound, so the
 * dead are put on a list that one thread empties in a loop.
 */
#include "sock.h"

#define CMSG_HEADER 16u
#define CMSG_UP(n) (((n) + 7u) & ~7ul)
#define CONTROL_MAX 131072u
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SYS_ADMIN 21

struct user_cmsghdr { u64 size; s32 level, type; };

void cred_of_current(struct user_cred *c)
{
	struct task *t = current();

	c->pid = t->proc->pid;
	c->uid = t->cred.uid;
	c->gid = t->cred.gid;
}

struct scm *scm_alloc(void)
{
	struct scm *m = kzalloc(sizeof(*m));

	if (m)
		list_init(&m->node);
	return m;
}

struct scm *scm_with_cred(void)
{
	struct scm *m = scm_alloc();

	if (!m)
		return NULL;
	cred_of_current(&m->cred);
	m->has_cred = true;
	return m;
}

struct scm *scm_copy(const struct scm *m)
{
	struct scm *c = scm_alloc();
	u32 i;

	if (!c)
		return NULL;
	c->cred = m->cred;
	c->has_cred = m->has_cred;
	if (!m->file_count)
		return c;
	c->files = kmalloc(m->file_count * sizeof(c->files[0]));
	if (!c->files)
		return c;
	for (i = 0; i < m->file_count; i++)
		c->files[i] = file_get(m->files[i]);
	c->file_count = m->file_count;
	return c;
}

/* ---- dropping ------------------------------------------------------------- */
static struct mutex dead_lock = MUTEX_INIT;
static struct list dead = LIST_INIT(dead);
static bool draining;

static void scm_destroy(struct scm *m)
{
	u32 i;

	for (i = 0; i < m->file_count; i++)
		file_put(m->files[i]);
	kfree(m->files);
	kfree(m);
}

static void drain_dead(void)
{
	struct scm *m;

	for (;;) {
		mutex_lock(&dead_lock);
		if (list_empty(&dead)) {
			draining = false;
			mutex_unlock(&dead_lock);
			return;
		}
		m = list_first(&dead, struct scm, node);
		list_remove(&m->node);
		mutex_unlock(&dead_lock);
		scm_destroy(m);
	}
}

void scm_free(struct scm *m)
{
	bool mine;

	scm_uncount(m);
	if (!m->file_count) {
		scm_destroy(m);
		return;
	}
	mutex_lock(&dead_lock);
	list_push_back(&dead, &m->node);
	mine = !draining;
	draining = true;
	mutex_unlock(&dead_lock);
	if (mine)
		drain_dead();
}

/* ---- from the program -------------------------------------------------------- */
static int parse_rights(struct scm *m, const u8 *data, u64 size)
{
	u32 count = (u32)(size / sizeof(s32)), i;
	struct file **files;
	s32 fd;

	if (!count)
		return 0;
	if (m->file_count + count > SCM_MAX_FD)
		return -EINVAL;
	files = krealloc(m->files, (m->file_count + count) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	m->files = files;
	for (i = 0; i < count; i++) {
		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		files[m->file_count] = fd_get_any(fd);
		if (!files[m->file_count])
			return -EBADF;
		m->file_count++;
	}
	return 0;
}

static int parse_cred(struct scm *m, const u8 *data, u64 size)
{
	struct task *t = current();
	const struct cred *c = &t->cred;
	struct user_cred u;

	if (size != sizeof(u))
		return -EINVAL;
	memcpy(&u, data, sizeof(u));
	if (u.pid != t->proc->pid && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (u.uid != c->uid && u.uid != c->euid && u.uid != c->suid &&
	    !capable(CAP_SETUID))
		return -EPERM;
	if (u.gid != c->gid && u.gid != c->egid && u.gid != c->sgid &&
	    !capable(CAP_SETGID))
		return -EPERM;
	if (u.pid != t->proc->pid) {
		struct proc *p;

		mutex_lock(&tasklist_lock);
		p = proc_find(u.pid);
		mutex_unlock(&tasklist_lock);
		if (!p)
			return -ESRCH;
	}
	m->cred = u;
	m->has_cred = true;
	return 0;
}

static int parse_socket_level(struct socket *s, struct sock_io *io, int type,
			      const u8 *data, u64 size)
{
	if (type != SCM_RIGHTS && type != SCM_CREDENTIALS)
		return -EINVAL;
	if (s->family != AF_UNIX)
		return 0; /* these belong to Unix sockets: others skip them */
	if (!io->scm)
		io->scm = scm_alloc();
	if (!io->scm)
		return -ENOMEM;
	return type == SCM_RIGHTS ? parse_rights(io->scm, data, size)
		: parse_cred(io->scm, data, size);
}

static int parse_inet(struct sock_io *io, int level, int type, const u8 *data,
		      u64 size)
{
	if (level == SOL_IP && type == IP_PKTINFO) {
		struct in_pktinfo p;

		if (size != sizeof(p))
			return -EINVAL;
		memcpy(&p, data, sizeof(p));
		memset(&io->source, 0, sizeof(io->source));
		io->source.ip[10] = io->source.ip[11] = 0xff;
		memcpy(io->source.ip + 12, &p.ipi_spec_dst, 4);
		io->has_source = p.ipi_spec_dst.s_addr != 0;
	} else if (level == SOL_IPV6 && type == IPV6_PKTINFO) {
		if (size < 20)
			return -EINVAL;
		memset(&io->source, 0, sizeof(io->source));
		memcpy(io->source.ip, data, 16);
		io->has_source = !inet_is_any(&io->source);
	}
	/* TTL, TOS and the rest say how a packet travels: none does here. */
	return 0;
}

static int parse_control(struct socket *s, struct sock_io *io, const u8 *buf,
			 u64 size)
{
	struct user_cmsghdr h;
	u64 at = 0;
	int err;

	while (size - at >= sizeof(h)) {
		memcpy(&h, buf + at, sizeof(h));
		if (h.size < sizeof(h) || h.size > size - at)
			return -EINVAL;
		if (h.level == SOL_SOCKET)
			err = parse_socket_level(s, io, h.type,
						 buf + at + CMSG_HEADER,
						 h.size - CMSG_HEADER);
		else if (s->family == AF_INET || s->family == AF_INET6)
			err = parse_inet(io, h.level, h.type,
					 buf + at + CMSG_HEADER,
					 h.size - CMSG_HEADER);
		else
			err = 0;
		if (err)
			return err;
		if (CMSG_UP(h.size) > size - at)
			break;
		at += CMSG_UP(h.size);
	}
	return 0;
}

int control_from_user(struct socket *s, u64 control, u64 size,
		      struct sock_io *io)
{
	u8 small[128], *buf = small;
	int err;

	if (size > CONTROL_MAX)
		return -ENOBUFS;
	if (size > sizeof(small))
		buf = kmalloc(size);
	if (!buf)
		return -ENOMEM;
	err = copy_from_user(buf, control, size)
		? -EFAULT : parse_control(s, io, buf, size);
	if (buf != small)
		kfree(buf);
	return err;
}

/* ---- to the program ------------------------------------------------------------- */
static void control_advance(struct sock_io *io, u64 size)
{
	u64 n = MIN(CMSG_UP(size), io->control_left);

	io->control += n;
	io->control_left -= n;
	io->control_used += n;
}

void control_put(struct sock_io *io, int level, int type, const void *data,
		 u32 size)
{
	struct user_cmsghdr h = { CMSG_HEADER + size, level, type };

	if (io->control_left < CMSG_HEADER) {
		io->out_flags |= MSG_CTRUNC;
		return;
	}
	if (io->control_left < h.size) {
		io->out_flags |= MSG_CTRUNC;
		h.size = io->control_left;
	}
	if (copy_to_user(io->control, &h, sizeof(h)) ||
	    copy_to_user(io->control + CMSG_HEADER, data,
			 h.size - CMSG_HEADER))
		return;
	control_advance(io, h.size);
}

static u32 install_rights(struct scm *m, struct sock_io *io, u32 room)
{
	bool cloexec = io->flags & MSG_CMSG_CLOEXEC;
	u32 i;

	for (i = 0; i < m->file_count && i < room; i++) {
		int fd = fd_install(file_get(m->files[i]), cloexec);

		if (fd < 0) {
			file_put(m->files[i]);
			break;
		}
		if (put_user_u32(io->control + CMSG_HEADER + i * 4, (u32)fd)) {
			fd_close(fd);
			break;
		}
	}
	return i;
}

static void put_rights(struct scm *m, struct sock_io *io)
{
	u32 room = io->control_left > CMSG_HEADER
		? (u32)MIN((io->control_left - CMSG_HEADER) / 4, 1024ul) : 0;
	u32 n = install_rights(m, io, room);
	struct user_cmsghdr h = { CMSG_HEADER + n * 4, SOL_SOCKET,
				  SCM_RIGHTS };

	if (n < m->file_count)
		io->out_flags |= MSG_CTRUNC;
	if (n && !copy_to_user(io->control, &h, sizeof(h)))
		control_advance(io, h.size);
}

void control_put_scm(struct socket *s, struct sock_io *io)
{
	struct scm *m = io->scm;

	if (s->opt.pass_cred) {
		struct user_cred none = { 0, OVERFLOW_ID, OVERFLOW_ID };

		control_put(io, SOL_SOCKET, SCM_CREDENTIALS,
			    m && m->has_cred ? &m->cred : &none,
			    sizeof(none));
	}
	if (!m)
		return;
	if (m->file_count)
		put_rights(m, io);
	io->scm = NULL;
	scm_free(m);
}
