/*
 * req_misc.c - requests on handles, clocks, entropy, reports, the end; and
 * the log of refusals.
 */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DENIED_LINES_MAX 2000u

/* ---- opening ----------------------------------------------------------------- */
int answer_open(struct mon_call *c)
{
	const struct mon_open *q = c->fixed;

	if (q->kind != HOST_OPEN_FILE && (q->path_size || c->text_size))
		return -EPROTO;
	switch (q->kind) {
	case HOST_OPEN_FILE: return open_file(c, q);
	case HOST_OPEN_LISTEN: return open_listen(c, q);
	case HOST_OPEN_CONNECT: return open_connect(c, q);
	case HOST_OPEN_POLLSET: return open_pollset(c);
	case HOST_OPEN_EVENT: return open_event(c);
	case HOST_OPEN_CHANGES: return open_changes(c);
	case HOST_OPEN_DATAGRAM: return open_datagram(c, q);
	}
	return -HOST_EINVAL;
}

/* ---- on a handle ---------------------------------------------------------------- */
/* The handle is one that the sandbox already has: the monitor adds no right
 * to it, it only makes the call that the wall does not have. */

/* Whose mount it came through: only volumes show that a file is not ours. */
static bool handle_is_of_volume(const struct monitor *m, int fd)
{
	struct statx x;
	unsigned i;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) ||
	    !(x.stx_mask & STATX_MNT_ID))
		return false;
	for (i = 0; i < m->tree_count; i++)
		if (m->trees[i].is_volume &&
		    m->trees[i].mount_id == x.stx_mnt_id)
			return true;
	return false;
}

int answer_stat(struct mon_call *c)
{
	struct stat st;
	bool is_volume = false;

	if (c->text_size)
		return -EPROTO;
	if (fstat(c->handle, &st))
		return -errno;
	if (st.st_uid != c->m->uid || st.st_gid != c->m->gid)
		is_volume = handle_is_of_volume(c->m, c->handle);
	path_stat(c->m, is_volume, &st, (struct host_stat *)(void *)c->payload);
	c->reply.size = sizeof(struct host_stat);
	c->reply.value = is_all_cached(c->handle);
	return 0;
}

int answer_resize(struct mon_call *c)
{
	const struct mon_handle *q = c->fixed;

	if (c->text_size)
		return -EPROTO;
	if (q->value > INT64_MAX)
		return -HOST_EINVAL;
	return ftruncate(c->handle, (off_t)q->value) ? -errno : 0;
}

int answer_sync(struct mon_call *c)
{
	const struct mon_handle *q = c->fixed;
	int r;

	if (c->text_size)
		return -EPROTO;
	r = q->value ? fdatasync(c->handle) : fsync(c->handle);
	return r ? -errno : 0;
}

int answer_shutdown(struct mon_call *c)
{
	const struct mon_handle *q = c->fixed;

	if (c->text_size)
		return -EPROTO;
	if (q->value > HOST_SHUT_BOTH)
		return -HOST_EINVAL;
	return shutdown(c->handle, (int)q->value) ? -errno : 0;
}

/* ---- clocks, entropy ---------------------------------------------------------- */
/* The kernel's encoding of a process's or thread's clock. */
static clockid_t cpu_clock(int32_t id, bool is_thread)
{
	return (clockid_t)((~(unsigned)id << 3) | 2u | (is_thread ? 4u : 0));
}

int answer_clock(struct mon_call *c)
{
	const struct mon_clock *q = c->fixed;
	struct timespec t;
	clockid_t id;

	if (c->text_size)
		return -EPROTO;
	switch (q->clock) {
	case HOST_CLOCK_REALTIME: id = CLOCK_REALTIME; break;
	case HOST_CLOCK_MONOTONIC: id = CLOCK_MONOTONIC; break;
	case HOST_CLOCK_BOOT: id = CLOCK_BOOTTIME; break;
	case HOST_CLOCK_PROCESS: id = cpu_clock(q->id, false); break;
	case HOST_CLOCK_THREAD: id = cpu_clock(q->id, true); break;
	default: return -HOST_EINVAL;
	}
	/* Process 1 is the monitor itself; numbers are those of the sandbox's
	 * own namespace, so no other process of the host has one. */
	if (q->clock >= HOST_CLOCK_PROCESS && q->id <= 1)
		return -HOST_EINVAL;
	if (clock_gettime(id, &t))
		return -errno;
	c->reply.value = (uint64_t)t.tv_sec * 1000000000u +
			 (uint64_t)t.tv_nsec;
	return 0;
}

int answer_random(struct mon_call *c)
{
	const struct mon_random *q = c->fixed;

	if (c->text_size)
		return -EPROTO;
	if (q->size > MON_RANDOM_MAX)
		return -HOST_EINVAL;
	if (getrandom(c->payload, q->size, 0) != (ssize_t)q->size)
		return -HOST_EIO;
	c->reply.size = q->size;
	return 0;
}

/* ---- reports -------------------------------------------------------------------- */
int answer_report(struct mon_call *c)
{
	const struct mon_report *q = c->fixed;

	if (q->text_size != c->text_size)
		return -EPROTO;
	c->no_reply = true;
	if (q->kind == HOST_REPORT_CRASH)
		monitor_end(c->m, 125 << 8, "%.*s",
			    (int)(q->text_size < 400 ? q->text_size : 400),
			    c->text);
	control_report(c->m, q, c->text);
	return 0;
}

int answer_exit(struct mon_call *c)
{
	const struct mon_exit *q = c->fixed;

	if (c->text_size)
		return -EPROTO;
	monitor_end(c->m, q->status & 0xffff, NULL);
}

/* ---- refusals --------------------------------------------------------------------- */
/* A JSON string of what may be any bytes. */
static size_t json_escape(char *to, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 7 < size; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch < 0x20 || ch == '"' || ch == '\\' || ch >= 0x7f)
			n += (size_t)snprintf(to + n, size - n, "\\u%04x", ch);
		else
			to[n++] = (char)ch;
	}
	to[n] = '\0';
	return n;
}

int denied(struct mon_call *c, const char *what, const char *path, int error)
{
	char escaped[1024], line[1200];
	struct timespec now;
	int n;

	if (c->m->denied_count++ >= DENIED_LINES_MAX)
		return -error;
	clock_gettime(CLOCK_REALTIME, &now);
	json_escape(escaped, sizeof(escaped), path);
	n = snprintf(line, sizeof(line), "{\"time\":%lld.%03ld,\"request\":"
		     "\"%s\",\"path\":\"%s\",\"error\":%d}\n",
		     (long long)now.tv_sec, now.tv_nsec / 1000000, what,
		     escaped, error);
	(void)!write(c->m->denied, line, (size_t)n);
	return -error;
}
