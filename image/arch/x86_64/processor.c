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
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char processor_name[] = "x86_64";

/* What the levels of the ABI's document have, and what every processor that
 * can run bailey (it needs FSGSBASE) or one of that level has beside it. */
enum { LEVEL_MIN = 2, LEVEL_MAX = 4, BEYOND };
/* Not erms, fsrm and 3dnowprefetch: what they tell of is only faster. */
static const struct {
	unsigned char word, bit;
	unsigned char level; /* of x86-64-vN that has it, BEYOND: none */
	const char *name;
} features[] = {
	{ 0, 0, 2, "sse3" }, { 0, 1, 2, "pclmulqdq" }, { 0, 9, 2, "ssse3" },
	{ 0, 12, 3, "fma" }, { 0, 13, 2, "cx16" }, { 0, 19, 2, "sse4_1" },
	{ 0, 20, 2, "sse4_2" }, { 0, 22, 3, "movbe" }, { 0, 23, 2, "popcnt" },
	{ 0, 25, 2, "aes" }, { 0, 26, 2, "xsave" }, { 0, 28, 3, "avx" },
	{ 0, 29, 3, "f16c" }, { 0, 30, 2, "rdrand" },
	{ 1, 0, 2, "fsgsbase" }, { 1, 3, 3, "bmi1" }, { 1, 5, 3, "avx2" },
	{ 1, 8, 3, "bmi2" }, { 1, 11, 5, "rtm" },
	{ 1, 16, 4, "avx512f" }, { 1, 17, 4, "avx512dq" },
	{ 1, 18, 4, "rdseed" }, { 1, 19, 4, "adx" },
	{ 1, 21, 5, "avx512ifma" }, { 1, 23, 4, "clflushopt" },
	{ 1, 24, 4, "clwb" }, { 1, 28, 4, "avx512cd" }, { 1, 29, 5, "sha_ni" },
	{ 1, 30, 4, "avx512bw" }, { 1, 31, 4, "avx512vl" },
	{ 2, 1, 5, "avx512_vbmi" }, { 2, 4, 5, "ospke" },
	{ 2, 5, 5, "waitpkg" }, { 2, 6, 5, "avx512_vbmi2" },
	{ 2, 8, 5, "gfni" }, { 2, 9, 5, "vaes" }, { 2, 10, 5, "vpclmulqdq" },
	{ 2, 11, 5, "avx512_vnni" }, { 2, 12, 5, "avx512_bitalg" },
	{ 2, 14, 5, "avx512_vpopcntdq" }, { 2, 22, 5, "rdpid" },
	{ 2, 25, 5, "cldemote" }, { 2, 27, 5, "movdiri" },
	{ 2, 28, 5, "movdir64b" },
	{ 3, 2, 5, "avx512_4vnniw" }, { 3, 3, 5, "avx512_4fmaps" },
	{ 3, 8, 5, "avx512_vp2intersect" },
	{ 3, 14, 5, "serialize" }, { 3, 22, 5, "amx_bf16" },
	{ 3, 23, 5, "avx512_fp16" }, { 3, 24, 5, "amx_tile" },
	{ 3, 25, 5, "amx_int8" },
	{ 4, 4, 5, "avx_vnni" }, { 4, 5, 5, "avx512_bf16" },
	{ 4, 23, 5, "avx_ifma" },
	{ 5, 0, 4, "xsaveopt" }, { 5, 1, 4, "xsavec" }, { 5, 2, 4, "xgetbv1" },
	{ 6, 0, 2, "lahf_lm" }, { 6, 5, 3, "abm" }, { 6, 6, 5, "sse4a" },
	{ 6, 11, 5, "xop" },
	{ 6, 16, 5, "fma4" }, { 6, 21, 5, "tbm" },
	{ 7, 0, 2, "x87-state" }, { 7, 1, 2, "sse-state" },
	{ 7, 2, 3, "avx-state" }, { 7, 3, 5, "bndregs-state" },
	{ 7, 4, 5, "bndcsr-state" }, { 7, 5, 4, "opmask-state" },
	{ 7, 6, 4, "zmm-hi256-state" }, { 7, 7, 4, "hi16-zmm-state" },
	{ 7, 9, 5, "pkru-state" }, { 7, 17, 5, "amx-tilecfg-state" },
	{ 7, 18, 5, "amx-tiledata-state" },
};

