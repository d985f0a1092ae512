/*
 * help.c - `bailey help`, `bailey COMMAND --help`, from the two tables.
 */
#include "cli/cli.h"

#include <string.h>

enum { HELP_COLUMN = 34, HELP_WIDTH = 79 };

/* Print text from column on, folded; at is where the line stands now. */
static void put_folded(FILE *out, const char *text, int at, int column)
{
	while (*text) {
		size_t word = strcspn(text, " ");

		if (at < column) {
			fprintf(out, "%*s", column - at, "");
			at = column;
		} else if (at + 1 + (int)word >= HELP_WIDTH) {
			fprintf(out, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, word, out);
		at += (int)word;
		text += word + (text[word] == ' ');
	}
	fputc('\n', out);
}

static void put_option(FILE *out, const struct option_entry *o)
{
	int n = o->letter ? fprintf(out, "  -%c, --%s", o->letter, o->name) :
		fprintf(out, "      --%s", o->name);

	if (o->arg == ARG_NEEDED)
		n += fprintf(out, " %s", o->meta);
	if (o->arg == ARG_OPTIONAL)
		n += fprintf(out, "[=%s]", o->meta);
	if (n >= HELP_COLUMN - 1) {
		fputc('\n', out);
		n = 0;
	}
	put_folded(out, o->help, n, HELP_COLUMN);
}

void help_command(enum command_id cmd, FILE *out)
{
	fprintf(out, "Usage: bailey %s %s\n\n%s\n\nOptions:\n",
		commands[cmd].name, commands[cmd].usage,
		commands[cmd].summary);
	for (int i = 1; i < OPT_COUNT; i++)
		if (option_table[i].commands & (1u << cmd))
			put_option(out, &option_table[i]);
}

void help_all(FILE *out)
{
	fprintf(out, "Usage: bailey COMMAND [OPTIONS] ...\n\n"
		"Run unmodified Linux programs, each in its own sandbox.\n\n"
		"Commands:\n");
	for (int i = 0; i < CMD_COUNT; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name,
			commands[i].summary);
	fprintf(out, "\n`bailey COMMAND --help` lists a command's options.\n"
		"Exit status: the program's own, 128+n for a signal, 125 for "
		"an error of bailey,\n126 cannot be executed, 127 not found.\n");
}

int cmd_help(int argc, char **argv)
{
	struct err e;
	int at = options_parse(CMD_HELP, argc, argv, NULL, NULL, &e);

	if (at < 0)
		return message_error(&e);
	if (at == argc) {
		help_all(stdout);
		return 0;
	}
	for (int i = 0; i < CMD_COUNT; i++) {
		if (!strcmp(commands[i].name, argv[at])) {
			help_command((enum command_id)i, stdout);
			return 0;
		}
	}
	return fail("no command '%s'; `bailey help` lists them", argv[at]);
}
