/*
 * frame.c - saved: vector registers that are in a signal handler's frame on
 * the program's stack, and in nobody's hands else.  Where there is AVX-512
 * its registers are in use, too, in a handler's frame and elsewhere, unless
 * NARROW is set.
 */
#include "save.h"

#include <immintrin.h>

static volatile int stop, in_handlers;

static void handler(int sig)
{
	__atomic_fetch_add(&in_handlers, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		sleep_ms(5);
}

__attribute__((target("avx2"))) static long around(void)
{
	__m256i x[8];
	long out[4], bad = 0;
	int i, j;

	for (i = 0; i < 8; i++)
		x[i] = _mm256_set_epi64x(i, i * 3, i * 5, i * 7);
	while (!stop)
		__asm__ volatile("" : "+x"(x[0]), "+x"(x[1]), "+x"(x[2]),
				 "+x"(x[3]), "+x"(x[4]), "+x"(x[5]),
				 "+x"(x[6]), "+x"(x[7]));
	for (i = 0; i < 8; i++) {
		_mm256_storeu_si256((void *)out, x[i]);
		for (j = 0; j < 4; j++)
			bad += out[j] != i * (7 - 2 * j);
	}
	return bad;
}

__attribute__((target("avx512f"))) static long around_wide(void)
{
	__m512i x = _mm512_set1_epi64(0x123456789abcdef0);
	long out[8], bad = 0;
	int i;

	while (!stop)
		__asm__ volatile("vmovdqa64 %0, %%zmm20\n\t"
				 "vmovdqa64 %%zmm20, %0"
				 : "+v"(x) : : "xmm20");
	_mm512_storeu_si512(out, x);
	for (i = 0; i < 8; i++)
		bad += out[i] != 0x123456789abcdef0;
	return bad;
}

static struct waiter w[3];
static int count = 1; /* the last is not interrupted */

static void frame_setup(void)
{
	int i, is_wide = !getenv("NARROW") && __builtin_cpu_supports("avx512f");

	signal(SIGALRM, handler);
	waiter_start(&w[0], around);
	while (is_wide && count < 3)
		waiter_start(&w[count++], around_wide);
	sleep_ms(20);
	for (i = 0; i < count && i < 2; i++)
		pthread_kill(w[i].thread, SIGALRM);
	while (in_handlers < i)
		sleep_ms(1);
}

static void frame_verify(void)
{
	int i;

	for (i = 0; i < count; i++)
		CHECK(WAITS(w[i]));
	stop = 1;
	for (i = 0; i < count; i++)
		CHECK(waiter_end(&w[i]) == 0);
}

static const struct save_case cases[] = { CASE(frame) };
SAVE_MAIN(cases)
