/*
 * procfs_net.c - /proc/net: the sockets of the sandbox and its one interface,
 * the loopback.
 */
#include "procfs.h"

#include <libos/net.h>

enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10,
       FAMILY_NETLINK = 16 };
enum { TYPE_STREAM = 1, TYPE_DGRAM = 2 };

struct net_print { struct seq *s; u32 line; };

/* As Linux prints them: each 32-bit word of the address as a number. */
static void show_address(struct seq *s, const u8 *ip, u16 port, bool v6)
{
	u32 w[4];

	memcpy(w, ip, sizeof(w));
	if (v6)
		seq_printf(s, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3],
			   port);
	else
		seq_printf(s, "%08X:%04X", w[3], port);
}

static void show_inet(struct seq *s, u32 line, const struct net_info *i)
{
	bool v6 = i->family == FAMILY_INET6;

	seq_printf(s, i->protocol == 17 ? "%5u: " : "%4u: ", line);
	show_address(s, i->local, i->local_port, v6);
	seq_printf(s, " ");
	show_address(s, i->remote, i->remote_port, v6);
	seq_printf(s, " %02X %08X:%08X 00:00000000 00000000 %5u        0 %lu",
		   i->state, i->send_bytes, i->receive_bytes, i->uid, i->ino);
}

static void print_tcp(void *arg, const struct net_info *i)
{
	struct net_print *p = arg;

	if (i->type != TYPE_STREAM)
		return;
	show_inet(p->s, p->line++, i);
	seq_printf(p->s, " %u 0000000000000000 %s\n", i->refs,
		   i->state == 10 ? "100 0 0 10 0" : "20 4 30 10 -1");
}

static void print_udp(void *arg, const struct net_info *i)
{
	struct net_print *p = arg;

	if (i->type != TYPE_DGRAM)
		return;
	show_inet(p->s, p->line++, i);
	seq_printf(p->s, " %u 0000000000000000 0\n", i->refs);
}

/* entry->value: the family, and in the next byte the type. */
static int show_inet_table(struct seq *s, const struct pnode *n)
{
	u16 family = n->entry->value & 0xff, type = n->entry->value >> 8 & 0xff;
	struct net_print p = { s, 0 };

	if (family == FAMILY_INET)
		seq_printf(s, "%s  sl  local_address rem_address   st tx_queue "
			   "rx_queue tr tm->when retrnsmt   uid  timeout inode",
			   type == TYPE_DGRAM ? " " : "");
	else
		seq_printf(s, "  sl  local_address                         "
			   "remote_address                        st tx_queue "
			   "rx_queue tr tm->when retrnsmt   uid  timeout inode");
	seq_printf(s, type == TYPE_DGRAM ? " ref pointer drops\n" :
		   family == FAMILY_INET ?
		   "                                                     \n" :
		   "\n");
	net_for_each(family, type, type == TYPE_DGRAM ? print_udp : print_tcp,
		     &p);
	return 0;
}

static void print_unix(void *arg, const struct net_info *i)
{
	struct net_print *p = arg;

	seq_printf(p->s, "%016x: %08X %08X %08X %04X %02X %5lu", 0, i->refs, 0,
		   i->has_backlog ? 0x10000 : 0, i->type, i->state, i->ino);
	if (i->name_size) {
		seq_printf(p->s, " ");
		for (u32 k = 0; k < i->name_size && k < sizeof(i->name); k++) {
			char c = i->name[k];

			if (!c && i->name[0]) /* a path ends at its NUL */
				break;
			seq_write(p->s, c ? &c : "@", 1);
		}
	}
	seq_printf(p->s, "\n");
}

static int show_unix(struct seq *s, const struct pnode *n)
{
	struct net_print p = { s, 0 };

	seq_printf(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	net_for_each(FAMILY_UNIX, 0, print_unix, &p);
	return 0;
}

static void print_netlink(void *arg, const struct net_info *i)
{
	struct net_print *p = arg;

	seq_printf(p->s, "%016x %-3u %-10u %08x %-8u %-8u %-5u %-8u %-8u "
		   "%-8lu\n", 0, i->protocol, (u32)i->local_port, 0,
		   i->receive_bytes, 0, 0, i->refs, 0, i->ino);
}

static int show_netlink(struct seq *s, const struct pnode *n)
{
	struct net_print p = { s, 0 };

	seq_printf(s, "sk               Eth Pid        Groups   Rmem     Wmem"
		   "     Dump  Locks    Drops    Inode\n");
	net_for_each(FAMILY_NETLINK, 0, print_netlink, &p);
	return 0;
}

static int show_sockstat(struct seq *s, const struct pnode *n)
{
	struct net_counts c;

	net_count(&c);
	seq_printf(s, "sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u "
		   "mem 0\nUDP: inuse %u mem 0\nUDPLITE: inuse 0\n"
		   "RAW: inuse 0\nFRAG: inuse 0 memory 0\n", c.sockets, c.tcp,
		   c.tcp, c.udp);
	return 0;
}

static int show_sockstat6(struct seq *s, const struct pnode *n)
{
	struct net_counts c;

	net_count(&c);
	seq_printf(s, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\n"
		   "RAW6: inuse 0\nFRAG6: inuse 0 memory 0\n", c.tcp6, c.udp6);
	return 0;
}

#define INET(n, family, type) { .name = (n), .mode = 0100444, \
	.show = show_inet_table, .value = (family) | (type) << 8 }

const struct pentry proc_net_table[] = {
	P_TEXT("arp", "IP address       HW type     Flags       HW address"
	       "            Mask     Device\n"),
	P_TEXT("dev", "Inter-|   Receive                                      "
	       "          |  Transmit\n"
	       " face |bytes    packets errs drop fifo frame compressed "
	       "multicast|bytes    packets errs drop fifo colls carrier "
	       "compressed\n"
	       "    lo:       0       0    0    0    0     0          0"
	       "         0        0       0    0    0    0     0       0"
	       "          0\n"),
	P_TEXT("if_inet6", "00000000000000000000000000000001 01 80 10 80"
	       "       lo\n"),
	P_TEXT("ipv6_route", "00000000000000000000000000000001 80 "
	       "00000000000000000000000000000000 00 "
	       "00000000000000000000000000000000 00000000 00000002 00000000 "
	       "80200001       lo\n"),
	P_FILE("netlink", show_netlink), P_TEXT("packet",
	       "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	P_TEXT("protocols", "protocol  size sockets  memory press maxhdr\n"),
	P_TEXT("raw", "  sl  local_address rem_address   st tx_queue rx_queue "
	       "tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"),
	P_TEXT("route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\t"
	       "Metric\tMask\t\tMTU\tWindow\tIRTT\n"),
	P_TEXT("snmp",
	       "Ip: Forwarding DefaultTTL InReceives\nIp: 2 64 0\n"
	       "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens "
	       "PassiveOpens\nTcp: 1 200 120000 -1 0 0\n"
	       "Udp: InDatagrams NoPorts InErrors OutDatagrams\nUdp: 0 0 0 0\n"),
	P_FILE("sockstat", show_sockstat), P_FILE("sockstat6", show_sockstat6),
	INET("tcp", FAMILY_INET, TYPE_STREAM),
	INET("tcp6", FAMILY_INET6, TYPE_STREAM),
	INET("udp", FAMILY_INET, TYPE_DGRAM),
	INET("udp6", FAMILY_INET6, TYPE_DGRAM), P_FILE("unix", show_unix), P_END
};
