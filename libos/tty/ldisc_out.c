/*
 * ldisc_out.c - what a terminal sends: output processing (OPOST and its
 * friends), the ring towards the master, and echo.
 *
 * Writers fill the ring only to TTY_OUTPUT_ROOM; the rest is kept for echo,
 * which is dropped when even that is full.  Everything here wants tty->lock.
 */
#include <libos/heap.h>

#include "pty.h"

static bool is_control(u8 c) { return c < 0x20 || c == 0x7f; }
static bool is_continuation(const struct tty *tty, u8 c)
{
	return I_FLAG(tty, IUTF8) && (c & 0xc0) == 0x80;
}

size_t out_used(const struct tty *tty)
{
	return tty->out_head - tty->out_tail;
}

size_t out_room(const struct tty *tty)
{
	size_t used = out_used(tty);

	return used < TTY_OUTPUT_ROOM ? TTY_OUTPUT_ROOM - used : 0;
}

void out_raw(struct tty *tty, u8 c)
{
	if (!tty->output) {
		tty->output = page_alloc(TTY_OUTPUT_SIZE / PAGE_SIZE);
		if (!tty->output)
			return;
	}
	if (out_used(tty) >= TTY_OUTPUT_SIZE)
		return;
	tty->output[tty->out_head++ & (TTY_OUTPUT_SIZE - 1)] = c;
	tty->has_new_output = true;
}

static void out_newline(struct tty *tty)
{
	if (O_FLAG(tty, ONLRET))
		tty->column = 0;
	if (O_FLAG(tty, ONLCR)) {
		tty->column = 0;
		out_raw(tty, '\r');
	}
	tty->canon_column = tty->column;
	out_raw(tty, '\n');
}

static void out_return(struct tty *tty)
{
	if (O_FLAG(tty, ONOCR) && tty->column == 0)
		return;
	if (O_FLAG(tty, OCRNL)) {
		if (O_FLAG(tty, ONLRET))
			tty->canon_column = tty->column = 0;
		out_raw(tty, '\n');
		return;
	}
	tty->canon_column = tty->column = 0;
	out_raw(tty, '\r');
}

static void out_tab(struct tty *tty)
{
	u32 spaces = 8 - (tty->column & 7);

	tty->column += spaces;
	if (O_FLAG(tty, TABDLY) != XTABS) {
		out_raw(tty, '\t');
		return;
	}
	while (spaces--)
		out_raw(tty, ' ');
}

void out_char(struct tty *tty, u8 c)
{
	if (!O_FLAG(tty, OPOST)) {
		out_raw(tty, c);
		return;
	}
	switch (c) {
	case '\n': out_newline(tty); return;
	case '\r': out_return(tty); return;
	case '\t': out_tab(tty); return;
	case '\b':
		if (tty->column > 0)
			tty->column--;
		break;
	default:
		if (is_control(c))
			break;
		if (O_FLAG(tty, OLCUC) && c >= 'a' && c <= 'z')
			c = (u8)(c - 'a' + 'A');
		if (!is_continuation(tty, c))
			tty->column++;
	}
	out_raw(tty, c);
}

size_t out_write(struct tty *tty, const u8 *p, size_t n)
{
	size_t done = 0;

	/* 8: what a tab may become */
	for (; done < n && out_room(tty) >= 8; done++)
		out_char(tty, p[done]);
	return done;
}

size_t out_take(struct tty *tty, u8 *to, size_t n)
{
	size_t done = 0, used = out_used(tty);

	n = MIN(n, used);
	while (done < n) {
		u32 at = tty->out_tail & (TTY_OUTPUT_SIZE - 1);
		size_t part = MIN(n - done, (size_t)(TTY_OUTPUT_SIZE - at));

		memcpy(to + done, tty->output + at, part);
		tty->out_tail += (u32)part;
		done += part;
	}
	if (tty->out_tail == tty->out_head) /* touch few pages */
		tty->out_tail = tty->out_head = 0;
	return done;
}

