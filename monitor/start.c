/*
 * start.c - sandbox_start(): from a configuration to a running program.
 *
 * The command makes the monitor with one clone(), prepares (prepare.c,
 * mount.c, image.c, boot.c), hands over what it has opened (handover.c), and
 * waits for the monitor's word that the program runs.  Meanwhile the monitor
 * isolates itself (namespaces.c); with what it was given it starts the first
 * picoprocess (loader.c), gives up what it no longer needs (lockdown.c) and
 * serves (loop.c).
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#define HEAP_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* The one that is being started. */
static struct monitor the_monitor;

/* What an earlier one left, but for what sandbox_share() found.  The rest is
 * zero as it comes: clearing it would cost the monitor its pages. */
static void monitor_clear(struct monitor *m)
{
	memset(m, 0, offsetof(struct monitor, trees));
	memset(m->trees, 0, m->tree_count * sizeof(m->trees[0]));
	memset(m->ports, 0, m->port_count * sizeof(m->ports[0]));
	m->tree_count = m->port_count = 0;
	memset(&m->image, 0, sizeof(m->image));
	memset(&m->heap, 0, offsetof(struct monitor, signals) -
	       offsetof(struct monitor, heap));
}

static void monitor_init(struct monitor *m, const struct sandbox_config *c)
{
	int *const none[] = { &m->heap, &m->request, &m->request_far,
			      &m->events, &m->events_far, &m->command,
			      &m->listener, &m->log, &m->messages,
			      &m->denied, &m->exit_file, &m->console,
			      &m->stdio[0], &m->stdio[1], &m->stdio[2],
			      &m->trace, &m->pages, &m->signals, &m->image.fd,
			      &m->cgroup, &m->cgroup_events, &m->network };
	size_t i;

	monitor_clear(m);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		*none[i] = -1;
	m->config = c;
	m->detach = c->detach;
	m->memory = c->memory;
	m->network_host = c->network == SANDBOX_NET_HOST;
	if (!m->network_host && !geteuid())
		m->network = c->empty_network;
	m->host_uid = geteuid();
	m->host_gid = getegid();
	m->was_root = m->host_uid == 0;
	m->uid = m->was_root ? MON_NOBODY : m->host_uid;
	m->gid = m->was_root ? MON_NOBODY : m->host_gid;
}

void monitor_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int pair_open(int *near, int *far)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	*near = pair[0];
	*far = pair[1];
	return 0;
}

