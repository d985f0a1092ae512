/*
 * sysinfo.c - what the system says of itself: uname, sysinfo, syslog, host
 * name; and small process attributes: personality, unshare.
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/version.h>
#include <libos/vfs.h>

static struct mutex uts_lock;
static char hostname[UTS_NAME_MAX + 1]; /* uts_lock */
static char domainname[UTS_NAME_MAX + 1] = LIBOS_DOMAINNAME;
static bool hostname_is_set;

static void hostname_from_boot(void)
{
	const char *name = boot_string(boot_info(), boot_info()->hostname);

	if (hostname_is_set)
		return;
	strlcpy(hostname, name ? name : "localhost", sizeof(hostname));
	hostname_is_set = true;
}

void uts_get_hostname(char out[UTS_NAME_MAX + 1])
{
	mutex_lock(&uts_lock);
	hostname_from_boot();
	memcpy(out, hostname, sizeof(hostname));
	mutex_unlock(&uts_lock);
}

static int set_name(char *to, const char *name, size_t size)
{
	if (size > UTS_NAME_MAX)
		return -EINVAL;
	mutex_lock(&uts_lock);
	hostname_from_boot();
	memset(to, 0, UTS_NAME_MAX + 1);
	memcpy(to, name, size);
	mutex_unlock(&uts_lock);
	return 0;
}

int uts_set_hostname(const char *name, size_t size)
{
	return set_name(hostname, name, size);
}

static long set_user_name(char *to, const struct sysargs *a)
{
	char name[UTS_NAME_MAX];

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((s64)a->a[1] < 0 || a->a[1] > UTS_NAME_MAX)
		return -EINVAL;
	if (copy_from_user(name, a->a[0], a->a[1]))
		return -EFAULT;
	return set_name(to, name, a->a[1]);
}

long sys_sethostname(struct task *t, const struct sysargs *a)
{
	return set_user_name(hostname, a);
}

long sys_setdomainname(struct task *t, const struct sysargs *a)
{
	return set_user_name(domainname, a);
}

struct guest_utsname { char field[6][UTS_NAME_MAX + 1]; };

long sys_uname(struct task *t, const struct sysargs *a)
{
	struct guest_utsname u;

	memset(&u, 0, sizeof(u));
	strlcpy(u.field[0], LIBOS_SYSNAME, sizeof(u.field[0]));
	uts_get_hostname(u.field[1]);
	strlcpy(u.field[2], LIBOS_RELEASE, sizeof(u.field[2]));
	strlcpy(u.field[3], LIBOS_VERSION, sizeof(u.field[3]));
	strlcpy(u.field[4], LIBOS_MACHINE, sizeof(u.field[4]));
	mutex_lock(&uts_lock);
	memcpy(u.field[5], domainname, sizeof(domainname));
	mutex_unlock(&uts_lock);
	return copy_to_user(a->a[0], &u, sizeof(u));
}

struct guest_sysinfo {
	s64 uptime;
	u64 loads[3];
	u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 mem_unit;
};

long sys_sysinfo(struct task *t, const struct sysargs *a)
{
	const struct boot_info *b = boot_info();
	u64 used = memory_in_use();
	struct guest_sysinfo s;

	memset(&s, 0, sizeof(s));
	s.uptime = (s64)(clock_boot_ns() / NSEC_PER_SEC);
	s.totalram = b->host_memory;
	if (b->memory_limit && b->memory_limit < s.totalram)
		s.totalram = b->memory_limit;
	s.freeram = used < s.totalram ? s.totalram - used : 0;
	s.procs = (u16)MIN(proc_task_count(), 0xffffu);
	s.mem_unit = 1;
	return copy_to_user(a->a[0], &s, sizeof(s));
}

/* There is no kernel log to read: it is empty. */
long sys_syslog(struct task *t, const struct sysargs *a)
{
	s32 type = (s32)a->a[0];

	if (type < 0 || type > 10)
		return -EINVAL;
	if (type != 3 && type != 10 && !capable(CAP_SYSLOG))
		return -EPERM;
	if (type >= 2 && type <= 4 && (!a->a[1] || (s32)a->a[2] < 0))
		return -EINVAL;
	return 0;
}

long sys_personality(struct task *t, const struct sysargs *a)
{
	u32 old = t->proc->personality, new = (u32)a->a[0];

	if (new != 0xffffffffu)
		t->proc->personality = new;
	return old;
}

/* ---- unshare: what is not a namespace --------------------------------------------- */
static int unshare_files(struct proc *p)
{
	struct files *old = p->files, *own;

	if (__atomic_load_n(&old->ref.count, __ATOMIC_ACQUIRE) == 1)
		return 0;
	own = files_copy(old);
	if (!own)
		return -ENOMEM;
	mutex_lock(&tasklist_lock);
	p->files = own;
	mutex_unlock(&tasklist_lock);
	files_put(old);
	return 0;
}

static int unshare_fs(struct proc *p)
{
	struct fs_context *old = p->fs, *own;

	if (__atomic_load_n(&old->ref.count, __ATOMIC_ACQUIRE) == 1)
		return 0;
	own = fs_context_copy(old);
	if (!own)
		return -ENOMEM;
	mutex_lock(&tasklist_lock);
	p->fs = own;
	mutex_unlock(&tasklist_lock);
	fs_context_put(old);
	return 0;
}

long sys_unshare(struct task *t, const struct sysargs *a)
{
	const u64 alone = CLONE_THREAD_ | CLONE_SIGHAND_ | CLONE_VM_;
	u64 f = a->a[0];
	int err = 0;

	if (f & ~(alone | CLONE_FS_ | CLONE_FILES_ | CLONE_SYSVSEM_
		  | CLONE_NAMESPACES_ | CLONE_NEWTIME_))
		return -EINVAL;
	if (f & (CLONE_NAMESPACES_ | CLONE_NEWTIME_))
		return -EPERM;
	if ((f & alone) && t->proc->thread_count > 1)
		return -EINVAL;
	/* a thread's own table, apart from its process's, does not exist */
	if ((f & (CLONE_FILES_ | CLONE_FS_)) && t->proc->thread_count > 1)
		return -EPERM;
	if (f & CLONE_FILES_)
		err = unshare_files(t->proc);
	if (!err && (f & CLONE_FS_))
		err = unshare_fs(t->proc);
	return err;
}

long sys_setns(struct task *t, const struct sysargs *a)
{
	return -EPERM;
}

/* Restartable sequences need the host's scheduler; C libraries do without. */
long sys_rseq(struct task *t, const struct sysargs *a)
{
	return -ENOSYS;
}
