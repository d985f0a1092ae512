/*
 * wall.c - unit test of the wall: the seccomp program that monitor/wall.c
 * makes, run by an interpreter over every system-call number and over allowed
 * and forbidden arguments.
 */
#include <sys/syscall.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monitor/wall.c"

#define TEXT_START 0x6a0000001000ull
#define TEXT_END 0x6a0000003000ull
#define HOST_IP (TEXT_START + 0x80)

static struct sock_filter program[WALL_MAX];
static unsigned length;
static int failures, checks;

/* What classic BPF does with our few instructions. */
static uint32_t run(const struct seccomp_data *d)
{
	uint32_t acc = 0;
	unsigned pc = 0;

	while (pc < length) {
		const struct sock_filter *f = &program[pc++];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			acc = *(const uint32_t *)(const void *)
				((const char *)d + f->k);
			break;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += acc == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += acc >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += acc > f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += acc & f->k ? f->jt : f->jf;
			break;
		default:
			printf("FAIL instruction %x\n", f->code);
			return 0;
		}
	}
	printf("FAIL program runs off its end\n");
	return 0;
}

static uint32_t call(int nr, uint64_t ip, const uint64_t *args)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64,
				  .instruction_pointer = ip };

	for (int i = 0; args && i < 6; i++)
		d.args[i] = args[i];
	return run(&d);
}

static void expect(uint32_t got, uint32_t want, const char *what, long nr)
{
	checks++;
	if (got == want)
		return;
	failures++;
	printf("FAIL %s %ld: %x, not %x\n", what, nr, got, want);
}

