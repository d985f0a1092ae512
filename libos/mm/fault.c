/*
 * fault.c - a guest's memory access that the host refused.
 *
 * The list says what the access deserves: a signal with Linux's code, or a
 * second try, because the page was not there yet (a file that has grown, a
 * stack that grows) or because another thread has changed the mapping since.
 *
 * mm_fault() is for guest code, with no lock held.  mm_fault_copy() is for
 * the library OS's copy functions, which may run under inode and other locks:
 * it never waits for map_lock (see mm.h), and gives up rather than wait.
 */
#include "mm_impl.h"

#include <libos/ktime.h>
#include <libos/vfs.h>

/* One address that faults this often without a pause, though the list allows
 * the access, will not get better. */
#define FAULT_TRIES 1000
#define FAULT_PAUSE_NS 1000000ull

static int no_mapping(int *code)
{
	*code = SEGV_MAPERR;
	return SIGSEGV;
}

static int bus_error(int *code)
{
	*code = BUS_ADRERR;
	return SIGBUS;
}

static bool access_allowed(const struct vma *v, bool write, bool exec)
{
	if (write)
		return v->prot & PROT_WRITE;
	if (exec)
		return v->prot & PROT_EXEC;
	return v->prot & PROT_RWX; /* x86 reads what it may write or run */
}

/* The access is below a mapping that grows downwards. */
static bool grow_stack(struct mm *m, struct vma *v, u64 addr)
{
	u64 start = PAGE_DOWN(addr), old = v->start;
	struct vma *p = v->prev;

	if (!(v->flags & VMA_GROWSDOWN) || start < MMAP_MIN_ADDR ||
	    meets_libos(start, v->end - start) ||
	    v->end - start > mm_rlimit(RLIMIT_STACK))
		return false;
	if (p && (p->end > start || ((p->prot & PROT_RWX) &&
	    !(p->flags & VMA_GROWSDOWN) && start - p->end < STACK_GUARD_GAP)))
		return false;
	if (!mm_may_expand(m, (old - start) >> PAGE_SHIFT, v->prot, v->flags))
		return false;
	if (host_mem_map((void *)start, old - start, host_prot(v->prot),
			 HOST_MAP_PRIVATE, HOST_NO_HANDLE, 0))
		return false;
	vma_resize(m, v, start, v->end);
	return true;
}

static bool keeps_faulting(struct mm *m, u64 addr)
{
	u64 now = clock_monotonic_ns();

	if (m->fault_addr != addr || now - m->fault_ns > FAULT_PAUSE_NS)
		m->fault_count = 0;
	m->fault_addr = addr;
	m->fault_ns = now;
	return ++m->fault_count > FAULT_TRIES;
}

static int fault_in(struct mm *m, struct vma *v, u64 addr, int *code)
{
	int err = 0;

	if (v->file && v->file->ops->fault)
		err = v->file->ops->fault(v->file, v, PAGE_DOWN(addr));
	else if (v->file && v->offset + (PAGE_DOWN(addr) - v->start) >=
		 PAGE_UP(v->file->inode->size))
		err = -EIO;
	if (err == -EFAULT) {
		*code = SEGV_ACCERR;
		return SIGSEGV;
	}
	return err || keeps_faulting(m, addr) ? bus_error(code) : 0;
}

static int fault_locked(struct mm *m, u64 addr, bool write, bool exec,
			int *code)
{
	struct vma *v;
	bool grown = false;

	mutex_lock(&m->lock);
	v = vma_next(m, addr);
	if (v && v->start > addr) {
		grown = grow_stack(m, v, addr);
		v = NULL;
	}
	mutex_unlock(&m->lock);
	if (grown)
		return 0;
	if (!v)
		return no_mapping(code);
	if (!access_allowed(v, write, exec)) {
		*code = SEGV_ACCERR;
		return SIGSEGV;
	}
	return fault_in(m, v, addr, code);
}

int mm_fault(u64 addr, bool write, bool exec, int *code)
{
	struct mm *m = current_mm();
	int sig;

	mutex_lock(&m->map_lock);
	sig = fault_locked(m, addr, write, exec, code);
	mutex_unlock(&m->map_lock);
	return sig;
}

/* A file's page for a copy function: only if nobody is changing the address
 * space now, and the file is not the one being read or written. */
static bool copy_fault_file(struct mm *m, u64 addr)
{
	struct vma *v;
	int code, sig = SIGSEGV;

	if (!mutex_trylock(&m->map_lock))
		return false;
	mutex_lock(&m->lock);
	v = vma_find(m, addr);
	mutex_unlock(&m->lock);
	if (v && v->file && !mutex_is_held(&v->file->inode->lock))
		sig = fault_in(m, v, addr, &code);
	mutex_unlock(&m->map_lock);
	return sig == 0;
}

bool mm_fault_copy(u64 addr, bool write)
{
	struct mm *m = current_mm();
	bool again = false, is_file = false;
	struct vma *v;

	mutex_lock(&m->lock);
	v = vma_next(m, addr);
	if (v && v->start > addr)
		again = grow_stack(m, v, addr);
	else if (v && access_allowed(v, write, false) && v->file)
		is_file = true;
	else if (v && access_allowed(v, write, false))
		again = !keeps_faulting(m, addr);
	mutex_unlock(&m->lock);
	return is_file ? copy_fault_file(m, addr) : again;
}

/*
 * The file became shorter: its pages behind the new end leave the current
 * process's mappings, private copies included, and an access finds the file's
 * fault op, which says SIGBUS or, if the file has grown again, maps them
 * again.  The caller may hold inode->lock.
 *
 * Other processes keep their host mappings: they see zeros there (memfs
 * zeroes the pages that it cuts off) until they map or fault again.
 */
void mm_truncate_inode(struct inode *ino, u64 new_size)
{
	struct mm *m = current()->proc ? current_mm() : NULL;
	u64 keep = PAGE_UP(new_size), from;
	struct vma *v;

	if (!m)
		return; /* a thread of the library OS itself */
	mutex_lock(&m->lock);
	for (v = m->first; v; v = v->next) {
		if (!v->file || v->file->inode != ino ||
		    v->offset + vma_size(v) <= keep)
			continue;
		from = keep > v->offset ? keep - v->offset : 0;
		host_mem_unmap((void *)(v->start + from), vma_size(v) - from);
	}
	mutex_unlock(&m->lock);
}
