/*
 * resuming.c - see resuming.h.
 */
#include "cli/resuming.h"
#include "cli/passphrase.h"
#include "cli/session.h"

#include <bailey/image_format.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANIFEST_VERSION = 1 };

/* ---- opening ------------------------------------------------------------ */
static bool is_encrypted(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint64_t magic = 0;
	bool is_it = fd >= 0 && pread(fd, &magic, sizeof(magic), 0) ==
		sizeof(magic) && magic == ENVELOPE_MAGIC;

	if (fd >= 0)
		close(fd);
	return is_it;
}

struct image *image_open_asking(const char *path, const char *passphrase_file,
				struct err *e)
{
	char *passphrase = NULL;
	struct image *i;

	if (passphrase_file)
		passphrase = passphrase_read(passphrase_file, e);
	else if (is_encrypted(path))
		passphrase = passphrase_ask(xasprintf("for %s", path), false,
					    e);
	else
		return image_open_file(path, NULL, e);
	if (!passphrase)
		return NULL;
	i = image_open_file(path, passphrase, e);
	passphrase_forget(passphrase);
	return i;
}

const char *id_text(const uint8_t id[16], char out[33])
{
	for (int i = 0; i < 16; i++)
		sprintf(out + 2 * i, "%02x", id[i]);
	return out;
}

/* ---- what the image says ------------------------------------------------ */
static int load_manifest(struct resuming *s, const char *text, size_t size,
			 struct err *e)
{
	json_t *section, *version, *notes;
	const char *ports;

	s->manifest = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	section = json_object_get(s->manifest, "bailey");
	version = json_object_get(section, "version");
	if (!json_is_object(section) || !json_is_integer(version))
		return err_set(e, STATUS_OURS, "image %s: its manifest is "
			       "damaged", s->file);
	if (json_integer_value(version) != MANIFEST_VERSION)
		return err_set(e, STATUS_OURS, "image %s: version %lld of its "
			"manifest is not known; use a newer bailey", s->file,
			(long long)json_integer_value(version));
	s->name = json_string_value(json_object_get(section, "name"));
	notes = json_object_get(s->manifest, "annotations");
	ports = json_string_value(json_object_get(notes, "bailey.publish"));
	s->is_ported = ports && *ports;
	return 0;
}

/* The user's own words first, then the image's. */
static int take_program(const struct resuming *s, struct request *r,
			struct err *e)
{
	struct sandbox_config *c = &r->config;
	struct request saved;

	request_init(&saved);
	if (manifest_load_saved(&saved, s->manifest, s->file, e))
		return -1;
	if (r->is_tty && !saved.is_tty)
		return err_set(e, STATUS_OURS, "the image was saved without a "
			       "terminal; leave -t out");
	if (!saved.argv.count)
		strings_add(&saved.argv, xstrdup("?"));
	r->is_tty = c->tty = saved.is_tty;
	c->argv = saved.argv.v;
	c->envp = saved.env.v;
	c->cwd = saved.config.cwd ? saved.config.cwd : "/";
	c->umask = saved.config.umask;
	if (saved.user)
		sscanf(saved.user, "%u:%u", &c->uid, &c->gid);
	c->hostname = c->hostname ? c->hostname : saved.config.hostname;
	c->memory = c->memory ? c->memory : saved.config.memory;
	c->pids = c->pids ? c->pids : saved.config.pids;
	c->cpu_milli = c->cpu_milli ? c->cpu_milli : saved.config.cpu_milli;
	if (!c->hostname)
		c->hostname = "bailey";
	return request_check(c, e);
}

static int complete(const struct resuming *s, struct request *r, struct err *e)
{
	struct sandbox_config *c = &r->config;
	json_t *section = json_object_get(s->manifest, "bailey");
	struct mount_list mounts = { 0 };

	if (take_program(s, r, e) ||
	    display_resume(r, json_object_get(section, "display"), e) ||
	    grants_match(r, json_object_get(section, "trees"), &mounts, e))
		return -1;
	c->mounts = mounts.v;
	c->mount_count = mounts.count;
	c->ports = r->ports.v;
	c->port_count = r->ports.count;
	c->read_only = json_is_true(json_object_get(section, "readonly"));
	c->processor = json_string_value(json_object_get(section,
							 "processor"));
	terminal_size(&c->rows, &c->columns);
	return 0;
}

/* What is left to check and to unpack, the monitor need not wait for. */
static int complete_early(const struct resuming *s, struct request *r,
			  struct err *e)
{
	if (complete(s, r, e))
		return -1;
	if (!s->is_many)
		sandbox_begin(&r->config);
	return 0;
}

/* ---- unpacking ---------------------------------------------------------- */
/* The session's signals are blocked already; before anything is started they
 * mean what they mean to any program. */
static void show(void *arg, const struct image_progress *at)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (!sigismember(&pending, signals[i]))
			continue;
		progress_end(arg);
		exit(128 + signals[i]);
	}
	progress_show(arg, at);
}

static int check_and_unpack(struct resuming *s, struct image *i,
			    const struct request *r, struct err *e)
{
	json_t *trees = trees_json(&r->config);

	if (image_check_host(i, s->any_processor, trees_find, trees, e))
		return -1;
	image_use_files(i, trees_find, trees);
	session_prepare();
	return image_unpack(i, false, &s->unpacked, show, &s->progress, e);
}

static int prepare_cold(struct resuming *s, struct request *r, struct err *e)
{
	struct image *i = image_open_asking(s->file, s->passphrase_file, e);
	const char *text;
	size_t size;
	int result;

	if (!i)
		return -1;
	text = image_manifest(i, &size);
	id_text(image_id(i), s->id);
	result = load_manifest(s, text, size, e) || complete_early(s, r, e) ||
		check_and_unpack(s, i, r, e) ? -1 : 0;
	image_close(i); /* what is still to be unpacked is not our work */
	return result;
}

/* What is warm was checked once, but the host's files may have changed since:
 * their pages come from them, not from the image. */
static int check_again(const struct resuming *s, const uint8_t id[16],
		       const struct request *r, struct err *e)
{
	json_t *trees = trees_json(&r->config);
	int result = image_check_warm(id, s->file, s->any_processor,
				      trees_find, trees, e);
	struct image *i;

	if (result <= 0)
		return result;
	i = image_open_file(s->file, NULL, e);
	if (!i)
		return -1;
	result = image_check_host(i, s->any_processor, trees_find, trees, e);
	image_close(i);
	return result;
}

int resuming_prepare(struct resuming *s, struct request *r, struct err *e)
{
	uint8_t id[16];
	char *text;
	size_t size;
	int result;

	if (strcmp(s->file, "-") &&
	    image_find_warm(s->file, &s->unpacked, &text, &size, id) == 1) {
		id_text(id, s->id);
		session_prepare();
		result = load_manifest(s, text, size, e) ||
			complete_early(s, r, e) || check_again(s, id, r, e);
	} else {
		result = prepare_cold(s, r, e);
	}
	progress_end(&s->progress);
	if (result)
		return -1;
	r->config.resume_pages = s->unpacked.pages;
	return 0;
}

int resuming_join(const struct resuming *s, struct launch *l, struct err *e)
{
	l->origin = s->id;
	l->request.config.libos = libos_keep(&l->state, s->unpacked.libos, e);
	return l->request.config.libos ? 0 : -1;
}
