/*
 * devfs.c - /dev: a tmpfs that starts with the usual nodes, and the table
 * that maps character device numbers to what they do.
 *
 * Being an ordinary tmpfs, /dev takes mknod, mkdir, symlinks and sockets as
 * on Linux; opening any character node, wherever it lies, comes to
 * chrdev_open.  Terminals are in libos/tty, /dev/pts in devpts.c.
 */
#include "fs.h"

#include <libos/mm.h>
#include <libos/random.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include "../tty/pty.h"

/* /dev/generation: of the numbers that Linux gives out at will. */
#define GENERATION_MAJOR 10
#define GENERATION_MINOR 240

static s64 dev_seek(struct file *f, s64 off, int whence)
{
	f->pos = 0;
	return 0;
}

static ssize_t null_read(struct file *f, struct uio *u, u64 *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n = (ssize_t)u->left;

	uio_advance(u, u->left);
	return n;
}

static ssize_t full_write(struct file *f, struct uio *u, u64 *pos)
{
	return -ENOSPC; /* even for no bytes, as on Linux */
}

/* Fill the caller's buffers piece by piece from a source of bytes. */
static ssize_t dev_fill(struct uio *u, u8 *buf, size_t size, bool random)
{
	ssize_t done = 0;

	while (u->left > 0) {
		size_t part = MIN(u->left, size);
		ssize_t r;

		if (random)
			random_bytes(buf, part);
		r = uio_put(u, buf, part);
		if (r < 0)
			return done ? done : r;
		done += r;
		if ((size_t)r < part ||
		    (done >= (1 << 20) && signal_pending(current())))
			break;
	}
	return done;
}

static ssize_t zero_read(struct file *f, struct uio *u, u64 *pos)
{
	static const u8 zeros[PAGE_SIZE];

	return dev_fill(u, (u8 *)(uintptr_t)zeros, sizeof(zeros), false);
}

static ssize_t random_read(struct file *f, struct uio *u, u64 *pos)
{
	u8 buf[1024];

	return dev_fill(u, buf, sizeof(buf), true);
}

/* A shared mapping of /dev/zero is shared memory of its own. */
static int zero_map_shared(struct vma *v, u64 addr, u64 size, u64 offset)
{
	struct file *shm = memfs_file_anon("dev/zero", O_RDWR);
	u64 end = offset + size - 1;
	ssize_t r;
	int err;

	if (!shm)
		return -ENOMEM;
	r = file_write_kernel(shm, "", 1, &end);
	err = r < 0 ? (int)r : shm->ops->map(shm, v, addr, size, offset);
	if (err) {
		file_put(shm);
		return err;
	}
	if (v->file)
		file_put(v->file);
	v->file = shm;
	return 0;
}

static int zero_map(struct file *f, struct vma *v, u64 addr, u64 size,
		    u64 offset)
{
	if (v->flags & VMA_SHARED)
		return zero_map_shared(v, addr, size, offset);
	return host_mem_map((void *)(uintptr_t)addr, size, (int)(v->prot & 7),
			    HOST_MAP_PRIVATE, HOST_NO_HANDLE, 0);
}

static long random_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (cmd != 0x80045200u) /* RNDGETENTCNT */
		return -EINVAL;
	return access_ok(arg, 4) ? put_user_u32(arg, 256) : -EFAULT;
}

static const struct file_ops null_ops = {
	.name = "null", .read = null_read, .write = null_write,
	.seek = dev_seek,
};
static const struct file_ops zero_ops = {
	.name = "zero", .read = zero_read, .write = null_write,
	.seek = dev_seek, .map = zero_map,
};
static const struct file_ops full_ops = {
	.name = "full", .read = zero_read, .write = full_write,
	.seek = dev_seek,
};
/* Written bytes need not be mixed in: the generator is already seeded. */
static const struct file_ops random_ops = {
	.name = "random", .read = random_read, .write = null_write,
	.seek = dev_seek, .ioctl = random_ioctl,
};

static int chrdev_memory(u64 minor, struct file *f)
{
	switch (minor) {
	case 3: f->ops = &null_ops; break;
	case 5: f->ops = &zero_ops; break;
	case 7: f->ops = &full_ops; break;
	case 8:
	case 9: f->ops = &random_ops; break;
	default: return -ENXIO;
	}
	return 0; /* no FMODE_STREAM: pread and pwrite work on these */
}

int chrdev_open(struct inode *ino, struct file *f)
{
	u64 major = ino->rdev >> 8 & 0xfff, minor = ino->rdev & 0xff;

	minor |= ino->rdev >> 12 & 0xfff00; /* Linux's wide device numbers */
	switch (major) {
	case 1: return chrdev_memory(minor, f);
	case 5: return minor == 0 ? pty_open_current(f) :
		       minor == 1 ? pty_open_console(f) :
		       minor == 2 ? pty_open_master(f) : -ENXIO;
	case GENERATION_MAJOR:
		if (minor != GENERATION_MINOR)
			return -ENXIO;
		f->ops = &generation_ops;
		return 0;
	case TTY_PTS_MAJOR: return pty_open_slave((u32)minor, f);
	default: return -ENXIO;
	}
}

/* ---- the tree at the start ------------------------------------------------ */
static const struct dev_node {
	const char *name;
	u32 mode, major, minor;
} dev_nodes[] = {
	{ "null", 0666, 1, 3 }, { "zero", 0666, 1, 5 }, { "full", 0666, 1, 7 },
	{ "random", 0666, 1, 8 }, { "urandom", 0666, 1, 9 },
	{ "tty", 0666, 5, 0 }, { "console", 0600, 5, 1 },
	{ "generation", 0444, GENERATION_MAJOR, GENERATION_MINOR },
};
static const struct { const char *name, *target; } dev_links[] = {
	{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* One node, whatever umask is in force. */
static void devfs_make(const char *at, const char *name, u32 mode, u64 rdev,
		       const char *target)
{
	char path[64];
	struct lookup l;
	int err;

	snprintf(path, sizeof(path), "%s/%s", at, name);
	err = namei(AT_FDCWD, path, LOOKUP_NEGATIVE | LOOKUP_NOFOLLOW, &l);
	if (err)
		panic("devfs: %s: %d", path, err);
	if (!l.dentry->inode)
		vfs_make(l.dentry, mode, rdev, target);
	if (l.dentry->inode) {
		l.dentry->inode->mode = mode;
		if (rdev >> 8 == 5)
			l.dentry->inode->gid = DEV_TTY_GID;
	}
	dentry_put(l.dentry);
}

struct super *devfs_new(void)
{
	return memfs_new("devtmpfs", -1, 0, 0755);
}

void devfs_populate(const char *at)
{
	char path[64];
	struct super *s;

	for (size_t i = 0; i < ARRAY_SIZE(dev_nodes); i++) {
		const struct dev_node *n = &dev_nodes[i];

		devfs_make(at, n->name, 0020000 | n->mode,
			   MKDEV(n->major, n->minor), NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++)
		devfs_make(at, dev_links[i].name, 0120777, 0,
			   dev_links[i].target);
	devfs_make(at, "pts", 0040755, 0, NULL);
	devfs_make(at, "shm", 0041777, 0, NULL);
	devfs_make(at, "mqueue", 0041777, 0, NULL);
	snprintf(path, sizeof(path), "%s/pts", at);
	s = devpts_new();
	if (s)
		vfs_mount(s, path);
}
