/*
 * session.c - see session.h.  One poll loop; what cannot be written at once
 * waits in a small buffer, and its source is not read meanwhile.
 */
#include "cli/session.h"
#include "cli/cli.h"

#include <bailey/sandbox.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream { /* bytes on their way from one descriptor to another */
	int from, to; /* from is -1 at its end */
	size_t size, done;
	char bytes[16384];
};

static sigset_t mask_before;

static void handled_signals(sigset_t *set)
{
	static const int list[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
		SIGUSR2, SIGWINCH, SIGALRM, SIGCONT };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		sigaddset(set, list[i]);
}

void session_prepare(void)
{
	sigset_t set;

	handled_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &mask_before);
}

void session_restore_signals(void)
{
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* ---- streams --------------------------------------------------------------- */
/* False when the reader is gone. */
static bool stream_write(struct stream *s)
{
	while (s->done < s->size) {
		ssize_t n = write(s->to, s->bytes + s->done,
				  s->size - s->done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		s->done += (size_t)n;
	}
	s->done = s->size = 0;
	return true;
}

static void stream_read(struct stream *s)
{
	ssize_t n = read(s->from, s->bytes, sizeof(s->bytes));

	if (n > 0)
		s->size = (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		s->from = -1;
	if (n > 0 && !stream_write(s))
		s->from = -1;
}

/* ---- control messages ------------------------------------------------------- */
static void send_window(const struct session *s)
{
	struct control_msg m = { .op = CTL_WINDOW, .token = s->token };
	uint32_t rows, columns;

	terminal_size(&rows, &columns);
	m.a = (int32_t)rows;
	m.b = columns;
	control_send(s->control, &m, NULL, NULL, 0);
}

static void send_signal(const struct session *s, int sig)
{
	struct control_msg m = { .op = s->token ? CTL_SIGNAL : CTL_KILL,
				 .token = s->token, .a = sig };

	control_send(s->control, &m, NULL, NULL, 0);
}

/* Is the next message the end, or the peer gone? (left unread) */
static bool is_ending(int fd)
{
	struct control_msg m;
	ssize_t n = recv(fd, &m, sizeof(m), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	return n == 0 || ((size_t)n == sizeof(m) && m.op == CTL_ENDED);
}

static void on_message(struct session *s, const struct control_msg *m,
		       const char *text)
{
	if (m->op == CTL_MESSAGE && !s->is_quiet)
		message("%s", text);
	if (!s->token || m->token != s->token)
		return;
	if (m->op == CTL_EXITED) {
		s->status = m->a;
		s->is_over = true;
	}
}

static void on_control(struct session *s, char *payload)
{
	struct control_msg m;

	if (is_ending(s->control)) {
		s->is_over = true;
		if (s->token)
			s->status = 9; /* the sandbox went away under it */
		return;
	}
	if (control_recv(s->control, &m, payload, CONTROL_PAYLOAD_MAX) > 0)
		on_message(s, &m, payload);
}

static void on_signal(struct session *s, int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH) {
		if (s->relay >= 0)
			send_window(s);
	} else if (info.ssi_signo == SIGCONT) {
		return; /* only woke us */
	} else if (info.ssi_signo == SIGHUP && s->relay >= 0) {
		/* our terminal has gone: the one inside hangs up too */
		shutdown(s->relay, SHUT_RDWR);
	} else if (s->is_proxying) {
		send_signal(s, (int)info.ssi_signo);
	} else if (info.ssi_signo != SIGALRM) {
		terminal_restore();
		exit(128 + (int)info.ssi_signo); /* the monitor sees us go */
	}
}

/* ---- the loop --------------------------------------------------------------- */
struct loop {
	struct session *s;
	struct stream in, out;
	int signals;
	char *payload;
	bool is_eof_told;
};

/* The console's reader learns of the end of our input as at a terminal. */
static void tell_eof(struct loop *l)
{
	if (l->is_eof_told || l->in.size)
		return;
	l->in.bytes[0] = 4; /* ^D */
	l->in.size = 1;
	l->is_eof_told = true;
	stream_write(&l->in);
}

static void loop_step(struct loop *l)
{
	struct stream *in = &l->in, *out = &l->out;
	bool reads_in = in->from >= 0 && !in->size;
	bool reads_out = out->from >= 0 && !out->size;
	struct pollfd p[] = {
		{ l->s->control, POLLIN, 0 }, { l->signals, POLLIN, 0 },
		{ reads_in ? in->from : -1, POLLIN, 0 },
		{ in->size ? in->to : -1, POLLOUT, 0 },
		{ reads_out ? out->from : -1, POLLIN, 0 },
		{ out->size ? out->to : -1, POLLOUT, 0 },
	};

	if (poll(p, sizeof(p) / sizeof(*p), -1) < 0)
		return;
	if (p[5].revents && !stream_write(out))
		out->from = -1;
	if (p[4].revents)
		stream_read(out);
	if (p[3].revents && !stream_write(in))
		in->from = -1;
	if (p[2].revents) {
		stream_read(in);
		if (in->from < 0)
			tell_eof(l);
	}
	if (p[1].revents)
		on_signal(l->s, l->signals);
	if (p[0].revents)
		on_control(l->s, l->payload);
}

/* What the program wrote last may still be on its way. */
static void drain(struct stream *out)
{
	struct pollfd p = { .events = POLLOUT };

	for (;;) {
		while (out->size) {
			p.fd = out->to;
			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return;
			if (!stream_write(out))
				return;
		}
		if (out->from < 0)
			return;
		p.fd = out->from;
		stream_read(out);
		if (!out->size)
			return;
	}
}

int session_run(struct session *s, struct err *e)
{
	struct loop l = { .s = s, .payload = xcalloc(1, CONTROL_PAYLOAD_MAX) };
	sigset_t set;

	handled_signals(&set);
	l.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l.signals < 0)
		return err_set(e, STATUS_OURS, "signalfd: %s",
			       strerror(errno));
	l.in = (struct stream){ .from = s->relay >= 0 && s->has_input ? 0 : -1,
				.to = s->relay };
	l.out = (struct stream){ .from = s->relay, .to = 1 };
	while (!s->is_over)
		loop_step(&l);
	drain(&l.out);
	close(l.signals);
	free(l.payload);
	return 0;
}
