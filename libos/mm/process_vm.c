/*
 * process_vm.c - process_vm_readv and process_vm_writev.
 *
 * Guest memory can be touched only by its own process, so these work on the
 * caller itself (and on processes that share its memory); another process is
 * refused as one that may not be traced.
 */
#include "mm_impl.h"

#include <libos/sys.h>
#include <libos/uaccess.h>

#define IOV_MAX 1024u
#define CHUNK PAGE_SIZE

struct user_iov { u64 base, size; };
struct cursor { struct user_iov *iov; u64 count, done; /* in the first */ };

static int check_target(s32 pid)
{
	struct task *other;
	int err = 0;

	mutex_lock(&tasklist_lock);
	other = task_find(pid);
	if (!other)
		err = -ESRCH;
	else if (!other->proc || other->proc->mm != current_mm())
		err = -EPERM;
	mutex_unlock(&tasklist_lock);
	return err;
}

static int get_iov(struct cursor *c, u64 uiov, u64 count)
{
	u64 i, total = 0;

	c->count = count;
	c->done = 0;
	c->iov = NULL;
	if (count > IOV_MAX)
		return -EINVAL;
	if (!count)
		return 0;
	c->iov = kmalloc(count * sizeof(*c->iov));
	if (!c->iov)
		return -ENOMEM;
	if (copy_from_user(c->iov, uiov, count * sizeof(*c->iov)))
		return -EFAULT;
	for (i = 0; i < count; i++) {
		if (c->iov[i].size > INT64_MAX - total)
			return -EINVAL;
		total += c->iov[i].size;
	}
	return 0;
}

/* The next piece of at most max bytes; its size, 0 at the end. */
static u64 next_piece(struct cursor *c, u64 max, u64 *at)
{
	while (c->count && c->done == c->iov->size) {
		c->iov++;
		c->count--;
		c->done = 0;
	}
	if (!c->count)
		return 0;
	*at = c->iov->base + c->done;
	return MIN(max, c->iov->size - c->done);
}

static s64 copy_pieces(struct cursor *to, struct cursor *from, u8 *chunk)
{
	u64 dst, src, n;
	s64 total = 0;

	for (;;) {
		/* not across a page, so that a fault loses nothing before it */
		n = next_piece(from, CHUNK, &src);
		n = n ? MIN(n, PAGE_SIZE - (src & ~PAGE_MASK)) : 0;
		n = n ? next_piece(to, n, &dst) : 0;
		if (!n)
			return total;
		n = MIN(n, PAGE_SIZE - (dst & ~PAGE_MASK));
		if (copy_from_user(chunk, src, n) ||
		    copy_to_user(dst, chunk, n))
			return total ? total : -EFAULT;
		from->done += n;
		to->done += n;
		total += (s64)n;
	}
}

static long process_vm(const struct sysargs *a, bool write)
{
	struct cursor local = { 0 }, remote = { 0 };
	struct user_iov *local_iov, *remote_iov;
	u8 *chunk;
	s64 ret;

	if (a->a[5])
		return -EINVAL;
	ret = get_iov(&local, a->a[1], a->a[2]);
	if (!ret)
		ret = get_iov(&remote, a->a[3], a->a[4]);
	local_iov = local.iov;
	remote_iov = remote.iov;
	if (!ret)
		ret = check_target((s32)a->a[0]);
	chunk = ret ? NULL : kmalloc(CHUNK);
	if (chunk)
		ret = write ? copy_pieces(&remote, &local, chunk)
			: copy_pieces(&local, &remote, chunk);
	else if (!ret)
		ret = -ENOMEM;
	kfree(chunk);
	kfree(local_iov);
	kfree(remote_iov);
	return ret;
}

long sys_process_vm_readv(struct task *t, const struct sysargs *a)
{
	return process_vm(a, false);
}

long sys_process_vm_writev(struct task *t, const struct sysargs *a)
{
	return process_vm(a, true);
}
