/*
 * hostfs_file.c - open files and directories of volumes, and attributes.
 *
 * Data goes straight to the host's handle, mappings too.
 */
#include "hostfs.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/save.h>
#include <libos/signal.h>

#include <linux/falloc.h>

#define LIST_BUFFER 16384u
#define FRESH_NS 1000000u
#define KEPT_MAX 64u

static struct mutex open_lock = MUTEX_INIT; /* guards open_files */
static struct list open_files = LIST_INIT(open_files); /* file->in_host */

/* ---- attributes ---------------------------------------------------------------------- */
/* The walk of this call of the thread has asked, or that of its last call,
 * just now: the program cannot have learned of a change since.  So an fstat
 * right after an open costs nothing. */
static bool is_fresh(const struct hostnode *n)
{
	const struct task *t = current();

	return n->known_by == t && t->entries - n->known_entry <= 1 &&
	       clock_monotonic_ns() - n->known_ns < FRESH_NS;
}

static int ask(struct inode *i, const char *path)
{
	const struct hostnode *n = i->priv;
	int error = 0, want = 1, found;
	struct host_stat *st;
	const char *p;

	for (p = path; *p; p++)
		want += *p == '/';
	st = kmalloc((size_t)want * sizeof(*st));
	if (!st)
		return -ENOMEM;
	found = host_path_walk(n->tree, path, st, (unsigned)want, NULL, 0,
			       &error, NULL);
	if (found == want && st[want - 1].ino == n->host_ino &&
	    st[want - 1].dev == n->host_dev)
		hostfs_fill(i, &st[want - 1]);
	kfree(st);
	return 0;
}

int hostfs_refresh(struct inode *i)
{
	const struct hostnode *n = i->priv;
	char *path;
	int err;

	if (is_fresh(n) ||
	    (hostfs_is_watchable(i) &&
	     hostwatch_still_holds(n->seen_hash, n->seen)))
		return 0;
	path = hostfs_path(n);
	err = path ? ask(i, path) : -ENOMEM;
	kfree(path);
	return err;
}

static int resize(const struct hostnode *n, u64 size)
{
	char *path = hostfs_path(n);
	struct host_open o = { .kind = HOST_OPEN_FILE, .tree = n->tree,
			       .flags = HOST_OPEN_WRITE, .path = path };
	host_handle h = path ? host_stream_open(&o) : -ENOMEM;
	int err;

	kfree(path);
	if (h < 0)
		return h;
	err = host_stream_resize(h, size);
	host_stream_close(h);
	return err;
}

static int set_attributes(const struct hostnode *n,
			  const struct host_setattr *h)
{
	char *path = hostfs_path(n);
	int err = path ? host_path_setattr(n->tree, path, h) : -ENOMEM;

	kfree(path);
	return err;
}

int hostfs_setattr(struct inode *i, const struct iattr *a)
{
	const struct hostnode *n = i->priv;
	struct host_setattr h = {
		.mode = a->mode & 07777, .uid = i->uid, .gid = i->gid,
		.atime_ns = a->atime_ns, .mtime_ns = a->mtime_ns,
	};
	int err = 0;

	if (a->valid & ATTR_SIZE)
		err = resize(n, a->size);
	if (a->valid & ATTR_MODE)
		h.which |= HOST_SET_MODE;
	if (a->valid & ATTR_ATIME)
		h.which |= HOST_SET_ATIME;
	if (a->valid & ATTR_MTIME)
		h.which |= HOST_SET_MTIME;
	if (a->valid & (ATTR_UID | ATTR_GID)) {
		h.uid = a->valid & ATTR_UID ? a->uid : i->uid;
		h.gid = a->valid & ATTR_GID ? a->gid : i->gid;
		if (h.uid != i->uid || h.gid != i->gid)
			h.which |= HOST_SET_OWNER;
	}
	if (!err && h.which)
		err = set_attributes(n, &h);
	if (err)
		return err;
	if (a->valid & ATTR_SIZE)
		i->size = a->size;
	((struct hostnode *)i->priv)->known_ns = 0;
	return hostfs_refresh(i);
}

/* ---- handles that are kept --------------------------------------------------------------- */
/* For the next open of a file that has not changed; the longest kept go
 * first.  reopened on resume: none is kept. */
static struct mutex kept_lock = MUTEX_INIT;
static struct list kept_list = LIST_INIT(kept_list);
static u32 kept_count;

void hostfs_kept_put(struct hostkept *k)
{
	if (!ref_put(&k->ref))
		return;
	host_stream_close(k->handle);
	kfree(k);
}

/* kept_lock held; returns what is to be put. */
static struct hostkept *kept_take(struct hostnode *n)
{
	struct hostkept *k = n->kept;

