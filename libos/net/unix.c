/*
 * unix.c - Unix sockets: names (paths and the sandbox's own abstract names),
 * credentials of the peer, and what the three types share.
 *
 * A bound path's inode points at its socket (inode->bound, weakly, under
 * unix_lock).  A name outlives its socket in those who quote it.
 */
#include "sock.h"

#include <linux/socket.h>

#define NAME_AT offsetof(struct sockaddr_un, sun_path)
#define AUTOBIND_MAX 0xfffffu

struct mutex unix_lock = MUTEX_INIT;
#define ABSTRACT_BUCKETS 64
static struct list abstract_names[ABSTRACT_BUCKETS] LARGE; /* unix_lock */
static u32 autobind_next;

/* ---- names ----------------------------------------------------------------- */
void unix_name_put(struct unix_name *n)
{
	if (n && ref_put(&n->ref))
		kfree(n);
}

struct unix_name *unix_name_get(struct socket *s)
{
	struct unix_name *n;

	mutex_lock(&unix_lock);
	n = s->un.name;
	if (n)
		ref_get(&n->ref);
	mutex_unlock(&unix_lock);
	return n;
}

u32 unix_name_copy(const struct unix_name *n, union sock_addr *a)
{
	if (!n) {
		a->family = AF_UNIX;
		return sizeof(a->family);
	}
	memcpy(a, &n->sun, n->size);
	return n->size;
}

static struct unix_name *name_alloc(const union sock_addr *a, u32 size)
{
	struct unix_name *n = kzalloc(sizeof(*n) + 1);

	if (!n)
		return NULL;
	ref_init(&n->ref);
	memcpy(&n->sun, a, size);
	n->sun.sun_family = AF_UNIX;
	n->size = size;
	if (n->sun.sun_path[0])
		n->size = (u32)(NAME_AT + 1 +
				strnlen(n->sun.sun_path, size - NAME_AT));
	return n;
}

static int name_check(const union sock_addr *a, u32 size)
{
	if (size <= NAME_AT || size > sizeof(a->un) || a->family != AF_UNIX)
		return -EINVAL;
	return 0;
}

static u32 name_hash(const struct sockaddr_un *sun, u32 size)
{
	u32 h = 5381, i;

	for (i = NAME_AT; i < size; i++)
		h = h * 33 + ((const u8 *)sun)[i];
	return h % ABSTRACT_BUCKETS;
}

static struct list *bucket_of(const struct sockaddr_un *sun, u32 size)
{
	struct list *b = &abstract_names[name_hash(sun, size)];

	if (!b->next)
		list_init(b);
	return b;
}

/* unix_lock held */
static struct socket *abstract_find(const struct sockaddr_un *sun, u32 size)
{
	struct list *b = bucket_of(sun, size);
	struct socket *s;

	list_for_each(s, b, un.in_abstract)
		if (s->un.name->size == size &&
		    !memcmp(&s->un.name->sun, sun, size))
			return s;
	return NULL;
}

static int abstract_bind(struct socket *s, struct unix_name *n)
{
	int err = 0;

	mutex_lock(&unix_lock);
	if (s->un.name) {
		err = -EINVAL;
	} else if (abstract_find(&n->sun, n->size)) {
		err = -EADDRINUSE;
	} else {
		s->un.name = n;
		list_push_back(bucket_of(&n->sun, n->size),
			       &s->un.in_abstract);
	}
	mutex_unlock(&unix_lock);
	return err;
}

static int path_bind(struct socket *s, struct unix_name *n)
{
	struct dentry *d;
	u32 mode = 0140777 & ~current()->proc->fs->umask;
	int err = vfs_mknod(AT_FDCWD, n->sun.sun_path, mode, 0, &d);

	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	mutex_lock(&unix_lock);
	if (s->un.name) {
		err = -EINVAL;
	} else {
		s->un.name = n;
		s->un.dentry = d;
		d->inode->bound = s;
	}
	mutex_unlock(&unix_lock);
	if (err) {
		vfs_unlink(AT_FDCWD, n->sun.sun_path, false);
		dentry_put(d);
	}
	return err;
}

int unix_autobind(struct socket *s)
{
	union sock_addr a;
	u32 tries;

	for (tries = 0; tries <= AUTOBIND_MAX; tries++) {
		struct unix_name *n;
		int err;

		memset(&a, 0, sizeof(a));
		a.family = AF_UNIX;
		snprintf(a.un.sun_path + 1, 6, "%05x",
			 __atomic_add_fetch(&autobind_next, 1,
					    __ATOMIC_RELAXED) & AUTOBIND_MAX);
		n = name_alloc(&a, NAME_AT + 6);
		if (!n)
			return -ENOMEM;
		err = abstract_bind(s, n);
		if (!err)
			return 0;
		unix_name_put(n);
		if (err == -EINVAL)
			return 0; /* another thread named it */
	}
	return -ENOSPC;
}

int unix_bind(struct socket *s, const union sock_addr *a, u32 size)
{
	struct unix_name *n;
	int err;

	if (size == NAME_AT && a->family == AF_UNIX)
		return s->un.name ? 0 : unix_autobind(s);
	err = name_check(a, size);
	if (err)
		return err;
	n = name_alloc(a, size);
	if (!n)
		return -ENOMEM;
	err = n->sun.sun_path[0] ? path_bind(s, n) : abstract_bind(s, n);
	if (err)
		unix_name_put(n);
	return err;
}

