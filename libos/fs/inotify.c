/*
 * inotify.c - watching files and directories.
 *
 * A watch hangs in two lists: its inode's (under watch_lock, one for all) and
 * its instance's.  Reporting costs one load while nobody watches anything.
 * A watched inode is marked dirty so that the dentry cache keeps it.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/poll.h>
#include <libos/uaccess.h>

#include <asm/ioctls.h>
#include <linux/inotify.h>

#define QUEUE_MAX 16384u
#define IN_OPTIONS (IN_ONESHOT | IN_DONT_FOLLOW | IN_EXCL_UNLINK |            \
		    IN_MASK_ADD | IN_MASK_CREATE | IN_ONLYDIR)

struct event {
	struct list node;
	struct inotify_event e; /* name follows */
};
struct instance {
	struct mutex lock;      /* guards what follows */
	struct list events;
	u32 event_count;
	size_t bytes;
	bool overflowed;
	struct waitq wait;
	/* watch_lock */
	struct list watches;
	s32 next_wd;
};
struct watch {
	struct list in_instance, in_inode; /* watch_lock */
	struct instance *instance;
	struct inode *inode;
	u32 mask;
	s32 wd;
};

static struct mutex watch_lock = MUTEX_INIT;
u32 fsnotify_watches;

/* ---- events ------------------------------------------------------------------------------ */
static bool repeats_last(const struct instance *in, const struct event *ev,
			 const char *name)
{
	const struct event *last;

	if (list_empty(&in->events))
		return false;
	last = list_entry(in->events.prev, struct event, node);
	if (last->e.wd != ev->e.wd || last->e.mask != ev->e.mask ||
	    last->e.cookie != ev->e.cookie || last->e.len != ev->e.len)
		return false;
	return !ev->e.len || !strcmp(last->e.name, name);
}

static void queue_locked(struct instance *in, struct event *ev)
{
	list_push_back(&in->events, &ev->node);
	in->event_count++;
	in->bytes += sizeof(ev->e) + ev->e.len;
}

static struct event *event_new(s32 wd, u32 mask, const char *name, u32 cookie)
{
	size_t len = name ? (strlen(name) + 1 + 15) & ~15ul : 0;
	struct event *ev = kzalloc(sizeof(*ev) + len);

	if (!ev)
		return NULL;
	ev->e.wd = wd;
	ev->e.mask = mask;
	ev->e.cookie = cookie;
	ev->e.len = (u32)len;
	if (name)
		memcpy(ev->e.name, name, strlen(name));
	return ev;
}

static void queue_event(struct instance *in, s32 wd, u32 mask,
			const char *name, u32 cookie)
{
	struct event *ev = event_new(wd, mask, name, cookie);

	if (!ev)
		return;
	mutex_lock(&in->lock);
	if (in->event_count >= QUEUE_MAX && !in->overflowed) {
		in->overflowed = true;
		ev->e.wd = -1;
		ev->e.mask = IN_Q_OVERFLOW;
		ev->e.len = 0;
		queue_locked(in, ev);
		ev = NULL;
	} else if (in->event_count < QUEUE_MAX && !repeats_last(in, ev, name)) {
		queue_locked(in, ev);
		ev = NULL;
	}
	mutex_unlock(&in->lock);
	kfree(ev);
	waitq_wake(&in->wait, EPOLLIN);
}

/* watch_lock held */
static void watch_remove(struct watch *w, bool tell)
{
	list_remove(&w->in_instance);
	list_remove(&w->in_inode);
	__atomic_fetch_sub(&fsnotify_watches, 1, __ATOMIC_RELAXED);
	if (tell)
		queue_event(w->instance, w->wd, IN_IGNORED, NULL, 0);
}

static void watch_free(struct watch *w)
{
	inode_put(w->inode);
	kfree(w);
}

