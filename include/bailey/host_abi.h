/*
 * host_abi.h - the contract between the library OS and the host.
 *
 * This header is self-contained: it needs only C99's <stdint.h> and
 * <stddef.h>.  The same calls are listed, with what the monitor checks, in
 * host_abi.tbl; `bailey abi` prints that table.  35 calls, 3 upcalls.
 *
 * Error contract, said once: every call that can fail returns a negative
 * error number (an HOST_E... value below) and then has changed nothing;
 * otherwise it returns zero, a count or a handle (never negative).  Sizes and
 * offsets are bytes, times are nanoseconds, deadlines are absolute on
 * HOST_CLOCK_MONOTONIC, HOST_FOREVER waits for ever.  Waiting calls return
 * -HOST_EINTR when host_interrupt() reached the thread.
 *
 * Handles are small integers that mean the same thing in every picoprocess
 * of a sandbox.
 *
 * Version: increment HOST_ABI_VERSION with any change that the other side
 * can notice.
 */
#ifndef BAILEY_HOST_ABI_H
#define BAILEY_HOST_ABI_H

#include <stddef.h>
#include <stdint.h>

#define HOST_ABI_VERSION 2
#define HOST_FOREVER UINT64_MAX
#define HOST_PATH_MAX 4096u
#define HOST_NO_OFFSET UINT64_MAX /* stream has no offset: pipe, socket, tty */
/* The same, and the call is made even if the thread has been interrupted: for
 * streams that do not block, such as event handles. */
#define HOST_AT_ONCE (UINT64_MAX - 1)

typedef int32_t host_handle;
#define HOST_NO_HANDLE ((host_handle)-1)

/* Error numbers.  They have the values of POSIX errno on x86-64. */
enum host_error {
	HOST_EPERM = 1, HOST_ENOENT = 2, HOST_EINTR = 4, HOST_EIO = 5,
	HOST_EBADF = 9, HOST_EAGAIN = 11, HOST_ENOMEM = 12, HOST_EACCES = 13,
	HOST_EFAULT = 14, HOST_EEXIST = 17, HOST_EXDEV = 18,
	HOST_ENOTDIR = 20, HOST_EISDIR = 21, HOST_EINVAL = 22,
	HOST_ENFILE = 23, HOST_EMFILE = 24, HOST_EFBIG = 27, HOST_ENOSPC = 28,
	HOST_EROFS = 30, HOST_EPIPE = 32, HOST_ENAMETOOLONG = 36,
	HOST_ENOSYS = 38, HOST_ENOTEMPTY = 39, HOST_ELOOP = 40,
	HOST_EOPNOTSUPP = 95, HOST_EADDRINUSE = 98, HOST_ENETUNREACH = 101,
	HOST_ECONNRESET = 104, HOST_ETIMEDOUT = 110, HOST_ECONNREFUSED = 111,
};

/* ---- memory ---------------------------------------------------------- */
enum { HOST_PROT_READ = 1, HOST_PROT_WRITE = 2, HOST_PROT_EXEC = 4 };
enum { HOST_MAP_PRIVATE = 1, HOST_MAP_SHARED = 2 };
enum host_advice {
	HOST_ADVISE_DISCARD = 1, /* private pages read as fresh afterwards */
	HOST_ADVISE_FREE,        /* contents may be dropped when short */
	HOST_ADVISE_RELEASE,     /* give the shared object's memory back */
	HOST_ADVISE_HUGE, HOST_ADVISE_NOHUGE, HOST_ADVISE_WILLNEED,
	HOST_ADVISE_POPULATE,    /* fault the pages in now, for writing */
};

/* Map [addr, addr+size) from h at offset, or anonymous zero pages when h is
 * HOST_NO_HANDLE.  The address is exact; what was mapped there goes. */
int host_mem_map(void *addr, size_t size, int prot, int share, host_handle h,
		 uint64_t offset);
