/*
 * title.c - the title that a program gives itself by writing over its
 * arguments, for /proc/PID/cmdline.  Only the process can read its memory, so
 * it looks there itself when it is about to wait: at its first waits each
 * time, then now and then.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/uaccess.h>

#define TITLE_MAX 256u

/* As Linux shows it: the arguments; or, once their last NUL is written over,
 * one string that goes on into the environment. */
static u32 title_read(const struct mm *m, char *buf)
{
	u64 args = m->arg_end - m->arg_start;
	u64 room = m->env_end - m->arg_start;
	u32 n = (u32)MIN(room, (u64)TITLE_MAX);

	if (!args || args > n || copy_from_user(buf, m->arg_start, n))
		return 0;
	if (!buf[args - 1])
		return (u32)args;
	args = strnlen(buf, n);
	return (u32)args + (args < n);
}

static bool is_shown(const struct proc *p, const char *title, u32 n)
{
	bool same;

	mutex_lock(&tasklist_lock); /* another thread may be here too */
	same = n == p->cmdline_size && !memcmp(title, p->cmdline, n);
	mutex_unlock(&tasklist_lock);
	return same;
}

void title_refresh(struct task *t)
{
	struct proc *p = t->proc;
	char buf[TITLE_MAX], *new, *old;
	u32 n = title_read(p->mm, buf);

	if (!n || is_shown(p, buf, n))
		return;
	new = kmalloc(n);
	if (!new)
		return;
	memcpy(new, buf, n);
	mutex_lock(&tasklist_lock);
	old = p->cmdline;
	p->cmdline = new;
	p->cmdline_size = n;
	mutex_unlock(&tasklist_lock);
	kfree(old);
}
