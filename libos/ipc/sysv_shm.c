/*
 * sysv_shm.c - System V shared memory: shmget, shmat, shmdt, shmctl.
 *
 * A segment is an anonymous memfs file.  What gets mapped is a second file in
 * front of it, one per segment, so its reference count tells the number of
 * mappings, through fork, split and exit alike: references = mappings + 1
 * while the segment has not been removed.  The segment is freed with that
 * file's last reference.
 */
#include "sysv.h"

#include <libos/file.h>
#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/mm.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#include <linux/mman.h>

/* linux/shm.h cannot be used freestanding; these are its values. */
#define SHMMNI_MAX 4096
#define SHM_SIZE_MAX (~0ul - (1ul << 24))
#define SHM_RDONLY_FLAG 010000
#define SHM_RND_FLAG 020000
#define SHM_REMAP_FLAG 040000
#define SHM_EXEC_FLAG 0100000
#define SHM_HUGETLB_FLAG 04000
#define SHM_DEST_MODE 01000
#define SHM_LOCKED_MODE 02000
enum { SHM_CMD_LOCK = 11, SHM_CMD_UNLOCK = 12, SHM_CMD_STAT = 13,
       SHM_CMD_INFO = 14, SHM_CMD_STAT_ANY = 15 };
#define IPC_CMD_INFO 3

struct user_shmid_ds { /* struct shmid64_ds */
	struct ipc64_perm perm;
	u64 segsz;
	s64 atime, dtime, ctime;
	s32 cpid, lpid;
	u64 nattch, unused4, unused5;
};
struct user_shminfo { u64 max, min, mni, seg, all, unused[4]; };
struct user_shm_info {
	s32 used_ids;
	u64 total, resident, swapped, attempts, successes;
};

struct shm {
	struct sysv_object object;
	u64 size;
	s64 atime, dtime, ctime;
	s32 creator, last;
	struct file *memory;   /* the memfs file */
	struct file *front;    /* what is mapped */
	bool is_ours;          /* the table still holds a reference on front */
};

static struct sysv_table shms = SYSV_TABLE_INIT(SHMMNI_MAX);

static struct shm *shm_of(struct sysv_object *o)
{
	return container_of(o, struct shm, object);
}

static u64 shm_attached(const struct shm *s)
{
	u32 refs = __atomic_load_n(&s->front->ref.count, __ATOMIC_RELAXED);

	return refs - (s->is_ours && refs ? 1 : 0);
}

/* ---- the mapped file ---- */
static int shm_map_op(struct file *f, struct vma *v, u64 addr, u64 size,
		      u64 offset)
{
	struct shm *s = f->priv;

	return s->memory->ops->map(s->memory, v, addr, size, offset);
}

static int shm_fault_op(struct file *f, struct vma *v, u64 addr)
{
	struct shm *s = f->priv;

	if (!s->memory->ops->fault)
		return -EIO;
	return s->memory->ops->fault(s->memory, v, addr);
}

static void shm_release_op(struct file *f)
{
	struct shm *s = f->priv;

	mutex_lock(&shms.lock);
	sysv_remove(&shms, &s->object);
	mutex_unlock(&shms.lock);
	file_put(s->memory);
	kfree(s);
}

static const struct file_ops shm_ops = {
	.name = "SYSV",
	.map = shm_map_op,
	.fault = shm_fault_op,
	.release = shm_release_op,
};

/* ---- shmget ---- */
static struct file *shm_memory(s32 key, u64 size)
{
	char name[32];
	struct file *f;
	u64 end = PAGE_UP(size) - 1;
	ssize_t n;

	snprintf(name, sizeof(name), "SYSV%08x", (unsigned)key);
	f = memfs_file_anon(name, O_RDWR);
	if (!f)
		return err_ptr(-ENOMEM);
	/* One byte at the end gives the file its size. */
	n = file_write_kernel(f, "", 1, &end);
	if (n == 1)
		return f;
	file_put(f);
	return err_ptr(-ENOMEM);
}

static long shm_create(s32 key, u64 size, u32 flags)
{
	struct shm *s;
	int err = -ENOMEM;

	if (!size || size > SHM_SIZE_MAX)
		return -EINVAL;
	if (flags & SHM_HUGETLB_FLAG || size > BLY_HEAP_SIZE)
		return -ENOMEM;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->memory = shm_memory(key, size);
	if (is_err(s->memory)) {
		kfree(s);
		return -ENOMEM;
	}
	s->size = size;
	s->ctime = sysv_now();
	s->creator = current()->proc->pid;
	s->is_ours = true;
	s->front = file_alloc(&shm_ops, s->memory->inode, O_RDWR, s);
	if (s->front && !is_err(s->front))
		err = sysv_enter(&shms, &s->object, key, flags);
	if (!err)
		return s->object.id;
	if (s->front && !is_err(s->front)) {
		static const struct file_ops no_ops;

		s->front->ops = &no_ops;
		file_put(s->front);
	}
	file_put(s->memory);
	kfree(s);
	return err;
}

