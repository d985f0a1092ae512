/*
 * image.c - opens libos.elf, checks it, and puts its data into the kernel
 * heap.  The file is our own build product, but a truncated or foreign one
 * must give a message rather than a crash.
 */
#include "mon.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SEGMENTS_MAX 16

static int image_error(struct err *e, const char *why)
{
	return err_set(e, 125, "libos.elf: %s", why);
}

static int image_find(const struct sandbox_config *c, char *path, size_t size)
{
	static const char *const places[] = { "libos.elf",
					      "../lib/bailey/libos.elf" };
	char self[PATH_MAX];
	char *slash;
	ssize_t n;
	size_t i;

	if (c->libos)
		return open(c->libos, O_RDONLY | O_CLOEXEC);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return -1;
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd;

		if ((size_t)snprintf(path, size, "%s/%s", self, places[i]) >=
		    size)
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static bool is_in_text(const struct bly_image_header *h, uint64_t a)
{
	return a >= BLY_TEXT && a < BLY_TEXT + BLY_TEXT_MAX;
}

static bool header_is_valid(const struct bly_image_header *h)
{
	return h->magic == BLY_IMAGE_MAGIC &&
	       h->version == BLY_IMAGE_VERSION && is_in_text(h, h->start) &&
	       is_in_text(h, h->trap) && is_in_text(h, h->fault) &&
	       is_in_text(h, h->interrupt) &&
	       is_in_text(h, h->host_text_start) &&
	       is_in_text(h, h->host_text_end) &&
	       h->host_text_start < h->host_text_end;
}

/* One loadable segment: text stays in the file, data is noted for the
 * heap. */
static int segment_take(struct mon_image *im, const Elf64_Phdr *p,
			off_t file_size)
{
	unsigned n = im->text_count;
	int prot = (p->p_flags & PF_R ? PROT_READ : 0) |
		   (p->p_flags & PF_X ? PROT_EXEC : 0);

	if (p->p_type != PT_LOAD || !p->p_memsz)
		return 0;
	if (p->p_offset + p->p_filesz > (uint64_t)file_size ||
	    p->p_offset + p->p_filesz < p->p_offset ||
	    p->p_filesz > p->p_memsz)
		return -1;
	if (p->p_flags & PF_W)
		return p->p_vaddr >= BLY_HEAP &&
		       p->p_memsz <= BLY_DATA_MAX &&
		       p->p_vaddr + p->p_memsz <= BLY_HEAP + BLY_DATA_MAX ?
		       0 : -1;
	if (p->p_vaddr < BLY_TEXT || p->p_memsz > BLY_TEXT_MAX ||
	    p->p_vaddr + p->p_memsz > BLY_TEXT + BLY_TEXT_MAX ||
	    (p->p_vaddr - p->p_offset) % 4096 || n == 8)
		return -1;
	im->text[n].address = p->p_vaddr & ~4095ull;
	im->text[n].offset = p->p_offset & ~4095ull;
	im->text[n].size = p->p_memsz + (p->p_vaddr & 4095);
	im->text[n].prot = prot;
	im->text_count++;
	return 0;
}

static int segments_read(struct mon_image *im, Elf64_Phdr *out,
			 unsigned *count)
{
	Elf64_Ehdr h;
	struct stat st;
	unsigned i;

	if (fstat(im->fd, &st) ||
	    pread(im->fd, &h, sizeof(h), 0) != sizeof(h) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_phentsize != sizeof(*out) || h.e_phnum > IMAGE_SEGMENTS_MAX ||
	    pread(im->fd, out, h.e_phnum * sizeof(*out), (off_t)h.e_phoff) !=
	    (ssize_t)(h.e_phnum * sizeof(*out)))
		return -1;
	for (i = 0; i < h.e_phnum; i++)
		if (segment_take(im, &out[i], st.st_size))
			return -1;
	*count = h.e_phnum;
	return 0;
}

int image_open(struct monitor *m, struct err *e)
{
	struct mon_image *im = &m->image;
	Elf64_Phdr segments[IMAGE_SEGMENTS_MAX];
	char path[PATH_MAX] = "";
	unsigned count, i;

	im->fd = image_find(m->config, path, sizeof(path));
	if (im->fd < 0)
		return err_set(e, 125, "cannot open the library OS (%s): %s",
			       m->config->libos ? m->config->libos :
			       "libos.elf beside this command",
			       strerror(errno));
	if (segments_read(im, segments, &count))
		return image_error(e, "not a library OS image");
	for (i = 0; i < im->text_count; i++)
		if (im->text[i].address == BLY_TEXT &&
		    pread(im->fd, &im->header, sizeof(im->header),
			  (off_t)im->text[i].offset) == sizeof(im->header))
			break;
	if (i == im->text_count || !header_is_valid(&im->header))
		return image_error(e, "of another version than this command");
	return 0;
}

/* From the page cache itself: a buffer would stay in the monitor. */
static int copy_range(int from, off_t from_at, int to, off_t to_at,
		      size_t size)
{
	off_t page = from_at & ~4095l;
	size_t skip = (size_t)(from_at - page);
	char *map;
	ssize_t n;

	if (!size)
		return 0;
	map = mmap(NULL, size + skip, PROT_READ, MAP_PRIVATE, from, page);
	if (map == MAP_FAILED)
		return -1;
	n = pwrite(to, map + skip, size, to_at);
	munmap(map, size + skip);
	return n == (ssize_t)size ? 0 : -1;
}

int image_copy_data(struct monitor *m, struct err *e)
{
	struct mon_image im = { .fd = m->image.fd };
	Elf64_Phdr p[IMAGE_SEGMENTS_MAX];
	unsigned count, i;

	if (segments_read(&im, p, &count))
		return image_error(e, "changed while it was read");
	for (i = 0; i < count; i++) {
		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_W))
			continue;
		if (copy_range(im.fd, (off_t)p[i].p_offset, m->heap,
			       (off_t)(p[i].p_vaddr - BLY_HEAP),
			       p[i].p_filesz))
			return err_set(e, 125, "cannot fill the kernel heap: "
				       "%s", strerror(errno));
	}
	return 0;
}

/* ---- the host's clock code ------------------------------------------------ */
void vdso_find(struct mon_vdso *v)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");

	memset(v, 0, sizeof(*v));
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		bool is_code = strstr(line, "[vdso]");

		if (strstr(line, "[heap]"))
			(void)sscanf(line, "%lx", &v->brk_start);
		if (!is_code && !strstr(line, "[vvar"))
			continue;
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 ||
		    v->count == MON_VDSO_PARTS) {
			v->count = 0;
			break;
		}
		if (v->count == 0 || start < v->low)
			v->low = start;
		v->part[v->count].start = start;
		v->part[v->count++].size = end - start;
		if (is_code) {
			v->code = start;
			v->code_size = end - start;
		}
	}
	if (f)
		fclose(f);
	if (!v->code)
		v->count = 0;
}
