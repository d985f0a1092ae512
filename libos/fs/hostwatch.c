/*
 * hostwatch.c - knowing, without asking, that a volume has not changed.
 *
 * The host tells the names of what changes in directories that were walked
 * with HOST_WALK_WATCH, before anything else can come of a change.  Whatever
 * is told has its moment; what was asked for at moment `seen` still holds
 * unless its name was told of later.  Names are told apart by their hash and
 * not by their directory: a change of another file of that name only means
 * asking again.
 *
 * Reading what was told costs one host call and no request: each path walk
 * does it once, when it meets the first remembered name of a volume.
 * Everything here is guarded by dcache_mutex.
 */
#include "hostfs.h"

#define NAMES 1024u
#define BUFFER 4096u

static host_handle changes = HOST_NO_HANDLE; /* reopened on resume: none */
static bool is_refused;
static u64 moment = 1;
static u64 all_changed;      /* the moment of the last change without name */
static u64 changed[NAMES] RARE; /* by hash of the name */
static u64 heard_for;        /* stamp of the last walk that has listened */

static void note_change(const struct host_change *c)
{
	size_t n = strnlen(c->name, c->name_size);

	moment++;
	if (n)
		changed[dentry_hash_name(c->name, n) % NAMES] = moment;
	else
		all_changed = moment;
}

static void hear(void)
{
	static u8 buffer[BUFFER] RARE __attribute__((aligned(8)));
	struct host_iovec iov = { buffer, sizeof(buffer) };
	const struct host_change *c;
	s64 n, at;

	while ((n = host_stream_read(changes, &iov, 1, HOST_AT_ONCE)) > 0) {
		for (at = 0; at < n; at += (s64)(sizeof(*c) + c->name_size)) {
			c = (const void *)(buffer + at);
			note_change(c);
		}
	}
	if (n == -HOST_EAGAIN)
		return;
	all_changed = ++moment;
	changes = HOST_NO_HANDLE;
}

static bool holds(u32 hash, u64 seen)
{
	return seen && all_changed <= seen && changed[hash % NAMES] <= seen;
}

bool hostwatch_holds(const struct dentry *d, u64 stamp)
{
	if (changes == HOST_NO_HANDLE)
		return false;
	if (heard_for != stamp) {
		hear();
		heard_for = stamp;
	}
	if (!holds(d->hash, d->seen))
		return false;
	if (d->inode && hostfs_is_watchable(d->inode))
		hostfs_known_now(d->inode->priv);
	return true;
}

bool hostwatch_still_holds(u32 hash, u64 seen)
{
	bool yes = false;

	if (!seen)
		return false;
	dcache_lock();
	if (changes != HOST_NO_HANDLE) {
		hear();
		yes = holds(hash, seen);
	}
	dcache_unlock();
	return yes;
}

/* The moment before a question; 0: changes are not told. */
u64 hostwatch_moment(void)
{
	struct host_open o = { .kind = HOST_OPEN_CHANGES };
	host_handle h;
	u64 now;

	if (changes == HOST_NO_HANDLE && !is_refused) {
		h = host_stream_open(&o);
		dcache_lock();
		is_refused = h < 0;
		if (h >= 0 && changes != HOST_NO_HANDLE)
			host_stream_close(h);
		else if (h >= 0)
			changes = h;
		dcache_unlock();
	}
	dcache_lock();
	now = changes == HOST_NO_HANDLE ? 0 : moment;
	dcache_unlock();
	return now;
}

void hostwatch_resumed(void)
{
	changes = HOST_NO_HANDLE;
	is_refused = false;
	all_changed = ++moment;
	heard_for = 0;
}