	if (k) {
		n->kept = NULL;
		list_remove(&n->in_kept);
		kept_count--;
	}
	return k;
}

/* After a resume its handle is gone. */
static void kept_forget(struct hostkept *k)
{
	if (k && ref_put(&k->ref))
		kfree(k);
}

void hostfs_node_resumed(struct hostnode *n)
{
	kept_forget(n->kept);
	n->kept = NULL;
	list_init(&n->in_kept);
	n->created = HOST_NO_HANDLE;
	n->known_ns = 0;
	n->known_by = NULL;
	n->asked = 0;
}

void hostfs_kept_drop(struct inode *i)
{
	struct hostnode *n = i->priv;
	struct hostkept *k;

	if (LIKELY(!__atomic_load_n(&n->kept, __ATOMIC_RELAXED)))
		return;
	mutex_lock(&kept_lock);
	k = kept_take(n);
	mutex_unlock(&kept_lock);
	if (k)
		hostfs_kept_put(k);
}

struct hostkept *hostfs_kept_get(struct inode *i)
{
	struct hostnode *n = i->priv;
	struct hostkept *k = NULL;

	if (!__atomic_load_n(&n->kept, __ATOMIC_RELAXED))
		return NULL;
	if (!hostfs_is_watchable(i) || n->kept_seen != n->seen ||
	    !(is_fresh(n) || hostwatch_still_holds(n->seen_hash, n->seen))) {
		hostfs_kept_drop(i);
		return NULL;
	}
	mutex_lock(&kept_lock);
	if (n->kept) {
		k = n->kept;
		__atomic_fetch_add(&k->ref.count, 1, __ATOMIC_RELAXED);
	}
	mutex_unlock(&kept_lock);
	return k;
}

struct hostkept *hostfs_keep(struct inode *i, host_handle h)
{
	struct hostnode *n = i->priv, *oldest;
	struct hostkept *k, *old, *more = NULL;

	if (!n->seen || !hostfs_is_watchable(i))
		return NULL;
	k = kmalloc(sizeof(*k));
	if (!k)
		return NULL;
	k->ref.count = 2; /* the node's and the caller's */
	k->handle = h;
	mutex_lock(&kept_lock);
	old = kept_take(n);
	if (kept_count >= KEPT_MAX) {
		oldest = list_first(&kept_list, struct hostnode, in_kept);
		more = kept_take(oldest);
	}
	n->kept = k;
	n->kept_seen = n->seen;
	list_push_back(&kept_list, &n->in_kept);
	kept_count++;
	mutex_unlock(&kept_lock);
	if (old)
		hostfs_kept_put(old);
	if (more)
		hostfs_kept_put(more);
	return k;
}

/* ---- files --------------------------------------------------------------------------------- */
static host_handle open_path(const struct hostnode *n, const char *path,
			     const struct file *f)
{
	struct host_open o = { .kind = HOST_OPEN_FILE, .tree = n->tree,
			       .path = path };
	host_handle h;

	if (f->mode & FMODE_READ)
		o.flags |= HOST_OPEN_READ;
	if (f->mode & FMODE_WRITE)
		o.flags |= HOST_OPEN_WRITE | HOST_OPEN_READ;
	h = host_stream_open(&o);
	/* readable is wanted for mappings, but not insisted on */
	if (h == -EACCES && !(f->mode & FMODE_READ)) {
		o.flags = HOST_OPEN_WRITE;
		h = host_stream_open(&o);
	}
	return h;
}

static host_handle open_handle(struct inode *i, const struct file *f)
{
	host_handle h = f->handle; /* opened by the walk */
	char *path;

	if (h == HOST_NO_HANDLE)
		h = hostfs_take_created(i);
	if (h != HOST_NO_HANDLE)
		return h;
	path = hostfs_path(i->priv);
	h = path ? open_path(i->priv, path, f) : -ENOMEM;
	kfree(path);
	return h;
}

/* After a resume: open them by their names again.  What is not there any
 * more gives ESTALE; what is another file now is reported. */
static void reopen(struct file *f)
{
	struct inode *i = f->inode;
	const struct hostnode *n = i->priv;
	struct host_stat st;
	host_handle h;

	kept_forget(f->priv);
	f->priv = NULL;
	f->handle = HOST_NO_HANDLE;
	f->window = 0;
	h = open_handle(i, f);
	if (h < 0) {
		f->mode &= ~(u32)FMODE_DIRECT;
		klog("volume file %s, open when the sandbox was saved, cannot "
		     "be opened again: error %d", n->path, -h);
		return;
	}
	f->handle = h;
	if (host_stream_stat(h, &st, NULL))
		return;
	if (st.size != i->size || st.mtime_ns != i->mtime_ns)
		klog("volume file %s has changed since the sandbox was saved",
		     n->path);
	hostfs_fill(i, &st);
}

