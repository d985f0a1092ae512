/*
 * vfs.h - names, directories, inodes, mounts.
 *
 * A dentry is a name in a directory, positive or negative, and is kept in a
 * cache; an inode is the thing.  File systems: memfs (the private
 * copy-on-write layer, tmpfs, memfd, shared memory), hostfs (volumes passed
 * through), procfs, devfs with devpts, sysfs.
 */
#ifndef LIBOS_VFS_H
#define LIBOS_VFS_H

#include <bailey/boot.h>
#include <libos/base.h>
#include <libos/file.h>
#include <libos/lock.h>

#include <linux/stat.h>

struct boot_info;
struct super;
struct walk_open;
struct inode;
struct dentry;
struct cred;
struct kstat;
struct iattr;
struct boot_info;

#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4096
#define LINK_MAX_FOLLOW 40

struct inode_ops {
	/* Directory ops: dir->lock held by the caller.  name is not
	 * terminated... but always is, see struct dentry. */
	/* A new reference, or err_ptr(-ENOENT...). */
	struct inode *(*lookup)(struct inode *dir, const char *name);
	struct inode *(*create)(struct inode *dir, const char *name, u32 mode);
	struct inode *(*mkdir)(struct inode *dir, const char *name, u32 mode);
	/* FIFO, socket, device */
	struct inode *(*mknod)(struct inode *dir, const char *name, u32 mode,
			       u64 rdev);
	struct inode *(*symlink)(struct inode *dir, const char *name,
				 const char *target);
	int (*link)(struct inode *dir, const char *name, struct inode *ino);
	int (*unlink)(struct inode *dir, const char *name, struct inode *ino);
	int (*rmdir)(struct inode *dir, const char *name, struct inode *ino);
	int (*rename)(struct inode *from_dir, const char *from,
		      struct inode *ino, struct inode *to_dir, const char *to,
		      struct inode *victim, u32 flags);
	/* An unnamed file of this directory's file system (O_TMPFILE). */
	struct inode *(*tmpfile)(struct inode *dir, u32 mode);
	/* --- any inode --- */
	/* NUL-terminated, at most size; length or -errno */
	ssize_t (*readlink)(struct inode *ino, char *buf, size_t size);
	/* magic links (/proc/PID/exe, fd/N): where it leads, with references */
	int (*follow)(struct inode *ino, struct dentry **out);
	/* sets f->ops, f->priv, f->handle; -errno refuses */
	int (*open)(struct inode *ino, struct file *f);
	int (*setattr)(struct inode *ino, const struct iattr *a);
	int (*refresh)(struct inode *ino);   /* attributes may have changed */
	ssize_t (*getxattr)(struct inode *i, const char *n, void *v, size_t z);
	int (*setxattr)(struct inode *i, const char *n, const void *v,
			size_t z, int flags);
	ssize_t (*listxattr)(struct inode *ino, char *buf, size_t size);
	int (*removexattr)(struct inode *ino, const char *name);
	/* false: a cached dentry is stale and must be looked up again */
	bool (*revalidate)(struct inode *dir, const char *name,
			   struct inode *ino);
	void (*release)(struct inode *ino);   /* last reference went */
};

struct inode {
	struct ref ref;
	u32 mode;                 /* S_IF* | permissions */
	u32 uid, gid;
	u32 nlink;
	u64 ino, rdev, size, blocks;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
	struct super *super;
	const struct inode_ops *ops;
	const struct file_ops *fops; /* default for open() */
	struct mutex lock;        /* guards all attributes and the content */
	void *priv;               /* file system's own */
	struct list locks;        /* flock/POSIX locks (libos/fs/locks.c) */
	struct list watches;      /* inotify */
	void *bound;              /* socket bound to this name, FIFO's pipe */
	u32 write_count, exec_count; /* ETXTBSY: opens for writing, running */
	u32 flags;                /* INODE_* */
	struct xattr *xattrs;     /* libos/fs/xattr.c: inode->lock */
};
/* RDONLY: a read-only graft inside a writable system.  DIRTY: differs from
 * its file system's own store, so its dentry must not be forgotten. */
