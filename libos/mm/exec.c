/*
 * exec.c - execve, execveat and the start of the first program.
 *
 * An execve has two halves.  The first opens, reads, parses and copies, and
 * may fail as often as it likes: nothing of the process has changed.  The
 * second (exec_commit) has all it needs in one struct exec_job in kernel
 * memory, clears the address space and maps the program; it cannot be undone,
 * so an error there ends the process with SIGKILL, as in Linux.
 */
#include "exec_impl.h"

#include <bailey/boot.h>
#include <libos/heap.h>
#include <libos/sys.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#define SCRIPT_DEPTH_MAX 5
#define HEAD_SIZE 4096u
#define S_IS_REG(mode) (((mode) & 0170000) == 0100000)
#define S_IS_LNK(mode) (((mode) & 0170000) == 0120000)
#define SIGNAL_KILL 9
#define MAY_EXEC 1

/* ---- opening ------------------------------------------------------------------- */

static int check_executable(struct inode *ino)
{
	if (!S_IS_REG(ino->mode) || !(ino->mode & 0111))
		return -EACCES;
	if (ino->super && (ino->super->flags & SUPER_NOEXEC))
		return -EACCES;
	return inode_permission(ino, MAY_EXEC);
}

/* While a file is executed nobody may open it for writing (ETXTBSY). */
static int deny_write(struct inode *ino)
{
	int err = 0;

	mutex_lock(&ino->lock);
	if (ino->write_count)
		err = -ETXTBSY;
	else
		ino->exec_count++;
	mutex_unlock(&ino->lock);
	return err;
}

static void allow_write(struct inode *ino)
{
	mutex_lock(&ino->lock);
	ino->exec_count--;
	mutex_unlock(&ino->lock);
}

static struct file *open_denying_write(struct dentry *d)
{
	int err = deny_write(d->inode);
	struct file *f;

	if (err)
		return err_ptr(err);
	f = vfs_open_dentry(d, O_RDONLY);
	if (is_err(f))
		allow_write(d->inode);
	else
		f->mode |= FMODE_EXEC; /* file_put counts down */
	return f;
}

struct file *exec_open(int dirfd, const char *path, u32 at_flags)
{
	u32 flags = (at_flags & AT_SYMLINK_NOFOLLOW ? LOOKUP_NOFOLLOW : 0) |
		(at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct dentry *d;
	struct file *f;
	int err = path_lookup_open(dirfd, path, flags, &d);

	if (err)
		return err_ptr(err);
	if (S_IS_LNK(d->inode->mode))
		err = -ELOOP;
	else
		err = check_executable(d->inode);
	f = err ? err_ptr(err) : open_denying_write(d);
	dentry_put(d);
	return f;
}

/* The interpreter's protection ends with the execve, as in Linux: its
 * mappings may keep the file open for long. */
static void drop_interp(struct file *f)
{
	if (f->mode & FMODE_EXEC) {
		f->mode &= ~(u32)FMODE_EXEC;
		allow_write(f->inode);
	}
	file_put(f);
}

/* Exactly size bytes at pos, or -ENOEXEC. */
static int read_exact(struct file *f, void *buf, size_t size, u64 pos)
{
	ssize_t n = file_read_kernel(f, buf, size, &pos);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -ENOEXEC;
}

/* ---- headers ------------------------------------------------------------------- */

static int read_far_phdrs(struct file *f, struct elf_image *e)
{
	size_t size = (size_t)e->phnum * ELF_PHDR_SIZE;
	u8 *buf = kmalloc(size);
	int err;

	if (!buf)
		return -ENOMEM;
	err = read_exact(f, buf, size, e->phoff);
	if (!err)
		err = elf_parse_segments(buf, size, f->inode->size, e);
	kfree(buf);
	return err;
}

/* Parse f, whose first size bytes are in head. */
static struct elf_image *read_elf(struct file *f, const u8 *head, size_t size)
{
	struct elf_image *e = kmalloc(sizeof(*e));
	int err;

