/*
 * readmap.c - small reads of host files from mappings of their pages.
 *
 * A file that is read in small pieces again and again gets a window: the
 * process maps it into the library OS's region, and a read is a copy then,
 * without the host.  What a window shows is the host's page cache, as reads
 * do, so a volume's file may have one only where every change goes through
 * that cache.
 *
 * A page is read so only after the block around it has been read by calls
 * some times: then it is in the cache (a fault reads far more than a read
 * does), and the fault pays.  The end of a file need not be known: behind
 * the page that was copied from another one must still be there, else the
 * call is made.  Whatever goes wrong, the call is made and says what.
 *
 * Windows belong to an address space.  A thread copies without a lock and
 * looks afterwards whether the window is still the file's.  map_lock guards
 * that it becomes another's.  Each close of a descriptor takes its process's
 * window away, for a deleted file must not stay on the disk for it.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/uaccess.h>

#define WINDOWS 8u
#define WINDOW_SPAN ((BLY_END - BLY_WINDOWS) / WINDOWS)
#define BLOCK_SHIFT 16
#define BLOCKS 2048u
#define BLOCK_READS 4u /* before its pages are believed to be in the cache */

/* hot: number of a block << 4 | how often it was read. */
struct window {
	u32 id;
	u32 hot[BLOCKS];
};
struct readmap {
	struct window *w[WINDOWS];
};

static u32 last_id; /* atomic */

static u64 window_base(u32 id)
{
	return BLY_WINDOWS + id % WINDOWS * WINDOW_SPAN;
}

static struct window *window_of(const struct mm *m, u32 id)
{
	return m->readmap ? m->readmap->w[id % WINDOWS] : NULL;
}

static bool is_hot(struct window *w, u64 pos)
{
	u64 block = pos >> BLOCK_SHIFT;
	u32 *p = &w->hot[block % BLOCKS], v = *p;

	if (v >> 4 == block && (v & 15) >= BLOCK_READS)
		return true;
	*p = v >> 4 == block ? v + 1 : (u32)block << 4 | 1;
	return false;
}

/* ---- making one ------------------------------------------------------------- */
static struct window *window_alloc(struct mm *m, u32 id)
{
	struct window **w;

	if (!m->readmap)
		m->readmap = kzalloc(sizeof(*m->readmap));
	if (!m->readmap)
		return NULL;
	w = &m->readmap->w[id % WINDOWS];
	if (!*w)
		*w = kzalloc(sizeof(**w));
	return *w;
}

static void set_id(struct window *w, u32 id)
{
	__atomic_store_n(&w->id, id, __ATOMIC_RELEASE);
}

static void window_open(struct mm *m, const struct file *f, host_handle h)
{
	struct window *w;

	mutex_lock(&m->map_lock);
	w = window_alloc(m, f->window);
	if (w && w->id != f->window) {
		set_id(w, 0);
		memset(w->hot, 0, sizeof(w->hot));
		if (!host_mem_map((void *)window_base(f->window), WINDOW_SPAN,
				  HOST_PROT_READ, HOST_MAP_SHARED, h, 0))
			set_id(w, f->window);
	}
	mutex_unlock(&m->map_lock);
}

/* May h be mapped for it?  Lower trees are taken not to change. */
static bool is_fit(const struct file *f, host_handle h)
{
	struct host_stat st;
	int is_cached = 0;

	return inode_is_memfs(f->inode) ||
	       (!host_stream_stat(h, &st, &is_cached) && is_cached);
}

static void begin(struct file *f, host_handle h)
{
	u32 id;

	f->small_reads = 0;
	if (!f->window) {
		do
			id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
		while (id == 0 || id == WINDOW_NEVER);
		f->window = is_fit(f, h) ? id : WINDOW_NEVER;
	}
	if (f->window != WINDOW_NEVER)
		window_open(current()->proc->mm, f, h);
}

/* ---- reading ---------------------------------------------------------------- */
static bool copy_out(const struct window *w, u32 id, void *to, u64 from,
		     size_t size)
{
	u32 next;

	return !raw_user_copy(to, (const void *)from, size) &&
	       !raw_user_load((const u32 *)PAGE_UP(from + size), &next) &&
	       __atomic_load_n(&w->id, __ATOMIC_ACQUIRE) == id;
}

bool readmap_copy(struct file *f, host_handle h, void *to, size_t size,
		  u64 pos)
{
	struct window *w;

	if (PAGE_UP(pos + size) >= MIN(f->inode->size, WINDOW_SPAN) ||
	    f->window == WINDOW_NEVER)
		return false;
	w = window_of(current()->proc->mm, f->window);
	if (!f->window || !w || w->id != f->window) {
		begin(f, h);
		return false;
	}
	if (!is_hot(w, pos))
		return false;
	if (copy_out(w, f->window, to, window_base(f->window) + pos, size))
		return true;
	f->small_reads = 0; /* not again at once: it costs a fault */
	return false;
}

/* ---- the end ---------------------------------------------------------------- */
void readmap_close(struct file *f)
{
	struct proc *p = current()->proc;
	struct window *w;

	if (LIKELY(!f->window) || !p || !p->mm)
		return;
	w = window_of(p->mm, f->window);
	if (!w || w->id != f->window)
		return;
	mutex_lock(&p->mm->map_lock);
	if (w->id == f->window) {
		set_id(w, 0);
		host_mem_unmap((void *)window_base(f->window), WINDOW_SPAN);
	}
	mutex_unlock(&p->mm->map_lock);
}

void readmap_forget(struct mm *m)
{
	unsigned i;

	for (i = 0; m->readmap && i < WINDOWS; i++)
		kfree(m->readmap->w[i]);
	kfree(m->readmap);
	m->readmap = NULL;
}
