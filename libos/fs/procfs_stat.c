/*
 * procfs_stat.c - /proc/PID/stat, statm, status, limits: a process in
 * numbers, in the exact words of Linux, because ps, top and many runtimes
 * parse them.
 */
#include "procfs.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/tty.h>

#define TICK_NS 10000000ull /* USER_HZ is 100 */
#define PTS_DEVICE(n) (TTY_PTS_MAJOR << 8 | ((n) & 0xff) | ((n) & 0xfff00) << 12)

static u64 ticks(u64 ns) { return ns / TICK_NS; }

/* ---- gathered under the locks, printed without -------------------------------- */
struct pstat {
	s32 pid, ppid, pgid, sid, tgid;
	char state;
	u32 threads, exit_code, exit_signal;
	u64 pending, shared_pending, blocked, ignored, caught;
	u64 user_ns, child_user_ns, child_system_ns, start_ns;
	u32 tty_device; s32 tty_group;
	struct cred cred;
	char comm[16];
	s32 nice;
	u32 policy, priority;
	u64 switches;
	u64 cpu_mask;
	u32 seccomp_mode, seccomp_filters;
	struct proc *tracer;
};

static char state_of(const struct proc *p, const struct task *t)
{
	if (p->state != PROC_ALIVE || !t)
		return 'Z';
	if (p->is_stopped)
		return 'T';
	return t == current() || t->sleep_state == TASK_RUNNING ? 'R' : 'S';
}

static void get_signals(struct pstat *st, struct proc *p, struct task *t)
{
	struct sighand *h = p->sighand;

	if (!h || p->state != PROC_ALIVE)
		return;
	mutex_lock(&h->lock);
	st->pending = t ? t->pending.set : 0;
	st->shared_pending = p->pending.set;
	st->blocked = t ? t->blocked : 0;
	st->seccomp_mode = t ? t->seccomp_mode : 0;
	st->seccomp_filters = t ? seccomp_filter_count(t) : 0;
	for (int i = 0; i < NSIG; i++) {
		if (h->action[i].handler == 1)
			st->ignored |= 1ull << i;
		else if (h->action[i].handler)
			st->caught |= 1ull << i;
	}
	mutex_unlock(&h->lock);
}

static void get_process(struct pstat *st, struct proc *p)
{
	struct tty *tty = tty_of_proc(p);

	st->tgid = st->pid = p->pid;
	st->ppid = p->parent ? p->parent->pid : 0;
	st->pgid = p->pgid;
	st->sid = p->sid;
	st->threads = p->thread_count;
	st->exit_code = p->state == PROC_ALIVE ? 0 : p->exit_code;
	st->exit_signal = p->exit_signal;
	st->child_user_ns = p->child_user_ns;
	st->child_system_ns = p->child_system_ns;
	st->start_ns = p->start_time_ns;
	st->tty_group = -1;
	if (tty) {
		st->tty_device = PTS_DEVICE(tty->number);
		st->tty_group = tty->foreground;
	}
}

static void get_thread(struct pstat *st, const struct task *t)
{
	st->cred = t->cred;
	memcpy(st->comm, t->comm, sizeof(st->comm));
	st->nice = t->nice;
	st->policy = t->sched_policy;
	st->priority = t->sched_priority;
	st->switches = t->voluntary_switches;
	st->cpu_mask = t->cpu_mask[0];
}

static void pstat_get(struct pstat *st, const struct pnode *n)
{
	struct task *t = pnode_task(n);
	struct proc *p = n->proc;

	memset(st, 0, sizeof(*st));
	mutex_lock(&tasklist_lock);
	get_process(st, p);
	st->state = state_of(p, t);
	get_signals(st, p, t);
	mutex_unlock(&tasklist_lock);
	if (t) {
		get_thread(st, t);
	} else {
		const char *base = p->exe_path ? strrchr(p->exe_path, '/') : 0;

		strlcpy(st->comm, base ? base + 1 : "exited",
			sizeof(st->comm));
	}
	if (n->tid)
		st->pid = n->tid;
	if (n->tid && t)
		st->start_ns = t->start_time_ns;
	st->user_ns = n->tid && t ? task_cpu_ns(t) : proc_cpu_ns(p);
	if (t)
		task_put(t);
}

static s32 shown_priority(const struct pstat *st)
{
	if (st->policy == 1 || st->policy == 2) /* SCHED_FIFO, SCHED_RR */
		return -1 - (s32)st->priority;
	return 20 + st->nice;
}

