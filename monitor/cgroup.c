/*
 * cgroup.c - a control group of the host for one sandbox, where the host has
 * version 2 and lets us: as root, or in a delegated part of the tree.
 *
 * The command makes it before the monitor, which is born in it, and removes
 * it when the sandbox is gone; its path is in the file `cgroup` of the state
 * directory until then, so that any later command can do so too.  Where there
 * is none, --memory and --pids-limit are kept by the library OS and --cpus by
 * the choice of processors.
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define CPU_PERIOD_US 100000u
/* Host tasks that the library OS does not count: the monitor, its own
 * threads, those that have ended and were not collected yet. */
#define PIDS_MORE(n) (2u * (n) + 32u)

/* ---- small files ------------------------------------------------------------ */
static int write_at(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	monitor_close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	monitor_close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* ---- making one --------------------------------------------------------------- */
struct limits {
	uint64_t memory;
	uint32_t pids, cpu_milli;
};

static unsigned wanted(const struct limits *l)
{
	return (l->memory ? CGROUP_MEMORY : 0) |
	       (l->pids ? CGROUP_PIDS : 0) | (l->cpu_milli ? CGROUP_CPU : 0);
}

/* Which of the limits the group has taken. */
static unsigned limits_write(int dir, const struct limits *l)
{
	unsigned done = 0;
	char text[64];

	if (l->memory) {
		snprintf(text, sizeof(text), "%llu",
			 (unsigned long long)l->memory);
		if (!write_at(dir, "memory.max", text))
			done |= CGROUP_MEMORY;
		write_at(dir, "memory.swap.max", "0");
	}
	if (l->pids) {
		snprintf(text, sizeof(text), "%u", PIDS_MORE(l->pids));
		if (!write_at(dir, "pids.max", text))
			done |= CGROUP_PIDS;
	}
	if (l->cpu_milli) {
		snprintf(text, sizeof(text), "%llu %u",
			 (unsigned long long)l->cpu_milli * CPU_PERIOD_US /
			 1000, CPU_PERIOD_US);
		if (!write_at(dir, "cpu.max", text))
			done |= CGROUP_CPU;
	}
	return done;
}

pid_t cgroup_clone(unsigned long flags, int dir)
{
	struct clone_args a = {
		.flags = flags | (dir >= 0 ? CLONE_INTO_CGROUP : 0),
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)(dir >= 0 ? dir : 0),
	};

	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

/* May a process of ours be born there?  Tried, not guessed. */
static bool may_enter(int dir)
{
	pid_t pid = cgroup_clone(0, dir);
	int status;

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid;
}

/* A group below parent: its directory and *done, or -1. */
static int group_try(const char *parent, const char *name,
		     const struct limits *l, unsigned *done)
{
	int up = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir = -1;

	*done = 0;
	if (up >= 0 && !mkdirat(up, name, 0755))
		dir = openat(up, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		*done = limits_write(dir, l);
	if (dir >= 0 && *done != wanted(l)) {
		write_at(up, "cgroup.subtree_control", "+memory");
		write_at(up, "cgroup.subtree_control", "+pids");
		write_at(up, "cgroup.subtree_control", "+cpu");
		*done = limits_write(dir, l);
	}
	if (dir >= 0 && (!*done || !may_enter(dir))) {
		monitor_close(dir);
		unlinkat(up, name, AT_REMOVEDIR);
		dir = -1;
	}
	monitor_close(up);
	return dir;
}

/* Our own group, as a path; false: this host has no version 2. */
static bool own_group(char *path, size_t size)
{
	char text[4096], *at;
	struct statfs fs;

	if (statfs(ROOT, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC ||
	    !read_text("/proc/self/cgroup", text, sizeof(text)))
		return false;
	at = strstr(text, "0::/");
	if (!at)
		return false;
	at[strcspn(at, "\n")] = '\0';
	return snprintf(path, size, ROOT "%s", at + 3) < (int)size;
}

/* One level up; false at the root. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash < path + sizeof(ROOT) - 1)
		return false;
	*slash = '\0';
	return true;
}

/* Beside us, or further up: where we are, there are processes, and a group
 * with processes has no limits for groups below it.  Root begins at the top.
 * On success path is that of the new group. */
static int group_make(char *path, size_t size, const char *name,
		      const struct limits *l, unsigned *done)
{
	int dir = -1;

	if (!own_group(path, size))
		return -1;
	if (!geteuid()) {
		strcpy(path, ROOT);
		dir = group_try(path, name, l, done);
		if (dir < 0 && !own_group(path, size))
			return -1;
	}
	while (dir < 0 && go_up(path))
		dir = group_try(path, name, l, done);
	if (dir >= 0 && strlen(path) + strlen(name) + 2 <= size) {
		strcat(path, "/");
		strcat(path, name);
	}
	return dir;
}

static void group_note(const struct monitor *m, const char *path)
{
	char name[4200];
	int fd;

	snprintf(name, sizeof(name), "%s/cgroup", m->config->state_dir);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)!write(fd, path, strlen(path));
	monitor_close(fd);
}

void cgroup_make(struct monitor *m)
{
	const struct sandbox_config *c = m->config;
	struct limits l = { c->memory, c->pids, c->cpu_milli };
	char path[4096], name[64];

	if (!wanted(&l))
		return;
	snprintf(name, sizeof(name), "bailey-%.12s", c->id);
	m->cgroup = group_make(path, sizeof(path), name, &l, &m->cgroup_has);
	if (m->cgroup < 0)
		return;
	group_note(m, path);
	m->cgroup_events = openat(m->cgroup, "memory.events",
				  O_RDONLY | O_CLOEXEC);
}

/* Without the processor's controller: as many processors as the limit fills,
 * not the same ones for every sandbox. */
void cgroup_choose_cpus(const struct monitor *m)
{
	unsigned count = (m->config->cpu_milli + 999) / 1000, first, i;
	cpu_set_t all, some;

	if (!count || (m->cgroup_has & CGROUP_CPU) ||
	    sched_getaffinity(0, sizeof(all), &all) ||
	    count >= (unsigned)CPU_COUNT(&all))
		return;
	CPU_ZERO(&some);
	first = (unsigned)getpid() * count % CPU_SETSIZE;
	for (i = first; count; i = (i + 1) % CPU_SETSIZE)
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &some);
			count--;
		}
	(void)sched_setaffinity(0, sizeof(some), &some);
}

