/*
 * sysv.c - keys, identifiers and permissions of System V IPC.
 */
#include "sysv.h"

#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/task.h>

static int sysv_grow(struct sysv_table *t)
{
	u32 capacity = t->capacity ? t->capacity * 2 : 16;
	struct sysv_object **slots;

	slots = krealloc(t->slots, capacity * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + t->capacity, 0,
	       (capacity - t->capacity) * sizeof(*slots));
	t->slots = slots;
	t->capacity = capacity;
	return 0;
}

int sysv_enter(struct sysv_table *t, struct sysv_object *o, s32 key, u32 mode)
{
	const struct cred *c = &current()->cred;
	u32 i = 0;

	if (t->count >= t->limit)
		return -ENOSPC;
	while (i < t->capacity && t->slots[i])
		i++;
	if (i == t->capacity && sysv_grow(t))
		return -ENOMEM;
	o->key = key;
	o->sequence = t->sequence;
	t->sequence = (t->sequence + 1) & 0xffff;
	o->id = (s32)((o->sequence * SYSV_MAX_INDEX + i) & 0x7fffffff);
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = mode & 0777;
	t->slots[i] = o;
	t->count++;
	t->highest = MAX(t->highest, i);
	return 0;
}

void sysv_remove(struct sysv_table *t, struct sysv_object *o)
{
	u32 i = (u32)o->id % SYSV_MAX_INDEX;

	if (o->removed)
		return;
	o->removed = true;
	t->slots[i] = NULL;
	t->count--;
	while (t->highest && !t->slots[t->highest])
		t->highest--;
}

struct sysv_object *sysv_at(struct sysv_table *t, u32 index)
{
	return index < t->capacity ? t->slots[index] : NULL;
}

struct sysv_object *sysv_find(struct sysv_table *t, s32 id)
{
	struct sysv_object *o;

	if (id < 0)
		return NULL;
	o = sysv_at(t, (u32)id % SYSV_MAX_INDEX);
	return o && o->id == id ? o : NULL;
}

struct sysv_object *sysv_find_key(struct sysv_table *t, s32 key)
{
	for (u32 i = 0; i < t->capacity; i++)
		if (t->slots[i] && t->slots[i]->key == key)
			return t->slots[i];
	return NULL;
}

static bool sysv_in_group(u32 gid)
{
	const struct cred *c = &current()->cred;

	if (c->egid == gid)
		return true;
	for (u32 i = 0; i < c->group_count; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

int sysv_permission(const struct sysv_object *o, u32 want)
{
	u32 euid = current()->cred.euid, granted = o->mode;

	want &= 6;
	if (euid == o->cuid || euid == o->uid)
		granted >>= 6;
	else if (sysv_in_group(o->cgid) || sysv_in_group(o->gid))
		granted >>= 3;
	if (!(want & ~granted))
		return 0;
	return capable(CAP_IPC_OWNER_BIT) ? 0 : -EACCES;
}

int sysv_may_control(const struct sysv_object *o)
{
	u32 euid = current()->cred.euid;

	if (euid == o->cuid || euid == o->uid || capable(CAP_SYS_ADMIN_BIT))
		return 0;
	return -EPERM;
}

void sysv_get_perm(const struct sysv_object *o, struct ipc64_perm *p)
{
	memset(p, 0, sizeof(*p));
	p->key = o->key;
	p->uid = o->uid;
	p->gid = o->gid;
	p->cuid = o->cuid;
	p->cgid = o->cgid;
	p->mode = (__kernel_mode_t)o->mode;
	p->seq = (unsigned short)o->sequence;
}

int sysv_set_perm(struct sysv_object *o, const struct ipc64_perm *p)
{
	if (p->uid == ~0u || p->gid == ~0u)
		return -EINVAL;
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777);
	return 0;
}

struct sysv_object *sysv_get(struct sysv_table *t, s32 key, u32 flags)
{
	struct sysv_object *o;
	int err;

	if (key == IPC_PRIVATE)
		return NULL;
	o = sysv_find_key(t, key);
	if (!o)
		return flags & IPC_CREAT ? NULL : err_ptr(-ENOENT);
	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return err_ptr(-EEXIST);
	/* All that the mode asks for, of whichever class we are. */
	err = sysv_permission(o, (flags >> 6) | (flags >> 3) | flags);
	return err ? err_ptr(err) : o;
}

s64 sysv_now(void)
{
	return (s64)(clock_realtime_ns() / NSEC_PER_SEC);
}
