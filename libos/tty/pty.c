/*
 * pty.c - pairs of terminals: their table, opening them, and the master.
 *
 * A pair is in use from the open of /dev/ptmx (or of a console) until the
 * master has gone.  tty_table_lock guards in_use; it is taken with no
 * tty->lock held and before one.
 */
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/task.h>
#include <libos/vfs.h>

#include "pty.h"

#define INPUT_PAGES 2 /* TTY_INPUT_SIZE and its marks */

static struct mutex tty_table_lock = MUTEX_INIT;
static struct tty *ttys[TTY_MAX] RARE; /* made when first needed, kept */
static u32 ttys_end; /* none was ever made from here on; only grows */

static const struct ktermios default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE |
		   IEXTEN,
	.c_ispeed = 38400, .c_ospeed = 38400,
	.c_cc = { [VINTR] = 3, [VQUIT] = 034, [VERASE] = 0177, [VKILL] = 025,
		  [VEOF] = 4, [VMIN] = 1, [VSTART] = 021, [VSTOP] = 023,
		  [VSUSP] = 032, [VREPRINT] = 022, [VDISCARD] = 017,
		  [VWERASE] = 027, [VLNEXT] = 026 },
};

/* ---- the table -------------------------------------------------------------------- */
/* Everything but number, generation, lock and queues as new. */
static void pty_reset(struct tty *tty)
{
	tty->is_locked = tty->is_exclusive = tty->is_stopped = false;
	tty->has_packet_mode = tty->input_paused = tty->other_closed = false;
	tty->has_new_input = tty->has_new_output = false;
	tty->packet_status = 0;
	tty->console = HOST_NO_HANDLE;
	tty->slave_count = 0;
	tty->session = tty->foreground = 0;
	tty->signals = 0;
	tty->termios = default_termios;
	memset(&tty->winsize, 0, sizeof(tty->winsize));
	tty->head = tty->tail = tty->canon_head = 0;
	tty->pushed = tty->next_literal = tty->erasing = false;
	tty->column = tty->canon_column = 0;
	tty->out_head = tty->out_tail = 0;
	tty->master_open = true;
}

static struct tty *pty_slot(u32 n)
{
	struct tty *tty = ttys[n];

	if (tty)
		return tty;
	tty = kzalloc(sizeof(*tty));
	if (!tty)
		return NULL;
	tty->number = n;
	mutex_init(&tty->lock);
	waitq_init(&tty->slave_wait);
	waitq_init(&tty->master_wait);
	__atomic_store_n(&ttys[n], tty, __ATOMIC_RELEASE);
	ttys_end = MAX(ttys_end, n + 1);
	return tty;
}

static struct tty *pty_claim(void)
{
	for (u32 n = 0; n < TTY_MAX; n++) {
		struct tty *tty = pty_slot(n);

		if (!tty)
			return err_ptr(-ENOMEM);
		if (tty->in_use)
			continue;
		tty->input = page_alloc(INPUT_PAGES);
		if (!tty->input)
			return err_ptr(-ENOMEM);
		pty_reset(tty);
		__atomic_store_n(&tty->in_use, true, __ATOMIC_RELEASE);
		return tty;
	}
	return err_ptr(-ENOSPC);
}

struct tty *pty_alloc(void)
{
	struct tty *tty;
	struct inode *ino;

	mutex_lock(&tty_table_lock);
	tty = pty_claim();
	mutex_unlock(&tty_table_lock);
	if (is_err(tty))
		return tty;
	ino = devpts_inode(tty->number);
	mutex_lock(&tty_table_lock);
	tty->inode = ino;
	mutex_unlock(&tty_table_lock);
	return tty;
}

/* The master has gone: the pair may be used again.  Its slave was hung up,
 * so no file of the old generation looks at it any more. */
