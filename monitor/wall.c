/*
 * wall.c - the seccomp program of a picoprocess, made from wall.tbl.
 *
 * In order: an instruction pointer outside the host layer's text traps
 * (SIGSYS: the library OS emulates the call; this is a router, not
 * protection), whatever the system-call ABI; a foreign ABI kills; then the
 * number by binary search, then the arguments.  Whatever comes from the host layer's text and is not in the
 * table, or has other arguments, kills the picoprocess, and so the sandbox.
 */
#include "mon.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define WALL_ARCH AUDIT_ARCH_X86_64
#else
#error "the wall has no table for this processor yet"
#endif

enum { CHECK_NONE, CHECK_MASK, CHECK_IN };
struct check {
	uint8_t kind, arg, is_wide, count;
	uint32_t value[8];
};
struct rule {
	int number;
	struct check check[2];
};

#define COUNT_(a, b, c, d, e, f, g, h, n, ...) n
#define COUNT(...) COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define WIDE_MASK(i, m) { CHECK_MASK, i, 1, 1, { m } }
#define MASK(i, m) { CHECK_MASK, i, 0, 1, { m } }
#define WIDE_IN(i, ...) { CHECK_IN, i, 1, COUNT(__VA_ARGS__), { __VA_ARGS__ } }
#define IN(i, ...) { CHECK_IN, i, 0, COUNT(__VA_ARGS__), { __VA_ARGS__ } }
#define NULLPTR(i) { CHECK_IN, i, 1, 1, { 0 } }

#define WALL(name, filter, reason, ...) { SYS_##name, { __VA_ARGS__ } },
static const struct rule rules[] = {
#include "wall.tbl"
};
#undef WALL
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))
_Static_assert(RULE_COUNT <= 20, "the wall is at most 20 calls");

#define WALL(name, filter, reason, ...) { #name, SYS_##name, filter, reason },
const struct wall_entry wall_table[] = {
#include "wall.tbl"
};
#undef WALL
const unsigned wall_table_count = RULE_COUNT;

/* ---- assembling -------------------------------------------------------- */
struct assembler {
	struct sock_filter *out;
	unsigned count, max;
};

static unsigned emit(struct assembler *a, uint16_t code, uint32_t k,
		     uint8_t jt, uint8_t jf)
{
	struct sock_filter f = { code, jt, jf, k };

	if (a->count < a->max)
		a->out[a->count] = f;
	return a->count++;
}

static void emit_load(struct assembler *a, uint32_t offset)
{
	emit(a, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void emit_return(struct assembler *a, uint32_t action)
{
	emit(a, BPF_RET | BPF_K, action, 0, 0);
}

/* Kill unless the accumulator is exactly k. */
static void emit_require(struct assembler *a, uint32_t k)
{
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
	emit_return(a, SECCOMP_RET_KILL_PROCESS);
}

static uint32_t arg_low(unsigned i)
{
	return (uint32_t)offsetof(struct seccomp_data, args) + 8 * i;
}

static void emit_check(struct assembler *a, const struct check *c)
{
	unsigned i;

	if (c->is_wide) {
		emit_load(a, arg_low(c->arg) + 4);
		emit_require(a, 0);
	}
	emit_load(a, arg_low(c->arg));
	if (c->kind == CHECK_MASK) {
		emit(a, BPF_JMP | BPF_JSET | BPF_K, ~c->value[0], 0, 1);
		emit_return(a, SECCOMP_RET_KILL_PROCESS);
		return;
	}
	for (i = 0; i < c->count; i++)
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, c->value[i],
		     (uint8_t)(c->count - i), 0);
	emit_return(a, SECCOMP_RET_KILL_PROCESS);
}

static void emit_rule(struct assembler *a, const struct rule *r)
{
	unsigned i;

	for (i = 0; i < 2 && r->check[i].kind != CHECK_NONE; i++)
		emit_check(a, &r->check[i]);
	emit_return(a, SECCOMP_RET_ALLOW);
}

/* Binary search over sorted[0..n): the accumulator holds the number. */
static void emit_search(struct assembler *a, const struct rule *const *sorted,
			unsigned n)
{
	unsigned jump, half = n / 2;

	if (n == 1) {
		emit_require(a, (uint32_t)sorted[0]->number);
		emit_rule(a, sorted[0]);
		return;
	}
	/* numbers below sorted[half] are next; the rest is a long jump away */
	emit(a, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)sorted[half]->number,
	     0, 1);
	jump = emit(a, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_search(a, sorted, half);
	if (jump < a->max)
		a->out[jump].k = a->count - jump - 1;
	emit_search(a, sorted + half, n - half);
}

/* Trap unless text_start < instruction pointer <= text_end: what seccomp
 * sees is the address after the instruction. */
static void emit_text_check(struct assembler *a, uint64_t text_start,
			    uint64_t text_end)
{
	uint32_t ip = (uint32_t)offsetof(struct seccomp_data,
					 instruction_pointer);

	emit_load(a, ip + 4);
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(text_start >> 32), 1, 0);
	emit_return(a, SECCOMP_RET_TRAP);
	emit_load(a, ip);
	emit(a, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)text_start, 0, 1);
	emit(a, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)text_end, 0, 1);
	emit_return(a, SECCOMP_RET_TRAP);
}

static int rule_compare(const void *x, const void *y)
{
	const struct rule *const *a = x, *const *b = y;

	return ((*a)->number > (*b)->number) - ((*a)->number < (*b)->number);
}

/* Returns the length of the program, 0 if it cannot be made. */
unsigned wall_build(struct sock_filter *out, unsigned max, uint64_t text_start,
		    uint64_t text_end)
{
	const struct rule *sorted[RULE_COUNT];
	struct assembler a = { out, 0, max };
	unsigned i;

	if (text_start >= text_end || text_start >> 32 != text_end >> 32)
		return 0;
	for (i = 0; i < RULE_COUNT; i++)
		sorted[i] = &rules[i];
	qsort(sorted, RULE_COUNT, sizeof(sorted[0]), rule_compare);
	emit_text_check(&a, text_start, text_end);
	emit_load(&a, (uint32_t)offsetof(struct seccomp_data, arch));
	emit_require(&a, WALL_ARCH);
	emit_load(&a, (uint32_t)offsetof(struct seccomp_data, nr));
	/* A wait that the host stopped (SIGSTOP, freezer, ptrace) goes on as
	 * this call: it ends as an interrupted one instead. */
	emit(&a, BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 0, 1);
	emit_return(&a, SECCOMP_RET_ERRNO | EINTR);
	emit_search(&a, sorted, RULE_COUNT);
	return a.count <= max ? a.count : 0;
}