#define COUNT (sizeof(features) / sizeof(features[0]))
enum { XCR0 = 7 }; /* its word */

static uint32_t xcr0(void)
{
	uint32_t a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

/* In a virtual machine each answer takes microseconds: so none is asked for
 * twice, as <cpuid.h>'s functions do. */
void processor_features(uint64_t out[4])
{
	uint32_t w[8] = { 0 }, a, b, c, d, most;

	__cpuid(0, most, b, c, d);
	__cpuid(1, a, b, w[0], d);
	if (most >= 7) {
		__cpuid_count(7, 0, a, w[1], w[2], w[3]);
		if (a >= 1)
			__cpuid_count(7, 1, w[4], b, c, d);
	}
	if (most >= 0xd)
		__cpuid_count(0xd, 1, w[5], b, c, d);
	__cpuid(0x80000001, a, b, w[6], d); /* every 64-bit one has it */
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
	for (i = 0; i < COUNT; i++) {
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

/* ---- no more than a level ------------------------------------------------ */
int processor_level(const char *name)
{
	static const char prefix[] = "x86-64-v";
	size_t n = sizeof(prefix) - 1;

	if (strncmp(name, prefix, n) || name[n] < '0' + LEVEL_MIN ||
	    name[n] > '0' + LEVEL_MAX || name[n + 1])
		return 0;
	return name[n] - '0';
}

static bool is_hidden(size_t i, int level)
{
	return level && features[i].level > level;
}

void processor_limit(uint64_t of[4], int level)
{
	uint32_t w[8];

	memcpy(w, of, sizeof(w));
	for (size_t i = 0; i < COUNT; i++)
		if (is_hidden(i, level))
			w[features[i].word] &= ~(1u << features[i].bit);
	memcpy(of, w, sizeof(w));
}

/* The C library's names are ours in capitals, but for one; it ignores those
 * that it does not know. */
static char *for_glibc(int level)
{
	const char *comma = "";
	char *out = NULL, *c;
	size_t size, i;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	fprintf(f, "glibc.cpu.hwcaps=");
	for (i = 0; i < COUNT; i++) {
		if (!is_hidden(i, level) || features[i].word == XCR0)
			continue;
		fprintf(f, "%s-%s", comma, strcmp(features[i].name, "abm") ?
			features[i].name : "lzcnt");
		comma = ",";
	}
	fclose(f);
	for (c = strchr(out, '=') + 1; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return out;
}

/* Two words of 64 bits: leaf 1 edx and ecx, leaf 7 ebx and ecx. */
static char *for_openssl(int level)
{
	uint64_t off[2] = { 0 };
	char *out;

	for (size_t i = 0; i < COUNT; i++)
		if (is_hidden(i, level) && features[i].word <= 2)
			off[features[i].word > 0] |= 1ull << (features[i].bit +
				(features[i].word == 1 ? 0 : 32));
	return asprintf(&out, "~0x%llx:~0x%llx", (unsigned long long)off[0],
			(unsigned long long)off[1]) < 0 ? NULL : out;
}

const char *processor_environment(int level, unsigned i, char **value)
{
	static const char *const names[] = { "GLIBC_TUNABLES",
		"OPENSSL_ia32cap", "GODEBUG" };

	if (i >= sizeof(names) / sizeof(names[0]))
		return NULL;
	*value = i == 0 ? for_glibc(level) : i == 1 ? for_openssl(level) :
		strdup("cpu.all=off"); /* what it knows differs by version */
	return names[i];
}
