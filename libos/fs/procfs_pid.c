/*
 * procfs_pid.c - what /proc/PID and /proc/PID/task/TID hold, and the simple
 * files in them.  The bigger ones have files of their own (procfs_stat.c,
 * procfs_maps.c, procfs_fd.c).
 */
#include "procfs.h"

#include <libos/heap.h>
#include <libos/mm.h>
#include <libos/proc.h>

/* ---- words ----------------------------------------------------------------------- */
/* A private copy of memory that exec may replace: made under tasklist_lock. */
static int show_copied(struct seq *s, const struct proc *p, char *const *text,
		       const u32 *size)
{
	mutex_lock(&tasklist_lock);
	if (p->state == PROC_ALIVE && *text)
		seq_write(s, *text, *size);
	mutex_unlock(&tasklist_lock);
	return 0;
}

static int show_cmdline(struct seq *s, const struct pnode *n)
{
	if (n->proc == current()->proc)
		title_refresh(current());
	return show_copied(s, n->proc, &n->proc->cmdline,
			   &n->proc->cmdline_size);
}

static int show_environ(struct seq *s, const struct pnode *n)
{
	int err = pnode_may_look(n);

	return err ? err : show_copied(s, n->proc, &n->proc->environ_copy,
				       &n->proc->environ_size);
}

static int show_auxv(struct seq *s, const struct pnode *n)
{
	seq_write(s, n->proc->auxv, n->proc->auxv_count * sizeof(u64));
	return 0;
}

static int show_comm(struct seq *s, const struct pnode *n)
{
	struct task *t = pnode_task(n);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%s\n", t->comm);
	task_put(t);
	return 0;
}

static ssize_t write_comm(const struct pnode *n, const char *text, size_t size)
{
	size_t len = strnlen(text, MIN(size, 15ul));
	struct task *t;

	if (n->proc != current()->proc)
		return -EINVAL;
	t = pnode_task(n);
	if (!t)
		return -ESRCH;
	memset(t->comm, 0, sizeof(t->comm));
	memcpy(t->comm, text, len);
	task_put(t);
	return (ssize_t)size;
}

/* ---- links ------------------------------------------------------------------------- */
static struct dentry *get_exe(struct proc *p)
{
	return p->exe && p->exe->dentry ? dentry_get(p->exe->dentry) : NULL;
}

static struct dentry *get_fs(struct proc *p, bool root)
{
	struct fs_context *fs = p->fs;
	struct dentry *d;

	if (!fs)
		return NULL;
	mutex_lock(&fs->lock);
	d = dentry_get(root ? fs->root : fs->cwd);
	mutex_unlock(&fs->lock);
	return d;
}

enum { LINK_EXE, LINK_CWD, LINK_ROOT };

static int pid_follow(const struct pnode *n, struct dentry **out)
{
	struct proc *p = n->proc;
	int err = pnode_may_look(n);

	if (err)
		return err;
	*out = NULL;
	mutex_lock(&tasklist_lock);
	if (p->state == PROC_ALIVE)
		*out = n->entry->value == LINK_EXE ? get_exe(p) :
			get_fs(p, n->entry->value == LINK_ROOT);
	mutex_unlock(&tasklist_lock);
	return *out ? 0 : -ENOENT;
}

static ssize_t dentry_link(struct dentry *d, char *buf, size_t size)
{
	char *path, *name;
	ssize_t n;

	path = kmalloc(PATH_MAX_LEN);
	if (!path)
		return -ENOMEM;
	name = dentry_path(d, path, PATH_MAX_LEN, true);
	n = is_err(name) ? ptr_err(name) : (ssize_t)strlcpy(buf, name, size);
	kfree(path);
	return n < 0 ? n : MIN(n, (ssize_t)size - 1);
}

static ssize_t pid_link(const struct pnode *n, char *buf, size_t size)
{
	struct dentry *d;
	int err = pid_follow(n, &d);
	ssize_t r;

	if (err)
		return err;
	r = dentry_link(d, buf, size);
	dentry_put(d);
	return r;
}

/* Name spaces: one of each kind, the whole sandbox's. */
static ssize_t ns_link(const struct pnode *n, char *buf, size_t size)
{
	return MIN((ssize_t)size - 1,
		   snprintf(buf, size, "%s:[%lu]", n->entry->text,
			    4026531834ul + n->entry->value));
}

static int ns_follow(const struct pnode *n, struct dentry **out)
{
	return -EACCES; /* there is no file behind it to open */
}

