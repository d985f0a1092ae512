/*
 * spawn.c - processes that are not forked by the guest: the sandbox's first
 * one, and those of `bailey exec`.
 */
#include <libos/core.h>
#include <libos/exec.h>
#include <libos/file.h>
#include <libos/heap.h>
#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/task.h>
#include <libos/tty.h>
#include <libos/vfs.h>

#include <linux/resource.h>

#define CAPS_DEFAULT 0x00000000a80425fbull /* as containers have them */
#define CAPS_ALL 0x000001ffffffffffull
/* Of an ELF header */
#define ELF_HEAD 64
#define ELF_MACHINE 18
#define ELF_64_BITS 2

static const char *text_at(const void *base, u32 offset)
{
	return offset ? (const char *)base + offset : "";
}

static void limits_default(struct proc *p)
{
	const struct boot_info *b = boot_info();
	const struct boot_limit *l =
		(const void *)((const char *)b + b->limits);

	for (unsigned i = 0; i < RLIMITS; i++)
		p->rlimits[i] = (struct rlimit_pair){ ~0ul, ~0ul };
	p->rlimits[RLIMIT_STACK] = (struct rlimit_pair){ 8 << 20, ~0ul };
	p->rlimits[RLIMIT_CORE] = (struct rlimit_pair){ 0, ~0ul };
	p->rlimits[RLIMIT_NPROC] = (struct rlimit_pair){ 127000, 127000 };
	p->rlimits[RLIMIT_NOFILE] = (struct rlimit_pair){ 1024, 1048576 };
	p->rlimits[RLIMIT_MEMLOCK] = (struct rlimit_pair){ 8 << 20, 8 << 20 };
	p->rlimits[RLIMIT_SIGPENDING] = (struct rlimit_pair){ 127000, 127000 };
	p->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit_pair){ 819200, 819200 };
	p->rlimits[RLIMIT_NICE] = (struct rlimit_pair){ 0, 0 };
	p->rlimits[RLIMIT_RTPRIO] = (struct rlimit_pair){ 0, 0 };
	for (u32 i = 0; i < b->limit_count; i++)
		if (l[i].resource < RLIMITS)
			p->rlimits[l[i].resource] =
				(struct rlimit_pair){ l[i].soft, l[i].hard };
}

static void cred_init(struct cred *c, const struct boot_spawn *s,
		      const void *base)
{
	const u32 *groups = (const void *)((const char *)base + s->groups);

	c->uid = c->euid = c->suid = c->fsuid = s->uid;
	c->gid = c->egid = c->sgid = c->fsgid = s->gid;
	c->cap_bounding = CAPS_DEFAULT & CAPS_ALL;
	if (s->uid == 0)
		c->cap_effective = c->cap_permitted = CAPS_DEFAULT;
	c->group_count = MIN(s->group_count, (u32)NGROUPS);
	for (u32 i = 0; s->groups && i < c->group_count; i++)
		c->groups[i] = groups[i];
}

/* Descriptors 0, 1, 2: three streams, or one console. current() is t. */
static int stdio_open(struct task *t, const struct boot_spawn *s,
		      const host_handle handles[3])
{
	static const char *const names[] = { "stdin", "stdout", "stderr" };
	struct file *f = NULL;
	u32 number;

	if (s->flags & BOOT_SPAWN_TTY) {
		f = console_open(handles[0], s->rows, s->columns, &number);
		if (is_err(f))
			return (int)ptr_err(f);
		tty_set_controlling(t->proc, tty_of_file(f));
	}
	for (int i = 0; i < 3; i++) {
		struct file *g = f ? file_get(f)
				   : hoststream_file(handles[i],
						     i ? O_WRONLY : O_RDONLY,
						     names[i], &s->stats[i]);

		if (is_err(g))
			return (int)ptr_err(g);
		if (fd_install(g, false) < 0)
			return -EMFILE;
	}
	if (f)
		file_put(f);
	return 0;
}

static int enter_cwd(struct task *t, const char *cwd)
{
	struct dentry *d;
	int err;

	if (!*cwd)
		return 0;
	err = path_lookup(AT_FDCWD, cwd, LOOKUP_DIRECTORY, &d);
	if (err)
		return err;
	dentry_put(t->proc->fs->cwd);
	t->proc->fs->cwd = d;
	return 0;
}

