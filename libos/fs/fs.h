/*
 * fs.h - what the files of libos/fs share among themselves.
 *
 * Everything that others may use is in <libos/vfs.h> and <libos/file.h>.
 *
 * Locks: rename_lock > inode->lock (directories: parent before child) >
 * dcache_mutex > lower_lock.  dcache_mutex guards the dentry hash, every
 * dentry's parent, name, inode and list fields, and the change of a dentry's
 * reference count between 0 and 1.
 */
#ifndef LIBOS_FS_FS_H
#define LIBOS_FS_FS_H

#include <libos/file.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/lock.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/vfs.h>

#include <linux/fcntl.h>
#include <linux/fs.h>

enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
enum { KCAP_CHOWN = 0, KCAP_DAC_OVERRIDE = 1, KCAP_DAC_READ_SEARCH = 2,
       KCAP_FOWNER = 3, KCAP_FSETID = 4, KCAP_SYS_CHROOT = 18,
       KCAP_SYS_ADMIN = 21, KCAP_SYS_RESOURCE = 24, KCAP_MKNOD = 27 };
#define DT_OF_MODE(m) (((m) >> 12) & 15)

/* ---- dentry.c ------------------------------------------------------------- */
extern struct mutex dcache_mutex, rename_lock;
static inline void dcache_lock(void) { mutex_lock(&dcache_mutex); }
void dcache_unlock(void); /* and free what died meanwhile */
#define DENTRY_HASH_SEED 0x9747b28cu
static inline u32 dentry_hash_step(u32 h, char c)
{
	return (h ^ (u8)c) * 0x01000193u;
}
u32 dentry_hash_name(const char *name, size_t n);
/* All these with dcache_lock held. */
struct dentry *dcache_find(struct dentry *dir, const char *name, size_t n,
			   u32 hash); /* no reference */
static inline void dcache_get(struct dentry *d)
{
	__atomic_fetch_add(&d->ref.count, 1, __ATOMIC_RELAXED);
}
void dcache_put(struct dentry *d);
void dcache_unlink(struct dentry *d); /* not a name any more */
void dcache_set_inode(struct dentry *d, struct inode *i); /* takes over i */
void dcache_pin(struct dentry *d);
void dcache_unpin(struct dentry *d);
/* d becomes `name` in dir; storage from dentry_name_storage. */
void dcache_move(struct dentry *d, struct dentry *dir, const char *name,
		 char *storage);
void dcache_exchange(struct dentry *a, struct dentry *b);
/* A new name of dir, negative, that hides a lower one; takes d over. */
void dcache_cover(struct dentry *d, struct dentry *dir);
bool dcache_is_below(const struct dentry *d, const struct dentry *top);
/* These take the lock. */
int dentry_name_storage(const char *name, char **storage);
/* In no directory yet: for dcache_cover, or to be discarded. */
struct dentry *dentry_alloc(const char *name, size_t n);
void dentry_discard(struct dentry *d);
struct dentry *dentry_new_root(struct inode *i, const char *name);
/* The dentry `name` of dir, with a reference, made if need be; i (taken
 * over, NULL: negative) becomes its inode.  NULL: no memory. */
struct dentry *dentry_add(struct dentry *dir, const char *name, size_t n,
			  struct inode *i, u64 stamp);

/* ---- namei.c -------------------------------------------------------------- */
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct lookup {
	struct dentry *dentry;  /* a reference; negative only on request */
	enum last_type type;    /* of the last component */
	bool slash;             /* trailing slashes */
	bool is_magic;          /* ended by a magic link */
	host_handle handle;     /* of namei_open: the file, or none */
};
#define LOOKUP_SLASH_OK 32   /* a negative last name may have a slash */
#define LOOKUP_NO_MAGIC 64   /* openat2's RESOLVE_* */
#define LOOKUP_NO_SYMLINKS 128
#define LOOKUP_BENEATH 256
#define LOOKUP_IN_ROOT 512
#define LOOKUP_NO_XDEV 1024
int namei(int dirfd, const char *path, u32 flags, struct lookup *out);
/* The same for an open: where looking a file up is a request to the monitor
 * anyhow, out->handle is the file opened with these HOST_OPEN_* flags. */
