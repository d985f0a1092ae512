/*
 * main.c - `bailey`: finds the command and runs it.
 */
#include "cli/cli.h"

#include <signal.h>
#include <string.h>

const struct command commands[CMD_COUNT] = {
#define COMMAND(id, name, usage, summary) \
	[CMD_##id] = { #name, usage, summary, cmd_##name },
#include "cli/commands.tbl"
#undef COMMAND
};

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < CMD_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *c;

	signal(SIGPIPE, SIG_IGN); /* writing fails instead */
	if (argc < 2) {
		help_all(stderr);
		return STATUS_OURS;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help_all(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-v"))
		return cmd_version(argc - 1, argv + 1);
	c = find_command(argv[1]);
	if (!c)
		return fail("no command '%s'; `bailey help` lists them",
			    argv[1]);
	return c->run(argc - 1, argv + 1);
}
