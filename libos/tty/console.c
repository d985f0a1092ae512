/*
 * console.c - terminals whose other end is a stream of the host: what
 * `bailey run -t` shows.
 *
 * The stream carries bytes both ways.  The service thread reads it and types
 * what comes into the line discipline; whoever writes to the slave sends to
 * the stream at once, echo included.  When the ring is full of unread input
 * nobody watches the stream until a reader has made room.
 */
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/save.h>
#include <libos/task.h>

#include "pty.h"

static u32 first_console = UINT32_MAX;

u32 console_first(void) { return first_console; }

bool console_drain(struct tty *tty)
{
	while (out_used(tty) > 0) {
		u32 at = tty->out_tail & (TTY_OUTPUT_SIZE - 1);
		struct host_iovec iov = {
			tty->output + at,
			MIN(out_used(tty), (size_t)(TTY_OUTPUT_SIZE - at)),
		};
		s64 n = host_stream_write(tty->console, &iov, 1,
					  HOST_NO_OFFSET);

		if (n == -HOST_EAGAIN || n == -HOST_EINTR)
			return false;
		if (n <= 0) /* nobody is there any more: as if it was read */
			n = (s64)iov.size;
		tty->out_tail += (u32)n;
	}
	out_flush(tty);
	return true;
}

/* The stream is over: the terminal hangs up. */
static void console_gone(struct tty *tty)
{
	host_handle h;

	tty_lock(tty);
	h = tty->console;
	tty->console = HOST_NO_HANDLE;
	tty_unlock(tty);
	if (h == HOST_NO_HANDLE)
		return;
	tty_hangup(tty, true);
	pty_master_gone(tty);
	host_stream_close(h);
}

/* On the service thread.  False: watch no more. */
static bool console_readable(void *arg, u32 events)
{
	struct tty *tty = arg;
	u8 buf[1024];
	s64 n = 0;
	size_t room;

	tty_lock(tty);
	if (tty->console == HOST_NO_HANDLE) {
		tty_unlock(tty);
		return false;
	}
	room = ldisc_room(tty);
	if (room > 0) {
		struct host_iovec iov = { buf, MIN(room, sizeof(buf)) };

		n = host_stream_read(tty->console, &iov, 1, HOST_NO_OFFSET);
		if (n > 0)
			ldisc_receive(tty, buf, (size_t)n);
	} else {
		tty->input_paused = true;
	}
	tty_unlock(tty);
	if (room == 0)
		return false;
	if (n > 0 || n == -HOST_EAGAIN || n == -HOST_EINTR)
		return true;
	console_gone(tty);
	return false;
}

void console_resume(struct tty *tty)
{
	if (!tty->input_paused || tty->console == HOST_NO_HANDLE)
		return;
	tty->input_paused = false;
	service_watch(tty->console, HOST_POLL_IN, console_readable, tty);
}

struct file *console_open(host_handle h, u32 rows, u32 columns,
			  u32 *console_number)
{
	struct tty *tty = pty_alloc();
	struct file *f;

	if (is_err(tty))
		return err_ptr(ptr_err(tty));
	tty->winsize.ws_row = (u16)rows;
	tty->winsize.ws_col = (u16)columns;
	tty->termios.c_iflag |= IUTF8;
	f = pty_slave_file(tty, O_RDWR | O_NOCTTY);
	if (is_err(f)) {
		pty_master_gone(tty);
		return f;
	}
	tty->console = h;
	if (first_console == UINT32_MAX)
		first_console = tty->number;
	if (console_number)
		*console_number = tty->number;
	service_watch(h, HOST_POLL_IN, console_readable, tty);
	return f;
}

/* ---- after a resume: no console has its stream any more -------------------- */
void console_resumed(host_handle h, u32 rows, u32 columns)
{
	int n;

	for (n = pty_next(0); n >= 0; n = pty_next((u32)n + 1)) {
		struct tty *tty = pty_find((u32)n);

		if (!tty || tty->console == HOST_NO_HANDLE)
			continue;
		tty->console = HOST_NO_HANDLE;
		if ((u32)n != first_console) {
			tty_hangup(tty, true);
			pty_master_gone(tty);
		} else if (h != HOST_NO_HANDLE) {
			tty->console = h;
			tty->input_paused = false;
			service_watch(h, HOST_POLL_IN, console_readable, tty);
			if (rows && columns)
				console_resize((u32)n, rows, columns);
		}
	}
}

void console_resize(u32 number, u32 rows, u32 columns)
{
	struct tty *tty = pty_find(number);
	struct winsize w;

	if (!tty)
		return;
	memset(&w, 0, sizeof(w));
	w.ws_row = (u16)rows;
	w.ws_col = (u16)columns;
	tty_set_winsize(tty, &w);
}

void console_hangup(u32 number)
{
	struct tty *tty = pty_find(number);

	if (tty && tty->console != HOST_NO_HANDLE)
		console_gone(tty);
}