#define NS(n, kind, v) { .name = (n), .mode = 0120777, .text = (kind), \
	.link = ns_link, .follow = ns_follow, .value = (v) }
static const struct pentry ns_table[] = {
	NS("cgroup", "cgroup", 1), NS("ipc", "ipc", 5), NS("mnt", "mnt", 7),
	NS("net", "net", 6), NS("pid", "pid", 2),
	NS("pid_for_children", "pid", 2), NS("time", "time", 0),
	NS("time_for_children", "time", 0), NS("user", "user", 3),
	NS("uts", "uts", 4), P_END
};

/* ---- numbers ----------------------------------------------------------------------- */
static int show_oom_adj(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%d\n", n->proc->oom_score_adj);
	return 0;
}

static ssize_t write_oom_adj(const struct pnode *n, const char *text,
			     size_t size)
{
	s64 v;

	if (parse_signed(text, &v) || v < -1000 || v > 1000)
		return -EINVAL;
	if (v < n->proc->oom_score_adj && !capable(24 /* SYS_RESOURCE */))
		return -EACCES;
	n->proc->oom_score_adj = (s32)v;
	return (ssize_t)size;
}

static int show_oom_score(struct seq *s, const struct pnode *n)
{
	s32 v = 666 + n->proc->oom_score_adj * 2 / 3;

	seq_printf(s, "%d\n", v < 0 ? 0 : v);
	return 0;
}

static int show_personality(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%08x\n", n->proc->personality);
	return 0;
}

static int show_timerslack(struct seq *s, const struct pnode *n)
{
	struct task *t = pnode_task(n);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%lu\n", t->timer_slack_ns);
	task_put(t);
	return 0;
}

static ssize_t write_timerslack(const struct pnode *n, const char *text,
				size_t size)
{
	struct task *t;
	s64 v;

	if (parse_signed(text, &v) || v < 0)
		return -EINVAL;
	t = pnode_task(n);
	if (!t)
		return -ESRCH;
	t->timer_slack_ns = v ? (u64)v : 50000;
	task_put(t);
	return (ssize_t)size;
}

/* The library OS counts calls, not bytes; what it does not know is 0. */
static int show_io(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\n"
		   "read_bytes: 0\nwrite_bytes: 0\n"
		   "cancelled_write_bytes: 0\n");
	return 0;
}

static int show_schedstat(struct seq *s, const struct pnode *n)
{
	struct task *t = pnode_task(n);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%lu 0 %lu\n", task_cpu_ns(t), t->voluntary_switches);
	task_put(t);
	return 0;
}

static int show_sched(struct seq *s, const struct pnode *n)
{
	struct task *t = pnode_task(n);
	u64 ns;

	if (!t)
		return -ESRCH;
	ns = task_cpu_ns(t);
	seq_printf(s, "%s (%d, #threads: %u)\n"
		   "-------------------------------------------------------"
		   "------------\n", t->comm, t->tid, n->proc->thread_count);
	seq_printf(s, "se.sum_exec_runtime                          : %13lu"
		   ".%06lu\n", ns / 1000000, ns % 1000000);
	seq_printf(s, "nr_switches                                  : %20lu\n"
		   "policy                                       : %20u\n"
		   "prio                                         : %20d\n",
		   t->voluntary_switches, t->sched_policy, 120 + t->nice);
	task_put(t);
	return 0;
}

/* Who may map what is fixed: the sandbox's users are its own. */
static int show_id_map(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%10u %10u %10u\n", 0, 0, 4294967295u);
	return 0;
}

static int show_children(struct seq *s, const struct pnode *n)
{
	struct proc *c;

	mutex_lock(&tasklist_lock);
	list_for_each(c, &n->proc->children, sibling)
		seq_printf(s, "%d ", c->pid);
	mutex_unlock(&tasklist_lock);
	return 0;
}

/* Accepted and without effect: there is no accessed bit to clear. */
static ssize_t write_ignored(const struct pnode *n, const char *text,
			     size_t size)
{
	return (ssize_t)size;
}

/* ---- tables ---------------------------------------------------------------------------- */
static const struct pentry attr_table[] = {
	P_TEXT("current", "unconfined\n"), P_TEXT("exec", ""),
	P_TEXT("fscreate", ""), P_TEXT("prev", "unconfined\n"), P_END
};

#define MAGIC(n, v) { .name = (n), .mode = 0120777, .link = pid_link, \
	.follow = pid_follow, .value = (v) }
