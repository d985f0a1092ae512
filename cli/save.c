/*
 * save.c - `bailey save`: all of a running sandbox into one file.
 */
#include "cli/saving.h"
#include "cli/passphrase.h"
#include "cli/resuming.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct save {
	struct saving saving;
	struct progress progress;
	const char *passphrase_file;
	bool is_encrypted, is_stopped, is_paused, is_quiet;
};

static int set_level(struct save *o, const char *arg, struct err *e)
{
	uint32_t level;

	if (parse_u32(arg, 19, &level) || !level)
		return err_set(e, STATUS_OURS, "level '%s': a number from 1 to "
			       "19 is needed", arg);
	o->saving.options.level = (int)level;
	return 0;
}

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct save *o = ctx;

	switch (id) {
	case OPT_OUTPUT: o->saving.path = arg; return 0;
	case OPT_STOP: o->is_stopped = true; return 0;
	case OPT_PAUSE: o->is_paused = true; return 0;
	case OPT_LEVEL: return set_level(o, arg, e);
	case OPT_SINCE: o->saving.options.since = arg; return 0;
	case OPT_ENCRYPT: o->is_encrypted = true; return 0;
	case OPT_PASSPHRASE_FILE: o->passphrase_file = arg; return 0;
	case OPT_PROGRESS: return progress_parse(&o->progress, arg, e);
	default: o->is_quiet = true; return 0;
	}
}

static int check(struct save *o, struct state *state, const char *which,
		 struct err *e)
{
	struct saving *s = &o->saving;

	if (!s->path)
		return err_set(e, STATUS_OURS, "where to? usage: bailey save "
			"%s -o FILE (- for standard output)", which);
	if (!strcmp(s->path, "-") && isatty(1))
		return err_set(e, STATUS_OURS, "an image is not for a "
			"terminal; give -o FILE, or send it through a pipe");
	if (o->is_stopped && o->is_paused)
		return err_set(e, STATUS_OURS, "either --stop or --pause");
	if (state_find(which, state, e))
		return -1;
	if (state->status != STATE_RUNNING)
		return err_set(e, STATUS_OURS, "%s is not running; only a "
			"running sandbox can be saved", state->name);
	s->state = state;
	s->is_kept_frozen = o->is_stopped || o->is_paused;
	s->options.progress = progress_show;
	s->options.progress_arg = &o->progress;
	return 0;
}

static int get_passphrase(struct save *o, char **out, struct err *e)
{
	*out = NULL;
	if (o->passphrase_file)
		*out = passphrase_read(o->passphrase_file, e);
	else if (o->is_encrypted)
		*out = passphrase_ask("for the image", true, e);
	else
		return 0;
	o->saving.options.passphrase = *out;
	return *out ? 0 : -1;
}

static void report(const struct save *o)
{
	const struct saving *s = &o->saving;

	if (o->progress.mode == PROGRESS_JSON)
		fprintf(stderr, "{\"phase\": \"saved\", \"file_bytes\": %llu, "
			"\"memory_bytes\": %llu, \"pause_ns\": %llu}\n",
			(unsigned long long)s->totals.file_bytes,
			(unsigned long long)s->totals.memory_pages * 4096,
			(unsigned long long)s->pause_ns);
	else if (!o->is_quiet)
		fprintf(stderr, "saved %s: %s (%s of memory), pause %.1f ms\n",
			s->state->name, bytes_text(s->totals.file_bytes),
			bytes_text(s->totals.memory_pages * 4096),
			(double)s->pause_ns / 1e6);
}

/* What it goes on from is noted: resume takes its name and its log over. */
static int end(struct save *o, struct err *e)
{
	struct state *s = o->saving.state;
	char id[33];

	json_object_set_new(s->json, "SavedAs",
			    json_string(id_text(o->saving.totals.id, id)));
	return state_save(s, e) || saving_end(&o->saving, e) ?
		-1 : 0;
}

int cmd_save(int argc, char **argv)
{
	struct save o = { 0 };
	struct err e = { 0 };
	int at = options_parse(CMD_SAVE, argc, argv, set, &o, &e), failed;
	struct state state;
	char *passphrase;

	if (at < 0)
		return message_error(&e);
	if (argc - at != 1)
		return fail("which one? usage: bailey save SANDBOX -o FILE");
	if (check(&o, &state, argv[at], &e) ||
	    get_passphrase(&o, &passphrase, &e))
		return message_error(&e);
	failed = saving_run(&o.saving, &e);
	passphrase_forget(passphrase);
	progress_end(&o.progress);
	if (failed)
		return message_error(&e);
	report(&o);
	if (o.saving.signal) { /* who is in doubt keeps the sandbox */
		saving_let_go(&o.saving);
		return 128 + o.saving.signal;
	}
	if (o.is_stopped && end(&o, &e))
		return message_error(&e);
	saving_leave(&o.saving);
	return 0;
}
