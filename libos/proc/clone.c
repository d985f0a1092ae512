/*
 * clone.c - new threads and processes.
 *
 * A thread is a host thread of this picoprocess.  A process is a host copy of
 * this picoprocess (copy-on-write), except with CLONE_VM: then it is, until
 * it execs, a host thread here with a struct proc of its own that shares the
 * struct mm (is_vfork_child).
 *
 * Everything that can fail comes before the child is visible to others; the
 * host call that starts it is last and undone by hand.
 */
#include "internal.h"

#include <libos/exec.h>
#include <libos/file.h>
#include <libos/futex.h>
#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/vfs.h>

struct clone_request {
	u64 flags;
	u64 pidfd, child_tid, parent_tid;
	u64 stack, tls;
	u32 exit_signal;
};

/* Shared by a vfork child and the thread that waits for it. */
struct vfork_wait {
	u32 done;
	struct ref ref;
	struct task *parent; /* reference */
};

/* ---- checks ------------------------------------------------------------------- */
static int check_flags(const struct clone_request *r)
{
	u64 f = r->flags;

	if ((f & CLONE_FS_) && (f & (CLONE_NEWNS_ | CLONE_NEWUSER_)))
		return -EINVAL;
	if ((f & CLONE_THREAD_) && !(f & CLONE_SIGHAND_))
		return -EINVAL;
	if ((f & CLONE_SIGHAND_) && !(f & CLONE_VM_))
		return -EINVAL;
	if ((f & CLONE_PARENT_) && current()->proc == init_proc)
		return -EINVAL;
	if ((f & CLONE_THREAD_) && (f & (CLONE_NEWUSER_ | CLONE_NEWPID_)))
		return -EINVAL;
	if ((f & CLONE_PIDFD_) && (f & (CLONE_DETACHED_ | CLONE_THREAD_)))
		return -EINVAL;
	if ((f & CLONE_CLEAR_SIGHAND_) && (f & CLONE_SIGHAND_))
		return -EINVAL;
	if (f & (CLONE_NAMESPACES_ | CLONE_NEWTIME_ | CLONE_INTO_CGROUP_))
		return -EPERM;
	return 0;
}

/* ---- what a child inherits ------------------------------------------------------ */
static void inherit_thread(struct task *c, struct task *t,
			   const struct clone_request *r)
{
	c->cred = t->cred;
	c->blocked = t->restore_mask ? t->saved_mask : t->blocked;
	memcpy(c->comm, t->comm, sizeof(c->comm));
	c->nice = t->nice;
	c->sched_policy = t->sched_policy;
	c->sched_priority = t->sched_priority;
	c->timer_slack_ns = t->timer_slack_ns;
	memcpy(c->cpu_mask, t->cpu_mask, sizeof(c->cpu_mask));
	if (!(r->flags & CLONE_VM_) || (r->flags & CLONE_VFORK_))
		c->altstack = t->altstack;
	if (r->flags & CLONE_CHILD_SETTID_)
		c->set_child_tid = r->child_tid;
	if (r->flags & CLONE_CHILD_CLEARTID_)
		c->clear_child_tid = r->child_tid;
	task_set_work(c, t->work & WORK_TRACE);
	arch_copy_thread(c, t, r->stack, r->flags & CLONE_SETTLS_, r->tls);
}

static bool copy_bytes(char **to, const char *from, size_t size)
{
	*to = NULL;
	if (!from)
		return true;
	*to = kmalloc(size ? size : 1);
	if (*to)
		memcpy(*to, from, size);
	return *to != NULL;
}

static bool inherit_image(struct proc *p, struct proc *from)
{
	p->cmdline_size = from->cmdline_size;
	p->environ_size = from->environ_size;
	p->auxv_count = from->auxv_count;
	memcpy(p->auxv, from->auxv, sizeof(p->auxv));
	p->exe = from->exe ? file_get(from->exe) : NULL;
	return copy_bytes(&p->cmdline, from->cmdline, from->cmdline_size)
		&& copy_bytes(&p->environ_copy, from->environ_copy,
			      from->environ_size)
		&& copy_bytes(&p->exe_path, from->exe_path,
			      from->exe_path ? strlen(from->exe_path) + 1 : 0);
}

static void reset_caught(struct sighand *s)
{
	for (unsigned i = 0; i < NSIG; i++)
		if (s->action[i].handler != 1 /* SIG_IGN */)
			memset(&s->action[i], 0, sizeof(s->action[i]));
}

