/*
 * locks.c - advisory locks: flock(2), POSIX record locks, open file
 * description locks.
 *
 * All locks of an inode hang on inode->locks.  One mutex guards them all, and
 * one queue per lock table bucket would be more than the contention is worth:
 * whoever waits sleeps on lock_wait and looks again when any lock went.
 *
 * An owner is the struct files (POSIX) or the struct file (OFD, flock); flock
 * locks and record locks do not see each other.  A lock that would close a
 * circle of waiting POSIX owners is refused with EDEADLK.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

enum lock_kind { KIND_FLOCK, KIND_POSIX, KIND_OFD };
#define LOCK_END UINT64_MAX /* to the end of the file, however it grows */

struct lock {
	struct list node;      /* inode->locks; lock_mutex */
	const void *owner;
	u64 start, end;        /* end is included */
	s32 pid;
	u8 kind;
	bool is_write;
};

/* Who waits for whom; lock_mutex. */
struct blocked { struct list node; const void *owner, *on; };

static struct mutex lock_mutex = MUTEX_INIT;
static struct waitq lock_wait = WAITQ_INIT(lock_wait);
static struct list blocked_list = LIST_INIT(blocked_list);

/* ---- the list of one inode; lock_mutex held ----------------------------------------------- */
static bool same_family(u8 a, u8 b)
{
	return (a == KIND_FLOCK) == (b == KIND_FLOCK);
}

static struct lock *find_conflict(struct inode *i, const struct lock *want)
{
	struct lock *l, *lowest = NULL; /* which F_GETLK tells */

	list_for_each(l, &i->locks, node) {
		if (l->owner != want->owner && same_family(l->kind, want->kind) &&
		    (l->is_write || want->is_write) &&
		    l->start <= want->end && want->start <= l->end &&
		    (!lowest || l->start < lowest->start))
			lowest = l;
	}
	return lowest;
}

/* Cut [start, end] out of owner's locks; spare makes a middle cut possible.
 * Returns whether spare was used. */
static bool cut(struct inode *i, const struct lock *want, struct lock *spare)
{
	struct lock *l, *next;
	bool used = false;

	list_for_each_safe(l, next, &i->locks, node) {
		if (l->owner != want->owner || l->kind != want->kind ||
		    l->end < want->start || l->start > want->end)
			continue;
		if (l->start < want->start && l->end > want->end) {
			*spare = *l;
			spare->start = want->end + 1;
			l->end = want->start - 1;
			list_push_front(&l->node, &spare->node);
			used = true;
		} else if (l->start < want->start) {
			l->end = want->start - 1;
		} else if (l->end > want->end) {
			l->start = want->end + 1;
		} else {
			list_remove(&l->node);
			kfree(l);
		}
	}
	return used;
}

/* Join l with neighbours of its owner and kind. */
static void merge(struct inode *i, struct lock *l)
{
	struct lock *o, *next;

	list_for_each_safe(o, next, &i->locks, node) {
		if (o == l || o->owner != l->owner || o->kind != l->kind ||
		    o->is_write != l->is_write)
			continue;
		if (o->end != LOCK_END && o->end + 1 == l->start)
			l->start = o->start;
		else if (l->end != LOCK_END && l->end + 1 == o->start)
			l->end = o->end;
		else
			continue;
		list_remove(&o->node);
		kfree(o);
	}
}

/* Would owner, waiting for `on`, wait for itself? */
static bool is_deadlock(const void *owner, const void *on)
{
	const struct blocked *b;
	unsigned depth = 0;

again:
	if (on == owner)
		return true;
	if (++depth > 64)
		return false;
	list_for_each(b, &blocked_list, node) {
		if (b->owner == on) {
			on = b->on;
			goto again;
		}
	}
	return false;
}

/* ---- taking and giving ------------------------------------------------------------------------ */
struct request {
	struct inode *inode;
	struct lock want;
	bool unlock, wait;
};

/* 0 done, -EAGAIN somebody is in the way, -EDEADLK.  l and spare are taken
 * and set to NULL if used. */
static int try_lock(struct request *r, struct lock **l, struct lock **spare,
		    struct blocked *b)
{
	const struct lock *other = r->unlock ? NULL :
				   find_conflict(r->inode, &r->want);

	if (other) {
		if (r->wait && r->want.kind == KIND_POSIX) {
			if (is_deadlock(r->want.owner, other->owner))
				return -EDEADLK;
			b->owner = r->want.owner;
			b->on = other->owner;
			list_remove(&b->node);
			list_push_back(&blocked_list, &b->node);
		}
		return -EAGAIN;
	}
	if (cut(r->inode, &r->want, *spare))
		*spare = NULL;
	if (!r->unlock) {
		**l = r->want;
		list_push_back(&r->inode->locks, &(*l)->node);
		merge(r->inode, *l);
		*l = NULL;
	}
	return 0;
}

static int try_once(struct request *r, struct lock **l, struct lock **spare,
		    struct blocked *b)
{
	int err;

	mutex_lock(&lock_mutex);
	list_remove(&b->node);
	err = try_lock(r, l, spare, b);
	mutex_unlock(&lock_mutex);
	return err;
}

