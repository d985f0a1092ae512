/*
 * resume.c - going on from a saved sandbox.
 *
 * The kernel heap is as it was at the freeze; everything of the host is new.
 * The first host thread becomes the service thread.  It takes over what the
 * monitor tells of the new surroundings, lets every part of the library OS
 * that knows host handles forget or reopen them, and makes one picoprocess
 * for each group of threads that shared one: the first from nothing, a child
 * as a copy of its parent's, in which only what differs is mapped anew.  Each
 * thread gets a host thread that returns from task_park() in its stead.
 *
 * Threads run on as soon as they are there: whoever meets one that is not yet
 * sees a thread that is about to start (host_alive is 0).
 */
#include <libos/core.h>
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/mm.h>
#include <libos/park.h>
#include <libos/proc.h>
#include <libos/random.h>
#include <libos/save.h>
#include <libos/task.h>
#include <libos/vfs.h>

#include "../../host/raw.h"

void task_switch_stack(void *top, void (*fn)(void *), void *arg);

/* ---- the new surroundings ------------------------------------------------------- */
static u64 elapsed; /* of the wall clock, since the save */

static void clocks_go_on(const struct boot_info *b)
{
	u64 monotonic, boot, realtime;
	s64 monotonic_shift, boot_shift;

	host_clock_init(b->vdso);
	host_clock_shift(0, 0);
	monotonic = clock_monotonic_ns();
	boot = clock_boot_ns();
	realtime = clock_realtime_ns();
	elapsed = realtime > save_clocks.realtime_ns
			  ? realtime - save_clocks.realtime_ns : 0;
	monotonic_shift = (s64)(save_clocks.monotonic_ns - monotonic);
	boot_shift = (s64)(save_clocks.boot_ns + elapsed - boot);
	host_clock_shift(monotonic_shift, boot_shift);
	vdso_resumed(monotonic_shift, boot_shift);
}

/* Offsets count from the record: those of the new one, seen from the old. */
static u32 moved(const struct boot_info *b, u32 offset)
{
	return offset ? offset + (u32)((u64)b - BOOT_INFO_ADDR) : 0;
}

static void take_over_boot(const struct boot_info *b)
{
	struct boot_info *old = (struct boot_info *)BOOT_INFO_ADDR;

	old->flags = (b->flags & ~(u32)(BOOT_RESUME | BOOT_READ_ONLY)) |
		     (old->flags & BOOT_READ_ONLY);
	old->events = b->events;
	old->trace = b->trace;
	old->pages = b->pages;
	old->vdso = b->vdso;
	old->vdso_size = b->vdso_size;
	old->sandbox_id = moved(b, b->sandbox_id);
	old->cpu_count = b->cpu_count;
	old->pids_limit = b->pids_limit;
	old->memory_limit = b->memory_limit;
	old->host_memory = b->host_memory;
	old->hwcap = b->hwcap;
	old->hwcap2 = b->hwcap2;
	old->minsigstksz = b->minsigstksz;
	old->port_count = b->port_count;
	old->ports = moved(b, b->ports);
	old->kernel = moved(b, b->kernel);
	old->first_pid = b->first_pid;
}

static void streams_go_on(const struct boot_info *b)
{
	struct boot_info *old = (struct boot_info *)BOOT_INFO_ADDR;
	bool is_tty = b->init.flags & BOOT_SPAWN_TTY;
	static const host_handle none[3] = { HOST_NO_HANDLE, HOST_NO_HANDLE,
					     HOST_NO_HANDLE };

	hoststream_resumed(old->init.handles, is_tty ? none : b->init.handles,
			   b->init.stats);
	console_resumed(is_tty ? b->init.handles[0] : HOST_NO_HANDLE,
			b->init.rows, b->init.columns);
	for (unsigned i = 0; i < 3; i++)
		old->init.handles[i] = b->init.handles[i];
}

/* Those that a command started were told of to a monitor that is gone; and
 * new host processes have used no time yet. */
static void procs_go_on(void)
{
	struct proc *p;

	list_for_each(p, &all_procs, in_all) {
		p->spawn_token = 0;
		if (p->state == PROC_ALIVE)
			p->cpu_before_ns = p->cpu_saved_ns;
	}
}