void fsnotify(struct inode *i, u32 mask, const char *name, u32 cookie)
{
	struct watch *w, *next;
	struct list gone = LIST_INIT(gone);
	bool last = (mask & IN_DELETE_SELF) && !i->nlink;

	if (!fsnotify_active() || !i || list_empty(&i->watches))
		return;
	mutex_lock(&watch_lock);
	list_for_each_safe(w, next, &i->watches, in_inode) {
		u32 hit = mask & (w->mask | IN_ISDIR);

		if (hit & IN_ALL_EVENTS)
			queue_event(w->instance, w->wd, hit, name, cookie);
		if (last || ((hit & IN_ALL_EVENTS) && (w->mask & IN_ONESHOT))) {
			watch_remove(w, true);
			list_push_back(&gone, &w->in_inode);
		}
	}
	mutex_unlock(&watch_lock);
	list_for_each_safe(w, next, &gone, in_inode)
		watch_free(w);
}

void fsnotify_dentry(struct dentry *d, u32 mask)
{
	char name[NAME_MAX_LEN + 1];
	struct dentry *dir = NULL;

	if (!fsnotify_active() || !d || !d->inode)
		return;
	if (S_ISDIR(d->inode->mode))
		mask |= IN_ISDIR;
	fsnotify(d->inode, mask, NULL, 0);
	dcache_lock();
	if (d->parent != d && !list_empty(&d->parent->inode->watches)) {
		dir = d->parent;
		dcache_get(dir);
		strlcpy(name, d->name, sizeof(name));
	}
	dcache_unlock();
	if (!dir)
		return;
	fsnotify(dir->inode, mask, name, 0);
	dentry_put(dir);
}

/* ---- the file ------------------------------------------------------------------------------- */
static ssize_t take_events(struct instance *in, struct uio *u)
{
	ssize_t done = 0, n;

	mutex_lock(&in->lock);
	while (!list_empty(&in->events)) {
		struct event *ev = list_first(&in->events, struct event, node);
		size_t size = sizeof(ev->e) + ev->e.len;

		if (size > u->left) {
			if (!done)
				done = -EINVAL;
			break;
		}
		list_remove(&ev->node);
		in->event_count--;
		in->bytes -= size;
		if (ev->e.mask & IN_Q_OVERFLOW)
			in->overflowed = false;
		n = uio_put(u, &ev->e, size);
		kfree(ev);
		if (n != (ssize_t)size) {
			if (!done)
				done = -EFAULT;
			break;
		}
		done += n;
	}
	mutex_unlock(&in->lock);
	return done;
}

