/*
 * warm.c - `bailey warm`: images unpacked into the cache ahead, so that a
 * resume only maps what is there; and what is in the cache.
 */
#include "cli/resuming.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"

struct warm {
	struct progress progress;
	const char *passphrase_file, *rootfs;
	bool is_list, is_removing, is_pruning, is_json, is_quiet;
	uint64_t limit; /* of the cache; 0: the usual one */
	bool is_limited;
};

/* 0 is for none. */
static int set_limit(struct warm *o, const char *arg, const char *of,
		     struct err *e)
{
	if (parse_size(arg, &o->limit))
		return err_set(e, STATUS_OURS, "%s '%s': a size is needed, "
			       "e.g. 500m or 10g", of, arg);
	o->limit = o->limit ? o->limit : UINT64_MAX;
	return 0;
}

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct warm *o = ctx;

	switch (id) {
	case OPT_LIST: o->is_list = true; return 0;
	case OPT_REMOVE: o->is_removing = true; return 0;
	case OPT_PRUNE: o->is_pruning = true; return 0;
	case OPT_CACHE_LIMIT:
		o->is_limited = true;
		return set_limit(o, arg, "cache limit", e);
	case OPT_QUIET: o->is_quiet = true; return 0;
	case OPT_PASSPHRASE_FILE: o->passphrase_file = arg; return 0;
	case OPT_ROOTFS: o->rootfs = arg; return 0;
	case OPT_PROGRESS: return progress_parse(&o->progress, arg, e);
	case OPT_FORMAT:
		if (strcmp(arg, "json"))
			return err_set(e, STATUS_OURS, "the format is json");
		/* fall through */
	default: o->is_json = true; return 0;
	}
}

/* ---- what is there ------------------------------------------------------ */
struct entry {
	const char *name; /* of the sandbox */
	uint64_t bytes;   /* that it takes in the cache */
};

static bool id_parse(const char *s, uint8_t id[16])
{
	if (strlen(s) != 32 || strspn(s, "0123456789abcdef") != 32)
		return false;
	for (int i = 0; i < 16; i++)
		sscanf(s + 2 * i, "%2hhx", &id[i]);
	return true;
}

/* False if the entry is not whole, or of another version. */
static bool entry_read(const char *id, struct entry *out)
{
	struct image_unpacked u;
	char *text = NULL;
	uint8_t binary[16];
	struct stat st;
	json_t *m;
	size_t size;

	if (!id_parse(id, binary) || cache_look(binary, &u, &text, &size) != 1)
		return false;
	*out = (struct entry){ .name = "?" };
	if (!fstat(u.pages, &st))
		out->bytes = (uint64_t)st.st_blocks * 512;
	close(u.pages);
	m = json_loadb(text, size, 0, NULL);
	free(text);
	out->name = printable(json_string_value(json_object_get(
			json_object_get(m, "bailey"), "name")) ?: "?");
	return true;
}

static void put_item(const struct cache_item *x, const char *name)
{
	char when[32] = "?";
	struct tm tm;

	if (localtime_r(&x->used.tv_sec, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%s  %9s  %-16s  %s\n", x->name, bytes_text(x->bytes),
	       x->is_in_use ? "in use" : when, name);
}

static json_t *item_json(const struct cache_item *x, const char *name)
{
	return json_pack("{s:s,s:I,s:s,s:I,s:b}", "Id", x->name, "Bytes",
			 (json_int_t)x->bytes, "Name", name, "LastUsed",
			 (json_int_t)x->used.tv_sec, "InUse", x->is_in_use);
}

static int list(const struct warm *o)
{
	json_t *all = json_array();
	struct entry entry;
	size_t count;
	struct cache_item *item = cache_items(&count);

	while (count--) {
		const struct cache_item *x = &item[count];

		if (x->is_new || !entry_read(x->name, &entry))
			continue;
		if (o->is_json)
			json_array_append_new(all, item_json(x, entry.name));
		else
			put_item(x, entry.name);
	}
	free(item);
	if (o->is_json) {
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	return 0;
}

/* All that is not in use goes. */
static int prune(const struct warm *o)
{
	size_t count;
	struct cache_item *item = cache_items(&count);

	while (count--)
		if (!item[count].is_new &&
		    cache_remove(item[count].name) == 1 && !o->is_quiet)
			printf("%s\n", item[count].name);
	free(item);
	return 0;
}

/* ---- warming and cooling ------------------------------------------------ */
static int warm(struct warm *o, const char *file, struct err *e)
{
	struct image *i = image_open_asking(file, o->passphrase_file, e);
	struct image_unpacked u;
	struct entry entry;
	const char *text;
	char id[33];
	size_t size;
	int failed;

	if (!i)
		return -1;
	id_text(image_id(i), id);
	text = image_manifest(i, &size);
	image_use_files(i, trees_find, grants_trees(json_loadb(text, size, 0,
						NULL), o->rootfs));
	failed = image_warm(i, o->limit, &u, progress_show, &o->progress, e);
	progress_end(&o->progress);
	image_close(i);
	if (failed)
		return -1;
	close(u.pages);
	if (!o->is_quiet && entry_read(id, &entry))
		printf("%s  %9s  %s\n", id, bytes_text(entry.bytes), file);
	return 0;
}

/* A file's id, or what is an id itself. */
static int which(const struct warm *o, const char *what, uint8_t id[16],
		 struct err *e)
{
	struct image *i;

	if (access(what, F_OK) && id_parse(what, id))
		return 0;
	i = image_open_asking(what, o->passphrase_file, e);
	if (!i)
		return -1;
	memcpy(id, image_id(i), 16);
	image_close(i);
	return 0;
}

static int forget(const uint8_t id[16], struct err *e)
{
	char hex[33];

	if (!cache_drop(id_text(id, hex)))
		return 0;
	if (errno == ENOENT)
		return err_set(e, STATUS_OURS, "%s is not warm; `bailey warm "
			       "--list` lists what is", hex);
	return err_set(e, STATUS_OURS, "cannot remove %s from the cache: %s",
		       hex, strerror(errno));
}

static int cool(struct warm *o, const char *what, struct err *e)
{
	uint8_t id[16];
	char hex[33];

	if (which(o, what, id, e))
		return -1;
	if (forget(id, e))
		return -1;
	if (!o->is_quiet)
		printf("%s\n", id_text(id, hex));
	return 0;
}

int cmd_warm(int argc, char **argv)
{
	struct warm o = { 0 };
	struct err e = { 0 };
	int at = options_parse(CMD_WARM, argc, argv, set, &o, &e), status = 0;

	if (at < 0)
		return message_error(&e);
	if (!o.is_limited && getenv("BAILEY_CACHE_LIMIT") &&
	    set_limit(&o, getenv("BAILEY_CACHE_LIMIT"), "BAILEY_CACHE_LIMIT",
		      &e))
		return message_error(&e);
	if (o.is_pruning)
		return at < argc ? fail("--prune takes no arguments") :
			prune(&o);
	if (o.is_list)
		return at < argc ? fail("--list takes no arguments") : list(&o);
	if (at == argc && o.is_limited)
		return cache_make_room(0, o.limit, &e) ? message_error(&e) : 0;
	if (at == argc)
		return fail("which image? usage: bailey warm [OPTIONS] "
			    "FILE...");
	for (int i = at; i < argc; i++)
		if (o.is_removing ? cool(&o, argv[i], &e) :
		    warm(&o, argv[i], &e))
			status = message_error(&e);
	return status;
}
