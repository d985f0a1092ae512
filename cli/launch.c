/*
 * launch.c - see launch.h.
 */
#include "cli/launch.h"
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- state -------------------------------------------------------------- */
static json_t *json_strings(char *const *v)
{
	json_t *a = json_array();

	for (; v && *v; v++) /* arguments need not be UTF-8; JSON must be */
		json_array_append_new(a, json_string(*v) ?:
				      json_string("(not UTF-8)"));
	return a;
}

static json_t *json_ports(const struct sandbox_config *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < c->port_count; i++) {
		const struct sandbox_port *p = &c->ports[i];

		json_array_append_new(a, json_pack("{s:s,s:i,s:i,s:s}",
			"host_ip", p->host_ip ? p->host_ip : "0.0.0.0",
			"host_port", p->host_port,
			"container_port", p->guest_port,
			"protocol", p->proto == SANDBOX_UDP ? "udp" : "tcp"));
	}
	return a;
}

static json_t *json_mounts(const struct request *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->user_mounts.count; i++) {
		const struct sandbox_mount *m = &r->user_mounts.v[i];

		json_array_append_new(a, json_pack("{s:s,s:s,s:s,s:b}",
			"Type", m->kind == BOOT_MOUNT_TMPFS ? "tmpfs" : "bind",
			"Source", m->host ? m->host : "",
			"Destination", m->guest,
			"RW", !(m->flags & BOOT_MOUNT_RO)));
	}
	return a;
}

static json_t *json_config(const struct sandbox_config *c)
{
	json_t *o = json_pack("{s:s,s:s,s:i,s:i,s:b,s:b,s:b}",
		"Hostname", c->hostname, "WorkingDir", c->cwd,
		"Uid", (int)c->uid, "Gid", (int)c->gid,
		"Tty", c->tty, "ReadonlyRootfs", c->read_only,
		"Detached", c->detach);

	json_object_set_new(o, "Env", json_strings(c->envp));
	if (c->processor)
		json_object_set_new(o, "Processor", json_string(c->processor));
	return o;
}

static json_t *json_libos(const struct sandbox_config *c)
{
	char id[BUILD_ID_MAX] = "";
	int fd = c->libos ? open(c->libos, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		libos_build_id(fd, id);
		close(fd);
	}
	return json_pack("{s:s,s:s}", "Path", c->libos ? c->libos : "",
			 "BuildId", id);
}

static void fill_state(struct launch *l)
{
	const struct request *r = &l->request;
	const struct sandbox_config *c = &r->config;
	json_t *limits = json_pack("{s:I,s:I,s:f}",
		"Memory", (json_int_t)c->memory, "Pids", (json_int_t)c->pids,
		"Cpus", c->cpu_milli / 1000.0);

	l->state.json = json_pack(
		"{s:s,s:s,s:I,s:o,s:b,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,"
		"s:o}",
		"Id", l->state.id, "Name", l->state.name,
		"Created", (json_int_t)time(NULL),
		"Command", json_strings(r->display.argv ?: c->argv), "AutoRemove", r->is_removed,
		"Image", l->origin ? l->origin : "",
		"Rootfs", r->rootfs ? r->rootfs : "",
		"Network", c->network == SANDBOX_NET_HOST ? "host" : "none",
		"Config", json_config(c), "Limits", limits,
		"Mounts", json_mounts(r), "Ports", json_ports(c),
		"Trees", trees_json(c), "Libos", json_libos(c),
		"Display", display_json(r));
}

