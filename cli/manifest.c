/*
 * manifest.c - `bailey run --manifest FILE`: the OCI runtime specification's
 * config.json, as far as it says something that a sandbox can follow
 * (bailey-manifest(5) lists it).  Fields that only concern the host's own
 * container machinery (namespaces, masked paths, labels) are met by every
 * sandbox and are not read; unknown fields are ignored, as the specification
 * has it.  An error names the field.
 */
#include "cli/request.h"

#include <libgen.h>
#include <string.h>

struct reader {
	struct request *r;
	const char *file;
	struct err *e;
};

static int bad(const struct reader *m, const char *field, const char *why)
{
	return err_set(m->e, STATUS_OURS, "manifest %s: %s: %s", m->file,
		       field, why);
}

/* ---- typed fields ------------------------------------------------------------ */
/* Each: 0 and *out set, 0 and *out untouched if absent, or -1. `where` is
 * the name of the object, for messages. */
static int get(const struct reader *m, const json_t *o, const char *where,
	       const char *key, json_type type, const json_t **out)
{
	static const char *const names[] = { "an object", "an array",
		"a string", "an integer", "a number", "true or false",
		"true or false" };
	const json_t *v = json_object_get(o, key);

	*out = NULL;
	if (!v || json_is_null(v))
		return 0;
	if (json_typeof(v) != type && !(type == JSON_TRUE &&
					json_is_boolean(v)))
		return bad(m, *where ? xasprintf("%s.%s", where, key) : key,
			   xasprintf("%s is needed", names[type]));
	*out = v;
	return 0;
}

static int get_string(const struct reader *m, const json_t *o,
		      const char *where, const char *key, const char **out)
{
	const json_t *v;

	if (get(m, o, where, key, JSON_STRING, &v))
		return -1;
	if (v)
		*out = xstrdup(json_string_value(v));
	return 0;
}

static int get_bool(const struct reader *m, const json_t *o,
		    const char *where, const char *key, bool *out)
{
	const json_t *v;

	if (get(m, o, where, key, JSON_TRUE, &v))
		return -1;
	if (v)
		*out = json_is_true(v);
	return 0;
}

static int get_number(const struct reader *m, const json_t *o,
		      const char *where, const char *key, int64_t min,
		      int64_t max, int64_t *out)
{
	const json_t *v;

	if (get(m, o, where, key, JSON_INTEGER, &v))
		return -1;
	if (!v)
		return 0;
	*out = json_integer_value(v);
	if (*out < min || *out > max)
		return bad(m, xasprintf("%s.%s", where, key),
			   xasprintf("from %lld to %lld", (long long)min,
				     (long long)max));
	return 0;
}

/* ---- process ------------------------------------------------------------------ */
static int read_strings(const struct reader *m, const json_t *o,
			const char *where, const char *key,
			struct strings *out)
{
	const json_t *list, *item;
	size_t i;

	if (get(m, o, where, key, JSON_ARRAY, &list))
		return -1;
	json_array_foreach(list, i, item) {
		if (!json_is_string(item))
			return bad(m, xasprintf("%s.%s[%zu]", where, key, i),
				   "a string is needed");
		strings_add(out, xstrdup(json_string_value(item)));
	}
	return 0;
}

static int read_env(const struct reader *m, const json_t *process)
{
	struct strings env = { 0 };

	if (read_strings(m, process, "process", "env", &env))
		return -1;
	for (size_t i = 0; i < env.count; i++) {
		/* a name alone would take the value from our environment */
		if (!strchr(env.v[i], '=') || *env.v[i] == '=')
			return bad(m, xasprintf("process.env[%zu]", i),
				   "NAME=VALUE is needed");
		if (env_set(&m->r->env, env.v[i], m->e))
			return -1;
	}
	return 0;
}

static int read_user(const struct reader *m, const json_t *process)
{
	const char *where = "process.user";
	int64_t uid = 0, gid = 0, mask = m->r->config.umask;
	const json_t *user, *list, *item;
	size_t i;

	if (get(m, process, "process", "user", JSON_OBJECT, &user))
		return -1;
	if (!user)
		return 0;
	if (get_number(m, user, where, "uid", 0, UINT32_MAX - 1, &uid) ||
	    get_number(m, user, where, "gid", 0, UINT32_MAX - 1, &gid) ||
	    get_number(m, user, where, "umask", 0, 0777, &mask) ||
	    get(m, user, where, "additionalGids", JSON_ARRAY, &list))
		return -1;
	json_array_foreach(list, i, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0)
			return bad(m, xasprintf("%s.additionalGids[%zu]",
						where, i),
				   "a group number is needed");
		strings_add(&m->r->groups, xasprintf("%lld",
				(long long)json_integer_value(item)));
	}
	m->r->user = xasprintf("%lld:%lld", (long long)uid, (long long)gid);
	m->r->config.umask = (uint32_t)mask;
	return 0;
}

