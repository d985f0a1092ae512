/*
 * rewrite.c - fuzzes the rewriter of system calls against a reference
 * decoder (Zydis).
 *
 *   fuzz-rewrite ROUNDS [PROGRAM...]
 *
 * Three parts: what the rewriter takes for a simple instruction has the
 * reference's length and means the same anywhere; random and mutated code
 * around a system call, with branches planted into the window; and the real
 * text of programs, every site of it.  After each trap: nothing outside the
 * window has changed, the moved instructions are those that were there, and
 * no branch that the reference finds aims into the window.
 */
#include <Zydis/Zydis.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rewrite.h"

#define DIE(...) \
	(printf("FAIL " __VA_ARGS__), printf("\n"), fflush(stdout), abort())
#define PAGE 4096u
#define TRAMPOLINE 64u
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static ZydisDecoder decoder;
static unsigned long long state = 88172645463325252ull;

static unsigned rnd(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % below;
}

/* ---- the reference ------------------------------------------------------------ */
struct insn {
	size_t length;
	int is_branch; /* with a target that the bytes say */
	int moves;     /* means the same anywhere, as far as we can tell */
	uint64_t target;
};

/* Length 0: no instruction. */
static struct insn decode(const uint8_t *b, size_t n, uint64_t at)
{
	ZydisDecodedInstruction i;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	struct insn out = { 0, 0, 1, 0 };

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, b, n, &i, op)))
		return out;
	out.length = i.length;
	for (unsigned k = 0; k < i.operand_count_visible; k++) {
		if (op[k].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    op[k].imm.is_relative) {
			out.is_branch = 1;
			out.moves = 0;
			ZydisCalcAbsoluteAddress(&i, &op[k], at, &out.target);
		}
		if (op[k].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (op[k].mem.base == ZYDIS_REGISTER_RIP ||
		     op[k].mem.base == ZYDIS_REGISTER_EIP))
			out.moves = 0;
	}
	if (i.meta.category == ZYDIS_CATEGORY_CALL ||
	    i.meta.category == ZYDIS_CATEGORY_SYSCALL ||
	    i.meta.category == ZYDIS_CATEGORY_INTERRUPT)
		out.moves = 0;
	return out;
}

/* ---- the rewriter's decoder --------------------------------------------------------- */
static int check_simple(const uint8_t *b)
{
	int ends;
	size_t n = rw_simple(b, &ends);
	struct insn i;

	if (!n)
		return 0;
	i = decode(b, 15, 0);
	/* What is no instruction faults wherever it is. */
	if (i.length && (i.length != n || !i.moves))
		DIE("simple: %02x %02x %02x %02x: %zu, reference %zu", b[0],
		    b[1], b[2], b[3], n, i.length);
	if (ends != (b[0] == 0xc3))
		DIE("simple: %02x ends", b[0]);
	return 1;
}

/* Every prefix, opcode and operand byte, with random bytes behind. */
static void all_simple(void)
{
	uint8_t b[32];
	unsigned found = 0;

	for (unsigned rex = 0x3f; rex < 0x50; rex++)
		for (unsigned op = 0; op < 0x10000; op++) {
			size_t at = rex > 0x3f;

			for (unsigned k = 0; k < sizeof(b); k++)
				b[k] = (uint8_t)rnd(256);
			b[0] = (uint8_t)rex;
			b[at] = (uint8_t)(op >> 8);
			b[at + 1] = (uint8_t)op;
			found += (unsigned)check_simple(b);
		}
	printf("%u simple instructions agree with the reference\n", found);
}

/* ---- one file of text ------------------------------------------------------------------ */
static uint8_t *text, *before, *zone;
static size_t text_size;

