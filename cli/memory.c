/*
 * memory.c - `bailey inspect --memory`: what a sandbox costs the host and no
 * other sandbox shares, by purpose.
 *
 * Read from the host's /proc, so only root (or who may trace the processes)
 * is shown it; nothing is asked of the sandbox but its monitor's number.
 * Pages are counted; what the host's kernel keeps in objects is estimated
 * from their number and the sizes of struct cost, which were measured
 * (SPECIFICATION.md says how).
 */
#include "cli/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bailey/boot.h>

enum { TASK_BLOCK = 0x10000, PROCESSES_MAX = 4096 };

/* Bytes of the host's kernel for one of each (Linux 6.18, x86-64). */
enum {
	COST_STACK = 16384, COST_THREAD = 8300, COST_PROCESS = 7300,
	COST_MAPPING = 220, COST_HANDLE = 230, COST_SOCKET = 2000,
	COST_FILE = 1100, COST_NAMESPACES = 9000, COST_NETWORK = 240000,
};

struct memory {
	uint64_t heap, stacks, guest, ours, monitor, tables, host_stacks,
		 objects, files;
	pid_t process[PROCESSES_MAX]; /* [0]: the monitor */
	unsigned process_count, thread_count;
	uint64_t blocks[PROCESSES_MAX]; /* of the heap: threads' own */
	unsigned block_count;
};

static FILE *proc_open(pid_t pid, const char *what)
{
	char *path = xasprintf("/proc/%d/%s", (int)pid, what);
	FILE *f = fopen(path, "re");

	free(path);
	return f;
}

/* The number after "name:" in a file of /proc, or 0. */
static uint64_t proc_value(pid_t pid, const char *what, const char *name)
{
	FILE *f = proc_open(pid, what);
	size_t n = strlen(name);
	uint64_t value = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n) && line[n] == ':')
			value = strtoull(line + n + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* ---- which processes ------------------------------------------------------ */
/* The host tells who sent a message. */
static pid_t monitor_pid(int control)
{
	struct control_msg m = { .op = CTL_PING };
	struct pollfd p = { control, POLLIN, 0 };
	char space[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c;
	struct ucred who = { 0 };
	int one = 1;

	setsockopt(control, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	if (control_send(control, &m, NULL, NULL, 0) ||
	    poll(&p, 1, 2000) <= 0 || recvmsg(control, &h, 0) <= 0)
		return 0;
	for (c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	return who.pid;
}

static void find_processes(struct memory *m, pid_t monitor)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	m->process[m->process_count++] = monitor;
	while (d && (e = readdir(d)) && m->process_count < PROCESSES_MAX) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid && (pid_t)proc_value(pid, "status", "PPid") == monitor)
			m->process[m->process_count++] = pid;
	}
	if (d)
		closedir(d);
}

/* ---- pages ---------------------------------------------------------------- */
/* Of what was written since it was mapped, the part that is nobody else's. */
static void add_mapping(struct memory *m, bool is_monitor, uint64_t start,
			uint64_t anonymous, uint64_t dirty)
{
	uint64_t own = (anonymous < dirty ? anonymous : dirty) << 10;

	if (is_monitor)
		m->monitor += own;
	else if (start >= BLY_BASE && start < BLY_END)
		m->ours += own;
	else
		m->guest += own;
}

/* Returns the number of mappings; 0: they are not shown. */
static unsigned read_mappings(struct memory *m, pid_t pid, bool is_monitor)
{
	FILE *f = proc_open(pid, "smaps");
	uint64_t start = 0, at, end, anonymous, dirty = 0;
	unsigned count = 0;
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &at, &end) == 2) {
			start = at; /* "Anonymous" begins as a number does */
			count++;
		} else if (sscanf(line, "Pss_Dirty: %" SCNu64, &dirty) == 1) {
			;
		} else if (sscanf(line, "Anonymous: %" SCNu64, &anonymous) == 1) {
			add_mapping(m, is_monitor, start, anonymous, dirty);
		}
	}
	if (f)
		fclose(f);
	return count;
}

/* Where a thread's stack pointer says that its own block of the heap is. */
static void find_block(struct memory *m, pid_t pid, const char *tid)
{
	char *path = xasprintf("/proc/%d/task/%s/syscall", (int)pid, tid);
	FILE *f = fopen(path, "re");
	char line[512] = "", *last;
	uint64_t at = 0;

	free(path);
	if (f && fgets(line, sizeof(line), f) && (last = strrchr(line, ' '))) {
		*last = 0;
		last = strrchr(line, ' ');
		at = last ? strtoull(last + 1, NULL, 16) : 0;
	}
	if (f)
		fclose(f);
	if (at >= BLY_HEAP && at < BLY_HEAP + BLY_HEAP_SIZE &&
	    m->block_count < PROCESSES_MAX)
		m->blocks[m->block_count++] = (at - BLY_HEAP) &
					      ~(uint64_t)(TASK_BLOCK - 1);
}

