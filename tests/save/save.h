/*
 * save.h - for the programs that are saved and resumed at one point.
 *
 * A program is a table of cases.  `setup` of each makes some state, or starts
 * threads and children that wait in the call under test; then the program
 * prints READY and waits for SIGUSR1; then `verify` of each looks at all.
 * The runner saves between the two, resumes, or does nothing, and the output
 * is the same each time.  Arguments pick cases by name.  SIGUSR2 and SIGRTMIN
 * +3 to +9 are blocked from the start.
 *
 *   WAITER(name, expr)   a thread that evaluates expr once, a number
 *   START(name) SETTLE(name) WAITS(name) END(name)   SETTLE: until it sleeps;
 *                        END gives the number and sets errno
 *   CHILD(name, expr)    a process that ends with 0 if expr is true
 *   FORK(name) ALIVE(name) ENDED(name)  ENDED gives the exit status
 *
 * A wait that should end and does not is ETIME after five seconds.
 */
#ifndef SAVE_H
#define SAVE_H

#include "../progs/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

struct save_case {
	const char *name;
	void (*setup)(void);
	void (*verify)(void);
};
#define CASE(name) { #name, name##_setup, name##_verify }

/* ---- time ---- */
static inline double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}
static inline void sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}
/* From now on this clock, so many milliseconds. */
static inline struct timespec in_ms(clockid_t clock, int ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000L;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000L;
	t.tv_nsec %= 1000000000L;
	return t;
}

/* ---- threads that wait ---- */
struct waiter {
	pthread_t thread;
	long (*call)(void);
	volatile pid_t tid;
	volatile int is_done;
	long result;
	int error;
	double begin, end; /* CLOCK_MONOTONIC, milliseconds */
};

static inline void *waiter_main(void *arg)
{
	struct waiter *w = arg;

	w->tid = gettid();
	w->begin = now_ms(CLOCK_MONOTONIC);
	errno = 0;
	w->result = w->call();
	w->error = errno;
	w->end = now_ms(CLOCK_MONOTONIC);
	w->is_done = 1;
	return NULL;
}

static inline void waiter_start(struct waiter *w, long (*call)(void))
{
	w->call = call;
	if (pthread_create(&w->thread, NULL, waiter_main, w))
		perror("pthread_create");
	while (!w->tid)
		sleep_ms(1);
}

static inline long waiter_end(struct waiter *w)
{
	struct timespec t = in_ms(CLOCK_REALTIME, 5000);

	if (pthread_timedjoin_np(w->thread, NULL, &t)) {
		errno = ETIME;
		return -2;
	}
	errno = w->error;
	return w->result;
}

/* Until the thread sleeps in its call, as /proc tells. */
static inline void waiter_settle(const struct waiter *w)
{
	char path[64], line[256], state = 'R';
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", w->tid);
	for (i = 0; i < 5000 && state != 'S'; i++) {
		sleep_ms(1);
		f = fopen(path, "r");
		if (!f || !fgets(line, sizeof(line), f) ||
		    sscanf(strrchr(line, ')'), ") %c", &state) != 1)
			state = '?';
		if (f)
			fclose(f);
	}
}
/* Until *flag, five seconds at most: does it come? */
static inline int comes(const volatile int *flag)
{
	int i;

	for (i = 0; i < 5000 && !*flag; i++)
		sleep_ms(1);
	return *flag;
}

#define WAITER(name, expr)                                                   \
	static struct waiter name;                                           \
	static long name##_call(void) { return (long)(expr); }
#define START(name) waiter_start(&name, name##_call)
#define SETTLE(name) waiter_settle(&name)
#define WAITS(name) (!name.is_done)
#define END(name) waiter_end(&name)

/* ---- processes ---- */
#define CHILD(name, expr)                                                    \
	static pid_t name;                                                   \
	static int name##_main(void) { return !(expr); }
#define FORK(name) ((name = fork()) ? (void)0 : _exit(name##_main()))

static inline int child_is_alive(pid_t pid)
{
	siginfo_t i = { 0 };

	return !waitid(P_PID, pid, &i, WEXITED | WNOHANG | WNOWAIT) &&
	       !i.si_pid;
}
static inline int child_end(pid_t pid)
{
	int st, n;

	for (n = 0; n < 5000; n++) {
		if (waitpid(pid, &st, WNOHANG) == pid)
			return WIFEXITED(st) ? WEXITSTATUS(st)
					     : 128 + WTERMSIG(st);
		sleep_ms(1);
	}
	kill(pid, SIGKILL);
	return 1000;
}
#define ALIVE(name) child_is_alive(name)
#define ENDED(name) child_end(name)

/* Memory that children share with us. */
static inline void *shared_memory(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* ---- the program ---- */
static inline int is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc < 2;
}

static inline int save_main(const struct save_case *c, int n, int argc,
			    char **argv)
{
	sigset_t set;
	int i, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	for (i = 3; i < 10; i++)
		sigaddset(&set, SIGRTMIN + i);
	sigprocmask(SIG_BLOCK, &set, NULL); /* of all threads to come */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (i = 0; i < n; i++)
		if (c[i].setup && is_wanted(c[i].name, argc, argv))
			c[i].setup();
	sleep_ms(50); /* until the threads wait */
	SHOW("READY");
	sigwait(&set, &sig);
	SHOW("GO");
	for (i = 0; i < n; i++)
		if (c[i].verify && is_wanted(c[i].name, argc, argv))
			c[i].verify();
	return check_done();
}
#define SAVE_MAIN(cases)                                                     \
	int main(int argc, char **argv)                                      \
	{                                                                    \
		return save_main(cases, sizeof(cases) / sizeof((cases)[0]),  \
				 argc, argv);                                \
	}

#endif
