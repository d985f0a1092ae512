/*
 * values.c - the values of `bailey run`'s options: volumes, ports, limits.
 * Each parser checks everything it can and says what is wrong with which
 * word; meanings are those of podman-run(1).
 */
#include "cli/request.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct sandbox_mount *mount_add(struct mount_list *l)
{
	if (l->count % 32 == 0)
		l->v = xrealloc(l->v, (l->count + 32) * sizeof(*l->v));
	l->v[l->count] = (struct sandbox_mount){ 0 };
	return &l->v[l->count++];
}

/* ---- paths ---------------------------------------------------------------- */
char *guest_path(const char *s)
{
	char *out, *to;

	if (*s != '/')
		return NULL;
	out = to = xcalloc(1, strlen(s) + 2);
	while (*s) {
		size_t n = strcspn(s, "/");

		if (n == 2 && !memcmp(s, "..", 2)) {
			while (to > out && *--to != '/')
				;
		} else if (n && !(n == 1 && *s == '.')) {
			*to++ = '/';
			memcpy(to, s, n);
			to += n;
		}
		s += n + (s[n] == '/');
	}
	if (to == out)
		*to++ = '/';
	*to = 0;
	return out;
}

int rootfs_check(const char *dir, const char **out, struct err *e)
{
	char *path = realpath(dir, NULL);
	struct stat st;

	if (!path || stat(path, &st))
		return err_set(e, STATUS_OURS, "root file system %s: %s", dir,
			       strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(e, STATUS_OURS, "root file system %s: not a "
			       "directory (unpack the archive first)", dir);
	if (access(path, R_OK | X_OK))
		return err_set(e, STATUS_OURS, "root file system %s: %s", dir,
			       strerror(errno));
	*out = path;
	return 0;
}

/* ---- volumes -------------------------------------------------------------- */
int volume_add(struct mount_list *l, const char *host, const char *guest,
	       uint32_t flags, struct err *e)
{
	char *to = guest_path(guest);
	char *from = realpath(host, NULL);
	struct sandbox_mount *m;
	struct stat st;

	if (!to || !strcmp(to, "/"))
		return err_set(e, STATUS_OURS, "volume %s:%s: the second part "
			       "must be an absolute path inside, other than /",
			       host, guest);
	if (!from || stat(from, &st))
		return err_set(e, STATUS_OURS, "volume %s: %s", host,
			       strerror(errno));
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(e, STATUS_OURS, "volume %s: neither a directory "
			       "nor a regular file", host);
	if (faccessat(AT_FDCWD, from, R_OK, AT_EACCESS))
		return err_set(e, STATUS_OURS, "volume %s: %s", host,
			       strerror(errno));
	if (!(flags & BOOT_MOUNT_RO) &&
	    faccessat(AT_FDCWD, from, W_OK, AT_EACCESS))
		return err_set(e, STATUS_OURS, "volume %s: %s; add :ro to "
			       "only read it", host, strerror(errno));
	m = mount_add(l);
	m->kind = BOOT_MOUNT_VOLUME;
	m->flags = flags;
	m->host = from;
	m->guest = to;
	return 0;
}

static bool word_in(const char *word, size_t n, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == n && !memcmp(*list, word, n))
			return true;
	return false;
}

/* Options after the second colon. Those about the host's mount propagation
 * and SELinux labels have nothing to act on here: no host mount is made. */
static int volume_flags(const char *s, uint32_t *flags, struct err *e)
{
	static const char *const harmless[] = { "rw", "z", "Z", "bind",
		"rbind", "private", "rprivate", "slave", "rslave", "exec",
		"nodev", "nosuid", NULL };

	for (*flags = 0; *s;) {
		size_t n = strcspn(s, ",");

		if (n == 2 && !memcmp(s, "ro", 2))
			*flags |= BOOT_MOUNT_RO;
		else if (n == 6 && !memcmp(s, "noexec", 6))
			*flags |= BOOT_MOUNT_NOEXEC;
		else if (!word_in(s, n, harmless))
			return err_set(e, STATUS_OURS, "volume option '%.*s' "
				       "is not known (ro, rw, noexec)",
				       (int)n, s);
		s += n + (s[n] == ',');
	}
	return 0;
}

