/*
 * procfs.c - /proc itself: its root directory, processes in it, and the files
 * that are about the whole sandbox.
 *
 * Only the sandbox's own processes appear.  What Linux would tell about the
 * real machine is either what the sandbox was given (processors, memory) or
 * zero.
 */
#include "procfs.h"

#include <bailey/boot.h>
#include <libos/ipc.h>
#include <libos/ktime.h>
#include <libos/proc.h>
#include <libos/version.h>

#include <linux/magic.h>

#define TICK_NS 10000000ul
#define SECOND_NS 1000000000ul

/* ---- processor and memory -------------------------------------------------------- */
static void cpuid(u32 leaf, u32 sub, u32 r[4])
{
#if defined(__x86_64__)
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]),
			 "=d"(r[3]) : "a"(leaf), "c"(sub));
#else
	memset(r, 0, 4 * sizeof(*r));
#endif
}

/* cpuid: leaf, register (0 eax ... 3 edx), bit, name; what programs look for.
 * FSGSBASE is left out on purpose: it is not for guests. */
static const struct { u32 leaf; u8 reg, bit; const char *name; } cpu_flags[] = {
	{ 1, 3, 0, "fpu" }, { 1, 3, 3, "pse" }, { 1, 3, 4, "tsc" },
	{ 1, 3, 8, "cx8" }, { 1, 3, 15, "cmov" }, { 1, 3, 19, "clflush" },
	{ 1, 3, 23, "mmx" }, { 1, 3, 24, "fxsr" }, { 1, 3, 25, "sse" },
	{ 1, 3, 26, "sse2" }, { 1, 3, 28, "ht" },
	{ 0x80000001, 3, 11, "syscall" }, { 0x80000001, 3, 20, "nx" },
	{ 0x80000001, 3, 27, "rdtscp" }, { 0x80000001, 3, 29, "lm" },
	{ 0x80000007, 3, 8, "constant_tsc" },
	{ 0x80000007, 3, 8, "nonstop_tsc" },
	{ 1, 2, 0, "pni" }, { 1, 2, 1, "pclmulqdq" }, { 1, 2, 9, "ssse3" },
	{ 1, 2, 12, "fma" }, { 1, 2, 13, "cx16" }, { 1, 2, 19, "sse4_1" },
	{ 1, 2, 20, "sse4_2" }, { 1, 2, 22, "movbe" }, { 1, 2, 23, "popcnt" },
	{ 1, 2, 25, "aes" }, { 1, 2, 26, "xsave" }, { 1, 2, 28, "avx" },
	{ 1, 2, 29, "f16c" }, { 1, 2, 30, "rdrand" },
	{ 1, 2, 31, "hypervisor" }, { 0x80000001, 2, 0, "lahf_lm" },
	{ 0x80000001, 2, 5, "abm" }, { 0x80000001, 2, 6, "sse4a" },
	{ 7, 1, 3, "bmi1" }, { 7, 1, 5, "avx2" }, { 7, 1, 8, "bmi2" },
	{ 7, 1, 9, "erms" }, { 7, 1, 16, "avx512f" },
	{ 7, 1, 17, "avx512dq" }, { 7, 1, 18, "rdseed" }, { 7, 1, 19, "adx" },
	{ 7, 1, 23, "clflushopt" }, { 7, 1, 24, "clwb" },
	{ 7, 1, 28, "avx512cd" }, { 7, 1, 29, "sha_ni" },
	{ 7, 1, 30, "avx512bw" }, { 7, 1, 31, "avx512vl" },
	{ 7, 2, 9, "vaes" }, { 7, 2, 10, "vpclmulqdq" },
};

static void show_cpu_flags(struct seq *s)
{
	u32 r[4], limits[2];

	cpuid(0, 0, r);
	limits[0] = r[0];
	cpuid(0x80000000u, 0, r);
	limits[1] = r[0];
	seq_printf(s, "flags\t\t:");
	for (size_t i = 0; i < ARRAY_SIZE(cpu_flags); i++) {
		u32 leaf = cpu_flags[i].leaf;

		if (leaf > limits[leaf >> 31])
			continue;
		cpuid(leaf, 0, r);
		if (r[cpu_flags[i].reg] >> cpu_flags[i].bit & 1)
			seq_printf(s, " %s", cpu_flags[i].name);
	}
	seq_printf(s, "\n");
}

struct cpu_name { u32 brand[13]; char vendor[13]; u32 family, model, stepping, level; };

