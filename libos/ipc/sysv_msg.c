/*
 * sysv_msg.c - System V message queues: msgget, msgsnd, msgrcv, msgctl.
 */
#include "sysv.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#define MSG_IDS_MAX 32000
#define MSG_SIZE_MAX 8192u
#define MSG_BYTES_MAX 16384u
#define MSG_NOERROR_FLAG 010000
#define MSG_EXCEPT_FLAG 020000
#define MSG_COPY_FLAG 040000
enum { MSG_CMD_STAT = 11, MSG_CMD_INFO = 12, MSG_CMD_STAT_ANY = 13 };
#define IPC_CMD_INFO 3

struct user_msqid_ds { /* struct msqid64_ds */
	struct ipc64_perm perm;
	s64 stime, rtime, ctime;
	u64 cbytes, qnum, qbytes;
	s32 lspid, lrpid;
	u64 unused4, unused5;
};
struct user_msginfo { s32 pool, map, max, mnb, mni, ssz, tql; u16 seg; };

struct msg {
	struct list node;
	s64 type;
	u32 size;
	u8 text[];
};

struct msgq {
	struct sysv_object object;
	struct list messages;
	u64 bytes, limit, count;
	s64 stime, rtime, ctime;
	s32 sender, receiver;
	u32 waiters;              /* threads that hold a pointer to us */
	u32 changes;              /* counts every send, receive, control */
	struct waitq wait;
};

static struct sysv_table queues = SYSV_TABLE_INIT(MSG_IDS_MAX);

static struct msgq *msgq_of(struct sysv_object *o)
{
	return container_of(o, struct msgq, object);
}

static struct msgq *msgq_find(s32 id)
{
	struct sysv_object *o = sysv_find(&queues, id);

	return o ? msgq_of(o) : NULL;
}

static void msgq_free_if_unused(struct msgq *q)
{
	struct msg *m, *next;

	if (!q->object.removed || q->waiters)
		return;
	list_for_each_safe(m, next, &q->messages, node)
		kfree(m);
	kfree(q);
}

/* Something changed: everybody looks again. Lock held. */
static void msgq_changed(struct msgq *q)
{
	__atomic_fetch_add(&q->changes, 1, __ATOMIC_SEQ_CST);
	waitq_wake(&q->wait, 0);
}

