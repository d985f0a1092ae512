/*
 * rewrite.c - system call instructions become jumps.
 *
 * A site is rewritten when it traps for the first time: then the instruction
 * pointer proves that it is an instruction, and rax proves the number.  Only
 * text that is mapped privately from a file and was never writable is
 * touched.  Nothing rests on this for protection; a site that stays as it is
 * traps and works.
 *
 * What is rewritten:
 *   shape 1   b8 imm32 0f 05        ->  e9 rel32 0f 05
 *             (mov $nr,%eax; syscall; the syscall stays, for jumps to it)
 *   shape 2   0f 05 and following simple instructions of together 5 bytes or
 *             more                   ->  e9 rel32, the rest filled with int3;
 *             only if no branch nearby aims between them
 *
 * The jump leads to a trampoline of this site:
 *   shape 1   mov $nr,%eax; lea back(%rip),%rcx; jmp *entry(%rip)
 *   shape 2   lea 1f(%rip),%rcx; jmp *entry(%rip); syscall
 *             1: the moved instructions; jmp back; at the end of its room, how
 *             far away the program's own instruction is
 * (the syscall in the second is for restarts: they go back two bytes).
 *
 * Rewritten pages and trampolines are kernel heap pages, one copy per file
 * for the whole sandbox: trampolines lie at the same distance from a file's
 * text wherever it is mapped.  A page is never changed while another thread
 * might run in it: a new site means a new version of the page, put over the
 * old in one step, so that no thread ever runs through half an instruction.
 * Only the one thread of a process that has had a page to itself from its
 * beginning (program start, mostly) changes it where it is.
 *
 * A thread that trapped at a shape 2 site comes back into what would be the
 * middle of its window.  So each trap is noted in its task, under
 * rewrite_lock, before the site is looked at (task_arch.trap_rip, with the
 * count of its entries: a later entry shows that it has moved on), and a
 * window appears only while no other thread can be in it.  Whoever comes back
 * after it has appeared (the trapping thread itself, a signal frame) is led
 * to the trampoline instead: rewrite_fix_rip().
 */
#include "text_page.h"
#include "rewrite.h"

#include <bailey/boot.h>
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#include <linux/mman.h>

#define NR_RT_SIGRETURN 15
#define NR_RESTART 219
#define TRAMPOLINE_PAGES 4
#define TRAMPOLINE_BYTES 64
#define TRAMPOLINE_MAX (TRAMPOLINE_PAGES * PAGE_SIZE / TRAMPOLINE_BYTES)
#define REACH 0x40000000ul /* trampolines within 1 GiB of the text */
#define SCAN 4096          /* how far branches into a window are looked for */
#define SITE_BYTES 32
#define CONTINUE_OFFSET 15 /* of a shape 2 trampoline: lea, jmp, syscall */
#define ORIGIN_OFFSET 56   /* there: from its syscall to the program's */

/* Guards all here and task_arch.trap_*; after mm->map_lock. */
struct mutex rewrite_lock;
struct text_file *text_files[TEXT_FILES_HASH];
static u64 newest_version; /* of any page; read without the lock */

extern char syscall_entry[];

static struct text_file **bucket(const struct inode *ino)
{
	return &text_files[((u64)ino >> 6) % TEXT_FILES_HASH];
}

static struct text_file *file_find(const struct inode *ino)
{
	struct text_file *f;

	for (f = *bucket(ino); f; f = f->next)
		if (f->inode == ino && f->mtime_ns == ino->mtime_ns &&
		    f->size == ino->size)
			return f;
	return NULL; /* never seen, or the file has changed since */
}

static struct text_page *page_find(const struct text_file *f, u64 offset)
{
	struct text_page *p;

	for (p = f->pages; p; p = p->next)
		if (p->offset == offset)
			return p;
	return NULL;
}

static u64 base_of(const struct vma *v)
{
	return v->start - v->offset;
}

static struct text_file *file_add(struct mm *m, const struct vma *v)
{
	struct text_file *f = kzalloc(sizeof(*f));
	u64 at = mm_find_gap_near(m, v->end, TRAMPOLINE_PAGES * PAGE_SIZE,
				  REACH);
	u64 *slot;