static void pty_free(struct tty *tty)
{
	struct inode *ino;
	u8 *input, *output;

	mutex_lock(&tty_table_lock);
	mutex_lock(&tty->lock);
	ino = tty->inode;
	input = tty->input;
	output = tty->output;
	tty->inode = NULL;
	tty->input = tty->output = NULL;
	tty->head = tty->tail = tty->canon_head = 0;
	tty->out_head = tty->out_tail = 0;
	tty->master_open = false;
	tty->in_use = false;
	mutex_unlock(&tty->lock);
	mutex_unlock(&tty_table_lock);
	page_free(input, INPUT_PAGES);
	if (output)
		page_free(output, TTY_OUTPUT_SIZE / PAGE_SIZE);
	if (ino)
		inode_put(ino);
}

void pty_master_gone(struct tty *tty)
{
	tty_hangup(tty, false);
	pty_free(tty);
}

struct tty *pty_find(u32 number)
{
	struct tty *tty = number < TTY_MAX ?
		__atomic_load_n(&ttys[number], __ATOMIC_ACQUIRE) : NULL;

	return tty && tty->in_use ? tty : NULL;
}

struct inode *pty_inode(u32 number)
{
	struct inode *ino = NULL;
	struct tty *tty;

	mutex_lock(&tty_table_lock);
	tty = pty_find(number);
	if (tty && tty->inode)
		ino = inode_get(tty->inode);
	mutex_unlock(&tty_table_lock);
	return ino;
}

int pty_next(u32 from)
{
	for (; from < ttys_end; from++) {
		if (pty_find(from))
			return (int)from;
	}
	return -1;
}

/* ---- opening a slave ----------------------------------------------------------------- */
static int slave_admit(struct tty *tty, struct tty_file *tf)
{
	if (!tty->in_use || !tty->master_open || tty->is_locked)
		return -EIO;
	if (tty->is_exclusive && !capable(21 /* CAP_SYS_ADMIN */))
		return -EBUSY;
	tty->slave_count++;
	tty->other_closed = false;
	tf->tty = tty;
	tf->generation = tty->generation;
	return 0;
}

static int slave_attach(struct tty *tty, struct file *f)
{
	struct tty_file *tf = kzalloc(sizeof(*tf));
	int err;

	if (!tf)
		return -ENOMEM;
	tty_lock(tty);
	err = slave_admit(tty, tf);
	tty_unlock(tty);
	if (err) {
		kfree(tf);
		return err;
	}
	f->ops = &pty_slave_ops;
	f->priv = tf;
	f->mode |= FMODE_STREAM;
	return 0;
}

int pty_open_slave(u32 number, struct file *f)
{
	struct tty *tty = pty_find(number);
	int err = tty ? slave_attach(tty, f) : -EIO;

	if (!err)
		tty_acquire_on_open(tty, f);
	return err;
}

int pty_open_current(struct file *f)
{
	struct tty *tty = tty_of_proc(current()->proc);

	return tty ? slave_attach(tty, f) : -ENXIO;
}

int pty_open_console(struct file *f)
{
	struct tty *tty = pty_find(console_first());

	return tty ? slave_attach(tty, f) : -ENODEV;
}

/* A slave file with the name /dev/pts/N where that leads to it. */
struct file *pty_slave_file(struct tty *tty, u32 flags)
{
	struct dentry *d = NULL;
	struct file *f;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/dev/pts/%u", tty->number);
	if (path_lookup(AT_FDCWD, path, 0, &d) == 0) {
		if (d->inode == tty->inode) {
			f = vfs_open_dentry(d, flags);
			dentry_put(d);
			return f;
		}
		dentry_put(d);
	}
	f = file_alloc(&pty_slave_ops, tty->inode, flags & ~(u32)O_NOCTTY,
		       NULL);
	if (!f || is_err(f))
		return f ? f : err_ptr(-ENFILE);
	err = slave_attach(tty, f);
	if (!err)
		return f;
	f->ops = &pty_master_ops; /* whose release takes a NULL */
	file_put(f);
	return err_ptr(err);
}

