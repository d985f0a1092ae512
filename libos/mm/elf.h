/*
 * elf.h - what the loader needs to know of an ELF file.
 *
 * The parser is pure: bytes in, struct elf_image out, no other effect, so it
 * is fuzzed on its own (tests/fuzz/elf.c).  Needs only C's own headers.
 */
#ifndef LIBOS_MM_ELF_H
#define LIBOS_MM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_HEADER_SIZE 64u
#define ELF_PHDR_SIZE 56u
#define ELF_PHDRS_MAX (65536u / ELF_PHDR_SIZE)
#define ELF_SEGMENTS_MAX 64u
enum { ELF_READ = 1, ELF_WRITE = 2, ELF_EXEC = 4 }; /* as PROT_* */

struct elf_segment { /* PT_LOAD */
	uint64_t vaddr, offset, file_size, mem_size;
	uint32_t prot;
};

struct elf_image {
	bool is_dyn;          /* ET_DYN: may go anywhere */
	bool has_interp;
	bool stack_exec;      /* PT_GNU_STACK wants it */
	uint32_t phnum;
	uint64_t phoff;
	uint64_t entry;
	uint64_t low, high;   /* page aligned span of all segments */
	uint64_t align;       /* largest p_align, at least a page */
	uint64_t phdr_vaddr;  /* where the program headers get to, or 0 */
	uint64_t interp_offset, interp_size;
	uint32_t segment_count;
	struct elf_segment segment[ELF_SEGMENTS_MAX];
};

/* The file header alone: fills is_dyn, entry, phoff, phnum.  0 or -ENOEXEC. */
int elf_parse_header(const uint8_t *data, size_t size, struct elf_image *e);
/* The program headers (phnum * ELF_PHDR_SIZE bytes); file_size bounds what
 * segments may refer to. */
int elf_parse_segments(const uint8_t *phdrs, size_t size, uint64_t file_size,
		       struct elf_image *e);
/* Both, of a whole file. */
int elf_parse(const uint8_t *data, size_t size, struct elf_image *e);

#endif
