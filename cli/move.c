/*
 * move.c - `bailey move`: a running sandbox runs on at another host.
 *
 * Over ssh, into `bailey resume -d --handover -` there; who may run when is
 * told in baton.h.  The sandbox here stands still from the consistent point
 * on.
 *
 * The other side is asked for what the sandbox has here, unless options name
 * something else: the same volumes, ports and name.
 */
#include "cli/baton.h"
#include "cli/progress.h"
#include "cli/saving.h"
#include "cli/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY "bailey-is-here"
#define RUNS "bailey-runs-it"
#define RUNS_NOT "bailey-does-not-run-it"
#define ASK_AGAIN 3 /* times, after a line that broke */

struct move {
	struct saving saving;
	struct state state;
	struct progress progress;
	const char *ssh, *remote, *name, *network, *host;
	struct strings ports, volumes;
	bool is_quiet, any_processor;
	pid_t child;       /* ssh */
	int input;         /* its input */
	FILE *answers;     /* its output */
	char *id;          /* of the sandbox there */
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
	char *c = xasprintf("%s resume -d -q --handover --progress none "
		"--name %s", m->remote, quoted(m->name ? m->name : m->state.name));

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
static _Noreturn void child_main(struct move *m, const char *command, int in,
				 int out)
{
	/* it stays in our process group: it may have to ask for a password,
	 * and ^C must end it too; so must our own end, so that the other side
	 * learns of it */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(in, 0);
	dup2(out, 1);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/sh", "sh", "-c", xasprintf("exec %s \"$@\"", m->ssh),
	      "sh", m->host, command, (char *)NULL);
	_exit(127);
}

static int start_ssh(struct move *m, const char *command, struct err *e)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return err_set(e, STATUS_OURS, "pipe: %s", strerror(errno));
	m->child = fork();
	if (m->child == 0)
		child_main(m, command, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	m->input = in[1];
	m->answers = fdopen(out[0], "r");
	return m->child < 0 || !m->answers ? err_set(e, STATUS_OURS,
			"cannot start ssh: %s", strerror(errno)) : 0;
}

