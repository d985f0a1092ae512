/*
 * xattr.c - extended attributes.
 *
 * File systems without ops of their own that keep their inodes (memfs) have
 * them here, in a list on the inode under inode->lock.  Those of lower files
 * are not visible.  user.* obeys the file's permissions and only regular
 * files and directories have it; trusted.* and security.* need
 * CAP_SYS_ADMIN to be written; system.* (ACLs) is not supported.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

#include <linux/xattr.h>

struct xattr {
	struct xattr *next;
	size_t size;
	u8 *value;
	char name[];
};

void xattr_free_all(struct inode *i)
{
	struct xattr *x, *next;

	for (x = i->xattrs; x; x = next) {
		next = x->next;
		kfree(x->value);
		kfree(x);
	}
	i->xattrs = NULL;
}

/* ---- the list; inode->lock held ------------------------------------------------------- */
static struct xattr **find(struct inode *i, const char *name)
{
	struct xattr **x = &i->xattrs;

	while (*x && strcmp((*x)->name, name))
		x = &(*x)->next;
	return x;
}

static ssize_t list_get(struct inode *i, const char *name, void *v, size_t size)
{
	const struct xattr *x = *find(i, name);

	if (!x)
		return -ENODATA;
	if (size && size < x->size)
		return -ERANGE;
	if (size)
		memcpy(v, x->value, x->size);
	return (ssize_t)x->size;
}

static int list_set(struct inode *i, const char *name, const void *v,
		    size_t size, int flags)
{
	struct xattr **at = find(i, name), *x = *at;
	u8 *value;

	if (x && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!x && (flags & XATTR_REPLACE))
		return -ENODATA;
	value = kmalloc(size ? size : 1);
	if (!value)
		return -ENOMEM;
	memcpy(value, v, size);
	if (!x) {
		x = kzalloc(sizeof(*x) + strlen(name) + 1);
		if (!x) {
			kfree(value);
			return -ENOMEM;
		}
		memcpy(x->name, name, strlen(name) + 1);
		*at = x;
	}
	kfree(x->value);
	x->value = value;
	x->size = size;
	i->ctime_ns = (s64)clock_realtime_ns();
	i->flags |= INODE_DIRTY;
	return 0;
}

static int list_remove_name(struct inode *i, const char *name)
{
	struct xattr **at = find(i, name), *x = *at;

	if (!x)
		return -ENODATA;
	*at = x->next;
	kfree(x->value);
	kfree(x);
	i->ctime_ns = (s64)clock_realtime_ns();
	return 0;
}

static ssize_t list_names(struct inode *i, char *buf, size_t size)
{
	const struct xattr *x;
	size_t used = 0, n;

	for (x = i->xattrs; x; x = x->next) {
		if (!strncmp(x->name, "trusted.", 8) &&
		    !capable(KCAP_SYS_ADMIN))
			continue;
		n = strlen(x->name) + 1;
		if (size && used + n > size)
			return -ERANGE;
		if (size)
			memcpy(buf + used, x->name, n);
		used += n;
	}
	return (ssize_t)used;
}

/* ---- who may ---------------------------------------------------------------------------- */
static bool has_list(const struct inode *i)
{
	return i->super && (i->super->flags & SUPER_PINNED);
}

