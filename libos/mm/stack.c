/*
 * stack.c - what a new program finds on its stack.
 *
 * From the top downwards: a zero word, the file name, the environment and
 * argument strings, the platform's name, 16 random bytes; then, 16-byte
 * aligned at the stack pointer, argc, the argv pointers, NULL, the envp
 * pointers, NULL, and the auxiliary vector.
 */
#include "exec_impl.h"
#include "mm_impl.h"

#include <libos/random.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#include <linux/auxvec.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define AUX_MAX 24
/* A program that is told of FSGSBASE changes GS without a call; the library
 * OS must know the guest's GS, so it is not told. */
#define HWCAP2_FSGSBASE 2ul
#define CLOCK_TICKS 100

/* The vectors' words: argc, pointers, two NULLs, auxv, one for alignment. */
static u64 block_words(const struct exec_strings *s)
{
	return 1 + (u64)s->argc + 1 + s->envc + 1 + 2 * AUX_MAX + 1;
}

u64 *exec_alloc_block(const struct exec_strings *s)
{
	return kmalloc(block_words(s) * sizeof(u64));
}

struct strings_at { u64 name, args, env, platform, random; };

static int put_down(u64 *sp, const void *p, size_t size)
{
	*sp -= size;
	return copy_to_user(*sp, p, size);
}

static int put_strings(struct exec_job *j, u64 *sp, struct strings_at *at)
{
	const struct exec_strings *s = &j->strings;
	const char *platform = boot_string(boot_info(), boot_info()->platform);
	const u64 zero = 0;
	u8 random[16];
	int err;

	if (!platform)
		platform = "x86_64";
	random_bytes(random, sizeof(random));
	err = put_down(sp, &zero, sizeof(zero));
	err |= put_down(sp, j->name, strlen(j->name) + 1);
	at->name = *sp;
	err |= put_down(sp, s->env, s->env_size);
	at->env = *sp;
	err |= put_down(sp, s->args, s->args_size);
	at->args = *sp;
	err |= put_down(sp, platform, strlen(platform) + 1);
	at->platform = *sp;
	*sp &= ~15ul;
	err |= put_down(sp, random, sizeof(random));
	at->random = *sp;
	return err ? -EFAULT : 0;
}

struct aux { u64 *p; u32 count; };

static void aux_put(struct aux *a, u64 key, u64 value)
{
	if (a->count + 1 >= AUX_MAX)
		return;
	a->p[2 * a->count] = key;
	a->p[2 * a->count + 1] = value;
	a->count++;
}

static void aux_put_machine(struct aux *a, const struct strings_at *at)
{
	const struct boot_info *b = boot_info();
	struct mm *m = current_mm();

	if (m->vdso)
		aux_put(a, AT_SYSINFO_EHDR, m->vdso);
	if (b->minsigstksz)
		aux_put(a, AT_MINSIGSTKSZ, b->minsigstksz);
	aux_put(a, AT_HWCAP, b->hwcap);
	aux_put(a, AT_PAGESZ, PAGE_SIZE);
	aux_put(a, AT_CLKTCK, CLOCK_TICKS);
	aux_put(a, AT_HWCAP2, b->hwcap2 & ~HWCAP2_FSGSBASE);
	aux_put(a, AT_PLATFORM, at->platform);
	aux_put(a, AT_RANDOM, at->random);
	aux_put(a, AT_EXECFN, at->name);
}

static void aux_put_program(struct aux *a, const struct exec_job *j)
{
	const struct cred *c = &j->task->cred;
	const struct elf_image *e = j->elf;

	aux_put(a, AT_PHDR, e->phdr_vaddr ? j->bias + e->phdr_vaddr : 0);
	aux_put(a, AT_PHENT, ELF_PHDR_SIZE);
	aux_put(a, AT_PHNUM, e->phnum);
	aux_put(a, AT_BASE, j->interp_file ?
		j->interp_bias + j->interp_elf->low : 0);
	aux_put(a, AT_FLAGS, 0);
	aux_put(a, AT_ENTRY, j->bias + e->entry);
	aux_put(a, AT_UID, c->uid);
	aux_put(a, AT_EUID, c->euid);
	aux_put(a, AT_GID, c->gid);
	aux_put(a, AT_EGID, c->egid);
	aux_put(a, AT_SECURE, 0);
}

/* Pointers to the count strings that lie packed at `at`. */
static u64 *put_pointers(u64 *p, const char *s, u32 count, u64 at)
{
	while (count--) {
		size_t n = strlen(s) + 1;

		*p++ = at;
		at += n;
		s += n;
	}
	*p++ = 0;
	return p;
}

static void note_stack(struct exec_job *j, const struct strings_at *at,
		       const struct aux *a)
{
	struct mm *m = current_mm();
	struct proc *p = j->task->proc;

	m->arg_start = at->args;
	m->arg_end = at->args + j->strings.args_size;
	m->env_start = at->env;
	m->env_end = at->env + j->strings.env_size;
	p->auxv_count = MIN(2 * (a->count + 1), (u32)ARRAY_SIZE(p->auxv));
	memcpy(p->auxv, a->p, p->auxv_count * sizeof(u64));
}

int exec_build_stack(struct exec_job *j, u64 *sp)
{
	const struct exec_strings *s = &j->strings;
	struct strings_at at;
	struct aux a = { 0 };
	u64 *p = j->block;
	size_t size;
	int err;

	*sp = j->stack_top;
	err = put_strings(j, sp, &at);
	if (err)
		return err;
	*p++ = s->argc;
	p = put_pointers(p, s->args, s->argc, at.args);
	p = put_pointers(p, s->env, s->envc, at.env);
	a.p = p;
	aux_put_machine(&a, &at);
	aux_put_program(&a, j);
	a.p[2 * a.count] = AT_NULL;
	a.p[2 * a.count + 1] = 0;
	p += 2 * (a.count + 1);
	size = (size_t)(p - j->block) * sizeof(u64);
	*sp = (*sp - size) & ~15ul;
	note_stack(j, &at, &a);
	return copy_to_user(*sp, j->block, size);
}
