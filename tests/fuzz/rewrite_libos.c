/*
 * rewrite_libos.c - the rewriter (libos/arch/x86_64/rewrite.c) on a stage:
 * one process of one thread, one mapping of text, pages from malloc.  See
 * rewrite.h.
 */
#include "../../libos/arch/x86_64/rewrite.c"
#include "../../libos/arch/x86_64/text_page.c"

#include "rewrite.h"

/* The C library's headers and the kernel's do not go together. */
void *calloc(size_t n, size_t size);
void *malloc(size_t n);
void *aligned_alloc(size_t align, size_t size);
void free(void *p);
_Noreturn void abort(void);
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

__thread struct task *hosted_current;
char syscall_entry[1];

static struct proc proc;
static struct task task;
static struct sighand sighand;
static struct mm mm;
static struct inode inode;
static struct file file;
static struct vma text, zone;
static bool zone_mapped;
static u8 *pages[4096]; /* of this file, to be freed */
static unsigned page_count;

/* ---- what the rewriter asks of others ------------------------------------- */
void *kzalloc(size_t n) { return calloc(1, n); }
void *kmalloc(size_t n) { return malloc(n); }
void kfree(void *p) { free(p); }
void mutex_lock_slow(struct mutex *m) { abort(); }
void mutex_unlock_slow(struct mutex *m) { abort(); }

void *page_alloc(size_t n)
{
	u8 *p = aligned_alloc(PAGE_SIZE, n * PAGE_SIZE);

	if (!p || page_count == ARRAY_SIZE(pages))
		abort();
	memset(p, 0, n * PAGE_SIZE);
	return pages[page_count++] = p;
}

void page_free(void *p, size_t n)
{
	for (unsigned i = 0; i < page_count; i++)
		if (pages[i] == p)
			pages[i] = pages[--page_count];
	free(p);
}

void *left_page_alloc(void) { return page_alloc(1); }
void left_page_free(void *p, bool is_there) { page_free(p, 1); }

/* There is no image. */
int64_t host_stream_read(host_handle h, const struct host_iovec *iov,
			 uint32_t count, uint64_t offset)
{
	return -HOST_EIO;
}

_Noreturn void panic(const char *fmt, ...)
{
	printf("panic: %s\n", fmt);
	abort();
}

size_t copy_some_from_user(void *to, u64 from, size_t size)
{
	if (from < text.start || from > text.end || size > text.end - from)
		return size;
	memcpy(to, (const void *)from, size);
	return 0;
}

struct vma *vma_find(struct mm *m, u64 addr)
{
	if (addr >= text.start && addr < text.end)
		return &text;
	return zone_mapped && addr >= zone.start && addr < zone.end ? &zone
								    : NULL;
}

struct vma *vma_next(struct mm *m, u64 addr)
{
	return addr < text.end ? &text : NULL;
}

u64 mm_find_gap_near(struct mm *m, u64 addr, u64 size, u64 max_distance)
{
	return size <= RW_ZONE_SIZE ? zone.start : 0;
}

int mm_map_special(u64 addr, u64 size, u32 prot, const void *kernel_pages,
		   const char *name)
{
	if (addr == zone.start) {
		zone_mapped = true;
		return 0;
	}
	if ((addr & ~PAGE_MASK) || addr < text.start ||
	    addr + size > text.end || size != PAGE_SIZE || (prot & PROT_WRITE))
		abort();
	memcpy((void *)addr, kernel_pages, size);
	return 0;
}

host_handle heap_handle(void)
{
	return BLY_FD_HEAP;
}

int host_mem_map(void *addr, size_t size, int prot, int share, host_handle h,
		 uint64_t offset)
{
	abort(); /* only of a resumed sandbox */
}

/* ---- the stage -------------------------------------------------------------- */
void rw_begin(uint8_t *base, size_t size, uint8_t *zone_at)
{
	proc = (struct proc){ .sighand = &sighand, .mm = &mm };
	list_init(&proc.threads);
	task = (struct task){ .proc = &proc };
	list_push_back(&proc.threads, &task.in_proc);
	hosted_current = &task;
	mm = (struct mm){ .ref = { 1 } };
	inode.ref.count = 1;
	inode.size = size;
	file.inode = &inode;
	text = (struct vma){ .start = (u64)base, .end = (u64)base + size,
			     .file = &file, .prot = PROT_READ | PROT_EXEC };
	zone = (struct vma){ .start = (u64)zone_at, .name = "[syscalls]",
			     .end = (u64)zone_at + RW_ZONE_SIZE };
	zone_mapped = false;
	memset(refused, 0, sizeof(refused));
}

void rw_end(void)
{
	for (unsigned i = 0; i < TEXT_FILES_HASH; i++)
		while (text_files[i]) {
			struct text_file *f = text_files[i];

			text_files[i] = f->next;
			while (f->pages) {
				struct text_page *p = f->pages;

				f->pages = p->next;
				while (p->old) {
					struct text_old *o = p->old;

					p->old = o->next;
					free(o);
				}
				free(p);
			}
			free(f);
		}
	while (page_count)
		free(pages[--page_count]);
}

uint8_t *rw_trap(uint8_t *site, uint64_t nr)
{
	task.regs.rip = (u64)site + 2;
	task.regs.orig_rax = nr;
	task.entries++;
	rewrite_site(&task);
	if (rewrite_lock.state || mm.map_lock.state)
		abort();
	return (uint8_t *)task.regs.rip;
}

const uint8_t *rw_trampolines(size_t *bytes)
{
	struct text_file *f = file_find(&inode);

	*bytes = f ? f->used * TRAMPOLINE_BYTES : 0;
	return f ? f->trampolines : NULL;
}

size_t rw_simple(const uint8_t *b, int *ends)
{
	bool e;
	size_t n = simple_insn(b, &e);

	*ends = e;
	return n;
}
