/*
 * signal_frame.c - the guest's signal frames, exactly as Linux builds them
 * (struct rt_sigframe of arch/x86: return address, ucontext, siginfo, then
 * the xsave area, 64-byte aligned), and the way back from them.
 */
#include <libos/arch.h>
#include <libos/heap.h>
#include <libos/signal.h>
#include <libos/task.h>
#include <libos/uaccess.h>

#include "context.h"
#include "rewrite.h"

#define SS_DISABLE 2

#define RED_ZONE 128
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
#define FLAGS_GUEST 0x240dd5ul /* CF PF AF ZF SF TF DF OF NT AC ... */
#define FLAG_TF 0x100ul
#define FLAG_DF 0x400ul
#define FLAG_RF 0x10000ul
#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_OFFSET 24

struct rt_sigframe {
	u64 pretcode;
	struct host_ucontext uc;
	siginfo_t info;
};

static struct {
	u8 legacy[512], header[64];
} init_area __attribute__((aligned(64)));

static void vectors_reset(void)
{
	u16 fcw = 0x37f;
	u32 mxcsr = MXCSR_DEFAULT;

	memcpy(init_area.legacy, &fcw, sizeof(fcw));
	memcpy(init_area.legacy + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	xstate_restore(&init_area, xstate_features);
}

static int save_vectors(struct task *t, u64 where)
{
	u8 *area = xstate_area(t);
	u32 magic2 = FP_XSTATE_MAGIC2;
	struct fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = xstate_size + 4,
		.xfeatures = xstate_features,
		.xstate_size = xstate_size,
		.layout = xstate_layout,
	};

	if (!area)
		return -EFAULT;
	if (!t->arch.need_xrstor) {
		memset(area + XSAVE_HEADER, 0, 64);
		xstate_save(area, xstate_features);
	}
	memcpy(area + FPX_SW_OFFSET, &sw, sizeof(sw));
	memcpy(area + xstate_size, &magic2, sizeof(magic2));
	return copy_to_user(where, area, xstate_size + 4);
}

static u64 frame_stack(struct task *t, const struct ksigaction *ka)
{
	const struct sigaltstack_state *alt = &t->altstack;
	u64 sp = t->regs.rsp;

	if ((ka->flags & SA_ONSTACK) && alt->size &&
	    !(alt->flags & SS_DISABLE) &&
	    !(sp > alt->sp && sp - alt->sp <= alt->size))
		return alt->sp + alt->size;
	return sp - RED_ZONE;
}

static void fill_context(struct task *t, struct host_ucontext *uc, u64 fp,
			 u64 mask)
{
	const struct regs *r = &t->regs;

	memset(uc, 0, sizeof(*uc));
	uc->flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	uc->ss_sp = t->altstack.sp;
	uc->ss_size = t->altstack.size;
	uc->ss_flags = t->altstack.flags;
	if (!t->altstack.size)
		uc->ss_flags = SS_DISABLE;
	uc->r8 = r->r8; uc->r9 = r->r9; uc->r10 = r->r10; uc->r11 = r->r11;
	uc->r12 = r->r12; uc->r13 = r->r13; uc->r14 = r->r14;
	uc->r15 = r->r15; uc->rdi = r->rdi; uc->rsi = r->rsi;
	uc->rbp = r->rbp; uc->rbx = r->rbx; uc->rdx = r->rdx;
	uc->rax = r->rax; uc->rcx = r->rcx; uc->rsp = r->rsp;
	uc->rip = r->rip; uc->rflags = r->rflags;
	uc->cs = 0x33;
	uc->ss = 0x2b;
	uc->err = t->arch.fault_error;
	uc->trapno = t->arch.fault_number;
	uc->cr2 = t->arch.fault_address;
	uc->oldmask = mask;
	uc->fpstate = (u8 *)fp;
	uc->sigmask = mask;
}

int arch_signal_frame(struct task *t, int sig, const siginfo_t *info,
		      const struct ksigaction *ka, u64 mask_to_save)
{
	struct rt_sigframe f;
	struct regs *r = &t->regs;
	u64 sp = frame_stack(t, ka);
	u64 fp = (sp - (xstate_size + 4)) & ~63ul;
	u64 at = ((fp - sizeof(f)) & ~15ul) - 8;

	if (!access_ok(at, sp - at) || save_vectors(t, fp))
		return -EFAULT;
	f.pretcode = ka->restorer;
	fill_context(t, &f.uc, fp, mask_to_save);
	f.info = *info;
	if (copy_to_user(at, &f, sizeof(f)))
		return -EFAULT;
	t->arch.need_xrstor = false;
	vectors_reset();
	r->rdi = (u64)sig;
	r->rsi = at + offsetof(struct rt_sigframe, info);
	r->rdx = at + offsetof(struct rt_sigframe, uc);
	r->rax = 0;
	r->rsp = at;
	r->rip = ka->handler;
	r->rflags &= ~(FLAG_TF | FLAG_DF | FLAG_RF);
	r->orig_rax = (u64)-1;
	return 0;
}