/* Before anything has started. */
static void check_thread(struct task *t, void *arg)
{
	if (t->park_sp && !arch_thread_fits(t))
		panic("process %d uses vector registers that this processor "
		      "lacks", t->proc->pid);
}

static void forget_host_thread(struct task *t, void *arg)
{
	t->wall_shift_ns += elapsed;
	t->park_group = t->host.process;
	t->host.process = t->host.thread = 0;
	t->host_alive = 0;
	t->park_state = TASK_UNPARKED;
	t->kick_lock.state = 0;
}

static void surroundings_go_on(struct boot_info *b)
{
	take_over_boot(b);
	random_reseed(b);
	generation_resumed();
	park_forget();
	save_forget();
	hostwait_resumed();
	if (service_resumed() < 0)
		panic("the service thread cannot go on");
	memfs_lower_resumed();
	hostfs_resumed();
	streams_go_on(b);
	net_resumed();
	epoll_resumed();
	ktimers_jumped(elapsed);
	procs_go_on();
}

/* ---- the image's tables ------------------------------------------------------------ */
static int read_pages(host_handle h, void *to, size_t size, u64 offset)
{
	while (size) {
		struct host_iovec iov = { to, size };
		int64_t n = host_stream_read(h, &iov, 1, offset);

		if (n == -HOST_EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		to = (char *)to + n;
		size -= (size_t)n;
		offset += (u64)n;
	}
	return 0;
}

struct image_tables {
	host_handle h;
	struct pages_header header;
	struct pages_space *spaces;
};

static int tables_read(struct image_tables *t, host_handle h)
{
	size_t size;
	int err;

	t->h = h;
	err = read_pages(h, &t->header, sizeof(t->header), 0);
	if (err || t->header.magic != PAGES_MAGIC ||
	    t->header.version != PAGES_VERSION ||
	    t->header.space_count > PAGES_SPACES_MAX)
		return -EIO;
	size = t->header.space_count * sizeof(*t->spaces);
	t->spaces = kmalloc(size);
	if (!t->spaces)
		return -ENOMEM;
	return read_pages(h, t->spaces, size, t->header.spaces);
}

#define RUNS_MAX 0x4000000ul
static int space_read(const struct image_tables *t, u64 number,
		      struct image_space *s)
{
	struct pages_run *runs;
	u32 i;

	*s = (struct image_space){ .pages = t->h,
				   .first_data = t->header.first_data,
				   .ready = t->header.ready };
	for (i = 0; i < t->header.space_count; i++)
		if (t->spaces[i].id == number)
			break;
	if (i == t->header.space_count || !t->spaces[i].run_count)
		return 0; /* no page of it was saved */
	if (t->spaces[i].run_count > RUNS_MAX)
		return -EIO;
	runs = kmalloc(t->spaces[i].run_count * sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	s->runs = runs;
	s->run_count = t->spaces[i].run_count;
	return read_pages(t->h, runs, s->run_count * sizeof(*runs),
			  t->spaces[i].runs);
}

/* Rewritten text stays in the image, where all that go on from it share it. */
static void text_goes_on(const struct image_tables *t)
{
	struct image_space heap;

	if (space_read(t, 0, &heap))
		panic("the saved sandbox's heap is not in its image");
	rewrite_resumed(&heap);
	kfree((void *)(uintptr_t)heap.runs);
}

/* ---- threads and picoprocesses --------------------------------------------------------- */
/* Below the frame where t stands still: its new host thread starts there. */
static struct host_start start_of(struct task *t, void (*fn)(void *))
{
	return (struct host_start){
		.start = fn,
		.arg = t,
		.stack_top = (void *)t->park_sp,
		.trap_area = (char *)t + TASK_TRAP_OFFSET,
		.trap_size = TASK_TRAP_SIZE,
		.ids = &t->host,
		.alive = &t->host_alive,
	};
}

static void thread_starts(void *arg)
{
	struct task *t = arg;

	arch_set_current(t);
	task_adopt_host_thread(t);
	arch_load_thread(t);
	arch_unpark(t->park_sp);
}

/* The threads of one picoprocess, while it is made. */
struct resume_group {
	struct resume_group *next;   /* of all */
	struct resume_group *parent; /* whose picoprocess it is a copy of */
	s32 number;                  /* at the save */
	struct task *first;
	struct task **threads;
	u32 count;
	u32 copies_left;  /* atomic: copies that still look at our space */
	struct image_space space;
};
static struct resume_group *groups; /* written before the first starts */
static u32 groups_left; /* atomic; the service thread waits for 0 */

_Noreturn static void group_failed(const struct resume_group *g,
				   const char *what, int err)
{
	panic("the saved sandbox cannot go on here: process %d cannot be made "
	      "again (%s: error %d)", g->first->proc->pid, what, -err);
}

static void await_zero(u32 *word)
{
	u32 left;

	while ((left = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != 0)
		host_sync_wait(word, left, HOST_FOREVER);
}

static void count_down(u32 *word)
{
	__atomic_fetch_sub(word, 1, __ATOMIC_SEQ_CST);
	host_sync_wake(word, INT32_MAX);
}

static void start_others(struct resume_group *g)
{
	for (u32 i = 0; i < g->count; i++) {
		struct task *t = g->threads[i];
		struct host_start s = start_of(t, thread_starts);
		int err;

		if (t == g->first)
			continue;
		t->host.process = g->first->host.process;
		err = host_thread_create(&s);
		if (err < 0)
			group_failed(g, "a thread", err);
	}
}

static void group_starts(void *arg);

/* Picoprocesses that are much like this one, as its children are, begin as
 * copies of it.  It waits until they have seen what they are copies of. */
static void start_copies(struct resume_group *g)
{
	struct resume_group *c;

	for (c = groups; c; c = c->next) {
		struct host_start s = start_of(c->first, group_starts);
		int err;

		if (c->parent != g)
			continue;
		__atomic_fetch_add(&g->copies_left, 1, __ATOMIC_SEQ_CST);
		c->first->host.process = 0;
		err = host_process_create(&s);
		if (err < 0)
			group_failed(c, "the picoprocess", err);
	}
	await_zero(&g->copies_left);
}

static int map_group(struct resume_group *g)
{
	struct resume_group *p = g->parent;
	struct mm *m = g->first->proc->mm;
	int err;

	if (!p)
		return mm_resume(m, &g->space);
	err = mm_resume_copy(m, &g->space, p->first->proc->mm, &p->space);
	count_down(&p->copies_left);
	return err;
}

/* First code of a picoprocess that goes on, on its first thread. */
static void group_starts(void *arg)
{
	struct task *t = arg;
	struct resume_group *g = t->resume_group;
	int err;

	arch_set_current(t);
	task_adopt_host_thread(t);
	err = map_group(g);
	if (err)
		group_failed(g, "its memory", err);
	for (u32 i = 0; i < g->count; i++)
		rewrite_thread_resumed(g->threads[i]);
	start_copies(g);
	start_others(g);
	t->resume_group = NULL;
	kfree((void *)(uintptr_t)g->space.runs);
	kfree(g->threads);
	count_down(&groups_left);
	arch_load_thread(t);
	arch_unpark(t->park_sp);
}

/* ---- which threads belong together ---------------------------------------------------- */
struct group_search {
	s32 above;           /* groups with a greater number are wanted */
	s32 number;          /* the lowest of them, 0: none */
	u32 count;           /* of its threads */
	struct task **threads;
};

static void search_group(struct task *t, void *arg)
{
	struct group_search *s = arg;

	if (!t->park_sp || t->park_group <= s->above)
		return;
	if (!s->number || t->park_group < s->number) {
		s->number = t->park_group;
		s->count = 0;
	}
	s->count += t->park_group == s->number;
}

static void collect_group(struct task *t, void *arg)
{
	struct group_search *s = arg;

	if (t->park_sp && t->park_group == s->number)
		s->threads[s->count++] = t;
}

/* The group with the next number, or NULL. */
static struct resume_group *group_next(const struct image_tables *t, s32 above)
{
	struct group_search s = { .above = above };
	struct resume_group *g;
	int err;

	task_for_each(search_group, &s);
	if (!s.number)
		return NULL;
	g = kzalloc(sizeof(*g));
	s.threads = kmalloc(s.count * sizeof(*s.threads));
	if (!g || !s.threads)
		panic("no memory to go on");
	s.count = 0;
	task_for_each(collect_group, &s);
	g->threads = s.threads;
	g->count = s.count;
	g->first = s.threads[0];
	g->first->resume_group = g;
	g->number = s.number;
	err = space_read(t, (u64)s.number, &g->space);
	if (err)
		group_failed(g, "its pages", err);
	return g;
}

static struct resume_group *group_of(const struct proc *p)
{
	struct resume_group *g;
	struct task *t;

	if (list_empty(&p->threads))
		return NULL;
	t = list_first(&p->threads, struct task, in_proc);
	for (g = groups; g; g = g->next)
		if (g->number == t->park_group)
			return g;
	return NULL;
}

/* The nearest ancestor that has a picoprocess of its own. */
static struct resume_group *parent_of(const struct resume_group *g,
				      struct resume_group *own)
{
	const struct proc *p = g->first->proc->parent;
	struct resume_group *found;

	for (; p; p = p->parent) {
		found = group_of(p);
		if (found && found != g)
			return found;
	}
	return g == own ? NULL : own;
}

static void groups_collect(const struct image_tables *t, s32 own_number)
{
	struct resume_group *g, *own = NULL;
	s32 number = 0;

	groups = NULL;
	while ((g = group_next(t, number)) != NULL) {
		number = g->number;
		g->next = groups;
		groups = g;
		groups_left++;
		if (number == own_number)
			own = g;
	}
	for (g = groups; g; g = g->next) {
		g->parent = g == own ? NULL : parent_of(g, own);
		mm_resume_files(g->first->proc->mm);
	}
	memfs_lower_open_now();
}

/* The group that lived beside the service thread does so again; the others
 * are copies of it and of each other.  Without it all begin from nothing. */
static void groups_start(s32 own_number)
{
	struct resume_group *g;

	for (g = groups; g; g = g->next) {
		struct host_start s = start_of(g->first, group_starts);
		bool is_own = g->number == own_number;
		int err;

		if (g->parent)
			continue;
		g->first->host.process = is_own ? current()->host.process : 0;
		err = is_own ? host_thread_create(&s) : host_process_create(&s);
		if (err < 0)
			group_failed(g, "its first thread", err);
	}
}

static void groups_free(void)
{
	struct resume_group *g;

	while ((g = groups) != NULL) {
		groups = g->next;
		kfree(g);
	}
}

/* On the service thread's own stack. */
static void resume_main(void *arg)
{
	struct boot_info *b = arg;
	struct image_tables t;
	s32 own_number = current()->park_group;

	task_for_each(check_thread, NULL);
	task_for_each(forget_host_thread, NULL);
	surroundings_go_on(b);
	if (tables_read(&t, b->pages))
		panic("the saved sandbox's page tables cannot be read");
	text_goes_on(&t);
	groups_left = 0;
	groups_collect(&t, own_number);
	kfree(t.spaces);
	groups_start(own_number);
	await_zero(&groups_left);
	groups_free();
	host_report(HOST_REPORT_STARTED, 0, 0, "", 0);
	service_run();
}

_Noreturn void resume_start(struct boot_info *b)
{
	struct task *t = service_task();

	if (b->magic != BOOT_MAGIC || b->version != HOST_ABI_VERSION || !t)
		panic("the monitor speaks another version of the host ABI "
		      "than the saved sandbox");
	arch_init();
	host_request_resumed();
	clocks_go_on(b);
	t->park_group = t->host.process;
	t->host.process = t->host.thread = b->first_pid;
	t->sleep_state = TASK_RUNNING;
	arch_set_current(t);
	arch_set_trap_area((char *)t + TASK_TRAP_OFFSET, TASK_TRAP_SIZE);
	t->host_alive = 1;
	task_switch_stack((void *)t->kstack_top, resume_main, b);
	__builtin_unreachable();
}
