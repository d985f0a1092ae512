/*
 * sys_socket.c - the system calls that make, name and connect sockets.
 * Sending and receiving is in sys_message.c.
 */
#include "sock.h"

#include <libos/sys.h>

/* The file of fd with a reference, and its socket; or -errno. */
static long socket_lookup(int fd, struct file **f, struct socket **s)
{
	*f = fd_get(fd);
	if (!*f)
		return -EBADF;
	*s = socket_of(*f);
	if (*s)
		return 0;
	file_put(*f);
	return -ENOTSOCK;
}

static int address_from_user(u64 ptr, s64 size, union sock_addr *a)
{
	if (size < 0 || (u64)size > sizeof(*a))
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	return size ? copy_from_user(a, ptr, (size_t)size) : 0;
}

int address_to_user(const union sock_addr *a, u32 size, u64 ptr, u64 usize)
{
	u32 room;

	if (get_user_u32(&room, usize))
		return -EFAULT;
	if ((s32)room < 0)
		return -EINVAL;
	if (copy_to_user(ptr, a, MIN(room, size)))
		return -EFAULT;
	return put_user_u32(usize, size);
}

static int socket_make(int family, u32 type, u32 protocol,
		       struct socket **out)
{
	switch (family) {
	case AF_UNIX:
		return unix_socket((u16)type, protocol, out);
	case AF_INET:
	case AF_INET6:
		return inet_socket((u16)family, (u16)type, protocol, out);
	case AF_NETLINK:
		return netlink_socket((u16)type, protocol, out);
	case AF_PACKET:
		return -EPERM;
	default:
		return -EAFNOSUPPORT;
	}
}