long pty_peer_open(struct tty *tty, u32 flags)
{
	struct file *f;
	int fd;

	if (flags & ~(u32)(O_ACCMODE | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	f = pty_slave_file(tty, flags & ~(u32)O_CLOEXEC);
	if (is_err(f))
		return ptr_err(f);
	fd = fd_install(f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* ---- the master ------------------------------------------------------------------------ */
int pty_open_master(struct file *f)
{
	struct tty *tty = pty_alloc();

	if (is_err(tty))
		return (int)ptr_err(tty);
	tty->is_locked = true;
	f->ops = &pty_master_ops;
	f->priv = tty;
	f->mode |= FMODE_STREAM;
	return 0;
}

static void master_release(struct file *f)
{
	if (f->priv)
		pty_master_gone(f->priv);
}

/* Locked.  What one read gives: bytes, 0 nothing yet, or an error. */
static ssize_t master_take(struct tty *tty, struct uio *u)
{
	u8 buf[2048];
	size_t n = 0;
	bool was_full = out_room(tty) < 256;

	if (tty->has_packet_mode && tty->packet_status) {
		buf[n++] = tty->packet_status;
		tty->packet_status = 0;
	} else if (out_used(tty) > 0) {
		if (tty->has_packet_mode)
			buf[n++] = TIOCPKT_DATA;
		n += out_take(tty, buf + n, MIN(u->left, sizeof(buf)) - n);
	} else {
		return tty->other_closed ? -EIO : 0;
	}
	if (was_full && out_room(tty) >= 256)
		waitq_wake(&tty->slave_wait, EPOLLOUT | EPOLLWRNORM);
	return uio_put(u, buf, n);
}

static bool master_readable(const struct tty *tty)
{
	return out_used(tty) > 0 || tty->other_closed ||
	       (tty->has_packet_mode && tty->packet_status);
}

static ssize_t master_read(struct file *f, struct uio *u, u64 *pos)
{
	struct tty *tty = f->priv;

	if (u->left == 0)
		return 0;
	for (;;) {
		ssize_t done = 0, r;

		tty_lock(tty);
		do {
			r = master_take(tty, u);
			done += r > 0 ? r : 0;
		} while (r > 0 && u->left > 0 && !tty->has_packet_mode);
		tty_unlock(tty);
		if (done || r < 0)
			return done ? done : r;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		r = wait_until(&tty->master_wait, master_readable(tty),
			       HOST_FOREVER);
		if (r)
			return r;
	}
}

/* Locked.  Type some bytes in.  Each takes at most one place in the ring, or
 * two under PARMRK, so what is copied is always used up. */
static ssize_t master_type(struct tty *tty, struct uio *u)
{
	u8 buf[1024];
	size_t room = ldisc_room(tty);
	ssize_t n;

	if (I_FLAG(tty, PARMRK) && room > 1)
		room /= 2;
	n = uio_get(u, buf, MIN(MIN(room, sizeof(buf)), u->left));
	if (n > 0)
		ldisc_receive(tty, buf, (size_t)n);
	return n;
}

static ssize_t master_write(struct file *f, struct uio *u, u64 *pos)
{
	struct tty *tty = f->priv;
	ssize_t done = 0, r;

	while (u->left > 0) {
		tty_lock(tty);
		r = ldisc_room(tty) ? master_type(tty, u) : 0;
		tty_unlock(tty);
		if (r < 0)
			return done ? done : r;
		done += r;
		if (r > 0)
			continue;
		if (f->flags & O_NONBLOCK)
			return done ? done : -EAGAIN;
		r = wait_until(&tty->master_wait, ldisc_room(tty) > 0,
			       HOST_FOREVER);
		if (r)
			return done ? done : r;
	}
	return done;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct tty *tty = f->priv;
	u32 events = 0;

	poll_add(pt, &tty->master_wait);
	if (out_used(tty) > 0)
		events |= EPOLLIN | EPOLLRDNORM;
	if (tty->has_packet_mode && tty->packet_status)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLPRI;
	if (tty->other_closed)
		events |= EPOLLHUP;
	if (ldisc_room(tty) > 0)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static long master_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return tty_ioctl(f->priv, f, true, cmd, arg);
}

const struct file_ops pty_master_ops = {
	.name = "ptm", .read = master_read, .write = master_write,
	.poll = master_poll, .ioctl = master_ioctl, .release = master_release,
};

struct tty *tty_of_file(struct file *f)
{
	if (f->ops == &pty_master_ops)
		return f->priv;
	if (f->ops == &pty_slave_ops)
		return ((struct tty_file *)f->priv)->tty;
	return NULL;
}
