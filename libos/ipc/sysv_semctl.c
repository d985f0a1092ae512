/*
 * sysv_semctl.c - semctl and /proc/sysvipc/sem.
 */
#include "sysv_sem.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

enum { SEM_GETPID = 11, SEM_GETVAL, SEM_GETALL, SEM_GETNCNT, SEM_GETZCNT,
       SEM_SETVAL, SEM_SETALL, SEM_CMD_STAT, SEM_CMD_INFO,
       SEM_CMD_STAT_ANY };
#define IPC_CMD_INFO 3

struct user_semid_ds { /* struct semid64_ds of x86 */
	struct ipc64_perm perm;
	s64 otime;
	u64 unused1;
	s64 ctime;
	u64 unused2;
	u64 nsems;
	u64 unused3, unused4;
};
struct user_seminfo { s32 map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem; };

static long sem_waiting(const struct sem_set *s, u32 num, bool for_zero)
{
	struct sem_sleeper *w;
	long count = 0;

	list_for_each(w, &s->sleepers, in_set)
		count += w->num == num && w->for_zero == for_zero;
	return count;
}

static void sem_forget_undo(struct sem_set *s, u32 from, u32 to)
{
	struct sem_undo *u;

	list_for_each(u, &s->undos, in_set)
		for (u32 i = from; i < to; i++)
			u->adjust[i] = 0;
}

/* One semaphore. Lock held. */
static long sem_one(struct sem_set *s, u32 num, u32 cmd, s32 value)
{
	long err = sysv_permission(&s->object, cmd == SEM_SETVAL ? 2 : 4);

	if (cmd == SEM_SETVAL && (value < 0 || value > SEM_VALUE_MAX))
		return -ERANGE;
	if (err)
		return err;
	if (num >= s->count)
		return -EINVAL;
	switch (cmd) {
	case SEM_GETVAL:
		return s->sems[num].value;
	case SEM_GETPID:
		return s->sems[num].pid;
	case SEM_GETNCNT:
		return sem_waiting(s, num, false);
	case SEM_GETZCNT:
		return sem_waiting(s, num, true);
	}
	s->sems[num].value = value;
	s->sems[num].pid = current()->proc->pid;
	s->ctime = sysv_now();
	sem_forget_undo(s, num, num + 1);
	sem_changed(s);
	return 0;
}

static long sem_get_all(struct sem_set *s, u64 user)
{
	long err = sysv_permission(&s->object, 4);

	for (u32 i = 0; !err && i < s->count; i++) {
		u16 v = (u16)s->sems[i].value;

		if (copy_to_user(user + 2ul * i, &v, 2))
			err = -EFAULT;
	}
	return err;
}

static long sem_set_all(struct sem_set *s, u64 user)
{
	long err = sysv_permission(&s->object, 2);
	u16 *values;

	if (err)
		return err;
	values = kmalloc(2ul * s->count);
	if (!values)
		return -ENOMEM;
	if (copy_from_user(values, user, 2ul * s->count))
		err = -EFAULT;
	for (u32 i = 0; !err && i < s->count; i++)
		if (values[i] > SEM_VALUE_MAX)
			err = -ERANGE;
	for (u32 i = 0; !err && i < s->count; i++) {
		s->sems[i].value = values[i];
		s->sems[i].pid = current()->proc->pid;
	}
	kfree(values);
	if (err)
		return err;
	s->ctime = sysv_now();
	sem_forget_undo(s, 0, s->count);
	sem_changed(s);
	return 0;
}

static long sem_stat(s32 id, u32 cmd, u64 user)
{
	struct user_semid_ds d;
	struct sysv_object *o;
	long ret;

	memset(&d, 0, sizeof(d));
	mutex_lock(&sem_sets.lock);
	o = cmd == IPC_STAT ? sysv_find(&sem_sets, id)
			    : sysv_at(&sem_sets, (u32)id);
	ret = o ? 0 : -EINVAL;
	if (o && cmd != SEM_CMD_STAT_ANY)
		ret = sysv_permission(o, 4);
	if (!ret) {
		sysv_get_perm(o, &d.perm);
		d.otime = sem_set_of(o)->otime;
		d.ctime = sem_set_of(o)->ctime;
		d.nsems = sem_set_of(o)->count;
		ret = cmd == IPC_STAT ? 0 : o->id;
	}
	mutex_unlock(&sem_sets.lock);
	if (ret >= 0 && copy_to_user(user, &d, sizeof(d)))
		return -EFAULT;
	return ret;
}