unsigned cgroup_probe(void)
{
	struct limits l = { 1u << 30, 100, 1000 };
	char path[4096], name[64];
	unsigned done = 0;
	int dir;

	snprintf(name, sizeof(name), "bailey-probe-%d", (int)getpid());
	dir = group_make(path, sizeof(path), name, &l, &done);
	if (dir < 0)
		return 0;
	close(dir);
	rmdir(path);
	return done;
}

/* ---- what it says ------------------------------------------------------------- */
/* memory.events: has the host killed for want of memory? */
static bool events_tell_oom(const char *text)
{
	const char *at = strstr(text, "oom_kill ");

	return at && atoi(at + 9) > 0;
}

bool cgroup_is_oom(const struct monitor *m)
{
	char text[512];
	ssize_t n;

	if (m->cgroup_events < 0 || lseek(m->cgroup_events, 0, SEEK_SET))
		return false;
	n = read(m->cgroup_events, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return events_tell_oom(text);
}

/* ---- the end ------------------------------------------------------------------- */
#define TRIES 200
#define PAUSE_NS 5000000

bool sandbox_cgroup_remove(const char *state_dir)
{
	char note[4200], path[4096], events[4200], text[512] = "";
	struct timespec pause = { 0, PAUSE_NS };
	int i;

	snprintf(note, sizeof(note), "%s/cgroup", state_dir);
	if (!read_text(note, path, sizeof(path)) ||
	    strncmp(path, ROOT "/", sizeof(ROOT)))
		return false;
	snprintf(events, sizeof(events), "%s/memory.events", path);
	read_text(events, text, sizeof(text));
	for (i = 0; i < TRIES && rmdir(path) && errno == EBUSY; i++)
		nanosleep(&pause, NULL); /* its processes are on their way out */
	if (access(path, F_OK))
		unlink(note);
	return events_tell_oom(text);
}
