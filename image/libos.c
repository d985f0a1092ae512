/*
 * libos.c - the library OS's file into an image.
 *
 * Only what is loaded goes in: the headers and the segments.  Symbols and
 * debugging information lie behind them and are three quarters of the file.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/util.h"
#include "image/writer.h"

/* The build id is in a note; without one the id is empty. */
static void find_build_id(struct image_writer *w)
{
	const char *p = w->libos;
	size_t i;

	for (i = 0; i + sizeof(Elf64_Nhdr) + 24 <= w->libos_size; i += 4) {
		Elf64_Nhdr n;

		memcpy(&n, p + i, sizeof(n));
		if (n.n_namesz != 4 || n.n_type != NT_GNU_BUILD_ID ||
		    n.n_descsz != 20 ||
		    memcmp(p + i + sizeof(n), "GNU", 4))
			continue;
		to_hex(w->libos_id, (const uint8_t *)p + i + sizeof(n) + 4,
		       20);
		return;
	}
}

/* Cuts the file behind its last segment; leaves what is not as expected. */
static void trim(struct image_writer *w)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;
	uint64_t end = sizeof(h), last;
	unsigned k;

	if (w->libos_size < sizeof(h))
		return;
	memcpy(&h, w->libos, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || !h.e_phnum ||
	    h.e_phentsize != sizeof(p) || h.e_phoff > w->libos_size ||
	    h.e_phnum * sizeof(p) > w->libos_size - h.e_phoff)
		return;
	end = h.e_phoff + h.e_phnum * sizeof(p);
	for (k = 0; k < h.e_phnum; k++) {
		memcpy(&p, w->libos + h.e_phoff + k * sizeof(p), sizeof(p));
		last = p.p_offset + p.p_filesz;
		if (last < p.p_offset || last > w->libos_size)
			return;
		end = last > end ? last : end;
	}
	h.e_shoff = h.e_shnum = h.e_shstrndx = 0;
	memcpy(w->libos, &h, sizeof(h));
	w->libos_size = end;
}

int image_add_libos(struct image_writer *w, int libos, struct err *e)
{
	struct stat st;

	if (fstat(libos, &st) || !S_ISREG(st.st_mode) || st.st_size < 1 ||
	    st.st_size > IMAGE_LIBOS_MAX)
		return FAIL(e, "the library OS's file cannot go into an "
			    "image: not a file of 1 to %u MB",
			    IMAGE_LIBOS_MAX >> 20);
	pack_ahead_end(&w->libos_packed);
	free(w->libos);
	w->libos_size = (size_t)st.st_size;
	w->libos = malloc(w->libos_size);
	if (!w->libos)
		return FAIL(e, "out of memory");
	if (read_at(libos, w->libos, w->libos_size, 0) !=
	    (ssize_t)w->libos_size)
		return FAIL(e, "cannot read the library OS's file: %s",
			    strerror(errno));
	trim(w);
	find_build_id(w);
	return 0;
}
