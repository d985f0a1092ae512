/*
 * net.h - what other areas need of the sockets: recognising one behind a
 * file, and listing them all for /proc/net.
 *
 * A socket's file has an inode of its own with S_IFSOCK in its mode; its
 * name in /proc/PID/fd is "socket:[INO]" with that inode's number.
 */
#ifndef LIBOS_NET_H
#define LIBOS_NET_H

#include <libos/base.h>
#include <libos/file.h>

struct socket;

/* The socket behind f, or NULL.  Valid while f is. */
struct socket *socket_of(struct file *f);
/* A connected stream whose data path is this host handle, or HOST_NO_HANDLE:
 * sendfile and splice may write to it directly. */
host_handle socket_host_stream(struct file *f);

/* One socket, as /proc/net shows it. */
struct net_info {
	u16 family;             /* 1 unix, 2 inet, 10 inet6, 16 netlink */
	u16 type;               /* SOCK_* */
	u32 protocol;           /* 6 tcp, 17 udp; netlink: the family */
	u32 state;              /* TCP_*: 1 established, 7 close, 10 listen */
	u8 local[16], remote[16]; /* network order; v4 as ::ffff:a.b.c.d */
	u16 local_port, remote_port; /* host order */
	u32 send_bytes, receive_bytes;
	u32 uid;
	u64 ino;
	u32 refs;
	u32 shut;               /* 1 receive, 2 send */
	bool has_backlog;       /* unix: listens */
	u32 name_size;          /* unix: bytes of name; abstract starts with 0 */
	char name[108];
};
/* Call fn for each socket of this family (0: all) and type (0: all).  fn
 * gets a copy and may do what it likes except make or close sockets. */
void net_for_each(u16 family, u16 type,
		  void (*fn)(void *arg, const struct net_info *i), void *arg);
/* Counts for /proc/net/sockstat. */
struct net_counts { u32 sockets, tcp, tcp6, udp, udp6, unix_sockets; };
void net_count(struct net_counts *c);

#endif