int host_mem_unmap(void *addr, size_t size);
int host_mem_protect(void *addr, size_t size, int prot);
int host_mem_advise(void *addr, size_t size, enum host_advice advice);
/* Move pages; the new range replaces what was mapped there.  old stays
 * mapped as fresh pages only if keep_old (private anonymous memory). */
int host_mem_move(void *old_addr, size_t old_size, void *new_addr,
		  size_t new_size);

/* ---- threads, processes, synchronisation ------------------------------ */
struct host_thread_ids {
	int32_t process; /* host's number of the picoprocess */
	int32_t thread;  /* host's number of the thread */
};
/* A thread or process starts in start(arg) on the stack that ends at
 * stack_top.  trap_area is memory of trap_size bytes where the host may put
 * an interrupted context.  ids is filled before start() runs.  *alive (may
 * be NULL) is set to 0 and woken with host_sync_wake when the thread has
 * left its stack for good. */
struct host_start {
	void (*start)(void *arg);
	void *arg;
	void *stack_top;
	void *trap_area;
	size_t trap_size;
	struct host_thread_ids *ids;
	uint32_t *alive;
};
int host_thread_create(const struct host_start *s);
/* A copy-on-write copy of this picoprocess with one thread. Shared mappings
 * and handles stay shared. */
int host_process_create(const struct host_start *s);
_Noreturn void host_thread_exit(void);
/* Make a thread leave a waiting call, or call the interrupt upcall in it. */
int host_interrupt(struct host_thread_ids ids);
/* Sleep while *word == value. Works between processes on shared memory. */
int host_sync_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns);
int host_sync_wake(uint32_t *word, unsigned count);

/* ---- streams: the data path, straight to the host --------------------- */
struct host_iovec { void *base; size_t size; }; /* as POSIX iovec */
int64_t host_stream_read(host_handle h, const struct host_iovec *iov,
			 unsigned count, uint64_t offset);
int64_t host_stream_write(host_handle h, const struct host_iovec *iov,
			  unsigned count, uint64_t offset);
struct host_addr { /* an internet address; all in network byte order */
	uint16_t family; /* 4 or 6; 0: none */
	uint16_t port;
	uint32_t scope;
	uint8_t ip[16];
};
host_handle host_stream_accept(host_handle h, struct host_addr *peer);
int host_stream_close(host_handle h);

enum { HOST_POLL_IN = 1, HOST_POLL_PRI = 2, HOST_POLL_OUT = 4,
       HOST_POLL_ERR = 8, HOST_POLL_HUP = 0x10, HOST_POLL_RDHUP = 0x2000,
       HOST_POLL_EXCLUSIVE = 1 << 28, HOST_POLL_ONESHOT = 1 << 30 };
#define HOST_POLL_EDGE (1u << 31)
struct host_pollfd { host_handle h; int16_t events, revents; };
/* Count of ready entries; 0 at the deadline. */
int host_poll(struct host_pollfd *fds, unsigned count, uint64_t deadline_ns);
enum { HOST_POLLSET_ADD = 1, HOST_POLLSET_DEL, HOST_POLLSET_MOD };
int host_pollset_ctl(host_handle set, int op, host_handle h, uint32_t events,
		     uint64_t cookie);
struct host_poll_event { uint32_t events; uint64_t cookie; }
	__attribute__((packed));
int host_pollset_wait(host_handle set, struct host_poll_event *ev,
		      unsigned count, uint64_t deadline_ns);

/* ---- streams and names: through the security monitor ------------------ */
enum host_kind { HOST_KIND_NONE, HOST_KIND_FILE, HOST_KIND_DIR,
		 HOST_KIND_SYMLINK, HOST_KIND_FIFO, HOST_KIND_SOCKET,
		 HOST_KIND_CHAR, HOST_KIND_BLOCK };
struct host_stat {
	uint64_t ino, dev, size, blocks; /* blocks of 512 bytes */
	uint32_t kind;                   /* enum host_kind */
	uint32_t mode;                   /* permission bits, 07777 */
	uint32_t uid, gid;               /* as the sandbox is to see them */
	uint32_t nlink, blksize;
	int64_t atime_ns, mtime_ns, ctime_ns;
};
/* Names are (tree, path): a tree of the manifest and a path below it, with
 * no leading '/', no "." or "..", no symlink on the way; "" is its root. */
