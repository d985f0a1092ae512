/*
 * procfs_util.c - what the files of procfs ask about processes and the
 * sandbox, with the locks and references that takes.
 */
#include "procfs.h"

#include <bailey/boot.h>

#include <libos/heap.h>
#include <libos/mm.h>

enum { CAP_PTRACE = 19 };

struct task *pnode_task(const struct pnode *n)
{
	struct task *t = NULL;

	if (!n->proc)
		return NULL;
	mutex_lock(&tasklist_lock);
	if (n->tid) {
		t = task_find(n->tid);
		if (t && t->proc != n->proc)
			t = NULL;
	} else {
		t = n->proc->leader;
		if (!t && !list_empty(&n->proc->threads))
			t = list_first(&n->proc->threads, struct task, in_proc);
	}
	if (t)
		ref_get(&t->ref);
	mutex_unlock(&tasklist_lock);
	return t;
}

/* proc->mm and ->files go when the process dies, under tasklist_lock. */
struct mm *pnode_mm(const struct pnode *n)
{
	struct mm *m = NULL;

	mutex_lock(&tasklist_lock);
	if (n->proc->state == PROC_ALIVE && n->proc->mm) {
		m = n->proc->mm;
		ref_get(&m->ref);
	}
	mutex_unlock(&tasklist_lock);
	return m;
}

struct files *pnode_files(const struct pnode *n)
{
	struct files *f = NULL;

	mutex_lock(&tasklist_lock);
	if (n->proc->state == PROC_ALIVE && n->proc->files) {
		f = n->proc->files;
		ref_get(&f->ref);
	}
	mutex_unlock(&tasklist_lock);
	return f;
}

int pnode_may_look(const struct pnode *n)
{
	const struct cred *me = &current()->cred;
	struct task *t;
	bool ok;

	if (n->proc == current()->proc)
		return 0;
	t = pnode_task(n);
	if (!t)
		return -ESRCH;
	ok = (me->fsuid == t->cred.euid && me->fsuid == t->cred.suid &&
	      me->fsuid == t->cred.uid && n->proc->dumpable) ||
	     capable(CAP_PTRACE);
	task_put(t);
	return ok ? 0 : -EACCES;
}

/*
 * What is resident only the host knows and it does not tell.  Counted is what
 * may be: everything accessible but the unused part of reservations, and of a
 * stack only what Linux grants at first.
 */
void mm_usage(struct mm *m, struct pmem *u)
{
	memset(u, 0, sizeof(*u));
	mutex_lock(&m->lock);
	for (struct vma *v = vma_next(m, 0); v; v = vma_next(m, v->end)) {
		u64 pages = (v->end - v->start) / PAGE_SIZE, in = pages;
		bool is_data = (v->prot & 2) && !(v->flags & VMA_SHARED);

		u->size += pages;
		if (v->flags & VMA_STACK) {
			u->stack += MIN(pages, 33ul);
			in = MIN(pages, 33ul);
		} else if (is_data) {
			u->data += pages;
		}
		if (v->file && (v->prot & 4) && !(v->prot & 2))
			u->text += v->start >= m->code_start &&
				   v->start < m->code_end ? pages : 0;
		if (v->flags & VMA_LOCKED)
			u->locked += pages;
		if (!(v->prot & 7) || (v->flags & VMA_NORESERVE))
			continue;
		u->resident += in;
		if (v->file && !is_data)
			u->shared += in;
	}
	mutex_unlock(&m->lock);
}

u64 sandbox_memory(void)
{
	const struct boot_info *b = boot_info();
	u64 limit = b->memory_limit;

	return limit && limit < b->host_memory ? limit : b->host_memory;
}

u64 sandbox_memory_used(void)
{
	u64 used = memory_in_use(), all = sandbox_memory();

	return MIN(used, all);
}

u32 sandbox_cpus(void)
{
	u32 n = boot_info()->cpu_count;

	return n ? n : 1;
}
