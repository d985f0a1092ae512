/*
 * memfs.c - the in-memory file system: the private copy-on-write root,
 * tmpfs, memfd and shared memory.  See memfs.h for its parts.
 */
#include "hostfs.h"
#include "memfs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

#include <linux/magic.h>
#include <linux/memfd.h>

static struct super anon_super = {
	.ref = { 1 }, .type = "tmpfs", .flags = SUPER_PINNED,
	.magic = TMPFS_MAGIC, .dev = 1, .next_ino = 1,
};

bool inode_is_memfs(const struct inode *i)
{
	return i->ops == &memfs_inode_ops;
}

struct inode *memfs_inode(struct super *s, u32 mode)
{
	struct inode *i = inode_alloc(s, mode);
	struct memnode *n;

	if (!i)
		return NULL;
	n = kzalloc(sizeof(*n));
	if (!n) {
		kfree(i);
		return NULL;
	}
	i->ino |= 1ull << 40; /* apart from the numbers of lower objects */
	n->inode = i;
	list_init(&n->in_lru);
	i->priv = n;
	i->ops = &memfs_inode_ops;
	if (S_ISREG(mode))
		i->fops = &memfs_file_ops;
	else if (S_ISDIR(mode))
		i->fops = &memfs_dir_ops;
	return i;
}

static void memfs_release(struct inode *i)
{
	struct memnode *n = memnode(i);

	data_free(n);
	lower_forget(n);
	lower_list_free(n);
	kfree(n->target);
	kfree(n);
}

/* ---- names: the dentries are kept by the callers ------------------------------------ */
static void touch_dir(struct inode *dir)
{
	dir->mtime_ns = dir->ctime_ns = (s64)clock_realtime_ns();
	dir->flags |= INODE_DIRTY;
}

static struct inode *memfs_make(struct inode *dir, u32 mode)
{
	struct inode *i = memfs_inode(dir->super, mode);

	if (!i)
		return err_ptr(-ENOMEM);
	inode_init_owner(i, dir);
	i->flags |= INODE_DIRTY | (dir->flags & INODE_RDONLY);
	if (S_ISDIR(mode))
		i->size = PAGE_SIZE;
	return i;
}

static struct inode *memfs_create(struct inode *dir, const char *name, u32 mode)
{
	struct inode *i = memfs_make(dir, S_IFREG | (mode & 07777));

	if (!is_err(i))
		touch_dir(dir);
	return i;
}

static struct inode *memfs_mkdir(struct inode *dir, const char *name, u32 mode)
{
	struct inode *i = memfs_make(dir, S_IFDIR | (mode & 07777));

	if (!is_err(i)) {
		dir->nlink++;
		touch_dir(dir);
	}
	return i;
}

static struct inode *memfs_mknod(struct inode *dir, const char *name, u32 mode,
				 u64 rdev)
{
	struct inode *i = memfs_make(dir, mode);

	if (!is_err(i)) {
		i->rdev = rdev;
		touch_dir(dir);
	}
	return i;
}

static struct inode *memfs_symlink(struct inode *dir, const char *name,
				   const char *target)
{
	struct inode *i = memfs_make(dir, S_IFLNK | 0777);

	if (is_err(i))
		return i;
	memnode(i)->target = kstrdup(target);
	if (!memnode(i)->target) {
		inode_put(i);
		return err_ptr(-ENOMEM);
	}
	i->size = strlen(target);
	touch_dir(dir);
	return i;
}

static struct inode *memfs_tmpfile(struct inode *dir, u32 mode)
{
	struct inode *i = memfs_make(dir, S_IFREG | (mode & 07777));

	if (!is_err(i))
		i->nlink = 0;
	return i;
}

static int memfs_link(struct inode *dir, const char *name, struct inode *i)
{
	i->nlink++;
	i->ctime_ns = (s64)clock_realtime_ns();
	i->flags |= INODE_DIRTY;
	touch_dir(dir);
	return 0;
}

