/*
 * tty.h - terminals: pseudo-terminal pairs and the consoles made of them.
 *
 * A struct tty is a pair: the slave (/dev/pts/N) with its line discipline,
 * and the master (an open of /dev/ptmx), or, for a console, a host stream in
 * the master's place.  Structures are never freed, only used again, so a
 * stale proc->tty is harmless: it counts only while tty->session is the
 * process's session.
 *
 * Locks: tty->lock guards everything but where said.  No signal is sent
 * under it: the line discipline notes them in `signals` and tty_unlock()
 * sends them.
 */
#ifndef LIBOS_TTY_H
#define LIBOS_TTY_H

#include <bailey/host_abi.h>
#include <libos/base.h>
#include <libos/lock.h>

#include <asm/termbits.h>
#include <asm/termios.h>

struct file;
struct inode;
struct proc;

#define TTY_MAX 1024
#define TTY_PTS_MAJOR 136
#define TTY_INPUT_SIZE 4096u   /* power of two */
#define TTY_OUTPUT_SIZE 65536u /* power of two */
#define TTY_OUTPUT_ROOM 61440u /* what writers may fill: echo has the rest */

struct tty {
	u32 number;                 /* N of /dev/pts/N; set once */
	struct mutex lock;
	bool in_use;                /* tty_table_lock */
	bool is_locked;             /* TIOCSPTLCK */
	bool is_exclusive, is_stopped, has_packet_mode;
	bool master_open;           /* or a console's stream still there */
	bool input_paused;          /* console: nobody watches the stream */
	bool has_new_input, has_new_output; /* wake others at tty_unlock */
	bool other_closed;          /* no slave open any more, but was */
	u8 packet_status;           /* TIOCPKT_* to tell the master */
	host_handle console;        /* the stream, or HOST_NO_HANDLE */
	u32 generation;             /* slave files of older ones are hung up */
	u32 slave_count;            /* open slave files of this generation */
	s32 session, foreground;    /* 0: none */
	u64 signals;                /* to send to foreground at tty_unlock */
	struct ktermios termios;
	struct ktermios locked;     /* TIOCSLCKTRMIOS: bits that stay */
	struct winsize winsize;
	struct inode *inode;        /* of /dev/pts/N */
	struct waitq slave_wait;    /* input came, or room for output */
	struct waitq master_wait;   /* output came, or room for input */

	/* Line discipline.  Positions count for ever; masked when used. */
	u8 *input;                  /* TTY_INPUT_SIZE, then a bit for each:
	                             * it ends a line */
	u32 head, tail;             /* written, read */
	u32 canon_head;             /* end of the complete lines */
	bool pushed;                /* the last mark came from leaving raw */
	bool next_literal, erasing; /* LNEXT; in ECHOPRT's \.../ */
	u32 column, canon_column;   /* of the output; where the line began */

	u8 *output;                 /* ring, NULL until first used */
	u32 out_head, out_tail;
};

/* ---- for the rest of the library OS -------------------------------------- */
/* A console: a terminal whose other end is a host stream.  The file is a
 * slave open for reading and writing; err_ptr on failure. */
struct file *console_open(host_handle h, u32 rows, u32 columns,
			  u32 *console_number);
void console_resize(u32 number, u32 rows, u32 columns);
void console_hangup(u32 number);
struct tty *tty_of_file(struct file *f); /* slave or master file, or NULL */
/* Make it the controlling terminal of p, a session leader, and p's group
 * the foreground. */
void tty_set_controlling(struct proc *p, struct tty *tty);
/* p, a session leader, exits: hang its terminal up. tasklist_lock free. */
void tty_session_leader_exit(struct proc *p);
/* The terminal that really is p's, or NULL. */
struct tty *tty_of_proc(struct proc *p);

#endif
