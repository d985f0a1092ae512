/*
 * hostfs.h - the two halves of hostfs: names (hostfs.c), files
 * (hostfs_file.c).
 */
#ifndef LIBOS_FS_HOSTFS_H
#define LIBOS_FS_HOSTFS_H

#include "fs.h"

struct hostnode {
	struct inode *inode;
	struct hostnode *next;   /* table_lock, as all below */
	u64 host_ino, host_dev;
	u32 tree;
	char *path;              /* below the tree, as last walked to */
	char *link;              /* of a symbolic link */
	/* When the host last described it, and in which call of which thread: */
	u64 known_ns, known_entry;
	const struct task *known_by;
	host_handle created;     /* of create, for the open that follows */
};
static inline u32 hostfs_tree(const struct super *s)
{
	return (u32)(uintptr_t)s->priv;
}
extern const struct file_ops hostfs_file_ops, hostfs_dir_ops;
struct inode *hostfs_inode(struct super *s, const struct host_stat *st,
			   const char *path, const char *link);
static inline void hostfs_known_now(struct hostnode *n)
{
	n->known_ns = clock_monotonic_ns();
	n->known_by = current();
	n->known_entry = current()->entries;
}
void hostfs_fill(struct inode *i, const struct host_stat *st);
host_handle hostfs_take_created(struct inode *i);
int hostfs_child_path(const struct inode *dir, const char *name, char *path);
int hostfs_open(struct inode *i, struct file *f);
int hostfs_setattr(struct inode *i, const struct iattr *a);
int hostfs_refresh(struct inode *i);
bool hostfs_truncate(struct file *f, u64 size, int *err);

#endif