static bool inherit_objects(struct proc *p, struct proc *from, u64 flags)
{
	if (flags & CLONE_SIGHAND_) {
		ref_get(&from->sighand->ref);
		p->sighand = from->sighand;
	} else {
		p->sighand = sighand_copy(from->sighand);
		if (p->sighand && (flags & CLONE_CLEAR_SIGHAND_))
			reset_caught(p->sighand);
	}
	if (flags & CLONE_FILES_) {
		ref_get(&from->files->ref);
		p->files = from->files;
	} else {
		p->files = files_copy(from->files);
	}
	if (flags & CLONE_FS_) {
		ref_get(&from->fs->ref);
		p->fs = from->fs;
	} else {
		p->fs = fs_context_copy(from->fs);
	}
	if (flags & CLONE_VM_) {
		ref_get(&from->mm->ref);
		p->mm = from->mm;
	} else {
		p->mm = mm_copy(from->mm); /* caller holds its map_lock */
	}
	return p->sighand && p->files && p->fs && p->mm;
}

/* Another thread may be setting filters for all. */
static void inherit_filters(struct task *c, struct task *t)
{
	struct sighand *s = sighand_lock(t->proc);

	c->cred.no_new_privs = t->cred.no_new_privs;
	seccomp_inherit(c, t);
	mutex_unlock(&s->lock);
}

static void inherit_process(struct proc *p, struct proc *from)
{
	memcpy(p->rlimits, from->rlimits, sizeof(p->rlimits));
	p->personality = from->personality;
	p->dumpable = from->dumpable;
	p->oom_score_adj = from->oom_score_adj;
	p->tty = from->tty;
}

static void process_discard(struct proc *p, struct task *child)
{
	if (p->files)
		files_put(p->files);
	if (p->fs)
		fs_context_put(p->fs);
	if (p->mm)
		mm_put(p->mm);
	if (p->exe)
		file_put(p->exe);
	if (child)
		task_put(child);
	proc_put(p);
}

/* ---- vfork ---------------------------------------------------------------------- */
static void vfork_wait_put(struct vfork_wait *w)
{
	if (!ref_put(&w->ref))
		return;
	task_put(w->parent);
	kfree(w);
}

void vfork_release(struct task *t)
{
	struct vfork_wait *w;

	if (!t->vfork_done)
		return;
	w = container_of(t->vfork_done, struct vfork_wait, done);
	t->vfork_done = NULL;
	__atomic_store_n(&w->done, 1, __ATOMIC_SEQ_CST);
	task_wake(w->parent);
	vfork_wait_put(w);
}

static struct vfork_wait *vfork_wait_new(struct task *parent)
{
	struct vfork_wait *w = kzalloc(sizeof(*w));

	if (!w)
		return NULL;
	w->ref.count = 2; /* parent and child */
	ref_get(&parent->ref);
	w->parent = parent;
	return w;
}

static void vfork_wait_for(struct vfork_wait *w)
{
	for (;;) {
		task_prepare_sleep();
		if (__atomic_load_n(&w->done, __ATOMIC_SEQ_CST))
			break;
		if (task_sleep_killable(HOST_FOREVER))
			break;
	}
	vfork_wait_put(w);
}

/* ---- a thread --------------------------------------------------------------------- */
/* False while the process ends, execs or stops. */
static bool thread_enter(struct proc *p, struct task *c)
{
	struct sighand *s;
	bool ok;

	mutex_lock(&tasklist_lock);
	s = sighand_lock(p);
	ok = !p->group_exiting && !p->exec_by && !p->stop_left;
	if (ok) {
		c->cred.no_new_privs = current()->cred.no_new_privs;
		seccomp_inherit(c, current());
		list_push_back(&p->threads, &c->in_proc);
		p->thread_count++;
	}
	mutex_unlock(&s->lock);
	mutex_unlock(&tasklist_lock);
	return ok;
}

static void thread_leave_list(struct proc *p, struct task *c)
{
	struct sighand *s;

	mutex_lock(&tasklist_lock);
	s = sighand_lock(p);
	list_remove(&c->in_proc);
	p->thread_count--;
	mutex_unlock(&s->lock);
	mutex_unlock(&tasklist_lock);
}

