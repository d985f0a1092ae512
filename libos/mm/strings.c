/*
 * strings.c - the argument and environment strings of an execve: copied from
 * the guest once, kept packed (each NUL-terminated, in a row).
 *
 * Limits are Linux's: one string 128 KiB, all together with their pointers a
 * quarter of the stack limit, between 128 KiB and 6 MiB.
 */
#include "exec_impl.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

#include <linux/resource.h>

#define ARG_STRLEN_MAX (32 * PAGE_SIZE)
#define STRINGS_MIN (128u << 10)
#define STRINGS_MAX (6u << 20)

struct packer {
	char *buf;
	u32 size, room, count;
};

/* Take over what was packed, in a block of its own size. */
static char *pack_finish(struct packer *p)
{
	char *fit = krealloc(p->buf, p->size ? p->size : 1);

	return fit ? fit : p->buf;
}

static int pack_reserve(struct packer *p, u64 more)
{
	u64 want = (u64)p->size + more;
	char *buf;

	if (want <= p->room)
		return 0;
	if (want > STRINGS_MAX + ARG_STRLEN_MAX)
		return -E2BIG;
	want = MAX(want, (u64)p->room * 2);
	buf = krealloc(p->buf, want);
	if (!buf)
		return -ENOMEM;
	p->buf = buf;
	p->room = (u32)want;
	return 0;
}

static int pack_user_string(struct packer *p, u64 from)
{
	u64 room = 512;
	ssize_t n;
	int err;

	for (;;) {
		err = pack_reserve(p, room);
		if (err)
			return err;
		room = MIN(p->room - p->size, ARG_STRLEN_MAX);
		n = strncpy_from_user(p->buf + p->size, from, room);
		if (n >= 0)
			break;
		if (n != -ENAMETOOLONG)
			return (int)n;
		if (room == ARG_STRLEN_MAX)
			return -E2BIG;
		room = MIN(room * 4, ARG_STRLEN_MAX);
	}
	p->size += (u32)n + 1;
	p->count++;
	return 0;
}

static int pack_user_vector(struct packer *p, u64 vector)
{
	u64 s;
	int err;

	for (; vector; vector += sizeof(u64)) {
		if (get_user_u64(&s, vector))
			return -EFAULT;
		if (!s)
			return 0;
		err = pack_user_string(p, s);
		if (err)
			return err;
		if (p->size > STRINGS_MAX)
			return -E2BIG;
	}
	return 0;
}

int exec_strings_from_user(struct exec_strings *s, u64 argv, u64 envp)
{
	struct packer args = { 0 }, env = { 0 };
	int err = pack_reserve(&args, 512);

	if (!err)
		err = pack_reserve(&env, 2048);
	if (!err)
		err = pack_user_vector(&args, argv);
	if (!err)
		err = pack_user_vector(&env, envp);
	if (err) {
		kfree(args.buf);
		kfree(env.buf);
		return err;
	}
	if (!args.count) { /* Linux gives an empty argv[0] */
		args.buf[args.size++] = '\0';
		args.count = 1;
	}
	s->argc = args.count;
	s->args_size = args.size;
	s->args = pack_finish(&args);
	s->envc = env.count;
	s->env_size = env.size;
	s->env = pack_finish(&env);
	return 0;
}

static char *dup_block(const char *p, u32 size)
{
	char *n = kmalloc(size ? size : 1);

	if (n)
		memcpy(n, p, size);
	return n;
}

int exec_strings_dup(struct exec_strings *to, const struct exec_strings *from)
{
	*to = *from;
	to->args = dup_block(from->args, from->args_size);
	to->env = dup_block(from->env, from->env_size);
	if (to->args && to->env)
		return 0;
	exec_strings_free(to);
	return -ENOMEM;
}

void exec_strings_free(struct exec_strings *s)
{
	kfree(s->args);
	kfree(s->env);
	s->args = s->env = NULL;
}

int exec_strings_replace_first(struct exec_strings *s,
			       const char *const *head, unsigned count)
{
	u32 first = s->argc ? (u32)strlen(s->args) + 1 : 0;
	u32 size = s->args_size - first;
	unsigned i;
	char *buf, *p;

	for (i = 0; i < count; i++)
		size += (u32)strlen(head[i]) + 1;
	p = buf = kmalloc(size);
	if (!buf)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		size_t n = strlen(head[i]) + 1;

		memcpy(p, head[i], n);
		p += n;
	}
	memcpy(p, s->args + first, s->args_size - first);
	kfree(s->args);
	s->args = buf;
	s->args_size = size;
	s->argc += count - (s->argc ? 1 : 0);
	return 0;
}

int exec_strings_check_size(const struct exec_strings *s, const char *name)
{
	u64 limit = current()->proc->rlimits[RLIMIT_STACK].soft / 4;
	u64 need = ((u64)s->argc + s->envc) * sizeof(u64) + s->args_size +
		s->env_size + strlen(name) + 1;

	limit = MAX(MIN(limit, STRINGS_MAX), STRINGS_MIN);
	return need > limit ? -E2BIG : 0;
}
