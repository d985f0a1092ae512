/*
 * unit.c - runs unit tests of the library OS, each in a sandbox of its own.
 *
 *   unit-libos           every test, each in a process of its own
 *   unit-libos NAME...   those of these names, or whose names begin so
 *   unit-libos --list    their names
 *
 * $UNIT_SEED makes other random numbers than the usual ones.
 *
 * The guest is the test: a system call goes the way that entry.S would send
 * it, through dispatch and the work on the way out, and its signal handlers
 * and restarts are carried out here.
 */
#include "unit.h"

#include <bailey/boot.h>
#include <libos/core.h>
#include <libos/ktime.h>
#include <libos/mm.h>
#include <libos/proc.h>
#include <libos/vfs.h>

#define SITE 0x100000ul /* where the guest's system call is; never run */
#define AFTER (SITE + 2)

int fork(void);
int waitpid(int pid, int *status, int options);
int fflush(void *stream);
_Noreturn void _exit(int status);
_Noreturn void exit(int status);
unsigned alarm(unsigned seconds);
char *getenv(const char *name);

static struct unit *units;
static unsigned checks, failures;

/* ---- checks ----------------------------------------------------------------- */
void unit_check(bool ok, const char *file, int line, const char *what)
{
	__atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
	if (ok)
		return;
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	printf("%s:%d: not so: %s\n", file, line, what);
}

void unit_equal(long got, long want, const char *file, int line,
		const char *what)
{
	__atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
	if (got == want)
		return;
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	printf("%s:%d: %s is %ld, not %ld\n", file, line, what, got, want);
}

_Noreturn void unit_fatal(const char *file, int line, const char *what)
{
	printf("%s:%d: not so: %s\n", file, line, what);
	fake_end();
	exit(1);
}

static u64 state = 88172645463325252ull;

u32 unit_random(u32 below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 11) % below;
}

/* ---- the guest --------------------------------------------------------------- */
/* One call, or one return from a handler, and the way back. */
static void enter(struct task *t, u64 nr, u64 back)
{
	t->regs.orig_rax = nr;
	t->regs.rip = back;
	t->entries++;
	syscall_dispatch(t);
	if (t->work)
		exit_work(t);
}

/* Until the guest is behind its system call again. */
static void run(struct task *t)
{
	while (t->regs.rip != AFTER) {
		struct regs r = t->regs;

		if (r.rip == SITE) {
			enter(t, r.rax, AFTER);
			continue;
		}
		((void (*)(int, const siginfo_t *, void *))r.rip)(
			(int)r.rdi, (const siginfo_t *)r.rsi, (void *)r.rdx);
		enter(t, __NR_rt_sigreturn, SITE);
	}
}

long unit_sys(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct task *t = current();

	t->regs.rdi = a;
	t->regs.rsi = b;
	t->regs.rdx = c;
	t->regs.r10 = d;
	t->regs.r8 = e;
	t->regs.r9 = f;
	enter(t, (u64)nr, AFTER);
	run(t);
	return (long)t->regs.rax;
}

struct guest_start {
	int (*fn)(void *arg);
	void *arg;
	bool is_thread;
};

void unit_run_guest(struct task *t)
{
	struct guest_start *s = (struct guest_start *)t->regs.rsp, start = *s;

	kfree(s);
	if (t->work)
		exit_work(t);
	run(t);
	t->regs.rax = (u64)start.fn(start.arg);
	if (start.is_thread)
		SYS(exit, t->regs.rax);
	SYS(exit_group, t->regs.rax);
	panic("a task goes on after its end");
}

static s32 start(u64 flags, int (*fn)(void *arg), void *arg, bool is_thread)
{
	struct guest_start *s = kmalloc(sizeof(*s));

	*s = (struct guest_start){ fn, arg, is_thread };
	return (s32)SYS(clone, flags, s);
}

s32 unit_fork(int (*fn)(void *arg), void *arg)
{
	return start(SIGCHLD, fn, arg, false);
}

s32 unit_thread(int (*fn)(void *arg), void *arg)
{
	const u64 vm = 0x100, fs = 0x200, files = 0x400, sighand = 0x800,
		  thread = 0x10000;

	return start(vm | fs | files | sighand | thread, fn, arg, true);
}

int unit_wait(s32 pid)
{
	int status = -1;
	long r = SYS(wait4, pid, &status, 0, 0);

	return r == pid ? status : (int)r;
}

bool unit_until(const volatile u32 *word, u32 value)
{
	for (int i = 0; i < 10000; i++) {
		if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
			return true;
		fake_sleep_ms(1);
	}
	return false;
}

void unit_service(void)
{
	ASSERT(service_start() == 0);
}

/* ---- the sandbox ---------------------------------------------------------------- */
const struct boot_info *boot_info(void)
{
	return (const struct boot_info *)BOOT_INFO_ADDR;
}

struct boot_record {
	struct boot_info b;
	struct boot_mount mounts[8];
	char text[256];
};

static u32 text_add(struct boot_record *r, u32 *used, const char *s)
{
	u32 at = *used;

	*used += (u32)strlcpy(r->text + at, s, sizeof(r->text) - at) + 1;
	return (u32)offsetof(struct boot_record, text) + at;
}

