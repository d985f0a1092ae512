/*
 * heap.c - page runs and small objects of the kernel heap.  See heap.h.
 *
 * The heap object is sparse, so address space is plentiful and only touched
 * pages cost memory.  A page run belongs to a size class (its length rounded
 * up); freed runs are kept per class and reused.  Short runs are kept with
 * their memory ("warm", at most WARM_MAX a class) and zeroed when reused;
 * others give their memory back to the host.
 *
 * pagedesc[] has one word for each page: what the page at the start of a run
 * or slab is, and, while a run is free, the link to the next free one.  Its own
 * pages need none: in the place of those words lie the first pages that are
 * handed out, and the links of pages of BLY_HEAP_LEFT, so that a picoprocess
 * of a small sandbox needs few page tables.
 *
 * Small objects come from slabs of one page per size class, linked through
 * the free objects themselves.
 */
#include <libos/heap.h>
#include <libos/lock.h>

#define PAGE_COUNT ((BLY_HEAP_SIZE - BLY_HEAP_LEFT_SIZE) / PAGE_SIZE)
#define ALL_PAGES (BLY_HEAP_SIZE / PAGE_SIZE)
#define DESC_BASE (BOOT_INFO_ADDR + BOOT_INFO_MAX)
#define DESC_SIZE (ALL_PAGES * sizeof(u32))
#define FIRST_PAGE ((DESC_BASE + DESC_SIZE - BLY_HEAP) / PAGE_SIZE)
#define DESC_PAGE ((DESC_BASE - BLY_HEAP) / PAGE_SIZE)
/* The words of pages DESC_PAGE.. begin in page NEAR_WORDS. */
#define NEAR_WORDS (DESC_PAGE + DESC_PAGE * sizeof(u32) / PAGE_SIZE)
#define NEAR_FIRST (NEAR_WORDS + 1)
#define NEAR_END (DESC_PAGE + FIRST_PAGE * sizeof(u32) / PAGE_SIZE)
#define LEFT_NEAR (NEAR_FIRST * PAGE_SIZE / sizeof(u32) - \
		   DESC_PAGE * PAGE_SIZE / sizeof(u32) - NEAR_END)
#define WARM_MAX 32
#define WARM_PAGES 16  /* runs up to this long are kept warm */
#define RUN_CLASSES 232 /* up to PAGE_COUNT / 4 pages */

#define DESC_SLAB 0x80000000u /* low bits: slab class */
#define DESC_RUN 0x40000000u  /* low bits: pages, for kmalloc'd runs */
#define DESC_MASK 0x3fffffffu

static u32 *const pagedesc = (u32 *)DESC_BASE;

struct run_class {
	u32 warm, cold; /* page index of the first free run, 0 none */
	u32 warm_count;
};
static struct mutex page_lock; /* guards what follows and pagedesc links */
static struct run_class run_classes[RUN_CLASSES];
static u64 next_page = FIRST_PAGE; /* never handed out from here on */
static u64 next_near = NEAR_FIRST; /* nor from here to NEAR_END */
static u32 left_free; /* of BLY_HEAP_LEFT: page index of the first, 0 none */
static u64 next_left = PAGE_COUNT;
static size_t used_pages;
static u64 charged_pages; /* of programs; atomic */

static const u16 slab_sizes[] = { 16, 32, 48, 64, 96, 128, 192, 256, 336,
				  448, 576, 768, 1024, 1344, 2032 };
#define SLAB_MAX 2032
struct slab_class {
	struct mutex lock; /* guards the rest */
	void *free;
	char *bump, *bump_end;
};
static struct slab_class slabs[ARRAY_SIZE(slab_sizes)];
static struct mutex chunk_lock; /* guards the next two */
static char *chunk, *chunk_end; /* pages for slabs */

static void *page_address(u64 index)
{
	return (void *)(BLY_HEAP + index * PAGE_SIZE);
}

static u64 page_index(const void *p)
{
	return heap_offset(p) / PAGE_SIZE;
}

/* Runs of 1..64 pages have a class each; longer ones eight per doubling. */
static unsigned run_class_of(size_t pages, size_t *rounded)
{
	unsigned shift;
	size_t step;

	if (pages <= 64) {
		*rounded = pages;
		return (unsigned)pages - 1;
	}
	shift = 63u - (unsigned)__builtin_clzl(pages - 1); /* >= 6 */
	step = 1ul << (shift - 3);
	*rounded = (pages + step - 1) / step * step;
	return 64 + (shift - 6) * 8 +
	       (unsigned)((*rounded - 1 - (1ul << shift)) / step);
}

static u64 run_take(struct run_class *c, bool *dirty)
{
	u64 i = c->warm;

	*dirty = i != 0;
	if (i) {
		c->warm = pagedesc[i];
		c->warm_count--;
	} else if ((i = c->cold) != 0) {
		c->cold = pagedesc[i];
	}
	if (i)
		pagedesc[i] = 0;
	return i;
}

