/*
 * spec.c - `bailey spec`: writes a manifest to start from.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	*(const char **)ctx = arg;
	return 0;
}

static json_t *process_of(int argc, char **argv)
{
	json_t *args = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(args, json_string(argv[i]));
	if (!argc)
		json_array_append_new(args, json_string("bash"));
	return json_pack("{s:b,s:{s:i,s:i},s:o,s:[s,s],s:s,s:[{s:s,s:i,s:i}]}",
		"terminal", !argc, "user", "uid", 0, "gid", 0, "args", args,
		"env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
		"/usr/bin:/sbin:/bin", "TERM=xterm", "cwd", "/",
		"rlimits", "type", "RLIMIT_NOFILE", "soft", 1024,
		"hard", 1048576);
}

/* Without "root", so that the default view is used. */
static json_t *build(int argc, char **argv)
{
	return json_pack("{s:s,s:o,s:s,s:[{s:s,s:s,s:s,s:[s,s]}],"
			 "s:{s:{s:{s:I},s:{s:i}}},s:{s:s}}",
		"ociVersion", "1.0.2", "process", process_of(argc, argv),
		"hostname", "bailey", "mounts", "destination", "/scratch",
		"type", "tmpfs", "source", "tmpfs", "options", "size=64m",
		"mode=1777", "linux", "resources", "memory", "limit",
		(json_int_t)2 << 30, "pids", "limit", 4096,
		"annotations", "bailey.network", "none");
}

static int write_text(const char *file, const char *text)
{
	int fd;

	if (!strcmp(file, "-"))
		return printf("%s\n", text) < 0 ? -1 : 0;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		return -1;
	return close(fd);
}

int cmd_spec(int argc, char **argv)
{
	const char *file = "config.json";
	struct err e;
	int at = options_parse(CMD_SPEC, argc, argv, set, &file, &e);
	char *text;

	if (at < 0)
		return message_error(&e);
	text = json_dumps(build(argc - at, argv + at), JSON_INDENT(2));
	if (!text)
		return fail("an argument is not UTF-8");
	if (write_text(file, text))
		return fail("%s: %s%s", file, strerror(errno), errno == EEXIST ?
			    "; give another name with -o" : "");
	return 0;
}
