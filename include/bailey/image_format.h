/*
 * image_format.h - a saved sandbox in one file.
 *
 *   struct image_header     once, at offset 0
 *   frames                  groups of pages, then blobs; compressed
 *   index                   one zstd frame: the tables below, back to back
 *   struct image_trailer    the last bytes of the file
 *
 * The parts follow each other without a gap, so the file can be written to a
 * pipe and every byte of it is under a checksum: the header and the trailer
 * carry their own, the index carries one for each frame, and the trailer's
 * `id` is a BLAKE2b hash over the header and the index's hash.  The id so
 * stands for everything in the file; it is what caches and incremental images
 * know an image by.  docs/image-format.md tells the same at more length.
 *
 * Pages are numbered: first the ones that are stored in this file, in the
 * order of the frames, then the ones that are taken from another image
 * (struct image_ref).  No two pages have the same contents, and no page is
 * all zero: IMAGE_ZERO_PAGE in a run stands for those.
 *
 * An encrypted image is the same file inside an envelope: struct
 * envelope_header, then chunks of crypto_secretstream_xchacha20poly1305 of
 * `chunk` bytes of plain text each (the last may be shorter, and is the only
 * one with the tag FINAL); the header is the first chunk's additional data.
 *
 * All numbers are little-endian.  Version: increment IMAGE_VERSION with any
 * change; a reader refuses what it does not know.
 */
#ifndef BAILEY_IMAGE_FORMAT_H
#define BAILEY_IMAGE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAGIC 0x6567616d49796c42ull     /* "BlyImage" */
#define IMAGE_END_MAGIC 0x646e456d49796c42ull /* "BlyImEnd" */
#define IMAGE_VERSION 2u
#define IMAGE_VERSION_OLDEST 1u /* that is read */

#define IMAGE_FRAME_PAGES 1024u       /* at most, in one frame */
#define IMAGE_PAGES_MAX (1u << 24)    /* of different contents: 64 GiB */
#define IMAGE_MAPPED_MAX (1ull << 28) /* by all runs: 1 TiB */
#define IMAGE_RUNS_MAX (1u << 23)
#define IMAGE_FILES_MAX (1u << 16)
#define IMAGE_PARENTS_MAX 64u
#define IMAGE_INDEX_MAX (512u << 20)  /* uncompressed */
#define IMAGE_MANIFEST_MAX (16u << 20)
#define IMAGE_LIBOS_MAX (64u << 20)
#define IMAGE_STRINGS_MAX (64u << 20)
#define IMAGE_HEAP_MAX (1ull << 40)   /* addresses of space 0 */
#define IMAGE_ADDRESS_MAX (1ull << 56) /* of the others */
#define IMAGE_ZERO_PAGE 0xffffffffu

struct image_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size; /* sizeof(struct image_header) */
	uint64_t created_ns;  /* CLOCK_REALTIME */
	uint64_t pad;         /* 0 */
	uint64_t check;       /* XXH3-64 of the bytes before */
};

/* What a frame of pages begins with, one byte, since version 2.  (In version 1
 * all are plain, and the byte is not there.) */
enum image_codec {
	IMAGE_CODEC_PLAIN = 1, /* one zstd frame of the pages */
	IMAGE_CODEC_WORDS,     /* zstd frames of streams (image/words.h) */
};

/* A stretch of the file that is compressed. */
struct image_blob {
	uint64_t offset;
	uint32_t size;        /* in the file */
	uint32_t raw;         /* uncompressed */
	uint8_t check[16];    /* BLAKE2b-128 of the bytes in the file */
};

/* The index: this, then in this order the tables that it counts. */
struct image_index {
	uint64_t memory_pages; /* that runs name */
	uint64_t heap_pages;   /* of these in space 0 */
	uint32_t stored_pages; /* in this file's frames */
	uint32_t ref_pages;    /* in other images */
	uint32_t parent_count; /* struct image_parent[] */
	uint32_t frame_count;  /* struct image_blob[]; raw: whole pages */
	uint32_t space_count;  /* struct image_space[] */
	uint32_t run_count;    /* struct image_run[], of all spaces in turn */
	uint32_t file_count;   /* struct image_file_entry[] */
	uint32_t strings_size; /* char[] */
	/* struct image_ref[ref_pages] follows the frames, then
	 * struct image_hash[stored_pages + ref_pages], then the spaces;
	 * struct image_base[base_count] follows the files. */
	struct image_blob manifest;
	struct image_blob libos;
	uint64_t features[4];  /* of the processor: image/processor.h */
	char processor[16];    /* "x86_64"; NUL-padded, as the others */
	char libos_id[48];     /* build id, hexadecimal */
	char bailey_version[32];
	/* since version 2: */
	uint32_t base_count;   /* struct image_base[] */
	uint32_t pad;          /* 0 */
};
#define IMAGE_INDEX_SIZE_1 offsetof(struct image_index, base_count)
/* An image that pages are taken from.  The first is the one that this image
 * was saved since; others are ones that it took pages from in turn. */
struct image_parent {
	uint8_t id[16];
	uint32_t name;         /* offset in strings: its file's name, a hint */
	uint32_t name_size;    /* without a NUL */
};
struct image_ref {
	uint32_t parent;       /* number in the table of parents */
	uint32_t page;         /* number of a page that is stored there */
};
struct image_hash {
	uint8_t bytes[16];     /* XXH3-128, canonical, of the page */
};
/* Sorted by id; space 0, the kernel heap, is always there. */
struct image_space {
	uint64_t id;
	uint64_t run_count;
};
/* Sorted by address, not overlapping. */
struct image_run {
	uint64_t address;
	uint32_t page;         /* of the first; IMAGE_ZERO_PAGE: zeros */
	uint32_t count;
};
/* A file of the host that must be there unchanged. */
struct image_file_entry {
	uint64_t size;
	uint8_t hash[16];      /* XXH3-128 of its contents */
	uint32_t tree;         /* of the manifest */
	uint32_t path;         /* offset in strings: below the tree */
	uint32_t path_size;    /* without a NUL */
	uint32_t pad;          /* 0 */
};

/* Pages that are stored as what must be added to the pages of a file, in words
 * of 8 bytes, to make them (behind its end: zeros).  Sorted by page, not
 * overlapping. */
struct image_base {
	uint32_t page;         /* the first; stored here */
	uint32_t count;
	uint32_t file;         /* number in the table of files */
	uint32_t pad;          /* 0 */
	uint64_t offset;       /* in the file, of the first: whole pages */
};

struct image_trailer {
	uint64_t magic;
	uint64_t index_offset;
	uint32_t index_size;   /* in the file */
	uint32_t index_raw;
	uint8_t id[16];        /* BLAKE2b-128 of the header and then of the
	                        * BLAKE2b-128 of the index in the file */
	uint64_t check;        /* XXH3-64 of the bytes before */
};

/* ---- the envelope of an encrypted image --------------------------------- */
#define ENVELOPE_MAGIC 0x7470797243796c42ull /* "BlyCrypt" */
#define ENVELOPE_VERSION 1u
#define ENVELOPE_CHUNK (256u << 10)
#define ENVELOPE_OPS_MAX 16u
#define ENVELOPE_MEMORY_MAX (1ull << 30)

struct envelope_header {
	uint64_t magic;
	uint32_t version;
	uint32_t chunk;        /* bytes of plain text in each */
	uint64_t ops;          /* argon2id */
	uint64_t memory;
	uint8_t salt[16];
	uint8_t stream[24];    /* of the secretstream */
	uint64_t check;        /* XXH3-64 of the bytes before */
};

#endif