enum { INODE_RDONLY = 1, INODE_DIRTY = 2,
       INODE_LOWER = 4, /* memfs: a directory over a host tree's */
       INODE_LINKABLE = 8 /* O_TMPFILE: may be given a name */ };

/* NODCACHE: forget a name when its last user goes.  PINNED: the dentries
 * are the directories' contents and stay (memfs).  STAMPED: a dentry is good
 * for one path walk only (hostfs). */
enum { SUPER_RDONLY = 1, SUPER_NOEXEC = 2, SUPER_NODCACHE = 4,
       SUPER_PINNED = 8, SUPER_STAMPED = 16 };
struct super {
	struct ref ref;
	const char *type;         /* "tmpfs", "overlay", "proc" ... */
	u32 flags;
	u32 magic;                /* statfs f_type */
	u64 dev;
	struct inode *root;
	struct dentry *root_dentry; /* once it is needed */
	void *priv;
	u64 next_ino;
	int (*statfs)(struct super *s, u64 *blocks, u64 *free, u64 *files);
	/* Look up as many components of rest below dir as one request can
	 * and enter them in the dentry cache with this stamp; dir->inode's
	 * lock is held.  NULL: name by name through inode_ops.lookup.  o
	 * (may be NULL): what to open if it can be done with it. */
	int (*prefill)(struct dentry *dir, const char *rest, u64 stamp,
		       struct walk_open *o);
};
/* A file that is opened by the request that looks it up. */
struct walk_open {
	u32 flags;                /* HOST_OPEN_*, or 0: not wanted */
	host_handle handle;
	struct inode *inode;      /* whose it is: a reference, or NULL */
};

struct dentry {
	struct ref ref;
	struct dentry *parent;    /* itself for a root; d_lock (global) */
	struct inode *inode;      /* NULL: negative */
	struct dentry *mounted;   /* root of what is mounted here, or NULL */
	struct dentry *covers;    /* for a mount's root: the mount point */
	struct dentry *hash_next, **hash_prev; /* dentry.c's lock, as all */
	struct list in_parent, children, in_lru;
	u64 pos;                  /* place in the directory, for readdir */
	u64 stamp;                /* SUPER_STAMPED: the walk it is good for */
	u64 seen;                 /* or good until a change after this */
	bool unlinked;            /* no longer (or not yet) a name */
	bool pinned;              /* holds a reference on itself */
	bool in_lower;            /* memfs: the lower directory has this name */
	bool lower_unknown;       /* in_lower is only supposed: nobody asked */
	u16 name_size;            /* without the NUL */
	u32 hash;
	char *name;               /* short_name or kmalloc'd */
	char short_name[32];
};

struct fs_context { /* cwd, root, umask: shared with CLONE_FS */
	struct ref ref;
	struct mutex lock;
	struct dentry *root, *cwd;
	u32 umask;
};
/* The first one: root and cwd are the root of the tree, umask 022. */
struct fs_context *fs_context_new(void);
extern struct dentry *vfs_root; /* set by vfs_init */
struct fs_context *fs_context_copy(struct fs_context *f);
void fs_context_put(struct fs_context *f);

/* ---- lookup (libos/fs/namei.c) ------------------------------------------ */
enum { LOOKUP_NOFOLLOW = 1, /* the last component, if a symlink, itself */
       LOOKUP_PARENT = 2,   /* all but the last component */
       LOOKUP_DIRECTORY = 4,
       LOOKUP_EMPTY = 8,    /* AT_EMPTY_PATH */
       LOOKUP_NEGATIVE = 16 /* a negative last dentry is a success */ };
/* dirfd: AT_FDCWD or a descriptor.  *out holds a reference. */
int path_lookup(int dirfd, const char *path, u32 flags, struct dentry **out);
/* The same for a file that will be read at once: one request of the host may
 * find and open it. */
int path_lookup_open(int dirfd, const char *path, u32 flags,
		     struct dentry **out);
/* The parent directory and the last name (which is not "." or ".."). */
int path_lookup_parent(int dirfd, const char *path, struct dentry **dir,
		       char *last, bool *trailing_slash);
