/*
 * run.c - `bailey run`: a program in a new sandbox.
 *
 * A sandbox that is neither named nor detached leaves nothing behind; the
 * others stay listed (with log and status) until `bailey rm`, or until they
 * end if --rm was given.
 */
#include "cli/launch.h"
#include "cli/session.h"

#include <string.h>
#include <unistd.h>

/* The manifest comes before the options, which win; so look for it first. */
static int find_manifest(void *ctx, enum option_id id, const char *arg,
			 struct err *e)
{
	struct request *r = ctx;

	if (id == OPT_MANIFEST || id == OPT_CONFIG)
		r->manifest = arg;
	return 0;
}

static int parse(struct request *r, int argc, char **argv, struct err *e)
{
	int at;

	request_init(r);
	if (options_parse(CMD_RUN, argc, argv, find_manifest, r, e) < 0 ||
	    (r->manifest && manifest_load(r, r->manifest, e)))
		return -1;
	at = options_parse(CMD_RUN, argc, argv, request_option, r, e);
	if (at < 0)
		return -1;
	if (!r->config.detach && !r->is_tty && terminal_is_interactive())
		r->is_tty = r->is_interactive = true;
	if (!r->config.detach && !r->config.name)
		r->is_removed = true;
	return at;
}

/* A program that exists on the host but not inside needs a hint. */
static void explain(const struct request *r, struct err *e)
{
	const char *program = r->config.argv[0];

	if (r->rootfs)
		return;
	if (e->status == STATUS_NOT_FOUND && strchr(program, '/') &&
	    !access(program, F_OK) && strlen(e->text) < 300)
		snprintf(e->text + strlen(e->text),
			 sizeof(e->text) - strlen(e->text), "\nit is on this "
			 "host but not inside; show its directory with "
			 "-v DIR:DIR:ro");
}

int cmd_run(int argc, char **argv)
{
	struct launch l = { .relay = -1 };
	struct request *r = &l.request;
	struct err e = { 0 };
	int at = parse(r, argc, argv, &e);

	if (at < 0)
		return message_error(&e);
	session_prepare();
	sandbox_begin(&r->config);
	if (launch_claim(&l, &e))
		return message_error(&e);
	if (request_finish(r, argc - at, argv + at, &e)) {
		launch_undo(&l);
		return message_error(&e);
	}
	if (launch_start(&l, &e)) {
		explain(r, &e);
		return message_error(&e);
	}
	display_announce(&l);
	return launch_finish(&l);
}
