/*
 * seccomp_random.c - random filter programs: which are accepted, and what
 * they make of a call.  Natively the kernel says what is right.
 */
#include "check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PROGRAMS 1500
#define NUMBER 4711 /* of the call that the random part is for */
#define HEAD 3
#define BODY_MAX 24

static unsigned long long seed = 0x2545f4914f6cdd1dull;
static unsigned next(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 20) % below);
}

static const unsigned constants[] = {
	0, 1, 2, 3, 4, 15, 16, 31, 32, 60, 61, 64, 255, 0x7fffffff,
	0x80000000, 0xffffffff, 0x7fff0000, SECCOMP_RET_ERRNO | 5,
};

static const unsigned short codes[] = {
	BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM, BPF_ST, BPF_ST, BPF_STX,
	BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_K, BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_AND | BPF_K, BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_K, BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X,
	BPF_JMP | BPF_JA, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JSET | BPF_X,
};

static struct sock_filter insn_new(unsigned left)
{
	struct sock_filter f = { codes[next(sizeof(codes) / 2)],
				 next(left + 1), next(left + 1), next(64) };

	if (!next(150)) /* anything at all */
		f.code = next(next(2) ? 65536 : 256);
	if (BPF_CLASS(f.code) == BPF_JMP && BPF_OP(f.code) == BPF_JA)
		f.k = next(left + 1);
	else if (f.code == BPF_ST || f.code == BPF_STX ||
		 f.code == (BPF_LD | BPF_MEM) || f.code == (BPF_LDX | BPF_MEM))
		f.k = next(next(20) ? 2 : 17);
	else if (f.code == (BPF_LD | BPF_W | BPF_ABS))
		f.k = next(16) * 4 + !next(60);
	else if (next(3))
		f.k = constants[next(sizeof(constants) / 4)];
	if ((f.code & 0xf7) == (BPF_ALU | BPF_LSH) ||
	    (f.code & 0xf7) == (BPF_ALU | BPF_RSH))
		f.k = next(next(20) ? 32 : 40);
	/* where the call stands in memory differs */
	if (f.code == (BPF_LD | BPF_W | BPF_ABS) && (f.k == 8 || f.k == 12))
		f.k = 0;
	return f;
}

static unsigned program_new(struct sock_filter *f)
{
	unsigned n = HEAD, body = 1 + next(BODY_MAX);

	f[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	f[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NUMBER,
					    1, 0);
	f[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					    SECCOMP_RET_ALLOW);
	if (next(2)) {
		f[n++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_STX, 1);
	}
	while (body--)
		f[n++] = insn_new(body + 1);
	if (next(2)) { /* the upper bits count too */
		f[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
		f[n++] = (struct sock_filter)BPF_STMT(
			BPF_ALU | BPF_RSH | BPF_K, 16);
		f[n++] = (struct sock_filter)BPF_STMT(
			BPF_ALU | BPF_XOR | BPF_X, 0);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
					      0x7ff);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K,
					      SECCOMP_RET_ERRNO);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return n;
}

/* Exit status: 0 refused, 1 accepted; what it answered goes to the pipe. */
static void try(struct sock_filter *f, unsigned n, int out)
{
	static const unsigned long args[][6] = {
		{ 0, 1, 2, 3, 4, 5 },
		{ ~0ul, 0x80000000, 0x7fffffff, 1ul << 32, 31, 32 },
		{ 0x123456789abcdef0, 7, 3, 61, 0xffff0000, 2 },
	};
	struct sock_fprog p = { n, f };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p))
		_exit(errno == EINVAL ? 0 : 9);
	for (int i = 0; i < 3; i++) {
		long r = syscall(NUMBER, args[i][0], args[i][1], args[i][2],
				 args[i][3], args[i][4], args[i][5]);
		int e = r == -1 ? errno : (int)r;

		if (write(out, &e, sizeof(e)) != sizeof(e))
			_exit(8);
	}
	_exit(1);
}

int main(void)
{
	unsigned refused = 0, accepted = 0, killed = 0, sum = 0;
	int pipes[2], e, st;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (pipe2(pipes, 04000 /* O_NONBLOCK */))
		return 9;
	for (int i = 1; i <= PROGRAMS; i++) {
		struct sock_filter f[HEAD + BODY_MAX + 16];
		unsigned n = program_new(f);

		if (vfork() == 0)
			try(f, n, pipes[1]);
		wait(&st);
		refused += st == 0;
		accepted += WIFEXITED(st) && WEXITSTATUS(st) == 1;
		killed += WIFSIGNALED(st);
		sum = sum * 31 + (unsigned)(st & ~0x80);
		while (read(pipes[0], &e, sizeof(e)) == sizeof(e))
			sum = sum * 31 + (unsigned)e;
		if (i % 50 == 0)
			SHOW("%d programs: %08x", i, sum);
	}
	SHOW("%u refused, %u accepted, %u killed", refused, accepted, killed);
	CHECK(refused > 100 && accepted > 500);
	return check_done();
}
