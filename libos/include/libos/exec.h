/*
 * exec.h - execve's hooks: what program loading (libos/mm) asks of the
 * process family (libos/proc), of the core and of the rewriter.
 *
 * The order in one execve:
 *   everything that can fail is read, parsed and kept in kernel memory;
 *   proc_exec_begin()    the other threads of the process go (may fail)
 *   --- point of no return: an error from here on kills the process ---
 *   proc_exec_detach()   only for a vfork child: a host process of its own
 *   mm_clear(), map the image, build the stack, set the registers
 *   proc_exec_commit()   signals, descriptors, timers, names
 */
#ifndef LIBOS_EXEC_H
#define LIBOS_EXEC_H

#include <libos/base.h>
#include <libos/mm.h>

struct task;

/* ---- libos/proc/exec_hooks.c --------------------------------------------- */
/* Kill the other threads of t's process and wait until they are gone; t takes
 * over the leader's tid.  0, or -EAGAIN / -ERESTARTNOINTR when another thread
 * is in execve or the process is being killed (then execve returns that). */
int proc_exec_begin(struct task *t);
/* The new image is in place: caught signals go to default, no alternate
 * stack, no robust list or clear_child_tid, close-on-exec descriptors closed,
 * unshared descriptor table and sighand, POSIX timers deleted, vfork parent
 * released, dumpable.  The caller sets comm, exe, cmdline and has_execed. */
void proc_exec_commit(struct task *t);

/* ---- libos/core ----------------------------------------------------------- */
/* t->is_vfork_child: leave the parent's picoprocess.  Continues in cont(arg)
 * for the same task on a new host process with empty guest memory and a fresh
 * t->proc->mm (mm_alloc); the parent is released.  Returns only on failure
 * (-errno, nothing changed).  cont must not return: it ends with
 * exec_enter_guest(). */
int proc_exec_detach(struct task *t, void (*cont)(void *), void *arg);
/* Go to the guest with t->regs from the bottom of the kernel stack. */
_Noreturn void exec_enter_guest(struct task *t);

/* ---- the rewriter and the vDSO (weak defaults in libos/mm/hooks.c) -------- */
/* An executable file mapping has appeared: overlay patched pages.  Called
 * with mm->map_lock held and mm->lock free. */
void rewrite_text_mapped(struct mm *m, struct vma *v);
/* m, current()'s, is about to be copied: show it what others have rewritten.
 * Called with mm->map_lock held and mm->lock free. */
void rewrite_before_fork(struct mm *m);
/* The same in a new picoprocess whose list of mappings is old: the
 * trampolines are in the list, but not mapped. */
void rewrite_text_resumed(struct mm *m, struct vma *v);
/* Then, for each thread of the new picoprocess (current() is one of them): it
 * may be on its way back into a window that was not shown to it before. */
void rewrite_thread_resumed(struct task *t);
/* Before that, once, while nobody runs: heap says where the saved heap's
 * pages are in the image. */
struct image_space;
void rewrite_resumed(const struct image_space *heap);
/* All that is only in an image comes into the heap; 0 or -ENOMEM. */
int rewrite_before_save(void);
/* Map the guest's vDSO; its ELF header's address, or 0. */
u64 vdso_map(struct mm *m);

/* ---- libos/mm -------------------------------------------------------------- */
/* The first program: path as the user typed it; a name without '/' is looked
 * for in the PATH of s's environment.  0 and the registers are the new
 * program's; -ENOENT (status 127), -EACCES, -ENOEXEC... (status 126). */
int exec_first(struct task *t, const char *path, struct exec_strings *s);

#endif
