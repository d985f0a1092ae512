/*
 * save.c - the private memory of one picoprocess, as save records.
 *
 * Runs in a copy-on-write copy of the picoprocess, made while it stood still,
 * on a thread of the library OS.  The list of mappings was copied before,
 * since the original one goes on changing.
 *
 * Written are pages that are not zero, of mappings that were ever writable.
 * Of a private mapping of a file only the pages that differ from the file (a
 * page that was never written to is the file's own, so it cannot differ);
 * files of host trees are named (SAVE_FILE).  Shared mappings are files: in
 * the kernel heap or on the host.
 *
 * Nobody tells which pages were ever touched, so all are looked at.  Asking
 * for huge pages first makes the untouched ones cost one fault for 2 MiB; and
 * what has been looked at is given back, so that this copy stays small.
 */
#include <libos/save.h>

#include <libos/uaccess.h>
#include <libos/vfs.h>

#include "mm_impl.h"

#define CHUNK (SAVE_PAGES_MAX * PAGE_SIZE)
#define DISCARD_SIZE 0x2000000ul /* 32 MiB */
/* Where a file's own pages are mapped to be compared: a place in our region
 * that no guest sees. */
#define COMPARE_AT (BLY_LOCAL + 0x1000000ul)

size_t raw_user_is_zero(const void *p, bool *yes);
size_t raw_user_is_same(const void *p, const void *q, bool *yes);

struct save_range {
	u64 start, end, offset;
	u32 prot, flags;
	struct file *file; /* a reference, or NULL */
};
struct save_space {
	u64 number;
	u32 count;
	struct save_range ranges[];
};

/* ---- the list, while all stands still ---------------------------------------- */
/* Mappings of the library OS's own pages come back by themselves. */
static bool is_ours(const struct vma *v)
{
	return v->name && (!strcmp(v->name, "[vdso]") ||
			   !strcmp(v->name, "[syscalls]"));
}

static bool is_wanted(const struct vma *v)
{
	return v->file ||
	       (!is_ours(v) && ((v->prot & PROT_WRITE) ||
				(v->flags & (VMA_WAS_WRITABLE | VMA_IMAGE))));
}

struct save_space *mm_save_list(struct mm *m, u64 number)
{
	struct save_space *s;
	struct vma *v;

	mutex_lock(&m->lock);
	s = kmalloc(sizeof(*s) + m->count * sizeof(s->ranges[0]));
	if (s) {
		s->number = number;
		s->count = 0;
		for (v = m->first; v; v = v->next)
			if (is_wanted(v))
				s->ranges[s->count++] = (struct save_range){
					v->start, v->end, v->offset, v->prot,
					v->flags,
					v->file ? file_get(v->file) : NULL };
	}
	mutex_unlock(&m->lock);
	return s;
}

void mm_save_free(struct save_space *s)
{
	for (u32 i = 0; s && i < s->count; i++)
		if (s->ranges[i].file)
			file_put(s->ranges[i].file);
	kfree(s);
}

/* ---- which pages ---------------------------------------------------------------- */
/* A page that cannot be read (behind a file's end) is not there. */
static bool is_zero(u64 at)
{
	bool yes = true;

	return raw_user_is_zero((const void *)at, &yes) || yes;
}

static bool is_as_in_file(u64 at, u64 in_file)
{
	bool yes = true;

	if (raw_user_is_same((const void *)at, (const void *)in_file, &yes))
		return is_zero(at);
	return yes;
}

/* The pages of [at, end) that are wanted, as one record after the other. */
static int write_pages(const struct save_space *s, u64 at, u64 end,
		       u64 in_file)
{
	u64 from = 0, distance = in_file - at;
	int err = 0;

	for (; at < end && !err; at += PAGE_SIZE) {
		bool want = in_file ? !is_as_in_file(at, at + distance)
				    : !is_zero(at);

		if (want && !from)
			from = at;
		if (!want && from) {
			struct host_iovec iov = { (void *)from, at - from };

			err = save_record(SAVE_PAGES, s->number, from, &iov,
					  1);
			from = 0;
		}
	}
	if (from && !err) {
		struct host_iovec iov = { (void *)from, end - from };

		err = save_record(SAVE_PAGES, s->number, from, &iov, 1);
	}
	return err;
}

/* ---- ranges ---------------------------------------------------------------------- */
static int write_anonymous(const struct save_space *s,
			   const struct save_range *r)
{
	u64 at, discard = r->start, end;
	int err = 0;

	host_mem_protect((void *)r->start, r->end - r->start,
			 HOST_PROT_READ);
	host_mem_advise((void *)r->start, r->end - r->start,
			HOST_ADVISE_HUGE);
	for (at = r->start; at < r->end && !err; at = end) {
		end = MIN(r->end, (at & ~(CHUNK - 1)) + CHUNK);
		err = write_pages(s, at, end, 0);
		if (end - discard >= DISCARD_SIZE) {
			host_mem_advise((void *)discard, end - discard,
					HOST_ADVISE_DISCARD);
			discard = end;
		}
	}
	return err;
}

static int write_file_chunk(const struct save_space *s,
			    const struct save_range *r, u64 at, u64 end)
{
	struct vma v = { .start = COMPARE_AT, .end = COMPARE_AT + (end - at),
			 .prot = PROT_READ, .file = r->file };
	u64 offset = r->offset + (at - r->start);

	if (r->file->ops->map(r->file, &v, v.start, end - at, offset))
		return write_pages(s, at, end, 0);
	return write_pages(s, at, end, COMPARE_AT);
}

/* What differs from the file may be little more than where it was loaded. */
static int tell_of_map(const struct save_space *s, const struct save_range *r)
{
	struct save_map m = { .size = r->end - r->start, .offset = r->offset };
	struct host_iovec iov[2] = { { &m, sizeof(m) } };
	const char *path;

	if (!memfs_lower_name(r->file->inode, &m.tree, &path))
		return 0;
	iov[1].base = (void *)(uintptr_t)path;
	iov[1].size = strlen(path) + 1;
	return save_record(SAVE_MAP, s->number, r->start, iov, 2);
}

static int write_private_file(const struct save_space *s,
			      const struct save_range *r)
{
	int err = tell_of_map(s, r);
	u64 at, end;

	host_mem_protect((void *)r->start, r->end - r->start,
			 HOST_PROT_READ);
	for (at = r->start; at < r->end && !err; at = end) {
		end = MIN(r->end, (at & ~(CHUNK - 1)) + CHUNK);
		err = write_file_chunk(s, r, at, end);
	}
	return err;
}

static int name_file(const struct save_range *r)
{
	struct host_iovec iov;
	const char *path;
	u32 tree;

	if (!memfs_save_once(r->file->inode, save_clocks.number) ||
	    !memfs_lower_name(r->file->inode, &tree, &path))
		return 0;
	iov.base = (void *)(uintptr_t)path;
	iov.size = strlen(path) + 1;
	return save_record(SAVE_FILE, tree, 0, &iov, 1);
}

static int write_range(const struct save_space *s, const struct save_range *r)
{
	int err;

	if (!r->file)
		return write_anonymous(s, r);
	err = name_file(r);
	if (err || (r->flags & VMA_SHARED) ||
	    !((r->prot & PROT_WRITE) ||
	      (r->flags & (VMA_WAS_WRITABLE | VMA_IMAGE))))
		return err;
	return write_private_file(s, r);
}

int mm_save_write(const struct save_space *s)
{
	int err = 0;

	for (u32 i = 0; i < s->count && !err; i++)
		err = write_range(s, &s->ranges[i]);
	return err;
}