static void text_new(size_t size)
{
	size_t whole = (size + PAGE - 1) / PAGE * PAGE;

	text_size = whole;
	text = mmap(NULL, whole + RW_ZONE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	before = malloc(whole);
	if (text == MAP_FAILED || !before)
		DIE("no memory");
	zone = text + whole;
}

static void text_free(void)
{
	munmap(text, text_size + RW_ZONE_SIZE);
	free(before);
}

static int32_t rel_at(const uint8_t *p)
{
	int32_t rel;

	memcpy(&rel, p, 4);
	return rel;
}

struct result { uint8_t *start; size_t size; int shape; }; /* 0: refused */

/* The trampoline of a jump in the text, which must be whole. */
static const uint8_t *trampoline_of(const uint8_t *jump)
{
	const uint8_t *to = jump + 5 + rel_at(jump + 1), *t;
	size_t used;

	t = rw_trampolines(&used);
	if (!t || to < zone + TRAMPOLINE || to + TRAMPOLINE > zone + used ||
	    (size_t)(to - zone) % TRAMPOLINE)
		DIE("a jump that leads to no trampoline");
	return t + (to - zone);
}

/* mov $nr,%eax; lea back(%rip),%rcx; jmp *entry(%rip) */
static void check_shape1(const struct result *r)
{
	const uint8_t *t = trampoline_of(r->start);
	const uint8_t *at = zone + (t - rw_trampolines(&(size_t){ 0 }));

	if (t[0] != 0xb8 || memcmp(t + 1, before + (r->start - text) + 1, 4))
		DIE("shape 1: another number");
	if (memcmp(t + 5, "\x48\x8d\x0d", 3) ||
	    at + 12 + rel_at(t + 8) != r->start + 7)
		DIE("shape 1: comes back elsewhere");
	if (memcmp(t + 12, "\xff\x25", 2) || at + 18 + rel_at(t + 14) != zone)
		DIE("shape 1: enters elsewhere");
}

/* lea 1f(%rip),%rcx; jmp *entry(%rip); syscall; 1: moved; jmp back */
static void check_shape2(const struct result *r)
{
	const uint8_t *t = trampoline_of(r->start);
	const uint8_t *at = zone + (t - rw_trampolines(&(size_t){ 0 }));
	const uint8_t *old = before + (r->start - text) + 2;
	size_t moved = r->size - 2, n = 0;

	if (memcmp(t, "\x48\x8d\x0d", 3) || rel_at(t + 3) != 8 ||
	    memcmp(t + 7, "\xff\x25", 2) || at + 13 + rel_at(t + 9) != zone ||
	    memcmp(t + 13, "\x0f\x05", 2))
		DIE("shape 2: not a trampoline");
	if (memcmp(t + 15, old, moved))
		DIE("shape 2: other instructions");
	for (size_t k = 5; k < r->size; k++)
		if (r->start[k] != 0xcc)
			DIE("shape 2: something is left in the window");
	if (t[15 + moved] != 0xe9 ||
	    at + 20 + moved + rel_at(t + 16 + moved) != r->start + r->size)
		DIE("shape 2: goes on elsewhere");
	if (15 + moved + 5 > TRAMPOLINE)
		DIE("shape 2: too long");
	while (n < moved) {
		struct insn i = decode(old + n, MIN((size_t)15, (size_t)(before +
				text_size - old) - n), 0);

		if (!i.length)
			return; /* it faults here as there */
		if (!i.moves)
			DIE("shape 2: moves what depends on its place");
		n += i.length;
	}
	if (n != moved)
		DIE("shape 2: half an instruction moves");
}

/* A window of shape 2 ends where its trampoline goes back to. */
static size_t window_size(const uint8_t *start)
{
	const uint8_t *t = trampoline_of(start);
	const uint8_t *at = zone + (t - rw_trampolines(&(size_t){ 0 }));

	for (size_t size = 5; size < 32; size++)
		if (t[13 + size] == 0xe9 &&
		    at + 18 + size + rel_at(t + 14 + size) == start + size)
			return size;
	DIE("shape 2: no way back");
}

/* What has changed is a window at the site, or nothing. */
static struct result what_changed(uint8_t *site)
{
	uint8_t *old = before + (site - text);

	if (site >= text + 5 && old[-5] == 0xb8 && site[-5] == 0xe9)
		return (struct result){ site - 5, 5, 1 };
	if (site[0] == 0xe9)
		return (struct result){ site, window_size(site), 2 };
	return (struct result){ NULL, 0, 0 };
}

/* The text around a site; the rest is compared at the end of a file. */
struct range { size_t from, to; };

static struct range around(const uint8_t *site)
{
	size_t at = (size_t)(site - text), far = 2 * PAGE;

	return (struct range){ at > far ? at - far : 0,
			       at + far < text_size ? at + far : text_size };
}

static void check_outside(const struct result *r, struct range a)
{
	size_t lo = r->shape ? (size_t)(r->start - text) : a.to;
	size_t hi = lo + r->size;

	if (memcmp(text + a.from, before + a.from, lo - a.from) ||
	    memcmp(text + hi, before + hi, a.to - hi))
		DIE("bytes outside the window have changed");
}

static struct result trap(uint8_t *site, uint64_t nr)
{
	struct range a = around(site);
	uint8_t *next = rw_trap(site, nr);
	struct result r = what_changed(site);

	check_outside(&r, a);
	if (r.shape == 1)
		check_shape1(&r);
	if (r.shape == 2)
		check_shape2(&r);
	if (r.shape == 2 ? next != site + 5 + rel_at(site + 1) + 15
			 : next != site + 2)
		DIE("the trapped thread goes on elsewhere");
	memcpy(before + a.from, text + a.from, a.to - a.from);
	return r;
}

/* ---- random code ------------------------------------------------------------------------- */
static const char *const bits[] = { /* what stands behind real sites */
	"\x48\x3d\x01\xf0\xff\xff", "\x48\x3d\x00\xf0\xff\xff", "\xc3",
	"\x89\xc2", "\x48\x89\xc3", "\x85\xc0", "\x48\x85\xc0", "\x31\xc0",
	"\x5b", "\x41\x5c", "\x48\x83\xc4\x08", "\xf7\xd8", "\x48\x8b\x45\xe8",
	"\x48\x8b\x44\x24\x08", "\x89\x87\x00\x01\x02\x03", "\x73\x01",
	"\x0f\x87\x10\x20\x30\x40", "\xe8\x01\x02\x03\x04", "\x90",
	"\x48\x8b\x05\x01\x02\x03\x04", "\xf7\xc0\x01\x02\x03\x04", "\xcc",
	"\x66\x90", "\xeb\x02",
};

static void fill(uint8_t *p, size_t n)
{
	static size_t lengths[sizeof(bits) / sizeof(bits[0])];

	while (n) {
		unsigned k = rnd(sizeof(bits) / sizeof(bits[0]));
		size_t len;

		if (!lengths[k])
			lengths[k] = decode((const uint8_t *)bits[k], 15,
					    0).length;
		len = lengths[k];

		if (rnd(6) == 0 || len > n) {
			*p++ = (uint8_t)rnd(256);
			n--;
			continue;
		}
		memcpy(p, bits[k], len);
		p += len;
		n -= len;
	}
}

/* A branch of any form at p that aims at target; its length or 0. */
static size_t plant(uint8_t *p, const uint8_t *target)
{
	long d = target - p;
	int32_t rel;
	size_t n;

	switch (rnd(4)) {
	case 0:
		if (d - 2 < -128 || d - 2 > 127)
			return 0;
		p[0] = rnd(3) ? (uint8_t)(0x70 + rnd(16)) : 0xeb;
		p[1] = (uint8_t)(d - 2);
		return 2;
	case 1:
		if (d - 2 < -128 || d - 2 > 127)
			return 0;
		p[0] = (uint8_t)(0xe0 + rnd(4)); /* loop, jrcxz */
		p[1] = (uint8_t)(d - 2);
		return 2;
	case 2:
		p[0] = rnd(2) ? 0xe9 : 0xe8;
		n = 1;
		break;
	default:
		p[0] = 0x0f;
		p[1] = (uint8_t)(0x80 + rnd(16));
		n = 2;
	}
	rel = (int32_t)(d - (long)n - 4);
	memcpy(p + n, &rel, 4);
	return n + 4;
}

/* Starts of the instructions that would move, as the reference sees them. */
static uint8_t *moved_start(uint8_t *site)
{
	uint8_t *p = site + 2;
	unsigned skip = rnd(3);

	while (skip-- && p < site + 4) {
		struct insn i = decode(p, 15, 0);

		if (!i.length)
			break;
		p += i.length;
	}
	return p < site + 5 ? p : site + 2;
}

static unsigned tally[4]; /* refused, shape 1, shape 2, planted */

static void random_round(void)
{
	uint8_t *site, *at, *target = NULL; /* of a planted branch */
	uint64_t nr = rnd(400);
	struct result r;
	int32_t imm;
	size_t n;

	site = text + rnd((unsigned)text_size - 16);
	if (rnd(50) == 0)
		fill(text, text_size);
	else
		fill(site > text + 150 ? site - 150 : text, MIN(300u,
		     (size_t)(text + text_size - site)));
	site[0] = 0x0f;
	site[1] = 0x05;
	if (site >= text + 5 && rnd(3) == 0) {
		site[-5] = 0xb8;
		imm = (int32_t)(rnd(4) ? nr : rnd(400));
		memcpy(site - 4, &imm, 4);
	}
	if (rnd(4) == 0) {
		target = moved_start(site);
		at = rnd(2) ? site + 16 + rnd(100) : site - 16 - rnd(100);
		n = at > text && at + 8 < text + text_size
			? plant(at, target) : 0;
		target = n ? target : NULL;
	}
	memcpy(before, text, text_size);
	rw_begin(text, text_size, zone);
	r = trap(site, nr);
	if (r.shape == 2 && target)
		DIE("a branch into the window was not seen");
	tally[r.shape]++;
	tally[3] += target != NULL;
	/* Others, and the same again, over what has changed. */
	for (unsigned i = rnd(3); i; i--) {
		site = text + rnd((unsigned)text_size - 2);
		if (site[0] == 0x0f && site[1] == 0x05)
			trap(site, rnd(400));
	}
	rw_end();
}

static void random_code(unsigned rounds)
{
	text_new(3 * PAGE);
	fill(text, text_size);
	while (rounds--)
		random_round();
	text_free();
	printf("random code: %u refused, %u of shape 1, %u of shape 2, "
	       "%u branches planted\n", tally[0], tally[1], tally[2],
	       tally[3]);
}

/* ---- real programs ---------------------------------------------------------------------------- */
static uint8_t *load(const char *path, size_t *size, size_t *offset)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *whole;
	Elf64_Ehdr *eh;
	Elf64_Phdr *ph;

	if (fd < 0 || fstat(fd, &st) || st.st_size < 64)
		return NULL;
	whole = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	eh = (Elf64_Ehdr *)(void *)whole;
	if (memcmp(whole, ELFMAG, 4) || eh->e_machine != EM_X86_64)
		return NULL;
	ph = (Elf64_Phdr *)(void *)(whole + eh->e_phoff);
	for (unsigned i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X)) {
			*offset = ph[i].p_offset;
			*size = ph[i].p_filesz;
			return whole;
		}
	return NULL;
}

