/*
 * select.c - select(2) and pselect6(2).
 */
#include "poll_core.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/proc.h>
#include <libos/signal.h>
#include <libos/sys.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#define SELECT_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SELECT_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SELECT_EX EPOLLPRI
#define INLINE_WORDS 4   /* of each set: 256 descriptors */
#define INLINE_FDS 16

enum { SET_IN, SET_OUT, SET_EX, SETS };
static const u32 set_wants[SETS] = { SELECT_IN, SELECT_OUT, SELECT_EX };

struct select {
	u32 words;                /* of 64 bits in each set */
	u64 user[SETS];
	u64 *bits[SETS];
	u64 inline_bits[SETS * INLINE_WORDS];
	u32 n;                    /* descriptors asked for */
	struct poll_entry *entries;
	s32 *fds;                 /* of each entry */
	struct poll_entry inline_entries[INLINE_FDS];
	s32 inline_fds[INLINE_FDS];
};

static int select_alloc_bits(struct select *s, u32 n)
{
	u64 *all = s->inline_bits;

	s->words = (n + 63) / 64;
	if (s->words > INLINE_WORDS)
		all = kmalloc(SETS * s->words * sizeof(u64));
	for (int i = 0; i < SETS; i++)
		s->bits[i] = all + i * s->words;
	return all ? 0 : -ENOMEM;
}

static void select_free(struct select *s)
{
	for (u32 i = 0; i < s->n; i++)
		file_put(s->entries[i].file);
	if (s->bits[0] != s->inline_bits)
		kfree(s->bits[0]);
	if (s->entries != s->inline_entries) {
		kfree(s->entries);
		kfree(s->fds);
	}
}

static int select_read_sets(struct select *s, u32 n)
{
	for (int i = 0; i < SETS; i++) {
		if (!s->user[i])
			memset(s->bits[i], 0, s->words * 8);
		else if (copy_from_user(s->bits[i], s->user[i], s->words * 8))
			return -EFAULT;
		if (n % 64 && s->words)
			s->bits[i][s->words - 1] &= (1ull << (n % 64)) - 1;
	}
	return 0;
}

static u32 select_count(const struct select *s)
{
	u32 count = 0;

	for (u32 w = 0; w < s->words; w++) {
		u64 any = s->bits[SET_IN][w] | s->bits[SET_OUT][w] |
			  s->bits[SET_EX][w];

		for (; any; any &= any - 1)
			count++;
	}
	return count;
}

static int select_alloc_entries(struct select *s, u32 count)
{
	if (count <= INLINE_FDS)
		return 0;
	s->entries = kmalloc(count * sizeof(*s->entries));
	s->fds = kmalloc(count * sizeof(*s->fds));
	return s->entries && s->fds ? 0 : -ENOMEM;
}

static int select_add(struct select *s, u32 w, u64 bit, s32 fd)
{
	struct poll_entry *e = &s->entries[s->n];

	e->file = fd_get(fd);
	if (!e->file)
		return -EBADF;
	e->events = e->revents = 0;
	for (int i = 0; i < SETS; i++)
		if (s->bits[i][w] & bit)
			e->events |= set_wants[i];
	s->fds[s->n++] = fd;
	return 0;
}

static int select_make_entries(struct select *s)
{
	int err = select_alloc_entries(s, select_count(s));

	for (u32 w = 0; !err && w < s->words; w++) {
		u64 any = s->bits[SET_IN][w] | s->bits[SET_OUT][w] |
			  s->bits[SET_EX][w];

		for (; any && !err; any &= any - 1)
			err = select_add(s, w, any & -any,
					 (s32)(w * 64) + __builtin_ctzll(any));
	}
	return err;
}

/* The result sets, and how many bits are in them. */
static long select_result(struct select *s)
{
	long count = 0;

	for (u32 k = 0; k < s->n; k++) {
		u32 w = (u32)s->fds[k] / 64;
		u64 bit = 1ull << (s->fds[k] % 64);

		for (int i = 0; i < SETS; i++) {
			if (!(s->bits[i][w] & bit))
				continue;
			if (s->entries[k].revents & set_wants[i])
				count++;
			else
				s->bits[i][w] &= ~bit;
		}
	}
	for (int i = 0; i < SETS; i++)
		if (s->user[i] &&
		    copy_to_user(s->user[i], s->bits[i], s->words * 8))
			return -EFAULT;
	return count;
}

