/*
 * boot.c - the library OS's first code, and the header by which the monitor
 * finds its way in the file.
 */
#include <bailey/image_header.h>
#include <libos/core.h>
#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/proc.h>
#include <libos/save.h>
#include <libos/task.h>
#include <libos/vfs.h>

#include "../../host/raw.h"

extern char host_text_start[], host_text_end[];
extern char libos_data_start[], libos_data_end[], libos_bss_end[];
extern char libos_data_file_size[]; /* its address is the size */
extern char host_on_trap[], host_on_fault[], host_on_interrupt[];
_Noreturn void libos_start(struct boot_info *b);
void task_switch_stack(void *top, void (*fn)(void *), void *arg);

extern const struct bly_image_header image_header;
const struct bly_image_header image_header
	__attribute__((section(".image_header"), used)) = {
	.magic = BLY_IMAGE_MAGIC,
	.version = BLY_IMAGE_VERSION,
	.start = (u64)libos_start,
	.trap = (u64)host_on_trap,
	.fault = (u64)host_on_fault,
	.interrupt = (u64)host_on_interrupt,
	.host_text_start = (u64)host_text_start,
	.host_text_end = (u64)host_text_end,
	.data_start = (u64)libos_data_start,
	.data_size = (u64)libos_data_file_size,
	.bss_end = (u64)libos_bss_end,
};

const struct boot_info *boot_info(void)
{
	return (const struct boot_info *)BOOT_INFO_ADDR;
}

_Noreturn static void start_failed(int err, const char *why)
{
	host_report(HOST_REPORT_STARTED, 0, -err, why, strlen(why));
	host_exit((err == -ENOENT ? 127 : 126) << 8);
}

/* On the first task's kernel stack. */
static void boot_main(void *arg)
{
	struct task *t = arg;
	const struct boot_info *b = boot_info();
	char why[256] = "";
	int err;

	vfs_init(b);
	dentry_put(t->proc->fs->root);
	dentry_put(t->proc->fs->cwd);
	t->proc->fs->root = dentry_get(vfs_root);
	t->proc->fs->cwd = dentry_get(vfs_root);
	init_proc = t->proc;
	proc_link(t->proc, NULL, t->tid, t->tid);
	if (service_start() < 0)
		panic("the service thread cannot be started");
	service_watch(b->events, HOST_POLL_IN, events_ready, NULL);
	err = spawn_exec(t, &b->init, b, why, sizeof(why));
	if (err)
		start_failed(err, why);
	host_report(HOST_REPORT_STARTED, 0, 0, "", 0);
	exec_enter_guest(t);
}

static void kernel_proc_init(void)
{
	kernel_proc = proc_alloc();
	kernel_proc->sighand = sighand_alloc();
	kernel_proc->files = files_alloc();
	kernel_proc->mm = mm_alloc();
}

_Noreturn void libos_start(struct boot_info *b)
{
	struct task *t;
	char why[64];

	host_mem_unmap((void *)GUEST_MIN, BLY_BASE - GUEST_MIN);
	host_mem_unmap((void *)BLY_END, GUEST_MAX - BLY_END);
	if (b->flags & BOOT_RESUME)
		resume_start(b);
	heap_init();
	arch_init();
	host_clock_init(b->vdso);
	if (b->magic != BOOT_MAGIC || b->version != HOST_ABI_VERSION)
		panic("the monitor speaks another version of the host ABI");
	kernel_proc_init();
	t = spawn_prepare(&b->init, b, b->init.handles, why, sizeof(why));
	if (!t)
		panic("no memory for the first process");
	t->host.process = t->host.thread = b->first_pid;
	arch_set_current(t);
	arch_set_trap_area((char *)t + TASK_TRAP_OFFSET, TASK_TRAP_SIZE);
	t->host_alive = 1;
	task_switch_stack((void *)t->kstack_top, boot_main, t);
	__builtin_unreachable();
}
