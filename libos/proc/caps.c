/*
 * caps.c - capget and capset.
 */
#include "internal.h"

#define CAPS_KNOWN ((1ull << (CAP_LAST_CAP + 1)) - 1)

struct cap_header { u32 version; s32 pid; };
struct cap_data { u32 effective, permitted, inheritable; };

/* How many cap_data follow, or -EINVAL; an unknown version is answered with
 * the one we prefer. */
static int header_read(u64 uptr, struct cap_header *h)
{
	if (copy_from_user(h, uptr, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	}
	if (put_user_u32(uptr, _LINUX_CAPABILITY_VERSION_3))
		return -EFAULT;
	return -EINVAL;
}

static int cred_of(s32 pid, struct cred *out)
{
	struct task *t;
	int err = 0;

	if (!pid || pid == current()->tid) {
		*out = current()->cred;
		return 0;
	}
	mutex_lock(&tasklist_lock);
	t = task_find(pid);
	if (t)
		*out = t->cred;
	else
		err = -ESRCH;
	mutex_unlock(&tasklist_lock);
	return err;
}

long sys_capget(struct task *t, const struct sysargs *a)
{
	struct cap_data d[2];
	struct cap_header h;
	struct cred c;
	int n = header_read(a->a[0], &h), err;

	if (n == -EINVAL && !a->a[1])
		return 0; /* only asked for the version */
	if (n < 0)
		return n;
	if (h.pid < 0)
		return -EINVAL;
	err = cred_of(h.pid, &c);
	if (err || !a->a[1])
		return err;
	for (int i = 0; i < 2; i++) {
		d[i].effective = (u32)(c.cap_effective >> (32 * i));
		d[i].permitted = (u32)(c.cap_permitted >> (32 * i));
		d[i].inheritable = (u32)(c.cap_inheritable >> (32 * i));
	}
	return copy_to_user(a->a[1], d, (size_t)n * sizeof(d[0]));
}

static int check_new(const struct cred *old, u64 e, u64 p, u64 i)
{
	if (!capable(CAP_SETPCAP)
	    && (i & ~(old->cap_inheritable | old->cap_permitted)))
		return -EPERM;
	if (i & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	if ((p & ~old->cap_permitted) || (e & ~p))
		return -EPERM;
	return 0;
}

long sys_capset(struct task *t, const struct sysargs *a)
{
	struct cap_data d[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct cred *c = &t->cred;
	struct cap_header h;
	u64 e, p, i;
	int n = header_read(a->a[0], &h), err;

	if (n < 0)
		return n;
	if (h.pid && h.pid != t->tid)
		return -EPERM;
	if (copy_from_user(d, a->a[1], (size_t)n * sizeof(d[0])))
		return -EFAULT;
	e = ((u64)d[1].effective << 32 | d[0].effective) & CAPS_KNOWN;
	p = ((u64)d[1].permitted << 32 | d[0].permitted) & CAPS_KNOWN;
	i = ((u64)d[1].inheritable << 32 | d[0].inheritable) & CAPS_KNOWN;
	err = check_new(c, e, p, i);
	if (err)
		return err;
	c->cap_effective = e;
	c->cap_permitted = p;
	c->cap_inheritable = i;
	c->cap_ambient &= p & i;
	return 0;
}
