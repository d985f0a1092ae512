/*
 * procfs_tree.c - file systems made from tables (see procfs.h): lookup,
 * readdir, text files and links.
 *
 * Nothing is cached longer than somebody uses it (SUPER_NODCACHE), and an
 * inode's number is computed from what it stands for, so it is the same each
 * time.
 */
#include "procfs.h"

#include <libos/heap.h>

#include <linux/magic.h>
#include <linux/stat.h>

#define FIRST_STATIC 2u
#define FIRST_DYNAMIC 512u

static const struct inode_ops ptree_dir_ops, ptree_file_ops, ptree_link_ops,
	ptree_magic_ops;
static const struct file_ops ptree_dir_fops;

static u64 node_ino(const struct pnode *n)
{
	u64 h = (u64)(uintptr_t)n->entry;

	h = (h ^ (n->proc ? (u64)n->proc->pid : 0)) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 29 ^ (u64)n->tid) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 32 ^ n->number) * 0x94d049bb133111ebull;
	return (h >> 20 & 0xffffffff) | 0x100000000ull;
}

static const struct inode_ops *node_ops(const struct pentry *e)
{
	if (S_ISDIR(e->mode))
		return &ptree_dir_ops;
	if (!S_ISLNK(e->mode))
		return &ptree_file_ops;
	return e->follow ? &ptree_magic_ops : &ptree_link_ops;
}

static void set_owner(struct inode *i, const struct pnode *n)
{
	struct task *t;

	if (!n->proc)
		return;
	t = pnode_task(n);
	if (!t)
		return;
	i->uid = n->proc->dumpable ? t->cred.euid : 0;
	i->gid = n->proc->dumpable ? t->cred.egid : 0;
	task_put(t);
}

/* Takes over n's reference on its process. */
static struct inode *node_inode(struct super *s, const struct pnode *n)
{
	struct pnode *copy = kmalloc(sizeof(*copy));
	struct inode *i = copy ? inode_alloc(s, n->entry->mode) : NULL;

	if (!i) {
		kfree(copy);
		if (n->proc)
			proc_put(n->proc);
		return err_ptr(-ENOMEM);
	}
	*copy = *n;
	i->priv = copy;
	i->ino = node_ino(n);
	i->ops = node_ops(n->entry);
	if (S_ISDIR(i->mode))
		i->fops = &ptree_dir_fops;
	set_owner(i, n);
	return i;
}

static void ptree_release(struct inode *i)
{
	struct pnode *n = i->priv;

	if (n && n->proc)
		proc_put(n->proc);
	kfree(n);
}

/* ---- directories ----------------------------------------------------------- */
static bool node_is_gone(const struct pnode *n)
{
	return n->proc && n->proc->state == PROC_DEAD;
}

static struct inode *ptree_lookup(struct inode *dir, const char *name)
{
	const struct pnode *n = dir->priv;
	struct pnode child = *n;
	int err = -ENOENT;

	if (node_is_gone(n))
		return err_ptr(-ENOENT);
	child.entry = NULL;
	for (const struct pentry *e = n->entry->children; e && e->name; e++) {
		if (!strcmp(e->name, name)) {
			child.entry = e;
			if (child.proc)
				ref_get(&child.proc->ref);
			return node_inode(dir->super, &child);
		}
	}
	if (n->entry->dir)
		err = n->entry->dir->lookup(&child, name);
	return err ? err_ptr(err) : node_inode(dir->super, &child);
}

/* A name of the run-time part is as good as its lookup now. */
static bool ptree_revalidate(struct inode *dir, const char *name,
			     struct inode *ino)
{
	const struct pnode *n = ino ? ino->priv : NULL;
	struct pnode child;

