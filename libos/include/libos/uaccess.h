/*
 * uaccess.h - the only ways to guest memory.
 *
 * A guest pointer is passed as u64 or as void *; it is never dereferenced
 * directly.  Every function returns 0 or -EFAULT (libos/arch/.../uaccess.S
 * turns the fault into the error); a partial copy may have happened.
 */
#ifndef LIBOS_UACCESS_H
#define LIBOS_UACCESS_H

#include <bailey/boot.h>
#include <libos/base.h>

/* Is [p, p+size) outside the library OS's region and below GUEST_MAX? */
static inline bool access_ok(u64 p, u64 size)
{
	if (p > GUEST_MAX || size > GUEST_MAX - p)
		return false;
	return p + size <= BLY_BASE || p >= BLY_END || size == 0;
}
/* The bytes at the end that a fault has left uncopied. */
size_t copy_some_from_user(void *to, u64 from, size_t size);
size_t copy_some_to_user(u64 to, const void *from, size_t size);
static inline int copy_from_user(void *to, u64 from, size_t size)
{
	return copy_some_from_user(to, from, size) ? -EFAULT : 0;
}
static inline int copy_to_user(u64 to, const void *from, size_t size)
{
	return copy_some_to_user(to, from, size) ? -EFAULT : 0;
}
int clear_user(u64 to, size_t size);
/* Length without the NUL, -EFAULT, or -ENAMETOOLONG if none within size. */
ssize_t strncpy_from_user(char *to, u64 from, size_t size);
static inline int get_user_u32(u32 *v, u64 p)
{
	return copy_from_user(v, p, sizeof(*v));
}
static inline int get_user_u64(u64 *v, u64 p)
{
	return copy_from_user(v, p, sizeof(*v));
}
static inline int put_user_u32(u64 p, u32 v)
{
	return copy_to_user(p, &v, sizeof(v));
}
static inline int put_user_u64(u64 p, u64 v)
{
	return copy_to_user(p, &v, sizeof(v));
}
/* Atomic on guest memory, for futexes and robust lists.  0 or -EFAULT;
 * *old is what was there. */
int cmpxchg_user_u32(u32 *old, u64 p, u32 expected, u32 desired);
int load_user_u32(u32 *v, u64 p);

/* The bare accesses: a fault in either argument ends them, and what is left
 * is returned (of a load: 1). */
size_t raw_user_copy(void *to, const void *from, size_t size);
size_t raw_user_load(const u32 *p, u32 *v);

#endif
