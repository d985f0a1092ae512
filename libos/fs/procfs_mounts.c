/*
 * procfs_mounts.c - /proc/PID/mounts, mountinfo and mountstats, from the
 * manifest: what is mounted in a sandbox does not change afterwards.
 *
 * A layer is no mount of its own: it lies in the private root system.
 */
#include "procfs.h"

#include <bailey/boot.h>

#include <linux/fcntl.h>

struct mount_line {
	u32 id, parent;
	const char *path, *type, *source, *options;
	bool readonly, noexec;
	u64 dev;
};

static const char *kind_type(u32 kind)
{
	switch (kind) {
	case BOOT_MOUNT_VOLUME: return "hostfs";
	case BOOT_MOUNT_TMPFS: return "tmpfs";
	case BOOT_MOUNT_PROC: return "proc";
	case BOOT_MOUNT_DEV: return "devtmpfs";
	case BOOT_MOUNT_SYS: return "sysfs";
	default: return NULL;
	}
}

static u64 device_of(const char *path)
{
	struct dentry *d;
	struct kstat st;

	if (path_lookup(AT_FDCWD, path, 0, &d))
		return 0;
	inode_stat(d->inode, &st);
	dentry_put(d);
	return st.dev;
}

typedef void (*mount_fn)(struct seq *s, const struct mount_line *m);

static void one_mount(struct seq *s, mount_fn fn, struct mount_line *m)
{
	m->dev = device_of(m->path);
	if (m->dev) {
		fn(s, m);
		m->id++;
	}
}

static void one_boot_mount(struct seq *s, mount_fn fn, struct mount_line *m,
			   const struct boot_mount *b)
{
	m->type = kind_type(b->kind);
	m->path = boot_string(boot_info(), b->guest);
	if (!m->type || !m->path || !strcmp(m->path, "/"))
		return;
	m->source = b->kind == BOOT_MOUNT_VOLUME ? "volume" : m->type;
	m->readonly = b->flags & BOOT_MOUNT_RO;
	m->noexec = b->flags & BOOT_MOUNT_NOEXEC;
	m->options = "";
	one_mount(s, fn, m);
	if (b->kind != BOOT_MOUNT_DEV)
		return;
	m->path = "/dev/pts";
	m->type = m->source = "devpts";
	m->options = ",gid=5,mode=620,ptmxmode=666";
	one_mount(s, fn, m);
}

static int for_each_mount(struct seq *s, mount_fn fn)
{
	const struct boot_info *b = boot_info();
	const struct boot_mount *mounts =
		(const void *)boot_string(b, b->mounts);
	struct mount_line m = {
		.id = 20, .parent = 1, .path = "/", .type = "overlay",
		.source = "overlay", .options = "",
		.readonly = b->flags & BOOT_READ_ONLY,
	};

	one_mount(s, fn, &m);
	m.parent = 20;
	for (u32 i = 0; mounts && i < b->mount_count; i++)
		one_boot_mount(s, fn, &m, &mounts[i]);
	return 0;
}

/* A path with what would break a line made visible, as Linux does. */
static void show_path(struct seq *s, const char *p)
{
	for (; *p; p++) {
		if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\\')
			seq_printf(s, "\\%03o", (u8)*p);
		else
			seq_write(s, p, 1);
	}
}

static void show_flags(struct seq *s, const struct mount_line *m)
{
	seq_printf(s, "%s,nosuid%s,noatime", m->readonly ? "ro" : "rw",
		   m->noexec ? ",noexec" : "");
}

static void print_mount(struct seq *s, const struct mount_line *m)
{
	seq_printf(s, "%s ", m->source);
	show_path(s, m->path);
	seq_printf(s, " %s ", m->type);
	show_flags(s, m);
	seq_printf(s, "%s 0 0\n", m->options);
}

static void print_mountinfo(struct seq *s, const struct mount_line *m)
{
	seq_printf(s, "%u %u %u:%u / ", m->id, m->parent, (u32)(m->dev >> 8),
		   (u32)(m->dev & 0xff));
	show_path(s, m->path);
	seq_printf(s, " ");
	show_flags(s, m);
	seq_printf(s, " - %s %s %s%s\n", m->type, m->source,
		   m->readonly ? "ro" : "rw", m->options);
}

static void print_mountstats(struct seq *s, const struct mount_line *m)
{
	seq_printf(s, "device %s mounted on ", m->source);
	show_path(s, m->path);
	seq_printf(s, " with fstype %s\n", m->type);
}

int proc_show_mounts(struct seq *s, const struct pnode *n)
{
	return for_each_mount(s, print_mount);
}

int proc_show_mountinfo(struct seq *s, const struct pnode *n)
{
	return for_each_mount(s, print_mountinfo);
}

int proc_show_mountstats(struct seq *s, const struct pnode *n)
{
	return for_each_mount(s, print_mountstats);
}
