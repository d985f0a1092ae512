/*
 * mon.h - what the files of the security monitor share.
 *
 * There is one struct monitor.  The command fills it before the monitor
 * exists (prepare.c), the monitor inherits it by fork and adds its own half
 * (loop.c).  The monitor allocates no memory after its start: all its
 * buffers are static.
 */
#ifndef MONITOR_MON_H
#define MONITOR_MON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bailey/boot.h>
#include <bailey/image_header.h>
#include <bailey/monitor.h>
#include <bailey/sandbox.h>
#include "lib/err.h"

#define MON_TREES 128
#define MON_PORTS 64
#define MON_CLIENTS 32
#define MON_RELAYS MON_PORTS
#define MON_VDSO_PARTS 6
#define MON_NOBODY 65534u

/* One host tree that the guest sees; its index is the ABI's `tree`. */
struct mon_tree {
	int fd;            /* O_PATH directory; of the parent for a file */
	bool is_volume;
	bool read_only;
	bool whole;        /* also what is not world-readable */
	char name[256];    /* of a single file in fd, or "" */
	uint64_t dev;
	uint64_t mount_id; /* of the mount made for it, or 0 */
	const char *host;  /* path, valid until the namespaces are made */
};

struct mon_port {
	int fd;            /* bound socket in the host's network */
	int proto;
	uint16_t guest_port;
	bool is_listening; /* UDP: the guest has its relay */
};

/* One UDP port that the guest opened: host socket <-> socket pair. */
struct mon_relay {
	int host, guest;
	uint32_t port;
};

struct mon_client {
	int fd;            /* -1: free slot */
	bool is_owner;     /* the command that started the sandbox */
	bool is_waiting;   /* has a PS question open */
	uint32_t ps_token;
	/* spawns of this connection that run */
	struct { uint32_t token; bool used; } spawns[8];
};

/* The host's clock code, in pieces (vvar, vdso), as the command has it. */
struct mon_vdso {
	unsigned count;
	struct { uint64_t start, size; } part[MON_VDSO_PARTS];
	uint64_t low, code, code_size; /* of them all; of the vdso itself */
	unsigned long brk_start; /* the command's own memory */
};

struct mon_image {
	int fd;
	struct bly_image_header header;
	unsigned text_count;
	struct {
		uint64_t address, size, offset;
		int prot;
	} text[8];
};

struct monitor {
	/* from the command */
	const struct sandbox_config *config;
	uid_t host_uid;         /* of the invoking user */
	gid_t host_gid;
	uid_t uid;              /* that the sandbox runs under */
	gid_t gid;
	bool was_root;
	bool network_host;
	int network;            /* an empty one to live in, or -1: its own */
	uint64_t memory;        /* its limit, 0: none */
	bool detach;
	bool log_console;       /* the console's far end is ours */
	struct mon_tree trees[MON_TREES];
	unsigned tree_count;
	struct mon_port ports[MON_PORTS];
	unsigned port_count;
	struct mon_image image;
	struct mon_vdso vdso;
	int heap;               /* memfd */
	int request, request_far; /* our end, the picoprocess's end */
	int events, events_far;
	int command;            /* our end of the command's connection */
	int listener;           /* control socket */
	int log, messages, denied, exit_file; /* in the state directory */
	int console;            /* detached terminal: our end, or -1 */
	int stdio[3];           /* the program's, or -1 */
	int trace;
	int cgroup;             /* the sandbox's own directory, or -1 */
	int cgroup_events;      /* its memory.events, or -1 */
	unsigned cgroup_has;    /* CGROUP_*: the limits that it keeps */
	int pages;              /* of a saved sandbox, or -1 */
	host_handle stdio_handle[3], trace_handle, pages_handle;

	/* the running monitor's own */
	int signals;            /* signalfd */
	pid_t init;             /* first picoprocess */
	struct mon_client clients[MON_CLIENTS];
	struct mon_relay relays[MON_RELAYS];
	unsigned relay_count;
	uint32_t next_token;
	bool is_started;        /* the program runs */
	struct {                /* standing still: freeze.c */
		bool is_paused; /* because a command wants it so */
		struct mon_client *client; /* waits for it; NULL: nobody */
		uint32_t op;    /* its request: CTL_PAUSE or CTL_SAVE */
		uint32_t token;
		bool is_frozen; /* for that client's save */
	} freeze;
	uint32_t denied_count;
	uint64_t request_count;
	uint64_t start_ns;
	uint64_t reap_ns;       /* deaths are not looked at before, 0: now */
};

/* ---- start, in the command --------------------------------------------- */
int prepare_trees(struct monitor *m, struct err *e);
int trees_mount(struct monitor *m, struct err *e);
void mounts_share(void); /* as sandbox_share() */
void mounts_reap(void);  /* once there is time for it */
int prepare_ports(struct monitor *m, struct err *e);
int prepare_state(struct monitor *m, struct err *e);
int prepare_stdio(struct monitor *m, struct err *e);
int image_open(struct monitor *m, struct err *e);
int image_copy_data(struct monitor *m, struct err *e);
/* Instead: the kernel heap of a saved sandbox (resume.c). */
int resume_fill_heap(struct monitor *m, struct err *e);
void vdso_find(struct mon_vdso *v);
/* Build the boot record and write it into the heap. */
int boot_write(struct monitor *m, struct err *e);

