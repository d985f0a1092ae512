/*
 * file.h - open files, descriptor tables, and reading and writing them.
 *
 * struct file is an open file description: shared by dup, fork and
 * SCM_RIGHTS.  What it can do is its file_ops; a missing op means the errno
 * that the comment at the op says.
 */
#ifndef LIBOS_FILE_H
#define LIBOS_FILE_H

#include <bailey/host_abi.h>
#include <libos/base.h>
#include <libos/lock.h>

#include <linux/fcntl.h>

#ifndef O_ASYNC
#define O_ASYNC FASYNC
#endif

struct file;
struct inode;
struct dentry;
struct mm;
struct vma;
struct task;

/* Where data comes from or goes to: guest or kernel memory, scattered. */
struct uio {
	struct host_iovec *iov; /* consumed from the front; our own copy */
	unsigned count;
	size_t left;            /* bytes */
	bool kernel;            /* addresses are the library OS's own */
};
#define UIO_MAXIOV 1024
#define UIO_SIZE_MAX 0x7ffff000ul /* as Linux: most that one call moves */
void uio_init(struct uio *u, struct host_iovec *iov, unsigned count,
	      bool kernel);
/* One buffer; iov is the caller's storage. */
void uio_single(struct uio *u, struct host_iovec *iov, void *p, size_t size,
		bool kernel);
/* Copy in the guest's iovec array, check every range.  *out is kmalloc'd
 * when count > inline_count. */
int uio_from_user(struct uio *u, u64 iovec, u64 count,
		  struct host_iovec *inline_iov, unsigned inline_count,
		  struct host_iovec **to_free);
/* Copy n bytes to / from the buffers and advance; n <= left.  Returns bytes
 * copied, or -EFAULT if none could be. */
ssize_t uio_put(struct uio *u, const void *from, size_t n);
ssize_t uio_get(struct uio *u, void *to, size_t n);
void uio_advance(struct uio *u, size_t n);

/* readdir callback: returns false when the buffer is full. */
struct dir_context {
	bool (*emit)(struct dir_context *c, const char *name, size_t len,
		     u64 ino, unsigned type /* DT_* */, u64 next_pos);
	u64 pos;
};

struct poll_table; /* poll.h */

struct file_ops {
	const char *name;   /* for anon inodes: "[eventfd]" */
	/* pos: where; advanced.  Streams ignore it.  f->flags O_NONBLOCK.
	 * NULL: -EINVAL. May return -ERESTARTSYS. */
	ssize_t (*read)(struct file *f, struct uio *u, u64 *pos);
	ssize_t (*write)(struct file *f, struct uio *u, u64 *pos);
	/* Events that hold now (EPOLL* bits); with pt, registers for changes.
	 * NULL: always EPOLLIN|EPOLLOUT. */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	/* A host handle that is to be polled too, or HOST_NO_HANDLE.  events:
	 * those that only the host can know.  NULL: none. */
	host_handle (*poll_handle)(struct file *f);
	long (*ioctl)(struct file *f, u32 cmd, u64 arg); /* NULL: -ENOTTY */
	int (*readdir)(struct file *f, struct dir_context *c); /* -ENOTDIR */
	s64 (*seek)(struct file *f, s64 off, int whence); /* NULL: -ESPIPE */
	/* Map [addr,addr+size) of the file from offset for v; NULL: -ENODEV */
	int (*map)(struct file *f, struct vma *v, u64 addr, u64 size,
		   u64 offset);
	/* A fault in a mapping beyond what map() provided: 0 retried, -EFAULT
	 * SIGSEGV, -EIO SIGBUS.  NULL: SIGBUS. */
	int (*fault)(struct file *f, struct vma *v, u64 addr);
	int (*sync)(struct file *f, bool data_only);   /* NULL: -EINVAL */
	int (*allocate)(struct file *f, int mode, u64 off, u64 len);
	/* each close() of a descriptor (locks, pipes); may be NULL */
	void (*flush)(struct file *f);
	/* the last reference went */
	void (*release)(struct file *f);
	/* change of O_NONBLOCK/O_APPEND/O_ASYNC through fcntl or FIONBIO */
	void (*set_flags)(struct file *f, u32 flags);
};

