/*
 * sock.h - inside libos/net: the socket object and what its parts share.
 *
 * A struct socket holds the data that was *sent to it* (a ring of bytes for
 * streams, a list of messages otherwise), so a sender locks only the
 * receiver, and one hand-off is one lock and one wake-up.  peer is a counted
 * reference; it is set while connecting and dropped when the file closes,
 * which breaks the cycle of two connected sockets.
 *
 * Locks, outermost first: inet_lock (ports) or unix_lock (names), gc_lock
 * (descriptors in flight), socket->lock (never two at a time), waitq->lock.
 * all_lock (the list of all sockets) may be held over one socket->lock.
 */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include <libos/base.h>
#include <libos/file.h>
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/lock.h>
#include <libos/net.h>
#include <libos/poll.h>
#include <libos/task.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/un.h>

/* Linux keeps these in headers that only its C libraries copy. */
enum { AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6 = 10, AF_NETLINK = 16,
       AF_PACKET, AF_MAX = 46 };
enum { SOCK_STREAM = 1, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET,
       SOCK_DCCP, SOCK_PACKET = 10, SOCK_TYPE_MASK = 15 };
enum { SOCK_CLOEXEC = O_CLOEXEC, SOCK_NONBLOCK = O_NONBLOCK };
enum { MSG_OOB = 1, MSG_PEEK = 2, MSG_DONTROUTE = 4, MSG_CTRUNC = 8,
       MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_EOR = 0x80,
       MSG_WAITALL = 0x100, MSG_CONFIRM = 0x800, MSG_ERRQUEUE = 0x2000,
       MSG_NOSIGNAL = 0x4000, MSG_MORE = 0x8000, MSG_WAITFORONE = 0x10000,
       MSG_CMSG_CLOEXEC = 0x40000000 };
enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2, SCM_MAX_FD = 253 };
enum { SOL_IP = 0, SOL_TCP = 6, SOL_UDP = 17, SOL_IPV6 = 41,
       SOL_NETLINK = 270 };
enum { SHUT_READ = 1, SHUT_WRITE = 2, SHUT_BOTH = 3 }; /* bits */
enum sock_state { SS_ESTABLISHED = 1, SS_CONNECTING = 2, SS_CLOSED = 7,
		  SS_LISTEN = 10 }; /* numbered as /proc/net/tcp shows them */

#define SOCK_DEFAULT_BUFFER 212992u
#define STREAM_RING_MAX (1u << 20)
#define OVERFLOW_ID 65534u
#define EPOLL_READABLE (EPOLLIN | EPOLLRDNORM)
#define EPOLL_WRITABLE (EPOLLOUT | EPOLLWRNORM)

struct user_cred { s32 pid; u32 uid, gid; };

union sock_addr {
	u16 family;
	struct sockaddr_un un;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	struct sockaddr_nl nl;
	u8 raw[128];
};

/* An internet address; v4 is kept as ::ffff:a.b.c.d.  Port in host order. */
struct inet_addr { u8 ip[16]; u16 port; u32 scope; };

/* A Unix address, shared by those who quote it.  size counts the family;
 * size 2 is "unnamed". */
struct unix_name { struct ref ref; u32 size; struct sockaddr_un sun; };

/* What a message carries besides its bytes (control.c). */
struct scm {
	struct user_cred cred;
	bool has_cred;
	bool in_flight;         /* its files are counted (unix_gc.c) */
	u32 file_count;
	struct file **files;
	struct list node;       /* waiting to be dropped; dead_lock */
};

/* One datagram, in the receiver's queue. */
struct message {
	struct list node;
	u32 size, taken;        /* taken: bytes read (seqpacket never) */
	struct scm *scm;
	struct unix_name *from_unix;
	struct inet_addr from, to;
	u32 from_netlink, group_netlink;
	u64 time_ns;
	u8 *data;               /* behind the struct */
};
/* Something attached to a stretch of a byte stream. */
struct mark {
	struct list node;
	u64 start, end;         /* positions in the stream */
	struct scm *scm;
};
/* Bytes on their way to a socket.  size is a power of two, or 0. */
struct ring { u8 *base; u32 size, start, used; u64 pos; };

