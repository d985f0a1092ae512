/*
 * sysv_sem.c - System V semaphores: semget, semop, semtimedop, and the
 * SEM_UNDO adjustments that the end of a process applies.  semctl is in
 * sysv_semctl.c.
 *
 * An array of operations is tried as a whole; one that cannot proceed sleeps
 * until the set changes and is tried again.
 */
#include "sysv_sem.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

struct sysv_table sem_sets = SYSV_TABLE_INIT(SEM_IDS_MAX);
static u32 undo_count; /* of all sets; sem_sets.lock */

struct sem_set *sem_find(s32 id)
{
	struct sysv_object *o = sysv_find(&sem_sets, id);

	return o ? sem_set_of(o) : NULL;
}

void sem_changed(struct sem_set *s)
{
	__atomic_fetch_add(&s->changes, 1, __ATOMIC_SEQ_CST);
	waitq_wake(&s->wait, 0);
}

static void sem_undo_free(struct sem_undo *u)
{
	list_remove(&u->in_set);
	undo_count--;
	kfree(u);
}

void sem_free_if_unused(struct sem_set *s)
{
	struct sem_undo *u, *next;

	if (!s->object.removed || !list_empty(&s->sleepers))
		return;
	list_for_each_safe(u, next, &s->undos, in_set)
		sem_undo_free(u);
	kfree(s);
}

/* ---- semget ---- */
static long sem_create(s32 key, s32 count, u32 flags)
{
	struct sem_set *s;
	int err;

	if (count <= 0 || count > SEM_PER_SET_MAX)
		return -EINVAL;
	s = kzalloc(sizeof(*s) + (u32)count * sizeof(s->sems[0]));
	if (!s)
		return -ENOMEM;
	s->count = (u32)count;
	s->ctime = sysv_now();
	list_init(&s->undos);
	list_init(&s->sleepers);
	waitq_init(&s->wait);
	err = sysv_enter(&sem_sets, &s->object, key, flags);
	if (!err)
		return s->object.id;
	kfree(s);
	return err;
}

long sys_semget(struct task *t, const struct sysargs *a)
{
	s32 key = (s32)a->a[0], count = (s32)a->a[1];
	struct sysv_object *o;
	long ret;

	if (count < 0 || count > SEM_PER_SET_MAX)
		return -EINVAL;
	mutex_lock(&sem_sets.lock);
	o = sysv_get(&sem_sets, key, (u32)a->a[2]);
	if (is_err(o))
		ret = ptr_err(o);
	else if (!o)
		ret = sem_create(key, count, (u32)a->a[2]);
	else
		ret = (u32)count > sem_set_of(o)->count ? -EINVAL : o->id;
	mutex_unlock(&sem_sets.lock);
	return ret;
}

/* ---- undo ---- */
static struct sem_undo *sem_undo_find(struct sem_set *s, struct proc *p)
{
	struct sem_undo *u;

	list_for_each(u, &s->undos, in_set)
		if (u->proc == p)
			return u;
	return NULL;
}

static struct sem_undo *sem_undo_get(struct sem_set *s)
{
	struct sem_undo *u = sem_undo_find(s, current()->proc);

	if (u)
		return u;
	u = kzalloc(sizeof(*u) + s->count * sizeof(u->adjust[0]));
	if (!u)
		return NULL;
	u->proc = current()->proc;
	list_push_back(&s->undos, &u->in_set);
	undo_count++;
	return u;
}

static void sem_undo_apply(struct sem_set *s, struct sem_undo *u, s32 pid)
{
	for (u32 i = 0; i < s->count; i++) {
		s32 value = s->sems[i].value + u->adjust[i];

		if (!u->adjust[i])
			continue;
		s->sems[i].value = MIN(MAX(value, 0), SEM_VALUE_MAX);
		s->sems[i].pid = pid;
	}
	s->otime = sysv_now();
}

void sem_exit(struct proc *p)
{
	if (!__atomic_load_n(&undo_count, __ATOMIC_RELAXED))
		return;
	mutex_lock(&sem_sets.lock);
	for (u32 i = 0; i < sem_sets.capacity; i++) {
		struct sysv_object *o = sem_sets.slots[i];
		struct sem_set *s = o ? sem_set_of(o) : NULL;
		struct sem_undo *u = s ? sem_undo_find(s, p) : NULL;

		if (!u)
			continue;
		sem_undo_apply(s, u, p->pid);
		sem_undo_free(u);
		sem_changed(s);
	}
	mutex_unlock(&sem_sets.lock);
}

/* ---- semop ---- */
struct sem_call {
	struct sembuf_k *ops;
	u32 count;
	bool alters, undoes;
	u32 blocked_at;      /* the operation that could not proceed */
};

static void sem_take_back(struct sem_set *s, struct sem_undo *u,
			  const struct sem_call *c, u32 done)
{
	while (done--) {
		const struct sembuf_k *op = &c->ops[done];

		s->sems[op->num].value -= op->op;
		if (op->flags & SEM_UNDO_FLAG && u)
			u->adjust[op->num] += op->op;
	}
}

