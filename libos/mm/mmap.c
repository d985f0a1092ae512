/*
 * mmap.c - mm_map: a new mapping; and mmap(2).
 *
 * Order of one mapping: check, choose the address and put it in the list
 * (mm->lock), let the host or the file's map op provide the pages
 * (mm->map_lock), tell the rewriter of new text.  If the pages cannot be
 * had, the range is unmapped and the error returned.
 */
#include "mm_impl.h"

#include <libos/exec.h>
#include <libos/sys.h>
#include <libos/vfs.h>

/* A big file mapping whose place we choose is likely a library's whole span:
 * leave room behind it for the rewriter's trampolines. */
#define TEXT_SPAN_MIN 0x10000ul
#define TEXT_SPAN_PAD 0x20000ul

/* Flags that a MAP_SHARED_VALIDATE mapping may carry. */
#define KNOWN_FLAGS (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |  \
	MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN | MAP_LOCKED |        \
	MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |            \
	MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE | MAP_UNINITIALIZED |  \
	(63u << MAP_HUGE_SHIFT))

int mm_host_map(struct vma *v, u64 addr, u64 size)
{
	if (!v->file)
		return host_mem_map((void *)addr, size, host_prot(v->prot),
				    HOST_MAP_PRIVATE, HOST_NO_HANDLE, 0);
	return v->file->ops->map(v->file, v, addr, size,
				 v->offset + (addr - v->start));
}

void mm_populate(const struct vma *v, u64 addr, u64 size)
{
	/* A failure only means that the pages come later, one by one. */
	if (v->prot & PROT_WRITE)
		host_mem_advise((void *)addr, size, HOST_ADVISE_POPULATE);
	else if (v->prot & PROT_READ)
		host_mem_advise((void *)addr, size, HOST_ADVISE_WILLNEED);
}

static int check_file(struct file *f, u32 prot, u32 flags)
{
	bool is_shared = (flags & MAP_TYPE) != MAP_PRIVATE;

	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE &&
	    (flags & ~(u32)KNOWN_FLAGS))
		return -EOPNOTSUPP;
	if (is_shared && (prot & PROT_WRITE) && !(f->mode & FMODE_WRITE))
		return -EACCES;
	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if ((prot & PROT_EXEC) && f->inode->super &&
	    (f->inode->super->flags & SUPER_NOEXEC))
		return -EPERM;
	if (!f->ops->map)
		return -ENODEV;
	return flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static u32 vma_flags_of(const struct mm *m, u32 flags)
{
	u32 v = m->lock_future & VMA_LOCKED;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		v |= VMA_SHARED;
	if (flags & MAP_GROWSDOWN)
		v |= VMA_GROWSDOWN;
	if (flags & MAP_NORESERVE)
		v |= VMA_NORESERVE;
	if (flags & MAP_LOCKED)
		v |= VMA_LOCKED;
	return v;
}

/* Limits; what MAP_FIXED is about to replace does not count. */
static bool may_expand(struct mm *m, const struct vma *like, u64 addr,
		       u64 size, u32 flags)
{
	u64 replaced = 0;

	if (mm_may_expand(m, size >> PAGE_SHIFT, like->prot, like->flags))
		return true;
	if (flags & MAP_FIXED)
		replaced = vma_mapped_bytes(m, addr, addr + size);
	return replaced && mm_may_expand(m, (size - replaced) >> PAGE_SHIFT,
					 like->prot, like->flags);
}

/* Choose the place and enter it in the list: mm->map_lock held. */
static int map_reserve(struct mm *m, struct vma *like, u64 size, u32 flags,
		       struct vma **out, struct vma **dead)
{
	u64 pad = like->file && size >= TEXT_SPAN_MIN ? TEXT_SPAN_PAD : 0;
	s64 addr;
	int err;

	mutex_lock(&m->lock);
	addr = mm_place(m, like->start, size, flags, pad);
	err = addr < 0 ? (int)addr : 0;
	if (!err && (like->flags & VMA_LOCKED))
		err = mm_may_lock(m, size);
	if (!err && !may_expand(m, like, (u64)addr, size, flags))
		err = -ENOMEM;
	if (!err && (flags & MAP_FIXED))
		err = vma_cut(m, (u64)addr, (u64)addr + size, dead);
	if (!err) {
		like->start = (u64)addr;
		like->end = (u64)addr + size;
		err = vma_add(m, like, out, dead);
	}
	mutex_unlock(&m->lock);
	/* what MAP_FIXED took out is gone, as in Linux, even if we fail now */
	if (err && *dead)
		host_mem_unmap((void *)addr, size);
	return err;
}

