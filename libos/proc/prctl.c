/*
 * prctl.c - prctl and arch_prctl.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/mm.h>

#include <linux/prctl.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define ARCH_SET_GS_ 0x1001
#define ARCH_SET_FS_ 0x1002
#define ARCH_GET_FS_ 0x1003
#define ARCH_GET_GS_ 0x1004
#define ARCH_GET_CPUID_ 0x1011
#define ARCH_SET_CPUID_ 0x1012

#define CAP_VALID(c) ((c) <= CAP_LAST_CAP)
#define SECUREBITS_ALL 0xffu

static long set_name(struct task *t, u64 uptr)
{
	char name[16];
	ssize_t n = strncpy_from_user(name, uptr, sizeof(name));

	if (n == -ENAMETOOLONG)
		name[sizeof(name) - 1] = 0;
	else if (n < 0)
		return n;
	memset(t->comm, 0, sizeof(t->comm));
	strlcpy(t->comm, name, sizeof(t->comm));
	return 0;
}

static long set_securebits(struct cred *c, u64 bits)
{
	u32 locked = (c->securebits & 0xaa) >> 1;

	if ((locked & (c->securebits ^ bits)) || (bits & ~(u64)SECUREBITS_ALL)
	    || (c->securebits & 0xaa & ~bits) || !capable(CAP_SETPCAP))
		return -EPERM;
	c->securebits = (u32)bits;
	return 0;
}

static long cap_ambient(struct cred *c, const struct sysargs *a)
{
	u64 bit = 1ull << (a->a[2] & 63);

	if (a->a[1] == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (a->a[2] | a->a[3] | a->a[4])
			return -EINVAL;
		c->cap_ambient = 0;
		return 0;
	}
	if (!CAP_VALID(a->a[2]) || a->a[3] || a->a[4])
		return -EINVAL;
	switch (a->a[1]) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(c->cap_ambient & bit);
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_permitted & c->cap_inheritable & bit)
		    || (c->securebits & (1u << 6)))
			return -EPERM;
		c->cap_ambient |= bit;
		return 0;
	case PR_CAP_AMBIENT_LOWER:
		c->cap_ambient &= ~bit;
		return 0;
	}
	return -EINVAL;
}

static long capabilities(struct cred *c, const struct sysargs *a)
{
	switch ((s32)a->a[0]) {
	case PR_CAPBSET_READ:
		if (!CAP_VALID(a->a[1]))
			return -EINVAL;
		return !!(c->cap_bounding & (1ull << a->a[1]));
	case PR_CAPBSET_DROP:
		if (!capable(CAP_SETPCAP))
			return -EPERM;
		if (!CAP_VALID(a->a[1]))
			return -EINVAL;
		c->cap_bounding &= ~(1ull << a->a[1]);
		return 0;
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(c, a->a[1]);
	case PR_GET_KEEPCAPS:
		return !!(c->securebits & (1u << 4));
	case PR_SET_KEEPCAPS:
		if (a->a[1] > 1)
			return -EINVAL;
		if (c->securebits & (1u << 5)) /* locked */
			return -EPERM;
		c->securebits = (c->securebits & ~(1u << 4))
			| (u32)a->a[1] << 4;
		return 0;
	case PR_CAP_AMBIENT:
		return cap_ambient(c, a);
	}
	return -EINVAL;
}

static long no_new_privs(struct task *t, const struct sysargs *a)
{
	if (a->a[2] | a->a[3] | a->a[4])
		return -EINVAL;
	if ((s32)a->a[0] == PR_GET_NO_NEW_PRIVS)
		return a->a[1] ? -EINVAL : t->cred.no_new_privs;
	if (a->a[1] != 1)
		return -EINVAL;
	t->cred.no_new_privs = true;
	return 0;
}

static long timer_slack(struct task *t, const struct sysargs *a)
{
	if ((s32)a->a[0] == PR_GET_TIMERSLACK)
		return (long)MIN(t->timer_slack_ns, (u64)INT32_MAX);
	t->timer_slack_ns = (s64)a->a[1] > 0 ? a->a[1] : 50000;
	return 0;
}

