/*
 * queue.c - queues of pending signals, and the table of actions.
 *
 * A pending set has one bit per signal and, for each instance that could be
 * stored, one struct sigqueue in order of arrival.  A standard signal has at
 * most one instance; a bit without an entry means that the entry did not fit
 * the limit (RLIMIT_SIGPENDING) and stands for "from the kernel, no details".
 */
#include "internal.h"

#include <libos/heap.h>
#include <libos/ipc.h>
#include <libos/timers.h>

#include <asm/resource.h>

/* All queued entries of the sandbox: Linux counts per user, and a sandbox is
 * one user's. */
static u32 queued_total;

void sigpending_init(struct sigpending *p)
{
	p->set = 0;
	list_init(&p->queue);
}

/* May the sender exceed the limit?  As Linux: for standard signals that the
 * kernel itself or kill(2) sends. */
static bool may_exceed(int sig, const siginfo_t *info)
{
	return sig < SIGRTMIN && (!info || info->si_code >= 0);
}

struct sigqueue *sigqueue_new(struct proc *p, int sig, const siginfo_t *info)
{
	u32 n = __atomic_add_fetch(&queued_total, 1, __ATOMIC_RELAXED);
	struct sigqueue *q = NULL;

	if (n <= proc_rlimit(p, RLIMIT_SIGPENDING) || may_exceed(sig, info))
		q = kmalloc(sizeof(*q));
	if (!q) {
		__atomic_sub_fetch(&queued_total, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	list_init(&q->node);
	q->timer = NULL;
	if (info) {
		q->info = *info;
	} else {
		memset(&q->info, 0, sizeof(q->info));
		q->info.si_code = SI_KERNEL;
	}
	q->info.si_signo = sig;
	return q;
}

void sigqueue_drop(struct sigqueue *q)
{
	list_remove(&q->node);
	kfree(q);
	__atomic_sub_fetch(&queued_total, 1, __ATOMIC_RELAXED);
}

void sigpending_flush(struct sigpending *p)
{
	pending_remove(p, ~0ull);
}

/* Forget every pending instance of the signals in mask. */
void pending_remove(struct sigpending *p, sigset mask)
{
	struct sigqueue *q, *next;

	if (!(p->set & mask))
		return;
	p->set &= ~mask;
	list_for_each_safe(q, next, &p->queue, node)
		if (mask & SIGBIT(q->info.si_signo))
			sigqueue_drop(q);
}

static int lowest(sigset s)
{
	sigset first = s & SIGS_SYNCHRONOUS ? s & SIGS_SYNCHRONOUS : s;

	return __builtin_ctzll(first) + 1;
}

/* Oldest entry of sig; *more tells whether another waits behind it. */
static struct sigqueue *find_entry(struct sigpending *p, int sig, bool *more)
{
	struct sigqueue *q, *found = NULL;

	*more = false;
	list_for_each(q, &p->queue, node) {
		if (q->info.si_signo != sig)
			continue;
		if (found) {
			*more = true;
			break;
		}
		found = q;
	}
	return found;
}

/* Take the first of the signals in mask; its number or 0. */
int pending_take(struct sigpending *p, sigset mask, siginfo_t *info)
{
	sigset ready = p->set & mask;
	struct sigqueue *q;
	bool more;
	int sig;

	if (!ready)
		return 0;
	sig = lowest(ready);
	q = find_entry(p, sig, &more);
	if (!more)
		p->set &= ~SIGBIT(sig);
	if (!q) {
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		info->si_code = SI_USER;
		return sig;
	}
	*info = q->info;
	if (q->timer)
		posix_timer_delivered(q->timer, info);
	sigqueue_drop(q);
	return sig;
}

int signal_take_locked(struct task *t, sigset mask, siginfo_t *info)
{
	int sig = pending_take(&t->pending, mask, info);

	if (!sig)
		sig = pending_take(&t->proc->pending, mask, info);
	return sig;
}

int signal_dequeue(struct task *t, sigset mask, siginfo_t *info)
{
	struct sighand *s;
	int sig;

	mask &= ~SIGS_UNBLOCKABLE;
	if (!((t->pending.set | t->proc->pending.set) & mask))
		return 0;
	s = sighand_lock(t->proc);
	sig = signal_take_locked(t, mask, info);
	signal_recalc(t);
	mutex_unlock(&s->lock);
	return sig;
}

/* ---- the table of actions -------------------------------------------------- */
struct sighand *sighand_lock(struct proc *p)
{
	for (;;) {
		struct sighand *s = __atomic_load_n(&p->sighand,
						    __ATOMIC_ACQUIRE);

		mutex_lock(&s->lock);
		if (LIKELY(s == __atomic_load_n(&p->sighand,
						__ATOMIC_RELAXED)))
			return s;
		mutex_unlock(&s->lock);
	}
}

struct sighand *sighand_alloc(void)
{
	struct sighand *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->ref);
	mutex_init(&s->lock);
	waitq_init(&s->signalfd_wait);
	return s;
}

struct sighand *sighand_copy(struct sighand *from)
{
	struct sighand *s = sighand_alloc();

	if (!s)
		return NULL;
	mutex_lock(&from->lock);
	memcpy(s->action, from->action, sizeof(s->action));
	mutex_unlock(&from->lock);
	return s;
}

void sighand_put(struct sighand *s)
{
	if (!s || !ref_put(&s->ref))
		return;
	waitq_abandon(&s->signalfd_wait);
	kfree(s);
}

/* execve: handlers of the old image go, ignored signals stay ignored. */
void sighand_reset_for_exec(struct proc *p)
{
	struct sighand *s = p->sighand;

	if (__atomic_load_n(&s->ref.count, __ATOMIC_ACQUIRE) > 1) {
		struct sighand *own = sighand_copy(s);

		if (!own)
			panic("exec: no memory for signal actions");
		mutex_lock(&s->lock);
		__atomic_store_n(&p->sighand, own, __ATOMIC_RELEASE);
		mutex_unlock(&s->lock);
		sighand_put(s);
		s = own;
	}
	mutex_lock(&s->lock);
	for (unsigned i = 0; i < NSIG; i++) {
		struct ksigaction *ka = &s->action[i];
		bool ignored = ka->handler == SIG_IGN_HANDLER;

		memset(ka, 0, sizeof(*ka));
		ka->handler = ignored ? SIG_IGN_HANDLER : SIG_DFL_HANDLER;
	}
	mutex_unlock(&s->lock);
}
