/*
 * hostfs.c - volumes: host trees passed through.
 *
 * The host is asked in every path walk (SUPER_STAMPED: a dentry holds for one
 * walk, or until the host tells of a change, hostwatch.c) with as many
 * components at once as there are, so what others change is seen.  One inode stands for each host object while it is in use (the
 * table below), so that locks and sockets bound to names meet.
 */
#include "hostfs.h"

#include <libos/heap.h>

#define TABLE_SIZE 1024u
#define WALK_MAX 24u
#define ASKED_OFTEN 8
#define ASKED_IN_VAIN 1000

static struct mutex table_lock = MUTEX_INIT;
static struct hostnode *table[TABLE_SIZE] RARE;
static bool is_used; /* the table, ever */

struct walk_buffer {
	struct host_stat st[WALK_MAX];
	char path[HOST_PATH_MAX];
	char link[HOST_PATH_MAX];
};

static const struct inode_ops hostfs_inode_ops;

/* ---- one inode for each host object ---------------------------------------------------- */
static struct hostnode **bucket(const struct super *s, u64 dev, u64 ino)
{
	u64 h = (ino ^ dev << 20 ^ (u64)(uintptr_t)s) * 0x9e3779b97f4a7c15ull;

	return &table[h >> 54];
}

static u32 mode_of(const struct host_stat *st)
{
	static const u32 modes[] = {
		[HOST_KIND_FILE] = S_IFREG, [HOST_KIND_DIR] = S_IFDIR,
		[HOST_KIND_SYMLINK] = S_IFLNK, [HOST_KIND_FIFO] = S_IFIFO,
		[HOST_KIND_SOCKET] = S_IFSOCK, [HOST_KIND_CHAR] = S_IFCHR,
		[HOST_KIND_BLOCK] = S_IFBLK,
	};

	return (st->kind < ARRAY_SIZE(modes) ? modes[st->kind] : S_IFREG) |
	       (st->mode & 07777);
}