/* All threads stand still: what is known of open files is what they are now,
 * so that a resume does not take the program's own writes for another's. */
void hostfs_frozen(void)
{
	struct host_stat st;
	struct file *f;

	list_for_each(f, &open_files, in_host)
		if (f->handle != HOST_NO_HANDLE &&
		    !host_stream_stat(f->handle, &st, NULL))
			hostfs_fill(f->inode, &st);
}

void hostfs_resumed(void)
{
	struct file *f;

	kept_count = 0;
	list_init(&kept_list);
	hostwatch_resumed();
	hostfs_nodes_resumed();
	list_for_each(f, &open_files, in_host)
		reopen(f);
}

static void note_open(struct file *f)
{
	mutex_lock(&open_lock);
	list_push_back(&open_files, &f->in_host);
	mutex_unlock(&open_lock);
}

static int open_file(struct inode *i, struct file *f)
{
	struct hostkept *k = NULL;
	host_handle h;

	if (!(f->mode & FMODE_WRITE) && f->handle == HOST_NO_HANDLE)
		k = hostfs_kept_get(i);
	h = k ? k->handle : open_handle(i, f);
	if (h < 0)
		return h;
	if (!k && !(f->mode & FMODE_WRITE))
		k = hostfs_keep(i, h);
	f->priv = k;
	f->handle = h;
	f->mode |= FMODE_DIRECT;
	return 0;
}

int hostfs_open(struct inode *i, struct file *f)
{
	int err;

	if (S_ISREG(i->mode)) {
		err = open_file(i, f);
		if (err)
			return err;
		note_open(f);
	} else if (!S_ISDIR(i->mode)) {
		return -ENXIO;
	}
	f->ops = i->fops;
	return 0;
}

static ssize_t hostfs_read(struct file *f, struct uio *u, u64 *pos)
{
	int64_t n;

	if (UNLIKELY(f->handle == HOST_NO_HANDLE))
		return -ESTALE;
	if (u->count == 1 && !u->kernel &&
	    readmap_read(f, f->handle, u->iov->base, u->left, *pos))
		n = (int64_t)u->left;
	else
		n = host_stream_read(f->handle, u->iov, u->count, *pos);
	if (n > 0) {
		uio_advance(u, (size_t)n);
		*pos += (u64)n;
	}
	return n;
}

static int append_pos(struct file *f, u64 *pos)
{
	struct host_stat st;
	int err = host_stream_stat(f->handle, &st, NULL);

	if (!err)
		*pos = st.size;
	return err;
}