struct socket;

/* One sendmsg or recvmsg. */
struct sock_io {
	struct uio *data;
	u32 flags;              /* MSG_* */
	bool nonblock;
	bool want_name;
	union sock_addr *name;  /* send: destination; receive: filled */
	u32 name_size;          /* 0: none */
	struct scm *scm;        /* send: consumed if not NULL; receive: got */
	u32 out_flags;          /* receive: MSG_TRUNC... */
	/* receive: control data goes straight to the guest */
	u64 control, control_left, control_used;
	/* send: from control data */
	bool has_source;
	struct inet_addr source;
};

struct sock_ops {
	int (*bind)(struct socket *s, const union sock_addr *a, u32 size);
	int (*connect)(struct socket *s, const union sock_addr *a, u32 size,
		       bool nonblock);
	int (*listen)(struct socket *s, int backlog);
	/* a new reference to a socket that has no file yet */
	int (*accept)(struct socket *s, bool nonblock, struct socket **out);
	int (*name)(struct socket *s, union sock_addr *a, bool peer);
	ssize_t (*send)(struct socket *s, struct sock_io *io);
	ssize_t (*receive)(struct socket *s, struct sock_io *io);
	int (*shutdown)(struct socket *s, u32 how);
	u32 (*poll)(struct socket *s, struct poll_table *pt);
	/* level is not SOL_SOCKET; value is a guest address */
	int (*set_option)(struct socket *s, int level, int name, u64 value,
			  u32 size);
	int (*get_option)(struct socket *s, int level, int name, u8 *value,
			  u32 *size);
	void (*close)(struct socket *s);  /* the file went */
	void (*free)(struct socket *s);   /* the last reference went */
};

struct sock_options {
	u32 send_buffer, receive_buffer; /* as reported: doubled */
	u64 send_timeout_ns, receive_timeout_ns; /* 0: none */
	u32 low_water;
	s32 linger;             /* seconds; -1: off */
	u32 priority, mark;
	bool reuse_addr, reuse_port, keepalive, broadcast, pass_cred;
	bool oob_inline, dont_route, timestamp, timestamp_ns, send_locked,
		receive_locked;
	bool no_check, debug, rx_overflow, busy_poll_unused;
};

struct inet_options { /* recorded; only what says so has an effect */
	bool v6only;            /* effect */
	bool is_nodelay, is_cork, is_quickack, is_transparent, is_freebind;
	bool want_pktinfo, want_pktinfo6, want_ttl, want_tos, want_tclass,
		want_hoplimit;  /* effect: control data */
	bool want_errors, want_errors6, bind_no_port;
	u8 tos, tclass, multicast_loop, mtu_discover, mtu_discover6;
	s16 ttl, hops, multicast_ttl, multicast_hops;
	s32 keep_idle, keep_interval, keep_count, user_timeout, syn_count,
		defer_accept, linger2, max_segment, window_clamp,
		notsent_lowat, fastopen;
	char congestion[16];
};

struct inet_port;
struct inet_part {
	struct inet_addr local, remote;
	struct inet_port *port; /* inet_lock; NULL: unbound */
	struct list in_port;    /* inet_port->sockets; inet_lock */
	bool is_bound_addr, is_bound_port; /* the program chose it */
	struct inet_options opt;
	struct list in_listeners; /* inet_port->listeners; inet_lock */
	bool connect_untold;    /* connected, but connect() said EINPROGRESS */
	bool is_host_pending;   /* nobody looked yet whether the host's
	                         * connect succeeded */
	bool is_host_plain;     /* udp: the handle is a connected socket */
	u32 published;          /* index + 1 of the host port it listens on */
};

