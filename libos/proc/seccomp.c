/*
 * seccomp.c - a program's own filters on its system calls: seccomp(2) and
 * prctl(PR_SET_SECCOMP).
 *
 * A filter is never changed once it is attached, and refers to the one that
 * was there before; a thread holds a reference to its newest.  So threads
 * and processes that come from one another share the older part of the
 * chain.  A thread with filters has WORK_SECCOMP, which is all that others
 * pay.  task->seccomp* change under sighand->lock; the thread itself reads
 * them without: whatever is replaced (SECCOMP_FILTER_FLAG_TSYNC) is part of
 * what replaces it, so it lives on.
 *
 * These filters protect the program from itself; the wall does not rest on
 * them.
 */
#include "bpf.h"
#include "internal.h"

#include <libos/heap.h>

#include <asm/unistd.h>
#include <linux/seccomp.h>

#define ACTION(value) ((s32)((value) & SECCOMP_RET_ACTION_FULL))
#define ERRNO_MAX 4095u
#define PATH_INSNS_MAX 32768u /* of all filters of a thread */
#define FILTER_COST 4u        /* that each adds to its instructions */

/* On a kernel without user notification. */
#define FLAGS_KNOWN (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG \
	| SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

struct seccomp_filter {
	struct ref ref;
	struct seccomp_filter *older; /* with a reference */
	u32 count;                    /* of insn */
	u32 depth;                    /* of the chain, this one included */
	struct bpf_insn insn[];
};

/* ---- a call ------------------------------------------------------------------ */
static u32 run_filters(const struct seccomp_filter *f,
		       const struct bpf_data *data)
{
	u32 result = SECCOMP_RET_ALLOW;

	for (; f; f = f->older) {
		u32 value = bpf_run(f->insn, data);

		if (ACTION(value) < ACTION(result))
			result = value;
	}
	return result;
}

/* The call's registers as they were, with a signal that says why. */
static long trap(struct task *t, u64 nr, u32 reason)
{
	siginfo_t si;

	arch_show_call_site(t);
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGSYS;
	si.si_code = SYS_SECCOMP;
	si.si_errno = (int)reason;
	si.si_call_addr = (void *)regs_pc(&t->regs);
	si.si_syscall = (int)nr;
	si.si_arch = ARCH_AUDIT;
	signal_force(SIGSYS, &si);
	return (long)nr;
}

static long answer(struct task *t, u64 nr, u32 result)
{
	u32 data = result & SECCOMP_RET_DATA;

	switch (result & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return -(long)MIN(data, ERRNO_MAX);
	case SECCOMP_RET_TRAP:
		return trap(t, nr, data);
	case SECCOMP_RET_TRACE: /* nobody traces, */
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
		return -ENOSYS;
	case SECCOMP_RET_KILL_THREAD:
		if (t->proc->thread_count > 1)
			task_exit(SIGSYS);
	}
	task_exit_group(SIGSYS);
}

static bool strict_allows(u64 nr)
{
	return nr == __NR_read || nr == __NR_write || nr == __NR_exit
		|| nr == __NR_rt_sigreturn;
}

bool seccomp_stops(struct task *t, const struct sysargs *a, u64 nr, long *ret)
{
	struct bpf_data data = { .nr = (s32)nr, .arch = ARCH_AUDIT };
	u32 result;

	if (t->seccomp_mode == SECCOMP_MODE_STRICT) {
		if (!strict_allows(nr))
			task_exit(SIGKILL);
		return false;
	}
	data.pc = arch_call_site(t);
	memcpy(data.args, a->a, sizeof(data.args));
	result = run_filters(t->seccomp, &data);
	if (ACTION(result) >= ACTION(SECCOMP_RET_LOG))
		return false;
	*ret = answer(t, nr, result);
	t->regs.orig_rax = (u64)-1; /* whatever it is: not to be restarted */
	return true;
}

/* ---- filters and threads --------------------------------------------------------- */
static void filter_put(struct seccomp_filter *f)
{
	struct seccomp_filter *older;

	for (; f && ref_put(&f->ref); f = older) {
		older = f->older;
		kfree(f);
	}
}

static void filter_set(struct task *t, struct seccomp_filter *f, u32 mode)
{
	struct seccomp_filter *old = t->seccomp;

	if (f)
		ref_get(&f->ref);
	__atomic_store_n(&t->seccomp, f, __ATOMIC_RELEASE);
	t->seccomp_mode = mode;
	if (mode)
		task_set_work(t, WORK_SECCOMP);
	filter_put(old);
}

void seccomp_inherit(struct task *child, struct task *parent)
{
	filter_set(child, parent->seccomp, parent->seccomp_mode);
}

void seccomp_release(struct task *t)
{
	filter_set(t, NULL, SECCOMP_MODE_DISABLED);
}

u32 seccomp_filter_count(const struct task *t)
{
	return t->seccomp ? t->seccomp->depth : 0;
}

