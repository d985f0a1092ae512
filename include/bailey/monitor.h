/*
 * monitor.h - the requests that a picoprocess makes of the security monitor.
 *
 * Carried by one SOCK_SEQPACKET pair; the library OS sends one request at a
 * time (host/request.c) and reads one reply.  A request is struct
 * mon_request, the fixed part of its operation, then its strings, each
 * NUL-ended, in the order of the fields that count them; nothing follows.
 * mon_request.size is the size of the whole record.  At most one handle may
 * come along (SCM_RIGHTS), only where said.  A reply is struct mon_reply and
 * size bytes; at most one handle comes along.
 *
 * The monitor believes nothing here: a record that is not exactly of this
 * form ends the sandbox.  What is well formed but not permitted is answered
 * with an error number, counted and logged.
 */
#ifndef BAILEY_MONITOR_H
#define BAILEY_MONITOR_H

#include <stdint.h>

#include "host_abi.h"

#define MON_REQUEST_MAX 0xf000u /* bytes, header and strings included */
#define MON_REPLY_MAX 0xf000u
#define MON_LIST_MAX 0xe000u    /* bytes of entries in one reply */
#define MON_WALK_MAX 512u       /* components in one reply */
#define MON_RANDOM_MAX 256u
#define MON_TEXT_MAX 0xe000u    /* of a report */

enum mon_op {
	MON_OPEN = 1, MON_WALK, MON_LIST, MON_MAKE, MON_REMOVE, MON_RENAME,
	MON_LINK, MON_SETATTR, MON_STAT, MON_RESIZE, MON_SYNC, MON_SHUTDOWN,
	MON_CLOCK, MON_RANDOM, MON_REPORT, MON_EXIT, MON_OP_COUNT
};

struct mon_request {
	uint32_t op;    /* enum mon_op */
	uint32_t size;  /* of the whole record */
	uint32_t token; /* comes back in the reply */
	uint32_t pad;   /* 0 */
};
struct mon_reply {
	uint32_t token;
	int32_t error;  /* 0 or -HOST_E... */
	uint64_t value; /* count, cursor, time; by operation */
	uint32_t size;  /* of the payload */
	uint32_t handle_count; /* 0 or 1 */
};

struct mon_open {  /* reply: a handle; FILE: payload struct host_stat */
	uint32_t kind, tree, flags, mode;
	struct host_addr addr;
	uint32_t path_size; /* with the NUL; 0 where there is no path */
	uint32_t pad;
};
struct mon_walk {  /* reply: struct mon_walked, host_stat[], link target */
	uint32_t tree, max, path_size;
	uint32_t open; /* HOST_OPEN_*: if it is such a file, a handle comes
			* along; HOST_WALK_WATCH */
};
struct mon_walked {
	uint32_t count;     /* of host_stat */
	int32_t error;      /* of the component after those */
	uint32_t link_size; /* with the NUL; 0: none */
	uint32_t is_watched; /* changes will be told */
};
struct mon_list {  /* reply: value: next cursor; payload: host_dirent... */
	uint64_t cursor;
	uint32_t tree, max, path_size, pad;
};
struct mon_make {
	uint32_t tree, kind, mode, path_size;
	uint32_t target_size; /* of a symlink, else 0 */
	uint32_t pad;
};
struct mon_remove {
	uint32_t tree, is_dir, path_size, pad;
};
struct mon_rename { /* also MON_LINK (flags 0) */
	uint32_t tree, flags, from_size, to_size;
};
struct mon_setattr {
	struct host_setattr attr;
	uint32_t tree, path_size;
};
/* With one handle: */
struct mon_handle {  /* STAT: reply payload struct host_stat, value: cached */
	uint64_t value; /* RESIZE: size; SYNC: data only; SHUTDOWN: how */
};
struct mon_clock {   /* reply: value */
	uint32_t clock;
	int32_t id;
};
struct mon_random {  /* reply: payload */
	uint32_t size, pad;
};
struct mon_report {  /* no reply */
	uint32_t kind, token;
	int32_t status;
	uint32_t text_size; /* bytes, no NUL */
};
struct mon_exit {    /* no reply */
	int32_t status;
	uint32_t pad;
};

_Static_assert(sizeof(struct host_addr) == 24, "layout");
_Static_assert(sizeof(struct host_stat) == 80, "layout");
_Static_assert(sizeof(struct host_setattr) == 32, "layout");
_Static_assert(sizeof(struct host_event) == 48, "layout");
_Static_assert(sizeof(struct mon_request) == 16, "layout");
_Static_assert(sizeof(struct mon_reply) == 24, "layout");
_Static_assert(sizeof(struct mon_open) == 48, "layout");
_Static_assert(sizeof(struct mon_walk) == 16, "layout");
_Static_assert(sizeof(struct mon_walked) == 16, "layout");
_Static_assert(sizeof(struct mon_list) == 24, "layout");
_Static_assert(sizeof(struct mon_make) == 24, "layout");
_Static_assert(sizeof(struct mon_remove) == 16, "layout");
_Static_assert(sizeof(struct mon_rename) == 16, "layout");
_Static_assert(sizeof(struct mon_setattr) == 40, "layout");
_Static_assert(sizeof(struct mon_handle) == 8, "layout");
_Static_assert(sizeof(struct mon_clock) == 8, "layout");
_Static_assert(sizeof(struct mon_random) == 8, "layout");
_Static_assert(sizeof(struct mon_report) == 16, "layout");
_Static_assert(sizeof(struct mon_exit) == 8, "layout");

/* Events go the other way, on BLY_FD_EVENTS: struct host_event (handles[]
 * meaningless on the wire), payload_size bytes, handle_count handles. */
#define MON_EVENT_MAX 0x20100u

#endif
