/*
 * readback.c - the seccomp program that a running process really has.
 *
 * usage: readback PID.  Reads every filter of PID through ptrace and follows
 * all paths of each, taking both ways where a path depends on an argument;
 * prints the numbers that some arguments let through from the host layer's
 * text.  Calls from anywhere else must not be let through at all.  Exits with
 * 77 if this host does not show filters.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bailey/boot.h>
#include <bailey/image_header.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif
#define PROGRAM_MAX 4096
#define PROGRAMS_MAX 8

struct program {
	struct sock_filter code[PROGRAM_MAX];
	long count;
};
static struct program programs[PROGRAMS_MAX];
static unsigned program_count;

struct question {
	const struct program *p;
	struct seccomp_data data;
};

static bool compare(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ: return a == f->k;
	case BPF_JGT: return a > f->k;
	case BPF_JGE: return a >= f->k;
	case BPF_JSET: return a & f->k;
	}
	fprintf(stderr, "unknown comparison %x\n", f->code);
	exit(1);
}

/* Can the program end in ALLOW from here? */
static bool may_allow(const struct question *q, long pc, uint32_t a,
		      bool is_known)
{
	for (;; pc++) {
		const struct sock_filter *f = &q->p->code[pc];

		if (pc >= q->p->count)
			exit(1);
		if (f->code == (BPF_LD | BPF_W | BPF_ABS)) {
			is_known = f->k < offsetof(struct seccomp_data, args);
			if (is_known)
				memcpy(&a, (const char *)&q->data + f->k, 4);
		} else if (f->code == (BPF_RET | BPF_K)) {
			return f->k == SECCOMP_RET_ALLOW ||
			       f->k == SECCOMP_RET_LOG;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			pc += f->k;
		} else if (BPF_CLASS(f->code) != BPF_JMP) {
			is_known = false;
		} else if (is_known) {
			pc += compare(f, a) ? f->jt : f->jf;
		} else {
			return may_allow(q, pc + 1 + f->jt, a, false) ||
			       may_allow(q, pc + 1 + f->jf, a, false);
		}
	}
}

static bool passes(uint32_t arch, uint32_t nr, uint64_t ip)
{
	struct question q = { .data = { .nr = (int)nr, .arch = arch,
					.instruction_pointer = ip } };
	unsigned i;

	for (i = 0; i < program_count; i++) {
		q.p = &programs[i];
		if (!may_allow(&q, 0, 0, true))
			return false;
	}
	return true;
}

static int programs_read(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, &status, __WALL) != pid)
		return -1;
	while (program_count < PROGRAMS_MAX) {
		struct program *p = &programs[program_count];

		p->count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid,
				  program_count, p->code);
		if (p->count < 0)
			break;
		program_count++;
	}
	status = errno;
	ptrace(PTRACE_DETACH, pid, 0, 0);
	errno = status;
	return program_count ? 0 : -1;
}

static int header_read(pid_t pid, struct bly_image_header *h)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	fd = open(name, O_RDONLY);
	return fd < 0 || pread(fd, h, sizeof(*h), BLY_TEXT) != sizeof(*h);
}

static bool is_near(uint32_t nr)
{
	return nr < 4096 || nr - 0x40000000u < 4096 || nr - 0x80000000u < 4096;
}

static int report(const struct bly_image_header *h)
{
	const uint64_t inside = h->host_text_start + 10;
	const uint64_t outside[] = { 0x401000, 0x7ffff7d00000, BLY_TEXT,
				     h->host_text_start, h->host_text_end + 1,
				     inside + (1ull << 32), 0,
				     UINT64_MAX };
	uint32_t nr;
	unsigned i;
	int bad = 0;

	for (nr = 0; nr < 0x80001000u; nr = is_near(nr + 1) ? nr + 1 :
	     nr + 4093) {
		if (passes(AUDIT_ARCH_X86_64, nr, inside))
			printf("%u\n", nr);
		bad += passes(AUDIT_ARCH_I386, nr, inside);
		for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
			bad += passes(AUDIT_ARCH_X86_64, nr, outside[i]);
	}
	if (bad)
		printf("%d pass that must not\n", bad);
	return bad != 0;
}

int main(int argc, char **argv)
{
	struct bly_image_header h;
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;

	if (header_read(pid, &h) || programs_read(pid)) {
		printf("%s\n", strerror(errno));
		return 77;
	}
	return report(&h);
}