long sys_shmget(struct task *t, const struct sysargs *a)
{
	s32 key = (s32)a->a[0];
	u32 flags = (u32)a->a[2];
	struct sysv_object *o;
	long ret;

	mutex_lock(&shms.lock);
	o = sysv_get(&shms, key, flags);
	if (is_err(o))
		ret = ptr_err(o);
	else if (!o)
		ret = shm_create(key, a->a[1], flags);
	else
		ret = shm_of(o)->size < a->a[1] ? -EINVAL : o->id;
	mutex_unlock(&shms.lock);
	return ret;
}

/* ---- shmat ---- */
/* A segment whose last mapping is going away right now is no more. */
static bool file_get_live(struct file *f)
{
	u32 n = __atomic_load_n(&f->ref.count, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(&f->ref.count, &n, n + 1,
						 false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
		;
	return n != 0;
}

static struct shm *shm_begin_attach(s32 id, u32 flags)
{
	u32 want = flags & SHM_RDONLY_FLAG ? 4 : 6;
	struct sysv_object *o;
	struct shm *s;
	int err = 0;

	mutex_lock(&shms.lock);
	o = sysv_find(&shms, id);
	s = o ? shm_of(o) : NULL;
	if (!s)
		err = -EINVAL;
	else
		err = sysv_permission(o, want);
	if (!err && !file_get_live(s->front))
		err = -EIDRM;
	mutex_unlock(&shms.lock);
	return err ? err_ptr(err) : s;
}

static u64 shm_attach(struct shm *s, u64 addr, u32 flags)
{
	u32 prot = PROT_READ, map = MAP_SHARED;
	struct mm *m = current()->proc->mm;
	struct vma *v;
	s64 at;

	if (!(flags & SHM_RDONLY_FLAG))
		prot |= PROT_WRITE;
	if (flags & SHM_EXEC_FLAG)
		prot |= PROT_EXEC;
	if (addr)
		map |= flags & SHM_REMAP_FLAG ? MAP_FIXED
					      : MAP_FIXED_NOREPLACE;
	at = mm_map(addr, PAGE_UP(s->size), prot, map, s->front, 0);
	if (at < 0)
		return (u64)(at == -EEXIST ? -EINVAL : at);
	mutex_lock(&m->lock);
	v = vma_find(m, (u64)at);
	if (v && v->file == s->front)
		v->flags |= VMA_SYSV;
	mutex_unlock(&m->lock);
	mutex_lock(&shms.lock);
	s->atime = sysv_now();
	s->last = current()->proc->pid;
	mutex_unlock(&shms.lock);
	return (u64)at;
}

long sys_shmat(struct task *t, const struct sysargs *a)
{
	u64 addr = a->a[1], at;
	u32 flags = (u32)a->a[2];
	struct shm *s;

	if (addr & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND_FLAG))
			return -EINVAL;
		addr = PAGE_DOWN(addr);
		if (!addr && flags & SHM_REMAP_FLAG)
			return -EINVAL;
	} else if (!addr && flags & SHM_REMAP_FLAG) {
		return -EINVAL;
	}
	s = shm_begin_attach((s32)a->a[0], flags);
	if (is_err(s))
		return ptr_err(s);
	at = shm_attach(s, addr, flags);
	file_put(s->front);
	return (long)at;
}

/* ---- shmdt ---- */
/* The segment of the first attached piece whose start lies at addr. */
static struct file *shm_at_address(struct mm *m, u64 addr)
{
	struct file *f = NULL;
	struct vma *v;

	mutex_lock(&m->lock);
	v = vma_next(m, addr);
	if (v && v->file && v->file->ops == &shm_ops &&
	    v->start - v->offset == addr)
		f = file_get(v->file);
	mutex_unlock(&m->lock);
	return f;
}

static bool shm_next_piece(struct mm *m, struct file *f, u64 addr, u64 *start,
			   u64 *end)
{
	struct shm *s = f->priv;
	struct vma *v;
	u64 at = MAX(*end, addr);
	bool found = false;

	mutex_lock(&m->lock);
	while ((v = vma_next(m, at)) && v->start < addr + PAGE_UP(s->size)) {
		if (v->file == f && v->start - v->offset == addr) {
			*start = v->start;
			*end = v->end;
			found = true;
			break;
		}
		at = v->end;
	}
	mutex_unlock(&m->lock);
	return found;
}

long sys_shmdt(struct task *t, const struct sysargs *a)
{
	struct mm *m = t->proc->mm;
	u64 addr = a->a[0], start, end = 0;
	struct file *f;
	struct shm *s;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	f = shm_at_address(m, addr);
	if (!f)
		return -EINVAL;
	while (shm_next_piece(m, f, addr, &start, &end))
		mm_unmap(start, end - start);
	s = f->priv;
	mutex_lock(&shms.lock);
	s->dtime = sysv_now();
	s->last = t->proc->pid;
	mutex_unlock(&shms.lock);
	file_put(f);
	return 0;
}