static void cpu_identify(struct cpu_name *c)
{
	u32 r[4];

	memset(c, 0, sizeof(*c));
	cpuid(0, 0, r);
	c->level = r[0];
	memcpy(c->vendor, &r[1], 4);
	memcpy(c->vendor + 4, &r[3], 4);
	memcpy(c->vendor + 8, &r[2], 4);
	cpuid(1, 0, r);
	c->family = r[0] >> 8 & 15;
	c->model = (r[0] >> 4 & 15) | (r[0] >> 12 & 0xf0);
	if (c->family == 15)
		c->family += r[0] >> 20 & 255;
	c->stepping = r[0] & 15;
	cpuid(0x80000000u, 0, r);
	for (u32 i = 0; r[0] >= 0x80000004u && i < 3; i++)
		cpuid(0x80000002u + i, 0, &c->brand[4 * i]);
}

int proc_show_cpuinfo(struct seq *s, const struct pnode *n)
{
	u32 cpus = sandbox_cpus();
	struct cpu_name c;

	cpu_identify(&c);
	for (u32 i = 0; i < cpus; i++) {
		seq_printf(s, "processor\t: %u\nvendor_id\t: %s\n"
			   "cpu family\t: %u\nmodel\t\t: %u\n"
			   "model name\t: %s\nstepping\t: %u\n",
			   i, c.vendor, c.family, c.model,
			   *c.brand ? (const char *)c.brand : "unknown", c.stepping);
		seq_printf(s, "cpu MHz\t\t: 2000.000\ncache size\t: 1024 KB\n"
			   "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n"
			   "cpu cores\t: %u\napicid\t\t: %u\n"
			   "initial apicid\t: %u\nfpu\t\t: yes\n"
			   "fpu_exception\t: yes\ncpuid level\t: %u\n"
			   "wp\t\t: yes\n", cpus, i, cpus, i, i, c.level);
		show_cpu_flags(s);
		seq_printf(s, "bugs\t\t:\nbogomips\t: 4000.00\n"
			   "clflush size\t: 64\ncache_alignment\t: 64\n"
			   "address sizes\t: 48 bits physical, 48 bits virtual\n"
			   "power management:\n\n");
	}
	return 0;
}

static void show_kb(struct seq *s, const char *name, u64 bytes)
{
	seq_printf(s, "%-16s%8lu kB\n", name, bytes / 1024);
}

int proc_show_meminfo(struct seq *s, const struct pnode *n)
{
	static const char *const zero1[] = {
		"Buffers:", "Cached:", "SwapCached:" };
	static const char *const zero2[] = {
		"Inactive:", "Active(anon):", "Inactive(anon):",
		"Active(file):", "Inactive(file):", "Unevictable:", "Mlocked:",
		"SwapTotal:", "SwapFree:", "Dirty:", "Writeback:" };
	static const char *const zero3[] = {
		"Mapped:", "Shmem:", "KReclaimable:", "Slab:", "SReclaimable:",
		"SUnreclaim:", "KernelStack:", "PageTables:", "NFS_Unstable:",
		"Bounce:", "WritebackTmp:" };
	u64 all = sandbox_memory(), used = sandbox_memory_used();

	show_kb(s, "MemTotal:", all);
	show_kb(s, "MemFree:", all - used);
	show_kb(s, "MemAvailable:", all - used);
	for (size_t i = 0; i < ARRAY_SIZE(zero1); i++)
		show_kb(s, zero1[i], 0);
	show_kb(s, "Active:", used);
	for (size_t i = 0; i < ARRAY_SIZE(zero2); i++)
		show_kb(s, zero2[i], 0);
	show_kb(s, "AnonPages:", used);
	for (size_t i = 0; i < ARRAY_SIZE(zero3); i++)
		show_kb(s, zero3[i], 0);
	show_kb(s, "CommitLimit:", all);
	show_kb(s, "Committed_AS:", used);
	seq_printf(s, "VmallocTotal:   34359738367 kB\n");
	show_kb(s, "VmallocUsed:", 0);
	show_kb(s, "VmallocChunk:", 0);
	show_kb(s, "AnonHugePages:", 0);
	seq_printf(s, "HugePages_Total:       0\nHugePages_Free:        0\n"
		   "HugePages_Rsvd:        0\nHugePages_Surp:        0\n"
		   "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n");
	return 0;
}

/* ---- time and load ----------------------------------------------------------------- */
/* Processor time of all processes that exist; ended ones are their parents'
 * children's time. */
struct totals { u64 cpu_ns; u32 running, threads, procs; s32 last_pid; };

