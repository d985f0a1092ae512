/*
 * cpu.c - saved: what is in the processor's registers.  Twenty threads
 * compute without a call, with general, SSE, AVX, x87 and mask registers; the
 * sums tell whether one bit was lost.
 */
#include "save.h"

#include <asm/prctl.h>
#include <immintrin.h>
#include <math.h>
#include <sys/syscall.h>

static volatile int stop;

/* General registers: a generator whose state fills them. */
static uint64_t generate(void)
{
	uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, n;

	for (n = 0; n < 1 << 20; n++) {
		a += b ^ n; b += c << 1; c ^= d + 3; d += e;
		e ^= f << 3; f += g; g ^= h >> 1; h += a;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}
static long general(void)
{
	uint64_t want = generate();
	long bad = 0;

	while (!stop)
		bad += generate() != want;
	return bad;
}

/* SSE registers that hold what was put in, all the while. */
static long sse(void)
{
	__m128i one = _mm_set1_epi64x(0x0101010101010101), x[12], sum;
	int i;

	for (i = 0; i < 12; i++)
		x[i] = _mm_set1_epi64x(i * 0x1111);
	while (!stop) {
		for (i = 0; i < 12; i++)
			x[i] = _mm_add_epi64(x[i], one);
		for (i = 0; i < 12; i++)
			x[i] = _mm_sub_epi64(x[i], one);
		__asm__ volatile("" : "+x"(x[0]), "+x"(x[1]), "+x"(x[2]),
				 "+x"(x[3]), "+x"(x[4]), "+x"(x[5]),
				 "+x"(x[6]), "+x"(x[7]), "+x"(x[8]),
				 "+x"(x[9]), "+x"(x[10]), "+x"(x[11]));
	}
	sum = _mm_setzero_si128();
	for (i = 0; i < 12; i++)
		sum = _mm_add_epi64(sum, x[i]);
	return _mm_cvtsi128_si64(sum) != 66 * 0x1111 ||
	       _mm_cvtsi128_si64(_mm_srli_si128(sum, 8)) != 66 * 0x1111;
}

__attribute__((target("avx2"))) static long avx_run(void)
{
	__m256i x[12], one = _mm256_set1_epi64x(0x77), sum;
	long out[4];
	int i;

	for (i = 0; i < 12; i++)
		x[i] = _mm256_set_epi64x(i, i * 3, i * 5, i * 7);
	while (!stop) {
		for (i = 0; i < 12; i++)
			x[i] = _mm256_add_epi64(x[i], one);
		for (i = 0; i < 12; i++)
			x[i] = _mm256_sub_epi64(x[i], one);
		__asm__ volatile("" : "+x"(x[0]), "+x"(x[1]), "+x"(x[2]),
				 "+x"(x[3]), "+x"(x[4]), "+x"(x[5]),
				 "+x"(x[6]), "+x"(x[7]), "+x"(x[8]),
				 "+x"(x[9]), "+x"(x[10]), "+x"(x[11]));
	}
	sum = _mm256_setzero_si256();
	for (i = 0; i < 12; i++)
		sum = _mm256_add_epi64(sum, x[i]);
	_mm256_storeu_si256((void *)out, sum);
	return out[0] != 66 * 7 || out[1] != 66 * 5 || out[2] != 66 * 3 ||
	       out[3] != 66;
}
static long avx(void)
{
	return __builtin_cpu_supports("avx2") ? avx_run() : sse();
}

__attribute__((target("avx512f"))) static long avx512_run(void)
{
	__m512i x = _mm512_set1_epi32(0x12345678), y = x, z = x;
	__mmask16 k = 0x5a5a, k2 = 0xa5a5;
	long out[8];
	int i;

	while (!stop)
		__asm__ volatile("vpaddd %0, %0, %0%{%3%}\n\t"
				 "vpsrld $1, %0, %0%{%3%}\n\t"
				 : "+v"(x), "+v"(y), "+v"(z)
				 : "Yk"(k), "Yk"(k2));
	__asm__ volatile("" : "+Yk"(k), "+Yk"(k2));
	_mm512_storeu_si512(out, y);
	for (i = 0; i < 8; i++)
		if (out[i] != 0x1234567812345678)
			return 1;
	_mm512_storeu_si512(out, x);
	return k != 0x5a5a || k2 != 0xa5a5 || out[0] != 0x1234567812345678;
}
static long avx512(void)
{
	return __builtin_cpu_supports("avx512f") ? avx512_run() : avx();
}

/* x87: values on its stack, its control word, and the SSE control word. */
static long x87(void)
{
	unsigned short cw = 0x0c7f, got; /* towards zero, double */
	unsigned mx = 0x1f80 | 0x6000, mx_got; /* towards zero */
	long double a = 1.0L, b = 3.0L;
	long bad = 0;

	__asm__ volatile("fldcw %0\n\tldmxcsr %1" :: "m"(cw), "m"(mx));
	while (!stop) {
		__asm__ volatile("fldt %0\n\tfldt %1\n\tfld1\n\tfldpi\n\t"
				 "mov $2000, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\t"
				 "fstp %%st(0)\n\tfstp %%st(0)\n\t"
				 "fstpt %1\n\tfstpt %0"
				 : "+m"(a), "+m"(b) :: "ecx", "cc");
		__asm__ volatile("fnstcw %0\n\tstmxcsr %1"
				 : "=m"(got), "=m"(mx_got));
		bad += got != cw || (mx_got & 0x6000) != 0x6000;
		bad += a != 1.0L || b != 3.0L;
	}
	return bad;
}

/* The thread's own area, and flags. */
static __thread long own;
static long bases(void)
{
	unsigned long fs, fs_now, flags, bad = 0;

	own = 4711;
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs);
	while (!stop) {
		__asm__ volatile("mov %%fs:0, %0" : "=r"(fs_now));
		bad += fs_now != fs || own != 4711;
		__asm__ volatile("stc\n\tmov $500, %%rcx\n"
				 "1:\tlea -1(%%rcx), %%rcx\n\tjrcxz 2f\n\t"
				 "jmp 1b\n2:\tpushfq\n\tpop %0"
				 : "=r"(flags) :: "rcx", "cc", "memory");
		bad += !(flags & 1);
	}
	return bad;
}

static double sines(void)
{
	double sum = 0;
	int i;

	for (i = 1; i < 20000; i++)
		sum += sin(i) * sqrt(i) / log(i + 1);
	return sum;
}
static long numbers(void)
{
	double want = sines();
	long bad = 0;

	while (!stop)
		bad += sines() != want;
	return bad;
}

static long (*const kinds[])(void) = { sse, avx, avx512, x87, bases, numbers,
				       general };
static struct waiter w[20];

static void registers_setup(void)
{
	int i;

	for (i = 0; i < 20; i++)
		waiter_start(&w[i], kinds[i % 7]);
}
static void registers_verify(void)
{
	int i;

	sleep_ms(100);
	for (i = 0; i < 20; i++)
		CHECK(WAITS(w[i]));
	stop = 1;
	for (i = 0; i < 20; i++)
		CHECK(waiter_end(&w[i]) == 0);
}

static const struct save_case cases[] = { CASE(registers) };
SAVE_MAIN(cases)