void hostfs_fill(struct inode *i, const struct host_stat *st)
{
	i->mode = mode_of(st);
	i->ino = st->ino;
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

/* A live one with a reference; its count may just have reached 0. */
static struct inode *table_find(struct super *s, const struct host_stat *st)
{
	struct hostnode *n;

	for (n = *bucket(s, st->dev, st->ino); n; n = n->next) {
		u32 c = n->inode->ref.count;

		if (n->host_ino != st->ino || n->host_dev != st->dev ||
		    n->inode->super != s ||
		    (n->inode->mode & S_IFMT) != (mode_of(st) & S_IFMT))
			continue;
		while (c) {
			if (__atomic_compare_exchange_n(&n->inode->ref.count,
							&c, c + 1, false,
							__ATOMIC_ACQUIRE,
							__ATOMIC_RELAXED))
				return n->inode;
		}
	}
	return NULL;
}

static struct inode *node_new(struct super *s, const struct host_stat *st)
{
	struct inode *i = inode_alloc(s, mode_of(st));
	struct hostnode *n = kzalloc(sizeof(*n));

	if (!i || !n) {
		kfree(i);
		kfree(n);
		return NULL;
	}
	n->inode = i;
	n->tree = hostfs_tree(s);
	n->host_ino = st->ino;
	n->host_dev = st->dev;
	n->created = HOST_NO_HANDLE;
	list_init(&n->in_kept);
	i->priv = n;
	i->ops = &hostfs_inode_ops;
	i->fops = S_ISDIR(i->mode) ? &hostfs_dir_ops : &hostfs_file_ops;
	hostfs_fill(i, st);
	return i;
}

static int node_set_path(struct inode *i, const char *path, const char *link)
{
	struct hostnode *n = i->priv;
	char *p = NULL, *l = NULL;

	if (!n->path || strcmp(n->path, path))
		p = kstrdup(path);
	if (S_ISLNK(i->mode) && link && (!n->link || strcmp(n->link, link)))
		l = kstrdup(link);
	if (p) {
		kfree(n->path);
		n->path = p;
	}
	if (l) {
		kfree(n->link);
		n->link = l;
	}
	return n->path && (!S_ISLNK(i->mode) || n->link || !link) ? 0 : -ENOMEM;
}

char *hostfs_path(const struct hostnode *n)
{
	char *path;

	mutex_lock(&table_lock);
	path = kstrdup(n->path);
	mutex_unlock(&table_lock);
	return path;
}

/* The inode of what the host described, with a reference, or NULL. */
struct inode *hostfs_inode(struct super *s, const struct host_stat *st,
			   const char *path, const char *link)
{
	struct inode *i;
	struct hostnode *n, **b;

	mutex_lock(&table_lock);
	i = table_find(s, st);
	if (i) {
		hostfs_fill(i, st);
	} else {
		i = node_new(s, st);
		if (i) {
			n = i->priv;
			b = bucket(s, st->dev, st->ino);
			n->next = *b;
			*b = n;
			is_used = true;
		}
	}
	if (i)
		hostfs_known_now(i->priv);
	if (i && node_set_path(i, path, link)) {
		mutex_unlock(&table_lock);
		inode_put(i);
		return NULL;
	}
	mutex_unlock(&table_lock);
	return i;
}

static void hostfs_release(struct inode *i)
{
	struct hostnode *n = i->priv, **p;

	mutex_lock(&table_lock);
	p = bucket(i->super, n->host_dev, n->host_ino);
	while (*p && *p != n)
		p = &(*p)->next;
	if (*p)
		*p = n->next;
	mutex_unlock(&table_lock);
	if (n->created != HOST_NO_HANDLE)
		host_stream_close(n->created);
	hostfs_kept_drop(i);
	kfree(n->path);
	kfree(n->link);
	kfree(n);
}

/* ---- lookup ------------------------------------------------------------------------------ */
static unsigned count_components(const char *path)
{
	unsigned n = *path != 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static unsigned append_rest(char *path, const char *rest)
{
	size_t at = strlen(path), n;
	unsigned count = 0;
	const char *end;

	while (*rest && count < WALK_MAX / 2) {
		for (end = rest; *end && *end != '/'; end++)
			;
		n = (size_t)(end - rest);
		if ((n <= 2 && rest[0] == '.' && (n == 1 || rest[1] == '.')) ||
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

/* What a request has found, on its way into the dentry cache. */
struct findings {
	struct walk_buffer *b;
	size_t at;            /* end of the part of b->path that is entered */
	unsigned first, found;
	bool is_missing;      /* the next component does not exist */
	u64 stamp, seen;
	struct walk_open *o;
	host_handle handle;   /* of the last component, or none */
};

/* The handle that came along is that of i, and who walks may want it. */
static void keep_opened(struct findings *f, struct inode *i)
{
	if (f->o->handle != HOST_NO_HANDLE)
		host_stream_close(f->o->handle);
	inode_put(f->o->inode);
	f->o->handle = f->handle;
	f->o->inode = inode_get(i);
	f->handle = HOST_NO_HANDLE;
}

static void set_seen(struct dentry *d, struct inode *i, u64 seen)
{
	struct hostnode *n = i ? i->priv : NULL;

	d->seen = seen;
	if (!n)
		return;
	n->seen = seen;
	n->seen_hash = d->hash;
}

/* The next component below d; k: its description, beyond the found: none. */
static struct dentry *enter_next(struct findings *f, struct dentry *d,
				 unsigned k)
{
	char *name = f->b->path + f->at + (f->at != 0), *end = name, saved;
	struct inode *i = NULL;
	struct dentry *next = NULL;

	while (*end && *end != '/')
		end++;
	saved = *end;
	*end = 0;
	if (k < f->found)
		i = hostfs_inode(d->inode->super, &f->b->st[k], f->b->path,
				 f->b->link);
	if (i && f->handle != HOST_NO_HANDLE && k == f->found - 1)
		keep_opened(f, i);
	if (i || k == f->found)
		next = dentry_add(d, name, (size_t)(end - name), i, f->stamp);
	if (next)
		set_seen(next, i, f->seen);
	*end = saved;
	f->at = (size_t)(end - f->b->path);
	return next;
}

static void enter_found(struct dentry *dir, struct findings *f)
{
	unsigned k, end = f->found + f->is_missing;
	struct dentry *d = dentry_get(dir), *next;

	for (k = f->first; k < end && d && !d->mounted; k++, d = next) {
		next = enter_next(f, d, k);
		dentry_put(d);
	}
	dentry_put(d);
	if (f->handle != HOST_NO_HANDLE)
		host_stream_close(f->handle);
}

/* A directory that is asked about again and again is worth watching; whoever
 * writes in one that is pays for it. */
static bool is_worth_watching(struct hostnode *n)
{
	return ++n->asked > ASKED_OFTEN;
}

static void ask(struct hostnode *n, struct findings *f, int *error)
{
	struct host_walk_open ho = { f->o ? f->o->flags : 0, HOST_NO_HANDLE,
				     0 };
	struct walk_buffer *b = f->b;
	int found;

	if (is_worth_watching(n)) {
		f->seen = hostwatch_moment();
		ho.flags |= f->seen ? HOST_WALK_WATCH : 0;
	}
	found = host_path_walk(n->tree, b->path, b->st, WALK_MAX, b->link,
			       sizeof(b->link), error, &ho);
	if (found < 0)
		*error = found;
	f->found = found < 0 ? 0 : (unsigned)found;
	f->handle = ho.handle;
	if (f->seen && !ho.is_watched)
		n->asked = -ASKED_IN_VAIN;
	if (!ho.is_watched)
		f->seen = 0;
}

static int hostfs_prefill(struct dentry *dir, const char *rest, u64 stamp,
			  struct walk_open *o)
{
	struct hostnode *n = dir->inode->priv;
	struct walk_buffer *b = kmalloc(sizeof(*b));
	struct findings f = { .b = b, .stamp = stamp, .o = o };
	int error = 0;

	if (!b)
		return -ENOMEM;
	mutex_lock(&table_lock);
	strlcpy(b->path, n->path, sizeof(b->path));
	mutex_unlock(&table_lock);
	f.at = strlen(b->path);
	f.first = count_components(b->path);
	b->link[0] = 0;
	if (!append_rest(b->path, rest) || f.first > WALK_MAX / 2) {
		kfree(b);
		return -ENAMETOOLONG;
	}
	ask(n, &f, &error);
	f.is_missing = error == -ENOENT && f.found >= f.first;
	enter_found(dir, &f);
	if (f.found > f.first || f.is_missing)
		error = 0;
	kfree(b);
	return error == -ENOENT ? 0 : error;
}

int hostfs_child_path(const struct inode *dir, const char *name, char *path)
{
	const struct hostnode *n = dir->priv;
	int len;

	mutex_lock(&table_lock);
	len = snprintf(path, HOST_PATH_MAX, "%s%s%s", n->path,
		       *n->path ? "/" : "", name);
	mutex_unlock(&table_lock);
	return len >= (int)HOST_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* What a name just made has become. */
static struct inode *inode_of_new(struct inode *dir, const char *path,
				  const char *link)
{
	struct walk_buffer *b = kmalloc(sizeof(*b));
	struct hostnode *n = dir->priv;
	unsigned want = count_components(path);
	struct inode *i = NULL;
	int error = 0, found;

	if (!b)
		return err_ptr(-ENOMEM);
	found = host_path_walk(n->tree, path, b->st, WALK_MAX, b->link,
			       sizeof(b->link), &error, NULL);
	if (found == (int)want && want)
		i = hostfs_inode(dir->super, &b->st[want - 1], path, link);
	kfree(b);
	return i ? i : err_ptr(error ? error : -EIO);
}

/* ---- names --------------------------------------------------------------------------------- */
/* A new file may be opened for writing by its maker whatever its mode is, so
 * the open takes over the handle that made it. */
static void keep_created(struct inode *i, host_handle h)
{
	struct hostnode *n = i->priv;
	host_handle old;

	mutex_lock(&table_lock);
	old = n->created;
	n->created = h;
	mutex_unlock(&table_lock);
	if (old != HOST_NO_HANDLE)
		host_stream_close(old);
}

host_handle hostfs_take_created(struct inode *i)
{
	struct hostnode *n = i->priv;
	host_handle h;

	if (LIKELY(n->created == HOST_NO_HANDLE))
		return HOST_NO_HANDLE;
	mutex_lock(&table_lock);
	h = n->created;
	n->created = HOST_NO_HANDLE;
	mutex_unlock(&table_lock);
	return h;
}

static struct inode *hostfs_create(struct inode *dir, const char *name,
				   u32 mode)
{
	char path[HOST_PATH_MAX];
	struct host_stat st;
	struct host_open o = {
		.kind = HOST_OPEN_FILE, .tree = hostfs_tree(dir->super),
		.flags = HOST_OPEN_READ | HOST_OPEN_WRITE | HOST_OPEN_CREATE |
			 HOST_OPEN_EXCLUSIVE,
		.mode = mode, .path = path, .stat = &st,
	};
	int err = hostfs_child_path(dir, name, path);
	struct inode *i;
	host_handle h;

	if (err)
		return err_ptr(err);
	h = host_stream_open(&o);
	if (h < 0)
		return err_ptr(h);
	i = hostfs_inode(dir->super, &st, path, NULL);
	if (!i) {
		host_stream_close(h);
		return err_ptr(-ENOMEM);
	}
	keep_created(i, h);
	return i;
}

static struct inode *make(struct inode *dir, const char *name,
			  enum host_kind kind, u32 mode, const char *target)
{
	char path[HOST_PATH_MAX];
	int err = hostfs_child_path(dir, name, path);

	if (!err)
		err = host_path_make(hostfs_tree(dir->super), path, kind, mode,
				     target);
	return err ? err_ptr(err) : inode_of_new(dir, path, target);
}

static struct inode *hostfs_mkdir(struct inode *dir, const char *name, u32 mode)
{
	return make(dir, name, HOST_KIND_DIR, mode, NULL);
}

static struct inode *hostfs_symlink(struct inode *dir, const char *name,
				    const char *target)
{
	return make(dir, name, HOST_KIND_SYMLINK, 0777, target);
}

static struct inode *hostfs_mknod(struct inode *dir, const char *name, u32 mode,
				  u64 rdev)
{
	if (S_ISFIFO(mode))
		return make(dir, name, HOST_KIND_FIFO, mode & 07777, NULL);
	if (S_ISSOCK(mode))
		return make(dir, name, HOST_KIND_SOCKET, mode & 07777, NULL);
	return err_ptr(-EPERM);
}

static int hostfs_link(struct inode *dir, const char *name, struct inode *i)
{
	const struct hostnode *n = i->priv;
	char path[HOST_PATH_MAX], *from;
	int err = hostfs_child_path(dir, name, path);

	if (err)
		return err;
	from = hostfs_path(n);
	err = from ? host_path_link(n->tree, from, path) : -ENOMEM;
	kfree(from);
	if (!err)
		i->nlink++;
	return err;
}

static int remove(struct inode *dir, const char *name, struct inode *i,
		  bool is_dir)
{
	char path[HOST_PATH_MAX];
	int err = hostfs_child_path(dir, name, path);

	if (!err)
		err = host_path_remove(hostfs_tree(dir->super), path, is_dir);
	if (!err)
		i->nlink = is_dir || !i->nlink ? 0 : i->nlink - 1;
	if (!i->nlink)
		hostfs_kept_drop(i);
	return err;
}

static int hostfs_unlink(struct inode *dir, const char *name, struct inode *i)
{
	return remove(dir, name, i, false);
}

static int hostfs_rmdir(struct inode *dir, const char *name, struct inode *i)
{
	return remove(dir, name, i, true);
}

/* table_lock held: what is below `from` is below `to` now. */
static void move_below(const struct super *s, const char *from, const char *to)
{
	size_t n = strlen(from), size;
	struct hostnode *h;
	char *path;
	u32 k;

	for (k = 0; k < TABLE_SIZE; k++) {
		for (h = table[k]; h; h = h->next) {
			if (h->inode->super != s || strncmp(h->path, from, n) ||
			    h->path[n] != '/')
				continue;
			size = strlen(to) + strlen(h->path + n) + 1;
			path = kmalloc(size);
			if (!path)
				continue; /* found again at its next walk */
			snprintf(path, size, "%s%s", to, h->path + n);
			kfree(h->path);
			h->path = path;
		}
	}
}

static int hostfs_rename(struct inode *from_dir, const char *from,
			 struct inode *i, struct inode *to_dir, const char *to,
			 struct inode *victim, u32 flags)
{
	char *a = kmalloc(2 * HOST_PATH_MAX), *b = a + HOST_PATH_MAX;
	int err;

	if (!a)
		return -ENOMEM;
	err = hostfs_child_path(from_dir, from, a);
	if (!err)
		err = hostfs_child_path(to_dir, to, b);
	if (!err)
		err = host_path_rename(hostfs_tree(from_dir->super), a, b,
				       flags); /* RENAME_* has its values */
	if (!err) {
		mutex_lock(&table_lock);
		node_set_path(i, b, NULL);
		if (S_ISDIR(i->mode) && !(flags & RENAME_EXCHANGE))
			move_below(from_dir->super, a, b);
		if (victim && (flags & RENAME_EXCHANGE))
			node_set_path(victim, a, NULL);
		else if (victim && victim->nlink)
			victim->nlink--;
		mutex_unlock(&table_lock);
	}
	kfree(a);
	return err;
}

static ssize_t hostfs_readlink(struct inode *i, char *buf, size_t size)
{
	const struct hostnode *n = i->priv;
	ssize_t len;

	mutex_lock(&table_lock);
	len = n->link ? (ssize_t)strlcpy(buf, n->link, size) : -EIO;
	mutex_unlock(&table_lock);
	return len;
}

/* ---- the file system ------------------------------------------------------------------------- */
static const struct inode_ops hostfs_inode_ops = {
	.create = hostfs_create, .mkdir = hostfs_mkdir, .mknod = hostfs_mknod,
	.symlink = hostfs_symlink, .link = hostfs_link,
	.unlink = hostfs_unlink, .rmdir = hostfs_rmdir,
	.rename = hostfs_rename, .readlink = hostfs_readlink,
	.open = hostfs_open, .setattr = hostfs_setattr,
	.refresh = hostfs_refresh, .release = hostfs_release,
};

/* The host's own numbers are none of the sandbox's business: a plain answer
 * that lets installers go on. */
static int hostfs_statfs(struct super *s, u64 *blocks, u64 *free, u64 *files)
{
	*blocks = *free = 1ull << 28; /* 1 TiB */
	*files = 1ull << 30;
	return 0;
}

/* The monitor has told of most of them at the start. */
int hostfs_root_stat(u32 tree, struct host_stat *st)
{
	const struct boot_info *b = boot_info();
	const struct boot_mount *m = (const void *)((const char *)b +
						    b->mounts);
	int error = 0;

	for (u32 i = 0; i < b->mount_count; i++)
		if ((m[i].kind == BOOT_MOUNT_LAYER ||
		     m[i].kind == BOOT_MOUNT_VOLUME) && m[i].tree == tree &&
		    m[i].root.kind) {
			*st = m[i].root;
			return 0;
		}
	if (host_path_walk(tree, "", st, 1, NULL, 0, &error, NULL) == 1)
		return 0;
	return error ? error : -ENOENT;
}

struct super *hostfs_new(u32 tree, u32 flags)
{
	struct super *s = super_alloc("volume", 0x65735546 /* FUSE */);
	struct host_stat st;
	int error;

	if (!s)
		panic("no memory for a volume");
	s->flags = flags | SUPER_STAMPED;
	s->priv = (void *)(uintptr_t)tree;
	s->prefill = hostfs_prefill;
	s->statfs = hostfs_statfs;
	error = hostfs_root_stat(tree, &st);
	if (error) {
		klog("volume %u: error %d", tree, -error);
		memset(&st, 0, sizeof(st));
		st.kind = HOST_KIND_DIR;
		st.mode = 0755;
	}
	s->root = hostfs_inode(s, &st, "", NULL);
	if (!s->root)
		panic("no memory for a volume");
	return s;
}

/* After a resume: handles are gone, and what was known of the host is old. */
void hostfs_nodes_resumed(void)
{
	struct hostnode *n;

	for (unsigned k = 0; is_used && k < TABLE_SIZE; k++)
		for (n = table[k]; n; n = n->next)
			hostfs_node_resumed(n);
}