static ssize_t inotify_read(struct file *f, struct uio *u, u64 *pos)
{
	struct instance *in = f->priv;
	ssize_t n;
	int err;

	for (;;) {
		n = take_events(in, u);
		if (n)
			return n;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_until(&in->wait, in->event_count, HOST_FOREVER);
		if (err)
			return err;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct instance *in = f->priv;

	poll_add(pt, &in->wait);
	return in->event_count ? EPOLLIN | EPOLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct instance *in = f->priv;

	return cmd == FIONREAD ? put_user_u32(arg, (u32)in->bytes) : -ENOTTY;
}

static void inotify_release(struct file *f)
{
	struct instance *in = f->priv;
	struct watch *w, *next;
	struct event *ev, *next_ev;
	struct list gone = LIST_INIT(gone);

	mutex_lock(&watch_lock);
	list_for_each_safe(w, next, &in->watches, in_instance) {
		watch_remove(w, false);
		list_push_back(&gone, &w->in_instance);
	}
	mutex_unlock(&watch_lock);
	list_for_each_safe(w, next, &gone, in_instance)
		watch_free(w);
	list_for_each_safe(ev, next_ev, &in->events, node)
		kfree(ev);
	kfree(in);
}

static const struct file_ops inotify_ops = {
	.name = "inotify", .read = inotify_read, .poll = inotify_poll,
	.ioctl = inotify_ioctl, .release = inotify_release,
};

/* ---- the calls --------------------------------------------------------------------------------- */
static long make_instance(u32 flags)
{
	struct instance *in;
	struct file *f;
	int fd;

	if (flags & ~(u32)(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	in = kzalloc(sizeof(*in));
	if (!in)
		return -ENOMEM;
	list_init(&in->events);
	list_init(&in->watches);
	waitq_init(&in->wait);
	in->next_wd = 1;
	f = file_anon(&inotify_ops, flags & O_NONBLOCK, in);
	if (!f) {
		kfree(in);
		return -ENOMEM;
	}
	fd = fd_install(f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_inotify_init(struct task *t, const struct sysargs *a)
{
	return make_instance(0);
}

long sys_inotify_init1(struct task *t, const struct sysargs *a)
{
	return make_instance((u32)a->a[0]);
}

/* watch_lock held; 0: there is none yet */
static long update_watch(struct instance *in, struct inode *i, u32 mask)
{
	u32 events = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
	struct watch *w;

	list_for_each(w, &i->watches, in_inode) {
		if (w->instance != in)
			continue;
		if (mask & IN_MASK_CREATE)
			return -EEXIST;
		w->mask = mask & IN_MASK_ADD ? w->mask | events : events;
		return w->wd;
	}
	return 0;
}

static long add_watch(struct instance *in, struct inode *i, u32 mask)
{
	struct watch *w = kzalloc(sizeof(*w));
	long wd;

	if (!w)
		return -ENOMEM;
	mutex_lock(&watch_lock);
	wd = update_watch(in, i, mask);
	if (!wd) {
		w->instance = in;
		w->inode = inode_get(i);
		w->mask = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
		wd = w->wd = in->next_wd++;
		i->flags |= INODE_DIRTY;
		list_push_back(&i->watches, &w->in_inode);
		list_push_back(&in->watches, &w->in_instance);
		__atomic_fetch_add(&fsnotify_watches, 1, __ATOMIC_RELAXED);
		w = NULL;
	}
	mutex_unlock(&watch_lock);
	kfree(w);
	return wd;
}

static struct file *get_instance(int fd, int *err)
{
	struct file *f = fd_get(fd);

	*err = f ? 0 : -EBADF;
	if (f && f->ops != &inotify_ops) {
		file_put(f);
		*err = -EINVAL;
		f = NULL;
	}
	return f;
}

long sys_inotify_add_watch(struct task *t, const struct sysargs *a)
{
	u32 mask = (u32)a->a[2];
	struct dentry *d;
	struct file *f;
	long ret;
	int err;

	if (!(mask & IN_ALL_EVENTS) ||
	    (mask & ~(u32)(IN_ALL_EVENTS | IN_OPTIONS)) ||
	    ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)))
		return -EINVAL;
	f = get_instance((int)a->a[0], &err);
	if (!f)
		return err;
	ret = user_path_lookup(AT_FDCWD, a->a[1],
			       (mask & IN_DONT_FOLLOW ? LOOKUP_NOFOLLOW : 0) |
			       (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0), &d);
	if (!ret) {
		ret = inode_permission(d->inode, MAY_READ);
		if (!ret)
			ret = add_watch(f->priv, d->inode, mask);
		dentry_put(d);
	}
	file_put(f);
	return ret;
}

long sys_inotify_rm_watch(struct task *t, const struct sysargs *a)
{
	struct instance *in;
	struct watch *w, *found = NULL;
	int err;
	struct file *f = get_instance((int)a->a[0], &err);

	if (!f)
		return err;
	in = f->priv;
	mutex_lock(&watch_lock);
	list_for_each(w, &in->watches, in_instance) {
		if (w->wd == (s32)a->a[1])
			found = w;
	}
	if (found)
		watch_remove(found, true);
	mutex_unlock(&watch_lock);
	if (found)
		watch_free(found);
	file_put(f);
	return found ? 0 : -EINVAL;
}
