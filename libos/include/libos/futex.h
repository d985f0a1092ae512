/*
 * futex.h - the futex calls' core, for those inside that wake guests.
 */
#ifndef LIBOS_FUTEX_H
#define LIBOS_FUTEX_H

#include <libos/base.h>

struct task;

/* FUTEX_WAKE at addr of the current address space; shared: the key is the
 * mapped object's.  Count of woken waiters or -errno. */
long futex_wake_user(u64 addr, bool shared, u32 count, u32 bitset);
/* The current thread ends or execs: robust lists, clear_child_tid. */
void futex_exit(struct task *t);

#endif
