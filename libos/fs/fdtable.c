/*
 * fdtable.c - descriptor tables.
 *
 * files->lock guards the table.  A process with one thread and a table of
 * its own is the only one that can change it, so that process's calls read it
 * without the lock and without taking a reference (fd_begin).
 */
#include "fs.h"

#include <libos/heap.h>

#define FD_START 32u
#define FD_HARD_MAX 1048576u
#define RLIMIT_FILES 7

static inline bool is_sole_user(const struct task *t, const struct files *fs)
{
	return fs->ref.count == 1 && t->proc->thread_count == 1;
}

struct file *fd_begin(int fd, bool *put)
{
	struct task *t = current();
	struct files *fs = t->proc->files;
	struct file *f;

	*put = false;
	if (UNLIKELY(!fs))
		return NULL;
	if (is_sole_user(t, fs)) {
		f = (u32)fd < fs->capacity ? fs->slots[fd].file : NULL;
		return f && !(f->mode & FMODE_PATH) ? f : NULL;
	}
	*put = true;
	return fd_get(fd);
}

struct file *fd_get_any(int fd)
{
	struct files *fs = current()->proc->files;

	return fs ? files_get(fs, (u32)fd, NULL) : NULL;
}

struct file *fd_get(int fd)
{
	struct task *t = current();
	struct files *fs = t->proc->files;
	struct file *f;

