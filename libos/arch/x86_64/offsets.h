/*
 * offsets.h - where assembly finds fields of struct task.
 * libos/arch/x86_64/trap.c asserts that these are right.
 */
#ifndef LIBOS_ARCH_OFFSETS_H
#define LIBOS_ARCH_OFFSETS_H

#define TASK_SELF 0
#define TASK_KSTACK 8
#define TASK_ENTRIES 16
#define TASK_WORK 48
#define TASK_REGS 56
#define REG_RDI (TASK_REGS + 0)
#define REG_RSI (TASK_REGS + 8)
#define REG_RDX (TASK_REGS + 16)
#define REG_R10 (TASK_REGS + 24)
#define REG_R8 (TASK_REGS + 32)
#define REG_R9 (TASK_REGS + 40)
#define REG_RAX (TASK_REGS + 48)
#define REG_ORIG_RAX (TASK_REGS + 56)
#define REG_RBX (TASK_REGS + 64)
#define REG_RBP (TASK_REGS + 72)
#define REG_R12 (TASK_REGS + 80)
#define REG_R13 (TASK_REGS + 88)
#define REG_R14 (TASK_REGS + 96)
#define REG_R15 (TASK_REGS + 104)
#define REG_RCX (TASK_REGS + 112)
#define REG_R11 (TASK_REGS + 120)
#define REG_RIP (TASK_REGS + 128)
#define REG_RSP (TASK_REGS + 136)
#define REG_RFLAGS (TASK_REGS + 144)

#define TASK_GUEST_GS 216
#define TASK_GS_IN_USE 224

#define TASK_BLOCK_MASK 0xffff
/* WORK_SIGNAL | WORK_EXIT | WORK_STOP | WORK_PARK: leave a waiting call. */
#define WORK_INTERRUPT 39

#define USER_CS 0x33
#define USER_SS 0x2b

#endif
