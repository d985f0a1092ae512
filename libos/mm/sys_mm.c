/*
 * sys_mm.c - the small memory calls: msync, mincore, NUMA policy (there is
 * one node), membarrier, and reading or writing one's own memory by
 * process_vm_readv.
 */
#include "mm_impl.h"

#include <libos/sys.h>
#include <libos/uaccess.h>

#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>

/* ---- msync -------------------------------------------------------------------- */

/* The next mapping at or after *addr, below end, with a reference on its file
 * if that must be written; false at the end or at a hole (then *hole). */
static bool msync_next(struct mm *m, u64 *addr, u64 end, u32 flags,
		       struct file **f, int *err)
{
	struct vma *v;

	*f = NULL;
	if (*addr >= end)
		return false;
	mutex_lock(&m->lock);
	v = vma_next(m, *addr);
	if (!v || v->start > *addr)
		*err = -ENOMEM;
	if (v && (flags & MS_INVALIDATE) && (v->flags & VMA_LOCKED) &&
	    v->start < end)
		*err = -EBUSY;
	if (v && v->start < end && v->file && (v->flags & VMA_SHARED) &&
	    (flags & MS_SYNC))
		*f = file_get(v->file);
	*addr = v ? v->end : end;
	mutex_unlock(&m->lock);
	return *err != -EBUSY;
}

