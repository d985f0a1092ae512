/*
 * image.c - `bailey image inspect|verify|diff`: what is in images.
 */
#include "cli/resuming.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
	struct progress progress;
	const char *passphrase_file;
	bool is_json;
};

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	struct options *o = ctx;

	switch (id) {
	case OPT_PASSPHRASE_FILE: o->passphrase_file = arg; return 0;
	case OPT_PROGRESS: return progress_parse(&o->progress, arg, e);
	case OPT_FORMAT:
		if (strcmp(arg, "json"))
			return err_set(e, STATUS_OURS, "the format is json");
		/* fall through */
	default: o->is_json = true; return 0;
	}
}

static void put_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(1));
	putchar('\n');
}

/* ---- inspect ------------------------------------------------------------ */
static bool is_zero(const uint8_t id[16])
{
	static const uint8_t none[16];

	return !memcmp(id, none, sizeof(none));
}

static json_t *manifest_json(const struct image *i)
{
	size_t size;
	const char *text = image_manifest(i, &size);

	return json_loadb(text, size, 0, NULL) ?: json_null();
}

static json_t *features_json(const struct image_info *n)
{
	json_t *a = json_array();

	for (int i = 0; i < 4; i++) {
		char word[20];

		snprintf(word, sizeof(word), "%016" PRIx64, n->features[i]);
		json_array_append_new(a, json_string(word));
	}
	return a;
}

/* What must be as it was on a host that resumes it: paths inside. */
static json_t *needs_json(const struct image *i, uint32_t count,
			  const json_t *manifest)
{
	json_t *a = json_array(), *trees = json_object_get(json_object_get(
				manifest, "bailey"), "trees");
	char path[SAVE_PATH_MAX];

	for (uint32_t k = 0; k < count; k++) {
		uint32_t tree = image_get_file(i, k, path);
		const char *guest = json_string_value(json_object_get(
				json_array_get(trees, tree), "Guest"));

		json_array_append_new(a, json_string(printable(!guest ? path :
			xasprintf("%s%s%s", guest, *path && strcmp(guest, "/")
				  ? "/" : "", path))));
	}
	return a;
}

static json_t *info_json(const char *file, const struct image *i,
			 const struct image_info *n)
{
	char id[33], parent[33];
	json_t *o = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:i,s:i}",
		"File", file, "Id", id_text(n->id, id),
		"Parent", is_zero(n->parent) ? "" : id_text(n->parent, parent),
		"CreatedNs", (json_int_t)n->created_ns,
		"FileBytes", (json_int_t)n->file_bytes,
		"MemoryBytes", (json_int_t)n->memory_pages * 4096,
		"StoredBytes", (json_int_t)n->stored_pages * 4096,
		"HeapBytes", (json_int_t)n->heap_pages * 4096,
		"Spaces", (int)n->spaces, "Files", (int)n->files);

	json_object_set_new(o, "Processor", json_string(n->processor));
	json_object_set_new(o, "Features", features_json(n));
	json_object_set_new(o, "LibosBuildId", json_string(n->libos_id));
	json_object_set_new(o, "BaileyVersion",
			    json_string(n->bailey_version));
	json_object_set_new(o, "Manifest", manifest_json(i));
	json_object_set_new(o, "Needs", needs_json(i, n->files,
					json_object_get(o, "Manifest")));
	return o;
}

static void put(const char *name, const char *value)
{
	printf("%-12s  %s\n", name, printable(value));
}

static void put_trees(const json_t *manifest)
{
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(manifest,
				"bailey"), "trees"), i, t) {
		const char *kind = json_string_value(json_object_get(t,
								"Kind"));

		if (kind && strcmp(kind, "system"))
			put(kind, xasprintf("%s (it was %s)",
				json_string_value(json_object_get(t, "Guest"))
				?: "?", json_string_value(json_object_get(t,
				"Host")) ?: "?"));
	}
}

static void put_manifest(const struct image *i)
{
	json_t *m = manifest_json(i), *word;
	json_t *notes = json_object_get(m, "annotations");
	const char *name = json_string_value(json_object_get(
				json_object_get(m, "bailey"), "name"));
	const char *ports = json_string_value(json_object_get(notes,
							"bailey.publish"));
	char *command = xstrdup("");
	size_t n;

	json_array_foreach(json_object_get(json_object_get(m, "process"),
					   "args"), n, word)
		command = xasprintf("%s%s%s", command, n ? " " : "",
				    json_string_value(word) ?: "?");
	put("name", name ? name : "?");
	put("command", command);
	if (ports)
		put("ports", ports);
	put_trees(m);
}

