/*
 * pty.h - inside the terminal code and devfs: what its files offer each
 * other.  Functions whose comment says "locked" want tty->lock held.
 */
#ifndef LIBOS_TTY_PTY_H
#define LIBOS_TTY_PTY_H

#include <libos/file.h>
#include <libos/poll.h>
#include <libos/tty.h>

#include <asm/ioctls.h>

#define DEV_TTY_GID 5 /* Debian's group "tty" */

#define I_FLAG(t, f) ((t)->termios.c_iflag & (f))
#define O_FLAG(t, f) ((t)->termios.c_oflag & (f))
#define L_FLAG(t, f) ((t)->termios.c_lflag & (f))
#define CC(t, i) ((t)->termios.c_cc[i])

/* Private part of an open slave. */
struct tty_file {
	struct tty *tty;
	u32 generation;
};

/* ---- pty.c: opening, master side ----------------------------------------- */
int pty_open_current(struct file *f);           /* /dev/tty */
int pty_open_console(struct file *f);           /* /dev/console */
int pty_open_master(struct file *f);            /* /dev/ptmx */
int pty_open_slave(u32 number, struct file *f); /* /dev/pts/N */
struct inode *pty_inode(u32 number);            /* referenced, or NULL */
struct inode *devpts_inode(u32 number);         /* devpts.c: a new node */
/* The smallest number >= from that is in use, or -1: for readdir. */
int pty_next(u32 from);
struct tty *pty_alloc(void);                    /* pair, no inode yet */
void pty_master_gone(struct tty *tty);          /* hang up and free */
struct tty *pty_find(u32 number);
long pty_peer_open(struct tty *tty, u32 flags); /* TIOCGPTPEER */
struct file *pty_slave_file(struct tty *tty, u32 flags);
extern const struct file_ops pty_master_ops;

/* ---- slave.c: reading and writing the slave ------------------------------ */
extern const struct file_ops pty_slave_ops;
bool slave_is_hung_up(const struct tty_file *tf);

/* ---- ldisc.c: characters in ---------------------------------------------- */
/* Feed up to n bytes, as if typed; how many were taken.  Locked. */
size_t ldisc_receive(struct tty *tty, const u8 *p, size_t n);
size_t ldisc_room(const struct tty *tty);       /* locked; 0: reader is slow */
size_t ldisc_readable(const struct tty *tty);   /* locked: bytes for FIONREAD */
bool ldisc_has_input(const struct tty *tty, bool for_poll);
size_t ldisc_take(struct tty *tty, u8 *to, size_t n, bool *end);
void ldisc_flush_input(struct tty *tty);
void ldisc_set_termios(struct tty *tty, const struct ktermios *new);
void ldisc_start(struct tty *tty);              /* flow control, locked */
void ldisc_stop(struct tty *tty);
bool ldisc_ends_line(const struct tty *tty, u32 pos);

/* ---- ldisc_out.c: characters out ----------------------------------------- */
size_t out_used(const struct tty *tty);
size_t out_room(const struct tty *tty);         /* for writers */
/* Process and queue up to n bytes; how many were taken.  Locked. */
size_t out_write(struct tty *tty, const u8 *p, size_t n);
void out_raw(struct tty *tty, u8 c);            /* no processing */
void out_char(struct tty *tty, u8 c);           /* OPOST */
size_t out_take(struct tty *tty, u8 *to, size_t n);
void out_flush(struct tty *tty);
void echo_char(struct tty *tty, u8 c);
void echo_erase(struct tty *tty, u8 c);         /* ERASE, KILL, WERASE typed */
void echo_finish_erasing(struct tty *tty);

/* ---- session.c: job control ---------------------------------------------- */
/* Take, and leave sending the noted signals. */
void tty_lock(struct tty *tty);
void tty_unlock(struct tty *tty);
/* 0, or -EIO, -ERESTARTSYS: may the caller read / change the terminal? */
int tty_check_read(struct tty *tty);
int tty_check_change(struct tty *tty);
void tty_acquire_on_open(struct tty *tty, struct file *f);
void tty_hangup(struct tty *tty, bool session_exits);
long tty_ioctl_session(struct tty *tty, struct file *f, bool is_master,
		       u32 cmd, u64 arg);

/* ---- ioctl.c -------------------------------------------------------------- */
long tty_ioctl(struct tty *tty, struct file *f, bool is_master, u32 cmd,
	       u64 arg);
void tty_set_winsize(struct tty *tty, const struct winsize *w);
/* Tell a master in packet mode.  Locked. */
void tty_packet(struct tty *tty, u8 set, u8 clear);

/* ---- console.c ------------------------------------------------------------ */
/* Send what is queued to the console's stream. Locked.  False: it is full. */
bool console_drain(struct tty *tty);
/* Input has room again. Locked. */
void console_resume(struct tty *tty);
u32 console_first(void);                        /* number, or UINT32_MAX */

#endif
