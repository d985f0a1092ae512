/*
 * libos_xstate.c - areas of vector registers from one processor's layout into
 * another's: nothing is lost, and what cannot be kept is refused.
 */
#include "unit.h"

/* The fake processor has stand-ins for these. */
#define arch_thread_fits unit_thread_fits
#define xstate_area unit_xstate_area
struct task;
bool unit_thread_fits(struct task *t);
#include "../../libos/arch/x86_64/xstate.c"

enum { AVX = 2, OPMASK = 5, ZMM = 6 };

static struct layout intel = {
	.features = 0x2e7, .size = 2696,
	.part = { [2] = { 576, 256 }, [5] = { 1088, 64 }, [6] = { 1152, 512 },
		  [7] = { 1664, 1024 }, [9] = { 2688, 8 } },
};
static struct layout amd = {
	.features = 0xe7, .size = 2432,
	.part = { [2] = { 576, 256 }, [5] = { 832, 64 }, [6] = { 896, 512 },
		  [7] = { 1408, 1024 } },
};
static struct layout small = {
	.features = 7, .size = 832, .part = { [2] = { 576, 256 } },
};
static u8 from[4096], to[4096];

static bool convert(const struct layout *old, const struct layout *now,
		    u64 used)
{
	u32 i;

	layouts[0] = *old;
	layouts[1] = *now;
	layout_count = 2;
	xstate_layout = 1;
	xstate_size = now->size;
	memset(from, 0xee, sizeof(from));
	memset(to, 0xdd, sizeof(to));
	for (i = FIRST_EXTENDED; i < PARTS; i++)
		memset(from + old->part[i].offset, (int)i, old->part[i].size);
	memset(from, 1, XSAVE_HEADER);
	memcpy(from + XSAVE_HEADER, &used, sizeof(used));
	return xstate_convert(to, from, 0);
}

static bool has(const struct layout *l, u32 part)
{
	u32 i;

	for (i = 0; i < l->part[part].size; i++)
		if (to[l->part[part].offset + i] != part)
			return false;
	return true;
}

static u64 in_use(void)
{
	u64 used;

	memcpy(&used, to + XSAVE_HEADER, sizeof(used));
	return used;
}

UNIT(xstate_layouts)
{
	CHECK(convert(&amd, &intel, 0xe7));
	CHECK(has(&intel, AVX) && has(&intel, OPMASK) && has(&intel, ZMM) &&
	      has(&intel, 7) && to[0] == 1 && to[XSAVE_HEADER - 1] == 1);
	EQ(in_use(), 0xe7);
	EQ(to[XSAVE_HEADER + 8], 0); /* not in the compact form */
	EQ(to[intel.size], 0xdd);
	CHECK(convert(&intel, &amd, 0x2e7)); /* keys are given up */
	CHECK(has(&amd, AVX) && has(&amd, OPMASK) && has(&amd, ZMM));
	EQ(in_use(), 0xe7);
}

UNIT(xstate_lacks)
{
	CHECK(convert(&amd, &small, 7)); /* not in use: not missed */
	CHECK(has(&small, AVX));
	EQ(in_use(), 7);
	EQ(to[small.size], 0xdd);
	CHECK(!convert(&amd, &small, 0x27));
	CHECK(!convert(&amd, &small, 0x87));
	memset(from + amd.part[5].offset, 0, 64); /* as at the beginning */
	memcpy(from + XSAVE_HEADER, &(u64){ 0x27 }, 8);
	layouts[1] = small;
	xstate_size = small.size;
	CHECK(xstate_convert(to, from, 0));
	EQ(in_use(), 7);
	CHECK(convert(&small, &amd, 7));
	EQ(in_use(), 7);
	CHECK(convert(&small, &amd, ~0ul)); /* what the old one never had */
	EQ(in_use(), 7);
	EQ(xstate_layout_size(0), small.size);
	EQ(xstate_layout_size(2), 0);
	EQ(xstate_layout_size(~0u), 0);
}
