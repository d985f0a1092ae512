/*
 * ldisc.c - the line discipline N_TTY: what becomes of typed characters.
 *
 * Input lies in a ring of TTY_INPUT_SIZE bytes [tail, head); the positions
 * count for ever.  In canonical mode [tail, canon_head) is complete lines,
 * and a bit beside the ring marks each byte that ends one: '\n', EOL, or EOF
 * stored as a zero byte.  Everything here wants tty->lock.
 */
#include <libos/heap.h>
#include <libos/signal.h>

#include "pty.h"

#define EOF_BYTE 0 /* with its mark set: the EOF character */

static u8 *mark_byte(const struct tty *tty, u32 pos)
{
	pos &= TTY_INPUT_SIZE - 1;
	return tty->input + TTY_INPUT_SIZE + pos / 8;
}

bool ldisc_ends_line(const struct tty *tty, u32 pos)
{
	return *mark_byte(tty, pos) >> (pos & 7) & 1;
}

static void mark_set(struct tty *tty, u32 pos)
{
	*mark_byte(tty, pos) |= (u8)(1 << (pos & 7));
}

static void mark_clear(struct tty *tty, u32 pos)
{
	*mark_byte(tty, pos) &= (u8)~(1 << (pos & 7));
}

static bool has_canon(const struct tty *tty)
{
	return L_FLAG(tty, ICANON) && !L_FLAG(tty, EXTPROC);
}

size_t ldisc_room(const struct tty *tty)
{
	size_t used = tty->head - tty->tail;
	size_t room = used < TTY_INPUT_SIZE - 1 ? TTY_INPUT_SIZE - 1 - used : 0;

	/* Without a whole line a reader could never make room: the last
	 * character is written over until the line ends. */
	if (!room && L_FLAG(tty, ICANON) && tty->canon_head == tty->tail)
		return 1;
	return room;
}

static void input_put(struct tty *tty, u8 c, bool ends_line)
{
	if (tty->head - tty->tail >= TTY_INPUT_SIZE - 1)
		tty->head--;
	tty->input[tty->head & (TTY_INPUT_SIZE - 1)] = c;
	if (ends_line)
		mark_set(tty, tty->head);
	else
		mark_clear(tty, tty->head);
	tty->head++;
	if (ends_line)
		tty->canon_head = tty->head;
	if (ends_line || !L_FLAG(tty, ICANON))
		tty->has_new_input = true;
}

void ldisc_flush_input(struct tty *tty)
{
	tty->tail = tty->head = tty->canon_head = 0;
	tty->pushed = tty->erasing = tty->next_literal = false;
	tty_packet(tty, TIOCPKT_FLUSHREAD, 0);
}

void ldisc_start(struct tty *tty)
{
	if (!tty->is_stopped)
		return;
	tty->is_stopped = false;
	tty_packet(tty, TIOCPKT_START, TIOCPKT_STOP);
	waitq_wake(&tty->slave_wait, EPOLLOUT | EPOLLWRNORM);
}

void ldisc_stop(struct tty *tty)
{
	if (tty->is_stopped)
		return;
	tty->is_stopped = true;
	tty_packet(tty, TIOCPKT_STOP, TIOCPKT_START);
}

/* ---- one character -------------------------------------------------------- */
static bool is_cc(const struct tty *tty, int index, u8 c)
{
	return c == CC(tty, index) && c != 0; /* 0: _POSIX_VDISABLE */
}

static bool receive_flow(struct tty *tty, u8 c)
{
	if (!I_FLAG(tty, IXON))
		return false;
	if (is_cc(tty, VSTART, c))
		ldisc_start(tty);
	else if (is_cc(tty, VSTOP, c))
		ldisc_stop(tty);
	else
		return false;
	return true;
}

