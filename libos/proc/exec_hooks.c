/*
 * exec_hooks.c - what execve does to the process around the new image.
 */
#include "internal.h"

#include <libos/exec.h>
#include <libos/file.h>
#include <libos/futex.h>
#include <libos/heap.h>
#include <libos/timers.h>

/* Tell every other thread to leave; -EAGAIN if another one execs. */
static int claim(struct proc *p, struct task *t)
{
	struct task *other;
	struct sighand *s;
	int err = 0;

	mutex_lock(&tasklist_lock);
	s = sighand_lock(p);
	if (p->group_exiting || p->exec_by) {
		err = -EAGAIN;
	} else if (p->thread_count > 1) {
		p->exec_by = t;
		list_for_each(other, &p->threads, in_proc) {
			if (other == t || other->is_exiting)
				continue;
			task_set_work(other, WORK_EXIT);
			task_kick(other);
		}
	}
	mutex_unlock(&s->lock);
	mutex_unlock(&tasklist_lock);
	return err;
}

static int wait_alone(struct proc *p)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w, current());
	waitq_add(&p->exit_wait, &w);
	for (;;) {
		task_prepare_sleep();
		if (__atomic_load_n(&p->thread_count, __ATOMIC_SEQ_CST) == 1)
			break;
		err = task_sleep_killable(HOST_FOREVER);
		if (err)
			break;
	}
	waitq_remove(&w);
	return err ? -ERESTARTNOINTR : 0;
}

static void become_leader(struct proc *p, struct task *t)
{
	struct sighand *s;

	mutex_lock(&tasklist_lock);
	s = sighand_lock(p);
	p->leader = t;
	p->exec_by = NULL;
	p->exit_code = 0;
	task_set_tid(t, p->pid);
	mutex_unlock(&s->lock);
	mutex_unlock(&tasklist_lock);
}

int proc_exec_begin(struct task *t)
{
	struct proc *p = t->proc;
	int err = claim(p, t);

	if (err)
		return err;
	if (p->thread_count > 1) {
		err = wait_alone(p);
		if (err) { /* being killed; exec_by no longer matters */
			p->exec_by = NULL;
			return err;
		}
	}
	if (p->leader != t)
		become_leader(p, t);
	p->exec_by = NULL;
	return 0;
}

static void unshare_files(struct proc *p)
{
	struct files *own, *old = p->files;

	if (__atomic_load_n(&old->ref.count, __ATOMIC_ACQUIRE) > 1) {
		own = files_copy(old);
		if (!own)
			panic("exec: no memory for the descriptor table");
		mutex_lock(&tasklist_lock);
		p->files = own;
		mutex_unlock(&tasklist_lock);
		files_put(old);
	}
	files_close_on_exec(p->files);
}

static void set_comm(struct task *t)
{
	const char *path = t->proc->exe_path, *base;

	if (!path)
		return;
	base = strrchr(path, '/');
	strlcpy(t->comm, base ? base + 1 : path, sizeof(t->comm));
}

/* Capabilities across execve: root gets all of the bounding set, others keep
 * their ambient ones (nothing is set-uid here). */
static void exec_capabilities(struct cred *c)
{
	bool root = (c->euid == 0 || c->uid == 0) && !(c->securebits & 1);

	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (root) {
		c->cap_permitted = c->cap_inheritable | c->cap_bounding;
		c->cap_effective = c->euid == 0 ? c->cap_permitted
			: c->cap_ambient;
		c->cap_ambient = 0;
	} else {
		c->cap_permitted = c->cap_effective = c->cap_ambient;
	}
	c->securebits &= ~(1u << 4); /* SECBIT_KEEP_CAPS */
}

void proc_exec_commit(struct task *t)
{
	struct proc *p = t->proc;

	timers_exec(p);
	sighand_reset_for_exec(p);
	memset(&t->altstack, 0, sizeof(t->altstack));
	t->restart.fn = NULL;
	t->robust_list = 0;
	t->clear_child_tid = 0;
	t->rseq_ptr = 0;
	unshare_files(p);
	set_comm(t);
	exec_capabilities(&t->cred);
	p->has_execed = true;
	p->dumpable = t->cred.euid == t->cred.uid
		&& t->cred.egid == t->cred.gid;
	p->personality &= ~0x0800000u; /* ADDR_COMPAT and such stay */
	p->exit_signal = SIGCHLD;
	vfork_release(t);
}
