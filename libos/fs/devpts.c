/*
 * devpts.c - /dev/pts: one node for each open pseudo-terminal, and ptmx.
 * The nodes' inodes belong to the terminals (libos/tty/pty.c), so that chmod
 * and chown of one last as long as the terminal.
 */
#include <libos/vfs.h>

#include <libos/task.h>

#include <linux/magic.h>

#include "../tty/pty.h"

enum { PTS_ROOT_INO = 1, PTS_PTMX_INO = 2, PTS_FIRST_INO = 3 };
enum { DT_CHARACTER = 2 };

static struct super *devpts_super;

static int devpts_open_node(struct inode *ino, struct file *f)
{
	return chrdev_open(ino, f);
}

/* A node of a terminal that has gone, or whose number is used again. */
static bool devpts_revalidate(struct inode *dir, const char *name,
			      struct inode *ino)
{
	struct inode *now;
	bool same;

	if (!ino)
		return false;
	if (ino->ino < PTS_FIRST_INO)
		return true;
	now = pty_inode((u32)(ino->ino - PTS_FIRST_INO));
	same = now == ino;
	if (now)
		inode_put(now);
	return same;
}

static const struct inode_ops devpts_node_ops = {
	.open = devpts_open_node,
};

static struct inode *devpts_node(u32 mode, u64 rdev, u64 number)
{
	struct inode *i = inode_alloc(devpts_super, 0020000 | mode);

	if (!i || is_err(i))
		return NULL;
	i->ino = number;
	i->rdev = rdev;
	i->ops = &devpts_node_ops;
	return i;
}

/* For pty.c: the inode of a new terminal. */
struct inode *devpts_inode(u32 number)
{
	struct inode *i;

	if (!devpts_super)
		return NULL;
	i = devpts_node(0620, MKDEV(TTY_PTS_MAJOR, 0) + (number & 0xff) +
			((u64)(number & 0xfff00) << 12), PTS_FIRST_INO + number);
	if (i) {
		i->uid = current()->cred.fsuid;
		i->gid = DEV_TTY_GID;
	}
	return i;
}

static bool devpts_number(const char *name, u32 *number)
{
	u32 n = 0;

	if (!*name || (name[0] == '0' && name[1]))
		return false;
	for (; *name; name++) {
		if (*name < '0' || *name > '9' || n > TTY_MAX)
			return false;
		n = n * 10 + (u32)(*name - '0');
	}
	*number = n;
	return true;
}

static struct inode *devpts_lookup(struct inode *dir, const char *name)
{
	struct inode *i = NULL;
	u32 number;

	if (!strcmp(name, "ptmx"))
		i = devpts_node(0666, MKDEV(5, 2), PTS_PTMX_INO);
	else if (devpts_number(name, &number))
		i = pty_inode(number);
	return i ? i : err_ptr(-ENOENT);
}

static int devpts_readdir(struct file *f, struct dir_context *c)
{
	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, PTS_ROOT_INO, 4, 1))
			return 0;
		c->pos = 1;
	}
	if (c->pos == 1) {
		if (!c->emit(c, "..", 2, PTS_ROOT_INO, 4, 2))
			return 0;
		c->pos = 2;
	}
	if (c->pos == 2) {
		if (!c->emit(c, "ptmx", 4, PTS_PTMX_INO, DT_CHARACTER, 3))
			return 0;
		c->pos = 3;
	}
	for (int n; (n = pty_next((u32)(c->pos - 3))) >= 0;) {
		char name[12];
		int len = snprintf(name, sizeof(name), "%d", n);

		if (!c->emit(c, name, (size_t)len, PTS_FIRST_INO + (u32)n,
			     DT_CHARACTER, (u64)n + 4))
			return 0;
		c->pos = (u64)n + 4;
	}
	return 0;
}

static s64 devpts_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

static const struct file_ops devpts_dir_fops = {
	.readdir = devpts_readdir, .seek = devpts_seek,
};
static const struct inode_ops devpts_dir_ops = {
	.lookup = devpts_lookup, .revalidate = devpts_revalidate,
};

struct super *devpts_new(void)
{
	struct super *s = super_alloc("devpts", DEVPTS_SUPER_MAGIC);
	struct inode *root;

	s->flags |= SUPER_NODCACHE;
	root = inode_alloc(s, 0040755);
	root->ino = PTS_ROOT_INO;
	root->nlink = 2;
	root->ops = &devpts_dir_ops;
	root->fops = &devpts_dir_fops;
	s->root = root;
	devpts_super = s;
	return s;
}