/* The text from one instruction to the next, as the reference reads it:
 * bit 0 an instruction starts here, bit 1 a branch aims here. */
static uint8_t *read_text(size_t size)
{
	uint8_t *marks = calloc(1, text_size);

	for (size_t at = 0; at < size;) {
		struct insn i = decode(text + at, size - at,
				       (uint64_t)(text + at));

		marks[at] |= 1;
		if (i.is_branch && i.target - (uint64_t)text < size)
			marks[i.target - (uint64_t)text] |= 2;
		at += i.length ? i.length : 1;
	}
	return marks;
}

static void check_aims(const struct result *r, const uint8_t *marks)
{
	size_t from = (size_t)(r->start - text);

	for (size_t k = 1; k < r->size; k++)
		if (r->shape == 2 && (marks[from + k] & 2))
			DIE("a branch of the program aims into the window");
}

static void program(const char *path)
{
	size_t size, offset, sites = 0, done[3] = { 0 };
	uint8_t *whole = load(path, &size, &offset), *marks;

	if (!whole)
		return;
	text_new(size);
	memcpy(text, whole + offset, size);
	memcpy(before, text, text_size);
	marks = read_text(size);
	rw_begin(text, text_size, zone);
	for (size_t at = 0; at + 2 < size; at++) {
		int32_t nr = 39;
		struct result r;

		if (!(marks[at] & 1) || text[at] != 0x0f ||
		    text[at + 1] != 0x05)
			continue;
		if (at >= 5 && text[at - 5] == 0xb8)
			nr = rel_at(text + at - 4);
		r = trap(text + at, (uint64_t)nr);
		check_aims(&r, marks);
		done[r.shape]++;
		sites++;
	}
	if (memcmp(text, before, text_size))
		DIE("bytes far from a window have changed");
	rw_end();
	free(marks);
	text_free();
	if (sites)
		printf("%s: %zu sites, %zu of shape 1, %zu of shape 2\n",
		       path, sites, done[1], done[2]);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	all_simple();
	random_code(rounds);
	for (int i = 2; i < argc; i++)
		program(argv[i]);
	return 0;
}
