/*
 * clock.c - reading the host's clocks without a host call.
 *
 * The host maps a page of code (the vDSO) that reads its clocks; the monitor
 * moved it to a fixed place.  Its __vdso_clock_gettime is looked up once.
 * Where that code needs the host kernel itself (no usable time stamp
 * counter), the wall refuses it and the monitor is asked instead.
 */
#include <libos/base.h>

#include <linux/elf.h>

#include "raw.h"

#define DT_GNU_HASH 0x6ffffef5

typedef int (*gettime_fn)(int clock, struct raw_timespec *ts);

static gettime_fn gettime; /* same address in every picoprocess */

/* What is needed of the vDSO's ELF image. */
static struct {
	const Elf64_Sym *symbols;
	const char *names;
	u64 count, bias;
} clock_code;

static const Elf64_Dyn *find_dynamic(const Elf64_Ehdr *eh)
{
	const Elf64_Phdr *ph = (const void *)((const char *)eh + eh->e_phoff);
	const void *dynamic = NULL;

	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			clock_code.bias = (u64)eh + ph[i].p_offset -
					  ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dynamic = (const char *)eh + ph[i].p_offset;
	}
	return dynamic;
}

uint64_t host_clock_symbol(const char *name)
{
	const Elf64_Sym *s = clock_code.symbols;

	for (u64 i = 0; s && clock_code.names && i < clock_code.count; i++)
		if (s[i].st_value &&
		    !strcmp(clock_code.names + s[i].st_name, name))
			return s[i].st_value + clock_code.bias;
	return 0;
}

/* The symbol count is the second word of DT_HASH: the vDSO's section headers
 * need not be mapped. */
void host_clock_init(uint64_t vdso)
{
	const Elf64_Dyn *d = vdso ? find_dynamic((const Elf64_Ehdr *)vdso)
				  : NULL;

	for (; d && d->d_tag != DT_NULL; d++) {
		u64 p = d->d_un.d_ptr + clock_code.bias;

		if (d->d_tag == DT_SYMTAB)
			clock_code.symbols = (const Elf64_Sym *)p;
		else if (d->d_tag == DT_STRTAB)
			clock_code.names = (const char *)p;
		else if (d->d_tag == DT_HASH)
			clock_code.count = ((const u32 *)p)[1];
		else if (d->d_tag == DT_GNU_HASH && !clock_code.count)
			clock_code.count = 16; /* more than any vDSO has */
	}
	gettime = (gettime_fn)host_clock_symbol("__vdso_clock_gettime");
}

int host_clock_works(void)
{
	struct raw_timespec ts;

	return gettime && gettime(1, &ts) == 0;
}

/* By clock: what a sandbox that was resumed adds to the host's. */
static s64 shifts[HOST_CLOCK_BOOT + 1];

void host_clock_shift(int64_t monotonic_ns, int64_t boot_ns)
{
	shifts[HOST_CLOCK_MONOTONIC] = monotonic_ns;
	shifts[HOST_CLOCK_BOOT] = boot_ns;
}

uint64_t host_clock_deadline(uint64_t deadline_ns)
{
	s64 shift = shifts[HOST_CLOCK_MONOTONIC];

	if (deadline_ns == HOST_FOREVER || !shift)
		return deadline_ns;
	return shift > 0 && deadline_ns < (u64)shift ? 0
						     : deadline_ns - (u64)shift;
}

int host_clock_read(enum host_clock clock, int32_t id, uint64_t *ns)
{
	static const int linux_clock[] = { 0, 1, 7 };
	struct raw_timespec ts;
	int err;

	if (clock > HOST_CLOCK_BOOT)
		return host_clock_request(clock, id, ns);
	if (gettime && gettime(linux_clock[clock], &ts) == 0) {
		*ns = (u64)ts.sec * NSEC_PER_SEC + (u64)ts.nsec +
		      (u64)shifts[clock];
		return 0;
	}
	err = host_clock_request(clock, id, ns);
	if (!err)
		*ns += (u64)shifts[clock];
	return err;
}