static long select_wait(struct select *s, u64 deadline_ns)
{
	long ready = poll_entries(s->entries, s->n, deadline_ns);

	return ready < 0 ? ready : select_result(s);
}

static u32 select_limit(s32 n)
{
	u32 capacity = MAX(files_capacity(current()->proc->files),
			   64u); /* Linux's smallest table */

	return MIN((u32)n, capacity);
}

static long select_do(s32 n, const u64 *user, u64 deadline_ns)
{
	struct select s = { 0 };
	long ret;
	u32 limit;

	if (deadline_ns)
		title_look(current());
	if (n < 0)
		return -EINVAL;
	limit = select_limit(n);
	s.entries = s.inline_entries;
	s.fds = s.inline_fds;
	for (int i = 0; i < SETS; i++)
		s.user[i] = user[i];
	ret = select_alloc_bits(&s, limit);
	if (!ret)
		ret = select_read_sets(&s, limit);
	if (!ret)
		ret = select_make_entries(&s);
	if (!ret)
		ret = select_wait(&s, deadline_ns);
	select_free(&s);
	return ret;
}

static u64 time_left(u64 deadline_ns)
{
	u64 now = clock_monotonic_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

static int get_timeval(u64 user, u64 *ns)
{
	s64 tv[2];

	if (copy_from_user(tv, user, sizeof(tv)))
		return -EFAULT;
	/* Linux: microseconds of a second and more are carried over. */
	tv[0] = (s64)((u64)tv[0] + (u64)(tv[1] / 1000000));
	tv[1] %= 1000000;
	if (tv[0] < 0 || tv[1] < 0)
		return -EINVAL;
	*ns = (u64)tv[0] > UINT64_MAX / NSEC_PER_SEC - 1
		      ? HOST_FOREVER
		      : (u64)tv[0] * NSEC_PER_SEC + (u64)tv[1] * 1000;
	return 0;
}

long sys_select(struct task *t, const struct sysargs *a)
{
	u64 deadline = HOST_FOREVER, ns;
	s64 tv[2];
	long ret;

	if (a->a[4]) {
		ret = get_timeval(a->a[4], &ns);
		if (ret)
			return ret;
		deadline = ns ? deadline_after(ns) : 0;
	}
	ret = select_do((s32)a->a[0], &a->a[1], deadline);
	if (a->a[4]) {
		ns = time_left(deadline);
		tv[0] = (s64)(ns / NSEC_PER_SEC);
		tv[1] = (s64)(ns % NSEC_PER_SEC / 1000);
		/* A fault here is ignored, as the result counts. */
		if (copy_to_user(a->a[4], tv, sizeof(tv)) &&
		    ret == -ERESTARTSYS)
			return -EINTR;
	}
	return ret == -ERESTARTSYS ? -ERESTARTNOHAND : ret;
}

long sys_pselect6(struct task *t, const struct sysargs *a)
{
	u64 deadline = HOST_FOREVER, ns, arg[2] = { 0, 0 }, mask;
	long ret;

	if (a->a[5] && copy_from_user(arg, a->a[5], sizeof(arg)))
		return -EFAULT;
	if (a->a[4]) {
		ret = get_timespec(a->a[4], &ns);
		if (ret)
			return ret;
		deadline = ns ? deadline_after(ns) : 0;
	}
	if (arg[0]) {
		if (arg[1] != sizeof(mask))
			return -EINVAL;
		if (get_user_u64(&mask, arg[0]))
			return -EFAULT;
		signal_set_temporary_mask(t, mask);
	}
	ret = select_do((s32)a->a[0], &a->a[1], deadline);
	if (a->a[4] && put_timespec(a->a[4], time_left(deadline)) &&
	    ret == -ERESTARTSYS)
		return -EINTR;
	return ret == -ERESTARTSYS ? -ERESTARTNOHAND : ret;
}
