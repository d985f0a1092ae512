/*
 * host.c - what the host's kernel takes for what bailey asks of it.
 *
 * usage: host
 * Prints "NAME NANOSECONDS" of processor time for each: the parts that
 * bailey's figures are made of.  Run natively by bench/peers.py.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 16384ul /* 64 MiB */
#define MAPPINGS 1000ul
#define RUNS 9

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Processor time, of the children too: other work changes that little. */
static double now(void)
{
	struct timespec ts;
	struct rusage r;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	getrusage(RUSAGE_CHILDREN, &r);
	return (double)(ts.tv_sec + r.ru_utime.tv_sec + r.ru_stime.tv_sec) *
	       1e9 + (double)ts.tv_nsec +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e3;
}

static char *map(size_t pages, int fd)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static double touch(char *p, size_t pages, size_t step, int is_write)
{
	volatile char *c = p;
	double start = now();

	for (size_t i = 0; i < pages; i += step) {
		if (is_write)
			c[i * PAGE] = 1;
		else
			(void)c[i * PAGE];
	}
	return (now() - start) / (double)(pages / step);
}

static double one_call(void)
{
	double start = now();

	for (int i = 0; i < 100000; i++)
		syscall(SYS_getppid);
	return (now() - start) / 100000;
}

static double fault_anonymous(void)
{
	char *p = map(PAGES, -1);
	double took = touch(p, PAGES, 1, 1);

	munmap(p, PAGES * PAGE);
	return took;
}

/* Of a file that is in memory: advice is how much of it one fault maps. */
static double fault_file(int advice, int is_write)
{
	static int fd = -1;
	double took;
	char *p;

	if (fd < 0) {
		fd = memfd_create("pages", 0);
		if (fd < 0 || ftruncate(fd, PAGES * PAGE))
			die("memfd");
		p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
		touch(p, PAGES, 1, 1);
		munmap(p, PAGES * PAGE);
	}
	p = map(PAGES, fd);
	madvise(p, PAGES * PAGE, advice);
	took = touch(p, PAGES, advice == MADV_RANDOM ? 1 : 16, is_write);
	munmap(p, PAGES * PAGE);
	return took;
}
static double fault_file_16(void) { return fault_file(MADV_NORMAL, 0); }
static double fault_file_copied(void) { return fault_file(MADV_RANDOM, 1); }

static double forked(void)
{
	double start = now();
	pid_t p = fork();

	if (p == 0)
		_exit(0);
	if (p < 0 || waitpid(p, NULL, 0) != p)
		die("fork");
	return now() - start;
}

/* A forked process's cost for each MiB of its pages. */
static double fork_mib(void)
{
	double without = forked(), with;
	char *p = map(PAGES, -1);

	touch(p, PAGES, 1, 1);
	with = forked();
	munmap(p, PAGES * PAGE);
	return (with - without) / (double)(PAGES * PAGE >> 20);
}

/* mappings that do not become one */
static char *mappings(double *took)
{
	char *p = map(2 * MAPPINGS, -1);
	double start = now();

	for (size_t i = 0; i < MAPPINGS; i++)
		if (mmap(p + 2 * i * PAGE, PAGE, PROT_READ, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			die("mmap");
	*took = (now() - start) / (double)MAPPINGS;
	return p;
}
static double one_mmap(void)
{
	double took;

	munmap(mappings(&took), 2 * MAPPINGS * PAGE);
	return took;
}
static double fork_mapping(void)
{
	double without = forked(), with, took;
	char *p = mappings(&took);

	with = forked();
	munmap(p, 2 * MAPPINGS * PAGE);
	return (with - without) / (double)(2 * MAPPINGS);
}

static uint32_t ball;
static void play(uint32_t mine, int turns)
{
	for (int i = 0; i < turns; i++) {
		while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != mine)
			syscall(SYS_futex, &ball, FUTEX_WAIT_PRIVATE, !mine,
				NULL, NULL, 0);
		__atomic_store_n(&ball, !mine, __ATOMIC_RELEASE);
		syscall(SYS_futex, &ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL,
			0);
	}
}
static void *other(void *arg)
{
	play(1, 5000);
	return arg;
}
static double futex_wake(void)
{
	pthread_t t;
	double start;

	if (pthread_create(&t, NULL, other, NULL))
		die("pthread_create");
	start = now();
	play(0, 5000);
	pthread_join(t, NULL);
	return (now() - start) / 10000;
}

static double unshared(int flags)
{
	double took = -1;
	int p[2];
	pid_t pid;

	if (pipe(p))
		die("pipe");
	pid = fork();
	if (pid == 0) {
		took = now();
		took = unshare(flags) ? -1 : now() - took;
		_exit(write(p[1], &took, sizeof(took)) != sizeof(took));
	}
	if (read(p[0], &took, sizeof(took)) != sizeof(took))
		took = -1;
	waitpid(pid, NULL, 0);
	close(p[0]);
	close(p[1]);
	return took;
}
static double namespace_net(void)
{
	return unshared(CLONE_NEWUSER | CLONE_NEWNET);
}
static double namespaces_others(void)
{
	return unshared(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
			CLONE_NEWIPC | CLONE_NEWUTS);
}

static const struct {
	const char *name;
	double (*take)(void);
} parts[] = {
	{ "call", one_call },
	{ "fault_anonymous", fault_anonymous },
	{ "fault_file_16_pages", fault_file_16 },
	{ "fault_file_copied", fault_file_copied },
	{ "mmap", one_mmap },
	{ "fork_exit_wait", forked },
	{ "fork_per_mapping", fork_mapping },
	{ "fork_per_MiB", fork_mib },
	{ "futex_wake_and_wait", futex_wake },
	{ "user_and_net_namespace", namespace_net },
	{ "other_namespaces", namespaces_others },
};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		double took[RUNS];

		for (int k = 0; k < RUNS; k++)
			took[k] = parts[i].take();
		qsort(took, RUNS, sizeof(took[0]), compare);
		printf("%s %.1f\n", parts[i].name, took[RUNS / 2]);
	}
	return 0;
}
