/*
 * tables.c - `bailey syscalls` and `bailey abi`: the tables that the library
 * OS and the wall are built from, for reading.
 */
#include "cli/cli.h"

#include <bailey/host_abi.h>
#include <bailey/sandbox.h>
#include <jansson.h>
#include <string.h>

struct tables {
	bool is_json, is_host;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct tables *t = ctx;

	if (id == OPT_FORMAT && strcmp(arg, "json"))
		return err_set(e, STATUS_OURS, "the format is json");
	if (id == OPT_HOST)
		t->is_host = true;
	else
		t->is_json = true;
	return 0;
}

static int print_json(json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(1));
	putchar('\n');
	return 0;
}

static int parse(enum command_id cmd, int argc, char **argv, struct tables *t)
{
	struct err e;
	int at = options_parse(cmd, argc, argv, set, t, &e);

	if (at < 0)
		return message_error(&e);
	if (at < argc)
		return fail("%s takes no arguments", commands[cmd].name);
	return 0;
}

/* ---- syscalls --------------------------------------------------------------- */
enum level { FULL, PARTIAL, STUB, NONE, LEVELS };
static const char *const level_names[] = { "full", "partial", "stub", "none" };

static const struct {
	int nr;
	const char *name;
	enum level level;
	const char *note;
} calls[] = {
#define SYSCALL(nr, name, handler, level, args, note) \
	{ nr, #name, level, note },
#include "libos/sys/syscalls.tbl"
#undef SYSCALL
};
#define CALL_COUNT (sizeof(calls) / sizeof(*calls))

static json_t *syscalls_json(void)
{
	json_t *a = json_array();

	for (size_t i = 0; i < CALL_COUNT; i++)
		json_array_append_new(a, json_pack("{s:i,s:s,s:s,s:s}",
			"number", calls[i].nr, "name", calls[i].name,
			"support", level_names[calls[i].level],
			"note", calls[i].note));
	return json_pack("{s:s,s:o}", "architecture", "x86_64", "syscalls", a);
}

int cmd_syscalls(int argc, char **argv)
{
	static const char *const colours[] = { "\033[32m", "\033[33m",
					       "\033[33m", "\033[31m" };
	struct tables t = { 0 };
	bool is_coloured = has_colour(stdout);
	size_t count[LEVELS] = { 0 };

	if (parse(CMD_SYSCALLS, argc, argv, &t))
		return STATUS_OURS;
	if (t.is_json)
		return print_json(syscalls_json());
	for (size_t i = 0; i < CALL_COUNT; i++) {
		enum level l = calls[i].level;

		count[l]++;
		printf("%3d  %-24s %s%-8s%s%s%s\n", calls[i].nr,
		       calls[i].name, is_coloured ? colours[l] : "",
		       level_names[l], is_coloured ? "\033[0m" : "",
		       *calls[i].note ? " " : "", calls[i].note);
	}
	printf("%zu calls: %zu full, %zu partial, %zu accepted without effect, "
	       "%zu not supported\n", CALL_COUNT, count[FULL], count[PARTIAL],
	       count[STUB], count[NONE]);
	return 0;
}

/* ---- abi --------------------------------------------------------------------- */
enum way { DIRECT, MONITOR, LAYER };
static const char *const way_names[] = { "direct", "monitor", "host layer" };

static const struct {
	const char *name;
	enum way way;
	const char *args, *meaning, *checks;
} abi[] = {
#define HOST_CALL(name, way, args, meaning, checks) \
	{ #name, way, args, meaning, checks },
#define HOST_UPCALL(name, args, meaning)
#include "bailey/host_abi.tbl"
#undef HOST_CALL
#undef HOST_UPCALL
};
static const struct { const char *name, *args, *meaning; } upcalls[] = {
#define HOST_CALL(name, way, args, meaning, checks)
#define HOST_UPCALL(name, args, meaning) { #name, args, meaning },
#include "bailey/host_abi.tbl"
#undef HOST_CALL
#undef HOST_UPCALL
};
#define ABI_COUNT (sizeof(abi) / sizeof(*abi))
#define UPCALL_COUNT (sizeof(upcalls) / sizeof(*upcalls))

static json_t *abi_json(void)
{
	json_t *c = json_array(), *u = json_array();

	for (size_t i = 0; i < ABI_COUNT; i++)
		json_array_append_new(c, json_pack("{s:s,s:s,s:s,s:s,s:s}",
			"name", abi[i].name, "way", way_names[abi[i].way],
			"arguments", abi[i].args, "meaning", abi[i].meaning,
			"checks", abi[i].checks));
	for (size_t i = 0; i < UPCALL_COUNT; i++)
		json_array_append_new(u, json_pack("{s:s,s:s,s:s}",
			"name", upcalls[i].name, "arguments", upcalls[i].args,
			"meaning", upcalls[i].meaning));
	return json_pack("{s:i,s:o,s:o}", "version", HOST_ABI_VERSION,
			 "calls", c, "upcalls", u);
}

static int print_abi(void)
{
	printf("host ABI version %d: %zu calls, %zu upcalls\n\n",
	       HOST_ABI_VERSION, ABI_COUNT, UPCALL_COUNT);
	for (size_t i = 0; i < ABI_COUNT; i++)
		printf("%s(%s)  [%s]\n    %s\n    checked: %s\n", abi[i].name,
		       abi[i].args, way_names[abi[i].way], abi[i].meaning,
		       abi[i].checks);
	printf("\nupcalls\n");
	for (size_t i = 0; i < UPCALL_COUNT; i++)
		printf("%s(%s)\n    %s\n", upcalls[i].name, upcalls[i].args,
		       upcalls[i].meaning);
	return 0;
}

static json_t *wall_json(void)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < wall_table_count; i++)
		json_array_append_new(a, json_pack("{s:s,s:i,s:s,s:s}",
			"name", wall_table[i].name,
			"number", wall_table[i].number,
			"filter", wall_table[i].filter,
			"reason", wall_table[i].reason));
	return json_pack("{s:s,s:o}", "architecture", "x86_64", "syscalls", a);
}

static int print_wall(void)
{
	for (unsigned i = 0; i < wall_table_count; i++)
		printf("%-14s %3d\n    filter: %s\n    why: %s\n",
		       wall_table[i].name, wall_table[i].number,
		       *wall_table[i].filter ? wall_table[i].filter :
		       "any argument", wall_table[i].reason);
	printf("%u host system calls; every other one, and each of these with "
	       "other arguments, is refused\n", wall_table_count);
	return 0;
}

int cmd_abi(int argc, char **argv)
{
	struct tables t = { 0 };

	if (parse(CMD_ABI, argc, argv, &t))
		return STATUS_OURS;
	if (t.is_host)
		return t.is_json ? print_json(wall_json()) : print_wall();
	return t.is_json ? print_json(abi_json()) : print_abi();
}