static void put_info(const char *file, const struct image *i,
		     const struct image_info *n)
{
	time_t created = (time_t)(n->created_ns / 1000000000u);
	char id[33], when[64] = "?";
	struct tm tm;

	if (localtime_r(&created, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	put("file", file);
	put("id", id_text(n->id, id));
	if (!is_zero(n->parent))
		put("since", id_text(n->parent, id));
	put("saved", when);
	put("size", bytes_text(n->file_bytes));
	put("memory", xasprintf("%s, %s of it stored",
		bytes_text(n->memory_pages * 4096),
		bytes_text(n->stored_pages * 4096)));
	put("processes", xasprintf("%u", n->spaces ? n->spaces - 1 : 0));
	put("files named", xasprintf("%u", n->files));
	put("processor", n->processor);
	put("library OS", n->libos_id);
	put("bailey", n->bailey_version);
	put_manifest(i);
}

static int inspect(const struct options *o, int argc, char **argv)
{
	json_t *all = json_array();
	struct image_info n;
	int status = 0;
	struct err e;

	for (int k = 0; k < argc; k++) {
		struct image *i = image_open_asking(argv[k],
						    o->passphrase_file, &e);

		if (!i) {
			status = message_error(&e);
			continue;
		}
		image_get_info(i, &n);
		if (o->is_json)
			json_array_append_new(all, info_json(argv[k], i, &n));
		else
			put_info(argv[k], i, &n);
		if (!o->is_json && k + 1 < argc)
			putchar('\n');
		image_close(i);
	}
	if (o->is_json)
		put_json(all);
	return status;
}

/* ---- verify ------------------------------------------------------------- */
static int verify(struct options *o, int argc, char **argv)
{
	json_t *all = json_array();
	int status = 0;

	for (int k = 0; k < argc; k++) {
		struct err e = { 0 };
		struct image *i = image_open_asking(argv[k],
						    o->passphrase_file, &e);
		bool is_good = i && !image_verify(i, progress_show,
						  &o->progress, &e);

		progress_end(&o->progress);
		if (o->is_json)
			json_array_append_new(all, json_pack("{s:s,s:b,s:s}",
				"File", argv[k], "Good", is_good,
				"Error", is_good ? "" : e.text));
		else if (is_good)
			printf("%s: good\n", argv[k]);
		else
			message_error(&e);
		status = is_good ? status : STATUS_OURS;
		if (i)
			image_close(i);
	}
	if (o->is_json)
		put_json(all);
	return status;
}

/* ---- diff --------------------------------------------------------------- */
static void put_differences(const struct image_difference *d, size_t count)
{
	printf("%-10s  %10s  %10s  %10s  %10s\n", "SPACE", "SAME", "CHANGED",
	       "ONLY FIRST", "ONLY SECOND");
	for (size_t i = 0; i < count; i++)
		printf("%-10s  %10s  %10s  %10s  %10s\n", d[i].space ?
		       xasprintf("%" PRIu64, d[i].space) : "kernel",
		       bytes_text(d[i].same * 4096),
		       bytes_text(d[i].changed * 4096),
		       bytes_text(d[i].only_a * 4096),
		       bytes_text(d[i].only_b * 4096));
}

static json_t *differences_json(const struct image_difference *d, size_t count)
{
	json_t *a = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(a, json_pack("{s:I,s:I,s:I,s:I,s:I}",
			"Space", (json_int_t)d[i].space,
			"SamePages", (json_int_t)d[i].same,
			"ChangedPages", (json_int_t)d[i].changed,
			"OnlyFirstPages", (json_int_t)d[i].only_a,
			"OnlySecondPages", (json_int_t)d[i].only_b));
	return a;
}

static int diff(const struct options *o, int argc, char **argv)
{
	struct image_difference *d;
	struct image *a, *b;
	size_t count;
	struct err e;

	if (argc != 2)
		return fail("usage: bailey image diff [OPTIONS] FILE FILE");
	a = image_open_asking(argv[0], o->passphrase_file, &e);
	b = a ? image_open_asking(argv[1], o->passphrase_file, &e) : NULL;
	if (!b || image_diff(a, b, &d, &count, &e))
		return message_error(&e);
	if (o->is_json)
		put_json(differences_json(d, count));
	else
		put_differences(d, count);
	image_close(a);
	image_close(b);
	return 0;
}

int cmd_image(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e;
	int at = options_parse(CMD_IMAGE, argc, argv, set, &o, &e);
	const char *verb;

	if (at < 0)
		return message_error(&e);
	verb = at < argc ? argv[at++] : "";
	if (strcmp(verb, "inspect") && strcmp(verb, "verify") &&
	    strcmp(verb, "diff"))
		return fail("usage: bailey image inspect|verify|diff "
			    "[OPTIONS] FILE...");
	if (at == argc)
		return fail("which image? usage: bailey image %s [OPTIONS] "
			    "FILE...", verb);
	if (!strcmp(verb, "diff"))
		return diff(&o, argc - at, argv + at);
	return *verb == 'i' ? inspect(&o, argc - at, argv + at) :
		verify(&o, argc - at, argv + at);
}
