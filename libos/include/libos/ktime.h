/*
 * ktime.h - clocks and timers of the library OS.
 *
 * Deadlines are nanoseconds of CLOCK_MONOTONIC.  Timer callbacks run on the
 * service thread (libos/core/service.c) with no lock held.
 */
#ifndef LIBOS_KTIME_H
#define LIBOS_KTIME_H

#include <bailey/host_abi.h>
#include <libos/base.h>

#include <linux/time_types.h>

u64 clock_monotonic_ns(void);
u64 clock_realtime_ns(void);
u64 clock_boot_ns(void);

struct ktimer { /* timer_lock guards it; a node of a pairing heap */
	struct ktimer *child, *next, *prev;
	u64 deadline_ns;
	void (*fn)(struct ktimer *t);
	/* The wall clock has jumped ahead by ns (resume): set it anew.  NULL:
	 * nothing to do. */
	void (*jumped)(struct ktimer *t, u64 ns);
	bool armed;
};
/* Arm or re-arm; cancel waits until a running callback has returned. */
void ktimer_set(struct ktimer *t, u64 deadline_ns);
void ktimer_cancel(struct ktimer *t);
void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *));
/* The service thread: next deadline, and run what is due (core/service.c). */
u64 ktimer_next(void);
void ktimer_run(void);
/* All armed timers that want to know: the wall clock has jumped by ns. */
void ktimers_jumped(u64 ns);
/* Wake the service thread (a nearer timer, more handles to watch). */
void service_kick(void);
/* The service thread polls this handle and calls fn when it is ready;
 * fn returning false stops watching. */
void service_watch(host_handle h, u32 events,
		   bool (*fn)(void *arg, u32 events), void *arg);

/* Guest structures to ns: -EINVAL if malformed, -EFAULT. */
int get_timespec(u64 uptr, u64 *ns);
int put_timespec(u64 uptr, u64 ns);
/* A relative timeout in guest memory (NULL: for ever) to a deadline. */
int get_timeout(u64 uptr, u64 *deadline_ns);
/* A clock's deadline as one of CLOCK_MONOTONIC's, for the calling thread's
 * call. */
u64 deadline_from_realtime(u64 realtime_ns);
/* The deadlines of the calling thread's call are of a clock that goes on
 * while the sandbox lies saved. */
void deadline_follows_wall(void);
static inline u64 deadline_after(u64 ns)
{
	u64 now = clock_monotonic_ns();
	return ns > UINT64_MAX - 1 - now ? HOST_FOREVER : now + ns;
}
#endif