/* ---- from the command to its monitor (handover.c) ------------------------ */
#define MON_HANDLES (24 + MON_TREES + MON_PORTS)
/* All that start.c and prepare.c opened: the fields of m that hold it. far:
 * with what the picoprocess gets and what only the start needs. */
unsigned monitor_fields(struct monitor *m, int **out, bool far);
int handover_send(struct monitor *m, int to, struct err *e);
int handover_receive(struct monitor *m); /* from m->command */

/* ---- the host's control groups (cgroup.c) -------------------------------- */
/* In the command; where there is none, m->cgroup stays -1. */
void cgroup_make(struct monitor *m);
/* A process of the command's, born in the group dir (-1: in our own). */
pid_t cgroup_clone(unsigned long flags, int dir);
void cgroup_choose_cpus(const struct monitor *m);
unsigned cgroup_probe(void); /* CGROUP_*: what a sandbox could have */
bool cgroup_is_oom(const struct monitor *m);

/* ---- start, in the monitor ---------------------------------------------- */
int namespaces_enter(struct monitor *m, struct err *e);
int namespaces_close_root(struct monitor *m, struct err *e);
int namespaces_drop_root(struct err *e);
int privileges_drop(struct err *e);
int loader_start(struct monitor *m, struct err *e);
/* Needs nothing but what is in memory; only the host's text may call. */
struct sock_filter;
#define WALL_MAX 512
unsigned wall_build(struct sock_filter *out, unsigned max, uint64_t text_start,
		    uint64_t text_end);
int lockdown(struct monitor *m, struct err *e);
_Noreturn void monitor_run(struct monitor *m);

/* ---- while it runs ------------------------------------------------------- */
/* End the sandbox; text: why it failed, or NULL. */
_Noreturn void monitor_end(struct monitor *m, int wait_status,
			   const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void monitor_message(struct monitor *m, const char *text, size_t size);
void monitor_close(int fd);

void control_accept(struct monitor *m);
void control_read(struct monitor *m, struct mon_client *c);
void control_drop(struct monitor *m, struct mon_client *c);
void control_end(struct monitor *m, int wait_status, const char *text);
void control_report(struct monitor *m, const struct mon_report *r,
		    const char *text);
int event_send(struct monitor *m, const struct host_event *ev,
	       const void *payload, const int *fds);
void client_done(struct monitor *m, struct mon_client *c, uint32_t op,
		 uint32_t token, const void *payload, size_t size);
void client_error(struct monitor *m, struct mon_client *c, uint32_t op,
		  int error, const char *text);

/* freeze.c: CTL_PAUSE, CTL_UNPAUSE, CTL_SAVE, CTL_THAW; the library OS's
 * answer; a client that goes away. */
void freeze_request(struct monitor *m, struct mon_client *c,
		    const struct control_msg *q, const int *fds,
		    unsigned fd_count);
void freeze_report(struct monitor *m, const struct mon_report *r);
void freeze_client_gone(struct monitor *m, struct mon_client *c);

/* One request, as received. */
struct mon_call {
	struct monitor *m;
	const void *fixed;      /* the operation's struct */
	const char *text;       /* what follows it */
	uint32_t text_size;
	int handle;             /* that came along, or -1 */
	/* the answer */
	struct mon_reply reply;
	int reply_handle;       /* to send, or -1 */
	bool keep_handle;       /* do not close it after sending */
	bool no_reply;
	uint8_t *payload;       /* MON_REPLY_MAX bytes */
};
bool dispatch_read(struct monitor *m); /* true: something was answered */
/* For tests: answer one record. Returns false if it was malformed. */
bool dispatch_record(struct mon_call *c, const void *record, size_t size);
/* Log a refusal and return -error. */
int denied(struct mon_call *c, const char *what, const char *path, int error);

int answer_open(struct mon_call *c);
int answer_walk(struct mon_call *c);
int answer_list(struct mon_call *c);
int answer_make(struct mon_call *c);
int answer_remove(struct mon_call *c);
int answer_rename(struct mon_call *c);
int answer_link(struct mon_call *c);
int answer_setattr(struct mon_call *c);
int answer_stat(struct mon_call *c);
int answer_resize(struct mon_call *c);
int answer_sync(struct mon_call *c);
int answer_shutdown(struct mon_call *c);
int answer_clock(struct mon_call *c);
int answer_random(struct mon_call *c);
int answer_report(struct mon_call *c);
int answer_exit(struct mon_call *c);

int open_listen(struct mon_call *c, const struct mon_open *q);
int open_connect(struct mon_call *c, const struct mon_open *q);
int open_datagram(struct mon_call *c, const struct mon_open *q);
int open_pollset(struct mon_call *c);
int open_event(struct mon_call *c);
int open_changes(struct mon_call *c);
int open_file(struct mon_call *c, const struct mon_open *q);
void relay_run(struct monitor *m, struct mon_relay *r, bool from_host);

/* A path as requests have it: exactly size bytes with its NUL, relative, no
 * empty, "." or ".." component. */
bool path_is_plain(const char *path, uint32_t size);

#endif