static void read_threads(struct memory *m, pid_t pid, bool is_monitor)
{
	char *path = xasprintf("/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	struct dirent *e;

	free(path);
	while (d && (e = readdir(d))) {
		if (*e->d_name == '.')
			continue;
		m->thread_count++;
		if (!is_monitor)
			find_block(m, pid, e->d_name);
	}
	if (d)
		closedir(d);
}

static bool in_block(const struct memory *m, uint64_t offset)
{
	for (unsigned i = 0; i < m->block_count; i++)
		if (offset - m->blocks[i] < TASK_BLOCK)
			return true;
	return false;
}

/* The heap's object has holes where nothing was ever written. */
static void read_heap(struct memory *m)
{
	char *path = xasprintf("/proc/%d/fd/%d", (int)m->process[1],
			       BLY_FD_HEAP);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = 0, end;

	free(path);
	while (fd >= 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0 &&
	       (end = lseek(fd, at, SEEK_HOLE)) > at)
		for (; at < end; at += 4096)
			*(in_block(m, (uint64_t)at) ? &m->stacks :
			  &m->heap) += 4096;
	if (fd >= 0)
		close(fd);
}

/* ---- the host's objects ----------------------------------------------------- */
static void read_handles(struct memory *m, pid_t pid)
{
	char *dir = xasprintf("/proc/%d/fd", (int)pid), to[64];
	DIR *d = opendir(dir);
	struct dirent *e;

	free(dir);
	while (d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, to, sizeof(to));

		m->objects += n > 0 ? COST_HANDLE : 0;
		m->objects += n > 6 && !strncmp(to, "socket", 6) ?
			COST_SOCKET : 0;
	}
	if (d)
		closedir(d);
}

static ino_t network_of(pid_t pid)
{
	char *path = xasprintf("/proc/%d/ns/net", (int)pid);
	struct stat st = { 0 };

	if (stat(path, &st))
		st.st_ino = 0;
	free(path);
	return st.st_ino;
}

/* Is it the first process of a namespace? */
static bool is_first(pid_t pid)
{
	FILE *f = proc_open(pid, "status");
	char line[256];
	bool is = false;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "NSpid:", 6))
			is = strstr(line + 7, "\t1\n");
	if (f)
		fclose(f);
	return is;
}

/* How many sandboxes live in the network of this one. */
static unsigned network_sharers(pid_t pid)
{
	ino_t own = network_of(pid);
	unsigned count = 0;
	struct dirent *e;
	DIR *d = opendir("/proc");

	while (d && (e = readdir(d))) {
		pid_t p = (pid_t)strtol(e->d_name, NULL, 10);

		count += p && network_of(p) == own && is_first(p);
	}
	if (d)
		closedir(d);
	return count ? count : 1;
}

static void read_files(struct memory *m, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !strcmp(e->d_name, ".."))
			continue;
		m->files += COST_FILE + (uint64_t)st.st_blocks * 512;
	}
	if (d)
		closedir(d);
}

/* Returns false if the host does not show it to us. */
static bool read_process(struct memory *m, unsigned i)
{
	pid_t pid = m->process[i];
	unsigned mappings = read_mappings(m, pid, i == 0);

	/* one page, the topmost, is not in the host's number */
	m->tables += (proc_value(pid, "status", "VmPTE") << 10) + 4096;
	m->objects += mappings * COST_MAPPING + COST_PROCESS;
	read_threads(m, pid, i == 0);
	if (i < 2) /* the picoprocesses have one table of handles */
		read_handles(m, pid);
	return mappings != 0;
}

static json_t *purpose(const char *name, uint64_t bytes)
{
	return json_pack("{s:s,s:I}", "Purpose", name, "Bytes",
			 (json_int_t)bytes);
}

static json_t *report(const struct memory *m)
{
	uint64_t total = m->heap + m->stacks + m->guest + m->ours +
		m->monitor + m->tables + m->host_stacks + m->objects +
		m->files;

	return json_pack("{s:I,s:I,s:[o,o,o,o,o,o,o,o,o]}",
		"Processes", (json_int_t)m->process_count, "Total",
		(json_int_t)total, "Unshared",
		purpose("kernel heap", m->heap),
		purpose("kernel stacks and trap areas", m->stacks),
		purpose("programs' own pages", m->guest),
		purpose("library OS's own pages", m->ours),
		purpose("monitor's own pages", m->monitor),
		purpose("page tables", m->tables),
		purpose("host kernel stacks", m->host_stacks),
		purpose("host kernel objects (estimate)", m->objects),
		purpose("state directory", m->files));
}

json_t *memory_json(const struct state *s, int control)
{
	struct memory *m = xcalloc(1, sizeof(*m));
	pid_t monitor = monitor_pid(control);
	bool is_shown = monitor > 0;
	json_t *o = NULL;

	if (is_shown)
		find_processes(m, monitor);
	for (unsigned i = 0; i < m->process_count && is_shown; i++)
		is_shown = read_process(m, i);
	if (is_shown && m->process_count > 1) {
		read_heap(m);
		read_files(m, s->dir);
		m->host_stacks = m->thread_count * COST_STACK;
		m->objects += m->thread_count * COST_THREAD + COST_NAMESPACES +
			COST_NETWORK / network_sharers(m->process[1]);
		o = report(m);
	}
	free(m);
	return o;
}