static int check_type(u32 type)
{
	u32 kind = type & SOCK_TYPE_MASK;

	if (type & ~(u32)(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	return kind == 0 || kind > SOCK_PACKET ? -EINVAL : 0;
}

long sys_socket(struct task *t, const struct sysargs *a)
{
	u32 type = (u32)a->a[1];
	struct socket *s;
	int err = check_type(type);

	if (!err)
		err = socket_make((int)a->a[0], type & SOCK_TYPE_MASK,
				  (u32)a->a[2], &s);
	return err ? err : socket_install(s, type);
}

static long pair_install(struct socket *x, struct socket *y, u32 flags,
			 u64 uptr)
{
	int fd[2];

	fd[0] = socket_install(x, flags);
	if (fd[0] < 0) {
		y->ops->close(y);
		socket_put(y);
		return fd[0];
	}
	fd[1] = socket_install(y, flags);
	if (fd[1] >= 0 && !copy_to_user(uptr, fd, sizeof(fd)))
		return 0;
	fd_close(fd[0]);
	if (fd[1] < 0)
		return fd[1];
	fd_close(fd[1]);
	return -EFAULT;
}

long sys_socketpair(struct task *t, const struct sysargs *a)
{
	u32 type = (u32)a->a[1];
	struct socket *x, *y;
	int err = check_type(type);

	if (err)
		return err;
	err = socket_make((int)a->a[0], type & SOCK_TYPE_MASK, (u32)a->a[2],
			  &x);
	if (err)
		return err;
	err = x->family == AF_UNIX ? socket_make(AF_UNIX,
			type & SOCK_TYPE_MASK, (u32)a->a[2], &y) : -EOPNOTSUPP;
	if (err) {
		x->ops->close(x);
		socket_put(x);
		return err;
	}
	unix_pair(x, y);
	return pair_install(x, y, type, a->a[3]);
}

long sys_bind(struct task *t, const struct sysargs *a)
{
	union sock_addr addr;
	struct socket *s;
	struct file *f;
	long err = socket_lookup((int)a->a[0], &f, &s);

	if (err)
		return err;
	err = address_from_user(a->a[1], (s32)a->a[2], &addr);
	if (!err)
		err = s->ops->bind ? s->ops->bind(s, &addr, (u32)a->a[2])
			: -EOPNOTSUPP;
	file_put(f);
	return err;
}

long sys_listen(struct task *t, const struct sysargs *a)
{
	struct socket *s;
	struct file *f;
	long err = socket_lookup((int)a->a[0], &f, &s);
	u32 backlog = (u32)a->a[1];

	if (err)
		return err;
	err = s->ops->listen ? s->ops->listen(s, (int)MIN(backlog, 4096u))
		: -EOPNOTSUPP;
	file_put(f);
	return err;
}

long sys_connect(struct task *t, const struct sysargs *a)
{
	union sock_addr addr;
	struct socket *s;
	struct file *f;
	long err = socket_lookup((int)a->a[0], &f, &s);

	if (err)
		return err;
	err = address_from_user(a->a[1], (s32)a->a[2], &addr);
	if (!err)
		err = s->ops->connect ? s->ops->connect(s, &addr,
				(u32)a->a[2], f->flags & O_NONBLOCK)
			: -EOPNOTSUPP;
	file_put(f);
	return err;
}

static long accept_one(struct file *f, struct socket *s, u64 uaddr, u64 usize,
		       u32 flags)
{
	union sock_addr addr;
	struct socket *child;
	struct file *file;
	int err, size, fd;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	err = s->ops->accept(s, f->flags & O_NONBLOCK, &child);
	if (err)
		return err;
	file = socket_file(child, flags);
	if (!file)
		return -ENFILE;
	if (uaddr) {
		size = child->ops->name(child, &addr, true);
		err = size < 0 ? -ECONNABORTED
			: address_to_user(&addr, (u32)size, uaddr, usize);
	}
	fd = err ? err : fd_install(file, flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(file);
	return fd;
}

static long do_accept(const struct sysargs *a, u32 flags)
{
	struct socket *s;
	struct file *f;
	long r;

	if (flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	r = socket_lookup((int)a->a[0], &f, &s);
	if (r)
		return r;
	r = accept_one(f, s, a->a[1], a->a[2], flags);
	file_put(f);
	return r;
}

long sys_accept(struct task *t, const struct sysargs *a)
{
	return do_accept(a, 0);
}

long sys_accept4(struct task *t, const struct sysargs *a)
{
	return do_accept(a, (u32)a->a[3]);
}

static long get_name(const struct sysargs *a, bool peer)
{
	union sock_addr addr;
	struct socket *s;
	struct file *f;
	long r = socket_lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = s->ops->name(s, &addr, peer);
	if (r >= 0)
		r = address_to_user(&addr, (u32)r, a->a[1], a->a[2]);
	file_put(f);
	return r;
}

long sys_getsockname(struct task *t, const struct sysargs *a)
{
	return get_name(a, false);
}

long sys_getpeername(struct task *t, const struct sysargs *a)
{
	return get_name(a, true);
}

long sys_shutdown(struct task *t, const struct sysargs *a)
{
	struct socket *s;
	struct file *f;
	long r = socket_lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	if (a->a[1] > 2)
		r = -EINVAL;
	else /* 0 read, 1 write, 2 both: one more is the set of bits */
		r = s->ops->shutdown ? s->ops->shutdown(s, (u32)a->a[1] + 1)
			: -EOPNOTSUPP;
	file_put(f);
	return r;
}

long sys_setsockopt(struct task *t, const struct sysargs *a)
{
	struct socket *s;
	struct file *f;
	long r = socket_lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = (s32)a->a[4] < 0 ? -EINVAL
		: socket_set_option(s, (int)a->a[1], (int)a->a[2], a->a[3],
				    (u32)a->a[4]);
	file_put(f);
	return r;
}

long sys_getsockopt(struct task *t, const struct sysargs *a)
{
	struct socket *s;
	struct file *f;
	long r = socket_lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = socket_get_option(s, (int)a->a[1], (int)a->a[2], a->a[3],
			      a->a[4]);
	file_put(f);
	return r;
}