static void map_undo(struct mm *m, u64 addr, u64 size, struct vma **dead)
{
	mutex_lock(&m->lock);
	vma_cut(m, addr, addr + size, dead);
	mutex_unlock(&m->lock);
	host_mem_unmap((void *)addr, size);
}

/* Looked at when it is in the list: who seals the file then looks there. */
static bool forbidden(const struct vma *v)
{
	return v->file && (v->flags & VMA_SHARED) && (v->prot & PROT_WRITE) &&
	       memfs_is_sealed(v->file);
}

static s64 map_locked(struct mm *m, struct vma *like, u64 size, u32 flags,
		      struct vma **dead)
{
	struct vma *v = NULL;
	int err = map_reserve(m, like, size, flags, &v, dead);

	if (err)
		return err;
	err = forbidden(v) ? -EPERM : mm_host_map(v, like->start, size);
	if (err) {
		map_undo(m, like->start, size, dead);
		return err;
	}
	if (v->file && (v->prot & PROT_EXEC))
		rewrite_text_mapped(m, v);
	if ((flags & MAP_LOCKED) || ((flags & MAP_POPULATE) &&
				     !(flags & MAP_NONBLOCK)))
		mm_populate(v, like->start, size);
	return (s64)like->start;
}

s64 mm_map_like(struct vma *like, u64 size, u32 flags)
{
	struct mm *m = current_mm();
	struct vma *dead = NULL;
	s64 ret;

	mutex_lock(&m->map_lock);
	like->flags |= vma_flags_of(m, flags);
	if (like->file && (like->flags & VMA_SHARED) &&
	    memfs_is_sealed(like->file))
		like->flags |= VMA_SEALED;
	ret = map_locked(m, like, size, flags, &dead);
	mutex_unlock(&m->map_lock);
	if (dead)
		vma_free_chain(dead);
	return ret;
}

s64 mm_map(u64 addr, u64 size, u32 prot, u32 flags, struct file *f, u64 off)
{
	struct vma like = { .start = addr, .file = f, .offset = f ? off : 0,
			    .prot = prot & PROT_RWX };
	int err;

	if (!size)
		return -EINVAL;
	size = PAGE_UP(size);
	if (!size)
		return -ENOMEM;
	if (f && off + size < off)
		return -EOVERFLOW;
	if (flags & MAP_FIXED_NOREPLACE)
		flags &= ~(u32)MAP_FIXED;
	err = f ? check_file(f, prot, flags) : 0;
	return err ? err : mm_map_like(&like, size, flags);
}

/* MAP_SHARED | MAP_ANONYMOUS: a file without a name, that goes with its last
 * mapping. */
static s64 map_shared_anon(u64 addr, u64 size, u32 prot, u32 flags)
{
	struct iattr a = { .valid = ATTR_SIZE, .size = PAGE_UP(size) };
	struct file *f;
	s64 ret;

	if ((flags & MAP_GROWSDOWN) || !size)
		return -EINVAL;
	if (size > GUEST_MAX)
		return -ENOMEM;
	f = memfs_file_anon("dev/zero", O_RDWR);
	if (!f)
		return -ENOMEM;
	ret = vfs_setattr(f->dentry, f->inode, &a);
	if (!ret)
		ret = mm_map(addr, size, prot, flags, f, 0);
	file_put(f);
	return ret;
}

static s64 map_anon(u64 addr, u64 size, u32 prot, u32 flags)
{
	u32 type = flags & MAP_TYPE;

	if (flags & MAP_HUGETLB)
		return -ENOMEM; /* as a host whose huge page pool is empty */
	if (!size)
		return -EINVAL;
	if (type == MAP_PRIVATE)
		return mm_map(addr, size, prot, flags, NULL, 0);
	if (type == MAP_SHARED)
		return map_shared_anon(addr, size, prot, flags);
	return -EINVAL;
}

long sys_mmap(struct task *t, const struct sysargs *a)
{
	u64 addr = a->a[0], size = a->a[1], off = a->a[5];
	u32 prot = (u32)a->a[2], flags = (u32)a->a[3], type = flags & MAP_TYPE;
	struct file *f;
	s64 ret;

	if (off & ~PAGE_MASK)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		return map_anon(addr, size, prot, flags);
	f = fd_get((int)a->a[4]);
	if (!f)
		return -EBADF;
	if (type != MAP_PRIVATE && type != MAP_SHARED &&
	    type != MAP_SHARED_VALIDATE)
		ret = -EINVAL;
	else if (flags & MAP_HUGETLB)
		ret = -EINVAL; /* no file here is on hugetlbfs */
	else
		ret = mm_map(addr, size, prot, flags, f, off);
	file_put(f);
	return ret;
}
