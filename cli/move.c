/*
 * move.c - `bailey move`: a running sandbox runs on at another host.
 *
 * Over ssh, into `bailey resume -d -` there.  The sandbox here stands still
 * from the consistent point on; it ends when the other side has said that it
 * runs there, and goes on here when anything fails before.  A sandbox there
 * that cannot say so any more ends again (launch_finish).
 *
 * The other side is asked for what the sandbox has here, unless options name
 * something else: the same volumes, ports and name.
 */
#include "cli/progress.h"
#include "cli/saving.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY "bailey-is-here"

struct move {
	struct saving saving;
	struct state state;
	struct progress progress;
	const char *ssh, *remote, *name, *network, *host;
	struct strings ports, volumes;
	bool is_quiet, any_processor;
	pid_t child;       /* ssh */
	int image;         /* its input */
	FILE *answers;     /* its output */
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct move *m = ctx;
	uint32_t level;

	switch (id) {
	case OPT_SSH: m->ssh = arg; return 0;
	case OPT_REMOTE: m->remote = arg; return 0;
	case OPT_NAME: m->name = arg; return 0;
	case OPT_NETWORK: m->network = arg; return 0;
	case OPT_ANY_PROCESSOR: m->any_processor = true; return 0;
	case OPT_PUBLISH: strings_add(&m->ports, xstrdup(arg)); return 0;
	case OPT_VOLUME: strings_add(&m->volumes, xstrdup(arg)); return 0;
	case OPT_PROGRESS: return progress_parse(&m->progress, arg, e);
	case OPT_LEVEL:
		if (parse_u32(arg, 19, &level) || !level)
			return err_set(e, STATUS_OURS, "level '%s': a number "
				       "from 1 to 19 is needed", arg);
		m->saving.options.level = (int)level;
		return 0;
	default: m->is_quiet = true; return 0;
	}
}

/* ---- what is run there -------------------------------------------------- */
/* In single quotes, as the shell there takes it. */
static char *quoted(const char *s)
{
	char *out = xstrdup("'");

	for (; *s; s++)
		out = *s == '\'' ? xasprintf("%s'\\''", out) :
			xasprintf("%s%c", out, *s);
	return xasprintf("%s'", out);
}

static char *add_words(char *command, const char *option,
		       const struct strings *words)
{
	for (size_t i = 0; i < words->count; i++)
		command = xasprintf("%s %s %s", command, option,
				    quoted(words->v[i]));
	return command;
}

/* "HOST:GUEST[:ro]": does one of these name the guest path? */
static bool names_guest(const struct strings *volumes, const char *guest)
{
	size_t n = strlen(guest);

	for (size_t i = 0; i < volumes->count; i++) {
		const char *colon = strchr(volumes->v[i], ':');

		if (colon && !strncmp(colon + 1, guest, n) &&
		    (!colon[n + 1] || colon[n + 1] == ':'))
			return true;
	}
	return false;
}

static void default_volumes(struct move *m)
{
	const json_t *list = json_object_get(m->state.json, "Trees"), *t;
	struct strings own = m->volumes;
	size_t i;

	json_array_foreach(list, i, t) {
		const char *kind = json_string_value(json_object_get(t,
								"Kind"));
		const char *to = json_string_value(json_object_get(t, "Guest"));

		if (kind && to && !strcmp(kind, "volume") &&
		    !names_guest(&own, to))
			strings_add(&m->volumes, xasprintf("%s:%s%s",
				json_string_value(json_object_get(t, "Host")),
				to, json_is_true(json_object_get(t,
						"ReadOnly")) ? ":ro" : ""));
	}
}

static void default_ports(struct move *m)
{
	char *list = record_ports(&m->state), *port;

	if (m->ports.count || !*list)
		return;
	while ((port = strsep(&list, ",")))
		strings_add(&m->ports, port);
}

static char *remote_command(struct move *m)
{
	const char *rootfs = json_string_value(json_object_get(m->state.json,
							       "Rootfs"));
	const char *network = m->network ? m->network : json_string_value(
		json_object_get(m->state.json, "Network"));
	char *c = xasprintf("%s resume -d -q --progress none --name %s",
		m->remote, quoted(m->name ? m->name : m->state.name));

	default_volumes(m);
	default_ports(m);
	c = add_words(c, "-v", &m->volumes);
	c = add_words(c, "-p", &m->ports);
	if (rootfs && *rootfs)
		c = xasprintf("%s --rootfs %s", c, quoted(rootfs));
	if (network)
		c = xasprintf("%s --network %s", c, quoted(network));
	if (m->any_processor)
		c = xasprintf("%s --any-processor", c);
	return xasprintf("%s version >/dev/null && echo " READY " && %s -",
			 m->remote, c);
}