/* The exit status of ssh, which is the other side's. */
static int end_ssh(struct move *m)
{
	int status = 0;

	if (m->input >= 0)
		close(m->input);
	m->input = -1;
	fclose(m->answers);
	while (waitpid(m->child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
		128 + WTERMSIG(status);
}

/* What comes behind start in the first line that begins with it, or NULL; a
 * login may print others before. */
static char *await_line(struct move *m, const char *start)
{
	char *line = NULL, *found = NULL;
	size_t size = 0, n = strlen(start);

	while (!found && getline(&line, &size, m->answers) > 0) {
		line[strcspn(line, "\r\n")] = 0;
		if (!strncmp(line, start, n))
			found = xstrdup(line + n);
	}
	free(line);
	return found;
}

static bool is_sandbox_id(const char *line)
{
	return strlen(line) == 64 && strspn(line, "0123456789abcdef") == 64;
}

/* Nothing stands still while somebody types a password. */
static int connect_there(struct move *m, struct err *e)
{
	if (start_ssh(m, remote_command(m), e))
		return -1;
	if (await_line(m, READY))
		return 0;
	return err_set(e, STATUS_OURS, "no bailey can be reached at %s "
		"(status %d); %s runs on here", m->host, end_ssh(m),
		m->state.name);
}

/* ---- the word ----------------------------------------------------------- */
enum fate { RUNS_THERE, RUNS_NOWHERE, UNKNOWN };

static int unpause(struct move *m, struct err *e)
{
	struct control_msg ask = { .op = CTL_UNPAUSE };
	int control = m->saving.was_paused ? -1 : state_connect(&m->state, e);
	int n;

	if (control < 0)
		return m->saving.was_paused ? 0 : -1;
	n = target_ask(&m->state, control, &ask,
		       xcalloc(1, CONTROL_PAYLOAD_MAX), 30000, e);
	close(control);
	return n < 0 ? -1 : 0;
}

/* What the other side says of the sandbox. */
static enum fate await_fate(struct move *m)
{
	enum fate fate = UNKNOWN;
	char *line = NULL;
	size_t size = 0;

	while (fate == UNKNOWN && getline(&line, &size, m->answers) > 0) {
		line[strcspn(line, "\r\n")] = 0;
		if (!strcmp(line, m->id) || !strcmp(line, RUNS))
			fate = RUNS_THERE;
		else if (!strcmp(line, BATON_FAILED) ||
			 !strcmp(line, RUNS_NOT))
			fate = RUNS_NOWHERE;
	}
	free(line);
	return fate;
}

/* One that still waits there for the word never gets it: it is removed. */
static enum fate ask_again(struct move *m)
{
	enum fate fate;
	struct err ignored;

	if (start_ssh(m, xasprintf("%s version >/dev/null && if %s ps -q "
			"--no-trunc | grep -qx %s; then echo " RUNS "; else "
			"%s rm -f %s >/dev/null 2>&1; echo " RUNS_NOT "; fi",
			m->remote, m->remote, m->id, m->remote, m->id),
		      &ignored))
		return UNKNOWN;
	fate = await_fate(m);
	end_ssh(m);
	return fate;
}

static void ignore(int sig)
{
	(void)sig;
}

/* From here on the sandbox stays still whatever happens to this process, so
 * that it had better not be interrupted. */
static void leave(struct move *m)
{
	struct sigaction a = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	struct err ignored;

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	json_object_set_new(m->state.json, "MovingTo", json_string(m->host));
	state_save(&m->state, &ignored);
	saving_leave(&m->saving);
}

static enum fate give_word(struct move *m, int *status)
{
	enum fate fate = UNKNOWN;

	leave(m);
	/* so short a word goes into the pipe whole, or not at all */
	if (write(m->input, BATON_GO, strlen(BATON_GO)) < 0)
		fate = RUNS_NOWHERE;
	else
		fate = await_fate(m);
	*status = end_ssh(m);
	for (int i = 0; i < ASK_AGAIN && fate == UNKNOWN; i++) {
		sleep(i ? 5 : 1);
		fate = ask_again(m);
	}
	return fate;
}

/* ---- the whole ---------------------------------------------------------- */
/* The writer knows "-" as a place without a name: standard output. */
static int save_to(struct move *m, int image, struct err *e)
{
	struct saving *s = &m->saving;
	int output = dup(1), failed;

	dup2(image, 1);
	close(image);
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

static int send_image(struct move *m, struct err *e)
{
	int pid, status = 0, image = baton_send(m->input, &pid, e), failed;

	if (image < 0)
		return -1;
	failed = save_to(m, image, e);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!failed && m->saving.signal)
		return err_set(e, 128 + m->saving.signal, "interrupted; %s "
			       "was not moved", m->state.name);
	return failed;
}

static const char *stays(const struct move *m)
{
	return m->saving.was_paused ? "it is paused here as before" :
		"it runs on here";
}

/* Before the word: it goes on here, whatever there is there. */
static int give_up(struct move *m, bool has_failed, struct err *e)
{
	const char *why = has_failed ? xasprintf(", %.200s", e->text) : "";
	int status;

	saving_let_go(&m->saving);
	status = end_ssh(m);
	if (has_failed && e->status != STATUS_OURS)
		return -1;
	return err_set(e, STATUS_OURS, "%s was not moved: resume at %s ended "
		"with status %d%s; %s", m->state.name, m->host, status, why,
		stays(m));
}

static int goes_on_here(struct move *m, int status, struct err *e)
{
	struct err ignored;

	json_object_del(m->state.json, "MovingTo");
	state_save(&m->state, &ignored);
	if (unpause(m, e))
		return -1;
	return err_set(e, STATUS_OURS, "%s was not moved: resume at %s ended "
		"with status %d; %s", m->state.name, m->host, status,
		stays(m));
}

static int hand_over(struct move *m, struct err *e)
{
	int status, failed;

	switch (give_word(m, &status)) {
	case RUNS_THERE:
		failed = saving_end(&m->saving, e);
		if (!failed)
			state_remove(&m->state); /* it is not here any more */
		return failed;
	case RUNS_NOWHERE:
		return goes_on_here(m, status, e);
	default:
		return err_set(e, STATUS_OURS, "the connection to %s broke in "
			"the moment of handing over, and nobody answers there: "
			"%s may run there, as %.12s.  It stands still here.  "
			"If it runs there: bailey rm -f %s; if it does not: "
			"bailey unpause %s", m->host, m->state.name, m->id,
			m->state.name, m->state.name);
	}
}

static int move(struct move *m, struct err *e)
{
	int failed;

	if (connect_there(m, e))
		return -1;
	signal(SIGPIPE, SIG_IGN);
	failed = send_image(m, e);
	if (failed && e->status != STATUS_OURS) /* a signal: end ssh as well */
		kill(m->child, SIGTERM);
	if (failed) /* nobody is to wait for the rest */
		close(m->input), m->input = -1;
	m->id = await_line(m, BATON_PREPARED);
	if (failed || !m->id || !is_sandbox_id(m->id))
		return give_up(m, failed, e);
	return hand_over(m, e);
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
