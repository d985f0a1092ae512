/*
 * mount.c - a mount of its own for each host tree, so that the host's kernel
 * enforces what the policy says: read-only, no devices, no set-user-id.  And
 * no access times: the library OS keeps none either, and looking after them
 * is a fifth of what a read of a page costs.
 *
 * Root's trees are also mapped: on the way through the mount the host's root
 * and the sandbox's user (65534) change places, so that files of root in a
 * volume belong to the program, and nothing else does.
 *
 * Where the host's kernel or a container refuses any of this the plain
 * directory handle stays in use; the monitor's own checks do not rely on it.
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	monitor_close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static _Noreturn int stand_still(void *arg)
{
	for (;;)
		pause();
}

static pid_t swapped = -1; /* is ending: mounts_reap() */

/* A user namespace in which root and nobody have changed places.  What lives
 * in it meanwhile shares our memory: a copy would cost us a fault for each
 * page that we write afterwards. */
static int swap_namespace(void)
{
	static const char map[] = "0 65534 1\n1 1 65533\n65534 0 1\n";
	static char stack[4096] __attribute__((aligned(16)));
	char path[64];
	int fd = -1;
	pid_t child = clone(stand_still, stack + sizeof(stack),
			    CLONE_VM | CLONE_NEWUSER | SIGCHLD, NULL);

	if (child < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", child);
	if (!write_file(path, map)) {
		snprintf(path, sizeof(path), "/proc/%d/gid_map", child);
		if (!write_file(path, map)) {
			snprintf(path, sizeof(path), "/proc/%d/ns/user",
				 child);
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
	}
	kill(child, SIGKILL);
	swapped = child;
	return fd;
}

void mounts_reap(void)
{
	int status;

	if (swapped > 0)
		waitpid(swapped, &status, 0);
	swapped = -1;
}

static int mount_attributes(int fd, struct mount_attr *a)
{
	return (int)syscall(SYS_mount_setattr, fd, "",
			    AT_EMPTY_PATH | AT_RECURSIVE, a, sizeof(*a));
}

static uint64_t mount_id(int fd)
{
	struct statx x;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) ? 0 :
	       x.stx_mnt_id;
}

/* An ordinary user may be refused the change of access times alone; then
 * files are opened so that they are left alone (path_open). */
static int mount_restrict(int fd, bool read_only)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOATIME |
			    (read_only ? MOUNT_ATTR_RDONLY : 0),
		.attr_clr = MOUNT_ATTR__ATIME,
	};

	if (!mount_attributes(fd, &a))
		return 0;
	a.attr_set &= ~(uint64_t)MOUNT_ATTR_NOATIME;
	a.attr_clr = 0;
	return mount_attributes(fd, &a);
}

/* userns: -1, or what swap_namespace() made. */
static int tree_mount(struct mon_tree *t, int userns)
{
	struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP,
				  .userns_fd = (uint64_t)userns };
	struct stat was, is;
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, t->host,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
			      AT_RECURSIVE);

	if (fd < 0)
		return -1;
	if (fstat(t->fd, &was) || fstat(fd, &is) ||
	    was.st_dev != is.st_dev || was.st_ino != is.st_ino ||
	    mount_restrict(fd, t->read_only)) {
		close(fd);
		return -1;
	}
	if (userns >= 0 && t->whole)
		(void)mount_attributes(fd, &map);
	close(t->fd);
	t->fd = fd;
	t->mount_id = mount_id(fd);
	return 0;
}

static int shared_userns = -1;

void mounts_share(void)
{
	if (geteuid() == 0 && shared_userns < 0)
		shared_userns = swap_namespace();
	mounts_reap();
}

int trees_mount(struct monitor *m, struct err *e)
{
	int userns = shared_userns;
	unsigned i;

	for (i = 0; m->was_root && i < m->tree_count && userns < 0; i++)
		if (m->trees[i].whole)
			userns = swap_namespace();
	for (i = 0; i < m->tree_count; i++)
		(void)tree_mount(&m->trees[i], userns);
	if (userns != shared_userns)
		monitor_close(userns);
	return 0;
}
