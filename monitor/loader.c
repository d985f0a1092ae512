/*
 * loader.c - the first picoprocess: forked from the monitor, stripped of all
 * that it inherited, filled with the library OS, put behind the wall.
 *
 * From here on every picoprocess comes from it by clone, so what is set here
 * (handlers, filter, limits, no dumps) holds for all.  The old program image
 * is unmapped by libos_start(): this code still runs in it.
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
/* Above all numbers that are handed out here, and no higher: the host keeps a
 * table that goes as far as the highest number ever used. */
#define HANDLE_BASE 16

static struct sock_filter wall[WALL_MAX];

static int load_error(struct err *e, const char *step)
{
	return err_set(e, 125, "cannot load the library OS: %s: %s", step,
		       strerror(errno));
}

/* Give the picoprocess exactly its handles, from 0 up, and nothing else. */
static int handles_place(struct monitor *m, struct err *e)
{
	int from[BLY_FD_FIRST + 5] = { m->request_far, m->events_far,
				       m->heap };
	int i, n = BLY_FD_FIRST;

	for (i = 0; i < 3; i++)
		if (m->stdio[i] >= 0)
			from[n++] = m->stdio[i];
	if (m->trace >= 0)
		from[n++] = m->trace;
	if (m->pages >= 0)
		from[n++] = m->pages;
	for (i = 0; i < n; i++) {
		from[i] = fcntl(from[i], F_DUPFD, HANDLE_BASE);
		if (from[i] < 0)
			return load_error(e, "handles");
	}
	for (i = 0; i < n; i++)
		if (dup2(from[i], i) < 0)
			return load_error(e, "handles");
	if (syscall(SYS_close_range, n, ~0u, 0))
		return load_error(e, "close_range");
	return 0;
}

/* Beyond what the library OS counts against --memory itself. */
#define DATA_MORE (64ul << 20)

/* Where no cgroup holds the sandbox, each picoprocess is held at least. */
static int data_limit_set(const struct monitor *m)
{
	struct rlimit data;

	if (!m->memory || (m->cgroup_has & CGROUP_MEMORY) ||
	    getrlimit(RLIMIT_DATA, &data) ||
	    data.rlim_max <= m->memory + DATA_MORE)
		return 0;
	data.rlim_cur = data.rlim_max = m->memory + DATA_MORE;
	return setrlimit(RLIMIT_DATA, &data);
}

static int limits_set(const struct monitor *m, struct err *e)
{
	struct rlimit files, none = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &files))
		return load_error(e, "limits");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) ||
	    setrlimit(RLIMIT_CORE, &none) || data_limit_set(m))
		return load_error(e, "limits");
	return 0;
}

static int map_at(uint64_t address, uint64_t size, int prot, int flags, int fd,
		  uint64_t offset)
{
	void *want = (void *)(uintptr_t)address;

	return mmap(want, size, prot, flags | MAP_FIXED_NOREPLACE, fd,
		    (off_t)offset) == want ? 0 : -1;
}

/* A fork copies the page tables of a private mapping only once it has a page
 * of its own; else the child faults for each piece of text that it runs.  So
 * one word is written, as it is, before the text gets its protection. */
static int map_text(uint64_t address, uint64_t size, int prot, int fd,
		    uint64_t offset)
{
	volatile uint32_t *word = (void *)(uintptr_t)address;

	if (map_at(address, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		   offset))
		return -1;
	*word = *word;
	if (mprotect((void *)(uintptr_t)address, size, prot))
		return -1;
	/* Saves faults; not every host knows it. */
	(void)madvise((void *)(uintptr_t)address, size, MADV_POPULATE_READ);
	return 0;
}

