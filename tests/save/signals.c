/* signals.c - saved: pending, blocked, on other stacks, waited for. */
#include "save.h"

#include <fcntl.h>
#include <sys/syscall.h>

#define RT (SIGRTMIN + 3) /* blocked everywhere: see save.h */

/* ---- pending: to the process, to a thread, with values in their order */
static volatile int values[16], value_count;
static void on_value(int sig, siginfo_t *i, void *c)
{
	values[value_count++] = i->si_value.sival_int + (i->si_code ==
							 SI_QUEUE) * 1000;
}
static void pending_setup(void)
{
	struct sigaction sa = { .sa_sigaction = on_value,
				.sa_flags = SA_SIGINFO };
	union sigval v;
	int i;

	sigaction(RT, &sa, NULL);
	for (i = 1; i <= 3; i++) {
		v.sival_int = i;
		CHECK(!sigqueue(getpid(), RT, v));
	}
	v.sival_int = 9;
	CHECK(!pthread_sigqueue(pthread_self(), RT, v));
	sigaction(SIGUSR2, &sa, NULL);
	CHECK(!raise(SIGUSR2) && !raise(SIGUSR2));
}
static void pending_verify(void)
{
	sigset_t set;

	CHECK(!sigpending(&set) && sigismember(&set, RT) &&
	      sigismember(&set, SIGUSR2) && !sigismember(&set, SIGTERM));
	CHECK(value_count == 0);
	sigemptyset(&set);
	sigaddset(&set, RT);
	CHECK(!pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	CHECK(value_count == 4);
	/* handlers nest: the last delivered runs first */
	CHECK(values[0] + values[1] + values[2] + values[3] == 4015);
	CHECK(values[0] == 1009 || values[3] == 1009);
	CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(!pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	CHECK(value_count == 5); /* once */
	CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
}

/* ---- a handler in progress on its own stack, in a call interrupted */
static int outer[2], inner[2];
static volatile int handler_ok, in_alt, in_plain;
static char alt[65536], outer_byte;
static void on_alt(int sig, siginfo_t *i, void *c)
{
	stack_t st;
	char here, b;

	in_alt = 1;
	sigaltstack(NULL, &st);
	handler_ok = &here > alt && &here < alt + sizeof(alt) &&
		     (st.ss_flags & SS_ONSTACK) &&
		     read(inner[0], &b, 1) == 1 && b == 'i';
}
static long interrupted_reader(void)
{
	stack_t st = { .ss_sp = alt, .ss_size = sizeof(alt) };

	sigaltstack(&st, NULL);
	return read(outer[0], &outer_byte, 1);
}
WAITER(handling, interrupted_reader())

static void handler_setup(void)
{
	struct sigaction sa = { .sa_sigaction = on_alt, .sa_flags =
				SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	CHECK(!pipe(outer) && !pipe(inner));
	sigaction(SIGURG, &sa, NULL);
	START(handling);
	SETTLE(handling); /* it is in the read, then in the handler */
	CHECK(!pthread_kill(handling.thread, SIGURG) && comes(&in_alt));
	SETTLE(handling);
}
static void handler_verify(void)
{
	CHECK(WAITS(handling) && !handler_ok);
	CHECK(write(inner[1], "i", 1) == 1);
	CHECK(comes(&handler_ok) && WAITS(handling)); /* the read goes on */
	CHECK(write(outer[1], "o", 1) == 1);
	CHECK(END(handling) == 1 && outer_byte == 'o');
}

/* ---- the same without SA_RESTART: EINTR belongs to it, and comes after */
static int plain_outer[2], plain_inner[2];
static void on_plain(int sig)
{
	char b;

	in_plain = 1;
	(void)!read(plain_inner[0], &b, 1);
}
static long plain_reader(void)
{
	char b;

	return read(plain_outer[0], &b, 1);
}
WAITER(plain, plain_reader())

static void eintr_setup(void)
{
	struct sigaction sa = { .sa_handler = on_plain };

	CHECK(!pipe(plain_outer) && !pipe(plain_inner));
	sigaction(SIGWINCH, &sa, NULL);
	START(plain);
	SETTLE(plain);
	CHECK(!pthread_kill(plain.thread, SIGWINCH) && comes(&in_plain));
	SETTLE(plain);
}
static void eintr_verify(void)
{
	CHECK(WAITS(plain) && write(plain_inner[1], "x", 1) == 1);
	CHECK_ERRNO(END(plain), EINTR);
}

/* ---- waits: pause, sigsuspend, sigwaitinfo, sigtimedwait */
static volatile int suspended_handled;
static void on_io(int sig) { suspended_handled += sig == SIGIO; }
static long suspends(void)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGIO);
	return sigsuspend(&set);
}
static siginfo_t info;
static long waits_for(int sig, long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return ms ? sigtimedwait(&set, &info, &t) : sigwaitinfo(&set, &info);
}
WAITER(pauser, pause())
WAITER(suspender, suspends())
WAITER(informed, waits_for(RT + 1, 0))
WAITER(timed, waits_for(RT + 2, 800))

static void waits_setup(void)
{
	sigset_t set, old;

	signal(SIGIO, on_io);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	START(pauser);
	SETTLE(pauser); /* else its signal would come before its wait */
	pthread_sigmask(SIG_BLOCK, &set, &old);
	START(suspender);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	START(informed);
	START(timed);
}
static void waits_verify(void)
{
	union sigval v = { .sival_int = 5 };

	CHECK(WAITS(pauser) && WAITS(suspender) && WAITS(informed));
	CHECK(!suspended_handled);
	CHECK(!pthread_kill(pauser.thread, SIGIO));
	CHECK_ERRNO(END(pauser), EINTR);
	CHECK(suspended_handled == 1 && WAITS(suspender));
	CHECK(!pthread_kill(suspender.thread, SIGIO));
	CHECK_ERRNO(END(suspender), EINTR);
	CHECK(suspended_handled == 2);
	CHECK(!sigqueue(getpid(), RT + 1, v));
	CHECK(END(informed) == RT + 1 && info.si_value.sival_int == 5);
	CHECK_ERRNO(END(timed), EAGAIN);
	CHECK(timed.end - timed.begin >= 799);
	CHECK(timed.end - timed.begin < 2500);
}

/* ---- dispositions, masks, alternate stack of the main thread */
static char main_alt[32768];

static void kept_setup(void)
{
	stack_t st = { .ss_sp = main_alt, .ss_size = sizeof(main_alt) };
	struct sigaction sa = { .sa_handler = SIG_IGN };

	CHECK(!sigaltstack(&st, NULL));
	CHECK(!sigaction(SIGTTIN, &sa, NULL));
	sa.sa_handler = on_io;
	sa.sa_flags = SA_NODEFER | SA_NOCLDSTOP;
	sigaddset(&sa.sa_mask, SIGPROF);
	CHECK(!sigaction(SIGTTOU, &sa, NULL));
}
static void kept_verify(void)
{
	struct sigaction sa;
	sigset_t set;
	stack_t st;

	CHECK(!sigaltstack(NULL, &st) && st.ss_sp == main_alt &&
	      st.ss_size == sizeof(main_alt) && !st.ss_flags);
	CHECK(!sigaction(SIGTTIN, NULL, &sa) && sa.sa_handler == SIG_IGN);
	CHECK(!sigaction(SIGTTOU, NULL, &sa) && sa.sa_handler == on_io);
	CHECK((sa.sa_flags & (SA_NODEFER | SA_NOCLDSTOP)) ==
	      (SA_NODEFER | SA_NOCLDSTOP) && sigismember(&sa.sa_mask, SIGPROF));
	CHECK(!pthread_sigmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGUSR1) && sigismember(&set, RT) &&
	      !sigismember(&set, SIGTERM) && !sigismember(&set, SIGURG));
}

/* ---- two that send each other signals without pause: none is lost */
static volatile int stop_storm;
static volatile sig_atomic_t got_hup;
static void on_hup(int sig) { got_hup++; }
static long storms(void)
{
	sigset_t set;
	long sent = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (!stop_storm) {
		syscall(SYS_tgkill, getpid(), gettid(), SIGHUP);
		sent++;
	}
	return sent;
}
WAITER(storm, storms())

static void storm_setup(void)
{
	sigset_t set;

	signal(SIGHUP, on_hup);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	START(storm);
}
static void storm_verify(void)
{
	long sent;

	sleep_ms(20);
	stop_storm = 1;
	sent = END(storm);
	CHECK(sent > 0 && got_hup == sent);
}

static const struct save_case cases[] = {
	CASE(waits), CASE(handler), CASE(eintr), CASE(pending), CASE(kept),
	CASE(storm),
};
SAVE_MAIN(cases)
