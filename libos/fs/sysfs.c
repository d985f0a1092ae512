/*
 * sysfs.c - /sys: small and true.  Processors, one memory node, the loopback
 * interface, the sandbox's limits as a cgroup shows them; nothing of the real
 * machine's devices.
 */
#include "procfs.h"

#include <bailey/boot.h>
#include <libos/proc.h>

#include <linux/magic.h>

static const struct pentry empty_table[] = { P_END };

/* ---- processors --------------------------------------------------------------------- */
static void show_range(struct seq *s, u32 count)
{
	seq_printf(s, count > 1 ? "0-%u\n" : "0\n", count - 1);
}

static int show_cpu_list(struct seq *s, const struct pnode *n)
{
	show_range(s, sandbox_cpus());
	return 0;
}

/* The set of all processors, 32 to a comma-separated word. */
static void show_mask(struct seq *s, u32 first, u32 count, u32 total)
{
	u32 words = (total + 31) / 32;

	for (u32 w = words; w-- > 0;) {
		u32 bits = 0;

		for (u32 b = 0; b < 32; b++) {
			u32 cpu = w * 32 + b;

			if (cpu >= first && cpu < first + count)
				bits |= 1u << b;
		}
		seq_printf(s, w + 1 == words && total % 32 && total < 32 ?
			   "%x" : "%08x", bits);
		seq_printf(s, w ? "," : "\n");
	}
}

static int show_cpu_map(struct seq *s, const struct pnode *n)
{
	show_mask(s, 0, sandbox_cpus(), sandbox_cpus());
	return 0;
}

static int show_own_map(struct seq *s, const struct pnode *n)
{
	show_mask(s, n->number, 1, sandbox_cpus());
	return 0;
}

static int show_own_number(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%u\n", n->number);
	return 0;
}

static const struct pentry topology_table[] = {
	P_TEXT("cluster_id", "65535\n"), P_FILE("core_cpus", show_own_map),
	P_FILE("core_cpus_list", show_own_number),
	P_FILE("core_id", show_own_number), P_FILE("core_siblings", show_cpu_map),
	P_FILE("core_siblings_list", show_cpu_list), P_TEXT("die_id", "0\n"),
	P_FILE("package_cpus", show_cpu_map),
	P_FILE("package_cpus_list", show_cpu_list),
	P_TEXT("physical_package_id", "0\n"),
	P_FILE("thread_siblings", show_own_map),
	P_FILE("thread_siblings_list", show_own_number), P_END
};

#define CACHE(level_, type_, size_, list_)                                   \
	{ P_TEXT("coherency_line_size", "64\n"),                             \
	  P_TEXT("level", level_ "\n"), P_FILE("shared_cpu_list", list_),    \
	  P_FILE("shared_cpu_map", list_ == show_cpu_list ? show_cpu_map :   \
		 show_own_map), P_TEXT("size", size_ "\n"),                  \
	  P_TEXT("type", type_ "\n"), P_END }
static const struct pentry cache0[] = CACHE("1", "Data", "32K",
					     show_own_number);
static const struct pentry cache1[] = CACHE("1", "Instruction", "32K",
					     show_own_number);
static const struct pentry cache2[] = CACHE("2", "Unified", "1024K",
					     show_own_number);
static const struct pentry cache3[] = CACHE("3", "Unified", "32768K",
					     show_cpu_list);
static const struct pentry cache_table[] = {
	P_DIR("index0", cache0), P_DIR("index1", cache1),
	P_DIR("index2", cache2), P_DIR("index3", cache3), P_END
};
static const struct pentry one_cpu_table[] = {
	P_DIR("cache", cache_table), P_TEXT("online", "1\n"),
	P_DIR("topology", topology_table), P_END
};
static const struct pentry one_cpu_entry = P_DIR("cpu", one_cpu_table);

static int cpu_lookup(struct pnode *child, const char *name)
{
	u32 n;

	if (strncmp(name, "cpu", 3) || !parse_number(name + 3, &n) ||
	    n >= sandbox_cpus())
		return -ENOENT;
	child->entry = &one_cpu_entry;
	child->number = n;
	return 0;
}