	if (!n || node_is_gone(n))
		return false;
	if (!((const struct pnode *)dir->priv)->entry->dir)
		return true;
	for (const struct pentry *e =
		     ((const struct pnode *)dir->priv)->entry->children;
	     e && e->name; e++) {
		if (e == n->entry)
			return true;
	}
	child = *(const struct pnode *)dir->priv;
	if (child.entry->dir->lookup(&child, name))
		return false;
	if (child.proc)
		proc_put(child.proc);
	return child.entry == n->entry && child.proc == n->proc &&
	       child.tid == n->tid && child.number == n->number;
}

/* Nothing can be made in these trees; procfs says so like a failed lookup. */
static struct inode *refuse(struct inode *dir, int error)
{
	return err_ptr(dir->super->magic == PROC_SUPER_MAGIC ? -ENOENT : error);
}

static struct inode *ptree_create(struct inode *dir, const char *name,
				  u32 mode)
{
	return refuse(dir, -EACCES);
}

static struct inode *ptree_mkdir(struct inode *dir, const char *name, u32 mode)
{
	return refuse(dir, -EPERM);
}

static struct inode *ptree_mknod(struct inode *dir, const char *name, u32 mode,
				 u64 rdev)
{
	return refuse(dir, -EPERM);
}

static struct inode *ptree_symlink(struct inode *dir, const char *name,
				   const char *target)
{
	return refuse(dir, -EPERM);
}

static bool emit(struct dir_context *c, const char *name, u64 ino, u32 mode,
		 u64 next)
{
	if (!c->emit(c, name, strlen(name), ino, mode >> 12 & 15, next))
		return false;
	c->pos = next;
	return true;
}

bool plist_named(struct plist *l, const char *prefix, u32 n, u32 mode)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%u", prefix, n);
	return emit(l->context, name, l->ino_base + n + 1, mode,
		    FIRST_DYNAMIC + (u64)n + 1);
}

bool plist_number(struct plist *l, u32 n, u32 mode)
{
	return plist_named(l, "", n, mode);
}

static bool list_static(const struct pnode *n, struct dir_context *c)
{
	const struct pentry *e = n->entry->children;
	struct pnode child = *n;
	u64 i;

	for (i = 0; e && e[i].name; i++) {
		if (c->pos > i + FIRST_STATIC)
			continue;
		child.entry = &e[i];
		if (!emit(c, e[i].name, node_ino(&child), e[i].mode,
			  i + FIRST_STATIC + 1))
			return false;
	}
	if (c->pos < FIRST_DYNAMIC)
		c->pos = FIRST_DYNAMIC;
	return true;
}

static int ptree_readdir(struct file *f, struct dir_context *c)
{
	const struct pnode *n = f->inode->priv;
	u64 ino = f->inode->ino;
	struct plist l = { c, ino };

	if (node_is_gone(n))
		return -ENOENT;
	if (c->pos == 0 && !emit(c, ".", ino, S_IFDIR, 1))
		return 0;
	if (c->pos == 1 && !emit(c, "..", ino, S_IFDIR, 2))
		return 0;
	if (list_static(n, c) && n->entry->dir)
		n->entry->dir->list(n, &l, (u32)(c->pos - FIRST_DYNAMIC));
	return 0;
}

static s64 ptree_dir_seek(struct file *f, s64 off, int whence)
{
	return whence == 2 ? -EINVAL :
		file_seek_sized(f, off, whence, INT64_MAX);
}

static int ptree_refresh(struct inode *i)
{
	const struct pnode *n = i->priv;

	set_owner(i, n);
	if (S_ISDIR(i->mode) && n->entry->dir && n->entry->dir->count)
		i->nlink = 2 + n->entry->dir->count(n);
	return 0;
}

/* ---- files -------------------------------------------------------------------- */
static int text_show(struct seq *s, void *arg)
{
	struct inode *i = arg;
	const struct pnode *n = i->priv;

	if (node_is_gone(n))
		return -ESRCH;
	if (n->entry->show)
		return n->entry->show(s, n);
	seq_write(s, n->entry->text, strlen(n->entry->text));
	return 0;
}

