/*
 * view_etc.c - what is different in the sandbox's /etc.
 *
 * /etc is the host's below a private layer, and the monitor refuses what is
 * not readable by everybody.  Over it lie our own small files, and empty
 * directories and files in the place of what tells about this host, its
 * users or its secrets.
 */
#include "cli/request.h"

#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static void add_file(struct mount_list *l, const char *guest, const char *text)
{
	struct sandbox_mount *m = mount_add(l);

	m->kind = BOOT_MOUNT_FILE;
	m->mode = 0644;
	m->guest = guest;
	m->text = text;
}

/* ---- accounts -------------------------------------------------------------- */
/* Numbers below 1000 and nobody's are the system's. */
static bool is_system_account(const char *line, size_t n)
{
	const char *p = memchr(line, ':', n);
	uint32_t id;
	size_t w;

	p = p ? memchr(p + 1, ':', n - (size_t)(p + 1 - line)) : NULL;
	if (!p)
		return false;
	w = strcspn(++p, ":\n");
	if (parse_u32(xstrndup(p, w), UINT32_MAX - 1, &id))
		return false;
	return id < 1000 || id == 65534;
}

/* In group files the members are users: only system ones may stay, and we
 * cannot tell by name, so none do. Passwd lines are kept as they are. */
static size_t kept_length(const char *line, size_t n)
{
	int colons = 0;

	for (size_t i = 0; i < n; i++)
		colons += line[i] == ':';
	if (colons != 3)
		return n;
	while (line[n - 1] != ':')
		n--;
	return n;
}

char *view_system_accounts(const char *text)
{
	char *out = xcalloc(1, strlen(text) + 2), *to = out;

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (is_system_account(text, n)) {
			size_t kept = kept_length(text, n);

			memcpy(to, text, kept);
			to += kept;
			*to++ = '\n';
		}
		text += n + (text[n] == '\n');
	}
	*to = 0;
	return out;
}

static void add_accounts(struct mount_list *l)
{
	char *passwd = read_file("/etc/passwd", NULL);
	char *group = read_file("/etc/group", NULL);

	add_file(l, "/etc/passwd", passwd ? view_system_accounts(passwd) :
		 "root:x:0:0:root:/root:/bin/sh\n");
	add_file(l, "/etc/group", group ? view_system_accounts(group) :
		 "root:x:0:\n");
}

/* ---- names and addresses ---------------------------------------------------- */
void view_network_files(struct mount_list *l, const struct sandbox_config *c)
{
	char *resolv = NULL;

	if (c->network == SANDBOX_NET_HOST)
		resolv = read_file("/etc/resolv.conf", NULL);
	add_file(l, "/etc/hostname", xasprintf("%s\n", c->hostname));
	add_file(l, "/etc/hosts", xasprintf(
		"127.0.0.1\tlocalhost\n"
		"::1\tlocalhost ip6-localhost ip6-loopback\n"
		"127.0.1.1\t%s\n", c->hostname));
	add_file(l, "/etc/resolv.conf", resolv ? resolv :
		 "# this sandbox reaches no name server\n");
}

static void add_machine_id(struct mount_list *l)
{
	uint64_t r[2];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return; /* cannot happen for 16 bytes */
	add_file(l, "/etc/machine-id", xasprintf("%016llx%016llx\n",
			(unsigned long long)r[0], (unsigned long long)r[1]));
}

/* ---- what is hidden ---------------------------------------------------------- */
static void hide(struct mount_list *l, const char *path)
{
	struct sandbox_mount *m;
	struct stat st;

	if (lstat(path, &st))
		return;
	if (S_ISDIR(st.st_mode)) {
		m = mount_add(l);
		m->kind = BOOT_MOUNT_DIR;
		m->guest = path;
		m->mode = 0755;
	} else {
		add_file(l, path, "");
	}
}

void view_etc(struct mount_list *l, const struct sandbox_config *c)
{
	static const char *const hidden[] = {
		"/etc/shadow", "/etc/shadow-", "/etc/gshadow",
		"/etc/gshadow-", "/etc/passwd-", "/etc/group-",
		"/etc/subuid", "/etc/subgid", "/etc/subuid-", "/etc/subgid-",
		"/etc/sudoers", "/etc/sudoers.d", "/etc/ssh",
		"/etc/ssl/private", "/etc/krb5.keytab",
		"/etc/NetworkManager", "/etc/wireguard", "/etc/openvpn",
		"/etc/ppp", "/etc/wpa_supplicant", "/etc/netplan",
		"/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily",
		"/etc/cron.weekly", "/etc/cron.monthly", "/etc/crontab",
		"/etc/fstab", "/etc/crypttab", "/etc/exports",
		"/etc/letsencrypt", "/etc/containers", "/etc/docker",
		"/etc/kubernetes", "/etc/cloud", "/etc/npmrc",
		"/etc/pip.conf", "/etc/netrc", "/etc/environment",
	};
	struct sandbox_mount *m;
	struct stat st;

	if (lstat("/etc", &st))
		return;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		hide(l, hidden[i]);
	add_accounts(l);
	view_network_files(l, c);
	add_machine_id(l);
	m = mount_add(l);
	m->kind = BOOT_MOUNT_SYMLINK;
	m->guest = "/etc/mtab";
	m->text = "/proc/self/mounts";
}