static void drop_link(struct inode *i)
{
	if (i->nlink)
		i->nlink--;
	i->ctime_ns = (s64)clock_realtime_ns();
	i->flags |= INODE_DIRTY;
}

static int memfs_unlink(struct inode *dir, const char *name, struct inode *i)
{
	drop_link(i);
	touch_dir(dir);
	return 0;
}

static int memfs_rmdir(struct inode *dir, const char *name, struct inode *i)
{
	i->nlink = 0;
	if (dir->nlink > 2)
		dir->nlink--;
	touch_dir(dir);
	return 0;
}

static int memfs_rename(struct inode *from_dir, const char *from,
			struct inode *i, struct inode *to_dir, const char *to,
			struct inode *victim, u32 flags)
{
	bool swap = flags & RENAME_EXCHANGE;

	if (victim && !swap) {
		if (S_ISDIR(victim->mode)) {
			victim->nlink = 0;
			to_dir->nlink--;
		} else {
			drop_link(victim);
		}
	}
	if (from_dir != to_dir) {
		if (S_ISDIR(i->mode)) {
			from_dir->nlink--;
			to_dir->nlink++;
		}
		if (swap && S_ISDIR(victim->mode)) {
			to_dir->nlink--;
			from_dir->nlink++;
		}
	}
	i->ctime_ns = (s64)clock_realtime_ns();
	i->flags |= INODE_DIRTY;
	if (swap)
		victim->flags |= INODE_DIRTY;
	touch_dir(from_dir);
	touch_dir(to_dir);
	return 0;
}

/* ---- any inode ------------------------------------------------------------------------- */
static ssize_t memfs_readlink(struct inode *i, char *buf, size_t size)
{
	const char *target = memnode(i)->target;

	return target ? (ssize_t)strlcpy(buf, target, size) : -EINVAL;
}

static int resize(struct inode *i, u64 size)
{
	struct memnode *n = memnode(i);
	int err;

	if (!S_ISREG(i->mode))
		return S_ISDIR(i->mode) ? -EISDIR : -EINVAL;
	if ((n->seals & F_SEAL_SHRINK) && size < i->size)
		return -EPERM;
	if ((n->seals & F_SEAL_GROW) && size > i->size)
		return -EPERM;
	err = lower_copy_up(n, MIN(size, i->size));
	if (err)
		return err;
	data_truncate(n, size);
	i->mtime_ns = (s64)clock_realtime_ns();
	return 0;
}

static int memfs_setattr(struct inode *i, const struct iattr *a)
{
	int err = a->valid & ATTR_SIZE ? resize(i, a->size) : 0;

	return err ? err : inode_set_attributes(i, a);
}

static int memfs_open(struct inode *i, struct file *f)
{
	if (S_ISREG(i->mode))
		__atomic_fetch_add(&memnode(i)->open_count, 1,
				   __ATOMIC_RELAXED);
	f->ops = i->fops;
	return f->ops ? 0 : -ENXIO;
}

const struct inode_ops memfs_inode_ops = {
	.create = memfs_create, .mkdir = memfs_mkdir, .mknod = memfs_mknod,
	.symlink = memfs_symlink, .link = memfs_link, .unlink = memfs_unlink,
	.rmdir = memfs_rmdir, .rename = memfs_rename,
	.tmpfile = memfs_tmpfile, .readlink = memfs_readlink,
	.open = memfs_open, .setattr = memfs_setattr,
	.release = memfs_release,
};

/* ---- file systems ------------------------------------------------------------------------ */
static int memfs_statfs(struct super *s, u64 *blocks, u64 *free, u64 *files)
{
	struct memfs *fs = s->priv;
	u64 limit = fs->limit ? fs->limit : boot_info()->host_memory / PAGE_SIZE;

	*blocks = limit;
	*free = limit > fs->used ? limit - fs->used : 0;
	*files = limit;
	return 0;
}