/* Written on another processor, before a resume. */
static int load_foreign(u8 *area, u64 fp, const struct fpx_sw_bytes *sw)
{
	u32 size = xstate_layout_size(sw->layout);
	u64 features, used;
	u8 *frame;
	int err = -EFAULT;

	if (!size || sw->xstate_size != size)
		return -EFAULT;
	frame = page_alloc(PAGE_UP(size) / PAGE_SIZE);
	if (!frame)
		return -EFAULT;
	if (!copy_from_user(frame, fp, size)) {
		memcpy(&used, frame + XSAVE_HEADER, 8);
		features = used & sw->xfeatures;
		memcpy(frame + XSAVE_HEADER, &features, 8);
		if (xstate_convert(area, frame, sw->layout))
			err = 0;
	}
	page_free(frame, PAGE_UP(size) / PAGE_SIZE);
	return err;
}

static bool is_foreign(const struct fpx_sw_bytes *sw)
{
	return sw->magic1 == FP_XSTATE_MAGIC1 && sw->layout != xstate_layout;
}

/* The guest may have written anything there: make it safe to load. */
static int load_vectors(struct task *t, u64 fp)
{
	u8 *area = xstate_area(t);
	struct fpx_sw_bytes sw;
	u64 features;
	u32 mxcsr;

	if (!fp) {
		vectors_reset();
		return 0;
	}
	if (!area || (fp & 63) || copy_from_user(area, fp, 512))
		return -EFAULT;
	memcpy(&sw, area + FPX_SW_OFFSET, sizeof(sw));
	memset(area + XSAVE_HEADER, 0, 64);
	features = 3;
	if (is_foreign(&sw)) {
		if (load_foreign(area, fp, &sw))
			return -EFAULT;
		memcpy(&features, area + XSAVE_HEADER, 8);
	} else if (sw.magic1 == FP_XSTATE_MAGIC1 && sw.xstate_size <= xstate_size &&
	    sw.xstate_size >= XSAVE_HEADER + 64) {
		if (copy_from_user(area + 512, fp + 512,
				   sw.xstate_size - 512))
			return -EFAULT;
		memcpy(&features, area + XSAVE_HEADER, 8);
		features &= sw.xfeatures & xstate_features;
		memset(area + XSAVE_HEADER, 0, 64);
	}
	memcpy(area + XSAVE_HEADER, &features, 8);
	memcpy(&mxcsr, area + MXCSR_OFFSET, 4);
	mxcsr &= 0xffff;
	memcpy(area + MXCSR_OFFSET, &mxcsr, 4);
	xstate_restore(area, xstate_features);
	return 0;
}

int arch_signal_return(struct task *t, u64 *mask)
{
	struct regs *r = &t->regs;
	struct host_ucontext uc;
	u64 at = r->rsp - 8;

	if (copy_from_user(&uc, at + offsetof(struct rt_sigframe, uc),
			   sizeof(uc)))
		return -EFAULT;
	if (load_vectors(t, (u64)uc.fpstate))
		return -EFAULT;
	r->r8 = uc.r8; r->r9 = uc.r9; r->r10 = uc.r10; r->r11 = uc.r11;
	r->r12 = uc.r12; r->r13 = uc.r13; r->r14 = uc.r14; r->r15 = uc.r15;
	r->rdi = uc.rdi; r->rsi = uc.rsi; r->rbp = uc.rbp; r->rbx = uc.rbx;
	r->rdx = uc.rdx; r->rax = uc.rax; r->rcx = uc.rcx; r->rsp = uc.rsp;
	r->rip = uc.rip;
	r->rflags = (uc.rflags & FLAGS_GUEST) | (r->rflags & ~FLAGS_GUEST) |
		    0x202;
	r->orig_rax = (u64)-1;
	t->altstack.sp = uc.ss_sp;
	t->altstack.size = uc.ss_size;
	t->altstack.flags = (u32)uc.ss_flags;
	if (uc.ss_flags & SS_DISABLE)
		t->altstack.size = 0;
	rewrite_fix_rip(t);
	*mask = uc.sigmask;
	task_set_work(t, WORK_FULL);
	return 0;
}
