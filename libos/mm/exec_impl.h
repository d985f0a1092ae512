/*
 * exec_impl.h - what the files of program loading share.
 */
#ifndef LIBOS_MM_EXEC_IMPL_H
#define LIBOS_MM_EXEC_IMPL_H

#include <libos/exec.h>
#include <libos/task.h>

#include "elf.h"

/* Everything one execve needs, in kernel memory: valid across the change of
 * the address space, and of the picoprocess. */
struct exec_job {
	struct task *task;
	struct file *file;           /* the program */
	struct file *interp_file;    /* its PT_INTERP, or NULL */
	struct elf_image *elf, *interp_elf;
	struct exec_strings strings; /* ours */
	char *name;                  /* as execve had it: AT_EXECFN, comm */
	u64 *block;                  /* argc, argv, envp, auxv: stack.c */
	/* found while mapping */
	u64 bias, interp_bias;
	u64 stack_top;
};

/* ---- strings.c: argv and environ ------------------------------------------- */
int exec_strings_from_user(struct exec_strings *s, u64 argv, u64 envp);
int exec_strings_dup(struct exec_strings *to, const struct exec_strings *from);
void exec_strings_free(struct exec_strings *s);
/* Replace the first argument by the count strings of head. */
int exec_strings_replace_first(struct exec_strings *s,
			       const char *const *head, unsigned count);
/* The bytes that strings and their pointers may take on the new stack. */
int exec_strings_check_size(const struct exec_strings *s, const char *name);

/* Look a program up and open it, with the checks of execve (exec.c). */
struct file *exec_open(int dirfd, const char *path, u32 at_flags);

/* ---- script.c: "#!" ---------------------------------------------------------- */
#define SCRIPT_LINE_MAX 256u
/* Parse the first line of a script in place; *arg NULL if there is none.
 * size bytes were read. 0 or -ENOEXEC. */
int script_parse(char *line, size_t size, char **interp, char **arg);

/* ---- image.c, stack.c: after the point of no return --------------------------- */
int exec_map_image(struct exec_job *j);
u64 *exec_alloc_block(const struct exec_strings *s);
/* Strings, vectors, auxv; *sp is the first instruction's stack pointer. */
int exec_build_stack(struct exec_job *j, u64 *sp);

#endif