static bool receive_signal(struct tty *tty, u8 c)
{
	int sig = 0;

	if (!L_FLAG(tty, ISIG))
		return false;
	if (is_cc(tty, VINTR, c))
		sig = SIGINT;
	else if (is_cc(tty, VQUIT, c))
		sig = SIGQUIT;
	else if (is_cc(tty, VSUSP, c))
		sig = SIGTSTP;
	if (!sig)
		return false;
	tty->signals |= SIGBIT(sig);
	if (!L_FLAG(tty, NOFLSH)) {
		out_flush(tty);
		tty_packet(tty, TIOCPKT_FLUSHWRITE, 0);
		ldisc_flush_input(tty);
	}
	if (I_FLAG(tty, IXON))
		ldisc_start(tty);
	if (L_FLAG(tty, ECHO))
		echo_char(tty, c);
	return true;
}

static void receive_reprint(struct tty *tty, u8 c)
{
	echo_finish_erasing(tty);
	echo_char(tty, c);
	out_char(tty, '\n');
	for (u32 at = tty->canon_head; at != tty->head; at++)
		echo_char(tty, tty->input[at & (TTY_INPUT_SIZE - 1)]);
}

/* The characters that end a line. */
static bool receive_line_end(struct tty *tty, u8 c)
{
	if (c == '\n') {
		if (L_FLAG(tty, ECHO) || L_FLAG(tty, ECHONL))
			out_char(tty, '\n');
	} else if (is_cc(tty, VEOF, c)) {
		c = EOF_BYTE;
	} else if (is_cc(tty, VEOL, c) ||
		   (is_cc(tty, VEOL2, c) && L_FLAG(tty, IEXTEN))) {
		if (L_FLAG(tty, ECHO))
			echo_char(tty, c);
	} else {
		return false;
	}
	input_put(tty, c, true);
	return true;
}

static bool receive_editing(struct tty *tty, u8 c)
{
	bool extended = L_FLAG(tty, IEXTEN);

	if (is_cc(tty, VERASE, c) || is_cc(tty, VKILL, c) ||
	    (is_cc(tty, VWERASE, c) && extended)) {
		echo_erase(tty, c);
		return true;
	}
	if (is_cc(tty, VLNEXT, c) && extended) {
		tty->next_literal = true;
		if (L_FLAG(tty, ECHO)) {
			echo_finish_erasing(tty);
			if (L_FLAG(tty, ECHOCTL)) {
				out_char(tty, '^');
				out_char(tty, '\b');
			}
		}
		return true;
	}
	if (is_cc(tty, VREPRINT, c) && L_FLAG(tty, ECHO) && extended) {
		receive_reprint(tty, c);
		return true;
	}
	return receive_line_end(tty, c);
}

static void receive_plain(struct tty *tty, u8 c)
{
	if (L_FLAG(tty, ECHO)) {
		echo_finish_erasing(tty);
		if (tty->canon_head == tty->head)
			tty->canon_column = tty->column;
		if (c == '\n')
			out_char(tty, '\n');
		else
			echo_char(tty, c);
	}
	if (c == 0xff && I_FLAG(tty, PARMRK))
		input_put(tty, c, false);
	input_put(tty, c, false);
}

