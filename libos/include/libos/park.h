/*
 * park.h - freezing the sandbox: every guest thread stands still at a place
 * from which it, or a host thread made later in its stead, can go on as if
 * nothing had happened (libos/core/park.c).
 */
#ifndef LIBOS_PARK_H
#define LIBOS_PARK_H

#include <libos/base.h>
#include <libos/task.h>

/* Stand still while the sandbox is frozen.  No lock may be held. */
void task_park(void);
/* The same where a thread may be asked to; true if it stood still.  Whoever
 * was about to wait must look at its condition again. */
static inline bool task_park_point(void)
{
	if (LIKELY(!(current()->work & WORK_PARK)))
		return false;
	task_park();
	return true;
}
/* A new host thread, before anything of the guest: is the sandbox being
 * frozen? */
void park_new_thread(struct task *t);

/* ---- for the service thread only ------------------------------------------ */
/* Returns when every guest thread stands still, or -ETIMEDOUT (then all go on
 * again).  It may be called while frozen. */
int park_freeze(void);
void park_thaw(void);
bool park_is_frozen(void);
/* While frozen: one thread of each picoprocess that has guest memory. */
void park_for_each_group(void (*fn)(struct task *t, void *arg), void *arg);
/* While frozen: t runs fn(arg), and all parked threads stay as they are.
 * Returns when it has. */
void park_run(struct task *t, void (*fn)(void *arg), void *arg);

/* ---- for resume.c ----------------------------------------------------------- */
/* The saved sandbox was frozen; now nothing stands still any more. */
void park_forget(void);

#endif