/* ---- descriptors -------------------------------------------------------- */
static int open_trace(struct request *r, struct err *e)
{
	if (!r->trace)
		return 0;
	r->config.trace_fd = !*r->trace ? dup(2) : open(r->trace, O_WRONLY |
		O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	if (r->config.trace_fd < 0)
		return err_set(e, STATUS_OURS, "trace file %s: %s", r->trace,
			       strerror(errno));
	return 0;
}

static int open_streams(struct launch *l, struct err *e)
{
	struct request *r = &l->request;
	int *fds = r->config.fds;

	l->relay = -1;
	if (open_trace(r, e))
		return -1;
	if (r->config.detach)
		return 0;
	if (r->is_tty)
		return terminal_pair(&l->relay, &fds[0], e);
	fds[0] = r->is_interactive && !l->is_stdin_used ? 0 :
		open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = 1;
	fds[2] = 2;
	return fds[0] < 0 ? err_set(e, STATUS_OURS, "/dev/null: %s",
				    strerror(errno)) : 0;
}

static int write_cidfile(const struct launch *l, struct err *e)
{
	const char *file = l->request.cidfile;
	int fd;

	if (!file)
		return 0;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "%s", l->state.id) < 0)
		return err_set(e, STATUS_OURS, "id file %s: %s", file,
			       strerror(errno));
	return close(fd);
}

/* ---- from the claim to the end ------------------------------------------ */
int launch_claim(struct launch *l, struct err *e)
{
	struct sandbox_config *c = &l->request.config;

	if (state_create(&l->state, c->name, l->request.is_replacing, e))
		return -1;
	c->id = l->state.id;
	c->name = l->state.name;
	c->state_dir = l->state.dir;
	return 0;
}

void launch_undo(struct launch *l)
{
	if (l->state.name)
		state_remove(&l->state);
}

static bool is_port_open(const struct sandbox_config *c)
{
	for (size_t i = 0; i < c->port_count; i++)
		if (!c->ports[i].host_port)
			return true;
	return false;
}

/* Ports that were left to us are known only now. */
static int save_ports(struct launch *l, struct err *e)
{
	const struct sandbox_config *c = &l->request.config;

	json_object_set_new(l->state.json, "Ports", json_ports(c));
	json_object_set_new(l->state.json, "Display",
			    display_json(&l->request));
	return state_save(&l->state, e);
}

/* What it said while it started: a volume's file has changed, say. */
static void show_notes(struct launch *l)
{
	char *rest = l->sandbox.text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line && !l->request.is_quiet)
			message("%s", line);
	l->sandbox.text[0] = '\0';
}

int launch_start(struct launch *l, struct err *e)
{
	struct sandbox_config *c = &l->request.config;
	bool is_open = is_port_open(c);

	if (!c->libos)
		c->libos = libos_installed();
	if (open_streams(l, e))
		goto failed;
	fill_state(l);
	if (state_save(&l->state, e) || write_cidfile(l, e) ||
	    sandbox_start(c, &l->sandbox, e))
		goto failed;
	if (c->tty && !c->detach)
		close(c->fds[0]);
	if (is_open && save_ports(l, e))
		message("%s", e->text); /* it runs all the same */
	show_notes(l);
	return 0;
failed:
	launch_undo(l);
	return -1;
}

static int attend(struct launch *l)
{
	struct request *r = &l->request;
	struct session s = { .control = l->sandbox.control,
		.relay = l->relay, .is_proxying = !r->no_sig_proxy,
		.has_input = r->is_interactive && !l->is_stdin_used,
		.is_quiet = r->is_quiet };
	char text[512] = "";
	struct err e = { 0 };
	int status;

	if (r->config.tty)
		terminal_raw(r->trace && !*r->trace && isatty(2));
	session_run(&s, &e);
	if (sandbox_wait(&l->sandbox, &status, text, sizeof(text), &e)) {
		terminal_restore();
		return message_error(&e);
	}
	terminal_restore();
	if (*text)
		fail("%s", text);
	return sandbox_exit_code(status);
}

static int detach(struct launch *l)
{
	bool is_told = printf("%s\n", l->state.id) > 0 && !fflush(stdout);

	sandbox_release(&l->sandbox);
	if (is_told || !l->is_stdin_used || l->is_alone)
		return 0;
	kill(l->sandbox.monitor, SIGKILL);
	launch_undo(l);
	return fail("cannot print the sandbox's id: %s", strerror(errno));
}

int launch_finish(struct launch *l)
{
	int code;

	if (l->request.config.detach)
		return detach(l);
	code = attend(l);
	if (l->request.is_removed) /* while the host takes it down */
		state_remove(&l->state);
	sandbox_reap(&l->sandbox);
	return code;
}
