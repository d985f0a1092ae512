/*
 * cred.c - user and group ids: Linux's rules for changing them.
 *
 * Credentials belong to the thread; the C library makes its threads agree.
 */
#include "internal.h"

#define KEEP (~0u) /* "leave as it is" */
#define SECBIT_NO_SETUID_FIXUP (1u << 2)
#define SECBIT_KEEP_CAPS (1u << 4)
/* CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE,
 * MAC_OVERRIDE, MKNOD: they follow the file-system uid. */
#define CAPS_FS 0x10800021full

bool capable(int cap)
{
	return current()->cred.cap_effective & (1ull << cap);
}

/* ---- user ids -------------------------------------------------------------------- */
static bool any_root(const struct cred *c)
{
	return !c->uid || !c->euid || !c->suid;
}

/* Capabilities follow the user ids. */
static void fix_capabilities(struct cred *c, const struct cred *old)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (any_root(old) && !any_root(c)) {
		if (!(c->securebits & SECBIT_KEEP_CAPS))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (!old->euid && c->euid)
		c->cap_effective = 0;
	if (old->euid && !c->euid)
		c->cap_effective = c->cap_permitted;
}

static void fix_fs_capabilities(struct cred *c, const struct cred *old)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (!old->fsuid && c->fsuid)
		c->cap_effective &= ~CAPS_FS;
	if (old->fsuid && !c->fsuid)
		c->cap_effective |= c->cap_permitted & CAPS_FS;
}

static long commit(struct task *t, struct cred *new)
{
	struct cred *c = &t->cred;
	bool differs = new->euid != c->euid || new->egid != c->egid
		|| new->fsuid != c->fsuid || new->fsgid != c->fsgid;

	if (differs) {
		t->proc->dumpable = false;
		t->pdeath_signal = 0;
	}
	*c = *new;
	return 0;
}

static bool uid_is_own(const struct cred *c, u32 id)
{
	return id == c->uid || id == c->euid || id == c->suid;
}

static long commit_uids(struct task *t, struct cred *new)
{
	struct cred old = t->cred;

	new->fsuid = new->euid;
	fix_capabilities(new, &old);
	return commit(t, new);
}

long sys_setuid(struct task *t, const struct sysargs *a)
{
	struct cred c = t->cred;
	u32 id = (u32)a->a[0];

	if (id == KEEP)
		return -EINVAL;
	if (capable(CAP_SETUID))
		c.uid = c.suid = id;
	else if (id != c.uid && id != c.suid)
		return -EPERM;
	c.euid = id;
	return commit_uids(t, &c);
}

long sys_setreuid(struct task *t, const struct sysargs *a)
{
	const struct cred *old = &t->cred;
	u32 r = (u32)a->a[0], e = (u32)a->a[1];
	struct cred c = *old;
	bool may = capable(CAP_SETUID);

	if (r != KEEP) {
		if (!may && r != old->uid && r != old->euid)
			return -EPERM;
		c.uid = r;
	}
	if (e != KEEP) {
		if (!may && !uid_is_own(old, e))
			return -EPERM;
		c.euid = e;
	}
	if (r != KEEP || (e != KEEP && e != old->uid))
		c.suid = c.euid;
	return commit_uids(t, &c);
}

long sys_setresuid(struct task *t, const struct sysargs *a)
{
	struct cred c = t->cred;
	u32 *const to[3] = { &c.uid, &c.euid, &c.suid };
	bool may = capable(CAP_SETUID);

	for (int i = 0; i < 3; i++) {
		u32 id = (u32)a->a[i];

		if (id == KEEP)
			continue;
		if (!may && !uid_is_own(&t->cred, id))
			return -EPERM;
		*to[i] = id;
	}
	return commit_uids(t, &c);
}

static long put_three(const struct sysargs *a, u32 x, u32 y, u32 z)
{
	if (put_user_u32(a->a[0], x) || put_user_u32(a->a[1], y)
	    || put_user_u32(a->a[2], z))
		return -EFAULT;
	return 0;
}

long sys_getresuid(struct task *t, const struct sysargs *a)
{
	return put_three(a, t->cred.uid, t->cred.euid, t->cred.suid);
}

