/*
 * ioctl.c - the ioctls of terminals, for both ends of a pair.
 *
 * On the master most of them act on the slave, as on Linux.  What concerns
 * sessions and job control is in session.c.
 */
#include <libos/task.h>
#include <libos/uaccess.h>

#include "pty.h"

#include <linux/capability.h>

/* The old System V form, which a few programs still use. */
struct old_termio {
	u16 c_iflag, c_oflag, c_cflag, c_lflag;
	u8 c_line;
	u8 c_cc[8];
};

void tty_packet(struct tty *tty, u8 set, u8 clear)
{
	if (!tty->has_packet_mode)
		return;
	tty->packet_status = (u8)((tty->packet_status & ~clear) | set);
	waitq_wake(&tty->master_wait, EPOLLIN | EPOLLPRI | EPOLLRDNORM);
}

/* ---- modes ------------------------------------------------------------------------ */
static long termios_get(struct tty *tty, u64 arg, size_t size)
{
	struct ktermios k;

	tty_lock(tty);
	k = tty->termios;
	tty_unlock(tty);
	return copy_to_user(arg, &k, size);
}

static long termio_get(struct tty *tty, u64 arg)
{
	struct old_termio old;

	memset(&old, 0, sizeof(old));
	tty_lock(tty);
	old.c_iflag = (u16)tty->termios.c_iflag;
	old.c_oflag = (u16)tty->termios.c_oflag;
	old.c_cflag = (u16)tty->termios.c_cflag;
	old.c_lflag = (u16)tty->termios.c_lflag;
	memcpy(old.c_cc, tty->termios.c_cc, sizeof(old.c_cc));
	tty_unlock(tty);
	return copy_to_user(arg, &old, sizeof(old));
}

static void termio_merge(struct ktermios *k, const struct old_termio *old)
{
	const u32 high = 0xffff0000u;

	k->c_iflag = (k->c_iflag & high) | old->c_iflag;
	k->c_oflag = (k->c_oflag & high) | old->c_oflag;
	k->c_cflag = (k->c_cflag & high) | old->c_cflag;
	k->c_lflag = (k->c_lflag & high) | old->c_lflag;
	memcpy(k->c_cc, old->c_cc, sizeof(old->c_cc));
}

/* The new modes from the guest; size tells which of the three forms. */
static int termios_read(struct tty *tty, struct ktermios *k, u64 arg,
			size_t size)
{
	struct old_termio old;

	tty_lock(tty);
	*k = tty->termios;
	tty_unlock(tty);
	if (size != sizeof(old))
		return copy_from_user(k, arg, size);
	if (copy_from_user(&old, arg, sizeof(old)))
		return -EFAULT;
	termio_merge(k, &old);
	return 0;
}

/* Let a console's stream take what was written before. */
static int tty_drain(struct tty *tty)
{
	while (tty->console != HOST_NO_HANDLE) {
		bool empty;
		int err;

		tty_lock(tty);
		empty = console_drain(tty);
		tty_unlock(tty);
		if (empty)
			break;
		err = host_handle_wait(tty->console, HOST_POLL_OUT,
				       HOST_FOREVER);
		if (err)
			return err;
	}
	return 0;
}

static void keep_bits(u32 *now, u32 old, u32 locked)
{
	*now = (*now & ~locked) | (old & locked);
}

/* Of the new modes k, what is locked stays. Locked. */
static void keep_locked(const struct tty *tty, struct ktermios *k)
{
	const struct ktermios *old = &tty->termios, *l = &tty->locked;

	keep_bits(&k->c_iflag, old->c_iflag, l->c_iflag);
	keep_bits(&k->c_oflag, old->c_oflag, l->c_oflag);
	keep_bits(&k->c_cflag, old->c_cflag, l->c_cflag);
	keep_bits(&k->c_lflag, old->c_lflag, l->c_lflag);
	if (l->c_line)
		k->c_line = old->c_line;
	for (unsigned i = 0; i < ARRAY_SIZE(k->c_cc); i++)
		if (l->c_cc[i])
			k->c_cc[i] = old->c_cc[i];
}

enum { SET_NOW, SET_WAIT, SET_FLUSH };

static long termios_set(struct tty *tty, u64 arg, size_t size, int when)
{
	struct ktermios k;
	int err = tty_check_change(tty);

	if (!err)
		err = termios_read(tty, &k, arg, size);
	if (!err && when != SET_NOW)
		err = tty_drain(tty);
	if (err)
		return err;
	tty_lock(tty);
	if (tty->in_use) {
		if (when == SET_FLUSH)
			ldisc_flush_input(tty);
		keep_locked(tty, &k);
		ldisc_set_termios(tty, &k);
	} else {
		err = -EIO;
	}
	tty_unlock(tty);
	return err;
}

