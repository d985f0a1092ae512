/*
 * save_stream.h - what the library OS writes while a sandbox is saved.
 *
 * The command hands in a stream (a socket or pipe); the library OS writes
 * records to it: struct save_record, then `size` bytes.  Records of several
 * processes are mixed, each is whole.  SAVE_END comes last, exactly once; a
 * stream that ends without it is not a saved sandbox.  The kernel heap is not
 * in the stream: the command copies it from the object itself while the
 * sandbox is frozen.
 *
 * The reader believes nothing of it but its form: sizes are bounded,
 * addresses are page aligned, a page that comes twice is refused.
 */
#ifndef BAILEY_SAVE_STREAM_H
#define BAILEY_SAVE_STREAM_H

#include <stdint.h>

#define SAVE_MAGIC 0x53796c42u /* "BlyS" */
#define SAVE_PAGES_MAX 256u    /* pages in one record */
#define SAVE_PATH_MAX 4096u

enum save_kind {
	SAVE_PAGES = 1, /* space, address; size: a multiple of 4096 */
	SAVE_FILE,      /* a file that pages were left out for, because it
	                 * holds them: space: tree of the manifest; payload:
	                 * path below it, NUL-ended */
	SAVE_FAILED,    /* payload: why, as text; the end */
	SAVE_END,       /* address: how many records came before */
	SAVE_MAP,       /* space, address: a private mapping of such a file;
	                 * payload: struct save_map, then the path as in
	                 * SAVE_FILE.  Its pages may follow.  A hint: they are
	                 * like the file's, but for some words */
};
struct save_record {
	uint32_t magic;
	uint32_t kind;    /* enum save_kind */
	uint32_t size;    /* bytes that follow */
	uint32_t pad;     /* 0 */
	uint64_t space;   /* number of the picoprocess's memory, not 0 */
	uint64_t address;
};
struct save_map {
	uint64_t size;    /* of the mapping: whole pages */
	uint64_t offset;  /* in the file: whole pages */
	uint32_t tree;
	uint32_t pad;     /* 0 */
};

#endif
