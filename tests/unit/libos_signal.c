/*
 * libos_signal.c - signals: order of delivery, queues, masks, handlers that
 * nest, restarts, what waits for them; one thread, as the guest sees it.
 */
#include "unit.h"

#include <linux/fcntl.h>
#include <linux/resource.h>

#define BIT(n) (1ull << ((n) - 1))
#define RT1 34
#define RT2 35
#define SA_FLAGS 0x04000000ull /* SA_RESTORER: as the C library does it */

static int log[64];
static siginfo_t infos[64];
static int logged;
static u64 mask_inside;

static void note(int sig, const siginfo_t *si, void *uc)
{
	log[logged] = sig;
	infos[logged++] = *si;
	SYS(rt_sigprocmask, 0, 0, &mask_inside, 8);
}

static void catch(int sig, void (*fn)(int, const siginfo_t *, void *),
		  u64 flags, u64 mask)
{
	struct ksigaction sa = { (u64)fn, flags | SA_FLAGS | SA_SIGINFO, 1,
				 mask };

	MUST(SYS(rt_sigaction, sig, &sa, 0, 8) == 0);
}

static long set_mask(int how, u64 mask)
{
	return SYS(rt_sigprocmask, how, &mask, 0, 8);
}

static u64 pending(void)
{
	u64 p;

	MUST(SYS(rt_sigpending, &p, 8) == 0);
	return p;
}

static long send(int sig)
{
	return SYS(kill, SYS(getpid), sig);
}

static long queue(int sig, int value)
{
	siginfo_t si = { .si_code = -1 /* SI_QUEUE */ };

	si.si_value.sival_int = value;
	return SYS(rt_sigqueueinfo, SYS(getpid), sig, &si);
}

UNIT(signal_errors)
{
	struct ksigaction sa = { 0 };

	EQ(SYS(rt_sigaction, SIGKILL, &sa, 0, 8), -EINVAL);
	EQ(SYS(rt_sigaction, SIGSTOP, &sa, 0, 8), -EINVAL);
	EQ(SYS(rt_sigaction, SIGKILL, 0, &sa, 8), 0);
	EQ(SYS(rt_sigaction, 65, 0, &sa, 8), -EINVAL);
	EQ(SYS(rt_sigaction, 0, 0, &sa, 8), -EINVAL);
	EQ(SYS(rt_sigaction, SIGINT, &sa, 0, 4), -EINVAL);
	EQ(SYS(rt_sigaction, SIGINT, 8, 0, 8), -EFAULT);
	EQ(set_mask(9, 0), -EINVAL);
	EQ(SYS(kill, SYS(getpid), 65), -EINVAL);
	EQ(SYS(kill, SYS(getpid), 0), 0);
	EQ(SYS(kill, 4000, SIGTERM), -ESRCH);
	EQ(SYS(tgkill, SYS(getpid), 4000, SIGTERM), -ESRCH);
	EQ(SYS(tgkill, -1, 1, SIGTERM), -EINVAL);
}

UNIT(signal_order)
{
	const u64 all = BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(RT1) | BIT(RT2);

	catch(SIGUSR1, note, 0, ~0ull);
	catch(SIGUSR2, note, 0, ~0ull);
	catch(RT1, note, 0, ~0ull);
	catch(RT2, note, 0, ~0ull);
	EQ(set_mask(0, all), 0);
	EQ(queue(RT2, 1), 0);
	EQ(queue(RT1, 2), 0);
	EQ(queue(RT1, 3), 0);
	EQ(send(SIGUSR2), 0);
	EQ(send(SIGUSR1), 0);
	EQ(send(SIGUSR1), 0); /* one of a kind is kept */
	EQ(logged, 0);
	EQ(pending(), all);
	EQ(set_mask(1, all), 0);
	EQ(logged, 5);
	/* One after the other: the handlers block all. */
	EQ(log[0], SIGUSR1);
	EQ(log[1], SIGUSR2);
	EQ(log[2], RT1);
	EQ(infos[2].si_value.sival_int, 2);
	EQ(log[3], RT1);
	EQ(infos[3].si_value.sival_int, 3);
	EQ(log[4], RT2);
	EQ(infos[0].si_code, 0 /* SI_USER */);
	EQ(infos[0].si_pid, SYS(getpid));
	EQ(infos[2].si_code, -1);
	EQ(pending(), 0);
	EQ(mask_inside | BIT(SIGKILL) | BIT(SIGSTOP), ~0ull);
	EQ(mask_inside & (BIT(SIGKILL) | BIT(SIGSTOP)), 0);
}

