/*
 * timers.h - a process's timers (interval timers, POSIX timers, the
 * processor-time limit) for fork, exec and exit.
 */
#ifndef LIBOS_TIMERS_H
#define LIBOS_TIMERS_H

#include <libos/base.h>
#include <libos/signal.h>

struct proc;
struct posix_timer;

void timers_exit(struct proc *p);      /* the process ends: all go */
void timers_exec(struct proc *p);      /* POSIX timers go, itimers stay */
/* RLIMIT_CPU was set: watch the process's time. */
void timers_watch_cpu_limit(struct proc *p);
/* A timer's signal has been taken from the queue: fill in the overrun. */
void posix_timer_delivered(struct posix_timer *pt, siginfo_t *info);

#endif
