/*
 * memfs_dir.c - reading memfs directories.
 *
 * Positions: 0 ".", 1 "..", then the names of the lower listing in its order,
 * then the dentries that only the private layer has, in the order in which
 * they were made.  So a position stays good while names come and go.
 */
#include "memfs.h"

#define FIRST_NAME 2u

static bool emit_dots(struct file *f, struct dir_context *c)
{
	struct dentry *d = f->dentry;
	u64 up;

	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, f->inode->ino, DT_OF_MODE(S_IFDIR), 1))
			return false;
		c->pos = 1;
	}
	if (c->pos == 1) {
		dcache_lock();
		while (d->parent == d && d->covers)
			d = d->covers;
		up = d->parent->inode->ino;
		dcache_unlock();
		if (!c->emit(c, "..", 2, up, DT_OF_MODE(S_IFDIR), FIRST_NAME))
			return false;
		c->pos = FIRST_NAME;
	}
	return true;
}

/* dcache_mutex held */
static bool emit_dentry(struct dir_context *c, const struct dentry *d, u64 next)
{
	return c->emit(c, d->name, d->name_size, d->inode->ino,
		       DT_OF_MODE(d->inode->mode), next);
}

/* dcache_mutex held */
static bool emit_lower(struct dentry *dir, const struct lower_list *l,
		       struct dir_context *c)
{
	while (c->pos - FIRST_NAME < l->count) {
		const struct lower_name *e = &l->names[c->pos - FIRST_NAME];
		const char *name = l->text + e->at;
		size_t n = strlen(name);
		u64 next = c->pos + 1;
		const struct dentry *d = dcache_find(dir, name, n,
						     dentry_hash_name(name, n));

		if (d && d->inode) {
			if (!d->lower_unknown && !emit_dentry(c, d, next))
				return false;
		} else if (!d && !c->emit(c, name, n, e->ino, e->type, next)) {
			return false;
		}
		c->pos = next;
	}
	return true;
}

static void emit_upper(struct dentry *dir, struct dir_context *c)
{
	const struct dentry *d;

	list_for_each(d, &dir->children, in_parent) {
		u64 next = d->pos + 1;

		if (d->pos < c->pos || !d->inode ||
		    (d->in_lower && !d->lower_unknown))
			continue;
		if (!emit_dentry(c, d, next))
			return;
		c->pos = next;
	}
}

static int memfs_readdir(struct file *f, struct dir_context *c)
{
	struct memnode *n = memnode(f->inode);
	int err;

	if (!f->dentry)
		return -ENOTDIR;
	mutex_lock(&f->inode->lock);
	err = lower_list(n);
	if (!err && emit_dots(f, c)) {
		dcache_lock();
		if (!n->list || emit_lower(f->dentry, n->list, c))
			emit_upper(f->dentry, c);
		dcache_unlock();
	}
	mutex_unlock(&f->inode->lock);
	return err;
}

/* 1, 0, or an error from asking the host. */
int memfs_is_empty(struct dentry *dir)
{
	struct memnode *n = memnode(dir->inode);
	const struct dentry *d;
	int empty = 1, err = lower_list(n);
	u32 k;

	if (err)
		return err;
	dcache_lock();
	list_for_each(d, &dir->children, in_parent) {
		if (d->inode)
			empty = 0;
	}
	for (k = 0; empty && n->list && k < n->list->count; k++) {
		const char *name = n->list->text + n->list->names[k].at;
		size_t size = strlen(name);

		if (!dcache_find(dir, name, size, dentry_hash_name(name, size)))
			empty = 0;
	}
	dcache_unlock();
	return empty;
}

static s64 memfs_dir_seek(struct file *f, s64 off, int whence)
{
	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return -EINVAL;
	return file_seek_sized(f, off, whence, INT64_MAX);
}

static ssize_t dir_read(struct file *f, struct uio *u, u64 *pos)
{
	return -EISDIR;
}

static int dir_sync(struct file *f, bool data_only)
{
	return 0; /* memory is all there is */
}

const struct file_ops memfs_dir_ops = {
	.read = dir_read, .readdir = memfs_readdir, .seek = memfs_dir_seek,
	.sync = dir_sync,
};
