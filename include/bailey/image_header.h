/*
 * image_header.h - how the monitor finds its way in build/libos.elf.
 *
 * The library OS places one struct bly_image_header at the very start of its
 * text (BLY_TEXT).  The monitor maps the file by its program headers and
 * takes everything else it needs from here, so that it reads no symbols.
 */
#ifndef BAILEY_IMAGE_HEADER_H
#define BAILEY_IMAGE_HEADER_H

#include <stdint.h>

#define BLY_IMAGE_MAGIC 0x4547414d49594c42ull /* "BLYIMAGE" */
#define BLY_IMAGE_VERSION 1u

struct bly_image_header {
	uint64_t magic;
	uint32_t version;
	uint32_t pad;
	uint64_t start;           /* libos_start(): first instruction */
	uint64_t trap;            /* host_on_trap: SIGSYS */
	uint64_t fault;           /* host_on_fault: SEGV BUS ILL FPE TRAP */
	uint64_t interrupt;       /* host_on_interrupt: BLY_KICK_SIGNAL */
	uint64_t host_text_start; /* only here may a host call be issued */
	uint64_t host_text_end;
	uint64_t data_start;      /* .data, in BLY_HEAP */
	uint64_t data_size;       /* the part that is in the file */
	uint64_t bss_end;         /* end of .bss */
};

/*
 * The picoprocess as libos_start() finds it: rdi = BOOT_INFO_ADDR, on a stack
 * of BLY_BOOT_STACK_SIZE bytes that ends at BLY_BOOT_STACK_TOP (in the kernel
 * heap, after the boot record).  The page at BLY_LOCAL is zero, private,
 * readable and writable.  The host's clock code is at BLY_VDSO.  The old
 * program image may still be mapped in [GUEST_MIN, BLY_BASE) and [BLY_END,
 * GUEST_MAX): unmap both first.  Signal handlers are installed, the mask is
 * empty, the wall is up.  No alternate signal stack is set yet.
 */
#define BLY_BOOT_STACK_SIZE 0x10000ul
#define BLY_BOOT_STACK_TOP (BOOT_INFO_ADDR + BOOT_INFO_MAX)

/* The two flag words that the wall lets clone() have (x86-64 order of
 * arguments: flags, stack, parent_tid, child_tid, tls). */
#define BLY_CLONE_THREAD \
	(0x100u /* VM */ | 0x200u /* FS */ | 0x400u /* FILES */ | \
	 0x800u /* SIGHAND */ | 0x10000u /* THREAD */ | \
	 0x40000u /* SYSVSEM */ | 0x100000u /* PARENT_SETTID */ | \
	 0x200000u /* CHILD_CLEARTID */)
/* An ordinary process: its parent is the monitor, it shares the handles.
 * Linux clears and wakes child_tid only if another thread of the same memory
 * is left, so the word of a process that dies is not cleared. */
#define BLY_CLONE_PROCESS \
	(0x400u /* FILES */ | 0x8000u /* PARENT */ | \
	 0x100000u /* PARENT_SETTID */ | \
	 0x200000u /* CHILD_CLEARTID */ | 17u /* SIGCHLD */)

#endif
