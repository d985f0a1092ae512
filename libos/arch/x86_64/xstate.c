/*
 * xstate.c - the vector and floating point registers.
 *
 * The library OS is compiled not to use them, so the guest's values stay in
 * the registers while it runs.  They move only where the host's signal
 * delivery reset them, and to and from the guest's signal frames.
 */
#include "context.h"

u64 xstate_features;
u32 xstate_size;

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

void xstate_init(void)
{
	u32 a, b, c, d, lo, hi;

	__asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
		: "a"(0xd), "c"(0));
	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	xstate_features = (u64)hi << 32 | lo;
	xstate_size = b;
}
