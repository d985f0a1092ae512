/*
 * memfs_file.c - open regular files of memfs.
 *
 * While a file's data is still the lower's, reads and private maps go to the
 * host's handle directly.  The first write, and a mapping that may write
 * through, takes the data over.
 */
#include "memfs.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/signal.h>

#include <asm/mman.h>
#include <linux/falloc.h>

#define RLIMIT_FILE_SIZE 1

/* ---- reading ----------------------------------------------------------------------------- */
/* inode->lock held on entry, not on return */
static ssize_t read_lower(struct file *f, struct uio *u, u64 pos)
{
	struct memnode *n = memnode(f->inode);
	struct lower_handle *lh = lower_open(n);
	int64_t got;

	mutex_unlock(&n->inode->lock);
	if (is_err(lh))
		return ptr_err(lh);
	if (u->count == 1 && !u->kernel &&
	    readmap_read(f, lh->handle, u->iov->base, u->left, pos))
		got = (int64_t)u->left;
	else
		got = host_stream_read(lh->handle, u->iov, u->count, pos);
	lower_put(lh);
	if (got > 0)
		uio_advance(u, (size_t)got);
	return got;
}

static ssize_t memfs_read(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	struct memnode *n = memnode(i);
	ssize_t got;

	if (!u->left)
		return 0;
	mutex_lock(&i->lock);
	if (*pos >= i->size) {
		mutex_unlock(&i->lock);
		return 0;
	}
	if (n->lower) {
		got = read_lower(f, u, *pos);
	} else {
		got = data_read(n, u, *pos);
		mutex_unlock(&i->lock);
	}
	if (got > 0)
		*pos += (u64)got;
	return got;
}

/* ---- writing ------------------------------------------------------------------------------ */
static void uio_limit(struct uio *u, u64 max)
{
	unsigned k;

	if (u->left <= max)
		return;
	u->left = 0;
	for (k = 0; k < u->count; k++) {
		if (u->iov[k].size > max - u->left)
			u->iov[k].size = max - u->left;
		u->left += u->iov[k].size;
	}
}

