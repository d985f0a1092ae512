/*
 * options.c - options from options.tbl: parsing with getopt_long, and --help.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const struct option_entry option_table[OPT_COUNT] = {
#define OPTION(id, cmds, c, name, arg, meta, help) \
	[OPT_##id] = { cmds, c, name, arg, meta, help },
#include "cli/options.tbl"
#undef OPTION
};

/* The words after the first that is no option belong to a program. */
static bool has_program(enum command_id cmd)
{
	return cmd == CMD_RUN || cmd == CMD_EXEC || cmd == CMD_SPEC;
}

#define LONG_BASE 256 /* getopt's value for option id i is LONG_BASE + i */

static void add_letter(char *letters, const struct option_entry *o)
{
	size_t n = strlen(letters);

	letters[n++] = o->letter;
	if (o->arg == ARG_NEEDED)
		letters[n++] = ':';
	letters[n] = 0;
}

static void fill_getopt(enum command_id cmd, struct option *longs,
			char *letters)
{
	size_t n = 0;

	strcpy(letters, has_program(cmd) ? "+:" : ":");
	for (int i = 1; i < OPT_COUNT; i++) {
		const struct option_entry *o = &option_table[i];

		if (!(o->commands & (1u << cmd)))
			continue;
		longs[n++] = (struct option){ o->name,
			o->arg == ARG_NONE ? no_argument :
			o->arg == ARG_NEEDED ? required_argument :
			optional_argument, NULL, LONG_BASE + i };
		if (o->letter)
			add_letter(letters, o);
	}
	longs[n] = (struct option){ 0 };
}

static enum option_id by_letter(enum command_id cmd, int c)
{
	for (int i = 1; i < OPT_COUNT; i++)
		if (option_table[i].letter == c &&
		    option_table[i].commands & (1u << cmd))
			return (enum option_id)i;
	return OPT_NONE;
}

static int bad_option(enum command_id cmd, char **argv, int c, struct err *e)
{
	const char *word = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, 0 };

	if (optopt && optopt < LONG_BASE)
		word = letter;
	if (c == ':')
		return err_set(e, STATUS_OURS, "option %s needs an argument; "
			       "see `bailey %s --help`", word,
			       commands[cmd].name);
	if (optopt >= LONG_BASE)
		return err_set(e, STATUS_OURS, "option --%s takes no argument",
			       option_table[optopt - LONG_BASE].name);
	return err_set(e, STATUS_OURS, "unknown option %s; see `bailey %s "
		       "--help`", word, commands[cmd].name);
}

int options_parse(enum command_id cmd, int argc, char **argv, option_set set,
		  void *ctx, struct err *e)
{
	struct option longs[OPT_COUNT + 1];
	char letters[3 * OPT_COUNT];
	enum option_id id;
	int c;

	fill_getopt(cmd, longs, letters);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return bad_option(cmd, argv, c, e);
		id = c >= LONG_BASE ? (enum option_id)(c - LONG_BASE) :
			by_letter(cmd, c);
		if (id == OPT_HELP) {
			help_command(cmd, stdout);
			exit(0);
		}
		if (set && set(ctx, id, optarg, e))
			return -1;
	}
	return optind;
}
