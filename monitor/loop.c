/*
 * loop.c - the running monitor: waits for requests, commands, deaths and
 * relayed data, one at a time, and ends the sandbox.
 *
 * However the monitor ends, the host's kernel ends every process of its pid
 * namespace with it, so nothing is left behind.
 */
#include "mon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MAX (4 + MON_CLIENTS + 2 * MON_RELAYS)

/* ---- the end ------------------------------------------------------------- */
void monitor_message(struct monitor *m, const char *text, size_t size)
{
	struct control_msg msg = { .op = CTL_MESSAGE,
				   .size = (uint32_t)size };

	(void)!write(m->messages, text, size);
	(void)!write(m->messages, "\n", 1);
	if (m->clients[0].is_owner && m->clients[0].fd >= 0)
		control_send(m->clients[0].fd, &msg, text, NULL, 0);
}

/* Whoever is told of the end may rely on it: nothing runs any more, and the
 * ports are free.  (If the monitor is killed the host's kernel sees to it.) */
static void everybody_ends(struct monitor *m)
{
	unsigned i;

	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
	for (i = 0; i < m->port_count; i++)
		monitor_close(m->ports[i].fd);
}

_Noreturn void monitor_end(struct monitor *m, int wait_status,
			   const char *fmt, ...)
{
	char text[512] = "", line[560];
	va_list ap;
	int n;

	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		(void)!write(m->messages, text, strlen(text));
		(void)!write(m->messages, "\n", 1);
	}
	everybody_ends(m);
	n = snprintf(line, sizeof(line), "%d %s\n", wait_status, text);
	(void)!write(m->exit_file, line, (size_t)n);
	control_end(m, wait_status, text);
	_exit(0);
}

/* ---- deaths -------------------------------------------------------------- */
/* As the user writes it. */
static const char *size_text(uint64_t bytes)
{
	static char text[32];
	unsigned unit = 0;

	while (unit < 3 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, sizeof(text), "%llu%c", (unsigned long long)bytes,
		 "bkmg"[unit]);
	return text;
}

static void child_died(struct monitor *m, pid_t pid, int status)
{
	if (WIFSIGNALED(status) && cgroup_is_oom(m))
		monitor_end(m, SIGKILL, "the sandbox was ended: out of memory "
			    "(--memory %s)", size_text(m->memory));
	if (WIFSIGNALED(status))
		monitor_end(m, WTERMSIG(status),
			    "the sandbox was ended: its process %d was killed "
			    "by signal %d (%s)%s", (int)pid, WTERMSIG(status),
			    strsignal(WTERMSIG(status)),
			    WTERMSIG(status) == SIGSYS ?
			    ": a host system call that is not permitted" : "");
	if (WEXITSTATUS(status))
		monitor_end(m, 125 << 8, "the sandbox was ended: its process "
			    "%d failed with status %d", (int)pid,
			    WEXITSTATUS(status));
}

static void children_reap(struct monitor *m)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(m->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_died(m, pid, status);
	if (pid < 0 && errno == ECHILD) {
		/* The last words may still be in the socket. */
		dispatch_read(m);
		monitor_end(m, 125 << 8, "the sandbox was ended: its last "
			    "process is gone and left no status");
	}
}

/* ---- waiting ------------------------------------------------------------- */
struct waits {
	struct pollfd fd[POLL_MAX];
	struct {
		void (*ready)(struct monitor *m, unsigned index);
		unsigned index;
	} who[POLL_MAX];
	unsigned count;
	int timeout_ms;
};

static void waits_add(struct waits *w, int fd,
		      void (*ready)(struct monitor *m, unsigned index),
		      unsigned index)
{
	if (fd < 0 || w->count == POLL_MAX)
		return;
	w->fd[w->count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	w->who[w->count].ready = ready;
	w->who[w->count].index = index;
	w->count++;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* No looking again for a moment: both sides mostly share a processor, where
 * that only keeps the other one from running. */
static void request_ready(struct monitor *m, unsigned index)
{
	dispatch_read(m);
}

/* A sandbox that forks a lot would wake the monitor for each death: after one
 * the next are collected together.  Nobody waits for it, except that a crash
 * is told so much later. */
#define REAP_MS 3
static void signal_ready(struct monitor *m, unsigned index)
{
	/* What was asked before the death is answered before it is told. */
	dispatch_read(m);
	children_reap(m);
	m->reap_ns = now_ns() + REAP_MS * 1000000;
}

/* Milliseconds until deaths are looked at again; -1: they are now. */
static int reap_pause(struct monitor *m)
{
	uint64_t now = m->reap_ns ? now_ns() : 0;

	if (now < m->reap_ns)
		return (int)((m->reap_ns - now) / 1000000) + 1;
	m->reap_ns = 0;
	return -1;
}

static void listener_ready(struct monitor *m, unsigned index)
{
	control_accept(m);
}

static void client_ready(struct monitor *m, unsigned index)
{
	if (m->clients[index].fd >= 0)
		control_read(m, &m->clients[index]);
}

static void relay_host_ready(struct monitor *m, unsigned index)
{
	relay_run(m, &m->relays[index], true);
}

static void relay_guest_ready(struct monitor *m, unsigned index)
{
	relay_run(m, &m->relays[index], false);
}

/* A detached terminal's output goes to the log. */
static void console_ready(struct monitor *m, unsigned index)
{
	static char buf[16384];
	ssize_t n = recv(m->console, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0) {
		(void)!write(m->log, buf, (size_t)n);
	} else if (n == 0) {
		close(m->console);
		m->console = -1;
	}
}

static void waits_collect(struct waits *w, struct monitor *m)
{
	unsigned i;

	w->count = 0;
	w->timeout_ms = reap_pause(m);
	waits_add(w, m->request, request_ready, 0);
	if (w->timeout_ms < 0)
		waits_add(w, m->signals, signal_ready, 0);
	waits_add(w, m->listener, listener_ready, 0);
	waits_add(w, m->console, console_ready, 0);
	for (i = 0; i < MON_CLIENTS; i++)
		waits_add(w, m->clients[i].fd, client_ready, i);
	for (i = 0; i < m->relay_count; i++) {
		if (m->relays[i].guest >= 0)
			waits_add(w, m->relays[i].host, relay_host_ready, i);
		waits_add(w, m->relays[i].guest, relay_guest_ready, i);
	}
}

_Noreturn void monitor_run(struct monitor *m)
{
	static struct waits w;
	unsigned i;

	for (;;) {
		waits_collect(&w, m);
		if (poll(w.fd, w.count, w.timeout_ms) < 0 && errno != EINTR)
			monitor_end(m, 125 << 8, "the sandbox was ended: its "
				    "monitor cannot wait: %s",
				    strerror(errno));
		for (i = 0; i < w.count; i++)
			if (w.fd[i].revents)
				w.who[i].ready(m, w.who[i].index);
	}
}