	if (!f || !at)
		goto fail;
	f->trampolines = page_alloc(TRAMPOLINE_PAGES);
	if (!f->trampolines)
		goto fail;
	slot = (u64 *)(void *)f->trampolines;
	slot[0] = (u64)syscall_entry;
	f->used = 1;
	f->distance = (s64)(at - base_of(v));
	f->inode = inode_get(v->file->inode);
	f->mtime_ns = f->inode->mtime_ns;
	f->size = f->inode->size;
	f->next = *bucket(f->inode);
	*bucket(f->inode) = f;
	return f;
fail:
	kfree(f);
	return NULL;
}

/* The file's trampolines at their place in the current process; false if
 * something else is there. */
static bool trampolines_map(struct mm *m, struct text_file *f, u64 base)
{
	u64 at = base + (u64)f->distance;
	struct vma *v;
	bool there;

	mutex_lock(&m->lock);
	v = vma_find(m, at);
	there = v && v->name && !strcmp(v->name, "[syscalls]") &&
		v->start == at;
	mutex_unlock(&m->lock);
	return there || mm_map_special(at, TRAMPOLINE_PAGES * PAGE_SIZE,
				       PROT_READ | PROT_EXEC, f->trampolines,
				       "[syscalls]") == 0;
}

/* ---- making a trampoline ------------------------------------------------------ */

static u8 *put_bytes(u8 *p, const void *b, size_t n)
{
	memcpy(p, b, n);
	return p + n;
}

static u8 *put_rel32(u8 *p, const char *opcode, size_t n, u64 here, u64 to)
{
	s32 rel = (s32)(to - (here + n + 4));

	p = put_bytes(p, opcode, n);
	return put_bytes(p, &rel, 4);
}

/* Writes the trampoline of a site; returns its address in the guest, or 0.
 * start: first byte replaced; back: where the guest goes on. */
static u64 trampoline_add(struct text_file *f, u64 base, s32 nr,
			  const u8 *moved, size_t moved_size, u64 back)
{
	u64 zone = base + (u64)f->distance;
	u64 at = zone + f->used * TRAMPOLINE_BYTES;
	u8 *start = f->trampolines + f->used * TRAMPOLINE_BYTES, *p = start;

	if (f->used >= TRAMPOLINE_MAX)
		return 0;
	if (!moved) {
		p = put_bytes(p, "\xb8", 1);
		p = put_bytes(p, &nr, 4);
		p = put_rel32(p, "\x48\x8d\x0d", 3, at + (u64)(p - start),
			      back);
		put_rel32(p, "\xff\x25", 2, at + (u64)(p - start), zone);
	} else {
		u64 cont = at + CONTINUE_OFFSET;
		s64 origin;

		p = put_rel32(p, "\x48\x8d\x0d", 3, at, cont);
		p = put_rel32(p, "\xff\x25", 2, at + 7, zone);
		p = put_bytes(p, "\x0f\x05", 2);
		p = put_bytes(p, moved, moved_size);
		put_rel32(p, "\xe9", 1, at + (u64)(p - start), back);
		origin = (s64)(back - moved_size - cont);
		memcpy(start + ORIGIN_OFFSET, &origin, sizeof(origin));
	}
	f->used++;
	return at;
}

/* ---- which windows are safe ---------------------------------------------------- */

/* Length of opcode, modrm and displacement with a base register, which is not
 * the instruction pointer; 0: something else. */
static size_t based_operand(const u8 *modrm)
{
	unsigned mod = modrm[0] >> 6, rm = modrm[0] & 7;

	if (mod != 1 && mod != 2)
		return 0;
	return 2 + (rm == 4) + (mod == 1 ? 1 : 4);
}

/* Length of an instruction that means the same anywhere; 0: not known. */
static size_t simple_insn(const u8 *b, bool *ends)
{
	size_t rex = (b[0] & 0xf8) == 0x48 || (b[0] & 0xf0) == 0x40;
	const u8 *o = b + rex;
	bool regs = (o[1] & 0xc0) == 0xc0;

	*ends = false;
	if (!rex && b[0] == 0xc3) {
		*ends = true;
		return 1;
	}
	if (!rex && (b[0] & 0xf8) == 0x58)
		return 1; /* pop */
	if (o[0] == 0x3d)
		return rex + 5; /* cmp $imm32,%eax */
	if ((o[0] == 0x89 || o[0] == 0x8b || o[0] == 0x85 || o[0] == 0x31 ||
	     o[0] == 0xf7) && regs && !(o[0] == 0xf7 && (o[1] & 0x30) == 0))
		return rex + 2; /* mov, test, xor, not/neg between registers */
	if (o[0] == 0x83 && regs)
		return rex + 3; /* cmp, add... $imm8 */
	if (o[0] == 0x89 || o[0] == 0x8b)
		return based_operand(o + 1) ? rex + based_operand(o + 1) : 0;
	return 0;
}