static int heap_open(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("bailey", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("bailey", flags);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, BLY_HEAP_SIZE) ||
	    (fcntl(fd, F_ADD_SEALS, HEAP_SEALS) && errno != EPERM)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int prepare_channels(struct monitor *m, struct err *e)
{
	m->heap = heap_open();
	if (m->heap < 0)
		return err_set(e, 125, "cannot make the kernel heap: %s",
			       strerror(errno));
	if (pair_open(&m->request, &m->request_far) ||
	    pair_open(&m->events, &m->events_far))
		return err_set(e, 125, "cannot make a socket: %s",
			       strerror(errno));
	return 0;
}

/* What the first picoprocess finds there, but for the boot record. */
static int prepare_heap(struct monitor *m, struct err *e)
{
	if (m->config->resume_pages < 0)
		return image_copy_data(m, e);
	m->pages = fcntl(m->config->resume_pages, F_DUPFD_CLOEXEC, 3);
	if (m->pages < 0)
		return err_set(e, 125, "cannot use the saved pages: %s",
			       strerror(errno));
	return resume_fill_heap(m, e);
}

static int prepare(struct monitor *m, struct err *e)
{
	if (prepare_trees(m, e) || prepare_ports(m, e) ||
	    prepare_state(m, e) || prepare_stdio(m, e) || image_open(m, e) ||
	    prepare_channels(m, e) || prepare_heap(m, e))
		return -1;
	if (!m->vdso.count)
		vdso_find(&m->vdso);
	/* Root's mounts need root; an ordinary user's need his namespace. */
	if (m->was_root && trees_mount(m, e))
		return -1;
	return boot_write(m, e);
}

static void monitor_close_all(struct monitor *m)
{
	int *fields[MON_HANDLES];
	unsigned i, n = monitor_fields(m, fields, true);

	for (i = 0; i < n; i++)
		monitor_close(*fields[i]);
}

/* ---- the monitor's first steps ------------------------------------------- */
static int compare_field(const void *x, const void *y)
{
	return **(int *const *)x - **(int *const *)y;
}

/* Close whatever else the command had open. */
static int close_others(struct monitor *m, bool far)
{
	int *keep[MON_HANDLES];
	unsigned i, n = monitor_fields(m, keep, far), next = 0;

	qsort(keep, n, sizeof(keep[0]), compare_field);
	for (i = 0; i < n; i++) {
		unsigned fd = (unsigned)*keep[i];

		if (fd > next && syscall(SYS_close_range, next, fd - 1, 0))
			return -1;
		next = fd + 1;
	}
	return (int)syscall(SYS_close_range, next, ~0u, 0);
}

static int signals_reset(struct monitor *m)
{
	sigset_t set;
	int sig;

	for (sig = 1; sig < 65; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			arch_set_default(sig, sig == SIGPIPE);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signals < 0 ? -1 : 0;
}

/* Messages go out before anything can be refused. */
static _Noreturn void monitor_fail(struct monitor *m, const struct err *e)
{
	struct control_msg msg = { .op = CTL_ERROR, .a = e->status,
				   .size = (uint32_t)strlen(e->text) };

	control_send(m->command, &msg, e->text, NULL, 0);
	_exit(125);
}

/* What the command allocated is of no use any more: the monitor allocates
 * nothing from here on.  In a static program the thread's own block lies at
 * the start of the same memory and stays. */
#define THREAD_BLOCK_MAX 8192u
static void forget_command(struct monitor *m)
{
	unsigned long start = m->vdso.brk_start, end = (unsigned long)sbrk(0);
	unsigned long thread = (unsigned long)__builtin_thread_pointer();
	unsigned i;

	m->config = NULL;
	for (i = 0; i < m->tree_count; i++)
		m->trees[i].host = NULL;
	if (thread >= start && thread < end)
		start = (thread + THREAD_BLOCK_MAX) & ~4095ul;
	if (start && start < end)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

static void monitor_open(struct monitor *m)
{
	struct timespec now;
	int i;

	for (i = 0; i < MON_CLIENTS; i++)
		m->clients[i].fd = -1;
	m->clients[0].fd = m->command;
	m->clients[0].is_owner = true;
	clock_gettime(CLOCK_REALTIME, &now);
	m->start_ns = (uint64_t)now.tv_sec * 1000000000u +
		      (uint64_t)now.tv_nsec;
}

/* Meanwhile the command prepares. far: the command's end of our socket. */
static _Noreturn void monitor_main(struct monitor *m, int far)
{
	struct err e = { 125, "" };

	close(far); /* or we would not see the command end */
	monitor_open(m);
	cgroup_choose_cpus(m);
	if (signals_reset(m)) {
		err_set(&e, 125, "cannot start the monitor: %s",
			strerror(errno));
		monitor_fail(m, &e);
	}
	/* Root's trees come mounted: the old root is of no use. */
	if (namespaces_enter(m, &e) ||
	    (m->was_root && (namespaces_close_root(m, &e) ||
			     namespaces_drop_root(&e))))
		monitor_fail(m, &e);
	if (handover_receive(m) || close_others(m, true))
		_exit(125); /* the command has ended */
	if (!m->was_root && (trees_mount(m, &e) ||
			     namespaces_close_root(m, &e)))
		monitor_fail(m, &e);
	/* The host's kernel takes its time over the old root: meanwhile the
	 * picoprocess loads, whose first request is answered after all this. */
	if (loader_start(m, &e) || (!m->was_root && namespaces_drop_root(&e)))
		monitor_fail(m, &e);
	forget_command(m);
	if (close_others(m, false) || privileges_drop(&e) || lockdown(m, &e))
		monitor_fail(m, &e);
	monitor_run(m);
}

static pid_t monitor_spawn(struct monitor *m, int far)
{
	unsigned long flags = CLONE_NEWPID;
	pid_t pid;

	if (!m->was_root)
		flags |= CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC |
			 CLONE_NEWUTS | (m->network_host ? 0 : CLONE_NEWNET);
	pid = cgroup_clone(flags, m->cgroup);
	if (pid == 0)
		monitor_main(m, far);
	return pid;
}

static int spawn_error(struct err *e)
{
	if (errno == EPERM || errno == ENOSPC || errno == EUSERS ||
	    errno == EINVAL)
		return err_set(e, 125, "this host refuses user namespaces "
			       "(%s); `bailey doctor` says what to set",
			       strerror(errno));
	return err_set(e, 125, "cannot start the monitor: %s",
		       strerror(errno));
}

/* ---- the command's side ------------------------------------------------- */
static void sandbox_note(struct sandbox *s, const char *text)
{
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s%s", n ? "\n" : "",
		 text);
}

static int exec_error(const struct control_msg *msg, const char *text,
		      const struct sandbox_config *c, struct err *e)
{
	int status = msg->a == ENOENT || msg->a == ENOTDIR ? 127 : 126;

	if (text[0])
		return err_set(e, status, "%s", text);
	if (msg->a == ENOENT)
		return err_set(e, 127, "%s: not found", c->argv[0]);
	return err_set(e, status, "%s: %s", c->argv[0], strerror(msg->a));
}

/* 1: go on waiting; 0: the program runs; -1: it will not. */
static int started_message(struct sandbox *s, const struct control_msg *msg,
			   const char *text, const struct sandbox_config *c,
			   struct err *e)
{
	switch (msg->op) {
	case CTL_STARTED:
		return msg->a ? exec_error(msg, text, c, e) : 0;
	case CTL_MESSAGE:
		sandbox_note(s, text);
		return 1;
	case CTL_ERROR:
		return err_set(e, msg->a, "%s", text);
	case CTL_ENDED:
		if (text[0])
			return err_set(e, 125, "%s", text);
		s->has_ended = true;
		s->status = msg->a;
		return 0;
	}
	return 1;
}

static int await_start(struct sandbox *s, const struct sandbox_config *c,
		       struct err *e)
{
	static char text[4096];
	struct control_msg msg;
	int r = 1;

	while (r > 0) {
		int n = control_recv(s->control, &msg, text, sizeof(text));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, 125, "the sandbox's monitor ended "
				       "before the program started");
		r = started_message(s, &msg, text, c, e);
	}
	return r;
}

void sandbox_reap(struct sandbox *s)
{
	int status;

	monitor_close(s->control);
	s->control = -1;
	/* Once it has told of its end it only gives memory back: but a control
	 * group can be removed when it has gone. */
	if (s->has_ended && !the_monitor.cgroup_has)
		s->monitor = -1;
	while (s->monitor > 0 && waitpid(s->monitor, &status, 0) < 0 &&
	       errno == EINTR)
		;
	s->monitor = -1;
	sandbox_cgroup_remove(the_monitor.config->state_dir);
}

void sandbox_share(void)
{
	vdso_find(&the_monitor.vdso);
	mounts_share();
}

/* On failure nothing is left behind. */
static int monitor_begin(const struct sandbox_config *c, struct sandbox *out,
			 struct err *e)
{
	struct monitor *m = &the_monitor;

	memset(out, 0, sizeof(*out));
	out->control = -1;
	monitor_init(m, c);
	cgroup_make(m);
	if (pair_open(&m->command, &out->control))
		err_set(e, 125, "cannot make a socket: %s", strerror(errno));
	else if ((out->monitor = monitor_spawn(m, out->control)) < 0)
		spawn_error(e);
	else
		return 0;
	monitor_close_all(m);
	monitor_close(out->control);
	return -1;
}

/* The one that sandbox_begin() made, if its configuration still holds. */
static struct sandbox early = { .monitor = -1 };

static bool is_limited(const struct sandbox_config *c)
{
	return c->memory || c->pids || c->cpu_milli;
}

static bool early_take(const struct sandbox_config *c, struct sandbox *out)
{
	struct monitor *m = &the_monitor;

	if (early.monitor <= 0)
		return false;
	*out = early;
	early.monitor = -1;
	if (!is_limited(c) &&
	    m->network_host == (c->network == SANDBOX_NET_HOST)) {
		m->config = c;
		m->detach = c->detach;
		return true;
	}
	monitor_close(m->command);
	kill(out->monitor, SIGKILL);
	sandbox_reap(out);
	return false;
}

void sandbox_begin(const struct sandbox_config *c)
{
	struct err ignored; /* it will be said when it matters */

	if (!is_limited(c) && early.monitor <= 0 &&
	    monitor_begin(c, &early, &ignored))
		early.monitor = -1;
}

int sandbox_start(const struct sandbox_config *c, struct sandbox *out,
		  struct err *e)
{
	struct monitor *m = &the_monitor;
	struct err none;
	int r;

	e = e ? e : &none;
	e->status = 0;
	if (!early_take(c, out) && monitor_begin(c, out, e))
		return -1;
	r = prepare(m, e) || handover_send(m, out->control, e);
	monitor_close_all(m);
	mounts_reap();
	if (r || await_start(out, c, e)) {
		kill(out->monitor, SIGKILL);
		sandbox_reap(out);
		return -1;
	}
	return 0;
}

int sandbox_wait(struct sandbox *s, int *status, char *text, size_t size,
		 struct err *e)
{
	static char buf[4096];
	struct control_msg msg;
	bool is_oom;
	int n = 1;

	buf[0] = '\0';
	while (!s->has_ended && n) {
		n = control_recv(s->control, &msg, buf, sizeof(buf));
		if (n < 0 && errno != EINTR)
			n = 0;
		if (n > 0 && msg.op == CTL_MESSAGE) {
			sandbox_note(s, buf);
			buf[0] = '\0';
		}
		if (n > 0 && msg.op == CTL_ENDED) {
			s->has_ended = true;
			s->status = msg.a;
		}
	}
	if (!s->has_ended) {
		is_oom = sandbox_cgroup_remove(the_monitor.config->state_dir);
		s->status = SIGKILL;
		snprintf(buf, sizeof(buf), is_oom ? "the sandbox was ended: "
			 "out of memory" : "the sandbox's monitor was killed");
	}
	*status = s->status;
	if (text && size)
		snprintf(text, size, "%s", buf);
	return 0;
}

int sandbox_exit_code(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

void sandbox_release(struct sandbox *s)
{
	monitor_close(s->control);
	s->control = -1;
}
