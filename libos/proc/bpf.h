/*
 * bpf.h - classic BPF as seccomp uses it: the check of a program, and the
 * interpreter.  Neither touches anything but its arguments.
 */
#ifndef LIBOS_PROC_BPF_H
#define LIBOS_PROC_BPF_H

#include <libos/base.h>

#define BPF_INSNS_MAX 4096u

struct bpf_insn { /* struct sock_filter */
	u16 code;
	u8 jt, jf;
	u32 k;
};

struct bpf_data { /* struct seccomp_data */
	s32 nr;
	u32 arch;
	u64 pc;
	u64 args[6];
};

/* May this run?  Linux's rules.  room: count u16 for the check's own use. */
bool bpf_check(const struct bpf_insn *insn, u32 count, u16 *room);
/* The value that a checked program returns. */
u32 bpf_run(const struct bpf_insn *insn, const struct bpf_data *data);

#endif
