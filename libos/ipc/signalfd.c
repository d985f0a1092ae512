/*
 * signalfd.c - signalfd(2): pending signals read from a descriptor.
 *
 * What is read is always the reader's: its thread's and process's queues.
 */
#include "anon.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/poll.h>
#include <libos/signal.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include <linux/signalfd.h>

struct signalfd { sigset mask; };

static sigset signalfd_ready(const struct signalfd *s)
{
	struct task *t = current();

	return (__atomic_load_n(&t->pending.set, __ATOMIC_SEQ_CST) |
		__atomic_load_n(&t->proc->pending.set, __ATOMIC_SEQ_CST)) &
	       s->mask;
}

static void signalfd_fill(struct signalfd_siginfo *o, const siginfo_t *i)
{
	memset(o, 0, sizeof(*o));
	o->ssi_signo = (u32)i->si_signo;
	o->ssi_errno = i->si_errno;
	o->ssi_code = i->si_code;
	switch (i->si_signo) {
	case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP:
		if (i->si_code > 0) {
			o->ssi_addr = (u64)(uintptr_t)i->si_addr;
			return;
		}
		break;
	case SIGIO:
		if (i->si_code > 0) {
			o->ssi_band = (u32)i->si_band;
			o->ssi_fd = i->si_fd;
			return;
		}
		break;
	}
	if (i->si_code == SI_TIMER) {
		o->ssi_tid = (u32)i->si_tid;
		o->ssi_overrun = (u32)i->si_overrun;
	} else {
		o->ssi_pid = (u32)i->si_pid;
		o->ssi_uid = (u32)i->si_uid;
	}
	if (i->si_signo == SIGCHLD && i->si_code > 0) {
		o->ssi_status = i->si_status;
		o->ssi_utime = (u64)i->si_utime;
		o->ssi_stime = (u64)i->si_stime;
	} else if (i->si_code < 0) {
		o->ssi_int = i->si_int;
		o->ssi_ptr = (u64)(uintptr_t)i->si_ptr;
	}
}

static int signalfd_take(struct file *f, siginfo_t *info)
{
	struct signalfd *s = f->priv;
	struct task *t = current();
	int sig, err;

	for (;;) {
		sig = signal_dequeue(t, s->mask, info);
		if (sig)
			return sig;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_until(&t->proc->sighand->signalfd_wait,
				 signalfd_ready(s), HOST_FOREVER);
		if (err)
			return err;
	}
}

static ssize_t signalfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct signalfd *s = f->priv;
	struct signalfd_siginfo out;
	siginfo_t info;
	ssize_t done = 0, got;
	int sig;

	if (u->left < sizeof(out))
		return -EINVAL;
	while (u->left >= sizeof(out)) {
		sig = done ? signal_dequeue(current(), s->mask, &info)
			   : signalfd_take(f, &info);
		if (sig <= 0)
			return done ? done : sig;
		signalfd_fill(&out, &info);
		got = uio_put(u, &out, sizeof(out));
		if (got != sizeof(out))
			return done ? done : -EFAULT;
		done += got;
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	poll_add(pt, &current()->proc->sighand->signalfd_wait);
	return signalfd_ready(f->priv) ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops signalfd_ops = {
	.name = "[signalfd]",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
};

static long signalfd_change(int fd, sigset mask)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	if (f->ops != &signalfd_ops) {
		file_put(f);
		return -EINVAL;
	}
	__atomic_store_n(&((struct signalfd *)f->priv)->mask, mask,
			 __ATOMIC_SEQ_CST);
	waitq_wake(&current()->proc->sighand->signalfd_wait, EPOLLIN);
	file_put(f);
	return fd;
}

static long signalfd_create(int fd, u64 umask, u64 size, u32 flags)
{
	struct signalfd *s;
	sigset mask;
	long ret;

	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user_u64(&mask, umask))
		return -EFAULT;
	mask &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	if (fd != -1)
		return signalfd_change(fd, mask);
	s = kmalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mask = mask;
	ret = anon_install(&signalfd_ops, O_RDWR | flags, s, NULL);
	if (ret < 0)
		kfree(s);
	return ret;
}

long sys_signalfd(struct task *t, const struct sysargs *a)
{
	return signalfd_create((int)a->a[0], a->a[1], a->a[2], 0);
}

long sys_signalfd4(struct task *t, const struct sysargs *a)
{
	return signalfd_create((int)a->a[0], a->a[1], a->a[2], (u32)a->a[3]);
}