/* Bytes after the syscall that move to the trampoline; 0: not possible.
 * *starts: bit k is set if an instruction starts k bytes behind the site. */
static size_t moved_bytes(const u8 *after, size_t avail, u32 *starts)
{
	size_t n = 0;
	bool ends;

	*starts = 0;
	while (n < 3) {
		size_t len = simple_insn(after + n, &ends);

		if (!len || n + len + 8 > avail)
			return 0;
		*starts |= 1u << (n + 2);
		n += len;
		if (ends)
			return n + 2 >= 5 ? n : 0;
	}
	return n;
}

static bool aims_at(u64 target, u64 site, u32 starts)
{
	return target - site < 32 && (starts >> (target - site) & 1);
}

/* Could any branch in b[0..n) (at address at) aim at an instruction that
 * would move?  Every byte position is taken for an instruction, so this errs
 * to the safe side. */
static bool branch_into(const u8 *b, size_t n, u64 at, u64 site, u32 starts)
{
	static const bool may_start[256] = {
		[0x0f] = true, [0x70 ... 0x7f] = true,
		[0xe0 ... 0xe3] = true, [0xe8] = true, [0xe9] = true,
		[0xeb] = true,
	};

	for (size_t i = 0; i + 2 <= n; i++) {
		u64 here = at + i;
		size_t left = n - i;
		s32 rel;

		if (!may_start[b[i]])
			continue;
		if ((b[i] & 0xf0) == 0x70 || b[i] == 0xeb ||
		    (b[i] & 0xfc) == 0xe0) {
			if (aims_at(here + 2 + (u64)(s64)(s8)b[i + 1], site,
				    starts))
				return true;
		} else if (left >= 5 && (b[i] == 0xe9 || b[i] == 0xe8)) {
			memcpy(&rel, b + i + 1, 4);
			if (aims_at(here + 5 + (u64)(s64)rel, site, starts))
				return true;
		} else if (left >= 6 && b[i] == 0x0f &&
			   (b[i + 1] & 0xf0) == 0x80) {
			memcpy(&rel, b + i + 2, 4);
			if (aims_at(here + 6 + (u64)(s64)rel, site, starts))
				return true;
		}
	}
	return false;
}

static bool window_is_safe(const struct vma *v, u64 site, u32 starts)
{
	u64 lo = MAX(v->start, site - MIN(site, (u64)SCAN));
	u64 hi = MIN(v->end, site + SCAN);
	u8 *copy = kmalloc(hi - lo);
	bool safe;

	if (!copy)
		return false;
	safe = copy_from_user(copy, lo, hi - lo) == 0 &&
	       !branch_into(copy, hi - lo, lo, site, starts);
	kfree(copy);
	return safe;
}

/* ---- rewriting a page ----------------------------------------------------------- */

struct window {
	u64 start;         /* first byte that changes */
	size_t size;
	s32 nr;            /* shape 1 */
	u8 moved[16];      /* shape 2 */
	size_t moved_size; /* 0: shape 1 */
};

static bool find_window(const struct vma *v, u64 site, u64 nr,
			struct window *w)
{
	u8 code[SITE_BYTES]; /* from site - 5 */
	u64 from = site - 5;
	u32 starts;
	s32 imm;

	if (from < v->start || from + sizeof(code) > v->end ||
	    copy_from_user(code, from, sizeof(code)))
		return false;
	if (code[5] != 0x0f || code[6] != 0x05)
		return false;
	memcpy(&imm, code + 1, 4);
	w->moved_size = 0;
	if (code[0] == 0xb8 && imm >= 0 && (u64)imm == nr) {
		w->start = from;
		w->size = 5;
		w->nr = imm;
		return true;
	}
	/* A shape 1 jump, whose syscall a restart has run: its trampoline
	 * comes back right behind that. */
	if (code[0] == 0xe9)
		return false;
	w->moved_size = moved_bytes(code + 7, sizeof(code) - 7, &starts);
	if (!w->moved_size)
		return false;
	memcpy(w->moved, code + 7, w->moved_size);
	w->start = site;
	w->size = 2 + w->moved_size;
	return window_is_safe(v, site, starts);
}

