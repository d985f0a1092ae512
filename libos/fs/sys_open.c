/*
 * sys_open.c - open, openat2, creat, close and memory of descriptors.
 */
#include "fs.h"

#include <libos/uaccess.h>

#include <linux/openat2.h>

#define OPEN_KNOWN (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC |       \
		    O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | FASYNC |        \
		    O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW |        \
		    O_NOATIME | O_CLOEXEC | O_PATH | __O_TMPFILE)

static long open_path(int dirfd, const char *path, u32 flags, u32 mode,
		      u32 lookup)
{
	struct file *f = vfs_open_how(dirfd, path, flags | O_LARGEFILE, mode,
				      lookup);
	int fd;

	if (is_err(f))
		return ptr_err(f);
	fd = fd_install(f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long open_user(int dirfd, u64 upath, u32 flags, u32 mode)
{
	char path[PATH_MAX_LEN];
	ssize_t n = strncpy_from_user(path, upath, sizeof(path));

	if (n < 0)
		return n;
	return open_path(dirfd, path, flags & OPEN_KNOWN, mode, 0);
}

long sys_open(struct task *t, const struct sysargs *a)
{
	return open_user(AT_FDCWD, a->a[0], (u32)a->a[1], (u32)a->a[2]);
}

long sys_openat(struct task *t, const struct sysargs *a)
{
	return open_user((int)a->a[0], a->a[1], (u32)a->a[2], (u32)a->a[3]);
}

long sys_creat(struct task *t, const struct sysargs *a)
{
	return open_user(AT_FDCWD, a->a[0], O_CREAT | O_WRONLY | O_TRUNC,
			 (u32)a->a[1]);
}

/* ---- openat2 ---------------------------------------------------------------------- */
/* -E2BIG if a newer caller sets what we do not know. */
static int copy_how(struct open_how *how, u64 uptr, u64 size)
{
	u8 rest[64];
	u64 at, n, k;

	if (size < sizeof(*how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(how, uptr, sizeof(*how)))
		return -EFAULT;
	for (at = sizeof(*how); at < size; at += n) {
		n = MIN(size - at, sizeof(rest));
		if (copy_from_user(rest, uptr + at, n))
			return -EFAULT;
		for (k = 0; k < n; k++) {
			if (rest[k])
				return -E2BIG;
		}
	}
	return 0;
}

static int check_how(const struct open_how *how)
{
	bool makes = (how->flags & O_CREAT) ||
		     (how->flags & O_TMPFILE) == O_TMPFILE;
	u64 known = OPEN_KNOWN;

	if ((how->flags & ~known) || (how->mode & ~07777ull) ||
	    (how->mode && !makes) || (how->resolve & ~0x3full))
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) &&
	    (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if ((how->flags & O_PATH) &&
	    (how->flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	return 0;
}

static u32 lookup_of_resolve(u64 resolve)
{
	u32 flags = 0;

	if (resolve & RESOLVE_NO_XDEV)
		flags |= LOOKUP_NO_XDEV;
	if (resolve & RESOLVE_NO_MAGICLINKS)
		flags |= LOOKUP_NO_MAGIC;
	if (resolve & RESOLVE_NO_SYMLINKS)
		flags |= LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGIC;
	if (resolve & RESOLVE_BENEATH)
		flags |= LOOKUP_BENEATH;
	if (resolve & RESOLVE_IN_ROOT)
		flags |= LOOKUP_IN_ROOT;
	return flags;
}

long sys_openat2(struct task *t, const struct sysargs *a)
{
	char path[PATH_MAX_LEN];
	struct open_how how;
	ssize_t n;
	int err = copy_how(&how, a->a[2], a->a[3]);

	if (!err)
		err = check_how(&how);
	if (err)
		return err;
	n = strncpy_from_user(path, a->a[1], sizeof(path));
	if (n < 0)
		return n;
	if (how.resolve & 0x20) /* RESOLVE_CACHED: we cannot promise that */
		return -EAGAIN;
	return open_path((int)a->a[0], path, (u32)how.flags, (u32)how.mode,
			 lookup_of_resolve(how.resolve));
}

long sys_close(struct task *t, const struct sysargs *a)
{
	return fd_close((int)a->a[0]);
}
