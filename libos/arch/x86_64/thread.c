/*
 * thread.c - starting programs and threads: registers, thread pointers,
 * and copies to and from guest memory.
 */
#include <libos/arch.h>
#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include "../../../host/raw.h"
#include "context.h"

#define FLAGS_START 0x202 /* IF and the always-set bit */

extern char syscall_entry[]; /* at the start of a page: libos.lds */
size_t raw_user_clear(void *to, size_t n);
size_t raw_user_strcpy(char *to, const char *from, size_t n);
size_t raw_user_cmpxchg(u32 *p, u32 expected, u32 desired, u32 *old);

void arch_set_fs(u64 base)
{
	__asm__ volatile("wrfsbase %0" : : "r"(base));
}

u64 arch_get_fs(void)
{
	u64 base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void arch_set_current(struct task *t)
{
	__asm__ volatile("wrgsbase %0" : : "r"(t) : "memory");
}

void arch_set_trap_area(void *area, size_t size)
{
	struct { void *sp; int flags; size_t size; } ss = { area, 0, size };
	int64_t r = raw_sigaltstack(&ss, NULL);

	ASSERT(r == 0);
}

size_t arch_xstate_pages(void)
{
	return PAGE_UP(xstate_size + 4) / PAGE_SIZE;
}

int arch_save_thread(struct task *t)
{
	if (!xstate_area(t))
		return -ENOMEM;
	memset(t->arch.xstate + XSAVE_HEADER, 0, 64);
	xstate_save(t->arch.xstate, xstate_features);
	t->arch.xstate_layout = xstate_layout;
	t->arch.fs_base = arch_get_fs();
	return 0;
}

void arch_load_thread(struct task *t)
{
	if (t->arch.gs_in_use) /* a new host process: the page is gone */
		ASSERT(arch_entry_traps(true) == 0);
	xstate_restore(t->arch.xstate, xstate_features);
	arch_set_fs(t->arch.fs_base);
}

void arch_init(void)
{
	xstate_init();
}

/* ---- entries of a process whose guest uses GS ---------------------------------- */

static struct mutex entry_pages_lock;
static u8 *entry_pages; /* the first as it is, the second with the trap */

static bool entry_pages_make(void)
{
	static const u8 hlt = 0xf4; /* ud2 would leave a virtual machine */

	mutex_lock(&entry_pages_lock);
	if (!entry_pages && (entry_pages = page_alloc(2)) != NULL) {
		memcpy(entry_pages, syscall_entry, PAGE_SIZE);
		memcpy(entry_pages + PAGE_SIZE, syscall_entry, PAGE_SIZE);
		entry_pages[PAGE_SIZE] = hlt;
	}
	mutex_unlock(&entry_pages_lock);
	return entry_pages != NULL;
}

int arch_entry_traps(bool on)
{
	if (!entry_pages_make())
		return -ENOMEM;
	return host_mem_map(syscall_entry, PAGE_SIZE,
			    HOST_PROT_READ | HOST_PROT_EXEC, HOST_MAP_PRIVATE,
			    heap_handle(),
			    heap_offset(entry_pages + (on ? PAGE_SIZE : 0)));
}

int arch_set_gs(struct task *t, u64 base)
{
	int err = t->arch.gs_in_use ? 0 : arch_entry_traps(true);

	if (err)
		return err;
	t->arch.guest_gs = base;
	t->arch.gs_in_use = true;
	task_set_work(t, WORK_FULL);
	return 0;
}

void arch_start_program(struct task *t, u64 entry, u64 stack)
{
	static const u8 zero[512 + 64] __attribute__((aligned(64))) = {
		[0] = 0x7f, [1] = 0x03, [24] = 0x80, [25] = 0x1f,
	};

	memset(&t->regs, 0, sizeof(t->regs));
	t->regs.rip = entry;
	t->regs.rsp = stack;
	t->regs.rflags = FLAGS_START;
	t->regs.orig_rax = (u64)-1;
	if (t->arch.gs_in_use)
		arch_entry_traps(false); /* slower, no more, if it fails */
	t->arch.gs_in_use = false;
	t->arch.guest_gs = 0;
	t->arch.fs_base = 0;
	arch_set_fs(0);
	xstate_restore(zero, xstate_features);
	task_set_work(t, WORK_FULL);
}

void arch_copy_thread(struct task *child, const struct task *parent,
		      u64 stack, bool set_tls, u64 tls)
{
	child->regs = parent->regs;
	child->regs.rax = 0;
	child->regs.orig_rax = (u64)-1;
	child->arch.trap_rip = child->regs.rip; /* it may be a trap's */
	child->arch.trap_entry = child->entries = 0;
	if (stack)
		child->regs.rsp = stack;
	child->arch.fs_base = set_tls ? tls : arch_get_fs();
	child->arch.guest_gs = parent->arch.guest_gs;
	child->arch.gs_in_use = parent->arch.gs_in_use;
}

/* The call is to be made again: put its number back and step back over the
 * two-byte instruction.  A rewritten site still has it there, or the jump
 * that replaced it ends at the same place (rewrite.c). */
void arch_restart_syscall(struct task *t, long nr)
{
	t->regs.rax = (u64)nr;
	t->regs.rip -= 2;
}

/* ---- guest memory ----------------------------------------------------------- */

/* A faulting copy is tried again as long as the fault can be resolved. */
static bool fault_resolved(void)
{
	struct task *t = current();

	return mm_fault_copy(t->arch.fault_address, t->arch.fault_error & 2);
}

size_t copy_some_from_user(void *to, u64 from, size_t size)
{
	size_t left = size;

	if (!access_ok(from, size))
		return size;
	while ((left = raw_user_copy((char *)to + (size - left),
				     (const void *)(from + size - left),
				     left)) != 0)
		if (!fault_resolved())
			return left;
	return 0;
}

size_t copy_some_to_user(u64 to, const void *from, size_t size)
{
	size_t left = size;

	if (!access_ok(to, size))
		return size;
	while ((left = raw_user_copy((void *)(to + size - left),
				     (const char *)from + (size - left),
				     left)) != 0)
		if (!fault_resolved())
			return left;
	return 0;
}

int clear_user(u64 to, size_t size)
{
	size_t left = size;

	if (!access_ok(to, size))
		return -EFAULT;
	while ((left = raw_user_clear((void *)(to + size - left), left)) != 0)
		if (!fault_resolved())
			return -EFAULT;
	return 0;
}

ssize_t strncpy_from_user(char *to, u64 from, size_t size)
{
	size_t left, n = size;

	if (!access_ok(from, 1))
		return -EFAULT;
	if (!access_ok(from, n)) {
		u64 end = from < BLY_BASE ? BLY_BASE : GUEST_MAX;

		n = MIN(n, end - from);
	}
	for (;;) {
		left = raw_user_strcpy(to, (const char *)from, n);
		if (left == 0)
			return (ssize_t)strlen(to);
		if (left == 0xffffffff)
			return n == size ? -ENAMETOOLONG : -EFAULT;
		if (!fault_resolved())
			return -EFAULT;
	}
}

int cmpxchg_user_u32(u32 *old, u64 p, u32 expected, u32 desired)
{
	if (!access_ok(p, sizeof(u32)))
		return -EFAULT;
	while (raw_user_cmpxchg((u32 *)p, expected, desired, old))
		if (!fault_resolved())
			return -EFAULT;
	return 0;
}

int load_user_u32(u32 *v, u64 p)
{
	if (!access_ok(p, sizeof(u32)))
		return -EFAULT;
	while (raw_user_load((const u32 *)p, v))
		if (!fault_resolved())
			return -EFAULT;
	return 0;
}
