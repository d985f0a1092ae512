/*
 * rewrite.h - turning system call instructions into jumps (rewrite.c).
 */
#ifndef LIBOS_X86_64_REWRITE_H
#define LIBOS_X86_64_REWRITE_H

struct task;

/* t has trapped at a system call instruction: t->regs.rip is behind it.
 * Replace it if that is safe, so that it does not trap again. */
void rewrite_site(struct task *t);

/* t is about to go on at t->regs.rip, which may lie in a window that has been
 * rewritten since (a signal frame's return). */
void rewrite_fix_rip(struct task *t);

#endif
