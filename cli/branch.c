/*
 * branch.c - `bailey branch`: a live copy of a running sandbox.
 *
 * Saved into memory, barely compressed, and resumed from there; nothing of it
 * is left when both run.  The copy gets the volumes that the original has,
 * for the same user runs both, but no port: that one is taken.
 */
#include "cli/resuming.h"
#include "cli/saving.h"
#include "cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct branch {
	struct launch launch;
	struct resuming resuming;
	struct saving saving;
	struct state source;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct branch *b = ctx;

	if (id == OPT_PROGRESS)
		return progress_parse(&b->resuming.progress, arg, e);
	return request_option(&b->launch.request, id, arg, e);
}

/* The writer knows "-" as a place without a name: standard output. */
static int save(struct branch *b, struct err *e)
{
	struct saving *s = &b->saving;
	int memory = memfd_create("bailey branch", MFD_CLOEXEC);
	int output = dup(1), failed;

	if (memory < 0 || output < 0 || dup2(memory, 1) < 0)
		return err_set(e, STATUS_OURS, "no memory for the copy: %s",
			       strerror(errno));
	s->state = &b->source;
	s->path = "-";
	s->options.level = 1;
	s->options.progress = progress_show;
	s->options.progress_arg = &b->resuming.progress;
	failed = saving_run(s, e);
	fflush(stdout);
	dup2(output, 1);
	close(output);
	b->resuming.file = xasprintf("/proc/self/fd/%d", memory);
	progress_end(&b->resuming.progress);
	return failed;
}

/* What the original was granted by the same user. */
static int grant(struct branch *b, struct err *e)
{
	struct request *r = &b->launch.request;
	const json_t *list = json_object_get(b->source.json, "Trees"), *t;
	const char *kind, *host;
	size_t i;

	json_array_foreach(list, i, t) {
		kind = json_string_value(json_object_get(t, "Kind")) ?: "";
		host = json_string_value(json_object_get(t, "Host")) ?: "";
		if (!strcmp(kind, "rootfs") &&
		    rootfs_check(host, &r->rootfs, e))
			return -1;
		if (!strcmp(kind, "volume") && volume_add(&r->user_mounts, host,
				json_string_value(json_object_get(t, "Guest")),
				json_is_true(json_object_get(t, "ReadOnly")) ?
				BOOT_MOUNT_RO : 0, e))
			return -1;
	}
	return 0;
}

static int start(struct branch *b, struct err *e)
{
	struct launch *l = &b->launch;
	struct state other;

	if (!state_find(l->request.config.name, &other, e) &&
	    other.status == STATE_RUNNING)
		return err_set(e, STATUS_OURS, "the name \"%s\" is in use; "
			       "take another", other.name);
	if (save(b, e))
		return -1;
	if (b->saving.signal)
		return err_set(e, 128 + b->saving.signal, "interrupted");
	if (resuming_prepare(&b->resuming, &l->request, e) ||
	    launch_claim(l, e))
		return -1;
	if (resuming_join(&b->resuming, l, e)) {
		launch_undo(l);
		return -1;
	}
	if (launch_start(l, e))
		return -1;
	display_announce(l);
	return 0;
}

int cmd_branch(int argc, char **argv)
{
	struct branch b = { .launch.relay = -1 };
	struct request *r = &b.launch.request;
	struct err e = { 0 };
	int at;

	request_init(r);
	at = options_parse(CMD_BRANCH, argc, argv, set, &b, &e);
	if (at < 0)
		return message_error(&e);
	if (argc - at != 2)
		return fail("usage: bailey branch [OPTIONS] SANDBOX NAME");
	r->config.name = argv[at + 1];
	r->config.detach = true;
	if (state_find(argv[at], &b.source, &e) || grant(&b, &e) ||
	    start(&b, &e))
		return message_error(&e);
	if (!r->is_quiet && b.resuming.progress.mode != PROGRESS_JSON)
		fprintf(stderr, "%s is a copy of %s, which paused for %.1f "
			"ms\n", r->config.name, b.source.name,
			(double)b.saving.pause_ns / 1e6);
	return launch_finish(&b.launch);
}
