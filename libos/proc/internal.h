/*
 * internal.h - shared by the files of libos/proc only.
 */
#ifndef LIBOS_PROC_INTERNAL_H
#define LIBOS_PROC_INTERNAL_H

#include <libos/proc.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include <asm/resource.h>
#include <linux/capability.h>

/* Linux's CLONE_* and prctl headers clash with nothing but are large; what
 * is used of them: */
#define CLONE_NEWTIME_ 0x00000080ull
#define CLONE_VM_ 0x00000100ull
#define CLONE_FS_ 0x00000200ull
#define CLONE_FILES_ 0x00000400ull
#define CLONE_SIGHAND_ 0x00000800ull
#define CLONE_PIDFD_ 0x00001000ull
#define CLONE_VFORK_ 0x00004000ull
#define CLONE_PARENT_ 0x00008000ull
#define CLONE_THREAD_ 0x00010000ull
#define CLONE_NEWNS_ 0x00020000ull
#define CLONE_SYSVSEM_ 0x00040000ull
#define CLONE_SETTLS_ 0x00080000ull
#define CLONE_PARENT_SETTID_ 0x00100000ull
#define CLONE_CHILD_CLEARTID_ 0x00200000ull
#define CLONE_DETACHED_ 0x00400000ull
#define CLONE_CHILD_SETTID_ 0x01000000ull
#define CLONE_NEWUSER_ 0x10000000ull
#define CLONE_NEWPID_ 0x20000000ull
#define CLONE_CLEAR_SIGHAND_ 0x100000000ull
#define CLONE_INTO_CGROUP_ 0x200000000ull
/* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define CLONE_NAMESPACES_ (CLONE_NEWNS_ | 0x7e000000ull)

/* group.c; tasklist_lock held */
void proc_set_parent(struct proc *p, struct proc *parent);
void proc_unlink(struct proc *p);      /* tasklist_lock held */
/* A zombie goes; its reference in the tree is dropped. tasklist_lock held. */
void proc_reap(struct proc *p);

/* limits.c: one more process or thread; false at a limit */
bool task_count_take(struct proc *p);
void task_count_add(void);             /* not to be refused */
void task_count_give(void);

/* seccomp.c: PR_SET_SECCOMP */
long seccomp_prctl(struct task *t, u64 mode, u64 uprog);

/* rusage.c */
struct guest_rusage {
	s64 utime[2], stime[2];
	s64 maxrss, rest[13];
};
void rusage_fill(struct guest_rusage *ru, u64 user_ns, u64 system_ns,
		 u64 max_rss_kb);
void rusage_of_child(struct guest_rusage *ru, struct proc *child);

#endif
