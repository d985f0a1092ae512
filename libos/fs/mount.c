/*
 * mount.c - the tree of the sandbox, from the manifest.
 *
 * A LAYER is no mount of its own unless it is the root: it is a directory of
 * the private layer over a host tree, so that names can be linked and renamed
 * across.  Nothing is mounted later.
 */
#include "fs.h"

#include <libos/heap.h>

#include <bailey/boot.h>

#include "memfs.h"

struct dentry *vfs_root;

struct dentry *super_root(struct super *s)
{
	if (!s->root_dentry)
		s->root_dentry = dentry_new_root(inode_get(s->root), "");
	return s->root_dentry;
}

/* ---- making places ------------------------------------------------------------------ */
/* What will lie at path hides whatever a lower tree has there: say that there
 * is nothing, so that the host need not be asked about each. */
static void forestall(const char *path)
{
	char parent[PATH_MAX_LEN];
	const char *name = strrchr(path, '/') + 1;
	size_t n = strlen(name);
	struct dentry *dir, *d;
	struct lookup l;

	memcpy(parent, path, (size_t)(name - path));
	parent[name - path] = 0;
	if (!n || namei(AT_FDCWD, parent, LOOKUP_NEGATIVE, &l))
		return;
	dir = l.dentry;
	if (dir->inode && inode_is_memfs(dir->inode) &&
	    (dir->inode->flags & INODE_LOWER)) {
		mutex_lock(&dir->inode->lock);
		dcache_lock();
		d = dcache_find(dir, name, n, dentry_hash_name(name, n));
		dcache_unlock();
		if (!d && (d = dentry_add(dir, name, n, NULL, 0))) {
			d->in_lower = d->lower_unknown = true;
			dentry_put(d);
		}
		mutex_unlock(&dir->inode->lock);
	}
	dentry_put(dir);
}

/* The dentry at path, its parents made as needed; negative if new. */
static int place_find(const char *path, struct dentry **out)
{
	char part[PATH_MAX_LEN];
	struct lookup l;
	size_t n;
	int err;

	for (n = 1; path[n]; n++) {
		if (path[n] != '/' || !path[n + 1])
			continue;
		memcpy(part, path, n);
		part[n] = 0;
		err = namei(AT_FDCWD, part, LOOKUP_NEGATIVE, &l);
		if (err)
			return err;
		if (!l.dentry->inode)
			err = vfs_make(l.dentry, S_IFDIR | 0755, 0, NULL);
		if (!err)
			l.dentry->inode->mode |= 0755;
		dentry_put(l.dentry);
		if (err)
			return err;
	}
	err = namei(AT_FDCWD, path, LOOKUP_NEGATIVE | LOOKUP_NOFOLLOW |
		    LOOKUP_SLASH_OK, &l);
	if (!err)
		*out = l.dentry;
	return err;
}

static int place_make(const char *path, u32 mode, const char *target,
		      struct dentry **out)
{
	struct dentry *d;
	int err;

	forestall(path);
	err = place_find(path, &d);
	if (!err && d->inode && !S_ISDIR(mode)) {
		dentry_put(d);
		err = vfs_unlink(AT_FDCWD, path, false);
		if (!err)
			err = place_find(path, &d);
	}
	if (err)
		return err;
	if (!d->inode) {
		err = vfs_make(d, mode, 0, target);
		if (!err && !S_ISLNK(mode))
			d->inode->mode = mode;
	}
	if (err)
		dentry_put(d);
	else
		*out = d;
	return err;
}

/* ---- kinds -------------------------------------------------------------------------- */
static int mount_on(struct super *s, struct dentry *d)
{
	struct dentry *root = super_root(s);

	if (!root)
		return -ENOMEM;
	dcache_lock();
	dcache_get(d);
	root->covers = d;
	d->mounted = root;
	dcache_unlock();
	return 0;
}

int vfs_mount(struct super *s, const char *path)
{
	struct dentry *d;
	u32 mode = S_ISDIR(s->root->mode) ? S_IFDIR | 0755 : S_IFREG | 0644;
	int err = S_ISDIR(mode) ? place_make(path, mode, NULL, &d) :
				  place_find(path, &d);

	if (!err && !d->inode)
		err = vfs_make(d, mode, 0, NULL);
	if (err)
		return err;
	err = mount_on(s, d);
	dentry_put(d);
	return err;
}

static int add_layer(const struct boot_mount *m, const char *path)
{
	struct dentry *d;
	int err = place_make(path, S_IFDIR | 0755, NULL, &d);

	if (err)
		return err;
	err = inode_is_memfs(d->inode) && d->parent != d ?
	      memfs_graft_lower(d, m->tree, false) : -EINVAL;
	dentry_put(d);
	return err;
}

/* Write text into the new file. */
static int add_file(const struct boot_mount *m, const char *path,
		    const char *text)
{
	struct dentry *d;
	struct file *f;
	ssize_t n;
	int err = place_make(path, S_IFREG | (m->mode & 07777), NULL, &d);

	if (err)
		return err;
	f = vfs_open_dentry(d, O_WRONLY);
	dentry_put(d);
	if (is_err(f))
		return (int)ptr_err(f);
	n = file_write_kernel(f, text, strlen(text), NULL);
	file_put(f);
	return n < 0 ? (int)n : 0;
}

