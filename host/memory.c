/*
 * memory.c - the host ABI's memory calls.
 *
 * Reservations are free: every mapping is made without swap reservation.
 * Only flags that the wall lets through are ever used (monitor/wall.tbl).
 */
#include "raw.h"

#include <asm/mman.h>
#include <linux/mman.h>

int host_mem_map(void *addr, size_t size, int prot, int share, host_handle h,
		 uint64_t offset)
{
	int flags = MAP_FIXED | MAP_NORESERVE |
		    (share == HOST_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE) |
		    (h == HOST_NO_HANDLE ? MAP_ANONYMOUS : 0);
	int64_t r = raw_mmap(addr, size, prot, flags, h, offset);

	return r < 0 && r > -4096 ? (int)r : 0;
}

int host_mem_unmap(void *addr, size_t size)
{
	return (int)raw_munmap(addr, size);
}

int host_mem_protect(void *addr, size_t size, int prot)
{
	return (int)raw_mprotect(addr, size, prot);
}

int host_mem_advise(void *addr, size_t size, enum host_advice advice)
{
	static const int map[] = {
		[HOST_ADVISE_DISCARD] = MADV_DONTNEED,
		[HOST_ADVISE_FREE] = MADV_FREE,
		[HOST_ADVISE_RELEASE] = MADV_REMOVE,
		[HOST_ADVISE_HUGE] = MADV_HUGEPAGE,
		[HOST_ADVISE_NOHUGE] = MADV_NOHUGEPAGE,
		[HOST_ADVISE_WILLNEED] = MADV_WILLNEED,
		[HOST_ADVISE_POPULATE] = MADV_POPULATE_WRITE,
	};

	return (int)raw_madvise(addr, size, map[advice]);
}

int host_mem_move(void *old_addr, size_t old_size, void *new_addr,
		  size_t new_size)
{
	int64_t r = raw_mremap(old_addr, old_size, new_size,
			       MREMAP_MAYMOVE | MREMAP_FIXED, new_addr);

	return r < 0 && r > -4096 ? (int)r : 0;
}
