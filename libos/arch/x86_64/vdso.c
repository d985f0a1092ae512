/*
 * vdso.c - mapping the guest's vDSO (vdso/vdso.S) into a new program.
 *
 * One page of the kernel heap, made at the first use, is shared by all.
 */
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/save.h>
#include <libos/uaccess.h>

#include <linux/mman.h>

#include "../../../host/raw.h"
#include "context.h"

#define VDSO_SLOTS 0xf00
#define NEAR 0x100000000ul

extern const char vdso_image[], vdso_image_end[], syscall_entry[];

static struct mutex vdso_lock; /* guards vdso_page */
static u8 *vdso_page;

static void slots_fill(u64 *slots)
{
	slots[0] = (u64)syscall_entry;
	slots[1] = slots[2] = slots[3] = slots[4] = slots[5] = 0;
	if (!host_clock_works())
		return;
	slots[1] = host_clock_symbol("__vdso_clock_gettime");
	slots[2] = host_clock_symbol("__vdso_gettimeofday");
	slots[3] = host_clock_symbol("__vdso_time");
	/* 4 is getcpu: what the sandbox shows, not the host's */
	slots[5] = host_clock_symbol("__vdso_clock_getres");
}

/* A signed number of nanoseconds as seconds and the rest, which is positive. */
static void put_shift(u64 *slot, s64 ns)
{
	s64 sec = ns / (s64)NSEC_PER_SEC, rest = ns % (s64)NSEC_PER_SEC;

	if (rest < 0) {
		rest += (s64)NSEC_PER_SEC;
		sec--;
	}
	slot[0] = (u64)sec;
	slot[1] = (u64)rest;
}

/* Another host's clock code, and clocks that must go on from where they
 * were. */
void vdso_resumed(s64 monotonic_shift, s64 boot_shift)
{
	u64 *slots = (u64 *)(void *)(vdso_page + VDSO_SLOTS);

	if (!vdso_page)
		return;
	slots_fill(slots);
	slots[6] = slots[1] != 0; /* look at the shifts; calls know them */
	put_shift(slots + 7, monotonic_shift);
	put_shift(slots + 9, boot_shift);
}

/* The host's clock code, called by the guest's vDSO, had to make the call
 * after all (clock_gettime): what the vDSO adds to the answer is in it. */
void vdso_unshift(u64 clock, u64 at)
{
	const u64 *slots = (const u64 *)(const void *)(vdso_page + VDSO_SLOTS);
	u64 ts[2];

	if (!vdso_page || !slots[6] || (clock != 1 && clock != 7) ||
	    copy_from_user(ts, at, sizeof(ts)))
		return;
	slots += clock == 7 ? 9 : 7;
	if (ts[1] < slots[1]) {
		ts[0]--;
		ts[1] += NSEC_PER_SEC;
	}
	ts[0] -= slots[0];
	ts[1] -= slots[1];
	copy_to_user(at, ts, sizeof(ts));
}

void vdso_remap(u64 at)
{
	host_mem_map((void *)at, PAGE_SIZE, PROT_READ | PROT_EXEC,
		     HOST_MAP_PRIVATE, heap_handle(), heap_offset(vdso_page));
}

static u8 *vdso_make(void)
{
	size_t size = MIN((size_t)(vdso_image_end - vdso_image),
			  (size_t)PAGE_SIZE);
	u8 *page = page_alloc(1);

	if (!page)
		return NULL;
	memcpy(page, vdso_image, size);
	slots_fill((u64 *)(void *)(page + VDSO_SLOTS));
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
