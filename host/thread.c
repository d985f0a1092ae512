/*
 * thread.c - the host ABI's threads, processes, interrupts and sleeping.
 */
#include "raw.h"

#include <bailey/boot.h>
#include <bailey/image_header.h>

#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE 1
#define FUTEX_MATCH_ANY 0xffffffffu

static int start(uint64_t flags, const struct host_start *s)
{
	int64_t r = raw_clone(flags, s->stack_top, &s->ids->thread, NULL,
			      s->start, s->arg);

	return r < 0 ? (int)r : 0;
}

int host_thread_create(const struct host_start *s)
{
	return start(BLY_CLONE_THREAD, s);
}

int host_process_create(const struct host_start *s)
{
	return start(BLY_CLONE_PROCESS, s);
}

int host_interrupt(struct host_thread_ids ids)
{
	return (int)raw_tgkill(ids.process ? ids.process : ids.thread,
			       ids.thread, BLY_KICK_SIGNAL);
}

int host_sync_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
	uint64_t at = host_clock_deadline(deadline_ns);
	struct raw_timespec ts = { (int64_t)(at / 1000000000u),
				   (int64_t)(at % 1000000000u) };

	return (int)raw_futex(word, FUTEX_WAIT_BITSET, value,
			      deadline_ns == HOST_FOREVER ? NULL : &ts, NULL,
			      FUTEX_MATCH_ANY);
}

int host_sync_wake(uint32_t *word, unsigned count)
{
	return (int)raw_futex(word, FUTEX_WAKE, count, NULL, NULL, 0);
}