/* ---- shmctl ---- */
static void shm_get_info(const struct shm *s, struct user_shmid_ds *d)
{
	memset(d, 0, sizeof(*d));
	sysv_get_perm(&s->object, &d->perm);
	d->segsz = s->size;
	d->atime = s->atime;
	d->dtime = s->dtime;
	d->ctime = s->ctime;
	d->cpid = s->creator;
	d->lpid = s->last;
	d->nattch = shm_attached(s);
}

static long shm_stat(s32 id, u32 cmd, u64 user)
{
	struct user_shmid_ds d;
	struct sysv_object *o;
	long ret;

	mutex_lock(&shms.lock);
	o = cmd == IPC_STAT ? sysv_find(&shms, id) : sysv_at(&shms, (u32)id);
	ret = o ? 0 : -EINVAL;
	if (o && cmd != SHM_CMD_STAT_ANY)
		ret = sysv_permission(o, 4);
	if (!ret) {
		shm_get_info(shm_of(o), &d);
		ret = cmd == IPC_STAT ? 0 : o->id;
	}
	mutex_unlock(&shms.lock);
	if (ret >= 0 && copy_to_user(user, &d, sizeof(d)))
		return -EFAULT;
	return ret;
}

static long shm_limits(u64 user)
{
	struct user_shminfo i = { .max = SHM_SIZE_MAX, .min = 1,
				  .mni = SHMMNI_MAX, .seg = SHMMNI_MAX,
				  .all = SHM_SIZE_MAX };

	return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : (long)shms.highest;
}

static long shm_usage(u64 user)
{
	struct user_shm_info i;

	memset(&i, 0, sizeof(i));
	mutex_lock(&shms.lock);
	i.used_ids = (s32)shms.count;
	for (u32 k = 0; k < shms.capacity; k++)
		if (shms.slots[k])
			i.total += PAGE_UP(shm_of(shms.slots[k])->size) /
				   PAGE_SIZE;
	i.resident = i.total;
	mutex_unlock(&shms.lock);
	return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : (long)shms.highest;
}

/* Lock held.  Removed: no key any more, gone with the last mapping.  Returns
 * the file that the caller is to put. */
static struct file *shm_destroy(struct shm *s)
{
	s->object.key = IPC_PRIVATE;
	s->object.mode |= SHM_DEST_MODE;
	if (!s->is_ours)
		return NULL;
	s->is_ours = false;
	return s->front;
}

static long shm_control(s32 id, u32 cmd, u64 user)
{
	struct user_shmid_ds d;
	struct file *last = NULL;
	struct sysv_object *o;
	long ret;

	if (cmd == IPC_SET && copy_from_user(&d, user, sizeof(d)))
		return -EFAULT;
	mutex_lock(&shms.lock);
	o = sysv_find(&shms, id);
	ret = o ? sysv_may_control(o) : -EINVAL;
	if (!ret && cmd == IPC_RMID)
		last = shm_destroy(shm_of(o));
	if (!ret && cmd == IPC_SET) {
		ret = sysv_set_perm(o, &d.perm);
		shm_of(o)->ctime = sysv_now();
	}
	/* Nothing is ever swapped out here, so locking is only remembered. */
	if (!ret && cmd == SHM_CMD_LOCK)
		o->mode |= SHM_LOCKED_MODE;
	if (!ret && cmd == SHM_CMD_UNLOCK)
		o->mode &= ~(u32)SHM_LOCKED_MODE;
	mutex_unlock(&shms.lock);
	if (last)
		file_put(last);
	return ret;
}

long sys_shmctl(struct task *t, const struct sysargs *a)
{
	s32 id = (s32)a->a[0];
	u32 cmd = (u32)a->a[1] & ~(u32)SYSV_CMD_64;

	switch (cmd) {
	case IPC_CMD_INFO:
		return shm_limits(a->a[2]);
	case SHM_CMD_INFO:
		return shm_usage(a->a[2]);
	case IPC_STAT:
	case SHM_CMD_STAT:
	case SHM_CMD_STAT_ANY:
		return shm_stat(id, cmd, a->a[2]);
	case IPC_RMID:
	case IPC_SET:
	case SHM_CMD_LOCK:
	case SHM_CMD_UNLOCK:
		return shm_control(id, cmd, a->a[2]);
	default:
		return -EINVAL;
	}
}

void sysv_show_shm(struct seq *q)
{
	seq_printf(q, "       key      shmid perms                  size  cpid  "
		   "lpid nattch   uid   gid  cuid  cgid      atime      dtime  "
		   "    ctime                   rss                  swap\n");
	mutex_lock(&shms.lock);
	for (u32 i = 0; i < shms.capacity; i++) {
		struct sysv_object *o = shms.slots[i];
		struct shm *s = o ? shm_of(o) : NULL;

		if (!s)
			continue;
		seq_printf(q, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u "
			   "%5u %10ld %10ld %10ld %21lu %21lu\n", o->key, o->id,
			   o->mode, s->size, (unsigned)s->creator,
			   (unsigned)s->last, shm_attached(s), o->uid, o->gid,
			   o->cuid, o->cgid, s->atime, s->dtime, s->ctime,
			   PAGE_UP(s->size), 0ul);
	}
	mutex_unlock(&shms.lock);
}
