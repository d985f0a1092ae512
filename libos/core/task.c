/*
 * task.c - task blocks, process structures, and their host threads.
 *
 * A task block (struct task, trap area, kernel stack) may be reused once its
 * host thread has left its stack: host_alive is 0 then.  Dead blocks wait in
 * a list until that is so.
 */
#include <bailey/host_abi.h>
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/park.h>
#include <libos/proc.h>
#include <libos/task.h>

#include "../../host/raw.h"

#define TID_MAX 4194304
#define TID_HASH 256

struct mutex tasklist_lock;
struct list all_procs = LIST_INIT(all_procs);
struct proc *init_proc;
struct proc *kernel_proc;

static struct mutex block_lock; /* guards the next two */
static struct list dead_blocks = LIST_INIT(dead_blocks);
static s32 last_tid;
static struct list tid_hash[TID_HASH] LARGE; /* tasklist_lock, or boot */
static struct mutex tid_lock;          /* guards tid_hash */

void task_entry(struct task *t); /* entry.S */
void task_switch_stack(void *top, void (*fn)(void *), void *arg);
_Noreturn void arch_enter_guest(struct task *t);

static struct list *tid_bucket(s32 tid)
{
	struct list *b = &tid_hash[(u32)tid % TID_HASH];

	if (!b->next)
		list_init(b);
	return b;
}

struct task *task_find(s32 tid)
{
	struct task *t, *found = NULL;

	mutex_lock(&tid_lock);
	list_for_each(t, tid_bucket(tid), in_tid_hash)
		if (t->tid == tid && !t->is_exiting) {
			found = t;
			break;
		}
	mutex_unlock(&tid_lock);
	return found;
}

struct proc *proc_find(s32 pid)
{
	struct proc *p;

	list_for_each(p, &all_procs, in_all)
		if (p->pid == pid && p->state != PROC_DEAD)
			return p;
	return NULL;
}

void task_for_each(void (*fn)(struct task *t, void *arg), void *arg)
{
	struct task *t;

	mutex_lock(&tid_lock);
	for (unsigned i = 0; i < TID_HASH; i++)
		if (tid_hash[i].next)
			list_for_each(t, &tid_hash[i], in_tid_hash)
				fn(t, arg);
	mutex_unlock(&tid_lock);
}

static bool tid_in_use(s32 tid)
{
	struct task *t;
	struct proc *p;

	list_for_each(t, tid_bucket(tid), in_tid_hash)
		if (t->tid == tid)
			return true;
	list_for_each(p, &all_procs, in_all)
		if (p->pid == tid || p->pgid == tid || p->sid == tid)
			return true;
	return false;
}

static void tid_assign(struct task *t)
{
	mutex_lock(&tid_lock);
	do
		last_tid = last_tid >= TID_MAX ? 300 : last_tid + 1;
	while (last_tid >= 32768 && tid_in_use(last_tid));
	t->tid = last_tid;
	list_push_front(tid_bucket(t->tid), &t->in_tid_hash);
	mutex_unlock(&tid_lock);
}

static struct task *block_take(void)
{
	struct task *t, *found = NULL;

	mutex_lock(&block_lock);
	list_for_each(t, &dead_blocks, in_proc)
		if (!__atomic_load_n(&t->host_alive, __ATOMIC_ACQUIRE)) {
			list_remove(&t->in_proc);
			found = t;
			break;
		}
	mutex_unlock(&block_lock);
	return found;
}

struct task *task_alloc(struct proc *p)
{
	struct task *t = block_take();

	if (!t)
		t = page_alloc_aligned(TASK_BLOCK_SIZE / PAGE_SIZE,
				       TASK_BLOCK_SIZE);
	if (!t)
		return NULL;
	_Static_assert(sizeof(*t) <= TASK_TRAP_OFFSET, "task block layout");
	memset(t, 0, sizeof(*t));
	t->self = t;
	t->kstack_top = (u64)t + TASK_BLOCK_SIZE - 64;
	t->proc = p;
	t->sleep_state = TASK_RUNNING;
	t->timer_slack_ns = 50000;
	t->cpu_mask[0] = t->cpu_mask[1] = ~0ul;
	ref_init(&t->ref);
	list_init(&t->in_proc);
	list_init(&t->in_tid_hash);
	sigpending_init(&t->pending);
	t->start_time_ns = clock_boot_ns();
	tid_assign(t);
	return t;
}

