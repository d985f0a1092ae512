/*
 * libos.c - which file the library OS of a sandbox is (launch.h).
 *
 * An image carries the library OS that it was saved under, so its file must
 * still be the one that the sandbox was started with: state.json has its path
 * and its build id.
 */
#include "cli/launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTIONS_MAX 256
#define NOTE_MAX 256
#define SEGMENT_MAX (16u << 20)

/* ---- the build id ------------------------------------------------------- */
/* A note: header, "GNU", the id. */
static bool note_read(const unsigned char *note, size_t size,
		      char id[BUILD_ID_MAX])
{
	const unsigned char *bytes = note + sizeof(Elf64_Nhdr) + 4;
	Elf64_Nhdr h;

	if (size < sizeof(h) + 4)
		return false;
	memcpy(&h, note, sizeof(h));
	if (h.n_type != NT_GNU_BUILD_ID || h.n_namesz != 4 ||
	    memcmp(note + sizeof(h), "GNU", 4) ||
	    h.n_descsz > (BUILD_ID_MAX - 1) / 2 ||
	    sizeof(h) + 4 + h.n_descsz > size)
		return false;
	for (unsigned i = 0; i < h.n_descsz; i++)
		sprintf(id + 2 * i, "%02x", bytes[i]);
	return true;
}

static bool find_in_sections(int fd, const Elf64_Ehdr *h,
			     char id[BUILD_ID_MAX])
{
	unsigned char note[NOTE_MAX];
	Elf64_Shdr s;

	if (h->e_shentsize != sizeof(s) || h->e_shnum > SECTIONS_MAX)
		return false;
	for (unsigned i = 0; i < h->e_shnum; i++)
		if (pread(fd, &s, sizeof(s), (off_t)(h->e_shoff +
				i * sizeof(s))) == sizeof(s) &&
		    s.sh_type == SHT_NOTE && s.sh_size <= sizeof(note) &&
		    pread(fd, note, s.sh_size, (off_t)s.sh_offset) ==
		    (ssize_t)s.sh_size && note_read(note, s.sh_size, id))
			return true;
	return false;
}

/* An image's file is without sections: the note lies among the constants. */
static bool find_in_segment(int fd, const Elf64_Phdr *p, char id[BUILD_ID_MAX])
{
	size_t skip = p->p_offset % 4096;
	unsigned char *text;
	bool is_found = false;
	struct stat st;

	if (p->p_type != PT_LOAD || p->p_flags != PF_R ||
	    p->p_filesz > SEGMENT_MAX || fstat(fd, &st) ||
	    p->p_offset > (uint64_t)st.st_size ||
	    p->p_filesz > (uint64_t)st.st_size - p->p_offset)
		return false;
	text = mmap(NULL, p->p_filesz + skip, PROT_READ, MAP_PRIVATE, fd,
		    (off_t)(p->p_offset - skip));
	if (text == MAP_FAILED)
		return false;
	for (size_t at = 0; !is_found && at < p->p_filesz; at += 4)
		is_found = note_read(text + skip + at, p->p_filesz - at, id);
	munmap(text, p->p_filesz + skip);
	return is_found;
}

static int build_id_read(int fd, char id[BUILD_ID_MAX])
{
	Elf64_Ehdr h;
	Elf64_Phdr p;

	*id = 0;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_ident[EI_CLASS] != ELFCLASS64)
		return -1;
	if (find_in_sections(fd, &h, id) || h.e_phentsize != sizeof(p))
		return 0;
	for (unsigned i = 0; i < h.e_phnum && i < SECTIONS_MAX; i++)
		if (pread(fd, &p, sizeof(p), (off_t)(h.e_phoff +
				i * sizeof(p))) == sizeof(p) &&
		    find_in_segment(fd, &p, id))
			return 0;
	return 0;
}

struct known_file {
	struct stat st;
	char id[BUILD_ID_MAX];
};

