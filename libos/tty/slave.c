/*
 * slave.c - the terminal as programs see it: read, write and poll of
 * /dev/pts/N and /dev/tty.
 *
 * A slave file belongs to one generation of its terminal; after a hangup it
 * reads end-of-file and fails to write, for ever.
 */
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/task.h>

#include "pty.h"

#define TENTH_NS (NSEC_PER_SEC / 10)
#define CHUNK 1024u
#define WAKEUP_ROOM 256u /* output room that poll calls writable */

bool slave_is_hung_up(const struct tty_file *tf)
{
	return tf->generation != __atomic_load_n(&tf->tty->generation,
						 __ATOMIC_ACQUIRE);
}

/* ---- read --------------------------------------------------------------------- */
/* Copy what is there to the caller.  Returns bytes or -EFAULT; *end: the line
 * or the input is over.  Locked. */
static ssize_t read_available(struct tty *tty, struct uio *u, bool *end)
{
	bool was_full = ldisc_room(tty) == 0;
	ssize_t done = 0;
	u8 buf[CHUNK];

	*end = false;
	while (!*end) {
		size_t n = ldisc_take(tty, buf, MIN(u->left, sizeof(buf)), end);
		ssize_t r = n ? uio_put(u, buf, n) : 0;

		if (r < 0)
			return done ? done : r;
		done += r;
		if (u->left == 0)
			break;
	}
	if (tty->input_paused)
		console_resume(tty);
	if (was_full)
		waitq_wake(&tty->master_wait, EPOLLOUT | EPOLLWRNORM);
	return done;
}

static bool may_read(struct tty_file *tf)
{
	return slave_is_hung_up(tf) || ldisc_has_input(tf->tty, false);
}

/* Until when to wait for more: what VMIN and VTIME say in raw mode. */
static u64 raw_deadline(struct tty *tty, u64 start, ssize_t done)
{
	u64 pause = CC(tty, VTIME) * TENTH_NS;

	if (CC(tty, VMIN) == 0)
		return start + pause;
	return pause && done ? clock_monotonic_ns() + pause : HOST_FOREVER;
}

static bool raw_is_enough(struct tty *tty, ssize_t done)
{
	return done >= MAX((ssize_t)CC(tty, VMIN), 1) ||
	       (CC(tty, VMIN) == 0 && CC(tty, VTIME) == 0);
}

/* One step of a read: > 0 go on after waiting; else *done or an error is the
 * result.  Locked. */
static int read_step(struct tty_file *tf, struct uio *u, ssize_t *done)
{
	struct tty *tty = tf->tty;
	bool end = false;

	if (slave_is_hung_up(tf))
		return 0;
	if (ldisc_has_input(tty, false)) {
		ssize_t r = read_available(tty, u, &end);

		if (r < 0)
			return *done ? 0 : (int)r;
		*done += r;
		if (u->left == 0 || (L_FLAG(tty, ICANON) && end))
			return 0;
	}
	if (!L_FLAG(tty, ICANON) && raw_is_enough(tty, *done))
		return 0;
	return 1;
}

static ssize_t slave_read(struct file *f, struct uio *u, u64 *pos)
{
	struct tty_file *tf = f->priv;
	struct tty *tty = tf->tty;
	u64 start = clock_monotonic_ns(), deadline;
	ssize_t done = 0;
	int err;

	if (u->left == 0)
		return 0;
	for (;;) {
		if (slave_is_hung_up(tf))
			return done;
		err = tty_check_read(tty);
		if (err)
			return done ? done : err;
		tty_lock(tty);
		err = read_step(tf, u, &done);
		deadline = L_FLAG(tty, ICANON) ? HOST_FOREVER :
			   raw_deadline(tty, start, done);
		tty_unlock(tty);
		if (err <= 0)
			return err ? err : done;
		if (f->flags & O_NONBLOCK)
			return done ? done : -EAGAIN;
		err = wait_until(&tty->slave_wait, may_read(tf), deadline);
		if (err)
			return done || err == -ETIMEDOUT ? done : err;
	}
}

