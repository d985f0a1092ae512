/*
 * vma.c - the list of mappings (libos/mm/vma.c) against a plain model: random
 * additions, cuts, merges and gap searches, with every invariant of the tree
 * checked.  Built on the host, with sanitizers.
 */
#define LIBOS_HOSTED 1
#include "../../libos/mm/vma.c"

/* The C library's headers and the kernel's do not go together. */
void *calloc(size_t n, size_t size);
void *malloc(size_t n);
void free(void *p);
int rand(void);
void srand(unsigned seed);
_Noreturn void abort(void);
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

__thread struct task *hosted_current;

void *kzalloc(size_t n)
{
	return calloc(1, n);
}
void memory_charge(s64 pages) { }
void *kmalloc(size_t n)
{
	return malloc(n);
}
void kfree(void *p)
{
	free(p);
}
void file_put(struct file *f)
{
}

#define PAGES 2000u
#define BASE 0x100000ul
#define DIE(...) (printf("FAIL " __VA_ARGS__), printf("\n"), abort())

static u8 model[PAGES]; /* 0 free, else protection + 1 */

static u64 page_at(u64 i)
{
	return BASE + i * PAGE_SIZE;
}

static u64 check_subtree(const struct vma *v, const struct vma *up)
{
	u64 g;

	if (!v)
		return 0;
	if (v->up != up || (up && up->priority < v->priority))
		DIE("tree order at %lx", (long)v->start);
	g = MAX(v->gap, check_subtree(v->left, v));
	g = MAX(g, check_subtree(v->right, v));
	if (g != v->max_gap)
		DIE("max_gap at %lx", (long)v->start);
	return g;
}

static void check_all(struct mm *m)
{
	struct vma *v, *prev = NULL;
	u64 pages = 0, data = 0, end = 0;
	u32 count = 0, i = 0;

	check_subtree(m->root, NULL);
	for (v = m->first; v; prev = v, v = v->next) {
		if (v->prev != prev || v->start < end || v->end <= v->start)
			DIE("thread at %lx", (long)v->start);
		if (v->gap != v->start - end)
			DIE("gap at %lx", (long)v->start);
		if (prev && prev->end == v->start && prev->prot == v->prot)
			DIE("not merged at %lx", (long)v->start);
		for (; page_at(i) < v->start; i++)
			if (model[i])
				DIE("page %u should be mapped", i);
		for (; page_at(i) < v->end; i++)
			if (model[i] != v->prot + 1)
				DIE("page %u: wrong", i);
		end = v->end;
		pages += vma_size(v) >> PAGE_SHIFT;
		if (v->prot & PROT_WRITE)
			data += vma_size(v) >> PAGE_SHIFT;
		count++;
	}
	for (; i < PAGES; i++)
		if (model[i])
			DIE("page %u lost", i);
	if (m->last != prev || m->count != count || m->total_pages != pages ||
	    m->data_pages != data)
		DIE("accounts");
}

static void add(struct mm *m, u32 from, u32 to, u32 prot)
{
	struct vma like = { .start = page_at(from), .end = page_at(to),
			    .prot = prot }, *v, *dead = NULL;

	if (vma_cut(m, like.start, like.end, &dead) ||
	    vma_add(m, &like, &v, &dead))
		DIE("add");
	vma_free_chain(dead);
	memset(model + from, (int)prot + 1, to - from);
	if (v->start > like.start || v->end < like.end)
		DIE("add gives the wrong one");
}

static void cut(struct mm *m, u32 from, u32 to)
{
	struct vma *dead = NULL;

	if (vma_cut(m, page_at(from), page_at(to), &dead))
		DIE("cut");
	vma_free_chain(dead);
	memset(model + from, 0, to - from);
}

/* The highest run of free pages, by looking at each. */
static u64 model_gap(u32 want, u32 low, u32 high)
{
	u32 run = 0, i;

	for (i = high; i-- > low;) {
		run = model[i] ? 0 : run + 1;
		if (run == want)
			return page_at(i);
	}
	return 0;
}

static void look(struct mm *m, u32 from, u32 to, u32 size)
{
	u64 a = vma_gap_below(m, size * PAGE_SIZE, page_at(from), page_at(to));
	struct vma *v = vma_find(m, page_at(from) + 5);
	u32 i;

	if (a != model_gap(size, from, to))
		DIE("gap of %u in %u..%u: %lx", size, from, to, (long)a);
	if (!!v != !!model[from])
		DIE("find %u", from);
	for (i = from; i < to && model[i]; i++)
		;
	if (vma_range_mapped(m, page_at(from), page_at(to)) != (i == to))
		DIE("range_mapped");
	for (i = from; i < to && !model[i]; i++)
		;
	if (vma_range_free(m, page_at(from), page_at(to)) != (i == to))
		DIE("range_free");
}

int main(void)
{
	struct mm m = { 0 };
	unsigned round;

	srand(1);
	for (round = 0; round < 60000; round++) {
		u32 from = (u32)rand() % (PAGES - 1), to, n;

		n = rand() % 20 ? 8 : PAGES / 3;
		to = from + 1 + (u32)rand() % n;
		to = MIN(to, PAGES);
		if (rand() % 5 < 2)
			add(&m, from, to, (u32)rand() % 4);
		else if (rand() % 2)
			cut(&m, from, to);
		else
			look(&m, from, to, 1 + (u32)rand() % 12);
		if (round % 16 == 0)
			check_all(&m);
	}
	printf("vma: %u rounds, %u mappings at the end\n", round, m.count);
	cut(&m, 0, PAGES);
	if (m.root || m.first || m.count || m.total_pages)
		DIE("not empty");
	return 0;
}
