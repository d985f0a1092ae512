/*
 * memfs_lower.c - the host tree below memfs objects.
 *
 * A lookup asks for the rest of the path in one request and enters what came
 * back in the dentry cache.  Handles of lower files are opened at the first
 * read and kept; the least recently opened ones of files that nobody has open
 * are closed again.  A lower tree is taken not to change.
 */
#include "memfs.h"

#include <libos/heap.h>
#include <libos/save.h>

#define HANDLES_MAX 512u
#define WALK_MAX 40u
#define LIST_BUFFER 32768u
#define DEVS_MAX 64u

static struct mutex lower_lock = MUTEX_INIT;
static struct list handle_lru = LIST_INIT(handle_lru); /* newest in front */
static u32 handle_count;
static u64 devs[DEVS_MAX];

struct walk_buffer {
	struct host_stat st[WALK_MAX];
	char path[HOST_PATH_MAX];
	char link[HOST_PATH_MAX];
};

/* ---- inodes from the host's description -------------------------------------------- */
static u64 dev_index(u64 dev)
{
	u64 n;

	mutex_lock(&lower_lock);
	for (n = 0; n < DEVS_MAX - 1 && devs[n] && devs[n] != dev; n++)
		;
	devs[n] = dev;
	mutex_unlock(&lower_lock);
	return n;
}

static u64 lower_ino(u64 ino, u64 index)
{
	return ino ^ (index << 48);
}

static u32 mode_of_kind(u32 kind)
{
	static const u32 modes[] = {
		[HOST_KIND_FILE] = S_IFREG, [HOST_KIND_DIR] = S_IFDIR,
		[HOST_KIND_SYMLINK] = S_IFLNK, [HOST_KIND_FIFO] = S_IFIFO,
		[HOST_KIND_SOCKET] = S_IFSOCK, [HOST_KIND_CHAR] = S_IFCHR,
		[HOST_KIND_BLOCK] = S_IFBLK,
	};

	return kind < ARRAY_SIZE(modes) ? modes[kind] : 0;
}

static void fill_from_stat(struct inode *i, const struct host_stat *st)
{
	i->ino = lower_ino(st->ino, dev_index(st->dev));
	i->uid = st->uid;
	i->gid = st->gid;
	i->nlink = st->nlink;
	i->size = st->size;
	i->blocks = st->blocks;
	i->atime_ns = st->atime_ns;
	i->mtime_ns = st->mtime_ns;
	i->ctime_ns = st->ctime_ns;
	i->btime_ns = st->ctime_ns;
}

struct inode *lower_inode(struct super *s, const struct host_stat *st,
			  u32 tree, const char *path, const char *target)
{
	u32 mode = mode_of_kind(st->kind) | (st->mode & 07777);
	struct inode *i = memfs_inode(s, mode);
	struct memnode *n;

	if (!i)
		return NULL;
	n = memnode(i);
	fill_from_stat(i, st);
	n->tree = tree;
	if (S_ISREG(mode) || S_ISDIR(mode)) {
		n->lower = kstrdup(path);
		if (!n->lower)
			goto fail;
	}
	if (S_ISDIR(mode))
		i->flags |= INODE_LOWER;
	if (S_ISLNK(mode)) {
		n->target = kstrdup(target);
		if (!n->target)
			goto fail;
		i->size = strlen(target);
	}
	return i;
fail:
	inode_put(i);
	return NULL;
}

/* ---- handles -------------------------------------------------------------------------- */
void lower_put(struct lower_handle *lh)
{
	if (!ref_put(&lh->ref))
		return;
	host_stream_close(lh->handle);
	kfree(lh);
}

/* lower_lock held: a handle to close, so that there is room; or NULL. */
static struct lower_handle *evict(void)
{
	unsigned budget = 32;
	struct list *l;

	if (handle_count <= HANDLES_MAX)
		return NULL;
	for (l = handle_lru.prev; l != &handle_lru && budget--; l = l->prev) {
		struct memnode *n = list_entry(l, struct memnode, in_lru);
		struct lower_handle *lh = n->lh;

		if (__atomic_load_n(&n->open_count, __ATOMIC_RELAXED))
			continue;
		list_remove(&n->in_lru);
		handle_count--;
		n->lh = NULL;
		return lh;
	}
	return NULL;
}

static struct host_open open_of(const struct memnode *n)
{
	return (struct host_open){ .kind = HOST_OPEN_FILE, .tree = n->tree,
				   .flags = HOST_OPEN_READ,
				   .path = n->lower };
}

