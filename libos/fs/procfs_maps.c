/*
 * procfs_maps.c - /proc/PID/maps, smaps and smaps_rollup, from the vma list.
 *
 * The names are made with mm->lock dropped (they take the dentry cache's
 * lock), so the list is walked by address: a mapping that goes meanwhile is
 * simply not shown, as on Linux.
 */
#include "procfs.h"

#include <libos/heap.h>
#include <libos/mm.h>

#define NAME_COLUMN 73

/* What is printed of one mapping, copied out. */
struct area {
	u64 start, end, offset;
	u32 prot, flags;
	struct file *file; /* reference */
	const char *name;
};

/* The first one that ends above addr. */
static bool area_next(struct mm *m, u64 addr, struct area *a)
{
	struct vma *v;

	mutex_lock(&m->lock);
	v = vma_next(m, addr);
	if (v) {
		a->start = v->start;
		a->end = v->end;
		a->offset = v->file ? v->offset : 0;
		a->prot = v->prot;
		a->flags = v->flags;
		a->name = v->name;
		a->file = v->file ? file_get(v->file) : NULL;
	}
	mutex_unlock(&m->lock);
	return v != NULL;
}

static void area_done(struct area *a)
{
	if (a->file)
		file_put(a->file);
}

static const char *area_name(const struct area *a, const struct mm *m,
			     char *buf, size_t size)
{
	if (a->file && a->file->dentry) {
		char *p = dentry_path(a->file->dentry, buf, size, true);

		return is_err(p) ? "" : p;
	}
	if (a->file) {
		snprintf(buf, size, "/%s (deleted)", a->file->ops->name ?
			 a->file->ops->name : "dev/zero");
		return buf;
	}
	if (a->name)
		return a->name;
	if (a->start < m->brk && a->end > m->brk_start)
		return "[heap]";
	return a->flags & VMA_STACK ? "[stack]" : "";
}

static int show_line(struct seq *s, const struct area *a, const struct mm *m)
{
	char *buf = kmalloc(PATH_MAX_LEN);
	struct kstat st;
	size_t from = s->len;
	const char *name;

	if (!buf)
		return -ENOMEM;
	memset(&st, 0, sizeof(st));
	if (a->file)
		inode_stat(a->file->inode, &st);
	seq_printf(s, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", a->start,
		   a->end, a->prot & 1 ? 'r' : '-', a->prot & 2 ? 'w' : '-',
		   a->prot & 4 ? 'x' : '-', a->flags & VMA_SHARED ? 's' : 'p',
		   a->offset, (u32)(st.dev >> 8), (u32)(st.dev & 0xff),
		   st.ino);
	name = area_name(a, m, buf, PATH_MAX_LEN);
	if (*name) {
		while (!s->overflow && s->len - from < NAME_COLUMN)
			seq_write(s, " ", 1);
		seq_write(s, name, strlen(name));
	}
	seq_write(s, "\n", 1);
	kfree(buf);
	return 0;
}

int proc_show_maps(struct seq *s, const struct pnode *n)
{
	struct mm *m = pnode_mm(n);
	struct area a;
	u64 addr = 0;
	int err = 0;

	if (!m)
		return n->proc->state == PROC_ALIVE ? -ESRCH : 0;
	while (!err && !s->overflow && area_next(m, addr, &a)) {
		err = show_line(s, &a, m);
		addr = a.end;
		area_done(&a);
	}
	mm_put(m);
	return err;
}

/* ---- smaps ------------------------------------------------------------------------ */
struct usage { u64 size, rss, shared, private_dirty, anonymous, locked; };

static void area_usage(const struct area *a, struct usage *u)
{
	u64 kb = (a->end - a->start) / 1024;
	u64 in = a->prot & 7 && !(a->flags & VMA_NORESERVE) ? kb : 0;
	bool is_private = !(a->flags & VMA_SHARED) && (a->prot & 2);

	u->size += kb;
	if (a->flags & VMA_STACK)
		in = MIN(in ? in : kb, 132ul);
	u->rss += in;
	if (is_private || !a->file) {
		u->private_dirty += in;
		u->anonymous += in;
	} else {
		u->shared += in;
	}
	if (a->flags & VMA_LOCKED)
		u->locked += kb;
}

static void show_usage(struct seq *s, const struct usage *u, bool rollup)
{
	static const char *const zeros[] = {
		"LazyFree:", "AnonHugePages:", "ShmemPmdMapped:",
		"FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:",
		"Swap:", "SwapPss:",
	};

#define LINE(name, v) seq_printf(s, "%-15s %8lu kB\n", name, (u64)(v))
	if (!rollup) {
		LINE("Size:", u->size);
		LINE("KernelPageSize:", 4);
		LINE("MMUPageSize:", 4);
	}
	LINE("Rss:", u->rss);
	LINE("Pss:", u->rss);
	LINE("Pss_Dirty:", u->private_dirty);
	if (rollup) {
		LINE("Pss_Anon:", u->anonymous);
		LINE("Pss_File:", u->shared);
		LINE("Pss_Shmem:", 0);
	}
	LINE("Shared_Clean:", u->shared);
	LINE("Shared_Dirty:", 0);
	LINE("Private_Clean:", 0);
	LINE("Private_Dirty:", u->private_dirty);
	LINE("Referenced:", u->rss);
	LINE("Anonymous:", u->anonymous);
	LINE("KSM:", 0);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		LINE(zeros[i], 0);
	LINE("Locked:", u->locked);
#undef LINE
}

static void show_flags(struct seq *s, const struct area *a)
{
	seq_printf(s, "THPeligible:           0\nVmFlags:%s%s%s%s mr mw me%s%s%s%s \n",
		   a->prot & 1 ? " rd" : "", a->prot & 2 ? " wr" : "",
		   a->prot & 4 ? " ex" : "",
		   a->flags & VMA_SHARED ? " sh" : "",
		   a->flags & VMA_GROWSDOWN ? " gd" : "",
		   a->flags & VMA_LOCKED ? " lo" : "",
		   a->flags & VMA_NORESERVE ? " nr" : "",
		   a->file ? "" : " ac");
}

int proc_show_smaps(struct seq *s, const struct pnode *n)
{
	struct mm *m = pnode_mm(n);
	struct area a;
	u64 addr = 0;
	int err = 0;

	if (!m)
		return 0;
	while (!err && !s->overflow && area_next(m, addr, &a)) {
		struct usage u = { 0 };

		err = show_line(s, &a, m);
		area_usage(&a, &u);
		show_usage(s, &u, false);
		show_flags(s, &a);
		addr = a.end;
		area_done(&a);
	}
	mm_put(m);
	return err;
}

int proc_show_smaps_rollup(struct seq *s, const struct pnode *n)
{
	struct mm *m = pnode_mm(n);
	struct usage u = { 0 };
	u64 addr = 0, first = 0;
	struct area a;

	if (!m)
		return -ESRCH;
	for (; area_next(m, addr, &a); addr = a.end) {
		if (!first)
			first = a.start;
		area_usage(&a, &u);
		area_done(&a);
	}
	seq_printf(s, "%08lx-%08lx ---p 00000000 00:00 0 %24s[rollup]\n",
		   first, addr, "");
	show_usage(s, &u, true);
	mm_put(m);
	return 0;
}
