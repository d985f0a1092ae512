/*
 * cli.h - what every command file of `bailey` uses.
 *
 * A command is one file with one function cmd_NAME(argc, argv), listed in
 * commands.tbl; it returns the exit status.  argv[0] is the command's name.
 * Options are listed in options.tbl and parsed by options_parse().
 *
 * The command is a short-lived process: memory is taken with the x*
 * functions, which end the process when there is none, and not given back.
 * Messages go to stderr, data to stdout.
 */
#ifndef BAILEY_CLI_H
#define BAILEY_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

enum { STATUS_OURS = 125, STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127 };

/* ---- commands (commands.tbl) ---------------------------------------------- */
enum command_id {
#define COMMAND(id, name, usage, summary) CMD_##id,
#include "cli/commands.tbl"
#undef COMMAND
	CMD_COUNT
};
struct command {
	const char *name, *usage, *summary;
	int (*run)(int argc, char **argv);
};
extern const struct command commands[CMD_COUNT];
#define COMMAND(id, name, usage, summary) int cmd_##name(int argc, char **argv);
#include "cli/commands.tbl"
#undef COMMAND

/* ---- options (options.tbl) ------------------------------------------------ */
#define IN(cmd) (1u << CMD_##cmd)
enum option_arg { ARG_NONE, ARG_NEEDED, ARG_OPTIONAL };
enum option_id {
	OPT_NONE,
#define OPTION(id, cmds, c, name, arg, meta, help) OPT_##id,
#include "cli/options.tbl"
#undef OPTION
	OPT_COUNT
};
struct option_entry {
	uint32_t commands; /* IN(...) bits */
	char letter;       /* or 0 */
	const char *name;
	enum option_arg arg;
	const char *meta;  /* what stands for the argument in --help */
	const char *help;
};
extern const struct option_entry option_table[OPT_COUNT];

/* Calls set() for each option of the command in argv.  Options end at the
 * first word that is none if the words after it are a program's.  Returns the
 * index of the first other argument, or -1 with e.  --help is handled here:
 * prints and exits. */
typedef int (*option_set)(void *ctx, enum option_id id, const char *arg,
			  struct err *e);
int options_parse(enum command_id cmd, int argc, char **argv, option_set set,
		  void *ctx, struct err *e);
void help_command(enum command_id cmd, FILE *out);
void help_all(FILE *out);

/* ---- messages ------------------------------------------------------------- */
void message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Print e and return its status. */
int message_error(const struct err *e);
/* err_set and message in one, for a command's own mistakes: returns 125. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Is this stream a terminal that wants colour? (NO_COLOR, TERM=dumb) */
bool has_colour(FILE *f);

/* ---- memory and strings --------------------------------------------------- */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A copy without what a terminal would act on. */
char *printable(const char *s);
/* A NULL-ended list of strings. */
struct strings { char **v; size_t count; };
void strings_add(struct strings *s, char *item);
/* Whole file as text, or NULL with errno; at most 1 MiB. */
char *read_file(const char *path, size_t *size);
int read_file_at(int dir, const char *path, char **text, size_t *size);

/* ---- values given as text ------------------------------------------------- */
/* "512m", "1g", "1024": bytes. */
int parse_size(const char *s, uint64_t *bytes);
int parse_u32(const char *s, uint32_t max, uint32_t *v);
/* "9", "KILL", "SIGKILL", "RTMIN+1": number or -1. */
int parse_signal(const char *s);
const char *signal_name(int sig); /* without SIG */

#endif
