/*
 * task.h - threads (struct task) and processes (struct proc).
 *
 * A guest thread is a host thread; a guest process is normally one
 * picoprocess (a vfork child lives as a thread in its parent's picoprocess
 * until it execs).  A task block is TASK_BLOCK_SIZE bytes of kernel heap,
 * aligned to its size:  struct task | trap area | kernel stack.
 *
 * current() is the calling thread's task, from the per-thread register.
 */
#ifndef LIBOS_TASK_H
#define LIBOS_TASK_H

#include <bailey/host_abi.h>
#include <libos/arch.h>
#include <libos/base.h>
#include <libos/lock.h>
#include <libos/signal.h>

#define TASK_BLOCK_SIZE 0x10000ul /* 64 KiB, mostly never touched */
#define TASK_TRAP_OFFSET 0x2000ul /* trap area (host's signal frames) */
#define TASK_TRAP_SIZE 0x6000ul
#define TASK_STACK_SIZE 0x8000ul

struct mm;
struct files;
struct fs_context;
struct file;
struct tty;
struct proc;
struct resume_group;

#define NGROUPS 64
struct cred { /* copied, not shared: each thread has its own, as in Linux */
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_effective, cap_permitted, cap_inheritable, cap_bounding,
		cap_ambient;
	u32 group_count;
	u32 groups[NGROUPS];
	u32 securebits;
	bool no_new_privs;
};

/* task->work: why the way back to the guest must stop at exit_work(). */
enum {
	WORK_SIGNAL = 1,  /* signals to look at */
	WORK_EXIT = 2,    /* the thread must end (exit_group, exec, SIGKILL) */
	WORK_STOP = 4,    /* group stop (SIGSTOP) */
	WORK_TRACE = 8,   /* --trace */
	WORK_FULL = 16,   /* restore every register (sigreturn, exec, ...) */
	WORK_PARK = 32,   /* the sandbox is being frozen */
	WORK_RESTORE_MASK = 64, /* a temporary signal mask ends here */
	WORK_SECCOMP = 128, /* its calls go through its own filters */
};

struct restart_block { /* ERESTART_RESTARTBLOCK: sys_restart_syscall */
	long (*fn)(struct task *t);
	u64 a[6];
};

struct task {
	/* --- used from assembly: offsets in arch/.../offsets.h --- */
	struct task *self;
	u64 kstack_top;
	u64 entries;         /* how often it has come in by a jump or a trap */
	u64 scratch[3];
	u32 work;            /* WORK_*, set by others with atomic or */
	u32 in_guest_fs;     /* unused padding kept for offsets */
	struct regs regs;    /* the guest's registers while inside */
	struct task_arch arch;

	/* --- identity; set once --- */
	s32 tid;
	struct proc *proc;
	struct host_thread_ids host; /* .thread is 0 when gone */
	u32 host_alive;      /* 1: may be interrupted; 0: its stack is free */
	struct mutex kick_lock; /* host ids do not go away while held */
	void (*kthread_fn)(void *); /* of a thread of the library OS itself */
	void *kthread_arg;
	struct ref ref;

	/* --- sleeping (sched.c) --- */
	u32 wake_word;       /* futex: 0 may sleep, 1 woken */
	u32 sleep_state;     /* enum task_sleep_state, atomic */
	bool holds_wake;     /* private: see task_hold_wake() */
	struct task *to_wake;
	host_handle doorbell;/* event handle, 0: none yet (ipc/hostwait.c)
	                      * reopened on resume: empty */

	/* --- tasklist_lock --- */
	struct list in_proc;     /* proc->threads */
	struct list in_tid_hash;

	/* --- proc->sighand->lock --- */
	struct sigpending pending; /* for this thread alone */
	sigset blocked;
	sigset saved_mask;       /* to restore after sigsuspend, ppoll, ... */
	bool restore_mask;
	struct sigaltstack_state altstack;
	struct seccomp_filter *seccomp; /* newest, with a reference */
	u32 seccomp_mode;        /* SECCOMP_MODE_* */

	/* --- private to the thread --- */
	struct cred cred;
	struct restart_block restart;
	u64 clear_child_tid, robust_list;
	u64 rseq_ptr; u32 rseq_size, rseq_sig;
	char comm[16];
	u32 exit_code;           /* as wait(2) */
	u32 pdeath_signal;
	bool is_kthread;
	bool is_vfork_child;     /* borrows its parent's picoprocess */
	u32 *vfork_done;         /* set to 1 and woken at exec or exit */
	s32 nice;
	u32 sched_policy, sched_priority;
	u64 timer_slack_ns;
	u64 start_time_ns;
	u64 cpu_mask[2];
	u64 syscall_count, voluntary_switches;
	struct file *fs_pinned;  /* last file looked up, see fd_get */
	u64 trace_args[6];
	u64 set_child_tid;       /* CLONE_CHILD_SETTID: done by the child */
	bool is_stopped;         /* sits in a group stop; sighand->lock */
	bool is_exiting;         /* past task_exit(); sighand->lock */
	u32 io_priority;         /* ioprio_set; 0 none */
	u32 yield_count;
	u32 title_looks;         /* title_look() */

	/* A resume makes the wall clock jump: in the call whose number in
	 * `entries` is wall_call, deadlines come nearer by wall_shift_ns. */
	u64 wall_call, wall_shift_ns;

	/* --- standing still (park.c) --- */
	u64 park_sp;             /* where its kernel stack goes on; 0: runs */
	u32 park_state;          /* enum task_park_state, atomic */
	bool is_moving;          /* between two host threads (exec) */
	s32 park_group;          /* of a saved one: its picoprocess then */
	struct resume_group *resume_group; /* that it starts (resume.c) */
};
enum task_park_state { TASK_UNPARKED, TASK_PARKED };