/* ---- write -------------------------------------------------------------------- */
/* Take what fits.  Locked.  Returns bytes, 0: no room, or an error. */
static ssize_t write_chunk(struct tty *tty, struct uio *u)
{
	u8 buf[CHUNK];
	size_t room = out_room(tty) / 8; /* 8: what a tab may become */
	size_t n = MIN(MIN(u->left, sizeof(buf)), room);
	ssize_t r;

	if (!tty->in_use)
		return -EIO;
	if (tty->is_stopped || n == 0)
		return 0;
	r = uio_get(u, buf, n);
	if (r > 0)
		out_write(tty, buf, (size_t)r);
	return r;
}

static bool may_write(struct tty_file *tf)
{
	struct tty *tty = tf->tty;

	return slave_is_hung_up(tf) ||
	       (!tty->is_stopped && out_room(tty) >= WAKEUP_ROOM);
}

/* The console's stream is full: wait until what is queued has gone. */
static int wait_for_console(struct tty *tty)
{
	for (;;) {
		bool empty;
		int err;

		tty_lock(tty);
		empty = console_drain(tty);
		tty_unlock(tty);
		if (empty)
			return 0;
		err = host_handle_wait(tty->console, HOST_POLL_OUT,
				       HOST_FOREVER);
		if (err)
			return err;
	}
}

static ssize_t slave_write(struct file *f, struct uio *u, u64 *pos)
{
	struct tty_file *tf = f->priv;
	struct tty *tty = tf->tty;
	ssize_t done = 0, r;
	int err = 0;

	while (u->left > 0) {
		if (slave_is_hung_up(tf))
			return done ? done : -EIO;
		if (L_FLAG(tty, TOSTOP))
			err = tty_check_change(tty);
		if (err)
			return done ? done : err;
		tty_lock(tty);
		r = write_chunk(tty, u);
		tty_unlock(tty);
		if (r < 0)
			return done ? done : r;
		done += r;
		if (r > 0 && (tty->console == HOST_NO_HANDLE || !out_used(tty)))
			continue;
		if (f->flags & O_NONBLOCK)
			return done ? done : -EAGAIN;
		err = r > 0 ? wait_for_console(tty) :
			wait_until(&tty->slave_wait, may_write(tf),
				   HOST_FOREVER);
		if (err)
			return done ? done : err;
	}
	return done;
}

/* ---- the rest ------------------------------------------------------------------- */
static u32 slave_poll(struct file *f, struct poll_table *pt)
{
	struct tty_file *tf = f->priv;
	struct tty *tty = tf->tty;
	u32 events = 0;

	poll_add(pt, &tty->slave_wait);
	if (slave_is_hung_up(tf))
		return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM |
		       EPOLLWRNORM;
	if (ldisc_has_input(tty, true))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!tty->is_stopped && out_room(tty) >= WAKEUP_ROOM)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static long slave_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tty_file *tf = f->priv;

	if (slave_is_hung_up(tf))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	return tty_ioctl(tf->tty, f, false, cmd, arg);
}

static void slave_release(struct file *f)
{
	struct tty_file *tf = f->priv;
	struct tty *tty = tf->tty;
	bool last = false;

	tty_lock(tty);
	if (!slave_is_hung_up(tf) && --tty->slave_count == 0) {
		tty->other_closed = last = true;
		tty->is_exclusive = false;
	}
	tty_unlock(tty);
	if (last)
		waitq_wake(&tty->master_wait, EPOLLHUP | EPOLLIN);
	kfree(tf);
}

const struct file_ops pty_slave_ops = {
	.name = "tty", .read = slave_read, .write = slave_write,
	.poll = slave_poll, .ioctl = slave_ioctl, .release = slave_release,
};
