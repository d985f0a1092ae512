/*
 * text_page.c - see text_page.h.
 */
#include "text_page.h"

#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/save.h>
#include <libos/task.h>

struct text_old {
	struct text_old *next;
	u8 *page;
};

static host_handle image_pages = HOST_NO_HANDLE;

bool text_page_read(const struct text_page *p, u64 offset, void *to,
		    size_t size)
{
	u64 done = 0;

	if (p->page) {
		memcpy(to, p->page + offset, size);
		return true;
	}
	while (done < size) {
		struct host_iovec iov = { (char *)to + done, size - done };
		int64_t n = host_stream_read(image_pages, &iov, 1,
					     p->in_image + offset + done);

		if (n <= 0 && n != -HOST_EINTR)
			return false;
		done += n > 0 ? (u64)n : 0;
	}
	return true;
}

/* Into the heap. */
static bool page_fetch(struct text_page *p)
{
	u8 *page = p->page ? p->page : left_page_alloc();

	if (!page)
		return false;
	if (!p->page && !text_page_read(p, 0, page, PAGE_SIZE)) {
		left_page_free(page, true);
		return false;
	}
	p->page = page;
	return true;
}

static bool map_from_image(const struct text_page *p, u64 addr)
{
	struct mm *m = current()->proc->mm;
	int err;

	mutex_lock(&m->lock);
	err = host_mem_map((void *)addr, PAGE_SIZE,
			   HOST_PROT_READ | HOST_PROT_EXEC, HOST_MAP_PRIVATE,
			   image_pages, p->in_image);
	mutex_unlock(&m->lock);
	return !err;
}

void text_page_map(struct text_page *p, u64 addr, u32 prot)
{
	/* a file system from which nothing may be run has it refused */
	if (!p->page && map_from_image(p, addr))
		return;
	if (page_fetch(p))
		mm_map_special(addr, PAGE_SIZE, prot, p->page, NULL);
}

void text_page_replace(struct text_page *p, u8 *page)
{
	struct text_old *o = p->page ? kmalloc(sizeof(*o)) : NULL;

	if (o) {
		o->page = p->page;
		o->next = p->old;
		p->old = o;
	}
	p->page = page;
}

/* ---- saving and going on --------------------------------------------------------- */
/* Where a page of the heap is in the image's file, or 0. */
static u64 find_in_image(const struct image_space *heap, const u8 *page)
{
	u64 at = heap_offset(page), i;

	for (i = 0; i < heap->run_count; i++)
		if (at - heap->runs[i].address <
		    heap->runs[i].count * PAGE_SIZE)
			return heap->runs[i].page * PAGE_SIZE +
			       (at - heap->runs[i].address);
	return 0;
}

static void page_resumed(struct text_page *p, const struct image_space *heap)
{
	struct text_old *o;

	p->owner = NULL; /* nobody has it to himself any more */
	while ((o = p->old) != NULL) {
		p->old = o->next;
		left_page_free(o->page, false);
		kfree(o);
	}
	p->in_image = find_in_image(heap, p->page);
	if (p->in_image) {
		left_page_free(p->page, false);
		p->page = NULL;
	}
}

void rewrite_resumed(const struct image_space *heap)
{
	struct text_file *f;
	struct text_page *p;
	u32 i;

	image_pages = heap->pages;
	for (i = 0; i < TEXT_FILES_HASH; i++)
		for (f = text_files[i]; f; f = f->next)
			for (p = f->pages; p; p = p->next)
				if (p->page)
					page_resumed(p, heap);
}

int rewrite_before_save(void)
{
	struct text_file *f;
	struct text_page *p;
	bool ok = true;
	u32 i;

	mutex_lock(&rewrite_lock);
	for (i = 0; i < TEXT_FILES_HASH; i++)
		for (f = text_files[i]; f; f = f->next)
			for (p = f->pages; p; p = p->next)
				ok &= page_fetch(p);
	mutex_unlock(&rewrite_lock);
	return ok ? 0 : -ENOMEM;
}
