/*
 * dentry.c - the dentry cache: names in directories.
 *
 * One hash table over (parent, name) for all file systems, under one lock
 * that a path walk takes once.  A dentry whose last reference went is kept on
 * a list of unused ones if looking it up again would cost, and freed oldest
 * first; dentries of SUPER_PINNED systems that hold what exists nowhere else
 * carry a reference on themselves.
 *
 * Invariants: a hashed dentry is in its parent's children, in the order of
 * pos; each dentry holds a reference on its parent; a count goes from 1 to 0
 * and from 0 to 1 only under dcache_mutex; inodes are released after it was
 * unlocked (the list of the dead).
 */
#include "fs.h"

#include <libos/heap.h>

#define HASH_START 256u
#define LRU_MAX 16384u
#define FIRST_POS (1ull << 32) /* below are the lower tree's names */

struct mutex dcache_mutex = MUTEX_INIT;
struct mutex rename_lock = MUTEX_INIT;

static struct dentry *start_table[HASH_START] LARGE;
static struct dentry **table = start_table;
static u32 table_size = HASH_START, table_count;
static struct list lru = LIST_INIT(lru);
static u32 lru_count;
static u64 next_pos = FIRST_POS;
static struct dentry *dead; /* linked through hash_next */

u32 dentry_hash_name(const char *name, size_t n)
{
	u32 h = DENTRY_HASH_SEED;

	while (n--)
		h = dentry_hash_step(h, *name++);
	return h;
}

static struct dentry **bucket(const struct dentry *dir, u32 hash)
{
	u64 p = (u64)(uintptr_t)dir >> 6;
	u32 h = hash ^ (u32)(p * 0x9e3779b97f4a7c15ull >> 32);

	h ^= h >> 15;
	return &table[h & (table_size - 1)];
}

static void hash_link(struct dentry *d)
{
	struct dentry **b = bucket(d->parent, d->hash);

	d->hash_next = *b;
	d->hash_prev = b;
	if (*b)
		(*b)->hash_prev = &d->hash_next;
	*b = d;
	table_count++;
}

static void hash_unlink(struct dentry *d)
{
	if (!d->hash_prev)
		return;
	*d->hash_prev = d->hash_next;
	if (d->hash_next)
		d->hash_next->hash_prev = d->hash_prev;
	d->hash_prev = NULL;
	d->hash_next = NULL;
	table_count--;
}

/* Failing to grow only makes lookups slower. */
static void table_grow(void)
{
	struct dentry **old = table, *d, *next;
	u32 old_size = table_size, i;
	struct dentry **bigger = page_alloc(
		PAGE_UP(old_size * 4ul * sizeof(*table)) / PAGE_SIZE);

	if (!bigger)
		return;
	table = bigger;
	table_size = old_size * 4;
	table_count = 0;
	for (i = 0; i < old_size; i++) {
		for (d = old[i]; d; d = next) {
			next = d->hash_next;
			hash_link(d);
		}
	}
	if (old != start_table)
		page_free(old, PAGE_UP(old_size * sizeof(*old)) / PAGE_SIZE);
}

struct dentry *dcache_find(struct dentry *dir, const char *name, size_t n,
			   u32 hash)
{
	struct dentry *d;

	for (d = *bucket(dir, hash); d; d = d->hash_next) {
		if (d->hash == hash && d->parent == dir &&
		    d->name_size == n && !memcmp(d->name, name, n))
			return d;
	}
	return NULL;
}

/* ---- the life of a dentry -------------------------------------------------- */
static bool worth_keeping(const struct dentry *d)
{
	const struct super *s;

	if (d->unlinked || d->parent == d)
		return false;
	s = d->parent->inode->super;
	if (s->flags & SUPER_NODCACHE)
		return false;
	if (s->flags & SUPER_STAMPED) /* good until this walk has ended */
		return d->inode || d->seen;
	/* A negative name is only worth it if asking again costs. */
	return d->inode || (d->parent->inode->flags & INODE_LOWER);
}

static void bury(struct dentry *d)
{
	hash_unlink(d);
	list_remove(&d->in_parent);
	if (!list_empty(&d->in_lru)) {
		list_remove(&d->in_lru);
		lru_count--;
	}
	d->unlinked = true;
	d->hash_next = dead;
	dead = d;
}

/* Forget the oldest unused ones; what differs from its store is pinned. */
static void lru_shrink(void)
{
	unsigned budget = 64;

	while (lru_count > LRU_MAX && budget--) {
		struct dentry *d = list_first(&lru, struct dentry, in_lru);
		struct dentry *parent = d->parent;

		list_remove(&d->in_lru);
		lru_count--;
		if (d->ref.count)
			continue;
		if (d->inode && (d->inode->flags & INODE_DIRTY)) {
			dcache_pin(d);
			continue;
		}
		bury(d);
		dcache_put(parent);
	}
}