	if (UNLIKELY(!fs))
		return NULL;
	if (is_sole_user(t, fs)) {
		f = (u32)fd < fs->capacity ? fs->slots[fd].file : NULL;
		return f && !(f->mode & FMODE_PATH) ? file_get(f) : NULL;
	}
	f = files_get(fs, (u32)fd, NULL);
	if (f && (f->mode & FMODE_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

struct file *files_get(struct files *fs, u32 fd, bool *cloexec)
{
	struct file *f = NULL;

	mutex_lock(&fs->lock);
	if (fd < fs->capacity) {
		f = fs->slots[fd].file;
		if (f)
			file_get(f);
		if (cloexec)
			*cloexec = fs->slots[fd].cloexec;
	}
	mutex_unlock(&fs->lock);
	return f;
}

u32 files_capacity(struct files *fs)
{
	return fs->capacity;
}

/* ---- growing and installing ----------------------------------------------------- */
static int grow(struct files *fs, u32 want)
{
	u32 n = fs->capacity ? fs->capacity : FD_START;
	struct fd_slot *slots;

	while (n <= want)
		n *= 2;
	slots = kzalloc(n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	if (fs->capacity)
		memcpy(slots, fs->slots, fs->capacity * sizeof(*slots));
	kfree(fs->slots);
	fs->slots = slots;
	fs->capacity = n;
	return 0;
}

static u32 fd_limit(void)
{
	u64 soft = current()->proc->rlimits[RLIMIT_FILES].soft;

	return soft > FD_HARD_MAX ? FD_HARD_MAX : (u32)soft;
}

static int lowest_free(struct files *fs, u32 min)
{
	u32 fd = MAX(min, fs->next_free), limit = fd_limit();

	while (fd < fs->capacity && fs->slots[fd].file)
		fd++;
	if (fd >= limit)
		return -EMFILE;
	if (fd >= fs->capacity && grow(fs, fd))
		return -ENOMEM;
	return (int)fd;
}

static void take_slot(struct files *fs, u32 fd, struct file *f, bool cloexec)
{
	fs->slots[fd].file = f;
	fs->slots[fd].cloexec = cloexec;
	if (fd == fs->next_free)
		fs->next_free = fd + 1;
}

int fd_install_at_least(struct file *f, int min, bool cloexec)
{
	struct files *fs = current()->proc->files;
	int fd;

	mutex_lock(&fs->lock);
	fd = lowest_free(fs, (u32)min);
	if (fd >= 0)
		take_slot(fs, (u32)fd, f, cloexec);
	mutex_unlock(&fs->lock);
	return fd;
}

int fd_install(struct file *f, bool cloexec)
{
	return fd_install_at_least(f, 0, cloexec);
}

/* ---- closing ---------------------------------------------------------------------- */
static void close_file(struct file *f, struct files *owner)
{
	if (!(f->mode & FMODE_PATH)) {
		if (f->ops && f->ops->flush)
			f->ops->flush(f);
		if (!list_empty(&f->inode->locks))
			locks_release_posix(f, owner);
	}
	file_put(f);
}

static struct file *clear_slot(struct files *fs, u32 fd)
{
	struct file *f = fs->slots[fd].file;

	fs->slots[fd].file = NULL;
	fs->slots[fd].cloexec = false;
	if (f && fd < fs->next_free)
		fs->next_free = fd;
	return f;
}

int fd_close(int fd)
{
	struct files *fs = current()->proc->files;
	struct file *f = NULL;

	mutex_lock(&fs->lock);
	if ((u32)fd < fs->capacity)
		f = clear_slot(fs, (u32)fd);
	mutex_unlock(&fs->lock);
	if (!f)
		return -EBADF;
	close_file(f, fs);
	return 0;
}

int fd_replace(int fd, struct file *f, bool cloexec)
{
	struct files *fs = current()->proc->files;
	struct file *old;

	if (fd < 0 || (u32)fd >= fd_limit())
		return -EBADF;
	mutex_lock(&fs->lock);
	if ((u32)fd >= fs->capacity && grow(fs, (u32)fd)) {
		mutex_unlock(&fs->lock);
		return -ENOMEM;
	}
	old = fs->slots[fd].file;
	take_slot(fs, (u32)fd, f, cloexec);
	mutex_unlock(&fs->lock);
	if (old)
		close_file(old, fs);
	return fd;
}

int fd_set_cloexec(int fd, int set)
{
	struct files *fs = current()->proc->files;
	int ret = -EBADF;

	mutex_lock(&fs->lock);
	if ((u32)fd < fs->capacity && fs->slots[fd].file) {
		ret = fs->slots[fd].cloexec;
		if (set >= 0)
			fs->slots[fd].cloexec = set;
	}
	mutex_unlock(&fs->lock);
	return ret;
}

/* Close (or mark, with cloexec) what is open in [first, last]. */
int files_close_range(struct files *fs, u32 first, u32 last, bool cloexec)
{
	u32 fd;

	for (fd = first; fd < fs->capacity && fd <= last; fd++) {
		struct file *f = NULL;

		mutex_lock(&fs->lock);
		if (!cloexec)
			f = clear_slot(fs, fd);
		else if (fs->slots[fd].file)
			fs->slots[fd].cloexec = true;
		mutex_unlock(&fs->lock);
		if (f)
			close_file(f, fs);
		if (fd == UINT32_MAX)
			break;
	}
	return 0;
}

/* ---- whole tables ------------------------------------------------------------------- */
struct files *files_alloc(void)
{
	struct files *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	if (grow(fs, 0)) {
		kfree(fs);
		return NULL;
	}
	return fs;
}

struct files *files_copy(struct files *from)
{
	struct files *fs = files_alloc();
	u32 fd;

	if (!fs)
		return NULL;
	mutex_lock(&from->lock);
	if (from->capacity > fs->capacity && grow(fs, from->capacity - 1)) {
		mutex_unlock(&from->lock);
		files_put(fs);
		return NULL;
	}
	for (fd = 0; fd < from->capacity; fd++) {
		fs->slots[fd] = from->slots[fd];
		if (fs->slots[fd].file)
			file_get(fs->slots[fd].file);
	}
	fs->next_free = from->next_free;
	mutex_unlock(&from->lock);
	return fs;
}

void files_put(struct files *fs)
{
	if (!fs || !ref_put(&fs->ref))
		return;
	files_close_range(fs, 0, UINT32_MAX, false);
	kfree(fs->slots);
	kfree(fs);
}

void files_close_on_exec(struct files *fs)
{
	u32 fd;

	for (fd = 0; fd < fs->capacity; fd++) {
		struct file *f = NULL;

		mutex_lock(&fs->lock);
		if (fs->slots[fd].cloexec)
			f = clear_slot(fs, fd);
		mutex_unlock(&fs->lock);
		if (f)
			close_file(f, fs);
	}
}