#define NUMBERS(n, d) { .name = (n), .mode = 0040500, .dir = (d) }
#define COMMON                                                               \
	{ .name = "attr", .mode = 0040555, .children = attr_table },         \
	P_PRIVATE("auxv", show_auxv), P_TEXT("cgroup", "0::/\n"),            \
	{ .name = "clear_refs", .mode = 0100200, .write = write_ignored },   \
	P_FILE("cmdline", show_cmdline),                                     \
	P_WRITABLE("comm", show_comm, write_comm),                           \
	P_TEXT("cpuset", "/\n"), MAGIC("cwd", LINK_CWD),                     \
	P_PRIVATE("environ", show_environ), MAGIC("exe", LINK_EXE),          \
	NUMBERS("fd", &proc_fd_dir),                                         \
	{ .name = "fdinfo", .mode = 0040555, .dir = &proc_fdinfo_dir },      \
	P_WRITABLE("gid_map", show_id_map, NULL), P_PRIVATE("io", show_io),  \
	P_FILE("limits", proc_show_limits),                                  \
	P_SYSCTL("loginuid", "4294967295"), P_FILE("maps", proc_show_maps),  \
	P_FILE("mountinfo", proc_show_mountinfo),                            \
	P_FILE("mounts", proc_show_mounts),                                  \
	P_DIR("net", proc_net_table), P_DIR("ns", ns_table),                 \
	P_FILE("oom_score", show_oom_score),                                 \
	P_WRITABLE("oom_score_adj", show_oom_adj, write_oom_adj),            \
	P_PRIVATE("personality", show_personality),                          \
	P_WRITABLE("projid_map", show_id_map, NULL), MAGIC("root", LINK_ROOT),\
	P_FILE("sched", show_sched), P_FILE("schedstat", show_schedstat),    \
	P_TEXT("sessionid", "4294967295"), P_SYSCTL("setgroups", "allow\n"), \
	P_FILE("smaps", proc_show_smaps),                                    \
	P_FILE("smaps_rollup", proc_show_smaps_rollup),                      \
	P_FILE("stat", proc_show_stat), P_FILE("statm", proc_show_statm),    \
	P_FILE("status", proc_show_status),                                  \
	P_WRITABLE("uid_map", show_id_map, NULL), P_TEXT("wchan", "0")

const struct pentry proc_task_table[] = {
	COMMON, P_FILE("children", show_children), P_END
};

const struct pentry proc_pid_table[] = {
	COMMON,
	{ .name = "coredump_filter", .mode = 0100644, .text = "00000033\n",
	  .write = write_ignored },
	{ .name = "mountstats", .mode = 0100400, .show = proc_show_mountstats },
	{ .name = "task", .mode = 0040555, .dir = &proc_task_dir },
	{ .name = "timerslack_ns", .mode = 0100666, .show = show_timerslack,
	  .write = write_timerslack },
	P_END
};

/* ---- task/ ------------------------------------------------------------------------------- */
static const struct pentry task_entry = {
	.name = "tid", .mode = 0040555, .children = proc_task_table,
};

static int task_dir_lookup(struct pnode *child, const char *name)
{
	struct task *t;
	u32 tid;
	int err = -ENOENT;

	if (!parse_number(name, &tid))
		return -ENOENT;
	mutex_lock(&tasklist_lock);
	t = task_find((s32)tid);
	if (t && t->proc == child->proc) {
		child->tid = (s32)tid;
		child->entry = &task_entry;
		ref_get(&child->proc->ref);
		err = 0;
	}
	mutex_unlock(&tasklist_lock);
	return err;
}

/* The smallest thread number >= from, or 0. */
static s32 task_dir_next(struct proc *p, u32 from)
{
	struct task *t;
	s32 best = 0;

	mutex_lock(&tasklist_lock);
	list_for_each(t, &p->threads, in_proc) {
		if (t->tid >= (s32)from && (!best || t->tid < best))
			best = t->tid;
	}
	mutex_unlock(&tasklist_lock);
	return best;
}

static bool task_dir_list(const struct pnode *n, struct plist *l, u32 from)
{
	s32 tid;

	while ((tid = task_dir_next(n->proc, from)) > 0) {
		if (!plist_number(l, (u32)tid, 0040555))
			return false;
		from = (u32)tid + 1;
	}
	return true;
}

static u32 task_dir_count(const struct pnode *n)
{
	return n->proc->thread_count;
}

const struct pdir proc_task_dir = {
	.lookup = task_dir_lookup, .list = task_dir_list,
	.count = task_dir_count,
};
