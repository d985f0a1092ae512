/*
 * quiet.c - calls that are to be answered without the host.
 *
 * usage: quiet KIND ROUNDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NEED(e) do { if (!(e)) { perror(#e); exit(1); } } while (0)

static long futex(uint32_t *word, int op, uint32_t v, void *timeout,
		  uint32_t *word2, uint32_t v3)
{
	return syscall(SYS_futex, word, op, v, timeout, word2, v3);
}

/* Words that nobody waits for, and that are not what is waited for. */
static void futexes(int is_private)
{
	static uint32_t *w;
	int p = is_private ? FUTEX_PRIVATE_FLAG : 0;

	if (!w)
		w = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(futex(w, FUTEX_WAKE | p, 1, NULL, NULL, 0) == 0);
	NEED(futex(w, FUTEX_WAKE_BITSET | p, 1, NULL, NULL, 3) == 0);
	NEED(futex(w, FUTEX_WAIT | p, *w + 1, NULL, NULL, 0) == -1 &&
	     errno == EAGAIN);
	NEED(futex(w, FUTEX_WAIT_BITSET | p, *w + 1, NULL, NULL, 1) == -1 &&
	     errno == EAGAIN);
	NEED(futex(w, FUTEX_REQUEUE | p, 1, (void *)1, w + 1, 0) == 0);
	NEED(futex(w, FUTEX_CMP_REQUEUE | p, 1, (void *)1, w + 1, *w) == 0);
	NEED(futex(w, FUTEX_WAKE_OP | p, 1, (void *)1, w + 2,
		   FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_GT, 0)) == 0);
	NEED(futex(w + 4, FUTEX_LOCK_PI | p, 0, NULL, NULL, 0) == 0);
	NEED(futex(w + 4, FUTEX_TRYLOCK_PI | p, 0, NULL, NULL, 0) == -1);
	NEED(futex(w + 4, FUTEX_UNLOCK_PI | p, 0, NULL, NULL, 0) == 0);
}

static void do_private(void) { futexes(1); }
static void do_shared(void) { futexes(0); }

static void do_locks(void)
{
	static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
	static sem_t s;

	pthread_mutex_lock(&m);
	pthread_cond_signal(&c);
	pthread_cond_broadcast(&c);
	pthread_mutex_unlock(&m);
	pthread_rwlock_rdlock(&rw);
	pthread_rwlock_unlock(&rw);
	sem_post(&s);
	sem_wait(&s);
}

static void do_names(void)
{
	struct timespec t;
	struct stat st;
	int fd = open("/usr/bin/env", O_RDONLY);

	NEED(fd >= 0 && !fstat(fd, &st) && !close(fd));
	NEED(!stat("/etc/passwd", &st) && !access("/usr/bin/env", X_OK));
	NEED(syscall(SYS_getppid) >= 0 && syscall(SYS_gettid) > 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
}

static void do_pipes(void)
{
	static int p[2], s[2];
	char b[64];

	if (!p[1])
		NEED(!pipe(p) && !socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	NEED(write(p[1], b, 64) == 64 && read(p[0], b, 64) == 64);
	NEED(send(s[0], b, 64, 0) == 64 && recv(s[1], b, 64, 0) == 64);
}

/* A package's file, read again and again. */
static void do_reads(void)
{
	static int fd;
	char b[4096];

	if (!fd)
		fd = open("/usr/bin/env", O_RDONLY);
	NEED(pread(fd, b, sizeof(b), 4096) == sizeof(b));
}

static const struct { const char *name; void (*once)(void); } kinds[] = {
	{ "private-futexes", do_private }, { "shared-futexes", do_shared },
	{ "locks", do_locks }, { "names", do_names }, { "pipes", do_pipes },
	{ "reads", do_reads },
};

int main(int argc, char **argv)
{
	long rounds = argc > 2 ? atol(argv[2]) : 0;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (argc > 2 && strcmp(kinds[i].name, argv[1]))
			continue;
		if (argc < 3) {
			puts(kinds[i].name);
			continue;
		}
		while (rounds-- > 0)
			kinds[i].once();
		return 0;
	}
	return argc > 2;
}