int parse_volume(struct mount_list *l, const char *s, struct err *e)
{
	const char *colon = strchr(s, ':');
	const char *more;
	uint32_t flags = 0;
	char *host;

	if (!colon || colon == s)
		return err_set(e, STATUS_OURS, "volume '%s': HOST:GUEST or "
			       "HOST:GUEST:ro is needed", s);
	host = xstrndup(s, (size_t)(colon - s));
	if (*host != '/' && *host != '.')
		return err_set(e, STATUS_OURS, "volume '%s': there are no "
			       "named volumes; write ./%s for a directory", s,
			       host);
	more = strchr(colon + 1, ':');
	if (more && volume_flags(more + 1, &flags, e))
		return -1;
	return volume_add(l, host, more ? xstrndup(colon + 1,
			(size_t)(more - colon - 1)) : colon + 1, flags, e);
}

static int tmpfs_option(struct sandbox_mount *m, const char *s, size_t n)
{
	static const char *const harmless[] = { "rw", "exec", "nodev",
		"nosuid", "dev", "suid", "noatime", NULL };
	char *word = xstrndup(s, n);
	char *end;

	if (!strcmp(word, "ro"))
		m->flags |= BOOT_MOUNT_RO;
	else if (!strcmp(word, "noexec"))
		m->flags |= BOOT_MOUNT_NOEXEC;
	else if (!strncmp(word, "size=", 5))
		return parse_size(word + 5, &m->size);
	else if (!strncmp(word, "mode=", 5)) {
		m->mode = (uint32_t)strtoul(word + 5, &end, 8);
		return *end || m->mode > 07777 ? -1 : 0;
	} else
		return word_in(s, n, harmless) ? 0 : -1;
	return 0;
}

int parse_tmpfs(struct mount_list *l, const char *s, struct err *e)
{
	size_t n = strcspn(s, ":");
	char *guest = guest_path(xstrndup(s, n));
	struct sandbox_mount *m;

	if (!guest || !strcmp(guest, "/"))
		return err_set(e, STATUS_OURS, "tmpfs '%s': an absolute path "
			       "other than / is needed", s);
	m = mount_add(l);
	m->kind = BOOT_MOUNT_TMPFS;
	m->mode = 01777;
	m->guest = guest;
	for (s += n + (s[n] == ':'); *s; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		if (tmpfs_option(m, s, n))
			return err_set(e, STATUS_OURS, "tmpfs option '%.*s' is "
				       "not known (size=N, mode=N, ro, noexec)",
				       (int)n, s);
	}
	return 0;
}

/* ---- ports ---------------------------------------------------------------- */
static int port_error(const char *s, const char *why, struct err *e)
{
	return err_set(e, STATUS_OURS, "port '%s': %s; "
		       "[[IP:]HOST:]GUEST[/udp] is needed", s, why);
}

/* "8080" or "8000-8010" */
static int port_range(const char *s, uint32_t *first, uint32_t *last)
{
	char *dash, *copy = xstrdup(s);

	dash = strchr(copy, '-');
	if (dash)
		*dash++ = 0;
	if (parse_u32(copy, 65535, first) || !*first ||
	    parse_u32(dash ? dash : copy, 65535, last) || *last < *first)
		return -1;
	return 0;
}

static int port_ip(char *ip, const char **out)
{
	size_t n = strlen(ip);
	struct in6_addr a;

	if (*ip == '[' && ip[n - 1] == ']') {
		ip[n - 1] = 0;
		ip++;
	}
	if (!*ip)
		return 0; /* ":80:80": any address */
	if (inet_pton(AF_INET, ip, &a) != 1 && inet_pton(AF_INET6, ip, &a) != 1)
		return -1;
	*out = ip;
	return 0;
}

static int port_proto(char *s, int *proto)
{
	char *slash = strrchr(s, '/');

	*proto = SANDBOX_TCP;
	if (!slash)
		return 0;
	*slash++ = 0;
	if (!strcmp(slash, "udp"))
		*proto = SANDBOX_UDP;
	else if (strcmp(slash, "tcp"))
		return -1;
	return 0;
}