static long sem_info(u32 cmd, u64 user)
{
	struct user_seminfo i = { .map = SEM_IDS_MAX * SEM_PER_SET_MAX,
				  .mni = SEM_IDS_MAX,
				  .mns = SEM_IDS_MAX * SEM_PER_SET_MAX,
				  .mnu = SEM_IDS_MAX * SEM_PER_SET_MAX,
				  .msl = SEM_PER_SET_MAX, .opm = SEM_OPS_MAX,
				  .ume = SEM_OPS_MAX, .usz = 20,
				  .vmx = SEM_VALUE_MAX, .aem = SEM_VALUE_MAX };

	mutex_lock(&sem_sets.lock);
	if (cmd == SEM_CMD_INFO) {
		i.usz = (s32)sem_sets.count;
		i.aem = 0;
		for (u32 k = 0; k < sem_sets.capacity; k++)
			if (sem_sets.slots[k])
				i.aem += (s32)sem_set_of(sem_sets.slots[k])
						 ->count;
	}
	mutex_unlock(&sem_sets.lock);
	return copy_to_user(user, &i, sizeof(i)) ? -EFAULT
						 : (long)sem_sets.highest;
}

static long sem_change(struct sem_set *s, u32 cmd,
		       const struct user_semid_ds *d)
{
	long err = sysv_may_control(&s->object);

	if (err)
		return err;
	if (cmd == IPC_SET) {
		s->ctime = sysv_now();
		return sysv_set_perm(&s->object, &d->perm);
	}
	sysv_remove(&sem_sets, &s->object);
	sem_changed(s);
	sem_free_if_unused(s);
	return 0;
}

static long sem_control(s32 id, u32 num, u32 cmd, u64 arg)
{
	struct user_semid_ds d;
	struct sem_set *s;
	long ret;

	if (cmd == IPC_SET && copy_from_user(&d, arg, sizeof(d)))
		return -EFAULT;
	mutex_lock(&sem_sets.lock);
	s = sem_find(id);
	if (!s)
		ret = -EINVAL;
	else if (cmd == SEM_GETALL)
		ret = sem_get_all(s, arg);
	else if (cmd == SEM_SETALL)
		ret = sem_set_all(s, arg);
	else if (cmd == IPC_SET || cmd == IPC_RMID)
		ret = sem_change(s, cmd, &d);
	else
		ret = sem_one(s, num, cmd, (s32)arg);
	mutex_unlock(&sem_sets.lock);
	return ret;
}

long sys_semctl(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[0];
	u32 cmd = (u32)a->a[2] & ~(u32)SYSV_CMD_64;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_CMD_INFO:
	case SEM_CMD_INFO:
		return sem_info(cmd, a->a[3]);
	case IPC_STAT:
	case SEM_CMD_STAT:
	case SEM_CMD_STAT_ANY:
		return sem_stat(id, cmd, a->a[3]);
	case SEM_GETPID: case SEM_GETVAL: case SEM_GETALL: case SEM_GETNCNT:
	case SEM_GETZCNT: case SEM_SETVAL: case SEM_SETALL:
	case IPC_SET: case IPC_RMID:
		return sem_control(id, (u32)a->a[1], cmd, a->a[3]);
	default:
		return -EINVAL;
	}
}

void sysv_show_sem(struct seq *q)
{
	seq_printf(q, "       key      semid perms      nsems   uid   gid  cuid  "
		   "cgid      otime      ctime\n");
	mutex_lock(&sem_sets.lock);
	for (u32 i = 0; i < sem_sets.capacity; i++) {
		struct sysv_object *o = sem_sets.slots[i];
		struct sem_set *s = o ? sem_set_of(o) : NULL;

		if (!s)
			continue;
		seq_printf(q, "%10d %10d  %4o %10u %5u %5u %5u %5u %10ld "
			   "%10ld\n", o->key, o->id, o->mode, s->count, o->uid,
			   o->gid, o->cuid, o->cgid, s->otime, s->ctime);
	}
	mutex_unlock(&sem_sets.lock);
}