/* 0 done, 1 must wait, or -errno; nothing changed but when 0. */
static int sem_try(struct sem_set *s, struct sem_undo *u, struct sem_call *c)
{
	int err = 0;
	u32 i;

	for (i = 0; i < c->count; i++) {
		const struct sembuf_k *op = &c->ops[i];
		s32 value = s->sems[op->num].value, after = value + op->op;

		if (op->op ? after < 0 : value != 0) {
			err = op->flags & IPC_NOWAIT ? -EAGAIN : 1;
			break;
		}
		if (after > SEM_VALUE_MAX) {
			err = -ERANGE;
			break;
		}
		if (op->flags & SEM_UNDO_FLAG && op->op) {
			s32 adjust = u->adjust[op->num] - op->op;

			if (adjust < -SEM_VALUE_MAX - 1 ||
			    adjust > SEM_VALUE_MAX) {
				err = -ERANGE;
				break;
			}
			u->adjust[op->num] = (int16_t)adjust;
		}
		s->sems[op->num].value = after;
	}
	if (err) {
		c->blocked_at = i;
		sem_take_back(s, u, c, i);
		return err;
	}
	for (i = 0; i < c->count; i++)
		s->sems[c->ops[i].num].pid = current()->proc->pid;
	s->otime = sysv_now();
	return 0;
}

/* Sleep until the set changes; its lock is dropped meanwhile. */
static int sem_sleep(struct sem_set *s, const struct sem_call *c,
		     u64 deadline_ns)
{
	const struct sembuf_k *op = &c->ops[c->blocked_at];
	struct sem_sleeper self = { .num = op->num, .for_zero = !op->op };
	u32 seen = s->changes;
	int err;

	list_push_back(&s->sleepers, &self.in_set);
	mutex_unlock(&sem_sets.lock);
	err = wait_until(&s->wait,
			 __atomic_load_n(&s->changes, __ATOMIC_SEQ_CST) != seen,
			 deadline_ns);
	mutex_lock(&sem_sets.lock);
	list_remove(&self.in_set);
	if (s->object.removed)
		return -EIDRM;
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return err ? -EINTR : 0;
}

static int sem_check(struct sem_set *s, const struct sem_call *c)
{
	for (u32 i = 0; i < c->count; i++)
		if (c->ops[i].num >= s->count)
			return -EFBIG;
	return sysv_permission(&s->object, c->alters ? 2 : 4);
}

/* Lock held. */
static int sem_do(s32 id, struct sem_call *c, u64 deadline_ns)
{
	struct sem_set *s = sem_find(id);
	struct sem_undo *u = NULL;
	int ret;

	if (!s)
		return -EINVAL;
	ret = sem_check(s, c);
	while (!ret) {
		if (c->undoes && !(u = sem_undo_get(s)))
			return -ENOMEM;
		ret = sem_try(s, u, c);
		if (ret <= 0)
			break;
		ret = sem_sleep(s, c, deadline_ns);
		if (ret == -EIDRM) {
			sem_free_if_unused(s);
			return ret;
		}
	}
	if (!ret && c->alters)
		sem_changed(s);
	return ret;
}

static int sem_call_read(struct sem_call *c, u64 uops, u64 count,
			 struct sembuf_k *inline_ops)
{
	c->ops = inline_ops;
	c->count = (u32)count;
	if (count > SEM_INLINE_OPS)
		c->ops = kmalloc(count * sizeof(*c->ops));
	if (!c->ops)
		return -ENOMEM;
	if (copy_from_user(c->ops, uops, count * sizeof(*c->ops)))
		return -EFAULT;
	for (u32 i = 0; i < c->count; i++) {
		c->alters |= c->ops[i].op != 0;
		c->undoes |= c->ops[i].flags & SEM_UNDO_FLAG && c->ops[i].op;
	}
	return 0;
}

static long sem_operate(s32 id, u64 uops, u64 count, u64 deadline_ns)
{
	struct sembuf_k inline_ops[SEM_INLINE_OPS];
	struct sem_call c = { 0 };
	long ret;

	if (count < 1 || id < 0)
		return -EINVAL;
	if (count > SEM_OPS_MAX)
		return -E2BIG;
	ret = sem_call_read(&c, uops, count, inline_ops);
	if (!ret) {
		mutex_lock(&sem_sets.lock);
		ret = sem_do(id, &c, deadline_ns);
		mutex_unlock(&sem_sets.lock);
	}
	if (c.ops != inline_ops)
		kfree(c.ops);
	return ret;
}

long sys_semop(struct task *t, const struct sysargs *a)
{
	return sem_operate((s32)a->a[0], a->a[1], a->a[2] & 0xffffffff,
			   HOST_FOREVER);
}

long sys_semtimedop(struct task *t, const struct sysargs *a)
{
	u64 deadline;
	int err = get_timeout(a->a[3], &deadline);

	return err ? err : sem_operate((s32)a->a[0], a->a[1],
				       a->a[2] & 0xffffffff, deadline);
}