/* The n-th process of the list, referenced; NULL at the end. */
static struct proc *proc_after(s32 pid)
{
	struct proc *p, *best = NULL;

	mutex_lock(&tasklist_lock);
	list_for_each(p, &all_procs, in_all) {
		if (p->pid > pid && (!best || p->pid < best->pid))
			best = p;
	}
	if (best)
		ref_get(&best->ref);
	mutex_unlock(&tasklist_lock);
	return best;
}

static u32 count_running(struct proc *p)
{
	struct task *t;
	u32 n = 0;

	mutex_lock(&tasklist_lock);
	list_for_each(t, &p->threads, in_proc)
		n += t == current() || t->sleep_state == TASK_RUNNING;
	mutex_unlock(&tasklist_lock);
	return n;
}

static void add_up(struct totals *sum)
{
	struct proc *p;

	memset(sum, 0, sizeof(*sum));
	while ((p = proc_after(sum->last_pid))) {
		sum->last_pid = p->pid;
		sum->cpu_ns += proc_cpu_ns(p) + p->child_user_ns +
			       p->child_system_ns;
		sum->running += p->state == PROC_ALIVE ? count_running(p) : 0;
		sum->threads += p->thread_count;
		sum->procs++;
		proc_put(p);
	}
}

static void show_cpu_line(struct seq *s, const char *name, u64 busy, u64 all)
{
	seq_printf(s, "%s %lu 0 0 %lu 0 0 0 0 0 0\n", name, busy / TICK_NS,
		   (all > busy ? all - busy : 0) / TICK_NS);
}

static int show_stat(struct seq *s, const struct pnode *n)
{
	u64 up = clock_boot_ns(), now = clock_realtime_ns();
	u32 cpus = sandbox_cpus();
	struct totals sum;

	add_up(&sum);
	show_cpu_line(s, "cpu ", sum.cpu_ns, up * cpus);
	for (u32 i = 0; i < cpus; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu%u", i);
		show_cpu_line(s, name, sum.cpu_ns / cpus, up);
	}
	seq_printf(s, "intr 0\nctxt 0\nbtime %lu\nprocesses %d\n"
		   "procs_running %u\nprocs_blocked 0\n"
		   "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
		   (now - up) / SECOND_NS, sum.last_pid,
		   sum.running ? sum.running : 1);
	return 0;
}

static int show_uptime(struct seq *s, const struct pnode *n)
{
	u64 up = clock_boot_ns(), idle;
	struct totals sum;

	add_up(&sum);
	idle = up * sandbox_cpus();
	idle = idle > sum.cpu_ns ? idle - sum.cpu_ns : 0;
	seq_printf(s, "%lu.%02lu %lu.%02lu\n", up / SECOND_NS,
		   up % SECOND_NS / TICK_NS, idle / SECOND_NS,
		   idle % SECOND_NS / TICK_NS);
	return 0;
}

static int show_loadavg(struct seq *s, const struct pnode *n)
{
	struct totals sum;

	add_up(&sum);
	seq_printf(s, "0.00 0.00 0.00 %u/%u %d\n", sum.running, sum.threads,
		   sum.last_pid);
	return 0;
}