static long clone_thread(struct task *t, const struct clone_request *r)
{
	struct task *c = task_alloc(t->proc);
	s32 tid;

	if (!c)
		return -EAGAIN;
	tid = c->tid;
	inherit_thread(c, t, r);
	c->is_vfork_child = t->is_vfork_child;
	if (!thread_enter(t->proc, c)) {
		task_put(c);
		return -ERESTARTNOINTR;
	}
	if (r->flags & CLONE_PARENT_SETTID_)
		put_user_u32(r->parent_tid, (u32)tid);
	if (task_start_host(c, false) < 0) {
		thread_leave_list(t->proc, c);
		task_put(c);
		return -EAGAIN;
	}
	return tid;
}

/* ---- a process ---------------------------------------------------------------------- */
static struct task *process_new(struct task *t, const struct clone_request *r)
{
	struct proc *p = proc_alloc(), *from = t->proc;
	struct task *c;

	if (!p)
		return NULL;
	c = task_alloc(p);
	if (!c) {
		proc_put(p);
		return NULL;
	}
	p->pid = c->tid;
	p->leader = c;
	p->thread_count = 1;
	list_push_back(&p->threads, &c->in_proc);
	p->exit_signal = r->exit_signal;
	inherit_thread(c, t, r);
	inherit_filters(c, t);
	inherit_process(p, from);
	if (!inherit_objects(p, from, r->flags) || !inherit_image(p, from)) {
		list_remove(&c->in_proc);
		process_discard(p, c);
		return NULL;
	}
	c->is_vfork_child = r->flags & CLONE_VM_;
	return c;
}

__attribute__((weak)) struct file *pidfd_file(struct proc *p)
{
	return err_ptr(-ENOSYS);
}

/* CLONE_PIDFD: a descriptor for the child. */
static int make_pidfd(struct proc *p, int *fd)
{
	struct file *f = pidfd_file(p);

	if (is_err(f))
		return (int)ptr_err(f);
	*fd = fd_install(f, true);
	if (*fd >= 0)
		return 0;
	file_put(f);
	return *fd;
}

/* The numbers that the parent asked to find in its memory. */
static void tell_numbers(const struct clone_request *r, s32 pid, int fd)
{
	if (r->flags & CLONE_PARENT_SETTID_)
		put_user_u32(r->parent_tid, (u32)pid);
	if (r->flags & CLONE_PIDFD_)
		put_user_u32(r->pidfd, (u32)fd);
}

static void process_unstart(struct proc *p, struct task *c, int fd)
{
	if (fd >= 0)
		fd_close(fd);
	mutex_lock(&tasklist_lock);
	proc_unlink(p);
	list_remove(&c->in_proc);
	mutex_unlock(&tasklist_lock);
	process_discard(p, c);
}

static long process_start(struct task *t, struct task *c,
			  const struct clone_request *r, int *fd)
{
	struct proc *p = c->proc, *parent = t->proc;
	s32 pid = p->pid;
	int err = 0;

	if (r->flags & CLONE_PARENT_) {
		parent = parent->parent;
		p->exit_signal = t->proc->exit_signal;
	}
	proc_link(p, parent, t->proc->pgid, t->proc->sid);
	if (r->flags & CLONE_PIDFD_)
		err = make_pidfd(p, fd);
	if (!err && (r->flags & CLONE_VM_))
		tell_numbers(r, pid, *fd);
	if (!err && task_start_host(c, !(r->flags & CLONE_VM_)) < 0)
		err = -EAGAIN;
	if (err)
		process_unstart(p, c, *fd);
	return err ? err : pid;
}

/* mm->map_lock is held while the host copies, so that the list of mappings
 * agrees with the copy; guest memory must not be touched meanwhile. */
static long fork_process(struct task *t, const struct clone_request *r,
			 struct vfork_wait *w, int *fd)
{
	struct mutex *lock = &t->proc->mm->map_lock;
	bool copies = !(r->flags & CLONE_VM_);
	struct task *c;
	long pid = -ENOMEM;

	if (copies) {
		mutex_lock(lock);
		rewrite_before_fork(t->proc->mm);
	}
	c = process_new(t, r);
	if (c) {
		c->vfork_done = w ? &w->done : NULL;
		pid = process_start(t, c, r, fd);
	}
	if (copies)
		mutex_unlock(lock);
	return pid;
}

