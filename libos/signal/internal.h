/*
 * internal.h - shared by the files of libos/signal only.
 */
#ifndef LIBOS_SIGNAL_INTERNAL_H
#define LIBOS_SIGNAL_INTERNAL_H

#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/task.h>

#define SIG_DFL_HANDLER 0ul
#define SIG_IGN_HANDLER 1ul

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#define SS_ONSTACK 1u
#define SS_DISABLE 2u
#endif

#define SIGS_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SIGS_STOP                                                            \
	(SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define SIGS_IGNORED                                                         \
	(SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGWINCH) | SIGBIT(SIGURG))
#define SIGS_SYNCHRONOUS                                                     \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) \
	 | SIGBIT(SIGFPE) | SIGBIT(SIGSYS))

static inline bool sig_valid(int sig) { return sig >= 1 && sig <= NSIG; }

/* queue.c; sighand->lock held */
struct sigqueue *sigqueue_new(struct proc *p, int sig, const siginfo_t *info);
void sigqueue_drop(struct sigqueue *q);
int pending_take(struct sigpending *p, sigset mask, siginfo_t *info);
void pending_remove(struct sigpending *p, sigset mask);
int signal_take_locked(struct task *t, sigset mask, siginfo_t *info);

/* send.c; p's sighand->lock held; t NULL: to the whole process */
int signal_post_locked(struct proc *p, struct task *t, int sig,
		       const siginfo_t *info, struct posix_timer *timer);
void signal_retarget(struct task *t, sigset which);

/* stop.c */
void signal_stop_begin(struct task *t, int sig); /* sighand->lock held */
void signal_stop_wait(struct task *t);
void signal_continue(struct proc *p);            /* sighand->lock held */
void signal_tell_continued(struct proc *p);

#endif
