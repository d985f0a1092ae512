/*
 * procfs_sys.c - /proc/sys: the settings that programs read.  Those that only
 * a real kernel could act on can be read and not written (EPERM); the host
 * name can be set by who may.
 */
#include "procfs.h"

#include <bailey/boot.h>

#include <libos/proc.h>
#include <libos/random.h>
#include <libos/version.h>

enum { CAP_ADMIN = 21 };

/* ---- kernel/ ----------------------------------------------------------------------- */
static int show_hostname(struct seq *s, const struct pnode *n)
{
	char name[UTS_NAME_MAX + 1];

	uts_get_hostname(name);
	seq_printf(s, "%s\n", name);
	return 0;
}

static ssize_t write_hostname(const struct pnode *n, const char *text,
			      size_t size)
{
	size_t len = 0;

	if (!capable(CAP_ADMIN))
		return -EPERM;
	while (len < size && text[len] && text[len] != '\n')
		len++;
	return uts_set_hostname(text, len) ? -EINVAL : (ssize_t)size;
}

static int show_pid_max(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "4194304\n");
	return 0;
}

static int show_threads_max(struct seq *s, const struct pnode *n)
{
	u32 limit = boot_info()->pids_limit;

	seq_printf(s, "%u\n", limit ? limit : 126000);
	return 0;
}

static void show_uuid(struct seq *s, const u8 *b)
{
	for (int i = 0; i < 16; i++)
		seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ?
			   "-" : "", b[i]);
	seq_printf(s, "\n");
}

static int show_random_uuid(struct seq *s, const struct pnode *n)
{
	u8 b[16];

	random_bytes(b, sizeof(b));
	b[6] = (u8)((b[6] & 0x0f) | 0x40);
	b[8] = (u8)((b[8] & 0x3f) | 0x80);
	show_uuid(s, b);
	return 0;
}

/* One for the life of the sandbox. */
static int show_boot_id(struct seq *s, const struct pnode *n)
{
	static struct mutex lock = MUTEX_INIT;
	static u8 id[16];
	static bool known;

	mutex_lock(&lock);
	if (!known) {
		random_bytes(id, sizeof(id));
		id[6] = (u8)((id[6] & 0x0f) | 0x40);
		id[8] = (u8)((id[8] & 0x3f) | 0x80);
		known = true;
	}
	mutex_unlock(&lock);
	show_uuid(s, id);
	return 0;
}

static const struct pentry random_table[] = {
	P_FILE("boot_id", show_boot_id), P_SYSCTL("entropy_avail", "256\n"),
	P_SYSCTL("poolsize", "256\n"), P_FILE("uuid", show_random_uuid), P_END
};

static const struct pentry pty_table[] = {
	P_SYSCTL("max", "1024\n"), P_SYSCTL("reserve", "0\n"), P_END
};

static const struct pentry kernel_table[] = {
	P_TEXT("cap_last_cap", "40\n"), P_SYSCTL("core_pattern", "core\n"),
	P_SYSCTL("core_uses_pid", "0\n"),
	P_SYSCTL("domainname", LIBOS_DOMAINNAME "\n"),
	P_WRITABLE("hostname", show_hostname, write_hostname),
	P_SYSCTL("msgmax", "8192\n"), P_SYSCTL("msgmnb", "16384\n"),
	P_SYSCTL("msgmni", "32000\n"), P_TEXT("ngroups_max", "65536\n"),
	P_TEXT("osrelease", LIBOS_RELEASE "\n"),
	P_TEXT("ostype", LIBOS_SYSNAME "\n"), P_SYSCTL("overflowgid", "65534\n"),
	P_SYSCTL("overflowuid", "65534\n"), P_SYSCTL("panic", "0\n"),
	P_SYSCTL("perf_event_paranoid", "4\n"),
	{ .name = "pid_max", .mode = 0100644, .show = show_pid_max },
	P_SYSCTL("printk", "4\t4\t1\t7\n"), P_DIR("pty", pty_table),
	P_DIR("random", random_table), P_SYSCTL("randomize_va_space", "2\n"),
	P_SYSCTL("sched_rt_period_us", "1000000\n"),
	P_SYSCTL("sched_rt_runtime_us", "950000\n"),
	P_SYSCTL("sem", "32000\t1024000000\t500\t32000\n"),
	P_SYSCTL("shm_rmid_forced", "0\n"),
	P_SYSCTL("shmall", "18446744073692774399\n"),
	P_SYSCTL("shmmax", "18446744073692774399\n"),
	P_SYSCTL("shmmni", "4096\n"), P_SYSCTL("tainted", "0\n"),
	{ .name = "threads-max", .mode = 0100644, .show = show_threads_max },
	P_TEXT("version", LIBOS_VERSION "\n"), P_END
};