/* The number can be given out again once nothing is known by it. */
static void task_forget(struct task *t)
{
	mutex_lock(&tid_lock);
	list_remove(&t->in_tid_hash);
	mutex_unlock(&tid_lock);
}

/* execve by another thread than the leader: it takes over the leader's. */
void task_set_tid(struct task *t, s32 tid)
{
	mutex_lock(&tid_lock);
	list_remove(&t->in_tid_hash);
	t->tid = tid;
	list_push_front(tid_bucket(tid), &t->in_tid_hash);
	mutex_unlock(&tid_lock);
}

void task_put(struct task *t)
{
	if (!ref_put(&t->ref))
		return;
	task_forget(t);
	task_release_doorbell(t);
	seccomp_release(t);
	sigpending_flush(&t->pending);
	if (t->arch.xstate) {
		page_free(t->arch.xstate, t->arch.xstate_pages);
		t->arch.xstate = NULL;
	}
	mutex_lock(&block_lock);
	list_push_back(&dead_blocks, &t->in_proc);
	mutex_unlock(&block_lock);
}

struct proc *proc_alloc(void)
{
	struct proc *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	ref_init(&p->ref);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->threads);
	list_init(&p->in_pgrp_hash);
	list_init(&p->in_all);
	waitq_init(&p->wait_children);
	waitq_init(&p->exit_wait);
	sigpending_init(&p->pending);
	p->exit_signal = SIGCHLD;
	p->dumpable = true;
	p->start_time_ns = clock_boot_ns();
	return p;
}

void proc_put(struct proc *p)
{
	if (!ref_put(&p->ref))
		return;
	if (p->sighand)
		sighand_put(p->sighand);
	sigpending_flush(&p->pending);
	kfree(p->cmdline);
	kfree(p->environ_copy);
	kfree(p->exe_path);
	kfree(p);
}

/* ---- host threads ----------------------------------------------------------- */

static void start_entry(void *arg)
{
	task_entry(arg);
}

int task_start_host(struct task *t, bool new_process)
{
	struct host_start s = {
		.start = start_entry,
		.arg = t,
		.stack_top = (void *)t->kstack_top,
		.trap_area = (char *)t + TASK_TRAP_OFFSET,
		.trap_size = TASK_TRAP_SIZE,
		.ids = &t->host,
		.alive = &t->host_alive,
	};

	t->host.process = new_process ? 0 : current()->host.process;
	return new_process ? host_process_create(&s) : host_thread_create(&s);
}

void task_adopt_host_thread(struct task *t)
{
	arch_set_trap_area((char *)t + TASK_TRAP_OFFSET, TASK_TRAP_SIZE);
	if (!t->host.process)
		t->host.process = t->host.thread;
	__atomic_store_n(&t->host_alive, 1, __ATOMIC_SEQ_CST);
}

extern char libos_data_start[], libos_hot_end[];

/* The host copies no page tables of what is shared, but a read fault brings
 * in all the pages of its 64 KiB that exist, for writing too: a look at each
 * piece of the data that every system call touches saves a fault for each
 * page of it.  (The task's own block has come with the first look at its
 * stack.) */
#define FAULT_AROUND 0x10000ul
static void warm_up(void)
{
	u64 at = (u64)libos_data_start;

	for (; at < (u64)libos_hot_end; at += FAULT_AROUND)
		(void)*(volatile const u8 *)at;
}

