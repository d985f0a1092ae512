/*
 * dispatch.c - from a system call number to its handler, and the checks on
 * the way back to the guest.
 */
#include <libos/park.h>
#include <libos/proc.h>
#include <libos/sys.h>
#include <libos/task.h>

#define ENTRY_SYSCALL(nr, nm, handler, lvl, fmt, note) \
	[nr] = { handler, #nm, fmt, SYS_##lvl },
const struct sys_entry sys_table[] = {
#define SYSCALL ENTRY_SYSCALL
#include "../sys/syscalls.tbl"
#undef SYSCALL
};
const unsigned sys_table_size = ARRAY_SIZE(sys_table);

long sys_nosys(struct task *t, const struct sysargs *a)
{
	return -ENOSYS;
}

/* Of a task that is traced or has filters of its own. */
static long call_watched(struct task *t, const struct sysargs *a, u64 nr)
{
	bool trace = t->work & WORK_TRACE;
	long ret;

	if (trace)
		trace_enter(t, a, (long)nr);
	if (!(t->work & WORK_SECCOMP) || !seccomp_stops(t, a, nr, &ret))
		ret = nr < sys_table_size && sys_table[nr].fn ?
			sys_table[nr].fn(t, a) : -ENOSYS;
	if (trace)
		trace_exit(t, a, (long)nr, ret);
	return ret;
}

/* Called by entry.S with the guest's registers saved. */
void syscall_dispatch(struct task *t)
{
	const struct sysargs *a = (const void *)&t->regs;
	u64 nr = t->regs.orig_rax;
	long ret;

	if (UNLIKELY(t->work & (WORK_TRACE | WORK_SECCOMP)))
		ret = call_watched(t, a, nr);
	else if (LIKELY(nr < sys_table_size && sys_table[nr].fn))
		ret = sys_table[nr].fn(t, a);
	else
		ret = -ENOSYS;
	/* ERESTART*: the way out decides, even if no signal is left. */
	if (UNLIKELY(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK) &&
	    (s64)t->regs.orig_rax != -1)
		task_set_work(t, WORK_SIGNAL);
	t->regs.rax = (u64)ret;
}

/* Called by entry.S before every full restore of the guest's registers. */
void exit_work(struct task *t)
{
	u32 w;

	task_clear_work(t, WORK_FULL);
	while ((w = __atomic_load_n(&t->work, __ATOMIC_SEQ_CST)) &
	       (WORK_SIGNAL | WORK_EXIT | WORK_STOP | WORK_RESTORE_MASK |
		WORK_PARK))
		if ((w & (WORK_PARK | WORK_EXIT)) == WORK_PARK)
			task_park();
		else
			signal_exit_work(t);
	if (t->arch.gs_in_use)
		task_set_work(t, WORK_FULL);
}
