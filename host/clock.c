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

typedef int (*gettime_fn)(int clock, struct raw_timespec *ts);

static gettime_fn gettime; /* same address in every picoprocess */

static const void *find_dynamic(const Elf64_Ehdr *eh, u64 *bias)
{
	const Elf64_Phdr *ph = (const void *)((const char *)eh + eh->e_phoff);
	const void *dynamic = NULL;

	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			*bias = (u64)eh + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dynamic = (const char *)eh + ph[i].p_offset;
	}
	return dynamic;
}

void host_clock_init(uint64_t vdso)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)vdso;
	const Elf64_Shdr *sh;
	const Elf64_Dyn *d;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	u64 bias = 0, count = 0;

	if (!vdso)
		return;
	d = find_dynamic(eh, &bias);
	for (; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB)
			sym = (const Elf64_Sym *)(d->d_un.d_ptr + bias);
		else if (d->d_tag == DT_STRTAB)
			str = (const char *)(d->d_un.d_ptr + bias);
	}
	sh = (const void *)((const char *)eh + eh->e_shoff);
	for (unsigned i = 0; i < eh->e_shnum; i++)
		if (sh[i].sh_type == SHT_DYNSYM)
			count = sh[i].sh_size / sizeof(*sym);
	for (u64 i = 0; sym && str && i < count; i++)
		if (!strcmp(str + sym[i].st_name, "__vdso_clock_gettime"))
			gettime = (gettime_fn)(sym[i].st_value + bias);
}

int host_clock_read(enum host_clock clock, int32_t id, uint64_t *ns)
{
	static const int linux_clock[] = { 0, 1, 7 };
	struct raw_timespec ts;

	if (clock > HOST_CLOCK_BOOT)
		return host_clock_request(clock, id, ns);
	if (!gettime || gettime(linux_clock[clock], &ts) != 0)
		return host_clock_request(clock, id, ns);
	*ns = (u64)ts.sec * NSEC_PER_SEC + (u64)ts.nsec;
	return 0;
}
