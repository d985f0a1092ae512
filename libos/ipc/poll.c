/*
 * poll.c - poll(2) and ppoll(2).
 */
#include "poll_core.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#define INLINE_ENTRIES 16
#define RLIMIT_NOFILE_NR 7
#define POLL_NVAL 0x20

struct user_pollfd { s32 fd; int16_t events, revents; };

struct poll_set {
	u32 n;
	struct user_pollfd *user;
	struct poll_entry *entries;
	struct user_pollfd inline_user[INLINE_ENTRIES];
	struct poll_entry inline_entries[INLINE_ENTRIES];
};

static void poll_set_free(struct poll_set *s)
{
	for (u32 i = 0; i < s->n; i++)
		if (s->entries[i].file)
			file_put(s->entries[i].file);
	if (s->user != s->inline_user)
		kfree(s->user);
	if (s->entries != s->inline_entries)
		kfree(s->entries);
}

static int poll_set_room(struct poll_set *s, u32 n)
{
	s->n = 0;
	s->user = s->inline_user;
	s->entries = s->inline_entries;
	if (n <= INLINE_ENTRIES)
		return 0;
	s->user = kmalloc(n * sizeof(*s->user));
	s->entries = kmalloc(n * sizeof(*s->entries));
	if (s->user && s->entries)
		return 0;
	poll_set_free(s);
	return -ENOMEM;
}

static int poll_set_read(struct poll_set *s, u64 ufds, u32 n)
{
	int err = poll_set_room(s, n);

	if (err)
		return err;
	if (copy_from_user(s->user, ufds, n * sizeof(*s->user))) {
		poll_set_free(s);
		return -EFAULT;
	}
	for (; s->n < n; s->n++) {
		struct user_pollfd *u = &s->user[s->n];
		struct poll_entry *e = &s->entries[s->n];

		e->events = (u16)u->events | POLL_ALWAYS;
		e->file = u->fd < 0 ? NULL : fd_get(u->fd);
		e->revents = u->fd >= 0 && !e->file ? POLL_NVAL : 0;
	}
	return 0;
}

/* Only revents is written back. */
static int poll_set_write(struct poll_set *s, u64 ufds)
{
	for (u32 i = 0; i < s->n; i++)
		s->user[i].revents = (int16_t)s->entries[i].revents;
	if (s->n <= INLINE_ENTRIES / 4 || s->n > INLINE_ENTRIES)
		for (u32 i = 0; i < s->n; i++) {
			u64 at = ufds + i * sizeof(s->user[0]) + 6;

			if (copy_to_user(at, &s->user[i].revents, 2))
				return -EFAULT;
		}
	else if (copy_to_user(ufds, s->user, s->n * sizeof(s->user[0])))
		return -EFAULT;
	return 0;
}

static long poll_do(u64 ufds, u32 n, u64 deadline_ns)
{
	struct poll_set s;
	long ready;
	int err;

	if (n > proc_rlimit(current()->proc, RLIMIT_NOFILE_NR))
		return -EINVAL;
	err = poll_set_read(&s, ufds, n);
	if (err)
		return err;
	ready = poll_entries(s.entries, n, deadline_ns);
	if (ready >= 0) {
		err = poll_set_write(&s, ufds);
		if (err)
			ready = err;
	}
	poll_set_free(&s);
	return ready;
}

static long poll_restart(struct task *t);

static long poll_or_restart(struct task *t, u64 ufds, u32 n, u64 deadline_ns)
{
	long ret;

	if (deadline_ns)
		title_look(t);
	ret = poll_do(ufds, n, deadline_ns);

	if (ret != -ERESTARTSYS)
		return ret;
	t->restart.fn = poll_restart;
	t->restart.a[0] = ufds;
	t->restart.a[1] = n;
	t->restart.a[2] = deadline_ns;
	return -ERESTART_RESTARTBLOCK;
}

static long poll_restart(struct task *t)
{
	return poll_or_restart(t, t->restart.a[0], (u32)t->restart.a[1],
			       t->restart.a[2]);
}

long sys_poll(struct task *t, const struct sysargs *a)
{
	s32 ms = (s32)a->a[2];
	u64 deadline = HOST_FOREVER;

	if (ms >= 0)
		deadline = ms ? deadline_after((u64)ms * 1000000) : 0;
	return poll_or_restart(t, a->a[0], (u32)a->a[1], deadline);
}

long sys_ppoll(struct task *t, const struct sysargs *a)
{
	u64 deadline = HOST_FOREVER, timeout, mask, now;
	long ret;

	if (a->a[2]) {
		ret = get_timespec(a->a[2], &timeout);
		if (ret)
			return ret;
		deadline = timeout ? deadline_after(timeout) : 0;
	}
	if (a->a[3]) {
		if (a->a[4] != sizeof(mask))
			return -EINVAL;
		if (get_user_u64(&mask, a->a[3]))
			return -EFAULT;
		signal_set_temporary_mask(t, mask);
	}
	ret = poll_do(a->a[0], (u32)a->a[1], deadline);
	if (a->a[2]) {
		now = clock_monotonic_ns();
		/* Linux writes the time that is left; a fault is ignored. */
		put_timespec(a->a[2], deadline > now ? deadline - now : 0);
	}
	return ret == -ERESTARTSYS ? -ERESTARTNOHAND : ret;
}