static int read_rlimit(const struct reader *m, const json_t *o,
		       const char *where)
{
	int64_t soft = -1, hard = -1;
	const char *type = NULL;

	if (!json_is_object(o))
		return bad(m, where, "an object is needed");
	/* limits are unsigned 64-bit numbers; JSON's stop at 2^63 - 1, and
	 * 2^64 - 1 is written as a real by some: take -1 for "none" */
	if (get_string(m, o, where, "type", &type) ||
	    get_number(m, o, where, "soft", -1, INT64_MAX, &soft) ||
	    get_number(m, o, where, "hard", -1, INT64_MAX, &hard))
		return -1;
	if (!type || strncmp(type, "RLIMIT_", 7))
		return bad(m, xasprintf("%s.type", where),
			   "a name such as RLIMIT_NOFILE is needed");
	if ((uint64_t)soft > (uint64_t)hard)
		return bad(m, where, "the soft limit is above the hard one");
	if (limit_add(m->r, type + 7, (uint64_t)soft, (uint64_t)hard))
		return bad(m, xasprintf("%s.type", where), "no such limit");
	return 0;
}

static int read_process(const struct reader *m, const json_t *root)
{
	const json_t *process, *limits, *item;
	const char *cwd = NULL;
	size_t i;

	if (get(m, root, "", "process", JSON_OBJECT, &process))
		return -1;
	if (!process)
		return 0;
	if (get_bool(m, process, "process", "terminal", &m->r->is_tty) ||
	    read_strings(m, process, "process", "args", &m->r->argv) ||
	    read_env(m, process) || read_user(m, process) ||
	    get_string(m, process, "process", "cwd", &cwd) ||
	    get(m, process, "process", "rlimits", JSON_ARRAY, &limits))
		return -1;
	m->r->is_interactive |= m->r->is_tty;
	if (cwd && !(m->r->config.cwd = guest_path(cwd)))
		return bad(m, "process.cwd", "an absolute path is needed");
	json_array_foreach(limits, i, item)
		if (read_rlimit(m, item, xasprintf("process.rlimits[%zu]", i)))
			return -1;
	return 0;
}

/* ---- root and mounts ----------------------------------------------------------- */
/* Paths of the manifest are relative to the directory that it is in. */
static const char *beside(const struct reader *m, const char *path)
{
	if (*path == '/')
		return path;
	return xasprintf("%s/%s", dirname(xstrdup(m->file)), path);
}

static int read_root(const struct reader *m, const json_t *top)
{
	const char *path = NULL;
	const json_t *root;

	if (get(m, top, "", "root", JSON_OBJECT, &root))
		return -1;
	if (!root)
		return 0; /* the default view */
	if (get_string(m, root, "root", "path", &path) ||
	    get_bool(m, root, "root", "readonly", &m->r->config.read_only))
		return -1;
	if (!path)
		return bad(m, "root.path", "is missing (leave \"root\" out for "
			   "the host's system directories)");
	if (rootfs_check(beside(m, path), &m->r->rootfs, m->e))
		return bad(m, "root.path", xstrdup(m->e->text));
	return 0;
}

/* What every sandbox has in any case. */
static bool is_given(const char *type, const char *to)
{
	static const char *const types[] = { "proc", "sysfs", "devpts",
		"mqueue", "cgroup", "cgroup2" };
	bool is_dev = !strcmp(to, "/dev") || !strcmp(to, "/dev/shm");

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return is_dev && !strcmp(type, "tmpfs");
}

static int read_mount(const struct reader *m, const json_t *o,
		      const char *where)
{
	const char *to = NULL, *from = NULL, *type = "";
	struct strings options = { 0 };
	bool is_bind, is_read_only = false;
	char *text;

	if (!json_is_object(o))
		return bad(m, where, "an object is needed");
	if (get_string(m, o, where, "destination", &to) ||
	    get_string(m, o, where, "source", &from) ||
	    get_string(m, o, where, "type", &type) ||
	    read_strings(m, o, where, "options", &options))
		return -1;
	if (!to || *to != '/')
		return bad(m, xasprintf("%s.destination", where),
			   "an absolute path is needed");
	is_bind = !strcmp(type, "bind");
	text = xstrdup(to);
	for (size_t i = 0; i < options.count; i++) {
		const char *w = options.v[i];

		is_bind |= !strcmp(w, "bind") || !strcmp(w, "rbind");
		is_read_only |= !strcmp(w, "ro");
		if (!strncmp(w, "size=", 5) || !strncmp(w, "mode=", 5))
			text = xasprintf("%s%c%s", text,
					 strchr(text, ':') ? ',' : ':', w);
	}
	if (is_bind && !from)
		return bad(m, xasprintf("%s.source", where), "is missing");
	if (is_bind)
		return volume_add(&m->r->user_mounts, beside(m, from), to,
			is_read_only ? BOOT_MOUNT_RO : 0, m->e) ?
			bad(m, where, xstrdup(m->e->text)) : 0;
	if (is_given(type, to))
		return 0;
	if (strcmp(type, "tmpfs"))
		return bad(m, xasprintf("%s.type", where),
			   xasprintf("'%s' is not known (bind, tmpfs, proc, "
				     "sysfs, devpts, mqueue, cgroup)", type));
	return parse_tmpfs(&m->r->user_mounts, text, m->e) ?
		bad(m, where, xstrdup(m->e->text)) : 0;
}

