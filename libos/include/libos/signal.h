/*
 * signal.h - signals: sets, queues, actions, delivery.
 *
 * Posting:  signal_send_* append to a queue, set WORK_SIGNAL and kick.
 * Delivery: exit_work() (on the way back to the guest) calls
 * signal_deliver(), which takes one signal and builds the guest's frame
 * (arch), stops, or ends the process.
 */
#ifndef LIBOS_SIGNAL_H
#define LIBOS_SIGNAL_H

#include <libos/base.h>
#include <libos/lock.h>

#include <asm/siginfo.h>
#include <asm/signal.h>

#undef NSIG
#define NSIG 64
typedef u64 sigset;
#define SIGBIT(n) (1ull << ((n) - 1))

struct sigqueue {
	struct list node;
	siginfo_t info;
	struct posix_timer *timer; /* overrun accounting, or NULL */
};
struct sigpending {
	sigset set;
	struct list queue; /* struct sigqueue */
};
struct ksigaction { /* exactly the kernel's struct sigaction on x86-64 */
	u64 handler; /* SIG_DFL 0, SIG_IGN 1 */
	u64 flags;
	u64 restorer;
	sigset mask;
};
struct sighand {
	struct ref ref;
	struct mutex lock;
	struct ksigaction action[NSIG]; /* [sig - 1] */
	struct waitq signalfd_wait;     /* woken whenever something is posted */
};
struct sigaltstack_state { u64 sp; u64 size; u32 flags; };

struct task;
struct proc;

/* All return 0 or -EAGAIN (queue limit); info may be NULL: from the kernel.
 * signal_send_proc and _pgrp: tasklist_lock need not be held. */
int signal_send_task(struct task *t, int sig, const siginfo_t *info);
int signal_send_proc(struct proc *p, int sig, const siginfo_t *info);
int signal_send_pgrp(s32 pgid, int sig, const siginfo_t *info);
/* A synchronous fault of the current thread: cannot be blocked/ignored. */
void signal_force(int sig, const siginfo_t *info);
bool signal_pending(struct task *t); /* an unblocked one, or must exit */
void signal_recalc(struct task *t);  /* sighand->lock held: set/clear WORK_SIGNAL */
void signal_set_mask(struct task *t, sigset mask); /* takes the lock */
/* Temporary mask for sigsuspend/ppoll/pselect/epoll_pwait: installed now,
 * the old one restored when the call returns to the guest (after handlers). */
void signal_set_temporary_mask(struct task *t, sigset mask);
void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p);
/* Take one signal of `mask` (dequeue) for sigtimedwait and signalfd;
 * returns its number or 0. */
int signal_dequeue(struct task *t, sigset mask, siginfo_t *info);
struct sighand *sighand_alloc(void);
/* Lock p's table (execve may exchange it) and return it. */
struct sighand *sighand_lock(struct proc *p);
struct sighand *sighand_copy(struct sighand *s);
void sighand_put(struct sighand *s);
void sighand_reset_for_exec(struct proc *p);
/* On the way back to the guest: leave, stop, run handlers, restart calls. */
void signal_exit_work(struct task *t);
/* A POSIX timer's signal (t NULL: to the process): 1 queued, 0 ignored. */
int signal_send_timer(struct proc *p, struct task *t, const siginfo_t *info,
		      struct posix_timer *timer);
/* The timer goes: its queued signal no longer refers to it. */
void signal_forget_timer(struct proc *p, struct posix_timer *timer);
/* The parent hears of a child's death.  tasklist_lock held.  True if nobody
 * will wait for it. */
bool signal_notify_exit(struct proc *child, struct proc *parent);
/* A thread leaves: others take over its share of the process's signals, a
 * group stop no longer waits for it.  sighand->lock held. */
void signal_thread_leaves(struct task *t);

#endif
