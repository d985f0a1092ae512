/*
 * exec_first.c - the program that a sandbox (or `bailey exec`) starts with:
 * found as a shell finds it, in the PATH of its own environment.
 */
#include "exec_impl.h"

#include <libos/heap.h>
#include <libos/vfs.h>

static const char default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char *env_path(const struct exec_strings *s)
{
	const char *p = s->env;
	u32 i;

	for (i = 0; i < s->envc; i++, p += strlen(p) + 1)
		if (!strncmp(p, "PATH=", 5))
			return p + 5;
	return default_path;
}

static int try_program(const char *path, struct exec_strings *s)
{
	struct file *f = exec_open(AT_FDCWD, path, 0);
	int err;

	if (is_err(f))
		return (int)ptr_err(f);
	err = exec_program(f, path, s);
	file_put(f);
	return err;
}

/* Is this a reason to look in the next directory? */
static bool is_elsewhere(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -EACCES ||
		err == -ENAMETOOLONG || err == -ELOOP;
}

int exec_first(struct task *t, const char *path, struct exec_strings *s)
{
	const char *dir = env_path(s), *end;
	int err, found = -ENOENT;
	char *buf;

	if (strchr(path, '/') || !*path)
		return *path ? try_program(path, s) : -ENOENT;
	buf = kmalloc(PATH_MAX_LEN);
	if (!buf)
		return -ENOMEM;
	for (;; dir = end + 1) {
		end = strchr(dir, ':');
		if (!end)
			end = dir + strlen(dir);
		snprintf(buf, PATH_MAX_LEN, "%.*s%s%s", (int)(end - dir), dir,
			 end > dir ? "/" : "", path);
		err = try_program(buf, s);
		if (!is_elsewhere(err))
			break;
		if (err == -EACCES)
			found = err;
		if (!*end)
			break;
	}
	kfree(buf);
	return is_elsewhere(err) ? found : err;
}