int namei_open(int dirfd, const char *path, u32 flags, u32 open,
	       struct lookup *out);
/* Look name up in dir, which is locked; a negative dentry is a success. */
struct dentry *lookup_one(struct dentry *dir, const char *name, size_t n);
/* Copy a path in: kmalloc'd, or err_ptr. */
char *path_from_user(u64 upath);
/* namei on a guest's path. */
int user_namei(int dirfd, u64 upath, u32 flags, struct lookup *out);
/* A positive dentry, for calls with AT_EMPTY_PATH and the like. */
int user_path_at(int dirfd, u64 upath, bool nofollow, bool empty,
		 struct dentry **out);

/* ---- inode.c -------------------------------------------------------------- */
bool inode_is_readonly(const struct inode *i);
int inode_may_delete(struct inode *dir, struct inode *victim, bool is_dir);
int inode_may_create(struct dentry *dir);
bool inode_is_owner(const struct inode *i); /* or CAP_FOWNER */
void inode_init_owner(struct inode *i, struct inode *dir);
int inode_set_attributes(struct inode *i, const struct iattr *a);
bool in_group(u32 gid);
void super_put(struct super *s);
struct inode *anon_inode(void);

/* ---- fdtable.c ------------------------------------------------------------- */
#define FMODE_COUNTED 0x100u /* in inode->write_count */
int fd_replace(int fd, struct file *f, bool cloexec); /* dup2's heart */
int fd_set_cloexec(int fd, int set); /* the old one; set < 0: only ask */
int files_close_range(struct files *fs, u32 first, u32 last, bool cloexec);

/* ---- inotify.c ------------------------------------------------------------- */
extern u32 fsnotify_watches;
static inline bool fsnotify_active(void)
{
	return __atomic_load_n(&fsnotify_watches, __ATOMIC_RELAXED) != 0;
}
/* As fsnotify for the thing and, by its name, for its directory. */
void fsnotify_dentry(struct dentry *d, u32 mask);

/* ---- mount.c --------------------------------------------------------------- */
struct dentry *super_root(struct super *s); /* no reference; NULL: no memory */

/* ---- open.c --------------------------------------------------------------- */
struct file *vfs_open_how(int dirfd, const char *path, u32 flags, u32 mode,
			  u32 lookup_flags);
int vfs_truncate(struct dentry *d, struct inode *i, u64 size);

/* ---- names.c -------------------------------------------------------------- */
/* Make a node for the negative dentry d; mode has S_IF*, umask applied. */
int vfs_make(struct dentry *d, u32 mode, u64 rdev, const char *target);
int vfs_link(struct dentry *old, struct dentry *d);
int vfs_rename(int from_fd, const char *from, int to_fd, const char *to,
	       u32 flags);
u32 current_umask(void);

/* ---- memfs ------------------------------------------------------------------ */
int memfs_graft_lower(struct dentry *d, u32 tree, bool readonly);
struct inode *memfs_text(struct dentry *dir, const char *text, u32 mode);
bool inode_is_memfs(const struct inode *i);
int memfs_seals_get(struct file *f);
int memfs_seals_add(struct file *f, u32 seals);

/* ---- readmap.c -------------------------------------------------------------- */
#define WINDOW_NEVER UINT32_MAX
#define SMALL_READ 32768u
#define READS_BEFORE 64u
bool readmap_copy(struct file *f, host_handle h, void *to, size_t size,
		  u64 pos);
/* Read [pos, pos+size) of f, whose data is h's, without the host.  False: it
 * could not, and *to may have been written to. */
static inline bool readmap_read(struct file *f, host_handle h, void *to,
				size_t size, u64 pos)
{
	if (size - 1 >= SMALL_READ)
		return false;
	if (f->small_reads < READS_BEFORE) {
		f->small_reads++;
		return false;
	}
	return readmap_copy(f, h, to, size, pos);
}
/* A descriptor of f is closed. */
void readmap_close(struct file *f);

/* ---- locks.c ---------------------------------------------------------------- */
long locks_fcntl(struct file *f, int cmd, u64 arg);

/* ---- xattr.c ---------------------------------------------------------------- */
void xattr_free_all(struct inode *i);

/* generation.c */
extern const struct file_ops generation_ops;

#endif
