/*
 * fake_arch.c - libos/arch for the unit tests, where the guest is C code of
 * the test program.
 *
 * Guest memory is read and written through the host's kernel, so that a bad
 * address is an error and not the end; what the sanitizer has poisoned must
 * not be touched at all.  A signal frame is kept aside, in a list of its
 * thread; unit.c runs the handler.
 */
#include <libos/arch.h>
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/save.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include "fake.h"
#include "unit.h"

__thread struct task *hosted_current;
int fake_guest_overruns;

/* What the linker script and the assembly define. */
char libos_data_start[1], syscall_entry[1];
extern char libos_hot_end[1] __attribute__((alias("libos_data_start")));

long process_vm_readv(int pid, const struct host_iovec *to,
		      unsigned long to_count, const struct host_iovec *from,
		      unsigned long from_count, unsigned long flags);
long process_vm_writev(int pid, const struct host_iovec *from,
		       unsigned long from_count, const struct host_iovec *to,
		       unsigned long to_count, unsigned long flags);
int getpid(void);
void *__asan_region_is_poisoned(void *p, size_t size);
bool fake_work_pending(void);

size_t strlcpy(char *d, const char *s, size_t n)
{
	size_t len = strlen(s);

	if (n) {
		size_t m = MIN(len, n - 1);

		memcpy(d, s, m);
		d[m] = '\0';
	}
	return len;
}

bool fake_work_pending(void)
{
	struct task *t = hosted_current;

	return t && (__atomic_load_n(&t->work, __ATOMIC_SEQ_CST) &
		     (WORK_SIGNAL | WORK_EXIT | WORK_STOP | WORK_PARK));
}

/* ---- guest memory ------------------------------------------------------- */
/* The places where the sanitizer keeps its shadow are nobody's memory. */
#define SHADOW_START 0x7fff8000ul
#define SHADOW_END 0x10007fff8000ul
#define PART 0x10000ul

static bool is_shadow(u64 p)
{
	return p >= SHADOW_START && p < SHADOW_END;
}

static size_t move_part(void *ours, u64 guest, size_t n, bool to_guest)
{
	char *bad = is_shadow(guest) ? (char *)guest :
		__asan_region_is_poisoned((void *)guest, n);
	struct host_iovec a = { ours, n }, b = { (void *)guest, n };
	long r;

	if (bad && !is_shadow((u64)bad) && !fake_guest_overruns)
		panic("guest memory at %lx: %lu bytes are not all its own",
		      (long)guest, (unsigned long)n);
	if (bad)
		a.size = b.size = (u64)bad - guest;
	if (!b.size)
		return 0;
	r = to_guest ? process_vm_writev(getpid(), &a, 1, &b, 1, 0)
		     : process_vm_readv(getpid(), &a, 1, &b, 1, 0);
	return r < 0 ? 0 : (size_t)r;
}

/* Bytes moved from or to the guest, at most a part, until one that faults. */
static size_t move(void *ours, u64 guest, size_t n, bool to_guest)
{
	n = guest < SHADOW_START ? MIN(n, SHADOW_START - guest) : n;
	n = MIN(n, PART);
	return move_part(ours, guest, n, to_guest);
}

static size_t copy(void *ours, u64 guest, size_t size, bool to_guest)
{
	size_t done = 0;

	if (!access_ok(guest, size))
		return size;
	while (done < size) {
		size_t n = move((char *)ours + done, guest + done, size - done,
				to_guest);

		if (!n && !mm_fault_copy(guest + done, to_guest))
			return size - done;
		done += n;
	}
	return 0;
}

size_t copy_some_from_user(void *to, u64 from, size_t size)
{
	return copy(to, from, size, false);
}

size_t copy_some_to_user(u64 to, const void *from, size_t size)
{
	return copy((void *)(uintptr_t)from, to, size, true);
}

int clear_user(u64 to, size_t size)
{
	static const char zero[PAGE_SIZE];

	for (size_t n; size; size -= n, to += n) {
		n = MIN(size, sizeof(zero));
		if (copy_to_user(to, zero, n))
			return -EFAULT;
	}
	return 0;
}

ssize_t strncpy_from_user(char *to, u64 from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (copy_from_user(to + i, from + i, 1))
			return -EFAULT;
		if (!to[i])
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}

