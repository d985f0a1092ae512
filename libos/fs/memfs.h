/*
 * memfs.h - the parts of the in-memory file system.
 *
 *   memfs.c        inodes, names, super
 *   memfs_data.c   contents of regular files: extents of heap pages
 *   memfs_file.c   the open regular file: read, write, map, seek, seals
 *   memfs_lower.c  the host tree below: lookup, handles, copy-up, listings
 *   memfs_dir.c    readdir
 *
 * Directories have no entries of their own: the pinned dentries are the
 * directory.  Over a lower directory, a name without a dentry is looked up
 * there; a pinned negative dentry hides the lower's name.
 */
#ifndef LIBOS_FS_MEMFS_H
#define LIBOS_FS_MEMFS_H

#include "fs.h"

#include <libos/heap.h>

struct extent { u32 first, count; char *mem; }; /* pages */

struct lower_handle {
	struct ref ref;
	host_handle handle;
};

struct lower_name { u64 ino; u32 at; u8 type; };
struct lower_list {
	struct lower_name *names;
	u32 count;
	char *text;
};

struct memnode {
	struct inode *inode;
	/* lower object; NULL path: none (a file's: not any more) */
	char *lower;
	u32 tree;
	struct lower_handle *lh;   /* lower_lock; reopened on resume: lower */
	struct list in_lru;        /* lower_lock */
	u32 open_count;            /* atomic: not to be closed */
	u32 saved_in;              /* atomic: last save that named it */
	/* regular file; inode->lock */
	struct extent *extents;
	u32 extent_count, extent_room;
	u64 pages;
	char *small;               /* the content of a small file, or NULL */
	u32 small_room;            /* bytes of it; what is behind reads 0 */
	bool is_mapped;            /* ever: then pages stay where they are */
	u32 seals;
	/* directory, symlink */
	struct lower_list *list;   /* inode->lock */
	char *target;
};

struct memfs { u64 limit, used; }; /* pages; used: atomic; limit 0: none */

extern const struct inode_ops memfs_inode_ops;
extern const struct file_ops memfs_file_ops, memfs_dir_ops;

static inline struct memnode *memnode(const struct inode *i)
{
	return i->priv;
}
struct inode *memfs_inode(struct super *s, u32 mode);

/* memfs_data.c; inode->lock held */
ssize_t data_read(struct memnode *n, struct uio *u, u64 pos);
ssize_t data_write(struct memnode *n, struct uio *u, u64 pos);
/* Memory of page, *count pages of it from there; NULL: a hole of *count. */
char *data_find(struct memnode *n, u64 page, u64 *count);
/* As data_find, but makes it; want pages are asked for.  err_ptr. */
char *data_ensure(struct memnode *n, u64 page, u64 want, u64 *count);
int data_truncate(struct memnode *n, u64 size);
void data_zero(struct memnode *n, u64 from, u64 to);
void data_free(struct memnode *n);
void data_account(struct memnode *n); /* sets inode->blocks */
s64 data_seek(struct memnode *n, u64 off, bool hole);

/* memfs_lower.c */
int memfs_prefill(struct dentry *dir, const char *rest, u64 stamp,
		  struct walk_open *o);
struct lower_handle *lower_open(struct memnode *n); /* or err_ptr */
void lower_put(struct lower_handle *lh);
void lower_forget(struct memnode *n);
int lower_copy_up(struct memnode *n, u64 size); /* inode->lock held */
int lower_list(struct memnode *n);
void lower_list_free(struct memnode *n);
struct inode *lower_inode(struct super *s, const struct host_stat *st,
			  u32 tree, const char *path, const char *target);

/* memfs_dir.c; inode->lock held */
int memfs_is_empty(struct dentry *dir);

#endif