/* ---- the connection ----------------------------------------------------- */
static _Noreturn void child_main(struct move *m, int in, int out)
{
	/* it stays in our process group: it may have to ask for a password,
	 * and ^C must end it too; so must our own end, so that the other side
	 * learns of it */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(in, 0);
	dup2(out, 1);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/sh", "sh", "-c", xasprintf("exec %s \"$@\"", m->ssh),
	      "sh", m->host, remote_command(m), (char *)NULL);
	_exit(127);
}

static int start_ssh(struct move *m, struct err *e)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return err_set(e, STATUS_OURS, "pipe: %s", strerror(errno));
	m->child = fork();
	if (m->child == 0)
		child_main(m, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	m->image = in[1];
	m->answers = fdopen(out[0], "r");
	return m->child < 0 || !m->answers ? err_set(e, STATUS_OURS,
			"cannot start ssh: %s", strerror(errno)) : 0;
}

/* The exit status of ssh, which is the other side's. */
static int end_ssh(struct move *m)
{
	int status = 0;

	fclose(m->answers);
	while (waitpid(m->child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
		128 + WTERMSIG(status);
}

/* Whether a line like this comes; a login may print others before. */
static bool await_line(struct move *m, bool (*is_it)(const char *line))
{
	char *line = NULL;
	size_t size = 0;
	bool has_come = false;

	while (!has_come && getline(&line, &size, m->answers) > 0) {
		line[strcspn(line, "\r\n")] = 0;
		has_come = is_it(line);
	}
	free(line);
	return has_come;
}

static bool is_ready(const char *line)
{
	return !strcmp(line, READY);
}

static bool is_sandbox_id(const char *line)
{
	return strlen(line) == 64 && strspn(line, "0123456789abcdef") == 64;
}

/* Nothing stands still while somebody types a password. */
static int connect_there(struct move *m, struct err *e)
{
	if (start_ssh(m, e))
		return -1;
	if (await_line(m, is_ready))
		return 0;
	close(m->image);
	return err_set(e, STATUS_OURS, "no bailey can be reached at %s "
		"(status %d); %s runs on here", m->host, end_ssh(m),
		m->state.name);
}

/* ---- the whole ---------------------------------------------------------- */
/* The writer knows "-" as a place without a name: standard output. */
static int send_image(struct move *m, struct err *e)
{
	struct saving *s = &m->saving;
	int output = dup(1), failed;

	dup2(m->image, 1);
	close(m->image);
	s->state = &m->state;
	s->path = "-";
	s->is_kept_frozen = true;
	s->options.progress = progress_show;
	s->options.progress_arg = &m->progress;
	failed = saving_run(s, e);
	dup2(output, 1); /* the end of the image */
	close(output);
	progress_end(&m->progress);
	return failed;
}

static const char *stays(const struct move *m)
{
	return m->saving.was_paused ? "it is paused here as before" :
		"it runs on here";
}

static int move(struct move *m, struct err *e)
{
	bool has_arrived;
	int failed, status;
	const char *why;

	if (connect_there(m, e))
		return -1;
	failed = send_image(m, e);
	if (!failed && m->saving.signal)
		failed = err_set(e, 128 + m->saving.signal, "interrupted; %s "
				 "was not moved", m->state.name);
	if (failed && e->status != STATUS_OURS) /* a signal: end ssh as well */
		kill(m->child, SIGTERM);
	has_arrived = await_line(m, is_sandbox_id);
	if (has_arrived && !failed) {
		failed = saving_end(&m->saving, e);
		end_ssh(m);
		if (!failed)
			state_remove(&m->state); /* it is not here any more */
		return failed;
	}
	saving_let_go(&m->saving);
	status = end_ssh(m);
	why = failed ? xasprintf(", %.200s", e->text) : "";
	if (failed && e->status != STATUS_OURS)
		return -1;
	return err_set(e, STATUS_OURS, "%s was not moved: resume at %s ended "
		"with status %d%s; %s", m->state.name, m->host, status, why,
		stays(m));
}

int cmd_move(int argc, char **argv)
{
	struct move m = { .remote = "bailey", .ssh = "ssh -o "
		"ServerAliveInterval=5 -o ServerAliveCountMax=3" };
	struct err e = { 0 };
	int at = options_parse(CMD_MOVE, argc, argv, set, &m, &e);

	if (at < 0)
		return message_error(&e);
	if (argc - at != 2)
		return fail("usage: bailey move [OPTIONS] SANDBOX [USER@]HOST");
	m.host = argv[at + 1];
	if (*m.host == '-')
		return fail("'%s' is not the name of a host", m.host);
	if (state_find(argv[at], &m.state, &e))
		return message_error(&e);
	if (m.state.status != STATE_RUNNING)
		return fail("%s is not running", m.state.name);
	if (move(&m, &e))
		return message_error(&e);
	if (!m.is_quiet && m.progress.mode != PROGRESS_JSON)
		fprintf(stderr, "moved %s to %s: %s sent (%s of memory)\n",
			m.state.name, m.host,
			bytes_text(m.saving.totals.file_bytes),
			bytes_text(m.saving.totals.memory_pages * 4096));
	return 0;
}
