/*
 * sandbox.h - how the command starts a sandbox and talks to a running one.
 *
 * The command fills a struct sandbox_config and calls sandbox_start(), which
 * makes the security monitor (a child process, pid 1 of the sandbox's own
 * namespaces), which starts the first picoprocess.  From then on everything
 * goes through messages on a SOCK_SEQPACKET socket: the connection that
 * sandbox_start() leaves in struct sandbox, and any number of later ones
 * through the socket `control` in the sandbox's state directory.
 *
 * Files that sandbox_start() makes in the state directory (mode 0600):
 *   control   listening control socket
 *   log       bytes that a detached program wrote to stdout and stderr
 *   messages  our own messages, one a line
 *   denied    refused requests, one JSON object a line
 *   exit      empty while it runs; then "<wait status> <text>\n"
 *   cgroup    path of its control group on the host, if it has one
 * A sandbox whose control socket refuses connections and whose exit file is
 * empty was killed from outside (status 137).
 */
#ifndef BAILEY_SANDBOX_H
#define BAILEY_SANDBOX_H

#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

#include <bailey/boot.h>
#include "lib/err.h"

/* What the guest sees, in the order of mounting; kinds and flags are those
 * of boot.h. */
/* For trees that the user gave (--rootfs): all that the invoking user may
 * read.  Without it a LAYER shows only what every user of the host may read,
 * so no /etc/shadow, not even to root. */
#define SANDBOX_MOUNT_WHOLE 0x100u
struct sandbox_mount {
	uint32_t kind;      /* enum boot_mount_kind */
	uint32_t flags;     /* BOOT_MOUNT_RO, BOOT_MOUNT_NOEXEC,
	                     * SANDBOX_MOUNT_WHOLE */
	uint32_t mode;      /* FILE, DIR, TMPFS */
	const char *guest;  /* absolute path inside */
	const char *host;   /* LAYER, VOLUME: host path (file or directory) */
	const char *text;   /* FILE content, SYMLINK target */
	uint64_t size;      /* TMPFS limit in bytes, 0: none */
};
enum { SANDBOX_TCP = 6, SANDBOX_UDP = 17 };
struct sandbox_port {
	const char *host_ip; /* numeric v4 or v6; NULL: 0.0.0.0 */
	uint16_t host_port;  /* 0: any; sandbox_start() fills it in */
	uint16_t guest_port;
	int proto;           /* SANDBOX_TCP, SANDBOX_UDP */
};
enum sandbox_network { SANDBOX_NET_NONE, SANDBOX_NET_HOST };

struct sandbox_config {
	const char *name;       /* as the user knows it */
	const char *id;         /* 64 hexadecimal digits */
	const char *hostname;
	const char *libos;      /* path of libos.elf; NULL: beside the command,
	                         * or in ../lib/bailey/ */

	/* file systems: the root is mounts[0] (guest "/"): a LAYER over the
	 * --rootfs directory, or a TMPFS or DIR for the default view */
	struct sandbox_mount *mounts;
	size_t mount_count;
	bool read_only;

	struct sandbox_port *ports;
	size_t port_count;
	enum sandbox_network network;

	/* the program */
	char *const *argv;      /* NULL-ended; argv[0] is searched in PATH of
	                         * envp, inside */
	char *const *envp;      /* NULL-ended */
	const char *cwd;
	uint32_t uid, gid;      /* inside */
	const uint32_t *groups;
	size_t group_count;
	uint32_t umask;
	bool tty;               /* fds[0] is the console's stream, both ways */
	uint32_t rows, columns; /* of the console */
	int fds[3];             /* what the program gets as 0, 1, 2 (not closed
	                         * here). -1: 0 is empty, 1 and 2 go to the
	                         * log. tty with fds[0] == -1 (detached): the
	                         * monitor copies the console to the log */
	int trace_fd;           /* BOOT_TRACE's stream, or -1 */

	/* limits; 0: none */
	uint64_t memory;        /* bytes */
	uint32_t pids;
	uint32_t cpu_milli;     /* thousandths of a processor */
	const char *processor;  /* level that it keeps to, or NULL: all */
	const struct boot_limit *limits; /* --ulimit */
	size_t limit_count;