static void receive_char(struct tty *tty, u8 c)
{
	if (I_FLAG(tty, ISTRIP))
		c &= 0x7f;
	if (I_FLAG(tty, IUCLC) && L_FLAG(tty, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (u8)(c - 'A' + 'a');
	if (L_FLAG(tty, EXTPROC)) {
		input_put(tty, c, false);
		return;
	}
	if (tty->next_literal) {
		tty->next_literal = false;
		receive_plain(tty, c);
		return;
	}
	if (receive_flow(tty, c) || receive_signal(tty, c))
		return;
	if (tty->is_stopped && I_FLAG(tty, IXON) && I_FLAG(tty, IXANY))
		ldisc_start(tty);
	if (c == '\r') {
		if (I_FLAG(tty, IGNCR))
			return;
		if (I_FLAG(tty, ICRNL))
			c = '\n';
	} else if (c == '\n' && I_FLAG(tty, INLCR)) {
		c = '\r';
	}
	if (L_FLAG(tty, ICANON) && receive_editing(tty, c))
		return;
	receive_plain(tty, c);
}

size_t ldisc_receive(struct tty *tty, const u8 *p, size_t n)
{
	size_t done = 0;

	for (; done < n && ldisc_room(tty) > 0; done++)
		receive_char(tty, p[done]);
	return done;
}

/* ---- reading --------------------------------------------------------------- */
bool ldisc_has_input(const struct tty *tty, bool for_poll)
{
	u32 least = 1;

	if (has_canon(tty))
		return tty->canon_head != tty->tail;
	if (for_poll && !CC(tty, VTIME) && CC(tty, VMIN))
		least = CC(tty, VMIN);
	return tty->head - tty->tail >= least;
}

size_t ldisc_readable(const struct tty *tty)
{
	size_t n = tty->canon_head - tty->tail;

	if (!has_canon(tty))
		return tty->head - tty->tail;
	for (u32 at = tty->tail; at != tty->canon_head; at++) {
		if (ldisc_ends_line(tty, at) &&
		    tty->input[at & (TTY_INPUT_SIZE - 1)] == EOF_BYTE)
			n--;
	}
	return n;
}

static bool is_eof_mark(const struct tty *tty)
{
	return tty->tail != tty->canon_head && !tty->pushed &&
	       ldisc_ends_line(tty, tty->tail) &&
	       tty->input[tty->tail & (TTY_INPUT_SIZE - 1)] == EOF_BYTE;
}

/* Up to n bytes of the first line; *end when it is over. */
static size_t take_line(struct tty *tty, u8 *to, size_t n, bool *end)
{
	size_t done = 0;

	*end = false;
	while (!*end && tty->tail != tty->canon_head) {
		if (is_eof_mark(tty)) {
			tty->tail++;
			*end = true;
			break;
		}
		if (done == n)
			break;
		to[done++] = tty->input[tty->tail & (TTY_INPUT_SIZE - 1)];
		if (ldisc_ends_line(tty, tty->tail)) {
			*end = true;
			tty->pushed = false;
		}
		tty->tail++;
	}
	return done;
}

size_t ldisc_take(struct tty *tty, u8 *to, size_t n, bool *end)
{
	size_t done = 0;

	if (has_canon(tty))
		return take_line(tty, to, n, end);
	while (done < n && tty->tail != tty->head)
		to[done++] = tty->input[tty->tail++ & (TTY_INPUT_SIZE - 1)];
	*end = tty->tail == tty->head;
	if ((s32)(tty->canon_head - tty->tail) < 0)
		tty->canon_head = tty->tail;
	return done;
}

/* ---- modes ------------------------------------------------------------------ */
/* Going between raw and canonical: what is there already becomes a line. */
static void change_mode(struct tty *tty)
{
	memset(tty->input + TTY_INPUT_SIZE, 0, TTY_INPUT_SIZE / 8);
	tty->pushed = tty->next_literal = tty->erasing = false;
	tty->canon_head = tty->tail;
	if (L_FLAG(tty, ICANON) && tty->head != tty->tail) {
		mark_set(tty, tty->head - 1);
		tty->canon_head = tty->head;
		tty->pushed = true;
	}
}

static void packet_for_modes(struct tty *tty, const struct ktermios *old)
{
	bool was = (old->c_iflag & IXON) && old->c_cc[VSTOP] == 023 &&
		   old->c_cc[VSTART] == 021;
	bool is = I_FLAG(tty, IXON) && CC(tty, VSTOP) == 023 &&
		  CC(tty, VSTART) == 021;
	bool extproc = (old->c_lflag | tty->termios.c_lflag) & EXTPROC;

	if (was != is)
		tty_packet(tty, is ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP,
			   TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
	if (extproc)
		tty_packet(tty, TIOCPKT_IOCTL, 0);
}

void ldisc_set_termios(struct tty *tty, const struct ktermios *new)
{
	struct ktermios old = tty->termios;

	tty->termios = *new;
	/* A pseudo-terminal has eight bits, and reads. */
	tty->termios.c_cflag &= ~(u32)(CSIZE | PARENB);
	tty->termios.c_cflag |= CS8 | CREAD;
	if ((old.c_lflag ^ new->c_lflag) & (ICANON | EXTPROC))
		change_mode(tty);
	if (!I_FLAG(tty, IXON) && (old.c_iflag & IXON))
		ldisc_start(tty);
	packet_for_modes(tty, &old);
	tty->has_new_input = true; /* readers look again */
}