static bool page_has_jump(const struct text_page *p, u64 in_page)
{
	u8 now;

	return p && text_page_read(p, in_page, &now, 1) && now == 0xe9;
}

/* Puts the jump into a copy of the page. */
static bool page_patch(struct text_file *f, const struct vma *v,
		       const struct window *w, u8 *page)
{
	u64 to = trampoline_add(f, base_of(v), w->nr,
				w->moved_size ? w->moved : NULL, w->moved_size,
				w->start + w->size + (w->moved_size ? 0 : 2));
	u8 *q;

	if (!to)
		return false;
	q = put_rel32(page + (w->start & ~PAGE_MASK), "\xe9", 1, w->start, to);
	for (size_t i = 5; i < w->size; i++)
		*q++ = 0xcc;
	return true;
}

/* The new version of page p (NULL: the first) with one more site, or NULL. */
static u8 *page_version(struct text_file *f, const struct text_page *p,
			const struct vma *v, const struct window *w)
{
	u8 *page = left_page_alloc();

	if (!page)
		return NULL;
	if (p ? !text_page_read(p, 0, page, PAGE_SIZE)
	      : copy_from_user(page, PAGE_DOWN(w->start), PAGE_SIZE) != 0)
		goto fail;
	if (page_patch(f, v, w, page))
		return page;
fail:
	left_page_free(page, true);
	return NULL;
}

static void page_show(struct text_page *p, const struct vma *v)
{
	if (p->owner != current()->proc->mm)
		p->owner = NULL;
	text_page_map(p, base_of(v) + p->offset, v->prot);
}

/* May a thread of m other than t be on its way back to address rip? */
static bool others_at(struct task *t, u64 rip)
{
	struct task *o;
	bool found = false;

	mutex_lock(&t->proc->sighand->lock);
	list_for_each(o, &t->proc->threads, in_proc)
		if (o != t && o->arch.trap_rip == rip &&
		    o->arch.trap_entry == o->entries)
			found = true;
	mutex_unlock(&t->proc->sighand->lock);
	return found;
}

/* Would showing p here change a window that a thread may be in? */
static bool page_is_safe(struct task *t, const struct text_page *p,
			 const struct vma *v)
{
	u64 at = base_of(v) + p->offset;
	u8 now;

	for (u32 i = 0; i < p->moved_count; i++)
		if (copy_from_user(&now, at + p->moved[i], 1) ||
		    (now != 0xe9 && others_at(t, at + p->moved[i] + 2)))
			return false;
	return true;
}

/* Nobody but the calling thread can run in the page as it is. */
static bool page_is_mine(const struct task *t, const struct text_page *p)
{
	return p && p->owner == t->proc->mm &&
	       p->owner_forks == t->proc->mm->forks &&
	       t->proc->thread_count == 1;
}

static struct text_page *page_add(struct text_file *f, u64 offset)
{
	struct text_page *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->offset = offset;
	p->next = f->pages;
	f->pages = p;
	return p;
}

static bool page_update(struct text_file *f, struct text_page **pp,
			const struct vma *v, const struct window *w)
{
	struct task *t = current();
	struct text_page *p = *pp;
	u8 *page;

	if (p && w->moved_size && p->moved_count == MOVED_MAX)
		return false;
	if (page_is_mine(t, p))
		page = page_patch(f, v, w, p->page) ? p->page : NULL;
	else
		page = page_version(f, p, v, w);
	if (page && !p)
		p = *pp = page_add(f, PAGE_DOWN(w->start) - base_of(v));
	if (!page || !p)
		return false;
	if (w->moved_size)
		p->moved[p->moved_count++] = (u16)(w->start & ~PAGE_MASK);
	if (p->page != page) { /* older ones stay where they are mapped */
		text_page_replace(p, page);
		p->owner = t->proc->mm;
		p->owner_forks = t->proc->mm->forks;
	}
	p->version = newest_version + 1;
	__atomic_store_n(&newest_version, p->version, __ATOMIC_RELEASE);
	return true;
}

static bool is_jump(u64 at)
{
	u8 now;

	return copy_from_user(&now, at, 1) == 0 && now == 0xe9;
}

