/*
 * procfs_fd.c - /proc/PID/fd and fdinfo.
 *
 * A link in fd/ leads to the very object: through the dentry of the file, or,
 * for what has no name (pipes, memfd, the host's streams), through a dentry
 * made for it.  A host stream cannot be opened a second time, so opening its
 * link gives a file that passes everything on to the first one.
 */
#include "procfs.h"

#include "fs.h"

#include <libos/heap.h>
#include <libos/poll.h>

void epoll_show_fdinfo(struct file *f, struct seq *s); /* ipc.h */

static struct file *fd_file(const struct pnode *n, bool *cloexec)
{
	struct files *files = pnode_files(n);
	struct file *f;

	if (!files)
		return NULL;
	f = files_get(files, n->number, cloexec);
	files_put(files);
	return f;
}

/* ---- a second open of a host stream ---------------------------------------------- */
static ssize_t again_read(struct file *f, struct uio *u, u64 *pos)
{
	return file_read(f->priv, u, pos);
}

static ssize_t again_write(struct file *f, struct uio *u, u64 *pos)
{
	return file_write(f->priv, u, pos);
}

static u32 again_poll(struct file *f, struct poll_table *pt)
{
	struct file *to = f->priv;

	return to->ops->poll ? to->ops->poll(to, pt) : EPOLLIN | EPOLLOUT;
}

static host_handle again_handle(struct file *f)
{
	struct file *to = f->priv;

	return to->ops->poll_handle ? to->ops->poll_handle(to) :
		HOST_NO_HANDLE;
}

static long again_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct file *to = f->priv;

	return to->ops->ioctl ? to->ops->ioctl(to, cmd, arg) : -ENOTTY;
}

static s64 again_seek(struct file *f, s64 off, int whence)
{
	struct file *to = f->priv;

	return to->ops->seek ? to->ops->seek(to, off, whence) : -ESPIPE;
}

static void again_release(struct file *f) { file_put(f->priv); }

static const struct file_ops again_ops = {
	.name = "stream", .read = again_read, .write = again_write,
	.poll = again_poll, .poll_handle = again_handle, .ioctl = again_ioctl,
	.seek = again_seek, .release = again_release,
};

static int again_open(struct inode *i, struct file *f)
{
	f->ops = &again_ops;
	f->priv = file_get(i->priv);
	f->mode |= FMODE_STREAM;
	return 0;
}

static void again_inode_release(struct inode *i) { file_put(i->priv); }

static int again_setattr(struct inode *i, const struct iattr *a)
{
	return a->valid & ~(u32)ATTR_SIZE ? -EPERM : 0; /* O_TRUNC */
}

static const struct inode_ops again_inode_ops = {
	.open = again_open, .setattr = again_setattr,
	.release = again_inode_release,
};

/* An inode that looks like f's own and opens as f.  It is a character device
 * to open(2), as what it stands for cannot be told apart further. */
static struct inode *again_inode(struct file *f)
{
	struct inode *i = inode_alloc(f->inode->super, f->inode->mode);

	if (!i)
		return NULL;
	i->ino = f->inode->ino;
	i->rdev = f->inode->rdev;
	i->uid = f->inode->uid;
	i->gid = f->inode->gid;
	i->ops = &again_inode_ops;
	i->priv = file_get(f);
	return i;
}

/* ---- the links --------------------------------------------------------------------- */
static struct inode *nameless_inode(struct file *f)
{
	bool is_fifo = S_ISFIFO(f->inode->mode) && f->inode->bound;

	if (is_fifo || (f->inode->ops && f->inode->ops->open) ||
	    f->inode->fops)
		return inode_get(f->inode);
	if (f->handle != HOST_NO_HANDLE && !S_ISSOCK(f->inode->mode))
		return again_inode(f);
	return NULL;
}

static int fd_follow(const struct pnode *n, struct dentry **out)
{
	int err = pnode_may_look(n);
	struct inode *i;
	struct file *f;

	if (err)
		return err;
	f = fd_file(n, NULL);
	if (!f)
		return -ENOENT;
	if (f->dentry) {
		*out = dentry_get(f->dentry);
	} else {
		i = nameless_inode(f);
		/* Sockets, eventfd and the like: stat works, open does not. */
		*out = dentry_new_root(i ? i : inode_get(f->inode), "");
		err = *out ? 0 : -ENOMEM;
	}
	file_put(f);
	return err;
}

