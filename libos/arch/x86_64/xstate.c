/*
 * xstate.c - the vector and floating point registers.
 *
 * The library OS is compiled not to use them, so the guest's values stay in
 * the registers while it runs.  They move only where the host's signal
 * delivery reset them, to and from the guest's signal frames, and when the
 * sandbox is saved.
 *
 * Which sets of registers there are and where each lies in an xsave area is
 * the processor's own way, its layout: AVX-512 lies elsewhere on AMD's than
 * on Intel's.  A sandbox that is resumed remembers the layouts that it has
 * met, since signal frames on its stacks stay as they were written.
 */
#include <libos/core.h>
#include <libos/heap.h>
#include <libos/task.h>

#include "context.h"

#define LEGACY_SIZE (XSAVE_HEADER + 64) /* x87, SSE and the header */
#define FIRST_EXTENDED 2                /* AVX */
#define PKRU 9
#define PARTS 32
#define LAYOUTS 16

struct layout {
	u64 features;
	u32 size;
	struct { u32 offset, size; } part[PARTS];
};
/* Written before threads run; the last is written over when it is full: then
 * signal frames of that one are not understood any more. */
static struct layout layouts[LAYOUTS] RARE;
static u32 layout_count;

u64 xstate_features;
u32 xstate_size;
u32 xstate_layout;

void xstate_restore(const void *area, u64 features)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"((u32)features),
			 "d"((u32)(features >> 32)) : "memory");
}

void xstate_save(void *area, u64 features)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"((u32)features),
			 "d"((u32)(features >> 32)) : "memory");
}

static void layout_read(struct layout *l)
{
	u32 a, b, c, d, lo, hi, i;

	memset(l, 0, sizeof(*l));
	__asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
		: "a"(0xd), "c"(0));
	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	l->features = (u64)hi << 32 | lo;
	l->size = b;
	for (i = FIRST_EXTENDED; i < PARTS; i++) {
		if (!(l->features >> i & 1))
			continue;
		__asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
			: "a"(0xd), "c"(i));
		l->part[i].size = a;
		l->part[i].offset = b;
	}
}

void xstate_init(void)
{
	struct layout now;
	u32 i;

	layout_read(&now);
	for (i = 0; i < layout_count; i++)
		if (!memcmp(&layouts[i], &now, sizeof(now)))
			break;
	i = MIN(i, LAYOUTS - 1u);
	memcpy(&layouts[i], &now, sizeof(now)); /* padding too */
	layout_count = MAX(layout_count, i + 1);
	xstate_layout = i;
	xstate_features = now.features;
	xstate_size = now.size;
}

u32 xstate_layout_size(u32 layout)
{
	return layout < layout_count ? layouts[layout].size : 0;
}

/* Need a part not be kept?  Zeros are what all begin with, and some call it
 * in use then, too.  Keys of memory protection are not offered to guests, so
 * theirs is always the host's own word. */
static bool is_dispensable(u32 which, const u8 *p, u32 size)
{
	while (size && !p[size - 1])
		size--;
	return !size || which == PKRU;
}

bool xstate_convert(u8 *to, const u8 *from, u32 layout)
{
	const struct layout *old = &layouts[layout];
	const struct layout *now = &layouts[xstate_layout];
	u64 used;
	u32 i;

	memset(to, 0, xstate_size);
	memcpy(to, from, LEGACY_SIZE);
	memset(to + XSAVE_HEADER, 0, LEGACY_SIZE - XSAVE_HEADER);
	memcpy(&used, from + XSAVE_HEADER, sizeof(used));
	used &= old->features;
	for (i = FIRST_EXTENDED; i < PARTS; i++) {
		if (!(used >> i & 1))
			continue;
		if (now->part[i].size == old->part[i].size)
			memcpy(to + now->part[i].offset,
			       from + old->part[i].offset, now->part[i].size);
		else if (is_dispensable(i, from + old->part[i].offset,
					old->part[i].size))
			used &= ~(1ul << i);
		else
			return false;
	}
	used &= now->features;
	memcpy(to + XSAVE_HEADER, &used, sizeof(used));
	return true;
}

u8 *xstate_area(struct task *t)
{
	size_t pages = arch_xstate_pages();

	if (t->arch.xstate && t->arch.xstate_pages != pages) {
		page_free(t->arch.xstate, t->arch.xstate_pages);
		t->arch.xstate = NULL;
	}
	if (!t->arch.xstate)
		t->arch.xstate = page_alloc(pages);
	if (t->arch.xstate)
		t->arch.xstate_pages = (u32)pages;
	return t->arch.xstate;
}

bool arch_thread_fits(struct task *t)
{
	size_t pages = arch_xstate_pages();
	u8 *area;

	if (!t->arch.xstate || t->arch.xstate_layout == xstate_layout)
		return true;
	area = page_alloc(pages);
	if (!area || !xstate_convert(area, t->arch.xstate,
				     t->arch.xstate_layout))
		return false;
	page_free(t->arch.xstate, t->arch.xstate_pages);
	t->arch.xstate = area;
	t->arch.xstate_pages = (u32)pages;
	t->arch.xstate_layout = xstate_layout;
	return true;
}
