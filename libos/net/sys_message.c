/*
 * sys_message.c - the system calls that send and receive.
 */
#include "sock.h"

#include <libos/sys.h>

#define RW_MAX 0x7ffff000ul
#define FAST_IOV 8

struct user_msghdr {
	u64 name;
	u32 name_size, pad;
	u64 iov, iov_count;
	u64 control, control_size;
	u32 flags, pad2;
};
struct user_mmsghdr { struct user_msghdr hdr; u32 size, pad; };
_Static_assert(sizeof(struct user_mmsghdr) == 64, "as the kernel has it");

static long lookup(int fd, struct file **f, struct socket **s)
{
	*f = fd_get(fd);
	if (!*f)
		return -EBADF;
	*s = socket_of(*f);
	if (LIKELY(*s))
		return 0;
	file_put(*f);
	return -ENOTSOCK;
}

static int one_buffer(struct uio *u, struct host_iovec *iov, u64 p, u64 size)
{
	size = MIN(size, RW_MAX);
	if (!access_ok(p, size))
		return -EFAULT;
	uio_single(u, iov, (void *)p, size, false);
	return 0;
}

long sys_sendto(struct task *t, const struct sysargs *a)
{
	struct sock_io io = { .flags = (u32)a->a[3] };
	struct host_iovec iov;
	union sock_addr name;
	struct socket *s;
	struct file *f;
	struct uio u;
	long r = lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = one_buffer(&u, &iov, a->a[1], a->a[2]);
	io.data = &u;
	if (!r && a->a[4]) {
		io.name = &name;
		io.name_size = (u32)a->a[5];
		if ((s32)a->a[5] < 0 || io.name_size > sizeof(name))
			r = -EINVAL;
		else if (copy_from_user(&name, a->a[4], io.name_size))
			r = -EFAULT;
	}
	if (!r)
		r = socket_send(f, s, &io);
	file_put(f);
	return r;
}

long sys_recvfrom(struct task *t, const struct sysargs *a)
{
	struct sock_io io = { .flags = (u32)a->a[3] };
	struct host_iovec iov;
	union sock_addr name;
	struct socket *s;
	struct file *f;
	struct uio u;
	long r = lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = one_buffer(&u, &iov, a->a[1], a->a[2]);
	io.data = &u;
	if (a->a[4]) {
		io.want_name = true;
		io.name = &name;
	}
	if (!r)
		r = socket_receive(f, s, &io);
	if (r >= 0 && a->a[4]) {
		int err = address_to_user(&name, io.name_size, a->a[4],
					  a->a[5]);
		if (err)
			r = err;
	}
	file_put(f);
	return r;
}

/* ---- sendmsg ----------------------------------------------------------------- */
static long send_header(struct file *f, struct socket *s,
			const struct user_msghdr *h, u32 flags)
{
	struct sock_io io = { .flags = flags };
	struct host_iovec fast[FAST_IOV], *to_free = NULL;
	union sock_addr name;
	struct uio u;
	long r;

	if (h->iov_count > UIO_MAXIOV)
		return -EMSGSIZE;
	if ((s32)h->name_size < 0)
		return -EINVAL;
	if (h->name && h->name_size) {
		io.name = &name;
		io.name_size = MIN(h->name_size, (u32)sizeof(name));
		if (copy_from_user(&name, h->name, io.name_size))
			return -EFAULT;
	}
	r = uio_from_user(&u, h->iov, h->iov_count, fast, FAST_IOV, &to_free);
	if (r < 0)
		return r;
	io.data = &u;
	if (h->control && h->control_size)
		r = control_from_user(s, h->control, h->control_size, &io);
	if (r >= 0)
		r = socket_send(f, s, &io);
	if (io.scm)
		scm_free(io.scm);
	kfree(to_free);
	return r;
}

long sys_sendmsg(struct task *t, const struct sysargs *a)
{
	struct user_msghdr h;
	struct socket *s;
	struct file *f;
	long r = lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = copy_from_user(&h, a->a[1], sizeof(h)) ? -EFAULT
		: send_header(f, s, &h, (u32)a->a[2]);
	file_put(f);
	return r;
}

