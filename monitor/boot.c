/*
 * boot.c - builds the boot record (include/bailey/boot.h) from the
 * configuration, and the same for a process that `exec` starts.
 *
 * A record grows in a struct blob: first the fixed struct, then strings and
 * arrays, referred to by their offset.  The pointer to the struct moves when
 * the blob grows, so fields are set through blob_at().
 */
#include "path.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "arch/arch.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

struct blob {
	char *data;
	size_t size, capacity, max;
	bool failed;
};

static void *blob_at(const struct blob *b, uint32_t offset)
{
	return b->data + offset;
}

/* Append size bytes (zeros when data is NULL), aligned; returns the offset,
 * 0 when the record is full. */
static uint32_t blob_add(struct blob *b, const void *data, size_t size,
			 size_t align)
{
	size_t at = (b->size + align - 1) & ~(align - 1);
	size_t end = at + size;

	if (b->failed || end > b->max || end < at) {
		b->failed = true;
		return 0;
	}
	if (end > b->capacity) {
		size_t capacity = end * 2 + 4096;
		char *grown = realloc(b->data, capacity);

		if (!grown) {
			b->failed = true;
			return 0;
		}
		b->data = grown;
		b->capacity = capacity;
	}
	memset(b->data + b->size, 0, end - b->size);
	if (data)
		memcpy(b->data + at, data, size);
	b->size = end;
	return (uint32_t)at;
}

static uint32_t blob_string(struct blob *b, const char *s)
{
	return s ? blob_add(b, s, strlen(s) + 1, 1) : 0;
}

/* All strings in a row; *count is how many. Returns where they begin. */
static uint32_t blob_strings(struct blob *b, char *const *list,
			     uint32_t *count)
{
	uint32_t first = 0, n = 0;

	for (; list && list[n]; n++) {
		uint32_t at = blob_string(b, list[n]);

		if (n == 0)
			first = at;
	}
	*count = n;
	return first;
}

static void spawn_fill(struct blob *b, uint32_t at,
		       const struct sandbox_config *c)
{
	struct boot_spawn s = {
		.uid = c->uid, .gid = c->gid, .umask = c->umask,
		.rows = c->rows, .columns = c->columns,
		.group_count = (uint32_t)c->group_count,
		.flags = c->tty ? BOOT_SPAWN_TTY : 0,
		.handles = { HOST_NO_HANDLE, HOST_NO_HANDLE, HOST_NO_HANDLE },
	};

	s.argv = blob_strings(b, c->argv, &s.argc);
	s.envp = blob_strings(b, c->envp, &s.envc);
	s.cwd = blob_string(b, c->cwd ? c->cwd : "/");
	if (c->group_count)
		s.groups = blob_add(b, c->groups,
				    c->group_count * sizeof(uint32_t), 4);
	if (!b->failed)
		memcpy(blob_at(b, at), &s, sizeof(s));
}

struct boot_spawn *sandbox_spawn_record(const struct sandbox_config *c,
					size_t *size, struct err *e)
{
	struct blob b = { .max = CONTROL_PAYLOAD_MAX };

	blob_add(&b, NULL, sizeof(struct boot_spawn), 8);
	if (!b.failed)
		spawn_fill(&b, 0, c);
	if (b.failed) {
		free(b.data);
		err_set(e, 125, "the arguments and the environment are too "
			"long (at most %u bytes)", CONTROL_PAYLOAD_MAX);
		return NULL;
	}
	*size = b.size;
	return (struct boot_spawn *)(void *)b.data;
}

/* What the sandbox would ask first: it need not. */
static void root_stat(const struct monitor *m, uint32_t tree,
		      struct host_stat *out)
{
	const struct mon_tree *t = &m->trees[tree];
	struct stat st;

	if (!t->name[0] && !fstat(t->fd, &st) && !path_is_safe(t, t->fd, &st))
		path_stat(m, t->is_volume, &st, out);
}

static void boot_mounts(struct blob *b, const struct monitor *m)
{
	const struct sandbox_config *c = m->config;
	size_t i, n = c->mount_count;
	uint32_t tree = 0;
	uint32_t at = blob_add(b, NULL, n * sizeof(struct boot_mount), 8);

	for (i = 0; i < n; i++) {
		const struct sandbox_mount *s = &c->mounts[i];
		struct boot_mount d = {
			.kind = s->kind, .mode = s->mode, .size = s->size,
			.flags = s->flags & (BOOT_MOUNT_RO | BOOT_MOUNT_NOEXEC),
		};

		if (s->kind == BOOT_MOUNT_LAYER ||
		    s->kind == BOOT_MOUNT_VOLUME) {
			root_stat(m, tree, &d.root);
			d.tree = tree++;
		}
		d.guest = blob_string(b, s->guest);
		d.text = blob_string(b, s->text);
		if (!b->failed)
			((struct boot_mount *)blob_at(b, at))[i] = d;
	}
	if (b->failed)
		return;
	((struct boot_info *)blob_at(b, 0))->mounts = at;
	((struct boot_info *)blob_at(b, 0))->mount_count = (uint32_t)n;
}

