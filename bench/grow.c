/*
 * grow.c - a program of a given size, for bench/growth.py.
 *
 * usage: grow ADDRESS PORT MEGABYTES PROCESSES
 *
 * Fills memory (half of each page is random, half is not: it can be
 * compressed to about a half), starts children that wait, PROCESSES in all,
 * and answers HTTP on the port: /fork with the microseconds that a fork,
 * the child's exit and the wait for it take (the median of FORKS), anything
 * else with a sum over one page of each megabyte.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEGABYTE 1048576ul
#define PAGE 4096
#define FORKS 7

static uint64_t *memory;
static size_t words;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void fill(size_t megabytes)
{
	uint64_t x = 88172645463325252ull;

	words = megabytes * MEGABYTE / 8;
	memory = mmap(NULL, words * 8, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	/* Pages as the host gives them out one by one, in each kind alike. */
	madvise(memory, words * 8, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < words; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memory[i] = i % (PAGE / 8) < PAGE / 16 ? x : i / 512;
	}
}

static uint64_t sum(void)
{
	uint64_t total = 0;

	for (size_t i = 0; i < words; i += MEGABYTE / 8)
		total += memory[i];
	return total;
}

static void children(int count)
{
	int p[2];

	if (pipe(p))
		die("pipe");
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();
		char c;

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			close(p[1]);
			_exit(read(p[0], &c, 1) < 0);
		}
	}
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double fork_us(void)
{
	double took[FORKS];

	for (int i = 0; i < FORKS; i++) {
		double start = now_us();
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("fork");
		took[i] = now_us() - start;
	}
	qsort(took, FORKS, sizeof(took[0]), compare);
	return took[FORKS / 2];
}

static int listen_on(const char *address, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	a.sin_port = htons((uint16_t)port);
	if (s < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1)
		die(address);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 16))
		die("listen");
	return s;
}

static void answer(int s)
{
	char text[512], out[128];
	ssize_t n = read(s, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = 0;
	snprintf(out, sizeof(out), "HTTP/1.0 200 OK\r\n\r\n%.1f\n",
		 strstr(text, "GET /fork") ? fork_us() : (double)sum());
	if (write(s, out, strlen(out)) < 0)
		perror("write");
}

int main(int argc, char **argv)
{
	int s;

	if (argc != 5) {
		fprintf(stderr, "usage: grow ADDRESS PORT MEGABYTES "
			"PROCESSES\n");
		return 2;
	}
	fill((size_t)atol(argv[3]));
	children(atoi(argv[4]) - 1);
	s = listen_on(argv[1], atoi(argv[2]));
	for (;;) {
		int c = accept(s, NULL, NULL);

		if (c < 0)
			die("accept");
		answer(c);
		close(c);
	}
}