long sys_setfsuid(struct task *t, const struct sysargs *a)
{
	struct cred c = t->cred, old = t->cred;
	u32 id = (u32)a->a[0];

	if (id != KEEP && (uid_is_own(&c, id) || id == c.fsuid
			   || capable(CAP_SETUID))) {
		c.fsuid = id;
		fix_fs_capabilities(&c, &old);
		commit(t, &c);
	}
	return old.fsuid;
}

/* ---- group ids -------------------------------------------------------------------- */
static bool gid_is_own(const struct cred *c, u32 id)
{
	return id == c->gid || id == c->egid || id == c->sgid;
}

static long commit_gids(struct task *t, struct cred *new)
{
	new->fsgid = new->egid;
	return commit(t, new);
}

long sys_setgid(struct task *t, const struct sysargs *a)
{
	struct cred c = t->cred;
	u32 id = (u32)a->a[0];

	if (id == KEEP)
		return -EINVAL;
	if (capable(CAP_SETGID))
		c.gid = c.sgid = id;
	else if (id != c.gid && id != c.sgid)
		return -EPERM;
	c.egid = id;
	return commit_gids(t, &c);
}

long sys_setregid(struct task *t, const struct sysargs *a)
{
	const struct cred *old = &t->cred;
	u32 r = (u32)a->a[0], e = (u32)a->a[1];
	struct cred c = *old;
	bool may = capable(CAP_SETGID);

	if (r != KEEP) {
		if (!may && r != old->gid && r != old->egid)
			return -EPERM;
		c.gid = r;
	}
	if (e != KEEP) {
		if (!may && !gid_is_own(old, e))
			return -EPERM;
		c.egid = e;
	}
	if (r != KEEP || (e != KEEP && e != old->gid))
		c.sgid = c.egid;
	return commit_gids(t, &c);
}

long sys_setresgid(struct task *t, const struct sysargs *a)
{
	struct cred c = t->cred;
	u32 *const to[3] = { &c.gid, &c.egid, &c.sgid };
	bool may = capable(CAP_SETGID);

	for (int i = 0; i < 3; i++) {
		u32 id = (u32)a->a[i];

		if (id == KEEP)
			continue;
		if (!may && !gid_is_own(&t->cred, id))
			return -EPERM;
		*to[i] = id;
	}
	return commit_gids(t, &c);
}

long sys_getresgid(struct task *t, const struct sysargs *a)
{
	return put_three(a, t->cred.gid, t->cred.egid, t->cred.sgid);
}

long sys_setfsgid(struct task *t, const struct sysargs *a)
{
	struct cred c = t->cred;
	u32 id = (u32)a->a[0], old = c.fsgid;

	if (id != KEEP && (gid_is_own(&c, id) || id == old
			   || capable(CAP_SETGID))) {
		c.fsgid = id;
		commit(t, &c);
	}
	return old;
}

long sys_getuid(struct task *t, const struct sysargs *a)
{
	return t->cred.uid;
}

long sys_geteuid(struct task *t, const struct sysargs *a)
{
	return t->cred.euid;
}

long sys_getgid(struct task *t, const struct sysargs *a)
{
	return t->cred.gid;
}

long sys_getegid(struct task *t, const struct sysargs *a)
{
	return t->cred.egid;
}

/* ---- supplementary groups ----------------------------------------------------------- */
long sys_getgroups(struct task *t, const struct sysargs *a)
{
	s32 size = (s32)a->a[0];
	u32 n = t->cred.group_count;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return n;
	if ((u32)size < n)
		return -EINVAL;
	return copy_to_user(a->a[1], t->cred.groups, n * sizeof(u32))
		? -EFAULT : (long)n;
}

static void sort_groups(u32 *g, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u32 v = g[i], k = i;

		for (; k && g[k - 1] > v; k--)
			g[k] = g[k - 1];
		g[k] = v;
	}
}

long sys_setgroups(struct task *t, const struct sysargs *a)
{
	u32 n = (u32)a->a[0], groups[NGROUPS];

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS)
		return -EINVAL;
	if (copy_from_user(groups, a->a[1], n * sizeof(u32)))
		return -EFAULT;
	sort_groups(groups, n); /* as Linux keeps and shows them */
	memcpy(t->cred.groups, groups, n * sizeof(u32));
	t->cred.group_count = n;
	return 0;
}