static struct inode *root_of_tree(struct super *s, u32 tree)
{
	struct host_stat st;
	int error = hostfs_root_stat(tree, &st);
	struct inode *i;

	if (error)
		return err_ptr(error);
	if (st.kind == HOST_KIND_SYMLINK)
		return err_ptr(-ELOOP);
	i = lower_inode(s, &st, tree, "", "");
	return i ? i : err_ptr(-ENOMEM);
}

struct super *memfs_new(const char *type, int lower_tree, u64 limit, u32 mode)
{
	struct super *s = super_alloc(type, !strcmp(type, "tmpfs") ?
				      TMPFS_MAGIC : OVERLAYFS_SUPER_MAGIC);
	struct memfs *fs = kzalloc(sizeof(*fs));

	if (!s || !fs)
		panic("no memory for a file system");
	fs->limit = (limit + PAGE_SIZE - 1) / PAGE_SIZE;
	s->priv = fs;
	s->flags = SUPER_PINNED;
	s->prefill = memfs_prefill;
	s->statfs = memfs_statfs;
	if (lower_tree >= 0) {
		s->root = root_of_tree(s, (u32)lower_tree);
		if (!is_err(s->root))
			return s;
		klog("root file system: error %ld", -ptr_err(s->root));
	}
	s->root = memfs_inode(s, S_IFDIR | (mode & 07777));
	if (!s->root)
		panic("no memory for a file system");
	s->root->size = PAGE_SIZE;
	return s;
}

/* The (new) name d becomes the root of a lower tree. */
int memfs_graft_lower(struct dentry *d, u32 tree, bool readonly)
{
	struct inode *i = root_of_tree(d->parent->inode->super, tree), *old;

	if (is_err(i))
		return (int)ptr_err(i);
	i->flags |= INODE_DIRTY | (readonly ? INODE_RDONLY : 0);
	dcache_lock();
	old = d->inode;
	dcache_set_inode(d, i);
	dcache_pin(d);
	dcache_unlock();
	inode_put(old);
	return 0;
}

/* ---- files without a name ---------------------------------------------------------------- */
/* name as /proc/PID/fd is to show it after the slash: "memfd:x". */
struct file *memfs_file_anon(const char *name, u32 flags)
{
	struct inode *i = memfs_inode(&anon_super, S_IFREG | 0777);
	struct file *f;

	if (!i)
		return NULL;
	i->nlink = 0;
	i->uid = current()->cred.fsuid;
	i->gid = current()->cred.fsgid;
	i->flags |= INODE_DIRTY;
	memnode(i)->seals = F_SEAL_SEAL;
	f = file_alloc(&memfs_file_ops, i, (flags & ~(u32)O_ACCMODE) | O_RDWR,
		       NULL);
	if (!f) {
		inode_put(i);
		return NULL;
	}
	__atomic_fetch_add(&memnode(i)->open_count, 1, __ATOMIC_RELAXED);
	f->dentry = dentry_new_root(i, name ? name : "dev/zero");
	if (!f->dentry) {
		inode_put(i);
		file_put(f);
		return NULL;
	}
	f->dentry->unlinked = true;
	return f;
}

long sys_memfd_create(struct task *t, const struct sysargs *a)
{
	char name[256 + 8] = "memfd:";
	u32 flags = (u32)a->a[1];
	struct file *f;
	ssize_t n;
	int fd;

	if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING | 8 | 16))
		return -EINVAL; /* 8, 16: MFD_NOEXEC_SEAL, MFD_EXEC */
	n = strncpy_from_user(name + 6, a->a[0], 250);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	f = memfs_file_anon(name, O_RDWR);
	if (!f)
		return -ENOMEM;
	if (flags & 8)
		f->inode->mode &= ~0111u;
	if (flags & (MFD_ALLOW_SEALING | 8))
		memnode(f->inode)->seals = 0;
	fd = fd_install(f, flags & MFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}
