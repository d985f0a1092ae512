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
	/* As described at a moment of hostwatch.c by the name of this hash: */
	u64 seen;
	u32 seen_hash;
	s32 asked;               /* of a directory: how often */
	struct hostkept *kept;   /* a reference, or NULL */
	u64 kept_seen;
	struct list in_kept;
};
/* A handle for reading that several opens share; the node's own reference
 * makes it last from one open to the next. */
struct hostkept {
	struct ref ref;
	host_handle handle; /* reopened on resume: none is kept */
};
static inline u32 hostfs_tree(const struct super *s)
{
	return (u32)(uintptr_t)s->priv;
}
extern const struct file_ops hostfs_file_ops, hostfs_dir_ops;
struct inode *hostfs_inode(struct super *s, const struct host_stat *st,
			   const char *path, const char *link);
/* May what is known of it hold until a change of its name is told? Not what
 * has other names, nor what a directory is by its entries. */
static inline bool hostfs_is_watchable(const struct inode *i)
{
	return S_ISREG(i->mode) && i->nlink == 1;
}
static inline void hostfs_known_now(struct hostnode *n)
{
	n->known_ns = clock_monotonic_ns();
	n->known_by = current();
	n->known_entry = current()->entries;
}
void hostfs_fill(struct inode *i, const struct host_stat *st);
/* A copy (kfree it) of n's path, which walks by other names change; NULL: no
 * memory. */
char *hostfs_path(const struct hostnode *n);
host_handle hostfs_take_created(struct inode *i);
void hostfs_nodes_resumed(void);
void hostfs_node_resumed(struct hostnode *n);
int hostfs_child_path(const struct inode *dir, const char *name, char *path);
int hostfs_open(struct inode *i, struct file *f);
int hostfs_setattr(struct inode *i, const struct iattr *a);
int hostfs_refresh(struct inode *i);
bool hostfs_truncate(struct file *f, u64 size, int *err);
/* The handle that is kept of i, with a reference, or NULL. */
struct hostkept *hostfs_kept_get(struct inode *i);
/* Keep h, which reads i; NULL: no memory. */
struct hostkept *hostfs_keep(struct inode *i, host_handle h);
void hostfs_kept_put(struct hostkept *k);
void hostfs_kept_drop(struct inode *i);

/* ---- hostwatch.c --------------------------------------------------------- */
u64 hostwatch_moment(void);
/* After a resume: nothing that is remembered holds. */
void hostwatch_resumed(void);
/* dcache_mutex held: is d as it was seen?  stamp: of the walk that asks. */
bool hostwatch_holds(const struct dentry *d, u64 stamp);
bool hostwatch_still_holds(u32 hash, u64 seen);

/* What the root of a host tree is. */
int hostfs_root_stat(u32 tree, struct host_stat *st);

#endif