/* An empty directory, even where a lower tree has a full one. */
static int add_dir(const struct boot_mount *m, const char *path)
{
	struct dentry *d, *c, *next;
	struct inode *i, *old;
	int err = place_make(path, S_IFDIR | (m->mode & 07777), NULL, &d);

	if (err)
		return err;
	d->inode->mode = S_IFDIR | (m->mode & 07777);
	if ((d->inode->flags & INODE_LOWER) && d->parent != d) {
		i = memfs_inode(d->inode->super, d->inode->mode);
		if (i) {
			i->flags |= INODE_DIRTY;
			i->size = PAGE_SIZE;
			dcache_lock();
			list_for_each_safe(c, next, &d->children, in_parent) {
				if (c->in_lower)
					dcache_unlink(c);
			}
			old = d->inode;
			dcache_set_inode(d, i);
			dcache_pin(d);
			dcache_unlock();
			inode_put(old);
		}
	}
	dentry_put(d);
	return 0;
}

static int add_dev(const char *path)
{
	int err = vfs_mount(devfs_new(), path);

	if (!err)
		devfs_populate(path);
	return err;
}

static int mount_super(struct super *s, const struct boot_mount *m,
		       const char *path)
{
	if (m->flags & BOOT_MOUNT_NOEXEC)
		s->flags |= SUPER_NOEXEC;
	return vfs_mount(s, path);
}

static int add_mount(const struct boot_info *b, const struct boot_mount *m,
		     const char *path)
{
	const char *text = boot_string(b, m->text);
	struct dentry *d;
	int err;

	switch (m->kind) {
	case BOOT_MOUNT_LAYER:
		return add_layer(m, path);
	case BOOT_MOUNT_VOLUME:
		return mount_super(hostfs_new(m->tree, m->flags &
				   BOOT_MOUNT_RO ? SUPER_RDONLY : 0), m, path);
	case BOOT_MOUNT_TMPFS:
		return mount_super(memfs_new("tmpfs", -1, m->size,
				   m->mode ? m->mode : 01777), m, path);
	case BOOT_MOUNT_PROC:
		return mount_super(procfs_new(), m, path);
	case BOOT_MOUNT_SYS:
		return mount_super(sysfs_new(), m, path);
	case BOOT_MOUNT_DEV:
		return add_dev(path);
	case BOOT_MOUNT_FILE:
		return add_file(m, path, text ? text : "");
	case BOOT_MOUNT_SYMLINK:
		err = place_make(path, S_IFLNK | 0777, text ? text : "", &d);
		if (!err)
			dentry_put(d);
		return err;
	case BOOT_MOUNT_DIR:
		return add_dir(m, path);
	default:
		return -EINVAL;
	}
}

/* ---- read-only, once everything is in place ----------------------------------------- */
static void freeze(struct dentry *d)
{
	struct dentry *c;

	if (d->inode)
		d->inode->flags |= INODE_RDONLY;
	list_for_each(c, &d->children, in_parent)
		freeze(c);
}

static void freeze_at(const char *path)
{
	struct dentry *d;

	if (path_lookup(AT_FDCWD, path, 0, &d))
		return;
	dcache_lock();
	if (d->parent == d)
		d->inode->super->flags |= SUPER_RDONLY;
	else
		freeze(d);
	dcache_unlock();
	dentry_put(d);
}

static const struct boot_mount *root_layer(const struct boot_info *b,
					   const struct boot_mount *m)
{
	const char *path;
	u32 k;

	for (k = 0; k < b->mount_count; k++) {
		path = boot_string(b, m[k].guest);
		if (m[k].kind == BOOT_MOUNT_LAYER && path && !strcmp(path, "/"))
			return &m[k];
	}
	return NULL;
}

static void make_root(const struct boot_mount *layer)
{
	struct super *s = memfs_new("overlay", layer ? (int)layer->tree : -1,
				    0, 0755);

	vfs_root = super_root(s);
	if (!vfs_root)
		panic("no memory for the root directory");
}

static void make_mounts(const struct boot_info *b, const struct boot_mount *m)
{
	const struct boot_mount *layer = root_layer(b, m);
	const char *path;
	u32 k;
	int err;

	make_root(layer);
	for (k = 0; k < b->mount_count; k++) {
		path = boot_string(b, m[k].guest);
		if (&m[k] == layer || !path || *path != '/')
			continue;
		err = add_mount(b, &m[k], path);
		if (err)
			klog("mount %s: error %d", path, -err);
	}
	for (k = 0; k < b->mount_count; k++) {
		path = boot_string(b, m[k].guest);
		if (path && (m[k].flags & BOOT_MOUNT_RO) &&
		    m[k].kind != BOOT_MOUNT_VOLUME)
			freeze_at(path);
	}
	if (b->flags & BOOT_READ_ONLY)
		vfs_root->inode->super->flags |= SUPER_RDONLY;
}

void vfs_init(const struct boot_info *b)
{
	const struct boot_mount *m = (const void *)boot_string(b, b->mounts);
	struct cred *c = &current()->cred, saved = *c;

	c->fsuid = c->fsgid = 0; /* the tree is root's */
	c->cap_effective = ~0ull;
	make_mounts(b, m);
	*c = saved;
}