UNIT(signal_masks)
{
	u64 now;

	catch(SIGUSR1, note, 0, BIT(SIGUSR2));
	EQ(send(SIGUSR1), 0);
	EQ(logged, 1);
	EQ(mask_inside, BIT(SIGUSR1) | BIT(SIGUSR2));
	EQ(SYS(rt_sigprocmask, 0, 0, &now, 8), 0);
	EQ(now, 0);
	catch(SIGUSR1, note, SA_NODEFER, 0);
	EQ(send(SIGUSR1), 0);
	EQ(mask_inside, 0);
	catch(SIGUSR1, note, SA_RESETHAND, 0);
	EQ(send(SIGUSR1), 0);
	struct ksigaction sa;

	EQ(SYS(rt_sigaction, SIGUSR1, 0, &sa, 8), 0);
	EQ(sa.handler, 0);
	EQ(set_mask(2, ~0ull), 0);
	EQ(SYS(rt_sigprocmask, 0, 0, &now, 8), 0);
	EQ(now, ~(BIT(SIGKILL) | BIT(SIGSTOP)));
}

/* Ignored: dropped at once, and what is pending goes when it is ignored. */
UNIT(signal_ignored)
{
	struct ksigaction sa = { .handler = 1 };

	EQ(set_mask(0, BIT(SIGUSR1) | BIT(SIGCHLD)), 0);
	EQ(send(SIGUSR1), 0);
	EQ(pending(), BIT(SIGUSR1));
	EQ(SYS(rt_sigaction, SIGUSR1, &sa, 0, 8), 0);
	EQ(pending(), 0);
	EQ(set_mask(1, ~0ull), 0);
	EQ(send(SIGUSR1), 0);
	EQ(send(SIGWINCH), 0); /* ignored by default */
	EQ(send(SIGCONT), 0);
	EQ(pending(), 0);
}

static void nesting(int sig, const siginfo_t *si, void *uc)
{
	log[logged++] = sig;
	if (sig == SIGUSR1)
		MUST(send(SIGUSR2) == 0);
	log[logged++] = -sig;
}

UNIT(signal_nested)
{
	catch(SIGUSR1, nesting, 0, 0);
	catch(SIGUSR2, nesting, 0, 0);
	EQ(send(SIGUSR1), 0);
	EQ(logged, 4);
	CHECK(log[0] == SIGUSR1 && log[1] == SIGUSR2 && log[2] == -SIGUSR2 &&
	      log[3] == -SIGUSR1);
}

/* ---- waiting for them ------------------------------------------------------------------ */
UNIT(signal_wait)
{
	u64 set = BIT(SIGUSR1) | BIT(RT1);
	s64 ts[2] = { 0, 1000 };
	siginfo_t si;

	EQ(set_mask(0, set), 0);
	EQ(SYS(rt_sigtimedwait, &set, &si, ts, 8), -EAGAIN);
	EQ(queue(RT1, 7), 0);
	EQ(queue(RT1, 8), 0);
	EQ(send(SIGUSR1), 0);
	EQ(SYS(rt_sigtimedwait, &set, &si, ts, 8), SIGUSR1);
	EQ(SYS(rt_sigtimedwait, &set, &si, 0, 8), RT1);
	EQ(si.si_value.sival_int, 7);
	EQ(SYS(rt_sigtimedwait, &set, &si, 0, 8), RT1);
	EQ(si.si_value.sival_int, 8);
	EQ(pending(), 0);
	ts[1] = 2000000000;
	EQ(SYS(rt_sigtimedwait, &set, &si, ts, 8), -EINVAL);
}

UNIT(signal_fd)
{
	u64 set = BIT(SIGUSR1) | BIT(RT1);
	struct { u32 signo; s32 error, code; u32 rest[29]; } info[3];
	long fd;

	EQ(set_mask(0, set), 0);
	fd = SYS(signalfd4, -1, &set, 8, O_NONBLOCK);
	CHECK(fd >= 0);
	EQ(SYS(read, fd, info, sizeof(info)), -EAGAIN);
	EQ(queue(RT1, 9), 0);
	EQ(send(SIGUSR1), 0);
	EQ(SYS(read, fd, info, 127), -EINVAL);
	EQ(SYS(read, fd, info, sizeof(info)), 256);
	EQ(info[0].signo, SIGUSR1);
	EQ(info[1].signo, RT1);
	set = BIT(RT1);
	EQ(SYS(signalfd4, fd, &set, 8, 0), fd);
	EQ(send(SIGUSR1), 0);
	EQ(SYS(read, fd, info, sizeof(info)), -EAGAIN);
}