void dcache_put(struct dentry *d)
{
	for (;;) {
		struct dentry *parent = d->parent;

		if (!ref_put(&d->ref))
			return;
		if (worth_keeping(d)) {
			if (list_empty(&d->in_lru)) {
				list_push_back(&lru, &d->in_lru);
				lru_count++;
			}
			if (UNLIKELY(lru_count > LRU_MAX))
				lru_shrink();
			return;
		}
		bury(d);
		if (parent == d)
			return;
		d = parent;
	}
}

void dcache_unlock(void)
{
	struct dentry *d = dead, *next;

	if (LIKELY(!d)) {
		mutex_unlock(&dcache_mutex);
		return;
	}
	dead = NULL;
	mutex_unlock(&dcache_mutex);
	for (; d; d = next) {
		next = d->hash_next;
		if (d->inode)
			inode_put(d->inode);
		if (d->name != d->short_name)
			kfree(d->name);
		kfree(d);
	}
}

struct dentry *dentry_get(struct dentry *d)
{
	dcache_get(d);
	return d;
}

void dentry_put(struct dentry *d)
{
	u32 c;

	if (!d)
		return;
	c = __atomic_load_n(&d->ref.count, __ATOMIC_RELAXED);
	while (c > 1) {
		if (__atomic_compare_exchange_n(&d->ref.count, &c, c - 1, true,
						__ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	dcache_lock();
	dcache_put(d);
	dcache_unlock();
}

void dcache_pin(struct dentry *d)
{
	if (!d->pinned) {
		d->pinned = true;
		dcache_get(d);
	}
}

void dcache_unpin(struct dentry *d)
{
	if (d->pinned) {
		d->pinned = false;
		dcache_put(d);
	}
}

void dcache_unlink(struct dentry *d)
{
	hash_unlink(d);
	list_remove(&d->in_parent);
	d->unlinked = true;
	dcache_unpin(d);
}

void dcache_set_inode(struct dentry *d, struct inode *i)
{
	d->inode = i;
	d->seen = 0;
}

/* ---- making and naming ------------------------------------------------------ */
int dentry_name_storage(const char *name, char **storage)
{
	struct dentry *d;

	*storage = NULL;
	if (strlen(name) < sizeof(d->short_name))
		return 0;
	*storage = kstrdup(name);
	return *storage ? 0 : -ENOMEM;
}

static void set_name(struct dentry *d, const char *name, size_t n,
		     char *storage)
{
	if (storage) {
		d->name = storage;
	} else {
		d->name = d->short_name;
		memcpy(d->name, name, n);
		d->name[n] = 0;
	}
	d->name_size = (u16)n;
	d->hash = dentry_hash_name(name, n);
}

struct dentry *dentry_alloc(const char *name, size_t n)
{
	struct dentry *d = kzalloc(sizeof(*d));
	char *storage = NULL;

	if (d && n >= sizeof(d->short_name)) {
		storage = kstrndup(name, n);
		if (!storage) {
			kfree(d);
			return NULL;
		}
	}
	if (!d)
		return NULL;
	ref_init(&d->ref);
	list_init(&d->in_parent);
	list_init(&d->children);
	list_init(&d->in_lru);
	set_name(d, name, n, storage);
	return d;
}

struct dentry *dentry_new_root(struct inode *i, const char *name)
{
	struct dentry *d = dentry_alloc(name, strlen(name));

	if (!d)
		return NULL;
	d->parent = d;
	d->inode = i;
	return d;
}

static void enter(struct dentry *d, struct dentry *dir)
{
	d->parent = dir;
	d->unlinked = false;
	d->seen = 0;
	d->pos = next_pos++;
	hash_link(d);
	list_push_back(&dir->children, &d->in_parent);
	if (UNLIKELY(table_count > table_size * 2))
		table_grow();
}

/* An existing dentry of the same name stays as it is if the dentries are the
 * truth; else it takes the new inode, or gives way if it has another one. */
static bool adopt(struct dentry *d, struct inode *i, u64 stamp)
{
	if (d->parent->inode->super->flags & SUPER_PINNED)
		return true;
	if (d->inode && d->inode != i && !d->mounted) {
		dcache_get(d); /* it may be one that nobody uses: forget it */
		dcache_unlink(d);
		dcache_put(d);
		return false;
	}
	if (i && !d->inode)
		d->inode = inode_get(i);
	d->stamp = stamp;
	return true;
}

void dentry_discard(struct dentry *d)
{
	if (d && d->name != d->short_name)
		kfree(d->name);
	kfree(d);
}

void dcache_cover(struct dentry *d, struct dentry *dir)
{
	dcache_get(dir);
	enter(d, dir);
	d->in_lower = true;
	dcache_pin(d);
	dcache_put(d);
}

struct dentry *dentry_add(struct dentry *dir, const char *name, size_t n,
			  struct inode *i, u64 stamp)
{
	u32 hash = dentry_hash_name(name, n);
	struct dentry *d, *made = NULL;

	for (;;) {
		dcache_lock();
		d = dcache_find(dir, name, n, hash);
		if (d && adopt(d, i, stamp)) {
			dcache_get(d);
			break;
		}
		if (made) {
			d = made;
			made = NULL;
			d->inode = i ? inode_get(i) : NULL;
			d->stamp = stamp;
			dcache_get(dir);
			enter(d, dir);
			break;
		}
		dcache_unlock();
		made = dentry_alloc(name, n);
		if (!made) {
			if (i)
				inode_put(i);
			return NULL;
		}
	}
	dcache_unlock();
	dentry_discard(made);
	if (i)
		inode_put(i);
	return d;
}

/* ---- moving ------------------------------------------------------------------ */
void dcache_move(struct dentry *d, struct dentry *dir, const char *name,
		 char *storage)
{
	struct dentry *old_parent = d->parent;
	char *old_name = d->name != d->short_name ? d->name : NULL;

	hash_unlink(d);
	list_remove(&d->in_parent);
	set_name(d, name, strlen(name), storage);
	dcache_get(dir);
	enter(d, dir);
	dcache_put(old_parent);
	kfree(old_name);
}

static void swap_names(struct dentry *a, struct dentry *b)
{
	char text[sizeof(a->short_name)];
	char *an = a->name == a->short_name ? NULL : a->name;
	char *bn = b->name == b->short_name ? NULL : b->name;
	u16 size = a->name_size;
	u32 hash = a->hash;

	memcpy(text, a->short_name, sizeof(text));
	memcpy(a->short_name, b->short_name, sizeof(text));
	memcpy(b->short_name, text, sizeof(text));
	a->name = bn ? bn : a->short_name;
	b->name = an ? an : b->short_name;
	a->name_size = b->name_size;
	b->name_size = size;
	a->hash = b->hash;
	b->hash = hash;
}

void dcache_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *pa = a->parent, *pb = b->parent;

	hash_unlink(a);
	hash_unlink(b);
	list_remove(&a->in_parent);
	list_remove(&b->in_parent);
	swap_names(a, b);
	enter(a, pb); /* the references on the parents change hands */
	enter(b, pa);
}

bool dcache_is_below(const struct dentry *d, const struct dentry *top)
{
	for (;;) {
		if (d == top)
			return true;
		if (d->parent == d && !d->covers)
			return false;
		d = d->parent == d ? d->covers : d->parent;
	}
}

/* ---- paths ------------------------------------------------------------------- */
static char *prepend(char *at, char *buf, const char *s, size_t n)
{
	if ((size_t)(at - buf) < n)
		return NULL;
	memcpy(at - n, s, n);
	return at - n;
}

static char *path_up(const struct dentry *d, const struct dentry *root,
		     char *at, char *buf)
{
	while (at && d != root) {
		if (d->parent == d && d->covers) {
			d = d->covers;
			continue;
		}
		if (d->parent == d && !d->name_size)
			break;
		at = prepend(at, buf, d->name, d->name_size);
		if (at)
			at = prepend(at, buf, "/", 1);
		if (d->parent == d)
			break;
		d = d->parent;
	}
	return at;
}

char *dentry_path(struct dentry *d, char *buf, size_t size, bool mark_deleted)
{
	struct proc *p = current() ? current()->proc : NULL;
	struct dentry *root = p && p->fs && p->fs->root ? p->fs->root : vfs_root;
	char *at = buf + size, *end;

	if (!size)
		return err_ptr(-ENAMETOOLONG);
	*--at = 0;
	dcache_lock();
	if (mark_deleted && d->unlinked)
		at = prepend(at, buf, " (deleted)", 10);
	end = at;
	at = at ? path_up(d, root, at, buf) : NULL;
	if (at && at == end)
		at = prepend(at, buf, "/", 1);
	dcache_unlock();
	return at ? at : err_ptr(-ENAMETOOLONG);
}
