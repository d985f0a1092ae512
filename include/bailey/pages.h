/*
 * pages.h - the unpacked form of a saved sandbox: one file of pages.
 *
 *   page 0          struct pages_header
 *   tables          struct pages_space[], then each space's struct pages_run[]
 *   data            pages, each 4096 bytes, on a page boundary of the file
 *
 * A space is a set of pages by address.  Space 0 is the kernel heap (address:
 * offset in the heap object); any other is the private memory of one
 * picoprocess (id: the number that its save records carried; address: where
 * it is mapped).  Runs of a space are sorted by address, do not overlap, and
 * name pages of the file: two runs may name the same page.  What no run names
 * is zero, or what its file holds.
 *
 * The command writes it (image/), fills the kernel heap of a new sandbox from
 * space 0 and hands the file in, readable only; the library OS maps its
 * processes' pages from it, privately.  The file may grow ready while the
 * sandbox runs: data pages are filled in the order of their numbers, and
 * `ready` says, always truthfully, how many are there (atomic, read through
 * the handle; written after the pages).
 *
 * Version: increment PAGES_VERSION with any change.
 */
#ifndef BAILEY_PAGES_H
#define BAILEY_PAGES_H

#include <stdint.h>

#define PAGES_MAGIC 0x7365676150796c42ull /* "BlyPages" */
#define PAGES_VERSION 1u
#define PAGES_SIZE 4096u
#define PAGES_SPACES_MAX 65536u

struct pages_header {
	uint64_t magic;
	uint32_t version;
	uint32_t space_count;
	uint64_t spaces;     /* offset in bytes of struct pages_space[] */
	uint64_t first_data; /* number (in the file) of the first data page */
	uint64_t data_count; /* data pages */
	uint64_t ready;      /* data pages that are there */
	uint8_t image_id[16];
	uint64_t failed;     /* not 0: what is not ready will never be */
};
struct pages_space {
	uint64_t id;
	uint64_t runs;       /* offset in bytes of struct pages_run[] */
	uint64_t run_count;
};
struct pages_run {
	uint64_t address;    /* page aligned */
	uint64_t page;       /* number in the file of the first page */
	uint64_t count;      /* pages, at least 1 */
};

#endif