static void boot_record(void)
{
	struct boot_record *r = (void *)BOOT_INFO_ADDR;
	static const struct { u32 kind; const char *at; } mounts[] = {
		{ BOOT_MOUNT_LAYER, "/" }, { BOOT_MOUNT_TMPFS, "/tmp" },
		{ BOOT_MOUNT_PROC, "/proc" }, { BOOT_MOUNT_DEV, "/dev" },
		{ BOOT_MOUNT_SYS, "/sys" }, { BOOT_MOUNT_VOLUME, "/volume" },
	};
	u32 used = 0;

	r->b.magic = BOOT_MAGIC;
	r->b.version = HOST_ABI_VERSION;
	r->b.size = sizeof(*r);
	r->b.events = r->b.trace = HOST_NO_HANDLE;
	r->b.heap = BLY_FD_HEAP;
	r->b.cpu_count = 2;
	r->b.hostname = text_add(r, &used, "unit");
	r->b.sandbox_id = text_add(r, &used, "unit");
	r->b.kernel = text_add(r, &used, "6.1");
	r->b.mount_count = ARRAY_SIZE(mounts);
	r->b.mounts = offsetof(struct boot_record, mounts);
	for (u32 i = 0; i < ARRAY_SIZE(mounts); i++) {
		r->mounts[i].kind = mounts[i].kind;
		r->mounts[i].guest = text_add(r, &used, mounts[i].at);
	}
	r->b.init.umask = 022;
}

/* As libos_start() and boot_main() do it, without a program. */
static void boot(void)
{
	const struct boot_info *b = (const void *)BOOT_INFO_ADDR;
	char why[64] = "";
	struct task *t;

	boot_record();
	heap_init();
	kernel_proc = proc_alloc();
	kernel_proc->sighand = sighand_alloc();
	kernel_proc->files = files_alloc();
	kernel_proc->mm = mm_alloc();
	t = spawn_prepare(&b->init, b, b->init.handles, why, sizeof(why));
	ASSERT(t);
	fake_thread_here(&t->host.process, &t->host.thread);
	arch_set_current(t);
	t->host_alive = 1;
	t->proc->mm->mmap_top = BLY_END; /* all below the library OS */
	vfs_init(b);
	dentry_put(t->proc->fs->root);
	dentry_put(t->proc->fs->cwd);
	t->proc->fs->root = dentry_get(vfs_root);
	t->proc->fs->cwd = dentry_get(vfs_root);
	init_proc = t->proc;
	proc_link(t->proc, NULL, t->tid, t->tid);
	t->regs.rip = AFTER;
}

/* Nobody else is there: run the next timer, if it comes first, as the service
 * thread would. */
static int idle(uint64_t deadline_ns)
{
	static struct task *service;
	struct task *t = current();
	u64 next = ktimer_next();

	if (next == HOST_FOREVER || next > deadline_ns)
		return 0;
	if (!service)
		service = task_alloc(kernel_proc);
	fake_clock_set(next);
	arch_set_current(service);
	ktimer_run();
	arch_set_current(t);
	return 1;
}

/* ---- running them ------------------------------------------------------------------ */
void unit_add(struct unit *u)
{
	struct unit **at = &units;

	while (*at && strcmp((*at)->name, u->name) < 0)
		at = &(*at)->next;
	u->next = *at;
	*at = u;
}

static int run_here(const struct unit *u)
{
	const char *seed = getenv("UNIT_SEED");

	while (seed && *seed)
		state = state * 31 + (u8)*seed++;
	alarm(60);
	fake_start();
	if (u->still) {
		fake_clock_still(1000 * NSEC_PER_SEC);
		fake_idle = idle;
	}
	boot();
	u->fn();
	fake_end();
	printf("%s: %u checks%s\n", u->name, checks,
	       failures ? ", FAILED" : "");
	fflush(NULL);
	return failures != 0;
}

static bool is_name(const char *name)
{
	for (const struct unit *u = units; u; u = u->next)
		if (!strcmp(u->name, name))
			return true;
	return false;
}

static bool wanted(const struct unit *u, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (is_name(argv[i]) ? !strcmp(u->name, argv[i]) :
		    !strncmp(u->name, argv[i], strlen(argv[i])))
			return true;
	return argc < 2;
}

static int list(void)
{
	for (const struct unit *u = units; u; u = u->next)
		printf("%s\n", u->name);
	return 0;
}

/* In a process of its own: whether it went well. */
static bool run_unit(const struct unit *u)
{
	int pid, status;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(run_here(u));
	if (waitpid(pid, &status, 0) == pid && !status)
		return true;
	printf("%s: FAILED, status %x\n", u->name, status);
	return false;
}

int main(int argc, char **argv);
int main(int argc, char **argv)
{
	int bad = 0, ran = 0;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	for (const struct unit *u = units; u; u = u->next) {
		if (!wanted(u, argc, argv))
			continue;
		ran++;
		bad += !run_unit(u);
	}
	return bad || !ran;
}
