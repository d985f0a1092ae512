/*
 * frame.c - saved: vector registers that are in a signal handler's frame on
 * the program's stack, and in nobody's hands else.  With WIDE=1 those of
 * AVX-512 are in use, too, without asking what the C library may use.
 */
#include "save.h"

#include <immintrin.h>

static volatile int stop, in_handler;

static void handler(int sig)
{
	in_handler = 1;
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

static struct waiter w;

static void frame_setup(void)
{
	int is_wide = getenv("WIDE") && __builtin_cpu_supports("avx512f");

	signal(SIGALRM, handler);
	waiter_start(&w, is_wide ? around_wide : around);
	sleep_ms(20);
	pthread_kill(w.thread, SIGALRM);
	while (!in_handler)
		sleep_ms(1);
}

static void frame_verify(void)
{
	CHECK(WAITS(w));
	stop = 1;
	CHECK(waiter_end(&w) == 0);
}

static const struct save_case cases[] = { CASE(frame) };
SAVE_MAIN(cases)
