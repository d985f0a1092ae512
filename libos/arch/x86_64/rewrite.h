/*
 * rewrite.h - turning system call instructions into jumps (rewrite.c).
 */
#ifndef LIBOS_X86_64_REWRITE_H
#define LIBOS_X86_64_REWRITE_H

struct task;

/* t has trapped at a system call instruction: t->regs.rip is behind it.
 * Replace it if that is safe, so that it does not trap again. */
void rewrite_site(struct task *t);

#endif