enum task_sleep_state { TASK_RUNNING, TASK_SLEEPING,
	TASK_IN_HOST /* in host_poll: task_wake rings the doorbell */,
	TASK_IN_POLLSET /* in host_pollset_wait, which an epoll's events end */ };

enum proc_state { PROC_ALIVE, PROC_ZOMBIE, PROC_DEAD };
#define RLIMITS 16
struct rlimit_pair { u64 soft, hard; };

struct proc {
	s32 pid;
	struct ref ref;
	enum proc_state state;    /* tasklist_lock */

	/* --- tasklist_lock --- */
	struct proc *parent;
	struct list children, sibling; /* children; parent's list */
	struct list threads;           /* struct task.in_proc */
	u32 thread_count;
	struct task *leader;           /* NULL once it has gone */
	s32 pgid, sid;
	struct list in_pgrp_hash, in_all;
	struct waitq wait_children;    /* wait4 sleeps here */
	u32 exit_code;                 /* as wait(2), when zombie */
	bool group_exiting;
	struct task *exec_by;          /* the thread that is in execve */
	bool stop_reported, continued, is_stopped;
	u32 stop_signal;
	u32 exit_signal;               /* to the parent; 0 none */
	bool child_subreaper, has_execed;
	struct waitq exit_wait;        /* pidfd polls, exec waits for threads */

	/* --- sighand->lock --- */
	struct sigpending pending;     /* for any thread */
	struct sighand *sighand;       /* shared with CLONE_SIGHAND */

	/* --- own locks inside --- */
	struct mm *mm;                 /* shared by vfork children */
	struct files *files;           /* shared with CLONE_FILES */
	struct fs_context *fs;         /* cwd, root, umask */
	struct tty *tty;               /* controlling terminal: tasklist_lock */
	s32 tty_old_pgrp;              /* foreground at its hangup; same lock */

	struct rlimit_pair rlimits[RLIMITS];
	struct timers *timers;         /* itimers, POSIX timers (libos/time) */
	struct file *exe;
	char *cmdline; u32 cmdline_size; /* tasklist_lock; NUL separated */
	char *environ_copy; u32 environ_size;
	char *exe_path;
	u64 auxv[48]; u32 auxv_count;
	u32 personality;
	bool dumpable;
	u64 start_time_ns;
	u64 user_ns, system_ns, child_user_ns, child_system_ns;
	u64 cpu_before_ns; /* used before a resume, which the host forgot */
	u64 cpu_saved_ns;  /* used at the last save */
	s32 oom_score_adj;
	bool is_adopted;  /* orphan of pid 1: goes unwaited; tasklist_lock */
	u32 stop_left;    /* threads still to stop; sighand->lock */
	bool stop_cancelled, tell_continued; /* by SIGCONT; sighand->lock */
	u32 spawn_token;  /* of a HOST_EVENT_SPAWN process */
	u32 exit_uid;     /* of the last thread, for the parent's siginfo */
	s32 ppid;         /* parent's pid, 0 without one */
	u64 child_max_rss_kb, max_rss_kb;
};

extern struct mutex tasklist_lock;
extern struct list all_procs;    /* proc->in_all; tasklist_lock */
extern struct proc *init_proc;

/* libos/core/task.c */
struct task *task_alloc(struct proc *p);  /* block, tid, not yet running */
void task_put(struct task *t);
void task_set_tid(struct task *t, s32 tid);
struct proc *proc_alloc(void);
void proc_put(struct proc *p);
struct proc *proc_find(s32 pid);          /* tasklist_lock held; no ref */
struct task *task_find(s32 tid);          /* tasklist_lock held; no ref */
/* Start t's host thread; it begins in task_start(t), which goes to the
 * guest with t->regs.  new_process: as a copy of this picoprocess. */
int task_start_host(struct task *t, bool new_process);
/* This host thread is t's now: its trap area, its interrupts. */
void task_adopt_host_thread(struct task *t);
/* A thread of the library OS itself, in the caller's picoprocess. */
struct task *kthread_create(const char *name, void (*fn)(void *), void *arg);
/* fn for every guest thread, with their list locked: fn may kick. */
void task_for_each(void (*fn)(struct task *t, void *arg), void *arg);
/* The same in a copy-on-write copy of the caller's picoprocess. */
struct task *kthread_create_copy(const char *name, void (*fn)(void *),
				 void *arg);
/* Make t look at t->work soon, wherever it is. */
void task_kick(struct task *t);
/* Who is woken under a lock that it takes next would wait for that lock at
 * once.  From task_hold_wake() on the first one woken is only noted;
 * task_send_wake(), after the unlock, wakes it. */
void task_hold_wake(void);
void task_send_wake(void);
static inline void task_set_work(struct task *t, u32 bits)
{
	__atomic_fetch_or(&t->work, bits, __ATOMIC_SEQ_CST);
}
static inline void task_clear_work(struct task *t, u32 bits)
{
	__atomic_fetch_and(&t->work, ~bits, __ATOMIC_SEQ_CST);
}

/* The end of a task's host thread: the very last thing it does. */
_Noreturn void task_leave(struct task *t);
/* First code of a new host thread, then the guest (arch entry calls it). */
void task_started(struct task *t);
extern struct proc *kernel_proc; /* of the library OS's own threads */

/* libos/proc (process family) */
_Noreturn void task_exit(u32 code);            /* this thread only */
_Noreturn void task_exit_group(u32 wait_code); /* the whole process */
bool capable(int cap);                         /* effective, of current() */

#endif