struct unix_part {
	struct unix_name *name; /* unix_lock; NULL: unnamed */
	struct dentry *dentry;  /* where it is bound, or NULL */
	struct list in_abstract; /* unix_lock */
	struct user_cred peer_cred;
	u32 *peer_groups; u32 peer_group_count;
	u32 in_flight;          /* gc_lock: references from messages */
	struct list in_flight_list; /* gc_lock */
	u32 gc_refs; bool gc_reached; /* gc_lock */
	struct list senders;    /* lock: datagram sockets connected to me */
	struct list in_senders; /* peer's lock */
};

struct netlink_part { u32 port, groups; bool strict, ext_ack, cap_ack; };

struct socket {
	struct ref ref;
	const struct sock_ops *ops;  /* set once, as are the next five */
	u16 family, type;
	u32 protocol;
	u32 uid;
	u64 ino;
	struct file *file;           /* not counted; NULL before accept */
	struct list in_all;          /* all_lock */

	struct mutex lock;
	/* --- lock --- */
	u32 state;                   /* enum sock_state */
	u32 shut;                    /* SHUT_* bits */
	s32 error;                   /* pending, positive; 0 none */
	bool dead;                   /* the file was closed */
	bool want_space;             /* a sender waits for room here */
	bool reset;                  /* tcp: ended by a reset */
	struct ring ring;
	struct list marks;           /* struct mark, by position */
	struct list messages;
	u32 message_count, message_bytes;
	struct list accept_queue, in_accept;
	u32 accept_count, backlog;
	struct list connectors, in_connectors; /* waiting for room there */
	struct socket *peer;         /* counted; stable while the file lives
	                              * for connected streams */
	struct waitq read_wait;      /* data, connections, ends, errors */
	struct waitq write_wait;     /* room at the peer, connected, errors */
	struct waitq space_wait;     /* others: room here */

	struct sock_options opt;     /* plain stores */
	host_handle handle;          /* reopened on resume: not, it is reset */
	u8 *pushback; u32 pushback_size, pushback_start; /* peeked bytes */
	struct inet_part in;
	struct unix_part un;
	struct netlink_part nl;
};

/* ---- socket.c ------------------------------------------------------------ */
struct socket *socket_alloc(u16 family, u16 type, u32 protocol,
			    const struct sock_ops *ops);
/* A socket for an accepted connection: options as the listener's. */
struct socket *socket_alloc_child(struct socket *listener);
static inline struct socket *socket_get(struct socket *s)
{
	ref_get(&s->ref);
	return s;
}
void socket_put(struct socket *s);
/* Give s its file; consumes the reference, also when it fails. */
struct file *socket_file(struct socket *s, u32 flags);
/* file and descriptor; consumes the reference. */
int socket_install(struct socket *s, u32 flags);
/* The pending error, negative, which is cleared; 0: none. */
int socket_take_error(struct socket *s);
/* Deadline of a call under a timeout option. */
u64 socket_deadline(u64 timeout_ns);
/* What a call returns that waited under deadline and got err. */
int socket_wait_error(int err, u64 deadline);
void socket_wake_read(struct socket *s, u32 events);
void socket_wake_write(struct socket *s, u32 events);
void socket_wake_all(struct socket *s, u32 events);
ssize_t socket_send(struct file *f, struct socket *s, struct sock_io *io);
ssize_t socket_receive(struct file *f, struct socket *s, struct sock_io *io);
u64 socket_next_ino(void);
int address_to_user(const union sock_addr *a, u32 size, u64 ptr, u64 usize);

/* ---- control.c ----------------------------------------------------------- */
int control_from_user(struct socket *s, u64 control, u64 size,
		      struct sock_io *io);
void control_put(struct sock_io *io, int level, int type, const void *data,
		 u32 size);
/* Hand what a message carried to the program: rights, credentials. */
void control_put_scm(struct socket *s, struct sock_io *io);
struct scm *scm_alloc(void);
struct scm *scm_with_cred(void);      /* the caller's credentials */
struct scm *scm_copy(const struct scm *m); /* for MSG_PEEK */
void scm_free(struct scm *m);
void cred_of_current(struct user_cred *c);