static struct lower_handle *handle_new(host_handle h)
{
	struct lower_handle *lh = kmalloc(sizeof(*lh));

	if (!lh) {
		host_stream_close(h);
		return err_ptr(-ENOMEM);
	}
	lh->handle = h;
	ref_init(&lh->ref);
	return lh;
}

static struct lower_handle *open_new(struct memnode *n)
{
	struct host_open o = open_of(n);
	host_handle h = host_stream_open(&o);

	return h < 0 ? err_ptr(h) : handle_new(h);
}

/* lower_lock held. */
static void enter_handle(struct memnode *n, struct lower_handle *lh)
{
	n->lh = lh;
	list_push_front(&handle_lru, &n->in_lru);
	handle_count++;
}

/* lower_lock held: lh is n's, unless it has one. What is to be put then. */
static struct lower_handle *keep_handle(struct memnode *n,
					struct lower_handle *lh)
{
	if (n->lh)
		return lh;
	enter_handle(n, lh);
	return evict();
}

/* h came along with a lookup of n. */
static void lower_opened(struct memnode *n, host_handle h)
{
	struct lower_handle *lh = handle_new(h), *old;

	if (is_err(lh))
		return;
	mutex_lock(&lower_lock);
	old = keep_handle(n, lh);
	mutex_unlock(&lower_lock);
	if (old)
		lower_put(old);
}

/* inode->lock held (n->lower stays). A reference. */
struct lower_handle *lower_open(struct memnode *n)
{
	struct lower_handle *lh, *old;

	mutex_lock(&lower_lock);
	lh = n->lh;
	if (lh)
		ref_get(&lh->ref);
	mutex_unlock(&lower_lock);
	if (lh)
		return lh;
	lh = open_new(n);
	if (is_err(lh))
		return lh;
	mutex_lock(&lower_lock);
	old = keep_handle(n, lh);
	lh = n->lh;
	ref_get(&lh->ref);
	mutex_unlock(&lower_lock);
	if (old)
		lower_put(old);
	return lh;
}

/* ---- lookup ------------------------------------------------------------------------- */
/* Append the leading plain components of rest to path; how many. */
static unsigned append_rest(char *path, size_t at, const char *rest)
{
	unsigned count = 0;

	while (*rest && count < WALK_MAX / 2) {
		const char *end = rest;
		size_t n;

		while (*end && *end != '/')
			end++;
		n = (size_t)(end - rest);
		if ((n == 1 && rest[0] == '.') ||
		    (n == 2 && rest[0] == '.' && rest[1] == '.') ||
		    n > NAME_MAX_LEN || at + n + 2 > HOST_PATH_MAX)
			break;
		if (at)
			path[at++] = '/';
		memcpy(path + at, rest, n);
		at += n;
		path[at] = 0;
		count++;
		for (rest = end; *rest == '/'; rest++)
			;
	}
	return count;
}

