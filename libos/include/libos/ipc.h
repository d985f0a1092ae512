/*
 * ipc.h - pipes, event files, epoll, waiting for host handles, SysV IPC:
 * what the rest of the library OS needs of them.
 */
#ifndef LIBOS_IPC_H
#define LIBOS_IPC_H

#include <bailey/host_abi.h>
#include <libos/base.h>
#include <libos/file.h>
#include <libos/lock.h>

struct inode;
struct proc;
struct task;

/* ---- pipes and FIFOs (pipe.c, fifo.c) ------------------------------------- */
/* Open a FIFO: gives f its ops and priv, waits for the other end as open(2)
 * says.  No lock held.  On an error (-ENXIO, -ERESTARTSYS, -ENOMEM) f is as
 * it was and its release op must not be called. */
int fifo_open(struct inode *ino, struct file *f);
bool file_is_pipe(const struct file *f);
/* F_GETPIPE_SZ and F_SETPIPE_SZ; -EBADF if f is not a pipe. */
long pipe_fcntl(struct file *f, u32 cmd, u64 arg);

/* ---- waiting for host handles (hostwait.c) -------------------------------- */
/* Sleep until one of fds is ready, someone calls task_wake(), or a signal
 * comes.  fds has room for n + 1 entries.  To be called between
 * task_prepare_sleep() and the next look at the condition, as task_sleep().
 * 0 (revents filled; all 0 if only woken), -ERESTARTSYS, -ETIMEDOUT. */
int task_sleep_in_host(struct host_pollfd *fds, unsigned n, u64 deadline_ns);
/* For task_wake(), when t->sleep_state is TASK_IN_HOST. */
void task_ring_doorbell(struct task *t);
/* The thread is gone: its doorbell goes back to the pool. */
void task_release_doorbell(struct task *t);

/* ---- epoll (epoll.c) -------------------------------------------------------- */
/* The last reference of f went; call before its release op.  Cheap when f is
 * in no epoll. */
void epoll_file_released(struct file *f);
/* A wait queue is about to be freed while its file lives on (the queue of a
 * signalfd's process): nobody stays on it. */
void waitq_abandon(struct waitq *q);
/* /proc/PID/fdinfo/N of an epoll file: its "tfd:" lines. */
struct seq;
void epoll_show_fdinfo(struct file *f, struct seq *s);

/* ---- pidfd (pidfd.c) -------------------------------------------------------- */
struct file *pidfd_file(struct proc *p);   /* a new file, or err_ptr */
struct proc *pidfd_proc(struct file *f);   /* no reference; NULL: is none */

/* ---- SysV IPC (sysv_*.c) ----------------------------------------------------- */
/* The process ends: SEM_UNDO. */
void sem_exit(struct proc *p);
/* For /proc/sysvipc: each prints its whole table, heading included. */
void sysv_show_shm(struct seq *s);
void sysv_show_sem(struct seq *s);
void sysv_show_msg(struct seq *s);

#endif