static void rewrite_window(struct task *t, const struct vma *v,
			   const struct window *w)
{
	struct mm *m = t->proc->mm;
	struct text_file *f = file_find(v->file->inode);
	struct text_page *p;
	bool shares = m->ref.count != 1; /* a vfork: leave all as it is */

	if (shares || (w->moved_size && others_at(t, w->start + 2)))
		return;
	if (!f)
		f = file_add(m, v);
	if (!f || !trampolines_map(m, f, base_of(v)))
		return;
	p = page_find(f, PAGE_DOWN(w->start) - base_of(v));
	if (p && !page_is_safe(t, p, v))
		return;
	if (!page_has_jump(p, w->start & ~PAGE_MASK) &&
	    !page_update(f, &p, v, w))
		return;
	if (!is_jump(w->start)) /* else it was changed where it is */
		page_show(p, v);
	if (m->text_version + 1 == p->version)
		m->text_version = p->version;
}

/* Is a window of ours at start, and where does its trampoline go on? */
static u64 continuation(struct mm *m, u64 start)
{
	struct text_file *f;
	struct text_page *p = NULL;
	struct vma *v, copy;
	u64 to = 0;
	s32 rel;

	mutex_lock(&m->lock);
	v = vma_find(m, start);
	if (v)
		copy = *v;
	mutex_unlock(&m->lock);
	if (!v || !copy.file)
		return 0;
	f = file_find(copy.file->inode);
	if (f)
		p = page_find(f, PAGE_DOWN(start) - base_of(&copy));
	for (u32 i = 0; p && i < p->moved_count; i++)
		if (p->moved[i] == (start & ~PAGE_MASK) &&
		    text_page_read(p, p->moved[i] + 1u, &rel, sizeof(rel)))
			to = start + 5 + (u64)(s64)rel + CONTINUE_OFFSET;
	return to;
}

/* rewrite_lock is held. */
static void fix_rip(struct task *t)
{
	u64 to;
	u8 now;

	if (copy_from_user(&now, t->regs.rip - 2, 1) || now != 0xe9)
		return;
	to = continuation(t->proc->mm, t->regs.rip - 2);
	if (to)
		t->regs.rip = to;
}

void rewrite_fix_rip(struct task *t)
{
	u8 now;

	if (copy_from_user(&now, t->regs.rip - 2, 1) || now != 0xe9)
		return;
	mutex_lock(&rewrite_lock);
	fix_rip(t);
	mutex_unlock(&rewrite_lock);
}

/* ---- where a call comes from ------------------------------------------------- */
static bool in_trampolines(struct mm *m, u64 at)
{
	struct vma *v;
	bool is;

	mutex_lock(&m->lock);
	v = vma_find(m, at);
	is = v && v->name && !strcmp(v->name, "[syscalls]");
	mutex_unlock(&m->lock);
	return is;
}

u64 arch_call_site(const struct task *t)
{
	u64 slot = t->regs.rip - CONTINUE_OFFSET;
	s64 origin;

	if ((slot % TRAMPOLINE_BYTES) || !in_trampolines(t->proc->mm, slot) ||
	    copy_from_user(&origin, slot + ORIGIN_OFFSET, sizeof(origin)))
		return t->regs.rip;
	return t->regs.rip + (u64)origin;
}

void arch_show_call_site(struct task *t)
{
	t->regs.rip = arch_call_site(t);
}

/* ---- a trap ------------------------------------------------------------------ */
static bool may_rewrite(const struct vma *v)
{
	return v && v->file && (v->prot & PROT_EXEC) &&
	       !(v->prot & PROT_WRITE) &&
	       !(v->flags & (VMA_SHARED | VMA_WAS_WRITABLE));
}

/* Sites that cannot be rewritten are looked at once. */
#define REFUSED_SIZE 256
static u64 refused[REFUSED_SIZE] RARE; /* rewrite_lock */

static u64 *refused_slot(const struct vma *v, u64 site, u64 *key)
{
	*key = ((u64)v->file->inode << 20) + site - base_of(v);
	return &refused[(*key * 0x9e3779b97f4a7c15ull) >> 56];
}