static bool cpu_list(const struct pnode *n, struct plist *l, u32 from)
{
	for (; from < sandbox_cpus(); from++) {
		if (!plist_named(l, "cpu", from, 0040555))
			return false;
	}
	return true;
}

static const struct pdir cpu_dir = { .lookup = cpu_lookup, .list = cpu_list };
static const struct pentry cpu_table[] = {
	P_TEXT("isolated", "\n"), P_TEXT("kernel_max", "8191\n"),
	P_TEXT("offline", "\n"), P_FILE("online", show_cpu_list),
	P_FILE("possible", show_cpu_list), P_FILE("present", show_cpu_list),
	P_END
};

/* ---- the memory node ------------------------------------------------------------------ */
static int show_node_meminfo(struct seq *s, const struct pnode *n)
{
	u64 all = sandbox_memory() / 1024;
	u64 used = sandbox_memory_used() / 1024;

	seq_printf(s, "Node 0 MemTotal:       %8lu kB\n"
		   "Node 0 MemFree:        %8lu kB\n"
		   "Node 0 MemUsed:        %8lu kB\n", all, all - used, used);
	return 0;
}

static const struct pentry node0_table[] = {
	P_FILE("cpulist", show_cpu_list), P_FILE("cpumap", show_cpu_map),
	P_TEXT("distance", "10\n"), P_FILE("meminfo", show_node_meminfo),
	P_TEXT("numastat", "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\n"
	       "interleave_hit 0\nlocal_node 0\nother_node 0\n"), P_END
};
static const struct pentry node_table[] = {
	P_TEXT("has_cpu", "0\n"), P_TEXT("has_memory", "0\n"),
	P_TEXT("has_normal_memory", "0\n"), P_DIR("node0", node0_table),
	P_TEXT("online", "0\n"), P_TEXT("possible", "0\n"), P_END
};
static const struct pentry system_table[] = {
	{ .name = "cpu", .mode = 0040555, .children = cpu_table,
	  .dir = &cpu_dir },
	P_DIR("node", node_table), P_END
};

/* ---- the loopback interface --------------------------------------------------------------- */
static const struct pentry lo_statistics[] = {
	P_TEXT("rx_bytes", "0\n"), P_TEXT("rx_dropped", "0\n"),
	P_TEXT("rx_errors", "0\n"), P_TEXT("rx_packets", "0\n"),
	P_TEXT("tx_bytes", "0\n"), P_TEXT("tx_dropped", "0\n"),
	P_TEXT("tx_errors", "0\n"), P_TEXT("tx_packets", "0\n"), P_END
};
static const struct pentry lo_table[] = {
	P_TEXT("addr_len", "6\n"), P_TEXT("address", "00:00:00:00:00:00\n"),
	P_TEXT("broadcast", "00:00:00:00:00:00\n"), P_TEXT("carrier", "1\n"),
	P_TEXT("dev_id", "0x0\n"), P_TEXT("flags", "0x9\n"),
	P_TEXT("ifindex", "1\n"), P_TEXT("iflink", "1\n"),
	P_TEXT("mtu", "65536\n"), P_TEXT("operstate", "unknown\n"),
	P_DIR("statistics", lo_statistics), P_TEXT("tx_queue_len", "1000\n"),
	P_TEXT("type", "772\n"), P_TEXT("uevent", "INTERFACE=lo\nIFINDEX=1\n"),
	P_END
};
static const struct pentry virtual_net_table[] = { P_DIR("lo", lo_table),
						   P_END };
static const struct pentry virtual_table[] = { P_DIR("net", virtual_net_table),
					       P_END };