static long ioctl_locked(struct tty *tty, u32 cmd, u64 arg)
{
	const size_t size = sizeof(struct termios);
	struct ktermios k;
	long err = 0;

	tty_lock(tty);
	k = tty->locked;
	tty_unlock(tty);
	if (cmd == TIOCGLCKTRMIOS)
		return copy_to_user(arg, &k, size);
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = copy_from_user(&k, arg, size);
	if (!err) {
		tty_lock(tty);
		tty->locked = k;
		tty_unlock(tty);
	}
	return err;
}

static long ioctl_termios(struct tty *tty, u32 cmd, u64 arg)
{
	const size_t v1 = sizeof(struct termios), v2 = sizeof(struct termios2);
	const size_t v0 = sizeof(struct old_termio);

	switch (cmd) {
	case TCGETS: return termios_get(tty, arg, v1);
	case TCGETS2: return termios_get(tty, arg, v2);
	case TCGETA: return termio_get(tty, arg);
	case TCSETS: return termios_set(tty, arg, v1, SET_NOW);
	case TCSETSW: return termios_set(tty, arg, v1, SET_WAIT);
	case TCSETSF: return termios_set(tty, arg, v1, SET_FLUSH);
	case TCSETS2: return termios_set(tty, arg, v2, SET_NOW);
	case TCSETSW2: return termios_set(tty, arg, v2, SET_WAIT);
	case TCSETSF2: return termios_set(tty, arg, v2, SET_FLUSH);
	case TCSETA: return termios_set(tty, arg, v0, SET_NOW);
	case TCSETAW: return termios_set(tty, arg, v0, SET_WAIT);
	case TCSETAF: return termios_set(tty, arg, v0, SET_FLUSH);
	}
	return -ENOTTY;
}

/* ---- window size -------------------------------------------------------------------- */
void tty_set_winsize(struct tty *tty, const struct winsize *w)
{
	tty_lock(tty);
	if (memcmp(w, &tty->winsize, sizeof(*w))) {
		tty->winsize = *w;
		tty->signals |= SIGBIT(SIGWINCH);
	}
	tty_unlock(tty);
}

static long ioctl_winsize(struct tty *tty, u32 cmd, u64 arg)
{
	struct winsize w;

	if (cmd == TIOCSWINSZ) {
		if (copy_from_user(&w, arg, sizeof(w)))
			return -EFAULT;
		tty_set_winsize(tty, &w);
		return 0;
	}
	tty_lock(tty);
	w = tty->winsize;
	tty_unlock(tty);
	return copy_to_user(arg, &w, sizeof(w));
}

/* ---- flow, flushing, counts ------------------------------------------------------------ */
static void flush_output(struct tty *tty)
{
	out_flush(tty);
	tty_packet(tty, TIOCPKT_FLUSHWRITE, 0);
	waitq_wake(&tty->slave_wait, EPOLLOUT | EPOLLWRNORM);
}

static void flush_input(struct tty *tty)
{
	ldisc_flush_input(tty);
	waitq_wake(&tty->master_wait, EPOLLOUT | EPOLLWRNORM);
	if (tty->input_paused)
		console_resume(tty);
}

static long ioctl_flush(struct tty *tty, bool is_master, u64 arg)
{
	int err = is_master ? 0 : tty_check_change(tty);

	if (err)
		return err;
	if (arg > TCIOFLUSH)
		return -EINVAL;
	tty_lock(tty);
	/* The master's input is the slave's output. */
	if (arg == TCIOFLUSH || arg == (is_master ? TCOFLUSH : TCIFLUSH))
		flush_input(tty);
	if (arg == TCIOFLUSH || arg == (is_master ? TCIFLUSH : TCOFLUSH))
		flush_output(tty);
	tty_unlock(tty);
	return 0;
}

/* tcflow: TCIOFF and TCION send the character to the other end. */
static long ioctl_flow(struct tty *tty, u64 arg)
{
	int err = tty_check_change(tty);

	if (err)
		return err;
	tty_lock(tty);
	switch (arg) {
	case TCOOFF: ldisc_stop(tty); break;
	case TCOON: ldisc_start(tty); break;
	case TCIOFF: out_raw(tty, CC(tty, VSTOP)); break;
	case TCION: out_raw(tty, CC(tty, VSTART)); break;
	default: err = -EINVAL;
	}
	tty_unlock(tty);
	return err;
}

