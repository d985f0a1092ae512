/*
 * ps.c - `bailey ps`: the sandboxes.
 */
#include "cli/targets.h"

#include <string.h>

struct ps {
	bool is_all, is_quiet, is_long, is_json;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct ps *o = ctx;

	switch (id) {
	case OPT_ALL: o->is_all = true; break;
	case OPT_QUIET: o->is_quiet = true; break;
	case OPT_NO_TRUNC: o->is_long = true; break;
	case OPT_JSON: o->is_json = true; break;
	default:
		if (strcmp(arg, "json"))
			return err_set(e, STATUS_OURS, "the format is json");
		o->is_json = true;
	}
	return 0;
}

/* ---- columns ---------------------------------------------------------------- */
static const char *ago(time_t then)
{
	static const struct { long seconds; const char *unit; } units[] = {
		{ 86400, "day" }, { 3600, "hour" }, { 60, "minute" },
		{ 1, "second" } };
	long d = (long)(time(NULL) - then);

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		long n = d / units[i].seconds;

		if (n)
			return xasprintf("%ld %s%s", n, units[i].unit,
					 n > 1 ? "s" : "");
	}
	return "less than a second";
}

static time_t created(const struct state *s)
{
	return (time_t)json_integer_value(json_object_get(s->json, "Created"));
}

/* One that was handed over, and may run there: move.c. */
static const char *paused_text(const struct state *s)
{
	const char *to = json_string_value(json_object_get(s->json,
							   "MovingTo"));

	if (!target_is_paused(s))
		return "";
	return to ? printable(xasprintf(" (Paused, moving to %s)", to)) :
		" (Paused)";
}

static char *status_text(const struct state *s)
{
	switch (s->status) {
	case STATE_RUNNING:
		return xasprintf("Up %s%s", ago(created(s)), paused_text(s));
	case STATE_CREATED: return xstrdup("Created");
	default:
		return xasprintf("Exited (%d) %s ago", s->exit_code,
				 ago(s->ended ? s->ended : created(s)));
	}
}

static char *command_text(const struct state *s, bool is_long)
{
	char *out = xstrdup("");
	json_t *word;
	size_t i;

	json_array_foreach(state_command(s), i, word)
		out = xasprintf("%s%s%s", out, i ? " " : "",
				json_string_value(word));
	if (!is_long && strlen(out) > 24)
		strcpy(out + 21, "...");
	return printable(out);
}

static char *ports_text(const struct state *s)
{
	char *out = xstrdup("");
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(s->json, "Ports"), i, p)
		out = xasprintf("%s%s%s:%d->%d/%s", out, i ? ", " : "",
			json_string_value(json_object_get(p, "host_ip")),
			(int)json_integer_value(json_object_get(p,
							"host_port")),
			(int)json_integer_value(json_object_get(p,
							"container_port")),
			json_string_value(json_object_get(p, "protocol")));
	return out;
}

/* ---- output ----------------------------------------------------------------- */
static void print_table(const struct states *l, const struct ps *o)
{
	int id = o->is_long ? 64 : 12, command = 7, status = 6, ports = 5;
	char *(*text)[3] = xcalloc(l->count, sizeof(*text));

	for (size_t i = 0; i < l->count; i++) {
		text[i][0] = command_text(&l->v[i], o->is_long);
		text[i][1] = status_text(&l->v[i]);
		text[i][2] = ports_text(&l->v[i]);
		command = (int)strlen(text[i][0]) > command ?
			(int)strlen(text[i][0]) : command;
		status = (int)strlen(text[i][1]) > status ?
			(int)strlen(text[i][1]) : status;
		ports = (int)strlen(text[i][2]) > ports ?
			(int)strlen(text[i][2]) : ports;
	}
	printf("%-*s  %-*s  %-*s  %-*s  %s\n", id, "SANDBOX ID", command,
	       "COMMAND", status, "STATUS", ports, "PORTS", "NAMES");
	for (size_t i = 0; i < l->count; i++)
		printf("%.*s  %-*s  %-*s  %-*s  %s\n", id, l->v[i].id,
		       command, text[i][0], status, text[i][1], ports,
		       text[i][2], l->v[i].name);
}

static void print_json(const struct states *l)
{
	json_t *a = json_array(), *o;

	for (size_t i = 0; i < l->count; i++) {
		const struct state *s = &l->v[i];

		o = json_object();
		json_object_set_new(o, "Id", json_string(s->id));
		json_object_set_new(o, "Names", json_pack("[s]", s->name));
		json_object_set_new(o, "Command", json_incref(
				state_command(s)));
		json_object_set_new(o, "Created", json_integer(created(s)));
		json_object_set_new(o, "State",
				json_string(target_is_paused(s) ? "paused" :
					    state_status_name(s->status)));
		json_object_set_new(o, "Status",
				json_string(status_text(s)));
		json_object_set_new(o, "ExitCode", json_integer(s->exit_code));
		json_object_set_new(o, "Ports", json_incref(
				json_object_get(s->json, "Ports")));
		json_array_append_new(a, o);
	}
	json_dumpf(a, stdout, JSON_INDENT(1));
	putchar('\n');
}

static void keep_running(struct states *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->v[i].status == STATE_RUNNING)
			l->v[n++] = l->v[i];
	l->count = n;
}

int cmd_ps(int argc, char **argv)
{
	struct ps o = { 0 };
	struct states l;
	struct err e;
	int at = options_parse(CMD_PS, argc, argv, set, &o, &e);

	if (at < 0 || state_list(&l, &e))
		return message_error(&e);
	if (at < argc)
		return fail("ps takes no arguments");
	if (!o.is_all)
		keep_running(&l);
	if (o.is_json)
		print_json(&l);
	else if (!o.is_quiet)
		print_table(&l, &o);
	else
		for (size_t i = 0; i < l.count; i++)
			printf("%.*s\n", o.is_long ? 64 : 12, l.v[i].id);
	return 0;
}
