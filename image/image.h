/*
 * image.h - saved sandboxes in files: writing, reading, unpacking.
 *
 * Runs in the command, outside every wall: what it reads from a sandbox
 * (save records, the heap object) or from an image file is hostile.  It looks
 * at sizes, offsets and checksums only; what the bytes mean is the sandbox's
 * own business.  The format: include/bailey/image_format.h.
 *
 * All functions return 0, or -1 with e filled (what, why, what to do next).
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bailey/pages.h>
#include <bailey/save_stream.h>
#include "lib/err.h"

/* ---- progress ----------------------------------------------------------- */
struct image_progress {
	uint64_t bytes_in;    /* of memory, so far */
	uint64_t bytes_total; /* 0: not known yet */
	uint64_t bytes_out;   /* of file */
	const char *phase;    /* "saving", "unpacking", "verifying" */
};
typedef void (*image_progress_fn)(void *arg, const struct image_progress *p);

/* ---- writing ------------------------------------------------------------ */
struct image_options {
	int level;               /* of zstd; 0: 9 at first, 1 if large */
	int threads;             /* 0: one per processor */
	const char *since;       /* path of a previous image, or NULL */
	const char *passphrase;  /* encrypt, or NULL */
	const char *processor;   /* the level that it keeps to, or NULL */
	image_progress_fn progress;
	void *progress_arg;
};
/* A file of the host whose contents are not in the image, only named: the
 * writer opens host, hashes it, and keeps guest path, size and hash. */
struct image_file {
	uint32_t tree;
	const char *path;  /* below the tree */
	const char *host;  /* on this host */
};
struct image_writer;
/* path: where the image goes ("-": stdout); it is written to a temporary
 * name beside it, synced and renamed by image_commit(). */
struct image_writer *image_create(const char *path,
				  const struct image_options *o,
				  struct err *e);
/* The kernel heap, to be taken while the sandbox is frozen: copies what the
 * object holds (SEEK_DATA), quickly, and compresses it later. */
int image_add_heap(struct image_writer *w, int heap, struct err *e);
/* May be called before the sandbox stands still: makes room for the copy, so
 * that image_add_heap() only copies. */
int image_prepare_heap(struct image_writer *w, int heap, struct err *e);
/* The save records, until SAVE_END (save_stream.h). file (may be NULL) is
 * called for each SAVE_FILE, to turn tree and path into a path of the host;
 * it returns false when it knows none. */
typedef bool (*image_file_fn)(void *arg, uint32_t tree, const char *path,
			      char *host, size_t size);
int image_add_stream(struct image_writer *w, int stream, image_file_fn file,
		     void *arg, struct err *e);
/* manifest: JSON text; libos: path of the libos.elf it ran under. */
int image_add_manifest(struct image_writer *w, const char *manifest,
		       size_t size, struct err *e);
int image_add_libos(struct image_writer *w, int libos, struct err *e);
struct image_totals {
	uint8_t id[16];
	uint64_t memory_pages;  /* that the records and the heap carried */
	uint64_t stored_pages;  /* after zero, twin and parent pages */
	uint64_t file_bytes;
};
int image_commit(struct image_writer *w, struct image_totals *out,
		 struct err *e);
/* Without commit: the temporary file goes. */
void image_discard(struct image_writer *w);

/* ---- reading ------------------------------------------------------------ */
struct image;
/* Opens and checks the index (not yet every page): path or "-" (stdin, which
 * is spooled).  An incremental image finds its parents by id, beside it and
 * in the cache. */
struct image *image_open_file(const char *path, const char *passphrase,
			      struct err *e);
void image_close(struct image *i);
const char *image_manifest(const struct image *i, size_t *size);
const uint8_t *image_id(const struct image *i); /* 16 bytes */
struct image_info {
	uint8_t id[16], parent[16];   /* parent: zero if none */
	uint64_t created_ns;          /* CLOCK_REALTIME */
	uint64_t file_bytes, memory_pages, stored_pages, heap_pages;
	uint32_t spaces, files;
	char processor[64];           /* "x86_64" */
	uint64_t features[4];         /* that it needs: of arch */
	char libos_id[41];            /* build id, hexadecimal */
	char bailey_version[32];
};
void image_get_info(const struct image *i, struct image_info *out);
/* One of the files that it names: its tree, and its path below that. */
uint32_t image_get_file(const struct image *i, uint32_t which,
			char path[SAVE_PATH_MAX]);
bool image_is_encrypted(const struct image *i);
/* Where the files are that the image names, from now on (find: as in
 * image_add_stream).  Pages that differ from a file's in some words cannot be
 * unpacked without. */
void image_use_files(struct image *i, image_file_fn find, void *arg);
/* Everything: each frame's checksum, each run; names what is wrong. */
int image_verify(struct image *i, image_progress_fn progress, void *arg,
		 struct err *e);
/* Can this host run it: processor features (any_processor: they are not
 * looked at), and the files that it names (hashes; remembered by size, time,
 * inode in the cache).  find: as in image_add_stream. */
int image_check_host(struct image *i, bool any_processor, image_file_fn find,
		     void *arg, struct err *e);
/* The same for one that is in the cache, by what was kept beside it.  1: that
 * is missing; the image must be opened. */
int image_check_warm(const uint8_t id[16], const char *path,
		     bool any_processor, image_file_fn find, void *arg,
		     struct err *e);
/* Pages of two images that differ, by space: for `bailey image diff`. */
struct image_difference { uint64_t space, same, changed, only_a, only_b; };
int image_diff(struct image *a, struct image *b,
	       struct image_difference **out, size_t *count, struct err *e);

/* ---- unpacking ---------------------------------------------------------- */
/* The unpacked pages (pages.h) in a read-only handle, and the library OS's
 * file: from the cache if it is there, else made (in the cache when keep,
 * else in memory of this process only).  Every checksum of the file has been
 * looked at when the call returns.  If there is much to unpack, it returns
 * once the kernel heap is there; a process of its own goes on and advances
 * `ready`.  An encrypted image is never kept. */
struct image_unpacked {
	int pages;      /* readable; the caller closes */
	char libos[4096]; /* path */
	bool was_warm;
};
int image_unpack(struct image *i, bool keep, struct image_unpacked *out,
		 image_progress_fn progress, void *arg, struct err *e);
/* As image_unpack() with keep, but to the end and to the disk; an encrypted
 * image is refused.  limit: of all that is in the cache, in bytes; 0: the
 * usual one. */
int image_warm(struct image *i, uint64_t limit, struct image_unpacked *out,
	       image_progress_fn progress, void *arg, struct err *e);
/* The same for an image that is in the cache already, by its file's identity
 * (device, inode, size, time): 1 found, 0 not, without reading the image. */
int image_find_warm(const char *path, struct image_unpacked *out,
		    char **manifest, size_t *size, uint8_t id[16]);

#endif
