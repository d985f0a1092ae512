/*
 * save.h - saving the sandbox (libos/core/save.c, libos/mm/save.c) and going
 * on from what was saved (libos/core/resume.c, libos/mm/resume.c).
 *
 * What is saved: the kernel heap, which the command copies while all stands
 * still, and the private memory of every picoprocess (a "space", numbered as
 * its host process was), which a copy-on-write copy of it writes while the
 * program runs on.
 */
#ifndef LIBOS_SAVE_H
#define LIBOS_SAVE_H

#include <bailey/boot.h>
#include <bailey/pages.h>
#include <bailey/save_stream.h>
#include <libos/base.h>

struct mm;
struct task;
struct inode;

/* ---- the service thread: what the monitor asks for ------------------------- */
void save_freeze(const struct host_event *ev);
void save_thaw(u32 what);
/* After a resume: no save goes on. */
void save_forget(void);

/* The clocks at the last freeze, as the guest saw them. */
extern struct save_clocks {
	u64 monotonic_ns, boot_ns, realtime_ns;
	u32 number; /* of freezes */
} save_clocks;

/* ---- writing (in the copies) ------------------------------------------------ */
/* The address space as it was at the freeze. */
struct save_space;
struct save_space *mm_save_list(struct mm *m, u64 space);
void mm_save_free(struct save_space *s);
/* Its pages, as records; 0 or -errno of the stream. */
int mm_save_write(const struct save_space *s);
/* One whole record; parts: what follows its head. */
int save_record(enum save_kind kind, u64 space, u64 address,
		const struct host_iovec *parts, unsigned count);
/* memfs: a file whose data is still that of a host tree: its place there,
 * told once for each save. */
bool memfs_lower_name(struct inode *i, u32 *tree, const char **path);
bool memfs_save_once(struct inode *i, u32 save);

/* ---- going on ---------------------------------------------------------------- */
_Noreturn void resume_start(struct boot_info *b);
/* The pages of one space in the image's file. */
struct image_space {
	host_handle pages;
	const struct pages_run *runs; /* sorted by address */
	u64 run_count;
	u64 first_data, ready; /* as last read of pages_header */
};
/* Before any of them: name the files of m's mappings. */
void mm_resume_files(struct mm *m);
/* In a picoprocess without guest memory: everything that m lists. */
int mm_resume(struct mm *m, struct image_space *s);
/* The same in a copy of a picoprocess in which `from` has been mapped by
 * mm_resume or mm_resume_copy, and nothing has run since. */
int mm_resume_copy(struct mm *m, struct image_space *s, const struct mm *from,
		   const struct image_space *from_space);
/* Each part of the library OS that knows host handles: they are gone. Called
 * in the order of resume.c, on the service thread, before any other runs. */
void hostwait_resumed(void);
void hoststream_resumed(const host_handle old[3], const host_handle new[3],
			const struct host_stat stats[3]);
void console_resumed(host_handle h, u32 rows, u32 columns);
void hostfs_frozen(void);
void hostfs_resumed(void);
void memfs_lower_resumed(void);
/* Of many files that are about to be mapped: the first names one, the second
 * opens all that were named, together. */
void memfs_lower_open_soon(struct inode *i);
void memfs_lower_open_now(void);
void net_resumed(void);
void epoll_resumed(void);
void generation_resumed(void);
void vdso_resumed(s64 monotonic_shift, s64 boot_shift);
void vdso_remap(u64 at);

#endif