static const struct boot_info *boot(void)
{
	return (const struct boot_info *)BOOT_INFO_ADDR;
}

static bool counts_programs(void)
{
	return boot()->memory_limit && !(boot()->flags & BOOT_MEMORY_HELD);
}

u64 memory_in_use(void)
{
	u64 pages = used_pages;

	if (counts_programs())
		pages += __atomic_load_n(&charged_pages, __ATOMIC_RELAXED);
	return pages * PAGE_SIZE;
}

static bool over_limit(u64 pages)
{
	u64 limit = boot()->memory_limit;

	return limit && memory_in_use() + pages * PAGE_SIZE > limit;
}

void memory_charge(s64 pages)
{
	__atomic_add_fetch(&charged_pages, (u64)pages, __ATOMIC_RELAXED);
}

bool memory_fits(u64 pages)
{
	return !counts_programs() || !over_limit(pages);
}

/* Pages that were never handed out, or 0.  page_lock held. */
static u64 take_new(u64 pages, u64 align)
{
	u64 near = (next_near + align - 1) & ~(align - 1);
	u64 i = (next_page + align - 1) & ~(align - 1);

	if (pages <= WARM_PAGES && near + pages <= NEAR_END) {
		next_near = near + pages;
		return near;
	}
	if (i + pages > PAGE_COUNT)
		return 0;
	next_page = i + pages;
	return i;
}

void *page_alloc(size_t pages)
{
	size_t rounded;
	unsigned class;
	bool dirty;
	u64 i;

	if (pages == 0 || pages > PAGE_COUNT / 4)
		return NULL;
	class = run_class_of(pages, &rounded);
	mutex_lock(&page_lock);
	if (over_limit(pages)) {
		mutex_unlock(&page_lock);
		return NULL;
	}
	i = run_take(&run_classes[class], &dirty);
	if (!i)
		i = take_new(rounded, 1);
	if (i)
		used_pages += pages;
	mutex_unlock(&page_lock);
	if (!i)
		return NULL;
	if (dirty)
		memset(page_address(i), 0, rounded * PAGE_SIZE);
	return page_address(i);
}

void *page_alloc_aligned(size_t pages, size_t align)
{
	u64 i = 0;

	ASSERT(pages <= 64); /* longer runs are rounded up to their class */

	mutex_lock(&page_lock);
	if (!over_limit(pages))
		i = take_new(pages, align / PAGE_SIZE);
	if (i)
		used_pages += pages;
	mutex_unlock(&page_lock);
	return i ? page_address(i) : NULL;
}

void page_free(void *p, size_t pages)
{
	u64 i = page_index(p);
	size_t rounded;
	struct run_class *c;
	bool warm;

	if (!p)
		return;
	ASSERT(i >= NEAR_FIRST && i < PAGE_COUNT);
	c = &run_classes[run_class_of(pages, &rounded)];
	warm = pages <= WARM_PAGES &&
	       __atomic_load_n(&c->warm_count, __ATOMIC_RELAXED) < WARM_MAX;
	if (!warm)
		host_mem_advise(p, rounded * PAGE_SIZE, HOST_ADVISE_RELEASE);
	mutex_lock(&page_lock);
	if (warm) {
		pagedesc[i] = c->warm;
		c->warm = (u32)i;
		c->warm_count++;
	} else {
		pagedesc[i] = c->cold;
		c->cold = (u32)i;
	}
	used_pages -= pages;
	mutex_unlock(&page_lock);
}

/* Where the link of the free page i of BLY_HEAP_LEFT is. */
static u32 *left_link(u64 i)
{
	u64 n = i - PAGE_COUNT;

	return &pagedesc[n < LEFT_NEAR ? NEAR_END + n : i];
}

void *left_page_alloc(void)
{
	u64 i = 0;

	mutex_lock(&page_lock);
	if (!over_limit(1)) {
		i = left_free;
		if (i)
			left_free = *left_link(i);
		else if (next_left < ALL_PAGES)
			i = next_left++;
	}
	if (i)
		used_pages++;
	mutex_unlock(&page_lock);
	return i ? page_address(i) : NULL;
}

void left_page_free(void *p, bool is_there)
{
	u64 i = page_index(p);

	ASSERT(i >= PAGE_COUNT && i < ALL_PAGES);
	if (is_there)
		host_mem_advise(p, PAGE_SIZE, HOST_ADVISE_RELEASE);
	mutex_lock(&page_lock);
	*left_link(i) = left_free;
	left_free = (u32)i;
	used_pages--;
	mutex_unlock(&page_lock);
}