static bool is_known(const struct known_file *k, const struct stat *st)
{
	return *k->id && k->st.st_ino == st->st_ino &&
		k->st.st_dev == st->st_dev && k->st.st_size == st->st_size &&
		k->st.st_mtim.tv_sec == st->st_mtim.tv_sec &&
		k->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

/* A command asks for the same one or two files again and again. */
int libos_build_id(int fd, char id[BUILD_ID_MAX])
{
	static struct known_file known[2];
	static unsigned next;
	struct known_file now = { .id = "" };

	*id = 0;
	if (fstat(fd, &now.st))
		return -1;
	for (unsigned i = 0; i < 2 && !*id; i++)
		if (is_known(&known[i], &now.st))
			strcpy(id, known[i].id);
	if (*id)
		return 0;
	if (build_id_read(fd, id))
		return -1;
	strcpy(now.id, id);
	known[next++ % 2] = now;
	return 0;
}

static bool has_id(const char *path, const char *want)
{
	char id[BUILD_ID_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_same = fd >= 0 && !libos_build_id(fd, id) && *id &&
		!strcmp(id, want);

	if (fd >= 0)
		close(fd);
	return is_same;
}

/* ---- where it is -------------------------------------------------------- */
const char *libos_installed(void)
{
	static const char *const places[] = { "libos.elf",
					      "../lib/bailey/libos.elf" };
	static char *found;
	char self[4096];
	ssize_t n;

	if (found)
		return found;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return NULL;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		char *path = xasprintf("%s/%s", self, places[i]);

		if (!access(path, R_OK))
			return found = path;
		free(path);
	}
	return NULL;
}

int libos_open(const struct state *s, struct err *e)
{
	const json_t *o = json_object_get(s->json, "Libos");
	const char *want = json_string_value(json_object_get(o, "BuildId"));
	const char *paths[] = {
		json_string_value(json_object_get(o, "Path")),
		xasprintf("%s/libos.elf", s->dir), libos_installed() };

	if (!want || !*want)
		return err_set(e, STATUS_OURS, "%s was started by a bailey "
			       "that could not save; start it anew", s->name);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (paths[i] && has_id(paths[i], want))
			return open(paths[i], O_RDONLY | O_CLOEXEC);
	return err_set(e, STATUS_OURS, "the library OS that %s runs under, %s, "
		"was replaced since it was started;\nit can be saved once that "
		"file is back (build id %s)", s->name, paths[0] ? paths[0] :
		"libos.elf", want);
}

/* ---- keeping it --------------------------------------------------------- */
static int copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	struct stat st;
	ssize_t n = 1;
	off_t at = 0;

	if (in >= 0 && !fstat(in, &st))
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	while (out >= 0 && at < st.st_size && n > 0)
		n = copy_file_range(in, NULL, out, NULL, 1u << 20, 0),
		at += n > 0 ? n : 0;
	if (out >= 0 && at < st.st_size) { /* not between these two systems */
		char buf[65536];

		while ((n = pread(in, buf, sizeof(buf), at)) > 0 &&
		       pwrite(out, buf, (size_t)n, at) == n)
			at += n;
	}
	if (in >= 0)
		close(in);
	return out < 0 || close(out) || at < st.st_size ? -1 : 0;
}

const char *libos_keep(const struct state *s, const char *path, struct err *e)
{
	char *copy = xasprintf("%s/libos.elf", s->dir);
	char id[BUILD_ID_MAX] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !libos_build_id(fd, id) && *id && libos_installed() &&
	    has_id(libos_installed(), id)) {
		close(fd);
		return libos_installed();
	}
	if (fd >= 0)
		close(fd);
	/* an image's own: a cache may lose it while the sandbox runs */
	if (fd < 0 || (link(path, copy) && copy_file(path, copy))) {
		err_set(e, STATUS_OURS, "cannot keep the image's library OS "
			"in %s: %s", s->dir, strerror(errno));
		return NULL;
	}
	return copy;
}
