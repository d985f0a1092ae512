/*
 * view.c - the file systems that a sandbox sees.
 *
 * Default view: the host's system directories below private layers, an empty
 * system around them, and of /var only its directories.  Nothing of the
 * host's users, runtime state or devices is in it.  With --rootfs: that tree
 * below one private layer.  The user's own mounts come last, so they win.
 *
 * Strings are shared or static: the list is read once, by sandbox_start().
 */
#include "cli/request.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Programs make what they want below /var/lib/NAME; each level more costs
 * every start of a sandbox about a millisecond. */
enum { VAR_DEPTH = 2 };

static struct sandbox_mount *add(struct mount_list *l, uint32_t kind,
				 const char *guest, uint32_t mode)
{
	struct sandbox_mount *m = mount_add(l);

	m->kind = kind;
	m->guest = guest;
	m->mode = mode;
	return m;
}

static void add_symlink(struct mount_list *l, const char *guest,
			const char *target)
{
	add(l, BOOT_MOUNT_SYMLINK, guest, 0777)->text = target;
}

/* ---- the host's system directories ---------------------------------------- */
/* /bin and the like: links into /usr on a merged system, else trees. */
static void add_system_directory(struct mount_list *l, const char *path)
{
	char target[256];
	struct stat st;
	ssize_t n;

	if (lstat(path, &st))
		return;
	if (S_ISDIR(st.st_mode)) {
		add(l, BOOT_MOUNT_LAYER, path, 0755)->host = path;
		return;
	}
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = 0;
		add_symlink(l, path, xstrdup(target));
	}
}

static const char *const system_paths[] = { "/usr", "/etc", "/bin", "/sbin",
	"/lib", "/lib32", "/lib64", "/libx32" };
#define SYSTEM_PATHS (sizeof(system_paths) / sizeof(*system_paths))

static void add_system(struct mount_list *l)
{
	for (size_t i = 0; i < SYSTEM_PATHS; i++)
		add_system_directory(l, system_paths[i]);
}

bool view_has_system(const char *path)
{
	struct stat st;

	for (size_t i = 0; i < SYSTEM_PATHS; i++)
		if (!strcmp(path, system_paths[i]))
			return !lstat(path, &st) && S_ISDIR(st.st_mode);
	return false;
}

/* ---- /var: its directories, none of its files ------------------------------ */
/* These are links, or ours, or name what is none of the program's business. */
static bool is_skipped_in_var(const char *path)
{
	static const char *const skipped[] = { "/var/run", "/var/lock",
		"/var/tmp", "/var/lib/docker", "/var/lib/containers",
		"/var/lib/machines", "/var/lib/kubelet", "/var/backups",
		"/var/lib/bailey", "/var/home" };

	for (size_t i = 0; i < sizeof(skipped) / sizeof(*skipped); i++)
		if (!strcmp(path, skipped[i]))
			return true;
	return false;
}

static void add_var_level(struct mount_list *l, int dir, const char *path,
			  int depth)
{
	DIR *d = fdopendir(dir);
	struct dirent *entry;
	struct stat st;
	char *guest;
	int fd;

	if (!d) {
		close(dir);
		return;
	}
	while ((entry = readdir(d))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		guest = xasprintf("%s/%s", path, entry->d_name);
		if (is_skipped_in_var(guest) ||
		    fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		add(l, BOOT_MOUNT_DIR, guest, st.st_mode & 07777);
		/* what others may not list stays unlisted, even for root */
		if (depth <= 1 || !(st.st_mode & S_IROTH))
			continue;
		fd = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY |
			    O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			add_var_level(l, fd, guest, depth - 1);
	}
	closedir(d);
}

static void add_var(struct mount_list *l)
{
	int fd = open("/var", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	add(l, BOOT_MOUNT_DIR, "/var", 0755);
	if (fd >= 0)
		add_var_level(l, fd, "/var", VAR_DEPTH);
	add(l, BOOT_MOUNT_DIR, "/var/tmp", 01777);
	add_symlink(l, "/var/run", "/run");
	add_symlink(l, "/var/lock", "/run/lock");
}

/* ---- the whole ------------------------------------------------------------- */
static void add_kernel_systems(struct mount_list *l)
{
	add(l, BOOT_MOUNT_PROC, "/proc", 0555);
	add(l, BOOT_MOUNT_SYS, "/sys", 0555);
	add(l, BOOT_MOUNT_DEV, "/dev", 0755);
	add(l, BOOT_MOUNT_TMPFS, "/dev/shm", 01777);
}

static void add_default(struct mount_list *l, const struct sandbox_config *c)
{
	static const struct { const char *path; uint32_t mode; } fresh[] = {
		{ "/home", 0755 }, { "/root", 0700 }, { "/tmp", 01777 },
		{ "/run", 0755 }, { "/run/lock", 01777 }, { "/opt", 0755 },
		{ "/srv", 0755 }, { "/mnt", 0755 }, { "/media", 0755 },
	};

	add(l, BOOT_MOUNT_DIR, "/", 0755);
	add_system(l);
	view_etc(l, c);
	for (size_t i = 0; i < sizeof(fresh) / sizeof(*fresh); i++)
		add(l, BOOT_MOUNT_DIR, fresh[i].path, fresh[i].mode);
	add_var(l);
}

/* A read-only root leaves the usual places for passing files writable, as
 * podman does. */
static void add_writable(struct mount_list *l)
{
	add(l, BOOT_MOUNT_TMPFS, "/tmp", 01777);
	add(l, BOOT_MOUNT_TMPFS, "/run", 0755);
	add(l, BOOT_MOUNT_TMPFS, "/var/tmp", 01777);
}

void view_build(struct request *r, struct mount_list *l)
{
	struct sandbox_mount *m;

	if (r->rootfs) {
		m = add(l, BOOT_MOUNT_LAYER, "/", 0755);
		m->host = r->rootfs;
		m->flags = SANDBOX_MOUNT_WHOLE;
		if (!access(xasprintf("%s/etc", r->rootfs), F_OK))
			view_network_files(l, &r->config);
	} else {
		add_default(l, &r->config);
	}
	add_kernel_systems(l);
	if (r->config.read_only)
		add_writable(l);
	if (r->display.is_on)
		add(l, BOOT_MOUNT_LAYER, DISPLAY_GUEST, 0755)->host =
			display_programs(NULL);
	for (size_t i = 0; i < r->user_mounts.count; i++)
		*mount_add(l) = r->user_mounts.v[i];
}
