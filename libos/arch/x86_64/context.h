/*
 * context.h - the host's signal frame on x86-64, as the upcalls see it.
 */
#ifndef LIBOS_X86_64_CONTEXT_H
#define LIBOS_X86_64_CONTEXT_H

#include <libos/base.h>

struct task;

struct host_ucontext { /* struct ucontext of the host's kernel */
	u64 flags, link;
	u64 ss_sp, ss_flags, ss_size;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	u8 *fpstate;
	u64 reserved[8];
	u64 sigmask;
};

/* The part of an fxsave area that says how big the whole is. */
struct fpx_sw_bytes {
	u32 magic1, extended_size;
	u64 xfeatures;
	u32 xstate_size;
	u32 layout; /* ours, in the host's padding: of the frame (xstate.c) */
	u32 padding[6];
};
#define FPX_SW_OFFSET 464
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define XSAVE_HEADER 512

extern char uaccess_start[], uaccess_end[], uaccess_fixup[];
extern char exit_window_start[], exit_window_end[];
extern char restore_window_start[], restore_window_end[];
extern char raw_interrupted[];
extern const u64 raw_windows[];

void vdso_unshift(u64 clock, u64 at);

void xstate_restore(const void *area, u64 features);
void xstate_save(void *area, u64 features);
extern u64 xstate_features; /* XCR0 */
extern u32 xstate_size;     /* bytes of an xsave area */
void xstate_init(void);
/* t's area for the vector registers, or NULL; a saved one's length may be
 * another than this host wants. */
u8 *xstate_area(struct task *t);

/* Where processors keep what in an xsave area differs.  The number of this
 * one's way; areas that another has written are turned into it. */
extern u32 xstate_layout;
u32 xstate_layout_size(u32 layout); /* 0: there is no such layout */
/* to: room for xstate_size, from: as in layout, its header checked by
 * nobody.  False if something is in use in it that this processor lacks. */
bool xstate_convert(u8 *to, const u8 *from, u32 layout);

#endif
