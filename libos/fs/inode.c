/*
 * inode.c - inodes and file systems: allocation, permissions, attributes.
 */
#include "fs.h"

#include <libos/heap.h>

static u64 next_dev = 0x20; /* minor numbers of anonymous devices */

struct super *super_alloc(const char *type, u32 magic)
{
	struct super *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->ref);
	s->type = type;
	s->magic = magic;
	s->dev = __atomic_fetch_add(&next_dev, 1, __ATOMIC_RELAXED);
	s->next_ino = 1;
	return s;
}

void super_put(struct super *s)
{
	if (ref_put(&s->ref))
		kfree(s);
}

struct inode *inode_alloc(struct super *s, u32 mode)
{
	struct inode *i = kzalloc(sizeof(*i));

	if (!i)
		return NULL;
	ref_init(&i->ref);
	i->mode = mode;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->super = s;
	if (s)
		i->ino = __atomic_fetch_add(&s->next_ino, 1, __ATOMIC_RELAXED);
	i->atime_ns = (s64)clock_realtime_ns();
	i->mtime_ns = i->ctime_ns = i->btime_ns = i->atime_ns;
	list_init(&i->locks);
	list_init(&i->watches);
	return i;
}

void inode_put(struct inode *i)
{
	if (!i || !ref_put(&i->ref))
		return;
	if (i->ops && i->ops->release)
		i->ops->release(i);
	xattr_free_all(i);
	kfree(i);
}

/* ---- permissions ------------------------------------------------------------- */
bool in_group(u32 gid)
{
	const struct cred *c = &current()->cred;
	u32 n;

	if (c->fsgid == gid)
		return true;
	for (n = 0; n < c->group_count; n++) {
		if (c->groups[n] == gid)
			return true;
	}
	return false;
}

int inode_permission(struct inode *i, int mask)
{
	u32 mode = i->mode;

	if (current()->cred.fsuid == i->uid)
		mode >>= 6;
	else if (((mode >> 3) ^ mode) & (u32)mask && in_group(i->gid))
		mode >>= 3;
	if (LIKELY(((u32)mask & ~mode & 7) == 0))
		return 0;
	if (S_ISDIR(i->mode)) {
		if (capable(KCAP_DAC_OVERRIDE))
			return 0;
		if (!(mask & MAY_WRITE) && capable(KCAP_DAC_READ_SEARCH))
			return 0;
		return -EACCES;
	}
	if ((!(mask & MAY_EXEC) || (i->mode & 0111)) &&
	    capable(KCAP_DAC_OVERRIDE))
		return 0;
	if (mask == MAY_READ && capable(KCAP_DAC_READ_SEARCH))
		return 0;
	return -EACCES;
}

bool inode_is_readonly(const struct inode *i)
{
	return (i->flags & INODE_RDONLY) ||
	       (i->super && (i->super->flags & SUPER_RDONLY));
}

bool inode_is_owner(const struct inode *i)
{
	return current()->cred.fsuid == i->uid || capable(KCAP_FOWNER);
}

int inode_may_create(struct dentry *dir)
{
	if (dir->unlinked)
		return -ENOENT;
	if (inode_is_readonly(dir->inode))
		return -EROFS;
	return inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
}

int inode_may_delete(struct inode *dir, struct inode *victim, bool is_dir)
{
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	u32 fsuid = current()->cred.fsuid;

	if (err)
		return err;
	if (inode_is_readonly(dir))
		return -EROFS;
	if ((dir->mode & S_ISVTX) && victim->uid != fsuid &&
	    dir->uid != fsuid && !capable(KCAP_FOWNER))
		return -EPERM;
	if (is_dir)
		return S_ISDIR(victim->mode) ? 0 : -ENOTDIR;
	return S_ISDIR(victim->mode) ? -EISDIR : 0;
}

/* A new inode's owner; set-group-id directories hand their group down. */
void inode_init_owner(struct inode *i, struct inode *dir)
{
	const struct cred *c = &current()->cred;

	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir && (dir->mode & S_ISGID)) {
		i->gid = dir->gid;
		if (S_ISDIR(i->mode))
			i->mode |= S_ISGID;
		else if ((i->mode & (S_ISGID | S_IXGRP)) ==
			 (S_ISGID | S_IXGRP) && !in_group(dir->gid) &&
			 !capable(KCAP_FSETID))
			i->mode &= ~(u32)S_ISGID;
	}
}

/* ---- attributes ----------------------------------------------------------------- */
void inode_stat(struct inode *i, struct kstat *st)
{
	if (i->ops && i->ops->refresh)
		i->ops->refresh(i);
	st->dev = i->super ? i->super->dev : 0;
	st->ino = i->ino;
	st->rdev = i->rdev;
	st->size = i->size;
	st->blocks = i->blocks;
	st->mode = i->mode;
	st->nlink = i->nlink;
	st->uid = i->uid;
	st->gid = i->gid;
	st->blksize = 4096;
	st->atime_ns = i->atime_ns;
	st->mtime_ns = i->mtime_ns;
	st->ctime_ns = i->ctime_ns;
	st->btime_ns = i->btime_ns;
}

/* Store attributes other than the size; inode->lock held. */
int inode_set_attributes(struct inode *i, const struct iattr *a)
{
	if (a->valid & ATTR_MODE)
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & ATTR_UID)
		i->uid = a->uid;
	if (a->valid & ATTR_GID)
		i->gid = a->gid;
	if (a->valid & ATTR_ATIME)
		i->atime_ns = a->atime_ns;
	if (a->valid & ATTR_MTIME)
		i->mtime_ns = a->mtime_ns;
	i->ctime_ns = (s64)clock_realtime_ns();
	i->flags |= INODE_DIRTY;
	return 0;
}

int vfs_setattr(struct dentry *d, struct inode *i, const struct iattr *a)
{
	int err;

	if (inode_is_readonly(i))
		return -EROFS;
	mutex_lock(&i->lock);
	if (i->ops && i->ops->setattr)
		err = i->ops->setattr(i, a);
	else if (a->valid & ATTR_SIZE)
		err = -EINVAL;
	else
		err = i->super ? inode_set_attributes(i, a) : -EPERM;
	mutex_unlock(&i->lock);
	return err;
}

/* ---- the inode of files without a name ------------------------------------------ */
static struct inode anon = {
	.ref = { 1 }, .mode = 0600, .nlink = 1, .ino = 1,
	.locks = LIST_INIT(anon.locks), .watches = LIST_INIT(anon.watches),
};

struct inode *anon_inode(void)
{
	return inode_get(&anon);
}
