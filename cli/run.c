/*
 * run.c - `bailey run`: a program in a new sandbox.
 *
 * A sandbox that is neither named nor detached leaves nothing behind; the
 * others stay listed (with log and status) until `bailey rm`, or until they
 * end if --rm was given.
 */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct run {
	struct request request;
	struct state state;
	struct sandbox sandbox;
	int relay;
};

/* ---- state ------------------------------------------------------------------ */
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

static void fill_state(struct run *run)
{
	const struct request *r = &run->request;
	const struct sandbox_config *c = &r->config;
	json_t *config = json_pack("{s:s,s:s,s:i,s:i,s:b,s:b,s:b}",
		"Hostname", c->hostname, "WorkingDir", c->cwd,
		"Uid", (int)c->uid, "Gid", (int)c->gid,
		"Tty", c->tty, "ReadonlyRootfs", c->read_only,
		"Detached", c->detach);
	json_t *limits = json_pack("{s:I,s:I,s:f}",
		"Memory", (json_int_t)c->memory, "Pids", (json_int_t)c->pids,
		"Cpus", c->cpu_milli / 1000.0);

	json_object_set_new(config, "Env", json_strings(c->envp));
	run->state.json = json_pack(
		"{s:s,s:s,s:I,s:o,s:b,s:s,s:s,s:o,s:o,s:o,s:o}",
		"Id", run->state.id, "Name", run->state.name,
		"Created", (json_int_t)time(NULL),
		"Command", json_strings(c->argv), "AutoRemove", r->is_removed,
		"Rootfs", r->rootfs ? r->rootfs : "",
		"Network", c->network == SANDBOX_NET_HOST ? "host" : "none",
		"Config", config, "Limits", limits, "Mounts", json_mounts(r),
		"Ports", json_ports(c));
}

/* ---- descriptors ------------------------------------------------------------ */
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

static int open_streams(struct run *run, struct err *e)
{
	struct request *r = &run->request;
	int *fds = r->config.fds;

	run->relay = -1;
	if (open_trace(r, e))
		return -1;
	if (r->config.detach)
		return 0;
	if (r->is_tty)
		return terminal_pair(&run->relay, &fds[0], e);
	fds[0] = r->is_interactive ? 0 : open("/dev/null", O_RDONLY |
					      O_CLOEXEC);
	fds[1] = 1;
	fds[2] = 2;
	return fds[0] < 0 ? err_set(e, STATUS_OURS, "/dev/null: %s",
				    strerror(errno)) : 0;
}

static int write_cidfile(const struct run *run, struct err *e)
{
	const char *file = run->request.cidfile;
	int fd;

	if (!file)
		return 0;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "%s", run->state.id) < 0)
		return err_set(e, STATUS_OURS, "id file %s: %s", file,
			       strerror(errno));
	return close(fd);
}

/* ---- the three phases -------------------------------------------------------- */
/* The manifest comes before the options, which win; so look for it first. */
static int find_manifest(void *ctx, enum option_id id, const char *arg,
			 struct err *e)
{
	struct request *r = ctx;

	if (id == OPT_MANIFEST || id == OPT_CONFIG)
		r->manifest = arg;
	return 0;
}

static int parse(struct request *r, int argc, char **argv, struct err *e)
{
	int at;

	request_init(r);
	if (options_parse(CMD_RUN, argc, argv, find_manifest, r, e) < 0 ||
	    (r->manifest && manifest_load(r, r->manifest, e)))
		return -1;
	at = options_parse(CMD_RUN, argc, argv, request_option, r, e);
	if (at < 0)
		return -1;
	if (!r->config.detach && !r->is_tty && terminal_is_interactive())
		r->is_tty = r->is_interactive = true;
	if (!r->config.detach && !r->config.name)
		r->is_removed = true;
	return at;
}

static int prepare(struct run *run, int argc, char **argv, struct err *e)
{
	struct request *r = &run->request;
	struct sandbox_config *c = &r->config;

	if (state_create(&run->state, c->name, r->is_replacing, e))
		return -1;
	c->id = run->state.id;
	c->name = run->state.name;
	c->state_dir = run->state.dir;
	if (request_finish(r, argc, argv, e) || open_streams(run, e))
		return -1;
	fill_state(run);
	return state_save(&run->state, e) || write_cidfile(run, e) ? -1 : 0;
}

/* Ports that were left to us are known only now. */
static int save_ports(struct run *run, struct err *e)
{
	const struct sandbox_config *c = &run->request.config;

	if (!c->port_count)
		return 0;
	json_object_set_new(run->state.json, "Ports", json_ports(c));
	return state_save(&run->state, e);
}

static int attend(struct run *run)
{
	struct request *r = &run->request;
	struct session s = { .control = run->sandbox.control,
		.relay = run->relay, .has_input = r->is_interactive,
		.is_proxying = !r->no_sig_proxy, .is_quiet = r->is_quiet };
	char text[512] = "";
	struct err e = { 0 };
	int status;

	if (r->is_tty)
		terminal_raw(r->trace && !*r->trace && isatty(2));
	session_run(&s, &e);
	if (sandbox_wait(&run->sandbox, &status, text, sizeof(text), &e)) {
		terminal_restore();
		return message_error(&e);
	}
	terminal_restore();
	if (*text)
		fail("%s", text);
	return sandbox_exit_code(status);
}

/* A program that exists on the host but not inside needs a hint. */
static void explain(const struct run *run, struct err *e)
{
	const char *program = run->request.config.argv[0];

	if (run->request.rootfs)
		return;
	if (e->status == STATUS_NOT_FOUND && strchr(program, '/') &&
	    !access(program, F_OK) && strlen(e->text) < 300)
		snprintf(e->text + strlen(e->text),
			 sizeof(e->text) - strlen(e->text), "\nit is on this "
			 "host but not inside; show its directory with "
			 "-v DIR:DIR:ro");
}

int cmd_run(int argc, char **argv)
{
	struct run run = { .relay = -1 };
	struct err e = { 0 };
	int at = parse(&run.request, argc, argv, &e);
	int code;

	if (at < 0)
		return message_error(&e);
	session_prepare();
	if (prepare(&run, argc - at, argv + at, &e) ||
	    sandbox_start(&run.request.config, &run.sandbox, &e)) {
		if (run.request.config.argv)
			explain(&run, &e);
		if (run.state.name)
			state_remove(&run.state);
		return message_error(&e);
	}
	if (run.request.is_tty && !run.request.config.detach)
		close(run.request.config.fds[0]);
	if (save_ports(&run, &e))
		message("%s", e.text); /* it runs all the same */
	if (run.request.config.detach) {
		sandbox_release(&run.sandbox);
		printf("%s\n", run.state.id);
		return 0;
	}
	code = attend(&run);
	if (run.request.is_removed) /* while the host takes it down */
		state_remove(&run.state);
	sandbox_reap(&run.sandbox);
	return code;
}
