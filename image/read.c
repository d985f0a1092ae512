/*
 * read.c - opens images (reader.h): a file, or standard input by way of a
 * file without a name; encrypted ones by way of memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "image/envelope.h"
#include "image/reader.h"
#include "image/util.h"

#define COPY (1u << 20)

/* ---- where the bytes come from ------------------------------------------ */
static int spool_file(void)
{
	static const char *const places[] = { "/var/tmp", "/tmp" };
	const char *own = getenv("TMPDIR");
	int fd = own ? open(own, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
	size_t k;

	for (k = 0; fd < 0 && k < 2; k++)
		fd = open(places[k], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? memfd_create("bailey-image", MFD_CLOEXEC) : fd;
}

static int spool(struct image *i, struct err *e)
{
	char *buf;
	ssize_t n = 0;
	struct stat st;
	int rc = -1;

	if (!fstat(STDIN_FILENO, &st) && S_ISREG(st.st_mode) &&
	    !lseek(STDIN_FILENO, 0, SEEK_CUR)) {
		i->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		return i->fd < 0 ? FAIL(e, "standard input: %s",
					strerror(errno)) : 0;
	}
	buf = malloc(COPY);
	i->fd = spool_file();
	while (buf && i->fd >= 0) {
		n = read(STDIN_FILENO, buf, COPY);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (write_all(i->fd, buf, (size_t)n))
			goto out;
	}
	if (buf && i->fd >= 0 && n == 0)
		rc = 0;
out:
	if (rc)
		FAIL(e, "cannot take an image from standard input: %s",
		     strerror(errno));
	free(buf);
	return rc;
}

static int open_bytes(struct image *i, const char *path, struct err *e)
{
	struct stat st;

	if (!strcmp(path, "-")) {
		i->is_stream = true;
		i->path = strdup("the image on standard input");
		return spool(i, e);
	}
	i->path = strdup(path);
	i->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (i->fd < 0 || fstat(i->fd, &st))
		return FAIL(e, "cannot open %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return FAIL(e, "%s is not a file", path);
	i->source = st;
	return 0;
}

/* Replaces i->fd by what is in the envelope. */
static int open_envelope(struct image *i, const char *passphrase,
			 struct err *e)
{
	struct err why;
	int plain;

	i->is_encrypted = true;
	if (!passphrase)
		return FAIL(e, "%s is encrypted: it needs its passphrase",
			    i->path);
	i->passphrase = strdup(passphrase);
	plain = memfd_create("bailey-image", MFD_CLOEXEC);
	if (plain < 0)
		return FAIL(e, "cannot make room for an image: %s",
			    strerror(errno));
	if (envelope_open(i->fd, passphrase, plain, &why)) {
		close(plain);
		return FAIL(e, "%s: %s", i->path, why.text);
	}
	close(i->fd);
	i->fd = plain;
	return 0;
}

/* ---- header, trailer, index --------------------------------------------- */
static int read_header(struct image *i, struct err *e)
{
	struct image_header *h = &i->header;
	ssize_t n = read_at(i->fd, h, sizeof(*h), 0);

	if (n < 0)
		return FAIL(e, "cannot read %s: %s", i->path,
			    strerror(errno));
	if ((size_t)n >= sizeof(h->magic) && h->magic != IMAGE_MAGIC)
		return FAIL(e, "%s is not a saved sandbox (or its first bytes "
			    "are damaged)", i->path);
	if ((size_t)n < sizeof(*h))
		return FAIL(e, "%s is truncated: not even its header is "
			    "whole", i->path);
	if (h->check != check64(h, offsetof(struct image_header, check)))
		return FAIL(e, "%s is damaged: its header (bytes 0 to %zu) "
			    "does not match its checksum", i->path,
			    sizeof(*h) - 1);
	if (h->version < IMAGE_VERSION_OLDEST || h->version > IMAGE_VERSION)
		return FAIL(e, "%s has version %u of the format, this bailey "
			    "reads %u to %u: use the bailey that made it, or "
			    "a newer one", i->path, h->version,
			    IMAGE_VERSION_OLDEST, IMAGE_VERSION);
	if (h->header_size != sizeof(*h) || h->pad)
		return FAIL(e, "%s is damaged: its header", i->path);
	return 0;
}

static int read_trailer(struct image *i, struct err *e)
{
	struct image_trailer *t = &i->trailer;
	uint64_t at;

	if (i->size < sizeof(i->header) + sizeof(*t))
		return FAIL(e, "%s is truncated: its end is missing",
			    i->path);
	at = i->size - sizeof(*t);
	if (read_at(i->fd, t, sizeof(*t), at) != (ssize_t)sizeof(*t))
		return FAIL(e, "cannot read the end of %s", i->path);
	if (t->magic != IMAGE_END_MAGIC ||
	    t->check != check64(t, offsetof(struct image_trailer, check)))
		return FAIL(e, "%s is truncated, or its end (bytes %llu to "
			    "%llu) is damaged", i->path,
			    (unsigned long long)at,
			    (unsigned long long)i->size - 1);
	if (t->index_offset > at || at - t->index_offset != t->index_size ||
	    t->index_raw > IMAGE_INDEX_MAX ||
	    t->index_size > IMAGE_INDEX_MAX + (IMAGE_INDEX_MAX >> 4))
		return FAIL(e, "%s is damaged: %s", i->path,
			    "the place of its index makes no sense");
	return 0;
}

static int unpack_index(struct image *i, const uint8_t *in, struct err *e)
{
	const struct image_trailer *t = &i->trailer;
	uint8_t check[16], id[16];
	size_t n;

	hash_short(check, in, t->index_size);
	image_make_id(id, &i->header, check);
	if (memcmp(id, t->id, 16))
		return FAIL(e, "%s is damaged: its index (bytes %llu to %llu) "
			    "does not match its checksum", i->path,
			    (unsigned long long)t->index_offset,
			    (unsigned long long)t->index_offset +
			    t->index_size - 1);
	n = ZSTD_decompress(i->raw, t->index_raw, in, t->index_size);
	if (n != t->index_raw)
		return FAIL(e, "%s is damaged: its index cannot be "
			    "decompressed", i->path);
	return decode_index(i, e);
}

static int read_index(struct image *i, struct err *e)
{
	const struct image_trailer *t = &i->trailer;
	uint8_t *in = big_alloc(t->index_size);
	int rc = -1;

	i->raw = big_alloc(t->index_raw);
	if (!in || !i->raw)
		FAIL(e, "out of memory for the index of %s", i->path);
	else if (read_at(i->fd, in, t->index_size, t->index_offset) !=
		 (ssize_t)t->index_size)
		FAIL(e, "cannot read the index of %s", i->path);
	else
		rc = unpack_index(i, in, e);
	big_free(in, t->index_size);
	return rc;
}

static int open_image(struct image *i, const char *path,
		      const char *passphrase, struct err *e)
{
	struct stat st;
	uint64_t magic = 0;

	if (crypto_ready(e) || open_bytes(i, path, e))
		return -1;
	if (read_at(i->fd, &magic, sizeof(magic), 0) < 0)
		return FAIL(e, "cannot read %s: %s", i->path,
			    strerror(errno));
	if (magic == ENVELOPE_MAGIC && open_envelope(i, passphrase, e))
		return -1;
	if (fstat(i->fd, &st))
		return FAIL(e, "%s: %s", i->path, strerror(errno));
	i->size = (uint64_t)st.st_size;
	if (read_header(i, e) || read_trailer(i, e) || read_index(i, e))
		return -1;
	i->manifest = image_blob(i, &i->index.manifest, "manifest", e);
	return i->manifest ? 0 : -1;
}

struct image *image_open_file(const char *path, const char *passphrase,
			      struct err *e)
{
	struct image *i = calloc(1, sizeof(*i));

	if (!i) {
		FAIL(e, "out of memory");
		return NULL;
	}
	i->fd = -1;
	if (!open_image(i, path, passphrase, e))
		return i;
	image_close(i);
	return NULL;
}

void image_close(struct image *i)
{
	uint32_t k;

	if (!i)
		return;
	for (k = 0; i->parents && k < i->index.parent_count; k++)
		image_close(i->parents[k]);
	free(i->parents);
	if (i->fd >= 0)
		close(i->fd);
	big_free(i->raw, i->trailer.index_raw);
	big_free(i->first, (i->index.frame_count + 1u) * sizeof(*i->first));
	if (i->passphrase)
		sodium_memzero(i->passphrase, strlen(i->passphrase));
	free(i->passphrase);
	free(i->manifest);
	free(i->path);
	free(i);
}

/* ---- what the index says ------------------------------------------------ */
const char *image_manifest(const struct image *i, size_t *size)
{
	if (size)
		*size = i->index.manifest.raw;
	return i->manifest;
}

const uint8_t *image_id(const struct image *i)
{
	return i->trailer.id;
}

void image_get_info(const struct image *i, struct image_info *out)
{
	const struct image_index *x = &i->index;
	struct stat st;

	memset(out, 0, sizeof(*out));
	memcpy(out->id, i->trailer.id, 16);
	if (x->parent_count)
		memcpy(out->parent, i->parent[0].id, 16);
	out->created_ns = i->header.created_ns;
	out->file_bytes = i->size;
	if (i->is_encrypted && !i->is_stream && !stat(i->path, &st))
		out->file_bytes = (uint64_t)st.st_size;
	out->memory_pages = x->memory_pages;
	out->stored_pages = x->stored_pages;
	out->heap_pages = x->heap_pages;
	out->spaces = x->space_count;
	out->files = x->file_count;
	memcpy(out->processor, x->processor, sizeof(x->processor));
	memcpy(out->features, x->features, sizeof(x->features));
	memcpy(out->libos_id, x->libos_id, sizeof(out->libos_id) - 1);
	memcpy(out->bailey_version, x->bailey_version,
	       sizeof(out->bailey_version));
}

uint32_t image_get_file(const struct image *i, uint32_t which,
			char path[SAVE_PATH_MAX])
{
	const struct image_file_entry *f = &i->file[which];

	memcpy(path, i->strings + f->path, f->path_size);
	path[f->path_size] = 0;
	return f->tree;
}

void image_use_files(struct image *i, image_file_fn find, void *arg)
{
	i->find = find;
	i->find_arg = arg;
}

bool image_is_encrypted(const struct image *i)
{
	return i->is_encrypted;
}
