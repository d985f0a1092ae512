/*
 * anon.h - a new descriptor for an object without a name.
 */
#ifndef LIBOS_IPC_ANON_H
#define LIBOS_IPC_ANON_H

#include <libos/file.h>

/* The descriptor, or -errno; then the object is still the caller's.  flags:
 * access mode, O_NONBLOCK, O_CLOEXEC. */
static inline long anon_install(const struct file_ops *ops, u32 flags,
				void *priv, struct file **out)
{
	struct file *f = file_anon(ops, flags & ~(u32)O_CLOEXEC, priv);
	int fd;

	if (!f || is_err(f))
		return f ? ptr_err(f) : -ENFILE;
	f->mode |= FMODE_STREAM;
	if (out)
		*out = f;
	fd = fd_install(f, flags & O_CLOEXEC);
	if (fd < 0) {
		/* Not to be released by the file: the caller does. */
		static const struct file_ops no_ops;
		f->ops = &no_ops;
		file_put(f);
	}
	return fd;
}

#endif