long sys_sendmmsg(struct task *t, const struct sysargs *a)
{
	u32 count = MIN((u32)a->a[2], (u32)UIO_MAXIOV), i;
	struct user_msghdr h;
	struct socket *s;
	struct file *f;
	long r = lookup((int)a->a[0], &f, &s);
	u64 p = a->a[1];

	if (r)
		return r;
	for (i = 0; i < count; i++, p += sizeof(struct user_mmsghdr)) {
		r = copy_from_user(&h, p, sizeof(h)) ? -EFAULT
			: send_header(f, s, &h, (u32)a->a[3]);
		if (r >= 0)
			r = put_user_u32(p + offsetof(struct user_mmsghdr,
						      size), (u32)r);
		if (r < 0)
			break;
	}
	file_put(f);
	return i ? (long)i : r;
}

/* ---- recvmsg ----------------------------------------------------------------- */
static long finish_header(struct sock_io *io, u64 uptr,
			  const struct user_msghdr *h, const void *name,
			  u32 flags)
{
	u32 out = io->out_flags | (flags & MSG_CMSG_CLOEXEC);

	if (h->name) {
		u32 n = MIN(io->name_size, h->name_size);

		if (copy_to_user(h->name, name, n) ||
		    put_user_u32(uptr + offsetof(struct user_msghdr,
						 name_size), io->name_size))
			return -EFAULT;
	}
	if (put_user_u32(uptr + offsetof(struct user_msghdr, flags), out) ||
	    put_user_u64(uptr + offsetof(struct user_msghdr, control_size),
			 io->control_used))
		return -EFAULT;
	return 0;
}

static long receive_header(struct file *f, struct socket *s, u64 uptr,
			   u32 flags)
{
	struct sock_io io = { .flags = flags };
	struct host_iovec fast[FAST_IOV], *to_free = NULL;
	struct user_msghdr h;
	union sock_addr name;
	struct uio u;
	long r, err;

	if (copy_from_user(&h, uptr, sizeof(h)))
		return -EFAULT;
	if (h.iov_count > UIO_MAXIOV)
		return -EMSGSIZE;
	if ((s32)h.name_size < 0)
		return -EINVAL;
	r = uio_from_user(&u, h.iov, h.iov_count, fast, FAST_IOV, &to_free);
	if (r < 0)
		return r;
	io.data = &u;
	io.control = h.control;
	io.control_left = h.control ? h.control_size : 0;
	if (h.name) {
		io.want_name = true;
		io.name = &name;
	}
	r = socket_receive(f, s, &io);
	kfree(to_free);
	if (r < 0)
		return r;
	err = finish_header(&io, uptr, &h, &name, flags);
	return err ? err : r;
}

long sys_recvmsg(struct task *t, const struct sysargs *a)
{
	struct socket *s;
	struct file *f;
	long r = lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	r = receive_header(f, s, a->a[1], (u32)a->a[2]);
	file_put(f);
	return r;
}

long sys_recvmmsg(struct task *t, const struct sysargs *a)
{
	u32 count = MIN((u32)a->a[2], (u32)UIO_MAXIOV), i;
	u32 flags = (u32)a->a[3];
	u64 p = a->a[1], deadline = HOST_FOREVER;
	struct socket *s;
	struct file *f;
	long r = lookup((int)a->a[0], &f, &s);

	if (r)
		return r;
	if (a->a[4])
		r = get_timeout(a->a[4], &deadline);
	for (i = 0; !r && i < count; i++, p += sizeof(struct user_mmsghdr)) {
		r = receive_header(f, s, p, flags & ~(u32)MSG_WAITFORONE);
		if (r >= 0)
			r = put_user_u32(p + offsetof(struct user_mmsghdr,
						      size), (u32)r);
		if (r < 0)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* As Linux: the time is looked at only between messages. */
		if (deadline != HOST_FOREVER &&
		    clock_monotonic_ns() >= deadline) {
			i++;
			break;
		}
	}
	file_put(f);
	return i ? (long)i : r;
}