static const struct pentry devices_table[] = {
	P_DIR("system", system_table), P_DIR("virtual", virtual_table), P_END
};
static const struct pentry class_net_table[] = {
	P_LINK("lo", "../../devices/virtual/net/lo"), P_END
};
static const struct pentry class_table[] = {
	P_DIR("block", empty_table), P_DIR("drm", empty_table),
	P_DIR("input", empty_table), P_DIR("net", class_net_table),
	P_DIR("tty", empty_table), P_END
};

/* ---- the sandbox as a control group -------------------------------------------------------- */
static void show_limit(struct seq *s, u64 v)
{
	if (v)
		seq_printf(s, "%lu\n", v);
	else
		seq_printf(s, "max\n");
}

static int show_memory_max(struct seq *s, const struct pnode *n)
{
	show_limit(s, boot_info()->memory_limit);
	return 0;
}

static int show_memory_current(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%lu\n", sandbox_memory_used());
	return 0;
}

static int show_pids_max(struct seq *s, const struct pnode *n)
{
	show_limit(s, boot_info()->pids_limit);
	return 0;
}

static int show_pids_current(struct seq *s, const struct pnode *n)
{
	seq_printf(s, "%u\n", proc_task_count());
	return 0;
}

static int show_procs(struct seq *s, const struct pnode *n)
{
	struct proc *p;

	mutex_lock(&tasklist_lock);
	list_for_each(p, &all_procs, in_all)
		seq_printf(s, "%d\n", p->pid);
	mutex_unlock(&tasklist_lock);
	return 0;
}

static const struct pentry cgroup_table[] = {
	P_TEXT("cgroup.controllers", "cpu memory pids\n"),
	P_TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
	P_FILE("cgroup.procs", show_procs),
	P_TEXT("cgroup.subtree_control", ""), P_TEXT("cgroup.type", "domain\n"),
	P_TEXT("cpu.max", "max 100000\n"), P_TEXT("cpu.weight", "100\n"),
	P_FILE("memory.current", show_memory_current),
	P_TEXT("memory.high", "max\n"), P_FILE("memory.max", show_memory_max),
	P_TEXT("memory.min", "0\n"), P_TEXT("memory.swap.current", "0\n"),
	P_TEXT("memory.swap.max", "0\n"),
	P_FILE("pids.current", show_pids_current),
	P_FILE("pids.max", show_pids_max), P_END
};
static const struct pentry sys_fs_table[] = { P_DIR("cgroup", cgroup_table),
					      P_END };

/* ---- the rest ------------------------------------------------------------------------------- */
static const struct pentry thp_table[] = {
	P_SYSCTL("defrag", "always defer defer+madvise [madvise] never\n"),
	P_SYSCTL("enabled", "always [madvise] never\n"),
	P_TEXT("hpage_pmd_size", "2097152\n"),
	P_SYSCTL("shmem_enabled",
		 "always within_size advise [never] deny force\n"), P_END
};
static const struct pentry mm_table[] = {
	P_DIR("hugepages", empty_table),
	P_DIR("transparent_hugepage", thp_table), P_END
};
static const struct pentry kernel_table[] = { P_DIR("mm", mm_table), P_END };
static const struct pentry pci_table[] = { P_DIR("devices", empty_table),
					   P_DIR("drivers", empty_table),
					   P_END };
static const struct pentry bus_table[] = { P_DIR("cpu", empty_table),
					   P_DIR("pci", pci_table), P_END };
static const struct pentry dev_table[] = { P_DIR("block", empty_table),
					   P_DIR("char", empty_table), P_END };

static const struct pentry root_table[] = {
	P_DIR("block", empty_table), P_DIR("bus", bus_table),
	P_DIR("class", class_table), P_DIR("dev", dev_table),
	P_DIR("devices", devices_table), P_DIR("firmware", empty_table),
	P_DIR("fs", sys_fs_table), P_DIR("kernel", kernel_table),
	P_DIR("module", empty_table), P_DIR("power", empty_table), P_END
};
static const struct pentry root_entry = P_DIR("/", root_table);

struct super *sysfs_new(void)
{
	return ptree_new("sysfs", SYSFS_MAGIC, &root_entry);
}
