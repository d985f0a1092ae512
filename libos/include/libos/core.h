/*
 * core.h - boot, the service thread, and processes started by the monitor.
 */
#ifndef LIBOS_CORE_H
#define LIBOS_CORE_H

#include <bailey/boot.h>
#include <libos/base.h>

struct proc;
struct task;

int service_start(void);
struct task *service_task(void);
/* After a resume: its handles anew; and the service thread's work, on the
 * caller. */
int service_resumed(void);
_Noreturn void service_run(void);
/* spawn.c: a process that the monitor asks for: the first one, or exec's.
 * base: what the offsets in s count from. */
struct task *spawn_prepare(const struct boot_spawn *s, const void *base,
			   const host_handle handles[3], char *why,
			   size_t why_size);
/* In t's own context: load the program; 0 or -errno, why filled. */
int spawn_exec(struct task *t, const struct boot_spawn *s, const void *base,
	       char *why, size_t why_size);
/* events.c: an event of the monitor is there (service_watch callback). */
bool events_ready(void *arg, u32 events);

#endif
