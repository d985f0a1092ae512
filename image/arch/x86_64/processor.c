/*
 * processor.c - features of x86-64 processors, see image/processor.h.
 *
 * Eight words of 32 bits, low half first:
 *   0 leaf 1 ecx          1 leaf 7 ebx      2 leaf 7 ecx      3 leaf 7 edx
 *   4 leaf 7.1 eax        5 leaf 0xd.1 eax  6 leaf 0x80000001 ecx
 *   7 XCR0, low half: the register sets that the host's kernel keeps
 */
#include "image/processor.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>

const char processor_name[] = "x86_64";

static const struct {
	unsigned char word, bit;
	const char *name;
} features[] = {
	{ 0, 0, "sse3" }, { 0, 1, "pclmulqdq" }, { 0, 9, "ssse3" },
	{ 0, 12, "fma" }, { 0, 13, "cx16" }, { 0, 19, "sse4_1" },
	{ 0, 20, "sse4_2" }, { 0, 22, "movbe" }, { 0, 23, "popcnt" },
	{ 0, 25, "aes" }, { 0, 26, "xsave" }, { 0, 28, "avx" },
	{ 0, 29, "f16c" }, { 0, 30, "rdrand" },
	{ 1, 0, "fsgsbase" }, { 1, 3, "bmi1" }, { 1, 5, "avx2" },
	{ 1, 8, "bmi2" }, { 1, 9, "erms" }, { 1, 11, "rtm" },
	{ 1, 16, "avx512f" }, { 1, 17, "avx512dq" }, { 1, 18, "rdseed" },
	{ 1, 19, "adx" }, { 1, 21, "avx512ifma" }, { 1, 23, "clflushopt" },
	{ 1, 24, "clwb" }, { 1, 28, "avx512cd" }, { 1, 29, "sha_ni" },
	{ 1, 30, "avx512bw" }, { 1, 31, "avx512vl" },
	{ 2, 1, "avx512_vbmi" }, { 2, 4, "ospke" }, { 2, 5, "waitpkg" },
	{ 2, 6, "avx512_vbmi2" }, { 2, 8, "gfni" }, { 2, 9, "vaes" },
	{ 2, 10, "vpclmulqdq" }, { 2, 11, "avx512_vnni" },
	{ 2, 12, "avx512_bitalg" }, { 2, 14, "avx512_vpopcntdq" },
	{ 2, 22, "rdpid" }, { 2, 25, "cldemote" }, { 2, 27, "movdiri" },
	{ 2, 28, "movdir64b" },
	{ 3, 2, "avx512_4vnniw" }, { 3, 3, "avx512_4fmaps" },
	{ 3, 4, "fsrm" }, { 3, 8, "avx512_vp2intersect" },
	{ 3, 14, "serialize" }, { 3, 22, "amx_bf16" },
	{ 3, 23, "avx512_fp16" }, { 3, 24, "amx_tile" },
	{ 3, 25, "amx_int8" },
	{ 4, 4, "avx_vnni" }, { 4, 5, "avx512_bf16" }, { 4, 23, "avx_ifma" },
	{ 5, 0, "xsaveopt" }, { 5, 1, "xsavec" }, { 5, 2, "xgetbv1" },
	{ 6, 0, "lahf_lm" }, { 6, 5, "abm" }, { 6, 6, "sse4a" },
	{ 6, 8, "3dnowprefetch" }, { 6, 11, "xop" }, { 6, 16, "fma4" },
	{ 6, 21, "tbm" },
	{ 7, 0, "x87-state" }, { 7, 1, "sse-state" }, { 7, 2, "avx-state" },
	{ 7, 3, "bndregs-state" }, { 7, 4, "bndcsr-state" },
	{ 7, 5, "opmask-state" }, { 7, 6, "zmm-hi256-state" },
	{ 7, 7, "hi16-zmm-state" }, { 7, 9, "pkru-state" },
	{ 7, 17, "amx-tilecfg-state" }, { 7, 18, "amx-tiledata-state" },
};

static uint32_t xcr0(void)
{
	uint32_t a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

void processor_features(uint64_t out[4])
{
	uint32_t w[8] = { 0 }, a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d))
		w[0] = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		w[1] = b;
		w[2] = c;
		w[3] = d;
		if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
			w[4] = a;
	}
	if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
		w[5] = a;
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		w[6] = c;
	if (w[0] & bit_OSXSAVE)
		w[7] = xcr0();
	memcpy(out, w, sizeof(w));
}

int processor_missing(const uint64_t needs[4], const uint64_t has[4],
		      char *names, size_t size)
{
	uint32_t n[8], h[8];
	size_t i, used = 0;
	int count = 0;

	memcpy(n, needs, sizeof(n));
	memcpy(h, has, sizeof(h));
	if (size)
		names[0] = 0;
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		uint32_t bit = 1u << features[i].bit;

		if (!(n[features[i].word] & bit) ||
		    (h[features[i].word] & bit))
			continue;
		count++;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used,
						 "%s%s", used ? " " : "",
						 features[i].name);
	}
	return count;
}