static int lock_request(struct request *r)
{
	struct lock *l = kzalloc(sizeof(*l)), *spare = kzalloc(sizeof(*l));
	struct blocked b;
	int err = l && spare ? 0 : -ENOLCK, slept;

	list_init(&b.node);
	if (!err)
		err = try_once(r, &l, &spare, &b);
	if (err == -EAGAIN && r->wait) {
		slept = wait_until(&lock_wait,
				   (err = try_once(r, &l, &spare, &b)) !=
				   -EAGAIN, HOST_FOREVER);
		if (slept && err == -EAGAIN)
			err = slept;
	}
	mutex_lock(&lock_mutex);
	list_remove(&b.node);
	mutex_unlock(&lock_mutex);
	kfree(l);
	kfree(spare);
	/* a cut or a change from write to read may let others in */
	if (!err)
		waitq_wake(&lock_wait, 0);
	return err;
}

static void release_owner(struct inode *i, const void *owner, u8 kind)
{
	struct lock *l, *next;
	bool any = false;

	mutex_lock(&lock_mutex);
	list_for_each_safe(l, next, &i->locks, node) {
		if (l->owner != owner || l->kind != kind)
			continue;
		list_remove(&l->node);
		kfree(l);
		any = true;
	}
	mutex_unlock(&lock_mutex);
	if (any)
		waitq_wake(&lock_wait, 0);
}

void locks_release_posix(struct file *f, struct files *owner)
{
	release_owner(f->inode, owner, KIND_POSIX);
}

void locks_release_flock(struct file *f)
{
	release_owner(f->inode, f, KIND_FLOCK);
	release_owner(f->inode, f, KIND_OFD);
}

/* ---- flock ---------------------------------------------------------------------------------------- */
#define FLOCK_SH 1
#define FLOCK_EX 2
#define FLOCK_NB 4
#define FLOCK_UN 8

long sys_flock(struct task *t, const struct sysargs *a)
{
	u32 op = (u32)a->a[1] & ~(u32)FLOCK_NB;
	struct file *f = fd_get((int)a->a[0]);
	struct request r = {
		.want = { .kind = KIND_FLOCK, .end = LOCK_END,
			  .pid = t->proc->pid, .is_write = op == FLOCK_EX },
		.unlock = op == FLOCK_UN, .wait = !(a->a[1] & FLOCK_NB),
	};
	long ret;

	if (!f)
		return -EBADF;
	r.inode = f->inode;
	r.want.owner = f;
	if (op != FLOCK_SH && op != FLOCK_EX && op != FLOCK_UN)
		ret = -EINVAL;
	else
		ret = lock_request(&r);
	file_put(f);
	return ret; /* -EAGAIN is EWOULDBLOCK */
}

/* ---- fcntl ------------------------------------------------------------------------------------------ */
/* struct flock of the guest, on 64-bit processors */
struct user_flock { s16 type, whence; s32 pad; s64 start, len; s32 pid, pad2; };

static int decode(struct file *f, const struct user_flock *u, struct lock *l)
{
	s64 start = u->start, end;

	switch (u->whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		start += (s64)f->pos;
		break;
	case SEEK_END:
		start += (s64)f->inode->size;
		break;
	default:
		return -EINVAL;
	}
	if (u->len > 0 && start > INT64_MAX - (u->len - 1))
		return -EOVERFLOW;
	end = u->len > 0 ? start + u->len - 1 : start - 1;
	if (u->len < 0)
		start += u->len;
	if (start < 0)
		return -EINVAL;
	l->start = (u64)start;
	l->end = u->len ? (u64)end : LOCK_END;
	return 0;
}

static int check_type(const struct file *f, s16 type, bool get)
{
	if (type != F_RDLCK && type != F_WRLCK && (type != F_UNLCK || get))
		return -EINVAL;
	if (get)
		return 0;
	if ((type == F_RDLCK && !(f->mode & FMODE_READ)) ||
	    (type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	return 0;
}

static long get_lock(struct inode *i, const struct lock *want,
		     struct user_flock *u, u64 uptr)
{
	const struct lock *l;

	mutex_lock(&lock_mutex);
	l = find_conflict(i, want);
	if (l) {
		u->type = l->is_write ? F_WRLCK : F_RDLCK;
		u->whence = SEEK_SET;
		u->start = (s64)l->start;
		u->len = l->end == LOCK_END ? 0 : (s64)(l->end - l->start + 1);
		u->pid = l->kind == KIND_OFD ? -1 : l->pid;
	} else {
		u->type = F_UNLCK;
	}
	mutex_unlock(&lock_mutex);
	return copy_to_user(uptr, u, sizeof(*u)) ? -EFAULT : 0;
}

long locks_fcntl(struct file *f, int cmd, u64 arg)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK ||
		   cmd == F_OFD_SETLKW;
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct proc *p = current()->proc;
	struct user_flock u;
	struct request r = { .inode = f->inode };
	int err;

	if (copy_from_user(&u, arg, sizeof(u)))
		return -EFAULT;
	if (ofd && u.pid)
		return -EINVAL;
	err = check_type(f, u.type, get);
	if (!err)
		err = decode(f, &u, &r.want);
	if (err)
		return err;
	r.want.kind = ofd ? KIND_OFD : KIND_POSIX;
	r.want.owner = ofd ? (const void *)f : p->files;
	r.want.pid = p->pid;
	r.want.is_write = u.type == F_WRLCK;
	r.unlock = u.type == F_UNLCK;
	r.wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	return get ? get_lock(f->inode, &r.want, &u, arg) : lock_request(&r);
}