enum host_open_kind {
	HOST_OPEN_FILE = 1,  /* tree, path, flags, mode */
	HOST_OPEN_LISTEN,    /* tree: index of the published port */
	HOST_OPEN_CONNECT,   /* addr; only with host network */
	HOST_OPEN_POLLSET,
	HOST_OPEN_EVENT,     /* 64-bit counter: write 8 bytes adds, read takes */
	HOST_OPEN_DATAGRAM,  /* tree: index of the published port (UDP):
	                      * messages are struct host_addr + payload */
	HOST_OPEN_CHANGES,   /* reads as records of struct host_change */
};
enum { HOST_OPEN_READ = 1, HOST_OPEN_WRITE = 2, HOST_OPEN_CREATE = 4,
       HOST_OPEN_EXCLUSIVE = 8, HOST_OPEN_TRUNCATE = 16,
       HOST_OPEN_APPEND = 32 };
struct host_open {
	uint32_t kind;  /* enum host_open_kind */
	uint32_t tree;
	uint32_t flags; /* HOST_OPEN_READ... */
	uint32_t mode;
	const char *path;
	struct host_addr addr;
	struct host_stat *stat; /* out, may be NULL; files only */
	struct host_open *next; /* to open along with it, or NULL */
	host_handle handle;     /* out, if there are others: it, or an error */
};
/* Several together take fewer turns; each can fail on its own. Returns the
 * first one's handle or error. */
host_handle host_stream_open(struct host_open *o);
/* Look up each component of path in turn; out[i] describes component i+1
 * components deep ("a/b": out[0] is a, out[1] is b; "": out[0] is the root).
 * Stops at the first that is not a directory; if that is a symlink its
 * target is stored in link.  Returns how many out[] were filled; the missing
 * component is told by *error (0 or -HOST_E...).  If open is not NULL and
 * path is that of a file which may be opened so, it is opened on the way. */
struct host_walk_open {
	uint32_t flags;     /* HOST_OPEN_READ, HOST_OPEN_WRITE, _WATCH */
	host_handle handle; /* out: or HOST_NO_HANDLE */
	int is_watched;     /* out: a change of what was found or was missing
			     * will be told by HOST_OPEN_CHANGES before
			     * anything else can come of it */
};
enum { HOST_WALK_WATCH = 64 };
/* A name in some directory is not, or is not as it was found.  No name:
 * anything may have changed. */
struct host_change {
	uint32_t reserved[3];
	uint32_t name_size; /* bytes that follow, filled up with NULs */
	char name[];
};
int host_path_walk(uint32_t tree, const char *path, struct host_stat *out,
		   unsigned max, char *link, size_t link_size, int *error,
		   struct host_walk_open *open);
/* Directory entries from *cursor (0 at first) as packed host_dirent records;
 * returns bytes stored, 0 at the end, and advances *cursor. */
struct host_dirent {
	uint64_t ino;
	uint16_t size; /* of this record, multiple of 8 */
	uint8_t kind;  /* enum host_kind, or 0: unknown */
	char name[];   /* NUL-terminated */
};
int64_t host_path_list(uint32_t tree, const char *path, uint64_t *cursor,
		       void *buf, size_t size);
int host_path_make(uint32_t tree, const char *path, enum host_kind kind,
		   uint32_t mode, const char *target);
int host_path_remove(uint32_t tree, const char *path, int is_dir);
enum { HOST_RENAME_NOREPLACE = 1, HOST_RENAME_EXCHANGE = 2 };
int host_path_rename(uint32_t tree, const char *from, const char *to,
		     unsigned flags);
int host_path_link(uint32_t tree, const char *from, const char *to);
enum { HOST_SET_MODE = 1, HOST_SET_ATIME = 2, HOST_SET_MTIME = 4,
       HOST_SET_OWNER = 8 };