/* PR_SET_MM: a program that shows another title; only root may, as there. */
static long set_mm(struct task *t, const struct sysargs *a)
{
	return capable(CAP_SYS_RESOURCE) ? -EINVAL : -EPERM;
}

/* Names of anonymous mappings are for /proc/PID/maps only. */
static long set_vma_name(const struct sysargs *a)
{
	if (a->a[1] != 0 /* PR_SET_VMA_ANON_NAME */)
		return -EINVAL;
	if (a->a[2] & ~PAGE_MASK)
		return -EINVAL;
	return 0;
}

long sys_prctl(struct task *t, const struct sysargs *a)
{
	struct proc *p = t->proc;

	switch ((s32)a->a[0]) {
	case PR_SET_NAME:
		return set_name(t, a->a[1]);
	case PR_GET_NAME:
		return copy_to_user(a->a[1], t->comm, sizeof(t->comm));
	case PR_SET_PDEATHSIG:
		if (a->a[1] > NSIG)
			return -EINVAL;
		t->pdeath_signal = (u32)a->a[1];
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user_u32(a->a[1], t->pdeath_signal);
	case PR_SET_DUMPABLE:
		if (a->a[1] > 1)
			return -EINVAL;
		p->dumpable = a->a[1];
		return 0;
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
		return no_new_privs(t, a);
	case PR_SET_CHILD_SUBREAPER:
		p->child_subreaper = !!a->a[1];
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user_u32(a->a[1], p->child_subreaper);
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
		return timer_slack(t, a);
	case PR_CAPBSET_READ: case PR_CAPBSET_DROP:
	case PR_GET_SECUREBITS: case PR_SET_SECUREBITS:
	case PR_GET_KEEPCAPS: case PR_SET_KEEPCAPS:
	case PR_CAP_AMBIENT:
		return capabilities(&t->cred, a);
	case PR_GET_SECCOMP:
		return t->seccomp_mode;
	case PR_SET_SECCOMP:
		return seccomp_prctl(t, a->a[1], a->a[2]);
	case PR_GET_TID_ADDRESS:
		return put_user_u64(a->a[1], t->clear_child_tid);
	case PR_SET_PTRACER: /* nothing traces here */
		return 0;
	case PR_GET_TIMING:
		return 0; /* statistical */
	case PR_SET_TIMING:
		return a->a[1] ? -EINVAL : 0;
	case PR_GET_TSC:
		return put_user_u32(a->a[1], PR_TSC_ENABLE);
	case PR_SET_TSC:
		return a->a[1] == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_THP_DISABLE:
		return a->a[1] | a->a[2] | a->a[3] | a->a[4] ? -EINVAL : 0;
	case PR_SET_THP_DISABLE: /* advice */
		return a->a[2] | a->a[3] | a->a[4] ? -EINVAL : 0;
	case PR_MCE_KILL:
		return 0; /* the policy has no machine checks to act on */
	case PR_MCE_KILL_GET:
		return PR_MCE_KILL_DEFAULT;
	case PR_SET_MM:
		return set_mm(t, a);
	case PR_SET_VMA:
		return set_vma_name(a);
	}
	return -EINVAL;
}

/* ---- the processor's ------------------------------------------------------------------ */
static bool base_ok(u64 base)
{
	return base < GUEST_MAX;
}

long sys_arch_prctl(struct task *t, const struct sysargs *a)
{
	switch ((u32)a->a[0]) {
	case ARCH_SET_FS_:
		if (!base_ok(a->a[1]))
			return -EPERM;
		arch_set_fs(a->a[1]);
		return 0;
	case ARCH_GET_FS_:
		return put_user_u64(a->a[1], arch_get_fs());
	case ARCH_SET_GS_:
		if (!base_ok(a->a[1]))
			return -EPERM;
		return arch_set_gs(t, a->a[1]);
	case ARCH_GET_GS_:
		return put_user_u64(a->a[1], t->arch.guest_gs);
	case ARCH_GET_CPUID_:
		return 1;
	case ARCH_SET_CPUID_:
		return -ENODEV;
	}
	return -EINVAL;
}