/* Field by field what top and vmstat read; the host does the paging. */
static int show_vmstat(struct seq *s, const struct pnode *n)
{
	static const char *const zeros[] = {
		"nr_dirty", "nr_writeback", "nr_unstable", "nr_page_table_pages",
		"nr_mapped", "nr_slab_reclaimable", "nr_slab_unreclaimable",
		"pgpgin", "pgpgout", "pswpin", "pswpout", "pgalloc_normal",
		"pgfree", "pgactivate", "pgdeactivate", "pgfault",
		"pgmajfault", "oom_kill" };
	u64 all = sandbox_memory(), used = sandbox_memory_used();

	seq_printf(s, "nr_free_pages %lu\nnr_anon_pages %lu\n",
		   (all - used) / PAGE_SIZE, used / PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		seq_printf(s, "%s 0\n", zeros[i]);
	return 0;
}

static int show_interrupts(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%11s", "");
	for (u32 i = 0; i < sandbox_cpus(); i++)
		seq_printf(s, "CPU%-8u", i);
	seq_printf(s, "\n");
	return 0;
}

/* ---- SysV IPC ------------------------------------------------------------------------- */
static int show_shm(struct seq *s, const struct pnode *n)
{
	sysv_show_shm(s);
	return 0;
}

static int show_sem(struct seq *s, const struct pnode *n)
{
	sysv_show_sem(s);
	return 0;
}

static int show_msg(struct seq *s, const struct pnode *n)
{
	sysv_show_msg(s);
	return 0;
}

static const struct pentry sysvipc_table[] = {
	P_FILE("msg", show_msg), P_FILE("sem", show_sem),
	P_FILE("shm", show_shm), P_END
};

/* ---- links to oneself ------------------------------------------------------------------- */
static ssize_t self_link(const struct pnode *n, char *buf, size_t size)
{
	const struct task *t = current();

	return MIN((ssize_t)size - 1, n->entry->value ?
		   snprintf(buf, size, "%d/task/%d", t->proc->pid, t->tid) :
		   snprintf(buf, size, "%d", t->proc->pid));
}

/* ---- the root ------------------------------------------------------------------------------ */
static const struct pentry empty_table[] = { P_END };

static const struct pentry root_table[] = {
	P_DIR("bus", empty_table),
	P_TEXT("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
	       "cpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\n"
	       "memory\t0\t1\t1\npids\t0\t1\t1\n"),
	P_TEXT("cmdline", "bailey\n"), P_TEXT("consoles", ""),
	P_FILE("cpuinfo", proc_show_cpuinfo),
	P_TEXT("devices", "Character devices:\n  1 mem\n  5 /dev/tty\n"
	       "  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n128 ptm\n136 pts\n"
	       "\nBlock devices:\n"),
	P_TEXT("diskstats", ""), P_DIR("driver", empty_table),
	P_TEXT("execdomains", "0-0\tLinux           \t[kernel]\n"),
	P_TEXT("filesystems", "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\n"
	       "nodev\tcgroup2\nnodev\tdevtmpfs\nnodev\tsockfs\n"
	       "nodev\tpipefs\nnodev\tramfs\nnodev\tdevpts\nnodev\toverlay\n"
	       "nodev\tmqueue\n"),
	P_DIR("fs", empty_table), P_FILE("interrupts", show_interrupts),
	P_FILE("loadavg", show_loadavg), P_TEXT("locks", ""),
	P_FILE("meminfo", proc_show_meminfo), P_TEXT("misc", ""),
	P_TEXT("modules", ""), P_LINK("mounts", "self/mounts"),
	P_LINK("net", "self/net"),
	P_TEXT("partitions", "major minor  #blocks  name\n\n"),
	{ .name = "self", .mode = 0120777, .link = self_link },
	P_FILE("stat", show_stat),
	P_TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
	P_DIR("sys", proc_sys_table), P_DIR("sysvipc", sysvipc_table),
	{ .name = "thread-self", .mode = 0120777, .link = self_link,
	  .value = 1 },
	P_DIR("tty", empty_table), P_FILE("uptime", show_uptime),
	P_TEXT("version", LIBOS_SYSNAME " version " LIBOS_RELEASE
	       " (bailey) (gcc) " LIBOS_VERSION "\n"),
	P_FILE("vmstat", show_vmstat), P_END
};

static const struct pentry pid_entry = {
	.name = "pid", .mode = 0040555, .children = proc_pid_table,
};

/* A thread's number names its process too, but is not listed, as on Linux. */
static int root_lookup(struct pnode *child, const char *name)
{
	struct proc *p;
	u32 pid;

	if (!parse_number(name, &pid))
		return -ENOENT;
	mutex_lock(&tasklist_lock);
	p = proc_find((s32)pid);
	if (!p) {
		struct task *t = task_find((s32)pid);

		p = t && !t->is_kthread ? t->proc : NULL;
	}
	if (p && p->state != PROC_DEAD)
		ref_get(&p->ref);
	else
		p = NULL;
	mutex_unlock(&tasklist_lock);
	child->proc = p;
	child->entry = &pid_entry;
	return p ? 0 : -ENOENT;
}

static bool root_list(const struct pnode *n, struct plist *l, u32 from)
{
	struct proc *p;
	s32 pid = (s32)from - 1;

	while ((p = proc_after(pid))) {
		pid = p->pid;
		proc_put(p);
		if (!plist_number(l, (u32)pid, 0040555))
			return false;
	}
	return true;
}

static const struct pdir root_dir = { .lookup = root_lookup,
				      .list = root_list };
static const struct pentry root_entry = {
	.name = "/", .mode = 0040555, .children = root_table, .dir = &root_dir,
};

struct super *procfs_new(void)
{
	return ptree_new("proc", PROC_SUPER_MAGIC, &root_entry);
}
