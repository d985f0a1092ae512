/*
 * gen-options.c - manual page parts and shell completions from the command's
 * two tables (cli/commands.tbl, cli/options.tbl).  Runs at build time.
 *
 *   gen-options man TEMPLATE   the template, with each line "@OPTIONS run@"
 *                              replaced by the options of `run`, and
 *                              "@COMMANDS@" by the list of commands
 *   gen-options bash|zsh|fish  a completion script
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
#define COMMAND(id, name, usage, summary) CMD_##id,
#include "cli/commands.tbl"
#undef COMMAND
	CMD_COUNT
};
#define IN(cmd) (1u << CMD_##cmd)
enum option_arg { ARG_NONE, ARG_NEEDED, ARG_OPTIONAL };

static const struct { const char *name, *usage, *summary; } commands[] = {
#define COMMAND(id, name, usage, summary) { #name, usage, summary },
#include "cli/commands.tbl"
#undef COMMAND
};
static const struct option {
	uint32_t commands;
	char letter;
	const char *name;
	enum option_arg arg;
	const char *meta, *help;
} options[] = {
#define OPTION(id, cmds, c, name, arg, meta, help) \
	{ cmds, c, name, arg, meta, help },
#include "cli/options.tbl"
#undef OPTION
};
#define OPTION_COUNT (sizeof(options) / sizeof(*options))

#define for_each_option(o, cmd)                                         \
	for (const struct option *o = options; o < options + OPTION_COUNT; o++) \
		if (o->commands & (1u << (cmd)))

static bool takes_sandbox(int cmd)
{
	return strstr(commands[cmd].usage, "SANDBOX") != NULL;
}
static bool takes_file(int cmd)
{
	return strstr(commands[cmd].usage, "FILE") != NULL;
}

/* ---- manual page --------------------------------------------------------------- */
/* mdoc takes a word that looks like a macro for one: \& in front. */
static void put_mdoc(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\')
			printf("\\e");
		else
			putchar(*s);
	}
}

static void put_arg(const char *meta)
{
	printf(" Ar ");
	for (; *meta; meta++) /* punctuation alone would be a delimiter */
		if (strchr("[]|,=.", *meta))
			printf("\\&%c", *meta);
		else
			putchar(*meta);
}

static void man_options(int cmd)
{
	printf(".Bl -tag -width Ds\n");
	for_each_option(o, cmd) {
		printf(".It ");
		if (o->letter)
			printf("Fl %c , ", o->letter);
		printf("Fl Fl %s", o->name);
		if (o->arg == ARG_NEEDED)
			put_arg(o->meta);
		if (o->arg == ARG_OPTIONAL) {
			printf(" Ns Oo = Ns");
			put_arg(o->meta);
			printf(" Oc");
		}
		putchar('\n');
		putchar(o->help[0] - (o->help[0] >= 'a' && o->help[0] <= 'z' ?
				      32 : 0));
		put_mdoc(o->help + 1);
		printf(".\n");
	}
	printf(".El\n");
}

static void man_commands(void)
{
	printf(".Bl -tag -width syscalls\n");
	for (int i = 0; i < CMD_COUNT; i++)
		printf(".It Cm %s\n%c%s.\n", commands[i].name,
		       commands[i].summary[0] - 32, commands[i].summary + 1);
	printf(".El\n");
}

static int man(const char *file)
{
	FILE *f = fopen(file, "r");
	char line[1024], name[32];

	if (!f) {
		perror(file);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "@COMMANDS@\n")) {
			man_commands();
		} else if (sscanf(line, "@OPTIONS %31[a-z]@", name) == 1) {
			for (int i = 0; i < CMD_COUNT; i++)
				if (!strcmp(commands[i].name, name))
					man_options(i);
		} else {
			fputs(line, stdout);
		}
	}
	fclose(f);
	return 0;
}

/* ---- completions ---------------------------------------------------------------- */
static void bash_words(int cmd)
{
	for_each_option(o, cmd) {
		if (o->letter)
			printf("-%c ", o->letter);
		printf("--%s ", o->name);
	}
}

/* The words after which a value follows, as a pattern of case. */
static void bash_values(int cmd)
{
	const char *bar = "";

	for_each_option(o, cmd) {
		if (o->arg != ARG_NEEDED)
			continue;
		if (o->letter)
			printf("%s-%c", bar, o->letter), bar = "|";
		printf("%s--%s", bar, o->name);
		bar = "|";
	}
	if (!*bar)
		printf("--");
}