static unsigned count_components(const char *path)
{
	unsigned n = *path != 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Enter component `name` of dir: a reference to its dentry, or NULL. */
static struct dentry *enter_one(struct dentry *dir, const char *name, size_t n,
				const struct host_stat *st, u32 tree,
				const char *path, const char *target,
				u64 stamp, host_handle *opened)
{
	struct inode *i = lower_inode(dir->inode->super, st, tree, path, target);
	bool is_it = false;
	struct dentry *d;

	if (!i)
		return NULL;
	i->flags |= dir->inode->flags & INODE_RDONLY;
	d = dentry_add(dir, name, n, inode_get(i), stamp);
	if (d) {
		dcache_lock();
		is_it = d->inode == i;
		d->in_lower |= is_it;
		dcache_unlock();
	}
	if (is_it && *opened != HOST_NO_HANDLE) {
		lower_opened(memnode(i), *opened);
		*opened = HOST_NO_HANDLE;
	}
	inode_put(i);
	return d;
}

/* Is d still the plain directory that lies at path in the lower tree? */
static bool is_plain_dir(const struct dentry *d, u32 tree, const char *path)
{
	const struct inode *i = d->inode;

	return i && S_ISDIR(i->mode) && inode_is_memfs(i) && !d->mounted &&
	       memnode(i)->lower && memnode(i)->tree == tree &&
	       !strcmp(memnode(i)->lower, path);
}

/* Enter the found[] components of b->path after its first `skip`. */
static void enter_found(struct dentry *dir, struct walk_buffer *b,
			unsigned skip, unsigned found, unsigned total,
			bool is_missing, u64 stamp, host_handle *opened)
{
	u32 tree = memnode(dir->inode)->tree;
	size_t at = strlen(memnode(dir->inode)->lower);
	struct dentry *d = dentry_get(dir), *next;
	host_handle none = HOST_NO_HANDLE;
	unsigned k;

	for (k = skip; k < total && d; k++, d = next) {
		char *name = b->path + at + (at != 0), *end = name;
		char saved;

		while (*end && *end != '/')
			end++;
		saved = *end;
		*end = 0;
		if (k < found) {
			next = enter_one(d, name, (size_t)(end - name),
					 &b->st[k], tree, b->path, b->link,
					 stamp, k + 1 < found ? &none : opened);
		} else if (is_missing) {
			next = dentry_add(d, name, (size_t)(end - name), NULL,
					  stamp);
		} else {
			next = NULL;
		}
		if (next && (k >= found || !is_plain_dir(next, tree, b->path))) {
			dentry_put(next);
			next = NULL;
		}
		dentry_put(d);
		*end = saved;
		at = (size_t)(end - b->path);
	}
	if (d)
		dentry_put(d);
}

/* What is only to be read is opened on the way. */
int memfs_prefill(struct dentry *dir, const char *rest, u64 stamp,
		  struct walk_open *o)
{
	struct memnode *n = memnode(dir->inode);
	struct walk_buffer *b;
	unsigned skip, total;
	struct host_walk_open ho = {
		o && o->flags == HOST_OPEN_READ ? HOST_OPEN_READ : 0,
		HOST_NO_HANDLE, 0 };
	int found, error = 0;

	if (!n->lower)
		return 0;
	b = kmalloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	strlcpy(b->path, n->lower, sizeof(b->path));
	b->link[0] = 0;
	skip = count_components(b->path);
	total = skip + append_rest(b->path, strlen(b->path), rest);
	if (total > WALK_MAX || total == skip) {
		kfree(b);
		return total == skip ? 0 : -ENAMETOOLONG;
	}
	found = host_path_walk(n->tree, b->path, b->st, WALK_MAX, b->link,
			       sizeof(b->link), &error, &ho);
	if (found < 0) {
		error = found;
		found = 0;
	}
	if ((unsigned)found > skip || error == -ENOENT)
		enter_found(dir, b, skip, (unsigned)found, total,
			    error == -ENOENT, stamp, &ho.handle);
	if (ho.handle != HOST_NO_HANDLE)
		host_stream_close(ho.handle);
	kfree(b);
	return (unsigned)found > skip || error == -ENOENT ? 0 : error;
}

/* The file does not need its lower any more. */
void lower_forget(struct memnode *n)
{
	struct lower_handle *lh;

	mutex_lock(&lower_lock);
	lh = n->lh;
	n->lh = NULL;
	if (lh) {
		list_remove(&n->in_lru);
		handle_count--;
	}
	mutex_unlock(&lower_lock);
	if (lh)
		lower_put(lh);
	kfree(n->lower);
	n->lower = NULL;
}

static int copy_all(struct memnode *n, struct lower_handle *lh, u64 size)
{
	u64 pos = 0, count;

	while (pos < size) {
		u64 want = (size - pos + PAGE_SIZE - 1) >> PAGE_SHIFT;
		char *mem = data_ensure(n, pos >> PAGE_SHIFT, want, &count);
		struct host_iovec iov;
		int64_t got;

		if (is_err(mem))
			return (int)ptr_err(mem);
		iov.base = mem + (pos & (PAGE_SIZE - 1));
		iov.size = MIN(size - pos,
			       count * PAGE_SIZE - (pos & (PAGE_SIZE - 1)));
		got = host_stream_read(lh->handle, &iov, 1, pos);
		if (got < 0 && got != -EINTR)
			return (int)got;
		if (!got)
			break;
		if (got > 0)
			pos += (u64)got;
	}
	return 0;
}

/* Take over the first size bytes; the file is the private layer's then. */
int lower_copy_up(struct memnode *n, u64 size)
{
	struct lower_handle *lh;
	int err = 0;

	if (!n->lower)
		return 0;
	if (size) {
		lh = lower_open(n);
		if (is_err(lh))
			return (int)ptr_err(lh);
		err = copy_all(n, lh, size);
		lower_put(lh);
	}
	if (err) {
		data_free(n);
		return err;
	}
	lower_forget(n);
	n->inode->flags |= INODE_DIRTY;
	data_account(n);
	return 0;
}

/* ---- saving ------------------------------------------------------------------------------ */
bool memfs_lower_name(struct inode *i, u32 *tree, const char **path)
{
	struct memnode *n = memnode(i);

	if (i->ops != &memfs_inode_ops || !S_ISREG(i->mode) || !n->lower)
		return false;
	*tree = n->tree;
	*path = n->lower;
	return true;
}

bool memfs_save_once(struct inode *i, u32 save)
{
	if (i->ops != &memfs_inode_ops)
		return false;
	return __atomic_exchange_n(&memnode(i)->saved_in, save,
				   __ATOMIC_RELAXED) != save;
}

/* The host's handles are gone: each is opened anew when it is wanted. */
void memfs_lower_resumed(void)
{
	while (!list_empty(&handle_lru)) {
		struct memnode *n = list_first(&handle_lru, struct memnode,
					       in_lru);

		list_remove(&n->in_lru);
		kfree(n->lh);
		n->lh = NULL;
	}
	handle_count = 0;
}

/* Nothing else runs yet: no locks. */
#define SOON_MAX 16
static struct memnode *soon[SOON_MAX];
static unsigned soon_count;

void memfs_lower_open_now(void)
{
	struct host_open o[SOON_MAX];
	struct lower_handle *lh;
	unsigned i;

	for (i = 0; i < soon_count; i++) {
		o[i] = open_of(soon[i]);
		o[i].next = i + 1 < soon_count ? &o[i + 1] : NULL;
	}
	if (soon_count)
		o[0].handle = host_stream_open(o);
	for (i = 0; i < soon_count; i++) {
		lh = o[i].handle < 0 ? NULL : handle_new(o[i].handle);
		if (lh && !is_err(lh))
			enter_handle(soon[i], lh);
	}
	soon_count = 0;
}

void memfs_lower_open_soon(struct inode *i)
{
	struct memnode *n = memnode(i);

	if (i->ops != &memfs_inode_ops || !S_ISREG(i->mode) || !n->lower ||
	    n->lh || handle_count + soon_count >= HANDLES_MAX)
		return;
	for (unsigned k = 0; k < soon_count; k++)
		if (soon[k] == n)
			return;
	soon[soon_count++] = n;
	if (soon_count == SOON_MAX)
		memfs_lower_open_now();
}

/* ---- listings --------------------------------------------------------------------------- */
struct list_builder { struct lower_list *l; u32 room; size_t used, size; };

static int add_name(struct list_builder *b, const struct host_dirent *e,
		    u64 dev)
{
	size_t n = strlen(e->name) + 1;
	struct lower_list *l = b->l;
	void *p;

	if (l->count == b->room) {
		u32 room = b->room ? b->room * 2 : 32;

		p = krealloc(l->names, room * sizeof(*l->names));
		if (!p)
			return -ENOMEM;
		l->names = p;
		b->room = room;
	}
	if (b->used + n > b->size) {
		size_t size = MAX(b->size * 2, b->used + n + 512);

		p = krealloc(l->text, size);
		if (!p)
			return -ENOMEM;
		l->text = p;
		b->size = size;
	}
	memcpy(l->text + b->used, e->name, n);
	l->names[l->count++] = (struct lower_name){
		lower_ino(e->ino, dev), (u32)b->used,
		(u8)DT_OF_MODE(mode_of_kind(e->kind)) };
	b->used += n;
	return 0;
}

static int add_names(struct list_builder *b, const char *buf, int64_t size,
		     u64 dev)
{
	const char *p = buf;
	int err = 0;

	while (p < buf + size && !err) {
		const struct host_dirent *e = (const void *)p;

		if (strcmp(e->name, ".") && strcmp(e->name, ".."))
			err = add_name(b, e, dev);
		p += e->size;
	}
	return err;
}

static void free_list(struct lower_list *l)
{
	if (!l)
		return;
	kfree(l->names);
	kfree(l->text);
	kfree(l);
}

void lower_list_free(struct memnode *n)
{
	free_list(n->list);
	n->list = NULL;
}

int lower_list(struct memnode *n)
{
	struct list_builder b = { 0 };
	u64 cursor = 0, dev = n->inode->ino >> 48;
	int64_t got = 0;
	char *buf;
	int err = 0;

	if (n->list || !n->lower)
		return 0;
	buf = kmalloc(LIST_BUFFER);
	b.l = kzalloc(sizeof(*b.l));
	if (!buf || !b.l)
		err = -ENOMEM;
	while (!err) {
		got = host_path_list(n->tree, n->lower, &cursor, buf,
				     LIST_BUFFER);
		if (got <= 0) {
			err = (int)got;
			break;
		}
		err = add_names(&b, buf, got, dev);
	}
	kfree(buf);
	if (err)
		free_list(b.l);
	else
		n->list = b.l;
	return err;
}
