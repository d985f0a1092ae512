/*
 * record.c - the manifest in an image (saving.h).
 *
 * A config.json as bailey-manifest(5) describes it, so that it says to people
 * and other tools what the sandbox was started with; on resume it grants
 * nothing (resuming.c).  The section "bailey":
 *   version   of this section, 1
 *   name      that the sandbox had
 *   readonly  true: nothing but mounts can be written
 *   display   of one with a screen: User, Clipboard, Size
 *   trees     host trees by number: Kind (system, rootfs, volume,
 *             display), Guest,
 *             Host, ReadOnly, NoExec, IsFile
 */
#include "cli/saving.h"

#include <stdlib.h>
#include <string.h>

static json_t *process(const struct state *s)
{
	json_t *config = json_object_get(s->json, "Config");

	return json_pack("{s:O?,s:{s:O?,s:O?},s:O?,s:O?,s:O?}",
		"terminal", json_object_get(config, "Tty"),
		"user", "uid", json_object_get(config, "Uid"),
		"gid", json_object_get(config, "Gid"),
		"args", state_command(s),
		"env", json_object_get(config, "Env"),
		"cwd", json_object_get(config, "WorkingDir"));
}

static json_t *mounts(const struct state *s)
{
	json_t *a = json_array(), *m;
	size_t i;

	json_array_foreach(json_object_get(s->json, "Mounts"), i, m)
		json_array_append_new(a, json_pack("{s:O?,s:O?,s:O?,s:[s]}",
			"destination", json_object_get(m, "Destination"),
			"type", json_object_get(m, "Type"),
			"source", json_object_get(m, "Source"), "options",
			json_is_false(json_object_get(m, "RW")) ? "ro" : "rw"));
	return a;
}

static json_t *resources(const struct state *s)
{
	json_t *limits = json_object_get(s->json, "Limits");
	json_t *o = json_object();
	json_int_t memory = json_integer_value(json_object_get(limits,
							       "Memory"));
	json_int_t pids = json_integer_value(json_object_get(limits, "Pids"));
	double cpus = json_number_value(json_object_get(limits, "Cpus"));

	if (memory)
		json_object_set_new(o, "memory", json_pack("{s:I}", "limit",
							   memory));
	if (pids)
		json_object_set_new(o, "pids", json_pack("{s:I}", "limit",
							 pids));
	if (cpus > 0)
		json_object_set_new(o, "cpu", json_pack("{s:I,s:i}", "quota",
			(json_int_t)(cpus * 100000 + 0.5), "period", 100000));
	return o;
}

char *record_ports(const struct state *s)
{
	char *out = xstrdup("");
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(s->json, "Ports"), i, p) {
		const char *ip = json_string_value(json_object_get(p,
								"host_ip"));
		bool is_any = !ip || !strcmp(ip, "0.0.0.0");
		const char *proto = json_string_value(json_object_get(p,
								"protocol"));
		bool is_v6 = !is_any && strchr(ip, ':');

		out = xasprintf("%s%s%s%s%s%s%d:%d%s", out, i ? "," : "",
			is_v6 ? "[" : "", is_any ? "" : ip, is_v6 ? "]" : "",
			is_any ? "" : ":",
			(int)json_integer_value(json_object_get(p,
							"host_port")),
			(int)json_integer_value(json_object_get(p,
							"container_port")),
			proto && !strcmp(proto, "udp") ? "/udp" : "");
	}
	return out;
}

static json_t *annotations(const struct state *s)
{
	json_t *o = json_pack("{s:O?}", "bailey.network",
			      json_object_get(s->json, "Network"));
	char *list = record_ports(s);

	if (*list)
		json_object_set_new(o, "bailey.publish", json_string(list));
	return o;
}

char *record_manifest(const struct state *s)
{
	json_t *config = json_object_get(s->json, "Config");
	json_t *trees = json_object_get(s->json, "Trees");
	const char *rootfs = json_string_value(json_object_get(s->json,
							       "Rootfs"));
	json_t *o;

	if (!json_is_array(trees) || !json_is_object(config))
		return NULL;
	o = json_pack("{s:s,s:o,s:O?,s:o,s:{s:o},s:o,s:{s:i,s:s,s:O?,s:O}}",
		"ociVersion", "1.0.2", "process", process(s),
		"hostname", json_object_get(config, "Hostname"),
		"mounts", mounts(s), "linux", "resources", resources(s),
		"annotations", annotations(s), "bailey", "version", 1,
		"name", s->name, "readonly",
		json_object_get(config, "ReadonlyRootfs"), "trees", trees);
	if (o && json_is_object(json_object_get(s->json, "Display")))
		json_object_set(json_object_get(o, "bailey"), "display",
				json_object_get(s->json, "Display"));
	if (o)
		json_object_set(json_object_get(o, "bailey"), "processor",
				json_object_get(config, "Processor"));
	if (o && rootfs && *rootfs)
		json_object_set_new(o, "root", json_pack("{s:s,s:O?}",
			"path", rootfs, "readonly",
			json_object_get(config, "ReadonlyRootfs")));
	return o ? json_dumps(o, JSON_INDENT(1)) : NULL;
}