static long clone_process(struct task *t, const struct clone_request *r)
{
	struct vfork_wait *w = NULL;
	int fd = -1;
	long pid;

	if ((r->flags & CLONE_PIDFD_) && put_user_u32(r->pidfd, 0))
		return -EFAULT;
	if (r->flags & CLONE_VFORK_) {
		w = vfork_wait_new(t);
		if (!w)
			return -ENOMEM;
	}
	pid = fork_process(t, r, w, &fd);
	if (pid > 0 && !(r->flags & CLONE_VM_))
		tell_numbers(r, (s32)pid, fd);
	if (w && pid < 0) {
		vfork_wait_put(w); /* the child's */
		vfork_wait_put(w);
	} else if (w) {
		vfork_wait_for(w);
	}
	return pid;
}

static long do_clone(struct task *t, const struct clone_request *r)
{
	long result = check_flags(r);

	if (result)
		return result;
	if (signal_pending(t)) /* else a fork bomb could not be interrupted */
		return -ERESTARTNOINTR;
	if (!task_count_take(t->proc))
		return -EAGAIN;
	result = r->flags & CLONE_THREAD_ ? clone_thread(t, r)
		: clone_process(t, r);
	if (result < 0)
		task_count_give();
	return result;
}

__attribute__((weak)) void mm_after_fork_child(struct mm *m)
{
}

void proc_child_started(struct task *t)
{
	if (t->proc->leader == t && !t->is_vfork_child)
		mm_after_fork_child(t->proc->mm);
	if (t->set_child_tid)
		put_user_u32(t->set_child_tid, (u32)t->tid);
	t->set_child_tid = 0;
}

/* ---- calls -------------------------------------------------------------------- */
long sys_fork(struct task *t, const struct sysargs *a)
{
	struct clone_request r = { .exit_signal = SIGCHLD };

	return do_clone(t, &r);
}

long sys_vfork(struct task *t, const struct sysargs *a)
{
	struct clone_request r = { .flags = CLONE_VM_ | CLONE_VFORK_,
				   .exit_signal = SIGCHLD };

	return do_clone(t, &r);
}

long sys_clone(struct task *t, const struct sysargs *a)
{
	struct clone_request r = {
		.flags = (u32)a->a[0] & ~0xffull,
		.exit_signal = a->a[0] & 0xff,
		.stack = a->a[1],
		.parent_tid = a->a[2],
		.pidfd = a->a[2],
		.child_tid = a->a[3],
		.tls = a->a[4],
	};

	if ((r.flags & CLONE_PIDFD_) && (r.flags & CLONE_PARENT_SETTID_))
		return -EINVAL;
	if (r.exit_signal > NSIG)
		return -EINVAL;
	return do_clone(t, &r);
}

struct guest_clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		stack_size, tls, set_tid, set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64u

/* The guest's struct may be older (shorter) or newer (longer, then zero). */
static int get_clone_args(struct guest_clone_args *g, u64 uptr, u64 size)
{
	u8 rest;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(g, 0, sizeof(*g));
	if (copy_from_user(g, uptr, MIN(size, sizeof(*g))))
		return -EFAULT;
	for (u64 i = sizeof(*g); i < size; i++) {
		if (copy_from_user(&rest, uptr + i, 1))
			return -EFAULT;
		if (rest)
			return -E2BIG;
	}
	return 0;
}

static int check_clone3(const struct guest_clone_args *g)
{
	const u64 known = 0x3ffffff00ull | CLONE_NEWTIME_;

	if ((g->flags & ~known) || (g->flags & CLONE_DETACHED_))
		return -EINVAL;
	if (g->exit_signal > NSIG)
		return -EINVAL;
	if ((g->flags & (CLONE_THREAD_ | CLONE_PARENT_)) && g->exit_signal)
		return -EINVAL;
	if (!g->stack != !g->stack_size)
		return -EINVAL;
	if (!g->set_tid != !g->set_tid_size || g->set_tid_size > 32)
		return -EINVAL;
	if (g->stack && !access_ok(g->stack, g->stack_size))
		return -EINVAL;
	return g->set_tid_size ? -EPERM : 0;
}

long sys_clone3(struct task *t, const struct sysargs *a)
{
	struct guest_clone_args g;
	struct clone_request r;
	int err = get_clone_args(&g, a->a[0], a->a[1]);

	if (!err)
		err = check_clone3(&g);
	if (err)
		return err;
	r = (struct clone_request){
		.flags = g.flags, .pidfd = g.pidfd, .child_tid = g.child_tid,
		.parent_tid = g.parent_tid, .tls = g.tls,
		.stack = g.stack ? g.stack + g.stack_size : 0,
		.exit_signal = (u32)g.exit_signal,
	};
	return do_clone(t, &r);
}
