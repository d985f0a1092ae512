/*
 * twins.c - prints what must differ between two that were resumed from one
 * image, what must be the same, and what time it is.
 */
#include "save.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>

static unsigned long seed;
static int generation;
static long polls(void)
{
	struct pollfd f = { generation, POLLPRI, 0 };

	return poll(&f, 1, 5000) == 1 ? f.revents & POLLPRI : 0;
}
WAITER(poller, polls())

static void show(const char *what, const unsigned char *b, int n)
{
	printf("%s ", what);
	for (int i = 0; i < n; i++)
		printf("%02x", b[i]);
	printf("\n");
	fflush(stdout);
}

static void from_file(const char *what, const char *path)
{
	unsigned char b[64] = { 0 };
	int fd = open(path, O_RDONLY), n = read(fd, b, 36);

	show(what, b, n > 0 ? n : 0);
	close(fd);
}

static void random_setup(void)
{
	unsigned char b[16];

	srandom(1234); /* the program's own, and its state is saved */
	seed = random();
	CHECK(getrandom(b, 16, 0) == 16);
	show("before", b, 16);
	generation = open("/dev/generation", O_RDONLY);
	CHECK(read(generation, b, 16) == 16);
	START(poller);
}

static void random_verify(void)
{
	unsigned char b[16];
	double real = now_ms(CLOCK_REALTIME);

	CHECK(getrandom(b, 16, 0) == 16);
	show("differ getrandom", b, 16);
	CHECK(!getentropy(b, 16));
	show("differ getentropy", b, 16);
	from_file("differ urandom", "/dev/urandom");
	from_file("differ random", "/dev/random");
	from_file("differ uuid", "/proc/sys/kernel/random/uuid");
	from_file("differ generation", "/dev/generation");
	SHOW("told %d", END(poller) == POLLPRI);
	SHOW("same libc %ld %ld", seed, random());
	SHOW("time %.0f", real / 1000);
}

static const struct save_case cases[] = { CASE(random) };
SAVE_MAIN(cases)