void task_started(struct task *t)
{
	task_adopt_host_thread(t);
	if (t->host.process == t->host.thread)
		warm_up();
	park_new_thread(t);
	if (t->is_kthread) {
		t->kthread_fn(t->kthread_arg);
		task_leave(t);
	}
	if (t->kthread_fn) { /* started by the monitor: spawn.c */
		t->kthread_fn(t->kthread_arg);
		return;
	}
	arch_set_fs(t->arch.fs_base);
	proc_child_started(t);
}

static struct task *kthread_start(const char *name, void (*fn)(void *),
				  void *arg, bool in_copy)
{
	struct task *t = task_alloc(kernel_proc);

	if (!t)
		return NULL;
	task_forget(t);
	t->is_kthread = true;
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	strlcpy(t->comm, name, sizeof(t->comm));
	if (task_start_host(t, in_copy) < 0) {
		task_put(t);
		return NULL;
	}
	return t;
}

struct task *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
	return kthread_start(name, fn, arg, false);
}

struct task *kthread_create_copy(const char *name, void (*fn)(void *),
				 void *arg)
{
	return kthread_start(name, fn, arg, true);
}

_Noreturn void task_leave(struct task *t)
{
	u32 *alive = &t->host_alive;

	mutex_lock(&t->kick_lock);
	t->host.thread = 0;
	mutex_unlock(&t->kick_lock);
	task_put(t);
	raw_exit_clear(alive);
}

/* ---- exec of a vfork child: a host process of its own ------------------------ */

#define MOVE_STACK_PAGES 2
struct move {
	struct task *t;
	struct mm *mm;
	void (*cont)(void *);
	void *arg;
	char *stack;
	struct host_thread_ids ids;
};

static void move_continue(void *arg)
{
	struct move m = *(struct move *)arg;

	page_free(m.stack, MOVE_STACK_PAGES);
	m.cont(m.arg);
	__builtin_unreachable();
}

/* On the new host process, on a stack of its own: once the old thread has
 * left the task's stack, that becomes ours. */
static void move_start(void *arg)
{
	struct move *m = arg;
	struct task *t = m->t;
	u32 alive;

	arch_set_current(t);
	while ((alive = __atomic_load_n(&t->host_alive, __ATOMIC_ACQUIRE)))
		arch_relax();
	t->host.thread = m->ids.thread;
	t->host.process = m->ids.thread;
	t->is_moving = false;
	task_adopt_host_thread(t);
	park_new_thread(t);
	host_mem_unmap((void *)GUEST_MIN, BLY_BASE - GUEST_MIN);
	host_mem_unmap((void *)BLY_WINDOWS, GUEST_MAX - BLY_WINDOWS);
	t->proc->mm = m->mm;
	t->is_vfork_child = false;
	vfork_release(t);
	task_switch_stack((void *)t->kstack_top, move_continue, m);
}

int proc_exec_detach(struct task *t, void (*cont)(void *), void *arg)
{
	char *stack = page_alloc(MOVE_STACK_PAGES);
	struct mm *mm = mm_alloc(), *old = t->proc->mm;
	struct move *m = (struct move *)(void *)stack;
	struct host_start s;
	int err;

	if (!stack || !mm) {
		page_free(stack, MOVE_STACK_PAGES);
		return -ENOMEM;
	}
	*m = (struct move){ .t = t, .mm = mm, .cont = cont, .arg = arg,
			    .stack = stack };
	s = (struct host_start){
		.start = move_start,
		.arg = m,
		.stack_top = stack + MOVE_STACK_PAGES * PAGE_SIZE,
		.ids = &m->ids,
	};
	mutex_lock(&t->kick_lock);
	t->is_moving = true;
	err = host_process_create(&s);
	if (err < 0) {
		t->is_moving = false;
		mutex_unlock(&t->kick_lock);
		mm_put(mm);
		page_free(stack, MOVE_STACK_PAGES);
		return err;
	}
	t->host.thread = 0;
	mutex_unlock(&t->kick_lock);
	mm_put(old);
	raw_exit_clear(&t->host_alive);
}

_Noreturn void exec_enter_guest(struct task *t)
{
	arch_enter_guest(t);
}
