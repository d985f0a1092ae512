/*
 * uio.c - scattered buffers of the guest or of the library OS.
 */
#include "fs.h"

#include <libos/heap.h>
#include <libos/uaccess.h>

void uio_init(struct uio *u, struct host_iovec *iov, unsigned count,
	      bool kernel)
{
	unsigned n;

	u->iov = iov;
	u->count = count;
	u->left = 0;
	u->kernel = kernel;
	for (n = 0; n < count; n++) {
		if (iov[n].size > UIO_SIZE_MAX - u->left)
			iov[n].size = UIO_SIZE_MAX - u->left;
		u->left += iov[n].size;
	}
}

void uio_single(struct uio *u, struct host_iovec *iov, void *p, size_t size,
		bool kernel)
{
	iov->base = p;
	iov->size = size;
	uio_init(u, iov, 1, kernel);
}

int uio_from_user(struct uio *u, u64 iovec, u64 count,
		  struct host_iovec *inline_iov, unsigned inline_count,
		  struct host_iovec **to_free)
{
	struct host_iovec *iov = inline_iov;
	u64 n;
	int err = -EFAULT;

	*to_free = NULL;
	if (count > UIO_MAXIOV)
		return -EINVAL;
	if (count > inline_count) {
		iov = kmalloc(count * sizeof(*iov));
		if (!iov)
			return -ENOMEM;
	}
	if (copy_from_user(iov, iovec, count * sizeof(*iov)))
		goto fail;
	for (n = 0; n < count; n++) {
		if ((s64)iov[n].size < 0) {
			err = -EINVAL;
			goto fail;
		}
		if (!access_ok((u64)(uintptr_t)iov[n].base, iov[n].size))
			goto fail;
	}
	uio_init(u, iov, (unsigned)count, false);
	if (iov != inline_iov)
		*to_free = iov;
	return 0;
fail:
	if (iov != inline_iov)
		kfree(iov);
	return err;
}

void uio_advance(struct uio *u, size_t n)
{
	u->left -= n;
	while (u->count && n >= u->iov->size) {
		n -= u->iov->size;
		u->iov++;
		u->count--;
	}
	if (n) {
		u->iov->base = (char *)u->iov->base + n;
		u->iov->size -= n;
	}
}

/* What is left of n. */
static size_t copy_part(const struct uio *u, void *kernel, size_t n, bool put)
{
	u64 user = (u64)(uintptr_t)u->iov->base;

	if (u->kernel) {
		if (put)
			memcpy(u->iov->base, kernel, n);
		else
			memcpy(kernel, u->iov->base, n);
		return 0;
	}
	return put ? copy_some_to_user(user, kernel, n) :
		     copy_some_from_user(kernel, user, n);
}

static ssize_t copy_all(struct uio *u, char *kernel, size_t n, bool put)
{
	size_t done = 0;

	if (n > u->left)
		n = u->left;
	while (done < n) {
		size_t part = MIN(n - done, u->iov->size);
		size_t left = part ? copy_part(u, kernel + done, part, put) : 0;

		uio_advance(u, part - left);
		done += part - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

ssize_t uio_put(struct uio *u, const void *from, size_t n)
{
	return copy_all(u, (char *)(uintptr_t)from, n, true);
}

ssize_t uio_get(struct uio *u, void *to, size_t n)
{
	return copy_all(u, to, n, false);
}
