/*
 * resume.c - `bailey resume`: a saved sandbox runs on, under the policy that
 * the options of this command give (resuming.h).
 */
#include "cli/clones.h"
#include "cli/baton.h"
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLONES_MAX = 100000 };

struct resume {
	struct launch launch;
	struct resuming resuming;
	struct strings ports;
	uint32_t clones; /* 0: one, that is none of many */
	bool shares_network;
	bool is_handover;
	int go;          /* where the word comes from: baton.h */
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct resume *o = ctx;

	switch (id) {
	case OPT_PASSPHRASE_FILE: o->resuming.passphrase_file = arg; return 0;
	case OPT_PROGRESS:
		return progress_parse(&o->resuming.progress, arg, e);
	case OPT_ANY_PROCESSOR: o->resuming.any_processor = true; return 0;
	case OPT_PUBLISH:
		strings_add(&o->ports, xstrdup(arg));
		return 0;
	case OPT_HANDOVER: o->is_handover = true; return 0;
	case OPT_SHARE_NETWORK: o->shares_network = true; return 0;
	case OPT_CLONES:
		if (parse_u32(arg, CLONES_MAX, &o->clones) || !o->clones)
			return err_set(e, STATUS_OURS, "clones '%s': a number "
				"from 1 to %d is needed", arg, CLONES_MAX);
		return 0;
	default: return request_option(&o->launch.request, id, arg, e);
	}
}

static int parse(struct resume *o, int argc, char **argv, struct err *e)
{
	struct request *r = &o->launch.request;
	int at;

	request_init(r);
	at = options_parse(CMD_RESUME, argc, argv, set, o, e);
	if (at < 0)
		return -1;
	if (argc - at != 1)
		return err_set(e, STATUS_OURS, "which image? usage: bailey "
			"resume [OPTIONS] FILE (- for standard input)");
	o->resuming.file = argv[at];
	o->launch.is_stdin_used = !strcmp(argv[at], "-");
	if (o->launch.is_stdin_used && isatty(0))
		return err_set(e, STATUS_OURS, "no image comes from a "
			"terminal; name a file, or send one through a pipe");
	if (o->launch.is_stdin_used && r->is_interactive)
		return err_set(e, STATUS_OURS, "standard input is the image, "
			"so it cannot be the program's too; leave -i out");
	o->resuming.is_many = o->clones > 0;
	if (o->is_handover && (!o->launch.is_stdin_used || o->clones ||
			       !r->config.detach))
		return err_set(e, STATUS_OURS, "--handover is for -d and -, "
			       "and for one sandbox");
	if (o->clones && !r->config.detach)
		return err_set(e, STATUS_OURS, "--clones needs -d");
	if (o->shares_network && (!o->clones || geteuid()))
		return err_set(e, STATUS_OURS, "--share-network is for "
			"--clones that root starts");
	if (o->clones && r->cidfile)
		return err_set(e, STATUS_OURS, "--cidfile is for one sandbox; "
			"--clones prints all ids");
	/* twice: what a clone would be refused for is refused now */
	if (o->clones && grants_ports(r, &o->ports, o->clones - 1, e))
		return -1;
	return grants_ports(r, &o->ports, 0, e);
}

/* The sandbox that `save --stop` made this image of, if it is still listed. */
static bool find_predecessor(const struct resume *o, const char *name,
			     struct state *old)
{
	struct err ignored;
	const char *id;

	if (!name || state_find(name, old, &ignored) ||
	    old->status != STATE_EXITED)
		return false;
	id = json_string_value(json_object_get(old->json, "SavedAs"));
	return id && !strcmp(id, o->resuming.id);
}

/* Who is named by nobody takes the name that it had, if it is free. */
static int claim_any(struct resume *o, struct err *e)
{
	struct sandbox_config *c = &o->launch.request.config;

	if (c->name)
		return launch_claim(&o->launch, e);
	c->name = o->resuming.name;
	if (c->name && !launch_claim(&o->launch, e))
		return 0;
	c->name = NULL;
	return launch_claim(&o->launch, e);
}

/* What runs on under its old name keeps its log. */
static int claim(struct resume *o, struct err *e)
{
	const char *name = o->launch.request.config.name;
	struct state *s = &o->launch.state, old;
	char *kept = NULL;

	if (find_predecessor(o, name ? name : o->resuming.name, &old)) {
		kept = xasprintf("%s/.log-%s", state_root(NULL), old.id);
		if (rename(xasprintf("%s/log", old.dir), kept))
			kept = NULL;
		state_remove(&old);
	}
	if (claim_any(o, e))
		return -1;
	if (kept && rename(kept, xasprintf("%s/log", s->dir)))
		unlink(kept);
	return 0;
}

/* What the sandbox had and now lacks, so that nobody wonders. */
static void hint(const struct resume *o)
{
	const struct request *r = &o->launch.request;

	if (o->resuming.is_ported && !r->ports.count && !r->is_quiet)
		message("its ports are not published; -p does that");
}

static int resume_one(struct resume *o)
{
	struct launch *l = &o->launch;
	struct request *r = &l->request;
	struct err e = { 0 };

	if (!r->config.detach && !r->config.name)
		r->is_removed = true;
	if (r->is_tty && !r->config.detach)
		r->is_interactive = !l->is_stdin_used;
	if (claim(o, &e))
		return message_error(&e);
	if (resuming_join(&o->resuming, l, &e)) {
		launch_undo(l);
		return message_error(&e);
	}
	if (o->is_handover && baton_await(o->go, l->state.id, &e)) {
		launch_undo(l);
		return message_error(&e);
	}
	l->is_alone = o->is_handover;
	if (launch_start(l, &e))
		return message_error(&e);
	display_announce(l);
	return launch_finish(l);
}

int cmd_resume(int argc, char **argv)
{
	struct resume o = { .launch.relay = -1 };
	struct request *r = &o.launch.request;
	struct err e = { 0 };
	struct clones c = { .ports = &o.ports };

	if (parse(&o, argc, argv, &e) ||
	    (o.is_handover && baton_receive(&o.go, &e)) ||
	    resuming_prepare(&o.resuming, r, &e))
		return message_error(&e);
	hint(&o);
	if (!o.clones)
		return resume_one(&o);
	c.count = o.clones;
	c.shares_network = o.shares_network;
	c.name = r->config.name;
	c.is_quiet = r->is_quiet;
	return clones_start(&c, &o.resuming, r);
}