static ssize_t text_write(void *arg, const char *text, size_t size)
{
	const struct pnode *n = ((struct inode *)arg)->priv;

	if (node_is_gone(n))
		return -ESRCH;
	/* What only the real kernel could change. */
	return n->entry->write ? n->entry->write(n, text, size) : -EPERM;
}

static void text_release(void *arg) { inode_put(arg); }

static const struct seq_source text_source = {
	.show = text_show, .write = text_write, .release = text_release,
};
static const struct seq_source write_source = {
	.write = text_write, .release = text_release,
};

static int ptree_open_file(struct inode *i, struct file *f)
{
	const struct pnode *n = i->priv;
	const struct seq_source *src = n->entry->show || n->entry->text ?
		&text_source : &write_source;
	int err = seq_open(f, src, i);

	if (!err)
		inode_get(i);
	return err;
}

/* Attributes stand in the tables; chmod and truncate of what exists are
 * accepted where Linux does (open with O_TRUNC of a sysctl). */
static int ptree_setattr(struct inode *i, const struct iattr *a)
{
	return a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

/* ---- links ----------------------------------------------------------------------- */
static ssize_t ptree_readlink(struct inode *i, char *buf, size_t size)
{
	const struct pnode *n = i->priv;

	if (node_is_gone(n))
		return -ESRCH;
	if (n->entry->link)
		return n->entry->link(n, buf, size);
	return (ssize_t)strlcpy(buf, n->entry->text, size);
}

static int ptree_follow(struct inode *i, struct dentry **out)
{
	const struct pnode *n = i->priv;

	return node_is_gone(n) ? -ENOENT : n->entry->follow(n, out);
}

static const struct inode_ops ptree_dir_ops = {
	.lookup = ptree_lookup, .revalidate = ptree_revalidate,
	.create = ptree_create, .mkdir = ptree_mkdir, .mknod = ptree_mknod,
	.symlink = ptree_symlink,
	.refresh = ptree_refresh, .setattr = ptree_setattr,
	.release = ptree_release,
};
static const struct inode_ops ptree_file_ops = {
	.open = ptree_open_file, .refresh = ptree_refresh,
	.setattr = ptree_setattr, .release = ptree_release,
};
static const struct inode_ops ptree_link_ops = {
	.readlink = ptree_readlink, .refresh = ptree_refresh,
	.setattr = ptree_setattr, .release = ptree_release,
};
static const struct inode_ops ptree_magic_ops = {
	.readlink = ptree_readlink, .follow = ptree_follow,
	.refresh = ptree_refresh, .setattr = ptree_setattr,
	.release = ptree_release,
};
static const struct file_ops ptree_dir_fops = {
	.readdir = ptree_readdir, .seek = ptree_dir_seek,
};

/* ---- making one ------------------------------------------------------------------- */
struct super *ptree_new(const char *type, u32 magic, const struct pentry *root)
{
	struct super *s = super_alloc(type, magic);
	struct pnode n = { .entry = root };

	if (!s)
		return NULL;
	s->flags |= SUPER_NODCACHE;
	s->root = node_inode(s, &n);
	if (is_err(s->root))
		return NULL;
	s->root->ino = 1;
	return s;
}

bool parse_number(const char *name, u32 *n)
{
	u64 v = 0;

	if (!*name || (name[0] == '0' && name[1]))
		return false;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return false;
		v = v * 10 + (u32)(*name - '0');
		if (v > INT32_MAX)
			return false;
	}
	*n = (u32)v;
	return true;
}

int parse_signed(const char *text, s64 *v)
{
	bool negative, any = false;
	s64 n = 0;

	while (*text == ' ' || *text == '\t')
		text++;
	negative = *text == '-';
	if (negative || *text == '+')
		text++;
	for (; *text >= '0' && *text <= '9' && n < INT64_MAX / 16; text++) {
		n = n * 10 + (*text - '0');
		any = true;
	}
	while (*text == ' ' || *text == '\n')
		text++;
	if (!any || *text)
		return -EINVAL;
	*v = negative ? -n : n;
	return 0;
}