static ssize_t write_locked(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	int64_t n;
	int err = f->flags & O_APPEND ? append_pos(f, pos) : 0;

	if (err)
		return err;
	if (UNLIKELY(f->handle == HOST_NO_HANDLE))
		return -ESTALE;
	if (*pos >= current()->proc->rlimits[1].soft && u->left) {
		signal_send_task(current(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	n = host_stream_write(f->handle, u->iov, u->count, *pos);
	if (n > 0) {
		uio_advance(u, (size_t)n);
		*pos += (u64)n;
		if (*pos > i->size)
			i->size = *pos;
	}
	return n;
}

/* Appends of several descriptions must not overtake each other. */
static ssize_t hostfs_write(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n;

	if (!(f->flags & O_APPEND))
		return write_locked(f, u, pos);
	mutex_lock(&f->inode->lock);
	n = write_locked(f, u, pos);
	mutex_unlock(&f->inode->lock);
	return n;
}

static s64 hostfs_seek(struct file *f, s64 off, int whence)
{
	struct host_stat st = { .size = 0 };
	int err;

	if (whence != SEEK_SET && whence != SEEK_CUR) {
		err = host_stream_stat(f->handle, &st, NULL);
		if (err)
			return err;
	}
	return file_seek_sized(f, off, whence, st.size);
}

static int hostfs_map(struct file *f, struct vma *v, u64 addr, u64 size,
		      u64 offset)
{
	return host_mem_map((void *)(uintptr_t)addr, size, (int)v->prot,
			    v->flags & VMA_SHARED ? HOST_MAP_SHARED :
						    HOST_MAP_PRIVATE,
			    f->handle, offset);
}

static int hostfs_sync(struct file *f, bool data_only)
{
	return host_stream_sync(f->handle, data_only);
}

/* Only what a resize can do: the host ABI knows no holes. */
static int hostfs_allocate(struct file *f, int mode, u64 off, u64 len)
{
	struct host_stat st;
	int err;

	if (mode & ~FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	err = host_stream_stat(f->handle, &st, NULL);
	if (err || (mode & FALLOC_FL_KEEP_SIZE) || off + len <= st.size)
		return err;
	err = host_stream_resize(f->handle, off + len);
	if (!err)
		f->inode->size = off + len;
	return err;
}

static void hostfs_close(struct file *f)
{
	mutex_lock(&open_lock);
	list_remove(&f->in_host);
	mutex_unlock(&open_lock);
	if (f->priv)
		hostfs_kept_put(f->priv);
	else if (f->handle != HOST_NO_HANDLE)
		host_stream_close(f->handle);
}

const struct file_ops hostfs_file_ops = {
	.read = hostfs_read, .write = hostfs_write, .seek = hostfs_seek,
	.map = hostfs_map, .sync = hostfs_sync, .allocate = hostfs_allocate,
	.flush = readmap_close, .release = hostfs_close,
};

/* By the handle: the name may be gone.  False: not a volume's file. */
bool hostfs_truncate(struct file *f, u64 size, int *err)
{
	if (f->ops != &hostfs_file_ops)
		return false;
	*err = host_stream_resize(f->handle, size);
	if (!*err)
		f->inode->size = size;
	((struct hostnode *)f->inode->priv)->known_ns = 0;
	return true;
}

/* ---- directories ------------------------------------------------------------------------------ */
/* f->priv: the whole listing, fetched when reading starts at 0. */
struct listing { size_t size, room; char text[]; };

static struct listing *list_path(const struct hostnode *n, const char *path)
{
	struct listing *l = kmalloc(sizeof(*l) + LIST_BUFFER), *bigger;
	u64 cursor = 0;
	int64_t got;

	if (!l)
		return err_ptr(-ENOMEM);
	l->size = 0;
	l->room = LIST_BUFFER;
	for (;;) {
		got = host_path_list(n->tree, path, &cursor,
				     l->text + l->size, l->room - l->size);
		if (got <= 0)
			break;
		l->size += (size_t)got;
		if (l->room - l->size >= LIST_BUFFER / 2)
			continue;
		bigger = krealloc(l, sizeof(*l) + l->room * 2);
		if (!bigger) {
			got = -ENOMEM;
			break;
		}
		l = bigger;
		l->room *= 2;
	}
	if (!got)
		return l;
	kfree(l);
	return err_ptr(got);
}

static struct listing *list_all(const struct hostnode *n)
{
	char *path = hostfs_path(n);
	struct listing *l = path ? list_path(n, path) : err_ptr(-ENOMEM);

	kfree(path);
	return l;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static bool emit_dots(struct file *f, struct dir_context *c)
{
	u64 ino = f->inode->ino;

	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, ino, DT_OF_MODE(S_IFDIR), 1))
			return false;
		c->pos = 1;
	}
	if (c->pos == 1) {
		if (!c->emit(c, "..", 2, ino, DT_OF_MODE(S_IFDIR), 2))
			return false;
		c->pos = 2;
	}
	return true;
}

/* Positions are byte offsets in the listing, plus 2. */
static int hostfs_readdir(struct file *f, struct dir_context *c)
{
	static const u8 types[] = { 0, 8, 4, 10, 1, 12, 2, 6 };
	struct listing *l;

	if (!f->priv || c->pos == 0) {
		l = list_all(f->inode->priv);
		if (is_err(l))
			return (int)ptr_err(l);
		kfree(f->priv);
		f->priv = l;
	}
	l = f->priv;
	if (!emit_dots(f, c))
		return 0;
	while (c->pos - 2 < l->size) {
		const struct host_dirent *e =
			(const void *)(l->text + (c->pos - 2));
		u64 next = c->pos + e->size;

		if (!is_dots(e->name) &&
		    !c->emit(c, e->name, strlen(e->name), e->ino,
			     e->kind < ARRAY_SIZE(types) ? types[e->kind] : 0,
			     next))
			return 0;
		c->pos = next;
	}
	return 0;
}

static s64 dir_seek(struct file *f, s64 off, int whence)
{
	return file_seek_sized(f, off, whence, INT64_MAX);
}

static ssize_t dir_read(struct file *f, struct uio *u, u64 *pos)
{
	return -EISDIR;
}

static int dir_sync(struct file *f, bool data_only)
{
	return 0;
}

static void dir_release(struct file *f)
{
	kfree(f->priv);
}

const struct file_ops hostfs_dir_ops = {
	.read = dir_read, .readdir = hostfs_readdir, .seek = dir_seek,
	.sync = dir_sync, .release = dir_release,
};