static void boot_ports(struct blob *b, const struct monitor *m)
{
	unsigned i;
	uint32_t at = blob_add(b, NULL,
			       m->port_count * sizeof(struct boot_port), 8);

	for (i = 0; i < m->port_count && !b->failed; i++) {
		struct boot_port *p = blob_at(b, at);

		p[i].proto = (uint32_t)m->ports[i].proto;
		p[i].guest_port = m->ports[i].guest_port;
	}
	if (b->failed)
		return;
	((struct boot_info *)blob_at(b, 0))->ports = at;
	((struct boot_info *)blob_at(b, 0))->port_count = m->port_count;
}

static uint32_t cpu_count(const struct sandbox_config *c)
{
	uint32_t limit = (c->cpu_milli + 999) / 1000, n = 1;
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof(set), &set))
		n = (uint32_t)CPU_COUNT(&set);
	return limit && limit < n ? limit : n;
}

/* What describes the host, by strings. */
static void boot_host(struct blob *b, struct boot_info *i)
{
	struct utsname u;

	uname(&u);
	i->platform = blob_string(b, (const char *)getauxval(AT_PLATFORM));
	i->kernel = blob_string(b, u.release);
}

static int boot_fixed(const struct monitor *m, struct boot_info *i)
{
	const struct sandbox_config *c = m->config;
	struct sysinfo si;

	if (getrandom(i->seed, sizeof(i->seed), 0) != sizeof(i->seed))
		return -1;
	if (!sysinfo(&si))
		i->host_memory = (uint64_t)si.totalram * si.mem_unit;
	i->magic = BOOT_MAGIC;
	i->version = HOST_ABI_VERSION;
	i->flags = (c->trace_fd >= 0 ? BOOT_TRACE : 0) |
		   (m->network_host ? BOOT_NET_HOST : 0) |
		   (c->debug ? BOOT_DEBUG : 0) |
		   (m->pages >= 0 ? BOOT_RESUME : 0) |
		   (c->read_only ? BOOT_READ_ONLY : 0) |
		   (m->cgroup_has & CGROUP_MEMORY ? BOOT_MEMORY_HELD : 0);
	i->events = BLY_FD_EVENTS;
	i->heap = BLY_FD_HEAP;
	i->trace = m->trace_handle;
	i->pages = m->pages_handle;
	if (m->vdso.count) {
		i->vdso = BLY_VDSO + (m->vdso.code - m->vdso.low);
		i->vdso_size = m->vdso.code_size;
	}
	i->cpu_count = cpu_count(c);
	i->pids_limit = c->pids;
	i->memory_limit = c->memory;
	i->hwcap = getauxval(AT_HWCAP);
	i->hwcap2 = getauxval(AT_HWCAP2);
	i->minsigstksz = getauxval(AT_MINSIGSTKSZ);
	return 0;
}

/* Where the record goes, in the heap. */
static uint64_t boot_offset(const struct monitor *m)
{
	return (m->pages >= 0 ? BOOT_RESUME_ADDR : BOOT_INFO_ADDR) - BLY_HEAP;
}

static int boot_finish(struct monitor *m, struct blob *b,
		       const struct boot_info *fixed)
{
	struct boot_info *i = blob_at(b, 0);
	struct boot_info old = *i;
	struct stat st;

	*i = *fixed;
	i->init = old.init;
	i->mounts = old.mounts;
	i->mount_count = old.mount_count;
	i->ports = old.ports;
	i->port_count = old.port_count;
	memcpy(i->init.handles, m->stdio_handle, sizeof(i->init.handles));
	for (int k = 0; k < 3; k++)
		if (m->stdio[k] >= 0 && !fstat(m->stdio[k], &st))
			path_stat(m, false, &st, &i->init.stats[k]);
	i->size = (uint32_t)b->size;
	if (pwrite(m->heap, b->data, b->size, (off_t)boot_offset(m)) !=
	    (ssize_t)b->size)
		return -1;
	return 0;
}

int boot_write(struct monitor *m, struct err *e)
{
	const struct sandbox_config *c = m->config;
	struct blob b = { .max = m->pages >= 0 ? BOOT_RESUME_MAX :
			  BOOT_RESUME_ADDR - BOOT_INFO_ADDR };
	struct boot_info fixed;
	int r = -1;

	memset(&fixed, 0, sizeof(fixed));
	blob_add(&b, NULL, sizeof(struct boot_info), 8);
	if (boot_fixed(m, &fixed) || b.failed)
		goto out;
	spawn_fill(&b, offsetof(struct boot_info, init), c);
	boot_mounts(&b, m);
	boot_ports(&b, m);
	fixed.hostname = blob_string(&b, c->hostname);
	fixed.sandbox_id = blob_string(&b, c->id);
	boot_host(&b, &fixed);
	if (c->limit_count)
		fixed.limits = blob_add(&b, c->limits, c->limit_count *
					sizeof(*c->limits), 8);
	fixed.limit_count = (uint32_t)c->limit_count;
	if (!b.failed)
		r = boot_finish(m, &b, &fixed);
out:
	if (b.failed)
		err_set(e, 125, "the arguments, the environment and the "
			"mounts are too long");
	else if (r)
		err_set(e, 125, "cannot write the boot record: %s",
			strerror(errno));
	free(b.data);
	return r;
}