static char *join_strings(const void *base, u32 offset, u32 count, u32 *size)
{
	const char *p = text_at(base, offset), *q = p;
	char *copy;

	for (u32 i = 0; i < count; i++)
		q += strlen(q) + 1;
	*size = (u32)(q - p);
	copy = kmalloc(*size + 1ul);
	if (copy)
		memcpy(copy, p, *size);
	return copy;
}

struct task *spawn_prepare(const struct boot_spawn *s, const void *base,
			   const host_handle handles[3], char *why,
			   size_t why_size)
{
	struct proc *p = proc_alloc();
	struct task *t = p ? task_alloc(p) : NULL;

	if (!t)
		goto nomem;
	p->pid = t->tid;
	p->leader = t;
	p->sighand = sighand_alloc();
	p->files = files_alloc();
	p->fs = fs_context_new();
	p->mm = mm_alloc();
	if (!p->sighand || !p->files || !p->fs || !p->mm)
		goto nomem;
	p->fs->umask = s->umask;
	list_push_back(&p->threads, &t->in_proc);
	p->thread_count = 1;
	limits_default(p);
	cred_init(&t->cred, s, base);
	if (boot_info()->flags & BOOT_TRACE)
		task_set_work(t, WORK_TRACE);
	return t;
nomem:
	snprintf(why, why_size, "no memory for a new process");
	return NULL;
}

/* Not found: the program, or what it needs to start? */
static const char *what_is_missing(const char *path)
{
	struct dentry *d;

	if (!strchr(path, '/') || path_lookup(AT_FDCWD, path, 0, &d))
		return "not found in the sandbox";
	dentry_put(d);
	return "its interpreter (first line, or loader) is not in the sandbox";
}

/* Of one whose first line and loader are not to blame. */
static const char *what_is_wrong(const char *path)
{
	static const char magic[] = "\177ELF";
	struct file *f = strchr(path, '/') ?
		vfs_open(AT_FDCWD, path, O_RDONLY, 0) : err_ptr(-ENOENT);
	u8 head[ELF_HEAD] = { 0 };
	u64 pos = 0;
	ssize_t n;

	if (is_err(f))
		return "not a program this sandbox can run";
	n = file_read_kernel(f, head, sizeof(head), &pos);
	file_put(f);
	if (n == 0)
		return "an empty file, not a program";
	if (n < 4 || memcmp(head, magic, 4))
		return "not a program (neither ELF nor a script with #!)";
	if (n < ELF_HEAD)
		return "a truncated program (ELF)";
	if (head[4] != ELF_64_BITS)
		return "a 32-bit program; only 64-bit ones run here";
	if (head[ELF_MACHINE] != ARCH_ELF_MACHINE)
		return "a program for another processor";
	return "a damaged or truncated program (ELF)";
}

static const char *exec_problem(const char *path, int err)
{
	switch (err) {
	case -ENOENT: return what_is_missing(path);
	case -EACCES: return "not executable";
	case -ENOEXEC: return what_is_wrong(path);
	case -ENOMEM: return "not enough memory to start it";
	case -ENOTDIR: return "a part of its path is not a directory";
	case -ELOOP: return "too many links or interpreters";
	}
	return "cannot be started";
}

/* The status is then 126, as podman has it: never "not found". */
static int bad_cwd(const char *cwd, int err, char *why, size_t why_size)
{
	snprintf(why, why_size, "working directory %s: %s", cwd,
		 err == -ENOENT ? "no such directory in the sandbox" :
		 err == -ENOTDIR ? "not a directory" : "it cannot be entered");
	return -EACCES;
}

int spawn_exec(struct task *t, const struct boot_spawn *s, const void *base,
	       char *why, size_t why_size)
{
	struct exec_strings x = { .argc = s->argc, .envc = s->envc };
	const char *path = text_at(base, s->argv);
	int err = stdio_open(t, s, s->handles);

	if (err) {
		snprintf(why, why_size, "cannot set up standard streams");
		return err;
	}
	err = enter_cwd(t, text_at(base, s->cwd));
	if (err)
		return bad_cwd(text_at(base, s->cwd), err, why, why_size);
	x.args = join_strings(base, s->argv, s->argc, &x.args_size);
	x.env = join_strings(base, s->envp, s->envc, &x.env_size);
	if (!x.args || !x.env)
		return -ENOMEM;
	err = exec_first(t, path, &x);
	if (err)
		snprintf(why, why_size, "%s: %s", path,
			 exec_problem(path, err));
	return err;
}
