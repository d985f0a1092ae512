/*
 * elf.c - parsing ELF headers.  See elf.h.
 *
 * The file is hostile: every number is checked before it is used, and sums
 * are formed so that they cannot wrap.  Whatever is wrong is -ENOEXEC.
 */
#include "elf.h"

#include <linux/elf.h>

#ifndef ENOEXEC
#include <asm/errno.h>
#endif

#define PAGE 4096ull
/* Above every address a program can have; sums of two stay far from 2^64. */
#define ADDRESS_LIMIT 0x800000000000ull

_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_SIZE, "ELF header");
_Static_assert(sizeof(Elf64_Phdr) == ELF_PHDR_SIZE, "ELF program header");

static bool is_native(const Elf64_Ehdr *h)
{
	return !__builtin_memcmp(h->e_ident, ELFMAG, SELFMAG) &&
		h->e_ident[EI_CLASS] == ELFCLASS64 &&
		h->e_ident[EI_DATA] == ELFDATA2LSB &&
#if defined(__x86_64__)
		h->e_machine == EM_X86_64;
#elif defined(__aarch64__)
		h->e_machine == EM_AARCH64;
#else
#error "which e_machine?"
#endif
}

int elf_parse_header(const uint8_t *data, size_t size, struct elf_image *e)
{
	Elf64_Ehdr h;

	__builtin_memset(e, 0, sizeof(*e));
	if (size < sizeof(h))
		return -ENOEXEC;
	__builtin_memcpy(&h, data, sizeof(h));
	if (!is_native(&h) || (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -ENOEXEC;
	if (h.e_phentsize != ELF_PHDR_SIZE || !h.e_phnum ||
	    h.e_phnum > ELF_PHDRS_MAX || h.e_phoff > INT64_MAX / 2)
		return -ENOEXEC;
	e->is_dyn = h.e_type == ET_DYN;
	e->entry = h.e_entry;
	e->phoff = h.e_phoff;
	e->phnum = h.e_phnum;
	e->align = PAGE;
	e->low = UINT64_MAX;
	return 0;
}

static uint32_t prot_of(uint32_t flags)
{
	return (flags & PF_R ? ELF_READ : 0) | (flags & PF_W ? ELF_WRITE : 0) |
		(flags & PF_X ? ELF_EXEC : 0);
}

static int add_load(struct elf_image *e, const Elf64_Phdr *p,
		    uint64_t file_size)
{
	struct elf_segment *s;

	if (!p->p_memsz)
		return 0;
	if (e->segment_count == ELF_SEGMENTS_MAX ||
	    p->p_filesz > p->p_memsz || p->p_vaddr > ADDRESS_LIMIT ||
	    p->p_memsz > ADDRESS_LIMIT - p->p_vaddr ||
	    p->p_offset > file_size || p->p_filesz > file_size - p->p_offset ||
	    ((p->p_vaddr - p->p_offset) & (PAGE - 1)))
		return -ENOEXEC;
	s = &e->segment[e->segment_count++];
	s->vaddr = p->p_vaddr;
	s->offset = p->p_offset;
	s->file_size = p->p_filesz;
	s->mem_size = p->p_memsz;
	s->prot = prot_of(p->p_flags);
	if ((s->vaddr & ~(PAGE - 1)) < e->low)
		e->low = s->vaddr & ~(PAGE - 1);
	if (((s->vaddr + s->mem_size + PAGE - 1) & ~(PAGE - 1)) > e->high)
		e->high = (s->vaddr + s->mem_size + PAGE - 1) & ~(PAGE - 1);
	if (p->p_align > e->align && p->p_align <= 1ull << 30 &&
	    !(p->p_align & (p->p_align - 1)))
		e->align = p->p_align;
	if (p->p_offset <= e->phoff && e->phoff - p->p_offset < p->p_filesz)
		e->phdr_vaddr = e->phoff - p->p_offset + p->p_vaddr;
	return 0;
}

static int add_phdr(struct elf_image *e, const Elf64_Phdr *p,
		    uint64_t file_size)
{
	switch (p->p_type) {
	case PT_LOAD:
		return add_load(e, p, file_size);
	case PT_INTERP:
		if (e->has_interp)
			return 0; /* the first one counts */
		if (p->p_filesz < 2 || p->p_filesz > PAGE ||
		    p->p_offset > file_size ||
		    p->p_filesz > file_size - p->p_offset)
			return -ENOEXEC;
		e->has_interp = true;
		e->interp_offset = p->p_offset;
		e->interp_size = p->p_filesz;
		return 0;
	case PT_GNU_STACK:
		e->stack_exec = p->p_flags & PF_X;
		return 0;
	}
	return 0; /* PT_DYNAMIC, PT_GNU_PROPERTY, ...: not the loader's */
}

int elf_parse_segments(const uint8_t *phdrs, size_t size, uint64_t file_size,
		       struct elf_image *e)
{
	Elf64_Phdr p;
	uint32_t i;
	int err;

	if (e->phnum > ELF_PHDRS_MAX || size / ELF_PHDR_SIZE < e->phnum)
		return -ENOEXEC;
	for (i = 0; i < e->phnum; i++) {
		__builtin_memcpy(&p, phdrs + (size_t)i * ELF_PHDR_SIZE,
				 sizeof(p));
		err = add_phdr(e, &p, file_size);
		if (err)
			return err;
	}
	return e->segment_count ? 0 : -ENOEXEC;
}

int elf_parse(const uint8_t *data, size_t size, struct elf_image *e)
{
	int err = elf_parse_header(data, size, e);

	if (err)
		return err;
	if (e->phoff > size)
		return -ENOEXEC;
	return elf_parse_segments(data + e->phoff, size - e->phoff, size, e);
}