/* The pages of one class, one run at a time, become cold. */
static void class_trim(struct run_class *c, size_t pages)
{
	u32 i;

	while ((i = c->warm) != 0) {
		c->warm = pagedesc[i];
		c->warm_count--;
		host_mem_advise(page_address(i), pages * PAGE_SIZE,
				HOST_ADVISE_RELEASE);
		pagedesc[i] = c->cold;
		c->cold = i;
	}
}

void heap_trim(void)
{
	mutex_lock(&page_lock);
	for (size_t pages = 1; pages <= WARM_PAGES; pages++)
		class_trim(&run_classes[pages - 1], pages);
	mutex_unlock(&page_lock);
}

size_t page_used(void)
{
	return used_pages;
}

/* ---- small objects -------------------------------------------------------- */

static unsigned slab_class_of(size_t size)
{
	unsigned i = 0;

	while (slab_sizes[i] < size)
		i++;
	return i;
}

/* Slabs lie together: a new picoprocess, which has no page tables for the
 * heap, takes it in by pieces of this size (task.c). */
#define CHUNK_PAGES 16
#define CHUNK_SIZE (CHUNK_PAGES * PAGE_SIZE)
static char *slab_page(void)
{
	char *page = NULL;

	mutex_lock(&chunk_lock);
	if (chunk == chunk_end) {
		chunk = page_alloc_aligned(CHUNK_PAGES, CHUNK_SIZE);
		chunk_end = chunk ? chunk + CHUNK_SIZE : NULL;
		if (chunk)
			host_mem_advise(chunk, CHUNK_SIZE,
					HOST_ADVISE_POPULATE);
	}
	if (chunk) {
		page = chunk;
		chunk += PAGE_SIZE;
	}
	mutex_unlock(&chunk_lock);
	return page ? page : page_alloc(1);
}

static bool slab_grow(struct slab_class *c, unsigned class)
{
	char *page = slab_page();

	if (!page)
		return false;
	pagedesc[page_index(page)] = DESC_SLAB | class;
	c->bump = page;
	c->bump_end = page + PAGE_SIZE;
	return true;
}

static void *slab_alloc(unsigned class)
{
	struct slab_class *c = &slabs[class];
	void *p = NULL;

	mutex_lock(&c->lock);
	if (c->free) {
		p = c->free;
		c->free = *(void **)p;
	} else if (c->bump_end - c->bump >= slab_sizes[class] ||
		   slab_grow(c, class)) {
		p = c->bump;
		c->bump += slab_sizes[class];
	}
	mutex_unlock(&c->lock);
	return p;
}

void *kmalloc(size_t size)
{
	size_t pages;
	void *p;

	if (size <= SLAB_MAX)
		return slab_alloc(slab_class_of(size));
	pages = PAGE_UP(size) / PAGE_SIZE;
	if (pages > DESC_MASK || !(p = page_alloc(pages)))
		return NULL;
	pagedesc[page_index(p)] = DESC_RUN | (u32)pages;
	return p;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p && size <= SLAB_MAX)
		memset(p, 0, size);
	return p;
}

static size_t ksize(const void *p)
{
	u32 desc = pagedesc[page_index(p)];

	if (desc & DESC_SLAB)
		return slab_sizes[desc & DESC_MASK];
	ASSERT(desc & DESC_RUN);
	return (desc & DESC_MASK) * PAGE_SIZE;
}

void kfree(void *p)
{
	struct slab_class *c;
	u32 desc;

	if (!p)
		return;
	desc = pagedesc[page_index(p)];
	if (desc & DESC_RUN) {
		pagedesc[page_index(p)] = 0;
		page_free(p, desc & DESC_MASK);
		return;
	}
	ASSERT(desc & DESC_SLAB);
	c = &slabs[desc & DESC_MASK];
	mutex_lock(&c->lock);
	*(void **)p = c->free;
	c->free = p;
	mutex_unlock(&c->lock);
}

void *krealloc(void *p, size_t size)
{
	size_t old;
	void *q;

	if (!p)
		return kmalloc(size);
	old = ksize(p);
	if (size <= old && (size > old / 2 || old <= 64))
		return p;
	q = kmalloc(size);
	if (!q)
		return NULL;
	memcpy(q, p, MIN(old, size));
	kfree(p);
	return q;
}

char *kstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = kmalloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *kstrdup(const char *s)
{
	return kstrndup(s, strlen(s));
}

host_handle heap_handle(void)
{
	return BLY_FD_HEAP;
}

extern char libos_data_start[], libos_hot_end[];

void heap_init(void)
{
	/* Nearly all of it is about to be used. */
	host_mem_advise(libos_data_start,
			PAGE_UP((u64)(libos_hot_end - libos_data_start)),
			HOST_ADVISE_POPULATE);
	ASSERT(FIRST_PAGE < PAGE_COUNT / 2);
	ASSERT(LEFT_NEAR < PAGE_SIZE / sizeof(u32));
}
