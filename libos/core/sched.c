/*
 * sched.c - sleeping, waking and kicking threads.
 *
 * A thread sleeps on its own wake_word, one host futex.  The protocol:
 * the sleeper clears wake_word, looks at its condition, publishes its
 * sleep_state and sleeps while wake_word is 0; a waker sets wake_word first
 * and then looks at sleep_state.  Whatever order these meet in, either the
 * sleeper sees the word or the waker sees the state.
 */
#include <libos/ipc.h>
#include <libos/lock.h>
#include <libos/park.h>
#include <libos/signal.h>
#include <libos/task.h>

void task_prepare_sleep(void)
{
	__atomic_store_n(&current()->wake_word, 0, __ATOMIC_SEQ_CST);
}

/* A thread that has stood still was woken for nothing. */
static int sleep_on_word(struct task *t, u64 deadline_ns)
{
	int err = 0;

	if (task_park_point())
		return 0;
	__atomic_store_n(&t->sleep_state, TASK_SLEEPING, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&t->wake_word, __ATOMIC_SEQ_CST)) {
		err = host_sync_wait(&t->wake_word, 0, deadline_ns);
		if (err == -HOST_ETIMEDOUT)
			break;
		err = 0;
	}
	__atomic_store_n(&t->sleep_state, TASK_RUNNING, __ATOMIC_RELAXED);
	t->voluntary_switches++;
	if (task_park_point())
		return 0;
	return err == -HOST_ETIMEDOUT && !t->wake_word ? -ETIMEDOUT : 0;
}

static u64 deadline_of_call(const struct task *t, u64 deadline_ns)
{
	if (LIKELY(!t->wall_shift_ns) || t->wall_call != t->entries ||
	    deadline_ns == HOST_FOREVER)
		return deadline_ns;
	return deadline_ns - MIN(deadline_ns, t->wall_shift_ns);
}

int task_sleep(u64 deadline_ns)
{
	struct task *t = current();
	int err;

	if ((t->work & (WORK_SIGNAL | WORK_EXIT | WORK_STOP | WORK_PARK)) &&
	    signal_pending(t))
		return -ERESTARTSYS;
	err = sleep_on_word(t, deadline_of_call(t, deadline_ns));
	if ((t->work & (WORK_SIGNAL | WORK_EXIT | WORK_STOP | WORK_PARK)) &&
	    signal_pending(t))
		return -ERESTARTSYS;
	return err;
}

int task_sleep_killable(u64 deadline_ns)
{
	struct task *t = current();
	int err;

	if (t->work & WORK_EXIT)
		return -ERESTARTSYS;
	err = sleep_on_word(t, deadline_ns);
	return t->work & WORK_EXIT ? -ERESTARTSYS : err;
}

/* Task blocks stay mapped, and a wake-up for nothing does no harm: the noted
 * one may have gone by the time it is woken. */
static void wake_sleeper(struct task *t)
{
	struct task *me = current();

	if (me->holds_wake && !me->to_wake)
		me->to_wake = t;
	else
		host_sync_wake(&t->wake_word, 1);
}

void task_hold_wake(void)
{
	current()->holds_wake = true;
}

void task_send_wake(void)
{
	struct task *me = current(), *t = me->to_wake;

	me->holds_wake = false;
	me->to_wake = NULL;
	if (t)
		host_sync_wake(&t->wake_word, 1);
}

void task_wake(struct task *t)
{
	u32 state;

	if (__atomic_exchange_n(&t->wake_word, 1, __ATOMIC_SEQ_CST))
		return;
	state = __atomic_load_n(&t->sleep_state, __ATOMIC_SEQ_CST);
	if (state == TASK_SLEEPING)
		wake_sleeper(t);
	else if (state == TASK_IN_HOST)
		task_ring_doorbell(t);
}

/* A sleeper is woken; anyone else is interrupted, unless its host thread is
 * not up yet (it looks at its work before its first instruction). */
void task_kick(struct task *t)
{
	if (t == current())
		return;
	__atomic_store_n(&t->wake_word, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->sleep_state, __ATOMIC_SEQ_CST) ==
	    TASK_SLEEPING) {
		wake_sleeper(t);
		return;
	}
	mutex_lock(&t->kick_lock);
	if (__atomic_load_n(&t->host_alive, __ATOMIC_SEQ_CST) &&
	    t->host.thread)
		host_interrupt(t->host);
	mutex_unlock(&t->kick_lock);
}