static long ioctl_readable(struct tty *tty, bool is_master, u64 arg)
{
	size_t n;

	tty_lock(tty);
	n = is_master ? out_used(tty) : tty->in_use ? ldisc_readable(tty) : 0;
	tty_unlock(tty);
	return put_user_u32(arg, (u32)n);
}

/* A break has no meaning here; only the wait of tcdrain does. */
static long ioctl_break(struct tty *tty, u32 cmd, u64 arg)
{
	int err = tty_check_change(tty);

	if (err || cmd != TCSBRK || !arg)
		return err;
	return tty_drain(tty);
}

/* ---- of the pair ------------------------------------------------------------------------ */
static long ioctl_packet(struct tty *tty, u64 arg)
{
	u32 on;

	if (get_user_u32(&on, arg))
		return -EFAULT;
	tty_lock(tty);
	if (on && !tty->has_packet_mode)
		tty->packet_status = 0;
	tty->has_packet_mode = on != 0;
	tty_unlock(tty);
	return 0;
}

static long ioctl_lock(struct tty *tty, u64 arg)
{
	u32 on;

	if (get_user_u32(&on, arg))
		return -EFAULT;
	tty->is_locked = on != 0;
	return 0;
}

static long ioctl_signal(struct tty *tty, u64 sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	tty_lock(tty);
	if (!L_FLAG(tty, NOFLSH)) {
		out_flush(tty);
		ldisc_flush_input(tty);
	}
	tty->signals |= SIGBIT(sig);
	tty_unlock(tty);
	return 0;
}

static long ioctl_master(struct tty *tty, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGPTN: return put_user_u32(arg, tty->number);
	case TIOCSPTLCK: return ioctl_lock(tty, arg);
	case TIOCGPTLCK: return put_user_u32(arg, tty->is_locked);
	case TIOCGPTPEER: return pty_peer_open(tty, (u32)arg);
	case TIOCPKT: return ioctl_packet(tty, arg);
	case TIOCGPKT: return put_user_u32(arg, tty->has_packet_mode);
	case TIOCSIG: return ioctl_signal(tty, arg);
	}
	return -ENOTTY;
}

static long ioctl_exclusive(struct tty *tty, u32 cmd, u64 arg)
{
	if (cmd == TIOCGEXCL)
		return put_user_u32(arg, tty->is_exclusive);
	tty->is_exclusive = cmd == TIOCEXCL;
	return 0;
}

static long ioctl_discipline(u32 cmd, u64 arg)
{
	u32 n;

	if (cmd == TIOCGETD)
		return put_user_u32(arg, 0); /* N_TTY */
	if (get_user_u32(&n, arg))
		return -EFAULT;
	return n == 0 ? 0 : -EINVAL;
}

long tty_ioctl(struct tty *tty, struct file *f, bool is_master, u32 cmd,
	       u64 arg)
{
	switch (cmd) {
	case TIOCSCTTY: case TIOCNOTTY: case TIOCGPGRP: case TIOCSPGRP:
	case TIOCGSID:
		return tty_ioctl_session(tty, f, is_master, cmd, arg);
	case TIOCGWINSZ: case TIOCSWINSZ:
		return ioctl_winsize(tty, cmd, arg);
	case TCFLSH: return ioctl_flush(tty, is_master, arg);
	case TCXONC: return ioctl_flow(tty, arg);
	case TCSBRK: case TCSBRKP: case TIOCSBRK: case TIOCCBRK:
		return ioctl_break(tty, cmd, arg);
	case FIONREAD: return ioctl_readable(tty, is_master, arg);
	case TIOCOUTQ: return put_user_u32(arg, 0); /* as Linux's ptys say */
	case TIOCEXCL: case TIOCNXCL: case TIOCGEXCL:
		return ioctl_exclusive(tty, cmd, arg);
	case TIOCGETD: case TIOCSETD: return ioctl_discipline(cmd, arg);
	case TIOCGLCKTRMIOS: case TIOCSLCKTRMIOS:
		return ioctl_locked(tty, cmd, arg);
	case TIOCGSOFTCAR: return put_user_u32(arg, 0);
	case TIOCSTI: return -EIO; /* typing for others: refused */
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(tty, false);
		return 0;
	}
	if (is_master) {
		long r = ioctl_master(tty, cmd, arg);

		if (r != -ENOTTY)
			return r;
	}
	return ioctl_termios(tty, cmd, arg);
}