	/* a saved sandbox to go on with, instead of a program to start: its
	 * unpacked pages (pages.h), readable only; -1: none.  libos is then
	 * the library OS that it was saved under, and argv is not used. */
	int resume_pages;
	int empty_network;      /* of sandbox_empty_network(), or -1: none */

	const char *state_dir;  /* exists, ours, mode 0700 */
	bool detach;            /* lives on when the command has ended */
	bool debug;             /* BOOT_DEBUG */
};

struct sandbox {
	pid_t monitor;  /* child of the caller; host's number */
	int control;    /* connection to the monitor, SOCK_SEQPACKET */
	bool has_ended; /* before sandbox_start() returned: see status, text */
	int status;
	char text[512]; /* messages for the user so far, one a line */
};

/* A network namespace without any interface that several sandboxes of this
 * command live in, instead of each in one of its own: making one takes the
 * host a third of a sandbox's start and 0.2 MB.  Only root can: an ordinary
 * user's sandbox may not enter one that it does not own.  -1: none. */
int sandbox_empty_network(void);
/* Optional, before sandbox_start(): the monitor isolates itself while the
 * command still looks at what it is to start.  Of the configuration only the
 * network and the limits must be known; if they change, or there are limits,
 * sandbox_start() begins anew.  What was begun ends with the command. */
void sandbox_begin(const struct sandbox_config *c);
/*
 * Start; returns 0 when the program has been started (exec done).  Otherwise
 * -1 with e->status 125 (ours), 126 (cannot be executed) or 127 (not found);
 * then nothing is left behind but the files in the state directory.
 */
int sandbox_start(const struct sandbox_config *c, struct sandbox *out,
		  struct err *e);
/* For a process that, or whose children, start many: find once what all of them
 * would find. */
void sandbox_share(void);
/* Wait for the end: *status as wait(2) has it; text (may be NULL) gets why
 * if the sandbox failed rather than ended. */
int sandbox_wait(struct sandbox *s, int *status, char *text, size_t size,
		 struct err *e);
/* After sandbox_wait: free what sandbox_start made.  When the end has been told
 * no process of the sandbox runs and its ports are free; the monitor itself,
 * whose namespaces the host's kernel takes a millisecond over, may not be
 * gone yet. */
void sandbox_reap(struct sandbox *s);
/* Exit status of a command for a wait(2) status: 0..255, 128+n. */
int sandbox_exit_code(int wait_status);
/* Forget a detached sandbox: close the connection, do not wait. */
void sandbox_release(struct sandbox *s);
/* Connect to the control socket in this state directory: an fd, or -1 with
 * errno (ECONNREFUSED, ENOENT: it is not running). */
int sandbox_connect(const char *state_dir);

/* ---- the control protocol ------------------------------------------------ */
/*
 * Each message is one SOCK_SEQPACKET record: this header, then size bytes.
 * A command sends requests; each gets exactly one CTL_DONE or CTL_ERROR with
 * the same op in `b`, except where noted.  The monitor sends CTL_STARTED,
 * CTL_EXITED and CTL_ENDED when they happen.
 */
