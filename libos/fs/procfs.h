/*
 * procfs.h - trees described by tables: procfs and sysfs are made of them.
 *
 * A directory is a table of struct pentry, ended by one without a name, and
 * may have a part found at run time (struct pdir).  An inode of such a tree
 * carries a struct pnode: its entry, and which process, thread or number it
 * is about.
 */
#ifndef LIBOS_FS_PROCFS_H
#define LIBOS_FS_PROCFS_H

#include <libos/task.h>
#include <libos/vfs.h>

struct pentry;
struct pnode {
	const struct pentry *entry;
	struct proc *proc;  /* reference, or NULL: not about a process */
	s32 tid;            /* 0: the whole process */
	u32 number;         /* descriptor, processor ... */
};

struct plist { /* readdir in progress */
	struct dir_context *context;
	u64 ino_base;
};
struct pdir {
	/* Is there a `name`?  Then child, a copy of dir's node, becomes it;
	 * a process put in it carries a reference.  0 or -ENOENT. */
	int (*lookup)(struct pnode *child, const char *name);
	/* plist_number for each from `from` on; false once it returns so. */
	bool (*list)(const struct pnode *n, struct plist *l, u32 from);
	u32 (*count)(const struct pnode *n); /* of subdirectories, for nlink */
};

struct pentry {
	const char *name;
	u32 mode;                      /* with S_IF* */
	const struct pentry *children; /* directory */
	const struct pdir *dir;        /* its run-time part */
	const char *text;              /* all the content, or a link's target */
	int (*show)(struct seq *s, const struct pnode *n);
	ssize_t (*write)(const struct pnode *n, const char *text, size_t size);
	ssize_t (*link)(const struct pnode *n, char *buf, size_t size);
	int (*follow)(const struct pnode *n, struct dentry **out);
	u64 value;                     /* for show: whose meaning it knows */
};

/* Table lines. */
#define P_DIR(n, c) { .name = (n), .mode = 0040555, .children = (c) }
#define P_FILE(n, f) { .name = (n), .mode = 0100444, .show = (f) }
#define P_PRIVATE(n, f) { .name = (n), .mode = 0100400, .show = (f) }
#define P_TEXT(n, t) { .name = (n), .mode = 0100444, .text = (t) }
#define P_SYSCTL(n, t) { .name = (n), .mode = 0100644, .text = (t) }
#define P_WRITABLE(n, f, w) \
	{ .name = (n), .mode = 0100644, .show = (f), .write = (w) }
#define P_LINK(n, t) { .name = (n), .mode = 0120777, .text = (t) }
#define P_END { .name = NULL }

/* ---- procfs_tree.c -------------------------------------------------------- */
struct super *ptree_new(const char *type, u32 magic, const struct pentry *root);
/* List "N" with this entry's type; false when the reader's buffer is full. */
bool plist_number(struct plist *l, u32 n, u32 mode);
bool plist_named(struct plist *l, const char *prefix, u32 n, u32 mode);
bool parse_number(const char *name, u32 *n);
/* The number a user wrote to a file: 0 or -EINVAL. */
int parse_signed(const char *text, s64 *v);

/* ---- the files that tables are made of ------------------------------------- */
extern const struct pentry proc_pid_table[];   /* procfs_pid.c */
extern const struct pentry proc_task_table[];
extern const struct pdir proc_task_dir, proc_fd_dir, proc_fdinfo_dir;
extern const struct pentry proc_sys_table[];   /* procfs_sys.c */
extern const struct pentry proc_net_table[];   /* procfs_net.c */

int proc_show_stat(struct seq *s, const struct pnode *n);
int proc_show_status(struct seq *s, const struct pnode *n);
int proc_show_limits(struct seq *s, const struct pnode *n);
int proc_show_maps(struct seq *s, const struct pnode *n);
int proc_show_smaps(struct seq *s, const struct pnode *n);
int proc_show_smaps_rollup(struct seq *s, const struct pnode *n);
int proc_show_statm(struct seq *s, const struct pnode *n);
int proc_show_mounts(struct seq *s, const struct pnode *n);
int proc_show_mountinfo(struct seq *s, const struct pnode *n);
int proc_show_mountstats(struct seq *s, const struct pnode *n);
int proc_show_cpuinfo(struct seq *s, const struct pnode *n);
int proc_show_meminfo(struct seq *s, const struct pnode *n);

/* ---- procfs_util.c ---------------------------------------------------------- */
/* The thread of a node (its leader when it names none), referenced; NULL. */
struct task *pnode_task(const struct pnode *n);
/* Its address space or descriptor table, referenced; NULL: has none. */
struct mm *pnode_mm(const struct pnode *n);
struct files *pnode_files(const struct pnode *n);
/* May current() look into the process?  0, -ESRCH, -EACCES. */
int pnode_may_look(const struct pnode *n);
struct pmem { /* pages, as far as the library OS knows */
	u64 size, resident, shared, text, data, stack, locked;
};
void mm_usage(struct mm *m, struct pmem *u);
u64 sandbox_memory(void);       /* bytes that the sandbox may use */
u64 sandbox_memory_used(void);
u32 sandbox_cpus(void);

#endif