static int read_mounts(const struct reader *m, const json_t *root)
{
	const json_t *list, *item;
	size_t i;

	if (get(m, root, "", "mounts", JSON_ARRAY, &list))
		return -1;
	json_array_foreach(list, i, item)
		if (read_mount(m, item, xasprintf("mounts[%zu]", i)))
			return -1;
	return 0;
}

/* ---- resources, annotations ------------------------------------------------------ */
static int read_cpu(const struct reader *m, const json_t *resources)
{
	const char *where = "linux.resources.cpu";
	int64_t quota = 0, period = 100000;
	const json_t *cpu;

	if (get(m, resources, "linux.resources", "cpu", JSON_OBJECT, &cpu) ||
	    get_number(m, cpu, where, "quota", -1, INT64_MAX / 1000, &quota) ||
	    get_number(m, cpu, where, "period", 1000, 1000000, &period))
		return -1;
	if (quota > 0)
		m->r->config.cpu_milli = (uint32_t)(quota * 1000 / period);
	return 0;
}

static int read_resources(const struct reader *m, const json_t *root)
{
	const json_t *linux_, *resources, *memory, *pids;
	int64_t limit = 0, count = 0;

	if (get(m, root, "", "linux", JSON_OBJECT, &linux_) ||
	    get(m, linux_, "linux", "resources", JSON_OBJECT, &resources) ||
	    get(m, resources, "linux.resources", "memory", JSON_OBJECT,
		&memory) ||
	    get(m, resources, "linux.resources", "pids", JSON_OBJECT, &pids) ||
	    get_number(m, memory, "linux.resources.memory", "limit", -1,
		       INT64_MAX, &limit) ||
	    get_number(m, pids, "linux.resources.pids", "limit", -1,
		       1 << 22, &count))
		return -1;
	if (limit > 0)
		m->r->config.memory = (uint64_t)limit;
	if (count > 0)
		m->r->config.pids = (uint32_t)count;
	return read_cpu(m, resources);
}

/* What the specification has no field for. */
static int read_annotations(const struct reader *m, const json_t *root)
{
	const char *where = "annotations", *ports = NULL, *network = NULL;
	const json_t *o;
	char *list, *port;

	if (get(m, root, "", where, JSON_OBJECT, &o) ||
	    get_string(m, o, where, "bailey.publish", &ports) ||
	    get_string(m, o, where, "bailey.network", &network))
		return -1;
	if (network && request_option(m->r, OPT_NETWORK, network, m->e))
		return bad(m, "annotations[\"bailey.network\"]",
			   xstrdup(m->e->text));
	list = ports ? xstrdup(ports) : NULL;
	while ((port = strsep(&list, ",")))
		if (parse_port(m->r, port, m->e))
			return bad(m, "annotations[\"bailey.publish\"]",
				   xstrdup(m->e->text));
	return 0;
}

/* The text that an image carries is a stranger's: only what describes the
 * program is taken from it, and limits, which can but restrict. */
int manifest_load_saved(struct request *r, const json_t *root,
			const char *file, struct err *e)
{
	struct reader m = { r, file, e };

	if (!json_is_object(root))
		return bad(&m, "the whole", "an object is needed");
	return get_string(&m, root, "", "hostname", &r->config.hostname) ||
		read_process(&m, root) || read_resources(&m, root) ? -1 : 0;
}

int manifest_load(struct request *r, const char *file, struct err *e)
{
	struct reader m = { r, file, e };
	json_error_t je;
	json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &je);

	if (!root && je.line < 1)
		return err_set(e, STATUS_OURS, "manifest %s: %s", file,
			       je.text);
	if (!root)
		return err_set(e, STATUS_OURS, "manifest %s: line %d, column "
			       "%d: %s", file, je.line, je.column, je.text);
	if (!json_is_object(root))
		return bad(&m, "the whole", "an object is needed");
	if (json_object_get(root, "hooks"))
		return bad(&m, "hooks", "programs outside the sandbox are not "
			   "run");
	if (get_string(&m, root, "", "hostname", &r->config.hostname) ||
	    read_process(&m, root) || read_root(&m, root) ||
	    read_mounts(&m, root) || read_resources(&m, root) ||
	    read_annotations(&m, root))
		return -1;
	json_decref(root);
	return 0;
}
