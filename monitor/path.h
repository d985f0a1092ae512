/*
 * path.h - names of host files, between req_fs.c and path.c.
 *
 * A name is resolved to the handle of its parent directory and its last
 * component; every operation is then done relative to that handle, without
 * following a symlink.  So neither "..", nor a symlink, nor a rename on the
 * host while the monitor looks can lead out of the tree.
 */
#ifndef MONITOR_PATH_H
#define MONITOR_PATH_H

#include <sys/stat.h>

#include "mon.h"

struct mon_path {
	const struct mon_tree *tree;
	int dir;            /* parent directory */
	bool dir_is_ours;   /* to be closed */
	const char *name;   /* last component; "." for the tree's root */
	const char *full;   /* as the request has it, for messages */
};

/* Check form and tree; -HOST_E... or 0. NULL tree index is refused. */
int path_decode(struct mon_call *c, uint32_t tree, const char *path,
		uint32_t size, struct mon_path *out);
/* Open the parent. for_write: the tree must not be read-only. */
int path_enter(struct mon_call *c, struct mon_path *p, bool for_write);
void path_leave(struct mon_path *p);
/* At the end of requests that came together: what was kept for the next. */
void path_forget(void);
/* May the sandbox look at what is described by st? As a directory: enter
 * it.  0 or -HOST_EACCES. */
int path_may_read(const struct mon_tree *t, const struct stat *st);
int path_may_enter(const struct mon_tree *t, const struct stat *st);
/* Not a file system that shows the host's processes or devices. */
int path_is_safe(const struct mon_tree *t, int fd, const struct stat *st);
/* open() of the last component, never following a symlink. */
int path_open(const struct mon_path *p, int flags, unsigned mode);
/* watch.c: tell the sandbox of changes in dir from now on, if possible. */
bool watch_directory(const struct mon_tree *t, int dir);
bool is_all_cached(int fd);
/* And of a new name of this file there, which its directory does not see;
 * once it has one, changes through that are not told. */
bool watch_file(const char *name);
uint32_t path_kind(mode_t mode); /* enum host_kind */
void path_stat(const struct monitor *m, bool is_volume,
	       const struct stat *st, struct host_stat *out);

#endif