/* Copies the path in from the guest first. */
int user_path_lookup(int dirfd, u64 upath, u32 flags, struct dentry **out);
/* open(2)'s core.  Flags as O_*; a new file or err_ptr. */
struct file *vfs_open(int dirfd, const char *path, u32 flags, u32 mode);
struct file *vfs_open_dentry(struct dentry *d, u32 flags);
/* Absolute path of d as the process sees it, in buf; pointer into buf, or
 * err_ptr(-ENAMETOOLONG).  Unlinked ones end in " (deleted)" if marked. */
char *dentry_path(struct dentry *d, char *buf, size_t size, bool mark_deleted);
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* Create a node (mknod, bind of a Unix socket, mkfifo); mode has S_IF*. */
int vfs_mknod(int dirfd, const char *path, u32 mode, u64 rdev,
	      struct dentry **out);
int vfs_unlink(int dirfd, const char *path, bool rmdir);

/* ---- inodes (libos/fs/inode.c) ------------------------------------------ */
struct inode *inode_alloc(struct super *s, u32 mode);
static inline struct inode *inode_get(struct inode *i)
{
	__atomic_fetch_add(&i->ref.count, 1, __ATOMIC_RELAXED);
	return i;
}
void inode_put(struct inode *i);
/* 0 or -EACCES: R_OK 4, W_OK 2, X_OK 1, with the fs ids of current(). */
int inode_permission(struct inode *i, int mask);
void inode_stat(struct inode *i, struct kstat *st);
struct kstat {
	u64 dev, ino, rdev, size, blocks;
	u32 mode, nlink, uid, gid, blksize;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
};
enum { ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8,
       ATTR_ATIME = 16, ATTR_MTIME = 32 };
struct iattr { u32 valid, mode, uid, gid; u64 size; s64 atime_ns, mtime_ns; };
int vfs_setattr(struct dentry *d, struct inode *i, const struct iattr *a);
/* inotify: something happened to i (name: in directory i); IN_* mask */
void fsnotify(struct inode *i, u32 mask, const char *name, u32 cookie);
/* Release the POSIX locks of a process on this inode (every close), and
 * the flock of a file (last close). */
void locks_release_posix(struct file *f, struct files *owner);
void locks_release_flock(struct file *f);

/* ---- file systems -------------------------------------------------------- */
struct super *super_alloc(const char *type, u32 magic);
/* libos/fs/memfs.c; lower: boot tree number or -1 */
struct super *memfs_new(const char *type, int lower_tree, u64 limit, u32 mode);
struct file *memfs_file_anon(const char *name, u32 flags); /* memfd, shm */
bool memfs_is_sealed(const struct file *f); /* against writing */
struct super *hostfs_new(u32 tree, u32 flags);
struct super *procfs_new(void);
struct super *devfs_new(void);
struct super *devpts_new(void);
/* After devfs was mounted there: its nodes, and devpts on AT/pts. */
void devfs_populate(const char *at);
struct super *sysfs_new(void);
int vfs_mount(struct super *s, const char *path);
void vfs_init(const struct boot_info *b);  /* all mounts of the manifest */

/* ---- simple trees (procfs, sysfs, devfs use these) ----------------------- */
/* A read-only file whose text is made at open; show() prints with seq_*. */
struct seq { char *buf; size_t size, len; bool overflow; };
void seq_printf(struct seq *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void seq_write(struct seq *s, const void *p, size_t n);
/* From an open op: makes f such a file.  show() runs at the first read and
 * again when the reader is back at offset 0; release (or NULL) at the end.
 * write (or NULL) gets what is written, in kernel memory, NUL-terminated. */
struct seq_source {
	int (*show)(struct seq *s, void *arg);
	ssize_t (*write)(void *arg, const char *text, size_t n);
	void (*release)(void *arg);
};
int seq_open(struct file *f, const struct seq_source *src, void *arg);

/* Character devices: devfs node -> file_ops (libos/fs/devfs.c). */
#define MKDEV(ma, mi) (((u64)(ma) << 8) | (mi)) /* small numbers only */
int chrdev_open(struct inode *ino, struct file *f);

/* boot: the manifest */
const struct boot_info *boot_info(void);

#endif
