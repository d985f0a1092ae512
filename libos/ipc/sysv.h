/*
 * sysv.h - what shared memory, semaphores and message queues of System V have
 * in common: keys, identifiers, permissions.
 *
 * An identifier is a table index plus a sequence number, so that an old one
 * is not mistaken for a new object.  One lock per kind guards its table and
 * all its objects.
 */
#ifndef LIBOS_IPC_SYSV_H
#define LIBOS_IPC_SYSV_H

#include <libos/base.h>
#include <libos/lock.h>

#include <linux/ipc.h>
#include <asm/ipcbuf.h>

#define SYSV_MAX_INDEX 32768u
#define SYSV_CMD_64 0x100 /* IPC_64: what every 64-bit program gets */
#define CAP_SYS_ADMIN_BIT 21
#define CAP_IPC_OWNER_BIT 15
#define CAP_SYS_RESOURCE_BIT 24

struct sysv_object { /* first in each kind's own structure */
	s32 key;
	s32 id;
	u32 uid, gid, cuid, cgid;
	u32 mode;           /* permissions, and SHM_DEST */
	u32 sequence;
	bool removed;       /* no longer in the table */
};

struct sysv_table {
	struct mutex lock;
	struct sysv_object **slots;
	u32 capacity, count, limit;
	u32 highest;        /* index in use, for *_INFO */
	u32 sequence;
};
#define SYSV_TABLE_INIT(max) { MUTEX_INIT, NULL, 0, 0, (max), 0, 0 }

/* All with the table's lock held. */
/* Enter o; its id is set.  -ENOSPC, -ENOMEM. */
int sysv_enter(struct sysv_table *t, struct sysv_object *o, s32 key, u32 mode);
void sysv_remove(struct sysv_table *t, struct sysv_object *o);
struct sysv_object *sysv_find(struct sysv_table *t, s32 id); /* or NULL */
struct sysv_object *sysv_find_key(struct sysv_table *t, s32 key);
struct sysv_object *sysv_at(struct sysv_table *t, u32 index);
/* want: 4 read, 2 write (of the nine permission bits). 0 or -EACCES */
int sysv_permission(const struct sysv_object *o, u32 want);
/* May current() change or remove it? 0 or -EPERM */
int sysv_may_control(const struct sysv_object *o);
void sysv_get_perm(const struct sysv_object *o, struct ipc64_perm *p);
int sysv_set_perm(struct sysv_object *o, const struct ipc64_perm *p);
/* The start of every *get: the object that key means, NULL if one is to be
 * made, or an error. */
struct sysv_object *sysv_get(struct sysv_table *t, s32 key, u32 flags);
s64 sysv_now(void); /* seconds of CLOCK_REALTIME */

#endif