void unix_unbind(struct socket *s)
{
	struct dentry *d;

	mutex_lock(&unix_lock);
	d = s->un.dentry;
	s->un.dentry = NULL;
	if (d && d->inode->bound == s)
		d->inode->bound = NULL;
	list_remove(&s->un.in_abstract);
	mutex_unlock(&unix_lock);
	if (d)
		dentry_put(d);
}

static int find_path(const struct unix_name *n, struct socket **out)
{
	struct dentry *d;
	int err = path_lookup(AT_FDCWD, n->sun.sun_path, 0, &d);

	if (err)
		return err;
	err = inode_permission(d->inode, 2);
	if (!err && (d->inode->mode & 0170000) != 0140000)
		err = -ECONNREFUSED;
	mutex_lock(&unix_lock);
	*out = err ? NULL : d->inode->bound;
	if (*out)
		socket_get(*out);
	mutex_unlock(&unix_lock);
	dentry_put(d);
	return err ? err : *out ? 0 : -ECONNREFUSED;
}

static int find_abstract(const struct unix_name *n, struct socket **out)
{
	mutex_lock(&unix_lock);
	*out = abstract_find(&n->sun, n->size);
	if (*out)
		socket_get(*out);
	mutex_unlock(&unix_lock);
	return *out ? 0 : -ECONNREFUSED;
}

/* The socket that has this name, with a reference. */
int unix_find(const union sock_addr *a, u32 size, u16 type,
	      struct socket **out)
{
	struct unix_name *n;
	int err = name_check(a, size);

	if (err)
		return err;
	n = name_alloc(a, size);
	if (!n)
		return -ENOMEM;
	err = n->sun.sun_path[0] ? find_path(n, out) : find_abstract(n, out);
	unix_name_put(n);
	if (!err && (*out)->type != type) {
		socket_put(*out);
		err = -EPROTOTYPE;
	}
	return err;
}

static struct socket *peer_get(struct socket *s)
{
	struct socket *p;

	mutex_lock(&s->lock);
	p = s->peer;
	if (p)
		socket_get(p);
	mutex_unlock(&s->lock);
	return p;
}

int unix_getname(struct socket *s, union sock_addr *a, bool peer)
{
	struct socket *who = peer ? peer_get(s) : socket_get(s);
	struct unix_name *n;
	u32 size;

	if (!who)
		return -ENOTCONN;
	n = unix_name_get(who);
	size = unix_name_copy(n, a);
	unix_name_put(n);
	socket_put(who);
	return (int)size;
}

/* ---- credentials of the peer ---------------------------------------------------- */
void unix_set_peer_cred(struct socket *s, const struct cred *c, s32 pid)
{
	u32 *groups = NULL;

	if (c->group_count)
		groups = kmalloc(c->group_count * sizeof(u32));
	if (groups)
		memcpy(groups, c->groups, c->group_count * sizeof(u32));
	kfree(s->un.peer_groups);
	s->un.peer_groups = groups;
	s->un.peer_group_count = groups ? c->group_count : 0;
	s->un.peer_cred = (struct user_cred){ pid, c->euid, c->egid };
}

void unix_copy_peer_cred(struct socket *to, const struct socket *from)
{
	u32 n = from->un.peer_group_count;
	u32 *groups = n ? kmalloc(n * sizeof(u32)) : NULL;

	if (groups)
		memcpy(groups, from->un.peer_groups, n * sizeof(u32));
	kfree(to->un.peer_groups);
	to->un.peer_groups = groups;
	to->un.peer_group_count = groups ? n : 0;
	to->un.peer_cred = from->un.peer_cred;
}

/* ---- birth and end ---------------------------------------------------------------- */
int unix_socket(u16 type, u32 protocol, struct socket **out)
{
	const struct sock_ops *ops;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	switch (type) {
	case SOCK_STREAM: ops = &unix_stream_ops; break;
	case SOCK_SEQPACKET: ops = &unix_seqpacket_ops; break;
	case SOCK_DGRAM: ops = &unix_dgram_ops; break;
	default: return -ESOCKTNOSUPPORT;
	}
	*out = socket_alloc(AF_UNIX, type, 0, ops);
	return *out ? 0 : -ENOMEM;
}

int unix_pair(struct socket *a, struct socket *b)
{
	struct task *t = current();

	unix_set_peer_cred(a, &t->cred, t->proc->pid);
	unix_set_peer_cred(b, &t->cred, t->proc->pid);
	stream_join(a, b);
	if (a->type != SOCK_STREAM) {
		list_push_back(&a->un.senders, &b->un.in_senders);
		list_push_back(&b->un.senders, &a->un.in_senders);
	}
	return 0;
}

void unix_free(struct socket *s)
{
	unix_name_put(s->un.name);
	kfree(s->un.peer_groups);
}

int unix_set_option(struct socket *s, int level, int name, u64 value,
		    u32 size)
{
	return -EOPNOTSUPP;
}

int unix_get_option(struct socket *s, int level, int name, u8 *value,
		    u32 *size)
{
	return -EOPNOTSUPP;
}