/* The alarm is the only thing that happens: pause, and the restarts. */
UNIT(signal_interrupts)
{
	int p[2];
	char b[4];

	catch(SIGALRM, note, 0, 0);
	EQ(SYS(alarm, 5), 0);
	EQ(SYS(pause), -EINTR);
	EQ(logged, 1);
	EQ(SYS(alarm, 5), 0);
	EQ(SYS(pipe2, p, 0), 0);
	EQ(SYS(read, p[0], b, 1), -EINTR);
	EQ(logged, 2);
	EQ(SYS(alarm, 10), 0);
	EQ(SYS(alarm, 1), 10);
	u64 none = 0;

	EQ(SYS(rt_sigsuspend, &none, 8), -EINTR);
	EQ(logged, 3);
	s64 ts[2] = { 20, 0 }, rem[2];

	EQ(SYS(alarm, 5), 0);
	EQ(SYS(nanosleep, ts, rem), -EINTR);
	EQ(rem[0], 15);
	EQ(SYS(alarm, 0), 0);
}

static int the_pipe[2];

static void write_it(int sig, const siginfo_t *si, void *uc)
{
	logged++;
	MUST(SYS(write, the_pipe[1], "x", 1) == 1);
}

UNIT(signal_restart)
{
	char b[4];

	EQ(SYS(pipe2, the_pipe, 0), 0);
	catch(SIGALRM, write_it, SA_RESTART, 0);
	EQ(SYS(alarm, 1), 0);
	EQ(SYS(read, the_pipe[0], b, 4), 1); /* made again after the handler */
	EQ(logged, 1);
	EQ(SYS(alarm, 1), 0);
	EQ(SYS(pause), -EINTR); /* never */
	EQ(logged, 2);
	EQ(SYS(alarm, 1), 0);
	EQ(SYS(poll, 0, 0, 5000), -EINTR); /* nor this */
}

/* A mask for the time of a call: the handler runs, then the old is back. */
UNIT(signal_temporary_mask)
{
	u64 none = 0, now;
	s64 ts[2] = { 1, 0 };

	catch(SIGUSR1, note, 0, 0);
	EQ(set_mask(0, BIT(SIGUSR1)), 0);
	EQ(send(SIGUSR1), 0);
	EQ(logged, 0);
	EQ(SYS(ppoll, 0, 0, ts, &none, 8), -EINTR);
	EQ(logged, 1);
	EQ(SYS(rt_sigprocmask, 0, 0, &now, 8), 0);
	EQ(now, BIT(SIGUSR1));
	EQ(SYS(ppoll, 0, 0, ts, &none, 8), 0);
	EQ(SYS(rt_sigprocmask, 0, 0, &now, 8), 0);
	EQ(now, BIT(SIGUSR1));
}

UNIT(signal_queue_limit)
{
	u64 limit[2] = { 3, 3 };

	EQ(set_mask(0, BIT(RT1) | BIT(SIGUSR1)), 0);
	EQ(SYS(prlimit64, 0, RLIMIT_SIGPENDING, limit, 0), 0);
	EQ(queue(RT1, 1), 0);
	EQ(queue(RT1, 2), 0);
	EQ(queue(RT1, 3), 0);
	EQ(queue(RT1, 4), -EAGAIN);
	EQ(send(SIGUSR1), 0); /* kill never fails for that */
	EQ(pending(), BIT(RT1) | BIT(SIGUSR1));
}

UNIT(signal_altstack)
{
	struct { u64 sp; s32 flags, pad; u64 size; } ss = { 0 }, old;
	static char stack[8192];

	EQ(SYS(sigaltstack, 0, &old), 0);
	EQ(old.flags, 2 /* SS_DISABLE */);
	ss.sp = (u64)stack;
	ss.size = 100;
	EQ(SYS(sigaltstack, &ss, 0), -ENOMEM);
	ss.size = sizeof(stack);
	EQ(SYS(sigaltstack, &ss, 0), 0);
	ss.flags = 77;
	EQ(SYS(sigaltstack, &ss, &old), -EINVAL);
	EQ(SYS(sigaltstack, 0, &old), 0);
	EQ(old.sp, stack);
	EQ(old.size, sizeof(stack));
	EQ(old.flags, 0);
}

/* Objects of the queue go when it is emptied. */
UNIT(signal_gives_back)
{
	long before;

	EQ(set_mask(0, BIT(RT1)), 0);
	before = fake_heap_objects;
	for (int i = 0; i < 100; i++)
		MUST(queue(RT1, i) == 0);
	CHECK(fake_heap_objects > before);
	struct ksigaction sa = { .handler = 1 };

	EQ(SYS(rt_sigaction, RT1, &sa, 0, 8), 0);
	EQ(fake_heap_objects, before);
}