static void rewrite_try(struct task *t, struct mm *m, u64 site)
{
	u64 *slot, key;

	struct window w;
	struct vma *v, copy;
	bool ok;

	mutex_lock(&m->lock);
	v = vma_find(m, site);
	ok = may_rewrite(v);
	if (ok)
		copy = *v;
	mutex_unlock(&m->lock);
	if (!ok)
		return;
	slot = refused_slot(&copy, site, &key);
	if (*slot == key)
		return;
	if (find_window(&copy, site, t->regs.orig_rax, &w) &&
	    PAGE_DOWN(w.start) == PAGE_DOWN(w.start + w.size - 1))
		rewrite_window(t, &copy, &w);
	else
		*slot = key;
}

void rewrite_site(struct task *t)
{
	struct mm *m = t->proc->mm;
	u64 site = t->regs.rip - 2, nr = t->regs.orig_rax;
	bool may_map = nr != NR_RT_SIGRETURN && nr != NR_RESTART &&
		       !t->arch.gs_in_use && mutex_trylock(&m->map_lock);

	mutex_lock(&rewrite_lock);
	t->arch.trap_rip = t->regs.rip;
	t->arch.trap_entry = t->entries;
	if (may_map)
		rewrite_try(t, m, site);
	fix_rip(t);
	mutex_unlock(&rewrite_lock);
	if (may_map)
		mutex_unlock(&m->map_lock);
}

/* Show what is newer in this mapping than m has; false: not all of it. */
static bool catch_up(struct mm *m, const struct vma *v)
{
	struct text_file *f = file_find(v->file->inode);
	struct text_page *p;
	bool all = true;

	for (p = f ? f->pages : NULL; p; p = p->next) {
		if (p->version <= m->text_version || p->offset < v->offset ||
		    p->offset >= v->offset + (v->end - v->start))
			continue;
		if (page_is_safe(current(), p, v) &&
		    trampolines_map(m, f, base_of(v)))
			page_show(p, v);
		else
			all = false;
	}
	return all;
}

/* The next mapping of rewritable text at or above addr. */
static bool next_text(struct mm *m, u64 addr, struct vma *out)
{
	struct vma *v;

	mutex_lock(&m->lock);
	for (v = vma_next(m, addr); v && !may_rewrite(v); v = v->next)
		;
	if (v)
		*out = *v;
	mutex_unlock(&m->lock);
	return v != NULL;
}

/* A site that only children run is rewritten by the first of them; without
 * this each later one would trap there again. */
void rewrite_before_fork(struct mm *m)
{
	u64 newest = __atomic_load_n(&newest_version, __ATOMIC_ACQUIRE);
	struct vma v = { .end = 0 };
	bool all = true;

	m->forks++; /* its pages are the child's too */
	if (m->text_version == newest || m->ref.count != 1 ||
	    current()->arch.gs_in_use)
		return;
	mutex_lock(&rewrite_lock);
	while (next_text(m, v.end, &v))
		all &= catch_up(m, &v);
	if (all)
		m->text_version = newest;
	mutex_unlock(&rewrite_lock);
}

void rewrite_text_mapped(struct mm *m, struct vma *v)
{
	struct text_file *f;
	struct text_page *p;
	struct vma copy = *v;

	if (!may_rewrite(v))
		return;
	mutex_lock(&rewrite_lock);
	f = file_find(v->file->inode);
	if (f && f->pages && trampolines_map(m, f, base_of(&copy)))
		for (p = f->pages; p; p = p->next)
			if (p->offset >= copy.offset &&
			    p->offset < copy.offset + (copy.end - copy.start))
				page_show(p, &copy);
	mutex_unlock(&rewrite_lock);
}

void rewrite_text_resumed(struct mm *m, struct vma *v)
{
	struct text_file *f;
	struct vma *there;
	u64 at;

	mutex_lock(&rewrite_lock);
	f = file_find(v->file->inode);
	at = f ? base_of(v) + (u64)f->distance : 0;
	there = f ? vma_find(m, at) : NULL;
	if (there && there->name && !strcmp(there->name, "[syscalls]") &&
	    there->start == at)
		host_mem_map((void *)at, TRAMPOLINE_PAGES * PAGE_SIZE,
			     PROT_READ | PROT_EXEC, HOST_MAP_PRIVATE,
			     heap_handle(), heap_offset(f->trampolines));
	mutex_unlock(&rewrite_lock);
	rewrite_text_mapped(m, v);
}

/* Where the page of a window was held back because this thread might come
 * back into its middle, it is shown now. */
void rewrite_thread_resumed(struct task *t)
{
	rewrite_fix_rip(t);
}