/* ---- stat ----------------------------------------------------------------------- */
static void show_stat_memory(struct seq *s, const struct pnode *n, u64 rss_lim)
{
	struct mm *m = pnode_mm(n);
	struct pmem u;

	if (!m) {
		seq_printf(s, "0 0 %lu 0 0 0 0 0 ", rss_lim);
		return;
	}
	mm_usage(m, &u);
	seq_printf(s, "%lu %lu %lu %lu %lu %lu 0 0 ", u.size * PAGE_SIZE,
		   u.resident, rss_lim, m->code_start, m->code_end,
		   m->stack_top);
	mm_put(m);
}

static void show_stat_areas(struct seq *s, const struct pnode *n)
{
	struct mm *m = pnode_mm(n);

	if (!m) {
		seq_printf(s, "0 0 0 0 0 0 0");
		return;
	}
	seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu", m->data_start,
		   m->data_end, m->brk_start, m->arg_start, m->arg_end,
		   m->env_start, m->env_end);
	mm_put(m);
}

int proc_show_stat(struct seq *s, const struct pnode *n)
{
	struct pstat st;

	pstat_get(&st, n);
	seq_printf(s, "%d (%s) %c %d %d %d %d %d %u ", st.pid, st.comm,
		   st.state, st.ppid, st.pgid, st.sid, (s32)st.tty_device,
		   st.tty_group, 0x400000u);
	seq_printf(s, "0 0 0 0 %lu 0 %lu %lu ", ticks(st.user_ns),
		   ticks(st.child_user_ns), ticks(st.child_system_ns));
	seq_printf(s, "%d %d %u 0 %lu ", shown_priority(&st), st.nice,
		   st.threads, ticks(st.start_ns));
	show_stat_memory(s, n, n->proc->rlimits[5 /* RLIMIT_RSS */].soft);
	seq_printf(s, "%lu %lu %lu %lu %d 0 0 %u 0 %u %u 0 0 0 ",
		   st.pending & 0x7fffffff, st.blocked & 0x7fffffff,
		   st.ignored & 0x7fffffff, st.caught & 0x7fffffff,
		   st.state == 'S', st.exit_signal, st.priority, st.policy);
	show_stat_areas(s, n);
	seq_printf(s, " %u\n", st.exit_code);
	return 0;
}