long sys_msync(struct task *t, const struct sysargs *a)
{
	u64 addr = a->a[0], end = addr + PAGE_UP(a->a[1]);
	u32 flags = (u32)a->a[2];
	struct file *f;
	int err = 0;

	if ((flags & ~(u32)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    (addr & ~PAGE_MASK) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	while (msync_next(current_mm(), &addr, end, flags, &f, &err)) {
		if (f && f->ops->sync)
			f->ops->sync(f, true);
		if (f)
			file_put(f);
	}
	return err;
}

/* ---- mincore -------------------------------------------------------------------- */

/* Whether a page is in memory only the host knows; the honest answer that
 * harms nobody is that it is, as on a machine that does not swap. */
long sys_mincore(struct task *t, const struct sysargs *a)
{
	struct mm *m = current_mm();
	u64 addr = a->a[0], len = PAGE_UP(a->a[1]), done, n;
	u8 ones[256];
	bool ok;

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (addr > GUEST_MAX || len > GUEST_MAX - addr ||
	    (a->a[1] && !len))
		return -ENOMEM;
	memset(ones, 1, sizeof(ones));
	mutex_lock(&m->lock);
	ok = !len || vma_range_mapped(m, addr, addr + len);
	mutex_unlock(&m->lock);
	if (!ok)
		return -ENOMEM;
	for (done = 0; done < len >> PAGE_SHIFT; done += n) {
		n = MIN((len >> PAGE_SHIFT) - done, sizeof(ones));
		if (copy_to_user(a->a[2] + done, ones, n))
			return -EFAULT;
	}
	return 0;
}

/* ---- NUMA: one node -------------------------------------------------------------- */

#define MAX_NODES 1024u

/* A nodemask may name node 0 only; *empty: names none. */
static int get_nodemask(u64 umask, u64 maxnode, bool *empty)
{
	u64 word, bits;
	u64 i;

	*empty = true;
	if (!umask || maxnode <= 1)
		return 0;
	maxnode--; /* Linux counts one too many */
	if (maxnode > PAGE_SIZE * 8)
		return -EINVAL;
	for (i = 0; i * 64 < maxnode; i++) {
		if (get_user_u64(&word, umask + i * 8))
			return -EFAULT;
		bits = maxnode - i * 64;
		if (bits < 64)
			word &= (1ull << bits) - 1;
		if (i ? word : word & ~1ull)
			return -EINVAL;
		if (word)
			*empty = false;
	}
	return 0;
}

static int check_policy(u64 mode, u64 umask, u64 maxnode)
{
	bool empty;
	u64 kind = mode & ~(u64)MPOL_MODE_FLAGS;
	int err;

	if (kind >= MPOL_MAX || (mode & MPOL_MODE_FLAGS) ==
	    (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	err = get_nodemask(umask, maxnode, &empty);
	if (err)
		return err;
	if (kind == MPOL_DEFAULT || kind == MPOL_LOCAL)
		return empty ? 0 : -EINVAL;
	return empty && kind != MPOL_PREFERRED ? -EINVAL : 0;
}

/* With one node every policy has the same effect: checked, then dropped. */
long sys_set_mempolicy(struct task *t, const struct sysargs *a)
{
	return check_policy((u32)a->a[0], a->a[1], a->a[2]);
}

long sys_mbind(struct task *t, const struct sysargs *a)
{
	struct mm *m = current_mm();
	u64 addr = a->a[0], len = PAGE_UP(a->a[1]);
	bool ok;
	int err;

	if ((addr & ~PAGE_MASK) ||
	    (a->a[5] & ~(u64)(MPOL_MF_STRICT | MPOL_MF_MOVE |
			      MPOL_MF_MOVE_ALL)))
		return -EINVAL;
	if (addr + len < addr)
		return -EINVAL;
	err = check_policy((u32)a->a[2], a->a[3], a->a[4]);
	if (err || !len)
		return err;
	mutex_lock(&m->lock);
	ok = vma_range_mapped(m, addr, addr + len);
	mutex_unlock(&m->lock);
	return ok ? 0 : -EFAULT;
}

static int put_nodemask(u64 umask, u64 maxnode, u64 first)
{
	u64 bytes = (maxnode - 1 + 63) / 64 * 8;

	if (!umask)
		return 0;
	if (maxnode < MAX_NODES / 16 || bytes > PAGE_SIZE)
		return -EINVAL;
	if (clear_user(umask, bytes) || put_user_u64(umask, first))
		return -EFAULT;
	return 0;
}

long sys_get_mempolicy(struct task *t, const struct sysargs *a)
{
	u64 policy = a->a[0], flags = a->a[4];
	struct vma *v = NULL;

	if (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		if (policy && put_user_u32(policy, 0))
			return -EFAULT;
		return put_nodemask(a->a[1], a->a[2], 1);
	}
	if (flags & MPOL_F_ADDR) {
		mutex_lock(&current_mm()->lock);
		v = vma_find(current_mm(), a->a[3]);
		mutex_unlock(&current_mm()->lock);
		if (!v)
			return -EFAULT;
	} else if (a->a[3] || (flags & MPOL_F_NODE)) {
		return -EINVAL;
	}
	/* the node, or MPOL_DEFAULT: both 0 */
	if (policy && put_user_u32(policy, 0))
		return -EFAULT;
	return put_nodemask(a->a[1], a->a[2], 0);
}

/* ---- membarrier ------------------------------------------------------------------ */

/* The global commands, which reach other processes too, we do not have; nor
 * does a Linux with tickless processors. */
#define BARRIER_ALL (MEMBARRIER_CMD_PRIVATE_EXPEDITED |                      \
		     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
/* A page of our own region that no guest sees; map_lock guards it. */
#define BARRIER_PAGE ((void *)(BLY_LOCAL + 0x100000ul))

/* Taking a dirty page's right to be written away makes the host's kernel
 * interrupt every processor that runs a thread of this process, and an
 * interrupt is a full barrier. */
static int barrier_process(void)
{
	struct mm *m = current_mm();
	int err;

	mutex_lock(&m->map_lock);
	err = host_mem_map(BARRIER_PAGE, PAGE_SIZE,
			   HOST_PROT_READ | HOST_PROT_WRITE,
			   HOST_MAP_PRIVATE, HOST_NO_HANDLE, 0);
	if (!err) {
		__atomic_store_n((u32 *)BARRIER_PAGE, 1, __ATOMIC_SEQ_CST);
		err = host_mem_protect(BARRIER_PAGE, PAGE_SIZE,
				       HOST_PROT_READ);
		host_mem_unmap(BARRIER_PAGE, PAGE_SIZE);
	}
	mutex_unlock(&m->map_lock);
	return err;
}

long sys_membarrier(struct task *t, const struct sysargs *a)
{
	if (a->a[1])
		return -EINVAL;
	switch ((u32)a->a[0]) {
	case MEMBARRIER_CMD_QUERY:
		return BARRIER_ALL;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		return 0; /* nothing to prepare */
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return barrier_process();
	}
	return -EINVAL;
}