struct host_setattr {
	uint32_t which; /* HOST_SET_... */
	uint32_t mode, uid, gid;
	int64_t atime_ns, mtime_ns;
};
int host_path_setattr(uint32_t tree, const char *path,
		      const struct host_setattr *a);
/* *is_cached (NULL: not asked for): all that anybody does to the file goes
 * through the memory that mappings of it show. */
int host_stream_stat(host_handle h, struct host_stat *st, int *is_cached);
int host_stream_resize(host_handle h, uint64_t size);
int host_stream_sync(host_handle h, int data_only);
enum { HOST_SHUT_READ = 0, HOST_SHUT_WRITE = 1, HOST_SHUT_BOTH = 2 };
int host_stream_shutdown(host_handle h, int how);

/* ---- clock, entropy, the sandbox itself -------------------------------- */
enum host_clock { HOST_CLOCK_REALTIME = 0, HOST_CLOCK_MONOTONIC = 1,
		  HOST_CLOCK_BOOT = 2,
		  HOST_CLOCK_PROCESS = 3, /* processor time; id: process */
		  HOST_CLOCK_THREAD = 4 };/* processor time; id: thread */
int host_clock_read(enum host_clock clock, int32_t id, uint64_t *ns);
int host_random(void *buf, size_t size);

enum host_event_kind {
	HOST_EVENT_NONE,
	HOST_EVENT_SIGNAL, /* a: signal number; token: 0 for the program, or
	                    * of a spawn */
	HOST_EVENT_WINDOW, /* a: rows << 16 | columns, b: console number */
	HOST_EVENT_SPAWN,  /* payload: struct boot_spawn, see boot.h */
	HOST_EVENT_PS,     /* a: token; answer with host_report */
	HOST_EVENT_HANGUP, /* b: console number */
	HOST_EVENT_FREEZE, /* bring every thread to a standstill and report
	                    * HOST_REPORT_FROZEN with token; with one handle:
	                    * to be saved, records go there
	                    * (save_stream.h) */
	HOST_EVENT_THAW,   /* a: HOST_THAW_... */
};
enum { HOST_THAW_WRITE = 1,  /* write the records of the save, else drop it */
       HOST_THAW_STAY = 2 }; /* and stay frozen */
#define HOST_EVENT_HANDLES 4
struct host_event {
	uint32_t kind; /* enum host_event_kind */
	uint32_t token;
	uint64_t a, b;
	uint32_t payload_size;
	uint32_t handle_count;
	host_handle handles[HOST_EVENT_HANDLES];
};
/* The next event of the monitor; -HOST_EAGAIN when there is none.  The
 * handle to wait on for events is boot_info.events. */
int host_event_next(struct host_event *ev, void *payload, size_t size);

enum host_report_kind {
	HOST_REPORT_LOG = 1,  /* text: a message for the user */
	HOST_REPORT_CRASH,    /* text: the library OS failed; ends the sandbox */
	HOST_REPORT_EXITED,   /* token: of a spawn; status as wait(2) has it */
	HOST_REPORT_ANSWER,   /* token: of an event; text: the answer (JSON) */
	HOST_REPORT_STARTED,  /* token: of a spawn; status: 0 or an errno */
	HOST_REPORT_FROZEN,   /* token: of the event; status: 0 or an errno */
};
int host_report(enum host_report_kind kind, uint32_t token, int32_t status,
		const char *text, size_t size);
/* End the whole sandbox; status as wait(2) has it. */
_Noreturn void host_exit(int32_t status);

/* ---- upcalls: the host enters the library OS --------------------------- */
/* Set before the first guest instruction; the context type is the
 * architecture's own (libos/arch). */
struct host_context;
struct host_upcalls {
	/* a system call instruction of the guest */
	void (*trap)(struct host_context *c);
	/* a processor fault, number and address as the architecture has them */
	void (*fault)(struct host_context *c);
	/* host_interrupt() reached this thread */
	void (*interrupt)(struct host_context *c);
};

#endif