enum control_op {
	/* requests */
	CTL_PING = 1,
	CTL_KILL,   /* a: signal, to the program (pid 1 inside); SIGKILL ends
	             * the sandbox */
	CTL_SPAWN,  /* payload: struct boot_spawn + its strings; SCM_RIGHTS:
	             * 1 (tty) or 3 handles.  Answers: CTL_DONE with token,
	             * then CTL_STARTED, then CTL_EXITED.  When the client goes
	             * away, the console hangs up */
	CTL_SIGNAL, /* a: signal, token: of a spawn of this connection */
	CTL_WINDOW, /* a: rows, b: columns, token: 0 the main console, or of
	             * a spawn of this connection; no answer */
	CTL_PS,     /* answer's payload: JSON text from the library OS, which
	             * may be cut; a: number of processes */
	CTL_STATE,  /* answer's payload: struct control_state */
	CTL_DENIED, /* answer's payload: the last refused requests (text) */
	CTL_PAUSE,  /* freeze; CTL_DONE when every thread stands still */
	CTL_UNPAUSE,/* let go again */
	CTL_SAVE,   /* SCM_RIGHTS: 1 handle, where the library OS writes its
	             * save records (save_stream.h).  CTL_DONE, or CTL_ERROR
	             * when a save is going on; then CTL_FROZEN.  If this
	             * connection goes away before CTL_THAW, the sandbox goes
	             * on as it was */
	CTL_THAW,   /* after CTL_FROZEN, once the heap has been copied; a: 1
	             * stay paused, 0 as before the save.  The records are
	             * written after this, while the program runs on */
	CTL_WAIT,   /* no CTL_DONE; CTL_ENDED comes when the sandbox ends (it
	             * also comes to every other connection) */
	CTL_HEAP,   /* CTL_DONE with SCM_RIGHTS: the kernel heap, as it changes,
	             * so that room for its copy can be made before CTL_SAVE */
	/* answers */
	CTL_DONE = 32,
	CTL_ERROR,  /* a: errno; payload: text */
	CTL_STARTED,/* token; a: 0 or errno of exec; payload: text */
	CTL_EXITED, /* token; a: wait status of a spawned process */
	CTL_ENDED,  /* a: wait status of the sandbox; payload: why it failed,
	             * or nothing */
	CTL_MESSAGE,/* only to the starting command: a line for the user */
	CTL_FROZEN, /* SCM_RIGHTS: the kernel heap, to be copied now; a: 0, or
	             * an errno with payload text: it cannot be saved */
};
struct control_msg {
	uint32_t op;    /* enum control_op */
	uint32_t token;
	int32_t a;
	uint32_t b;
	uint32_t size;  /* of the payload that follows */
	uint32_t pad;
};
#define CONTROL_PAYLOAD_MAX 0x20000u /* 128 KiB */
struct control_state {
	uint64_t requests;      /* all requests so far */
	uint64_t start_ns;      /* CLOCK_REALTIME at the start */
	uint32_t denied;        /* refused requests so far */
	uint32_t program_started;
	uint32_t is_paused;
	int32_t init_pid;       /* first picoprocess, inside the namespace */
};

/* Send and receive one message. fds may be NULL. control_recv returns 1 for
 * a message, 0 when the peer is gone, -1 with errno; payload is always
 * NUL-ended (size includes room for it). */
int control_send(int fd, const struct control_msg *m, const void *payload,
		 const int *fds, unsigned fd_count);
int control_recv(int fd, struct control_msg *m, void *payload, size_t size);
/* The same, taking the one handle that may come along: *handle, or -1. */
int control_recv_handle(int fd, struct control_msg *m, void *payload,
			size_t size, int *handle);

/* The boot_spawn record for CTL_SPAWN from argv, envp...: malloc'd, *size
 * set; NULL with e filled when it is too long. */
struct boot_spawn *sandbox_spawn_record(const struct sandbox_config *c,
					size_t *size, struct err *e);

/* ---- for `bailey doctor` and `bailey abi --host` -------------------------- */
struct wall_entry {
	const char *name;   /* host system call */
	int number;
	const char *filter; /* on its arguments */
	const char *reason;
};
extern const struct wall_entry wall_table[];
extern const unsigned wall_table_count;

enum { CGROUP_MEMORY = 1, CGROUP_PIDS = 2, CGROUP_CPU = 4 };
/* The sandbox of this state directory is gone: remove its control group.
 * True if the host has ended it for want of memory. */
bool sandbox_cgroup_remove(const char *state_dir);

/* What this host offers for the monitor; each is tried, not guessed. */
struct sandbox_probe {
	bool user_namespaces;
	int user_namespaces_errno;
	bool seccomp;
	int landlock_version;   /* 0: none */
	bool idmapped_mounts;   /* root only */
	bool openat2;
	unsigned cgroup;        /* CGROUP_*: what a control group of the host
	                         * can keep for a sandbox */
};
void sandbox_probe(struct sandbox_probe *p);

#endif