static int check_name(struct inode *i, const char *name, bool write)
{
	if (write && inode_is_readonly(i))
		return -EROFS;
	if (!strncmp(name, "user.", 5)) {
		if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
			return write ? -EPERM : -ENODATA;
		if (S_ISDIR(i->mode) && (i->mode & S_ISVTX) && write &&
		    !inode_is_owner(i))
			return -EPERM;
		return inode_permission(i, write ? MAY_WRITE : MAY_READ);
	}
	if (!strncmp(name, "trusted.", 8)) {
		if (capable(KCAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (!strncmp(name, "security.", 9))
		return write && !capable(KCAP_SYS_ADMIN) ? -EPERM : 0;
	return -EOPNOTSUPP;
}

static ssize_t do_get(struct inode *i, const char *name, void *v, size_t size)
{
	ssize_t n = check_name(i, name, false);

	if (n)
		return n;
	if (i->ops && i->ops->getxattr)
		return i->ops->getxattr(i, name, v, size);
	if (!has_list(i))
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	n = list_get(i, name, v, size);
	mutex_unlock(&i->lock);
	return n;
}

static int do_set(struct inode *i, const char *name, const void *v,
		  size_t size, int flags)
{
	int err = check_name(i, name, true);

	if (err)
		return err;
	if (i->ops && i->ops->setxattr)
		return i->ops->setxattr(i, name, v, size, flags);
	if (!has_list(i))
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	err = list_set(i, name, v, size, flags);
	mutex_unlock(&i->lock);
	return err;
}

static int do_remove(struct inode *i, const char *name)
{
	int err = check_name(i, name, true);

	if (err)
		return err;
	if (i->ops && i->ops->removexattr)
		return i->ops->removexattr(i, name);
	if (!has_list(i))
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	err = list_remove_name(i, name);
	mutex_unlock(&i->lock);
	return err;
}

static ssize_t do_list(struct inode *i, char *buf, size_t size)
{
	ssize_t n;

	if (i->ops && i->ops->listxattr)
		return i->ops->listxattr(i, buf, size);
	if (!has_list(i))
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	n = list_names(i, buf, size);
	mutex_unlock(&i->lock);
	return n;
}

/* ---- the calls: by path, by link, by descriptor ------------------------------------------- */
enum target { BY_PATH, BY_LINK, BY_FD };

static int target_inode(u64 arg, enum target how, struct inode **out)
{
	struct dentry *d;
	struct file *f;
	int err;

	if (how == BY_FD) {
		f = fd_get((int)arg);
		if (!f)
			return -EBADF;
		*out = inode_get(f->inode);
		file_put(f);
		return 0;
	}
	err = user_path_at(AT_FDCWD, arg, how == BY_LINK, false, &d);
	if (err)
		return err;
	*out = inode_get(d->inode);
	dentry_put(d);
	return 0;
}

static int copy_name(char name[XATTR_NAME_MAX + 1], u64 uname)
{
	ssize_t n = strncpy_from_user(name, uname, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static long get_call(const struct sysargs *a, enum target how)
{
	char name[XATTR_NAME_MAX + 1];
	size_t size = MIN(a->a[3], (u64)XATTR_SIZE_MAX);
	struct inode *i;
	ssize_t n = copy_name(name, a->a[1]);
	void *v = NULL;

	if (!n)
		n = target_inode(a->a[0], how, &i);
	if (n)
		return n;
	v = kmalloc(size ? size : 1);
	n = v ? do_get(i, name, v, size) : -ENOMEM;
	if (n > 0 && size && copy_to_user(a->a[2], v, (size_t)n))
		n = -EFAULT;
	kfree(v);
	inode_put(i);
	return n;
}

static long set_call(const struct sysargs *a, enum target how)
{
	char name[XATTR_NAME_MAX + 1];
	struct inode *i;
	void *v;
	long err;

	if (a->a[4] & ~(u64)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = copy_name(name, a->a[1]);
	if (err)
		return err;
	if (a->a[3] > XATTR_SIZE_MAX)
		return -E2BIG;
	v = kmalloc(a->a[3] ? a->a[3] : 1);
	if (!v)
		return -ENOMEM;
	err = copy_from_user(v, a->a[2], a->a[3]);
	if (!err)
		err = target_inode(a->a[0], how, &i);
	if (!err) {
		err = do_set(i, name, v, a->a[3], (int)a->a[4]);
		inode_put(i);
	}
	kfree(v);
	return err;
}

static long list_call(const struct sysargs *a, enum target how)
{
	size_t size = MIN(a->a[2], (u64)XATTR_LIST_MAX);
	struct inode *i;
	char *buf;
	ssize_t n = target_inode(a->a[0], how, &i);

	if (n)
		return n;
	buf = kmalloc(size ? size : 1);
	n = buf ? do_list(i, buf, size) : -ENOMEM;
	if (n > 0 && size && copy_to_user(a->a[1], buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	inode_put(i);
	return n;
}

static long remove_call(const struct sysargs *a, enum target how)
{
	char name[XATTR_NAME_MAX + 1];
	struct inode *i;
	long err = copy_name(name, a->a[1]);

	if (!err)
		err = target_inode(a->a[0], how, &i);
	if (err)
		return err;
	err = do_remove(i, name);
	inode_put(i);
	return err;
}

#define XATTR_CALLS(op)                                                       \
	long sys_##op##xattr(struct task *t, const struct sysargs *a)         \
	{                                                                     \
		return op##_call(a, BY_PATH);                                 \
	}                                                                     \
	long sys_l##op##xattr(struct task *t, const struct sysargs *a)        \
	{                                                                     \
		return op##_call(a, BY_LINK);                                 \
	}                                                                     \
	long sys_f##op##xattr(struct task *t, const struct sysargs *a)        \
	{                                                                     \
		return op##_call(a, BY_FD);                                   \
	}

XATTR_CALLS(get)
XATTR_CALLS(set)
XATTR_CALLS(list)
XATTR_CALLS(remove)
