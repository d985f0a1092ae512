/*
 * sysv_sem.h - the inside of a semaphore set, for sysv_sem.c and
 * sysv_semctl.c.  sem_sets.lock guards everything.
 */
#ifndef LIBOS_IPC_SYSV_SEM_H
#define LIBOS_IPC_SYSV_SEM_H

#include "sysv.h"

#define SEM_IDS_MAX 32000
#define SEM_PER_SET_MAX 32000
#define SEM_OPS_MAX 500
#define SEM_INLINE_OPS 8
#define SEM_VALUE_MAX 32767
#define SEM_UNDO_FLAG 0x1000

struct sembuf_k { u16 num; int16_t op, flags; };

struct proc;
struct sem { s32 value; s32 pid; };
struct sem_undo {
	struct list in_set;
	struct proc *proc;    /* no reference: sem_exit comes first */
	int16_t adjust[];
};
struct sem_sleeper { /* for GETNCNT and GETZCNT */
	struct list in_set;
	u16 num;
	bool for_zero;
};
struct sem_set {
	struct sysv_object object;
	u32 count;
	u32 changes;          /* of values, and removal: sleepers look again */
	s64 otime, ctime;
	struct list undos, sleepers;
	struct waitq wait;
	struct sem sems[];
};
static inline struct sem_set *sem_set_of(struct sysv_object *o)
{
	return container_of(o, struct sem_set, object);
}

extern struct sysv_table sem_sets;
struct sem_set *sem_find(s32 id);
void sem_changed(struct sem_set *s);
void sem_free_if_unused(struct sem_set *s); /* removed, nobody sleeps on it */

#endif