/* RLIMIT_FSIZE and the largest offset; trims u. */
static int check_size(struct uio *u, u64 pos)
{
	u64 limit = current()->proc->rlimits[RLIMIT_FILE_SIZE].soft;

	if (pos > INT64_MAX)
		return -EFBIG;
	if (pos >= limit) {
		signal_send_task(current(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	uio_limit(u, MIN(limit, (u64)INT64_MAX) - pos);
	return 0;
}

static int check_seals(const struct memnode *n, struct uio *u, u64 pos)
{
	u64 size = n->inode->size;

	if (LIKELY(!n->seals))
		return 0;
	if (n->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((n->seals & F_SEAL_GROW) && pos + u->left > size) {
		if (pos >= size)
			return -EPERM;
		uio_limit(u, size - pos);
	}
	return 0;
}

static void drop_setid(struct inode *i)
{
	if (!(i->mode & (S_ISUID | S_ISGID)) || capable(KCAP_FSETID))
		return;
	i->mode &= ~(u32)S_ISUID;
	if (i->mode & S_IXGRP)
		i->mode &= ~(u32)S_ISGID;
}

static ssize_t write_locked(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	struct memnode *n = memnode(i);
	ssize_t done;
	int err;

	if (f->flags & O_APPEND)
		*pos = i->size;
	if (!u->left)
		return 0;
	err = check_seals(n, u, *pos);
	if (!err)
		err = check_size(u, *pos);
	if (!err && n->lower)
		err = lower_copy_up(n, i->size);
	if (err)
		return err;
	done = data_write(n, u, *pos);
	if (done > 0) {
		*pos += (u64)done;
		i->mtime_ns = i->ctime_ns = (s64)clock_realtime_ns();
		drop_setid(i);
	}
	return done;
}

static ssize_t memfs_write(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t done;

	mutex_lock(&f->inode->lock);
	done = write_locked(f, u, pos);
	mutex_unlock(&f->inode->lock);
	return done;
}

static s64 memfs_seek(struct file *f, s64 off, int whence)
{
	struct memnode *n = memnode(f->inode);
	s64 at;

	if ((whence == SEEK_DATA || whence == SEEK_HOLE) && !n->lower) {
		mutex_lock(&f->inode->lock);
		at = off < 0 ? -ENXIO :
		     data_seek(n, (u64)off, whence == SEEK_HOLE);
		mutex_unlock(&f->inode->lock);
		return at < 0 ? at : file_seek_sized(f, at, SEEK_SET, 0);
	}
	return file_seek_sized(f, off, whence, f->inode->size);
}

/* ---- mapping --------------------------------------------------------------------------------- */
static int map_lower(struct memnode *n, const struct vma *v, u64 addr,
		     u64 size, u64 offset)
{
	struct lower_handle *lh = lower_open(n);
	int err;

	if (is_err(lh))
		return (int)ptr_err(lh);
	err = host_mem_map((void *)(uintptr_t)addr, size, (int)v->prot,
			   v->flags & VMA_SHARED ? HOST_MAP_SHARED :
						   HOST_MAP_PRIVATE,
			   lh->handle, offset);
	lower_put(lh);
	return err;
}

/* Behind the file's end a page of the heap object behind *its* end stands:
 * touching it is a bus error whatever its protection is. */
static int map_extents(struct memnode *n, const struct vma *v, u64 addr,
		       u64 size, u64 offset)
{
	u64 end = PAGE_UP(n->inode->size), count, part;
	int share = v->flags & VMA_SHARED ? HOST_MAP_SHARED : HOST_MAP_PRIVATE;
	int err = 0;

	for (; size && !err; addr += part, offset += part, size -= part) {
		u64 at = BLY_HEAP_SIZE;

		part = size;
		if (offset < end) {
			u64 want = MIN(size, end - offset) >> PAGE_SHIFT;
			char *mem = data_ensure(n, offset >> PAGE_SHIFT, want,
						&count);

			if (is_err(mem))
				return (int)ptr_err(mem);
			at = heap_offset(mem);
			part = MIN(want, count) << PAGE_SHIFT;
		}
		err = host_mem_map((void *)(uintptr_t)addr, part, (int)v->prot,
				   share, heap_handle(), at);
	}
	data_account(n);
	return err;
}

static int memfs_map(struct file *f, struct vma *v, u64 addr, u64 size,
		     u64 offset)
{
	struct memnode *n = memnode(f->inode);
	bool may_write = (v->flags & VMA_SHARED) && (f->mode & FMODE_WRITE);
	int err = 0;

	mutex_lock(&f->inode->lock);
	if (n->lower && may_write)
		err = lower_copy_up(n, f->inode->size);
	if (!err && n->lower) {
		err = map_lower(n, v, addr, size, offset);
	} else if (!err) {
		n->is_mapped = true;
		err = map_extents(n, v, addr, size, offset);
	}
	mutex_unlock(&f->inode->lock);
	return err;
}

/* The file may have grown since it was mapped. */
static int memfs_fault(struct file *f, struct vma *v, u64 addr)
{
	struct memnode *n = memnode(f->inode);
	u64 page = PAGE_DOWN(addr), size = PAGE_SIZE, end;
	u64 offset = v->offset + (page - v->start);
	int err = -EIO;

	mutex_lock(&f->inode->lock);
	end = PAGE_UP(f->inode->size);
	if (!n->lower && offset < end) {
		if (v->flags & VMA_SHARED)
			size = MIN(v->end - page, end - offset);
		err = map_extents(n, v, page, size, offset);
		if (err)
			err = -EIO;
	}
	mutex_unlock(&f->inode->lock);
	return err;
}

static int memfs_sync(struct file *f, bool data_only)
{
	return 0; /* memory is all there is */
}

/* ---- fallocate -------------------------------------------------------------------------------- */
static int fill(struct memnode *n, u64 off, u64 end)
{
	u64 page = off >> PAGE_SHIFT, last = PAGE_UP(end) >> PAGE_SHIFT, count;

	while (page < last) {
		char *mem = data_ensure(n, page, last - page, &count);

		if (is_err(mem))
			return (int)ptr_err(mem);
		page += count;
	}
	return 0;
}

static int allocate_locked(struct memnode *n, int mode, u64 off, u64 end)
{
	struct inode *i = n->inode;
	bool grow = !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size;
	int err;

	if ((n->seals & F_SEAL_GROW) && grow)
		return -EPERM;
	err = lower_copy_up(n, i->size);
	if (err)
		return err;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		if (n->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
		data_zero(n, off, MIN(end, PAGE_UP(i->size)));
	}
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		err = fill(n, off, end);
	if (!err && grow)
		err = data_truncate(n, end);
	data_account(n);
	i->mtime_ns = i->ctime_ns = (s64)clock_realtime_ns();
	return err;
}

static int memfs_allocate(struct file *f, int mode, u64 off, u64 len)
{
	int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
		    FALLOC_FL_ZERO_RANGE;
	int err;

	if (mode & ~known)
		return -EOPNOTSUPP;
	mutex_lock(&f->inode->lock);
	err = allocate_locked(memnode(f->inode), mode, off, off + len);
	mutex_unlock(&f->inode->lock);
	return err;
}

static void memfs_close(struct file *f)
{
	__atomic_fetch_sub(&memnode(f->inode)->open_count, 1,
			   __ATOMIC_RELAXED);
}

const struct file_ops memfs_file_ops = {
	.read = memfs_read, .write = memfs_write, .seek = memfs_seek,
	.map = memfs_map, .fault = memfs_fault, .sync = memfs_sync,
	.allocate = memfs_allocate, .flush = readmap_close,
	.release = memfs_close,
};

/* ---- seals -------------------------------------------------------------------------------------- */
static struct mutex seal_lock; /* who adds seals; outside all others */

/* What may be mapped is decided when it is: a mapping that was there before
 * its file was sealed is made again, moved and copied as it is. */
bool memfs_is_sealed(const struct file *f)
{
	return f->ops == &memfs_file_ops &&
	       (__atomic_load_n(&memnode(f->inode)->seals, __ATOMIC_SEQ_CST) &
		(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

int memfs_seals_get(struct file *f)
{
	if (f->inode->nlink || !inode_is_memfs(f->inode))
		return -EINVAL;
	return (int)memnode(f->inode)->seals;
}

static void seals_set(struct memnode *n, u32 seals)
{
	mutex_lock(&n->inode->lock); /* no write is under way */
	__atomic_store_n(&n->seals, seals, __ATOMIC_SEQ_CST);
	mutex_unlock(&n->inode->lock);
}

int memfs_seals_add(struct file *f, u32 seals)
{
	struct memnode *n = memnode(f->inode);
	u32 old;
	int err = 0;

	if (!inode_is_memfs(f->inode) || f->ops != &memfs_file_ops)
		return -EINVAL;
	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~(u32)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
			   F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EINVAL;
	mutex_lock(&seal_lock);
	old = n->seals;
	if (old & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & ~old & F_SEAL_WRITE) && mm_any_writes(f->inode))
		err = -EBUSY;
	else
		seals_set(n, old | seals);
	/* Again: who maps it meanwhile sees the seal, or is seen. */
	if (!err && (seals & ~old & F_SEAL_WRITE) && mm_any_writes(f->inode)) {
		seals_set(n, old);
		err = -EBUSY;
	}
	mutex_unlock(&seal_lock);
	return err;
}