/* Arguments that each call of the table may have. */
static const struct sample {
	int nr;
	uint64_t good[6];
	int bad_arg;        /* -1: none; this argument ... */
	uint64_t bad[8];    /* ... must not be any of these (0 ends) */
} samples[] = {
	{ SYS_mmap, { 0, 4096, 7, 0x4032, -1ull, 0 }, 3,
	  { 0x100, 0x2000, 0x40000, 0x40, 0x100000032ull, 0x8022 } },
	{ SYS_mmap, { 0, 4096, 3, 0x11, 7, 0 }, 2,
	  { 8, 0x01000000, 0x02000000, 0x100000001ull } },
	{ SYS_munmap, { 0, 4096 }, -1, { 0 } },
	{ SYS_mprotect, { 0, 4096, 5 }, 2, { 8, 0x01000000, 1ull << 40 } },
	{ SYS_mremap, { 0, 1, 1, 3 }, 3, { 8, 1ull << 33 } },
	{ SYS_madvise, { 0, 1, 4 }, 2, { 1, 10, 12, 13, 16, 21, 100, 101 } },
	{ SYS_futex, { 0, 9, 0, 0, 0, -1ull }, 1,
	  { 2, 3, 6, 7, 8, 11, 0x81 } },
	{ SYS_clone, { BLY_CLONE_THREAD }, 0,
	  { 17, 0x10000000, 0x4000, BLY_CLONE_THREAD | 0x80,
	    BLY_CLONE_PROCESS | 0x20000000, BLY_CLONE_THREAD | 1ull << 32 } },
	{ SYS_clone, { BLY_CLONE_PROCESS }, -1, { 0 } },
	{ SYS_exit, { 0 }, -1, { 0 } },
	{ SYS_sigaltstack, { 0 }, -1, { 0 } },
	{ SYS_tgkill, { 2, 2, BLY_KICK_SIGNAL }, 2, { 9, 19, 31, 11 } },
	{ SYS_preadv2, { 3, 0, 1, 0, 0, 0 }, 5, { 1, 2, 4, 0x10 } },
	{ SYS_pwritev2, { 3, 0, 1, 0, 0, 0x10 }, 5, { 1, 2, 4, 0x20 } },
	{ SYS_epoll_ctl, { 3, 1, 4, 0 }, 1, { 4, 5, 99 } },
	{ SYS_epoll_pwait, { 3, 0, 1, -1ull, 0, 8 }, 4, { 1, 1ull << 32 } },
	{ SYS_ppoll, { 0, 0, 0, 0, 8 }, 3, { 1, 1ull << 32 } },
	{ SYS_accept4, { 3, 0, 0, 0x80800 }, 3, { 1, 0x800, 0x80000 } },
	{ SYS_sendmsg, { 0, 0, 0x4000 }, 0, { 1, 2, 3, 9 } },
	{ SYS_sendmsg, { 0, 0, 0x4040 }, 2, { 1, 0x4000000, 0x20000000 } },
	{ SYS_recvmsg, { 1, 0, 0x40 }, 0, { 2, 3, 9 } },
	{ SYS_recvmsg, { 0, 0, 0 }, 2, { 1, 2, 0x2000 } },
	{ SYS_close, { 3 }, -1, { 0 } },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void test_arguments(void)
{
	for (unsigned i = 0; i < SAMPLES; i++) {
		const struct sample *s = &samples[i];
		uint64_t args[6];

		expect(call(s->nr, HOST_IP, s->good), SECCOMP_RET_ALLOW,
		       "good", s->nr);
		expect(call(s->nr, 0x400000, s->good), SECCOMP_RET_TRAP,
		       "guest", s->nr);
		for (int k = 0; s->bad_arg >= 0 && k < 8 && s->bad[k]; k++) {
			memcpy(args, s->good, sizeof(args));
			args[s->bad_arg] = s->bad[k];
			expect(call(s->nr, HOST_IP, args),
			       SECCOMP_RET_KILL_PROCESS, "bad", s->nr);
		}
	}
}

static int is_in_table(int nr)
{
	for (unsigned i = 0; i < wall_table_count; i++)
		if (wall_table[i].number == nr)
			return 1;
	return 0;
}

static void test_numbers(void)
{
	for (int nr = -1; nr < 1024; nr++) {
		expect(call(nr, 0x7fff12345678, NULL), SECCOMP_RET_TRAP,
		       "guest", nr);
		if (nr == SYS_restart_syscall)
			expect(call(nr, HOST_IP, NULL),
			       SECCOMP_RET_ERRNO | EINTR, "restart", nr);
		else if (!is_in_table(nr))
			expect(call(nr, HOST_IP, NULL),
			       SECCOMP_RET_KILL_PROCESS, "number", nr);
		expect(call(nr | 0x40000000, HOST_IP, NULL),
		       SECCOMP_RET_KILL_PROCESS, "x32", nr);
	}
}

/* The instruction pointer is that after the two bytes of the call. */
static void test_text(void)
{
	static const uint64_t inside[] = { TEXT_START + 2, TEXT_END },
		outside[] = { TEXT_START, TEXT_START - 2, TEXT_END + 1,
			      TEXT_END + 2, HOST_IP + (1ull << 32),
			      HOST_IP & 0xffffffff, 0 };
	struct seccomp_data d = { .nr = SYS_close, .arch = AUDIT_ARCH_I386,
				  .instruction_pointer = HOST_IP };

	for (unsigned i = 0; i < 2; i++)
		expect(call(SYS_close, inside[i], NULL), SECCOMP_RET_ALLOW,
		       "inside", i);
	for (unsigned i = 0; i < 7; i++)
		expect(call(SYS_close, outside[i], NULL), SECCOMP_RET_TRAP,
		       "outside", i);
	expect(run(&d), SECCOMP_RET_KILL_PROCESS, "i386", 0);
	d.instruction_pointer = 0x400000;
	expect(run(&d), SECCOMP_RET_TRAP, "i386 guest", 0);
}

int main(void)
{
	length = wall_build(program, WALL_MAX, TEXT_START, TEXT_END);
	if (!length)
		return printf("FAIL no program\n"), 1;
	expect(wall_table_count, 19, "calls", 0);
	test_arguments();
	test_numbers();
	test_text();
	printf("wall: %u instructions, %u calls, %d checks, %d failures\n",
	       length, wall_table_count, checks, failures);
	return failures != 0;
}