/* Wait for a change; the lock is dropped meanwhile. 0, -EIDRM, -ERESTART... */
static int msgq_wait(struct msgq *q)
{
	u32 seen = q->changes;
	int err;

	q->waiters++;
	mutex_unlock(&queues.lock);
	err = wait_until(&q->wait,
			 __atomic_load_n(&q->changes, __ATOMIC_SEQ_CST) != seen,
			 HOST_FOREVER);
	mutex_lock(&queues.lock);
	q->waiters--;
	if (q->object.removed)
		err = -EIDRM;
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

/* ---- msgget ---- */
static long msgq_create(s32 key, u32 flags)
{
	struct msgq *q = kzalloc(sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	list_init(&q->messages);
	waitq_init(&q->wait);
	q->limit = MSG_BYTES_MAX;
	q->ctime = sysv_now();
	err = sysv_enter(&queues, &q->object, key, flags);
	if (!err)
		return q->object.id;
	kfree(q);
	return err;
}

long sys_msgget(struct task *t, const struct sysargs *a)
{
	struct sysv_object *o;
	long ret;

	mutex_lock(&queues.lock);
	o = sysv_get(&queues, (s32)a->a[0], (u32)a->a[1]);
	if (is_err(o))
		ret = ptr_err(o);
	else
		ret = o ? o->id : msgq_create((s32)a->a[0], (u32)a->a[1]);
	mutex_unlock(&queues.lock);
	return ret;
}

/* ---- msgsnd ---- */
static struct msg *msg_from_user(u64 user, u64 size)
{
	struct msg *m;
	s64 type;

	if (get_user_u64((u64 *)&type, user))
		return err_ptr(-EFAULT);
	if (size > MSG_SIZE_MAX || type < 1)
		return err_ptr(-EINVAL);
	m = kmalloc(sizeof(*m) + size);
	if (!m)
		return err_ptr(-ENOMEM);
	m->type = type;
	m->size = (u32)size;
	if (!copy_from_user(m->text, user + 8, size))
		return m;
	kfree(m);
	return err_ptr(-EFAULT);
}

static bool msgq_has_room(const struct msgq *q, u32 size)
{
	return q->bytes + size <= q->limit && q->count + 1 <= q->limit;
}

/* Lock held. */
static long msgq_send(s32 id, struct msg *m, u32 flags)
{
	struct msgq *q = msgq_find(id);
	int err;

	if (!q)
		return -EINVAL;
	for (;;) {
		err = sysv_permission(&q->object, 2);
		if (err)
			return err;
		if (msgq_has_room(q, m->size))
			break;
		if (flags & IPC_NOWAIT)
			return -EAGAIN;
		err = msgq_wait(q);
		if (err) {
			msgq_free_if_unused(q);
			return err;
		}
	}
	list_push_back(&q->messages, &m->node);
	q->bytes += m->size;
	q->count++;
	q->sender = current()->proc->pid;
	q->stime = sysv_now();
	msgq_changed(q);
	return 0;
}

long sys_msgsnd(struct task *t, const struct sysargs *a)
{
	struct msg *m;
	long ret;

	if ((s32)a->a[0] < 0 || (s64)a->a[2] < 0)
		return -EINVAL;
	m = msg_from_user(a->a[1], a->a[2]);
	if (is_err(m))
		return ptr_err(m);
	mutex_lock(&queues.lock);
	ret = msgq_send((s32)a->a[0], m, (u32)a->a[3]);
	mutex_unlock(&queues.lock);
	if (ret)
		kfree(m);
	return ret;
}

/* ---- msgrcv ---- */
/* type > 0: the first of it (or not of it); < 0: the lowest up to -type. */
static struct msg *msgq_choose(struct msgq *q, s64 type, u32 flags)
{
	struct msg *m, *best = NULL;
	s64 nth = type;

	list_for_each(m, &q->messages, node) {
		if (flags & MSG_COPY_FLAG) {
			if (nth-- == 0)
				return m;
		} else if (type == 0) {
			return m;
		} else if (type > 0) {
			if ((m->type == type) == !(flags & MSG_EXCEPT_FLAG))
				return m;
		} else if (m->type <= -type && (!best || m->type < best->type)) {
			best = m;
		}
	}
	return best;
}

static struct msg *msg_copy(const struct msg *m)
{
	struct msg *c = kmalloc(sizeof(*c) + m->size);

	if (!c)
		return err_ptr(-ENOMEM);
	memcpy(c, m, sizeof(*c) + m->size);
	return c;
}

static struct msg *msgq_take(struct msgq *q, struct msg *m, u64 size, u32 flags)
{
	if (m->size > size && !(flags & MSG_NOERROR_FLAG))
		return err_ptr(-E2BIG);
	if (flags & MSG_COPY_FLAG)
		return msg_copy(m);
	list_remove(&m->node);
	q->bytes -= m->size;
	q->count--;
	q->receiver = current()->proc->pid;
	q->rtime = sysv_now();
	msgq_changed(q);
	return m;
}

/* Lock held. The message, now the caller's, or an error. */
static struct msg *msgq_receive(s32 id, u64 size, s64 type, u32 flags)
{
	struct msgq *q = msgq_find(id);
	struct msg *m;
	int err;

	if (!q)
		return err_ptr(-EINVAL);
	for (;;) {
		err = sysv_permission(&q->object, 4);
		if (err)
			return err_ptr(err);
		m = msgq_choose(q, type, flags);
		if (m)
			return msgq_take(q, m, size, flags);
		if (flags & IPC_NOWAIT)
			return err_ptr(-ENOMSG);
		err = msgq_wait(q);
		if (err) {
			msgq_free_if_unused(q);
			return err_ptr(err);
		}
	}
}

static long msg_to_user(const struct msg *m, u64 user, u64 size)
{
	size = MIN(size, (u64)m->size);
	if (put_user_u64(user, (u64)m->type) ||
	    copy_to_user(user + 8, m->text, size))
		return -EFAULT;
	return (long)size;
}

long sys_msgrcv(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[4];
	s64 type = (s64)a->a[3];
	struct msg *m;
	long ret;

	if ((s32)a->a[0] < 0 || (s64)a->a[2] < 0)
		return -EINVAL;
	if (flags & MSG_COPY_FLAG &&
	    (flags & MSG_EXCEPT_FLAG || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	if (type == INT64_MIN)
		type++;
	mutex_lock(&queues.lock);
	m = msgq_receive((s32)a->a[0], a->a[2], type, flags);
	mutex_unlock(&queues.lock);
	if (is_err(m))
		return ptr_err(m);
	ret = msg_to_user(m, a->a[1], a->a[2]);
	kfree(m);
	return ret;
}

/* ---- msgctl ---- */
static long msg_stat(s32 id, u32 cmd, u64 user)
{
	struct user_msqid_ds d;
	struct sysv_object *o;
	struct msgq *q;
	long ret;

	memset(&d, 0, sizeof(d));
	mutex_lock(&queues.lock);
	o = cmd == IPC_STAT ? sysv_find(&queues, id)
			    : sysv_at(&queues, (u32)id);
	ret = o ? 0 : -EINVAL;
	if (o && cmd != MSG_CMD_STAT_ANY)
		ret = sysv_permission(o, 4);
	if (!ret) {
		q = msgq_of(o);
		sysv_get_perm(o, &d.perm);
		d.stime = q->stime;
		d.rtime = q->rtime;
		d.ctime = q->ctime;
		d.cbytes = q->bytes;
		d.qnum = q->count;
		d.qbytes = q->limit;
		d.lspid = q->sender;
		d.lrpid = q->receiver;
		ret = cmd == IPC_STAT ? 0 : o->id;
	}
	mutex_unlock(&queues.lock);
	if (ret >= 0 && copy_to_user(user, &d, sizeof(d)))
		return -EFAULT;
	return ret;
}

static long msg_info(u32 cmd, u64 user)
{
	struct user_msginfo i = { .pool = MSG_IDS_MAX * MSG_BYTES_MAX / 1024,
				  .map = MSG_BYTES_MAX, .max = MSG_SIZE_MAX,
				  .mnb = MSG_BYTES_MAX, .mni = MSG_IDS_MAX,
				  .ssz = 16, .tql = MSG_BYTES_MAX,
				  .seg = 0xffff };

	mutex_lock(&queues.lock);
	if (cmd == MSG_CMD_INFO) {
		i.pool = (s32)queues.count;
		i.map = i.tql = 0;
		for (u32 k = 0; k < queues.capacity; k++)
			if (queues.slots[k]) {
				i.map += (s32)msgq_of(queues.slots[k])->count;
				i.tql += (s32)msgq_of(queues.slots[k])->bytes;
			}
	}
	mutex_unlock(&queues.lock);
	return copy_to_user(user, &i, sizeof(i)) ? -EFAULT
						 : (long)queues.highest;
}

static long msgq_set(struct msgq *q, const struct user_msqid_ds *d)
{
	int err;

	if (d->qbytes > MSG_BYTES_MAX && !capable(CAP_SYS_RESOURCE_BIT))
		return -EPERM;
	err = sysv_set_perm(&q->object, &d->perm);
	if (err)
		return err;
	q->limit = d->qbytes;
	q->ctime = sysv_now();
	msgq_changed(q);
	return 0;
}

static long msg_control(s32 id, u32 cmd, u64 user)
{
	struct user_msqid_ds d;
	struct msgq *q;
	long ret;

	if (cmd == IPC_SET && copy_from_user(&d, user, sizeof(d)))
		return -EFAULT;
	mutex_lock(&queues.lock);
	q = msgq_find(id);
	ret = q ? sysv_may_control(&q->object) : -EINVAL;
	if (!ret && cmd == IPC_SET)
		ret = msgq_set(q, &d);
	if (!ret && cmd == IPC_RMID) {
		sysv_remove(&queues, &q->object);
		msgq_changed(q);
		msgq_free_if_unused(q);
	}
	mutex_unlock(&queues.lock);
	return ret;
}

long sys_msgctl(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[0];
	u32 cmd = (u32)a->a[1] & ~(u32)SYSV_CMD_64;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_CMD_INFO:
	case MSG_CMD_INFO:
		return msg_info(cmd, a->a[2]);
	case IPC_STAT:
	case MSG_CMD_STAT:
	case MSG_CMD_STAT_ANY:
		return msg_stat(id, cmd, a->a[2]);
	case IPC_SET:
	case IPC_RMID:
		return msg_control(id, cmd, a->a[2]);
	default:
		return -EINVAL;
	}
}

void sysv_show_msg(struct seq *s)
{
	seq_printf(s, "       key      msqid perms      cbytes       qnum lspid "
		   "lrpid   uid   gid  cuid  cgid      stime      rtime      "
		   "ctime\n");
	mutex_lock(&queues.lock);
	for (u32 i = 0; i < queues.capacity; i++) {
		struct sysv_object *o = queues.slots[i];
		struct msgq *q = o ? msgq_of(o) : NULL;

		if (!q)
			continue;
		seq_printf(s, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u "
			   "%5u %10ld %10ld %10ld\n", o->key, o->id, o->mode,
			   q->bytes, q->count, (unsigned)q->sender,
			   (unsigned)q->receiver, o->uid, o->gid, o->cuid,
			   o->cgid, q->stime, q->rtime, q->ctime);
	}
	mutex_unlock(&queues.lock);
}