void out_flush(struct tty *tty)
{
	tty->out_tail = tty->out_head = 0;
}

/* ---- echo ---------------------------------------------------------------- */
void echo_char(struct tty *tty, u8 c)
{
	if (L_FLAG(tty, ECHOCTL) && is_control(c) && c != '\t') {
		out_raw(tty, '^');
		out_raw(tty, c ^ 0100);
		tty->column += 2;
		return;
	}
	out_char(tty, c);
}

void echo_finish_erasing(struct tty *tty)
{
	if (tty->erasing)
		out_char(tty, '/');
	tty->erasing = false;
}

static void echo_back(struct tty *tty)
{
	out_char(tty, '\b');
	out_char(tty, ' ');
	out_char(tty, '\b');
}

static u8 input_at(const struct tty *tty, u32 pos)
{
	return tty->input[pos & (TTY_INPUT_SIZE - 1)];
}

/* Rub a tab out: how wide it was follows from what stands before it. */
static void echo_erase_tab(struct tty *tty)
{
	u32 width = 0;
	bool after_tab = false;

	for (u32 at = tty->head; at != tty->canon_head && !after_tab;) {
		u8 c = input_at(tty, --at);

		if (c == '\t')
			after_tab = true;
		else if (is_control(c))
			width += L_FLAG(tty, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(tty, c))
			width++;
	}
	if (!after_tab)
		width += tty->canon_column;
	for (u32 back = 8 - (width & 7); back > 0; back--)
		out_char(tty, '\b');
}

/* Show that the character c (of count bytes, now at tty->head) is gone. */
static void echo_erase_one(struct tty *tty, u8 c, u32 count, bool one)
{
	if (L_FLAG(tty, ECHOPRT)) {
		if (!tty->erasing)
			out_char(tty, '\\');
		tty->erasing = true;
		echo_char(tty, c);
		for (u32 i = 1; i < count; i++)
			out_char(tty, input_at(tty, tty->head + i));
	} else if (one && !L_FLAG(tty, ECHOE)) {
		echo_char(tty, CC(tty, VERASE));
	} else if (c == '\t') {
		echo_erase_tab(tty);
	} else {
		if (is_control(c) && L_FLAG(tty, ECHOCTL))
			echo_back(tty);
		if (!is_control(c) || L_FLAG(tty, ECHOCTL))
			echo_back(tty);
	}
}

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* KILL where the line cannot be rubbed out.  True if that did it. */
static bool echo_kill_plainly(struct tty *tty)
{
	if (L_FLAG(tty, ECHO) && L_FLAG(tty, ECHOK) && L_FLAG(tty, ECHOKE) &&
	    L_FLAG(tty, ECHOE))
		return false;
	tty->head = tty->canon_head;
	if (!L_FLAG(tty, ECHO))
		return true;
	echo_finish_erasing(tty);
	echo_char(tty, CC(tty, VKILL));
	if (L_FLAG(tty, ECHOK))
		out_char(tty, '\n');
	return true;
}

void echo_erase(struct tty *tty, u8 typed)
{
	bool one = typed == CC(tty, VERASE);
	bool word = !one && typed == CC(tty, VWERASE) && L_FLAG(tty, IEXTEN);
	bool seen_word = false;

	if (tty->head == tty->canon_head)
		return;
	if (!one && !word && echo_kill_plainly(tty))
		return;
	while (tty->head != tty->canon_head) {
		u32 at = tty->head, count;
		u8 c;

		do {
			c = input_at(tty, --at);
		} while (is_continuation(tty, c) && at != tty->canon_head);
		if (is_continuation(tty, c))
			break;
		if (word && is_word(c))
			seen_word = true;
		else if (word && seen_word)
			break;
		count = tty->head - at;
		tty->head = at;
		if (L_FLAG(tty, ECHO))
			echo_erase_one(tty, c, count, one);
		if (one)
			break;
	}
	if (tty->head == tty->canon_head && L_FLAG(tty, ECHO))
		echo_finish_erasing(tty);
}