int parse_port(struct request *r, const char *s, struct err *e)
{
	uint32_t guest, guest_last, host = 0, host_last = 0;
	char *copy = xstrdup(s), *colon, *host_part = NULL;
	const char *ip = NULL;
	int proto;

	if (port_proto(copy, &proto))
		return port_error(s, "the protocol is tcp or udp", e);
	colon = strrchr(copy, ':');
	if (colon) {
		*colon = 0;
		host_part = strrchr(copy, ':');
		if (host_part) {
			*host_part++ = 0;
			if (port_ip(copy, &ip))
				return port_error(s, "not an address", e);
		} else {
			host_part = copy;
		}
	}
	if (port_range(colon ? colon + 1 : copy, &guest, &guest_last) ||
	    (host_part && *host_part && port_range(host_part, &host,
						   &host_last)))
		return port_error(s, "ports are numbers from 1 to 65535", e);
	if (host && host_last - host != guest_last - guest)
		return port_error(s, "the two ranges differ in length", e);
	for (uint32_t i = 0; i <= guest_last - guest; i++) {
		r->ports.v = xrealloc(r->ports.v, (r->ports.count + 1) *
				      sizeof(*r->ports.v));
		r->ports.v[r->ports.count++] = (struct sandbox_port){
			.host_ip = ip, .proto = proto,
			.host_port = (uint16_t)(host ? host + i : 0),
			.guest_port = (uint16_t)(guest + i) };
	}
	return 0;
}

/* ---- limits --------------------------------------------------------------- */
static const struct { const char *name; uint32_t resource; } limit_names[] = {
	{ "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA }, { "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS }, { "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS }, { "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME }, { "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK }, { "as", RLIMIT_AS },
};

int limit_add(struct request *r, const char *name, uint64_t soft,
	      uint64_t hard)
{
	size_t n = sizeof(limit_names) / sizeof(*limit_names);

	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(limit_names[i].name, name))
			continue;
		r->limits.v = xrealloc(r->limits.v, (r->limits.count + 1) *
				       sizeof(*r->limits.v));
		r->limits.v[r->limits.count++] = (struct boot_limit){
			.resource = limit_names[i].resource,
			.soft = soft, .hard = hard };
		return 0;
	}
	return -1;
}

static int limit_value(const char *s, uint64_t *v)
{
	char *end;

	if (!strcmp(s, "-1") || !strcmp(s, "unlimited")) {
		*v = UINT64_MAX;
		return 0;
	}
	errno = 0;
	*v = strtoull(s, &end, 10);
	return !isdigit((unsigned char)*s) || *end || errno ? -1 : 0;
}

int parse_ulimit(struct request *r, const char *s, struct err *e)
{
	char *copy = xstrdup(s), *value = strchr(copy, '='), *hard;
	uint64_t low, high;

	if (!value)
		return err_set(e, STATUS_OURS, "ulimit '%s': NAME=SOFT[:HARD] "
			       "is needed", s);
	*value++ = 0;
	hard = strchr(value, ':');
	if (hard)
		*hard++ = 0;
	if (limit_value(value, &low) || limit_value(hard ? hard : value, &high))
		return err_set(e, STATUS_OURS, "ulimit '%s': limits are "
			       "numbers, or -1 for none", s);
	if (low > high)
		return err_set(e, STATUS_OURS, "ulimit '%s': the soft limit is "
			       "above the hard one", s);
	if (limit_add(r, copy, low, high))
		return err_set(e, STATUS_OURS, "ulimit '%s': no limit is named "
			       "'%s'", s, copy);
	return 0;
}

int parse_cpus(const char *s, uint32_t *milli)
{
	char *end;
	double v = strtod(s, &end);

	if (!isdigit((unsigned char)*s) || *end || v > 100000 ||
	    (v > 0 && v < 0.01))
		return -1;
	*milli = (uint32_t)(v * 1000 + 0.5);
	return 0;
}