static bool is_older(const struct seccomp_filter *f,
		     const struct seccomp_filter *than)
{
	for (; than; than = than->older)
		if (than == f)
			return true;
	return !f;
}

/* sighand->lock held: the first other thread that has gone its own way. */
static struct task *find_different(struct task *t)
{
	struct task *o;

	list_for_each(o, &t->proc->threads, in_proc)
		if (o != t && !o->is_exiting
		    && (o->seccomp_mode == SECCOMP_MODE_STRICT
			|| !is_older(o->seccomp, t->seccomp)))
			return o;
	return NULL;
}

static void synchronise(struct task *t)
{
	struct task *o;

	list_for_each(o, &t->proc->threads, in_proc) {
		if (o == t || o->is_exiting)
			continue;
		if (t->cred.no_new_privs)
			o->cred.no_new_privs = true;
		filter_set(o, t->seccomp, SECCOMP_MODE_FILTER);
	}
}

/* ---- attaching ----------------------------------------------------------------------- */
static struct seccomp_filter *filter_read(u64 insns, u32 count)
{
	struct seccomp_filter *f;
	u16 *room;
	long err = -ENOMEM;

	f = kzalloc(sizeof(*f) + count * sizeof(f->insn[0]));
	room = kmalloc(count * sizeof(*room));
	if (!f || !room)
		goto fail;
	ref_init(&f->ref);
	f->count = count;
	err = copy_from_user(f->insn, insns, count * sizeof(f->insn[0]));
	if (!err && !bpf_check(f->insn, count, room))
		err = -EINVAL;
	if (err)
		goto fail;
	kfree(room);
	return f;
fail:
	kfree(room);
	kfree(f);
	return err_ptr(err);
}

static struct seccomp_filter *filter_get(struct task *t, u64 uprog)
{
	struct { u16 count; u8 pad[6]; u64 insns; } prog;

	if (copy_from_user(&prog, uprog, sizeof(prog)))
		return err_ptr(-EFAULT);
	if (!prog.count || prog.count > BPF_INSNS_MAX)
		return err_ptr(-EINVAL);
	if (!t->cred.no_new_privs && !capable(CAP_SYS_ADMIN))
		return err_ptr(-EACCES);
	return filter_read(prog.insns, prog.count);
}

static u32 path_insns(const struct seccomp_filter *f)
{
	u32 total = 0;

	for (; f; f = f->older)
		total += f->count + FILTER_COST;
	return total;
}

/* sighand->lock held. */
static long attach(struct task *t, struct seccomp_filter *f, u64 flags)
{
	struct task *different;

	if (t->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (f->count + path_insns(t->seccomp) > PATH_INSNS_MAX)
		return -ENOMEM;
	if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
		different = find_different(t);
		if (different)
			return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH
				? -ESRCH : different->tid;
	}
	f->older = t->seccomp;
	if (f->older)
		ref_get(&f->older->ref);
	f->depth = seccomp_filter_count(t) + 1;
	filter_set(t, f, SECCOMP_MODE_FILTER);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		synchronise(t);
	return 0;
}

static long set_filter(struct task *t, u64 flags, u64 uprog)
{
	struct seccomp_filter *f;
	struct sighand *s;
	long result;

	if (flags & ~(u64)FLAGS_KNOWN)
		return -EINVAL;
	f = filter_get(t, uprog);
	if (is_err(f))
		return ptr_err(f);
	s = sighand_lock(t->proc);
	result = attach(t, f, flags);
	mutex_unlock(&s->lock);
	filter_put(f);
	return result;
}

static long set_strict(struct task *t, u64 flags, u64 uargs)
{
	struct sighand *s;
	long err = 0;

	if (flags || uargs)
		return -EINVAL;
	s = sighand_lock(t->proc);
	if (t->seccomp_mode == SECCOMP_MODE_FILTER)
		err = -EINVAL;
	else
		filter_set(t, NULL, SECCOMP_MODE_STRICT);
	mutex_unlock(&s->lock);
	return err;
}

static long action_available(u64 flags, u64 uaction)
{
	u32 action;

	if (flags)
		return -EINVAL;
	if (get_user_u32(&action, uaction))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS: case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP: case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE: case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	}
	return -EOPNOTSUPP;
}

/* ---- calls ------------------------------------------------------------------------------ */
long sys_seccomp(struct task *t, const struct sysargs *a)
{
	u64 flags = (u32)a->a[1];

	switch ((u32)a->a[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return set_strict(t, flags, a->a[2]);
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(t, flags, a->a[2]);
	case SECCOMP_GET_ACTION_AVAIL:
		return action_available(flags, a->a[2]);
	}
	return -EINVAL;
}

long seccomp_prctl(struct task *t, u64 mode, u64 uprog)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return set_strict(t, 0, 0);
	case SECCOMP_MODE_FILTER:
		return set_filter(t, 0, uprog);
	}
	return -EINVAL;
}