/* ---- stream.c: byte streams between two sockets --------------------------- */
ssize_t stream_send(struct socket *s, struct sock_io *io);
ssize_t stream_receive(struct socket *s, struct sock_io *io);
bool stream_peer_writable(struct socket *s);
/* Is there room at s for a sender to write? lock held */
bool stream_has_room(const struct socket *s);
void stream_purge(struct socket *s, struct list *marks); /* lock held */
void marks_free(struct list *marks);
void ring_free(struct ring *r);
u32 stream_limit(const struct socket *receiver);

/* ---- message.c: datagrams -------------------------------------------------- */
struct message *message_alloc(u32 size);
int message_from_uio(struct uio *u, struct message **out);
void message_free(struct message *m);
void message_queue(struct socket *s, struct message *m); /* lock held */
/* Wait for and take (or peek at) the first message; copies the data.  *out
 * is the message, the caller's if it was taken (see message_done). */
ssize_t message_receive(struct socket *s, struct sock_io *io,
			struct message **out);
void message_done(struct message *m);
void messages_purge(struct socket *s, struct list *out); /* lock held */
void messages_free(struct list *l);

/* ---- listen.c: queues of connections ---------------------------------------- */
int listen_accept(struct socket *s, bool nonblock, struct socket **out);
/* Queue child at listener; lock held. */
void listen_queue(struct socket *listener, struct socket *child);
/* tcp: let a waiting connector in after an accept. */
void tcp_admit(struct socket *listener);
static inline bool listen_is_full(const struct socket *s)
{
	return s->accept_count > s->backlog;
}
/* Connect two streams; both locks free, nobody else knows them. */
void stream_join(struct socket *a, struct socket *b);

/* ---- sockopt.c ---------------------------------------------------------------- */
long socket_set_option(struct socket *s, int level, int name, u64 value,
		       u32 size);
long socket_get_option(struct socket *s, int level, int name, u64 value,
		       u64 usize);
int option_int(u64 value, u32 size, s32 *out);
int option_put_int(u8 *value, u32 *size, s32 v);

/* ---- ioctl.c -------------------------------------------------------------------- */
long socket_ioctl(struct file *f, u32 cmd, u64 arg);

/* ---- unix*.c ----------------------------------------------------------------------- */
extern struct mutex unix_lock;
int unix_socket(u16 type, u32 protocol, struct socket **out);
int unix_pair(struct socket *a, struct socket *b);
int unix_bind(struct socket *s, const union sock_addr *a, u32 size);
int unix_find(const union sock_addr *a, u32 size, u16 type,
	      struct socket **out);
int unix_autobind(struct socket *s);
int unix_getname(struct socket *s, union sock_addr *a, bool peer);
u32 unix_name_copy(const struct unix_name *n, union sock_addr *a);
struct unix_name *unix_name_get(struct socket *s);
void unix_name_put(struct unix_name *n);
void unix_unbind(struct socket *s);
void unix_set_peer_cred(struct socket *s, const struct cred *c, s32 pid);
void unix_copy_peer_cred(struct socket *to, const struct socket *from);
void unix_free(struct socket *s);
int unix_set_option(struct socket *s, int level, int name, u64 value,
		    u32 size);
int unix_get_option(struct socket *s, int level, int name, u8 *value,
		    u32 *size);
extern const struct sock_ops unix_stream_ops, unix_seqpacket_ops,
	unix_dgram_ops;
ssize_t unix_message_receive(struct socket *s, struct sock_io *io);
ssize_t unix_seqpacket_send(struct socket *s, struct sock_io *io);
ssize_t unix_seqpacket_receive(struct socket *s, struct sock_io *io);
bool unix_queue_full(const struct socket *r, const struct socket *sender);
void unix_close_connection(struct socket *s);
/* unix_gc.c */
void scm_count(struct scm *m);   /* its files are now in flight */
void scm_uncount(struct scm *m);
void unix_gc(void);

