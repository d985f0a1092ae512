/*
 * exec.c - `bailey exec`: one more program in a running sandbox.
 * The program's record and its descriptors go through the monitor to the
 * library OS, which starts it as a process of its own.
 */
#include "cli/exec.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exec {
	struct request request;
	struct state state;
	int control, relay;
	uint32_t token;
};

/* Answers up to and including this op; its message in m. */
static int await(const struct exec *x, enum control_op op,
		 struct control_msg *m, char *text, size_t size,
		 struct err *e)
{
	for (;;) {
		if (control_recv(x->control, m, text, size) <= 0 ||
		    m->op == CTL_ENDED)
			return err_set(e, STATUS_OURS, "%s has ended",
				       x->state.name);
		if (m->op == CTL_ERROR)
			return err_set(e, STATUS_OURS, "%s: %.300s",
				       x->state.name, *text ? text :
				       strerror(m->a));
		if (m->op == (uint32_t)op)
			return 0;
	}
}

static int open_streams(struct exec *x, int *fds, unsigned *count,
			struct err *e)
{
	const struct request *r = &x->request;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	x->relay = -1;
	*count = 3;
	if (null < 0)
		return err_set(e, STATUS_OURS, "/dev/null: %s",
			       strerror(errno));
	fds[0] = r->is_interactive ? 0 : null;
	fds[1] = r->config.detach ? null : 1;
	fds[2] = r->config.detach ? null : 2;
	if (!r->is_tty)
		return 0;
	*count = 1;
	return terminal_pair(&x->relay, &fds[0], e);
}

static int started_error(const struct exec *x, int code, const char *text,
			 struct err *e)
{
	bool is_missing = code == ENOENT || code == ENOTDIR;

	int status = is_missing ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;

	if (*text) /* it names the program */
		return err_set(e, status, "%.400s", text);
	return err_set(e, status, "%.300s: %s", x->request.config.argv[0],
		       strerror(code));
}

static int start(struct exec *x, const int *fds, unsigned count,
		 struct err *e)
{
	struct control_msg m = { .op = CTL_SPAWN };
	char *text = xcalloc(1, CONTROL_PAYLOAD_MAX);
	struct boot_spawn *record;
	size_t size;

	record = sandbox_spawn_record(&x->request.config, &size, e);
	if (!record)
		return -1;
	m.size = (uint32_t)size;
	if (control_send(x->control, &m, record, fds, count))
		return err_set(e, STATUS_OURS, "%s: %s", x->state.name,
			       strerror(errno));
	if (x->relay >= 0)
		close(fds[0]);
	if (await(x, CTL_DONE, &m, text, CONTROL_PAYLOAD_MAX, e))
		return -1;
	x->token = m.token;
	if (await(x, CTL_STARTED, &m, text, CONTROL_PAYLOAD_MAX, e))
		return -1;
	if (m.a)
		return started_error(x, m.a, text, e);
	return 0;
}

/* As the sandbox's own program: what its state says, then our options. */
static int prepare(struct exec *x, struct strings env, char *const *argv,
		   struct err *e)
{
	struct request *r = &x->request;
	json_t *config = json_object_get(x->state.json, "Config"), *item;
	struct guest_user user;
	struct strings none = { 0 };
	const char *rootfs = json_string_value(
		json_object_get(x->state.json, "Rootfs"));
	size_t i;

	json_array_foreach(json_object_get(config, "Env"), i, item)
		if (env_set(&r->env, json_string_value(item), e))
			return -1;
	if (!r->user) /* the sandbox's */
		r->user = xasprintf("%d:%d",
			(int)json_integer_value(json_object_get(config, "Uid")),
			(int)json_integer_value(json_object_get(config,
								"Gid")));
	if (user_resolve(rootfs && *rootfs ? rootfs : NULL, r->user, &none,
			 &user, e))
		return -1;
	if (env_set(&r->env, xasprintf("HOME=%s", user.home), e))
		return -1;
	if (r->is_tty && env_set(&r->env, xasprintf("TERM=%s",
			getenv("TERM") ?: "xterm"), e))
		return -1;
	for (i = 0; i < env.count; i++)
		if (env_set(&r->env, env.v[i], e))
			return -1;
	r->config.uid = user.uid;
	r->config.gid = user.gid;
	r->config.groups = user.groups;
	r->config.group_count = user.group_count;
	r->config.argv = argv;
	r->config.envp = r->env.v;
	r->config.tty = r->is_tty;
	if (!r->config.cwd)
		r->config.cwd = json_string_value(json_object_get(config,
							"WorkingDir")) ?: "/";
	terminal_size(&r->config.rows, &r->config.columns);
	return 0;
}

static int attend(struct exec *x)
{
	struct session s = { .control = x->control, .token = x->token,
		.relay = x->relay, .is_proxying = true,
		.has_input = x->request.is_interactive };
	struct err e = { 0 };

	if (x->request.is_tty)
		terminal_raw(false);
	if (session_run(&s, &e)) {
		terminal_restore();
		return message_error(&e);
	}
	terminal_restore();
	return sandbox_exit_code(s.status);
}

int exec_detached(const struct state *s, char *const *argv, const int fds[3],
		  struct err *e)
{
	struct exec x = { .state = *s, .relay = -1 };
	int status;

	request_init(&x.request);
	if (prepare(&x, (struct strings){ 0 }, argv, e) ||
	    (x.control = state_connect(s, e)) < 0)
		return -1;
	status = start(&x, fds, 3, e);
	close(x.control);
	return status;
}

static int start_with_streams(struct exec *x, struct err *e)
{
	unsigned count;
	int fds[3];

	return open_streams(x, fds, &count, e) ? -1 : start(x, fds, count, e);
}

int cmd_exec(int argc, char **argv)
{
	struct exec x = { 0 };
	struct strings env;
	struct err e = { 0 };
	int at;

	request_init(&x.request);
	at = options_parse(CMD_EXEC, argc, argv, request_option, &x.request,
			   &e);
	if (at < 0)
		return message_error(&e);
	if (argc - at < 2)
		return fail("usage: bailey exec [OPTIONS] SANDBOX PROGRAM "
			    "[ARG...]");
	if (!x.request.config.detach && !x.request.is_tty &&
	    terminal_is_interactive())
		x.request.is_tty = x.request.is_interactive = true;
	env = x.request.env;
	x.request.env = (struct strings){ 0 };
	session_prepare();
	if (state_find(argv[at], &x.state, &e) ||
	    prepare(&x, env, argv + at + 1, &e) ||
	    (x.control = state_connect(&x.state, &e)) < 0 ||
	    start_with_streams(&x, &e))
		return message_error(&e);
	return x.request.config.detach ? 0 : attend(&x);
}