int cmpxchg_user_u32(u32 *old, u64 p, u32 expected, u32 desired)
{
	if (load_user_u32(old, p))
		return -EFAULT;
	*old = expected;
	__atomic_compare_exchange_n((u32 *)p, old, desired, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return 0;
}

int load_user_u32(u32 *v, u64 p)
{
	return copy_from_user(v, p, sizeof(*v));
}

/* ---- threads ------------------------------------------------------------- */
void arch_set_current(struct task *t)
{
	hosted_current = t;
}

void arch_set_trap_area(void *area, size_t size)
{
}

size_t arch_xstate_pages(void)
{
	return 1;
}

void arch_init(void)
{
}

void arch_set_fs(u64 base)
{
	current()->arch.fs_base = base;
}

int arch_set_gs(struct task *t, u64 base)
{
	t->arch.guest_gs = base;
	return 0;
}

int arch_entry_traps(bool on)
{
	return 0;
}

u64 arch_get_fs(void)
{
	return current()->arch.fs_base;
}

void arch_start_program(struct task *t, u64 entry, u64 stack)
{
	memset(&t->regs, 0, sizeof(t->regs));
	t->regs.rip = entry;
	t->regs.rsp = stack;
}

void arch_copy_thread(struct task *child, const struct task *parent,
		      u64 stack, bool set_tls, u64 tls)
{
	child->regs = parent->regs;
	child->regs.rax = 0;
	child->regs.orig_rax = (u64)-1;
	if (stack)
		child->regs.rsp = stack;
	child->arch.fs_base = set_tls ? tls : parent->arch.fs_base;
}

void task_entry(struct task *t);
void task_entry(struct task *t)
{
	hosted_current = t;
	task_started(t);
	unit_run_guest(t);
}

_Noreturn void arch_enter_guest(struct task *t);
_Noreturn void arch_enter_guest(struct task *t)
{
	panic("no program can run here");
}

_Noreturn void task_switch_stack(void *top, void (*fn)(void *), void *arg);
_Noreturn void task_switch_stack(void *top, void (*fn)(void *), void *arg)
{
	panic("no stack of the library OS's here");
}

_Noreturn void raw_exit_clear(uint32_t *alive);
_Noreturn void raw_exit_clear(uint32_t *alive)
{
	hosted_current = NULL;
	fake_thread_end(alive);
}

/* ---- reading through mappings: no process has room for them here --------- */
size_t raw_user_copy(void *to, const void *from, size_t size)
{
	return size;
}

size_t raw_user_load(const u32 *p, u32 *v)
{
	return 1;
}

/* ---- saving: no sandbox is frozen here ------------------------------------ */
size_t raw_user_is_zero(const void *p, bool *yes);
size_t raw_user_is_same(const void *p, const void *q, bool *yes);

size_t raw_user_is_zero(const void *p, bool *yes)
{
	static const char zero[PAGE_SIZE];

	return raw_user_is_same(p, zero, yes);
}

size_t raw_user_is_same(const void *p, const void *q, bool *yes)
{
	char page[PAGE_SIZE];

	if (move(page, (u64)p, PAGE_SIZE, false) != PAGE_SIZE)
		return 1;
	*yes = !memcmp(page, q, PAGE_SIZE);
	return 0;
}

int arch_save_thread(struct task *t)
{
	return 0;
}

void arch_load_thread(struct task *t)
{
}

bool arch_thread_fits(struct task *t)
{
	return true;
}

void arch_park(u64 *sp, void (*wait)(void))
{
	panic("nothing is frozen here");
}

_Noreturn void arch_unpark(u64 sp)
{
	panic("nothing is resumed here");
}

void vdso_resumed(s64 monotonic_shift, s64 boot_shift)
{
}

void vdso_remap(u64 at)
{
}

/* ---- signals -------------------------------------------------------------- */
struct frame {
	struct frame *next;
	struct regs regs;
	siginfo_t info;
	u64 mask;
};
static __thread struct frame *frames;

int arch_signal_frame(struct task *t, int sig, const siginfo_t *info,
		      const struct ksigaction *ka, u64 mask_to_save)
{
	struct frame *f = kmalloc(sizeof(*f));

	if (!f)
		return -EFAULT;
	*f = (struct frame){ frames, t->regs, *info, mask_to_save };
	frames = f;
	t->regs.rdi = (u64)sig;
	t->regs.rsi = (u64)&f->info;
	t->regs.rdx = 0;
	t->regs.rip = ka->handler;
	return 0;
}

int arch_signal_return(struct task *t, u64 *mask)
{
	struct frame *f = frames;

	if (!f)
		return -EFAULT;
	frames = f->next;
	t->regs = f->regs;
	t->regs.orig_rax = (u64)-1;
	*mask = f->mask;
	kfree(f);
	return 0;
}

void arch_restart_syscall(struct task *t, long nr)
{
	t->regs.rax = (u64)nr;
	t->regs.rip -= 2;
}
