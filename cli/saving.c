/*
 * saving.c - see saving.h.
 */
#include "cli/saving.h"
#include "cli/launch.h"
#include "cli/progress.h"
#include "cli/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STREAM_BUFFER (1 << 20)
#define ANSWER_MS 60000

/* ---- signals: they break the connections, so that every wait ends ------- */
static volatile sig_atomic_t stopped_by;
static volatile int stopped_fds[2] = { -1, -1 };

static void on_signal(int sig)
{
	int saved = errno;

	stopped_by = sig;
	for (int i = 0; i < 2; i++)
		if (stopped_fds[i] >= 0)
			shutdown(stopped_fds[i], SHUT_RDWR);
	errno = saved;
}

static void watch_signals(bool is_on)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction a = { .sa_handler = is_on ? on_signal : SIG_DFL };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &a, NULL);
}

/* ---- the guardian: lets the sandbox go on when we are gone -------------- */
/* A byte through the pipe: it is taken care of.  The end of it: it is not. */
static _Noreturn void guardian_main(const struct state *s, int fd)
{
	struct control_msg m = { .op = CTL_UNPAUSE };
	char byte;
	ssize_t n;

	setsid(); /* out of the reach of the terminal's keys */
	if (fd > 0)
		syscall(SYS_close_range, 0, fd - 1, 0);
	syscall(SYS_close_range, fd + 1, ~0u, 0);
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0 && (fd = sandbox_connect(s->dir)) >= 0)
		target_ask(s, fd, &m, xcalloc(1, CONTROL_PAYLOAD_MAX), 10000,
			   NULL);
	_exit(0);
}

static int guardian_start(struct saving *s, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, STATUS_OURS, "pipe: %s", strerror(errno));
	s->guardian_pid = fork();
	if (s->guardian_pid == 0) {
		close(fds[1]);
		guardian_main(s->state, fds[0]);
	}
	close(fds[0]);
	s->guardian = fds[1];
	return s->guardian_pid < 0 ? err_set(e, STATUS_OURS, "fork: %s",
					     strerror(errno)) : 0;
}

static void guardian_end(struct saving *s, bool is_cared_for)
{
	if (s->guardian < 0)
		return;
	if (is_cared_for && write(s->guardian, "", 1) < 0)
		message("%s may go on", s->state->name); /* cannot happen */
	close(s->guardian);
	s->guardian = -1;
	waitpid(s->guardian_pid, NULL, 0);
}

/* ---- the consistent point ----------------------------------------------- */
/* The next message, with its handle; the payload is its text. */
static int next_message(struct saving *s, struct control_msg *m, char *text,
			int *handle, struct err *e)
{
	struct pollfd p = { s->control, POLLIN, 0 };
	int n;

	*handle = -1;
	do
		n = poll(&p, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR && !stopped_by);
	if (n == 0)
		return err_set(e, STATUS_OURS, "%s does not come to a "
			"standstill; it runs on", s->state->name);
	if (n < 0 || control_recv_handle(s->control, m, text,
			CONTROL_PAYLOAD_MAX, handle) <= 0 ||
	    m->op == CTL_ENDED)
		return err_set(e, STATUS_OURS, "%s has ended",
			       s->state->name);
	if (m->op == CTL_ERROR || (m->op == CTL_FROZEN && m->a))
		return err_set(e, STATUS_OURS, "%s cannot be saved now: %.300s",
			s->state->name, *text ? text : strerror(m->a));
	return 0;
}

