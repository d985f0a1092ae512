/*
 * inspect.c - `bailey inspect`: all that is known about a sandbox, as JSON:
 * state.json, then what its monitor and its library OS say now.
 */
#include "cli/display.h"
#include "cli/memory.h"
#include "cli/targets.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A sandbox that is busy or stopped may not answer. */
enum { ANSWER_MS = 2000 };

/* Ask; the answer is in payload, its size returned, or -1. */
static int ask(int fd, enum control_op op, char *payload, int *number)
{
	struct control_msg m = { .op = op };
	struct pollfd p = { fd, POLLIN, 0 };

	if (control_send(fd, &m, NULL, NULL, 0))
		return -1;
	while (poll(&p, 1, ANSWER_MS) > 0 &&
	       control_recv(fd, &m, payload, CONTROL_PAYLOAD_MAX) > 0) {
		*number = m.a;
		if (m.op == CTL_DONE && m.b == (uint32_t)op)
			return (int)m.size;
		if (m.op == CTL_ERROR || m.op == CTL_ENDED)
			return -1;
	}
	return -1;
}

/* Only the library OS knows its processes: the monitor is not told of births,
 * and several processes may live in one picoprocess.  null: no answer. */
static void add_processes(int fd, char *payload, json_t *o)
{
	json_t *list = NULL;
	int count = 0;

	if (ask(fd, CTL_PS, payload, &count) > 0)
		list = json_loads(payload, 0, NULL);
	json_object_set_new(o, "ProcessCount", list ? json_integer(count) :
			    json_null());
	json_object_set_new(o, "Processes", list ? list : json_null());
}

/* What its monitor and its library OS say; is it paused? */
static bool add_live(const struct state *s, json_t *o)
{
	char *payload = xcalloc(1, CONTROL_PAYLOAD_MAX);
	int fd = state_connect(s, NULL);
	struct control_state st = { 0 };
	int none;

	if (fd < 0)
		return false;
	if (ask(fd, CTL_STATE, payload, &none) >= (int)sizeof(st)) {
		memcpy(&st, payload, sizeof(st));
		json_object_set_new(o, "Monitor", json_pack("{s:i,s:I,s:I}",
			"Denied", (int)st.denied,
			"Requests", (json_int_t)st.requests,
			"StartedNs", (json_int_t)st.start_ns));
	}
	if (!st.is_paused) /* its library OS stands still as well */
		add_processes(fd, payload, o);
	close(fd);
	free(payload);
	return st.is_paused;
}

/* Its server knows the password of the next log-in. */
static void add_password(const struct state *s, json_t *o)
{
	static const char *const what[] = { "password", NULL };
	json_t *display = json_object_get(o, "Display");
	char *said[1];

	if (json_is_object(display) &&
	    display_tell(s->id, what, said, ANSWER_MS))
		json_object_set_new(display, "Password",
				    json_string(said[0]));
}

static void add_memory(const struct state *s, json_t *o)
{
	int fd = state_connect(s, NULL);
	json_t *memory = fd < 0 ? NULL : memory_json(s, fd);

	if (fd >= 0)
		close(fd);
	if (!memory)
		message("%s: the host shows the pages of a sandbox to root "
			"only", s->name);
	json_object_set_new(o, "Memory", memory ? memory : json_null());
}

struct inspect {
	json_t *all;
	bool with_memory;
};

static int inspect_one(struct state *s, void *ctx, struct err *e)
{
	const struct inspect *i = ctx;
	json_t *o = json_deep_copy(s->json);
	json_t *state = json_pack("{s:s,s:i,s:s,s:I}",
		"Status", state_status_name(s->status),
		"ExitCode", s->exit_code, "Error", s->reason,
		"FinishedAt", (json_int_t)s->ended);

	json_object_set_new(o, "State", state);
	json_object_set_new(o, "StateDir", json_string(s->dir));
	if (s->status == STATE_RUNNING && add_live(s, o))
		json_object_set_new(state, "Status", json_string("paused"));
	else if (s->status == STATE_RUNNING)
		add_password(s, o);
	if (i->with_memory && s->status == STATE_RUNNING)
		add_memory(s, o);
	json_array_append_new(i->all, o);
	return 0;
}

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct inspect *i = ctx;

	i->with_memory |= id == OPT_INSPECT_MEMORY;
	if (id == OPT_FORMAT && strcmp(arg, "json"))
		return err_set(e, STATUS_OURS, "the format is json");
	return 0; /* it is JSON in any case */
}

int cmd_inspect(int argc, char **argv)
{
	struct inspect i = { .all = json_array() };
	struct err e;
	int at = options_parse(CMD_INSPECT, argc, argv, set, &i, &e);
	int status;

	if (at < 0)
		return message_error(&e);
	status = targets_each("inspect", false, argc - at, argv + at,
			      inspect_one, &i);
	if (!status || json_array_size(i.all)) {
		json_dumpf(i.all, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	return status;
}