	if (!e)
		return err_ptr(-ENOMEM);
	err = elf_parse_header(head, size, e);
	if (!err) {
		if (e->phoff <= size &&
		    size - e->phoff >= (u64)e->phnum * ELF_PHDR_SIZE)
			err = elf_parse_segments(head + e->phoff,
						 size - e->phoff,
						 f->inode->size, e);
		else
			err = read_far_phdrs(f, e);
	}
	/* a place of its own choice must be one that the guest has */
	if (!err && !e->is_dyn &&
	    (e->low < GUEST_MIN || !access_ok(e->low, e->high - e->low)))
		err = -ENOEXEC;
	if (!err)
		return e;
	kfree(e);
	return err_ptr(err);
}

static int open_interp(struct exec_job *j, const char *path, u8 *head)
{
	struct file *f = exec_open(AT_FDCWD, path, 0);
	struct elf_image *e;
	u64 pos = 0;
	ssize_t n;

	if (is_err(f))
		return (int)ptr_err(f);
	j->interp_file = f;
	n = file_read_kernel(f, head, HEAD_SIZE, &pos);
	if (n < 0)
		return (int)n;
	e = read_elf(f, head, (size_t)n);
	if (is_err(e))
		return ptr_err(e) == -ENOEXEC ? -ELIBBAD : (int)ptr_err(e);
	j->interp_elf = e;
	return 0;
}

/* head, HEAD_SIZE bytes with n of the file in them, is reused. */
static int read_program(struct exec_job *j, u8 *head, size_t n)
{
	struct elf_image *e = read_elf(j->file, head, n);
	char *path = (char *)head;
	int err;

	if (is_err(e))
		return (int)ptr_err(e);
	j->elf = e;
	if (!e->has_interp)
		return 0;
	if (e->interp_offset > n || e->interp_size > n - e->interp_offset) {
		err = read_exact(j->file, path, e->interp_size,
				 e->interp_offset);
		if (err)
			return err;
	} else {
		memmove(path, head + e->interp_offset, e->interp_size);
	}
	if (path[e->interp_size - 1])
		return -ENOEXEC;
	path = kstrdup(path);
	if (!path)
		return -ENOMEM;
	err = open_interp(j, path, head);
	kfree(path);
	return err;
}

/* ---- scripts --------------------------------------------------------------------- */

/* The file is a script, *path its name: open its interpreter instead.
 * *path becomes the interpreter's. */
static int follow_script(struct exec_job *j, char *head, size_t n,
			 char **path)
{
	const char *args[3];
	char *interp, *arg, *copy;
	unsigned count = 0;
	struct file *f;
	int err = script_parse(head, n, &interp, &arg);

	if (err)
		return err;
	args[count++] = interp;
	if (arg)
		args[count++] = arg;
	args[count++] = *path;
	err = exec_strings_replace_first(&j->strings, args, count);
	if (err)
		return err;
	copy = kstrdup(interp);
	if (!copy)
		return -ENOMEM;
	kfree(*path);
	*path = copy;
	f = exec_open(AT_FDCWD, copy, 0);
	if (is_err(f))
		return (int)ptr_err(f);
	file_put(j->file);
	j->file = f;
	return 0;
}

/* Until the file is an ELF file: read its head, follow "#!". */
static int resolve_program(struct exec_job *j, u8 *head, char **path)
{
	unsigned depth;
	u64 pos;
	ssize_t n;
	int err;

	for (depth = 0; depth <= SCRIPT_DEPTH_MAX; depth++) {
		pos = 0;
		n = file_read_kernel(j->file, head, HEAD_SIZE, &pos);
		if (n < 0)
			return (int)n;
		if (n < 2 || head[0] != '#' || head[1] != '!')
			return read_program(j, head, (size_t)n);
		if (depth == SCRIPT_DEPTH_MAX)
			return -ELOOP;
		err = follow_script(j, (char *)head, (size_t)n, path);
		if (err)
			return err;
	}
	return -ELOOP;
}

/* ---- the job ----------------------------------------------------------------------- */

static void job_free(struct exec_job *j)
{
	if (j->file)
		file_put(j->file);
	if (j->interp_file)
		drop_interp(j->interp_file);
	kfree(j->elf);
	kfree(j->interp_elf);
	exec_strings_free(&j->strings);
	kfree(j->name);
	kfree(j->block);
	kfree(j);
}

/* Takes over f and the strings, also when it fails. */
static struct exec_job *job_prepare(struct task *t, struct file *f,
				    const char *name, struct exec_strings *s)
{
	struct exec_job *j = kzalloc(sizeof(*j));
	char *path = kstrdup(name);
	u8 *head = kmalloc(HEAD_SIZE + 1);
	int err = -ENOMEM;

	if (!j) {
		file_put(f);
		exec_strings_free(s);
		goto out;
	}
	j->task = t;
	j->file = f;
	j->strings = *s;
	j->name = kstrdup(name);
	if (!path || !head || !j->name)
		goto out;
	err = resolve_program(j, head, &path);
	if (!err)
		err = exec_strings_check_size(&j->strings, j->name);
	if (err)
		goto out;
	j->block = exec_alloc_block(&j->strings);
	err = j->block ? 0 : -ENOMEM;
out:
	kfree(path);
	kfree(head);
	if (!err)
		return j;
	if (j)
		job_free(j);
	return err_ptr(err);
}

/* ---- the second half ----------------------------------------------------------------- */

static char *program_path(struct file *f)
{
	char *buf = kmalloc(PATH_MAX_LEN), *p, *copy = NULL;

	if (!buf)
		return NULL;
	p = f->dentry ? dentry_path(f->dentry, buf, PATH_MAX_LEN, false) : NULL;
	if (p && !is_err(p))
		copy = kstrdup(p);
	kfree(buf);
	return copy;
}

/* What /proc shows of the process.  Readers hold tasklist_lock. */
static void publish_names(struct exec_job *j)
{
	struct proc *p = j->task->proc;
	char *exe_path = program_path(j->file);
	char *old_path = p->exe_path, *old_cmdline = p->cmdline;
	char *old_environ = p->environ_copy;
	struct file *old_exe = p->exe;

	mutex_lock(&tasklist_lock);
	p->exe = j->file;
	p->exe_path = exe_path;
	p->cmdline = j->strings.args;
	p->cmdline_size = j->strings.args_size;
	p->environ_copy = j->strings.env;
	p->environ_size = j->strings.env_size;
	p->has_execed = true;
	mutex_unlock(&tasklist_lock);
	j->file = NULL;
	j->strings.args = j->strings.env = NULL;
	kfree(old_path);
	kfree(old_cmdline);
	kfree(old_environ);
	if (old_exe)
		file_put(old_exe);
}

static void set_comm(struct task *t, const char *name)
{
	const char *base = strrchr(name, '/');

	strlcpy(t->comm, base ? base + 1 : name, sizeof(t->comm));
}

/* The new program; does not fail, but may kill. */
static void exec_commit(struct exec_job *j)
{
	struct task *t = j->task;
	u64 sp = 0, entry;
	int err = mm_clear(t->proc->mm);

	if (!err)
		err = exec_map_image(j);
	if (!err)
		err = exec_build_stack(j, &sp);
	if (err) {
		if (t->proc == init_proc && err == -ENOMEM)
			klog("%s: not enough memory to start it", j->name);
		job_free(j);
		task_exit_group(SIGNAL_KILL);
	}
	entry = j->interp_file ? j->interp_bias + j->interp_elf->entry :
		j->bias + j->elf->entry;
	publish_names(j);
	proc_exec_commit(t);
	set_comm(t, j->name);
	arch_start_program(t, entry, sp);
	job_free(j);
}

static void continue_detached(void *arg)
{
	struct exec_job *j = arg;
	struct task *t = j->task;

	exec_commit(j);
	exec_enter_guest(t);
}

static int job_run(struct exec_job *j)
{
	struct task *t = j->task;
	int err = proc_exec_begin(t);

	if (!err && t->is_vfork_child)
		err = proc_exec_detach(t, continue_detached, j);
	else if (!err)
		exec_commit(j);
	else
		job_free(j);
	return err;
}

int exec_program(struct file *f, const char *path, struct exec_strings *s)
{
	struct exec_strings copy;
	struct exec_job *j;
	int err = exec_strings_dup(&copy, s);

	if (err)
		return err;
	j = job_prepare(current(), file_get(f), path, &copy);
	return is_err(j) ? (int)ptr_err(j) : job_run(j);
}

/* ---- the calls ------------------------------------------------------------------------- */

/* The name that the program sees: execveat of a descriptor has none. */
static char *name_for(int dirfd, const char *path)
{
	char *name;

	if (path[0] == '/' || dirfd == AT_FDCWD)
		return kstrdup(path);
	name = kmalloc(PATH_MAX_LEN + 32);
	if (name)
		snprintf(name, PATH_MAX_LEN + 32, "/dev/fd/%d%s%s", dirfd,
			 *path ? "/" : "", path);
	return name;
}

static struct exec_job *prepare_from_user(struct task *t, int dirfd,
					  const char *path, u64 argv,
					  u64 envp, u32 flags)
{
	struct exec_strings s = { 0 };
	struct file *f = exec_open(dirfd, path, flags);
	struct exec_job *j;
	char *name;
	int err;

	if (is_err(f))
		return err_ptr(ptr_err(f));
	err = exec_strings_from_user(&s, argv, envp);
	name = err ? NULL : name_for(dirfd, path);
	if (!name) {
		file_put(f);
		exec_strings_free(&s);
		return err_ptr(err ? err : -ENOMEM);
	}
	j = job_prepare(t, f, name, &s);
	kfree(name);
	return j;
}

/* Nothing may be left to free after job_run(): in a vfork child it does not
 * come back. */
static long exec_user_path(struct task *t, int dirfd, u64 upath, u64 argv,
			   u64 envp, u32 flags)
{
	struct exec_job *j;
	char *path;
	ssize_t n;

	if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	path = kmalloc(PATH_MAX_LEN);
	if (!path)
		return -ENOMEM;
	n = strncpy_from_user(path, upath, PATH_MAX_LEN);
	if (n == 0 && !(flags & AT_EMPTY_PATH))
		n = -ENOENT;
	j = n < 0 ? err_ptr(n) :
		prepare_from_user(t, dirfd, path, argv, envp, flags);
	kfree(path);
	return is_err(j) ? ptr_err(j) : job_run(j);
}

long sys_execve(struct task *t, const struct sysargs *a)
{
	return exec_user_path(t, AT_FDCWD, a->a[0], a->a[1], a->a[2], 0);
}

long sys_execveat(struct task *t, const struct sysargs *a)
{
	return exec_user_path(t, (int)a->a[0], a->a[1], a->a[2], a->a[3],
			      (u32)a->a[4]);
}