static int bash(void)
{
	printf("# bash completion for bailey - generated from cli/options.tbl "
	       "- do not edit\n"
	       "_bailey() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words= values= kind=\n"
	       "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tif [ $COMP_CWORD -eq 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '");
	for (int i = 0; i < CMD_COUNT; i++)
		printf("%s ", commands[i].name);
	printf("--help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n"
	       "\tcase ${COMP_WORDS[1]} in\n");
	for (int i = 0; i < CMD_COUNT; i++) {
		printf("\t%s) words='", commands[i].name);
		bash_words(i);
		printf("' kind=%s\n\t\tcase $prev in ", i == CMD_RUN ||
		       i == CMD_SPEC ? "command" : i == CMD_HELP ? "help" :
		       takes_sandbox(i) ? "sandbox" :
		       i == CMD_IMAGE ? "image" : "none");
		bash_values(i);
		printf(") values=1;; esac;;\n");
	}
	printf("\tesac\n"
	       "\tif [ \"$values\" ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	       "\telif [[ $cur == -* ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	       "\telif [ \"$kind\" = command ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -c -- \"$cur\"))\n"
	       "\telif [ \"$kind\" = sandbox ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$(bailey ps -a --json 2>/dev/null"
	       " |\n\t\t\tsed -n '/\"Names\"/{n;s/[\" ,]//g;p}')\" -- "
	       "\"$cur\"))\n"
	       "\telif [ \"$kind\" = image ] && [ $COMP_CWORD -eq 2 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W 'inspect verify diff' -- "
	       "\"$cur\"))\n"
	       "\tfi\n}\ncomplete -o default -F _bailey bailey\n");
	return 0;
}

/* In single quotes, and [ ] : have a meaning in zsh's specs. */
static void put_zsh(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			printf("'\\''");
		else if (strchr("[]:\\", *s))
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

static void zsh_options(int cmd)
{
	for_each_option(o, cmd) {
		const char *value = o->arg == ARG_NEEDED ? "=" :
			o->arg == ARG_OPTIONAL ? "=-" : "";

		for (int is_long = 0; is_long < 2; is_long++) {
			if (!is_long && !o->letter)
				continue;
			printf(" \\\n\t\t\t'*");
			if (is_long)
				printf("--%s%s", o->name, value);
			else
				printf("-%c%s", o->letter, *value ? "+" : "");
			printf("[");
			put_zsh(o->help);
			printf("]");
			if (*value) {
				printf(":");
				put_zsh(o->meta);
				printf(":_files");
			}
			printf("'");
		}
	}
}

static int zsh(void)
{
	printf("#compdef bailey\n# zsh completion for bailey - generated from "
	       "cli/options.tbl - do not edit\n"
	       "_bailey_sandboxes() {\n\tlocal -a names\n"
	       "\tnames=(${(f)\"$(bailey ps -a --json 2>/dev/null | sed -n "
	       "'/\"Names\"/{n;s/[\" ,]//g;p}')\"})\n"
	       "\tcompadd -a names\n}\n_bailey() {\n"
	       "\tif (( CURRENT == 2 )); then\n\t\tlocal -a list=(\n");
	for (int i = 0; i < CMD_COUNT; i++) {
		printf("\t\t\t'%s:", commands[i].name);
		put_zsh(commands[i].summary);
		printf("'\n");
	}
	printf("\t\t)\n\t\t_describe command list\n\t\treturn\n\tfi\n"
	       "\tlocal what=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n"
	       "\tcase $what in\n");
	for (int i = 0; i < CMD_COUNT; i++) {
		printf("\t%s) _arguments -S", commands[i].name);
		zsh_options(i);
		if (i == CMD_RUN || i == CMD_SPEC)
			printf(" \\\n\t\t\t'(-)1:program:_command_names -e' "
			       "'*::arguments:_normal'");
		else if (i == CMD_EXEC)
			printf(" \\\n\t\t\t'(-)1:sandbox:_bailey_sandboxes' "
			       "'*::arguments:_normal'");
		else if (takes_sandbox(i))
			printf(" \\\n\t\t\t'*:sandbox:_bailey_sandboxes'");
		else if (takes_file(i))
			printf(" \\\n\t\t\t%s'*:image:_files'", i == CMD_IMAGE ?
			       "'1:what:(inspect verify diff)' " : "");
		printf(";;\n");
	}
	printf("\tesac\n}\n_bailey \"$@\"\n");
	return 0;
}

static void put_fish(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
}

static int fish(void)
{
	printf("# fish completion for bailey - generated from cli/options.tbl "
	       "- do not edit\ncomplete -c bailey -f\n");
	for (int i = 0; i < CMD_COUNT; i++) {
		printf("complete -c bailey -n __fish_use_subcommand -a %s -d '",
		       commands[i].name);
		put_fish(commands[i].summary);
		printf("'\n");
		for_each_option(o, i) {
			printf("complete -c bailey -n '__fish_seen_subcommand"
			       "_from %s' -l %s", commands[i].name, o->name);
			if (o->letter)
				printf(" -s %c", o->letter);
			printf("%s -d '", o->arg == ARG_NEEDED ? " -r -F" : "");
			put_fish(o->help);
			printf("'\n");
		}
		if (takes_file(i))
			printf("complete -c bailey -n '__fish_seen_subcommand"
			       "_from %s' -F\n", commands[i].name);
		if (takes_sandbox(i))
			printf("complete -c bailey -n '__fish_seen_subcommand"
			       "_from %s' -a \"(bailey ps -a --json 2>/dev/null"
			       " | string match -rg '^ +\\\"([a-zA-Z0-9._-]+)"
			       "\\\"\\$')\"\n", commands[i].name);
	}
	printf("complete -c bailey -n '__fish_seen_subcommand_from run' "
	       "-a '(__fish_complete_subcommand)'\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "man"))
		return man(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "bash"))
		return bash();
	if (argc == 2 && !strcmp(argv[1], "zsh"))
		return zsh();
	if (argc == 2 && !strcmp(argv[1], "fish"))
		return fish();
	fprintf(stderr, "usage: gen-options man FILE | bash | zsh | fish\n");
	return 2;
}
