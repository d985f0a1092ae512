/*
 * elf.c - fuzz target for the ELF header parser (libos/mm/elf.c).
 *
 * With clang -fsanitize=fuzzer it is a libFuzzer target; with
 * -DFUZZ_STANDALONE it mutates a well-formed header (or the file named on the
 * command line) for a number of rounds and needs no library: for `make test`.
 * Beyond memory safety it checks what the loader relies on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../libos/mm/elf.c"

#define LIMIT 0x800000000000ull

static void check_image(const struct elf_image *e, size_t size)
{
	unsigned i;

	if (!e->segment_count || e->segment_count > ELF_SEGMENTS_MAX ||
	    e->low > e->high || e->high > LIMIT + 4096 || (e->low & 4095) ||
	    (e->high & 4095) || (e->align & (e->align - 1)) ||
	    e->align < 4096)
		abort();
	for (i = 0; i < e->segment_count; i++) {
		const struct elf_segment *s = &e->segment[i];

		if (s->file_size > s->mem_size || s->offset > size ||
		    s->file_size > size - s->offset || s->vaddr < e->low ||
		    s->vaddr + s->mem_size > e->high ||
		    ((s->vaddr ^ s->offset) & 4095))
			abort();
	}
	if (e->has_interp && (e->interp_offset > size ||
			      e->interp_size > size - e->interp_offset ||
			      e->interp_size < 2 || e->interp_size > 4096))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image e;
	uint8_t *copy = malloc(size ? size : 1); /* exact: overruns show */

	memcpy(copy, data, size);
	if (!elf_parse(copy, size, &e))
		check_image(&e, size);
	free(copy);
	return 0;
}

#ifdef FUZZ_STANDALONE
static unsigned long long state = 88172645463325252ull;

static unsigned long long next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t sample(uint8_t *buf)
{
	Elf64_Ehdr h = { .e_type = ET_DYN, .e_machine = EM_X86_64,
			 .e_version = 1, .e_entry = 0x1000,
			 .e_phoff = sizeof(h), .e_ehsize = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 4 };
	Elf64_Phdr p[4] = {
		{ .p_type = PT_INTERP, .p_offset = 600, .p_filesz = 28 },
		{ .p_type = PT_LOAD, .p_flags = 5, .p_filesz = 900,
		  .p_memsz = 900, .p_align = 4096 },
		{ .p_type = PT_LOAD, .p_flags = 6, .p_offset = 0x100,
		  .p_vaddr = 0x2100, .p_filesz = 64, .p_memsz = 9000,
		  .p_align = 4096 },
		{ .p_type = PT_GNU_STACK, .p_flags = 6 },
	};

	memset(buf, 0, 1024);
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), p, sizeof(p));
	return 1024;
}

int main(int argc, char **argv)
{
	static uint8_t base[1 << 16], buf[1 << 16];
	long rounds = argc > 1 ? atol(argv[1]) : 200000, i, accepted = 0;
	size_t size = sample(base), n;
	struct elf_image e;
	FILE *f = argc > 2 ? fopen(argv[2], "r") : NULL;

	if (f) {
		size = fread(base, 1, sizeof(base), f);
		fclose(f);
	}
	for (i = 0; i < rounds; i++) {
		unsigned k = (unsigned)(next_random() % 6);

		memcpy(buf, base, size);
		n = next_random() % 8 ? size : next_random() % (size + 1);
		while (k--) {
			size_t at = next_random() % (next_random() % 4 ?
						     300 : size);

			buf[at % size] = (uint8_t)(next_random() % 3 ?
				next_random() : -(next_random() & 1));
		}
		LLVMFuzzerTestOneInput(buf, n);
		accepted += !elf_parse(buf, n, &e);
	}
	printf("elf: %ld inputs, %ld accepted\n", rounds, accepted);
	return 0;
}
#endif
