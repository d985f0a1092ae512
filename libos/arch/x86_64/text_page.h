/*
 * text_page.h - where the rewritten pages of rewrite.c are kept.
 *
 * The newest version of a page is in the kernel heap; or, in a sandbox that
 * goes on from an image, in the file of the image's pages, which all that go
 * on from it share.  It comes into the heap when a newer version is made of
 * it and before the sandbox is saved itself.  Versions that were replaced are
 * kept, since no one knows who has them mapped, until a resume: then nobody
 * has.
 *
 * All under rewrite_lock.
 */
#ifndef LIBOS_X86_64_TEXT_PAGE_H
#define LIBOS_X86_64_TEXT_PAGE_H

#include <libos/lock.h>
#include <libos/mm.h>

#define MOVED_MAX 32
struct text_old; /* a version that somebody may still have mapped */

struct text_page { /* the newest version of a rewritten page */
	struct text_page *next;
	u64 offset; /* in the file */
	u8 *page;    /* in the heap, or NULL: it is in the image */
	u64 in_image; /* its offset in the file of the image's pages */
	struct text_old *old;
	u64 version; /* greater than that of any page made before */
	const struct mm *owner; /* alone has it mapped, unless it has forked */
	u32 owner_forks;        /* m->forks when it became so */
	u16 moved[MOVED_MAX]; /* where its shape 2 windows start */
	u32 moved_count;
};

struct text_file {
	struct text_file *next;
	struct inode *inode; /* with a reference: its address stays its own */
	s64 mtime_ns;        /* of the text that was rewritten */
	u64 size;
	s64 distance;        /* trampolines - address of file offset 0 */
	u8 *trampolines;
	u32 used;
	struct text_page *pages;
};

#define TEXT_FILES_HASH 64
extern struct text_file *text_files[TEXT_FILES_HASH];
extern struct mutex rewrite_lock;

/* size bytes of p from offset on; false: they cannot be read. */
bool text_page_read(const struct text_page *p, u64 offset, void *to,
		    size_t size);
/* Put it over the text at addr in the current process. */
void text_page_map(struct text_page *p, u64 addr, u32 prot);
/* page, of the heap, is the newest version from now on. */
void text_page_replace(struct text_page *p, u8 *page);

#endif
