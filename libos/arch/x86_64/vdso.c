/*
 * vdso.c - mapping the guest's vDSO (vdso/vdso.S) into a new program.
 *
 * One page of the kernel heap, made at the first use, is shared by all.
 */
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/mm.h>

#include <linux/mman.h>

#include "../../../host/raw.h"

#define VDSO_SLOTS 0xf00
#define NEAR 0x100000000ul

extern const char vdso_image[], vdso_image_end[], syscall_entry[];

static struct mutex vdso_lock; /* guards vdso_page */
static u8 *vdso_page;

static u8 *vdso_make(void)
{
	size_t size = MIN((size_t)(vdso_image_end - vdso_image),
			  (size_t)PAGE_SIZE);
	u8 *page = page_alloc(1);
	u64 *slots;

	if (!page)
		return NULL;
	memcpy(page, vdso_image, size);
	slots = (u64 *)(void *)(page + VDSO_SLOTS);
	slots[0] = (u64)syscall_entry;
	slots[1] = host_clock_symbol("__vdso_clock_gettime");
	slots[2] = host_clock_symbol("__vdso_gettimeofday");
	slots[3] = host_clock_symbol("__vdso_time");
	slots[4] = 0; /* getcpu: what the sandbox shows, not the host's */
	slots[5] = host_clock_symbol("__vdso_clock_getres");
	return page;
}

u64 vdso_map(struct mm *m)
{
	u64 at = mm_find_gap_near(m, m->mmap_top, PAGE_SIZE, NEAR);

	mutex_lock(&vdso_lock);
	if (!vdso_page)
		vdso_page = vdso_make();
	mutex_unlock(&vdso_lock);
	if (!vdso_page || !at ||
	    mm_map_special(at, PAGE_SIZE, PROT_READ | PROT_EXEC, vdso_page,
			   "[vdso]"))
		return 0;
	return at;
}