static int nameless_link(struct file *f, char *buf, size_t size)
{
	struct inode *i = f->inode;

	if (S_ISSOCK(i->mode))
		return snprintf(buf, size, "socket:[%lu]", i->ino);
	if (S_ISFIFO(i->mode))
		return snprintf(buf, size, "pipe:[%lu]", i->ino);
	if (inode_is_memfs(i))
		return snprintf(buf, size, "/memfd:%s (deleted)",
				f->ops->name ? f->ops->name : "");
	if (f->handle != HOST_NO_HANDLE)
		return snprintf(buf, size, "/dev/%s",
				f->ops->name ? f->ops->name : "stream");
	return snprintf(buf, size, "anon_inode:%s",
			f->ops->name ? f->ops->name : "[unknown]");
}

static ssize_t fd_link(const struct pnode *n, char *buf, size_t size)
{
	int err = pnode_may_look(n);
	struct file *f;
	ssize_t r;
	char *p;

	if (err)
		return err;
	f = fd_file(n, NULL);
	if (!f)
		return -ENOENT;
	if (!f->dentry) {
		r = nameless_link(f, buf, size);
	} else {
		char *path = kmalloc(PATH_MAX_LEN);

		p = path ? dentry_path(f->dentry, path, PATH_MAX_LEN, true) :
			err_ptr(-ENOMEM);
		r = is_err(p) ? ptr_err(p) : (ssize_t)strlcpy(buf, p, size);
		kfree(path);
	}
	file_put(f);
	return r < 0 ? r : MIN(r, (ssize_t)size - 1);
}

/* The link's permissions tell how the file is open. */
static const struct pentry fd_entries[4] = {
	{ .name = "fd", .mode = 0120000, .link = fd_link, .follow = fd_follow },
	{ .name = "fd", .mode = 0120500, .link = fd_link, .follow = fd_follow },
	{ .name = "fd", .mode = 0120300, .link = fd_link, .follow = fd_follow },
	{ .name = "fd", .mode = 0120700, .link = fd_link, .follow = fd_follow },
};

/* ---- fdinfo ------------------------------------------------------------------------- */
static int show_fdinfo(struct seq *s, const struct pnode *n)
{
	bool cloexec = false;
	struct file *f = fd_file(n, &cloexec);

	if (!f)
		return -ENOENT;
	seq_printf(s, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n",
		   f->pos, f->flags | 0100000u | (cloexec ? O_CLOEXEC : 0),
		   f->inode->super ? (u32)f->inode->super->dev : 15,
		   f->inode->ino);
	epoll_show_fdinfo(f, s);
	file_put(f);
	return 0;
}

static const struct pentry fdinfo_entry = {
	.name = "fdinfo", .mode = 0100444, .show = show_fdinfo,
};

/* ---- the directories ------------------------------------------------------------------ */
static struct file *numbered_file(struct pnode *child, const char *name)
{
	if (!parse_number(name, &child->number))
		return NULL;
	return fd_file(child, NULL);
}

static int fd_lookup(struct pnode *child, const char *name)
{
	struct file *f = numbered_file(child, name);

	if (!f)
		return -ENOENT;
	child->entry = &fd_entries[f->mode & 3];
	ref_get(&child->proc->ref);
	file_put(f);
	return 0;
}

static int fdinfo_lookup(struct pnode *child, const char *name)
{
	struct file *f = numbered_file(child, name);

	if (!f)
		return -ENOENT;
	child->entry = &fdinfo_entry;
	ref_get(&child->proc->ref);
	file_put(f);
	return 0;
}

static bool list_numbers(const struct pnode *n, struct plist *l, u32 from,
			 u32 mode)
{
	struct files *files = pnode_files(n);
	bool ok = true;

	for (; files && ok && from < files_capacity(files); from++) {
		struct file *f = files_get(files, from, NULL);

		if (!f)
			continue;
		file_put(f);
		ok = plist_number(l, from, mode);
	}
	if (files)
		files_put(files);
	return ok;
}

static bool fd_list(const struct pnode *n, struct plist *l, u32 from)
{
	return list_numbers(n, l, from, 0120700);
}

static bool fdinfo_list(const struct pnode *n, struct plist *l, u32 from)
{
	return list_numbers(n, l, from, 0100444);
}

const struct pdir proc_fd_dir = { .lookup = fd_lookup, .list = fd_list };
const struct pdir proc_fdinfo_dir = {
	.lookup = fdinfo_lookup, .list = fdinfo_list,
};
