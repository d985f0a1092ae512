/*
 * image.c - mapping a program and its interpreter into a cleared address
 * space: where the main stack, the image, the break and mmap's area lie, and
 * the segments themselves.
 *
 * Layout, low to high: program (0x555555554000 and up if it may go anywhere),
 * break, [library OS], mmap area growing down, stack.
 */
#include "exec_impl.h"
#include "mm_impl.h"

#include <libos/random.h>
#include <libos/uaccess.h>

#define PIE_BASE 0x555555554000ul
#define STACK_RANDOM (0x400000ul * PAGE_SIZE)
#define MMAP_RANDOM (0x10000000ul * PAGE_SIZE)
#define BRK_RANDOM 0x2000000ul
/* Between the image and the break: the rewriter's trampolines go there. */
#define BRK_GAP 0x21000ul
#define STACK_MIN 0x20000ul
#define STACK_CAP 0x4000000ul
#define STACK_GAP_MIN 0x8000000ul
#define STACK_GAP_CAP 0x10000000000ul
#define NO_RANDOM 0x0040000u /* personality: ADDR_NO_RANDOMIZE */

static const char stack_name[] = "[stack]";

static u64 random_pages(const struct exec_job *j, u64 range)
{
	u64 r;

	if (j->task->proc->personality & NO_RANDOM)
		return 0;
	random_bytes(&r, sizeof(r));
	return PAGE_DOWN(r % range);
}

/* ---- stack and mmap area --------------------------------------------------- */

static u64 stack_limit(const struct exec_job *j)
{
	return j->task->proc->rlimits[RLIMIT_STACK].soft;
}

static int map_stack(struct exec_job *j)
{
	u64 top = GUEST_MAX - random_pages(j, STACK_RANDOM);
	u64 size = PAGE_UP(MIN(MAX(stack_limit(j), STACK_MIN), STACK_CAP));
	u64 gap = MIN(MAX(stack_limit(j), STACK_GAP_MIN), STACK_GAP_CAP);
	struct vma like = {
		.start = top - size, .prot = PROT_READ | PROT_WRITE,
		.flags = VMA_STACK, .name = stack_name,
	};
	struct mm *m = current_mm();
	s64 a;

	if (j->elf->stack_exec)
		like.prot |= PROT_EXEC;
	m->mmap_top = PAGE_DOWN(GUEST_MAX - STACK_RANDOM - gap -
				STACK_GUARD_GAP) -
		random_pages(j, MMAP_RANDOM);
	a = mm_map_like(&like, size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
			MAP_GROWSDOWN | MAP_STACK | MAP_NORESERVE);
	if (a < 0)
		return (int)a;
	j->stack_top = m->stack_top = top;
	return 0;
}

/* ---- segments --------------------------------------------------------------- */

/* What follows the file's part: the rest of its last page is zeroed, whole
 * pages after it are anonymous. */
static int map_bss(const struct elf_segment *s, u64 bias)
{
	u64 file_end = bias + s->vaddr + s->file_size;
	u64 end = PAGE_UP(bias + s->vaddr + s->mem_size);
	u64 from = s->file_size ? PAGE_UP(file_end) : PAGE_DOWN(file_end);
	s64 a;

	if (s->file_size && (s->prot & ELF_WRITE) && from != file_end &&
	    clear_user(file_end, from - file_end))
		return -EFAULT;
	if (end <= from)
		return 0;
	a = mm_map(from, end - from, s->prot,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	return a < 0 ? (int)a : 0;
}

static int map_segment(struct file *f, const struct elf_segment *s, u64 bias)
{
	u64 start = PAGE_DOWN(bias + s->vaddr);
	s64 a;

	if (s->file_size) {
		a = mm_map(start, bias + s->vaddr + s->file_size - start,
			   s->prot, MAP_PRIVATE | MAP_FIXED, f,
			   PAGE_DOWN(s->offset));
		if (a < 0)
			return (int)a;
	}
	return s->mem_size > s->file_size ? map_bss(s, bias) : 0;
}

static int map_segments(struct file *f, const struct elf_image *e, u64 bias)
{
	u32 i;
	int err;

	for (i = 0; i < e->segment_count; i++) {
		err = map_segment(f, &e->segment[i], bias);
		if (err)
			return err;
	}
	return 0;
}

/* ---- the program -------------------------------------------------------------- */

static u64 program_bias(const struct exec_job *j)
{
	const struct elf_image *e = j->elf;
	u64 room = BLY_BASE - PIE_BASE - 0x100000000000ul, base;

	if (!e->is_dyn)
		return 0;
	if (e->high - e->low > room)
		return PIE_BASE - e->low; /* refused when it is mapped */
	base = PIE_BASE + random_pages(j, 0x1000000000ul);
	base = (base + e->align - 1) & ~(e->align - 1);
	return base - e->low;
}

static void note_program(struct mm *m, const struct elf_image *e, u64 bias)
{
	u32 i;

	for (i = 0; i < e->segment_count; i++) {
		const struct elf_segment *s = &e->segment[i];
		u64 start = bias + s->vaddr, end = start + s->file_size;

		if (s->prot & ELF_EXEC) {
			m->code_start = start;
			m->code_end = end;
		} else if (s->prot & ELF_WRITE) {
			m->data_start = start;
			m->data_end = end;
		}
	}
}

static int map_program(struct exec_job *j)
{
	struct mm *m = current_mm();
	int err;

	j->bias = program_bias(j);
	err = map_segments(j->file, j->elf, j->bias);
	if (err)
		return err;
	note_program(m, j->elf, j->bias);
	m->brk_start = m->brk = j->bias + j->elf->high + BRK_GAP +
		random_pages(j, BRK_RANDOM);
	return 0;
}

static int map_interp(struct exec_job *j)
{
	const struct elf_image *e = j->interp_elf;
	struct mm *m = current_mm();
	s64 base;

	if (!j->interp_file)
		return 0;
	if (e->is_dyn) {
		mutex_lock(&m->lock);
		base = mm_place(m, 0, e->high - e->low + e->align, 0, BRK_GAP);
		mutex_unlock(&m->lock);
		if (base < 0)
			return (int)base;
		base = (s64)(((u64)base + e->align - 1) & ~(e->align - 1));
		j->interp_bias = (u64)base - e->low;
	}
	return map_segments(j->interp_file, e, j->interp_bias);
}

int exec_map_image(struct exec_job *j)
{
	int err = map_stack(j);

	if (!err)
		err = map_program(j);
	if (!err)
		err = map_interp(j);
	if (!err)
		current_mm()->vdso = vdso_map(current_mm());
	return err;
}
