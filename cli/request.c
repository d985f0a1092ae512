/*
 * request.c - from options to a struct sandbox_config.
 */
#include "cli/request.h"
#include "cli/session.h"
#include "image/processor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- environment ------------------------------------------------------------ */
const char *env_get(const struct strings *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (!strncmp(env->v[i], name, n) && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

static void env_put(struct strings *env, char *item)
{
	size_t n = strcspn(item, "=");

	for (size_t i = 0; i < env->count; i++) {
		if (!strncmp(env->v[i], item, n + 1)) {
			env->v[i] = item;
			return;
		}
	}
	strings_add(env, item);
}

int env_set(struct strings *env, const char *item, struct err *e)
{
	size_t n = strcspn(item, "=");
	const char *value;

	if (!n)
		return err_set(e, STATUS_OURS, "environment '%s': NAME=VALUE "
			       "or NAME is needed", item);
	if (item[n]) {
		env_put(env, xstrdup(item));
		return 0;
	}
	value = getenv(item);
	if (value) /* as podman: one that is not set here is left out */
		env_put(env, xasprintf("%s=%s", item, value));
	return 0;
}

int env_load(struct strings *env, const char *file, struct err *e)
{
	char *text = read_file(file, NULL), *line;

	if (!text)
		return err_set(e, STATUS_OURS, "environment file %s: %s", file,
			       strerror(errno));
	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		if (*line && *line != '#' && env_set(env, line, e))
			return -1;
	}
	return 0;
}

static void env_default(struct request *r, const char *item)
{
	char *name = xstrndup(item, strcspn(item, "="));

	if (!env_get(&r->env, name))
		env_put(&r->env, xstrdup(item));
}

/* GLIBC_TUNABLES is a list: what the user has in it stays. */
static void env_processor(struct request *r)
{
	int level = processor_level(r->config.processor);
	const char *name, *old;
	char *value;

	for (unsigned i = 0; (name = processor_environment(level, i, &value));
	     i++) {
		old = env_get(&r->env, name);
		if (old && !strcmp(name, "GLIBC_TUNABLES"))
			env_put(&r->env, xasprintf("%s=%s:%s", name, old,
						   value));
		else if (!old)
			env_put(&r->env, xasprintf("%s=%s", name, value));
	}
}

static int set_processor(struct request *r, const char *arg, struct err *e)
{
	r->config.processor = arg;
	return processor_level(arg) ? 0 : err_set(e, STATUS_OURS,
		"processor '%s': x86-64-v2, x86-64-v3 or x86-64-v4 is needed",
		arg);
}

static void env_finish(struct request *r, const char *home)
{
	const char *term = getenv("TERM");

	env_default(r, DEFAULT_PATH);
	env_default(r, "container=bailey");
	env_default(r, xasprintf("HOME=%s", home));
	env_default(r, xasprintf("HOSTNAME=%s", r->config.hostname));
	if (r->config.processor)
		env_processor(r);
	if (r->is_tty)
		env_default(r, xasprintf("TERM=%s", term && *term ? term :
					 "xterm"));
}

/* ---- options ---------------------------------------------------------------- */
void request_init(struct request *r)
{
	*r = (struct request){ 0 };
	r->config.fds[0] = r->config.fds[1] = r->config.fds[2] = -1;
	r->config.trace_fd = r->config.resume_pages = -1;
	r->config.empty_network = -1;
	r->config.umask = 022;
	r->config.network = SANDBOX_NET_NONE;
}

static int set_network(struct request *r, const char *arg, struct err *e)
{
	if (!strcmp(arg, "none"))
		r->config.network = SANDBOX_NET_NONE;
	else if (!strcmp(arg, "host"))
		r->config.network = SANDBOX_NET_HOST;
	else
		return err_set(e, STATUS_OURS, "network '%s': none or host is "
			       "needed", arg);
	return 0;
}

static int set_bool(bool *to, const char *arg, struct err *e)
{
	if (!arg || !strcmp(arg, "true") || !strcmp(arg, "1"))
		*to = true;
	else if (!strcmp(arg, "false") || !strcmp(arg, "0"))
		*to = false;
	else
		return err_set(e, STATUS_OURS, "'%s': true or false is needed",
			       arg);
	return 0;
}

static int set_umask(struct request *r, const char *arg, struct err *e)
{
	char *end;
	unsigned long v = strtoul(arg, &end, 8);

	if (*end || end == arg || v > 0777)
		return err_set(e, STATUS_OURS, "umask '%s': an octal number up "
			       "to 0777 is needed", arg);
	r->config.umask = (uint32_t)v;
	return 0;
}

static int set_pids(struct request *r, const char *arg, struct err *e)
{
	if (!strcmp(arg, "-1"))
		r->config.pids = 0;
	else if (parse_u32(arg, 1u << 22, &r->config.pids))
		return err_set(e, STATUS_OURS, "pids limit '%s': not a number "
			       "of processes", arg);
	return 0;
}

static int set_workdir(struct request *r, const char *arg, struct err *e)
{
	r->config.cwd = guest_path(arg);
	if (!r->config.cwd)
		return err_set(e, STATUS_OURS, "working directory '%s': an "
			       "absolute path inside is needed", arg);
	return 0;
}

static int set_limits(struct request *r, enum option_id id, const char *arg,
		      struct err *e)
{
	switch (id) {
	case OPT_PROCESSOR: return set_processor(r, arg, e);
	case OPT_MEMORY:
		if (parse_size(arg, &r->config.memory))
			return err_set(e, STATUS_OURS, "memory '%s': a number "
				       "with b, k, m or g is needed", arg);
		return 0;
	case OPT_CPUS:
		if (parse_cpus(arg, &r->config.cpu_milli))
			return err_set(e, STATUS_OURS, "cpus '%s': a number "
				       "such as 1.5 is needed", arg);
		return 0;
	case OPT_PIDS_LIMIT: return set_pids(r, arg, e);
	case OPT_ULIMIT: return parse_ulimit(r, arg, e);
	default: return set_umask(r, arg, e);
	}
}

static int set_sig_proxy(struct request *r, const char *arg, struct err *e)
{
	bool is_on = true;

	if (set_bool(&is_on, arg, e))
		return -1;
	r->no_sig_proxy = !is_on;
	return 0;
}

int request_option(void *ctx, enum option_id id, const char *arg,
		   struct err *e)
{
	struct request *r = ctx;

	switch (id) {
	case OPT_DETACH: r->config.detach = true; return 0;
	case OPT_INTERACTIVE: r->is_interactive = true; return 0;
	case OPT_TTY: r->is_tty = true; return 0;
	case OPT_NAME: r->config.name = arg; return 0;
	case OPT_ENV: return env_set(&r->env, arg, e);
	case OPT_ENV_FILE: return env_load(&r->env, arg, e);
	case OPT_WORKDIR: return set_workdir(r, arg, e);
	case OPT_USER: r->user = arg; return 0;
	case OPT_GROUP_ADD: strings_add(&r->groups, xstrdup(arg)); return 0;
	case OPT_HOSTNAME: r->config.hostname = arg; return 0;
	case OPT_ENTRYPOINT: r->entrypoint = arg; return 0;
	case OPT_RM: r->is_removed = true; return 0;
	case OPT_READ_ONLY: r->config.read_only = true; return 0;
	case OPT_ROOTFS: return rootfs_check(arg, &r->rootfs, e);
	case OPT_VOLUME: return parse_volume(&r->user_mounts, arg, e);
	case OPT_TMPFS: return parse_tmpfs(&r->user_mounts, arg, e);
	case OPT_PUBLISH: return parse_port(r, arg, e);
	case OPT_NETWORK: return set_network(r, arg, e);
	case OPT_MANIFEST: case OPT_CONFIG: r->manifest = arg; return 0;
	case OPT_CIDFILE: r->cidfile = arg; return 0;
	case OPT_REPLACE: r->is_replacing = true; return 0;
	case OPT_SIG_PROXY: return set_sig_proxy(r, arg, e);
	case OPT_TRACE: r->trace = arg ? arg : ""; return 0;
	case OPT_QUIET: r->is_quiet = true; return 0;
	case OPT_DEBUG: r->config.debug = true; return 0;
	case OPT_DISPLAY: return display_option(&r->display, arg, e);
	case OPT_DISPLAY_SIZE: return display_size(&r->display, arg, e);
	case OPT_CLIPBOARD: return display_clipboard(&r->display, arg, e);
	default: return set_limits(r, id, arg, e);
	}
}

/* ---- the configuration ------------------------------------------------------ */
static int finish_program(struct request *r, int argc, char **argv,
			  struct err *e)
{
	struct strings *out = xcalloc(1, sizeof(*out));

	if (r->entrypoint && *r->entrypoint)
		strings_add(out, xstrdup(r->entrypoint));
	if (!argc && !out->count) /* the manifest's own */
		*out = r->argv;
	for (int i = 0; i < argc; i++)
		strings_add(out, argv[i]);
	if (!out->count || !*out->v[0])
		return err_set(e, STATUS_OURS, "which program? usage: bailey "
			       "run [OPTIONS] PROGRAM [ARG...]");
	r->config.argv = out->v;
	return 0;
}

/* What the library OS and a small program take. */
#define MEMORY_MIN (16u << 20)
static int memory_check(uint64_t memory, struct err *e)
{
	if (!memory || memory >= MEMORY_MIN)
		return 0;
	return err_set(e, STATUS_OURS, "memory limit of %llu bytes: at least "
		       "16m are needed", (unsigned long long)memory);
}

static int hostname_check(const char *s, struct err *e)
{
	size_t n = strlen(s);

	if (n && n <= 64 && *s != '-' && strspn(s, "abcdefghijklmnopqrstuvwxyz"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == n)
		return 0;
	return err_set(e, STATUS_OURS, "host name '%s': 1 to 64 letters, "
		       "digits, '-', '.' are needed", s);
}

int request_check(const struct sandbox_config *c, struct err *e)
{
	return hostname_check(c->hostname, e) || memory_check(c->memory, e) ?
		-1 : 0;
}

int request_finish(struct request *r, int argc, char **argv, struct err *e)
{
	struct sandbox_config *c = &r->config;
	struct mount_list mounts = { 0 };
	struct guest_user user;

	if (!c->hostname)
		c->hostname = xstrndup(c->id, 12);
	if (request_check(c, e) ||
	    finish_program(r, argc, argv, e) || display_prepare(r, e) ||
	    user_resolve(r->rootfs, r->user, &r->groups, &user, e))
		return -1;
	c->uid = user.uid;
	c->gid = user.gid;
	c->groups = user.groups;
	c->group_count = user.group_count;
	if (!c->cwd)
		c->cwd = "/";
	env_finish(r, user.home);
	c->envp = r->env.v;
	view_build(r, &mounts);
	c->mounts = mounts.v;
	c->mount_count = mounts.count;
	c->ports = r->ports.v;
	c->port_count = r->ports.count;
	c->limits = r->limits.v;
	c->limit_count = r->limits.count;
	c->tty = r->is_tty;
	terminal_size(&c->rows, &c->columns);
	return 0;
}