/* ---- inet*.c, tcp*.c, udp*.c ---------------------------------------------------------- */
extern struct mutex inet_lock;
struct inet_port {
	struct list in_hash;
	u32 protocol;
	u16 number;
	u32 next_reuse;        /* spreads REUSEPORT groups */
	struct list sockets;   /* struct socket.in.in_port */
	struct list listeners; /* of these, for TCP */
};
int inet_socket(u16 family, u16 type, u32 protocol, struct socket **out);
int inet_from_user(u16 family, const union sock_addr *a, u32 size,
		   struct inet_addr *out);
u32 inet_to_user(const struct socket *s, const struct inet_addr *in,
		 union sock_addr *a);
int inet_bind(struct socket *s, const union sock_addr *a, u32 size);
int inet_bind_addr(struct socket *s, const struct inet_addr *a);
int inet_autobind(struct socket *s);
int inet_getname(struct socket *s, union sock_addr *a, bool peer);
void inet_port_add(struct socket *s, struct inet_port *p); /* inet_lock */
struct inet_port *inet_port_find(u32 protocol, u16 number); /* inet_lock */
void inet_unbind(struct socket *s);
bool inet_is_any(const struct inet_addr *a);
bool inet_is_v4(const struct inet_addr *a);
bool inet_is_loopback(const struct inet_addr *a);
bool inet_is_multicast(const struct inet_addr *a);
bool inet_is_broadcast(const struct inet_addr *a);
bool inet_same_ip(const struct inet_addr *a, const struct inet_addr *b);
/* Would a packet to `to` reach a socket bound to s's local address? */
bool inet_accepts(const struct socket *s, const struct inet_addr *to);
void inet_fix_destination(struct inet_addr *to);
void inet_source_for(const struct inet_addr *to, struct inet_addr *out);
bool inet_conflict(struct socket *s, bool for_listen); /* inet_lock */
int inet_set_option(struct socket *s, int level, int name, u64 value,
		    u32 size);
int inet_get_option(struct socket *s, int level, int name, u8 *value,
		    u32 *size);
int tcp_set_option(struct socket *s, int name, u64 value, u32 size);
int tcp_get_option(struct socket *s, int name, u8 *value, u32 *size);
extern const struct sock_ops tcp_ops, udp_ops;
int inet_published(u32 protocol, u16 port); /* index, or -1 */
bool inet_host_network(void);
/* Published handles are shared by all who listen on one port. */
host_handle published_open(u32 index, bool datagram);
/* After a resume: none is open. */
void published_resumed(void);
void published_close(u32 index);
void inet_from_host(const struct host_addr *h, struct inet_addr *a);
void inet_to_host(const struct inet_addr *a, struct host_addr *h);
/* udp_host.c */
void udp_host_bind(struct socket *s);
void udp_host_close(struct socket *s);
int udp_host_connect(struct socket *s, const struct inet_addr *to);
ssize_t udp_host_send(struct socket *s, const struct inet_addr *to,
		      struct message *m);
/* The next message from outside, or -EAGAIN. */
int udp_host_receive(struct socket *s, struct message **out);
/* tcp_host.c */
ssize_t tcp_host_send(struct socket *s, struct sock_io *io);
ssize_t tcp_host_receive(struct socket *s, struct sock_io *io);
int tcp_host_accept(struct socket *s, struct socket **out);
int tcp_host_connect(struct socket *s, const struct inet_addr *to,
		     bool nonblock);
/* Has the host's connect ended? 0 yes, -EALREADY no, or why it failed. */
int tcp_host_check(struct socket *s);
void tcp_host_close(struct socket *s);
void tcp_host_listen(struct socket *s);

/* ---- netlink*.c --------------------------------------------------------------------------- */
int netlink_socket(u16 type, u32 protocol, struct socket **out);
/* Answer one request: queues messages at s. */
void rtnetlink_answer(struct socket *s, const void *request, u32 size);
int netlink_queue(struct socket *s, const void *data, u32 size);

static inline u16 swap16(u16 v) { return __builtin_bswap16(v); }
static inline u32 swap32(u32 v) { return __builtin_bswap32(v); }

#endif