struct file {
	struct ref ref;
	u32 flags;              /* O_*: access mode, O_NONBLOCK, O_APPEND... */
	u32 mode;               /* FMODE_* */
	const struct file_ops *ops;
	struct inode *inode;    /* never NULL (anonymous ones share one) */
	struct dentry *dentry;  /* where it was opened, or NULL */
	struct mutex lock;      /* guards pos, and what ops say */
	u64 pos;
	void *priv;             /* the op's own object */
	host_handle handle;     /* host stream behind it, or HOST_NO_HANDLE */
	s32 owner_pid; u32 owner_type, owner_signal; /* F_SETOWN, F_SETSIG */
	u32 window;             /* readmap.c: its number, or 0 */
	struct list epoll_items;/* struct epoll_item; epoll's lock */
	struct list in_host;    /* hostfs: its open files, by their lock */
	u32 lease;
	u32 small_reads;        /* in a row that might have had a window */
};
enum { FMODE_READ = 1, FMODE_WRITE = 2, FMODE_PATH = 4, FMODE_NOSEEK = 8,
       FMODE_STREAM = 16, /* no position: read/write need no lock */
       FMODE_DIRECT = 32, /* a plain file, data and size are handle's */
       FMODE_EXEC = 0x200 /* counted in inode->exec_count (execve) */ };

/* libos/fs/file.c */
struct file *file_alloc(const struct file_ops *ops, struct inode *ino,
			u32 flags, void *priv);
/* A file without a name: eventfd, epoll, ...; shows as anon_inode:NAME. */
struct file *file_anon(const struct file_ops *ops, u32 flags, void *priv);
static inline struct file *file_get(struct file *f)
{
	__atomic_fetch_add(&f->ref.count, 1, __ATOMIC_RELAXED);
	return f;
}
void file_put(struct file *f);
/* As read(2) and write(2) on the file; kernel buffers. *pos NULL: f->pos. */
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 *pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, u64 *pos);

/* ---- descriptor tables --------------------------------------------------- */
struct fd_slot { struct file *file; bool cloexec; };
struct files {
	struct ref ref;
	struct mutex lock;     /* guards what follows */
	struct fd_slot *slots;
	u32 capacity;
	u32 next_free;         /* no free one below it */
};
/* The file of a descriptor with a reference (file_put it), or NULL.
 * O_PATH files are refused (NULL) by fd_get, not by fd_get_any. */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
/* Lowest free descriptor >= min; takes over the caller's reference on
 * success.  -EMFILE at RLIMIT_NOFILE. */
int fd_install(struct file *f, bool cloexec);
int fd_install_at_least(struct file *f, int min, bool cloexec);
int fd_close(int fd);
struct files *files_alloc(void);
struct files *files_copy(struct files *f);   /* fork */
void files_put(struct files *f);             /* closes all at the last */
void files_close_on_exec(struct files *f);
/* For /proc/PID/fd: iterate. Returns the file with a reference or NULL. */
struct file *files_get(struct files *f, u32 fd, bool *cloexec);
u32 files_capacity(struct files *f);

/* A descriptor for the duration of one call, without a reference where
 * nothing else can close it: *put says whether fd_end must drop one. */
struct file *fd_begin(int fd, bool *put);
static inline void fd_end(struct file *f, bool put)
{
	if (put)
		file_put(f);
}
/* lseek for files with a size: SEEK_SET, CUR, END on f->pos. */
s64 file_seek_sized(struct file *f, s64 off, int whence, u64 size);
/* read(2) and write(2) on f, uio ready; *pos NULL: f->pos. */
ssize_t file_read(struct file *f, struct uio *u, u64 *pos);
ssize_t file_write(struct file *f, struct uio *u, u64 *pos);

/* A host stream handed in (stdin, stdout, a console): plain read/write. */
struct file *hoststream_file(host_handle h, u32 flags, const char *name,
			     const struct host_stat *st);

#endif
