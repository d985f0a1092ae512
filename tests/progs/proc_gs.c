/* A program that uses GS: calls made before and after it set it, signals,
 * children, threads, another program. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SET_GS 0x1001
#define GET_GS 0x1004
#define MARK 0x123456789abcl

static volatile sig_atomic_t hits;
static pid_t parent;

static long gs_word(void)
{
	long v;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

static void on_alarm(int sig)
{
	hits += gs_word() == MARK && getppid() == parent;
}

static void *thread(void *own)
{
	long wrong = 0;

	syscall(SYS_arch_prctl, SET_GS, own);
	for (int i = 0; i < 2000; i++)
		wrong += getppid() != parent || gs_word() != *(long *)own;
	return (void *)wrong;
}

static void threads(void)
{
	static long own[4] = { 5, 6, 7, 8 };
	pthread_t t[4];
	long wrong = 0;
	void *r;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread, &own[i]);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		wrong += (long)r;
	}
	CHECK(wrong == 0);
	CHECK(gs_word() == MARK);
}

int main(int argc, char **argv)
{
	long *area = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long base = 0;
	long wrong = 0;
	int st;

	if (argc > 1) {
		CHECK(getppid() >= 0);
		return check_done();
	}
	parent = getppid();
	for (int i = 0; i < 100; i++)
		getppid(); /* this site is a jump by now */
	area[0] = MARK;
	CHECK(syscall(SYS_arch_prctl, SET_GS, NULL) == 0);
	CHECK(getppid() == parent);
	CHECK(syscall(SYS_arch_prctl, SET_GS, area) == 0);
	CHECK(syscall(SYS_arch_prctl, GET_GS, &base) == 0);
	CHECK(base == (unsigned long)area);
	signal(SIGALRM, on_alarm);
	alarm(1);
	while (!hits && wrong == 0)
		wrong += getppid() != parent || gs_word() != MARK;
	CHECK(wrong == 0);
	if (fork() == 0)
		_exit(gs_word() == MARK && getppid() > 0 ? 3 : 4);
	wait(&st);
	CHECK(WEXITSTATUS(st) == 3);
	CHECK(gs_word() == MARK);
	threads();
	for (int i = 1; i < 4 * 512; i++)
		wrong += area[i];
	CHECK(wrong == 0); /* nobody took it for its own */
	if (check_done())
		return 1;
	execl("/proc/self/exe", argv[0], "again", NULL);
	return 2;
}