static int stream_open(int fds[2], struct err *e)
{
	int size = STREAM_BUFFER;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return err_set(e, STATUS_OURS, "socket: %s", strerror(errno));
	for (int i = 0; i < 2; i++) { /* as far as the host allows */
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	return 0;
}

static int freeze(struct saving *s, char *text, int *heap, struct err *e)
{
	struct control_msg m = { .op = CTL_SAVE };
	int fds[2], sent;

	if (stream_open(fds, e))
		return -1;
	s->stream = stopped_fds[1] = fds[0];
	sent = control_send(s->control, &m, NULL, &fds[1], 1);
	close(fds[1]);
	if (sent)
		return err_set(e, STATUS_OURS, "%s: %s", s->state->name,
			       strerror(errno));
	do
		if (next_message(s, &m, text, heap, e))
			return -1;
	while (m.op != CTL_FROZEN);
	return *heap >= 0 ? 0 : err_set(e, STATUS_OURS, "%s: its monitor sent "
		"no kernel heap", s->state->name);
}

/* Room for the heap's copy, before anything stands still. */
static int make_room(struct saving *s, struct image_writer *w, char *text,
		   struct err *e)
{
	struct control_msg m = { .op = CTL_HEAP };
	int heap, rc;

	if (control_send(s->control, &m, NULL, NULL, 0))
		return err_set(e, STATUS_OURS, "%s: %s", s->state->name,
			       strerror(errno));
	if (next_message(s, &m, text, &heap, e))
		return -1;
	if (heap < 0)
		return 0; /* it is saved all the same */
	rc = image_prepare_heap(w, heap, e);
	close(heap);
	return rc;
}

static int thaw(struct saving *s, char *text, struct err *e)
{
	struct control_msg m = { .op = CTL_THAW, .a = s->is_kept_frozen };
	int handle;

	if (control_send(s->control, &m, NULL, NULL, 0))
		return err_set(e, STATUS_OURS, "%s: %s", s->state->name,
			       strerror(errno));
	s->is_thawed = true;
	do
		if (next_message(s, &m, text, &handle, e))
			return -1;
	while (m.op != CTL_DONE || m.b != CTL_THAW);
	return 0;
}

static int take_heap(struct saving *s, struct image_writer *w, struct err *e)
{
	char *text = xcalloc(1, CONTROL_PAYLOAD_MAX);
	uint64_t start;
	int heap = -1;

	if (make_room(s, w, text, e))
		return -1;
	start = monotonic_ns();
	if (freeze(s, text, &heap, e))
		return -1;
	if (image_add_heap(w, heap, e)) {
		close(heap);
		return -1;
	}
	close(heap);
	if (thaw(s, text, e))
		return -1;
	s->pause_ns = monotonic_ns() - start;
	free(text);
	return 0;
}

/* ---- the whole ---------------------------------------------------------- */
static int write_image(struct saving *s, int libos, struct err *e)
{
	struct image_writer *w = image_create(s->path, &s->options, e);
	json_t *trees = json_object_get(s->state->json, "Trees");

	if (!w)
		return -1;
	/* the small parts first, so that they can be refused first */
	if (!image_add_manifest(w, s->manifest, strlen(s->manifest), e) &&
	    !image_add_libos(w, libos, e) && !take_heap(s, w, e) &&
	    !image_add_stream(w, s->stream, trees_find, trees, e) &&
	    !stopped_by)
		return image_commit(w, &s->totals, e);
	image_discard(w);
	return -1;
}

static int stopped_error(const struct saving *s, struct err *e)
{
	if (!stopped_by)
		return -1;
	return err_set(e, 128 + stopped_by, "interrupted; there is no new "
		       "image, and %s %s", s->state->name, s->was_paused ?
		       "is paused as before" : "runs on");
}

static int prepare(struct saving *s, int *libos, struct err *e)
{
	s->control = s->stream = s->guardian = -1;
	s->manifest = record_manifest(s->state);
	s->options.processor = json_string_value(json_object_get(
		json_object_get(s->state->json, "Config"), "Processor"));
	if (!s->manifest)
		return err_set(e, STATUS_OURS, "%s: its state.json cannot be "
			       "read", s->state->name);
	*libos = libos_open(s->state, e);
	if (*libos < 0)
		return -1;
	s->was_paused = target_is_paused(s->state);
	/* before the connection, which must end with us */
	if (s->is_kept_frozen && !s->was_paused && guardian_start(s, e))
		return -1;
	s->control = stopped_fds[0] = state_connect(s->state, e);
	return s->control < 0 ? -1 : 0;
}

int saving_run(struct saving *s, struct err *e)
{
	int libos = -1, result;

	watch_signals(true);
	result = prepare(s, &libos, e) || write_image(s, libos, e) ? -1 : 0;
	stopped_fds[0] = stopped_fds[1] = -1;
	if (libos >= 0)
		close(libos);
	if (s->stream >= 0)
		close(s->stream);
	if (s->control >= 0)
		close(s->control);
	if (result) {
		stopped_error(s, e);
		guardian_end(s, !s->is_thawed);
	}
	watch_signals(false);
	s->signal = stopped_by;
	return result;
}

void saving_let_go(struct saving *s)
{
	guardian_end(s, false);
}

void saving_leave(struct saving *s)
{
	guardian_end(s, true);
}

int saving_end(struct saving *s, struct err *e)
{
	if (target_signal(s->state, SIGKILL, e)) {
		guardian_end(s, false);
		return -1;
	}
	target_wait(s->state, 5000);
	guardian_end(s, true);
	return 0;
}