/* ---- vm/, fs/ -------------------------------------------------------------------------- */
static const struct pentry vm_table[] = {
	P_SYSCTL("dirty_background_ratio", "10\n"),
	P_SYSCTL("dirty_ratio", "20\n"), P_SYSCTL("max_map_count", "65530\n"),
	P_SYSCTL("min_free_kbytes", "67584\n"),
	P_SYSCTL("mmap_min_addr", "65536\n"), P_SYSCTL("nr_hugepages", "0\n"),
	P_SYSCTL("overcommit_kbytes", "0\n"),
	P_SYSCTL("overcommit_memory", "1\n"),
	P_SYSCTL("overcommit_ratio", "50\n"), P_SYSCTL("swappiness", "60\n"),
	P_SYSCTL("vfs_cache_pressure", "100\n"), P_END
};
static const struct pentry inotify_table[] = {
	P_SYSCTL("max_queued_events", "16384\n"),
	P_SYSCTL("max_user_instances", "8192\n"),
	P_SYSCTL("max_user_watches", "1048576\n"), P_END
};
static const struct pentry epoll_table[] = {
	P_SYSCTL("max_user_watches", "1048576\n"), P_END
};
static const struct pentry mqueue_table[] = {
	P_SYSCTL("msg_default", "10\n"), P_SYSCTL("msg_max", "10\n"),
	P_SYSCTL("msgsize_default", "8192\n"), P_SYSCTL("msgsize_max", "8192\n"),
	P_SYSCTL("queues_max", "256\n"), P_END
};
static const struct pentry fs_table[] = {
	P_SYSCTL("aio-max-nr", "65536\n"), P_TEXT("aio-nr", "0\n"),
	P_TEXT("dentry-state", "0\t0\t45\t0\t0\t0\n"),
	P_DIR("epoll", epoll_table),
	P_SYSCTL("file-max", "9223372036854775807\n"),
	P_TEXT("file-nr", "512\t0\t9223372036854775807\n"),
	P_TEXT("inode-nr", "1024\t0\n"), P_DIR("inotify", inotify_table),
	P_SYSCTL("lease-break-time", "45\n"), P_SYSCTL("leases-enable", "1\n"),
	P_SYSCTL("mount-max", "100000\n"), P_DIR("mqueue", mqueue_table),
	P_SYSCTL("nr_open", "1048576\n"), P_SYSCTL("overflowgid", "65534\n"),
	P_SYSCTL("overflowuid", "65534\n"), P_SYSCTL("pipe-max-size", "1048576\n"),
	P_SYSCTL("pipe-user-pages-hard", "0\n"),
	P_SYSCTL("pipe-user-pages-soft", "16384\n"),
	P_SYSCTL("protected_fifos", "0\n"),
	P_SYSCTL("protected_hardlinks", "0\n"),
	P_SYSCTL("protected_regular", "0\n"),
	P_SYSCTL("protected_symlinks", "0\n"),
	P_SYSCTL("suid_dumpable", "0\n"), P_END
};

/* ---- net/ ------------------------------------------------------------------------------- */
static const struct pentry core_table[] = {
	P_SYSCTL("netdev_max_backlog", "1000\n"),
	P_SYSCTL("optmem_max", "131072\n"), P_SYSCTL("rmem_default", "212992\n"),
	P_SYSCTL("rmem_max", "212992\n"), P_SYSCTL("somaxconn", "4096\n"),
	P_SYSCTL("wmem_default", "212992\n"), P_SYSCTL("wmem_max", "212992\n"),
	P_END
};
static const struct pentry ipv4_table[] = {
	P_SYSCTL("ip_forward", "0\n"),
	P_SYSCTL("ip_local_port_range", "32768\t60999\n"),
	P_SYSCTL("ip_local_reserved_ports", "\n"),
	P_SYSCTL("ip_nonlocal_bind", "0\n"),
	P_SYSCTL("ip_unprivileged_port_start", "0\n"),
	P_SYSCTL("ping_group_range", "1\t0\n"),
	P_SYSCTL("tcp_congestion_control", "cubic\n"),
	P_SYSCTL("tcp_fastopen", "0\n"), P_SYSCTL("tcp_fin_timeout", "60\n"),
	P_SYSCTL("tcp_keepalive_intvl", "75\n"),
	P_SYSCTL("tcp_keepalive_probes", "9\n"),
	P_SYSCTL("tcp_keepalive_time", "7200\n"),
	P_SYSCTL("tcp_max_syn_backlog", "512\n"),
	P_SYSCTL("tcp_rmem", "4096\t131072\t6291456\n"),
	P_SYSCTL("tcp_syncookies", "1\n"), P_SYSCTL("tcp_tw_reuse", "2\n"),
	P_SYSCTL("tcp_wmem", "4096\t16384\t4194304\n"), P_END
};
static const struct pentry conf_all_table[] = {
	P_SYSCTL("disable_ipv6", "0\n"), P_SYSCTL("forwarding", "0\n"), P_END
};
static const struct pentry conf_table[] = {
	P_DIR("all", conf_all_table), P_DIR("default", conf_all_table),
	P_DIR("lo", conf_all_table), P_END
};
static const struct pentry ipv6_table[] = {
	P_SYSCTL("bindv6only", "0\n"), P_DIR("conf", conf_table), P_END
};
static const struct pentry unix_table[] = {
	P_SYSCTL("max_dgram_qlen", "512\n"), P_END
};
static const struct pentry net_table[] = {
	P_DIR("core", core_table), P_DIR("ipv4", ipv4_table),
	P_DIR("ipv6", ipv6_table), P_DIR("unix", unix_table), P_END
};

static const struct pentry user_table[] = {
	P_SYSCTL("max_inotify_instances", "8192\n"),
	P_SYSCTL("max_inotify_watches", "1048576\n"),
	P_SYSCTL("max_user_namespaces", "0\n"), P_END
};
static const struct pentry tty_table[] = {
	P_SYSCTL("ldisc_autoload", "0\n"), P_SYSCTL("legacy_tiocsti", "0\n"),
	P_END
};
static const struct pentry dev_table[] = { P_DIR("tty", tty_table), P_END };

const struct pentry proc_sys_table[] = {
	P_DIR("dev", dev_table), P_DIR("fs", fs_table),
	P_DIR("kernel", kernel_table), P_DIR("net", net_table),
	P_DIR("user", user_table), P_DIR("vm", vm_table), P_END
};