static int map_image(const struct mon_image *im, int heap, struct err *e)
{
	unsigned i;

	for (i = 0; i < im->text_count; i++)
		if (map_text(im->text[i].address, im->text[i].size,
			     im->text[i].prot, im->fd, im->text[i].offset))
			return load_error(e, "text");
	if (map_at(BLY_HEAP, BLY_HEAP_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_NORESERVE, heap, 0))
		return load_error(e, "kernel heap");
	if (map_at(BLY_LOCAL, BLY_LOCAL_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
		return load_error(e, "private page");
	return 0;
}

/* Move the clock code, its parts in their places relative to each other. */
static int move_vdso(const struct mon_vdso *v, struct err *e)
{
	unsigned i;

	for (i = 0; i < v->count; i++) {
		uint64_t to = BLY_VDSO + (v->part[i].start - v->low);

		if (mremap((void *)(uintptr_t)v->part[i].start,
			   v->part[i].size, v->part[i].size,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)(uintptr_t)to) == MAP_FAILED)
			return load_error(e, "clock page");
	}
	return 0;
}

static int signals_set(const struct bly_image_header *h, struct err *e)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE,
				      SIGTRAP };
	sigset_t none;
	unsigned i;
	int sig;

	for (sig = 1; sig < 65; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			arch_set_default(sig, sig == SIGPIPE ||
					 sig == SIGCHLD || sig == SIGXFSZ);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (arch_set_handler(faults[i], h->fault, h->trap))
			return load_error(e, "handlers");
	if (arch_set_handler(SIGSYS, h->trap, h->trap) ||
	    arch_set_handler(BLY_KICK_SIGNAL, h->interrupt, h->trap))
		return load_error(e, "handlers");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

/* The C library registered a word that the kernel would go on writing to
 * after its page is gone. */
static void rseq_unregister(void)
{
	char *thread;

	if (!__rseq_size)
		return;
	thread = (char *)__builtin_thread_pointer() + __rseq_offset;
	if (syscall(SYS_rseq, thread, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		syscall(SYS_rseq, thread, __rseq_size, RSEQ_FLAG_UNREGISTER,
			RSEQ_SIG);
}

static int wall_install(struct sock_fprog *prog, struct err *e)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog))
		return load_error(e, "seccomp");
	return 0;
}

/* Tell the monitor as the library OS would tell of a crash. */
static _Noreturn void fail(int request, const struct err *e)
{
	struct {
		struct mon_request q;
		struct mon_report r;
		char text[sizeof(e->text)];
	} record;
	size_t n = strlen(e->text);

	memset(&record, 0, sizeof(record));
	record.q.op = MON_REPORT;
	record.q.size = (uint32_t)(offsetof(typeof(record), text) + n);
	record.r.kind = HOST_REPORT_CRASH;
	record.r.text_size = (uint32_t)n;
	memcpy(record.text, e->text, n);
	(void)!write(request, &record, record.q.size);
	_exit(125);
}

static _Noreturn void picoprocess(struct monitor *m, struct sock_fprog *prog)
{
	const struct bly_image_header *h = &m->image.header;
	uint64_t boot = m->pages >= 0 ? BOOT_RESUME_ADDR : BOOT_INFO_ADDR;
	struct err e = { 0 };

	if ((m->network_host && unshare(CLONE_NEWNET) &&
	     load_error(&e, "network")) ||
	    privileges_drop(&e) || limits_set(m, &e) ||
	    map_image(&m->image, m->heap, &e) || handles_place(m, &e))
		fail(m->request_far, &e);
	if (signals_set(h, &e) || move_vdso(&m->vdso, &e))
		fail(BLY_FD_MONITOR, &e);
	rseq_unregister();
	/* It cannot ask for its own number behind the wall. */
	((struct boot_info *)(uintptr_t)boot)->first_pid = getpid();
	if (wall_install(prog, &e))
		fail(BLY_FD_MONITOR, &e);
	arch_enter(h->start, boot, BLY_BOOT_STACK_TOP);
}

int loader_start(struct monitor *m, struct err *e)
{
	const struct bly_image_header *h = &m->image.header;
	unsigned n = wall_build(wall, WALL_MAX, h->host_text_start,
				h->host_text_end);
	struct sock_fprog prog = { (unsigned short)n, wall };

	if (!n)
		return load_error(e, "filter");
	m->init = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (m->init == 0)
		picoprocess(m, &prog);
	if (m->init < 0)
		return load_error(e, "fork");
	return 0;
}
