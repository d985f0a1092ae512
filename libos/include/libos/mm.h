/*
 * mm.h - the guest's address space.
 *
 * The host does the paging; struct mm only remembers what is where, so that
 * addresses can be chosen, /proc/PID/maps printed, mappings split and moved,
 * and a process saved.
 *
 * Two locks.  mm->map_lock is taken first of all locks (before inode->lock:
 * a file's map op runs under it) and is held over a whole change of the
 * address space, the host's calls included, so list and host agree whenever
 * it is free.  mm->lock guards the tree itself: who only looks takes that.
 */
#ifndef LIBOS_MM_H
#define LIBOS_MM_H

#include <libos/base.h>
#include <libos/file.h>
#include <libos/lock.h>

struct task;
struct vma {
	u64 start, end;       /* page aligned */
	u64 offset;           /* in file, of start */
	struct file *file;    /* reference, or NULL: anonymous */
	u32 prot;             /* PROT_* as the guest asked */
	u32 flags;            /* VMA_* */
	/* --- treap by start, threaded in order (libos/mm/vma.c) --- */
	struct vma *left, *right, *up;
	struct vma *prev, *next;
	u64 gap;              /* free bytes below start */
	u64 max_gap;          /* largest gap in this subtree */
	u32 priority;
	const char *name;     /* "[heap]", "[stack]", "[vdso]" or NULL */
};
enum { VMA_SHARED = 1, VMA_GROWSDOWN = 2, VMA_STACK = 4, VMA_NORESERVE = 8,
       VMA_DONTFORK = 16, VMA_WIPEONFORK = 32, VMA_WAS_WRITABLE = 64,
       VMA_LOCKED = 128, VMA_DONTDUMP = 256, VMA_SYSV = 512,
       VMA_PATCHED = 1024, /* some text pages come from the rewriter */
       VMA_IMAGE = 2048, /* private pages that the host maps from an image: not
			  * zero again when they are discarded */
       VMA_SEALED = 4096 /* shared, of a file that was sealed against writing
			  * when it was mapped: never to be writable */ };
/* What a mapping keeps of its parts. */
#define VMA_STICKY (VMA_WAS_WRITABLE | VMA_IMAGE)

struct mm {
	struct ref ref;       /* processes that use it (vfork) */
	struct mutex map_lock;/* one change at a time; outermost */
	struct mutex lock;    /* guards all below */
	struct vma *root, *first, *last;
	u32 count;
	u32 priority_seed;
	u64 total_pages, locked_pages;
	u64 data_pages;       /* private and writable: RLIMIT_DATA */
	u64 charged_pages;    /* these and stacks: memory_charge */
	u32 lock_future;      /* mlockall: VMA_LOCKED for new mappings */
	u64 fault_addr, fault_ns; u32 fault_count; /* the same fault again and again */
	u64 brk_start, brk;
	u64 stack_top;
	u64 code_start, code_end, data_start, data_end;
	u64 arg_start, arg_end, env_start, env_end;
	u64 mmap_top;         /* addresses are chosen downwards from here */
	u64 vdso;             /* the guest's vDSO */
	u64 text_version;     /* of the rewritten pages that it shows */
	u32 forks;            /* copies made of it; map_lock */
	bool is_host_process_owner;
	struct readmap *readmap; /* libos/fs/readmap.c, or NULL */
	bool fork_work;       /* of a fork: mm_after_fork_child has work */
};

struct mm *mm_alloc(void);
/* fork: same list, files referenced. The caller holds m->map_lock from before
 * this until the host has made the copy, so that both show one moment. */
struct mm *mm_copy(struct mm *m);
/* Its windows are gone, or are never looked at again (libos/fs/readmap.c). */
void readmap_forget(struct mm *m);
void mm_put(struct mm *m);          /* does not unmap (the process ends) */
/* exec: everything of the guest goes. */
int mm_clear(struct mm *m);
/* mmap(2)'s core on current()'s mm: addr 0 or hint; MAP_* flags; result or
 * -errno. */
s64 mm_map(u64 addr, u64 size, u32 prot, u32 flags, struct file *f, u64 off);
int mm_unmap(u64 addr, u64 size);
int mm_protect(u64 addr, u64 size, u32 prot);
/* Does any process map it shared, so that it can write to it? */
bool mm_any_writes(const struct inode *i);
struct vma *vma_find(struct mm *m, u64 addr); /* lock held: covers addr */
struct vma *vma_next(struct mm *m, u64 addr); /* first with end > addr */
/* In the child of a fork, before its guest code runs: what MADV_DONTFORK and
 * MADV_WIPEONFORK keep from it goes. */
void mm_after_fork_child(struct mm *m);
/* A free range of size bytes whose every byte is within max_distance of
 * addr, near it; 0 if there is none. */
u64 mm_find_gap_near(struct mm *m, u64 addr, u64 size, u64 max_distance);
/* Map kernel heap pages (page_alloc) at addr in the current process.  Inside
 * an existing mapping: an overlay that the list does not know; in free space:
 * a mapping of its own.  -EEXIST if partly occupied.  The pages are shared
 * until the guest writes to them (which takes an mprotect). */
int mm_map_special(u64 addr, u64 size, u32 prot, const void *kernel_pages,
		   const char *name);
/* Called on a host fault at addr: 0 retry the instruction; else the signal
 * (SIGSEGV, SIGBUS) with *code = si_code. */
int mm_fault(u64 addr, bool write, bool exec, int *code);
/* The same for a copy function of the library OS (uaccess), which may hold
 * locks: true if the access is worth another try. */
bool mm_fault_copy(u64 addr, bool write);
/* [start,end) of the inode's pages changed size (truncate): revoke. */
void mm_truncate_inode(struct inode *ino, u64 new_size);

/* ---- program images (libos/mm/exec.c, elf.c) ----------------------------- */
struct exec_strings { u32 argc, envc; char *args; u32 args_size; char *env;
		      u32 env_size; };
/* execve's core for current(): 0 and the registers are the new program's,
 * or -errno and nothing has changed. Kernel-memory strings. */
int exec_program(struct file *f, const char *path, struct exec_strings *s);

#endif
