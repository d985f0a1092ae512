/*
 * bpf.c - classic BPF over struct seccomp_data: check and interpreter.
 *
 * A checked program ends: jumps go forward only and stay inside, and its last
 * instruction returns.  It reads the data at aligned offsets inside it, and
 * only those of the sixteen words of memory that it has written on every way
 * there.
 */
#include "bpf.h"

#include <linux/bpf_common.h>

#define MEMORY_WORDS 16u
#define A_TO_RET 0x10u /* BPF_A of BPF_RET */
#define TAX 0x00u
#define TXA 0x80u

/* ---- check ----------------------------------------------------------------- */
static bool alu_ok(u16 code, u32 k)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: case BPF_SUB: case BPF_MUL: case BPF_OR: case BPF_AND:
	case BPF_XOR:
		return true;
	case BPF_DIV:
		return BPF_SRC(code) == BPF_X || k;
	case BPF_LSH: case BPF_RSH:
		return BPF_SRC(code) == BPF_X || k < 32;
	case BPF_NEG:
		return BPF_SRC(code) == BPF_K;
	}
	return false;
}

/* left: instructions after this one. */
static bool jump_ok(const struct bpf_insn *i, u32 left)
{
	switch (i->code) {
	case BPF_JMP | BPF_JA:
		return i->k < left;
	case BPF_JMP | BPF_JEQ | BPF_K: case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K: case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K: case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K: case BPF_JMP | BPF_JSET | BPF_X:
		return i->jt < left && i->jf < left;
	}
	return false;
}

static bool insn_ok(const struct bpf_insn *i, u32 left)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < sizeof(struct bpf_data) && !(i->k & 3);
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM: case BPF_LDX | BPF_IMM:
	case BPF_MISC | TAX: case BPF_MISC | TXA:
	case BPF_RET | BPF_K: case BPF_RET | A_TO_RET:
		return true;
	case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM:
	case BPF_ST: case BPF_STX:
		return i->k < MEMORY_WORDS;
	}
	if (BPF_CLASS(i->code) == BPF_JMP)
		return jump_ok(i, left);
	return BPF_CLASS(i->code) == BPF_ALU && !(i->code & ~0xffu)
		&& alu_ok(i->code, i->k);
}

/* known: for each instruction, which words are written on all ways to it. */
static bool memory_ok(const struct bpf_insn *insn, u32 count, u16 *known)
{
	u16 now = 0;

	for (u32 i = 0; i < count; i++)
		known[i] = 0xffff;
	for (u32 i = 0; i < count; i++) {
		const struct bpf_insn *b = &insn[i];

		now &= known[i];
		if (b->code == BPF_ST || b->code == BPF_STX) {
			now |= (u16)(1u << b->k);
		} else if (b->code == (BPF_LD | BPF_MEM)
			   || b->code == (BPF_LDX | BPF_MEM)) {
			if (!(now >> b->k & 1))
				return false;
		} else if (b->code == (BPF_JMP | BPF_JA)) {
			known[i + 1 + b->k] &= now;
			now = 0xffff;
		} else if (BPF_CLASS(b->code) == BPF_JMP) {
			known[i + 1 + b->jt] &= now;
			known[i + 1 + b->jf] &= now;
			now = 0xffff;
		}
	}
	return true;
}

bool bpf_check(const struct bpf_insn *insn, u32 count, u16 *room)
{
	if (!count || count > BPF_INSNS_MAX)
		return false;
	for (u32 i = 0; i < count; i++)
		if (!insn_ok(&insn[i], count - i - 1))
			return false;
	if (BPF_CLASS(insn[count - 1].code) != BPF_RET)
		return false;
	return memory_ok(insn, count, room);
}

/* ---- interpreter ------------------------------------------------------------ */
/* False: a division by zero, which ends the program with 0. */
static bool alu(u16 code, u32 *a, u32 v)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: *a += v; break;
	case BPF_SUB: *a -= v; break;
	case BPF_MUL: *a *= v; break;
	case BPF_OR: *a |= v; break;
	case BPF_AND: *a &= v; break;
	case BPF_XOR: *a ^= v; break;
	case BPF_LSH: *a <<= v & 31; break;
	case BPF_RSH: *a >>= v & 31; break;
	case BPF_NEG: *a = 0 - *a; break;
	case BPF_DIV:
		if (!v)
			return false;
		*a /= v;
		break;
	}
	return true;
}

static bool compare(u16 code, u32 a, u32 v)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == v;
	case BPF_JGT: return a > v;
	case BPF_JGE: return a >= v;
	}
	return (a & v) != 0; /* BPF_JSET */
}

static u32 data_word(const struct bpf_data *data, u32 offset)
{
	u32 v;

	memcpy(&v, (const u8 *)data + offset, sizeof(v));
	return v;
}

u32 bpf_run(const struct bpf_insn *i, const struct bpf_data *data)
{
	u32 a = 0, x = 0, memory[MEMORY_WORDS], v;

	for (;; i++) {
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = data_word(data, i->k);
			continue;
		case BPF_LD | BPF_W | BPF_LEN: a = sizeof(*data); continue;
		case BPF_LDX | BPF_W | BPF_LEN: x = sizeof(*data); continue;
		case BPF_LD | BPF_IMM: a = i->k; continue;
		case BPF_LDX | BPF_IMM: x = i->k; continue;
		case BPF_LD | BPF_MEM: a = memory[i->k]; continue;
		case BPF_LDX | BPF_MEM: x = memory[i->k]; continue;
		case BPF_ST: memory[i->k] = a; continue;
		case BPF_STX: memory[i->k] = x; continue;
		case BPF_MISC | TAX: x = a; continue;
		case BPF_MISC | TXA: a = x; continue;
		case BPF_RET | BPF_K: return i->k;
		case BPF_RET | A_TO_RET: return a;
		case BPF_JMP | BPF_JA: i += i->k; continue;
		}
		v = BPF_SRC(i->code) == BPF_X ? x : i->k;
		if (BPF_CLASS(i->code) == BPF_JMP)
			i += compare(i->code, a, v) ? i->jt : i->jf;
		else if (!alu(i->code, &a, v))
			return 0;
	}
}
