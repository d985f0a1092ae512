/*
 * web.c - serving the page (web.h).
 *
 * A process for each connection, which ends with the answer: a WebSocket is
 * handed into the sandbox, to a program of its own there, and this host is
 * out of it.  The request is read by a process more, in seccomp's strict
 * mode: whatever a stranger could make of it, it can only read, write and
 * exit.  Invariant: at most CALLERS_MAX are being answered; a newer one takes
 * the place of the oldest, so that silent ones lock nobody out.
 */
#include "cli/web.h"
#include "cli/display.h"
#include "cli/exec.h"
#include "cli/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLERS_MAX = 16, BACKLOG = 16, HEAD_SECONDS = 10,
       HAND_IN_SECONDS = 30 };

static pid_t callers[CALLERS_MAX]; /* in the order of their coming */
static size_t caller_count;
static char token[WEB_TOKEN_SIZE + 1];

/* ---- reading and answering, in strict mode ------------------------------- */
static _Noreturn void leave(int status)
{
	for (;;)
		syscall(SYS_exit, status); /* not exit_group, which is denied */
}

static void send_all(int socket, const char *p, size_t size)
{
	while (size) {
		ssize_t n = write(socket, p, size);

		if (n <= 0)
			leave(1);
		p += n;
		size -= (size_t)n;
	}
}

static size_t receive_head(int socket, char head[WEB_HEAD_MAX])
{
	size_t have = 0, size = 0;

	while (!size && have < WEB_HEAD_MAX) {
		ssize_t n = read(socket, head + have, WEB_HEAD_MAX - have);

		if (n <= 0)
			leave(1);
		have += (size_t)n;
		size = web_head_size(head, have);
	}
	return size == have ? size : 0; /* nothing may come after it */
}

/* Status 0: the connection is a WebSocket now. */
static _Noreturn void answer(int socket, const char *clipboard)
{
	static char head[WEB_HEAD_MAX], text[WEB_ANSWER_MAX];
	struct web_head h = { 0 };
	enum web_kind kind = WEB_BAD;
	struct web_file f;
	size_t size;

	alarm(HEAD_SECONDS);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		_exit(1);
	size = receive_head(socket, head);
	if (size)
		kind = web_head_read(head, size, token, clipboard, &h);
	f = web_file(kind);
	size = web_answer(kind, &h, clipboard, (size_t)(f.end - f.start), text);
	send_all(socket, text, size);
	send_all(socket, f.start, (size_t)(f.end - f.start));
	leave(kind != WEB_SCREEN);
}

/* ---- handing in ---------------------------------------------------------- */
/* The page shows why: a WebSocket's closing frame. */
static void say_why(int socket, const char *why)
{
	enum { CLOSE = 0x88, CODE = 4000, TEXT_MAX = 120 };
	unsigned char frame[4 + TEXT_MAX] = { CLOSE, 0, CODE >> 8,
					      CODE & 255 };
	size_t n = strnlen(why, TEXT_MAX);

	frame[1] = (unsigned char)(2 + n);
	memcpy(frame + 4, why, n);
	if (write(socket, frame, 4 + n) < 0)
		return; /* it is gone */
}

static int hand_in(const struct web_view *w, int socket, struct err *e)
{
	static char program[] = DISPLAY_GUEST "/bailey-display-web";
	char *const argv[] = { program, xstrdup(w->clipboard), NULL };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct state s;

	if (state_find(w->which, &s, e))
		return -1;
	if (s.status != STATE_RUNNING)
		return err_set(e, STATUS_OURS, "%s is not running", s.name);
	fcntl(socket, F_SETFL, O_NONBLOCK); /* as the library OS waits */
	return exec_detached(&s, argv, (int[3]){ socket, socket, null }, e);
}

static _Noreturn void attend(const struct web_view *w, int socket)
{
	struct err e = { 0 };
	int status = -1;
	pid_t reader;

	alarm(HEAD_SECONDS + HAND_IN_SECONDS);
	reader = fork();
	if (!reader) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer(socket, w->clipboard);
	}
	if (reader < 0 || waitpid(reader, &status, 0) != reader || status)
		_exit(1);
	if (hand_in(w, socket, &e))
		say_why(socket, e.text);
	_exit(0);
}

/* ---- callers ------------------------------------------------------------- */
static void on_child(int sig)
{
}

static void forget_ended(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < caller_count; i++)
		if (!waitpid(callers[i], NULL, WNOHANG))
			callers[kept++] = callers[i];
	caller_count = kept;
}

static void accept_one(const struct web_view *w, int listener)
{
	int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	if (socket < 0)
		return;
	if (caller_count == CALLERS_MAX) {
		kill(callers[0], SIGKILL);
		waitpid(callers[0], NULL, 0);
		forget_ended();
	}
	pid = fork();
	if (!pid) {
		close(listener);
		signal(SIGCHLD, SIG_DFL);
		attend(w, socket);
	}
	close(socket);
	if (pid > 0)
		callers[caller_count++] = pid;
}

static _Noreturn void serve(const struct web_view *w, int listener)
{
	struct sigaction a = { .sa_handler = on_child };
	struct pollfd p = { listener, POLLIN, 0 };
	sigset_t child, none;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &none);
	sigaction(SIGCHLD, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int n = ppoll(&p, 1, NULL, &none);

		forget_ended();
		if (n > 0)
			accept_one(w, listener);
	}
}

/* ---- the start ----------------------------------------------------------- */
static int listen_on(uint16_t *port, struct err *e)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int on = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC |
			       SOCK_NONBLOCK, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s < 0 || bind(s, (struct sockaddr *)&a, size) ||
	    listen(s, BACKLOG) || getsockname(s, (struct sockaddr *)&a, &size))
		return err_set(e, STATUS_OURS, "port %d: %s", *port,
			       strerror(errno));
	*port = ntohs(a.sin_port);
	return s;
}

static void think_of_token(void)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";

	for (int i = 0; i < WEB_TOKEN_SIZE; i++)
		token[i] = letters[randombytes_uniform(32)];
}

/* By way of a file that only its owner can read: everybody sees the words of
 * a browser's command line. */
static void open_browser(const struct state *s, const char *address)
{
	char *name = xasprintf("%s/view.html", s->dir);
	FILE *f;
	int fd;

	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f)
		fprintf(f, "<!DOCTYPE html><meta charset=utf-8>"
			"<meta http-equiv=refresh content=\"0;url=%s\">\n",
			address);
	if (!f || fclose(f)) {
		message("%s: %s", name, strerror(errno));
		return;
	}
	if (fork())
		return;
	execlp("xdg-open", "xdg-open", name, NULL);
	message("xdg-open is not installed (apt install xdg-utils); "
		"the address above is to be opened by hand");
	_exit(1);
}

int web_serve(const struct web_view *w, const struct state *s)
{
	uint16_t port = w->port;
	struct err e = { 0 };
	char *address;
	int listener = listen_on(&port, &e);

	if (listener < 0)
		return message_error(&e);
	if (sodium_init() < 0)
		return fail("no random numbers");
	think_of_token();
	address = xasprintf("http://127.0.0.1:%d/%s/#%s", port, token, s->name);
	printf("%s\n", address);
	fflush(stdout);
	message("%s's screen is at this address for this user's browsers, "
		"until Ctrl-C", s->name);
	if (w->is_opening)
		open_browser(s, address);
	serve(w, listener);
}