int proc_show_statm(struct seq *s, const struct pnode *n)
{
	struct mm *m = pnode_mm(n);
	struct pmem u;

	if (!m) {
		seq_printf(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	mm_usage(m, &u);
	mm_put(m);
	seq_printf(s, "%lu %lu %lu %lu 0 %lu 0\n", u.size, u.resident,
		   u.shared, u.text, u.data + u.stack);
	return 0;
}

/* ---- status ---------------------------------------------------------------------- */
static const char *state_name(char state)
{
	switch (state) {
	case 'R': return "R (running)";
	case 'T': return "T (stopped)";
	case 'Z': return "Z (zombie)";
	default: return "S (sleeping)";
	}
}

static void show_status_ids(struct seq *s, const struct pstat *st,
			    const struct proc *p, u32 fd_count)
{
	const struct cred *c = &st->cred;

	seq_printf(s, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n"
		   "TracerPid:\t0\n", st->tgid, st->pid, st->ppid);
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid,
		   c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid,
		   c->fsgid);
	seq_printf(s, "FDSize:\t%u\nGroups:\t", fd_count);
	for (u32 i = 0; i < c->group_count; i++)
		seq_printf(s, "%s%u", i ? " " : "", c->groups[i]);
	seq_printf(s, " \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n"
		   "Kthread:\t0\n", st->tgid, st->pid, st->pgid, st->sid);
}

static void show_kb(struct seq *s, const char *name, u64 pages)
{
	seq_printf(s, "%s\t%8lu kB\n", name, pages * (PAGE_SIZE / 1024));
}

static void show_status_memory(struct seq *s, const struct pnode *n)
{
	struct mm *m = pnode_mm(n);
	struct pmem u;

	if (!m)
		return;
	mm_usage(m, &u);
	mm_put(m);
	show_kb(s, "VmPeak:", u.size);
	show_kb(s, "VmSize:", u.size);
	show_kb(s, "VmLck:", u.locked);
	show_kb(s, "VmPin:", 0);
	show_kb(s, "VmHWM:", u.resident);
	show_kb(s, "VmRSS:", u.resident);
	show_kb(s, "RssAnon:", u.resident - u.shared);
	show_kb(s, "RssFile:", u.shared);
	show_kb(s, "RssShmem:", 0);
	show_kb(s, "VmData:", u.data);
	show_kb(s, "VmStk:", u.stack);
	show_kb(s, "VmExe:", u.text);
	show_kb(s, "VmLib:", u.shared > u.text ? u.shared - u.text : 0);
	show_kb(s, "VmPTE:", u.resident / 512 + 4);
	show_kb(s, "VmSwap:", 0);
	seq_printf(s, "HugetlbPages:\t       0 kB\nCoreDumping:\t0\n"
		   "THP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n");
}

static void show_status_signals(struct seq *s, const struct pstat *st,
				const struct proc *p)
{
	seq_printf(s, "Threads:\t%u\nSigQ:\t0/%lu\n", st->threads,
		   p->rlimits[11 /* RLIMIT_SIGPENDING */].soft);
	seq_printf(s, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n"
		   "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", st->pending,
		   st->shared_pending, st->blocked, st->ignored, st->caught);
}

static void show_status_rights(struct seq *s, const struct pstat *st)
{
	const struct cred *c = &st->cred;
	u32 cpus = sandbox_cpus();
	u64 all = cpus >= 64 ? ~0ull : (1ull << cpus) - 1;
	u64 mask = st->cpu_mask ? st->cpu_mask & all : all;

	seq_printf(s, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n"
		   "CapBnd:\t%016lx\nCapAmb:\t%016lx\n", c->cap_inheritable,
		   c->cap_permitted, c->cap_effective, c->cap_bounding,
		   c->cap_ambient);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n"
		   "Speculation_Store_Bypass:\tvulnerable\n"
		   "SpeculationIndirectBranch:\talways enabled\n",
		   c->no_new_privs, st->seccomp_mode, st->seccomp_filters);
	seq_printf(s, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", mask);
	for (u32 i = 0, printed = 0; i < 64; i++) {
		u32 end = i;

		if (!(mask >> i & 1))
			continue;
		while (end < 63 && (mask >> (end + 1) & 1))
			end++;
		seq_printf(s, "%s%u", printed++ ? "," : "", i);
		if (end > i)
			seq_printf(s, "-%u", end);
		i = end;
	}
	seq_printf(s, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n"
		   "voluntary_ctxt_switches:\t%lu\n"
		   "nonvoluntary_ctxt_switches:\t0\n", st->switches);
}

/* A command name with backslash and newline made visible. */
static void show_name(struct seq *s, const char *comm)
{
	seq_printf(s, "Name:\t");
	for (; *comm; comm++) {
		if (*comm == '\\')
			seq_printf(s, "\\\\");
		else if (*comm == '\n')
			seq_printf(s, "\\n");
		else
			seq_write(s, comm, 1);
	}
	seq_printf(s, "\n");
}

int proc_show_status(struct seq *s, const struct pnode *n)
{
	struct files *files = pnode_files(n);
	struct proc *p = n->proc;
	struct pstat st;
	u32 fd_count = 0, umask = 022;

	if (files) {
		fd_count = files_capacity(files);
		files_put(files);
	}
	pstat_get(&st, n);
	show_name(s, st.comm);
	mutex_lock(&tasklist_lock);
	if (p->state == PROC_ALIVE && p->fs)
		umask = p->fs->umask;
	mutex_unlock(&tasklist_lock);
	if (st.state != 'Z')
		seq_printf(s, "Umask:\t%04o\n", umask);
	seq_printf(s, "State:\t%s\n", state_name(st.state));
	show_status_ids(s, &st, p, fd_count);
	show_status_memory(s, n);
	show_status_signals(s, &st, p);
	show_status_rights(s, &st);
	return 0;
}

/* ---- limits ---------------------------------------------------------------------- */
static const struct { const char *name, *unit; } limit_names[RLIMITS] = {
	{ "Max cpu time", "seconds" }, { "Max file size", "bytes" },
	{ "Max data size", "bytes" }, { "Max stack size", "bytes" },
	{ "Max core file size", "bytes" }, { "Max resident set", "bytes" },
	{ "Max processes", "processes" }, { "Max open files", "files" },
	{ "Max locked memory", "bytes" }, { "Max address space", "bytes" },
	{ "Max file locks", "locks" }, { "Max pending signals", "signals" },
	{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" },
	{ "Max realtime priority", "" }, { "Max realtime timeout", "us" },
};

static void show_limit(struct seq *s, u64 v)
{
	if (v == ~0ull)
		seq_printf(s, "%-20s ", "unlimited");
	else
		seq_printf(s, "%-20lu ", v);
}

int proc_show_limits(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit",
		   "Hard Limit", "Units");
	for (int i = 0; i < RLIMITS; i++) {
		const struct rlimit_pair *r = &n->proc->rlimits[i];

		seq_printf(s, "%-25s ", limit_names[i].name);
		show_limit(s, r->soft);
		show_limit(s, r->hard);
		seq_printf(s, "%-10s\n", limit_names[i].unit);
	}
	return 0;
}
